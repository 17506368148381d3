/* SPDX-License-Identifier: MIT
 *
 * outgoing.c - messages and replies that leave by a link, and the waiting for room on it.
 *
 * Each actor at the peer may have RP__WINDOW bytes from us on their way or in its mailbox (credit.c); beyond that
 * senders to that actor wait, and nobody else. What is written waits in the link's queue, whose length is bounded too:
 * then all its senders wait. Replies and signals need neither.
 */
#include "actors/mail/mail.h"
#include "cluster/remote/remote.h"
#include "loop/report.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* ---- types --------------------------------------------------------------------------------------- */

/* The number under which the peer knows the type, announced first when it does not. 0: no memory, or more types than it
 * takes. */
static uint32_t number_of(struct rp__link *k, const rp_type *t)
{
    uint64_t key = (uintptr_t)t;
    uint32_t n = (uint32_t)(uintptr_t)rp__map_find(&k->numbers, key);
    if (n)
        return n;
    size_t size = rp__announced_size(t);
    if (k->next_number == UINT16_MAX || k->announces + size > RP__PEER_TYPES || rp__map_put(&k->numbers, &rp__link_sys(k)->mem, key, (void *)(uintptr_t)(k->next_number + 1)) != 0)
        return 0;
    unsigned char *to = rp__link_frame(k, false, RP__TYPE, 0, (uint16_t)k->next_number, size);
    if (!to) {
        rp__map_remove(&k->numbers, key);
        return 0;
    }
    struct rp__w w = {to, 0, size};
    rp__announce(&w, t);
    k->announces += (uint32_t)size;
    return ++k->next_number;
}

void rp__numbers_free(struct rp__link *k)
{
    rp__map_fini(&k->numbers, &rp__link_sys(k)->mem);
}

/* ---- tokens --------------------------------------------------------------------------------------- */

/* The peer will not use what stands in these fields: those in front of `end`; NULL: all. */
static void take_back(struct rp__link *k, const rp_type *t, const char *lent, const rp_field *end)
{
    const rp_field *f;
    for (size_t i = 0; (f = rp__token_field(t, &i)) != end;) {
        rp_token at;
        struct rp__asked forget;
        memcpy(&at, lent + f->offset, sizeof at);
        rp__asked_take(k, at.call, &forget);
    }
}

/* A body for the wire, whose tokens have the numbers by which the peer will use them: the body itself if it has none.
 * NULL: no memory. */
static const void *lend_tokens(struct rp_loop *l, struct rp__link *k, const rp_type *t, const void *body)
{
    if (!(rp__shape(&l->actors->types, t)->word & RP__RIGHTS))
        return body;
    char *lent = rp__alloc(rp__link_sys(k), t->size);
    if (!lent)
        return 0;
    memcpy(lent, body, t->size);
    const rp_field *f;
    for (size_t i = 0; (f = rp__token_field(t, &i));) {
        rp_token at;
        memcpy(&at, lent + f->offset, sizeof at);
        if (at.call == 0)
            continue;
        at.call = rp__asked_new(k, at.asker.local, at.call, at.via);
        if (at.call == 0) {
            take_back(k, t, lent, f);
            rp__free_mem(rp__link_sys(k), lent, t->size);
            return 0;
        }
        memcpy(lent + f->offset, &at, sizeof at);
    }
    return lent;
}

/* `sent`: it is on the wire; else the tokens are the sender's still. */
static void lent(struct rp__link *k, const struct rp__out *o, const void *copy, bool sent)
{
    if (!copy || copy == o->body)
        return;
    if (!sent)
        take_back(k, o->type, copy, 0);
    rp__free_mem(rp__link_sys(k), (void *)(uintptr_t)copy, o->type->size);
}

/* ---- messages ------------------------------------------------------------------------------------- */

static uint32_t ms_left(const struct rp_loop *l, rp_time deadline)
{
    rp_time left = rp__until(deadline, l->now);
    return left <= 0 ? 0 : left > (rp_time)UINT32_MAX * RP_MS ? UINT32_MAX : (uint32_t)((left + RP_MS - 1) / RP_MS);
}

