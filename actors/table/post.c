/* SPDX-License-Identifier: MIT
 *
 * post.c - what must not fail to be sent: signals, and what was made beforehand. A reserve is for when there is no memory.
 */
#include "actors/table/post.h"

#include "actors/table/runtime.h"

#include <string.h>

enum { RESERVE = 256, RESERVE_LOW = 16 };

struct rp__spill *rp__spill_new(struct rp_loop *l)
{
    return rp__spill_of(l, 1);
}

void rp__reserve_fini(struct rp_loop *l)
{
    struct rp__hook *all = &l->actors->reserve;
    for (struct rp__hook *at; all->next && (at = rp__list_pop(all));)
        rp__spill_free(l, RP__OF(struct rp__spill, link, at));
}

bool rp__reserve_ready(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    if (!t->reserve.next)
        rp__list_init(&t->reserve);
    while (t->nreserve < RESERVE) {
        struct rp__spill *s = rp__spill_of(l, RP__SURE_SLOTS);
        if (!s)
            break;
        rp__list_push(&t->reserve, &s->link);
        t->nreserve++;
    }
    return t->nreserve >= RESERVE_LOW;
}

struct rp__spill *rp__reserve_take(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    if (t->nreserve == RESERVE_LOW)
        rp__stint_end(&l->stint); /* dispatch begins nothing more until the reserve is full again */
    struct rp__hook *at = rp__list_pop(&t->reserve);
    if (!at) {
        rp__tally(l, RP__LOST_SIGNALS, 1);
        return 0;
    }
    t->nreserve--;
    struct rp__spill *s = RP__OF(struct rp__spill, link, at);
    s->n = 1;
    return s;
}

void rp__signal(struct rp_loop *l, uint64_t to, uint64_t from, enum rp__op op, uint64_t a, uint64_t b)
{
    struct rp__slot s = {to, from, rp__op_word(op), {a, b, 0, 0, 0}};
    rp__post_sure(l, &s);
}

void rp__post_sure(struct rp_loop *l, const struct rp__slot *s)
{
    unsigned dst = rp__route_of(l, s->to), n = rp__slots(s->type);
    if (rp__post_slots(l, dst, s, n) == 0)
        return;
    struct rp__spill *spill = rp__reserve_take(l);
    if (!spill)
        return;
    memcpy(spill->slot, s, n * sizeof *s);
    spill->n = n;
    rp__post_spill(l, dst, spill);
}

void rp__post_made(struct rp_loop *l, struct rp__spill *s)
{
    rp__post_spill(l, rp__route_of(l, s->slot->to), s);
}
