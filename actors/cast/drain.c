/* SPDX-License-Identifier: MIT
 *
 * drain.c - waits until nothing is left to be done.
 *
 * Each pass looks at every loop in turn (look.h), so it is no picture of one instant: a message may go from a loop
 * that is still to be looked at to one that has been. Two passes that find nothing, with no message
 * sent and none ended from before the first to after the second, are one. For suppose a message was on its way all that time: when the
 * second pass begins, every loop has been looked at since it was sent. So it stands in a ring or a queue, where
 * its sender's or its receiver's loop shows it, or in a mailbox, or is worked on: the second pass finds it.
 */
#include "reparto/drain.h"

#include "actors/life/move.h"
#include "actors/mail/hands.h"
#include "actors/table/edge.h"
#include "actors/table/look.h"
#include "actors/table/runtime.h"
#include "loop/scope.h"
#include "mailbox/sync/park.h"

#include <errno.h>
#include <stdio.h>

enum {
    ROOM = 32,             /* records that one look brings, */
    STEPS = 4096,          /* and actors it looks at */
    PAUSE_MOST_MS = 10,    /* between two passes */
    PATIENCE_MS = 100      /* with a loop, beyond the deadline */
};

struct seen { /* of one loop, from `slot` on */
    struct rp__look look;
    uint64_t self;  /* who drains: does not count */
    uint32_t slot;
    bool last;
    bool moves;     /* something is on its way */
    unsigned n;
    uint64_t asker, call; /* of one who waits for `self`; 0: nobody. call 0: for room */
    rp_undone left[ROOM];
};

/* ---- who has something to do ------------------------------------------------------------------------- */

/* In rp_drain itself, and nobody waits for its answer: several may drain at once, and none of them is work for the others.
 * What it does between two of its looks is not seen from outside. */
static bool drains(const rp_self *co)
{
    return co->drains && !rp__at_call(co) && !(co->msg && rp_wants_reply((const rp_msg *)co->msg));
}

/* Waits for nothing that is in progress. */
static bool rests(const rp_self *co)
{
    if (drains(co))
        return true;
    static const char *const peaceful[] = {rp__for_message, rp__for_message_of, rp__for_sleep, rp__for_scope, rp__for_task, rp__for_name};
    if (co->state != RP__PARKED || rp__at_call(co) || co->waits_node || !co->waits)
        return false;
    bool rest = co->cancel == rp__leave_line;
    for (unsigned i = 0; i < sizeof peaceful / sizeof *peaceful && !rest; i++)
        rest = co->waits == peaceful[i];
    return rest;
}

static bool tasks_rest(const rp_self *co)
{
    for (rp_self *t = rp__task_first(co); t; t = rp__task_next(co, t)) /* bounded by its tasks */
        if (!rests(t))
            return false;
    return true;
}

static bool has_work(const struct rp__actor *a)
{
    if (a->flags & (RP__A_DRAINS | RP__A_DUE | RP__A_MOVING) || (a->box && a->box->count > 0))
        return true;
    if (!a->co || a->flags & RP__A_ENDING)
        return false; /* an idle handler; or its children will tell */
    bool rest = a->flags & RP__A_COROUTINE ? rests(a->co) : drains(a->co);
    return !rest || !tasks_rest(a->co);
}

static void copy_name(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%.*s", (int)size - 1, from ? from : "");
}

static void note(struct rp_loop *l, struct seen *k, const struct rp__actor *a)
{
    rp_undone *u = &k->left[k->n++];
    const rp_self *co = a->co;
    bool at_one = co && (a->flags & RP__A_COROUTINE ? rp__at_call(co) : true);
    *u = (rp_undone){.who = rp__ref(l, a->addr), .messages = (a->box ? a->box->count : 0) + at_one, .waits = ""};
    copy_name(u->kind, sizeof u->kind, a->kind->name);
    copy_name(u->name, sizeof u->name, a->extra ? a->extra->name : 0);
    if (!co || co->state != RP__PARKED)
        return;
    u->waits = co->waits ? co->waits : "";
    if (co->edge != RP__EDGE_NONE && (uint64_t)(uintptr_t)co->waits_on == k->self) {
        k->asker = a->addr;
        k->call = co->edge == RP__EDGE_CALL ? (uint64_t)(uintptr_t)co->got : 0;
    }
}

/* Between loops or to this one itself. Who has read is looked at with acquire, so that what it did with the message
 * before is seen in the next pass at the latest. */
static bool on_its_way(struct rp_loop *l)
{
    bool some = l->events.count > 0 || l->actors->nheld > 0 || !rp__list_empty(&l->due) || !rp__list_empty(&l->spills);
    for (unsigned i = 0; i < l->sys->nloops && !some; i++) {
        struct rp__ring *in = atomic_load_explicit(&l->in[i], memory_order_acquire), *out = l->out[i];
        some = (in && rp__ring_ready(in) > 0) ||
               (out && (!rp__list_empty(&out->spills) ||
                        atomic_load_explicit(&out->head, memory_order_acquire) != out->ptail));
    }
    return some;
}

