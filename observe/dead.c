/* SPDX-License-Identifier: MIT
 *
 * dead.c - reads the last dead letters of a loop.
 */
#include "actors/mail/letters.h"
#include "actors/table/look.h"
#include "actors/table/runtime.h"
#include "observe/dump.h"
#include "observe/inspect.h"
#include "observe/words.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- who reads them ------------------------------------------------------------------------------ */

struct reading {
    struct rp__look look;
    unsigned n; /* that are wanted; then those there are */
    rp_dead_letter at[];
};

static void see(struct rp__look *look, struct rp_loop *l)
{
    struct reading *r = RP__OF(struct reading, look, look);
    const struct rp__dead *k = l->actors->dead;
    uint64_t there = !k ? 0 : k->n < RP_DEAD_LETTERS ? k->n : RP_DEAD_LETTERS;
    r->n = there < r->n ? (unsigned)there : r->n;
    for (unsigned i = 0; i < r->n; i++)
        r->at[i] = k->at[(k->n - 1 - i) % RP_DEAD_LETTERS];
}

int rp_dead_letters(rp_self *me, unsigned loop, rp_time deadline, rp_dead_letter *ret, unsigned n)
{
    n = n < RP_DEAD_LETTERS ? n : RP_DEAD_LETTERS;
    if (loop >= me->loop->sys->nloops || (!ret && n > 0))
        return -EINVAL;
    struct reading *r = rp__look_new(me, sizeof *r + n * sizeof *r->at, see);
    if (!r)
        return -ENOMEM;
    r->n = n;
    struct rp__look *k = &r->look;
    int rc = rp__look(me, &k, loop, deadline);
    if (rc != 0)
        return rc;
    rc = (int)r->n;
    for (unsigned i = 0; i < r->n; i++)
        ret[i] = r->at[i];
    rp__look_free(me, k);
    return rc;
}

/* ---- as text ------------------------------------------------------------------------------------- */

static void say_letter(rp_self *me, struct rp__text *t, unsigned loop, const rp_dead_letter *d)
{
    char type[64], from[RP__REF_TEXT], to[RP__REF_TEXT];
    rp__say(me, t, "%u %s %s %s %s %" PRIu64 " %" PRId64 " %" PRId64 "\n", loop, rp__end_name(d->end),
            rp__word_of(type, sizeof type, d->type->name), rp__ref_text(from, me, d->from), rp__ref_text(to, me, d->to),
            d->count, (rp_now(me) - d->at) / RP_US, d->age < 0 ? -1 : d->age / RP_US);
}

int rp__say_dead(rp_self *me, struct rp__text *t, const char *rest)
{
    enum { PATIENCE_MS = 2000 };
    (void)rest;
    rp__say(me, t, "loop end type from to count ago_us age_us\n");
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        struct reading *r = rp__look_new(me, sizeof *r + RP_DEAD_LETTERS * sizeof *r->at, see);
        if (!r)
            return -ENOMEM;
        r->n = RP_DEAD_LETTERS;
        struct rp__look *k = &r->look;
        int rc = rp__look(me, &k, i, rp__look_until(me, i, PATIENCE_MS));
        for (unsigned n = 0; rc == 0 && n < r->n; n++)
            say_letter(me, t, i, &r->at[n]);
        rp__look_free(me, k);
        if (rc == -ETIMEDOUT)
            rp__say_held(me, me->loop->sys, t, i);
        else if (rc != 0)
            return rc;
    }
    return t->rc;
}
