/* SPDX-License-Identifier: MIT
 *
 * rights.c - the calls that an actor has to answer, wherever it has them: whoever asked waits for it.
 *
 *   in its mailbox, and at work on    the call itself; or a message that brings the right in an RP_TOKEN field
 *   in its hands, and its state       a message that it has received or kept (hands.h); a token (token.c)
 *   in its timers                     a token that one of them will bring
 *
 * An asker knows whom it has asked, and not to whom that one has passed the call on. Nothing is sent for that while all
 * goes well; but whoever waits for long tells the askers of the calls that were passed on to it that it has them.
 *
 * Not seen: what one of an actor's coroutines has, where another of them may go on: it may have been given the call
 * (strand.c).
 */
#include "actors/wait/rights.h"

#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "loop/scope.h"

#include <string.h>

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
    const struct rp__map *has = &a->extra->has;
    for (uint32_t i = 0; i < has->size; i++) {
        rp_msg *m = has->at[i].value;
        if (m && in_message(&m->slot, v))
            return true;
    }
    return rp__tokens_find(a, in_token, v) || rp__timers_find(a, in_message, v);
}

static bool in_hand(const struct rp__actor *a, const struct visit *v)
{
    const rp_self *co = a->co;
    for (unsigned i = 0; co && i < RP__HANDS; i++)
        if (co->hand[i] && in_message(&co->hand[i]->slot, v))
            return true;
    return (co && co->msg && in_message(co->msg, v)) || (a->extra && in_state(a, v));
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
