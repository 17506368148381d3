/* SPDX-License-Identifier: MIT
 *
 * remote.c - messages, calls, monitors and names over links: what rp__route promises to the actors, and
 * what is done with a peer's frames.
 *
 * Flow: each actor at the peer may have RP__WINDOW bytes from us on their way or in its mailbox; the
 * peer reports what has been taken (CREDIT), and beyond that senders to that actor wait, and nobody
 * else. What is written waits in the link's queue, whose length is bounded too: then all its senders
 * wait. Replies and signals need neither.
 */
#include "cluster/cluster.h"

#include "actors/token.h"
#include "loop/scope.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const rp_field node_down_fields[] = {
    RP_FIELD(struct rp_node_down, node, RP_U64),
    RP_FIELD(struct rp_node_down, reason, RP_I32),
    RP_FIELD(struct rp_node_down, name, RP_CHARS),
};
const rp_type rp_node_down_type = RP_TYPE("rp.node_down", struct rp_node_down, node_down_fields);

static struct rp__link *link_of(struct rp_loop *l, uint64_t node)
{
    return rp__map_find(&rp__cluster_here(l)->by_node, node);
}

static struct rp__link *link_by(struct rp_loop *l, uint64_t id)
{
    return rp__map_find(&rp__cluster_here(l)->by_id, id);
}

static const rp_alloc *mem_of(const struct rp__link *k)
{
    return &k->c->rt->sys->mem;
}

/* ---- out: under the lock -------------------------------------------------------------------------- */

/* The number under which the peer knows the type, announced first when it does not. 0: no memory. */
static uint32_t number_of(struct rp__link *k, const rp_type *t)
{
    uint64_t key = (uintptr_t)t;
    uint32_t n = (uint32_t)(uintptr_t)rp__map_find(&k->numbers, key);
    if (n)
        return n;
    size_t size = rp__announced_size(t);
    if (k->next_number == UINT16_MAX || rp__map_put(&k->numbers, mem_of(k), key, (void *)(uintptr_t)(k->next_number + 1)) != 0)
        return 0;
    unsigned char *to = rp__link_frame(k, false, RP__TYPE, 0, (uint16_t)k->next_number, size);
    if (!to) {
        rp__map_remove(&k->numbers, key);
        return 0;
    }
    struct rp__w w = {to, 0, size};
    rp__announce(&w, t);
    return ++k->next_number;
}

static struct rp__credit *credit_of(struct rp__link *k, uint64_t target)
{
    struct rp__credit *c = rp__map_find(&k->credits, target);
    if (c)
        return c;
    c = mem_of(k)->alloc(mem_of(k)->ud, sizeof *c);
    if (!c)
        return 0;
    *c = (struct rp__credit){.target = target};
    rp__list_init(&c->waiters);
    if (rp__map_put(&k->credits, mem_of(k), target, c) == 0)
        return c;
    mem_of(k)->free(mem_of(k)->ud, c, sizeof *c);
    return 0;
}

static void credit_free(struct rp__link *k, struct rp__credit *c)
{
    rp__map_remove(&k->credits, c->target);
    mem_of(k)->free(mem_of(k)->ud, c, sizeof *c);
}

/* The number by which the peer will reply. 0: no memory. */
static uint64_t asked_new(struct rp__link *k, uint64_t asker, uint64_t call, uint64_t via)
{
    struct rp__asked *a = mem_of(k)->alloc(mem_of(k)->ud, sizeof *a);
    if (!a)
        return 0;
    *a = (struct rp__asked){asker, call, via};
    uint64_t id = rp__id_new(&k->asked, mem_of(k), a);
    if (!id)
        mem_of(k)->free(mem_of(k)->ud, a, sizeof *a);
    return id;
}

static bool asked_take(struct rp__link *k, uint64_t id, struct rp__asked *ret)
{
    struct rp__asked *a = rp__id_find(&k->asked, id);
    if (!a)
        return false;
    *ret = *a;
    rp__id_free(&k->asked, id);
    mem_of(k)->free(mem_of(k)->ud, a, sizeof *a);
    return true;
}

static uint32_t ms_left(const struct rp_loop *l, rp_time deadline)
{
    rp_time left = deadline - l->now;
    return left <= 0 ? 0 : left > (rp_time)UINT32_MAX * RP_MS ? UINT32_MAX : (uint32_t)((left + RP_MS - 1) / RP_MS);
}

/* ---- tokens going out ------------------------------------------------------------------------------ */

/* The peer will not use what stands in these fields. */
static void take_back(struct rp__link *k, const rp_type *t, const void *lent, size_t nfields)
{
    for (size_t i = 0; i < nfields; i++) {
        struct rp__asked forget;
        if (t->fields[i].kind == RP_TOKEN)
            asked_take(k, ((const rp_token *)(const void *)((const char *)lent + t->fields[i].offset))->call, &forget);
    }
}

/* A body for the wire, whose tokens have the numbers by which the peer will use them: the body itself if it has none.
 * NULL: no memory. */
