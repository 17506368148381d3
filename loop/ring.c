/* SPDX-License-Identifier: MIT */
#include "loop/ring.h"

#include <errno.h>
#include <string.h>

static struct rp__chunk *chunk_get(struct rp__events *e)
{
    struct rp__chunk *c = e->spare;
    if (c) {
        e->spare = c->next;
        e->spares--;
    } else if (!(c = rp__pool_get(e->pool, sizeof *c))) {
        return 0;
    }
    c->next = 0;
    c->pins = 0;
    c->left = false;
    return c;
}

static void chunk_put(struct rp__events *e, struct rp__chunk *c)
{
    if (e->spares == RP__CHUNK_SPARES) {
        rp__pool_free(e->pool, c, sizeof *c);
        return;
    }
    c->next = e->spare;
    e->spare = c;
    e->spares++;
}

static void enter_first(struct rp__events *e)
{
    e->head = e->first->slot;
    e->head_end = e->first->slot + RP__CHUNK_SLOTS;
}

static void enter_last(struct rp__events *e)
{
    e->tail = e->last->slot;
    e->tail_end = e->last->slot + RP__CHUNK_SLOTS;
}

int rp__events_init(struct rp__events *e, struct rp__pool *pool)
{
    memset(e, 0, sizeof *e);
    e->pool = pool;
    e->first = e->last = chunk_get(e);
    if (!e->first)
        return -ENOMEM;
    enter_first(e);
    enter_last(e);
    return 0;
}

void rp__events_fini(struct rp__events *e)
{
    if (e->last)
        e->last->next = e->spare;
    for (struct rp__chunk *c = e->first, *next; c; c = next) {
        next = c->next;
        rp__pool_free(e->pool, c, sizeof *c);
    }
    memset(e, 0, sizeof *e);
}

/* The tail's chunk has no room for n slots: it is closed where it stands and a new one begun. */
struct rp__slot *rp__events_grow(struct rp__events *e, unsigned n)
{
    struct rp__chunk *c = chunk_get(e);
    if (!c)
        return 0;
    if (e->first == e->last)
        e->head_end = e->tail;
    e->last->pad[0] = (uint64_t)(e->tail - e->last->slot);
    e->last->next = c;
    e->last = c;
    enter_last(e);
    return rp__events_push(e, n);
}

/* The head has read its chunk to where it was closed. */
void rp__events_next_chunk(struct rp__events *e)
{
    struct rp__chunk *c = e->first;
    e->first = c->next;
    enter_first(e);
    if (e->first != e->last)
        e->head_end = e->first->slot + e->first->pad[0];
    c->left = true;
    if (c->pins == 0)
        chunk_put(e, c);
}

void rp__chunk_unpin(struct rp__events *e, struct rp__chunk *c)
{
    if (--c->pins == 0 && c->left)
        chunk_put(e, c);
}

/* ---- between two loops --------------------------------------------------------------------------- */

struct rp__ring *rp__ring_new(const rp_alloc *mem, struct rp_loop *src, struct rp_loop *dst)
{
    /* the user's allocator aligns to 16: the block is made large enough to align by hand */
    enum { SIZE = sizeof(struct rp__ring) + RP__RING_SLOTS * RP__SLOT + 256 };
    char *raw = mem->alloc(mem->ud, SIZE);
    if (!raw)
        return 0;
    struct rp__ring *r = (struct rp__ring *)(((uintptr_t)raw + sizeof raw + 127) & ~(uintptr_t)127);
    ((char **)r)[-1] = raw;
    memset(r, 0, sizeof *r);
    r->slots = (struct rp__slot *)(r + 1);
    r->src = src;
    r->dst = dst;
    rp__list_init(&r->spills);
    rp__waitlist_init(&r->waiters);
    return r;
}

void rp__ring_free(const rp_alloc *mem, struct rp__ring *r)
{
    enum { SIZE = sizeof(struct rp__ring) + RP__RING_SLOTS * RP__SLOT + 256 };
    mem->free(mem->ud, ((char **)r)[-1], SIZE);
}

/* Looks at the true head; pads to the end of the ring when the message would not fit before it. */
struct rp__slot *rp__ring_push_slow(struct rp__ring *r, unsigned n, unsigned reserve)
{
    uint32_t at = r->ptail & (RP__RING_SLOTS - 1);
    uint32_t pad = at + n > RP__RING_SLOTS ? RP__RING_SLOTS - at : 0;
    r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
    uint32_t used = r->ptail - r->head_seen;
    if (used + pad + n + reserve > RP__RING_SLOTS)
        return 0;
    if (pad) {
        r->slots[at].type = RP__PAD;
        r->slots[at].to = pad;
        rp__ring_commit(r, pad);
        at = 0;
    }
    return r->slots + at;
}
