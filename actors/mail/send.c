/* SPDX-License-Identifier: MIT
 *
 * send.c - a message on its way: the short way of a small one, and every reason to wait.
 *
 * The short way writes a slot at a ring's tail and touches nothing of the target. It is left when the
 * target is known to be full, when its mailbox is small (its address says so), when the way there is full, when it is in
 * another process, when the body is not small, or when the sender has sent a burst to its own loop that is not dispatched yet.
 */
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/mail/trace.h"
#include "actors/table/meter.h"
#include "actors/table/runtime.h"
#include "actors/table/window.h"
#include "loop/here.h"
#include "loop/rest.h"
#include "reparto/dead.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    BURST_AWAY = 512,      /* to other loops, before it looks whether they have sent something back */
    BACKLOG_MAX = 1 << 22  /* on its own loop, beyond which nobody adds to them */
};

enum { GONE_ON = 1 }; /* it has waited: things are to be looked at again */

/* n <= 40. Word by word: what is read back by words soon after comes out of the store buffer. */
static inline void copy_small(void *to, const void *from, size_t n)
{
    uint64_t *d = to;
    const char *s = from;
    switch (n / 8) {
    case 5: memcpy(d + 4, s + 32, 8); /* fall through */
    case 4: memcpy(d + 3, s + 24, 8); /* fall through */
    case 3: memcpy(d + 2, s + 16, 8); /* fall through */
    case 2: memcpy(d + 1, s + 8, 8); /* fall through */
    case 1: memcpy(d, s, 8); /* fall through */
    default: break;
    }
    if (__builtin_expect((n & 7) != 0, 0))
        for (size_t i = n & ~(size_t)7; i < n; i++)
            ((volatile char *)to)[i] = s[i]; /* volatile: seven bytes at most are not worth a loop unrolled by 16 */
}

static inline bool may_burst(const rp_self *me, struct rp_loop *l)
{
    return l->events.count < RP__BACKLOG || rp__sent(l) - me->sent_mark < RP__BURST;
}

/* How far the short way goes for a message. PLAIN: as far as it takes no call, so that rp_tell saves few registers. */
enum effort { PLAIN, SHORT };

/* Where a small message to another loop goes, if it may go at once; else NULL. */
static inline struct rp__slot *place_away(rp_self *me, struct rp_loop *l, uint32_t dst, enum effort effort, struct rp__ring **ret)
{
    if (__builtin_expect(dst >= l->sys->nloops, 0))
        return 0;
    struct rp__ring *r = *ret = l->out[dst];
    if (!r || r->waiting || rp__sent(l) - me->sent_mark >= BURST_AWAY)
        return 0;
    return effort == PLAIN ? rp__ring_push_plain(r) : rp__ring_push_short(r);
}

static inline struct rp__slot *place_home(struct rp_loop *l, enum effort effort)
{
    return effort == PLAIN ? rp__events_push_plain(&l->events) : rp__events_push_short(&l->events);
}

/* The slot for a small message to loop `dst`, and the ring it is in, if any; NULL: it may not go at once. `sure`: a reply,
 * which waits for nobody's turn. */
__attribute__((always_inline)) static inline struct rp__slot *place_short(rp_self *me, struct rp_loop *l, uint32_t dst, bool sure,
                                                                          enum effort effort, struct rp__ring **ret)
{
    if (dst == l->index)
        return sure || __builtin_expect(may_burst(me, l), 1) ? place_home(l, effort) : 0;
    return place_away(me, l, dst, effort, ret);
}

static inline void gone_short(struct rp_loop *l, struct rp__ring *r)
{
    if (r) {
        rp__ring_commit(r, 1);
        rp__ring_touch(l, r);
    }
    rp__tally(l, RP__SENT, 1);
}

/* As rp__route_of; none for a small mailbox, which is for the long way to see to. */
static inline uint32_t way_of(const struct rp_loop *l, uint64_t to)
{
    bool moved = l->slow & RP__SLOW_MOVED;
    return __builtin_expect(moved, 0) && !rp__is_narrow(to) ? rp__where_of(l, to) : (uint32_t)(to >> 54);
}

