/* SPDX-License-Identifier: MIT
 *
 * stack.h - pooled stacks. A stack is a coroutine: its rp_self lies at the top.
 *
 *   low                                                                     high
 *   +---------+---------------------------------------------+-----------+--------+
 *   | guard   |  free                        <- frames grow | rp_self   | colour |
 *   +---------+---------------------------------------------+-----------+--------+
 *    64 KiB    the size of its class, all of it usable       one page
 *
 * Code that is compiled with -fstack-clash-protection touches each page of a large frame, so no frame jumps over the
 * guard; other code does with a frame of more than 64 KiB.
 *
 * Stacks are carved from slabs of 64 MiB of address space, the guards of 32 at a time installed in
 * one system call. Seven sizes; a free list each, last in first out, so that a stack is used again
 * while it is warm. The colour spreads the tops over the sets of the first-level cache. Memory goes
 * back to the kernel only from stacks that have lain free when the loop is about to block.
 */
#ifndef RP__STACK_H
#define RP__STACK_H

#include "loop/base/os.h"

enum {
    RP__STACK_CLASSES = 7, /* 16, 64, 256 KiB, 1, 4, 16, 64 MiB */
    RP__STACK_USUAL = 1,
    RP__STACK_MAX = 64 << 20
};

struct rp_loop;

struct rp__stacks {
    rp_self *free[RP__STACK_CLASSES];
    unsigned nfree[RP__STACK_CLASSES], nlive[RP__STACK_CLASSES], peak[RP__STACK_CLASSES];
    unsigned warm[RP__STACK_CLASSES]; /* of the free ones, those whose pages have not been given back */
    char *cut[RP__STACK_CLASSES], *cut_end[RP__STACK_CLASSES];
    struct rp__slab_list *slabs;
    const rp_alloc *mem;
    enum rp__guard guard;
    unsigned protected; /* that have one by mprotect */
    unsigned long carved;
    size_t bytes; /* of address space that stacks have been carved from */
};

void rp__stacks_init(struct rp__stacks *s, const rp_alloc *mem);
void rp__stacks_fini(struct rp__stacks *s);

unsigned rp__stack_class(size_t size); /* the smallest that has `size` bytes, at most RP__STACK_MAX; 0 is the usual one */
size_t   rp__stack_size(unsigned class); /* usable bytes */

/* What is said after its bytes when a stack has overflowed. */
#define RP__STACK_ADVICE                                                                                           \
    "-byte stack: put large arrays elsewhere, or ask for more (rp_spawn_opts.stack; for the root rp_system_opts.stack; " \
    "for init and fini that of whoever starts or ends it)"

/* A coroutine that has not begun: its fields other than cx, stack and fiber are zero. NULL: no memory. */
rp_self *rp__stack_get(struct rp_loop *l, unsigned class);

/* May be called on the very stack that is given back, if it is left at once. Aborts with the actor's
 * name when a stack without a guard was overflowed: its neighbour is no longer what it was. */
void rp__stack_put(struct rp_loop *l, rp_self *self);

bool rp__stacks_excess(const struct rp__stacks *s); /* are there stacks to trim? */
void rp__stacks_trim(struct rp__stacks *s); /* gives the pages of those free stacks back that are not often needed */

#endif
