/* SPDX-License-Identifier: MIT
 *
 * offload.h - blocking calls of the runtime's own.
 *
 * libuv's pool has four threads for all of the process. What users have put there may block for as long as it likes, so
 * nothing of the runtime's waits behind it: a name is resolved, and a dump is written, while all four are held.
 */
#ifndef RP__OFFLOAD_H
#define RP__OFFLOAD_H

#include "loop/loop.h"

/* As rp_offload without a deadline, in a thread of its own; simulated, as that. */
int rp__offload_apart(rp_self *me, int (*fn)(void *arg), void *arg);

#endif
