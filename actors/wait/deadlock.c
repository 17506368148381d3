/* SPDX-License-Identifier: MIT
 *
 * deadlock.c - actors that wait for each other in a ring.
 *
 * A wait for a reply, for room in a mailbox, or for what others hold, that has lasted a while sends a probe along
 * the edge it waits on; the probe goes on from each actor that waits itself (Chandy, Misra and Haas, 1983). The wait
 * that closes a ring sets out last and finds it whole; nothing is sent for waits that are short.
 *
 *   looking   from actor to actor, to where it set out from. The way is noted, edges are believed: what has been seen
 *             on one loop may have ended when the probe is on the next
 *   proving   twice more around, and the edges are looked into. If each is still in the wait it was in, all of them
 *             stood still between those two rounds; an edge that is found in both was there between them, though a
 *             call may have been passed on to who waits a moment before: so all were there at once, and it is a ring
 *
 * Of a ring that is proved the wait that began last ends with -EDEADLK and the names along the way; whichever of its
 * members have looked come upon the same one, so it is one that is told.
 *
 * An edge counts only while the actor at its end has the call to answer (rights.c), holds the lock, or is full: a call
 * that was passed on waits for who has it now, once that one has said so. One that waits for several (a writer for all
 * readers, rp_call_many for all that can not be spared) has an edge to each, and the probe becomes as many. Edges into other processes are
 * not followed. Of an actor that waits for its only task it is that one that waits (strand.c).
 */
#include "actors/mail/ask.h"
#include "actors/table/edge.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "actors/wait/rights.h"
#include "mailbox/sync/holder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    LONGEST = 32,  /* actors in a ring, */
    BRANCHES = 16, /* of those who hold one lock, or are asked in one wait, */
    FUEL = 256     /* and of all that one probe, with those it becomes, may look at in its first round */
};

struct claim { /* by what one waits for another */
    enum { NONE, ROOM, REPLY, HELD } for_what;
    unsigned loop;    /* of who waits for room */
    uint64_t asker;   /* of the call, */
    uint64_t call;    /* a number of its loop */
    const void *held;
};

struct step { /* an actor, in a wait: while these are the same, it has not run */
    uint64_t at;
    const rp_self *co;
    uint32_t wait;
    uint64_t call; /* for whose answer; 0: it waits for something else */
};

struct probe {
    struct rp__errand errand;
    uint64_t at;        /* the actor it goes to, */
    struct claim claim; /* for which the one before waits by this */
    bool proves;
    bool back;          /* it is at the one before, which waits for room, once more */
    unsigned fuel;
    unsigned n;         /* steps of the way; when it proves, */
    unsigned gone;      /* how many of them it has done, twice over */
    unsigned last;      /* of those who can be told, who began to wait last: a step; LONGEST: nobody */
    rp_time since;
    size_t len;         /* of text */
    char text[sizeof((rp_self *)0)->blame];
    struct step way[LONGEST];
};

/* ---- what is seen of one actor -------------------------------------------------------------------- */

bool rp__holds(const struct rp__actor *a, uint64_t asker, uint64_t call)
{
    return a->co && (call ? rp__has_right(a, asker, call) : a->box && a->box->told > 0);
}

/* Does what came before really wait for a? */
static bool holds(const struct rp__actor *a, const struct claim *c)
{
    switch (c->for_what) {
    case NONE:
        return true;
    case ROOM: /* that loop has been told that it is full, and not yet that there is room */
        return a->box && rp__box_told(a->box, c->loop);
    case REPLY:
        return rp__has_right(a, c->asker, c->call);
    case HELD:
        return rp__strand_holds(a, c->held);
    }
    return false;
}

static bool same(const struct step *s, const struct rp__actor *a)
{
    const rp_self *co = rp__strand(a);
    return s->at == a->addr && s->co == co && s->wait == co->wait;
}

static bool been_at(const struct probe *p, uint64_t addr)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->way[i].at == addr)
            return true;
    return false;
}

