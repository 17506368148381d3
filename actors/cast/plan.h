/* SPDX-License-Identifier: MIT
 *
 * plan.h - what a supervisor is to do, copied: the tables that describe it may be gone when the call that gave them has
 * returned, and it reads them again at each restart.
 *
 * One block for each supervisor of the tree: its description, its children, their descriptions and all names. `arg` of a
 * child, `event` and `event_arg` stay the user's.
 */
#ifndef RP__SUP_PLAN_H
#define RP__SUP_PLAN_H

#include "loop/base/list.h"
#include "loop/loop.h"
#include "reparto/supervisor.h"

enum { RP__TREE_MAX = 1 << 16 }; /* supervisors in a tree: a table that is its own child has no end */

struct rp__sup_plan {
    rp_supervisor top;
    struct rp__sup_plan *next; /* of the tree; the first owns the others */
    size_t size;
    struct rp__hook lent; /* in its runtime's list, while it is held by two */
    /* By whom it is held, where that is more than one: rp_supervise_add and its supervisor. Whoever takes it to 0 frees
     * it. acq_rel: after the other has read it. */
    _Atomic unsigned holders;
    bool taken; /* by that supervisor; read by who has its answer */
    rp_child child[];
};

/* Copies the tree under `s`. 0; -EINVAL: a child that is none, or too many supervisors; -ENOMEM. */
int rp__sup_plan_new(rp_system *sys, const rp_supervisor *s, struct rp__sup_plan **ret);
void rp__sup_plan_free(rp_system *sys, struct rp__sup_plan *p); /* NULL too */

/* It goes to a supervisor in a message, and is held by two from here on. A message that nobody reads lets go of nothing:
 * what is lent still when the system ends is freed by rp__sup_plans_end. */
void rp__sup_plan_lend(rp_system *sys, struct rp__sup_plan *p);
void rp__sup_plan_let_go(rp_system *sys, struct rp__sup_plan *p); /* by one of its holders. NULL: nothing */
void rp__sup_plans_end(rp_system *sys);

#endif
