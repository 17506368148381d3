/* SPDX-License-Identifier: MIT
 *
 * sync_waits.c - the waits of queues and locks. On the last loop a partner has, or brings, what is waited
 * for; afterwards it must be where the results say it is.
 */
#include "tests/stress/waits.h"

struct sync { /* what is waited for: one of them */
    rp_queue *queue;
    rp_lock lock;
    rp_rwlock rwlock;
    rp_cond cond;
    rp_event event;
    rp_sem sem;
    rp_limiter limiter;
    rp_barrier barrier;
    rp_once once;
};

static struct sync sync;

static int pause_a_bit(rp_self *me)
{
    return rp_sleep(me, rp_in_ms(me, SLOW_MS));
}

static void fresh(rp_self *me, struct trial *t)
{
    (void)me;
    memset(&sync, 0, sizeof sync);
    t->sync = &sync;
}

/* Alone with it, for a while. */
static int alone(rp_self *me, struct trial *t)
{
    check_eq(t->inside, 0);
    t->inside++;
    int rc = rp_yield(me);
    t->inside--;
    t->done++;
    return rc;
}

/* ---- queues --------------------------------------------------------------------------------------------- */

enum { FIRST = 100, SECOND = 7 };

static void queue_of(struct trial *t, rp_self *me, uint32_t capacity)
{
    fresh(me, t);
    check_eq(rp_queue_new(sizeof(int), capacity, NULL, &t->sync->queue), 0);
}

static void room_for_four(rp_self *me, struct trial *t)
{
    queue_of(t, me, 4);
}

static void room_for_none(rp_self *me, struct trial *t)
{
    queue_of(t, me, 0);
}

static void one_that_is_full(rp_self *me, struct trial *t)
{
    queue_of(t, me, 1);
    check_eq(rp_queue_try_put(t->sync->queue, &(int){FIRST}), 0);
}

/* The items that are left: these, and no others. 0: none. */
static void left(struct trial *t, int item)
{
    int got = 0;
    check_eq(rp_queue_try_get(t->sync->queue, &got), item ? 0 : -EAGAIN);
    check_eq(got, item);
    check_eq(rp_queue_try_get(t->sync->queue, &got), -EAGAIN);
    rp_queue_free(t->sync->queue);
}

static int put_late(rp_self *me, struct trial *t)
{
    int rc = pause_a_bit(me);
    return rc != 0 ? rc : rp_queue_put(me, t->sync->queue, &(int){SECOND}, RP_FOREVER);
}

static int offer_late(rp_self *me, struct trial *t)
{
    int rc = pause_a_bit(me);
    t->partner_rc = rc != 0 ? rc : rp_queue_put(me, t->sync->queue, &(int){SECOND}, rp_in_ms(me, 3 * SLOW_MS));
    return 0;
}

static int w_get(rp_self *me, struct trial *t)
{
    int got = 0, rc = rp_queue_get(me, t->sync->queue, &got, RP_FOREVER);
    check_eq(got, rc == 0 ? SECOND : 0);
    t->done += rc == 0;
    return rc;
}

static void got_or_left(rp_self *me, struct trial *t)
{
    (void)me;
    left(t, t->done ? 0 : SECOND);
}

/* Every other time it ends without having said that it is done. */
static int w_take(rp_self *me, struct trial *t)
{
    rp_lease lease = {0};
    int got = 0, rc = rp_queue_take(me, t->sync->queue, &got, &lease, RP_FOREVER);
    check_eq(got, rc == 0 ? SECOND : 0);
    if (rc == 0 && t->after % 2 == 0) {
        rc = rp_yield(me);
        check_eq(rp_lease_done(me, &lease), 0);
        t->done++;
    }
    return rc;
}

static int get_late(rp_self *me, struct trial *t)
{
    int got = 0, rc = pause_a_bit(me);
    t->partner_rc = rc != 0 ? rc : rp_queue_get(me, t->sync->queue, &got, rp_in_ms(me, 3 * SLOW_MS));
    t->value = (uint64_t)got;
    return 0;
}

static int w_put(rp_self *me, struct trial *t)
{
    int rc = rp_queue_put(me, t->sync->queue, &(int){SECOND}, RP_FOREVER);
    t->done += rc == 0;
    return rc;
}

static void put_or_not(rp_self *me, struct trial *t)
{
    (void)me;
    check_eq(t->partner_rc, 0);
    check_eq(t->value, FIRST);
    left(t, t->done ? SECOND : 0);
}

static void met_or_not(rp_self *me, struct trial *t)
{
    (void)me;
    check_eq(t->partner_rc, t->done ? 0 : -ETIMEDOUT);
    check_eq(t->value, t->done ? SECOND : 0);
    left(t, 0);
}

