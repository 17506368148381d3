/* SPDX-License-Identifier: MIT */
#include "loop/wheel.h"

#include <assert.h>
#include <string.h>

enum { TOP = RP__WHEEL_LEVELS - 1 };

static struct rp__timer *timer_of(struct rp__hook *l)
{
    return RP__OF(struct rp__timer, link, l);
}

static uint64_t tick_of(rp_time t)
{
    return t <= 0 ? 0 : (uint64_t)t >> RP__TICK_SHIFT;
}

void rp__wheel_init(struct rp__wheel *w, rp_time now)
{
    memset(w, 0, sizeof *w);
    w->tick = tick_of(now);
    for (unsigned l = 0; l < RP__WHEEL_LEVELS; l++)
        for (unsigned i = 0; i < RP__WHEEL_SLOTS; i++)
            rp__list_init(&w->slot[l][i]);
}

static void place(struct rp__wheel *w, struct rp__timer *t)
{
    uint64_t tick = tick_of(t->when);
    if (tick < w->tick)
        tick = w->tick;
    unsigned l = (63u - (unsigned)__builtin_clzll((tick ^ w->tick) | 1)) / 6;
    if (l > TOP)
        l = TOP; /* centuries away: comes round again */
    unsigned i = (unsigned)(tick >> 6 * l) & 63;
    rp__list_push(&w->slot[l][i], &t->link);
    w->used[l] |= UINT64_C(1) << i;
}

void rp__timer_start(struct rp__wheel *w, struct rp__timer *t, rp_time when)
{
    assert(!rp__timer_armed(t));
    t->when = when;
    w->armed++;
    place(w, t);
}

/* The slots of level `l` after the present one that hold a timer; forgets those found empty. */
static uint64_t later_slots(struct rp__wheel *w, unsigned l)
{
    unsigned here = (unsigned)(w->tick >> 6 * l) & 63;
    uint64_t mask = here == 63 ? 0 : ~UINT64_C(0) << (here + 1);
    if (l == TOP)
        mask = ~UINT64_C(0); /* the top level is a ring */
    for (uint64_t set = w->used[l] & mask; set; set &= set - 1) {
        unsigned i = (unsigned)__builtin_ctzll(set);
        if (!rp__list_empty(&w->slot[l][i]))
            break;
        w->used[l] &= ~(UINT64_C(1) << i);
    }
    return w->used[l] & mask;
}

/* The first tick after the present one at which a slot fires or opens; at most `limit`. */
static uint64_t next_tick(struct rp__wheel *w, uint64_t limit)
{
    for (unsigned l = 0; l < RP__WHEEL_LEVELS; l++) {
        uint64_t later = later_slots(w, l);
        if (!later)
            continue;
        uint64_t here = w->tick >> 6 * l;
        uint64_t at = (here & ~UINT64_C(63)) + (uint64_t)__builtin_ctzll(later);
        if (at <= here)
            at += 64;
        return at << 6 * l < limit ? at << 6 * l : limit;
    }
    return limit;
}

/* Sorts a NULL-ended chain of `next` pointers by deadline, stably, from below: run[k] holds 2^k. */
static struct rp__hook *merge(struct rp__hook *a, struct rp__hook *b)
{
    struct rp__hook *head = 0, **end = &head;
    while (a && b) {
        struct rp__hook **from = timer_of(b)->when < timer_of(a)->when ? &b : &a;
        *end = *from;
        end = &(*from)->next;
        *from = *end;
    }
    *end = a ? a : b;
    return head;
}

static struct rp__hook *sorted(struct rp__hook *chain)
{
    struct rp__hook *run[48] = {0};
    unsigned runs = 0;
    while (chain) {
        struct rp__hook *one = chain;
        chain = chain->next;
        one->next = 0;
        unsigned k = 0;
        for (; k < runs && run[k]; k++) {
            one = merge(run[k], one);
            run[k] = 0;
        }
        runs += k == runs;
        run[k] = one;
    }
    struct rp__hook *all = 0;
    for (unsigned k = 0; k < runs; k++)
        if (run[k])
            all = all ? merge(run[k], all) : run[k];
    return all;
}

