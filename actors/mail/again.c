/* SPDX-License-Identifier: MIT
 *
 * again.c - what must not be lost, and comes to one that is busy when there is no memory to keep it.
 *
 * An actor that has ended is told of once: if the RP_DOWN, the RP_EXIT_NOTICE or a child's fall were dropped, whoever waits
 * for it would wait for ever, and with a supervisor the whole program's end. So such a message stands in a record of
 * the loop's reserve, and is delivered anew in the next round, or a millisecond later if nothing happens before. Half
 * of the reserve is for signals alone: what finds the other half spent is dropped after all.
 */
#include "actors/table/post.h"
#include "actors/table/runtime.h"

enum { FOR_SIGNALS = 128 };

static void look_again(struct rp__timer *t, struct rp__wheel *w)
{
    (void)t, (void)w; /* the round that it begins does it */
}

bool rp__hold_over(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__actors *t = l->actors;
    if (!(rp__flags(s->type) & RP__F_SURE) || rp__slots(s->type) > RP__SURE_SLOTS || t->nreserve <= FOR_SIGNALS)
        return false;
    struct rp__spill *record = rp__reserve_take(l);
    record->n = rp__slots(s->type);
    memcpy(record->slot, s, record->n * sizeof *s);
    record->slot[0].type &= ~RP__FLAG(RP__F_OWNED);
    rp__list_push(&t->held, &record->link);
    t->nheld++;
    if (s->type & RP__FLAG(RP__F_OWNED))
        rp__msg_shell_free(l, s);
    if (!rp__timer_armed(&t->again)) {
        t->again.fire = look_again;
        rp__timer_start(&l->wheel, &t->again, l->now + RP_MS);
    }
    return true;
}

bool rp__held_take(struct rp_loop *l, struct rp__slot ret[RP__SURE_SLOTS])
{
    struct rp__actors *t = l->actors;
    struct rp__hook *at = t->nheld ? rp__list_pop(&t->held) : 0;
    if (!at)
        return false;
    struct rp__spill *record = RP__OF(struct rp__spill, link, at);
    memcpy(ret, record->slot, record->n * sizeof *ret);
    rp__list_push(&t->reserve, at);
    t->nreserve++;
    t->nheld--;
    return true;
}