/* `moved`: some actor does not live where its address says, and that is all that makes it slow. */
__attribute__((always_inline)) static inline bool tell_short(rp_self *me, rp_ref to, const rp_type *t, const void *body, bool moved,
                                                             enum effort effort)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here_debug(me);
    struct rp__types *types = &l->actors->types;
    const struct rp__shape *shape = effort == PLAIN ? rp__shape_at(types, t) : rp__shape(types, t);
    __asm__("" : "+r"(shape)); /* gcc would keep what it is worked out from, in registers that it saves for that */
    const uint64_t not_short = RP__FLAG(RP__F_BIG | RP__F_EXTRA) | RP__RIGHTS;
    if (__builtin_expect(to.node != l->node || l->slow != (moved ? (unsigned)RP__SLOW_MOVED : 0), 0))
        return false;
    if (__builtin_expect(shape->type != t || shape->word & not_short, 0))
        return false;
    if (__builtin_expect(!body, 0) && shape->size > 0)
        return false; /* the long way says so */
    uint32_t dst = moved ? way_of(l, to.local) : (uint32_t)(to.local >> 54);
    struct rp__ring *r = 0;
    struct rp__slot *s = place_short(me, l, dst, false, effort, &r);
    if (__builtin_expect(!s, 0))
        return false;
    s->to = to.local;
    s->from = rp__addr_of(me);
    s->type = shape->word;
    copy_small(s->body, body, shape->size);
    gone_short(l, r);
    return true;
}

/* A call or a reply of this process that fits a slot with its words. */
__attribute__((always_inline)) static inline bool words_short(rp_self *me, struct rp_loop *l, uint64_t to, uint64_t from, unsigned flags,
                                                              uint64_t call, rp_time deadline, const rp_type *t, const void *body)
{
    const struct rp__shape *shape = rp__shape(&l->actors->types, t);
    unsigned words = 1 + ((flags & RP__F_DEADLINE) != 0);
    struct rp__ring *r = 0;
    struct rp__slot *s;
    size_t room = body ? sizeof s->body - 8 * words : 0; /* without a body only for none; a choice, no branch */
    if (shape->word & (RP__FLAG(RP__F_BIG | RP__F_EXTRA) | RP__RIGHTS) || shape->size > room || !to)
        return false;
    uint32_t dst = flags & RP__F_REPLY ? rp__route_of(l, to) : way_of(l, to);
    if (__builtin_expect(!(s = place_short(me, l, dst, flags & RP__F_REPLY, SHORT, &r)), 0))
        return false;
    s->to = to;
    s->from = from;
    s->type = shape->word | RP__FLAG(flags);
    s->body[0] = call;
    s->body[1] = (uint64_t)deadline; /* or the body's first word */
    uint64_t *at = s->body + words;
    __asm__("" : "+r"(at)); /* gcc does not see that no more than fits comes here, and warns */
    copy_small(at, body, shape->size);
    gone_short(l, r);
    return true;
}

static struct rp__out out_of(const rp_self *me, rp_ref to, const rp_type *t, const void *body)
{
    return (struct rp__out){.to = to, .from = rp__addr_of(me), .type = t, .body = body};
}

__attribute__((noinline)) static int tell_long(rp_self *me, rp_ref to, const rp_type *t, const void *body, bool wait)
{
    struct rp_loop *l = me->loop;
    struct rp__out o = out_of(me, to, t, body);
    uint32_t traced = l->slow & RP__SLOW_TRACE;
    l->slow ^= traced; /* what is traced goes the way it would go otherwise */
    bool sent = l->slow == 0 ? tell_short(me, to, t, body, false, SHORT) : tell_short(me, to, t, body, true, SHORT);
    l->slow ^= traced;
    if (sent && traced)
        rp__trace_send(l, &o, false);
    if (sent)
        return 0;
    return rp__send(me, &o, wait, RP_FOREVER);
}

int rp_tell(rp_self *me, rp_ref to, const rp_type *t, const void *body)
{
    return __builtin_expect(tell_short(me, to, t, body, false, PLAIN), 1) ? 0 : tell_long(me, to, t, body, true);
}

int rp_try_tell(rp_self *me, rp_ref to, const rp_type *t, const void *body)
{
    return __builtin_expect(tell_short(me, to, t, body, false, PLAIN), 1) ? 0 : tell_long(me, to, t, body, false);
}

