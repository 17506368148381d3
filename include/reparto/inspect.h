/* SPDX-License-Identifier: MIT
 *
 * inspect.h - looking inside a running program: what its actors and loops do at present.
 *
 * All is asked of each loop in portions, a few hundred actors at a time, and between two of them the loop
 * does its work: no loop is held for longer than one of them takes (about a tenth of a millisecond), however many
 * actors there are. So it is no picture of one instant. Each record is true for the moment its loop wrote
 * it; an actor that comes or goes meanwhile may be missed or be seen; none is seen twice, unless it moves
 * from one loop to another.
 *
 * The program `reparto` asks for the same from outside, where rp_system_opts.inspect or the environment
 * variable RP_INSPECT opens a socket for it: docs/inspect.md.
 *
 *     rp_inspection *i;
 *     rp_actor_info a;
 *     int rc = rp_inspect(me, 2000, &i);
 *     while (rc == 0 && (rc = rp_inspect_next(me, i, &a)) > 0)
 *         rc = 0, printf("%s %u\n", a.kind, a.depth);
 *     rp_inspect_end(me, i);
 */
#ifndef REPARTO_INSPECT_H
#define REPARTO_INSPECT_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rp_doing {
    RP_IDLE = 1, /* a handler with nothing to handle */
    RP_RUNNING,  /* the one that asks */
    RP_READY,    /* could go on, and waits for its turn */
    RP_WAITING,  /* is suspended: see `waits` */
    RP_ENDING,   /* has ended; its children have not yet */
    RP_FALLEN    /* under a supervisor, between two incarnations */
} rp_doing;

typedef enum rp_placed { /* why an actor lives where it does */
    RP_PLACED_HERE,   /* where its spawner was: RP_SAME */
    RP_PLACED_SPREAD,
    RP_PLACED_LEAST,
    RP_PLACED_KEY,
    RP_PLACED_LOOP,   /* that loop, or with another actor */
    RP_PLACED_MOVED,  /* by rp_move, of others or itself, */
    RP_PLACED_MOVER   /* or by a mover */
} rp_placed;

enum { RP_INFO = 96 }; /* bytes that rp_actor.info may write, the last of them a NUL */

typedef struct rp_actor_info { /* of an actor, or of one of its tasks */
    rp_ref ref, parent;   /* parent: none, the root */
    uint32_t loop;
    rp_placed placed;
    uint32_t task;        /* 0: the actor itself; else which of its tasks. At most 32 of an actor are listed */
    rp_doing doing;
    char kind[32];        /* rp_actor.name, cut off */
    char name[48];        /* it is registered under, cut off; "" */

    const char *waits;    /* for what, in a word or two; a literal. "": it does not wait */
    const void *object;   /* the lock, queue, scope, type; NULL: none */
    char object_name[32]; /* of a queue: rp_queue_opts.name, cut off; "" */
    rp_ref on;            /* whom: who is to reply, whose mailbox is full, who owns the lock or has it to read or write,
                             who runs the first run. None: nobody known. Whose a semaphore's units are, none knows */
    uint32_t holders;     /* how many have the lock, of whom `on` is one; 0: it waits for something else */
    rp_time since, until; /* of the wait. RP_FOREVER: it has no deadline of its own (its scopes may) */

    uint32_t depth, stashed, limit; /* messages in its mailbox; of those set aside; its bound */
    uint64_t bytes, limit_bytes;
    rp_time oldest;       /* the oldest of them has been there for at least so long. Exact within a millisecond
                             while the first one that came is not taken: of an actor that is stuck */
    uint32_t tasks;       /* up to 1,000 are counted */
    uint32_t children;
    uint32_t restarts;    /* by its supervisor, */
    bool supervised;      /* which is its parent */
    bool stopping;        /* it has been told to end */
    bool demoted;         /* others' messages go before its own (rp_system_opts.demote_ms) */
    char info[RP_INFO];   /* what its kind says of its state (rp_actor.info), cut off. "": nothing; of tasks always */
    size_t stack;         /* bytes of the stack it has at present; 0: none */
    size_t stack_used;    /* of those, in use while it is suspended */
    void *site;           /* where in the code it was spawned (rp_system_opts.sites). NULL: not known; of tasks always */
    rp_time cpu;          /* CPU time of it and its tasks, hooks and what its loop does around its messages, while
                             rp_profile lasts; of tasks 0. Keeps growing: two readings tell a share */
} rp_actor_info;

