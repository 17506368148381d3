/* SPDX-License-Identifier: MIT
 *
 * signal.c - what loops ask of each other beside messages. Signals travel in the same rings and so in
 * order with the messages, need no room in any mailbox, and cannot be refused.
 */
#include "actors/life/life.h"
#include "actors/mail/mail.h"
#include "actors/mail/trace.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "actors/table/where.h"
#include "actors/table/why.h"

#include <errno.h>
#include <string.h>

/* It is for an actor that moves, or for one that has moved on: that happens only when there was no memory for
 * a ring, and it came by the inbox. */
static bool elsewhere(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__actor *a = rp__actor_find(l->actors, s->to);
    if (a)
        return a->flags & RP__A_MOVING && rp__move_hold(l, a, s);
    if (rp__route_of(l, s->to) == l->index)
        return false;
    rp__post_sure(l, s);
    return true;
}

static void on_monitor(struct rp_loop *l, struct rp__slot *s)
{
    (s->body[2] ? rp__watch_undo : rp__watch_add)(l, s->to, s->from, s->body[0], s->body[1]);
}

static void stop(struct rp_loop *l, struct rp__actor *a, const struct rp__slot *s)
{
    const char *why = rp__why_read(s->body + 1, RP__WHY_WORDS);
    uint32_t life = (uint32_t)(s->body[0] >> 32);
    int err = (int32_t)(uint32_t)s->body[0];
    if (life == RP__FOR_GOOD) {
        rp__actor_release(l, a, s->from, why);
        return;
    }
    if (life && (!(a->flags & RP__A_KEPT) || a->flags & RP__A_ENDING || a->extra->kept->restarts + 1 != life))
        return; /* it was on its way when that one fell by itself */
    if (err)
        rp__actor_fail(l, a, err, why);
    else
        rp__actor_stop(l, a, s->from, -ECANCELED, why);
}

void rp__on_signal(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__actor *a;
    if (__builtin_expect(l->actors->nmoving || l->slow & RP__SLOW_MOVED, 0) && elsewhere(l, s))
        return;
    switch (rp__op_of(s->type)) {
    case RP__OP_STOP:
        if ((a = rp__actor_find(l->actors, s->to)))
            stop(l, a, s);
        return;
    case RP__OP_MONITOR:
        on_monitor(l, s);
        return;
    case RP__OP_FULL:
        if (rp__loop_of(s->from) == rp__route_of(l, s->body[0])) /* else it is another loop's say by now */
            rp__on_full(l, s->body[0], (rp_overflow)s->body[1]);
        return;
    case RP__OP_ROOM:
        if (rp__loop_of(s->from) == rp__route_of(l, s->body[0]))
            rp__on_room(l, s->body[0], s->body[1]);
        return;
    case RP__OP_MORE:
        rp__on_more(l, s->to, rp__loop_of(s->from));
        return;
    case RP__OP_SPAWN:
        rp__on_spawn(l, (struct rp__birth *)(uintptr_t)s->body[0]);
        return;
    case RP__OP_BORN:
        rp__on_born(l, (struct rp__birth *)(uintptr_t)s->body[0]);
        return;
    case RP__OP_CHILD_ENDED:
        rp__on_child_ended(l, (struct rp__kid *)(uintptr_t)s->body[0]);
        return;
    case RP__OP_NO_REPLY:
        rp__on_no_reply(l, s->body[0], (int)(int64_t)s->body[1], (const char *)&s->body[2], (void *)(uintptr_t)s->from);
        return;
    case RP__OP_LATE:
        if (rp__traces(l, RP__T_DEAD) && (a = rp__actor_find(l->actors, s->to)))
            rp__trace_late(l, s->from, a);
        return;
    case RP__OP_HAS:
        rp__on_has(l, s->body[0], s->from);
        return;
    case RP__OP_DRAIN: /* dispatch.c: it runs a handler */
        return;
    case RP__OP_LINK:
        rp__on_link(l, s);
        return;
    case RP__OP_UNLINK:
        rp__on_unlink(l, s);
        return;
    case RP__OP_EXIT:
        rp__on_exit(l, s);
        return;
    case RP__OP_MOVE:
        rp__on_move(l, s);
        return;
    case RP__OP_STAY:
        rp__on_stay(l, s);
        return;
    case RP__OP_FORGET:
        rp__on_forget(l, s->body[0]);
        return;
    case RP__OP_RUN: {
        struct rp__errand *e = (struct rp__errand *)(uintptr_t)s->body[0];
        e->fn(e, l);
        return;
    }
    }
}

static void undone(struct rp_loop *l, struct rp__slot *s)
{
    if (rp__op_of(s->type) == RP__OP_LINK) {
        rp__link_undone(l, s);
    } else if (rp__op_of(s->type) == RP__OP_MOVE) {
        rp__move_undone(l, s);
    } else if (rp__op_of(s->type) == RP__OP_RUN) {
        struct rp__errand *e = (struct rp__errand *)(uintptr_t)s->body[0];
        if (e->undone)
            e->undone(e, l);
    }
}

void rp__discard(struct rp_loop *l, struct rp__slot *s)
{
    if (s->type & RP__FLAG(RP__F_SYSTEM)) {
        undone(l, s);
        return;
    }
    s->type |= s->type & RP__FLAG(RP__F_CALL) ? RP__FLAG(RP__F_SPENT) : 0; /* nobody waits any more */
    rp__msg_end(l, s, RP__DEAD);
}
