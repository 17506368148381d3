/* SPDX-License-Identifier: MIT
 *
 * A client cannot end a service: how long each wait lasts in a handler whose asker has 50 ms, and that the actor lives
 * on when it returns that its time was up. Simulated, so the times are nearly exact.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

enum { ASKED_MS = 50, GIVEN_MS = 200, PING = 1000 };

struct stage {
    rp_ref never;  /* answers nothing for a second */
    rp_ref busy;   /* its mailbox has room for one, and each takes GIVEN_MS */
    rp_ref held;   /* on loop 1, which it holds for GIVEN_MS */
    rp_queue *empty, *full, *leased;
    rp_lock lock;
    rp_rwlock rw;
    rp_cond cond;
    rp_event event;
    rp_sem sem;
    rp_limiter limiter;
    rp_barrier barrier;
    rp_once once;
    int rc;
    rp_time took;
    bool done;
};

/* ---- the others on the stage ---------------------------------------------------------------------- */

static int sleep_long(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, rp_in_ms(me, 1000));
}
static const rp_actor never = {.name = "never", .handle = sleep_long};

static int sleep_short(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, rp_in_ms(me, GIVEN_MS));
}
static const rp_actor busy = {.name = "busy", .handle = sleep_short};

static int hold_loop(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    rp_sim_busy(me, GIVEN_MS * RP_MS);
    return 0;
}
static const rp_actor holder = {.name = "holder", .handle = hold_loop};

static int nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor idle = {.name = "idle", .handle = nothing};