typedef struct rp_inspection rp_inspection;

/* Begins. `patience_ms`: how long it waits for an answer of a loop, each time; less, if that has not answered whoever
 * looks from outside before. -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_inspect(rp_self *me, int64_t patience_ms, rp_inspection **ret);

/* The next record: 1; 0: that was all. Each actor is followed by its tasks. Suspends. -ETIMEDOUT: a loop does not
 * answer (a handler holds it); ret->loop says which, and the next call goes on with the loop after it.
 * -ECANCELED, -EAGAIN in who may not wait, -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_inspect_next(rp_self *me, rp_inspection *i, rp_actor_info *ret);
RP_EXPORT void rp_inspect_end(rp_self *me, rp_inspection *i); /* any time; NULL too */

typedef struct rp_loop_info {
    uint32_t loop;
    uint32_t load;        /* how much of its time it is at work of late: 0 to 1000 */
    uint64_t turns, wakeups;
    uint32_t actors;      /* that live on it */
    uint32_t ready;       /* coroutines that could go on; up to 10,000 are counted */
    uint64_t queued;      /* messages in its own queue, */
    uint64_t inbound;     /* and slots in the rings from other loops */
    uint64_t timers;      /* that are set */
    uint32_t full;        /* mailboxes known here to be full */
    uint32_t stacks, stacks_free;
    int64_t pool_blocks;  /* taken here, less those given back here */
    rp_time cpu, cpu_own; /* CPU time of its thread while rp_profile lasts; of that, no actor's: it polls, fires timers, or
                             is a host's. The rest is that of its actors, and of some that have ended or moved away */
} rp_loop_info;

/* Suspends. -ETIMEDOUT: it does not answer; -EINVAL: there is no such loop; -ECANCELED, -EAGAIN, -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_inspect_loop(rp_self *me, unsigned loop, rp_time deadline, rp_loop_info *ret);

/* From now on, and for so long, each loop samples who has its CPU time, once in a ms of it or as often as the kernel looks at
 * its clock (each 4 ms at 250 Hz): after n of those what an actor has had is right to 1 in sqrt(n). Asked again while
 * it lasts: for longer, never for less. Before and after it costs nothing; while it lasts, a signal (SIGRTMAX - 4, whose
 * handler stays) for each sample, and no instruction of a loop. One that sleeps is sent none; where one falls into a call of the
 * kernel that burns CPU time, that may return EINTR. Suspends for up to a second. A loop that does not answer by then
 * (-ETIMEDOUT) begins when it does; where one fails the others sample.
 * -EINVAL: 0 ms; -ENOTSUP: simulated; -EBUSY: something else has a handler for that signal; -EPERM: in a host, which runs its
 * loop on another thread than at first; -ENOMEM: also, no timer to be had; -ECANCELED, -EAGAIN in who may not wait. */
RP_EXPORT RP_NODISCARD int rp_profile(rp_self *me, int64_t for_ms);

/* Where a suspended actor stands: the return addresses on its stack, the innermost first. `task`: as in
 * rp_actor_info, of an actor that has not moved on since; 0: its own. Up to n, at most 64. How many there are; suspends.
 * -ESRCH: no such actor of this process, or no such task; -ENOENT: it has no stack: it is idle;
 * -EBUSY: it runs. -ETIMEDOUT and so on as above. */
RP_EXPORT RP_NODISCARD int rp_backtrace(rp_self *me, rp_ref who, uint32_t task, void **ret, unsigned n);

/* Writes all of it to `fd` as text for people: loops, then actors. Suspends; the writing is done off the loop.
 * 0, or what write(2) said; -ECANCELED, -EAGAIN, -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_dump(rp_self *me, int fd);

#ifdef __cplusplus
}
#endif
#endif
