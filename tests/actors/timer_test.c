/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>

static void expect(rp_self *me, uint64_t want)
{
    uint64_t n = 0;
    check_eq(recv_num(me, &n), 0);
    check_eq(n, want);
}

static void nothing(rp_self *me, int64_t ms)
{
    rp_msg *m;
    check_eq(rp_recv(me, &m, rp_in_ms(me, ms)), -ETIMEDOUT);
}

static int key(rp_self *me, uint64_t k, int64_t ms, uint64_t n)
{
    struct num b = {n, {0, 0}};
    return rp_timer_key(me, k, rp_in_ms(me, ms), NUM, &b);
}

static int keyed(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(key(me, 1, 3, 10), 0);
    check_eq(key(me, 2, 2, 20), 0);
    check_eq(key(me, 1, 5, 11), 0); /* in place of the first */
    check_eq(key(me, 0, 4, 30), 0);
    check_eq(rp_timer_key_stop(me, 0), 0);
    check_eq(rp_timer_key_stop(me, 0), -ESRCH);
    expect(me, 20);
    expect(me, 11);
    nothing(me, 3);
    check_eq(rp_timer_key_stop(me, 1), -ESRCH); /* it has come */
    for (uint64_t i = 0; i < 1000; i++)
        check_eq(key(me, i % 500, 1, i), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 3)), 0); /* all are due, and wait for us */
    for (uint64_t i = 0; i < 500; i += 2)
        check_eq(rp_timer_key_stop(me, i), 0);
    check_eq(key(me, 1, 1, 9999), 0);
    for (uint64_t i = 3; i < 500; i += 2)
        expect(me, 500 + i);
    expect(me, 9999);
    nothing(me, 2);
    check_eq(key(me, 7, 1, 1), 0); /* and one that is pending at the end */
    return 0;
}

TEST(timers, keys_replace_and_stop)
{
    everywhere(keyed, 0);
}

static int busy_handle(rp_self *me, void *state, const rp_msg *m)
{
    int *late = state;
    const struct num *b = rp_body(m, NUM);
    struct num due = {2, {0, 0}};
    rp_timer t;
    switch (b->n) {
    case 1: /* its time comes while this handler waits; then it is stopped after all */
        check_eq(rp_timer_start(me, rp_in_ms(me, 1), NUM, &due, &t), 0);
        check_eq(key(me, 5, 1, 2), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 4)), 0);
        check_eq(rp_timer_stop(me, t), 0);
        check_eq(rp_timer_key_stop(me, 5), 0);
        return 0;
    case 2:
        (*late)++;
        return 0;
    default: {
        struct num r = {(uint64_t)*late, {0, 0}};
        return rp_reply(me, m, NUM, &r);
    }
    }
}
static const rp_actor busy = {.name = "busy", .handle = busy_handle, .state_size = sizeof(int)};

static int stopped_while_busy(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_ref r;
        rp_msg *m;
        struct num q = {3, {0, 0}};
        check_eq(rp_spawn(me, &busy, &(rp_spawn_opts){.on = RP_LOOP(on)}, &r), 0);
        check_eq(tell_num(me, r, 1), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 8)), 0);
        check_eq(rp_call(me, r, NUM, &q, &m, RP_FOREVER), 0);
        check_eq(((const struct num *)rp_body(m, NUM))->n, 0); /* a stopped timer never fires */
        rp_msg_drop(me, m);
    }
    return 0;
}

TEST(timers, a_stopped_one_never_comes)
{
    everywhere(stopped_while_busy, 0);
}

static int stop_anothers(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_reply_error(me, m, rp_timer_stop(me, (rp_timer){((const struct num *)rp_body(m, NUM))->n}));
}
static const rp_actor stops_anothers = {.name = "stranger", .handle = stop_anothers};

static int not_anothers(rp_self *me, void *arg)
{
    rp_timer t;
    rp_ref r;
    rp_msg *m;
    uint64_t n;
    (void)arg;
    check_eq(rp_spawn(me, &stops_anothers, NULL, &r), 0); /* on this loop: it knows the number */
    check_eq(rp_timer_start(me, rp_in_ms(me, 20), NUM, &(struct num){.n = 7}, &t), 0);
    check_eq(rp_call(me, r, NUM, &(struct num){.n = t.id}, &m, RP_FOREVER), -ESRCH);
    check_eq(recv_num(me, &n), 0);
    check_eq(n, 7);
    return 0;
}

TEST(timers, nobody_stops_anothers)
{
    everywhere(not_anothers, 0);
}

