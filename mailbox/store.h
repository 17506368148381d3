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

int  rp__store_init(struct rp__store *s, const rp_alloc *mem, rp_order order, size_t item, uint32_t capacity);
void rp__store_fini(struct rp__store *s, const rp_alloc *mem); /* all zero: nothing */

void rp__store_push(struct rp__store *s, struct rp__rank rank, const void *item, size_t size); /* there is room */
struct rp__cell *rp__store_first(struct rp__store *s); /* NULL: empty */
void rp__store_pop(struct rp__store *s);               /* not empty; what first returned stays as it is until a push */

static inline bool rp__before(struct rp__rank a, struct rp__rank b)
{
    return a.key != b.key ? a.key < b.key : a.number < b.number;
}

#endif
