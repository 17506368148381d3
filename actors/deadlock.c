/* SPDX-License-Identifier: MIT
 *
 * deadlock.c - actors that wait for each other in a ring.
 *
 * A wait for a reply, or for room in a mailbox, that has lasted a while sends a probe along the edge it
 * waits on. The probe goes on from each actor that waits itself, and where it comes back to the wait it
 * set out from, that wait ends with -EDEADLK and the names along the way (Chandy, Misra and Haas, 1983).
 * The wait that closes a ring sets out last and finds it whole; nothing is sent for waits that are short.
 *
 * An edge counts only while the actor at its end holds the call, or is full: a call that was passed on
 * does not wait for who passed it on. Edges into other processes, and those of tasks, are not followed.
 */
#include "actors/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 32 };

struct probe {
    struct rp__errand errand;
    uint64_t first; /* who sent it, */
    uint32_t wait;  /* in which wait */
    uint64_t at;    /* the actor it goes to, */
    uint64_t asker; /* who waits on that one, */
    uint64_t call;  /* for this call: a number of its loop; 0: for room */
    unsigned steps;
    size_t n;       /* of text */
    char text[sizeof((rp_self *)0)->blame];
};

static void note(struct probe *p, const struct rp__actor *a, const char *before)
{
    const char *name = a->extra && a->extra->name ? a->extra->name : a->kind->name ? a->kind->name : "?";
    int n = snprintf(p->text + p->n, sizeof p->text - p->n, "%s%s", before, name);
    p->n = n < 0 || p->n + (size_t)n >= sizeof p->text ? sizeof p->text - 1 : p->n + (size_t)n;
}

/* Along the edge that `a`'s coroutine waits on. */
static void go_on(struct rp_loop *l, struct probe *p, const struct rp__actor *a)
{
    p->asker = a->addr;
    p->at = (uint64_t)(uintptr_t)a->co->waits_on;
    p->call = a->co->edge == RP__EDGE_CALL ? (uint64_t)(uintptr_t)a->co->got : 0;
    rp__signal(l, rp__loop_addr(rp__route_of(l, p->at)), 0, RP__OP_RUN, (uintptr_t)&p->errand, 0);
}

static bool is_call(struct rp__slot *s, const void *arg)
{
    const struct probe *p = arg;
    unsigned f = rp__flags(s->type);
    return (f & (RP__F_CALL | RP__F_SPENT | RP__F_TAKEN | RP__F_NODE)) == RP__F_CALL && s->from == p->asker &&
           *rp__call_of(s) == p->call;
}

/* Does what came before really wait for a? */
static bool holds(const struct rp__actor *a, const struct probe *p)
{
    if (p->call == 0)
        return a->box && a->box->told > 0;
    bool at_it = a->flags & RP__A_COROUTINE ? a->co->serving == p->call && a->co->asker == p->asker
                                            : a->co->msg && is_call(a->co->msg, p);
    if (at_it)
        return true;
    return a->box && rp__mailbox_find(a->box, is_call, p);
}

bool rp__holds(const struct rp__actor *a, uint64_t asker, uint64_t call)
{
    struct probe p = {.asker = asker, .call = call};
    return a->co && holds(a, &p);
}

static void visit(struct rp__errand *e, struct rp_loop *l)
{
    struct probe *p = RP__OF(struct probe, errand, e);
    struct rp__actor *a = rp__actor_find(l->actors, p->at);
    rp_self *co = a ? a->co : 0;
    if (co && co->state == RP__PARKED && co->edge != RP__EDGE_NONE && holds(a, p) && p->steps++ < LONGEST) {
        note(p, a, " > ");
        if (a->addr != p->first) {
            go_on(l, p, a);
            return;
        }
        if (co->wait == p->wait) {
            memcpy(co->blame, p->text, sizeof co->blame);
            rp__interrupt(co, -EDEADLK);
        }
    }
    rp__pool_free(&l->pool, p, sizeof *p);
}

static void give_up(struct rp__errand *e, struct rp_loop *l)
{
    rp__pool_free(&l->pool, RP__OF(struct probe, errand, e), sizeof(struct probe));
}

static void set_out(rp_self *me)
{
    struct rp_loop *l = me->loop;
    struct rp__actor *a = me->actor;
    struct probe *p = rp__pool_get(&l->pool, sizeof *p);
    if (!p)
        return; /* it waits on, as it would without */
    *p = (struct probe){.errand = {visit, give_up}, .first = a->addr, .wait = me->wait};
    note(p, a, "");
    go_on(l, p, a);
}

int rp__park_on(rp_self *me, enum rp__edge edge, const char *what, rp_ref on, bool (*cancel)(rp_self *), rp_time deadline)
{
    int rc = rp__keep_stack(me); /* first: from here on a handler has a stack to be found by */
    if (rc != 0) {
        cancel(me);
        return rc;
    }
    bool followed = me->actor && me == me->actor->co && on.node == me->loop->node;
    me->blame[0] = 0;
    me->edge = (uint8_t)(followed ? edge : RP__EDGE_NONE);
    me->overdue = followed ? set_out : 0;
    me->waits_node = on.node;
    rc = rp__park(me, what, (void *)(uintptr_t)on.local, cancel, deadline);
    me->waits_node = 0;
    me->edge = RP__EDGE_NONE;
    return rc;
}

const char *rp_blame(const rp_self *me)
{
    return me->blame;
}
