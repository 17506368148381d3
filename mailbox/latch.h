/* SPDX-License-Identifier: MIT
 *
 * latch.h - guards the few words of a queue or a lock while a loop or a foreign thread looks at them.
 *
 * What stands between rp__latch and rp__unlatch is short and bounded: some pointers, at most one item
 * copied, no allocation, no user's code, no wake-up, no switch of stacks. So a loop never waits for
 * another one's work, only for its memory accesses. Why a word of our own:
 *
 *   - a pure spinlock lets a thread spin out its time slice when the holder has been preempted, and for
 *     ever when it is of a higher real-time class (foreign threads may be); so after a short spin the
 *     kernel is asked;
 *   - a pthread mutex does the same, in 40 bytes, with calls in the common case, and all zero is not
 *     promised to be an open one. This is four bytes, so that a lock may live in any struct, zeroed;
 *   - lock-free structures make each single operation atomic, but here an item, a place in a line and a
 *     count change together, or a cancelled wait loses one of them.
 *
 * The one who takes it may free what it lies in as soon as it has it: opening it is a single store, and
 * the call to the kernel after it uses the address only.
 */
#ifndef RP__LATCH_H
#define RP__LATCH_H

#include <stdatomic.h>
#include <stdint.h>

enum { RP__OPEN, RP__SHUT, RP__SHUT_ASLEEP /* and somebody may sleep before it */ };

struct rp__latch {
    /* Taken with acquire, opened with release: that pair carries over all that it guards. */
    _Atomic uint32_t state;
};

void rp__latch_slow(struct rp__latch *g);
void rp__latch_wake(struct rp__latch *g);

static inline void rp__latch(struct rp__latch *g)
{
    uint32_t open = RP__OPEN;
    /* relaxed on failure: nothing has been learnt but that it is shut */
    if (__builtin_expect(!atomic_compare_exchange_strong_explicit(&g->state, &open, RP__SHUT, memory_order_acquire,
                                                                  memory_order_relaxed), 0))
        rp__latch_slow(g);
}

static inline void rp__unlatch(struct rp__latch *g)
{
    if (__builtin_expect(atomic_exchange_explicit(&g->state, RP__OPEN, memory_order_release) == RP__SHUT_ASLEEP, 0))
        rp__latch_wake(g);
}

#endif
