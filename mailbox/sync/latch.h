/* SPDX-License-Identifier: MIT
 *
 * latch.h - guards the few words of a queue or a lock while a loop or a foreign thread looks at them.
 *
 * What stands between rp__latch and rp__unlatch is short and bounded: some pointers, at most one item
 * copied, no allocation, no user's code, no wake-up, no switch of stacks. So a loop never waits for
 * another one's work, only for its memory accesses. Why a word of our own:
 *
 *   - it is opened by a plain store. A lock whose waiters sleep in the kernel must ask, when it is opened,
 *     whether somebody sleeps: a second locked instruction, as dear as all that the latch guards;
 *   - who finds it shut steps back for longer each time. The holder's core keeps the object's memory for
 *     some hundred operations, where else each one would fetch it from the other core: that is ten times
 *     as much done in all, and nobody waits longer for it;
 *   - who has spun for some ten microseconds sleeps for a moment: its holder has been preempted, perhaps
 *     by this very thread, if that is of a real-time class. A pure spinlock would wait for ever;
 *   - lock-free structures make each single operation atomic, but here an item, a place in a line and a
 *     count change together, or a cancelled wait loses one of them.
 *
 * Four bytes, all zero is an open one. The one who takes it may free what it lies in as soon as it has it:
 * opening it is a single store, and nothing is touched after that.
 */
#ifndef RP__LATCH_H
#define RP__LATCH_H

#include <stdatomic.h>
#include <stdint.h>

struct rp__latch {
    /* Taken with acquire, opened with release: that pair carries over all that it guards. */
    _Atomic uint32_t shut;
};

void rp__latch_slow(struct rp__latch *g);

static inline void rp__latch(struct rp__latch *g)
{
    if (__builtin_expect(atomic_exchange_explicit(&g->shut, 1, memory_order_acquire), 0))
        rp__latch_slow(g);
}

static inline void rp__unlatch(struct rp__latch *g)
{
    atomic_store_explicit(&g->shut, 0, memory_order_release);
}

#endif
