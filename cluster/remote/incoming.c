/* SPDX-License-Identifier: MIT
 *
 * incoming.c - messages and replies that come by a link, and the types by which they are read.
 */
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/table/post.h"
#include "cluster/remote/remote.h"

#include <errno.h>
#include <string.h>

/* ---- types --------------------------------------------------------------------------------------- */

int rp__read_type(struct rp__link *k, const struct rp__frame *f)
{
    struct rp__in in = f->payload;
    struct rp__plan *p;
    if (f->number != k->nplans)
        return -EPROTO; /* in order, each once */
    if ((k->announced += (uint32_t)(in.end - in.at)) > RP__PEER_TYPES)
        return rp__link_limit(k, "bytes of types announced by it", RP__PEER_TYPES);
    if (k->nplans == k->plans_size) {
        uint32_t size = k->plans_size ? 2 * k->plans_size : 16;
        struct rp__plan **plans = rp__alloc(rp__link_sys(k), size * sizeof *plans);
        if (!plans)
            return -ENOMEM;
        if (k->plans) {
            memcpy(plans, k->plans, k->nplans * sizeof *plans);
            rp__free_mem(rp__link_sys(k), k->plans, k->plans_size * sizeof *plans);
        }
        k->plans = plans;
        k->plans_size = size;
    }
    int rc = rp__plan_new(&rp__link_sys(k)->mem, &in, k->c->rt->opts.types, &p);
    if (rc != 0)
        return rc;
    p->peer = k->peer;
    p->link = k->id;
    k->plans[k->nplans++] = p;
    return rp__get_end(&in) ? 0 : -EPROTO;
}

void rp__plans_free(struct rp__link *k)
{
    for (uint32_t i = 0; i < k->nplans; i++)
        rp__free_mem(rp__link_sys(k), k->plans[i], rp__plan_size(k->plans[i]));
    rp__free_mem(rp__link_sys(k), k->plans, k->plans_size * sizeof *k->plans);
}

/* ---- messages ------------------------------------------------------------------------------------ */

struct arrival {
    uint64_t to, from, node, call;
    rp_time deadline;
    unsigned flags;      /* RP__F_ */
    uint32_t wire_bytes; /* of the target's credit */
    struct rp__plan *plan;
    struct rp__in body;
};

/* Who waits for a token that finds no place here, or for any of a message that ends here, hears of it. */
static void break_tokens(struct rp__link *k, const struct arrival *a, bool all)
{
    struct rp__in in = a->body;
    rp_token t;
    for (unsigned i = 0; a->plan->carries_tokens && rp__unpack_token(a->plan, &in, &i, all, &t);)
        (void)rp__send_error(k->home, &t, -EPIPE, 0);
}

/* The message cannot be made: it ends here, counted, and whoever asked hears of it. */
static void refuse(struct rp__link *k, const struct arrival *a, int err)
{
    struct rp_loop *l = k->home;
    rp__message_refused(k, a->plan, err);
    rp__tally(l, RP__DROPPED_WHY + RP_DROPPED_REFUSED, 1);
    rp__tally(l, RP__DROPPED, 1);
    break_tokens(k, a, true);
    if (a->flags & RP__F_CALL)
        rp__remote_unanswered(l, k->id, a->call, err, "");
    if (a->flags & RP__F_REPLY)
        rp__signal(l, a->to, 0, RP__OP_NO_REPLY, a->call, (uint64_t)(int64_t)err);
    if (!(a->flags & RP__F_REPLY)) {
        struct rp__taken t = {k->id, a->to, a->wire_bytes};
        rp__say_taken(l, &t);
    }
}

static int deliver(struct rp__link *k, const struct arrival *a)
{
    struct rp_loop *l = k->home;
    const rp_type *t = a->plan->type;
    size_t outside;
    int rc = rp__unpack_check(a->plan, a->body, &outside);
    if (rc == -EPROTO)
        return rc;
    rp__tally(l, RP__ARRIVED, 1);
    if (rp__draining(rp__runtime(l)) && !(a->flags & RP__F_REPLY)) {
        refuse(k, a, -ESHUTDOWN);
        return 0;
    }
    rc = !t ? -ENOTSUP : !rp__is_here(k, a->to) ? -ESRCH : rc;
    if (rc != 0) {
        refuse(k, a, rc);
        return 0;
    }
    struct rp__shape shape;
    rp__shape_of(&shape, t);
    bool big = rp__flags(shape.word) & RP__F_BIG;
    struct rp__slot s[RP__SLOTS_MAX];
    uint64_t word = (shape.word & ~RP__FLAG(RP__F_EXTRA)) | RP__FLAG(a->flags);
    unsigned n = rp__slots_for(8 * rp__ext_words(word) + (big ? sizeof(void *) : t->size));
    memset(s, 0, n * sizeof *s);
    *s = (struct rp__slot){.to = a->to, .from = a->from, .type = word | RP__FLAG(n - 1)};
    *rp__node_of(s) = a->node;
    *rp__via_of(s) = k->id << 32 | a->wire_bytes;
    if (a->flags & (RP__F_CALL | RP__F_REPLY))
        *rp__call_of(s) = a->call;
    if (a->flags & RP__F_DEADLINE)
        *rp__deadline_of(s) = (uint64_t)a->deadline;
    struct rp__big *b = 0;
    if (big) {
        size_t size = sizeof *b + t->size + outside;
        if (!(b = rp__pool_get(&l->pool, size))) {
            refuse(k, a, -ENOMEM);
            return 0;
        }
        rp__big_init(b, size, true);
        memset(b->body, 0, t->size);
        s->body[rp__ext_words(word)] = (uintptr_t)b;
    }
    char *body = rp__body_of(s);
    rp__unpack(a->plan, a->body, body, body + t->size);
    if (rp__post_slots(l, rp__route_of(l, a->to), s, n) != 0) {
        if (b)
            rp__big_free(l, b);
        refuse(k, a, -ENOMEM);
        return 0;
    }
    break_tokens(k, a, false);
    return 0;
}