int rp_tell_bounce(rp_self *me, rp_ref to, const rp_type *t, const void *body, uint64_t cookie)
{
    struct rp__out o = out_of(me, to, t, body);
    o.bounce = true;
    o.cookie = cookie;
    return me->actor && to.node == me->loop->node ? rp__send(me, &o, true, RP_FOREVER) : -EINVAL;
}

/* ---- the whole form ------------------------------------------------------------------------------ */

/* What has to be written: worked out before there is a place for it. */
struct form {
    uint64_t word;
    unsigned slots;
    size_t size;         /* bytes after the extensions */
    const void *body;    /* that stand there */
    struct rp__big *big; /* or the address of this */
    uint64_t stamp;      /* with RP__STAMP */
};

/* The block for a body outside the slots: a moving message's own, if it is complete and nobody shares it. */
static struct rp__big *big_for(struct rp_loop *l, const struct rp__out *o)
{
    struct rp__slot *m = o->msg ? &o->msg->slot : 0;
    if (o->share) {
        rp__big_share(o->share);
        return o->share;
    }
    if (!m || RP__MOVES_COPY || !rp__big_of(m)->packed || rp__big_shared(rp__big_of(m))) {
        struct rp__big *b = rp__big_new(l, o->type, o->body);
        if (b && m) {
            rp__big_free(l, rp__big_of(m));
            m->body[rp__ext_words(m->type)] = (uintptr_t)b;
        }
        return b;
    }
    return rp__big_of(m);
}

static int form_new(struct rp_loop *l, const struct rp__out *o, struct form *f, bool measured)
{
    const struct rp__shape *shape = rp__shape(&l->actors->types, o->type);
    bool big = o->share || (o->msg && rp__flags(o->msg->slot.type) & RP__F_BIG);
    *f = (struct form){.size = shape->size, .body = o->body};
    if (big || rp__flags(shape->word) & RP__F_BIG) {
        f->size = sizeof f->big;
        if (!(f->big = big_for(l, o)))
            return -ENOMEM;
    }
    f->word = (shape->word & ~RP__FLAG(RP__F_EXTRA)) | RP__FLAG(o->flags | (big ? RP__F_BIG : 0u));
    f->word |= o->bounce ? RP__BOUNCE : 0;
    if (measured) {
        f->word |= RP__STAMP;
        f->stamp = rp__stamp(l->world->now(l), RP__WAITS, l->sampler.weight);
    }
    f->slots = rp__slots_for(8 * rp__ext_words(f->word) + f->size);
    f->word |= RP__FLAG(f->slots - 1);
    return 0;
}

static void form_drop(struct rp_loop *l, const struct rp__out *o, struct form *f)
{
    if (f->big && !o->msg)
        rp__big_free(l, f->big);
}

static void form_write(struct rp__slot *s, const struct rp__out *o, const struct form *f)
{
    s->to = o->to.local;
    s->from = o->from;
    s->type = f->word;
    uint64_t *at = s->body;
    if (o->flags & RP__F_NODE) {
        *at++ = o->node;
        *at++ = o->via;
    }
    if (o->flags & (RP__F_CALL | RP__F_REPLY))
        *at++ = o->call;
    if (o->flags & RP__F_DEADLINE)
        *at++ = (uint64_t)o->deadline;
    if (f->word & RP__STAMP)
        *at++ = f->stamp;
    if (o->bounce)
        *at++ = o->cookie;
    if (f->big)
        *at = (uintptr_t)f->big;
    else if (f->size)
        memcpy(at, f->body, f->size);
}

rp_msg *rp__msg_of(struct rp_loop *l, const struct rp__out *o)
{
    struct form f;
    if (form_new(l, o, &f, false) != 0)
        return 0;
    struct rp__slot *s = rp__pool_get(&l->pool, f.slots * sizeof *s);
    if (!s) {
        form_drop(l, o, &f);
        return 0;
    }
    f.word |= RP__FLAG(RP__F_OWNED);
    form_write(s, o, &f);
    return (rp_msg *)s;
}

/* ---- waiting ------------------------------------------------------------------------------------- */

static int wait_in_line(rp_self *me, rp_time until)
{
    int rc = rp__may_wait(me);
    if (rc != 0)
        return rc;
    rp__list_push(&me->loop->in_line.fresh, &me->queue);
    return rp__park(me, "room on its own loop", me->loop, rp__unqueue, until);
}

