/* SPDX-License-Identifier: MIT
 *
 * What joining and cancelling one task does, and what a shield keeps out.
 */
#include "tests/support.h"

#include "loop/loop.h"

#include <errno.h>

static int naps(rp_self *me, void *arg)
{
    return rp_sleep(me, rp_in_ms(me, *(int *)arg));
}

static int sleeps(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER);
}

/* ---- cancelling one -------------------------------------------------------------------------------- */

static int fails_when_cancelled(rp_self *me, void *arg)
{
    check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED);
    return *(int *)arg;
}

static int cancels_one(rp_self *me, void *arg)
{
    (void)arg;
    int ms = 2, result = 0;
    for (int begun = 0; begun < 2; begun++) {
        rp_scope s;
        rp_task *one, *sibling;
        rp_scope_open(me, &s, RP_FOREVER);
        check_eq(rp_go(me, &s, sleeps, NULL, &one), 0);
        check_eq(rp_go(me, &s, naps, &ms, &sibling), 0);
        if (begun)
            check_eq(rp_yield(me), 0);
        rp_task_cancel(one, "not needed");
        check_eq(rp_join(me, one, &result, RP_FOREVER), 0);
        check_eq(result, -ECANCELED);
        check_eq(rp_scope_check(me), 0);
        check_eq(rp_join(me, sibling, &result, RP_FOREVER), 0);
        check_eq(result, 0);
        check_eq(rp_scope_close(me, &s, 0), 0);
    }
    return 0;
}

TEST(task, cancelling_one_leaves_its_siblings)
{
    everywhere(cancels_one, 0);
}

static int fails_all_the_same(rp_self *me, void *arg)
{
    (void)arg;
    int error = -EIO;
    rp_scope s;
    rp_task *one;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, fails_when_cancelled, &error, &one), 0);
    check_eq(rp_go(me, &s, sleeps, NULL, NULL), 0);
    check_eq(rp_yield(me), 0);
    rp_task_cancel(one, "not needed");
    check_eq(rp_scope_close(me, &s, 0), -EIO);
    return 0;
}

TEST(task, one_that_is_cancelled_can_still_fail)
{
    everywhere(fails_all_the_same, 0);
}

static int says_so(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return -ECANCELED;
}

static int nobody_cancelled_it(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, says_so, NULL, NULL), 0);
    check_eq(rp_go(me, &s, sleeps, NULL, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), -ECANCELED);
    return 0;
}

TEST(task, one_that_nobody_cancelled_fails_with_that_error_too)
{
    everywhere(nobody_cancelled_it, 0);
}

/* ---- results --------------------------------------------------------------------------------------- */

static int answers(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 42;
}

static int fails_late(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_yield(me);
    return rc != 0 ? rc : -EIO;
}

static int gathers(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_task *good, *bad;
    int result = 0;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, answers, NULL, &good), 0);
    check_eq(rp_go(me, &s, fails_late, NULL, &bad), 0);
    check_eq(rp_task_result(good, &result), -EAGAIN);
    check_eq(rp_join(me, bad, &result, RP_FOREVER), 0);
    check_eq(result, -EIO);
    check_eq(rp_join(me, good, &result, RP_FOREVER), -ECANCELED); /* the scope has failed; but nothing is lost: */
    check_eq(rp_task_result(good, &result), 0);
    check_eq(result, 42);
    check_eq(rp_task_result(bad, &result), 0);
    check_eq(result, -EIO);
    check_eq(rp_scope_close(me, &s, 0), -EIO);
    return 0;
}

TEST(task, results_can_be_read_after_a_failure)
{
    everywhere(gathers, 0);
}

/* ---- joined by one that is not of the scope --------------------------------------------------------- */

