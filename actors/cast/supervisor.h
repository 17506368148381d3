/* SPDX-License-Identifier: MIT
 *
 * supervisor.h - what a supervisor is asked, by users (supervise.c) and by the supervisor above it. It answers with an
 * rp__sup_answer or an error.
 */
#ifndef RP__SUPERVISOR_H
#define RP__SUPERVISOR_H

#include "actors/cast/plan.h"
#include "actors/table/runtime.h"

struct rp__sup_start {
    bool watch;    /* who asks wants RP_DOWN */
    bool given_up; /* by who would have started it: it ends */
};
struct rp__sup_add {
    struct rp__sup_plan *plan; /* of one child */
    void *site; /* where the user did so */
};
struct rp__sup_removal {
    rp_ref child;
};
struct rp__sup_which {
    uint64_t number;
};
struct rp__sup_answer {
    rp_ref child;
};
extern const rp_type rp__sup_start_type, rp__sup_add_type, rp__sup_removal_type, rp__sup_which_type, rp__sup_answer_type;

extern const rp_actor rp__supervisor_actor; /* its arg: a struct rp__sup_plan, its own unless it is kept */

int rp__sup_start(rp_self *me, rp_ref supervisor, bool watch); /* suspends until its children have begun: 0, or why not */

#endif
