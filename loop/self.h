/* SPDX-License-Identifier: MIT
 *
 * self.h - a coroutine: what a stack is and what it waits for.
 *
 * Every stack has one, at its top; `rp_self *` is the only thing a function needs to know about where
 * it runs. The scheduler runs on one too. A handler is called by the scheduler on the scheduler's own
 * stack; if it waits, that stack becomes the handler's, and the loop goes on with a fresh scheduler.
 */
#ifndef RP__SELF_H
#define RP__SELF_H

#include "loop/base/list.h"
#include "loop/base/wheel.h"
#include "loop/inbox.h"
#include "loop/switch/fiber.h"
#include "loop/switch/switch.h"

struct rp_loop;
struct rp__actor;
struct rp__chunk;
struct rp__held;
struct rp__slot;
struct rp__scope;
struct rp_msg;

enum { RP__HANDS = 2 };

enum rp__state { RP__RUNNING, RP__PARKED, RP__READY, RP__TRIMMED /* free, its pages given back */ };

struct rp_self {
    struct rp__cx cx;
    struct rp_loop *loop;
    struct rp__actor *actor;  /* whose code runs here; a task has its parent's; NULL: the loop's own */
    struct rp__scope *scope;  /* the innermost */
    struct rp__held *held;    /* what it must give back before it ends; the last taken first */
    uint64_t sent_mark;       /* the loop's count of sent messages when it was last resumed */
    uint8_t state;            /* enum rp__state */
    bool stopped;             /* its actor is to end: every wait in it is cancelled */
    bool is_actor;            /* the actor's own coroutine or handler, not a task of it */
    bool drains;              /* it is in rp_drain */
    uint8_t nowait;           /* > 0: what would wait returns -EAGAIN */
    uint8_t class;            /* of its stack, */
    uint8_t tasks_class;      /* and of those of the tasks that it starts */

    /* the present wait */
    const char *waits;        /* for what, in a word; NULL: it runs or is ready */
    const void *waits_on;
    uint64_t waits_node;      /* not 0: waits_on is the address of an actor of this process (node) */
    bool (*cancel)(rp_self *); /* takes it out of what it waits in; false: its end is on the way */
    struct rp__hook queue;    /* where it stands while it waits */
    void *got;                /* what the wait brings */
    rp_time since;
    rp_time until;            /* its deadline */
    void (*overdue)(rp_self *); /* asked for before the wait: called when that has lasted RP__OVERDUE, and each time
                                   that it has lasted twice as long, RP__LOOKS times in all */
    uint8_t edge;             /* what it is for: the floor above's */
    char blame[60];           /* who made the last wait fail */
    void *blame_site;         /* and where that one was spawned: of the wait with this number, */
    int rc;                   /* the wait's result */
    const char *why;          /* it was stopped */
    struct rp__timer timer;   /* the wait's deadline, or the next look into it, */
    struct rp__hook young;    /* or its place among those too young to have that (overdue.h) */
    struct rp__post remote;   /* by which another thread ends the wait, */
    int remote_rc;            /* with this */

    struct rp__hook ready;    /* in the loop's ready list */
    rp_self *next_free;
    struct rp__slot *msg;     /* the message a handler works on */
    int excused;              /* the error that is not this handler's own; 0: none. The floor above's */
    struct rp_msg *hand[RP__HANDS]; /* those it has received last, and not let go; the floor above's */
    struct rp__chunk *pin;    /* a suspended handler's message lies in this chunk */

    /* a task's */
    struct rp__scope *home;   /* the scope it was started in */
    struct rp__hook sibling;  /* in that scope */
    rp_task *task;            /* its handle; NULL: nobody asked for one */
    rp_task_fn *fn;
    void *arg;
    void (*main)(rp_self *me);

    char *low;                /* of the stack, guard included */
    uint32_t wait;            /* counts the waits on this stack, whoever has it: no two are alike */
    uint32_t blame_wait;      /* which may be over; then it is nothing */
    bool canary;              /* it has no guard: a word at its low end tells, afterwards */
    struct rp__fiber fiber;
};

#endif
