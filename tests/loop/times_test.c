/* SPDX-License-Identifier: MIT
 *
 * Times at the ends of their range, in every place that takes one: nothing overflows, what is long past is past, and what
 * is for ever does not come. Under UBSan an overflow is an error by itself.
 */
#include "reparto/drain.h"
#include "reparto/embed.h"
#include "reparto/inspect.h"
#include "reparto/queue.h"
#include "reparto/sim.h"
#include "reparto/supervisor.h"
#include "reparto/sync.h"
#include "tests/support.h"

#include "loop/base/times.h"

#include <errno.h>

static const rp_time past[] = {INT64_MIN, INT64_MIN + 1, RP_FOREVER / -2, -RP_S, -1, 0};
static const rp_time far[] = {RP_FOREVER, RP_FOREVER - 1, RP_FOREVER - RP_S, RP_FOREVER / 2};
enum { PASTS = sizeof past / sizeof *past, FARS = sizeof far / sizeof *far };

TEST(times, add_up_to_for_ever)
{
    check_eq(rp__after(5, 7), 12);
    check_eq(rp__after(RP_FOREVER, 1), RP_FOREVER);
    check_eq(rp__after(1, RP_FOREVER), RP_FOREVER);
    check_eq(rp__after(-1, INT64_MIN), INT64_MIN);
    check_eq(rp__times(3, RP_MS), 3 * RP_MS);
    check_eq(rp__times(INT64_MAX, RP_US), RP_FOREVER);
    check_eq(rp__until(12, 5), 7);
    check_eq(rp__until(RP_FOREVER, 5), RP_FOREVER);
    check_eq(rp__until(INT64_MIN, 5), INT64_MIN);
    check_eq(rp__until(RP_FOREVER - 1, -5), RP_FOREVER);
}

/* ---- deadlines -------------------------------------------------------------------------------------- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int sleeps(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER);
}

/* Waits for what does not come, by each function that takes a deadline. */
static int wait_by(rp_self *me, unsigned how, rp_queue *q, rp_task *task, rp_time deadline)
{
    rp_event never = {{0}};
    rp_lock k = {{0}};
    rp_cond c = {{0}};
    rp_limiter dear;
    rp_msg *m;
    rp_ref r;
    int item, rc;
    switch (how) {
    case 0:
        return rp_recv(me, &m, deadline);
    case 1:
        return rp_queue_get(me, q, &item, deadline);
    case 2:
        return rp_event_wait(me, &never, deadline);
    case 3:
        return rp_join(me, task, NULL, deadline);
    case 4:
        return rp_call(me, rp_self_ref(me), NUM, &(struct num){1, {0, 0}}, &m, deadline);
    case 5:
        check_eq(rp_lock_acquire(me, &k, RP_FOREVER), 0);
        rc = rp_cond_wait(me, &c, &k, deadline);
        check_eq(rp_lock_release(me, &k), 0);
        return rc;
    case 6:
        check_eq(rp_limiter_init(&dear, 1, RP_FOREVER / 4, 1), 0);
        check_eq(rp_limiter_acquire(me, &dear, 1, RP_FOREVER), 0);
        return rp_limiter_acquire(me, &dear, 1, deadline);
    case 7:
        rc = rp_lookup(me, rp_this_node(me), "nobody", &r, deadline);
        return rc == -ESRCH && deadline == 0 ? -ETIMEDOUT : rc;
    }
    return 1;
}

static int past_deadlines(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q;
    rp_task *task;
    rp_scope s, outer;
    check_eq(rp_queue_new(sizeof(int), 4, NULL, &q), 0);
    rp_scope_open(me, &outer, RP_FOREVER);
    check_eq(rp_go(me, &outer, sleeps, NULL, &task), 0);
    for (unsigned i = 0; i < PASTS; i++) {
        int rc = 0;
        for (unsigned how = 0; (rc = wait_by(me, how, q, task, past[i])) != 1; how++)
            check(rc == -ETIMEDOUT, "%u: %d at %lld", how, rc, (long long)past[i]);
        check_eq(rp_sleep(me, past[i]), 0);
        check_eq(rp_offload(me, nothing, NULL, past[i]), -ETIMEDOUT);
        rp_scope_open(me, &s, past[i]);
        check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED);
        check_eq(rp_scope_close(me, &s, 0), -ETIMEDOUT);
        rp_scope_open_shielded(me, &s, past[i]);
        check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED);
        check_eq(rp_scope_close(me, &s, 0), -ETIMEDOUT);
        int drained = rp_drain(me, past[i], NULL, NULL);
        check(drained == 0 || drained == -ETIMEDOUT, "%d", drained);
    }
    rp_scope_cancel(&outer, "enough");
    check_eq(rp_scope_close(me, &outer, 0), 0);
    rp_queue_free(q);
    return 0;
}

