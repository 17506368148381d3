/* SPDX-License-Identifier: MIT
 *
 * loop.h - the ground floor: loops, coroutines, scopes, time.
 *
 *   Errors      0 or a count on success, a negative errno value on failure (as libuv on Unix).
 *               `errno` is never read or written: it is wrong after a switch of stacks.
 *   Arguments   `me` must be valid: it is not looked at. Any other argument that cannot be right is -EINVAL and nothing has
 *               happened: NULL where something is needed, an enum out of its range. A call that returns no int returns
 *               NULL, false, 0 or nobody then; one that returns nothing does nothing. Where NULL is allowed the comment
 *               says so; `arg` and `ud` are only handed on, and `why` may always be NULL.
 *   Suspends    only a call whose first argument is a non-const `rp_self *` and whose comment says so.
 *               Inside `init` and `fini`, and in an actor with RP_NOWAIT, such a call that would have
 *               to wait returns -EAGAIN instead.
 *   Deadlines   absolute, ns on the system's clock: rp_in_ms(me, 500), never a mere 500; RP_FOREVER means "as long as my scopes allow".
 *               The effective deadline is the earliest of the argument and of every enclosing scope.
 *   Cancelled   -ECANCELED, and it means that the operation did not happen. It is a state, not an
 *               event (trio, libdill): every later suspending call in that scope fails too.
 *   fork        a child of fork() has no part in its parent's systems: every call that would change
 *               something is -EPERM there. It may start a system of its own. It ends by exec, _exit or exit(), which
 *               runs the program's exit handlers: those must not count on threads that the child does not have.
 *   Rests       such a call may let others run although it need not wait, when the turn of its loop is over: a loop
 *               around it starves nobody, and can be stopped.
 *   Threads     an `rp_self` belongs to the loop it runs on; hand it to no other thread. The same is true of a scope and
 *               of a task: rp_scope_cancel, rp_task_cancel and rp_task_result are for code of their own loop only. What
 *               another thread wants to end it posts there (rp_post), or stops (rp_quit, rp_stop).
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
 * variables. The first task that fails cancels the rest, and its result is the scope's. A task that is cancelled by
 * its own handle and returns -ECANCELED has not failed: its siblings go on.
 *
 *     rp_scope s;
 *     rp_scope_open(me, &s, rp_in_ms(me, 500));
 *     int rc = rp_go(me, &s, fetch, &a, NULL);
 *     if (rc == 0) rc = rp_go(me, &s, fetch, &b, NULL);
 *     rc = rp_scope_close(me, &s, rc);            // both have ended, whatever happened
 */
typedef struct rp_scope {
    uint64_t opaque[24]; /* see loop/scope.h */
} rp_scope;

typedef int rp_task_fn(rp_self *me, void *arg); /* < 0: failed */

/* Opens `s` as the caller's innermost scope. Scopes close in the reverse order of opening, and each
 * must be closed, on every path out of the function that opened it: who returns over an open scope ends the process, with a line
 * that says so (report.h). */
RP_EXPORT void rp_scope_open(rp_self *me, rp_scope *s, rp_time deadline);

/* The same, and what is cancelled around it does not reach in: waits in it, and its tasks, go on in a scope that has been
 * cancelled or is meanwhile, and in an actor that has been stopped. For the last words that must be said: a goodbye that is
 * answered, a file that is written. `deadline` is all that ends it, besides rp_scope_cancel(s) and a task that fails: give
 * it one, for it holds up who waits for the end. Calls get their replies; but to a stopped actor no messages come.
 *
 *     int rc = rp_sleep(me, RP_FOREVER);           // -ECANCELED: we are to end
 *     rp_scope_open_shielded(me, &s, rp_in_ms(me, 200));
 *     int said = rp_call(me, peer, BYE, &bye, &reply, RP_FOREVER);
 *     return rp_scope_close(me, &s, said) ? -EIO : rc;
 */
RP_EXPORT void rp_scope_open_shielded(rp_self *me, rp_scope *s, rp_time deadline);

