/* SPDX-License-Identifier: MIT
 *
 * served.c - a handler that serves a call: how long it waits for answers, and which errors are not its own.
 *
 * A wait for an answer serves the one who asked, so it lasts no longer than that one waits. What fails for that reason,
 * and what fails because whoever asked is gone, is no failure of the actor: a handler that returns that error goes on,
 * or any client could end a service.
 */
#include "actors/mail/ask.h"
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/table/reports.h"
#include "actors/table/runtime.h"

#include <errno.h>

/* The handler's stack: also for its tasks, which all end before it returns. NULL: no handler is at a message. */
static rp_self *handler_of(const rp_self *me)
{
    const struct rp__actor *a = me->actor;
    if (!a || a->flags & RP__A_COROUTINE)
        return 0;
    rp_self *co = me->home ? a->co : (rp_self *)(uintptr_t)me;
    return co && co->msg ? co : 0;
}

rp_time rp__while_asked(const rp_self *me, rp_time deadline)
{
    const rp_self *co = handler_of(me);
    const rp_msg *m = co ? (const rp_msg *)co->msg : 0;
    if (!m || rp__flags(m->slot.type) & RP__F_TAKEN || !rp_wants_reply(m))
        return deadline;
    rp_time asked = rp_deadline_of(m);
    return asked < deadline ? asked : deadline;
}

void rp__not_its_own(rp_self *me, rp_ref to, int err, bool cut)
{
    rp_self *co = handler_of(me);
    if (!co || co == me->loop->sched)
        return;
    bool back = rp_ref_eq(to, rp_from(me, (const rp_msg *)co->msg)) && !rp_ref_none(to);
    bool gone = err == -ESRCH || err == -EPIPE || err == -EHOSTUNREACH || err == -EDEADLK;
    if ((cut && err == -ETIMEDOUT) || (back && gone))
        co->excused = err;
}

/* ---- what it returned ---------------------------------------------------------------------------- */

static bool too_late(struct rp_loop *l, struct rp__slot *s)
{
    unsigned f = rp__flags(s->type);
    return f & RP__F_DEADLINE && (f & (RP__F_CALL | RP__F_SPENT | RP__F_TAKEN)) == RP__F_CALL &&
           (rp_time)*rp__deadline_of(s) <= l->world->now(l);
}

static bool came_by_a_lost_link(struct rp_loop *l, struct rp__slot *s)
{
    return rp__flags(s->type) & RP__F_NODE && rp__runtime(l)->route->node_at(l, *rp__via_of(s) >> 32) == 0;
}

static void say_nobody_asked(struct rp_loop *l, const struct rp__actor *a, const struct rp__slot *s)
{
    const char *type = rp__type(s->type)->name;
    rp__report_of(l, a, RP_REPORT_MISUSE, -EALREADY, "was told \"%s\" and replied, but nobody waits for a reply; it goes on. The sender "
                  "is to use rp_call, or the handler to ask rp_wants_reply first", type ? type : "?");
}

int rp__judge(rp_self *me, struct rp__actor *a, struct rp__slot *s, int rc)
{
    struct rp_loop *l = me->loop;
    bool told = rc == -EALREADY && !(rp__flags(s->type) & RP__F_CALL);
    bool excused = told || rc == me->excused || (rc == -ETIMEDOUT && too_late(l, s)) || (rc == -EHOSTUNREACH && came_by_a_lost_link(l, s));
    if (!excused || a->flags & RP__A_STOPPED)
        return rc;
    if (told)
        say_nobody_asked(l, a, s);
    if (rp__flags(s->type) & RP__F_CALL)
        rp__no_reply(l, s, rc);
    return 0;
}