static void see(struct rp__look *look, struct rp_loop *l)
{
    struct seen *k = (struct seen *)look;
    struct rp__actors *t = l->actors;
    k->moves = on_its_way(l);
    for (int steps = STEPS; steps > 0 && k->n < ROOM && k->slot < t->count; steps--) {
        const struct rp__actor *a = rp__actor_at(t, k->slot++);
        if (a->addr != 0 && a->kind && a->addr != k->self && has_work(a))
            note(l, k, a);
    }
    k->last = k->slot >= t->count;
}

/* ---- a pass -------------------------------------------------------------------------------------------- */

struct drain {
    rp_self *me;
    uint64_t self;
    rp_time deadline;
    rp_undone *left;
    unsigned room, n; /* of the last whole pass */
    bool moves;
};

static void keep(struct drain *d, const rp_undone *u)
{
    if (d->n < d->room)
        d->left[d->n] = *u;
    d->n++;
}

static void keep_loop(struct drain *d, unsigned loop)
{
    rp_undone u = {.waits = "it does not answer"};
    snprintf(u.kind, sizeof u.kind, "loop %u", loop);
    keep(d, &u);
}

/* Its question is held by the caller, who cannot answer before it has ended its wait for that one. */
static bool in_a_ring(struct drain *d, const struct seen *k)
{
    struct rp__actor *self = d->me->actor;
    if (!k->asker || !rp__holds(self, k->asker, k->call))
        return false;
    const char *name = self->kind->name ? self->kind->name : "?";
    const char *other = "?";
    for (unsigned i = 0; i < k->n; i++)
        if (k->left[i].who.local == k->asker)
            other = k->left[i].name[0] ? k->left[i].name : k->left[i].kind;
    snprintf(d->me->blame, sizeof d->me->blame, "%s > %s > %s", name, other, name);
    return true;
}

static int pass_loop(struct drain *d, unsigned loop)
{
    rp_self *me = d->me;
    rp_time until = rp_in_ms(me, PATIENCE_MS);
    until = d->deadline > until ? d->deadline : until;
    uint32_t slot = 0;
    for (bool last = false; !last;) {
        struct seen *k = rp__look_new(me, sizeof *k, see);
        struct rp__look *out = k ? &k->look : 0;
        if (!k)
            return -ENOMEM;
        k->self = d->self;
        k->slot = slot;
        int rc = rp__look(me, &out, loop, until);
        if (rc != 0)
            return rc;
        for (unsigned i = 0; i < k->n; i++)
            keep(d, &k->left[i]);
        d->moves |= k->moves;
        last = k->last;
        slot = k->slot;
        rc = in_a_ring(d, k) ? -EDEADLK : 0;
        rp__look_free(me, &k->look);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int pass(struct drain *d)
{
    d->n = 0;
    d->moves = false;
    for (unsigned i = 0; i < d->me->loop->sys->nloops; i++) {
        int rc = pass_loop(d, i);
        if (rc == -ETIMEDOUT)
            keep_loop(d, i);
        else if (rc != 0)
            return rc;
    }
    return 0;
}

/* Nothing sent, nothing ended in between. */
static bool nothing_since(rp_system *sys, rp_ledger *last)
{
    rp_ledger now;
    rp__ledger_sum(sys, &now);
    bool same = now.sent == last->sent && now.arrived == last->arrived && now.handled == last->handled &&
                now.left == last->left && now.dead == last->dead && now.dropped == last->dropped &&
                now.late == last->late && now.expired == last->expired;
    *last = now;
    return same;
}

static int drain(struct drain *d)
{
    rp_ledger last;
    rp__ledger_sum(d->me->loop->sys, &last);
    int64_t pause = 1;
    for (unsigned clean = 0;;) { /* bounded by the deadline */
        int rc = pass(d);
        if (rc != 0)
            return rc;
        clean = nothing_since(d->me->loop->sys, &last) && d->n == 0 && !d->moves ? clean + 1 : 0;
        if (clean == 2)
            return 0;
        if (clean == 0 && rp_now(d->me) >= d->deadline)
            return -ETIMEDOUT;
        rp_time next = rp_in_ms(d->me, pause);
        if (clean == 0 && (rc = rp_sleep(d->me, next < d->deadline ? next : d->deadline)) != 0)
            return rc;
        pause = pause < PAUSE_MOST_MS ? pause + 1 : pause;
    }
}

int rp_drain(rp_self *me, rp_time deadline, rp_undone *left, unsigned *n)
{
    if (left && !n)
        return -EINVAL;
    int rc = me->actor ? rp__may_wait(me) : -EINVAL;
    if (rc != 0)
        return rp__rested(me, rc);
    /* relaxed: it orders nothing, and who reads it a moment late takes in what came a moment earlier */
    atomic_store_explicit(&rp__runtime(me->loop)->draining, true, memory_order_relaxed);
    struct drain d = {.me = me, .self = me->actor->addr, .deadline = deadline, .left = left, .room = left ? *n : 0};
    me->blame[0] = 0;
    me->drains = true;
    rc = drain(&d);
    me->drains = false;
    if (n)
        *n = d.n;
    return rc;
}

bool rp_draining(const rp_self *me)
{
    return rp__draining(rp__runtime(me->loop));
}