static int wait_for_ring(rp_self *me, struct rp__ring *r, rp_time until)
{
    int rc = rp__may_wait(me);
    if (rc != 0)
        return rc;
    rp__list_push(&r->waiters.fresh, &me->queue);
    rp__ring_wait(me->loop, r);
    return rp__park(me, "room on the way", r, rp__unqueue, until);
}

/* A place among what is for this loop. */
static int place_here(rp_self *me, unsigned n, bool wait, rp_time until, struct rp__slot **ret)
{
    struct rp_loop *l = me->loop;
    if (!may_burst(me, l) || l->events.count >= BACKLOG_MAX) {
        int rc = !wait ? -EAGAIN : l->events.count < RP__CROWDED ? rp_yield(me) : wait_in_line(me, until);
        if (rc == 0)
            me->sent_mark = rp__sent(l); /* another burst, also where rp_yield has left it what it had of this one */
        if (rc == 0)
            return GONE_ON;
        if (rc != -EAGAIN || l->events.count >= RP__CROWDED)
            return rc; /* else it may not step aside: what a crowd may have on its way, and no more */
    }
    if (__builtin_expect(l->slow & RP__SLOW_SPILT, 0) && !rp__serve_own(l))
        return -ENOMEM;
    *ret = rp__events_push(&l->events, n);
    return *ret ? 0 : -ENOMEM;
}

/* A place on the way to another loop. */
static int place_there(rp_self *me, uint32_t dst, unsigned n, bool wait, rp_time until, bool in_line, struct rp__slot **ret)
{
    struct rp_loop *l = me->loop;
    struct rp__ring *r = rp__ring_to(l, dst);
    if (!r)
        return -ENOMEM;
    if (rp__sent(l) - me->sent_mark >= BURST_AWAY) { /* a FULL may wait to be read: see full.pml */
        bool yielded = wait && rp__anything_inbound(l) && rp_yield(me) == 0; /* who may not step aside goes on: its burst ends with its turn */
        me->sent_mark = rp__sent(l);
        if (yielded)
            return GONE_ON;
    }
    bool first = rp__list_empty(&r->spills) && rp__waitlist_empty(&r->waiters);
    if ((first || in_line) && (*ret = rp__ring_push(r, n, RP__RING_RESERVE)))
        return 0;
    int rc = wait ? wait_for_ring(me, r, until) : -EAGAIN;
    return rc != 0 ? rc : GONE_ON;
}

/* A place for n slots on the way to `to`; waits for it. 0, or why not. While it waited, the actor may have moved:
 * then the way is another. */
static int place_for(rp_self *me, uint64_t to, unsigned n, bool wait, rp_time until, struct rp__slot **ret, uint32_t *dst)
{
    struct rp_loop *l = me->loop;
    bool in_line = false; /* who has waited goes before those who wait now */
    for (;;) { /* unbounded: until there is room, or an end to waiting */
        *dst = rp__route_of(l, to);
        int rc = *dst == l->index ? place_here(me, n, wait, until, ret) : place_there(me, *dst, n, wait, until, in_line, ret);
        if (rc != GONE_ON)
            return rc;
        in_line = true;
    }
}

/* `waited`: it was its turn, and others may wait for it to have sent. */
static int wait_for_box(rp_self *me, uint64_t target, const rp_type *t, bool wait, rp_time until, bool *waited)
{
    struct rp__full *f = rp__full_find(me->loop, target);
    if (!f)
        return 0;
    rp_overflow policy = t->overflow != RP_DEFAULT ? t->overflow : rp__full_policy(f);
    if (policy > RP_FAIL)
        return 0; /* the mailbox will see to it */
    if (!wait || policy == RP_FAIL)
        return -EAGAIN;
    int rc = rp__full_wait(me, f, until);
    *waited = rc == 0;
    return rc;
}

static void put_local(struct rp_loop *l, uint32_t dst, struct rp__slot *s, const struct rp__out *o, const struct form *f)
{
    form_write(s, o, f);
    if (dst != l->index) {
        rp__ring_commit(l->out[dst], f->slots);
        rp__ring_sampled(l->out[dst]);
        rp__ring_touch(l, l->out[dst]);
    }
    if (!o->msg)
        rp__tally(l, RP__SENT, 1);
}