static void note(struct probe *p, const struct rp__actor *a, const char *before)
{
    const char *name = a->extra && a->extra->name ? a->extra->name : a->kind->name ? a->kind->name : "?";
    int n = snprintf(p->text + p->len, sizeof p->text - p->len, "%s%s", before, name);
    p->len = n < 0 || p->len + (size_t)n >= sizeof p->text ? sizeof p->text - 1 : p->len + (size_t)n;
}

/* ---- on its way ----------------------------------------------------------------------------------- */

static void drop(struct rp_loop *l, struct probe *p)
{
    rp__pool_free(&l->pool, p, sizeof *p);
}

static void send(struct rp_loop *l, struct probe *p, uint64_t to)
{
    p->at = to;
    rp__signal(l, rp__loop_addr(rp__route_of(l, to)), 0, RP__OP_RUN, (uintptr_t)&p->errand, 0);
}

struct ends { /* of the edges from one actor */
    const rp_system *sys;
    unsigned n;
    struct rp__missing to[BRANCHES];
};

static bool see_holder(const rp_self *holder, void *arg)
{
    struct ends *h = arg;
    /* acquire: pairs with the release in hooks.c; all else about the actor came with the latch */
    const struct rp__actor *a = __atomic_load_n(&holder->actor, __ATOMIC_ACQUIRE);
    if (a && holder->loop->sys == h->sys)
        h->to[h->n++] = (struct rp__missing){a->addr, 0};
    return h->n < BRANCHES;
}

static void find_ends(const rp_self *co, const struct claim *c, struct ends *h)
{
    if (c->for_what == HELD)
        (void)rp__holders(co, see_holder, h);
    else if (!(h->n = rp__asks_missing(co, h->to, BRANCHES)))
        h->to[h->n++] = (struct rp__missing){(uint64_t)(uintptr_t)co->waits_on, c->call};
}

static void follow(struct rp_loop *l, struct probe *p, const struct rp__missing *to)
{
    p->claim.call = p->way[p->n - 1].call = to->call;
    send(l, p, to->at);
}

/* One probe for each that `co` waits for. */
static void branch(struct rp_loop *l, struct probe *p, const rp_self *co)
{
    struct ends h = {.sys = l->sys};
    find_ends(co, &p->claim, &h);
    unsigned fuel = h.n ? p->fuel / h.n : 0;
    for (unsigned i = 1; i < h.n && fuel; i++) {
        struct probe *other = rp__pool_get(&l->pool, sizeof *other);
        if (!other)
            break; /* that edge is not followed this time */
        *other = *p;
        other->fuel = fuel;
        follow(l, other, &h.to[i]);
    }
    p->fuel = fuel;
    if (fuel == 0)
        drop(l, p);
    else
        follow(l, p, &h.to[0]);
}

/* What `a` waits on. false: on nothing that is followed. */
static bool claim_of(const struct rp_loop *l, const struct rp__actor *a, struct claim *c)
{
    const rp_self *co = rp__strand(a);
    if (!co || co->state != RP__PARKED)
        return false;
    *c = (struct claim){.for_what = co->edge == RP__EDGE_CALL ? REPLY : ROOM, .loop = l->index, .asker = a->addr};
    if (co->edge == RP__EDGE_CALL)
        c->call = (uint64_t)(uintptr_t)co->got;
    if (co->edge != RP__EDGE_NONE)
        return true;
    c->for_what = HELD;
    c->held = rp__waits_for_held(co);
    return c->held != 0;
}

/* ---- looking -------------------------------------------------------------------------------------- */

static void take_step(struct rp_loop *l, struct probe *p, const struct rp__actor *a)
{
    const rp_self *co = rp__strand(a);
    bool can_be_told = co->cancel && co->waits != rp__for_signal; /* whoever waits to own a lock again cannot */
    bool later = p->last == LONGEST || co->since > p->since || (co->since == p->since && a->addr > p->way[p->last].at);
    if (can_be_told && later) {
        p->last = p->n;
        p->since = co->since;
    }
    p->way[p->n++] = (struct step){a->addr, co, co->wait, 0};
    p->fuel--;
    branch(l, p, co);
}