static const void *lend_tokens(struct rp_loop *l, struct rp__link *k, const rp_type *t, const void *body)
{
    if (!(rp__shape(&l->actors->types, t)->word & RP__RIGHTS))
        return body;
    char *lent = mem_of(k)->alloc(mem_of(k)->ud, t->size);
    if (!lent)
        return 0;
    memcpy(lent, body, t->size);
    for (size_t i = 0; i < t->nfields; i++) {
        rp_token *at = (rp_token *)(void *)(lent + t->fields[i].offset);
        if (t->fields[i].kind != RP_TOKEN || at->call == 0)
            continue;
        at->call = asked_new(k, at->asker.local, at->call, at->via);
        if (at->call == 0) {
            take_back(k, t, lent, i);
            mem_of(k)->free(mem_of(k)->ud, lent, t->size);
            return 0;
        }
    }
    return lent;
}

/* `sent`: it is on the wire; else the tokens are the sender's still. */
static void lent(struct rp__link *k, const struct rp__out *o, const void *copy, bool sent)
{
    if (!copy || copy == o->body)
        return;
    if (!sent)
        take_back(k, o->type, copy, o->type->nfields);
    mem_of(k)->free(mem_of(k)->ud, (void *)(uintptr_t)copy, o->type->size);
}

/* ---- messages going out ---------------------------------------------------------------------------- */

/* Writes SEND or CALL. 0 or -ENOMEM. */
static int write_message(struct rp_loop *l, struct rp__link *k, const struct rp__out *o, size_t body)
{
    bool call = o->flags & RP__F_CALL, limited = call && o->flags & RP__F_DEADLINE, third = o->flags & RP__F_NODE;
    uint32_t number = number_of(k, o->type);
    uint64_t id = number && call ? asked_new(k, o->from, o->call, third ? o->via >> 32 : 0) : 0;
    const void *lends = lend_tokens(l, k, o->type, o->body);
    size_t n = 16 + (third ? 8 : 0) + (call ? 8 : 0) + (limited ? 4 : 0) + body;
    unsigned flags = (third ? RP__W_NODE : 0) | (limited ? RP__W_DEADLINE : 0);
    unsigned char *to = 0;
    if (number && (!call || id) && lends)
        to = rp__link_frame(k, false, call ? RP__CALL : RP__SEND, (uint8_t)flags, (uint16_t)(number - 1), n);
    if (!to) {
        struct rp__asked forget;
        asked_take(k, id, &forget);
        lent(k, o, lends, false);
        return -ENOMEM;
    }
    struct rp__w w = {to, 0, n};
    rp__put64(&w, o->to.local);
    rp__put64(&w, o->from);
    if (third)
        rp__put64(&w, o->node);
    if (call)
        rp__put64(&w, id);
    if (limited)
        rp__put32(&w, ms_left(l, o->deadline));
    rp__pack(&w, o->type, lends);
    lent(k, o, lends, true);
    assert(w.n == n);
    return 0;
}

/* ---- waiting -------------------------------------------------------------------------------------- */

static bool leave_link(rp_self *me)
{
    struct rp__link *k = me->got;
    pthread_mutex_lock(&k->lock);
    bool waiting = rp__linked(&me->queue);
    rp__unlink(&me->queue);
    pthread_mutex_unlock(&k->lock);
    return waiting; /* else its wake-up is on the way; the link is not freed before this loop has answered */
}

/* Where the message must wait, if it must. The lock is held. */
static struct rp__hook *must_wait(struct rp__link *k, struct rp__credit *c, bool in_line)
{
    if (c->out >= k->peer_window || (!rp__list_empty(&c->waiters) && !in_line))
        return &c->waiters;
    return k->queued >= RP__QUEUE_HIGH ? &k->room : 0;
}

static bool can_leave(const rp_type *t)
{
    return !t->drop && (t->fields || t->size == 0);
}

/* One attempt: 0, an error, or 1: `me` stands in a list and is to park. */
static int try_send(rp_self *me, struct rp__link *k, struct rp__out *o, size_t body, bool wait, bool in_line)
{
    struct rp_loop *l = me->loop;
    pthread_mutex_lock(&k->lock);
    struct rp__credit *c = k->down ? 0 : credit_of(k, o->to.local);
    int rc = k->down ? -EHOSTUNREACH : c ? 0 : -ENOMEM;
    struct rp__hook *list = rc == 0 ? must_wait(k, c, in_line) : 0;
    if (list && !wait) {
        rc = -EAGAIN;
    } else if (list) {
        rp__list_push(list, &me->queue);
        me->got = k;
        rc = 1;
    } else if (rc == 0 && (rc = write_message(l, k, o, body)) == 0) {
        c->out += body + 16;
        k->out += body + 16;
    }
    pthread_mutex_unlock(&k->lock);
    return rc;
}

