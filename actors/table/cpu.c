/* SPDX-License-Identifier: MIT
 *
 * cpu.c - the CPU time of each actor, of which loop/profile.h says when some has passed.
 */
#include "actors/table/actor.h"

/* ---- keeping it: in a signal handler, which may have come in the middle of anything ---------------- */

const struct rp__actor *rp__at_work(const rp_self *me)
{
    const struct rp__actors *t = me->loop->actors;
    return t->hook ? t->hooked : me->actor;
}

/* Its slot is looked up and not believed: it may be about to end, or to move. */
bool rp__ran(const rp_self *me, rp_time ns)
{
    struct rp__actors *t = me->loop->actors;
    const struct rp__actor *a = rp__at_work(me);
    uint64_t addr = a ? a->addr : 0;
    uint32_t slot = a ? rp__slot_here(a) : 0;
    if (!addr || slot >= t->count || rp__actor_at(t, slot) != a)
        return false;
    struct rp__cpu *c = rp__cpu_at(t, slot);
    if (atomic_load_explicit(&c->who, memory_order_relaxed) != addr) {
        atomic_store_explicit(&c->ns, 0, memory_order_relaxed);
        atomic_store_explicit(&c->who, addr, memory_order_relaxed);
    }
    rp__cpu_add(&c->ns, ns);
    return true;
}

/* ---- by its loop ----------------------------------------------------------------------------------- */

rp_time rp__cpu_of(const struct rp_loop *l, const struct rp__actor *a)
{
    const struct rp__cpu *c = rp__cpu_at(l->actors, rp__slot_here(a));
    return atomic_load_explicit(&c->who, memory_order_relaxed) == a->addr ? atomic_load_explicit(&c->ns, memory_order_relaxed) : 0;
}

void rp__cpu_brought(struct rp_loop *l, const struct rp__actor *a, rp_time ns)
{
    struct rp__cpu *c = rp__cpu_at(l->actors, rp__slot_here(a));
    if (ns == 0)
        return; /* nobody has asked, so the page stays untouched */
    atomic_store_explicit(&c->ns, ns, memory_order_relaxed);
    atomic_store_explicit(&c->who, a->addr, memory_order_relaxed);
}