/* Moves the present tick's slot to the end of `due`, in the order of deadlines. */
static void collect(struct rp__wheel *w, struct rp__hook *due)
{
    struct rp__hook *slot = &w->slot[0][w->tick & 63];
    w->used[0] &= ~(UINT64_C(1) << (w->tick & 63));
    bool in_order = true;
    for (struct rp__hook *l = slot->next; l != slot && l->next != slot && in_order; l = l->next)
        in_order = timer_of(l)->when <= timer_of(l->next)->when;
    if (in_order) {
        rp__list_splice(due, slot);
        return;
    }
    slot->prev->next = 0;
    struct rp__hook *chain = sorted(slot->next);
    rp__list_init(slot);
    while (chain) {
        struct rp__hook *l = chain;
        chain = chain->next;
        rp__list_push(due, l);
    }
}

/* Enters tick `to`: the slots that open there move their timers down. */
static void enter(struct rp__wheel *w, uint64_t to)
{
    w->tick = to;
    for (unsigned l = TOP; l > 0; l--) {
        unsigned i = (unsigned)(to >> 6 * l) & 63;
        if (to & ((UINT64_C(1) << 6 * l) - 1) || !(w->used[l] & UINT64_C(1) << i))
            continue;
        struct rp__hook open;
        rp__list_init(&open);
        rp__list_splice(&open, &w->slot[l][i]);
        w->used[l] &= ~(UINT64_C(1) << i);
        for (struct rp__hook *at; (at = rp__list_pop(&open));)
            place(w, timer_of(at));
    }
}

void rp__wheel_advance(struct rp__wheel *w, rp_time now)
{
    uint64_t goal = tick_of(now);
    if (w->armed == 0) {
        w->tick = goal > w->tick ? goal : w->tick;
        return;
    }
    struct rp__hook due;
    rp__list_init(&due);
    for (;;) { /* bounded: `tick` grows up to `goal` */
        if (w->used[0] & UINT64_C(1) << (w->tick & 63))
            collect(w, &due);
        if (w->tick >= goal)
            break;
        enter(w, next_tick(w, goal));
    }
    while (!rp__list_empty(&due)) {
        struct rp__timer *t = timer_of(rp__list_pop(&due));
        if (t->when > now) { /* later in this very tick */
            place(w, t);
            continue;
        }
        w->armed--;
        t->fire(t);
    }
}

/* The earliest of a slot's deadlines; of a long one, of its first few: `whole` is false then. */
static rp_time first_of(const struct rp__hook *slot, bool *whole)
{
    enum { LOOK_AT = 16 };
    rp_time first = RP_FOREVER;
    unsigned looked = 0;
    const struct rp__hook *l = slot->next;
    for (; l != slot && looked < LOOK_AT; l = l->next, looked++)
        first = timer_of((struct rp__hook *)l)->when < first ? timer_of((struct rp__hook *)l)->when : first;
    *whole = l == slot;
    return first;
}

rp_time rp__wheel_next(struct rp__wheel *w)
{
    if (w->armed == 0)
        return RP_FOREVER;
    bool whole;
    rp_time first = first_of(&w->slot[0][w->tick & 63], &whole); /* sorted, but for what came since */
    for (unsigned l = 0; l < RP__WHEEL_LEVELS && first == RP_FOREVER; l++) {
        uint64_t later = later_slots(w, l);
        if (!later)
            continue;
        first = first_of(&w->slot[l][__builtin_ctzll(later)], &whole);
        if (!whole || l == TOP) /* too many to look at each: to be sorted when the slot's time comes */
            return (rp_time)(next_tick(w, UINT64_MAX >> (RP__TICK_SHIFT + 1)) << RP__TICK_SHIFT);
    }
    return first;
}
