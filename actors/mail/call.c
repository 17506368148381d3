/* SPDX-License-Identifier: MIT
 *
 * call.c - questions and answers.
 *
 * Whoever asks gets a number in its loop's table; the reply carries it and finds the waiting coroutine
 * by it, past the mailbox. Who gives up takes the number out, so a late reply finds nobody (Erlang
 * leaked them into mailboxes until it had aliases). The right to reply is in reply.c.
 */
#include "actors/mail/ask.h"
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/mail/trace.h"
#include "actors/table/edge.h"
#include "actors/table/meter.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "loop/rest.h"
#include "loop/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool leave_call(rp_self *me)
{
    struct rp__ids *calls = &me->loop->actors->calls;
    if (rp__id_find(calls, (uint64_t)(uintptr_t)me->got) == me)
        rp__id_free(calls, (uint64_t)(uintptr_t)me->got);
    return true;
}

/* What the message says: the scope's end is the wait's too, but cancels it. */
rp_time rp__earliest(const rp_self *me, rp_time deadline)
{
    return me->scope && me->scope->effective < deadline ? me->scope->effective : deadline;
}

RP__NOIPA int rp_call(rp_self *me, rp_ref to, const rp_type *t, const void *body, rp_msg **ret, rp_time deadline)
{
    struct rp_loop *l = me->loop;
    struct rp__ids *calls = &l->actors->calls;
    int rc = rp__may_wait(me);
    if (rc == 0)
        rc = rp__keep_stack(me);
    if (rc != 0)
        return rp__rested(me, rc);
    if (!me->actor || !ret)
        return -EINVAL;
    if ((rc = rp__free_hand(me)) != 0)
        return rc;
    rp_time given = deadline;
    deadline = rp__while_asked(me, given);
    rp_time until = rp__earliest(me, deadline);
    uint64_t id = rp__id_new(calls, &l->sys->mem, me);
    if (!id)
        return -ENOMEM;
    rc = rp__send_call(me, to, t, body, id, until, true, deadline);
    if (rc != 0) {
        rp__id_free(calls, id);
        rp__not_its_own(me, to, rc, deadline < given);
        return rc;
    }
    me->got = (void *)(uintptr_t)id;
    if (__builtin_expect(rp__cancelled(me) || deadline <= l->now, 0)) {
        rc = rp__park_on(me, RP__EDGE_CALL, "reply", to, leave_call, deadline);
    } else {
        rp__edge_begin(me, RP__EDGE_CALL, to);
        rc = rp__park_now(l, me, "reply", (void *)(uintptr_t)to.local, leave_call, deadline);
        rp__edge_end(me);
    }
    if (rc == 0)
        *ret = me->hand[0];
    else
        rp__not_its_own(me, to, rc, deadline < given);
    return rc;
}

/* ---- the asker's loop ---------------------------------------------------------------------------- */

/* Who replied too late is told, where it is known what to say of it. Whether that is traced or not: a run is the same. */
static void late(struct rp_loop *l, struct rp__slot *s)
{
    if (l->actors->sites && s->from && !(s->type & RP__FLAG(RP__F_NODE)))
        rp__signal(l, s->from, s->to, RP__OP_LATE, 0, 0);
    rp__finish(l, s, RP__LATE);
}

rp_self *rp__on_reply(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__ids *calls = &l->actors->calls;
    uint64_t id = *rp__call_of(s);
    void *entry = rp__id_find(calls, id);
    if (!entry) {
        late(l, s);
        return 0;
    }
    rp__id_free(calls, id);
    rp__begun(l, s);
    if (rp__traces(l, RP__T_RECV))
        rp__trace_recv(l, rp__actor_find(l->actors, s->to), s);
    rp_msg *m = rp__msg_hold(l, s);
    int rc = m ? 0 : -ENOMEM;
    if (!m)
        rp__drop(l, s, RP_DROPPED_MEMORY);
    if (rp__entry_is_ask(entry)) {
        rp__ask_settled(entry, rc, m, "", 0);
        return 0;
    }
    rp_self *asker = entry;
    asker->hand[0] = m; /* rp_call has made room */
    asker->rc = rc;
    return asker;
}

void rp__on_no_reply(struct rp_loop *l, uint64_t id, int err, const char *blame, void *site)
{
    struct rp__ids *calls = &l->actors->calls;
    void *entry = rp__id_find(calls, id);
    if (!entry)
        return;
    rp__id_free(calls, id);
    if (rp__entry_is_ask(entry)) {
        rp__ask_settled(entry, err, 0, blame, site);
        return;
    }
    rp_self *asker = entry;
    snprintf(asker->blame, sizeof asker->blame, "%.*s", RP__BLAME, blame);
    asker->blame_site = site;
    asker->blame_wait = asker->wait;
    rp__wake(asker, err);
}

/* What it waits for is looked into anew, if it has been before: this may close a ring. */
void rp__on_has(struct rp_loop *l, uint64_t id, uint64_t who)
{
    void *entry = rp__id_find(&l->actors->calls, id);
    const void *on = (const void *)(uintptr_t)who;
    if (!entry)
        return;
    if (rp__entry_is_ask(entry)) {
        rp__ask_has(entry, who);
        return;
    }
    rp_self *asker = entry;
    if (asker->waits_node != l->node || asker->waits_on == on)
        return;
    asker->waits_on = on;
    if (rp__is_overdue(asker))
        asker->overdue(asker);
}
