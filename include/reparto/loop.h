/* SPDX-License-Identifier: MIT
 *
 * loop.h - the ground floor: loops, coroutines, scopes, time.
 *
 *   Errors      0 or a count on success, a negative errno value on failure (as libuv on Unix).
 *               `errno` is never read or written: it is wrong after a switch of stacks.
 *   Suspends    only a call whose first argument is a non-const `rp_self *` and whose comment says so.
 *               Inside `init` and `fini`, and in an actor with RP_NOWAIT, such a call that would have
 *               to wait returns -EAGAIN instead.
 *   Deadlines   absolute, ns on the system's clock; RP_FOREVER means "as long as my scopes allow".
 *               The effective deadline is the earliest of the argument and of every enclosing scope.
 *   Cancelled   -ECANCELED, and it means that the operation did not happen. It is a state, not an
 *               event (trio, libdill): every later suspending call in that scope fails too.
 *   fork        a child of fork() has no part in its parent's systems: every call that would change
 *               something is -EPERM there. It may start a system of its own.
 *   Threads     an `rp_self` belongs to the loop it runs on; hand it to no other thread.
 */
#ifndef REPARTO_LOOP_H
#define REPARTO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RP_EXPORT    __attribute__((visibility("default")))
#define RP_NODISCARD __attribute__((warn_unused_result))
#define RP_FOREVER   INT64_MAX

typedef struct rp_system rp_system; /* N loops as one runtime; no process globals, several per process */
typedef struct rp_self   rp_self;   /* the running coroutine's or handler's own view */
typedef struct rp_task   rp_task;   /* a coroutine of this loop, started in a scope */
typedef int64_t          rp_time;   /* ns, monotonic; starts anywhere */

/* Where memory comes from. `free` gets the size that was asked for. Called from every loop. */
typedef struct rp_alloc {
    void *(*alloc)(void *ud, size_t size); /* NULL: out of memory, which becomes -ENOMEM */
    void (*free)(void *ud, void *p, size_t size);
    void *ud;
} rp_alloc;

/* ---- time --------------------------------------------------------------------------------------- */

#define RP_US ((rp_time)1000)
#define RP_MS (1000 * RP_US)
#define RP_S  (1000 * RP_MS)

RP_EXPORT rp_time rp_now(const rp_self *me);

/* `ms` from now, as a deadline. Negative is now; too far to represent is RP_FOREVER. */
RP_EXPORT rp_time rp_in_ms(const rp_self *me, int64_t ms);

/* Suspends until `until`, never less. Timers have a resolution of 1 ms. */
RP_EXPORT RP_NODISCARD int rp_sleep(rp_self *me, rp_time until);

/* Suspends for one pass: whatever was ready when it was called runs first. */
RP_EXPORT RP_NODISCARD int rp_yield(rp_self *me);

/* ---- scopes own tasks ---------------------------------------------------------------------------
 * Structured concurrency after trio: tasks live in a scope, the scope lives on its opener's stack,
 * and rp_scope_close returns only when every task in it has ended. So a task may use its parent's
 * variables. The first task that fails cancels the rest, and its result is the scope's.
 *
 *     rp_scope s;
 *     rp_scope_open(me, &s, rp_in_ms(me, 500));
 *     int rc = rp_go(me, &s, fetch, &a, NULL);
 *     if (rc == 0) rc = rp_go(me, &s, fetch, &b, NULL);
 *     rc = rp_scope_close(me, &s, rc);            // both have ended, whatever happened
 */
typedef struct rp_scope {
    uint64_t opaque[20]; /* see loop/scope.h */
} rp_scope;

typedef int rp_task_fn(rp_self *me, void *arg); /* < 0: failed */

/* Opens `s` as the caller's innermost scope. Scopes close in the reverse order of opening, and each
 * must be closed: a function that returns over an open scope is stopped by an assertion. */
RP_EXPORT void rp_scope_open(rp_self *me, rp_scope *s, rp_time deadline);

/* Starts fn(arg) as a task of `s`: the caller's own scope, or one of another coroutine of this loop
 * that is still open. It runs on the next pass. `ret` may be NULL (its result then counts for the
 * scope and is forgotten); otherwise the handle lives until the scope is closed.
 * -ECANCELED in a cancelled scope; -ENOMEM; -EAGAIN: the caller may not wait, and so could not close it. */
RP_EXPORT RP_NODISCARD int rp_go(rp_self *me, rp_scope *s, rp_task_fn *fn, void *arg, rp_task **ret);

/* Suspends until every task of `s` has ended. `rc` < 0 says that the opener itself failed and
 * cancels them first. Returns the first failure; -ETIMEDOUT when the scope's own deadline fired;
 * -ECANCELED when it was cancelled from outside; else `rc`. The waiting itself cannot be cancelled. */
RP_EXPORT RP_NODISCARD int rp_scope_close(rp_self *me, rp_scope *s, int rc);

/* Cancels what runs in `s`, its opener included, until `s` is closed. `why` (a literal) is kept. */
RP_EXPORT void rp_scope_cancel(rp_scope *s, const char *why);

/* Why the innermost cancelled scope was cancelled, or why the actor was stopped; NULL: neither. */
RP_EXPORT const char *rp_why(const rp_self *me);

/* 0, or -ECANCELED where a suspending call would return it. Does not suspend. */
RP_EXPORT RP_NODISCARD int rp_check(const rp_self *me);

/* Suspends until the task has ended; 0 and its result in `*result`. Any number of times. */
RP_EXPORT RP_NODISCARD int rp_join(rp_self *me, rp_task *task, int *result, rp_time deadline);
RP_EXPORT void rp_task_cancel(rp_task *task, const char *why);

/* ---- other threads ------------------------------------------------------------------------------ */

/* Suspends while fn(arg) runs on libuv's thread pool, off the loop; returns what it returned.
 * For blocking calls and long computations. Once it has begun it cannot be cancelled: the caller then
 * goes on waiting, past its deadline too, because `arg` may be on its stack. */
RP_EXPORT RP_NODISCARD int rp_offload(rp_self *me, int (*fn)(void *arg), void *arg, rp_time deadline);

/* Runs fn(arg) soon on a loop of `sys`, from any thread. FIFO per posting thread.
 * -EINVAL: no such loop. -ESHUTDOWN: the system has stopped; fn will not run. -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_post(rp_system *sys, unsigned loop, void (*fn)(void *arg), void *arg);

/* ---- who am I ----------------------------------------------------------------------------------- */

RP_EXPORT rp_system *rp_system_of(const rp_self *me);
RP_EXPORT unsigned   rp_loop_index(const rp_self *me);
RP_EXPORT unsigned   rp_loop_count(const rp_self *me);
RP_EXPORT uint64_t   rp_random(rp_self *me); /* not for secrets; seeded and repeatable in a simulation */
RP_EXPORT const char *rp_strerror(int err);

#ifdef __cplusplus
}
#endif
#endif
