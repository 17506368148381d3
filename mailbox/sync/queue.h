/* SPDX-License-Identifier: MIT
 *
 * queue.h - the inside of an rp_queue: a store of items, and three lines of waiters.
 *
 * Under the latch, always:
 *   - somebody waits to get   =>  there is nothing to get, and nobody waits to put
 *   - somebody waits to put   =>  the store is full, or there is none (rendezvous)
 *   - somebody waits to join  =>  something is in the queue or leased
 *
 * Each operation restores these before it opens the latch: who puts hands the item to the first getter,
 * who gets lets the first putter's item in, who empties the queue takes all joiners (rp__queue_settle). So
 * there is never a wake-up without the thing itself, and no state in which one is owed.
 */
#ifndef RP__QUEUE_H
#define RP__QUEUE_H

#include "loop/held.h"
#include "mailbox/sync/holder.h"
#include "mailbox/sync/park.h"
#include "mailbox/sync/store.h"

struct rp__lease { /* the queue's; used again and again */
    struct rp__held held; /* its taker's */
    struct rp__lease *next; /* in `returned` or `spare` */
    rp_queue *queue;
    struct rp__rank rank;
    uint64_t id;          /* another for each taking: an old rp_lease does not fit */
    unsigned tries;
    _Alignas(16) char item[]; /* a copy, in case it comes back */
};

struct rp_queue {
    struct rp__latch latch; /* guards all that changes */
    bool plain;             /* first in first out, no end closed, no fd: the short way may do */
    bool put_closed, get_closed;
    bool raised;            /* fd is readable */
    struct rp__store store;
    uint64_t number;        /* puts accepted */
    size_t item;
    struct rp__line putters, getters, joiners;
    struct rp__lease *returned; /* by rank */
    struct rp__lease *spare;
    uint32_t leased, high_water;
    uint64_t leases;
    unsigned forks;         /* rp__forks, when it was made */
    int fd;                 /* -1: nobody has asked for it */
    int64_t (*priority)(const void *item);
    void (*drop)(void *item);
    char name[32];          /* "": none */
    rp_alloc mem;
};

struct rp__woken { /* taken out of line under the latch, to be woken when it is open again */
    struct rp__waiter *served;  /* by a hand-over: 0 */
    struct rp__waiter *joiners; /* 0 */
    struct rp__waiter *broken;  /* -EPIPE */
};

struct rp__putter {
    struct rp__waiter w;
    const void *item;
    int64_t key;
    struct rp__woken woken;
};

struct rp__getter {
    struct rp__waiter w;
    void *item;
    struct rp__lease *lease; /* NULL: it gets */
    struct rp__woken woken;
};

int  rp__queue_get(rp_self *me, rp_queue *q, struct rp__getter *g, rp_time deadline);

/* Under the latch: the getter has this item now. */
void rp__queue_hand(rp_queue *q, struct rp__getter *g, const void *item, struct rp__rank rank, unsigned tries);
void rp__queue_settle(rp_queue *q, struct rp__woken *w);

void rp__queue_wake(const struct rp__woken *w, struct rp_loop *here);
void rp__leases_fini(rp_queue *q);

#endif