static int has_all(rp_self *me, void *arg) /* for good */
{
    struct stage *t = arg;
    rp_lease lease = {0};
    int item = 1;
    check_eq(rp_lock_acquire(me, &t->lock, RP_FOREVER), 0);
    check_eq(rp_rwlock_write(me, &t->rw, RP_FOREVER), 0);
    check_eq(rp_queue_try_put(t->full, &item), 0);
    check_eq(rp_queue_try_put(t->leased, &item), 0);
    check_eq(rp_queue_take(me, t->leased, &item, &lease, RP_FOREVER), 0);
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor owner = {.name = "owner", .run = has_all};

/* ---- the waits ------------------------------------------------------------------------------------ */

typedef int wait_fn(rp_self *me, struct stage *t, rp_time until);

static int w_sleep(rp_self *me, struct stage *t, rp_time until)
{
    (void)t;
    int rc = rp_sleep(me, until);
    return rc != 0 ? rc : -ETIMEDOUT;
}

static int w_get(rp_self *me, struct stage *t, rp_time until)
{
    int item;
    return rp_queue_get(me, t->empty, &item, until);
}

static int w_put(rp_self *me, struct stage *t, rp_time until)
{
    return rp_queue_put(me, t->full, &(int){1}, until);
}

static int w_take(rp_self *me, struct stage *t, rp_time until)
{
    int item;
    rp_lease lease = {0};
    return rp_queue_take(me, t->empty, &item, &lease, until);
}

static int w_queue_join(rp_self *me, struct stage *t, rp_time until)
{
    return rp_queue_join(me, t->leased, until);
}

static int w_lock(rp_self *me, struct stage *t, rp_time until)
{
    return rp_lock_acquire(me, &t->lock, until);
}

static int w_read(rp_self *me, struct stage *t, rp_time until)
{
    return rp_rwlock_read(me, &t->rw, until);
}

static int w_write(rp_self *me, struct stage *t, rp_time until)
{
    return rp_rwlock_write(me, &t->rw, until);
}

static int w_cond(rp_self *me, struct stage *t, rp_time until)
{
    rp_lock own = {0};
    int rc = rp_lock_acquire(me, &own, RP_FOREVER);
    if (rc == 0)
        rc = rp_cond_wait(me, &t->cond, &own, until);
    rp_lock_release(me, &own);
    return rc;
}

static int w_event(rp_self *me, struct stage *t, rp_time until)
{
    return rp_event_wait(me, &t->event, until);
}

static int w_sem(rp_self *me, struct stage *t, rp_time until)
{
    return rp_sem_acquire(me, &t->sem, 1, until);
}

static int w_barrier(rp_self *me, struct stage *t, rp_time until)
{
    return rp_barrier_wait(me, &t->barrier, until);
}

static int once_slowly(rp_self *me, void *arg)
{
    return rp_sleep(me, *(rp_time *)arg) == 0 ? -ETIMEDOUT : -ECANCELED;
}

static int w_once(rp_self *me, struct stage *t, rp_time until)
{
    return rp_once_run(me, &t->once, once_slowly, &until, RP_FOREVER);
}

static int w_limiter(rp_self *me, struct stage *t, rp_time until)
{
    (void)until;
    check_eq(rp_limiter_try(me, &t->limiter, 1), 0);
    int rc = rp_limiter_acquire(me, &t->limiter, 1, RP_FOREVER);
    return rc != 0 ? rc : -ETIMEDOUT;
}

static int w_recv(rp_self *me, struct stage *t, rp_time until)
{
    rp_msg *m;
    (void)t;
    return rp_recv(me, &m, until);
}

static int w_recv_of(rp_self *me, struct stage *t, rp_time until)
{
    rp_msg *m;
    (void)t;
    return rp_recv_of(me, (const rp_type *const[]){TEXT, NULL}, &m, until);
}

static int w_call(rp_self *me, struct stage *t, rp_time until)
{
    rp_msg *m;
    (void)until;
    return rp_call(me, t->never, NUM, &(struct num){1}, &m, RP_FOREVER);
}

static int w_call_given(rp_self *me, struct stage *t, rp_time until)
{
    rp_msg *m;
    return rp_call(me, t->never, NUM, &(struct num){1}, &m, until);
}

static int w_call_many(rp_self *me, struct stage *t, rp_time until)
{
    rp_ask a = {.to = t->never, .type = NUM, .body = &(struct num){1}};
    return rp_call_many(me, &a, 1, 0, until);
}

static int call_in_a_task(rp_self *me, void *arg)
{
    return w_call(me, arg, RP_FOREVER);
}

static int w_task(rp_self *me, struct stage *t, rp_time until)
{
    rp_scope s;
    (void)until;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, call_in_a_task, t, NULL), 0);
    return rp_scope_close(me, &s, 0);
}

static int sleep_in_a_task(rp_self *me, void *arg)
{
    return rp_sleep(me, *(rp_time *)arg);
}

static int w_scope(rp_self *me, struct stage *t, rp_time until)
{
    rp_scope s;
    rp_time long_after = until + RP_S;
    (void)t;
    rp_scope_open(me, &s, until);
    check_eq(rp_go(me, &s, sleep_in_a_task, &long_after, NULL), 0);
    return rp_scope_close(me, &s, 0);
}

static int w_join(rp_self *me, struct stage *t, rp_time until)
{
    rp_scope s;
    rp_task *task;
    rp_time long_after = until + RP_S;
    (void)t;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, sleep_in_a_task, &long_after, &task), 0);
    int rc = rp_join(me, task, NULL, until);
    check_eq(rp_scope_close(me, &s, rc), rc);
    return rc;
}

static int w_lookup(rp_self *me, struct stage *t, rp_time until)
{
    rp_ref r;
    (void)t;
    return rp_lookup(me, rp_this_node(me), "nobody", &r, until);
}

static int w_supervise_child(rp_self *me, struct stage *t, rp_time until)
{
    rp_ref r;
    (void)until;
    return rp_supervise_child(me, t->never, 0, &r);
}

static int w_group_join(rp_self *me, struct stage *t, rp_time until)
{
    (void)until;
    return rp_group_join(me, t->never);
}

