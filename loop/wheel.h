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
 */
#ifndef RP__WHEEL_H
#define RP__WHEEL_H

#include "loop/list.h"
#include "reparto/loop.h"

enum { RP__TICK_SHIFT = 16, RP__WHEEL_LEVELS = 8, RP__WHEEL_SLOTS = 64 };

struct rp__timer {
    struct rp__hook link; /* in no list: not started */
    rp_time when;
    void (*fire)(struct rp__timer *);
};

struct rp__wheel {
    uint64_t tick; /* every slot before it is empty */
    size_t armed;
    uint64_t used[RP__WHEEL_LEVELS]; /* a bit a slot; set where a timer stands, perhaps set where none does */
    struct rp__hook slot[RP__WHEEL_LEVELS][RP__WHEEL_SLOTS];
};

void rp__wheel_init(struct rp__wheel *w, rp_time now);
void rp__timer_start(struct rp__wheel *w, struct rp__timer *t, rp_time when);
void rp__wheel_advance(struct rp__wheel *w, rp_time now); /* fires what is due */

/* When to advance next: never later than the next deadline; but where more than 16 share the present
 * tick, one that was started in it may have to wait for the tick's other timers. RP_FOREVER: none. */
rp_time rp__wheel_next(struct rp__wheel *w);

static inline bool rp__timer_armed(const struct rp__timer *t)
{
    return rp__linked(&t->link);
}

static inline void rp__timer_stop(struct rp__wheel *w, struct rp__timer *t)
{
    w->armed -= rp__timer_armed(t);
    rp__unlink(&t->link);
}

#endif