static int route_send(rp_self *me, struct rp__out *o, bool wait, rp_time until)
{
    struct rp_loop *l = me->loop;
    if (!can_leave(o->type))
        return -ENOTSUP;
    size_t body = rp__packed_size(o->type, o->body);
    if (body > RP__MAX_FRAME - 64)
        return -EMSGSIZE;
    bool in_line = false;
    for (;;) { /* unbounded: until there is room, or an end to waiting */
        struct rp__link *k = link_of(l, o->to.node);
        if (!k)
            return -EHOSTUNREACH;
        int rc = wait ? rp__may_wait(me) : -EAGAIN;
        bool may_wait = rc == 0 && (rc = rp__keep_stack(me)) == 0;
        int sent = try_send(me, k, o, body, may_wait, in_line);
        if (sent == 0)
            rp__link_touch(l, k);
        if (sent == -EAGAIN)
            return rc;
        if (sent != 1)
            return sent;
        rp__link_touch(l, k);
        rc = rp__park(me, "room on a link", k, leave_link, until);
        if (rc != 0)
            return rc;
        in_line = true;
    }
}

static int route_send_sure(struct rp_loop *l, struct rp__out *o)
{
    struct rp__link *k = link_by(l, o->via >> 32);
    if (!can_leave(o->type))
        return -ENOTSUP;
    size_t body = rp__packed_size(o->type, o->body), n = 24 + body;
    if (body > RP__MAX_FRAME - 64)
        return -EMSGSIZE;
    if (!k)
        return -EHOSTUNREACH;
    pthread_mutex_lock(&k->lock);
    uint32_t number = k->down ? 0 : number_of(k, o->type);
    const void *lends = number ? lend_tokens(l, k, o->type, o->body) : 0;
    unsigned char *to = lends ? rp__link_frame(k, false, RP__REPLY, 0, (uint16_t)(number - 1), n) : 0;
    if (to) {
        struct rp__w w = {to, 0, n};
        rp__put64(&w, o->to.local);
        rp__put64(&w, o->from);
        rp__put64(&w, o->call);
        rp__pack(&w, o->type, lends);
    }
    lent(k, o, lends, to != 0);
    int rc = to ? 0 : k->down ? -EHOSTUNREACH : -ENOMEM;
    pthread_mutex_unlock(&k->lock);
    if (rc == 0)
        rp__link_touch(l, k);
    return rc;
}

/* ---- out: small frames ---------------------------------------------------------------------------- */

static int route_no_reply(struct rp_loop *l, uint64_t link, uint64_t call, int err)
{
    struct rp__link *k = link_by(l, link);
    unsigned char p[12];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, call);
    rp__put32(&w, (uint32_t)err);
    return k ? rp__link_emit(l, k, false, RP__NO_REPLY, 0, p, w.n) : -EHOSTUNREACH;
}

static uint64_t route_node_at(struct rp_loop *l, uint64_t link)
{
    struct rp__link *k = link_by(l, link);
    return k ? k->peer : 0;
}

static int route_stop(struct rp_loop *l, rp_ref who)
{
    struct rp__link *k = link_of(l, who.node);
    unsigned char p[8];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, who.local);
    return k ? rp__link_emit(l, k, false, RP__STOP_ACTOR, 0, p, w.n) : -EHOSTUNREACH;
}

/* A number for the watch; the lock is held. 0: no memory. */
static uint64_t watching_new(struct rp__link *k, uint64_t watcher, uint64_t target)
{
    struct rp__watching *w = mem_of(k)->alloc(mem_of(k)->ud, sizeof *w);
    if (!w)
        return 0;
    *w = (struct rp__watching){watcher, target};
    uint64_t id = rp__id_new(&k->watching, mem_of(k), w);
    if (!id)
        mem_of(k)->free(mem_of(k)->ud, w, sizeof *w);
    return id;
}

/* target 0: the node. 0; -ENOMEM; -EHOSTUNREACH: there is no such link. */
static int watch_peer(struct rp_loop *l, uint64_t watcher, rp_ref who)
{
    struct rp__link *k = link_of(l, who.node);
    if (!k)
        return -EHOSTUNREACH;
    pthread_mutex_lock(&k->lock);
    uint64_t id = k->down ? 0 : watching_new(k, watcher, who.local);
    unsigned char *to = id && who.local ? rp__link_frame(k, false, RP__MONITOR, 0, 0, 16) : 0;
    if (to) {
        struct rp__w w = {to, 0, 16};
        rp__put64(&w, who.local);
        rp__put64(&w, id);
    }
    int rc = k->down ? -EHOSTUNREACH : !id || (who.local && !to) ? -ENOMEM : 0;
    if (rc == -ENOMEM && id) {
        mem_of(k)->free(mem_of(k)->ud, rp__id_find(&k->watching, id), sizeof(struct rp__watching));
        rp__id_free(&k->watching, id);
    }
    pthread_mutex_unlock(&k->lock);
    if (rc == 0)
        rp__link_touch(l, k);
    return rc;
}