/* Writes SEND or CALL. 0 or -ENOMEM. */
static int write_message(struct rp_loop *l, struct rp__link *k, const struct rp__out *o, size_t body)
{
    bool call = o->flags & RP__F_CALL, limited = call && o->flags & RP__F_DEADLINE, third = o->flags & RP__F_NODE;
    uint32_t number = number_of(k, o->type);
    uint64_t id = number && call ? rp__asked_new(k, o->from, o->call, third ? o->via >> 32 : 0) : 0;
    const void *lends = lend_tokens(l, k, o->type, o->body);
    size_t n = 16 + (third ? 8 : 0) + (call ? 8 : 0) + (limited ? 4 : 0) + body;
    unsigned flags = (third ? RP__W_NODE : 0) | (limited ? RP__W_DEADLINE : 0);
    unsigned char *to = 0;
    if (number && (!call || id) && lends)
        to = rp__link_frame(k, false, call ? RP__CALL : RP__SEND, (uint8_t)flags, (uint16_t)(number - 1), n);
    if (!to) {
        struct rp__asked forget;
        rp__asked_take(k, id, &forget);
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

static bool leave_link(rp_self *me)
{
    struct rp__turn *t = me->got;
    struct rp__link *k = rp__link_by(me->loop, t->link);
    if (!k)
        return false; /* it is down, and its wake-up on the way */
    pthread_mutex_lock(&k->lock);
    bool waiting = rp__linked(&me->queue);
    rp__unlink(&me->queue);
    if (waiting)
        rp__room_refund(k, t, t->target);
    pthread_mutex_unlock(&k->lock);
    return waiting;
}

static bool can_leave(const rp_type *t)
{
    return !t->drop && (t->fields || t->size == 0);
}

/* One attempt: 0, an error, or 1: `me` stands in a list and is to park. */
static int try_send(rp_self *me, struct rp__link *k, struct rp__out *o, struct rp__turn *t, bool wait)
{
    struct rp_loop *l = me->loop;
    pthread_mutex_lock(&k->lock);
    bool called = rp__room_take(k, t, me), own = !(o->flags & RP__F_NODE);
    struct rp__credit *c = k->down ? 0 : rp__credit_of(k, t->target);
    bool gap = c && own && rp__hole_ahead(k, t->target, o->from);
    int rc = k->down || gap ? -EHOSTUNREACH : !c ? -ENOMEM : called || rp__room_ask(k, c, t, me) ? 0 : wait ? 1 : -EAGAIN;
    if (rc == 1) {
        rp__room_wait(k, c, t, me);
    } else if (rc == 0 && (rc = write_message(l, k, o, t->bytes - 16)) == 0 && !called) {
        c->out += t->bytes;
        k->out += t->bytes;
    }
    if (rc == 0 && own && !(o->flags & RP__F_CALL))
        rp__teller_note(&c->by, o->from);
    if (called && rc != 0)
        rp__room_refund(k, t, t->target);
    if (called && k->box.promised == 0) /* all have written: the next ones, if there is room */
        rp__room_in_queue(k, RP__QUEUE_HIGH);
    pthread_mutex_unlock(&k->lock);
    return rc;
}

static int send_or_wait(rp_self *me, struct rp__out *o, bool wait, rp_time until)
{
    struct rp_loop *l = me->loop;
    if (!can_leave(o->type))
        return -ENOTSUP;
    size_t body = rp__packed_size(o->type, o->body);
    if (body > RP__MAX_FRAME - 64)
        return -EMSGSIZE;
    struct rp__turn t = {.target = o->to.local, .bytes = (uint32_t)body + 16};
    for (;;) { /* unbounded: until there is room, or an end to waiting */
        struct rp__link *k = rp__link_to(l, o->to.node);
        if (!k)
            return -EHOSTUNREACH;
        int rc = wait ? rp__may_wait(me) : -EAGAIN;
        bool may_wait = rc == 0 && (rc = rp__keep_stack(me)) == 0;
        int sent = try_send(me, k, o, &t, may_wait);
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
    }
}

int rp__remote_send(rp_self *me, struct rp__out *o, bool wait, rp_time until)
{
    int rc = send_or_wait(me, o, wait, until);
    if (rc == -EHOSTUNREACH && !(o->flags & RP__F_NODE))
        rp__hole_told(me->loop, o->to.node, o->to.local, o->from);
    return rc;
}

/* ---- replies -------------------------------------------------------------------------------------- */

/* The actor that replies can do nothing about a peer that does not read: the asker is told instead. */
static int too_much_waits(struct rp_loop *l, struct rp__link *k, const struct rp__out *o, bool first)
{
    if (first)
        rp__report(l->sys, &(rp_report){.kind = RP_REPORT_LINK, .err = -ENOBUFS, .name = k->name},
                   "a reply (%s) to node %llx \"%s\" is not kept: more than %u bytes wait for it already, it reads too slowly; "
                   "its asker gets -ENOBUFS, and so do those of the next ones", o->type->name, (unsigned long long)k->peer, k->name, RP__HELD_HIGH);
    int rc = rp__remote_no_reply(l, k->id, o->call, -ENOBUFS, "");
    return rc == -ENOMEM ? rc : 0;
}

int rp__remote_send_sure(struct rp_loop *l, struct rp__out *o)
{
    struct rp__link *k = rp__link_by(l, o->via >> 32);
    if (!can_leave(o->type))
        return -ENOTSUP;
    size_t body = rp__packed_size(o->type, o->body), n = 24 + body;
    if (body > RP__MAX_FRAME - 64)
        return -EMSGSIZE;
    if (!k)
        return -EHOSTUNREACH;
    pthread_mutex_lock(&k->lock);
    if (!k->down && k->box.held + n > RP__HELD_HIGH && !(rp__shape(&l->actors->types, o->type)->word & RP__RIGHTS)) {
        bool first = !k->box.told;
        k->box.told = true;
        pthread_mutex_unlock(&k->lock);
        return too_much_waits(l, k, o, first);
    }
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
