/* SPDX-License-Identifier: MIT
 *
 * trace.h - what happens, as it happens, a line each: RP_TRACE=spawn,end,... in the environment, and
 * RP_TRACE_FILE=path, or standard error. Or for a while, for somebody who reads along at a socket (observe/tracer.c).
 *
 *     0.001203110 1 send      talker#1.4.1 -> #0.7.1 shop.order{id=7 pieces=3}
 *     time since the system was made, loop, category
 *
 * Off, it costs a bit in a word that is looked at anyway: sends leave the short way by rp_loop.slow, messages
 * by the flags of their actor; the rest looks at rp_loop.trace. A traced run takes the same decisions as one
 * that is not: in a simulation the same seed gives the same steps.
 */
#ifndef RP__TRACE_H
#define RP__TRACE_H

#include "loop/loop.h"

enum {
    RP__T_SPAWN = 1, RP__T_END = 2, RP__T_SEND = 4, RP__T_RECV = 8, RP__T_SUPERVISE = 16, RP__T_LINK = 32,
    RP__T_TIMER = 64, RP__T_STALL = 128, RP__T_DEAD = 256, RP__T_HOOK = 512
};

struct rp__tracer { /* who reads along */
    int fd;              /* a stream socket that does not block: the kernel takes a line as a whole, or not */
    uint32_t categories;
    /* Written by any loop, read by who serves; relaxed, they order nothing. */
    _Atomic uint64_t lost; /* lines that found no room */
    _Atomic bool gone;     /* the reader */
};

/* Reads the environment. A name that is unknown is said on standard error, and ignored; so is a file that
 * cannot be written. */
void rp__trace_open(rp_system *sys);
void rp__trace_close(rp_system *sys);

/* On its own thread: t reads along from now on; NULL: nobody does. What its actors show of messages they receive is the
 * floor's above. */
void rp__trace_set(struct rp_loop *l, struct rp__tracer *t);

/* Those of a list as RP_TRACE has it, "spawn,end". Gives each name that is unknown to `unknown`. */
uint32_t rp__trace_categories(const char *list, void (*unknown)(const char *name, size_t n, void *ud), void *ud);

static inline bool rp__traces(const struct rp_loop *l, unsigned category)
{
    return __builtin_expect(l->trace & category, 0);
}

/* One line, cut off if it is long. `category` is one of the above. */
void rp__trace(const struct rp_loop *l, unsigned category, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same by another thread than l's, as l's: where the environment has asked for it. */
bool rp__traced_outside(const struct rp_loop *l, unsigned category, const char *line);

#endif
