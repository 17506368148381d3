/* SPDX-License-Identifier: MIT
 *
 * wheel.h - a loop's timers: a hierarchical wheel, eight levels of 64 slots, ticks of 65.5 us.
 *
 * Starting and stopping touch one slot, where a heap touches its height; one uv_timer_t stands behind
 * the whole wheel. Promises: a timer never fires early; timers fire in the order of their deadlines,
 * ties in the order of starting; a stopped timer never fires, also when another one that fires in the
 * same advance stops it; a timer started while others fire waits for the next advance.
 *
 * Choosing the level by the highest bit in which deadline and present differ is Linux's and tokio's
 * idea; a timer moves down at most once per level.
 *
 * A million timers lie outside the caches, and who walks down one list of them waits for memory at every
 * step. So a slot is a cache line of eight lists, its lanes, which are walked side by side: eight waits
 * at once. Nothing is allocated for a timer; what order the lanes lose, `order` gives back.
 */
#ifndef RP__WHEEL_H
#define RP__WHEEL_H

#include "reparto/loop.h"

enum { RP__TICK_SHIFT = 16, RP__WHEEL_LEVELS = 8, RP__WHEEL_SLOTS = 64, RP__WHEEL_LANES = 8, RP__TIMER_NOTE = 0xff };

struct rp__wheel;

struct rp__timer {
    struct rp__timer *next;
    struct rp__timer **at; /* what points at it; NULL: not started */
    rp_time when;
    void (*fire)(struct rp__timer *t, struct rp__wheel *w);
    uint64_t order; /* of starting; the low byte is its owner's */
};

struct rp__lanes {
    struct rp__timer *lane[RP__WHEEL_LANES];
};

/* Every slot before `tick` is empty. Of the present slot, what is due has been moved to `due`. */
struct rp__wheel {
    uint64_t tick;
    size_t armed;
    uint64_t started;        /* the last one's order */
    rp_time look;            /* the present slot is not worth a look before; RP_FOREVER: it is empty */
    rp_time rest;            /* nor before this: it is crowded, and has just been looked at */
    rp_time firing;          /* timers fire, up to this time; RP__LONG_AGO: they do not */
    struct rp__timer *due;   /* in the order of firing */
    struct rp__timer *young; /* due, but started while others fire */
    uint64_t used[RP__WHEEL_LEVELS]; /* a bit a slot; set where a timer stands, perhaps set where none does */
    struct rp__lanes (*slot)[RP__WHEEL_SLOTS]; /* by level; a page each, which is no memory until it is used */
};

#define RP__LONG_AGO INT64_MIN

int  rp__wheel_init(struct rp__wheel *w, rp_time now); /* 0 or -ENOMEM */
void rp__wheel_fini(struct rp__wheel *w);              /* a zeroed one too; forgets what stands in it */
void rp__timer_start(struct rp__wheel *w, struct rp__timer *t, rp_time when);

/* Fires what is due, but no more than `most`. True: more is. */
bool rp__wheel_advance(struct rp__wheel *w, rp_time now, unsigned most);
bool rp__wheel_behind(const struct rp__wheel *w, rp_time now); /* the same question, asked alone */

/* When to advance next: never later than the next deadline; but where more than 16 share the present
 * tick, one of them may have to wait for an eighth of it. RP_FOREVER: none. */
rp_time rp__wheel_next(struct rp__wheel *w);

static inline bool rp__timer_armed(const struct rp__timer *t)
{
    return t->at != 0;
}

static inline void rp__timer_stop(struct rp__wheel *w, struct rp__timer *t)
{
    if (!t->at)
        return;
    w->armed--;
    *t->at = t->next;
    if (t->next)
        t->next->at = t->at;
    t->at = 0;
}

#endif
