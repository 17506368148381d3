/* SPDX-License-Identifier: MIT
 *
 * ring.h - how messages travel: 64-byte slots, by value, in rings.
 *
 * One format in two places. A loop's own messages go through its `events`, a queue of chunks that
 * only this loop touches. Messages for another loop go through a `ring`, one per ordered pair of
 * loops, one producer and one consumer. Sending is writing a slot at a tail: nothing is allocated
 * for it, nothing has to be given back, and the target's memory is not touched.
 *
 *   events   first                        last
 *            +----------------+  next     +----------------+
 *            |    . . m m m m | --------> | m m m . . . .  |
 *            +--------^-------+           +-------^--------+
 *                     head                        tail
 *
 * A message of n slots lies contiguously; a chunk that has no room for it is closed early, a ring
 * pads up to its end.
 *
 * Wake protocol (modelled in tests/model/wake.pml; the letters are those of the model):
 *
 *   producer, first of all     P0  store the ring where the consumer looks for it, seq_cst
 *   producer, end of a round   P1  store tail, seq_cst
 *                              P2  load consumer.sleeping, seq_cst; 0: done
 *                              P3  exchange it with 0; was 1: P4 wake the consumer's thread
 *   consumer, before blocking  C1  store sleeping = 1, seq_cst
 *                              C2  load every ring, seq_cst, and its tail, seq_cst; something there: sleeping = 0, go on
 *                              C3  block
 *
 * P0 to C2 are in one total order. If C2 precedes P1 there, or finds no ring and so precedes P0, then C1 precedes P2: the
 * producer sees the flag, or another producer took it and wakes for both. With any of them weaker both sides
 * may miss each other: a store may pass a later load, on x86 too; and a load that only acquires may pass an earlier
 * store, on aarch64.
 *
 * A full ring is waited for the other way round. The producer stores want = 1, then looks at the head;
 * before it blocks it raises its own `sleeping` and looks whether `want` still stands. The consumer
 * stores the head, then exchanges `want` with 0; was 1: P2 to P4 toward the producer. All seq_cst.
 */
#ifndef RP__RING_H
#define RP__RING_H

#include "loop/base/os.h"
#include "loop/inbox.h"
#include "loop/pool.h"
#include "loop/sample.h"
#include "loop/waitlist.h"
#include "loop/window.h"

#include <stdatomic.h>
#include <stddef.h>

struct rp__slot {
    uint64_t to, from; /* local addresses */
    uint64_t type;     /* what it is: read by the floors above */
    uint64_t body[5];
};

enum {
    RP__SLOT = 64,
    RP__SLOTS_MAX = 16,  /* of one message */
    RP__CHUNK_SLOTS = 127,
    RP__CHUNK_SPARES = 4,
    RP__RING_SLOTS = 1024,
    RP__RING_RESERVE = 64, /* slots of a ring that only replies and system messages may take */
    RP__RING_CLAIM = 4,    /* slots between the one just written and the one whose line is claimed for writing */
    RP__RELEASE_EVERY = 32 /* slots of one ring between two plain publications in the middle of a round (RP__RELEASE_AFTER) */
};

_Static_assert(sizeof(struct rp__slot) == RP__SLOT, "a slot is a cache line");

/* ---- a loop's own queue -------------------------------------------------------------------------- */

struct rp__chunk {
    struct rp__chunk *next;
    uint32_t pins;    /* suspended handlers whose message lies in here */
    bool left;        /* the head has gone on: free it with the last pin */
    uint64_t pad[5];
    struct rp__slot slot[RP__CHUNK_SLOTS];
};

_Static_assert(sizeof(struct rp__chunk) <= RP__POOL_MAX, "a chunk is a pool block");

struct rp__events {
    struct rp__slot *head, *head_end;
    struct rp__slot *tail;
    struct rp__slot *tail_end; /* of the chunk; or in it the place of the message to be measured (sample.h) */
    uint32_t count; /* messages */
    uint32_t spares;
    struct rp__chunk *first, *last, *spare;
    struct rp__pool *pool;
    struct rp__sampler *sampler;
    struct rp__stream stream;
    uint32_t beyond;  /* slots from tail_end to the place of the message to be measured */
    bool chosen;      /* that place has been reached, and its message is yet to come */
};

