/* SPDX-License-Identifier: MIT
 *
 * What comes in between while a supervisor begins again: its next start fails, it is asked something, it is stopped.
 */
#include "reparto/metrics.h"
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>

enum { FAIL = 1000, WHERE };

static int obey(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    if (!b)
        return 0;
    if (b->n == FAIL)
        return -EIO;
    struct num r = {rp_restarts(me), rp_self_ref(me)};
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &r) : 0;
}
static const rp_actor leaf = {.name = "leaf", .handle = obey};

/* An inner supervisor that gives up at the first failure, under an outer one that restarts it. */
struct tree {
    rp_child leaf, inner;
    rp_supervisor in, out;
    rp_ref outer, first;
};

static void plant(rp_self *me, struct tree *t, const rp_actor *kind, unsigned on, unsigned leaf_on)
{
    rp_ref in;
    t->leaf = (rp_child){.actor = kind, .opts = {.on = leaf_on}};
    t->in = (rp_supervisor){.children = &t->leaf, .nchildren = 1, .within_ms = 60000};
    t->inner = (rp_child){.supervisor = &t->in, .opts = {.name = "inner", .on = on}};
    t->out = (rp_supervisor){.children = &t->inner, .nchildren = 1};
    check_eq(rp_supervise(me, &t->out, &(rp_spawn_opts){.monitor = true}, &t->outer), 0);
    check_eq(rp_whereis(me, "inner", &in), 0);
    check_eq(rp_supervise_child(me, in, 0, &t->first), 0);
}

static int inner_cannot_begin(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        struct tree t;
        struct rp_down d;
        plant(me, &t, &leaf, RP_LOOP(on), RP_SPREAD);
        t.in.strategy = (rp_strategy)77; /* it is read again at each start: its init fails from here on */
        check_eq(tell_num(me, t.first, FAIL), 0);
        check_eq(recv_down(me, &d), 0); /* four times, and the outer one gives up too */
        check(rp_ref_eq(d.who, t.outer));
        check_eq(d.reason, -EINVAL);
    }
    return 0;
}

TEST(restart, an_inner_supervisor_cannot_begin_again)
{
    everywhere(inner_cannot_begin, 0);
}

/* ---- what comes before its start -------------------------------------------------------------------- */

/* A leaf that stops its supervisor when it ends: that is told when it has nothing more to wait for, and so hears of it
 * in its next life. */
static _Atomic int grudges;

static void bear_a_grudge(rp_self *me, void *state, int reason)
{
    (void)state, (void)reason;
    if (atomic_fetch_sub(&grudges, 1) > 0)
        check_eq(rp_stop(me, rp_parent(me), "grudge"), 0);
}
static const rp_actor bearer = {.name = "bearer", .handle = obey, .fini = bear_a_grudge};

static int stopped_before_its_start(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++)
        for (unsigned leaf_on = 0; leaf_on < rp_loop_count(me); leaf_on++) {
            struct tree t;
            struct rp_down d;
            rp_ref in, first;
            plant(me, &t, &bearer, RP_LOOP(on), RP_LOOP(leaf_on));
            atomic_store(&grudges, 1);
            check_eq(tell_num(me, t.first, FAIL), 0);
            check_eq(rp_whereis(me, "inner", &in), 0);
            do /* it is down, or stopped before its start or after, and then a last time begun */
                check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
            while (rp_supervise_child(me, in, 0, &first) != 0 || rp_ref_eq(first, t.first));
            check_eq(rp_stop(me, t.outer, "test"), 0);
            check_eq(recv_down(me, &d), 0);
            check_eq(d.reason, -ECANCELED);
        }
    return 0;
}

TEST(restart, a_supervisor_stopped_before_its_start)
{
    everywhere(stopped_before_its_start, 0);
}

