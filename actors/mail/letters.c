/* SPDX-License-Identifier: MIT */
#include "actors/mail/letters.h"

#include "actors/mail/trace.h"
#include "actors/table/meter.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"

#include <errno.h>
#include <string.h>

static const rp_field bounce_fields[] = { /* the type is an address: it says nothing elsewhere */
    RP_FIELD(struct rp_bounce, whom, RP_REF),
    RP_FIELD(struct rp_bounce, cookie, RP_U64),
    RP_FIELD(struct rp_bounce, reason, RP_I32),
};
const rp_type rp_bounce_type = RP_TYPE("rp.bounce", struct rp_bounce, bounce_fields);

_Static_assert(sizeof(struct rp_bounce) <= RP__SLOT - RP__HEAD, "one slot");

const char *rp__end_name(rp_end end)
{
    static const char *const names[] = {
        [RP_END_DEAD] = "dead", [RP_END_DROPPED] = "dropped", [RP_END_LATE] = "late", [RP_END_EXPIRED] = "expired",
    };
    return names[end];
}

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
        rp__trace_dead(l, s, rp__end_name(d.end), d.count);
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
