/* SPDX-License-Identifier: MIT */
#include "loop/base/wheel.h"

#include "loop/base/os.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { TOP = RP__WHEEL_LEVELS - 1, SLOT_BITS = 6, CROWD = 16, REST = 1 << (RP__TICK_SHIFT - 3) };

/* Before all clocks, and after RP__LONG_AGO; from here to any time is a span that can be represented. */
static const rp_time LONG_PAST = -(RP_FOREVER / 2);

enum { BYTES = RP__WHEEL_LEVELS * RP__WHEEL_SLOTS * sizeof(struct rp__lanes) };

_Static_assert(sizeof(struct rp__lanes) == 64, "a slot is a cache line");

static uint64_t tick_of(rp_time t)
{
    return t <= 0 ? 0 : (uint64_t)t >> RP__TICK_SHIFT;
}

int rp__wheel_init(struct rp__wheel *w, rp_time now)
{
    memset(w, 0, sizeof *w);
    w->tick = tick_of(now);
    w->look = RP_FOREVER;
    w->firing = RP__LONG_AGO;
    w->slot = rp__os_map(BYTES, "reparto timers");
    return w->slot ? 0 : -ENOMEM;
}

void rp__wheel_fini(struct rp__wheel *w)
{
    if (w->slot)
        rp__os_unmap(w->slot, BYTES);
    w->slot = 0;
}

static void push(struct rp__timer **lane, struct rp__timer *t)
{
    t->next = *lane;
    if (t->next)
        t->next->at = &t->next;
    t->at = lane;
    *lane = t;
}

/* By the golden ratio: whoever starts every eighth timer for later does not fill one lane with them. */
static struct rp__timer **lane_of(struct rp__lanes *s, const struct rp__timer *t)
{
    return &s->lane[t->order * UINT64_C(0x009e3779b97f4a7c) >> 61];
}

/* It stands in the present slot. */
static void look_by(struct rp__wheel *w, rp_time when)
{
    if (when < w->rest)
        when = w->rest;
    if (when < w->look)
        w->look = when;
}

static inline void place(struct rp__wheel *w, struct rp__timer *t)
{
    uint64_t tick = tick_of(t->when);
    if (tick <= w->tick) {
        tick = w->tick;
        look_by(w, t->when);
    }
    unsigned l = (63u - (unsigned)__builtin_clzll((tick ^ w->tick) | 1)) / SLOT_BITS;
    if (l > TOP)
        l = TOP; /* centuries away: comes round again */
    unsigned i = (unsigned)(tick >> SLOT_BITS * l) & 63;
    push(lane_of(&w->slot[l][i], t), t);
    w->used[l] |= UINT64_C(1) << i;
}

void rp__timer_start(struct rp__wheel *w, struct rp__timer *t, rp_time when)
{
    assert(!rp__timer_armed(t));
    t->when = when > LONG_PAST ? when : LONG_PAST;
    t->order = (w->started += RP__TIMER_NOTE + 1) | (t->order & RP__TIMER_NOTE);
    w->armed++;
    if (t->when <= w->firing)
        push(&w->young, t);
    else
        place(w, t);
}

/* ---- looking for the next ------------------------------------------------------------------------- */

static bool empty(const struct rp__lanes *s)
{
    for (unsigned k = 0; k < RP__WHEEL_LANES; k++)
        if (s->lane[k])
            return false;
    return true;
}

/* The slots of level `l` after the present one that hold a timer; forgets those found empty. */
static uint64_t later_slots(struct rp__wheel *w, unsigned l)
{
    unsigned here = (unsigned)(w->tick >> SLOT_BITS * l) & 63;
    uint64_t mask = here == 63 ? 0 : ~UINT64_C(0) << (here + 1);
    if (l == TOP)
        mask = ~UINT64_C(0); /* the top level is a ring */
    for (uint64_t set = w->used[l] & mask; set; set &= set - 1) {
        unsigned i = (unsigned)__builtin_ctzll(set);
        if (!empty(&w->slot[l][i]))
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
        uint64_t here = w->tick >> SLOT_BITS * l;
        uint64_t at = (here & ~UINT64_C(63)) + (uint64_t)__builtin_ctzll(later);
        if (at <= here)
            at += 64;
        return at << SLOT_BITS * l < limit ? at << SLOT_BITS * l : limit;
    }
    return limit;
}

