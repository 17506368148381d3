/* SPDX-License-Identifier: MIT */
#include "loop/base/load.h"
#include "reparto/inspect.h"
#include "tests/support.h"

#include <errno.h>

/* An actor that says where it lives. */
static int say_where(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_reply(me, m, NUM, &(struct num){rp_loop_index(me), {0, 0}});
}
static const rp_actor settler = {.name = "settler", .handle = say_where};

static int start_on(rp_self *me, unsigned on, rp_ref *ret)
{
    return rp_spawn(me, &settler, &(rp_spawn_opts){.on = on}, ret);
}

static unsigned where_is(rp_self *me, rp_ref who)
{
    rp_msg *m;
    check_eq(rp_call(me, who, NUM, &(struct num){0, {0, 0}}, &m, RP_FOREVER), 0);
    unsigned at = (unsigned)((const struct num *)rp_body(m, NUM))->n;
    rp_msg_drop(me, m);
    return at;
}

static unsigned placed(rp_self *me, unsigned on)
{
    rp_ref r = {0, 0};
    check_eq(start_on(me, on, &r), 0);
    return where_is(me, r);
}

/* ---- by number, in turn, by key ------------------------------------------------------------------ */

static int by_number(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    (void)arg;
    check_eq(placed(me, RP_SAME), rp_loop_index(me));
    for (unsigned i = 0; i < n; i++)
        check_eq(placed(me, RP_LOOP(i)), i);
    unsigned first = placed(me, RP_SPREAD);
    for (unsigned i = 1; i < 2 * n; i++)
        check_eq(placed(me, RP_SPREAD), (first + i) % n);
    rp_ref r;
    check_eq(start_on(me, RP_LOOP(n), &r), -EINVAL);
    check_eq(start_on(me, RP_NOWHERE, &r), -EINVAL);
    check_eq(start_on(me, 0x7fffffff, &r), -EINVAL);
    return 0;
}

TEST(placement, by_number)
{
    everywhere(by_number, 0);
}

static int by_key(rp_self *me, void *arg)
{
    enum { KEYS = 3000 };
    unsigned n = rp_loop_count(me), count[16] = {0};
    (void)arg;
    check_eq(placed(me, RP_KEY(17)), placed(me, RP_KEY(17)));
    for (uint64_t k = 0; k < KEYS / 10; k++)
        count[placed(me, RP_KEY(k << 20))]++; /* keys that differ in few bits */
    for (unsigned i = 0; i < n; i++)
        check(count[i] > KEYS / 10 / n / 2, "loop %u has %u of %d keys", i, count[i], KEYS / 10);
    return 0;
}

TEST(placement, by_key)
{
    everywhere(by_key, 0);
}

/* What a key means is part of the interface: it is the same in every run. */
static int keys_of_old(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(placed(me, RP_KEY(0)), 0);
    check_eq(placed(me, RP_KEY(1)), 1);
    check_eq(placed(me, RP_KEY(2)), 0);
    check_eq(placed(me, RP_KEY(3)), 2);
    return 0;
}

TEST(placement, a_key_means_the_same_in_every_run)
{
    check_eq(run_with(keys_of_old, 0, &(rp_system_opts){.loops = 3}), 0);
}

/* ---- with another -------------------------------------------------------------------------------- */

static int with_another(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned i = 0; i < n; i++) {
        rp_ref r;
        check_eq(start_on(me, RP_LOOP(i), &r), 0);
        check_eq(rp_place_of(me, r), RP_LOOP(i));
        check_eq(placed(me, rp_place_of(me, r)), i);
        rp_ref elsewhere = {r.node + 2, r.local};
        check_eq(rp_place_of(me, elsewhere), RP_NOWHERE);
        check_eq(start_on(me, rp_place_of(me, elsewhere), &r), -EINVAL);
    }
    check_eq(rp_place_of(me, (rp_ref){0, 0}), RP_NOWHERE);
    return 0;
}

/* ---- and why, to who looks ------------------------------------------------------------------------- */

static void check_placed(rp_self *me, rp_ref who, rp_placed why)
{
    rp_inspection *i;
    rp_actor_info a;
    bool found = false;
    check_eq(rp_inspect(me, 10000, &i), 0);
    while (rp_inspect_next(me, i, &a) > 0)
        if (rp_ref_eq(a.ref, who)) {
            found = true;
            check_eq(a.placed, why);
        }
    rp_inspect_end(me, i);
    check(found);
}

static int why(rp_self *me, void *arg)
{
    const struct {
        unsigned on;
        rp_placed why;
    } places[] = {{RP_SAME, RP_PLACED_HERE}, {RP_SPREAD, RP_PLACED_SPREAD}, {RP_LEAST, RP_PLACED_LEAST},
                  {RP_KEY(7), RP_PLACED_KEY}, {RP_LOOP(0), RP_PLACED_LOOP}};
    (void)arg;
    check_placed(me, rp_self_ref(me), RP_PLACED_HERE);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        rp_ref r;
        check_eq(start_on(me, places[i].on, &r), 0);
        check_placed(me, r, places[i].why);
        unsigned to = (where_is(me, r) + 1) % rp_loop_count(me);
        check_eq(rp_move(me, r, RP_LOOP(to)), 0);
        check_placed(me, r, rp_loop_count(me) > 1 ? RP_PLACED_MOVED : places[i].why);
        check_eq(where_is(me, r), to);
    }
    return 0;
}

TEST(placement, why_is_seen)
{
    everywhere(why, NULL);
}

TEST(placement, with_another)
{
    everywhere(with_another, 0);
}

/* ---- by load ------------------------------------------------------------------------------------- */