static int read_arrival(struct rp__link *k, const struct rp__frame *f, struct arrival *a)
{
    struct rp__in in = f->payload;
    if (f->number >= k->nplans || f->flags & ~(RP__W_NODE | RP__W_DEADLINE))
        return -EPROTO;
    *a = (struct arrival){.node = k->peer, .flags = RP__F_NODE, .plan = k->plans[f->number]};
    a->to = rp__get64(&in);
    a->from = rp__get64(&in);
    if (f->flags & RP__W_NODE)
        a->node = rp__get64(&in);
    if (a->node == k->home->node || a->from == 0) /* a peer does not speak for the actors of this node */
        a->node = a->from = 0;
    if (f->type != RP__SEND) {
        a->call = rp__get64(&in);
        a->flags |= f->type == RP__CALL ? RP__F_CALL : RP__F_REPLY;
    }
    if (f->flags & RP__W_DEADLINE) {
        if (f->type != RP__CALL)
            return -EPROTO;
        a->deadline = k->home->now + (rp_time)rp__get32(&in) * RP_MS;
        a->flags |= RP__F_DEADLINE;
    }
    if (in.bad || (f->type == RP__CALL && a->call == 0))
        return -EPROTO;
    a->body = in;
    a->wire_bytes = (uint32_t)(in.end - in.at) + 16;
    return 0;
}

int rp__read_message(struct rp__link *k, const struct rp__frame *f)
{
    struct arrival a;
    int rc = read_arrival(k, f, &a);
    if (rc == 0)
        rc = rp__credit_came(k, a.to, a.wire_bytes);
    return rc != 0 ? rc : deliver(k, &a);
}

/* ---- replies -------------------------------------------------------------------------------------- */

/* A call from one peer was passed on to an actor of this one: its reply goes on the same way back. */
static void relay_reply(struct rp__link *k, const struct arrival *a, const struct rp__asked *who)
{
    struct rp_loop *l = k->home;
    const rp_type *t = a->plan->type;
    size_t outside;
    int rc = rp__unpack_check(a->plan, a->body, &outside);
    char *body = t && rc == 0 ? rp__pool_get(&l->pool, t->size + outside + 1) : 0;
    rc = !t ? -ENOTSUP : rc == 0 ? -ENOMEM : rc;
    if (body) {
        memset(body, 0, t->size);
        rp__unpack(a->plan, a->body, body, body + t->size);
        struct rp__out o = {.from = a->from, .type = t, .body = body, .call = who->call, .via = who->via << 32};
        rc = rp__remote_send_sure(l, &o);
        rp__pool_free(&l->pool, body, t->size + outside + 1);
    }
    break_tokens(k, a, rc != 0);
    if (rc != 0)
        rp__message_refused(k, a->plan, rc);
    if (rc != 0)
        rp__remote_unanswered(l, who->via, who->call, rc, "");
}

/* A reply finds who asked by the number we gave: one of ours, or another peer whose call we passed on. */
int rp__read_reply(struct rp__link *k, const struct rp__frame *f)
{
    struct arrival a;
    struct rp__asked who;
    size_t outside;
    int rc = read_arrival(k, f, &a);
    if (rc != 0)
        return rc;
    /* all that can be wrong, before the question is taken out: the link's end answers those that stand there */
    if (rp__unpack_check(a.plan, a.body, &outside) == -EPROTO || (rc = rp__asked_by(k, a.call, &who)) < 0)
        return -EPROTO;
    if (rc == 0) {
        rp__tally(k->home, RP__ARRIVED, 1);
        rp__tally(k->home, RP__LATE, 1);
        break_tokens(k, &a, true);
        return 0;
    }
    if (who.via != 0) {
        relay_reply(k, &a, &who);
        return 0;
    }
    a.to = who.asker;
    a.call = who.call;
    a.flags |= RP__F_PAID;
    return deliver(k, &a);
}