static int route_monitor(struct rp_loop *l, rp_ref watcher, rp_ref who)
{
    int rc = who.local ? watch_peer(l, watcher.local, who) : -EINVAL;
    if (rc != -EHOSTUNREACH)
        return rc;
    struct rp_down d = {.who = who, .reason = -EHOSTUNREACH};
    rp__down_now(l, watcher.local, &d);
    return 0;
}

static void say_node_down(struct rp_loop *l, uint64_t watcher, uint64_t node, int reason, const char *name)
{
    struct rp_node_down d = {.node = node, .reason = reason};
    memcpy(d.name, name, strnlen(name, sizeof d.name - 1));
    struct rp__slot s = {watcher, 0, rp__word(&rp_node_down_type, RP__F_SURE), {0}};
    memcpy(s.body, &d, sizeof d);
    rp__tally(l, RP__SENT, 1);
    rp__post_sure(l, &s);
}

_Static_assert(sizeof(struct rp_node_down) <= RP__SLOT - RP__HEAD, "one slot");

int rp_node_monitor(rp_self *me, rp_node node)
{
    struct rp_loop *l = me->loop;
    if (rp__forked(l))
        return -EPERM;
    if (!me->actor || node.id == 0)
        return -EINVAL;
    int rc = watch_peer(l, me->actor->addr, (rp_ref){node.id, 0});
    if (rc != -EHOSTUNREACH)
        return rc;
    say_node_down(l, me->actor->addr, node.id, -EHOSTUNREACH, "");
    return 0;
}

static bool route_watched(struct rp_loop *l, struct rp__watch *w)
{
    struct rp__link *k = link_by(l, w->via);
    if (k)
        rp__list_push(&k->loops[l->index].watches, &w->peer);
    return k != 0;
}

static void route_down(struct rp_loop *l, uint64_t via, uint64_t id, const struct rp_down *d)
{
    struct rp__link *k = link_by(l, via);
    unsigned char p[13 + sizeof d->name];
    struct rp__w w = {p, 0, sizeof p};
    size_t n = strnlen(d->name, sizeof d->name);
    rp__put64(&w, id);
    rp__put32(&w, (uint32_t)d->reason);
    rp__put8(&w, (uint8_t)n);
    rp__put_bytes(&w, d->name, n);
    if (k) /* without memory for it the peer would wait in vain: the link is given up instead */
        if (rp__link_emit(l, k, false, RP__DOWN, 0, p, w.n) == -ENOMEM)
            rp__link_lose(k);
}

/* ---- credit: what came and has been taken --------------------------------------------------------- */

struct rp__taken {
    uint64_t link, target, bytes;
};

static void say_taken(struct rp_loop *l, const struct rp__taken *t)
{
    struct rp__link *k = link_by(l, t->link);
    unsigned char p[16];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, t->target);
    rp__put64(&w, t->bytes);
    if (k && rp__link_emit(l, k, true, RP__CREDIT, 0, p, w.n) == -ENOMEM)
        rp__link_lose(k);
}

void rp__taken_flush(struct rp__timer *timer, struct rp__wheel *w)
{
    (void)w;
    struct rp__cluster_loop *here = RP__OF(struct rp__cluster_loop, flush, timer);
    struct rp_loop *l = here->l;
    uint64_t key;
    for (struct rp__taken *t; (t = rp__map_any(&here->taken, &key));) {
        say_taken(l, t);
        rp__map_remove(&here->taken, key);
        rp__pool_free(&l->pool, t, sizeof *t);
    }
}

void rp__taken_forget(struct rp__cluster_loop *here)
{
    uint64_t key;
    for (struct rp__taken *t; (t = rp__map_any(&here->taken, &key));) {
        rp__map_remove(&here->taken, key);
        rp__pool_free(&here->l->pool, t, sizeof *t);
    }
    rp__map_fini(&here->taken, &here->l->sys->mem);
}

static void route_consumed(struct rp_loop *l, uint64_t via, uint64_t target)
{
    enum { FLUSH_MS = 50 };
    struct rp__cluster_loop *here = rp__cluster_here(l);
    struct rp__taken one = {via >> 32, target, via & UINT32_MAX};
    uint64_t key = target * 31 + one.link; /* two that fall together are told apart below */
    struct rp__taken *t = rp__map_find(&here->taken, key);
    if (t && (t->target != target || t->link != one.link)) {
        say_taken(l, &one);
        return;
    }
    if (!t) {
        t = rp__pool_get(&l->pool, sizeof *t);
        if (!t || rp__map_put(&here->taken, &l->sys->mem, key, t) != 0) {
            if (t)
                rp__pool_free(&l->pool, t, sizeof *t);
            say_taken(l, &one);
            return;
        }
        *t = (struct rp__taken){one.link, target, 0};
        if (!rp__timer_armed(&here->flush))
            rp__timer_start(&l->wheel, &here->flush, l->now + FLUSH_MS * RP_MS);
    }
    t->bytes += one.bytes;
    if (t->bytes < RP__WINDOW / 4)
        return;
    say_taken(l, t);
    rp__map_remove(&here->taken, key);
    rp__pool_free(&l->pool, t, sizeof *t);
}

