/* SPDX-License-Identifier: MIT
 *
 * scope.h - what stands behind rp_scope, and what cancelling does.
 *
 *   actor's coroutine --scope--> [inner] --parent--> [outer] --parent--> NULL
 *                                   |                   |
 *                                tasks               tasks       each with its own chain, ending in
 *                                                                the scope it was started in
 *
 * A cancelled scope marks every scope below it when it happens, so that asking is one load. A shield stops that: what
 * lies within it, and the waits of those who are in there, are left alone.
 */
#ifndef RP__SCOPE_H
#define RP__SCOPE_H

#include "loop/constant.h"
#include "loop/loop.h"

enum rp__cause { RP__NOT_CANCELLED, RP__BY_FAILURE, RP__BY_DEADLINE, RP__BY_OWNER, RP__FROM_OUTSIDE };

enum { RP__SCOPE_OPEN = 0x53434f50 }; /* else it was never opened, or has been closed, or its memory is used otherwise */

struct rp__scope {
    uint32_t magic;            /* RP__SCOPE_OPEN */
    uint8_t cause;             /* enum rp__cause: 0, it goes on */
    int rc;                    /* the first failure */
    unsigned live;             /* tasks that have not ended */
    bool closing;              /* its owner waits in rp_scope_close, and has not been woken */
    bool shield;               /* no cancel from around it reaches in; */
    bool hides;                /* its owner has been stopped, and feels it when this scope is closed */
    rp_self *owner;
    struct rp__scope *parent;
    struct rp__scope *next_cancel;
    rp_time effective;         /* the earliest deadline from here outward */
    const char *why;
    char text[RP__WHY];        /* where it is, if rp_scope_cancel was given one that is not constant */
    rp_task *handles;          /* those asked for; freed at close */
    struct rp__hook tasks;     /* rp_self, by `sibling` */
    struct rp__timer deadline;
};

_Static_assert(sizeof(struct rp__scope) <= sizeof(rp_scope), "the public struct holds it");

void rp__returned_over_scope(const rp_self *me, const char *what) __attribute__((noreturn, cold)); /* "handler" */

/* The innermost scope is not open: a function has returned without closing it, and its memory is another's. */
void rp__scope_lost(const rp_self *me) __attribute__((noreturn, cold));

static inline bool rp__cancelled(const rp_self *me)
{
    const struct rp__scope *s = me->scope;
    if (!s)
        return me->stopped;
    if (__builtin_expect(s->magic != RP__SCOPE_OPEN, 0))
        rp__scope_lost(me);
    return me->stopped || s->cause != RP__NOT_CANCELLED;
}

/* A scope lies on its opener's stack, which grows down: one below the frame of who is called now belongs to a function that
 * has returned. `frame`: __builtin_frame_address(0), of a function that is not inlined. */
static inline void rp__scope_sound(const rp_self *me, const void *frame)
{
    const char *s = (const char *)me->scope;
    bool left = s && s >= me->low && s < (const char *)frame && s < (const char *)me;
    if (__builtin_expect(left || (s && me->scope->magic != RP__SCOPE_OPEN), 0))
        rp__scope_lost(me);
}

struct rp_task {
    struct rp__scope *scope;
    rp_self *self; /* NULL: it has ended */
    int rc;
    rp_task *next;
    struct rp__hook joiners;
    char text[RP__WHY]; /* why it was cancelled, unless that is constant */
};

extern const char rp__for_task[], rp__for_scope[], rp__for_sleep[]; /* what rp_join, rp_scope_close and rp_sleep wait for: compared by address */

void rp__stop_self(rp_self *self, const char *why); /* every wait of it and its tasks ends: -ECANCELED */

/* The tasks of an actor whose own coroutine is `root`, each once, without recursion. */
rp_self *rp__task_first(const rp_self *root);
rp_self *rp__task_next(const rp_self *root, const rp_self *task); /* NULL: that was the last */

#endif