static void check_share(uint32_t load, unsigned per_mille)
{
    uint64_t is = (uint64_t)load * 1000 / RP__LOAD_FULL;
    check(is + 5 > per_mille && is < per_mille + 5, "load is %" PRIu64 ", not %u", is, per_mille);
}

TEST(placement, load_is_carried_on)
{
    const rp_time half = (rp_time)1 << 26; /* ns */
    struct rp__load d = {0};
    rp__load_note(&d, RP_S, true);
    check_eq(rp__load_at(&d, RP_S), 0);
    check_eq(rp__load_at(&d, RP_S - RP_MS), 0); /* by a clock that is behind */
    check_share(rp__load_at(&d, RP_S + half / 2), 250);
    check_share(rp__load_at(&d, RP_S + half), 500);
    check_share(rp__load_at(&d, RP_S + 30 * half), 1000); /* it is held up, and says nothing */
    rp__load_note(&d, RP_S + half, false);
    check_share(rp__load_at(&d, RP_S + 2 * half), 250);
    check_eq(rp__load_at(&d, RP_S + 40 * half), 0);
    rp__load_add(&d, RP_S + 40 * half, RP__LOAD_FULL / 3);
    rp__load_add(&d, RP_S + 40 * half, RP__LOAD_FULL / 3);
    rp__load_add(&d, RP_S + 40 * half, RP__LOAD_FULL / 3);
    rp__load_add(&d, RP_S + 40 * half, RP__LOAD_FULL / 3);
    check_eq(rp__load_at(&d, RP_S + 40 * half), RP__LOAD_FULL); /* and no more */
}

TEST(placement, load_in_small_steps)
{
    struct rp__load d = {0};
    rp_time now = RP_S;
    for (unsigned i = 0; i < 400000; i++) { /* a quarter of each 4 us */
        rp__load_note(&d, now, true);
        rp__load_note(&d, now += RP_US, false);
        now += 3 * RP_US;
    }
    uint64_t load = (uint64_t)rp__load_at(&d, now) * 1000 / RP__LOAD_FULL;
    check(load > 200 && load < 300, "load is %" PRIu64, load);
}

/* Works whenever it is let: all of its loop's time, simulated too. */
static int never_idle(rp_self *me, void *arg)
{
    int rc = 0;
    (void)arg;
    for (; rc == 0; rc = rp_yield(me))
        rp_sim_busy(me, 200 * RP_US);
    return rc;
}
static const rp_actor busy_actor = {.name = "busy", .run = never_idle};

/* Works for as many fifths of its loop's time as it is told. */
static int some_of_it(rp_self *me, void *arg)
{
    int rc = 0;
    for (rp_time at = rp_now(me); rc == 0; rc = rp_sleep(me, at += RP_MS))
        rp_sim_busy(me, (rp_time)(uintptr_t)arg * 200 * RP_US);
    return rc;
}
static const rp_actor part_timer = {.name = "part-timer", .run = some_of_it};

static int least_loaded(rp_self *me, void *arg)
{
    enum { EACH = 16 };
    unsigned n = rp_loop_count(me), busy = n - 1, count[16] = {0};
    rp_ref b;
    (void)arg;
    check_eq(rp_spawn(me, &busy_actor, &(rp_spawn_opts){.on = RP_LOOP(busy)}, &b), 0);
    while (rp_loop_load(me, busy) < 600)
        check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    check_eq(rp_loop_load(me, n), -EINVAL);
    for (unsigned i = 0; i < EACH * n; i++)
        count[placed(me, RP_LEAST)]++;
    for (unsigned i = 0; i < n - 1; i++)
        check(count[i] > count[busy], "loop %u got %u, the busy one %u", i, count[i], count[busy]);
    check_eq(rp_stop(me, b, "enough"), 0);
    return 0;
}

TEST(placement, least_loaded)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(20); i++)
        check_eq(run_with(least_loaded, 0, &(rp_system_opts){.loops = 1 + (unsigned)(i % 4), .sim_seed = seed + i}), 0);
    check_eq(run_with(least_loaded, 0, &(rp_system_opts){.loops = 2, .spin_us = -1}), 0);
}

/* Each loop has something to do, another amount each: who has less gets more, in order. */
static int by_rank(rp_self *me, void *arg)
{
    enum { EACH = 400 };
    unsigned n = rp_loop_count(me), count[16] = {0};
    (void)arg;
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_spawn(me, &part_timer, &(rp_spawn_opts){.on = RP_LOOP(i), .arg = (void *)(uintptr_t)(n - 1 - i)}, NULL), 0);
    for (unsigned i = 0; i < EACH; i++) {
        check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0); /* what it has placed before does not weigh any more */
        count[placed(me, RP_LEAST)]++;
    }
    for (unsigned i = 1; i < n; i++)
        check(count[i] > count[i - 1], "loop %u got %u, loop %u, which has less to do, %u", i - 1, count[i - 1], i, count[i]);
    return 0;
}

TEST(placement, who_has_less_to_do_gets_more)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(10); i++)
        check_eq(run_with(by_rank, 0, &(rp_system_opts){.loops = 2 + (unsigned)(i % 3), .sim_seed = seed + i}), 0);
}

/* Those that come at once are spread before any load shows. */
static int at_once(rp_self *me, void *arg)
{
    enum { EACH = 40 };
    unsigned n = rp_loop_count(me), count[16] = {0};
    rp_ref r[EACH * 3];
    (void)arg;
    for (unsigned i = 0; i < EACH * n; i++)
        check_eq(start_on(me, RP_LEAST, &r[i]), 0);
    for (unsigned i = 0; i < EACH * n; i++)
        count[where_is(me, r[i])]++;
    for (unsigned i = 0; i < n; i++)
        check(count[i] > 0, "loop %u got none", i);
    return 0;
}

TEST(placement, at_once)
{
    everywhere(at_once, 0);
}