static int on_credit(struct rp__link *k, struct rp__in in)
{
    uint64_t target = rp__get64(&in), bytes = rp__get64(&in);
    if (in.bad || in.at != in.end)
        return -EPROTO;
    pthread_mutex_lock(&k->lock);
    struct rp__credit *c = rp__map_find(&k->credits, target);
    if (c) {
        bytes = bytes < c->out ? bytes : c->out;
        c->out -= bytes;
        k->out -= bytes;
        struct rp__hook *at;
        /* who is woken sends before others may; one that finds it full again stands at the end */
        if (c->out < k->peer_window)
            while ((at = rp__list_pop(&c->waiters)))
                rp__wake_from_afar(RP__OF(rp_self, queue, at), 0);
        if (c->out == 0)
            credit_free(k, c);
    }
    pthread_mutex_unlock(&k->lock);
    return 0;
}

/* ---- in: messages --------------------------------------------------------------------------------- */

static int on_type(struct rp__link *k, const struct rp__frame *f)
{
    struct rp__in in = f->payload;
    struct rp__plan *p;
    if (f->number != k->nplans)
        return -EPROTO; /* in order, each once */
    if (k->nplans == k->plans_size) {
        uint32_t size = k->plans_size ? 2 * k->plans_size : 16;
        struct rp__plan **plans = mem_of(k)->alloc(mem_of(k)->ud, size * sizeof *plans);
        if (!plans)
            return -ENOMEM;
        if (k->plans) {
            memcpy(plans, k->plans, k->nplans * sizeof *plans);
            mem_of(k)->free(mem_of(k)->ud, k->plans, k->plans_size * sizeof *plans);
        }
        k->plans = plans;
        k->plans_size = size;
    }
    int rc = rp__plan_new(mem_of(k), &in, k->c->rt->opts.types, &p);
    if (rc != 0)
        return rc;
    p->peer = k->peer;
    p->link = k->id;
    k->plans[k->nplans++] = p;
    return in.at == in.end ? 0 : -EPROTO;
}

struct arrival {
    uint64_t to, from, node, call;
    rp_time deadline;
    unsigned flags;      /* RP__F_ */
    uint32_t wire_bytes; /* of the target's credit */
    const struct rp__plan *plan;
    struct rp__in body;
};

static bool is_here(struct rp__link *k, uint64_t addr)
{
    return rp__loop_of(addr) < k->c->rt->sys->nloops;
}

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
    rp__tally(l, RP__DROPPED_WHY + RP_DROPPED_REFUSED, 1);
    rp__tally(l, RP__DROPPED, 1);
    break_tokens(k, a, true);
    if (a->flags & RP__F_CALL)
        (void)!route_no_reply(l, k->id, a->call, err);
    if (a->flags & RP__F_REPLY)
        rp__signal(l, a->to, 0, RP__OP_NO_REPLY, a->call, (uint64_t)(int64_t)err);
    if (!(a->flags & RP__F_REPLY)) {
        struct rp__taken t = {k->id, a->to, a->wire_bytes};
        say_taken(l, &t);
    }
}

