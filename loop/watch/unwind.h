/* SPDX-License-Identifier: MIT
 *
 * unwind.h - the return addresses on a parked stack.
 *
 * A parked context is {sp, ip, bp}; all other registers are dead or spilled there (switch.h), so the tables
 * that compilers write for exceptions (.eh_frame) lead from it to the first frame, whether or not the code
 * on the stack keeps frame pointers. Why not a library: libgcc unwinds from where it is called, and cannot
 * be told where else to begin; libunwind can, but reads whatever a broken stack makes it compute. This reads
 * the stack within its bounds and upward only, so it ends, at the latest, at its top.
 */
#ifndef RP__UNWIND_H
#define RP__UNWIND_H

#include "loop/switch/switch.h"

/* On a stack [low, high). Up to n, the innermost first. How many there are; 0 on machines that it does not know. */
unsigned rp__unwind(const struct rp__cx *cx, const void *low, const void *high, void **ret, unsigned n);

#endif
