/* SPDX-License-Identifier: MIT
 *
 * visit.h - calls into a system from threads that it does not know, which it may end under: rp_quit, rp_post.
 *
 * A count in the system would be too late: to count oneself in there is to touch what may be free. So the process has
 * a list of the systems that may be called. Its entries, doors, are never freed; a call finds the system's without
 * looking at the system, counts itself in there, and looks again. Who frees a system closes its door first, and waits.
 *
 *   visitor  V1  visitors + 1, seq_cst         freer  F1  the door is no system's, seq_cst
 *            V2  load whose door it is,               F2  load visitors, seq_cst, until there are none
 *                seq_cst; another's: go
 *
 * All four stand in one total order. If V2 precedes F1 there, then V1 precedes F2, and the freer waits; else the visitor
 * goes. With any of them weaker both may miss each other. Nothing here waits but the freer, and nothing takes a lock:
 * all but rp__visit_open may be called from a signal handler.
 *
 * A pointer that is kept beyond its system's end is refused, as long as no other system has been made at that address.
 */
#ifndef RP__VISIT_H
#define RP__VISIT_H

#include "reparto/loop.h"

struct rp__door;

int  rp__visit_open(rp_system *sys);               /* from now on it may be called: 0, -ENOMEM */
void rp__visit_close(rp_system *sys);              /* no longer, and nobody is in. One that was never opened too */
struct rp__door *rp__visit(const rp_system *sys);  /* NULL: it has ended, or never was */
void rp__visit_end(struct rp__door *d);
void rp__visits_forget(void);                      /* in a forked child: the visitors were other threads */

#endif
