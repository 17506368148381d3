/* SPDX-License-Identifier: MIT
 *
 * system.h - N loops as one runtime. No process globals: two systems in one process do not meet.
 */
#ifndef RP__SYSTEM_H
#define RP__SYSTEM_H

#include "loop/base/address.h"
#include "loop/constant.h"
#include "loop/loop.h"
#include "loop/report.h"
#include "loop/world.h"
#include "reparto/stall.h"
#include "loop/stuck.h"

enum { RP__LOOPS_MAX = RP__LOOP_MASK }; /* what an address has bits for, less one */

/* What the floors above do for a loop. Set before the first turn; never changes. */
struct rp__floor {
    int  (*open)(struct rp_loop *l);
    void (*close)(struct rp_loop *l);     /* every loop has stopped */
    void (*dispatch)(struct rp_loop *l);  /* takes messages off the rings, a quantum of them */
    void (*suspended)(rp_self *me);       /* a handler is about to wait: it keeps this stack */
    void (*discard)(struct rp_loop *l, struct rp__slot *s); /* nobody will read it any more */
    const char *(*name)(const rp_self *me); /* of its actor, for reports */
    void (*about)(const rp_self *me, rp_report *about, char *to, size_t size); /* the same in words, for a report that fills in the rest */
    bool (*expects)(struct rp_loop *l);   /* on loop 0: somebody outside may still come (stuck.h) */
    unsigned (*say_waiting)(struct rp_loop *l, unsigned most); /* reports who waits, and for what; how many it has told of */
    void (*task_ends)(rp_self *me);       /* with messages in its hands */
    void (*right_came)(struct rp_loop *l, const struct rp__actor *a, struct rp__slot *s); /* into its mailbox: the right to reply to somebody */
    void (*overdue)(rp_self *me);         /* it has waited long for what somebody holds, or for a task. NULL: nobody looks into it */
    void (*at)(const rp_self *me, struct rp_stall *ret); /* who it is, and at what; of a thread that stands still */
    void (*overran)(struct rp_loop *l, rp_time took); /* one thing has, more than the budget; whose it was runs, or has run last on the scheduler's stack */
    /* It has had so much CPU time. False: nobody whose time is kept. In a signal handler, on its own thread. */
    bool (*ran)(const rp_self *me, rp_time ns);
};

struct rp_system {
    rp_alloc mem;
    const struct rp__world *world;
    void *world_ud;
    const struct rp__floor *floor;
    const struct rp__lookout *lookout; /* NULL: nobody is there, as in a simulation */
    void *up;              /* the floors' own state */
    unsigned nloops;
    struct rp_loop **loops;
    struct rp__pool **pools;
    uint64_t node;         /* this process's incarnation in every ref */
    uint64_t salt;         /* of maps whose keys come from elsewhere; told to nobody */
    /* Longest wait for work before blocking; 0: block at once. Set to 0 by who starts threads that need
     * the cores. relaxed: only a preference. */
    _Atomic rp_time spin;
    uint64_t chaos;        /* not 0: seed of a scheduler that is unfair on purpose */
    struct rp__seats *seats; /* by which loops are frozen; NULL: nobody looks */
    struct rp__stall *stall; /* the watchdog; NULL: there is none */
    uint32_t trace;        /* see trace.h */
    int trace_fd;
    struct rp__reports reports;
    struct rp__stuck stuck;
    struct rp__constants constants;
    rp_time began;         /* on its clock */
    bool unmeasured;       /* no message carries its time */
    rp_time budget;        /* what one thing may take; RP_FOREVER: any time */
    bool watched;          /* counted by overflow.c */
    bool forked;           /* this is a forked child: set there before anything else runs */
    struct rp__hook everywhere; /* in fork.c's list */
    /* Set once by whoever stops the system, read by every loop each turn. relaxed: the post that
     * carries the news to a loop orders everything else. */
    _Atomic bool stopping;
};

struct rp__system_opts;

/* Who looks at the loops' threads from outside (stall.h, freeze.h): from above, so that the loop knows nothing of it. */
struct rp__lookout {
    int  (*open)(rp_system *sys, const struct rp__system_opts *o); /* the loops are there, and do not run. 0, -ENOMEM, -EBUSY, ... */
    void (*close)(rp_system *sys);     /* no loop runs */
    void (*woken)(struct rp_loop *l);  /* on its thread, which has begun, or wakes */
};

extern const rp_alloc rp__libc_alloc;

struct rp__stall_opts {
    rp_time after;  /* 0: nothing is watched */
    void (*tell)(const rp_stall *s, void *ud); /* NULL: a line on standard error */
    void *ud;
};

struct rp__system_opts {
    unsigned loops;        /* 0: one per cpu */
    const rp_alloc *mem;   /* NULL: malloc and free */
    const struct rp__world *world;
    void *world_ud;
    const struct rp__floor *floor;
    const struct rp__lookout *lookout;
    void *up;
    rp_time spin;
    uint64_t chaos;
    bool in_host;          /* signal handlers only where the host has none (overflow.h) */
    bool unmeasured;
    rp_time budget;        /* for one thing that runs, or the floor is told; 0: none */
    bool frozen;           /* who looks from outside freezes its loops (freeze.h); a watchdog does anyway */
    int freeze_signo;      /* by this signal; 0: the usual one */
    struct rp__stall_opts stall;
    rp_report_fn *on_report; /* NULL: standard error */
    void *report_ud;
};

/* Builds a system of loops that have not begun to run. 0, -ENOMEM, -EINVAL, libuv's errors. */
int  rp__system_new(const struct rp__system_opts *o, rp_system **ret);
int  rp__system_run(rp_system *sys);    /* on this thread and nloops - 1 of its own; until stopped */
void rp__system_stop(rp_system *sys);   /* any thread, any time, any number of times */
void rp__system_free(rp_system *sys);   /* NULL and half-built ones too; not while it runs */

static inline void *rp__alloc(rp_system *sys, size_t size)
{
    return sys->mem.alloc(sys->mem.ud, size);
}

static inline void rp__free_mem(rp_system *sys, void *p, size_t size)
{
    if (p)
        sys->mem.free(sys->mem.ud, p, size);
}

#endif