static int deliver(struct rp__link *k, const struct arrival *a)
{
    struct rp_loop *l = k->home;
    const rp_type *t = a->plan->type;
    size_t outside;
    if (rp__unpack_check(a->plan, a->body, &outside) != 0)
        return -EPROTO;
    rp__tally(l, RP__ARRIVED, 1);
    if (rp__draining(rp__runtime(l)) && !(a->flags & RP__F_REPLY)) {
        refuse(k, a, -ESHUTDOWN);
        return 0;
    }
    if (!t || !is_here(k, a->to)) {
        refuse(k, a, t ? -ESRCH : -ENOTSUP);
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
        b->size = size;
        atomic_init(&b->others, 0);
        b->packed = true;
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
    if (in.bad)
        return -EPROTO;
    a->body = in;
    a->wire_bytes = (uint32_t)(in.end - in.at) + 16;
    return 0;
}

static int on_message(struct rp__link *k, const struct rp__frame *f)
{
    struct arrival a;
    int rc = read_arrival(k, f, &a);
    return rc != 0 ? rc : deliver(k, &a);
}

/* A call from one peer was passed on to an actor of this one: its reply goes on the same way back. */
static int relay_reply(struct rp__link *k, const struct arrival *a, const struct rp__asked *who)
{
    struct rp_loop *l = k->home;
    const rp_type *t = a->plan->type;
    size_t outside;
    if (rp__unpack_check(a->plan, a->body, &outside) != 0)
        return -EPROTO;
    char *body = t ? rp__pool_get(&l->pool, t->size + outside + 1) : 0;
    int rc = t ? -ENOMEM : -ENOTSUP;
    if (body) {
        memset(body, 0, t->size);
        rp__unpack(a->plan, a->body, body, body + t->size);
        struct rp__out o = {.from = a->from, .type = t, .body = body, .call = who->call, .via = who->via << 32};
        rc = route_send_sure(l, &o);
        rp__pool_free(&l->pool, body, t->size + outside + 1);
    }
    if (rc != 0)
        (void)!route_no_reply(l, who->via, who->call, rc);
    return 0;
}

static void no_reply_to(struct rp_loop *l, const struct rp__asked *who, int err)
{
    if (who->via == 0)
        rp__signal(l, who->asker, 0, RP__OP_NO_REPLY, who->call, (uint64_t)(int64_t)err);
    else
        (void)!route_no_reply(l, who->via, who->call, err);
}

/* 1; or 0: it has been answered before, which a peer's actor may get wrong; -EPROTO: nobody asked that. */
static int asked_by(struct rp__link *k, uint64_t id, struct rp__asked *ret)
{
    pthread_mutex_lock(&k->lock);
    int rc = asked_take(k, id, ret) ? 1 : rp__id_past(&k->asked, id) ? 0 : -EPROTO;
    pthread_mutex_unlock(&k->lock);
    return rc;
}

/* A reply finds who asked by the number we gave: one of ours, or another peer whose call we passed on. */
static int on_reply(struct rp__link *k, const struct rp__frame *f)
{
    struct arrival a;
    struct rp__asked who;
    size_t outside;
    int rc = read_arrival(k, f, &a);
    if (rc != 0)
        return rc;
    /* all that can be wrong, before the question is taken out: the link's end answers those that stand there */
    if (rp__unpack_check(a.plan, a.body, &outside) != 0 || (rc = asked_by(k, a.call, &who)) < 0)
        return -EPROTO;
    if (rc == 0) {
        rp__tally(k->home, RP__ARRIVED, 1);
        rp__tally(k->home, RP__LATE, 1);
        break_tokens(k, &a, true);
        return 0;
    }
    if (who.via != 0)
        return relay_reply(k, &a, &who);
    a.to = who.asker;
    a.call = who.call;
    a.flags |= RP__F_PAID;
    return deliver(k, &a);
}

/* ---- in: everything else -------------------------------------------------------------------------- */

static int on_no_reply(struct rp__link *k, struct rp__in in)
{
    struct rp__asked who;
    uint64_t id = rp__get64(&in);
    int32_t err = (int32_t)rp__get32(&in);
    int rc = in.bad || in.at != in.end || err >= 0 || err < -4095 ? -EPROTO : asked_by(k, id, &who);
    if (rc < 0)
        return rc;
    if (rc > 0)
        no_reply_to(k->home, &who, err);
    return 0;
}

static int on_monitor(struct rp__link *k, struct rp__in in)
{
    uint64_t target = rp__get64(&in), id = rp__get64(&in);
    if (in.bad || in.at != in.end)
        return -EPROTO;
    struct rp_down none = {.reason = -ESRCH};
    if (is_here(k, target))
        rp__signal(k->home, target, 0, RP__OP_MONITOR, k->id, id);
    else
        route_down(k->home, k->id, id, &none);
    return 0;
}

static int on_down(struct rp__link *k, struct rp__in in)
{
    uint64_t id = rp__get64(&in);
    int32_t reason = (int32_t)rp__get32(&in);
    size_t n = rp__get8(&in);
    const void *name = rp__get_bytes(&in, n);
    if (in.bad || in.at != in.end)
        return -EPROTO;
    pthread_mutex_lock(&k->lock);
    struct rp__watching *w = rp__id_find(&k->watching, id);
    if (w)
        rp__id_free(&k->watching, id);
    pthread_mutex_unlock(&k->lock);
    if (!w)
        return -EPROTO;
    struct rp_down d = {.who = {k->peer, w->target}, .reason = reason};
    memcpy(d.name, name, n < sizeof d.name - 1 ? n : sizeof d.name - 1);
    rp__down_now(k->home, w->watcher, &d);
    mem_of(k)->free(mem_of(k)->ud, w, sizeof *w);
    return 0;
}

static int on_stop(struct rp__link *k, struct rp__in in)
{
    uint64_t target = rp__get64(&in);
    if (in.bad || in.at != in.end)
        return -EPROTO;
    if (is_here(k, target))
        rp__signal(k->home, target, 0, RP__OP_STOP, (uintptr_t) "stopped by another node", 0);
    return 0;
}

/* ---- names ---------------------------------------------------------------------------------------- */

struct rp__search { /* on the stack of who called rp_lookup */
    struct rp__link *k;          /* NULL: the name is this process's own */
    struct rp__name_wait wait;
    uint64_t id;
    rp_self *me;
    rp_ref *ret;
};

static bool leave_search(rp_self *me)
{
    struct rp__search *s = me->got;
    if (!s->k)
        return rp__name_unwait(rp__runtime(me->loop), &s->wait);
    pthread_mutex_lock(&s->k->lock);
    bool waiting = rp__id_find(&s->k->lookups, s->id) == s;
    if (waiting)
        rp__id_free(&s->k->lookups, s->id);
    pthread_mutex_unlock(&s->k->lock);
    return waiting;
}

/* Puts the question on the wire. 1: an answer will come; -EHOSTUNREACH, -ENOMEM. */
static int ask_name(struct rp__search *s, const char *name, bool wait)
{
    struct rp__link *k = s->k;
    size_t n = strlen(name);
    pthread_mutex_lock(&k->lock);
    s->id = k->down ? 0 : rp__id_new(&k->lookups, mem_of(k), s);
    unsigned char *to = s->id ? rp__link_frame(k, false, RP__LOOKUP, wait ? RP__W_WAIT : 0, 0, 9 + n) : 0;
    if (to) {
        struct rp__w w = {to, 0, 9 + n};
        rp__put64(&w, s->id);
        rp__put8(&w, (uint8_t)n);
        rp__put_bytes(&w, name, n);
    } else if (s->id) {
        rp__id_free(&k->lookups, s->id);
    }
    int rc = to ? 1 : k->down ? -EHOSTUNREACH : -ENOMEM;
    pthread_mutex_unlock(&k->lock);
    return rc;
}

static void found_here(struct rp__name_wait *w, struct rp_loop *l, rp_ref ref)
{
    (void)l;
    struct rp__search *s = RP__OF(struct rp__search, wait, w);
    *s->ret = ref;
    rp__wake_from_afar(s->me, 0);
}

int rp_lookup(rp_self *me, rp_node node, const char *name, rp_ref *ret, rp_time deadline)
{
    struct rp_loop *l = me->loop;
    size_t n = name ? strlen(name) : 0;
    bool wait = deadline != 0, own = node.id == l->node;
    if (n == 0 || n > RP__NAME_MAX)
        return -EINVAL;
    struct rp__search s = {.k = own ? 0 : link_of(l, node.id), .me = me, .ret = ret, .wait = {.found = found_here, .text = name}};
    int rc = rp__may_wait(me);
    if (rc == 0 && wait && deadline <= rp_now(me))
        rc = -ETIMEDOUT;
    if (rc == 0)
        rc = rp__keep_stack(me);
    if (rc != 0)
        return rc;
    me->got = &s; /* before it can be found: another loop may be quick */
    if (own)
        rc = rp__name_find(rp__runtime(l), name, ret, wait ? &s.wait : 0);
    else
        rc = s.k ? ask_name(&s, name, wait) : -EHOSTUNREACH;
    if (rc == 1) {
        if (s.k)
            rp__link_touch(l, s.k);
        rc = rp__park(me, "name", name, leave_search, wait ? deadline : RP_FOREVER);
    }
    me->got = 0;
    return rc;
}

/* ---- names: the peer's questions ------------------------------------------------------------------ */

struct asked_name {
    struct rp__name_wait wait;
    struct rp__cluster *c;
    uint64_t id;
    char text[RP__NAME_MAX + 1];
};

static int say_found(struct rp_loop *l, uint64_t link, uint64_t id, int rc, rp_ref ref)
{
    struct rp__link *k = link_by(l, link);
    unsigned char p[20];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, id);
    rp__put32(&w, (uint32_t)rc);
    rp__put64(&w, ref.local);
    return k ? rp__link_emit(l, k, false, RP__FOUND, 0, p, w.n) : 0;
}

