/* SPDX-License-Identifier: MIT */
#include "mailbox/ledger.h"

#include "loop/system.h"

#include <string.h>

void rp__ledger_sum(rp_system *sys, rp_ledger *ret)
{
    uint64_t sum[RP__TALLIES] = {0}, high = 0;
    for (unsigned i = 0; i < sys->nloops; i++)
        for (unsigned k = 0; k < RP__TALLIES; k++) {
            uint64_t n = atomic_load_explicit(&sys->loops[i]->tally[k], memory_order_relaxed);
            sum[k] += n;
            if (k == RP__HIGH_WATER && n > high)
                high = n;
        }
    *ret = (rp_ledger){
        .sent = sum[RP__SENT],
        .arrived = sum[RP__ARRIVED],
        .handled = sum[RP__HANDLED],
        .left = sum[RP__LEFT],
        .dead = sum[RP__DEAD],
        .dropped = sum[RP__DROPPED],
        .late = sum[RP__LATE],
        .expired = sum[RP__EXPIRED],
        .high_water = high,
        .lost_signals = sum[RP__LOST_SIGNALS],
    };
}