int  rp__events_init(struct rp__events *e, struct rp__pool *pool, struct rp__sampler *sampler); /* 0 or -ENOMEM */
void rp__events_fini(struct rp__events *e);
struct rp__slot *rp__events_grow(struct rp__events *e, unsigned n);
struct rp__slot *rp__events_edge(struct rp__events *e);
void rp__events_sample_after(struct rp__events *e, uint32_t gap); /* the slot to be measured is so many from the tail */
void rp__events_next_chunk(struct rp__events *e);
void rp__chunk_unpin(struct rp__events *e, struct rp__chunk *c);

/* Room for a message of n slots at the tail, or NULL: out of memory. It counts as sent. */
static inline struct rp__slot *rp__events_push(struct rp__events *e, unsigned n)
{
    struct rp__slot *s = e->tail;
    if (__builtin_expect((size_t)(e->tail_end - s) < n, 0))
        return rp__events_grow(e, n);
    e->tail = s + n;
    e->count++;
    return s;
}

/* The same for a message of one slot, if it takes no more than that; else NULL. */
static inline struct rp__slot *rp__events_push_plain(struct rp__events *e)
{
    struct rp__slot *s = e->tail;
    if (__builtin_expect(s == e->tail_end, 0))
        return 0;
    e->tail = s + 1;
    e->count++;
    return s;
}

/* The same by who will do with NULL: it is to be measured, or memory is out. */
static inline struct rp__slot *rp__events_push_short(struct rp__events *e)
{
    struct rp__slot *s = rp__events_push_plain(e);
    return __builtin_expect(s != 0, 1) ? s : rp__events_edge(e);
}

/* The oldest message, or NULL: none. */
static inline struct rp__slot *rp__events_peek(struct rp__events *e)
{
    if (e->head == e->tail)
        return 0;
    if (__builtin_expect(e->head == e->head_end, 0))
        rp__events_next_chunk(e);
    return e->head;
}

/* The oldest message of n slots is taken; it stays readable until the next peek. */
static inline void rp__events_pop(struct rp__events *e, unsigned n)
{
    e->head += n;
    e->count--;
}

/* A message of n slots that was popped has been handled: under ASan, whoever still reads its body is stopped. */
static inline void rp__events_done(struct rp__slot *s, unsigned n)
{
    RP__POISON(s->body, n * RP__SLOT - offsetof(struct rp__slot, body));
}

/* ---- between two loops --------------------------------------------------------------------------- */

struct rp_loop;

/* A message that found the ring full and may not wait: kept here, in order, until there is room. Where
 * there is no ring, for want of memory to make it, it goes through the target's inbox. */
struct rp__spill {
    union {
        struct rp__hook link;
        struct rp__post post;
    };
    unsigned n, room; /* slots of it that are used, and that it has */
    struct rp__slot slot[];
};

struct rp__ring {
    /* set once. Both sides read it for each message, so nothing that is written may lie beside it: the line
     * would go to and fro */
    struct rp__slot *slots;
    struct rp_loop *src, *dst;

    /* All positions count slots, modulo 2^32: two of them are compared by their difference, which is less than 2^31. */

    /* the producer's */
    _Alignas(128) uint32_t ptail; /* written up to here */
    uint32_t released;        /* consumer may read up to here */
    uint32_t head_seen;
    uint32_t limit;           /* short sends write up to here without looking; never beyond what they may; and never more than
                                 two rounds of the ring behind ptail */
    uint32_t sample_at;       /* the slot to be measured (sample.h) */
    struct rp__sampler *sampler;
    struct rp__stream stream;
    bool chosen;              /* that slot has been reached, and its message is yet to come */
    bool dirty;               /* on its loop's list of rings to publish */
    struct rp__ring *dirty_next;
    struct rp__hook spills;   /* struct rp__spill */
    struct rp__waitlist waiters;
    bool waiting;             /* on its loop's list of rings with spills or waiters */
    struct rp__ring *waiting_next;
    struct rp__window window; /* of what is heavy */
    uint64_t back, back_next; /* of `returned`: as far as `window` has it; and as far as it may have it */
    uint32_t news;            /* when what the other loop has written is read up to here, */
    bool back_comes;          /* if there is such */

