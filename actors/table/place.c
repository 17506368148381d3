/* SPDX-License-Identifier: MIT
 *
 * place.c - where an actor is to live.
 *
 * The least loaded of all would be the choice of everybody at the same moment; of two that are drawn, the
 * less loaded one is nearly as good and does not herd (Mitzenmacher 1996: the power of two choices). What one
 * has just sent somewhere does not show in that loop's load yet, so it is remembered for a while and added.
 */
#include "actors/table/actor.h"
#include "loop/system.h"

#include <errno.h>
#include <string.h>

enum { SHARE = RP__LOAD_FULL / 64 }; /* of a loop: what an actor is taken to need, before it shows */

static struct rp__load *lent_to(struct rp_loop *l, unsigned loop)
{
    struct rp__actors *t = l->actors;
    size_t size = l->sys->nloops * sizeof *t->lent;
    if (!t->lent && (t->lent = rp__alloc(l->sys, size)))
        memset(t->lent, 0, size);
    return t->lent ? &t->lent[loop] : 0; /* NULL: without memory for it the load alone decides */
}

static uint64_t burden(struct rp_loop *l, unsigned loop, rp_time now)
{
    const struct rp__load *lent = lent_to(l, loop);
    return rp__load_at(&l->sys->loops[loop]->load, now) + (lent ? rp__load_at(lent, now) : 0u);
}

static unsigned least_of_two(struct rp_loop *l)
{
    unsigned n = l->sys->nloops;
    if (n == 1)
        return 0;
    rp_time now = l->world->now(l);
    unsigned a = (unsigned)(rp__random_of(l) % n), b = (unsigned)(rp__random_of(l) % (n - 1));
    b += b >= a;
    unsigned chosen = burden(l, b, now) < burden(l, a, now) ? b : a;
    struct rp__load *lent = lent_to(l, chosen);
    if (lent)
        rp__load_add(lent, now, SHARE);
    return chosen;
}

int rp__place(struct rp_loop *l, unsigned on, unsigned *ret)
{
    unsigned n = l->sys->nloops;
    if (on == RP_SAME)
        *ret = l->index;
    else if (on == RP_SPREAD)
        *ret = l->actors->spread++ % n;
    else if (on == RP_LEAST)
        *ret = least_of_two(l);
    else if (on >= RP_LOOP(0) && on - RP_LOOP(0) < n)
        *ret = on - RP_LOOP(0);
    else if (on >= RP_KEY(0))
        *ret = (unsigned)((uint64_t)(on & 0x7fffffff) * n >> 31); /* the hash's upper bits: all loops alike */
    else
        return -EINVAL;
    return 0;
}

rp_placed rp__placed_by(unsigned on)
{
    if (on >= RP_KEY(0))
        return RP_PLACED_KEY;
    return on == RP_SPREAD ? RP_PLACED_SPREAD : on == RP_LEAST ? RP_PLACED_LEAST : RP_PLACED_LOOP;
}

unsigned rp_place_of(const rp_self *me, rp_ref who)
{
    const struct rp_loop *l = me->loop;
    bool ours = who.node == l->node && who.local && rp__loop_of(who.local) < l->sys->nloops;
    return ours ? RP_LOOP(rp__route_of(l, who.local)) : RP_NOWHERE;
}

int rp_loop_load(const rp_self *me, unsigned loop)
{
    const struct rp_loop *l = me->loop;
    if (loop >= l->sys->nloops)
        return -EINVAL;
    uint32_t load = rp__load_at(&l->sys->loops[loop]->load, l->world->now(l));
    return (int)((uint64_t)load * 1000 / RP__LOAD_FULL);
}
