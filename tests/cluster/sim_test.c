/* SPDX-License-Identifier: MIT
 *
 * What a simulation itself promises: handlers that take time.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

enum { SEEDS = 10 };

/* ---- one that takes time, and others beside it ----------------------------------------------------- */

static const rp_field take_fields[] = {RP_FIELD(struct num, n, RP_U64)};
static const rp_type take_type = RP_TYPE("test.take", struct num, take_fields);

/* Takes as many us as it is told, in a turn of its own: its state is when it had done with the last one. */
static int take(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, &take_type);
    rp_time from = rp_now(me), span = b ? (rp_time)b->n * RP_US : 0;
    check(from >= *(rp_time *)state);
    rp_sim_busy(me, span);
    *(rp_time *)state = rp_now(me);
    check(rp_now(me) - from >= span);
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &(struct num){(uint64_t)from, {0, 0}}) : 0;
}
static const rp_actor taker = {.name = "taker", .handle = take, .state_size = sizeof(rp_time)};

/* Counts what comes, and notes when the last of it did. */
struct count {
    rp_time last;
    uint64_t n;
};

static int count(rp_self *me, void *state, const rp_msg *m)
{
    struct count *c = *(struct count **)state;
    (void)m;
    c->n++;
    c->last = rp_now(me);
    return 0;
}

static int count_init(rp_self *me, void *state, void *arg)
{
    *(struct count **)state = arg;
    return rp_timer_every(me, rp_in_ms(me, 1), RP_MS, NUM, &(struct num){0, {0, 0}}, NULL);
}
static const rp_actor counter = {.name = "counter", .init = count_init, .handle = count, .state_size = sizeof(void *)};

static rp_ref start(rp_self *me, const rp_actor *kind, unsigned on, void *arg)
{
    rp_ref r = {0, 0};
    check_eq(rp_spawn(me, kind, &(rp_spawn_opts){.on = RP_LOOP(on), .arg = arg}, &r), 0);
    return r;
}

static int take_told(rp_self *me, rp_ref who, uint64_t us)
{
    return rp_tell(me, who, &take_type, &(struct num){us, {0, 0}});
}

/* Its own loop stands still, the other goes on. */
static int held(rp_self *me, void *arg)
{
    struct count near = {0, 0}, far = {0, 0};
    (void)arg;
    rp_ref t = start(me, &taker, 1, NULL);
    start(me, &counter, 0, &near);
    start(me, &counter, 1, &far);
    check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
    check(near.n >= 8 && far.n >= 8);
    uint64_t near_before = near.n, far_before = far.n;
    rp_time from = rp_now(me);
    check_eq(take_told(me, t, 20000), 0);
    check_eq(rp_sleep(me, from + 18 * RP_MS), 0);
    check(rp_now(me) < from + 19 * RP_MS); /* our timers are in time, */
    check(near.n >= near_before + 16);
    check(far.n <= far_before + 1); /* theirs are not */
    check_eq(rp_sleep(me, from + 22 * RP_MS), 0);
    check(far.last >= from + 20 * RP_MS, "%" PRId64, far.last - from);
    check(far.n <= far_before + 4, "a periodic one that is late skips");
    return 0;
}

TEST(sim, who_takes_time_holds_its_loop)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(held, 0, &(rp_system_opts){.loops = 2, .sim_seed = seed + i}), 0);
}

/* Those told at once take their times one after the other, wherever the sender is; and the meters see it. */
static int in_line(rp_self *me, void *arg)
{
    enum { EACH = 400 };
    unsigned n = rp_loop_count(me);
    rp_ref t = start(me, &taker, n - 1, NULL);
    rp_time from = rp_now(me);
    rp_msg *m;
    (void)arg;
    for (unsigned i = 0; i < EACH; i++)
        check_eq(take_told(me, t, 500), 0);
    check_eq(rp_call(me, t, NUM, &(struct num){0, {0, 0}}, &m, RP_FOREVER), 0);
    rp_time began = (rp_time)((const struct num *)rp_body(m, NUM))->n;
    rp_msg_drop(me, m);
    check(began - from >= EACH * 500 * RP_US, "%" PRId64, began - from);
    rp_times wait, service;
    check_eq(rp_times_read(me, &take_type, &wait, &service), 0);
    check(service.p50 > 430 * RP_US && service.max < 1500 * RP_US, "%" PRId64 " %" PRId64, service.p50, service.max);
    check(wait.max > 10 * RP_MS, "%" PRId64, wait.max);
    return 0;
}

TEST(sim, who_takes_time_is_measured)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(in_line, 0, &(rp_system_opts){.loops = 1 + (unsigned)(i % 3), .sim_seed = seed + i}), 0);
}

/* ---- load ------------------------------------------------------------------------------------------ */

static int work_run(rp_self *me, void *arg)
{
    int rc = 0;
    for (rp_time at = rp_now(me); rc == 0; rc = rp_sleep(me, at += 2 * RP_MS))
        rp_sim_busy(me, *(rp_time *)arg);
    return rc;
}
static const rp_actor worker = {.name = "worker", .run = work_run};

/* Each loop has so many hundredths of its time to do. */
static int loaded(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    rp_time each[8];
    (void)arg;
    for (unsigned i = 0; i < n; i++) {
        each[i] = (rp_time)(rp_random(me) % 90) * 20 * RP_US;
        start(me, &worker, i, &each[i]);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 700)), 0);
    for (unsigned i = 0; i < n; i++) {
        int due = (int)(each[i] / (2 * RP_US)), is = rp_loop_load(me, i);
        check(is > due - 60 && is < due + 60, "loop %u: %d, not %d", i, is, due);
    }
    return 0;
}

