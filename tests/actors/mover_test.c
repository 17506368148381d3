/* SPDX-License-Identifier: MIT */
#include "actors/talk.h"
#include "loop/system.h"
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>

static const rp_type beat_type = {.name = "test.beat", .size = sizeof(struct num)};

/* Tells its partner ten things each millisecond. */
static int play(rp_self *me, void *state, const rp_msg *m)
{
    rp_ref *partner = state;
    const struct num *b = rp_body(m, NUM), *beat = rp_body(m, &beat_type);
    if (b && !rp_ref_none(b->ref) && b->n == 1) {
        *partner = b->ref;
        return rp_timer_every(me, rp_in_ms(me, 1), RP_MS, &beat_type, &(struct num){0, {0, 0}}, NULL);
    }
    int rc = 0;
    for (unsigned i = 0; beat && i < 10 && rc == 0; i++)
        rc = tell_num(me, *partner, 0);
    return rc;
}
static const rp_actor player = {.name = "player", .handle = play, .state_size = sizeof(rp_ref), .flags = RP_MOVABLE};
static const rp_actor stayer = {.name = "stayer", .handle = play, .state_size = sizeof(rp_ref)};

static rp_ref start(rp_self *me, const rp_actor *kind, unsigned on)
{
    rp_ref r = {0, 0};
    check_eq(rp_spawn(me, kind, &(rp_spawn_opts){.on = RP_LOOP(on % rp_loop_count(me))}, &r), 0);
    return r;
}

static void pair_up(rp_self *me, rp_ref a, rp_ref b)
{
    check_eq(rp_tell(me, b, NUM, &(struct num){1, a}), 0);
    check_eq(rp_tell(me, a, NUM, &(struct num){1, b}), 0);
}

struct tale {
    unsigned talk, load;
};

static void note(rp_self *me, void *arg, const rp_mover_event *e)
{
    struct tale *t = arg;
    check(e->from != e->to);
    check_eq(rp_with(me, e->who), RP_LOOP(e->to));
    t->talk += e->why == RP_FOR_TALK;
    t->load += e->why == RP_FOR_LOAD;
}

static rp_ref start_mover(rp_self *me, struct tale *t)
{
    rp_ref r = {0, 0};
    rp_mover m = {.period_ms = 10, .rest = 5, .event = note, .arg = t};
    check_eq(rp_mover_start(me, &m, NULL, &r), 0);
    return r;
}

/* ---- talk ------------------------------------------------------------------------------------------ */

static int chatty(rp_self *me, void *arg)
{
    enum { PAIRS = 3 };
    unsigned n = rp_loop_count(me), apart = 1;
    struct tale t = {0, 0};
    rp_ref a[PAIRS], b[PAIRS];
    (void)arg;
    for (unsigned i = 0; i < PAIRS; i++) {
        a[i] = start(me, i == 1 ? &stayer : &player, i);
        b[i] = start(me, &player, i + 1);
        pair_up(me, a[i], b[i]);
    }
    rp_ref mover = start_mover(me, &t);
    for (unsigned i = 0; i < 400 && apart; i++) {
        check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
        apart = 0;
        for (unsigned k = 0; k < PAIRS; k++)
            apart += rp_with(me, a[k]) != rp_with(me, b[k]);
    }
    check_eq(apart, 0);
    check_eq(rp_with(me, a[1]), RP_LOOP(1 % n)); /* who is not to be moved is not */
    check(n == 1 || t.talk >= PAIRS);
    check_eq(rp_stop(me, mover, "test"), 0);
    return 0;
}

TEST(mover, brings_together_who_talk)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 6; i++)
        check_eq(run_with(chatty, 0, &(rp_system_opts){.loops = 1 + (unsigned)(i % 3), .sim_seed = seed + i}), 0);
}

/* Pairs that play in step: in each round of a loop the same one may come first, and all are heard. */
static int rally(rp_self *me, void *state, const rp_msg *m)
{
    rp_ref *partner = state;
    const struct num *b = rp_body(m, NUM);
    if (!rp_ref_none(b->ref))
        *partner = b->ref;
    return b->n == 2 ? 0 : tell_num(me, *partner, 0);
}
static const rp_actor racket = {.name = "racket", .handle = rally, .state_size = sizeof(rp_ref)};

