/* SPDX-License-Identifier: MIT
 *
 * supervise.c - supervisors as their users see them: started, and asked.
 */
#include "actors/cast/supervisor.h"
#include "actors/life/life.h"
#include "loop/rest.h"

#include <errno.h>
#include <string.h>

const rp_type rp__sup_start_type = {.name = "rp.sup.start", .size = sizeof(struct rp__sup_start)};

const rp_type rp__sup_add_type = {.name = "rp.sup.add", .size = sizeof(struct rp__sup_add)};
const rp_type rp__sup_removal_type = {.name = "rp.sup.remove", .size = sizeof(struct rp__sup_removal)};
const rp_type rp__sup_which_type = {.name = "rp.sup.which", .size = sizeof(struct rp__sup_which)};
const rp_type rp__sup_answer_type = {.name = "rp.sup.answer", .size = sizeof(struct rp__sup_answer)};

int rp__sup_start(rp_self *me, rp_ref supervisor, bool watch)
{
    rp_msg *m;
    int rc = rp_call(me, supervisor, &rp__sup_start_type, &(struct rp__sup_start){.watch = watch}, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

RP__NOIPA int rp_supervise(rp_self *me, const rp_supervisor *s, const rp_spawn_opts *given, rp_ref *ret)
{
    rp_spawn_opts o = given ? *given : (rp_spawn_opts){0};
    bool watch = o.monitor;
    rp_system *sys = me->loop->sys;
    struct rp__sup_plan *plan;
    rp_ref ref;
    int rc = s ? rp__may_wait(me) : -EINVAL;
    if (rc == 0)
        rc = rp__sup_plan_new(sys, s, &plan);
    if (rc != 0)
        return rp__rested(me, rc);
    o.monitor = false; /* a start that fails is our result, and no RP_DOWN */
    o.arg = plan;
    rc = rp__spawn_from(me, &rp__supervisor_actor, &o, __builtin_return_address(0), &ref);
    if (rc != 0) {
        rp__sup_plan_free(sys, plan); /* else it is the supervisor's */
        return rc;
    }
    rc = rp__sup_start(me, ref, watch);
    if (rc == 0 && ret)
        *ret = ref;
    else if (rc != 0)
        rp__release(me, ref); /* given up waiting for it: it is not wanted any more */
    return rc;
}

static int ask(rp_self *me, rp_ref supervisor, const rp_type *t, const void *body, rp_ref *ret)
{
    rp_msg *m;
    if (supervisor.node != me->loop->node)
        return -EINVAL;
    int rc = rp_call(me, supervisor, t, body, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    const struct rp__sup_answer *b = rp_body(m, &rp__sup_answer_type);
    if (b && ret)
        *ret = b->child;
    rp_msg_drop(me, m);
    return b ? 0 : -EBADMSG;
}

/* The question has ended, answered or not. Else it may still come to its supervisor, which lets go of what is in it. */
static bool has_ended(int rc)
{
    return rc != -ECANCELED && rc != -ETIMEDOUT && rc != -EDEADLK;
}

int rp_supervise_child(rp_self *me, rp_ref supervisor, size_t i, rp_ref *ret)
{
    return ret ? ask(me, supervisor, &rp__sup_which_type, &(struct rp__sup_which){i}, ret) : -EINVAL;
}

RP__NOIPA int rp_supervise_add(rp_self *me, rp_ref supervisor, const rp_child *c, rp_ref *ret)
{
    struct rp__sup_add b = {.site = __builtin_return_address(0)};
    rp_system *sys = me->loop->sys;
    int rc = c ? rp__sup_plan_new(sys, &(rp_supervisor){.children = c, .nchildren = 1}, &b.plan) : -EINVAL;
    if (rc != 0)
        return rc;
    rp__sup_plan_lend(sys, b.plan);
    rc = ask(me, supervisor, &rp__sup_add_type, &b, ret);
    if (has_ended(rc) && !b.plan->taken)
        rp__sup_plan_let_go(sys, b.plan);
    rp__sup_plan_let_go(sys, b.plan);
    return rc;
}

int rp_supervise_remove(rp_self *me, rp_ref supervisor, rp_ref child)
{
    return ask(me, supervisor, &rp__sup_removal_type, &(struct rp__sup_removal){child}, 0);
}