static int every(rp_self *me, void *arg)
{
    (void)arg;
    struct num b = {7, {0, 0}};
    rp_time first = rp_in_ms(me, 2), period = 2 * RP_MS;
    rp_timer t;
    check_eq(rp_timer_every(me, first, RP_US, NUM, &b, &t), -EINVAL);
    check_eq(rp_timer_every(me, first, period, NUM, &b, &t), 0);
    int64_t skipped = 0;
    for (int64_t i = 0; i < 40; i++) {
        expect(me, 7);
        int64_t step = (rp_now(me) - first) / period; /* no later one than this can have come */
        check(rp_now(me) >= first && i + skipped <= step, "%d of %d", (int)i, (int)step);
        if (i == 20) /* sleeps over some: they are skipped, and one waits */
            check_eq(rp_sleep(me, first + (step + 4) * period + period / 2), 0);
        if (i == 20)
            skipped = 3;
    }
    check_eq(rp_timer_stop(me, t), 0);
    check_eq(rp_timer_stop(me, t), -ESRCH);
    nothing(me, 6);
    check_eq(rp_timer_every(me, first, period, NUM, &b, NULL), 0); /* one that goes on until the end */
    return 0;
}

/* In virtual time nobody is late: each comes in its own period, and within a tick of the wheel. */
static int exact(rp_self *me, void *arg)
{
    (void)arg;
    struct num b = {7, {0, 0}};
    rp_time first = rp_in_ms(me, 5), period = 3 * RP_MS;
    check_eq(rp_timer_every(me, first, period, NUM, &b, NULL), 0);
    for (int64_t i = 0; i < 2000; i++) {
        expect(me, 7);
        rp_time late = rp_now(me) - (first + i * period);
        check(late >= 0 && late < RP_MS, "%d is late by %d us", (int)i, (int)(late / RP_US));
        check_eq(rp_sleep(me, rp_now(me) + (rp_time)(rp_random(me) % (uint64_t)(2 * RP_MS))), 0);
    }
    return 0;
}

/* Who was late once, or skipped some, is in step again at the next. */
static int in_step_again(rp_self *me, void *arg)
{
    (void)arg;
    struct num b = {7, {0, 0}};
    rp_time first = rp_in_ms(me, 5), period = 3 * RP_MS;
    check_eq(rp_timer_every(me, first, period, NUM, &b, NULL), 0);
    bool late = false;
    for (int i = 0; i < 300; i++) {
        expect(me, 7);
        rp_time phase = (rp_now(me) - first) % period;
        check(late || phase < RP_MS, "the %d. comes %d us after its time", i, (int)(phase / RP_US));
        int64_t came = (rp_now(me) - first) / period;
        check_eq(rp_sleep(me, rp_now(me) + (rp_time)(rp_random(me) % (uint64_t)(7 * RP_MS))), 0);
        late = (rp_now(me) - first) / period > came; /* the next one has come already */
    }
    return 0;
}

TEST(timers, periodic_ones_do_not_drift)
{
    everywhere(every, 0);
    for (uint64_t seed = 1; seed < 6; seed++)
        check_eq(run_with(in_step_again, 0, &(rp_system_opts){.loops = 2, .sim_seed = seed}), 0);
    for (uint64_t seed = 1; seed < 6; seed++)
        check_eq(run_with(exact, 0, &(rp_system_opts){.loops = 2, .sim_seed = seed}), 0);
}

/* ---- beside messages ------------------------------------------------------------------------------ */

/* Needs longer for each tick than there is from one to the next. */
static const rp_type beat_type = {.name = "test.beat", .size = sizeof(struct num)};

static int late_init(rp_self *me, void *state, void *arg)
{
    (void)state, (void)arg;
    return rp_timer_every(me, rp_in_ms(me, 1), RP_MS, &beat_type, &(struct num){0, {0, 0}}, NULL);
}

static int late_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    if (rp_body(m, &beat_type))
        return rp_sleep(me, rp_in_ms(me, 3));
    return rp_reply(me, m, NUM, rp_body(m, NUM));
}

static int late_run(rp_self *me, void *arg)
{
    rp_msg *m;
    int rc = late_init(me, NULL, arg);
    while (rc == 0 && (rc = rp_recv(me, &m, RP_FOREVER)) == 0) {
        rc = late_handle(me, NULL, m);
        rp_msg_drop(me, m);
    }
    return rc;
}

static int always_late(rp_self *me, void *arg)
{
    static const rp_actor late[] = {{.name = "late", .handle = late_handle, .init = late_init}, {.name = "late-co", .run = late_run}};
    (void)arg;
    for (int kind = 0; kind < 2; kind++) {
        rp_ref who;
        rp_msg *m;
        check_eq(rp_spawn(me, &late[kind], &(rp_spawn_opts){.on = RP_SPREAD}, &who), 0);
        for (int i = 0; i < 3; i++) {
            check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
            check_eq(rp_call(me, who, NUM, &(struct num){1, {0, 0}}, &m, rp_in_ms(me, 20000)), 0);
            rp_msg_drop(me, m);
        }
        check_eq(rp_stop(me, who, "test"), 0);
    }
    return 0;
}

TEST(timers, one_that_is_always_due_starves_no_message)
{
    everywhere(always_late, 0);
}
