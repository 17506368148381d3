/* SPDX-License-Identifier: MIT
 *
 * kind.h - how the actors of a loop behave: the descriptions that they were spawned with.
 *
 * A constant description (loop/constant.h) is used where it lies. Of any other, a stack's say, the loop keeps one copy
 * for all actors that are described alike, with the name by its text. A copy lives as long as an actor of it; those that
 * no actor needs any more are freed when there are twice as many copies as were in use the last time. So a program that
 * makes up a new name for each actor takes memory for those that live.
 */
#ifndef RP__KIND_H
#define RP__KIND_H

#include "loop/base/map.h"
#include "loop/loop.h"
#include "reparto/actors.h"

enum { RP__KIND_CACHE = 64 };
#define RP__KIND_COPY (1u << 31) /* flag of an rp_actor: it is a struct rp__kind_copy */
#define RP__KIND_FLAGS ((unsigned)(RP_NOWAIT | RP_TRAP | RP_MOVABLE))

struct rp__kind_copy { /* a copy */
    rp_actor is;
    uint32_t live; /* actors of it; 0: it waits for the next, or is freed */
    uint64_t key;  /* it is found by; 0: another is */
    struct rp__hook all;
    size_t size;   /* of this block, its name behind it */
};

struct rp__kind_table {
    const rp_actor *constant[RP__KIND_CACHE]; /* those that have been looked at */
    struct rp__copied {
        const rp_actor *at; /* looked like `kind` when it was last here */
        struct rp__kind_copy *kind;
    } copied[RP__KIND_CACHE];
    struct rp__map found; /* by a hash of all of it */
    struct rp__hook all;
    uint32_t n, enough;   /* copies; when there are so many the unused ones go */
};

void rp__kinds_close(struct rp_loop *l);

static inline unsigned rp__kind_slot(const rp_actor *k)
{
    return (uintptr_t)k / sizeof *k % RP__KIND_CACHE;
}

/* The description that an actor like `k` keeps, counted as one of it until rp__kind_leave. NULL: no memory. Of a constant
 * one that has been seen `t` says so: a load and a comparison. */
const rp_actor *rp__kind_look_up(struct rp_loop *l, const rp_actor *k);

static inline const rp_actor *rp__kind_enter(struct rp_loop *l, const struct rp__kind_table *t, const rp_actor *k)
{
    return __builtin_expect(t->constant[rp__kind_slot(k)] == k, 1) ? k : rp__kind_look_up(l, k);
}

static inline void rp__kind_leave(const rp_actor *k) /* NULL too */
{
    if (k && __builtin_expect(k->flags & RP__KIND_COPY, 0))
        ((struct rp__kind_copy *)(uintptr_t)k)->live--;
}

#endif
