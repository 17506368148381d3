/* SPDX-License-Identifier: MIT
 *
 * queue.h - async queues: coroutines of any loop, and foreign threads, hand items to each other.
 *
 * An item is a value of fixed size, copied in and out: a struct, or a pointer to what is larger. Items are
 * not messages: a queue has no address, does not leave the process, and belongs to nobody; it must
 * outlive every call on it.
 *
 *   Order       Items: as the queue was made. Who waits: first come, first served, at both ends; the item,
 *               or the room for one, goes to the one who has waited longest, and nobody can come before.
 *   Cancelled   -ECANCELED and -ETIMEDOUT mean that it did not happen: the item is still the caller's, or
 *               still in the queue. A deadline that has passed (0) asks once: what need not wait succeeds.
 *   Ownership   What an item owns goes with it on success. What nobody has got at the end is dropped.
 *   Threads     rp_queue_try_put, rp_queue_try_get, the closing functions and rp_queue_read: from any thread.
 */
#ifndef REPARTO_QUEUE_H
#define REPARTO_QUEUE_H

#include "reparto/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rp_queue rp_queue;

typedef enum rp_order {
    RP_FIFO = 0,
    RP_LIFO,
    RP_PRIORITY /* the least priority first, equals by age */
} rp_order;

typedef struct rp_queue_opts { /* all zero: the defaults */
    rp_order order;
    int64_t (*priority)(const void *item); /* of RP_PRIORITY; asked once, by who puts */
    void (*drop)(void *item);  /* releases what an item owns; NULL: nothing. Must not use the queue */
    const char *name;          /* for who looks who waits for it (inspect.h), cut off at 31 bytes. NULL: none */
    const rp_alloc *mem;       /* NULL: malloc and free. Called from any thread that uses the queue */
} rp_queue_opts;

enum { RP_ITEM_MAX = 1024 };

/* Makes a queue of items of `item` bytes, with room for `capacity` of them; 0: whoever puts waits until
 * somebody gets (RP_FIFO only). All the room is allocated now. `o` may be NULL. Belongs to no system: may
 * be made before rp_run, and serve several. -ENOMEM; -EINVAL: item is 0 or more than RP_ITEM_MAX, ... */
RP_EXPORT RP_NODISCARD int rp_queue_new(size_t item, uint32_t capacity, const rp_queue_opts *o, rp_queue **ret);

/* Drops what is left. Nobody waits in it, and nobody holds a lease. NULL: nothing. */
RP_EXPORT void rp_queue_free(rp_queue *q);

/* Copies `item` in. Suspends while there is no room. -EPIPE: an end is closed. */
RP_EXPORT RP_NODISCARD int rp_queue_put(rp_self *me, rp_queue *q, const void *item, rp_time deadline);

/* Copies the next one to `item`, which is untouched on error. Suspends while there is none. -EPIPE: there
 * is none and will be none. */
RP_EXPORT RP_NODISCARD int rp_queue_get(rp_self *me, rp_queue *q, void *item, rp_time deadline);

/* The same from any thread, never waiting: -EAGAIN. -EPERM: q was made before this process was forked off one that had
 * a system. */
RP_EXPORT RP_NODISCARD int rp_queue_try_put(rp_queue *q, const void *item);
RP_EXPORT RP_NODISCARD int rp_queue_try_get(rp_queue *q, void *item);

/* ---- leases --------------------------------------------------------------------------------------
 * An item that is taken, not got, stays the queue's until its taker says that it is done. If the taker
 * ends before (fails, is cancelled, forgets) the item goes back to where it stood, for somebody else.
 *
 *     rp_lease lease = {0};
 *     while ((rc = rp_queue_take(me, q, &job, &lease, RP_FOREVER)) == 0)
 *         if ((rc = work(me, &job)) != 0)
 *             return rc;            // the job goes back
 *
 * The taker is a task, an actor's `run`, or one call of a handler. */
typedef struct rp_lease { /* all zero: none */
    void *in;
    uint64_t id;
} rp_lease;

/* As rp_queue_get, with a lease. Suspends. One that `lease` still holds is done by it, whatever this call returns: to
 * take the next is to have finished with the last. -EPIPE comes only when nothing is leased any more,
 * since it might come back; so a coroutine must not wait here while it holds another lease of q. -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_queue_take(rp_self *me, rp_queue *q, void *item, rp_lease *lease, rp_time deadline);

/* The item is finished, and what it owns is the taker's. -EPERM: it is no lease of the caller's. */
RP_EXPORT int rp_lease_done(rp_self *me, rp_lease *lease);

/* The item goes back to where it stood, also beyond the capacity. -EPERM. */
RP_EXPORT int rp_lease_return(rp_self *me, rp_lease *lease);

/* How often the item has been taken; 1: never before. Who finds it too often may well do something else. */
RP_EXPORT unsigned rp_lease_tries(const rp_lease *lease);

/* Suspends until everything that was put has been got, or taken and done. */
RP_EXPORT RP_NODISCARD int rp_queue_join(rp_self *me, rp_queue *q, rp_time deadline);

/* ---- closing, looking ----------------------------------------------------------------------------- */

/* Nothing more comes: puts, those that wait too, return -EPIPE; who gets takes what is left, then -EPIPE. */
RP_EXPORT void rp_queue_close_put(rp_queue *q);

/* Nobody gets any more: every put and get returns -EPIPE, and what is left is dropped. */
RP_EXPORT void rp_queue_close_get(rp_queue *q);

/* A descriptor for a foreign event loop, readable while there is something to get, or -EPIPE. It stays
 * readable until a call has found the queue empty: get until -EAGAIN; after rp_queue_close_get, for good. The queue's;
 * only to be polled.
 * -EMFILE: none to be had. */
RP_EXPORT RP_NODISCARD int rp_queue_fd(rp_queue *q);

typedef struct rp_queue_stats {
    uint32_t count;      /* items in it */
    uint32_t leased;     /* taken and not done */
    uint32_t putters, getters, joiners; /* coroutines that wait */
    uint32_t high_water; /* the most items there have been in it */
    uint64_t put, taken; /* items accepted, and leases, ever */
} rp_queue_stats;

RP_EXPORT void rp_queue_read(rp_queue *q, rp_queue_stats *ret); /* as of one instant */

#ifdef __cplusplus
}
#endif
#endif
