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
        RP__UNPOISON(c, sizeof *c); /* what was handled there: rp__events_done */
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
}

static struct rp__slot *chunk_end(const struct rp__events *e)
{
    return e->last->slot + RP__CHUNK_SLOTS;
}

void rp__events_sample_after(struct rp__events *e, uint32_t gap)
{
    uint32_t room = (uint32_t)(chunk_end(e) - e->tail), here = gap < room ? gap : room;
    e->tail_end = e->tail + here;
    e->beyond = gap - here;
}

int rp__events_init(struct rp__events *e, struct rp__pool *pool, struct rp__sampler *sampler)
{
    memset(e, 0, sizeof *e);
    e->pool = pool;
    e->sampler = sampler;
    e->first = e->last = chunk_get(e);
    if (!e->first)
        return -ENOMEM;
    enter_first(e);
    enter_last(e);
    rp__events_sample_after(e, rp__draw(sampler, &e->stream));
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

/* The tail's chunk is closed where it stands, and a new one begun. */
static bool next_last(struct rp__events *e)
{
    struct rp__chunk *c = chunk_get(e);
    if (!c)
        return false;
    if (e->first == e->last)
        e->head_end = e->tail;
    e->last->pad[0] = (uint64_t)(e->tail - e->last->slot);
    e->last->next = c;
    e->last = c;
    enter_last(e);
    return true;
}

/* A message of n slots does not fit before tail_end: the chunk ends there, or a slot to be measured stands
 * in its way. A message that comes the long way is not measured for that; but where one was chosen, this is it. */
struct rp__slot *rp__events_grow(struct rp__events *e, unsigned n)
{
    uint32_t gap = (uint32_t)(e->tail_end - e->tail) + e->beyond;
    if ((size_t)(chunk_end(e) - e->tail) < n && !next_last(e))
        return 0;
    struct rp__slot *s = e->tail;
    e->tail += n;
    e->count++;
    unsigned left = e->chosen ? 0 : n;
    while (gap < left) { /* bounded by n */
        left -= gap + 1;
        gap = rp__draw(e->sampler, &e->stream);
    }
    rp__events_sample_after(e, e->chosen ? rp__draw(e->sampler, &e->stream) : gap - left);
    e->chosen = false;
    return s;
}

/* A short send has come to tail_end. */
struct rp__slot *rp__events_edge(struct rp__events *e)
{
    if (e->beyond > 0)
        return rp__events_grow(e, 1);
    e->chosen = true;
    rp__chosen(e->sampler, &e->stream);
    return 0;
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

uint32_t rp__ring_begin;

struct rp__ring *rp__ring_new(const rp_alloc *mem, struct rp_loop *src, struct rp_loop *dst, struct rp__sampler *sampler)
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
    r->sampler = sampler;
    r->ptail = r->released = r->head_seen = r->chead = r->cpublished = r->csettled = rp__ring_begin;
    atomic_init(&r->tail, rp__ring_begin);
    atomic_init(&r->head, rp__ring_begin);
    rp__ring_sample_after(r, rp__draw(sampler, &r->stream));
    rp__list_init(&r->spills);
    rp__waitlist_init(&r->waiters);
    rp__waitlist_init(&r->window.waiters);
    return r;
}

void rp__ring_free(const rp_alloc *mem, struct rp__ring *r)
{
    enum { SIZE = sizeof(struct rp__ring) + RP__RING_SLOTS * RP__SLOT + 256 };
    mem->free(mem->ud, ((char **)r)[-1], SIZE);
}

/* Looks at the true head; pads to the end of the ring when the message would not fit before it.
 *
 * Who fills the ring comes here, so at least once in two rounds of it. Short sends may have long stayed away, and behind
 * by 2^31 slots `limit` would be before the tail again. */
struct rp__slot *rp__ring_push_slow(struct rp__ring *r, unsigned n, unsigned reserve)
{
    if ((int32_t)(r->limit - r->ptail) < 0)
        r->limit = r->ptail;
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

void rp__ring_sample_after(struct rp__ring *r, uint32_t gap)
{
    r->sample_at = r->ptail + gap;
    r->limit = r->ptail;
}

/* What came the long way has been written. If a message was chosen, this is it. */
void rp__ring_sampled(struct rp__ring *r)
{
    if (!r->chosen)
        return;
    r->chosen = false;
    rp__ring_sample_after(r, rp__draw(r->sampler, &r->stream));
}

/* A short send has come to `limit`. */
struct rp__slot *rp__ring_edge(struct rp__ring *r)
{
    while (!r->chosen && (int32_t)(r->sample_at - r->ptail) < 0) /* what came the long way stands there */
        r->sample_at += 1 + rp__draw(r->sampler, &r->stream);
    if (r->chosen || r->sample_at == r->ptail) {
        r->chosen = true;
        rp__chosen(r->sampler, &r->stream);
        return 0;
    }
    struct rp__slot *s = rp__ring_push_slow(r, 1, RP__RING_RESERVE);
    uint32_t room = RP__RING_SLOTS - RP__RING_RESERVE - (r->ptail - r->head_seen), ahead = r->sample_at - r->ptail;
    if (s)
        r->limit = r->ptail + (room < ahead ? room : ahead);
    return s;
}
