/* SPDX-License-Identifier: MIT */
#include "observe/census.h"

#include "actors/life/move.h"
#include "actors/table/look.h"
#include "loop/system.h"
#include "observe/inspect.h"

#include <errno.h>
#include <string.h>

enum { STEPS = 4096, PATIENCE_MS = 2000, POINTERS = 128 };

/* ---- kinds ---------------------------------------------------------------------------------------- */

struct counting { /* of one loop; comes home after each portion and goes there again */
    struct rp__look look;
    uint32_t slot;
    bool last;
    struct rp__kinds kinds;
    const rp_actor *known[POINTERS]; /* kinds seen; several may have one name */
    uint8_t place[POINTERS];
    unsigned nknown;
};

_Static_assert(RP__KINDS < UINT8_MAX, "a place is a byte");

static struct rp__kind *kind_named(struct rp__kinds *k, const char *name)
{
    for (unsigned i = 0; i < k->n; i++)
        if (strcmp(k->of[i].name, name) == 0)
            return &k->of[i];
    if (k->n == RP__KINDS)
        return &k->of[RP__KINDS];
    memcpy(k->of[k->n].name, name, strnlen(name, sizeof k->of->name - 1));
    return &k->of[k->n++];
}

static struct rp__kind *kind_of(struct counting *c, const rp_actor *kind)
{
    char name[sizeof c->kinds.of->name] = "?";
    for (unsigned i = c->nknown; i-- > 0;)
        if (c->known[i] == kind)
            return &c->kinds.of[c->place[i]];
    if (c->nknown == POINTERS)
        return &c->kinds.of[RP__KINDS]; /* a program that makes kinds as it goes */
    if (kind->name) {
        memset(name, 0, sizeof name);
        memcpy(name, kind->name, strnlen(kind->name, sizeof name - 1));
    }
    struct rp__kind *k = kind_named(&c->kinds, name);
    c->known[c->nknown] = kind;
    c->place[c->nknown++] = (uint8_t)(k - c->kinds.of);
    return k;
}

static void count_one(struct counting *c, const struct rp_loop *l, const struct rp__actor *a)
{
    struct rp__kind *k = kind_of(c, a->kind);
    const struct rp__mailbox *b = a->box;
    k->actors++;
    if (rp__profiled(l)) /* else it lies in pages that nobody has touched */
        k->cpu += rp__cpu_of(l, a);
    if (!b || b->count == 0)
        return;
    rp_time age = rp__mailbox_age(b, l->now);
    k->messages += b->count;
    k->bytes += b->bytes;
    k->most = b->count > k->most ? b->count : k->most;
    k->oldest = age > k->oldest ? age : k->oldest;
}

static void count_some(struct rp__look *look, struct rp_loop *l)
{
    struct counting *c = (struct counting *)look;
    struct rp__actors *t = l->actors;
    for (int steps = STEPS; steps > 0 && c->slot < t->count; steps--) {
        const struct rp__actor *a = rp__actor_at(t, c->slot++);
        bool shell = a->flags & RP__A_MOVING && a->move->to == l->index;
        if (a->addr != 0 && a->kind && !shell)
            count_one(c, l, a);
    }
    c->last = c->slot >= t->count;
}

static void add(struct rp__kind *to, const struct rp__kind *from)
{
    to->actors += from->actors;
    to->messages += from->messages;
    to->bytes += from->bytes;
    to->cpu += from->cpu;
    to->most = from->most > to->most ? from->most : to->most;
    to->oldest = from->oldest > to->oldest ? from->oldest : to->oldest;
}

static int count_loop(rp_self *me, unsigned loop, struct rp__kinds *all)
{
    struct counting *c = rp__look_new(me, sizeof *c, count_some);
    if (!c)
        return -ENOMEM;
    struct rp__look *k = &c->look;
    int rc = 0;
    while (rc == 0 && !c->last) /* bounded by the loop's slots */
        rc = rp__look(me, &k, loop, rp__look_until(me, loop, PATIENCE_MS));
    for (unsigned i = 0; rc == 0 && i < c->kinds.n; i++)
        add(kind_named(all, c->kinds.of[i].name), &c->kinds.of[i]);
    if (rc == 0)
        add(&all->of[RP__KINDS], &c->kinds.of[RP__KINDS]);
    rp__look_free(me, k);
    return rc;
}

int rp__census_kinds(rp_self *me, struct rp__kinds **ret)
{
    rp_system *sys = me->loop->sys;
    struct rp__kinds *all = rp__alloc(sys, sizeof *all);
    int rc = all ? 0 : -ENOMEM;
    if (rc != 0)
        return rc;
    memset(all, 0, sizeof *all);
    for (unsigned i = 0; i < sys->nloops && rc == 0; i++) {
        rc = count_loop(me, i, all);
        all->held += rc == -ETIMEDOUT;
        rc = rc == -ETIMEDOUT ? 0 : rc;
    }
    if (rc == 0)
        *ret = all;
    else
        rp__free_mem(sys, all, sizeof *all);
    return rc;
}

/* ---- links ---------------------------------------------------------------------------------------- */

struct linking {
    struct rp__look look;
    struct rp__links links;
};

static void see_links(struct rp__look *look, struct rp_loop *l)
{
    struct rp__links *k = &((struct linking *)look)->links;
    k->n = rp__runtime(l)->route->figures(l, k->of, RP__LINKS_SHOWN);
}

int rp__census_links(rp_self *me, struct rp__links **ret)
{
    *ret = 0;
    if (!rp__runtime(me->loop)->route)
        return 0;
    struct linking *q = rp__look_new(me, sizeof *q, see_links);
    struct rp__links *copy = rp__alloc(me->loop->sys, sizeof *copy);
    struct rp__look *k = q ? &q->look : 0;
    int rc = q && copy ? rp__look(me, &k, 0, rp__look_until(me, 0, PATIENCE_MS)) : -ENOMEM;
    if (rc == 0)
        *copy = q->links;
    if (k)
        rp__look_free(me, k);
    if (rc == 0)
        *ret = copy;
    else
        rp__free_mem(me->loop->sys, copy, sizeof *copy);
    return rc == -ETIMEDOUT ? 0 : rc;
}
