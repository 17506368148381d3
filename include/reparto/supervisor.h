/* SPDX-License-Identifier: MIT
 *
 * supervisor.h - supervision trees: who fails is started again, by rules stated beforehand.
 *
 *     static const rp_child shop[] = {
 *         {.actor = &stock, .opts = {.name = "stock"}},
 *         {.actor = &till, .opts = {.name = "till", .on = RP_SPREAD}, .restart = RP_ON_FAILURE},
 *     };
 *     rp_supervisor s = {.strategy = RP_REST_FOR_ONE, .children = shop, .nchildren = 2};
 *     rc = rp_supervise(me, &s, NULL, NULL);      // both have begun, in this order
 *
 * A restart is not an end. The address lives on: refs to it stay good, it keeps its name, RP_DOWN does not
 * come, links hold, messages wait for it. What its incarnation made is gone before the next begins: its
 * state, stack, children, timers. RP_DOWN comes when it is not restarted any more.
 *
 * A failure is what ends an actor with a negative result: returned, by rp_fail, or by a link. A stack
 * overflow is none: it ends the process, which nothing could honestly go on in.
 */
#ifndef REPARTO_SUPERVISOR_H
#define REPARTO_SUPERVISOR_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rp_strategy {
    RP_ONE_FOR_ONE = 0, /* only who failed is restarted */
    RP_ONE_FOR_ALL,     /* all are: they are stopped first, in reverse order */
    RP_REST_FOR_ONE     /* it, and those after it */
} rp_strategy;

typedef enum rp_restart {
    RP_ALWAYS = 0,
    RP_ON_FAILURE, /* not when it returned 0, and not when somebody stopped it */
    RP_NEVER       /* nor with others */
} rp_restart;

/* The messages that stand in its mailbox when an incarnation ends, and those that come until the next has
 * begun. The one it was at is lost: a call is answered -EPIPE. */
typedef enum rp_mail {
    RP_MAIL_KEEP = 0, /* wait for the next, within the mailbox's bound */
    RP_MAIL_DROP,     /* are dropped; calls get -EAGAIN */
    RP_MAIL_DEAD      /* are dead letters; calls get -ESRCH */
} rp_mail;

typedef struct rp_supervisor rp_supervisor;

typedef struct rp_child {
    const rp_actor *actor;           /* either this, */
    const rp_supervisor *supervisor; /* or a supervisor: its whole tree is copied */
    rp_spawn_opts opts;  /* opts.arg goes to each incarnation: it lives as long as the supervisor */
    rp_restart restart;
    rp_mail mail;
    int64_t stop_ms;     /* how long to wait for its end before reporting it; 0: 5 s; < 0: for ever */
    bool significant;    /* when it is not restarted any more, the supervisor ends too, with its reason */
} rp_child;

typedef enum rp_supervised {
    RP_CHILD_STARTED = 1,
    RP_CHILD_FELL,      /* an incarnation ended by itself, with `reason` */
    RP_CHILD_RESTARTED,
    RP_CHILD_STOPPED,   /* by the supervisor */
    RP_CHILD_STUCK,     /* told to stop, and still there after its stop_ms */
    RP_CHILD_GONE,      /* it will not be restarted */
    RP_GAVE_UP          /* the intensity was exceeded: the supervisor ends with `reason` */
} rp_supervised;

typedef struct rp_supervision { /* what happened; valid during the call */
    rp_supervised what;
    rp_ref child;
    const char *name; /* of its kind */
    int reason;
    const char *why;  /* of its end; "" */
    uint32_t failures; /* in a row */
    rp_time again;    /* after RP_CHILD_FELL: when it will be restarted; 0: it will not */
} rp_supervision;

struct rp_supervisor { /* all zero: no children, one for one, at most 3 restarts in 5 s, at once */
    const char *name;
    rp_strategy strategy;
    const rp_child *children; /* copied, with all that they describe, when the first of its tree is started */
    size_t nchildren;
    uint32_t restarts;    /* the failure after so many restarts */
    uint32_t within_ms;   /* within this time is too much: it stops all and ends with that failure. 0: 3 in 5 s */
    uint32_t backoff_ms;     /* wait before a restart, doubled with each failure in a row, */
    uint32_t backoff_max_ms; /* up to this (0: 1000 times), less a random part of up to a half. Who has lived
                                longer than the longest wait begins anew */
    void (*event)(rp_self *me, void *arg, const rp_supervision *e); /* runs in the supervisor; may not wait */
    void *event_arg;
};

/* Starts a supervisor as a child of the caller, and its children in the order of the table, each when the
 * init of the one before has returned. `o` (may be NULL, as `ret`) is for the supervisor itself. Suspends until all
 * have begun. When one cannot, those before it have been stopped and its error is returned.
 *
 * A supervisor that ends, because it is stopped, its parent ends, or it gives up, stops its children in
 * reverse order, each when the one after it has ended. A coroutine that ignores its cancelling cannot be
 * killed: after stop_ms it is reported (RP_CHILD_STUCK) and those before it are told to stop; the
 * supervisor waits for it all the same, and its own supervisor may report it in turn. */
RP_EXPORT RP_NODISCARD int rp_supervise(rp_self *me, const rp_supervisor *s, const rp_spawn_opts *o, rp_ref *ret);

/* The address of the i-th child of the table. Suspends. -ENOENT: it has ended for good. */
RP_EXPORT RP_NODISCARD int rp_supervise_child(rp_self *me, rp_ref supervisor, size_t i, rp_ref *ret);

/* Adds a child behind the others, and starts it. `ret` may be NULL. Suspends. What its start returns when that fails;
 * -ECANCELED: the supervisor is about to end. */
RP_EXPORT RP_NODISCARD int rp_supervise_add(rp_self *me, rp_ref supervisor, const rp_child *c, rp_ref *ret);

/* Stops a child for good. Suspends until it has ended. -ESRCH. */
RP_EXPORT RP_NODISCARD int rp_supervise_remove(rp_self *me, rp_ref supervisor, rp_ref child);

/* ---- for the children ----------------------------------------------------------------------------- */

/* Leaves a copy of `body` to the next incarnation, in place of what was left before. Any time, in fini too.
 * -ENOENT: not under a supervisor. -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_bequeath(rp_self *me, const rp_type *t, const void *body);

/* Takes what was left, from init on; it is the caller's to drop. Once: what makes an incarnation fail is not
 * found again by the one after it, unless it was left again. -ENOENT: nothing. -ENOMEM: it stays left. */
RP_EXPORT RP_NODISCARD int rp_inherit(rp_self *me, rp_msg **ret);

/* How many incarnations there were before this one. */
RP_EXPORT uint32_t rp_restarts(const rp_self *me);

#ifdef __cplusplus
}
#endif
#endif