TEST(sim, load_is_what_handlers_take)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(loaded, 0, &(rp_system_opts){.loops = 1 + (unsigned)(i % 4), .sim_seed = seed + i}), 0);
}

/* ---- wherever an actor's code runs ----------------------------------------------------------------- */

static void took(rp_self *me, rp_time from)
{
    check(rp_now(me) >= from + 3 * RP_MS);
}

static int slow_init(rp_self *me, void *state, void *arg)
{
    rp_time from = rp_now(me);
    (void)state, (void)arg;
    rp_sim_busy(me, 3 * RP_MS);
    took(me, from);
    return 0;
}

static int slow_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    uint64_t n = ((const struct num *)rp_body(m, NUM))->n;
    slow_init(me, state, 0);
    check_eq(rp_yield(me), 0); /* and on a stack of its own, */
    slow_init(me, state, 0);
    check_eq(((const struct num *)rp_body(m, NUM))->n, n);
    return n == 3 ? RP_STOP : 0;
}

static void slow_fini(rp_self *me, void *state, int reason)
{
    (void)reason;
    slow_init(me, state, 0);
}
static const rp_actor slow = {.name = "slow", .init = slow_init, .handle = slow_handle, .fini = slow_fini};

static int slow_task(rp_self *me, void *arg)
{
    return slow_init(me, arg, 0);
}

static int everywhere_slow(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me), ended = 0;
    rp_ref r[4];
    (void)arg;
    for (unsigned i = 0; i < 4; i++)
        check_eq(rp_spawn(me, &slow, &(rp_spawn_opts){.on = RP_LOOP(i % n), .monitor = true}, &r[i]), 0);
    for (unsigned i = 0; i < 16; i++)
        check_eq(tell_num(me, r[i % 4], i / 4), 0);
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    rp_time from = rp_now(me);
    check_eq(rp_go(me, &s, slow_task, 0, NULL), 0);
    check_eq(rp_go(me, &s, slow_task, 0, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check(rp_now(me) >= from + 6 * RP_MS); /* one after the other */
    for (; ended < 4; ended++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    rp_sim_busy(me, 0);
    rp_sim_busy(me, -RP_S);
    return 0;
}

TEST(sim, any_code_of_an_actor_may_take_time)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(everywhere_slow, 0, &(rp_system_opts){.loops = 1 + (unsigned)(i % 3), .sim_seed = seed + i}), 0);
}

static int real(rp_self *me, void *arg)
{
    (void)arg;
    rp_sim_busy(me, 1000 * RP_S);
    return 0;
}

TEST(sim, real_time_is_not_taken)
{
    check_eq(run_with(real, 0, NULL), 0);
}

/* ---- with faults ----------------------------------------------------------------------------------- */

static int ask(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref r;
    rp_msg *m;
    int rc = rp_connect(me, arg, &node, rp_in_ms(me, 1000));
    if (rc == 0)
        rc = rp_lookup(me, node, "taker", &r, rp_in_ms(me, 1000));
    for (unsigned i = 0; rc == 0 && i < 100; i++) {
        rc = rp_call(me, r, &take_type, &(struct num){rp_random(me) % 4000, {0, 0}}, &m, RP_FOREVER);
        if (rc == 0)
            rp_msg_drop(me, m);
    }
    return rc;
}
static const rp_actor asker = {.name = "asker", .run = ask};

static int serve(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &taker, &(rp_spawn_opts){.name = "taker", .on = RP_SPREAD}, NULL), 0);
    return rp_sleep(me, rp_in_ms(me, 100000));
}
static const rp_actor server = {.name = "server", .run = serve};

static const rp_type *const types[] = {&num_type, &take_type, NULL};

struct tale {
    uint64_t hash;
    int asked;
};

/* The server's node is paused, then killed, while its taker is mostly in the middle of something. */
static struct tale told(uint64_t seed)
{
    rp_sim *s = rp_sim_new(seed);
    unsigned a, b;
    rp_system_opts so = {.loops = 2, .listen = "sim://server", .types = types}, ao = {.loops = 1, .types = types};
    check_eq(rp_sim_add(s, &server, NULL, &so, &a), 0);
    check_eq(rp_sim_add(s, &asker, (void *)(uintptr_t) "sim://server", &ao, &b), 0);
    for (unsigned i = 0; i < 10; i++) {
        check_eq(rp_sim_run(s, (rp_time)(rp_sim_random(s) % 20) * RP_MS), -ETIMEDOUT);
        rp_sim_pause(s, a, (rp_time)(rp_sim_random(s) % 4) * RP_MS);
    }
    rp_sim_crash(s, a);
    check_eq(rp_sim_run(s, 10 * RP_S), 0);
    struct tale t = {rp_sim_hash(s), rp_sim_result(s, b)};
    rp_sim_free(s);
    return t;
}

TEST(sim, who_takes_time_is_paused_and_killed)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++) {
        struct tale one = told(seed + i), two = told(seed + i);
        check_eq(one.hash, two.hash);
        check_eq(one.asked, two.asked);
        check(one.asked == -EHOSTUNREACH || one.asked == -ECONNREFUSED, "%d", one.asked);
    }
}

static int for_ever(rp_self *me, void *arg)
{
    (void)arg;
    rp_sim_busy(me, RP_FOREVER);
    check(false);
    return 0;
}

TEST(sim, nothing_more_happens_where_all_is_held_for_ever)
{
    rp_sim *s = rp_sim_new(1);
    const rp_actor root = {.name = "root", .run = for_ever};
    unsigned node;
    check_eq(rp_sim_add(s, &root, NULL, &(rp_system_opts){.loops = 2}, &node), 0);
    check_eq(rp_sim_run(s, RP_S), -EDEADLK);
    check_eq(rp_sim_result(s, node), -EBUSY);
    rp_sim_free(s);
}