static int w_tell(rp_self *me, struct stage *t, rp_time until)
{
    (void)until;
    for (unsigned i = 0; i < 3; i++) { /* it is at one, has one, and one more was on its way: there is room when two have been handled */
        check_eq(tell_num(me, t->busy, i), 0);
        check_eq(rp_yield(me), 0);
    }
    int rc = tell_num(me, t->busy, 3);
    return rc != 0 ? rc : -ETIMEDOUT;
}

static int w_spawn(rp_self *me, struct stage *t, rp_time until)
{
    (void)until;
    check_eq(tell_num(me, t->held, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    int rc = rp_spawn(me, &idle, &(rp_spawn_opts){.on = RP_LOOP(1)}, NULL);
    return rc != 0 ? rc : -ETIMEDOUT;
}

static int w_move(rp_self *me, struct stage *t, rp_time until)
{
    rp_ref r;
    (void)until;
    check_eq(rp_spawn(me, &idle, NULL, &r), 0);
    check_eq(tell_num(me, t->held, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    int rc = rp_move(me, r, RP_LOOP(1));
    return rc != 0 ? rc : -ETIMEDOUT;
}

static int w_inspect(rp_self *me, struct stage *t, rp_time until)
{
    rp_loop_info i;
    check_eq(tell_num(me, t->held, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    int rc = rp_inspect_loop(me, 1, until + RP_S, &i);
    return rc != 0 ? rc : -ETIMEDOUT;
}

static int w_after_the_reply(rp_self *me, struct stage *t, rp_time until);

static const struct row {
    const char *what;
    wait_fn *wait;
    int ms;
} rows[] = {
    {"rp_call", w_call, ASKED_MS},
    {"rp_call, with a deadline", w_call_given, ASKED_MS},
    {"rp_call_many", w_call_many, ASKED_MS},
    {"rp_call in a task", w_task, ASKED_MS},
    {"rp_lookup", w_lookup, ASKED_MS},
    {"rp_supervise_child", w_supervise_child, ASKED_MS},
    {"rp_group_join", w_group_join, ASKED_MS},
    {"rp_call after the reply", w_after_the_reply, GIVEN_MS},
    {"rp_sleep", w_sleep, GIVEN_MS},
    {"rp_queue_get", w_get, GIVEN_MS},
    {"rp_queue_put", w_put, GIVEN_MS},
    {"rp_queue_take", w_take, GIVEN_MS},
    {"rp_queue_join", w_queue_join, GIVEN_MS},
    {"rp_lock_acquire", w_lock, GIVEN_MS},
    {"rp_rwlock_read", w_read, GIVEN_MS},
    {"rp_rwlock_write", w_write, GIVEN_MS},
    {"rp_cond_wait", w_cond, GIVEN_MS},
    {"rp_event_wait", w_event, GIVEN_MS},
    {"rp_sem_acquire", w_sem, GIVEN_MS},
    {"rp_barrier_wait", w_barrier, GIVEN_MS},
    {"rp_once_run", w_once, GIVEN_MS},
    {"rp_limiter_acquire", w_limiter, GIVEN_MS},
    {"rp_recv", w_recv, GIVEN_MS},
    {"rp_recv_of", w_recv_of, GIVEN_MS},
    {"rp_scope_close", w_scope, GIVEN_MS},
    {"rp_join", w_join, GIVEN_MS},
    {"rp_tell", w_tell, 2 * GIVEN_MS},
    {"rp_spawn", w_spawn, GIVEN_MS},
    {"rp_move", w_move, GIVEN_MS},
    {"rp_inspect_loop", w_inspect, GIVEN_MS},
};

/* ---- the service ---------------------------------------------------------------------------------- */

struct service {
    struct stage *t;
    const rp_msg *m;
};
static struct service at; /* one at a time */

static int w_after_the_reply(rp_self *me, struct stage *t, rp_time until)
{
    check_eq(rp_reply(me, at.m, NUM, &(struct num){0}), 0);
    int rc = w_call_given(me, t, until);
    check_eq(rc, -ETIMEDOUT);
    t->rc = rc;
    return 0;
}

static int serve(rp_self *me, void *state, const rp_msg *m)
{
    struct stage *t = *(struct stage **)state;
    uint64_t n = ((const struct num *)rp_body(m, NUM))->n;
    if (n == PING)
        return rp_reply(me, m, NUM, &(struct num){n});
    at.m = m;
    rp_time from = rp_now(me);
    int rc = rows[n].wait(me, t, from + GIVEN_MS * RP_MS);
    t->took = rp_now(me) - from;
    t->rc = rc != 0 ? rc : t->rc;
    t->done = true;
    return rc;
}

static int init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}
static const rp_actor service = {.name = "service", .handle = serve, .init = init, .state_size = sizeof(void *)};

static void set_stage(rp_self *me, struct stage *t)
{
    *t = (struct stage){.rc = 0};
    check_eq(rp_queue_new(sizeof(int), 1, NULL, &t->empty), 0);
    check_eq(rp_queue_new(sizeof(int), 1, NULL, &t->full), 0);
    check_eq(rp_queue_new(sizeof(int), 1, NULL, &t->leased), 0);
    check_eq(rp_sem_init(&t->sem, 0, 1), 0);
    check_eq(rp_barrier_init(&t->barrier, 2), 0);
    check_eq(rp_limiter_init(&t->limiter, 1, GIVEN_MS * RP_MS, 1), 0);
    check_eq(rp_spawn(me, &never, NULL, &t->never), 0);
    check_eq(rp_spawn(me, &busy, &(rp_spawn_opts){.mailbox = 1}, &t->busy), 0);
    check_eq(rp_spawn(me, &holder, &(rp_spawn_opts){.on = RP_LOOP(1)}, &t->held), 0);
}

static int each_wait(rp_self *me, void *arg)
{
    const struct row *row = arg;
    struct stage t;
    rp_ref own, s;
    rp_msg *m = NULL;
    set_stage(me, &t);
    check_eq(rp_spawn(me, &owner, &(rp_spawn_opts){.arg = &t, .monitor = true}, &own), 0);
    check_eq(rp_spawn(me, &service, &(rp_spawn_opts){.arg = &t}, &s), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    rp_time from = rp_now(me);
    int rc = rp_call(me, s, NUM, &(struct num){(uint64_t)(row - rows)}, &m, rp_in_ms(me, ASKED_MS));
    check(rc == (row->wait == w_after_the_reply ? 0 : -ETIMEDOUT), "%s: %d", row->what, rc);
    check(rc == 0 || rp_now(me) - from < (ASKED_MS + 5) * RP_MS, "%s", row->what);
    rp_msg_drop(me, m);
    check_eq(rp_sleep(me, rp_in_ms(me, 2000)), 0);
    check(t.done, "%s goes on", row->what);
    check(t.took >= (row->ms - 5) * RP_MS && t.took < (row->ms + 10) * RP_MS, "%s took %" PRId64 " us", row->what, t.took / RP_US);
    check(t.rc == -ETIMEDOUT, "%s: %d", row->what, t.rc);
    check_eq(rp_call(me, s, NUM, &(struct num){PING}, &m, RP_FOREVER), 0); /* the service lives */
    rp_msg_drop(me, m);
    check_eq(rp_stop(me, own, "enough"), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    rp_queue_free(t.empty);
    rp_queue_free(t.full);
    rp_queue_free(t.leased);
    return 0;
}

TEST(served, each_wait_of_a_handler_whose_asker_has_less_time)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint64_t seed = 1; seed <= seeds(3); seed++)
            check_eq(run_with(each_wait, (void *)(uintptr_t)&rows[i], &(rp_system_opts){.loops = 2, .sim_seed = seed}), 0);
}
