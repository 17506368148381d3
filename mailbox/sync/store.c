/* SPDX-License-Identifier: MIT */
#include "mailbox/sync/store.h"

#include <errno.h>

static struct rp__cell *cell(struct rp__store *s, uint32_t i)
{
    return (struct rp__cell *)(void *)(s->cells + i * s->stride);
}

int rp__store_init(struct rp__store *s, const rp_alloc *mem, rp_order order, size_t item, uint32_t capacity)
{
    memset(s, 0, sizeof *s);
    s->order = order;
    s->stride = (sizeof(struct rp__cell) + item + 15) & ~(size_t)15;
    s->capacity = capacity;
    if (capacity == 0)
        return 0;
    s->cells = mem->alloc(mem->ud, capacity * s->stride); /* 64-bit: below 2^43 */
    if (s->cells && order == RP_PRIORITY)
        s->heap = mem->alloc(mem->ud, capacity * sizeof *s->heap);
    if (!s->cells || (order == RP_PRIORITY && !s->heap)) {
        rp__store_fini(s, mem);
        return -ENOMEM;
    }
    for (uint32_t i = 0; s->heap && i < capacity; i++)
        s->heap[i] = i;
    return 0;
}

void rp__store_fini(struct rp__store *s, const rp_alloc *mem)
{
    if (s->cells)
        mem->free(mem->ud, s->cells, s->capacity * s->stride);
    if (s->heap)
        mem->free(mem->ud, s->heap, s->capacity * sizeof *s->heap);
    memset(s, 0, sizeof *s);
}

/* ---- the heap ------------------------------------------------------------------------------------ */

static struct rp__rank rank_at(struct rp__store *s, uint32_t i)
{
    return cell(s, s->heap[i])->rank;
}

static void exchange(struct rp__store *s, uint32_t a, uint32_t b)
{
    uint32_t t = s->heap[a];
    s->heap[a] = s->heap[b];
    s->heap[b] = t;
}

static void sift_up(struct rp__store *s, uint32_t i)
{
    for (; i > 0 && rp__before(rank_at(s, i), rank_at(s, (i - 1) / 2)); i = (i - 1) / 2)
        exchange(s, i, (i - 1) / 2);
}

static void sift_down(struct rp__store *s)
{
    for (uint32_t i = 0, least;; i = least) { /* bounded by the height */
        uint64_t child = 2 * (uint64_t)i + 1;
        least = i;
        for (uint64_t k = child; k < child + 2 && k < s->count; k++)
            if (rp__before(rank_at(s, (uint32_t)k), rank_at(s, least)))
                least = (uint32_t)k;
        if (least == i)
            return;
        exchange(s, i, least);
    }
}

/* ---- the store ----------------------------------------------------------------------------------- */

static uint32_t first_of(const struct rp__store *s)
{
    return s->order == RP_FIFO ? s->head : s->order == RP_LIFO ? s->count - 1 : s->heap[0];
}

static uint32_t free_cell(const struct rp__store *s)
{
    if (s->order == RP_PRIORITY)
        return s->heap[s->count];
    if (s->order == RP_LIFO)
        return s->count;
    uint64_t at = (uint64_t)s->head + s->count;
    return (uint32_t)(at < s->capacity ? at : at - s->capacity);
}

void rp__store_push(struct rp__store *s, struct rp__rank rank, const void *item, size_t size)
{
    struct rp__cell *c = cell(s, free_cell(s));
    c->rank = rank;
    rp__item_copy(c->item, item, size);
    s->count++;
    if (s->order == RP_PRIORITY)
        sift_up(s, s->count - 1);
}

struct rp__cell *rp__store_first(struct rp__store *s)
{
    return s->count > 0 ? cell(s, first_of(s)) : 0;
}

void rp__store_pop(struct rp__store *s)
{
    s->count--;
    if (s->order == RP_FIFO) {
        s->head = s->head + 1 < s->capacity ? s->head + 1 : 0;
    } else if (s->order == RP_PRIORITY) {
        exchange(s, 0, s->count);
        sift_down(s);
    }
}
