/* SPDX-License-Identifier: MIT */
#include "mailbox/sync/latch.h"

#include "loop/base/os.h"

enum {
    STEP = 8, STEP_MAX = 128, /* pauses between two looks */
    PATIENCE = 1024,          /* pauses in all: longer than any holder takes, when it runs */
    DOZE_NS = 50000
};

void rp__latch_slow(struct rp__latch *g)
{
    unsigned spent = 0, step = STEP;
    do {
        for (unsigned i = 0; i < step; i++)
            rp__os_pause();
        spent += step;
        step = step < STEP_MAX ? 2 * step : step;
        if (spent > PATIENCE)
            rp__os_doze(DOZE_NS);
        /* relaxed: only a look, so that nobody's cache line is taken away for nothing */
    } while (atomic_load_explicit(&g->shut, memory_order_relaxed) ||
             atomic_exchange_explicit(&g->shut, 1, memory_order_acquire)); /* unbounded: until it is open */
}
