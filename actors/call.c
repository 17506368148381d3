/* SPDX-License-Identifier: MIT
 *
 * call.c - questions and answers.
 *
 * Whoever asks gets a number in its loop's table; the reply carries it and finds the waiting coroutine
 * by it, past the mailbox. Who gives up takes the number out, so a late reply finds nobody (Erlang
 * leaked them into mailboxes until it had aliases). The right to reply is linear: it is used once, or
 * ends with its message, and then the asker learns that there will be no reply.
 */
#include "actors/ask.h"
#include "actors/meter.h"
#include "actors/runtime.h"
#include "actors/trace.h"

#include "loop/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BLAME = 24 }; /* bytes of a name that an error carries */

static struct rp__slot *slot_of(const rp_msg *m)
{
    return (struct rp__slot *)(uintptr_t)&m->slot;
}

static bool leave_call(rp_self *me)
{
    struct rp__ids *calls = &me->loop->actors->calls;
    if (rp__id_find(calls, (uint64_t)(uintptr_t)me->got) == me)
        rp__id_free(calls, (uint64_t)(uintptr_t)me->got);
    return true;
}

/* A handler that works on a call waits no longer than its asker does. */
rp_time rp__while_asked(const rp_self *me, rp_time deadline)
{
    if (me->home || me->actor->flags & RP__A_COROUTINE)
        return deadline;
    rp_time asked = rp_deadline_of((const rp_msg *)me->msg);
    return asked < deadline ? asked : deadline;
}

/* What the message says: the scope's end is the wait's too, but cancels it. */
rp_time rp__earliest(const rp_self *me, rp_time deadline)
{
    return me->scope && me->scope->effective < deadline ? me->scope->effective : deadline;
}

int rp_call(rp_self *me, rp_ref to, const rp_type *t, const void *body, rp_msg **ret, rp_time deadline)
{
    struct rp_loop *l = me->loop;
    struct rp__ids *calls = &l->actors->calls;
    int rc = rp__may_wait(me);
    if (rc == 0)
        rc = rp__keep_stack(me);
    if (rc != 0)
        return rc;
    if (!me->actor)
        return -EINVAL;
    deadline = rp__while_asked(me, deadline);
    rp_time until = rp__earliest(me, deadline);
    uint64_t id = rp__id_new(calls, &l->sys->mem, me);
    if (!id)
        return -ENOMEM;
    struct rp__out o = {.to = to, .from = me->actor->addr, .type = t, .body = body, .call = id, .deadline = until};
    o.flags = RP__F_CALL | (until == RP_FOREVER ? 0u : (unsigned)RP__F_DEADLINE);
    rc = rp__send(me, &o, true, deadline);
    if (rc != 0) {
        rp__id_free(calls, id);
        return rc;
    }
    me->got = (void *)(uintptr_t)id;
    rc = rp__park_on(me, RP__EDGE_CALL, "reply", to, leave_call, deadline);
    if (rc == 0)
        *ret = me->got;
    return rc;
}

/* ---- the asker's loop ---------------------------------------------------------------------------- */

RP__NOIPA bool rp__on_reply(struct rp_loop *l, rp_self *me, struct rp__slot *s)
{
    struct rp__ids *calls = &l->actors->calls;
    uint64_t id = *rp__call_of(s);
    void *entry = rp__id_find(calls, id);
    if (!entry)
        return false;
    rp__id_free(calls, id);
    rp__begun(l, s);
    if (rp__traces(l, RP__T_RECV))
        rp__trace_recv(l, rp__actor_find(l->actors, s->to), s);
    rp_msg *m = rp__msg_hold(l, s);
    int rc = m ? 0 : -ENOMEM;
    if (!m)
        rp__finish(l, s, RP__DROPPED);
    if (rp__entry_is_ask(entry)) {
        rp__ask_settled(entry, rc, m, "");
        return true;
    }
    rp_self *asker = entry;
    asker->got = m;
    asker->rc = rc;
    rp__resume(me, asker);
    return true;
}

void rp__on_no_reply(struct rp_loop *l, uint64_t id, int err, const char *blame)
{
    struct rp__ids *calls = &l->actors->calls;
    void *entry = rp__id_find(calls, id);
    if (!entry)
        return;
    rp__id_free(calls, id);
    if (rp__entry_is_ask(entry)) {
        rp__ask_settled(entry, err, 0, blame);
        return;
    }
    rp_self *asker = entry;
    snprintf(asker->blame, sizeof asker->blame, "%.*s", BLAME, blame);
    rp__wake(asker, err);
}

