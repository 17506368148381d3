/* SPDX-License-Identifier: MIT */
#include "mailbox/mailbox.h"

#include "loop/system.h"

#include <string.h>

static size_t size_of(struct rp_loop *l)
{
    return sizeof(struct rp__mailbox) + (l->sys->nloops + 63) / 64 * sizeof(uint64_t);
}

struct rp__mailbox *rp__mailbox_new(struct rp_loop *l, uint64_t owner)
{
    struct rp__mailbox *b = rp__pool_get(&l->pool, size_of(l));
    if (!b)
        return 0;
    memset(b, 0, size_of(l));
    b->owner = owner;
    return b;
}

void rp__mailbox_free(struct rp_loop *l, struct rp__mailbox *b)
{
    if (b)
        rp__pool_free(&l->pool, b, size_of(l));
}

void rp__mailbox_put(struct rp_loop *l, struct rp__mailbox *b, rp_msg *m)
{
    struct rp__slot *s = &m->slot;
    s->to = 0;
    if (b->first)
        b->last->to = (uintptr_t)s;
    else
        b->first = s;
    b->last = s;
    b->bytes += rp__weight(s);
    b->count++;
    if (b->count > atomic_load_explicit(&l->tally[RP__HIGH_WATER], memory_order_relaxed))
        atomic_store_explicit(&l->tally[RP__HIGH_WATER], b->count, memory_order_relaxed);
}