/* The earliest of a slot's deadlines; of a crowded one, of its first few: `whole` is false then. */
static rp_time first_of(const struct rp__lanes *s, bool *whole)
{
    rp_time first = RP_FOREVER;
    unsigned looked = 0;
    for (unsigned k = 0; k < RP__WHEEL_LANES && looked <= CROWD; k++)
        for (const struct rp__timer *t = s->lane[k]; t && looked <= CROWD; t = t->next, looked++)
            first = t->when < first ? t->when : first;
    *whole = looked <= CROWD;
    return first;
}

rp_time rp__wheel_next(struct rp__wheel *w)
{
    if (w->armed == 0)
        return RP_FOREVER;
    rp_time first = w->due ? w->due->when : w->look;
    for (unsigned l = 0; l < RP__WHEEL_LEVELS && first == RP_FOREVER; l++) {
        uint64_t later = later_slots(w, l);
        if (!later)
            continue;
        bool whole;
        first = first_of(&w->slot[l][__builtin_ctzll(later)], &whole);
        if (!whole || l == TOP) /* too many to look at each: to be sorted when the slot's time comes */
            return (rp_time)(next_tick(w, UINT64_MAX >> (RP__TICK_SHIFT + 1)) << RP__TICK_SHIFT);
    }
    return first;
}

bool rp__wheel_behind(const struct rp__wheel *w, rp_time now)
{
    return w->armed > 0 && (w->due || w->look <= now || w->tick < tick_of(now));
}

/* ---- sorting -------------------------------------------------------------------------------------- */

