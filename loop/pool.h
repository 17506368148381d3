/* SPDX-License-Identifier: MIT
 *
 * pool.h - a loop's memory: blocks of 64 bytes to 8 KiB, no lock, no atomics on the way in or out.
 *
 *   region 1 MiB (from the user's allocator)
 *   +--------------+--------------+--
 *   | slab 64 KiB  | slab 64 KiB  | ...     aligned to 64 KiB, so a block finds its slab by masking
 *   +--------------+--------------+--
 *   | owner, class | block | block | ...
 *
 * A block may be freed on any loop. A foreign one is put on a chain, and rp__pool_flush gives each
 * chain back with one compare-and-swap per owner and round; the owner takes all that came back when
 * it next runs dry. (Returning blocks one at a time is what costs other runtimes 25 to 225 ns each.)
 * Larger blocks go straight to the user's allocator.
 */
#ifndef RP__POOL_H
#define RP__POOL_H

#include "reparto/loop.h"

#include <stdatomic.h>

#if defined(RP_PLAIN_POOL)
#define RP__POOL_LIMIT 0 /* every block straight from the allocator: tests fail each, and see each that leaks */
#else
#define RP__POOL_LIMIT RP__POOL_MAX
#endif

enum {
    RP__POOL_MIN = 64,
    RP__POOL_MAX = 8192,
    RP__POOL_CLASSES = 8, /* 64 << class */
    RP__SLAB = 65536,
    RP__REGION = 1 << 20
};

struct rp__free {
    struct rp__free *next;
};

struct rp__chain {
    struct rp__free *first, *last;
};

struct rp__pool {
    struct rp__free *free[RP__POOL_CLASSES];
    struct rp__chain *out; /* foreign blocks on their way home, by owner's index */
    const rp_alloc *mem;
    unsigned index, npools;
    char *cut, *cut_end;      /* the region that slabs are cut from */
    struct rp__region *regions;
    int64_t live;             /* blocks out, of ours; foreign frees are counted on return */
    size_t bytes;             /* taken from the allocator, large blocks with them; right over all pools together */
    struct rp__pool *const *peers;
    /* Blocks of ours that others freed, a Treiber stack. Pushed with release by rp__pool_flush, taken
     * with acquire by the owner: that pair carries the freeing loop's last accesses to the block over
     * to its next user. Nothing sleeps on it, so no stronger order is needed. */
    _Alignas(128) _Atomic(struct rp__free *) returned;
};

/* `peers`: the pools of the system's n loops, by index; may be filled in later. 0 or -ENOMEM. */
int  rp__pool_init(struct rp__pool *p, const rp_alloc *mem, unsigned index, unsigned n,
                   struct rp__pool *const *peers);
void rp__pool_fini(struct rp__pool *p); /* every loop has stopped; frees the regions, blocks and all */

void *rp__pool_slow(struct rp__pool *p, size_t size);
void  rp__pool_free_slow(struct rp__pool *p, void *block, size_t size);
void  rp__pool_flush(struct rp__pool *p);
void  rp__pool_sweep(struct rp__pool *p); /* takes back what the others returned */

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define RP__POISON(p, n) __asan_poison_memory_region(p, n)
#define RP__UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#define RP__MOVES_COPY 1 /* what moves gets another block, so that a pointer into the old one is found out at once */
#else
#define RP__MOVES_COPY 0
#define RP__POISON(p, n) ((void)(p), (void)(n))
#define RP__UNPOISON(p, n) ((void)(p), (void)(n))
#endif

static inline unsigned rp__pool_class(size_t size)
{
    return size <= RP__POOL_MIN ? 0 : 58u - (unsigned)__builtin_clzl(size - 1);
}

/* Not zeroed. NULL: out of memory. */
static inline void *rp__pool_get(struct rp__pool *p, size_t size)
{
    unsigned c = rp__pool_class(size);
    struct rp__free *f;
    if (__builtin_expect(size > RP__POOL_LIMIT || !(f = p->free[c]), 0))
        return rp__pool_slow(p, size);
    RP__UNPOISON(f, (size_t)RP__POOL_MIN << c);
    p->free[c] = f->next;
    __builtin_prefetch(f->next, 1); /* blocks lie in the order of their freeing, which is any */
    p->live++;
    return f;
}

/* What stands at the start of each RP__SLAB bytes that blocks are cut from. */
struct rp__slab {
    struct rp__pool *owner;
    unsigned class;
};

static inline struct rp__slab *rp__slab_of(void *block)
{
    return (struct rp__slab *)((uintptr_t)block & ~(uintptr_t)(RP__SLAB - 1));
}

/* With the size it was asked with. Any loop may free; a foreign block goes home in a batch. */
static inline void rp__pool_free(struct rp__pool *p, void *block, size_t size)
{
    struct rp__slab *s = rp__slab_of(block);
    if (__builtin_expect(size > RP__POOL_LIMIT || s->owner != p, 0)) {
        rp__pool_free_slow(p, block, size);
        return;
    }
    struct rp__free *f = (struct rp__free *)block;
    RP__POISON((char *)block + sizeof *f, ((size_t)RP__POOL_MIN << s->class) - sizeof *f);
    f->next = p->free[s->class];
    p->free[s->class] = f;
    p->live--;
}

#endif