static int in_step(rp_self *me, void *arg)
{
    enum { PAIRS = 8 };
    rp_ref a[PAIRS], b[PAIRS];
    unsigned heard = 0;
    (void)arg;
    for (unsigned i = 0; i < PAIRS; i++) {
        a[i] = start(me, &racket, 0);
        b[i] = start(me, &racket, 1);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        check_eq(rp_tell(me, b[i], NUM, &(struct num){2, a[i]}), 0);
        check_eq(rp_tell(me, a[i], NUM, &(struct num){1, b[i]}), 0);
    }
    check_eq(rp__talk_open(me->loop, rp_in_ms(me, 10000)), 0);
    for (unsigned ms = 0; ms < 2000 && heard < PAIRS - 1; ms++) {
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        heard = 0;
        for (unsigned i = 0; i < RP__TALKS; i++)
            for (unsigned k = 0; k < PAIRS; k++)
                heard += me->loop->actors->talk->pair[i].to == a[k].local && me->loop->actors->talk->pair[i].weight > 0;
    }
    check(heard >= PAIRS - 1, "%u of them are heard", heard); /* two may share a place in the table */
    return 0;
}

TEST(mover, hears_all_who_play_in_step)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 3; i++)
        check_eq(run_with(in_step, 0, &(rp_system_opts){.loops = 2, .sim_seed = seed + i}), 0);
    check_eq(run_with(in_step, 0, &(rp_system_opts){.loops = 2}), 0);
}

/* ---- load ------------------------------------------------------------------------------------------ */

/* Works for a while whenever it is let. */
static _Atomic bool enough;
static int labour(rp_self *me, void *state, const rp_msg *m)
{
    rp_time until = rp_now(me) + 200 * RP_US;
    (void)state, (void)m;
    while (rp_now(me) < until)
        continue;
    return enough ? RP_STOP : rp_timer_start(me, rp_in_ms(me, 1), NUM, &(struct num){0, {0, 0}}, NULL);
}
static const rp_actor labourer = {.name = "labourer", .handle = labour, .flags = RP_MOVABLE};

/* On real loops: four with a tenth of a core each, all on one of them. How they are spread at last. */
static int uneven(rp_self *me, void *arg)
{
    enum { HANDS = 4 };
    struct tale t = {0, 0};
    rp_ref a[HANDS];
    unsigned away = 0;
    (void)arg;
    for (unsigned i = 0; i < HANDS; i++) {
        a[i] = start(me, &labourer, 1);
        check_eq(tell_num(me, a[i], 0), 0);
    }
    start_mover(me, &t);
    for (unsigned i = 0; i < 500 && (away < 1 || away == HANDS); i++) {
        check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
        away = 0;
        for (unsigned k = 0; k < HANDS; k++)
            away += rp_with(me, a[k]) != RP_LOOP(1);
    }
    check(away > 0 && away < HANDS, "%u of them have moved", away);
    check(t.load > 0);
    enough = true;
    return 0;
}

TEST(mover, evens_out)
{
    check_eq(run_with(uneven, 0, &(rp_system_opts){.loops = 2, .spin_us = -1}), 0);
}

/* ---- neither ---------------------------------------------------------------------------------------- */

static int quiet(rp_self *me, void *arg)
{
    struct tale t = {0, 0};
    rp_ref a = start(me, &player, 0), b = start(me, &player, 1);
    (void)arg;
    rp_ref mover = start_mover(me, &t);
    for (unsigned i = 0; i < 50; i++) { /* they talk a little: not worth a move */
        check_eq(rp_tell(me, a, NUM, &(struct num){0, b}), 0);
        check_eq(rp_tell(me, b, NUM, &(struct num){0, a}), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    }
    check_eq(t.talk + t.load, 0);
    check(me->loop->actors->talk != NULL);
    check_eq(rp_stop(me, mover, "test"), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 100)), 0);
    for (unsigned i = 0; i < 4; i++) /* and when it is gone nobody is listened to any more */
        check_eq(tell_num(me, rp_self_ref(me), 0), 0);
    check_eq(rp_yield(me), 0);
    check_eq(rp_yield(me), 0);
    check(me->loop->actors->talk == NULL);
    return 0;
}

TEST(mover, leaves_alone)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 4; i++)
        check_eq(run_with(quiet, 0, &(rp_system_opts){.loops = 1 + (unsigned)(i % 3), .sim_seed = seed + i}), 0);
}

/* Who belongs together is not torn apart and brought together for ever. */
static int settled(rp_self *me, void *arg)
{
    struct tale t = {0, 0};
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned i = 0; i < 2 * n; i++)
        pair_up(me, start(me, &player, i), start(me, &player, i + i / n));
    start_mover(me, &t);
    check_eq(rp_sleep(me, rp_in_ms(me, 400)), 0);
    unsigned before = t.talk + t.load;
    check_eq(rp_sleep(me, rp_in_ms(me, 1000)), 0); /* 100 periods */
    check(t.talk + t.load - before < 20, "%u moves when all has been settled", t.talk + t.load - before);
    return 0;
}

TEST(mover, settles)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 4; i++)
        check_eq(run_with(settled, 0, &(rp_system_opts){.loops = 2 + (unsigned)(i % 2), .sim_seed = seed + i}), 0);
}