static bool before(const struct rp__timer *a, const struct rp__timer *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static struct rp__timer *merge(struct rp__timer *a, struct rp__timer *b)
{
    struct rp__timer *head = 0, **end = &head;
    while (a && b) {
        struct rp__timer **from = before(b, a) ? &b : &a;
        *end = *from;
        end = &(*from)->next;
        *from = *end;
    }
    *end = a ? a : b;
    return head;
}

/* Takes off what stands in order at the chain's beginning, or in reverse: a lane's timers often do. */
static struct rp__timer *run_of(struct rp__timer **chain)
{
    struct rp__timer *head = *chain, *end = head, *t = head->next;
    if (t && before(t, head))
        for (struct rp__timer *after; t && before(t, head); t = after) {
            after = t->next;
            t->next = head;
            head = t;
        }
    else
        for (; t && before(end, t); t = t->next)
            end = t;
    end->next = 0;
    *chain = t;
    return head;
}

/* Sorts a chain of `next` pointers, by merging its runs from below: run[k] holds 2^k of them. */
static struct rp__timer *sorted(struct rp__timer *chain)
{
    struct rp__timer *run[48] = {0};
    unsigned runs = 0;
    if (!chain->next)
        return chain;
    while (chain) {
        struct rp__timer *one = run_of(&chain);
        unsigned k = 0;
        for (; k < runs && run[k]; k++) {
            one = merge(run[k], one);
            run[k] = 0;
        }
        runs += k == runs;
        run[k] = one;
    }
    struct rp__timer *all = 0;
    for (unsigned k = 0; k < runs; k++)
        if (run[k])
            all = all ? merge(run[k], all) : run[k];
    return all;
}

/* ---- firing --------------------------------------------------------------------------------------- */

/* A tick's timers by 64th parts of it: most of the sorting. */
struct parts {
    uint64_t used;
    struct rp__timer *part[64];
};

static void part_push(struct parts *p, const struct rp__wheel *w, struct rp__timer *t)
{
    unsigned i = tick_of(t->when) < w->tick ? 0 : (unsigned)(t->when >> (RP__TICK_SHIFT - 6)) & 63;
    t->next = p->used & UINT64_C(1) << i ? p->part[i] : 0;
    p->part[i] = t;
    p->used |= UINT64_C(1) << i;
}

/* Sorts into `due`, which is empty. */
static void make_due(struct rp__wheel *w, struct parts *p)
{
    struct rp__timer **end = &w->due;
    for (; p->used; p->used &= p->used - 1)
        for (struct rp__timer *t = sorted(p->part[__builtin_ctzll(p->used)]); t; t = t->next) {
            *end = t;
            t->at = end;
            end = &t->next;
        }
    *end = 0;
}

/* Has the caches fetch the first few of each lane, side by side. Their order is wanted lane by lane. */
static void fetch(const struct rp__lanes *s)
{
    enum { DEEP = 32 };
    struct rp__lanes at = *s;
    bool any = true;
    for (unsigned i = 0; any && i < DEEP; i++) {
        any = false;
        for (unsigned k = 0; k < RP__WHEEL_LANES; k++)
            if (at.lane[k]) {
                at.lane[k] = *(struct rp__timer *volatile *)&at.lane[k]->next; /* else gcc sees no use in it */
                any = true;
            }
    }
}

/* Moves what is due of the present slot to `due`. */
static void collect(struct rp__wheel *w, rp_time now)
{
    struct rp__lanes *here = &w->slot[0][w->tick & 63], all = *here;
    struct parts parts;
    unsigned left = 0;
    parts.used = 0;
    memset(here, 0, sizeof *here);
    w->look = RP_FOREVER;
    w->rest = RP__LONG_AGO;
    fetch(&all);
    for (unsigned k = 0; k < RP__WHEEL_LANES; k++)
        for (struct rp__timer *t = all.lane[k], *next; t; t = next) {
            next = t->next;
            if (t->when <= now) {
                part_push(&parts, w, t);
                continue;
            }
            push(&here->lane[k], t);
            look_by(w, t->when);
            left++;
        }
    if (left == 0)
        w->used[0] &= ~(UINT64_C(1) << (w->tick & 63));
    if (left > CROWD) {
        rp_time end = (rp_time)((w->tick + 1) << RP__TICK_SHIFT);
        w->look = w->rest = now + REST < end ? now + REST : end;
    }
    make_due(w, &parts);
}

/* Its timers move down; the lanes side by side, so that the caches fetch eight at a time. */
static void open_slot(struct rp__wheel *w, unsigned l, unsigned i)
{
    struct rp__lanes all = w->slot[l][i];
    memset(&w->slot[l][i], 0, sizeof all);
    w->used[l] &= ~(UINT64_C(1) << i);
    for (bool any = true; any;) {
        any = false;
        for (unsigned k = 0; k < RP__WHEEL_LANES; k++) {
            struct rp__timer *t = all.lane[k];
            if (!t)
                continue;
            any = true;
            all.lane[k] = t->next;
            __builtin_prefetch(t->next, 1);
            place(w, t);
        }
    }
}

/* Enters tick `to`: the slots that open there move their timers down. */
static void enter(struct rp__wheel *w, uint64_t to)
{
    w->tick = to;
    w->look = w->used[0] & UINT64_C(1) << (to & 63) ? RP__LONG_AGO : RP_FOREVER;
    w->rest = RP__LONG_AGO;
    for (unsigned l = TOP; l > 0; l--) {
        unsigned i = (unsigned)(to >> SLOT_BITS * l) & 63;
        if (!(to & ((UINT64_C(1) << SLOT_BITS * l) - 1)) && w->used[l] & UINT64_C(1) << i)
            open_slot(w, l, i);
    }
}

/* Fires from `due`; returns how many more may fire. */
static unsigned fire(struct rp__wheel *w, unsigned most)
{
    for (struct rp__timer *t; most > 0 && (t = w->due); most--) {
        rp__timer_stop(w, t);
        t->fire(t, w);
    }
    return most;
}

bool rp__wheel_advance(struct rp__wheel *w, rp_time now, unsigned most)
{
    uint64_t goal = tick_of(now);
    if (w->armed == 0) {
        w->tick = goal > w->tick ? goal : w->tick;
        w->look = RP_FOREVER;
        return false;
    }
    w->firing = now;
    for (;;) { /* bounded: fires, or `tick` grows up to `goal` */
        most = fire(w, most);
        if (w->due)
            break;
        if (w->look <= now)
            collect(w, now);
        else if (w->tick < goal)
            enter(w, next_tick(w, goal));
        else
            break;
    }
    w->firing = RP__LONG_AGO;
    for (struct rp__timer *t = w->young, *next; t; t = next) {
        next = t->next;
        place(w, t);
    }
    w->young = 0;
    return w->due != 0;
}