static void found_for_peer(struct rp__name_wait *w, struct rp_loop *l, rp_ref ref)
{
    struct asked_name *a = RP__OF(struct asked_name, wait, w);
    struct rp__link *k = link_by(l, w->link);
    if (say_found(l, w->link, a->id, 0, ref) == -ENOMEM)
        rp__link_lose(k);
    rp__free_mem(l->sys, a, sizeof *a);
}

static int on_lookup(struct rp__link *k, const struct rp__frame *f)
{
    struct rp__in in = f->payload;
    uint64_t id = rp__get64(&in);
    size_t n = rp__get8(&in);
    const char *p = rp__get_bytes(&in, n);
    if (!p || in.at != in.end)
        return -EPROTO;
    rp_ref ref = {0, 0};
    struct asked_name *a = rp__alloc(k->c->rt->sys, sizeof *a);
    if (!a)
        return say_found(k->home, k->id, id, -ENOMEM, ref);
    *a = (struct asked_name){.wait = {.link = k->id, .found = found_for_peer, .text = a->text}, .c = k->c, .id = id};
    memcpy(a->text, p, n);
    int rc = rp__name_find(k->c->rt, a->text, &ref, f->flags & RP__W_WAIT ? &a->wait : 0);
    if (rc == 1)
        return 0;
    rp__free_mem(k->c->rt->sys, a, sizeof *a);
    return say_found(k->home, k->id, id, rc, ref);
}

