/* SPDX-License-Identifier: MIT */
#include "mailbox/ledger.h"

#include "loop/system.h"

static uint64_t of(const struct rp_loop *l, enum rp__tally what)
{
    return atomic_load_explicit(&l->tally[what], memory_order_relaxed);
}

void rp__ledger_add(rp_ledger *to, const struct rp_loop *l)
{
    to->sent += of(l, (enum rp__tally)RP__SENT);
    to->arrived += of(l, RP__ARRIVED);
    to->handled += of(l, RP__HANDLED);
    to->left += of(l, RP__LEFT);
    to->dead += of(l, RP__DEAD);
    to->dropped += of(l, RP__DROPPED);
    to->late += of(l, RP__LATE);
    to->expired += of(l, RP__EXPIRED);
    to->lost_signals += of(l, RP__LOST_SIGNALS);
    uint64_t high = of(l, RP__HIGH_WATER);
    to->high_water = high > to->high_water ? high : to->high_water;
}

void rp__ledger_sum(rp_system *sys, rp_ledger *ret)
{
    *ret = (rp_ledger){0};
    for (unsigned i = 0; i < sys->nloops; i++)
        rp__ledger_add(ret, sys->loops[i]);
}
