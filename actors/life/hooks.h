/* SPDX-License-Identifier: MIT
 *
 * hooks.h - what a kind of actor has beside its messages: init, fini, info.
 *
 * None of them may wait, so while one runs nothing else does on its loop. The loop says which it is at, and of
 * whom: a watchdog that finds the loop held names it. Each is a line of RP_TRACE=hook, with the time it took.
 */
#ifndef RP__HOOKS_H
#define RP__HOOKS_H

#include "actors/table/actor.h"

int  rp__init_hook(struct rp_loop *l, struct rp__actor *a, void *arg);
void rp__fini_hook(struct rp_loop *l, struct rp__actor *a);

static inline int rp__run_init(struct rp_loop *l, struct rp__actor *a, void *arg) /* 0, or what it failed with */
{
    int rc = a->kind->init ? rp__init_hook(l, a, arg) : 0;
    if (rc >= 0)
        a->flags |= RP__A_INIT;
    return rc < 0 ? rc : 0;
}

static inline void rp__run_fini(struct rp_loop *l, struct rp__actor *a)
{
    if (a->kind->fini && a->flags & RP__A_INIT)
        rp__fini_hook(l, a);
}

/* "" where there is none, or where its state is not to be looked at: its code runs, it has ended, it moves. How
 * long it took. */
rp_time rp__run_info(struct rp_loop *l, const struct rp__actor *a, char *to, size_t size);

#endif