static int ends_at_once(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

struct outsider {
    rp_task *task;
    int rc, result;
};

static int joins_from_outside(rp_self *me, void *arg)
{
    struct outsider *o = arg;
    while (!o->task)
        check_eq(rp_yield(me), 0);
    o->rc = rp_join(me, o->task, &o->result, RP_FOREVER);
    return 0;
}

/* Ends with the turn: who is ready by then runs before those that its end makes ready. */
static int ends_with_the_turn(rp_self *me, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        check_eq(rp_yield(me), 0);
    rp__stint_end(&me->loop->stint);
    return 42;
}

/* The opener runs before the one that joins: the handle is gone by then. */
static int closes_before_it_runs(rp_self *me, void *arg)
{
    (void)arg;
    struct outsider o = {.rc = 1};
    rp_scope outer, inner;
    rp_task *next;
    rp_scope_open(me, &outer, RP_FOREVER);
    check_eq(rp_go(me, &outer, joins_from_outside, &o, NULL), 0);
    rp_scope_open(me, &inner, RP_FOREVER);
    check_eq(rp_go(me, &inner, ends_with_the_turn, NULL, &o.task), 0);
    while (rp_task_result(o.task, NULL) == -EAGAIN)
        check_eq(rp_yield(me), 0);
    check_eq(rp_scope_close(me, &inner, 0), 0);
    check_eq(rp_go(me, &outer, ends_at_once, NULL, &next), 0); /* whose handle lies where that one lay */
    check_eq(rp_scope_close(me, &outer, 0), 0);
    check(o.rc == 0 && o.result == 42, "%d, %d", o.rc, o.result);
    return 0;
}

TEST(task, whoever_joins_gets_the_result_though_the_scope_is_closed)
{
    everywhere(closes_before_it_runs, 0);
}

/* ---- a scope that is empty when it is closed -------------------------------------------------------- */

struct visitor {
    rp_scope *into; /* NULL: it has been closed */
    int went;
};

static int goes_in(rp_self *me, void *arg)
{
    struct visitor *v = arg;
    for (int i = 0; i < 3 && v->into; i++) {
        check_eq(rp_go(me, v->into, ends_at_once, NULL, NULL), 0);
        v->went++;
        check_eq(rp_yield(me), 0);
    }
    return 0;
}

/* The turn is over, so the close lets others run: until it returns the scope is open. */
static int rests_while_it_is_open(rp_self *me, void *arg)
{
    (void)arg;
    struct visitor v = {.went = 0};
    rp_scope outer, inner;
    rp_scope_open(me, &outer, RP_FOREVER);
    rp_scope_open(me, &inner, RP_FOREVER);
    v.into = &inner;
    check_eq(rp_go(me, &outer, goes_in, &v, NULL), 0);
    rp__stint_end(&me->loop->stint);
    check_eq(rp_scope_close(me, &inner, 0), 0);
    v.into = NULL;
    check(v.went > 0);
    return rp_scope_close(me, &outer, 0);
}

TEST(task, a_scope_is_open_until_its_close_returns)
{
    everywhere(rests_while_it_is_open, 0);
}

/* ---- rings ------------------------------------------------------------------------------------------ */

struct pair {
    rp_task *task[3];
    int told, n;
};

struct joiner {
    struct pair *p;
    unsigned whom;
};

static int joins(rp_self *me, void *arg)
{
    struct joiner *j = arg;
    int rc = rp_join(me, j->p->task[j->whom], NULL, RP_FOREVER);
    j->p->told += rc == -EDEADLK;
    check(rc == 0 || rc == -EDEADLK, "%d", rc);
    check(rc == 0 || strchr(rp_blame(me), '>'));
    return 0;
}

static int ring_of(rp_self *me, unsigned n)
{
    struct pair p = {.told = 0};
    struct joiner j[3];
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (unsigned i = 0; i < n; i++) {
        j[i] = (struct joiner){&p, (i + 1) % n};
        check_eq(rp_go(me, &s, joins, &j[i], &p.task[i]), 0);
    }
    check_eq(rp_scope_close(me, &s, 0), 0);
    return p.told;
}

static int rings(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned n = 1; n <= 3; n++)
        check_eq(ring_of(me, n), 1);
    return 0;
}

TEST(task, who_joins_itself_or_a_ring_is_told)
{
    everywhere(rings, 0);
}

static int child_joins(rp_self *me, void *arg)
{
    struct joiner *j = arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    return rp_scope_close(me, &s, rp_go(me, &s, joins, j, NULL));
}

/* 0 closes a scope, whose task joins 0 itself (at once), or 1, which joins 0 in turn: whoever was the last, it is seen
 * when a join has lasted. */
static int through_a_scope(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned whom = 0; whom < 2; whom++) {
        struct pair p = {.told = 0};
        struct joiner child = {&p, whom}, other = {&p, 0};
        rp_scope s;
        rp_scope_open(me, &s, RP_FOREVER);
        check_eq(rp_go(me, &s, child_joins, &child, &p.task[0]), 0);
        check_eq(rp_go(me, &s, joins, &other, &p.task[1]), 0);
        check_eq(rp_scope_close(me, &s, 0), 0);
        check_eq(p.told, 1);
    }
    return 0;
}

TEST(task, who_joins_one_that_waits_for_its_tasks_is_told)
{
    everywhere(through_a_scope, 0);
}

/* ---- shields ---------------------------------------------------------------------------------------- */

static int replies(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_reply(me, m, NUM, rp_body(m, NUM));
}
static const rp_actor peer = {.name = "peer", .handle = replies};

struct last {
    rp_ref peer;
    int said; /* last words */
    int after, deep;
};

static int says(rp_self *me, void *arg)
{
    struct last *l = arg;
    rp_msg *m;
    int rc = rp_call(me, l->peer, NUM, &(struct num){7, {0, 0}}, &m, RP_FOREVER);
    check_eq(rc, 0);
    rp_msg_drop(me, m);
    l->said++;
    return rp_sleep(me, rp_in_ms(me, 1));
}

