/* SPDX-License-Identifier: MIT
 *
 * load.h - how much of its time a loop is at work, told to the others in one word.
 *
 *        63            41 40  39                                     0
 *       +----------------+---+----------------------------------------+
 *       | load          |now| since when, in units of 1024 ns        |
 *       +----------------+---+----------------------------------------+
 *
 * The loop notes when it begins to work and when it has nothing left to do; between two notes its load
 * goes toward all or nothing, half of the way in 67 ms. Whoever reads carries the last note on to the
 * present, so that a loop that sleeps, or is held up by one long handler, need not write to be judged.
 * The clock is not read for it: both moments are known anyway.
 */
#ifndef RP__LOAD_H
#define RP__LOAD_H

#include "reparto/loop.h"

#include <stdatomic.h>

enum { RP__LOAD_FULL = (1 << 23) - 1 };

struct rp__load {
    /* Written by its loop only, read by any: relaxed both. It is a figure, and orders nothing. */
    _Atomic uint64_t word;
};

/* By who writes it. */
void rp__load_note(struct rp__load *d, rp_time now, bool working); /* at work from now on, or not */
void rp__load_add(struct rp__load *d, rp_time now, uint32_t load); /* of one not at work: so much more, for a while */

uint32_t rp__load_at(const struct rp__load *d, rp_time now); /* 0 to RP__LOAD_FULL */
uint32_t rp__load_after(uint32_t load, bool working, rp_time time); /* what becomes of it */

#endif