static void taken_or_not(rp_self *me, struct trial *t)
{
    (void)me;
    check_eq(t->partner_rc, t->done ? 0 : -ETIMEDOUT);
    left(t, 0);
}

static int do_the_work(rp_self *me, struct trial *t)
{
    rp_lease lease = {0};
    int got, rc = rp_queue_take(me, t->sync->queue, &got, &lease, RP_FOREVER);
    return rc != 0 ? rc : pause_a_bit(me) + rp_lease_done(me, &lease);
}

static int w_queue_join(rp_self *me, struct trial *t)
{
    int rc = rp_queue_join(me, t->sync->queue, RP_FOREVER);
    rp_queue_stats s;
    rp_queue_read(t->sync->queue, &s);
    check(rc != 0 || s.count + s.leased == 0);
    return rc;
}

static void all_done(rp_self *me, struct trial *t)
{
    (void)me;
    left(t, 0);
}

/* ---- locks ---------------------------------------------------------------------------------------------- */

static int hold_lock(rp_self *me, struct trial *t)
{
    check_eq(rp_lock_acquire(me, &t->sync->lock, RP_FOREVER), 0);
    t->ready = true;
    check_eq(pause_a_bit(me), 0);
    return rp_lock_release(me, &t->sync->lock);
}

static int w_lock(rp_self *me, struct trial *t)
{
    int rc = rp_lock_acquire(me, &t->sync->lock, RP_FOREVER);
    if (rc != 0)
        return rc;
    rc = alone(me, t);
    check_eq(rp_lock_release(me, &t->sync->lock), 0);
    return rc;
}

static void lock_is_free(rp_self *me, struct trial *t)
{
    check_eq(rp_lock_try(me, &t->sync->lock), 0);
    check_eq(rp_lock_release(me, &t->sync->lock), 0);
}

static int hold_write(rp_self *me, struct trial *t)
{
    check_eq(rp_rwlock_write(me, &t->sync->rwlock, RP_FOREVER), 0);
    t->ready = true;
    check_eq(pause_a_bit(me), 0);
    return rp_rwlock_release(me, &t->sync->rwlock);
}

static int hold_read(rp_self *me, struct trial *t)
{
    check_eq(rp_rwlock_read(me, &t->sync->rwlock, RP_FOREVER), 0);
    t->ready = true;
    check_eq(pause_a_bit(me), 0);
    return rp_rwlock_release(me, &t->sync->rwlock);
}

static int w_read(rp_self *me, struct trial *t)
{
    int rc = rp_rwlock_read(me, &t->sync->rwlock, RP_FOREVER);
    if (rc == 0)
        check_eq(rp_rwlock_release(me, &t->sync->rwlock), 0);
    return rc;
}

static int w_write(rp_self *me, struct trial *t)
{
    int rc = rp_rwlock_write(me, &t->sync->rwlock, RP_FOREVER);
    if (rc != 0)
        return rc;
    rc = alone(me, t);
    check_eq(rp_rwlock_release(me, &t->sync->rwlock), 0);
    return rc;
}

static void rwlock_is_free(rp_self *me, struct trial *t)
{
    check_eq(rp_rwlock_write(me, &t->sync->rwlock, 0), 0);
    check_eq(rp_rwlock_release(me, &t->sync->rwlock), 0);
}

static int change(rp_self *me, struct trial *t)
{
    check_eq(pause_a_bit(me), 0);
    check_eq(rp_lock_acquire(me, &t->sync->lock, RP_FOREVER), 0);
    t->value = 1;
    rp_cond_signal(&t->sync->cond);
    return rp_lock_release(me, &t->sync->lock);
}

static int w_cond(rp_self *me, struct trial *t)
{
    int rc = rp_lock_acquire(me, &t->sync->lock, RP_FOREVER);
    if (rc != 0)
        return rc;
    while (rc == 0 && t->value == 0)
        rc = rp_cond_wait(me, &t->sync->cond, &t->sync->lock, RP_FOREVER);
    check_eq(rp_lock_release(me, &t->sync->lock), 0); /* it is ours, whatever the wait returned */
    return rc;
}

/* ---- the others ----------------------------------------------------------------------------------------- */

static int set_late(rp_self *me, struct trial *t)
{
    int rc = pause_a_bit(me);
    rp_event_set(&t->sync->event);
    return rc;
}

static int w_event(rp_self *me, struct trial *t)
{
    int rc = rp_event_wait(me, &t->sync->event, RP_FOREVER);
    check(rc != 0 || rp_event_is_set(&t->sync->event));
    return rc;
}

static void one_unit(rp_self *me, struct trial *t)
{
    fresh(me, t);
    check_eq(rp_sem_init(&t->sync->sem, 1, 1), 0);
}

