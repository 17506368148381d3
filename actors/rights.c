/* SPDX-License-Identifier: MIT
 *
 * rights.c - the calls that an actor has to answer, wherever it has them: whoever asked waits for it.
 *
 *   in its mailbox, and at work on    the call itself; or a message that brings the right in an RP_TOKEN field
 *   in its state                      a token (token.c); a call that it has kept, or received beside another
 *   in its timers                     a token that one of them will bring
 *
 * An asker knows whom it has asked, and not to whom that one has passed the call on. Nothing is sent for that while all
 * goes well; but whoever waits for long tells the askers of the calls that were passed on to it that it has them.
 *
 * Not seen: an RP_TOKEN field of a message that has been received or kept, until the token is taken out; and what one of
 * an actor's coroutines has, where another of them may go on: it may have been given the call (strand.c).
 */
#include "actors/rights.h"

#include "actors/inspect.h"
#include "actors/runtime.h"
#include "actors/token.h"

#include <string.h>

/* ---- calls in its state --------------------------------------------------------------------------
 * The first that a coroutine has received is noted in its stack (rp_self.serving). What is noted here is never more than
 * numbers: the message may go wherever it likes, and who uses its right says so.
 */
struct rp__owed {
    uint64_t asker, call;
    bool passed;
};

static uint64_t key_of(uint64_t asker, uint64_t call)
{
    return call ^ asker * UINT64_C(0x9e3779b97f4a7c15);
}

static struct rp__owed *owed(const struct rp__actor *a, uint64_t asker, uint64_t call)
{
    struct rp__owed *o = a->extra ? rp__map_find(&a->extra->owes, key_of(asker, call)) : 0;
    return o && o->asker == asker && o->call == call ? o : 0;
}

static void put(struct rp_loop *l, struct rp__map *owes, const struct rp__owed *o)
{
    struct rp__owed *copy = rp__map_find(owes, key_of(o->asker, o->call)) ? 0 : rp__pool_get(&l->pool, sizeof *copy);
    if (!copy)
        return; /* it is known; or two numbers are alike, and one is not seen */
    *copy = *o;
    if (rp__map_put(owes, &l->sys->mem, key_of(o->asker, o->call), copy) != 0)
        rp__pool_free(&l->pool, copy, sizeof *copy);
}

void rp__owe(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s)
{
    unsigned f = rp__flags(s->type);
    if ((f & (RP__F_CALL | RP__F_SPENT | RP__F_NODE)) != RP__F_CALL)
        return;
    struct rp__owed o = {s->from, *rp__call_of(s), f & RP__F_PAID};
    bool served = a->co && a->flags & RP__A_COROUTINE && a->co->serving == o.call && a->co->asker == o.asker;
    struct rp__extra *x = served ? 0 : rp__extra(l, a);
    if (x)
        put(l, &x->owes, &o);
}

/* The first of several is noted in the stack. Numbers of calls are their asker's loop's. */
void rp__serve_call(struct rp__actor *a, struct rp__slot *s)
{
    rp_self *co = a->co;
    if (co->serving != 0 || !(a->flags & RP__A_COROUTINE))
        rp__owe(co->loop, a, s);
    else
        co->serving = *rp__call_of(s), co->asker = rp__asker_of(s);
}

void rp__owed(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s)
{
    struct rp__owed *o = owed(a, rp__asker_of(s), *rp__call_of(s));
    if (!o)
        return;
    (void)rp__map_remove(&a->extra->owes, key_of(o->asker, o->call));
    rp__pool_free(&l->pool, o, sizeof *o);
}

void rp__owed_end(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__map *owes = &a->extra->owes;
    uint64_t key;
    for (struct rp__owed *o; (o = rp__map_any(owes, &key)); rp__pool_free(&l->pool, o, sizeof *o))
        (void)rp__map_remove(owes, key);
    rp__map_fini(owes, &l->sys->mem);
}

/* ---- where they are ------------------------------------------------------------------------------ */

struct visit {
    bool (*see)(const struct visit *v, uint64_t asker, uint64_t call, bool passed); /* true: no more */
    uint64_t asker, call; /* what is looked for; */
    struct rp_loop *l;    /* or who has them */
    uint64_t holder;
    unsigned *left;       /* of those that are looked at; NULL: all */
};