TEST(times, a_deadline_long_past_is_past)
{
    everywhere(past_deadlines, 0);
}

static int far_deadlines(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q;
    rp_task *task;
    rp_scope s, outer;
    check_eq(rp_queue_new(sizeof(int), 4, NULL, &q), 0);
    rp_scope_open(me, &outer, RP_FOREVER);
    check_eq(rp_go(me, &outer, sleeps, NULL, &task), 0);
    for (unsigned i = 0; i < FARS; i++) {
        int rc = 0;
        for (unsigned how = 0;; how++) {
            rp_scope_open(me, &s, rp_in_ms(me, 1));
            rc = wait_by(me, how, q, task, far[i]);
            int closed = rp_scope_close(me, &s, 0);
            if (rc == 1)
                break;
            check(rc == -ECANCELED && closed == -ETIMEDOUT, "%u: %d, %d at %lld", how, rc, closed, (long long)far[i]);
        }
        check_eq(rp_offload(me, nothing, NULL, far[i]), 0);
        rp_scope_open(me, &s, far[i]);
        check_eq(rp_yield(me), 0);
        check_eq(rp_scope_close(me, &s, 0), 0);
    }
    rp_scope_cancel(&outer, "enough");
    check_eq(rp_scope_close(me, &outer, 0), 0);
    rp_queue_free(q);
    return 0;
}

TEST(times, a_deadline_for_ever_does_not_come)
{
    everywhere(far_deadlines, 0);
}

static int in_ms(rp_self *me, void *arg)
{
    (void)arg;
    static const int64_t much[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / RP_MS, RP_FOREVER / RP_MS + 1};
    static const int64_t none[] = {INT64_MIN, INT64_MIN + 1, -1, 0};
    for (unsigned i = 0; i < 4; i++) {
        check_eq(rp_in_ms(me, much[i]), RP_FOREVER);
        check(rp_in_ms(me, none[i]) <= rp_now(me));
    }
    return 0;
}

TEST(times, so_many_ms_from_now)
{
    everywhere(in_ms, 0);
}

/* ---- timers ----------------------------------------------------------------------------------------- */

struct ticking {
    rp_time first, period;
    unsigned ticks;
};

static int counts(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)m;
    (*(struct ticking **)state)->ticks++;
    return 0;
}

static int starts_timer(rp_self *me, void *state, void *arg)
{
    struct ticking *t = *(struct ticking **)state = arg;
    struct num b = {1, {0, 0}};
    return t->period ? rp_timer_every(me, t->first, t->period, NUM, &b, NULL) : rp_timer_start(me, t->first, NUM, &b, NULL);
}
static const rp_actor ticker = {.name = "ticker", .handle = counts, .init = starts_timer, .state_size = sizeof(void *)};

static unsigned ticks_of(rp_self *me, rp_time first, rp_time period)
{
    struct ticking t = {first, period, 0};
    struct rp_down d;
    rp_ref r;
    check_eq(rp_spawn(me, &ticker, &(rp_spawn_opts){.arg = &t, .monitor = true}, &r), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 3)), 0);
    check_eq(rp_stop(me, r, "enough"), 0);
    check_eq(recv_down(me, &d), 0);
    return t.ticks;
}

static int timers(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < FARS; i++) {
        check_eq(ticks_of(me, far[i], 0), 0);
        check_eq(ticks_of(me, far[i], far[i]), 0);
        check_eq(ticks_of(me, rp_now(me), far[i]), 1); /* and not again in this life */
        for (unsigned k = 0; k < PASTS; k++)
            check_eq(ticks_of(me, past[k], far[i]), 1);
    }
    for (unsigned k = 0; k < PASTS; k++)
        check_eq(ticks_of(me, past[k], 0), 1);
    return 0;
}

TEST(times, a_timer_of_centuries_comes_once)
{
    check_eq(run_with(timers, NULL, &(rp_system_opts){.loops = 1}), 0);
    check_eq(run_with(timers, NULL, &(rp_system_opts){.loops = 1, .sim_seed = test_seed()}), 0);
}

/* ---- simulations ------------------------------------------------------------------------------------ */

static int steps(rp_self *me, void *arg)
{
    int rc = 0;
    for (; rc == 0 && *(int *)arg < 10; ++*(int *)arg)
        rc = rp_sleep(me, rp_in_ms(me, 100));
    return rc;
}

static rp_sim *simulation(int *n, unsigned *node)
{
    static const rp_actor root = {.name = "root", .run = steps};
    rp_sim *s = rp_sim_new(test_seed());
    *n = 0;
    check_eq(rp_sim_add(s, &root, n, &(rp_system_opts){.loops = 1}, node), 0);
    return s;
}

