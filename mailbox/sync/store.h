/* SPDX-License-Identifier: MIT
 *
 * store.h - the room in a queue: cells for items, in the queue's order. No locking of its own.
 *
 * Each item has a rank, and the least goes first. First in first out: (0, number); last in first out:
 * (-number, number); by priority: (its priority, number), so equals go by age. The rank is what puts an
 * item that was leased and came back where it would stand had it never been away. Beneath, a ring, a stack
 * and a binary heap do what the ranks say without comparing more than they must.
 *
 *   cell   +----------+--------------+ ...  capacity of them
 *          | rank     | item's bytes |
 *          +----------+--------------+
 */
#ifndef RP__STORE_H
#define RP__STORE_H

#include "reparto/queue.h"

#include <string.h>

struct rp__rank {
    int64_t key;
    uint64_t number; /* of its put */
};

struct rp__cell {
    struct rp__rank rank;
    _Alignas(16) char item[];
};

struct rp__store {
    char *cells;
    uint32_t *heap;  /* RP_PRIORITY: cells by rank; behind `count` of them the free ones */
    size_t stride;   /* of a cell */
    uint32_t capacity, count;
    uint32_t head;   /* RP_FIFO */
    rp_order order;
};

static inline void rp__item_copy(void *to, const void *from, size_t size)
{
    if (size == 8) /* a number, a pointer: worth no call */
        memcpy(to, from, 8);
    else
        memcpy(to, from, size);
}

int  rp__store_init(struct rp__store *s, const rp_alloc *mem, rp_order order, size_t item, uint32_t capacity);
void rp__store_fini(struct rp__store *s, const rp_alloc *mem); /* all zero: nothing */

/* FIFO, and there is room. */
static inline void rp__store_append(struct rp__store *s, uint64_t number, const void *item, size_t size)
{
    uint64_t at = (uint64_t)s->head + s->count++;
    struct rp__cell *c = (struct rp__cell *)(void *)(s->cells + (at < s->capacity ? at : at - s->capacity) * s->stride);
    c->rank = (struct rp__rank){0, number};
    rp__item_copy(c->item, item, size);
}

/* FIFO, and not empty. */
static inline void rp__store_shift(struct rp__store *s, void *item, size_t size)
{
    rp__item_copy(item, ((struct rp__cell *)(void *)(s->cells + s->head * s->stride))->item, size);
    s->head = s->head + 1 < s->capacity ? s->head + 1 : 0;
    s->count--;
}

/* There is room. */
void rp__store_push(struct rp__store *s, struct rp__rank rank, const void *item, size_t size);
struct rp__cell *rp__store_first(struct rp__store *s); /* NULL: empty */
/* Not empty. What rp__store_first returned stays as it is until a push. */
void rp__store_pop(struct rp__store *s);

static inline bool rp__before(struct rp__rank a, struct rp__rank b)
{
    return a.key != b.key ? a.key < b.key : a.number < b.number;
}

#endif
