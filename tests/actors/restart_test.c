/* SPDX-License-Identifier: MIT
 *
 * What comes in between while a supervisor begins again: its next start fails, it is asked something, it is stopped.
 */
#include "actors/table/actor.h"
#include "loop/system.h"
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

/* What a supervisor under another was copied from: its loop does not look at it before it begins again. */
static rp_supervisor *plan_of(rp_self *me, const char *name)
{
    rp_ref r;
    check_eq(rp_whereis(me, name, &r), 0);
    struct rp__actor *a = rp__actor_find(me->loop->sys->loops[rp__loop_of(r.local)]->actors, r.local);
    return a->extra->kept->arg;
}

static int inner_cannot_begin(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        struct tree t;
        struct rp_down d;
        plant(me, &t, &leaf, RP_LOOP(on), RP_SPREAD);
        plan_of(me, "inner")->strategy = (rp_strategy)77; /* it is read again at each start: its init fails from here on */
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

/* The same, each step in its order: when an inner supervisor has fallen, and before it is begun again, somebody stops
 * it, or asks something of it. */
static struct {
    char text[64]; /* what has happened: its supervisor begins it, and hears that it fell; a child of its begins */
    _Atomic unsigned n, falls, born;
} tale;

static void happens(char what)
{
    unsigned n = atomic_fetch_add(&tale.n, 1);
    check(n < sizeof tale.text - 1, "%s", tale.text);
    tale.text[n] = what;
}

static int begin(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    happens('b');
    atomic_fetch_add(&tale.born, 1);
    return 0;
}
static const rp_actor born = {.name = "born", .handle = obey, .init = begin};

static void on_inner(rp_self *me, void *arg, const rp_supervision *e)
{
    (void)me, (void)arg;
    if (e->what == RP_CHILD_STARTED || e->what == RP_CHILD_RESTARTED)
        happens('s');
    if (e->what != RP_CHILD_FELL)
        return;
    happens('f');
    atomic_fetch_add(&tale.falls, 1);
}

/* Until it has fallen; it is down for 20 ms or more. */
static rp_ref tell_tale(rp_self *me, struct tree *t, unsigned on, unsigned leaf_on)
{
    rp_ref in;
    memset(tale.text, 0, sizeof tale.text);
    tale.n = tale.falls = tale.born = 0;
    t->leaf = (rp_child){.actor = &born, .opts = {.on = leaf_on}};
    t->in = (rp_supervisor){.children = &t->leaf, .nchildren = 1, .within_ms = 60000};
    t->inner = (rp_child){.supervisor = &t->in, .opts = {.name = "inner", .on = on}};
    t->out = (rp_supervisor){.children = &t->inner, .nchildren = 1, .event = on_inner, .backoff_ms = 40, .backoff_max_ms = 40};
    check_eq(rp_supervise(me, &t->out, &(rp_spawn_opts){.monitor = true}, &t->outer), 0);
    check_eq(rp_whereis(me, "inner", &in), 0);
    check_eq(rp_supervise_child(me, in, 0, &t->first), 0);
    check_eq(tell_num(me, t->first, FAIL), 0);
    while (atomic_load(&tale.falls) == 0)
        check_eq(rp_yield(me), 0);
    return in;
}

static void end_tale(rp_self *me, const struct tree *t)
{
    struct rp_down d;
    check_eq(rp_stop(me, t->outer, "test"), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -ECANCELED);
}

/* Stops it; false: too late, it has been begun again before it was told. */
static bool stop_in_time(rp_self *me, rp_ref inner, unsigned on)
{
    rp_ref there;
    check_eq(rp_stop(me, inner, "too early"), 0);
    check_eq(rp_spawn(me, &leaf, &(rp_spawn_opts){.on = on}, &there), 0);
    for (int i = 0; i < 2; i++) { /* its loop has heard of it, and what it made of that stands in the mailbox */
        rp_msg *m;
        check_eq(rp_call(me, there, NUM, &(struct num){WHERE, {0, 0}}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
    }
    check_eq(rp_stop(me, there, "test"), 0);
    return atomic_load(&tale.n) == strlen("sbf");
}

/* The life that was stopped begins no child; the next does. */
static int stopped_does_not_start(rp_self *me, void *arg)
{
    static const char *const want = "sbfsfsb";
    bool seen = false;
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++)
        for (unsigned tries = 0; tries < 10; tries++) {
            struct tree t;
            rp_ref inner = tell_tale(me, &t, RP_LOOP(on), RP_SPREAD);
            bool in_time = stop_in_time(me, inner, RP_LOOP(on));
            for (int i = 0; i < 10000 && in_time && atomic_load(&tale.n) < strlen(want); i++)
                check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
            end_tale(me, &t);
            if (!in_time)
                continue; /* a crowded machine */
            check_str(tale.text, want);
            seen = true;
            break;
        }
    check(seen, "never told in time");
    return 0;
}

TEST(restart, who_is_stopped_before_its_start_begins_no_child)
{
    everywhere(stopped_does_not_start, 0);
}

struct question {
    rp_ref inner, first;
    const rp_child *more;
};

static int ask_which(rp_self *me, void *arg)
{
    const struct question *q = arg;
    rp_ref r;
    check_eq(rp_supervise_child(me, q->inner, 0, &r), 0);
    check(!rp_ref_eq(r, q->first), "its children are new");
    check(atomic_load(&tale.born) >= 2, "it was answered before the start");
    return 0;
}

static int ask_to_add(rp_self *me, void *arg)
{
    const struct question *q = arg;
    rp_ref r;
    check_eq(rp_supervise_add(me, q->inner, q->more, &r), 0);
    check(atomic_load(&tale.born) >= 3);
    return 0;
}

static int ask_to_remove(rp_self *me, void *arg)
{
    const struct question *q = arg;
    check_eq(rp_supervise_remove(me, q->inner, q->first), -ESRCH); /* who is no child of this life */
    check(atomic_load(&tale.born) >= 2, "it was answered before the start");
    return 0;
}

static int answered_after_start(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++)
        for (unsigned leaf_on = 0; leaf_on < rp_loop_count(me); leaf_on++) {
            struct tree t;
            rp_scope s;
            rp_ref inner = tell_tale(me, &t, RP_LOOP(on), RP_LOOP(leaf_on));
            struct question q = {inner, t.first, &t.leaf};
            rp_scope_open(me, &s, rp_in_ms(me, 30000));
            check_eq(rp_go(me, &s, ask_which, &q, NULL), 0);
            check_eq(rp_go(me, &s, ask_to_add, &q, NULL), 0);
            check_eq(rp_go(me, &s, ask_to_remove, &q, NULL), 0);
            check_eq(rp_scope_close(me, &s, 0), 0);
            end_tale(me, &t);
            check_eq(strncmp(tale.text, "sbfsbb", 6), 0);
        }
    return 0;
}

TEST(restart, what_is_asked_before_a_start_is_answered_when_it_has_been)
{
    everywhere(answered_after_start, 0);
}

/* ---- what comes between two incarnations ------------------------------------------------------------- */

static _Atomic int exits, last_reason;

static int hear(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    const struct rp_exit_notice *e = rp_body(m, RP_EXIT_NOTICE);
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
