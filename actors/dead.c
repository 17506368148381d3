/* SPDX-License-Identifier: MIT */
#include "actors/dead.h"

#include "actors/dump.h"
#include "actors/inspect.h"
#include "actors/look.h"
#include "actors/meter.h"
#include "actors/runtime.h"
#include "actors/trace.h"
#include "actors/words.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct rp__dead { /* a ring; touched by its loop only */
    uint64_t n; /* ever begun */
    rp_dead_letter at[RP_DEAD_LETTERS];
};

static const rp_field bounce_fields[] = { /* the type is an address: it says nothing elsewhere */
    RP_FIELD(struct rp_bounce, whom, RP_REF),
    RP_FIELD(struct rp_bounce, cookie, RP_U64),
    RP_FIELD(struct rp_bounce, reason, RP_I32),
};
const rp_type rp_bounce_type = RP_TYPE("rp.bounce", struct rp_bounce, bounce_fields);

_Static_assert(sizeof(struct rp_bounce) <= RP__SLOT - RP__HEAD, "one slot");

static const char *const end_names[] = {
    [RP_END_DEAD] = "dead", [RP_END_DROPPED] = "dropped", [RP_END_LATE] = "late", [RP_END_EXPIRED] = "expired",
};

/* ---- where they end ------------------------------------------------------------------------------ */

static rp_end end_of(enum rp__tally how)
{
    return how == RP__DEAD ? RP_END_DEAD : how == RP__DROPPED ? RP_END_DROPPED : how == RP__LATE ? RP_END_LATE : RP_END_EXPIRED;
}

static rp_dead_letter *place_for(struct rp_loop *l, const rp_dead_letter *d)
{
    struct rp__dead *k = l->actors->dead;
    if (!k) {
        k = l->actors->dead = rp__alloc(l->sys, sizeof *k);
        if (!k)
            return 0;
        memset(k, 0, sizeof *k);
    }
    rp_dead_letter *last = &k->at[(k->n - 1) % RP_DEAD_LETTERS];
    if (k->n > 0 && last->end == d->end && last->type == d->type && rp_ref_eq(last->to, d->to))
        return last;
    last = &k->at[k->n++ % RP_DEAD_LETTERS];
    last->count = 0;
    return last;
}

static void note(struct rp_loop *l, struct rp__slot *s, enum rp__tally how)
{
    uint64_t age = rp__age_of(l, s);
    rp_dead_letter d = {
        .end = end_of(how),
        .type = rp__type(s->type),
        .from = rp__flags(s->type) & RP__F_NODE ? (rp_ref){*rp__node_of(s), s->from} : rp__ref(l, s->from),
        .to = rp__ref(l, s->to),
        .at = l->now,
        .age = age > INT64_MAX ? -1 : (rp_time)age,
    };
    rp_dead_letter *at = place_for(l, &d);
    if (!at)
        return;
    d.count = at->count + 1;
    *at = d;
    if (rp__traces(l, RP__T_DEAD) && (d.count & (d.count - 1)) == 0) /* of a run the first, second, fourth, ... */
        rp__trace_dead(l, s, end_names[d.end], d.count);
}

static void bounce(struct rp_loop *l, struct rp__slot *s, enum rp__tally how)
{
    struct rp_bounce b = {rp__ref(l, s->to), *rp__cookie_of(s), rp__type(s->type), how == RP__DEAD ? -ESRCH : -EAGAIN};
    struct rp__slot back = {s->from, s->to, rp__word(&rp_bounce_type, RP__F_SURE), {0}};
    memcpy(back.body, &b, sizeof b);
    rp__tally(l, RP__SENT, 1);
    rp__post_sure(l, &back);
}

void rp__died(struct rp_loop *l, struct rp__slot *s, enum rp__tally how)
{
    note(l, s, how);
    if (s->type & RP__BOUNCE)
        bounce(l, s, how);
}

void rp__dead_free(struct rp_loop *l)
{
    rp__free_mem(l->sys, l->actors->dead, sizeof(struct rp__dead));
    l->actors->dead = 0;
}

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
    rp__say(me, t, "%u %s %s %s %s %" PRIu64 " %" PRId64 " %" PRId64 "\n", loop, end_names[d->end],
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
