/* SPDX-License-Identifier: MIT */
#include "loop/pool.h"

#include "loop/base/os.h"

#include <errno.h>
#include <string.h>

struct rp__region {
    struct rp__region *next;
};

_Static_assert(RP__POOL_MIN << (RP__POOL_CLASSES - 1) == RP__POOL_MAX, "classes reach the maximum");

int rp__pool_init(struct rp__pool *p, const rp_alloc *mem, unsigned index, unsigned n,
                  struct rp__pool *const *peers)
{
    memset(p, 0, sizeof *p);
    p->mem = mem;
    p->index = index;
    p->npools = n;
    p->peers = peers;
    p->out = mem->alloc(mem->ud, n * sizeof *p->out);
    if (!p->out)
        return -ENOMEM;
    memset(p->out, 0, n * sizeof *p->out);
    return 0;
}

void rp__pool_fini(struct rp__pool *p)
{
    if (!p->mem)
        return;
    for (struct rp__region *r = p->regions, *next; r; r = next) {
        next = r->next;
        RP__UNPOISON(r, RP__REGION);
        p->mem->free(p->mem->ud, r, RP__REGION);
    }
    if (p->out)
        p->mem->free(p->mem->ud, p->out, p->npools * sizeof *p->out);
    p->regions = 0;
    p->out = 0;
}

/* Cuts one more slab of class c into free blocks. */
static bool grow(struct rp__pool *p, unsigned c)
{
    if (p->cut == p->cut_end) {
        struct rp__region *r = p->mem->alloc(p->mem->ud, RP__REGION);
        if (!r)
            return false;
        p->bytes += RP__REGION;
        r->next = p->regions;
        p->regions = r;
        p->cut = (char *)(((uintptr_t)(r + 1) + RP__SLAB - 1) & ~(uintptr_t)(RP__SLAB - 1));
        size_t used = (size_t)(p->cut - (char *)r);
        p->cut_end = p->cut + ((RP__REGION - used) & ~(size_t)(RP__SLAB - 1));
    }
    struct rp__slab *s = (struct rp__slab *)(void *)p->cut;
    p->cut += RP__SLAB;
    rp__os_populate_within(s, RP__SLAB); /* a free list through all of it is about to be written */
    s->owner = p;
    s->class = c;
    size_t size = (size_t)RP__POOL_MIN << c;
    char *end = (char *)s + RP__SLAB - size;
    struct rp__free *first = 0;
    for (char *b = end; b >= (char *)s + RP__POOL_MIN; b -= size) {
        struct rp__free *f = (struct rp__free *)(void *)b;
        f->next = first;
        first = f;
        RP__POISON((char *)b + sizeof *f, size - sizeof *f);
    }
    p->free[c] = first;
    return true;
}

void rp__pool_sweep(struct rp__pool *p)
{
    struct rp__free *f = atomic_exchange_explicit(&p->returned, 0, memory_order_acquire);
    while (f) {
        struct rp__free *next = f->next;
        unsigned c = rp__slab_of(f)->class;
        f->next = p->free[c];
        p->free[c] = f;
        p->live--;
        f = next;
    }
}

void *rp__pool_slow(struct rp__pool *p, size_t size)
{
    if (size > RP__POOL_LIMIT) {
        void *large = p->mem->alloc(p->mem->ud, size);
        p->live += large != 0;
        p->bytes += large ? size : 0;
        return large;
    }
    unsigned c = rp__pool_class(size);
    rp__pool_sweep(p);
    if (!p->free[c] && !grow(p, c))
        return 0;
    return rp__pool_get(p, size);
}

void rp__pool_free_slow(struct rp__pool *p, void *block, size_t size)
{
    if (size > RP__POOL_LIMIT) {
        p->bytes -= size;
        p->live--; /* a large block has no home: the count is right over all pools together */
        p->mem->free(p->mem->ud, block, size);
        return;
    }
    struct rp__slab *s = rp__slab_of(block);
    struct rp__free *f = block;
    RP__POISON((char *)block + sizeof *f, ((size_t)RP__POOL_MIN << s->class) - sizeof *f);
    struct rp__chain *out = &p->out[s->owner->index];
    f->next = out->first;
    if (!out->first)
        out->last = f;
    out->first = f;
}

void rp__pool_flush(struct rp__pool *p)
{
    for (unsigned i = 0; i < p->npools; i++) {
        struct rp__chain *out = &p->out[i];
        if (!out->first)
            continue;
        struct rp__pool *owner = p->peers[i];
        struct rp__free *old = atomic_load_explicit(&owner->returned, memory_order_relaxed);
        do /* relaxed above: only a guess that the exchange checks */
            out->last->next = old;
        while (!atomic_compare_exchange_weak_explicit(&owner->returned, &old, out->first,
                                                      memory_order_release, memory_order_relaxed));
        out->first = 0;
    }
}