/* Or may be: how large a body is that is yet to be made is not asked. */
static inline bool is_heavy(struct rp_loop *l, const struct rp__out *o)
{
    bool big = o->share || (o->msg && rp__flags(o->msg->slot.type) & RP__F_BIG) || rp__flags(rp__shape(&l->actors->types, o->type)->word) & RP__F_BIG;
    return big || rp__is_narrow(o->to.local);
}

/* It is made, and goes. What it weighs counts from here on, wherever it has to wait for a place. */
static int send_made(rp_self *me, struct rp__out *o, bool wait, rp_time until)
{
    struct rp_loop *l = me->loop;
    struct form f;
    int rc = form_new(l, o, &f, rp__choose(&l->sampler));
    if (rc != 0)
        return rc;
    uint64_t weight = rp__heaviness(o->to.local, f.big);
    uint32_t way = rp__route_of(l, o->to.local), dst;
    struct rp__slot *s;
    if (weight)
        rp__window_take(l, way, weight);
    rc = place_for(me, o->to.local, f.slots, wait, until, &s, &dst);
    if (weight && (rc != 0 || dst != way))
        rp__window_undo(l, way, weight);
    if (rc != 0) {
        form_drop(l, o, &f);
        return rc;
    }
    if (weight && dst != way)
        rp__window_take(l, dst, weight);
    f.word |= weight ? RP__FLAG(RP__F_HEAVY) : 0;
    put_local(l, dst, s, o, &f);
    return 0;
}

static int send_local(rp_self *me, struct rp__out *o, bool wait, rp_time until)
{
    struct rp_loop *l = me->loop;
    if (rp__loop_of(o->to.local) >= l->sys->nloops || !o->to.local)
        return -EINVAL;
    int rc = GONE_ON;
    bool waited = false, heavy = is_heavy(l, o);
    for (bool in_line = false; rc == GONE_ON; in_line = true) { /* unbounded: until there is room, or an end to waiting */
        rc = l->slow & RP__SLOW_FULL && !waited ? wait_for_box(me, o->to.local, o->type, wait, until, &waited) : 0;
        if (rc == 0 && heavy && !rp__window_at_once(l, o->to.local))
            rc = rp__window_enter(me, o->to.local, in_line, wait, until);
    }
    if (rc == 0)
        rc = send_made(me, o, wait, until);
    if (waited)
        rp__full_sent(l, o->to.local);
    return rc;
}

/* To another process: the body is copied onto the wire, so a message that moved is empty now. */
static int send_away(rp_self *me, struct rp__out *o, bool wait, rp_time until)
{
    struct rp_loop *l = me->loop;
    const struct rp__route *route = rp__runtime(l)->route;
    if (!route)
        return -EHOSTUNREACH;
    int rc = route->send(me, o, wait, until);
    if (rc != 0)
        return rc;
    if (o->msg && rp__flags(o->msg->slot.type) & RP__F_BIG)
        rp__big_free(l, rp__big_of(&o->msg->slot));
    if (!o->msg)
        rp__tally(l, RP__SENT, 1);
    rp__tally(l, RP__LEFT, 1);
    return 0;
}

/* Who tries again and again lets others run, and hears of its end. */
static int failed(rp_self *me, int rc)
{
    rp__rest(me);
    return rp_scope_check(me) == 0 ? rc : -ECANCELED;
}

int rp__send(rp_self *me, struct rp__out *o, bool wait, rp_time until)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    if (!o->to.node)
        return -EINVAL;
    struct rp__pledge p;
    int rc = rp__pledge(me, o->type, o->body, o->msg != 0, &p);
    if (rc == 0)
        o->type = rp__type(rp__shape(&l->actors->types, o->type)->word);
    if (rc == 0)
        rc = o->to.node == l->node ? send_local(me, o, wait, until) : send_away(me, o, wait, until);
    rp__pledge_end(me, &p, rc == 0);
    if (rc == 0 && rp__traces(l, RP__T_SEND))
        rp__trace_send(l, o, o->msg && rp__flags(o->msg->slot.type) & RP__F_BIG);
    return rc != 0 && wait ? failed(me, rc) : rc;
}

