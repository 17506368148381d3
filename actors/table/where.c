/* SPDX-License-Identifier: MIT */
#include "actors/table/where.h"

#include "actors/table/post.h"
#include "loop/system.h"

#include <string.h>

static struct rp__where **bucket(const struct rp__actors *t, uint64_t addr)
{
    return &t->where.at[(uint32_t)(addr * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->where.size - 1)];
}

struct rp__where *rp__where_find(const struct rp__actors *t, uint64_t addr)
{
    struct rp__where *w = *bucket(t, addr);
    while (w && w->addr != addr)
        w = w->next;
    return w;
}

struct rp__actor *rp__guest_find(const struct rp__actors *t, uint64_t addr)
{
    struct rp__where *w = rp__where_find(t, addr);
    return w ? w->here : 0;
}

unsigned rp__where_of(const struct rp_loop *l, uint64_t addr)
{
    struct rp__where *w = rp__where_find(l->actors, addr);
    return w ? w->loop : rp__loop_of(addr);
}

static void free_buckets(struct rp_loop *l, struct rp__where **at, uint32_t size)
{
    if (at != l->actors->where.few)
        rp__free_mem(l->sys, at, size * sizeof *at);
}

static void grow(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    uint32_t was = t->where.size;
    struct rp__where **old = t->where.at, **at = rp__alloc(l->sys, 4 * was * sizeof *at);
    if (!at)
        return;
    memset(at, 0, 4 * was * sizeof *at);
    t->where.at = at;
    t->where.size = 4 * was;
    for (uint32_t i = 0; i < was; i++)
        for (struct rp__where *w = old[i], *next; w; w = next) {
            next = w->next;
            w->next = *bucket(t, w->addr);
            *bucket(t, w->addr) = w;
        }
    free_buckets(l, old, was);
}

void rp__where_add(struct rp_loop *l, struct rp__where *w)
{
    struct rp__actors *t = l->actors;
    if (t->where.used++ == t->where.size)
        grow(l);
    w->next = *bucket(t, w->addr);
    *bucket(t, w->addr) = w;
    l->slow |= RP__SLOW_MOVED;
}

void rp__where_remove(struct rp_loop *l, struct rp__where *w)
{
    struct rp__actors *t = l->actors;
    struct rp__where **at = bucket(t, w->addr);
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    rp__pool_free(&l->pool, w, sizeof *w);
    if (--t->where.used == 0)
        l->slow &= ~(uint32_t)RP__SLOW_MOVED;
}

void rp__where_fini(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    for (uint32_t i = 0; i < t->where.size; i++)
        while (t->where.at[i])
            rp__where_remove(l, t->where.at[i]);
    free_buckets(l, t->where.at, t->where.size);
}

/* ---- its end ------------------------------------------------------------------------------------- */

/* A guest has ended. Nobody waits for all to know: whoever still sends here finds nobody, whoever sends to the
 * birthplace finds a slot with a later generation, or none. */
void rp__guest_gone(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__where *w = rp__where_find(l->actors, a->addr);
    uint64_t addr = a->addr;
    w->here = 0;
    a->addr = w->own;
    for (unsigned i = 0; i < l->sys->nloops; i++)
        rp__signal(l, rp__loop_addr(i), 0, RP__OP_FORGET, addr, 0);
}

void rp__on_forget(struct rp_loop *l, uint64_t addr)
{
    struct rp__actors *t = l->actors;
    struct rp__where *w = rp__where_find(t, addr);
    if (w)
        rp__where_remove(l, w);
    if (rp__loop_of(addr) != l->index)
        return;
    struct rp__actor *stub = rp__actor_at(t, rp__slot_of(addr));
    stub->addr = addr;
    rp__actor_free(l, stub);
}
