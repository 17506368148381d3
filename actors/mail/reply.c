/* SPDX-License-Identifier: MIT
 *
 * reply.c - the right to reply to a message that asks.
 *
 * It is linear: it is used once, or ends with its message, and then the asker learns that there will be
 * no reply. Taken out of its message it is a token: token.c.
 */
#include "actors/mail/ask.h"
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/mail/trace.h"
#include "actors/table/meter.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "loop/here.h"

#include <errno.h>
#include <string.h>

static struct rp__slot *slot_of(const rp_msg *m)
{
    return (struct rp__slot *)(uintptr_t)&m->slot;
}

int rp__right_of(struct rp_loop *l, const rp_msg *m, rp_token *k)
{
    struct rp__slot *s = slot_of(m);
    unsigned f = rp__flags(s->type);
    if (rp__forked(l))
        return -EPERM;
    if ((f & (RP__F_CALL | RP__F_SPENT | RP__F_TAKEN)) != RP__F_CALL) {
        rp__must_live(l->running, m, "rp_reply");
        return -EALREADY;
    }
    *k = (rp_token){.asker = {l->node, s->from}, .call = *rp__call_of(s)};
    if (f & RP__F_NODE) { /* back by the link it came by, whoever asked at the other end of it */
        k->via = *rp__via_of(s) >> 32;
        k->asker.node = rp__runtime(l)->route->node_at(l, k->via);
    }
    return 0;
}

int rp__send_error(struct rp_loop *l, const rp_token *k, int err, const struct rp__actor *by)
{
    const char *blame = by ? by->kind->name : 0;
    if (k->via != 0) {
        int rc = rp__runtime(l)->route->no_reply(l, k->via, k->call, err, blame);
        return rc == -EHOSTUNREACH ? 0 : rc; /* whoever asked has that for an answer */
    }
    struct rp__slot s = {k->asker.local, (uintptr_t)rp__site_of(l, by), rp__op_word(RP__OP_NO_REPLY),
                         {k->call, (uint64_t)(int64_t)err}};
    memcpy(&s.body[2], blame ? blame : "", blame ? strnlen(blame, RP__BLAME) : 0);
    rp__post_sure(l, &s);
    return 0;
}

/* Nobody is left to try again: a link on which it cannot be said is given up, and that is the answer. */
static void say_surely(struct rp_loop *l, const rp_token *k, int err, const struct rp__actor *by)
{
    if (rp__send_error(l, k, err, by) != 0)
        rp__runtime(l)->route->lose(l, k->via);
}

void rp__right_lost(struct rp_loop *l, const rp_token *k, const struct rp__actor *by)
{
    if (rp__traces(l, RP__T_DEAD))
        rp__trace_unanswered(l, k->asker, by);
    say_surely(l, k, -EPIPE, by);
}

int rp__reply_refused(rp_self *me, rp_ref asker, int rc)
{
    if (rc == -EALREADY && rp__traces(me->loop, RP__T_DEAD))
        rp__trace_refused(me->loop, asker, me->actor);
    return rc;
}

void rp__no_reply(struct rp_loop *l, struct rp__slot *s, int err)
{
    rp_token k;
    if (rp__right_of(l, (rp_msg *)s, &k) != 0)
        return;
    s->type |= RP__FLAG(RP__F_SPENT);
    const struct rp__actor *by = rp__actor_find(l->actors, s->to);
    if (err == -EPIPE)
        rp__right_lost(l, &k, by);
    else
        say_surely(l, &k, err, by);
}

/* Of what asks for nothing that is not worth a word. */
static int refused(rp_self *me, const rp_msg *m, int rc)
{
    return m->slot.type & RP__FLAG(RP__F_CALL) ? rp__reply_refused(me, rp_from(me, m), rc) : rc;
}

int rp_reply(rp_self *me, const rp_msg *m, const rp_type *t, const void *body)
{
    if (!m)
        return -EINVAL;
    rp__must_be_here_debug(me);
    rp_token k;
    int rc = rp__right_of(me->loop, m, &k);
    if (rc == 0)
        rc = rp__send_reply(me->loop, &k, me->actor, t, body);
    if (rc != 0)
        return refused(me, m, rc);
    slot_of(m)->type |= RP__FLAG(RP__F_SPENT);
    return 0;
}

int rp_reply_error(rp_self *me, const rp_msg *m, int err)
{
    if (!m)
        return -EINVAL;
    rp__must_be_here_debug(me);
    rp_token k;
    int rc = err < 0 ? rp__right_of(me->loop, m, &k) : -EINVAL;
    if (rc == 0)
        rc = rp__send_error(me->loop, &k, err, me->actor);
    if (rc != 0)
        return refused(me, m, rc);
    slot_of(m)->type |= RP__FLAG(RP__F_SPENT);
    return 0;
}
