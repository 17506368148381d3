/* SPDX-License-Identifier: MIT
 *
 * mover.h - an actor that moves others: who talks much to each other onto one loop, and load from a loop that has
 * too much of it to one that has little.
 *
 * It moves only actors whose kind says RP_MOVABLE. None runs unless one is started, and without it nothing is
 * measured for it. See docs/placement.md.
 */
#ifndef REPARTO_MOVER_H
#define REPARTO_MOVER_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rp_moved_for { RP_FOR_TALK = 1, RP_FOR_LOAD } rp_moved_for;

typedef struct rp_mover_event { /* an actor has been moved; valid during the call */
    rp_ref who;
    unsigned from, to;
    rp_moved_for why;
} rp_mover_event;

typedef struct rp_mover { /* all zero: the defaults. Copied */
    uint32_t period_ms; /* how often it looks and acts; 0: 100 */
    uint32_t moves;     /* most of them in a period; 0: 4 */
    uint32_t rest;      /* periods for which an actor that has been moved stays; 0: 20 */
    void (*event)(rp_self *me, void *arg, const rp_mover_event *e); /* runs in the mover; may not wait */
    void *arg;
} rp_mover;

/* Starts a mover, a child of the caller, which works until it is stopped. `m`, `o` and `ret` may be NULL. One is enough for a
 * system; two would each see half. Suspends as rp_spawn, and returns what that does. */
RP_EXPORT RP_NODISCARD int rp_mover_start(rp_self *me, const rp_mover *m, const rp_spawn_opts *o, rp_ref *ret);

#ifdef __cplusplus
}
#endif
#endif