TEST(times, a_simulation_runs_for_ever)
{
    int n;
    unsigned node;
    for (unsigned i = 0; i < FARS; i++) {
        rp_sim *s = simulation(&n, &node);
        check_eq(rp_sim_run(s, far[i]), 0);
        check_eq(n, 10);
        rp_sim_free(s);
        s = simulation(&n, &node);
        check_eq(rp_sim_run(s, past[i]), -ETIMEDOUT);
        rp_sim_free(s);
    }
}

TEST(times, a_simulated_node_is_paused_for_ever)
{
    int n;
    unsigned node;
    for (unsigned i = 0; i < FARS; i++) {
        rp_sim *s = simulation(&n, &node);
        check_eq(rp_sim_run(s, 250 * RP_MS), -ETIMEDOUT);
        int before = n;
        rp_sim_pause(s, node, far[i]);
        int rc = rp_sim_run(s, 10 * RP_S);
        check(rc == -ETIMEDOUT || rc == -EDEADLK, "%d", rc);
        check_eq(n, before);
        rp_sim_pause(s, node, past[i]); /* and goes on */
        check_eq(rp_sim_run(s, RP_FOREVER), 0);
        check_eq(n, 10);
        rp_sim_free(s);
    }
}

static int busy(rp_self *me, void *arg)
{
    int *n = arg;
    for (unsigned i = 0; i < PASTS; i++, ++*n)
        rp_sim_busy(me, past[i]);
    rp_sim_busy(me, RP_FOREVER);
    ++*n;
    return 0;
}

TEST(times, a_simulated_loop_is_held_for_ever)
{
    static const rp_actor root = {.name = "root", .run = busy};
    int n = 0;
    unsigned node;
    rp_sim *s = rp_sim_new(test_seed());
    check_eq(rp_sim_add(s, &root, &n, &(rp_system_opts){.loops = 1}, &node), 0);
    rp_sim_latency(s, RP_FOREVER, INT64_MIN);
    check_eq(rp_sim_run(s, RP_FOREVER), -EDEADLK);
    check_eq(n, PASTS);
    rp_sim_free(s);
}

static int sleeps_to_the_end(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER - 1);
}

TEST(times, virtual_time_has_an_end)
{
    static const rp_actor root = {.name = "root", .run = sleeps_to_the_end};
    unsigned node;
    rp_sim *s = rp_sim_new(test_seed());
    check_eq(rp_sim_add(s, &root, NULL, &(rp_system_opts){.loops = 1}, &node), 0);
    check_eq(rp_sim_run(s, RP_FOREVER), -ETIMEDOUT);
    check(rp_sim_now(s) < RP_FOREVER);
    rp_sim_free(s);
}

/* ---- options, and hosts ----------------------------------------------------------------------------- */

static int ward(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}

static int extreme_options(rp_self *me, void *arg)
{
    static const rp_actor kind = {.name = "ward", .handle = ward};
    static const rp_child child = {.actor = &kind, .stop_ms = INT64_MAX};
    static const rp_supervisor s = {
        .children = &child, .nchildren = 1, .within_ms = UINT32_MAX, .backoff_ms = UINT32_MAX, .backoff_max_ms = UINT32_MAX,
    };
    (void)arg;
    rp_ref r, shed;
    rp_inspection *i;
    rp_actor_info info;
    int rc;
    check_eq(rp_supervise(me, &s, NULL, &r), 0);
    check_eq(rp_spawn(me, &kind, &(rp_spawn_opts){.shed_ms = UINT32_MAX}, &shed), 0);
    for (unsigned n = 0; n < 20; n++)
        check_eq(tell_num(me, shed, n), 0);
    check_eq(rp_inspect(me, INT64_MAX, &i), 0);
    while ((rc = rp_inspect_next(me, i, &info)) == 1)
        ;
    check_eq(rc, 0);
    rp_inspect_end(me, i);
    check_eq(rp_stop(me, shed, "enough"), 0);
    return rp_stop(me, r, "enough");
}

TEST(times, options_of_49_days)
{
    rp_system_opts o = {.loops = 2, .demote_ms = UINT32_MAX, .spin_us = INT64_MIN}, most = {.loops = 1, .spin_us = INT64_MAX};
    check_eq(run_with(extreme_options, NULL, &o), 0);
    check_eq(run_with(extreme_options, NULL, &most), 0);
}

TEST(times, a_tick_for_ever_ends_with_the_work)
{
    static const rp_actor root = {.name = "root", .run = sleeps};
    static const rp_time budget[] = {RP_FOREVER, RP_FOREVER - 1, INT64_MIN, -1, 0};
    rp_system *sys;
    check_eq(rp_system_open(&root, NULL, NULL, &sys), 0);
    for (unsigned i = 0; i < sizeof budget / sizeof *budget; i++)
        check(rp_system_tick(sys, budget[i]) >= 0);
    while (rp_system_tick(sys, RP_FOREVER) == 1) /* bounded: it sleeps then */
        ;
    check_eq(rp_system_close(sys), -ECANCELED);
}