/* And takes it once more, from behind the one who is cancelled. */
static int hold_unit(rp_self *me, struct trial *t)
{
    for (int i = 0; i < 2; i++) {
        check_eq(rp_sem_acquire(me, &t->sync->sem, 1, RP_FOREVER), 0);
        t->ready = true;
        check_eq(pause_a_bit(me), 0);
        check_eq(rp_sem_release(&t->sync->sem, 1), 0);
    }
    return 0;
}

static int w_sem(rp_self *me, struct trial *t)
{
    int rc = rp_sem_acquire(me, &t->sync->sem, 1, RP_FOREVER);
    if (rc != 0)
        return rc;
    rc = alone(me, t);
    check_eq(rp_sem_release(&t->sync->sem, 1), 0);
    return rc;
}

static void unit_is_there(rp_self *me, struct trial *t)
{
    (void)me;
    check_eq(rp_sem_try(&t->sync->sem, 1), 0);
    check_eq(rp_sem_try(&t->sync->sem, 1), -EAGAIN);
}

static void no_tokens(rp_self *me, struct trial *t)
{
    fresh(me, t);
    check_eq(rp_limiter_init(&t->sync->limiter, 1, SLOW_MS * RP_MS, 1), 0);
    check_eq(rp_limiter_try(me, &t->sync->limiter, 1), 0);
}

static int w_limiter(rp_self *me, struct trial *t)
{
    return rp_limiter_acquire(me, &t->sync->limiter, 1, RP_FOREVER);
}

static void next_token_comes(rp_self *me, struct trial *t)
{
    check_eq(rp_limiter_acquire(me, &t->sync->limiter, 1, rp_in_ms(me, 3 * SLOW_MS)), 0);
}

static void for_two(rp_self *me, struct trial *t)
{
    fresh(me, t);
    check_eq(rp_barrier_init(&t->sync->barrier, 2), 0);
}

static int come_late(rp_self *me, struct trial *t)
{
    int rc = pause_a_bit(me);
    t->partner_rc = rc != 0 ? rc : rp_barrier_wait(me, &t->sync->barrier, rp_in_ms(me, 3 * SLOW_MS));
    return 0;
}

static int w_barrier(rp_self *me, struct trial *t)
{
    int rc = rp_barrier_wait(me, &t->sync->barrier, RP_FOREVER);
    t->done += rc >= 0;
    t->value = (uint64_t)(rc == 1);
    return rc < 0 ? rc : 0;
}

static void both_or_none(rp_self *me, struct trial *t)
{
    (void)me;
    check_eq(t->partner_rc, !t->done ? -ETIMEDOUT : t->value ? 0 : 1);
}

static int slow_once(rp_self *me, void *arg)
{
    struct trial *t = arg;
    check_eq(t->inside, 0);
    t->inside++;
    int rc = pause_a_bit(me);
    t->inside--;
    t->value += rc == 0;
    return rc;
}

static int w_once(rp_self *me, struct trial *t)
{
    int rc = rp_once_run(me, &t->sync->once, slow_once, t, RP_FOREVER);
    check(rc != 0 || t->value == 1);
    return rc;
}

static void has_run_once(rp_self *me, struct trial *t)
{
    (void)me;
    check_eq(t->value, 1); /* by the partner, if by nobody else */
}

const struct wait sync_waits[] = {
    {"rp_queue_get", w_get, put_late, room_for_four, got_or_left},
    {"rp_queue_get, rendezvous", w_get, offer_late, room_for_none, taken_or_not},
    {"rp_queue_take", w_take, put_late, room_for_four, got_or_left},
    {"rp_queue_put", w_put, get_late, one_that_is_full, put_or_not},
    {"rp_queue_put, rendezvous", w_put, get_late, room_for_none, met_or_not},
    {"rp_queue_join", w_queue_join, do_the_work, one_that_is_full, all_done},
    {"rp_lock_acquire", w_lock, hold_lock, fresh, lock_is_free, .holds = true},
    {"rp_rwlock_read", w_read, hold_write, fresh, rwlock_is_free, .holds = true},
    {"rp_rwlock_write", w_write, hold_read, fresh, rwlock_is_free, .holds = true},
    {"rp_cond_wait", w_cond, change, fresh, lock_is_free},
    {"rp_event_wait", w_event, set_late, fresh},
    {"rp_sem_acquire", w_sem, hold_unit, one_unit, unit_is_there, .holds = true},
    {"rp_limiter_acquire", w_limiter, 0, no_tokens, next_token_comes},
    {"rp_barrier_wait", w_barrier, come_late, for_two, both_or_none},
    {"rp_once_run", w_once, w_once, fresh, has_run_once},
    {.name = NULL},
};
