/* SPDX-License-Identifier: MIT
 *
 * here.h - is this the thread of the loop that an rp_self belongs to?
 *
 * A loop notes its thread at the begin of each turn: in a host, and in a simulation, another one may run it later. The
 * question is a load and a comparison. Every call that is not among the hottest asks it; those do in debug builds.
 */
#ifndef RP__HERE_H
#define RP__HERE_H

#include "loop/loop.h"

#include <pthread.h>

/* A number for the calling thread, never 0. No call: what a thread-local would be, but that is cached over a switch. */
static inline uintptr_t rp__thread(void)
{
    uintptr_t at;
#if defined(__x86_64__)
    __asm__("movq %%fs:0, %0" : "=r"(at));
#elif defined(__aarch64__)
    __asm__("mrs %0, tpidr_el0" : "=r"(at));
#else
    at = (uintptr_t)pthread_self();
#endif
    return at;
}

static inline bool rp__on_thread_of(const struct rp_loop *l)
{
    return atomic_load_explicit(&l->thread, memory_order_relaxed) == rp__thread();
}

void rp__strayed(const rp_self *me) __attribute__((noreturn, cold));

/* Else the process ends, with a line that says what is wrong. */
static inline void rp__must_be_here(const rp_self *me)
{
    if (__builtin_expect(!rp__on_thread_of(me->loop), 0))
        rp__strayed(me);
}

#if defined(NDEBUG)
static inline void rp__must_be_here_debug(const rp_self *me)
{
    (void)me;
}
#else
static inline void rp__must_be_here_debug(const rp_self *me)
{
    rp__must_be_here(me);
}
#endif

#endif
