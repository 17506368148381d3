/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>

/* ---- tasks and scopes ---------------------------------------------------------------------------- */

struct trace {
    char text[128];
    rp_scope *scope;
};

static void say(struct trace *t, const char *what)
{
    strncat(t->text, what, sizeof t->text - strlen(t->text) - 1);
}

static int foo(rp_self *me, void *arg)
{
    say(arg, "foo1 ");
    int rc = rp_yield(me);
    say(arg, "foo2 ");
    return rc;
}

static int bar(rp_self *me, void *arg)
{
    say(arg, "bar1 ");
    int rc = rp_yield(me);
    say(arg, "bar2 ");
    return rc;
}

static int interleaves(rp_self *me, void *arg)
{
    (void)arg;
    struct trace t = {.text = ""};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, foo, &t, NULL), 0);
    check_eq(rp_go(me, &s, bar, &t, NULL), 0);
    say(&t, "main ");
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_str(t.text, "main foo1 bar1 foo2 bar2 ");
    return 0;
}

TEST(scope, tasks_interleave_in_order) /* S1, S3 of the seeds: foo, bar, foo, bar */
{
    everywhere(interleaves, 0);
}

static int nap(rp_self *me, void *arg)
{
    return rp_sleep(me, rp_in_ms(me, *(int *)arg));
}

static int three_naps(rp_self *me, void *arg)
{
    (void)arg;
    int ms = 60;
    rp_time from = rp_now(me);
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 3; i++)
        check_eq(rp_go(me, &s, nap, &ms, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    rp_time took = rp_now(me) - from;
    check(took >= 60 * RP_MS, "slept only %lld us", (long long)(took / RP_US));
    check(took < 170 * RP_MS, "three naps took %lld us: not at the same time", (long long)(took / RP_US));
    return 0;
}

TEST(scope, takes_as_long_as_the_slowest)
{
    everywhere(three_naps, 0);
}

static int fails(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_yield(me);
    return rc != 0 ? rc : -EIO;
}

static int sleeps_for_ever(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, RP_FOREVER);
    check_eq(rc, -ECANCELED);
    check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED); /* a state, not an event */
    check_eq(rp_yield(me), -ECANCELED);
    ++*(int *)arg;
    return rc;
}

static int first_failure(rp_self *me, void *arg)
{
    (void)arg;
    int cancelled = 0, result = 1;
    rp_scope s;
    rp_task *failing, *sleeping;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, sleeps_for_ever, &cancelled, &sleeping), 0);
    check_eq(rp_go(me, &s, fails, 0, &failing), 0);
    check_eq(rp_join(me, failing, &result, RP_FOREVER), 0);
    check_eq(result, -EIO);
    check_eq(rp_yield(me), -ECANCELED); /* the opener is in the scope too */
    check_eq(rp_go(me, &s, fails, 0, NULL), -ECANCELED);
    check_eq(rp_scope_close(me, &s, 0), -EIO);
    check_eq(cancelled, 1);
    check_eq(rp_scope_check(me), 0);
    return 0;
}

TEST(scope, first_failure_cancels_the_rest)
{
    everywhere(first_failure, 0);
}

static int deadlines(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope outer, inner;
    rp_time from = rp_now(me);
    rp_scope_open(me, &outer, rp_in_ms(me, 10));
    rp_scope_open(me, &inner, rp_in_ms(me, 10000));
    int rc = rp_sleep(me, RP_FOREVER);
    check_eq(rc, -ECANCELED);
    check_str(rp_why(me), "deadline");
    check_eq(rp_scope_close(me, &inner, rc), -ECANCELED); /* not its own deadline */
    check_eq(rp_scope_close(me, &outer, 0), -ETIMEDOUT);
    check(rp_now(me) - from >= 10 * RP_MS);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0); /* it is over */
    return 0;
}

TEST(scope, own_deadline_is_timedout_others_cancelled)
{
    everywhere(deadlines, 0);
}

static int early_end(rp_self *me, void *arg)
{
    (void)arg;
    int cancelled = 0;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 4; i++)
        check_eq(rp_go(me, &s, sleeps_for_ever, &cancelled, NULL), 0);
    check_eq(rp_yield(me), 0);
    rp_scope_cancel(&s, "the first answer is enough");
    check_eq(rp_scope_check(me), -ECANCELED);
    check_eq(rp_scope_close(me, &s, rp_sleep(me, RP_FOREVER)), 0); /* its owner wanted it: no error */
    check_eq(cancelled, 4);
    return 0;
}

TEST(scope, its_owner_may_end_it_early)
{
    everywhere(early_end, 0);
}

static int deep(rp_self *me, void *arg)
{
    int *level = arg, below = *level - 1;
    if (*level == 0)
        return rp_sleep(me, RP_FOREVER);
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, deep, &below, NULL);
    return rp_scope_close(me, &s, rc);
}

static int deep_tree(rp_self *me, void *arg)
{
    (void)arg;
    int levels = 200;
    rp_scope s;
    rp_scope_open(me, &s, rp_in_ms(me, 5));
    check_eq(rp_go(me, &s, deep, &levels, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), -ETIMEDOUT);
    return 0;
}

TEST(scope, cancelling_reaches_a_deep_tree)
{
    everywhere(deep_tree, 0);
}

