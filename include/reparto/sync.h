/* SPDX-License-Identifier: MIT
 *
 * sync.h - locks, events, semaphores and their kin, between coroutines of any loop.
 *
 * Actors need none of these to talk to each other. They are for memory that several actors or tasks share
 * on purpose, and for what is scarce: connections, calls per second.
 *
 *   Memory      Each is a struct of the caller's. All zero is a new one, except where there is an init;
 *               nothing has to be freed. It must outlive every call on it.
 *   Fair        First come, first served; what is released goes to the one who has waited longest.
 *   Cancelled   -ECANCELED and -ETIMEDOUT mean that it did not happen, and nobody behind is held up by it.
 *               A deadline that has passed (0) asks once: what need not wait succeeds.
 *   Owners      A lock is held by a coroutine: a task, an actor's `run`, or one call of a handler. If that
 *               ends holding it, the next to get it is told, once: -EOWNERDEAD. It owns the lock all the same,
 *               and what the lock guards may be half done.
 *   Deadlock    A ring of actors in which each waits for what the next one holds, or for its reply, or for room in its
 *               mailbox: one of them is told, -EDEADLK, and rp_blame says who they are. It has got nothing, and
 *               gives back what it has. See docs/queues.md.
 *   Threads     What takes no rp_self: from any thread. The rest: from coroutines, of any loop and system.
 */
#ifndef REPARTO_SYNC_H
#define REPARTO_SYNC_H

#include "reparto/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lock: one owner ------------------------------------------------------------------------------ */

typedef struct rp_lock {
    uint64_t opaque[8];
} rp_lock;

/* Suspends while another owns it. -EOWNERDEAD: see above. -EDEADLK: the caller owns it, or its owner waits for the caller. */
RP_EXPORT RP_NODISCARD int rp_lock_acquire(rp_self *me, rp_lock *k, rp_time deadline);
RP_EXPORT RP_NODISCARD int rp_lock_try(rp_self *me, rp_lock *k); /* -EAGAIN; also in a cancelled scope */
RP_EXPORT int rp_lock_release(rp_self *me, rp_lock *k);          /* -EPERM: the caller does not own it */

/* ---- readers and writers ---------------------------------------------------------------------------
 * Many readers or one writer. Fair: a reader does not pass a writer that waits. */

typedef struct rp_rwlock {
    uint64_t opaque[6];
} rp_rwlock;

/* Suspend. -EOWNERDEAD; -EDEADLK: the caller holds it, in whatever way, or one who holds it waits for the caller;
 * -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_rwlock_read(rp_self *me, rp_rwlock *k, rp_time deadline);
RP_EXPORT RP_NODISCARD int rp_rwlock_write(rp_self *me, rp_rwlock *k, rp_time deadline);
RP_EXPORT int rp_rwlock_release(rp_self *me, rp_rwlock *k); /* -EPERM */

/* ---- condition: something about what a lock guards has changed -------------------------------------- */

typedef struct rp_cond {
    uint64_t opaque[4];
} rp_cond;

/* Releases `k`, waits to be signalled, owns `k` again when it returns, whatever it returns (but for -EPERM:
 * the caller did not own it). Suspends; only the waiting for the signal can be cancelled, not that for the
 * lock. Is never woken without a signal, but the world may have changed in between: look again. -EOWNERDEAD:
 * the lock's last owner died; whether there was a signal too is then not known. */
RP_EXPORT RP_NODISCARD int rp_cond_wait(rp_self *me, rp_cond *c, rp_lock *k, rp_time deadline);
RP_EXPORT void rp_cond_signal(rp_cond *c);    /* the one who has waited longest */
RP_EXPORT void rp_cond_broadcast(rp_cond *c); /* all; they go on one after another, as the lock comes to them */

/* ---- event: it has happened ------------------------------------------------------------------------- */

typedef struct rp_event {
    uint64_t opaque[4];
} rp_event;

RP_EXPORT RP_NODISCARD int rp_event_wait(rp_self *me, rp_event *e, rp_time deadline); /* suspends until it is set */
RP_EXPORT void rp_event_set(rp_event *e);   /* all who wait now go on, even if it is cleared at once */
RP_EXPORT void rp_event_clear(rp_event *e);
RP_EXPORT bool rp_event_is_set(rp_event *e);

/* ---- semaphore: n of something ---------------------------------------------------------------------- */

typedef struct rp_sem {
    uint64_t opaque[5];
} rp_sem;

/* `n` units now, never more than `most` (0: 2^32-1). -EINVAL: n > most. */
RP_EXPORT RP_NODISCARD int rp_sem_init(rp_sem *s, uint32_t n, uint32_t most);
/* Takes `n` units at once. Suspends until they are there; who asks for many is not passed by who asks for
 * few. -EINVAL: n is 0, or more than there can ever be. */
RP_EXPORT RP_NODISCARD int rp_sem_acquire(rp_self *me, rp_sem *s, uint32_t n, rp_time deadline);
RP_EXPORT RP_NODISCARD int rp_sem_try(rp_sem *s, uint32_t n);  /* -EAGAIN */
RP_EXPORT int rp_sem_release(rp_sem *s, uint32_t n);           /* -EOVERFLOW: beyond `most`; nothing was released */

/* ---- limiter: so many per time ---------------------------------------------------------------------- */

typedef struct rp_limiter {
    uint64_t opaque[9];
} rp_limiter;

/* A bucket of `burst` tokens, full now, into which `rate` tokens come in each `per` ns. -EINVAL: one of
 * them is not positive, or their product, burst * per, is beyond 2^62. */
RP_EXPORT RP_NODISCARD int rp_limiter_init(rp_limiter *m, uint64_t rate, rp_time per, uint64_t burst);
/* Takes `n` tokens. Suspends until they are there. -ETIMEDOUT comes as soon as it is known that they cannot be
 * there in time. -EINVAL: n is 0, or more than the bucket holds. */
RP_EXPORT RP_NODISCARD int rp_limiter_acquire(rp_self *me, rp_limiter *m, uint64_t n, rp_time deadline);
RP_EXPORT RP_NODISCARD int rp_limiter_try(const rp_self *me, rp_limiter *m, uint64_t n); /* -EAGAIN */

/* ---- barrier: n together ---------------------------------------------------------------------------- */

typedef struct rp_barrier {
    uint64_t opaque[5];
} rp_barrier;

RP_EXPORT RP_NODISCARD int rp_barrier_init(rp_barrier *b, uint32_t n); /* -EINVAL: n is 0 */
/* Suspends until n have come; then all go on, and it is ready for the next n. 1 to the last that came, 0 to
 * the others. Who gives up has not come. */
RP_EXPORT RP_NODISCARD int rp_barrier_wait(rp_self *me, rp_barrier *b, rp_time deadline);

/* ---- once ------------------------------------------------------------------------------------------- */

typedef struct rp_once {
    uint64_t opaque[5];
} rp_once;

/* Runs fn(me, arg), which may suspend, unless it has succeeded before; who comes while it runs waits for it.
 * 0: it has run. If it fails its caller gets what it returned, and the next who waits runs its own.
 * Suspends. -EDEADLK: called from within fn, or who runs it waits for the caller. */
RP_EXPORT RP_NODISCARD int rp_once_run(rp_self *me, rp_once *o, rp_task_fn *fn, void *arg, rp_time deadline);

#ifdef __cplusplus
}
#endif
#endif
