/* SPDX-License-Identifier: MIT
 *
 * flow.c - full mailboxes: how senders come to wait, and to go on.
 *
 *   target's loop                                     sender's loop
 *   a message meets the full mailbox: FULL   ------>  the target goes into the table; from now on who
 *                                                     sends to it waits there, first come first served
 *   half empty again: ROOM n                 ------>  the first n go on; the table forgets the target,
 *                                            <------  or, when those n have sent, MORE: there are others
 *
 * MORE goes behind what the n have sent, in the same ring, so that the room they were promised is not promised
 * again: said at once it would let all go on before the first of them had been heard of.
 *
 * Per loop and not per sender: one word each way stops and starts all senders of a loop, and the bound
 * is overshot by what was on its way, never more. The target is not looked at to send (a cache miss),
 * the table only while it is not empty. Pony's muting stops a sender altogether and can deadlock on
 * messages to others; here it waits only where it sends to the full one.
 */
#include "actors/mail/mail.h"
#include "actors/table/edge.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"

#include <errno.h>

struct rp__full {
    struct rp__full *next;
    uint64_t target;
    rp_overflow policy;
    uint32_t owed; /* those that may go on and have not sent yet: then MORE is said */
    bool again;    /* it has become full since they were let go: not to be forgotten before there is room once more */
    struct rp__waitlist waiters;
};

/* ---- the sender's side --------------------------------------------------------------------------- */

static struct rp__full **bucket(struct rp_loop *l, uint64_t target)
{
    uint64_t h = target * UINT64_C(0x9e3779b97f4a7c15);
    struct rp__full **at = &l->actors->full[h >> 58];
    while (*at && (*at)->target != target)
        at = &(*at)->next;
    return at;
}

_Static_assert(RP__FULL_BUCKETS == 64, "six bits of the hash");

struct rp__full *rp__full_find(struct rp_loop *l, uint64_t target)
{
    return *bucket(l, target);
}

rp_overflow rp__full_policy(const struct rp__full *f)
{
    return f->policy;
}

int rp__full_wait(rp_self *me, struct rp__full *f, rp_time until)
{
    rp__list_push(&f->waiters.fresh, &me->queue);
    return rp__park_on(me, RP__EDGE_ROOM, "room in a mailbox", rp__ref(me->loop, f->target), rp__unqueue, until);
}

void rp__on_full(struct rp_loop *l, uint64_t target, rp_overflow policy)
{
    struct rp__full **at = bucket(l, target);
    if (*at) {
        (*at)->again = true;
        return;
    }
    struct rp__full *f = rp__pool_get(&l->pool, sizeof *f);
    if (!f) /* then its senders go on, as if the word were still on its way */
        return;
    *f = (struct rp__full){.target = target, .policy = policy};
    rp__waitlist_init(&f->waiters);
    *at = f;
    l->actors->nfull++;
    l->slow |= RP__SLOW_FULL;
}

static void forget(struct rp_loop *l, struct rp__full **at)
{
    struct rp__full *f = *at;
    *at = f->next;
    rp__pool_free(&l->pool, f, sizeof *f);
    if (--l->actors->nfull == 0)
        l->slow &= ~(uint32_t)RP__SLOW_FULL;
}

/* None of those that were let go is still to send: what about the others? */
static void settle(struct rp_loop *l, struct rp__full **at)
{
    struct rp__full *f = *at;
    if (f->owed > 0)
        return;
    if (!rp__waitlist_empty(&f->waiters)) {
        rp__signal(l, f->target, rp__loop_addr(l->index), RP__OP_MORE, 0, 0);
        return;
    }
    if (!f->again)
        forget(l, at);
}

/* What its old loop has said of it holds no longer, and what that says from here on is not listened to: its new
 * loop knows of nobody that it has told. */
void rp__full_moved(struct rp_loop *l, uint64_t target)
{
    struct rp__full **at = bucket(l, target);
    if (!*at)
        return;
    for (rp_self *w; (w = rp__waitlist_pop(&(*at)->waiters, l->now));)
        rp__wake(w, 0);
    forget(l, at);
}