/* Starts fn(arg) as a task of `s`: the caller's own scope, or one of another coroutine of this loop
 * that is still open. It runs on the next pass. `ret` may be NULL (its result then counts for the
 * scope and is forgotten); otherwise the handle lives until the scope is closed.
 * -ECANCELED in a cancelled scope; -ENOMEM; -EAGAIN: the caller may not wait, and so could not close it. */
RP_EXPORT RP_NODISCARD int rp_go(rp_self *me, rp_scope *s, rp_task_fn *fn, void *arg, rp_task **ret);

/* Suspends until every task of `s` has ended. `rc` < 0 says that the opener itself failed and
 * cancels them first. Returns the first failure; -ETIMEDOUT when the scope's own deadline fired;
 * -ECANCELED when it was cancelled from outside; else `rc`. The waiting itself cannot be cancelled. */
RP_EXPORT RP_NODISCARD int rp_scope_close(rp_self *me, rp_scope *s, int rc);

/* Cancels what runs in `s`, its opener included, until `s` is closed. On the loop of `s`. `why` is copied, cut off at 31
 * bytes unless it is a literal; NULL: "cancelled". */
RP_EXPORT void rp_scope_cancel(rp_scope *s, const char *why);

/* Why the innermost cancelled scope was cancelled, or why the actor was stopped; NULL: neither. Valid until that scope is
 * closed, or the actor has ended. */
RP_EXPORT const char *rp_why(const rp_self *me);

/* 0, or -ECANCELED where a suspending call would return it. Does not suspend. */
RP_EXPORT RP_NODISCARD int rp_scope_check(const rp_self *me);

/* Suspends until the task has ended. 0: its result is in `*result`, which may be NULL. May be called any number of times,
 * from any coroutine of the task's loop.
 * -EDEADLK: the task would not end before the caller: it is the caller, or it waits for the caller's end, if only through
 *           others. At once where that is seen at once, else when the wait has lasted.
 * -ECANCELED: the caller is cancelled, also when the task has ended. After a failure in the scope, rp_task_result has what
 *           the other tasks returned. */
RP_EXPORT RP_NODISCARD int rp_join(rp_self *me, rp_task *task, int *result, rp_time deadline);

/* What a task has returned, until its scope is closed; in a cancelled scope too. `result` may be NULL. -EAGAIN: it has not
 * ended. On the task's loop. Does not suspend. */
RP_EXPORT RP_NODISCARD int rp_task_result(const rp_task *task, int *result);

/* Cancels this task alone, and the scopes that it has opened: its waits fail with -ECANCELED until it returns. If it returns
 * that, its scope and its siblings go on as if it had returned 0, and *result of rp_join is -ECANCELED; any other error is a failure
 * as usual. One that has not begun does not begin. On the loop of the task; one that has ended is left alone. */
RP_EXPORT void rp_task_cancel(rp_task *task, const char *why);

/* ---- other threads ------------------------------------------------------------------------------ */

/* Suspends while fn(arg) runs on libuv's thread pool, off the loop; returns what it returned.
 * For blocking calls and long computations. Once it has begun it cannot be cancelled: the caller then
 * goes on waiting, past its deadline too, because `arg` may be on its stack.
 * The pool has 4 threads for all systems of the process (UV_THREADPOOL_SIZE, before the first use: up to 1,024): so many
 * calls block at once, and what comes after waits for one of them to end, or for its own deadline. Its threads stay until
 * the process ends. The runtime itself never waits for one. */
RP_EXPORT RP_NODISCARD int rp_offload(rp_self *me, int (*fn)(void *arg), void *arg, rp_time deadline);

/* Runs fn(arg) soon on a loop of `sys`, from any thread. FIFO per posting thread.
 * -EINVAL: no such loop, or NULL. -ESHUTDOWN: the system has stopped; fn will not run. -ENOMEM.
 * `sys` is good as long as for rp_quit (embed.h), which says what comes after. */
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
