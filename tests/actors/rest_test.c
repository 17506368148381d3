/* SPDX-License-Identifier: MIT
 *
 * Who calls again and again what need not wait lets others run all the same, can be stopped, and does not hold up a host's
 * tick: for each function that suspends (rests.c).
 */
#include "tests/actors/rests.h"

#include "reparto/embed.h"
#include "reparto/group.h"
#include "reparto/sim.h"

#include "loop/stint.h"

#include <errno.h>
#include <poll.h>

enum { TICKS = 3, MOST = 3 * RP__TURN_BUDGET };

static int for_good(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_sleep(me, RP_FOREVER);
    return rc == -ECANCELED ? 0 : rc;
}

static void set_up(rp_self *me, struct scene *s)
{
    check_eq(rp_queue_new(sizeof(int), 4, NULL, &s->queue), 0);
    check_eq(rp_sem_init(&s->sem, 1, 1), 0);
    check_eq(rp_limiter_init(&s->limiter, UINT32_MAX, RP_US, UINT32_MAX), 0);
    check_eq(rp_barrier_init(&s->barrier, 1), 0);
    rp_event_set(&s->event);
    check_eq(rp_once_run(me, &s->once, rest_nothing, NULL, RP_FOREVER), 0);
    check_eq(rp_spawn(me, &rest_sink, &(rp_spawn_opts){.name = "sink"}, &s->sink), 0);
    check_eq(rp_group_start(me, NULL, &s->group), 0);
    check_eq(rest_supervise(me, &s->supervisor), 0);
    rp_scope_open(me, &s->scope, RP_FOREVER);
    check_eq(rp_go(me, &s->scope, rest_nothing, NULL, &s->ended), 0);
    check_eq(rp_go(me, &s->scope, for_good, NULL, &s->running), 0);
    check_eq(rp_join(me, s->ended, NULL, RP_FOREVER), 0);
    if (s->cancelled)
        rp_scope_cancel(&s->scope, "calls go on all the same");
}

static int calls(rp_self *me, void *arg)
{
    struct scene *s = arg;
    set_up(me, s);
    int rc = 0;
    while (!s->over && rc != (s->cancelled ? 1 : -ECANCELED)) {
        s->calls++;
        check(++s->calls_in_tick < MOST, "nobody else has run beside %u calls of %s: %d", s->calls_in_tick, s->rest->name, rc);
        rc = s->rest->call(me, s);
        check(rc <= 0 && rc != -ENOMEM, "%s: %d", s->rest->name, rc);
    }
    rp_scope_cancel(&s->scope, "it is over");
    int closed = rp_scope_close(me, &s->scope, 0);
    rp_queue_free(s->queue);
    return s->cancelled ? 0 : closed != 0 ? closed : rc;
}
static const rp_actor caller = {.name = "caller", .run = calls};

static int again(rp_self *me)
{
    return rp_timer_start(me, rp_now(me) + RP_US, NUM, &(struct num){0, {0, 0}}, NULL);
}

static int beside_init(rp_self *me, void *state, void *arg)
{
    *(struct scene **)state = arg;
    return again(me);
}

/* Its timer comes; then it stops who calls, and that ends. */
static int is_beside(rp_self *me, void *state, const rp_msg *m)
{
    struct scene *s = *(struct scene **)state;
    (void)m;
    s->calls_in_tick = 0;
    s->ticks += s->calls > 0;
    if (s->ticks < TICKS)
        return again(me);
    s->over = s->cancelled;
    return s->cancelled ? 0 : rp_stop(me, s->caller, "enough");
}
static const rp_actor beside = {.name = "beside", .init = beside_init, .handle = is_beside, .state_size = sizeof(void *)};

static int holds_lock(rp_self *me, void *arg)
{
    check_eq(rp_lock_acquire(me, &((struct scene *)arg)->held, RP_FOREVER), 0);
    return for_good(me, NULL);
}
static const rp_actor holder = {.name = "holder", .run = holds_lock};

