/* SPDX-License-Identifier: MIT
 *
 * constant.h - whether what a caller passes will still be there, and the same, when the call has returned.
 *
 * A description, a name or a reason that is constant is kept by its address: nothing is copied. Anything else
 * (a stack, the heap, a variable) is copied by who keeps it. Constant is what the program and its libraries had
 * in read-only memory when the system was made. A module that is loaded later is merely not known: what it
 * passes is copied. A module must not be unloaded while a system that it described things to lives.
 */
#ifndef RP__CONSTANT_H
#define RP__CONSTANT_H

#include "reparto/loop.h"

struct rp__constants {
    struct rp__span {
        uintptr_t from, to;
    } *at;
    unsigned n, room;
};

int  rp__constants_open(struct rp__constants *k, const rp_alloc *mem); /* 0, -ENOMEM */
void rp__constants_close(struct rp__constants *k, const rp_alloc *mem);

/* Are these bytes constant? Safe in a signal handler. */
bool rp__constant(const rp_system *sys, const void *p, size_t size);

enum { RP__WHY = 32 }; /* bytes that are kept of a reason, its NUL too, unless it is constant */

/* Copies `text` to `to`, cut off at size - 1 bytes, unless it is constant. Returns the one that may be kept. */
const char *rp__text_kept(const rp_system *sys, const char *text, char *to, size_t size);

#endif
