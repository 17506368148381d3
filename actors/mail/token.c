/* SPDX-License-Identifier: MIT */
#include "actors/mail/token.h"

#include "actors/mail/mail.h"
#include "actors/table/runtime.h"
#include "loop/here.h"

#include <errno.h>
#include <string.h>

/* rp_token.held: none, when it stands in a message; or this, when nobody answers for it; or a record's number. */
enum { DETACHED = 1 };

struct rp__right {
    rp_token token;
    struct rp__right *next; /* in a pledge */
    bool pledged;
    bool passed; /* it was another's before */
};

static struct rp__right *find(const struct rp__actor *a, const rp_token *k)
{
    return a && a->extra && k->held > DETACHED ? rp__map_find(&a->extra->tokens, k->held) : 0;
}

/* From here on `a` answers for it. */
static int hold(struct rp_loop *l, struct rp__actor *a, const rp_token *k, bool passed, rp_token *ret)
{
    struct rp__extra *x = a ? rp__extra(l, a) : 0;
    struct rp__right *r = x ? rp__pool_get(&l->pool, sizeof *r) : 0;
    if (!r)
        return a ? -ENOMEM : -EINVAL;
    *r = (struct rp__right){.token = *k, .passed = passed};
    r->token.held = rp__new_number(l);
    if (rp__map_put(&x->tokens, &l->sys->mem, r->token.held, r) != 0) {
        rp__pool_free(&l->pool, r, sizeof *r);
        return -ENOMEM;
    }
    *ret = r->token;
    return 0;
}

static void forget(struct rp_loop *l, struct rp__actor *a, struct rp__right *r)
{
    (void)rp__map_remove(&a->extra->tokens, r->token.held);
    rp__pool_free(&l->pool, r, sizeof *r);
}

bool rp__tokens_find(const struct rp__actor *a, bool (*is)(const rp_token *k, bool passed, const void *arg), const void *arg)
{
    const struct rp__map *held = a->extra ? &a->extra->tokens : 0;
    for (uint32_t i = 0; held && i < held->size; i++) {
        const struct rp__right *r = held->at[i].value;
        if (r && is(&r->token, r->passed, arg))
            return true;
    }
    return false;
}

/* ---- using --------------------------------------------------------------------------------------- */

/* 0, with the record or, of a detached one, none. */
static int usable(const rp_self *me, const rp_token *k, struct rp__right **ret)
{
    *ret = 0;
    if (!k)
        return -EINVAL;
    if (k->call == 0)
        return -EALREADY;
    rp__must_be_here_debug(me);
    if (rp__forked(me->loop))
        return -EPERM;
    if (k->held == DETACHED)
        return 0;
    *ret = find(me->actor, k);
    return *ret && !(*ret)->pledged ? 0 : -EALREADY;
}

static void used(rp_self *me, rp_token *k, struct rp__right *r)
{
    if (r)
        forget(me->loop, me->actor, r);
    k->call = 0;
}

int rp_token_reply(rp_self *me, rp_token *k, const rp_type *t, const void *body)
{
    struct rp__right *r;
    int rc = usable(me, k, &r);
    if (rc != 0)
        return k ? rp__reply_refused(me, k->asker, rc) : rc;
    if (r)
        r->pledged = true; /* it cannot be in the body too */
    rc = rp__send_reply(me->loop, k, me->actor, t, body);
    if (r)
        r->pledged = false;
    if (rc == 0)
        used(me, k, r);
    return rc;
}

int rp_token_error(rp_self *me, rp_token *k, int err)
{
    if (!k)
        return -EINVAL;
    struct rp__right *r;
    int rc = rp__reply_refused(me, k->asker, usable(me, k, &r));
    if (rc == 0)
        rc = err < 0 ? rp__send_error(me->loop, k, err, me->actor) : -EINVAL;
    if (rc == 0)
        used(me, k, r);
    return rc;
}

void rp_token_drop(rp_self *me, rp_token *k)
{
    struct rp__right *r;
    if (usable(me, k, &r) != 0)
        return;
    rp__right_lost(me->loop, k, me->actor);
    used(me, k, r);
}

/* ---- taking and giving --------------------------------------------------------------------------- */

