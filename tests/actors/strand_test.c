/* SPDX-License-Identifier: MIT
 *
 * Rings through tasks: "a" has b's call, and asks b in a task; and where one of its tasks goes on all the same.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>

enum shape {
    CLOSES,      /* a waits for its only task, which asks; */
    JOINS,
    NESTED,      /* or for one that waits for another, which does */
    CLOSES_LATE, /* when b's wait and the task's have not been looked into for long */
    LOCK,        /* a's task wants the lock that a has */
    TELL_NOBODY, /* from here on there is no ring: */
    ANOTHER_ANSWERS,
    ANOTHER_FAILS,
    OWN_ANSWERS, /* a task of the task's */
    MAIN_ANSWERS
};

struct stage {
    enum shape shape;
    rp_ref b;
    rp_lock lock;
    rp_msg *of_b;
    _Atomic unsigned told; /* counted on any loop */
};

static void told(rp_self *me, struct stage *s, const char *ring)
{
    check(s->shape < TELL_NOBODY, "told: %s", rp_blame(me));
    check_str(rp_blame(me), ring);
    atomic_fetch_add(&s->told, 1);
}

static int ask_b(rp_self *me, void *arg)
{
    struct stage *s = arg;
    rp_msg *m = NULL;
    int rc = rp_call(me, s->b, NUM, &(struct num){.n = 1}, &m, RP_FOREVER);
    rp_msg_drop(me, m);
    if (rc == -EDEADLK)
        told(me, s, "a > b > a");
    return rc == -EDEADLK ? 0 : rc;
}

static int want_lock(rp_self *me, void *arg)
{
    struct stage *s = arg;
    check_eq(rp_lock_acquire(me, &s->lock, RP_FOREVER), -EDEADLK);
    told(me, s, "a > a");
    return 0;
}

static int nap(rp_self *me, struct stage *s)
{
    return rp_sleep(me, rp_in_ms(me, s->shape == CLOSES_LATE ? 60000 : 200)); /* longer than it takes to be suspected */
}

static int answer_late(rp_self *me, void *arg)
{
    struct stage *s = arg;
    int rc = nap(me, s);
    return rc != 0 ? rc : rp_reply(me, s->of_b, NUM, &(struct num){.n = 1});
}

static int fail_late(rp_self *me, void *arg)
{
    int rc = nap(me, arg);
    return rc != 0 ? rc : -EIO;
}

static int ask_below(rp_self *me, void *arg)
{
    struct stage *s = arg;
    rp_scope scope;
    rp_scope_open(me, &scope, RP_FOREVER);
    check_eq(rp_go(me, &scope, s->shape == OWN_ANSWERS ? answer_late : ask_b, s, NULL), 0);
    int rc = s->shape == OWN_ANSWERS ? ask_b(me, s) : 0;
    return rp_scope_close(me, &scope, rc);
}

static int play(rp_self *me, struct stage *s)
{
    rp_scope scope;
    rp_task *task;
    rp_task_fn *fn = s->shape == LOCK ? want_lock : s->shape == NESTED || s->shape == OWN_ANSWERS ? ask_below : ask_b;
    if (s->shape == LOCK)
        check_eq(rp_lock_acquire(me, &s->lock, RP_FOREVER), 0);
    rp_scope_open(me, &scope, RP_FOREVER);
    check_eq(rp_go(me, &scope, fn, s, &task), 0);
    if (s->shape == ANOTHER_ANSWERS || s->shape == ANOTHER_FAILS)
        check_eq(rp_go(me, &scope, s->shape == ANOTHER_FAILS ? fail_late : answer_late, s, NULL), 0);
    if (s->shape == JOINS)
        check_eq(rp_join(me, task, NULL, RP_FOREVER), 0);
    if (s->shape == CLOSES_LATE)
        check_eq(nap(me, s), 0);
    if (s->shape == MAIN_ANSWERS)
        check_eq(answer_late(me, s), 0);
    check_eq(rp_scope_close(me, &scope, 0), s->shape == ANOTHER_FAILS ? -EIO : 0);
    return s->shape == LOCK ? rp_lock_release(me, &s->lock) : 0;
}

static void be_a(rp_self *me, struct stage *s)
{
    check_eq(rp_recv(me, &s->of_b, RP_FOREVER), 0);
    check_eq(play(me, s), 0);
    if (rp_wants_reply(s->of_b))
        check_eq(rp_reply(me, s->of_b, NUM, &(struct num){.n = 1}), 0);
    rp_msg_drop(me, s->of_b);
}

static int be_b(rp_self *me, void *arg)
{
    struct stage *s = arg;
    rp_msg *m = NULL;
    int rc = rp_call(me, rp_parent(me), NUM, &(struct num){.n = 1}, &m, RP_FOREVER);
    rp_msg_drop(me, m);
    if (rc == -EDEADLK)
        told(me, s, "b > a > b");
    else
        check_eq(rc, 0);
    if (s->shape == LOCK)
        return 0;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0); /* a's, though it may have been given up */
    if (rp_wants_reply(m))
        check_eq(rp_reply(me, m, NUM, &(struct num){.n = 1}), 0);
    rp_msg_drop(me, m);
    return 0;
}
static const rp_actor b_kind = {.name = "b", .run = be_b};

static int be_parent(rp_self *me, void *arg)
{
    struct stage *s = arg;
    check_eq(rp_spawn(me, &b_kind, &(rp_spawn_opts){.arg = s, .on = RP_SPREAD, .monitor = true}, &s->b), 0);
    be_a(me, s);
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    return d.reason;
}
static const rp_actor a_kind = {.name = "a", .run = be_parent};

static int stage(rp_self *me, void *arg)
{
    struct stage s = {.shape = *(enum shape *)arg};
    struct rp_down d;
    check_eq(rp_spawn(me, &a_kind, &(rp_spawn_opts){.arg = &s, .on = RP_SPREAD, .monitor = true}, NULL), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, 0);
    check_eq(s.told, s.shape < TELL_NOBODY);
    return 0;
}

TEST(deadlock, a_task_that_its_actor_waits_for)
{
    for (enum shape k = CLOSES; k < TELL_NOBODY; k++)
        if (k != CLOSES_LATE)
            everywhere(stage, &k);
    rp_system_opts sim = {.loops = 2, .sim_seed = test_seed()};
    check_eq(run_with(stage, &(enum shape){CLOSES_LATE}, &sim), 0);
}

TEST(deadlock, none_where_another_task_goes_on)
{
    for (enum shape k = TELL_NOBODY + 1; k <= MAIN_ANSWERS; k++)
        everywhere(stage, &k);
}