/* ---- the right to reply -------------------------------------------------------------------------- */

static int take(const rp_msg *m, struct rp_loop *l, rp_token *k)
{
    struct rp__slot *s = slot_of(m);
    unsigned f = rp__flags(s->type);
    if (rp__forked(l))
        return -EPERM;
    if ((f & (RP__F_CALL | RP__F_SPENT | RP__F_TAKEN)) != RP__F_CALL)
        return -EALREADY;
    uint64_t node = l->node;
    if (f & RP__F_NODE) /* back by the link it came by, whoever asked at the other end of it */
        node = rp__runtime(l)->route->node_at(l, *rp__via_of(s) >> 32);
    *k = (rp_token){{node, s->from}, *rp__call_of(s)};
    rp__served(l, s->from, k->call);
    return 0;
}

static int send_reply(struct rp_loop *l, const rp_token *k, uint64_t from, const rp_type *t, const void *body)
{
    struct rp__out o = {.to = k->asker, .from = from, .type = t, .body = body, .flags = RP__F_REPLY, .call = k->call};
    return rp__send_sure(l, &o);
}

static int send_error(struct rp_loop *l, const rp_token *k, int err, const char *blame)
{
    if (k->asker.node != l->node) {
        const struct rp__route *route = rp__runtime(l)->route;
        return route ? route->no_reply(l, k->asker, k->call, err) : -EHOSTUNREACH;
    }
    struct rp__slot s = {k->asker.local, 0, rp__op_word(RP__OP_NO_REPLY), {k->call, (uint64_t)(int64_t)err}};
    memcpy(&s.body[2], blame ? blame : "", blame ? strnlen(blame, BLAME) : 0);
    rp__post_sure(l, &s);
    return 0;
}

void rp__no_reply(struct rp_loop *l, struct rp__slot *s, int err)
{
    rp_token k;
    if (take((rp_msg *)s, l, &k) != 0)
        return;
    s->type |= RP__FLAG(RP__F_SPENT);
    const struct rp__actor *a = rp__actor_find(l->actors, s->to);
    (void)send_error(l, &k, err, a ? a->kind->name : 0); /* an asker in a lost process has nobody to tell */
}

static uint64_t address(const rp_self *me)
{
    return me->actor ? me->actor->addr : 0;
}

static const char *name_of(const rp_self *me)
{
    return me->actor ? me->actor->kind->name : 0;
}

int rp_reply(rp_self *me, const rp_msg *m, const rp_type *t, const void *body)
{
    rp_token k;
    int rc = take(m, me->loop, &k);
    if (rc == 0)
        rc = send_reply(me->loop, &k, address(me), t, body);
    if (rc == 0)
        slot_of(m)->type |= RP__FLAG(RP__F_SPENT);
    return rc;
}

int rp_reply_error(rp_self *me, const rp_msg *m, int err)
{
    rp_token k;
    int rc = err < 0 ? take(m, me->loop, &k) : -EINVAL;
    if (rc == 0)
        rc = send_error(me->loop, &k, err, name_of(me));
    if (rc == 0)
        slot_of(m)->type |= RP__FLAG(RP__F_SPENT);
    return rc;
}

int rp_take_token(rp_self *me, const rp_msg *m, rp_token *ret)
{
    int rc = take(m, me->loop, ret);
    if (rc == 0)
        slot_of(m)->type |= RP__FLAG(RP__F_SPENT);
    return rc;
}

int rp_token_reply(rp_self *me, rp_token *k, const rp_type *t, const void *body)
{
    if (k->call == 0 || rp__forked(me->loop))
        return k->call == 0 ? -EALREADY : -EPERM;
    int rc = send_reply(me->loop, k, address(me), t, body);
    if (rc == 0)
        k->call = 0;
    return rc;
}

int rp_token_error(rp_self *me, rp_token *k, int err)
{
    if (k->call == 0 || rp__forked(me->loop))
        return k->call == 0 ? -EALREADY : -EPERM;
    int rc = err < 0 ? send_error(me->loop, k, err, name_of(me)) : -EINVAL;
    if (rc == 0)
        k->call = 0;
    return rc;
}

void rp_token_drop(rp_self *me, rp_token *k)
{
    if (k->call != 0)
        (void)!rp_token_error(me, k, -EPIPE); /* who is gone needs no answer */
}