/* Waits, is cancelled, and cleans up: itself, in a task, and in a scope within. */
static int cleans_up(rp_self *me, void *arg)
{
    struct last *l = arg;
    rp_scope s, inner;
    check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED);
    rp_scope_open_shielded(me, &s, rp_in_ms(me, 10000));
    check_eq(rp_scope_check(me), 0);
    check_str(rp_why(me), "enough");
    check_eq(rp_go(me, &s, says, l, NULL), 0);
    check_eq(says(me, l), 0);
    rp_scope_open(me, &inner, RP_FOREVER);
    l->deep = rp_sleep(me, rp_in_ms(me, 1));
    check_eq(rp_scope_close(me, &inner, 0), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    l->after = rp_sleep(me, rp_in_ms(me, 1));
    check_str(rp_why(me), "enough");
    return l->after;
}

static void said_all(const struct last *l)
{
    check_eq(l->said, 2);
    check_eq(l->deep, 0);
    check_eq(l->after, -ECANCELED); /* the shield is gone, the cancel is not */
}

static int cancelled_scope(rp_self *me, void *arg)
{
    (void)arg;
    struct last l = {.after = 1};
    rp_scope s;
    check_eq(rp_spawn(me, &peer, NULL, &l.peer), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, cleans_up, &l, NULL), 0);
    check_eq(rp_yield(me), 0);
    rp_scope_cancel(&s, "enough");
    check_eq(rp_scope_close(me, &s, 0), 0);
    said_all(&l);
    return rp_stop(me, l.peer, "enough");
}

TEST(shield, last_words_in_a_cancelled_scope)
{
    everywhere(cancelled_scope, 0);
}

static int stopped_actor(rp_self *me, void *arg)
{
    static const rp_actor cleaner = {.name = "cleaner", .run = cleans_up};
    (void)arg;
    struct last l = {.after = 1};
    struct rp_down d;
    rp_ref r;
    check_eq(rp_spawn(me, &peer, NULL, &l.peer), 0);
    check_eq(rp_spawn(me, &cleaner, &(rp_spawn_opts){.arg = &l, .monitor = true}, &r), 0);
    check_eq(rp_yield(me), 0);
    check_eq(rp_stop(me, r, "enough"), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -ECANCELED);
    said_all(&l);
    return rp_stop(me, l.peer, "enough");
}

TEST(shield, last_words_of_a_stopped_actor)
{
    everywhere(stopped_actor, 0);
}

struct within {
    rp_scope *outer, *shield;
    bool there;
    int rc, again;
};

/* Is in two shields when it is cancelled from outside. */
static int is_within(rp_self *me, void *arg)
{
    struct within *w = arg;
    rp_scope outer, inner;
    rp_scope_open_shielded(me, &outer, RP_FOREVER);
    w->shield = &outer;
    rp_scope_open_shielded(me, &inner, RP_FOREVER);
    w->there = true;
    w->rc = rp_sleep(me, rp_in_ms(me, 2));
    (void)!rp_scope_close(me, &inner, 0);
    w->again = rp_sleep(me, rp_in_ms(me, 2));
    (void)!rp_scope_close(me, &outer, 0);
    return rp_sleep(me, RP_FOREVER);
}

static int in_shields(rp_self *me, void *arg)
{
    (void)arg;
    for (int how = 0, ms = 1; how < 4; how++) {
        struct within w = {.rc = 1, .again = 1};
        rp_scope s;
        rp_task *t;
        int result = 0;
        rp_scope_open(me, &s, how == 0 ? rp_in_ms(me, ms) : RP_FOREVER);
        check_eq(rp_go(me, &s, is_within, &w, &t), 0);
        while (!w.there && rp_yield(me) == 0)
            ;
        if (!w.there) { /* so busy is this machine that it has not begun by then: once more, with more time */
            check_eq(how, 0);
            check_eq(rp_scope_close(me, &s, 0), -ETIMEDOUT);
            ms *= 2;
            how--;
            continue;
        }
        if (how == 1)
            rp_scope_cancel(&s, "enough");
        else if (how == 2)
            rp_task_cancel(t, "enough");
        else if (how == 3)
            rp_scope_cancel(w.shield, "the shield itself"), rp_scope_cancel(&s, "enough");
        while (rp_task_result(t, &result) == -EAGAIN && (how != 0 || rp_scope_check(me) == 0))
            (void)!rp_yield(me);
        int rc = rp_scope_close(me, &s, 0);
        check_eq(rc, how == 0 ? -ETIMEDOUT : 0);
        check_eq(w.rc, 0); /* the inner one holds always */
        check_eq(w.again, how == 3 ? -ECANCELED : 0);
    }
    return 0;
}

TEST(shield, keeps_out_every_cancel_but_its_own)
{
    everywhere(in_shields, 0);
}

static int has_its_own_end(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope outer, shield;
    rp_scope_open(me, &outer, RP_FOREVER);
    rp_scope_cancel(&outer, "enough");
    rp_scope_open_shielded(me, &shield, rp_in_ms(me, 1));
    check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED);
    check_eq(rp_scope_close(me, &shield, 0), -ETIMEDOUT);
    check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED);
    return rp_scope_close(me, &outer, 0);
}

TEST(shield, ends_by_its_own_deadline)
{
    everywhere(has_its_own_end, 0);
}