static int one_task(rp_self *me, void *arg)
{
    int ms = 1000, cancelled = 0, result = 0;
    (void)arg;
    rp_scope s;
    rp_task *napping, *sleeping;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, sleeps_for_ever, &cancelled, &sleeping), 0);
    check_eq(rp_go(me, &s, nap, &ms, &napping), 0);
    check_eq(rp_join(me, napping, &result, rp_in_ms(me, 2)), -ETIMEDOUT); /* joining cancels nothing */
    rp_task_cancel(sleeping, "not needed");
    rp_task_cancel(napping, "not needed");
    (void)!rp_join(me, sleeping, &result, RP_FOREVER);
    rp_task_cancel(sleeping, "again: harmless");
    check_eq(rp_scope_close(me, &s, 0), 0); /* who is cancelled alone has not failed */
    check_eq(cancelled, 1);
    return 0;
}

TEST(scope, one_task_can_be_cancelled_and_joined)
{
    everywhere(one_task, 0);
}

/* ---- one that comes as the scope is about to be closed ------------------------------------------- */

struct comer {
    rp_scope *into; /* NULL: it has been closed */
    int rounds, went, ran;
};

static int ends_at_once(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

static int ran(rp_self *me, void *arg)
{
    struct comer *c = arg;
    check_eq(rp_yield(me), 0);
    c->ran++;
    return 0;
}

static int comes_late(rp_self *me, void *arg)
{
    struct comer *c = arg;
    for (int i = 0; i < c->rounds; i++)
        check_eq(rp_yield(me), 0);
    if (c->into) {
        check_eq(rp_go(me, c->into, ran, c, NULL), 0);
        c->went++;
    }
    return 0;
}

/* The last task of `inner` has ended and its opener is to run: another one comes. It is waited for too. */
static int opener_waits_for_comers(rp_self *me, void *arg)
{
    (void)arg;
    for (int rounds = 0; rounds < 4; rounds++) {
        rp_scope outer, inner;
        struct comer c[2] = {{&inner, rounds, 0, 0}, {&inner, rounds, 0, 0}};
        rp_scope_open(me, &outer, RP_FOREVER);
        check_eq(rp_go(me, &outer, comes_late, &c[0], NULL), 0);
        check_eq(rp_go(me, &outer, comes_late, &c[1], NULL), 0);
        rp_scope_open(me, &inner, RP_FOREVER);
        check_eq(rp_go(me, &inner, ends_at_once, NULL, NULL), 0);
        check_eq(rp_scope_close(me, &inner, 0), 0);
        c[0].into = c[1].into = NULL;
        check_eq(c[0].ran, c[0].went);
        check_eq(c[1].ran, c[1].went);
        check_eq(rp_scope_close(me, &outer, 0), 0);
    }
    return 0;
}

TEST(scope, waits_for_who_comes_while_it_closes)
{
    everywhere(opener_waits_for_comers, 0);
}

/* ---- time ---------------------------------------------------------------------------------------- */

static int sleep_orders(rp_self *me, void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        rp_time until = rp_now(me) + i * 300 * RP_US;
        check_eq(rp_sleep(me, until), 0);
        check(rp_now(me) >= until, "woken early");
    }
    check_eq(rp_sleep(me, 0), 0);
    check(rp_in_ms(me, INT64_MAX) == RP_FOREVER);
    return 0;
}

TEST(time, sleep_is_never_early)
{
    everywhere(sleep_orders, 0);
}

/* ---- other threads ------------------------------------------------------------------------------- */

static int square(void *arg)
{
    int *n = arg;
    *n *= *n;
    return 7;
}

static int offloads(rp_self *me, void *arg)
{
    (void)arg;
    int n = 12;
    check_eq(rp_offload(me, square, &n, RP_FOREVER), 7);
    check_eq(n, 144);
    check_eq(rp_offload(me, square, &n, rp_now(me) - 1), -ETIMEDOUT);
    check_eq(n, 144); /* it did not happen */
    return 0;
}

TEST(offload, runs_off_the_loop)
{
    everywhere(offloads, 0);
}

static void set(void *arg)
{
    *(int *)arg += 1;
}

static int posts(rp_self *me, void *arg)
{
    (void)arg;
    int n = 0;
    for (int i = 0; i < 10; i++)
        check_eq(rp_post(rp_system_of(me), 0, set, &n), 0);
    check_eq(rp_post(rp_system_of(me), 99, set, &n), -EINVAL);
    while (n < 10)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    return 0;
}

TEST(post, runs_on_the_loop)
{
    everywhere(posts, 0);
}

struct chain {
    rp_system *sys;
    int left, run;
};

/* While it runs, the inbox that it stood in is being gone through. */
static void post_next(void *arg)
{
    struct chain *c = arg;
    c->run++;
    if (c->left-- > 0)
        check_eq(rp_post(c->sys, 0, post_next, c), 0);
}

static int posts_that_post(rp_self *me, void *arg)
{
    struct chain c = {rp_system_of(me), 20, 0};
    (void)arg;
    check_eq(rp_post(c.sys, 0, post_next, &c), 0);
    for (int i = 0; i < 5000 && c.run < 21; i++)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(c.run, 21);
    return 0;
}

TEST(post, one_that_posts)
{
    everywhere(posts_that_post, 0);
}