__attribute__((noinline)) static int call_long(rp_self *me, rp_ref to, const rp_type *t, const void *body, uint64_t id, rp_time deadline,
                                               bool wait, rp_time until)
{
    struct rp__out o = out_of(me, to, t, body);
    o.flags = RP__F_CALL | (deadline == RP_FOREVER ? 0u : (unsigned)RP__F_DEADLINE);
    o.call = id;
    o.deadline = deadline;
    return rp__send(me, &o, wait, until);
}

int rp__send_call(rp_self *me, rp_ref to, const rp_type *t, const void *body, uint64_t id, rp_time deadline, bool wait, rp_time until)
{
    struct rp_loop *l = me->loop;
    unsigned flags = RP__F_CALL | (deadline == RP_FOREVER ? 0u : (unsigned)RP__F_DEADLINE);
    bool easy = to.node == l->node && (l->slow & ~(uint32_t)RP__SLOW_MOVED) == 0;
    if (easy && words_short(me, l, to.local, me->actor->addr, flags, id, deadline, t, body))
        return 0;
    return call_long(me, to, t, body, id, deadline, wait, until);
}

static int send_sure(struct rp_loop *l, struct rp__out *o)
{
    if (o->via != 0) {
        int sent = rp__runtime(l)->route->send_sure(l, o);
        if (sent == 0 || sent == -EHOSTUNREACH) {
            rp__tally(l, RP__SENT, 1);
            rp__tally(l, sent == 0 ? RP__LEFT : RP__LATE, 1);
        }
        return sent;
    }
    struct form f;
    int rc = form_new(l, o, &f, rp__choose(&l->sampler));
    if (rc != 0)
        return rc;
    struct rp__slot s[RP__SLOTS_MAX];
    form_write(s, o, &f);
    rc = rp__post_slots(l, rp__route_of(l, o->to.local), s, f.slots);
    if (rc != 0)
        form_drop(l, o, &f);
    else
        rp__tally(l, RP__SENT, 1);
    return rc;
}

__attribute__((noinline)) static int reply_long(struct rp_loop *l, const rp_token *k, uint64_t from, const rp_type *t, const void *body)
{
    struct rp__out o = {.to = k->asker, .from = from, .type = t, .body = body, .flags = RP__F_REPLY, .call = k->call, .via = k->via << 32};
    struct rp__pledge p;
    int rc = rp__pledge(l->running, t, body, false, &p);
    if (rc == 0)
        o.type = rp__type(rp__shape(&l->actors->types, t)->word);
    if (rc == 0)
        rc = send_sure(l, &o);
    if (rc == -EHOSTUNREACH) { /* nobody waits any more: it is late, as in one process, and so are the tokens in it */
        rp__pledge_lost(l->running, &p);
        return 0;
    }
    rp__pledge_end(l->running, &p, rc == 0);
    if (rc == 0 && rp__traces(l, RP__T_SEND))
        rp__trace_send(l, &o, false);
    return rc;
}

int rp__send_reply(struct rp_loop *l, const rp_token *k, const struct rp__actor *by, const rp_type *t, const void *body)
{
    uint64_t from = by ? by->addr : 0;
    bool easy = k->via == 0 && (l->slow & (RP__SLOW_FORKED | RP__SLOW_TRACE | RP__SLOW_SPILT)) == 0;
    if (easy && words_short(l->running, l, k->asker.local, from, RP__F_REPLY, k->call, 0, t, body))
        return 0;
    return reply_long(l, k, from, t, body);
}

/* ---- moving a message ---------------------------------------------------------------------------- */

int rp_send(rp_self *me, rp_ref to, rp_msg **m)
{
    if (!m || !*m)
        return -EINVAL;
    struct rp_loop *l = me->loop;
    struct rp__slot *s = &(*m)->slot;
    rp__must_be_here_debug(me);
    rp__must_live(me, *m, "rp_send");
    struct rp__out o = out_of(me, to, rp__type(s->type), rp__body_of(s));
    o.msg = *m;
    int rc = rp__send(me, &o, true, RP_FOREVER);
    if (rc != 0)
        return rc;
    rp__done(l, s);
    if (rp_wants_reply(*m)) /* it goes on as a plain message: nobody can reply to it any more */
        rp__no_reply(l, s, -EPIPE);
    rp__let_go(me, *m);
    rp__msg_shell_free(l, s);
    *m = 0;
    return 0;
}