void rp__on_room(struct rp_loop *l, uint64_t target, uint64_t n)
{
    struct rp__full **at = bucket(l, target), *f = *at;
    if (!f)
        return;
    f->again = false;
    for (rp_self *w; n > 0 && (w = rp__waitlist_pop(&f->waiters, l->now)); n--) {
        f->owed++;
        rp__wake(w, 0);
    }
    if (rp__waitlist_empty(&f->waiters))
        f->owed = 0; /* there are no others: all may go on */
    settle(l, at);
}

void rp__full_sent(struct rp_loop *l, uint64_t target)
{
    struct rp__full **at = bucket(l, target);
    if (!*at || (*at)->owed == 0)
        return; /* no others waited; or another has told us of room since */
    (*at)->owed--;
    settle(l, at);
}

/* ---- the target's side --------------------------------------------------------------------------- */

static void tell(struct rp__mailbox *b, unsigned loop)
{
    b->told += !rp__box_told(b, loop);
    b->told_set[loop / 64] |= UINT64_C(1) << loop % 64;
}

/* The loop that is told is the one the message came from: who passes messages on sends in others' names. */
void rp__box_full(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, rp_overflow policy)
{
    unsigned loop = l->source;
    if ((rp__flags(s->type) & (RP__F_NODE | RP__F_PAID)) == RP__F_NODE || rp__box_told(a->box, loop))
        return; /* what comes straight from other processes is bounded by credit */
    tell(a->box, loop);
    if (loop == l->index && rp__route_of(l, a->addr) == loop)
        rp__on_full(l, a->addr, policy); /* at once, not behind what is on its way; so ROOM is said at once there too */
    else
        rp__signal(l, rp__loop_addr(loop), rp__loop_addr(l->index), RP__OP_FULL, a->addr, policy);
}

/* FULL and ROOM are heard in the order in which they are said: or who hears last that there is room does not know that the
 * mailbox is full again, and is not told once more. */
static void room_for(struct rp_loop *l, unsigned loop, uint64_t target, uint64_t n)
{
    if (loop == l->index && rp__route_of(l, target) == loop)
        rp__on_room(l, target, n);
    else
        rp__signal(l, rp__loop_addr(loop), rp__loop_addr(l->index), RP__OP_ROOM, target, n);
}

static void say_room(struct rp_loop *l, struct rp__actor *a, uint64_t each)
{
    struct rp__mailbox *b = a->box;
    b->told = 0;
    for (unsigned w = 0; w < (l->sys->nloops + 63) / 64; w++)
        for (uint64_t set = b->told_set[w]; set; set &= set - 1) {
            unsigned loop = w * 64 + (unsigned)__builtin_ctzll(set);
            b->told_set[w] &= ~(UINT64_C(1) << loop % 64);
            room_for(l, loop, a->addr, each);
        }
}

/* Or as empty as it gets: what is set aside may be more than half, and comes back when another message says so. */
static bool half_empty(const struct rp__actor *a)
{
    return (a->box->count <= a->limit / 2 && a->box->bytes <= a->limit_bytes / 2) || !rp__mailbox_waiting(a->box);
}

static uint64_t share(const struct rp__actor *a, unsigned loops)
{
    uint64_t room = a->limit > a->box->count ? a->limit - a->box->count : 0;
    return room > loops ? room / loops : 1;
}

void rp__box_taken(struct rp_loop *l, struct rp__actor *a)
{
    if (__builtin_expect(a->box->told > 0, 0) && half_empty(a))
        say_room(l, a, share(a, a->box->told));
}

void rp__box_gone(struct rp_loop *l, struct rp__actor *a)
{
    if (a->box && a->box->told > 0)
        say_room(l, a, UINT64_MAX);
}

void rp__on_more(struct rp_loop *l, uint64_t target, unsigned loop)
{
    struct rp__actor *a = rp__actor_find(l->actors, target);
    bool gone = !a || !a->box || (a->flags & RP__A_ENDING && rp__mail_of(a) != RP_MAIL_KEEP);
    if (gone || half_empty(a))
        room_for(l, loop, target, gone ? UINT64_MAX : share(a, 1));
    else
        tell(a->box, loop);
}
