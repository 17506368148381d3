/* SPDX-License-Identifier: MIT
 *
 * drain.h - ending a system without losing what it has begun.
 *
 *   1. nothing new is taken in from outside     rp_drain
 *   2. what is there is worked off              rp_drain, until its deadline
 *   3. who has not finished is named            rp_drain's list
 *   4. the tree ends from the leaves up         the root returns
 *   5. the peers are told, the links closed     after that
 *
 * The root calls rp_drain when it is to end (it has got RP_EXIT_NOTICE, or its own work is done), and returns.
 * docs/draining.md shows it together with SIGTERM.
 */
#ifndef REPARTO_DRAIN_H
#define REPARTO_DRAIN_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rp_undone { /* who has not finished */
    rp_ref who;          /* none: a loop that does not answer, because a handler holds it */
    uint32_t messages;   /* that wait for it, and the one it works on */
    const char *waits;   /* for what it waits; a literal. "": it runs, or is about to */
    char kind[24], name[24]; /* cut off; name: "" if it has none. Or "loop 3", for a loop */
} rp_undone;

/* From here on and for good: other processes open no links to this one, their calls are answered with
 * -ESHUTDOWN and what they tell is dropped (replies and RP_DOWN still come). Then waits until all actors but
 * the caller have nothing left to do: no message waits anywhere or is worked on, nobody waits for a reply or
 * for room. Actors still spawn and send to each other meanwhile; a coroutine that sleeps, or waits for a
 * message, an item or a lock, has nothing to do. What comes from the caller's own threads is the caller's to
 * close, before: rp_queue_close_put. Suspends. 0: all is done. -ETIMEDOUT: not everything by `deadline`: the
 * first *n of those who have not finished are written to `left`, and *n is how many there are. At least one
 * look is taken, at a `deadline` in the past too. -EDEADLK: somebody waits for the caller, which would wait
 * for it: see rp_blame. -ECANCELED, -EAGAIN, -ENOMEM. `left` may be NULL, and `n` then too; without `n` there is no `left` (-EINVAL). */
RP_EXPORT RP_NODISCARD int rp_drain(rp_self *me, rp_time deadline, rp_undone *left, unsigned *n);

/* Has anybody called rp_drain? Who makes work of its own accord stops then. */
RP_EXPORT bool rp_draining(const rp_self *me);

#ifdef __cplusplus
}
#endif
#endif