static bool in_token(const rp_token *k, bool passed, const void *arg)
{
    const struct visit *v = arg;
    return k->call != 0 && k->via == 0 && v->see(v, k->asker.local, k->call, passed);
}

static bool in_fields(struct rp__slot *s, const struct visit *v)
{
    const char *body = rp__body_of(s);
    const rp_field *f;
    for (size_t i = 0; (f = rp__token_field(rp__type(s->type), &i));) {
        rp_token k;
        memcpy(&k, body + f->offset, sizeof k);
        if (in_token(&k, true, v))
            return true;
    }
    return false;
}

static bool in_message(struct rp__slot *s, const void *arg)
{
    const struct visit *v = arg;
    unsigned f = rp__flags(s->type);
    if (f & (RP__F_SYSTEM | RP__F_TAKEN))
        return false;
    if ((f & (RP__F_CALL | RP__F_SPENT | RP__F_NODE)) == RP__F_CALL && v->see(v, s->from, *rp__call_of(s), f & RP__F_PAID))
        return true;
    return s->type & RP__RIGHTS && in_fields(s, v);
}

static bool in_mailbox(const struct rp__actor *a, const struct visit *v)
{
    return a->box && rp__mailbox_find(a->box, in_message, v);
}

static bool in_state(const struct rp__actor *a, const struct visit *v)
{
    const struct rp__map *owes = &a->extra->owes;
    if (v->asker)
        return owed(a, v->asker, v->call);
    for (uint32_t i = 0; i < owes->size; i++) {
        const struct rp__owed *o = owes->at[i].value;
        if (o && v->see(v, o->asker, o->call, o->passed))
            return true;
    }
    return false;
}

static bool in_hand(const struct rp__actor *a, const struct visit *v)
{
    const rp_self *co = a->co;
    if (co && a->flags & RP__A_COROUTINE && co->serving && co->asker && v->see(v, co->asker, co->serving, true))
        return true;
    if (co && co->msg && in_message(co->msg, v))
        return true;
    return a->extra && (in_state(a, v) || rp__tokens_find(a, in_token, v) || rp__timers_find(a, in_message, v));
}

/* ---- asked for ----------------------------------------------------------------------------------- */

static bool is_it(const struct visit *v, uint64_t asker, uint64_t call, bool passed)
{
    (void)passed;
    return asker == v->asker && call == v->call;
}

/* No task of it can go on before its strand does. */
static bool stands_alone(const struct rp__actor *a)
{
    const rp_self *co = rp__strand(a);
    return co && !rp__task_first(co);
}

bool rp__has_right(const struct rp__actor *a, uint64_t asker, uint64_t call)
{
    struct visit v = {.see = is_it, .asker = asker, .call = call};
    return in_mailbox(a, &v) || (stands_alone(a) && in_hand(a, &v));
}

/* ---- told ---------------------------------------------------------------------------------------- */

static bool tell(const struct visit *v, uint64_t asker, uint64_t call, bool passed)
{
    if (passed)
        rp__signal(v->l, asker, v->holder, RP__OP_HAS, call, 0);
    return v->left && (*v->left == 0 || --*v->left == 0);
}

void rp__tell_askers(struct rp_loop *l, const struct rp__actor *a)
{
    struct visit v = {.see = tell, .l = l, .holder = a->addr};
    if (!in_hand(a, &v))
        in_mailbox(a, &v);
}

/* A few, and of a mailbox that is short: who looks holds up nobody. */
unsigned rp__tell_few(struct rp_loop *l, const struct rp__actor *a)
{
    enum { FEW = 64 };
    unsigned left = FEW;
    struct visit v = {.see = tell, .l = l, .holder = a->addr, .left = &left};
    if (a->co || a->extra)
        (void)in_hand(a, &v);
    if (a->box && a->box->count <= FEW)
        (void)in_mailbox(a, &v);
    return FEW - left;
}

void rp__right_came(struct rp_loop *l, const struct rp__actor *a, struct rp__slot *s)
{
    struct visit v = {.see = tell, .l = l, .holder = a->addr};
    const rp_self *co = rp__strand(a);
    if (co && rp__is_overdue(co))
        in_message(s, &v);
}
