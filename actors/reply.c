/* SPDX-License-Identifier: MIT
 *
 * reply.c - the right to reply: in a message that asks, or taken out of it as a token.
 *
 * It is linear: it is used once, or ends with its message, and then the asker learns that there will be
 * no reply.
 */
#include "actors/ask.h"
#include "actors/meter.h"
#include "actors/runtime.h"

#include <errno.h>
#include <string.h>

static struct rp__slot *slot_of(const rp_msg *m)
{
    return (struct rp__slot *)(uintptr_t)&m->slot;
}

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
    memcpy(&s.body[2], blame ? blame : "", blame ? strnlen(blame, RP__BLAME) : 0);
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