    /* Stored by the producer: release every RP__RELEASE_EVERY slots, and when RP__RELEASE_AFTER messages have been
     * handled, which hands the slots over to a consumer that looks; seq_cst once per round (P1). Loaded by the
     * consumer: acquire, and seq_cst before it blocks (C2). */
    _Alignas(128) _Atomic uint32_t tail;
    /* Stored by the consumer when it has done with slots: release hands them back for writing, and
     * seq_cst at the end of a drain, paired with `want`. Loaded by the producer with acquire when the
     * ring looks full, with seq_cst after it has set `want`. */
    _Alignas(128) _Atomic uint32_t head;
    /* Bytes of what is heavy that have been dispatched. Stored by the consumer behind its own tail toward the producer and
     * before it looks at `want`; loaded by the producer after it has set that, and before that tail. seq_cst both: with
     * less each could miss the other, as with `head`. */
    _Atomic uint64_t returned;
    /* Set by a producer that waits for room (seq_cst, before it re-reads head); taken by the consumer
     * after it has stored head (seq_cst). Weaker, and both may miss: a full ring never empties. */
    _Alignas(128) _Atomic uint32_t want;

    /* the consumer's */
    _Alignas(128) uint32_t chead;
    uint32_t cpublished;      /* handed back */
    uint32_t csettled;        /* and a waiting producer looked for */
    uint64_t taken, told;     /* what is heavy: dispatched; and `returned` */
};

extern uint32_t rp__ring_begin; /* Tests only: where the positions of a new ring begin */

enum { RP__PAD = 1 }; /* `type` of the filler before a ring's end; no message has this word */

struct rp__ring *rp__ring_new(const rp_alloc *mem, struct rp_loop *src, struct rp_loop *dst, struct rp__sampler *sampler);
void rp__ring_free(const rp_alloc *mem, struct rp__ring *r);
struct rp__slot *rp__ring_push_slow(struct rp__ring *r, unsigned n, unsigned reserve);
struct rp__slot *rp__ring_edge(struct rp__ring *r);
void rp__ring_sample_after(struct rp__ring *r, uint32_t gap); /* the slot to be measured is so many from the tail */
void rp__ring_sampled(struct rp__ring *r);

/* Room for a message of n slots, or NULL: full. `reserve`: slots to leave for those who may not wait.
 * Written slots go out with rp__ring_commit. */
static inline struct rp__slot *rp__ring_push(struct rp__ring *r, unsigned n, unsigned reserve)
{
    uint32_t at = r->ptail & (RP__RING_SLOTS - 1);
    uint32_t used = r->ptail - r->head_seen;
    if (__builtin_expect(at + n > RP__RING_SLOTS || used + n + reserve > RP__RING_SLOTS, 0))
        return rp__ring_push_slow(r, n, reserve);
    return r->slots + at;
}

/* The same for a message of one slot that leaves the reserve, if it takes no more than that; else NULL. */
static inline struct rp__slot *rp__ring_push_plain(struct rp__ring *r)
{
    if (__builtin_expect((int32_t)(r->limit - r->ptail) <= 0, 0))
        return 0;
    return r->slots + (r->ptail & (RP__RING_SLOTS - 1));
}

/* The same by who will do with NULL: full, or it is to be measured. */
static inline struct rp__slot *rp__ring_push_short(struct rp__ring *r)
{
    struct rp__slot *s = rp__ring_push_plain(r);
    return __builtin_expect(s != 0, 1) ? s : rp__ring_edge(r);
}

/* n slots have been written. Those some way ahead are claimed: the consumer has read them since they were last written
 * here; and it has done so, unless they stand in the reserve. Not far ahead: where the consumer reads, its core fetches
 * some lines more than it was asked for, and takes back what was claimed too early. */
static inline void rp__ring_commit(struct rp__ring *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        rp__os_claim(r->slots + ((r->ptail + i + RP__RING_CLAIM) & (RP__RING_SLOTS - 1)));
    r->ptail += n;
    if (r->ptail - r->released >= RP__RELEASE_EVERY) {
        r->released = r->ptail;
        atomic_store_explicit(&r->tail, r->ptail, memory_order_release);
    }
}

/* Consumer: slots ready to be read, from chead on. */
static inline uint32_t rp__ring_ready(struct rp__ring *r)
{
    return atomic_load_explicit(&r->tail, memory_order_acquire) - r->chead;
}

static inline struct rp__slot *rp__ring_at(struct rp__ring *r)
{
    return r->slots + (r->chead & (RP__RING_SLOTS - 1));
}

/* Consumer: n more slots are done with. Handed back every RP__RELEASE_EVERY slots. */
static inline void rp__ring_done(struct rp__ring *r, unsigned n)
{
    r->chead += n;
    if (r->chead - r->cpublished >= RP__RELEASE_EVERY) {
        r->cpublished = r->chead;
        atomic_store_explicit(&r->head, r->chead, memory_order_release);
    }
}

#endif
