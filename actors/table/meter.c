/* SPDX-License-Identifier: MIT */
#include "actors/table/meter.h"

#include "loop/system.h"

#include <string.h>

static struct rp__meter *meter_of(struct rp_loop *l)
{
    struct rp__meter *m = atomic_load_explicit(&l->actors->meter, memory_order_relaxed); /* our own store */
    if (m)
        return m;
    m = rp__alloc(l->sys, sizeof *m);
    if (!m)
        return 0;
    memset(m, 0, sizeof *m);
    atomic_store_explicit(&l->actors->meter, m, memory_order_release); /* readers see it zeroed */
    return m;
}

void rp__meter_free(struct rp_loop *l)
{
    struct rp__meter *m = atomic_load_explicit(&l->actors->meter, memory_order_relaxed); /* all loops have stopped */
    for (unsigned i = 0; m && i < RP__METER_SLOTS; i++)
        rp__free_mem(l->sys, atomic_load_explicit(&m->at[i], memory_order_relaxed), sizeof(struct rp__timing));
    rp__free_mem(l->sys, m, sizeof *m);
}

static struct rp__timing *timing_new(struct rp_loop *l, struct rp__meter *m, const rp_type *t)
{
    struct rp__timing *g = m->count < RP__METER_TYPES ? rp__alloc(l->sys, sizeof *g) : 0;
    if (!g)
        return &m->others;
    memset(g, 0, sizeof *g);
    g->type = t;
    m->count++;
    return g;
}

static struct rp__timing *timing_of(struct rp_loop *l, struct rp__meter *m, const rp_type *t)
{
    unsigned i = (unsigned)(((uintptr_t)t >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 57);
    for (;; i++) { /* bounded: half of the slots stay empty */
        _Atomic(struct rp__timing *) *at = &m->at[i % RP__METER_SLOTS];
        struct rp__timing *g = atomic_load_explicit(at, memory_order_relaxed); /* our own stores */
        if (g && g->type == t)
            return g;
        if (g)
            continue;
        g = timing_new(l, m, t);
        if (g != &m->others)
            atomic_store_explicit(at, g, memory_order_release);
        return g;
    }
}

_Static_assert(RP__METER_SLOTS == 1 << 7, "the hash has seven bits");

static void record(struct rp_loop *l, struct rp__slot *s, rp_time now, bool service)
{
    struct rp__meter *m = meter_of(l);
    if (!m)
        return;
    struct rp__timing *g = timing_of(l, m, rp__type(s->type));
    uint64_t stamp = *rp__stamp_of(s);
    rp__histogram_add(service ? &g->service : &g->wait, rp__stamp_age(stamp, now), UINT64_C(1) << rp__stamp_log(stamp));
}

void rp__meter_begun(struct rp_loop *l, struct rp__slot *s)
{
    uint64_t *stamp = rp__stamp_of(s);
    if (rp__stamp_state(*stamp) != RP__WAITS)
        return;
    rp_time now = l->world->now(l);
    record(l, s, now, false);
    *stamp = rp__stamp(now, RP__BEGUN, rp__stamp_log(*stamp));
}

void rp__meter_done(struct rp_loop *l, struct rp__slot *s)
{
    if (rp__stamp_state(*rp__stamp_of(s)) != RP__BEGUN)
        return;
    record(l, s, l->world->now(l), true);
    rp__unmeasure(s);
}

uint64_t rp__age_of(struct rp_loop *l, struct rp__slot *s)
{
    if (!(s->type & RP__STAMP) || rp__stamp_state(*rp__stamp_of(s)) != RP__WAITS)
        return UINT64_MAX;
    return rp__stamp_age(*rp__stamp_of(s), l->world->now(l));
}
