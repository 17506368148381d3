/* SPDX-License-Identifier: MIT
 *
 * holder.h - of a coroutine that waits for an object: who holds it, and what it is called.
 *
 * A wait is known for what it is by the literal that it goes by (rp_self.waits). The object is there: it outlives
 * every call on it, and who waits is in one. A holder is there while the object's latch is shut, since it gives back
 * before it ends; it may belong to any loop, of any system. It has the object in its list of what it holds (held.h),
 * where its own loop finds it without touching the object; but who has just been given it puts it there only when it
 * runs. What nobody in particular holds (units of a semaphore, tokens, an item that is to come) names nobody.
 */
#ifndef RP__HOLDER_H
#define RP__HOLDER_H

#include "loop/loop.h"

/* "a lock", ...: waits for what is held. */
extern const char rp__for_lock[], rp__for_lock_again[], rp__for_reading[], rp__for_writing[], rp__for_first_run[];
extern const char rp__for_signal[]; /* "a condition": when it has come, for the lock */
/* "room in a queue", ...: for what has a name. */
extern const char rp__for_room[], rp__for_item[], rp__for_queue_done[];

struct rp__waiter;
typedef bool rp__see(const rp_self *holder, void *arg); /* under the latch: short. false: no more of them */

/* `co` is parked, on this loop. How many hold what it waits for; `see` is given one after the other. 0: nobody, or
 * nobody is known; or it has been given it, and is about to run. */
uint32_t rp__holders(const rp_self *co, rp__see *see, void *arg);

/* `co` is parked, on this loop. What it waits for, as its holders have it in their lists; NULL: nothing that is held. */
const void *rp__waits_for_held(const rp_self *co);

/* What the object is called by who made it; NULL: nothing. */
const char *rp__object_name(const rp_self *co);

/* For holder.c; each takes the latch. */
uint32_t rp__lock_holders(void *lock, rp__see *see, void *arg);
uint32_t rp__rwlock_holders(void *lock, rp__see *see, void *arg);
uint32_t rp__once_holders(void *once, rp__see *see, void *arg);
void *rp__signalled_lock(const rp_self *co, struct rp__waiter **ret); /* it waits for a condition: the lock; NULL: no signal has come */

#endif