static int watches(rp_self *me, void *arg)
{
    struct scene *s = arg;
    rp_ref b, h;
    struct rp_down d;
    check_eq(rp_spawn(me, &holder, &(rp_spawn_opts){.arg = s}, &h), 0);
    check_eq(rp_yield(me), 0);
    check_eq(rp_spawn(me, &caller, &(rp_spawn_opts){.arg = s, .monitor = true}, &s->caller), 0);
    check_eq(rp_spawn(me, &beside, &(rp_spawn_opts){.arg = s}, &b), 0);
    check_eq(recv_down(me, &d), 0);
    check(d.reason == (s->cancelled ? 0 : -ECANCELED), "%s: %d", s->rest->name, d.reason);
    check_eq(rp_stop(me, b, "enough"), 0);
    return rp_stop(me, h, "enough");
}
static const rp_actor watcher = {.name = "watcher", .run = watches};

static int listens(rp_self *me, void *arg)
{
    return for_good(me, arg);
}

static void try_simulated(const struct rest *r, bool cancelled, uint64_t seed)
{
    static const rp_type *const types[] = {NUM, NULL};
    static const rp_actor far = {.name = "far", .run = listens};
    struct scene s = {.rest = r, .cancelled = cancelled};
    rp_sim *sim = rp_sim_new(seed);
    unsigned node, other;
    check_eq(rp_sim_add(sim, &watcher, &s, &(rp_system_opts){.loops = 1, .types = types}, &node), 0);
    check_eq(rp_sim_add(sim, &far, NULL, &(rp_system_opts){.loops = 1, .listen = "sim://far", .types = types}, &other), 0);
    int rc = rp_sim_run(sim, RP_S);
    check(rc == -ETIMEDOUT || rc == -EDEADLK, "%s: %d", r->name, rc); /* the far node waits for ever */
    rc = rp_sim_result(sim, node);
    check(rc == 0, "%s: %d after %u calls", r->name, rc, s.calls);
    rp_sim_free(sim);
}

TEST(rest, who_need_not_wait_lets_others_run)
{
    uint64_t seed = test_seed();
    for (const struct rest *r = rests; r->name; r++)
        try_simulated(r, false, seed);
}

TEST(rest, who_is_cancelled_and_goes_on_lets_others_run)
{
    uint64_t seed = test_seed();
    for (const struct rest *r = rests; r->name; r++)
        try_simulated(r, true, seed);
}

/* ---- a host's tick -------------------------------------------------------------------------------------- */

static int tick(rp_system *sys, struct scene *s)
{
    s->calls_in_tick = 0;
    int rc = rp_system_tick(sys, 0);
    struct pollfd p = {.fd = rp_poll_fd(sys), .events = POLLIN};
    if (rc == 0)
        (void)!poll(&p, 1, rp_poll_ms(sys));
    return rc;
}

static int root_calls(rp_self *me, void *arg)
{
    rp_ref h;
    check_eq(rp_spawn(me, &holder, &(rp_spawn_opts){.arg = arg}, &h), 0);
    check_eq(rp_yield(me), 0);
    return calls(me, arg);
}

TEST(rest, a_tick_ends_beside_who_need_not_wait)
{
    static const rp_actor root = {.name = "root", .run = root_calls};
    for (const struct rest *r = rests; r->name; r++) {
        struct scene s = {.rest = r};
        rp_system *sys;
        int rc = 0;
        check_eq(rp_system_open(&root, &s, NULL, &sys), 0);
        for (unsigned ticks = 0; ticks < TICKS; ticks += s.calls > 0)
            check((rc = tick(sys, &s)) >= 0, "%s: %d", r->name, rc);
        rp_quit(sys, "enough");
        while ((rc = tick(sys, &s)) >= 0) /* bounded: it has been told to end */
            ;
        check_eq(rc, -ESHUTDOWN);
        check_eq(rp_system_close(sys), -ECANCELED);
    }
}
