/* SPDX-License-Identifier: MIT
 *
 * forward.c - a message that was received goes on to another actor, or is kept.
 */
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/table/meter.h"
#include "actors/table/runtime.h"
#include "loop/here.h"

#include <errno.h>

int rp__forward(rp_self *me, struct rp__slot *s, rp_ref to, bool wait)
{
    unsigned f = rp__flags(s->type);
    if (f & RP__F_TAKEN)
        return -EALREADY;
    struct rp__out o = {.to = to, .from = s->from, .type = rp__type(s->type), .body = rp__body_of(s)};
    o.msg = (rp_msg *)s;
    o.flags = f & (RP__F_NODE | RP__F_DEADLINE | (f & RP__F_SPENT ? 0 : RP__F_CALL));
    if (f & RP__F_NODE) {
        o.node = *rp__node_of(s);
        o.via = *rp__via_of(s);
    }
    o.call = f & RP__F_CALL ? *rp__call_of(s) : 0;
    o.bounce = s->type & RP__BOUNCE && to.node == me->loop->node;
    o.cookie = o.bounce ? *rp__cookie_of(s) : 0;
    o.deadline = f & RP__F_DEADLINE ? (rp_time)*rp__deadline_of(s) : 0;
    rp__pay(me->loop, s);
    o.flags |= f & RP__F_NODE || o.flags & RP__F_CALL ? RP__F_PAID : 0;
    int rc = rp__send(me, &o, wait, RP_FOREVER);
    if (rc != 0)
        return rc;
    rp__done(me->loop, s);
    s->type |= RP__FLAG(RP__F_TAKEN);
    return 0;
}

int rp_forward(rp_self *me, const rp_msg *m, rp_ref to)
{
    if (!m)
        return -EINVAL;
    rp__must_be_here_debug(me);
    rp__must_live(me, m, "rp_forward");
    return rp__forward(me, (struct rp__slot *)(uintptr_t)&m->slot, to, true);
}

int rp_keep(rp_self *me, const rp_msg *m, rp_msg **ret)
{
    if (!m || !ret)
        return -EINVAL;
    struct rp__slot *s = (struct rp__slot *)(uintptr_t)&m->slot;
    rp__must_be_here_debug(me);
    rp__must_live(me, m, "rp_keep");
    if (rp__flags(s->type) & RP__F_TAKEN)
        return -EALREADY;
    if (me->actor && rp__free_hand(me) != 0)
        return -ENOMEM;
    rp__pay(me->loop, s);
    rp_msg *held = rp__msg_hold(me->loop, s);
    if (!held)
        return -ENOMEM;
    if (me->actor)
        rp__get(me, held);
    *ret = held;
    return 0;
}