int rp_take_token(rp_self *me, const rp_msg *m, rp_token *ret)
{
    if (!m || !ret)
        return -EINVAL;
    rp__must_be_here_debug(me);
    rp_token k;
    int rc = rp__right_of(me->loop, m, &k);
    if (rc == 0)
        rc = hold(me->loop, me->actor, &k, rp__flags(m->slot.type) & RP__F_PAID, ret);
    if (rc == 0)
        ((rp_msg *)(uintptr_t)m)->slot.type |= RP__FLAG(RP__F_SPENT);
    return rc;
}

static bool is_field(struct rp__slot *s, const rp_token *field)
{
    const char *body = rp__body_of(s);
    const rp_field *f;
    for (size_t i = 0; (f = rp__token_field(rp__type(s->type), &i));)
        if ((const char *)field == body + f->offset)
            return true;
    return false;
}

int rp_token_from(rp_self *me, const rp_msg *m, const rp_token *field, rp_token *ret)
{
    if (!m || !field || !ret)
        return -EINVAL;
    struct rp__slot *s = (struct rp__slot *)(uintptr_t)&m->slot; /* constness is for users; the body is ours */
    if (rp__forked(me->loop))
        return -EPERM;
    if (rp__flags(s->type) & (RP__F_TAKEN | RP__F_SYSTEM))
        return -EALREADY;
    if (!is_field(s, field))
        return -EINVAL;
    if (field->call == 0)
        return -EALREADY;
    int rc = hold(me->loop, me->actor, field, true, ret);
    if (rc == 0)
        ((rp_token *)(uintptr_t)field)->call = 0;
    return rc;
}

int rp_token_detach(rp_self *me, rp_token *k)
{
    struct rp__right *r;
    int rc = usable(me, k, &r);
    if (rc != 0 || !r)
        return rc;
    forget(me->loop, me->actor, r);
    k->held = DETACHED;
    return 0;
}

int rp_token_attach(rp_self *me, rp_token *k)
{
    struct rp__right *r;
    int rc = usable(me, k, &r);
    return rc != 0 ? rc : r ? -EALREADY : hold(me->loop, me->actor, k, true, k);
}

/* ---- in what is sent ----------------------------------------------------------------------------- */

int rp__pledge_tokens(rp_self *me, const rp_type *t, const void *body, bool moves, struct rp__pledge *p)
{
    const rp_field *f;
    for (size_t i = 0; (f = rp__token_field(t, &i));) {
        rp_token k;
        memcpy(&k, (const char *)body + f->offset, sizeof k);
        if (k.call == 0)
            continue;
        struct rp__right *r = find(me->actor, &k);
        if (!r && moves)
            continue;
        if (!r || r->pledged) {
            rp__pledge_end(me, p, false);
            return -EINVAL;
        }
        r->pledged = true;
        r->next = p->first;
        p->first = r;
    }
    return 0;
}

void rp__pledge_settle(rp_self *me, struct rp__pledge *p, bool gone)
{
    for (struct rp__right *r; (r = p->first);) {
        p->first = r->next;
        r->pledged = false;
        if (gone)
            forget(me->loop, me->actor, r);
    }
}

void rp__pledge_lost(rp_self *me, struct rp__pledge *p)
{
    for (const struct rp__right *r = p->first; r; r = r->next)
        rp__right_lost(me->loop, &r->token, me->actor);
    rp__pledge_settle(me, p, true);
}

/* ---- ends ---------------------------------------------------------------------------------------- */

void rp__tokens_break(struct rp_loop *l, struct rp__slot *s)
{
    const char *body = rp__body_of(s);
    const struct rp__actor *owner = rp__actor_find(l->actors, s->to);
    const rp_field *f;
    for (size_t i = 0; (f = rp__token_field(rp__type(s->type), &i));) {
        rp_token k;
        memcpy(&k, body + f->offset, sizeof k);
        if (k.call != 0 && !find(l->running->actor, &k) && !find(owner, &k)) /* else it was never sent, and is still that actor's */
            rp__right_lost(l, &k, owner);
    }
}

void rp__msg_cancel(struct rp_loop *l, struct rp__slot *s)
{
    if (s->type & RP__RIGHTS)
        rp__tokens_break(l, s);
    rp__msg_release(l, s);
}

void rp__tokens_end(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__map *held = &a->extra->tokens;
    for (uint32_t i = 0; i < held->size; i++) {
        struct rp__right *r = held->at[i].value;
        if (!r)
            continue;
        rp__right_lost(l, &r->token, a);
        rp__pool_free(&l->pool, r, sizeof *r);
    }
    rp__map_fini(held, &l->sys->mem);
}