static void forget_questions(struct rp__link *k)
{
    for (struct rp__name_wait *w; (w = rp__name_unwait_link(k->c->rt, k->id));)
        rp__free_mem(k->c->rt->sys, RP__OF(struct asked_name, wait, w), sizeof(struct asked_name));
}

static int on_found(struct rp__link *k, struct rp__in in)
{
    uint64_t id = rp__get64(&in);
    int32_t rc = (int32_t)rp__get32(&in);
    uint64_t local = rp__get64(&in);
    if (in.bad || in.at != in.end || rc > 0)
        return -EPROTO;
    pthread_mutex_lock(&k->lock);
    struct rp__search *s = rp__id_find(&k->lookups, id);
    if (s) { /* else it has given up */
        rp__id_free(&k->lookups, id);
        if (rc == 0)
            *s->ret = (rp_ref){k->peer, local};
        rp__wake_from_afar(s->me, rc);
    }
    pthread_mutex_unlock(&k->lock);
    return 0;
}

int rp__on_actor_frame(struct rp__link *k, const struct rp__frame *f)
{
    switch (f->type) {
    case RP__TYPE:
        return on_type(k, f);
    case RP__CREDIT:
        return on_credit(k, f->payload);
    case RP__SEND:
    case RP__CALL:
        return on_message(k, f);
    case RP__REPLY:
        return on_reply(k, f);
    case RP__NO_REPLY:
        return on_no_reply(k, f->payload);
    case RP__MONITOR:
        return on_monitor(k, f->payload);
    case RP__DOWN:
        return on_down(k, f->payload);
    case RP__STOP_ACTOR:
        return on_stop(k, f->payload);
    case RP__LOOKUP:
        return on_lookup(k, f);
    case RP__FOUND:
        return on_found(k, f->payload);
    default:
        return f->type >= 64 ? 0 : -EPROTO; /* from 64 on: for what may be left out */
    }
}

/* ---- the end of a link ---------------------------------------------------------------------------- */

/* Whoever parks on the link goes on with an error. */
static void wake_waiters(struct rp__link *k)
{
    pthread_mutex_lock(&k->lock);
    for (uint32_t i = 0; i < k->credits.size; i++) {
        struct rp__credit *c = k->credits.at[i].value;
        for (struct rp__hook *at; c && (at = rp__list_pop(&c->waiters));)
            rp__wake_from_afar(RP__OF(rp_self, queue, at), 0); /* it looks again, and finds no link */
    }
    for (uint32_t i = 0; i < k->lookups.size; i++) {
        struct rp__search *s = k->lookups.at[i].p;
        if (!s)
            continue;
        rp__id_free(&k->lookups, s->id);
        rp__wake_from_afar(s->me, -EHOSTUNREACH);
    }
    pthread_mutex_unlock(&k->lock);
}

/* Calls first, then actors, then the node: each once, and after all that came from it, because this goes
 * through the same rings. Nobody adds to these tables once `down` is set. */
void rp__remote_down(struct rp__link *k, int reason)
{
    struct rp_loop *l = k->home;
    wake_waiters(k);
    forget_questions(k);
    for (uint32_t i = 0; i < k->asked.size; i++)
        if (k->asked.at[i].p)
            no_reply_to(l, k->asked.at[i].p, -EHOSTUNREACH);
    for (int nodes = 0; nodes < 2; nodes++)
        for (uint32_t i = 0; i < k->watching.size; i++) {
            const struct rp__watching *w = k->watching.at[i].p;
            if (!w || (w->target == 0) != nodes)
                continue;
            struct rp_down d = {.who = {k->peer, w->target}, .reason = -EHOSTUNREACH};
            if (nodes)
                say_node_down(l, w->watcher, k->peer, reason, k->name);
            else
                rp__down_now(l, w->watcher, &d);
        }
}

static unsigned route_figures(struct rp_loop *l, struct rp__link_figures *to, unsigned most)
{
    struct rp__hook *all = &rp__cluster_of(l)->links;
    unsigned n = 0;
    for (struct rp__hook *at = all->next; at != all && n < most; at = at->next) {
        struct rp__link *k = RP__OF(struct rp__link, all, at);
        if (k->state != RP__L_UP)
            continue;
        struct rp__link_figures *f = &to[n++];
        pthread_mutex_lock(&k->lock);
        *f = (struct rp__link_figures){.id = k->id, .queued = k->queued, .credit = k->out, .targets = k->credits.used};
        pthread_mutex_unlock(&k->lock);
        memcpy(f->peer, k->name, sizeof f->peer - 1);
    }
    return n;
}

const struct rp__route rp__route_links = {
    .send = route_send,
    .send_sure = route_send_sure,
    .no_reply = route_no_reply,
    .node_at = route_node_at,
    .monitor = route_monitor,
    .stop = route_stop,
    .watched = route_watched,
    .down = route_down,
    .consumed = route_consumed,
    .figures = route_figures,
    .closing = rp__cluster_closing,
};
