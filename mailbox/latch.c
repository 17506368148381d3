/* SPDX-License-Identifier: MIT */
#include "mailbox/latch.h"

#include "loop/os.h"

enum { SPINS = 100 }; /* some hundred ns: as long as a few holders take, when they run */

static void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void rp__latch_slow(struct rp__latch *g)
{
    for (unsigned i = 0; i < SPINS; i++) {
        uint32_t open = RP__OPEN;
        if (atomic_load_explicit(&g->state, memory_order_relaxed) == RP__OPEN && /* only a look: no line is taken away */
            atomic_compare_exchange_weak_explicit(&g->state, &open, RP__SHUT, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
        cpu_relax();
    }
    /* Whoever has slept takes it as SHUT_ASLEEP, because there may be others: at worst one call for nothing.
     * The kernel compares the word before it puts us to sleep, so an opening in between is not missed. */
    while (atomic_exchange_explicit(&g->state, RP__SHUT_ASLEEP, memory_order_acquire) != RP__OPEN)
        rp__os_wait(&g->state, RP__SHUT_ASLEEP);
}

void rp__latch_wake(struct rp__latch *g)
{
    rp__os_wake(&g->state);
}