/* Around twice more, from who will be told. */
static void prove(struct rp_loop *l, struct probe *p)
{
    struct step way[LONGEST];
    memcpy(way, p->way, p->n * sizeof *way);
    for (unsigned i = 0; i < p->n; i++)
        p->way[i] = way[(i + p->last) % p->n];
    p->proves = true;
    p->claim.for_what = NONE;
    send(l, p, p->way[0].at);
}

static void look(struct rp_loop *l, struct probe *p, const struct rp__actor *a)
{
    struct claim c;
    if (a && claim_of(l, a, &c) && same(&p->way[0], a) && p->last < LONGEST)
        prove(l, p);
    else if (!a || !claim_of(l, a, &c) || been_at(p, a->addr) || p->n == LONGEST || p->fuel == 0)
        drop(l, p); /* no ring; or one that it does not stand in, whose members will see to it */
    else {
        p->claim = c;
        take_step(l, p, a);
    }
}

/* ---- proving -------------------------------------------------------------------------------------- */

/* True: it has been all around, twice. */
static bool tell(struct probe *p, rp_self *co)
{
    if (p->gone < 2 * p->n)
        return false;
    memcpy(co->blame, p->text, sizeof co->blame);
    rp__interrupt(co, -EDEADLK);
    return true;
}

/* Who waits for room may have been told of it just before that was taken again: then the word is on its way, and
 * there before the probe, when that goes the same way back. */
static void ask_back(struct rp_loop *l, struct probe *p)
{
    p->claim.for_what = NONE;
    p->back = !p->back;
    send(l, p, p->way[(p->gone - p->back) % p->n].at);
}

/* It waits for that one's answer still, of those it waits for. */
static bool asks_still(const struct rp_loop *l, const struct step *s)
{
    return s->call == 0 || rp__id_find(&l->actors->calls, s->call);
}

static void try(struct rp_loop *l, struct probe *p, const struct rp__actor *a)
{
    struct claim c;
    const struct step *at = &p->way[(p->gone - p->back) % p->n];
    if (!a || !claim_of(l, a, &c) || !same(at, a) || !asks_still(l, at) || !holds(a, &p->claim)) {
        drop(l, p);
        return;
    }
    if (p->claim.for_what == ROOM || p->back) {
        ask_back(l, p);
        return;
    }
    if (p->gone <= p->n)
        note(p, a, p->gone ? " > " : "");
    if (tell(p, rp__strand(a))) {
        drop(l, p);
        return;
    }
    c.call = at->call;
    p->claim = c;
    send(l, p, p->way[++p->gone % p->n].at);
}

static void visit(struct rp__errand *e, struct rp_loop *l)
{
    struct probe *p = RP__OF(struct probe, errand, e);
    const struct rp__actor *a = rp__actor_find(l->actors, p->at);
    if (p->proves)
        try(l, p, a);
    else
        look(l, p, a);
}

/* ---- waiting -------------------------------------------------------------------------------------- */

static void give_up(struct rp__errand *e, struct rp_loop *l)
{
    drop(l, RP__OF(struct probe, errand, e));
}

void rp__overdue(rp_self *me)
{
    struct rp_loop *l = me->loop;
    const struct rp__actor *a = me->actor;
    struct claim c;
    if (!a || !claim_of(l, a, &c))
        return;
    rp__tell_askers(l, a);
    struct probe *p = rp__pool_get(&l->pool, sizeof *p);
    if (!p)
        return; /* it waits on, as it would without */
    *p = (struct probe){.errand = {visit, give_up}, .claim = c, .fuel = FUEL, .last = LONGEST};
    take_step(l, p, a);
}