static int asked_before_its_start(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        struct tree t;
        struct rp_down d;
        rp_ref in, first, added;
        plant(me, &t, &leaf, RP_LOOP(on), RP_SAME);
        check_eq(rp_whereis(me, "inner", &in), 0);
        check_eq(tell_num(me, t.first, FAIL), 0);
        for (int i = 0; i < 2; i++) { /* with the first one three, as often as the outer one bears */
            check_eq(rp_supervise_child(me, in, 0, &first), 0);
            check_eq(tell_num(me, first, FAIL), 0);
            int rc;
            while ((rc = rp_supervise_child(me, in, 0, &added)) == 0 && rp_ref_eq(added, first))
                check_eq(rp_yield(me), 0);
            check_eq(rc, 0); /* it has not ended for good */
            check_eq(rp_supervise_add(me, in, &t.leaf, &added), 0);
        }
        check_eq(rp_stop(me, t.outer, "test"), 0);
        check_eq(recv_down(me, &d), 0);
    }
    return 0;
}

TEST(restart, a_supervisor_asked_before_its_start)
{
    everywhere(asked_before_its_start, 0);
}

/* ---- what comes between two incarnations ------------------------------------------------------------- */

static _Atomic int exits, last_reason;

static int hear(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    const struct rp_exit *e = rp_body(m, RP_EXIT);
    if (b && b->n == WHERE && !rp_ref_none(b->ref))
        check_eq(rp_link(me, b->ref), 0);
    if (e && rp_ref_eq(e->who, rp_parent(me)))
        return RP_STOP;
    if (e) {
        atomic_store(&last_reason, e->reason);
        atomic_fetch_add(&exits, 1);
    }
    return obey(me, state, m);
}
static const rp_actor hearer = {.name = "hearer", .handle = hear, .flags = RP_TRAP};

static void exits_reach(rp_self *me, int n, int reason)
{
    for (int i = 0; i < 5000 && atomic_load(&exits) < n; i++)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(atomic_load(&exits), n);
    check_eq(atomic_load(&last_reason), reason);
}

/* Who traps hears in its next life of a linked actor's failure, and that it was to be stopped. */
static int told_between_lives(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_child c = {.actor = &hearer, .opts = {.on = RP_LOOP(on)}};
        rp_supervisor s = {.children = &c, .nchildren = 1, .backoff_ms = 20};
        rp_ref sup, who, peer;
        rp_msg *m;
        atomic_store(&exits, 0);
        check_eq(rp_supervise(me, &s, &(rp_spawn_opts){.monitor = true}, &sup), 0);
        check_eq(rp_supervise_child(me, sup, 0, &who), 0);
        check_eq(rp_spawn(me, &leaf, &(rp_spawn_opts){.on = RP_SPREAD}, &peer), 0);
        check_eq(rp_call(me, who, NUM, &(struct num){WHERE, peer}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
        check_eq(tell_num(me, who, FAIL), 0); /* and is down for a while */
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
        check_eq(tell_num(me, peer, FAIL), 0);
        exits_reach(me, 1, -EIO);
        check_eq(tell_num(me, who, FAIL), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
        check_eq(rp_stop(me, who, "test"), 0);
        exits_reach(me, 2, -ECANCELED);
        check_eq(rp_stop(me, sup, "test"), 0);
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
    }
    return 0;
}

TEST(restart, who_traps_is_told_between_lives)
{
    everywhere(told_between_lives, 0);
}

/* ---- counting ------------------------------------------------------------------------------------------ */

/* The last incarnation fails once, though its actor ends later than it. */
static int counted_once(rp_self *me, void *arg)
{
    (void)arg;
    rp_child c = {.actor = &leaf, .opts = {.on = RP_SPREAD}, .restart = RP_NEVER};
    rp_supervisor s = {.children = &c, .nchildren = 1};
    rp_ref sup, who;
    struct rp_down d;
    rp_metrics m;
    check_eq(rp_supervise(me, &s, NULL, &sup), 0);
    check_eq(rp_supervise_child(me, sup, 0, &who), 0);
    check_eq(rp_monitor(me, who), 0);
    check_eq(tell_num(me, who, FAIL), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -EIO);
    check_eq(rp_metrics_read(me, RP_ALL_LOOPS, &m), 0);
    check_eq(m.failed, 1);
    return 0;
}

TEST(restart, a_failure_counts_once)
{
    everywhere(counted_once, 0);
}
