/* SPDX-License-Identifier: MIT
 *
 * audit.h - the books, at an instant: sent + arrived - ended is what can be found and counted one by one.
 *
 * The counters of several loops read while they run prove nothing: what one has sent another may not have
 * counted yet. So the loops are stopped for it, each between two rounds, where every message that is in
 * flight stands in a ring, a spill, a mailbox, or is the one that a waiting handler is at. Only what users
 * keep (rp_recv, rp_keep, rp_msg_new, ...) is with them: `held` is how many a test knows of, HELD_ANY: it
 * does not know, and then no more may be found than the books say.
 */
#ifndef RP_AUDIT_H
#define RP_AUDIT_H

#include "tests/support.h"

enum { HELD_ANY = -1 };

/* In a simulation: after each turn of every loop of every node. From the root of one of them, once. */
void audit_every_step(rp_self *me, int64_t held);
uint64_t audit_steps(void); /* audits so far, in this process */

/* On threads: stops all loops of the caller's system, looks, lets them go on. Suspends. */
void audit_now(rp_self *me, int64_t held);

/* As a child of the root, on threads: audits every `ms` until it is stopped. */
extern const rp_actor auditor; /* its arg: NULL, or a pointer to what is held */

#endif
