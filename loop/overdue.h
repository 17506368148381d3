/* SPDX-License-Identifier: MIT
 *
 * overdue.h - when a wait has lasted too long: its deadline, and before that whether it can end at all.
 *
 * Nearly all waits are over soon, so whoever asks to be looked into when his is not (rp_self.overdue) has no timer to
 * begin with. He stands in his loop's line of the young, in the order of beginning, and one timer is there for the
 * first of them. When that finds him he is RP__OVERDUE old: he is looked into, and has a timer of his own from then
 * on, for the next look or for his deadline. (That equal timeouts are a queue is old; libev keeps its own so.)
 */
#ifndef RP__OVERDUE_H
#define RP__OVERDUE_H

#include "loop/base/list.h"
#include "loop/base/wheel.h"

struct rp_loop;
struct rp_self;

struct rp__young {
    struct rp__hook line;   /* rp_self, by `young`; the one that began first is the first */
    struct rp__timer timer; /* started while there is one, and perhaps a little longer */
};

void rp__young_init(struct rp__young *y);

/* The wait that `me` is about to begin ends at `deadline`; RP_FOREVER: not by the clock. */
void rp__wait_until(struct rp_loop *l, struct rp_self *me, rp_time deadline);

/* It waits, or would wait, for what only itself can bring about: -EDEADLK, and rp_blame says whose fault it is. */
int rp__waits_for_itself(struct rp_self *me);

#endif
