/* SPDX-License-Identifier: MIT
 *
 * ledger.h - how each message ended: what stands in rp_loop.tally.
 *
 * A message is counted as sent where it is accepted and as ended where it ends, each on the loop that
 * does it, so no two loops write one counter. The books balance over all loops together:
 * SENT + ARRIVED == the sum of the ends + in flight.
 */
#ifndef RP__LEDGER_H
#define RP__LEDGER_H

#include "loop/loop.h"
#include "reparto/mailbox.h"

enum rp__tally {
    RP__ARRIVED = RP__SENT + 1,
    RP__HANDLED, /* the first of the ends */
    RP__LEFT,
    RP__DEAD,
    RP__DROPPED,
    RP__LATE,
    RP__EXPIRED, /* the last of the ends */
    RP__HIGH_WATER,
    RP__LOST_SIGNALS, /* for want of memory, after the reserve was spent */
    RP__SPAWNED,      /* actors, */
    RP__ENDED,
    RP__FAILED,       /* and incarnations of them */
    RP__RESTARTED,
    RP__DEMOTED,      /* actors, each time */
    RP__DROPPED_WHY,  /* by rp_dropped: each message that is DROPPED is counted here too */
    RP__TALLIES_USED = RP__DROPPED_WHY + RP_DROPPED_WHYS
};

_Static_assert((int)RP__TALLIES_USED <= (int)RP__TALLIES, "the loop has room for the books");

void rp__ledger_add(rp_ledger *to, const struct rp_loop *l);
void rp__ledger_sum(rp_system *sys, rp_ledger *ret);

#endif
