/* SPDX-License-Identifier: MIT
 *
 * hooks.h - what a kind of actor has beside its messages: init, fini, info.
 *
 * None of them may wait, so while one runs nothing else does on its loop. The loop says which it is at, and of
 * whom: a watchdog that finds the loop held names it. Each is a line of RP_TRACE=hook, with the time it took.
 */
#ifndef RP__HOOKS_H
#define RP__HOOKS_H

#include "actors/actor.h"

int  rp__run_init(struct rp_loop *l, struct rp__actor *a, void *arg); /* 0, or what it failed with */
void rp__run_fini(struct rp_loop *l, struct rp__actor *a);

/* "" where there is none, or where its state is not to be looked at: its code runs, it has ended, it moves. How
 * long it took. */
rp_time rp__run_info(struct rp_loop *l, const struct rp__actor *a, char *to, size_t size);

#endif
