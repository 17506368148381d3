/* SPDX-License-Identifier: MIT
 *
 * pace.h - how fast a line moves, so that who comes late can be told at once.
 *
 * A line that is longer than its people's patience, served in the order of coming, serves each just when its
 * time is up: all work is in vain, and goes on being so until the load falls below what it was before. So who
 * could not be served in time is turned away when it comes. The pace is the time from one taking to the next
 * while the line lasts, smoothed; it is known only where messages have deadlines, and a line that has ended
 * lets everybody in, whatever it was before: a wrong pace corrects itself.
 */
#ifndef RP__PACE_H
#define RP__PACE_H

#include "loop/base/times.h"

struct rp__pace { /* all zero: not known */
    rp_time begun;  /* when the last one with a deadline was taken; 0: the line has ended since */
    rp_time each;   /* ns */
    uint32_t taken; /* after that one */
};

static inline void rp__pace_taken(struct rp__pace *p) /* one without a deadline */
{
    p->taken++;
}

static inline void rp__pace_timed(struct rp__pace *p, rp_time now) /* one with; it is not overdue */
{
    if (p->begun != 0) {
        rp_time each = (now - p->begun) / (p->taken + 1);
        p->each += p->each == 0 ? each : (each - p->each) / 8;
    }
    p->begun = now;
    p->taken = 0;
}

static inline void rp__pace_end(struct rp__pace *p)
{
    p->begun = 0;
}

/* About when one that comes at `now`, behind `count` others and the one that is being served, will have been
 * served itself; rather later, because the pace varies. */
static inline rp_time rp__pace_done(const struct rp__pace *p, rp_time now, uint32_t count)
{
    rp_time line;
    if (__builtin_mul_overflow(count + UINT64_C(2), p->each, &line))
        line = RP_FOREVER;
    return p->begun == 0 || count == 0 ? now : rp__after(rp__after(now, line), line / 8);
}

#endif
