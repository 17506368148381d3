/* SPDX-License-Identifier: MIT
 *
 * switch.c - the switch of stacks where there is no assembly for the machine. Elsewhere: switch.h and start.S.
 */
#include "loop/switch/switch.h"

#if defined(RP__UCONTEXT)

/* makecontext passes ints only: the pointer travels in two halves. */
static void start(unsigned hi, unsigned lo)
{
    struct rp__cx *cx = (struct rp__cx *)(((uintptr_t)hi << 16 << 16) | lo);
    cx->entry(cx->arg);
}

void rp__cx_make(struct rp__cx *cx, void *top, void (*entry)(void *), void *arg)
{
    getcontext(&cx->uc);
    cx->entry = entry;
    cx->arg = arg;
    /* makecontext wants the low end; the switch itself never looks at it, so any size will do */
    enum { ROOM = 8192 };
    cx->uc.uc_stack.ss_sp = (char *)top - ROOM;
    cx->uc.uc_stack.ss_size = ROOM;
    cx->uc.uc_link = 0;
    makecontext(&cx->uc, (void (*)(void))start, 2, (unsigned)((uintptr_t)cx >> 16 >> 16),
                (unsigned)(uintptr_t)cx);
}

#endif
