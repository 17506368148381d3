/* SPDX-License-Identifier: MIT */
#include "actors/table/talk.h"
#include "loop/system.h"
#include "reparto/inspect.h"
#include "tests/support.h"

#include <errno.h>

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
    uint64_t hash; /* of all that was moved, and when */
};

static void note(rp_self *me, void *arg, const rp_mover_event *e)
{
    struct tale *t = arg;
    check(e->from != e->to);
    check_eq(rp_place_of(me, e->who), RP_LOOP(e->to));
    t->talk += e->why == RP_FOR_TALK;
    t->load += e->why == RP_FOR_LOAD;
    t->hash = (t->hash ^ e->who.local ^ (uint64_t)rp_now(me) << 8 ^ e->to) * UINT64_C(0x100000001b3);
}

static rp_ref start_mover(rp_self *me, struct tale *t)
{
    rp_ref r = {0, 0};
    rp_mover m = {.period_ms = 10, .rest = 5, .event = note, .arg = t};
    check_eq(rp_mover_start(me, &m, NULL, &r), 0);
    return r;
}

/* While those live that it may be about to move: of who has ended `note` would not know where he was. */
static void end_mover(rp_self *me, rp_ref mover)
{
    struct rp_down d;
    check_eq(rp_monitor(me, mover), 0);
    check_eq(rp_stop(me, mover, "test"), 0);
    check_eq(recv_down(me, &d), 0);
}

/* ---- talk ------------------------------------------------------------------------------------------ */

static unsigned moved_by_mover(rp_self *me)
{
    rp_inspection *i;
    rp_actor_info a;
    unsigned n = 0;
    check_eq(rp_inspect(me, 10000, &i), 0);
    while (rp_inspect_next(me, i, &a) > 0)
        n += a.placed == RP_PLACED_MOVER;
    rp_inspect_end(me, i);
    return n;
}

static int chatty(rp_self *me, void *arg)
{
    enum { PAIRS = 3 };
    unsigned n = rp_loop_count(me), apart = 1;
    struct tale t = {0};
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
            apart += rp_place_of(me, a[k]) != rp_place_of(me, b[k]);
    }
    check_eq(apart, 0);
    check_eq(rp_place_of(me, a[1]), RP_LOOP(1 % n)); /* who is not to be moved is not */
    check(n == 1 || t.talk >= PAIRS);
    end_mover(me, mover);
    check_eq(moved_by_mover(me) > 0, n > 1);
    return 0;
}

TEST(mover, brings_together_who_talk)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(6); i++)
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

/* Works for so many us of each ms: its state. Simulated, the time is said; on real loops it passes. */
static int labour(rp_self *me, void *state, const rp_msg *m)
{
    rp_time span = *(rp_time *)state * RP_US, until = rp_now(me) + span;
    (void)m;
    rp_sim_busy(me, span);
    while (rp_now(me) < until)
        continue;
    return 0;
}

static int labour_init(rp_self *me, void *state, void *arg)
{
    *(rp_time *)state = (rp_time)(uintptr_t)arg;
    return rp_timer_every(me, rp_in_ms(me, 1), RP_MS, NUM, &(struct num){0, {0, 0}}, NULL);
}
static const rp_actor labourer = {.name = "labourer", .init = labour_init, .handle = labour, .state_size = sizeof(rp_time), .flags = RP_MOVABLE};
static const rp_actor peasant = {.name = "peasant", .init = labour_init, .handle = labour, .state_size = sizeof(rp_time)};

static rp_ref hire(rp_self *me, const rp_actor *kind, unsigned on, unsigned us)
{
    rp_ref r = {0, 0};
    check_eq(rp_spawn(me, kind, &(rp_spawn_opts){.on = RP_LOOP(on), .arg = (void *)(uintptr_t)us}, &r), 0);
    return r;
}

/* On real loops: four with a fifth of a core each, all on one of them. How they are spread at last. */
static int uneven(rp_self *me, void *arg)
{
    enum { HANDS = 4 };
    struct tale t = {0};
    rp_ref a[HANDS];
    unsigned away = 0;
    (void)arg;
    for (unsigned i = 0; i < HANDS; i++)
        a[i] = hire(me, &labourer, 1, 200);
    rp_ref mover = start_mover(me, &t);
    for (unsigned i = 0; i < 500 && (t.load < 1 || away < 1 || away == HANDS); i++) {
        check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
        away = 0;
        for (unsigned k = 0; k < HANDS; k++)
            away += rp_place_of(me, a[k]) != RP_LOOP(1);
    }
    check(away > 0 && away < HANDS, "%u of them have moved", away);
    check(t.load > 0);
    end_mover(me, mover);
    return 0;
}

TEST(mover, evens_out)
{
    check_eq(run_with(uneven, 0, &(rp_system_opts){.loops = 2, .spin_us = -1}), 0);
}

/* The greatest difference between two loops, of 1000, by what each actor is known to need. */
static int gap(rp_self *me, const rp_ref *who, const unsigned *us, unsigned n)
{
    int load[16] = {0}, most = 0, least = 1000;
    for (unsigned i = 0; i < n; i++)
        load[rp_place_of(me, who[i]) - RP_LOOP(0)] += (int)us[i];
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        most = load[i] > most ? load[i] : most;
        least = load[i] < least ? load[i] : least;
    }
    return most - least;
}

/* One loop has much more to do than the others, by many actors that need little each, and one that may not be moved.
 * At last no loop has a fifth more than another, but for what the measure misses; then there is peace. */
static int many_hands(rp_self *me, void *arg)
{
    enum { HANDS = 10, FIFTH = 200, MISSES = 40, MOST = 12 /* moves */ };
    struct tale *t = arg;
    rp_ref who[HANDS + 1];
    unsigned us[HANDS + 1], n = rp_loop_count(me), crowded = (unsigned)(rp_random(me) % n);
    for (unsigned i = 0; i < HANDS; i++) {
        us[i] = 30 + (unsigned)(rp_random(me) % 50);
        who[i] = hire(me, &labourer, i < 8 ? crowded : (crowded + 1) % n, us[i]);
    }
    us[HANDS] = 150;
    who[HANDS] = hire(me, &peasant, crowded, us[HANDS]);
    bool much = gap(me, who, us, HANDS + 1) > FIFTH + MISSES;
    rp_ref mover = start_mover(me, t);
    check_eq(rp_sleep(me, rp_in_ms(me, 1500)), 0);
    int g = gap(me, who, us, HANDS + 1);
    check(g < FIFTH + MISSES, "at last one has %d more than another", g);
    check_eq(rp_place_of(me, who[HANDS]), RP_LOOP(crowded));
    check(t->load < MOST && (t->load > 0 || !much), "%u moves", t->load);
    check_eq(t->talk, 0);
    unsigned before = t->load;
    check_eq(rp_sleep(me, rp_in_ms(me, 1000)), 0);
    check(t->load - before <= 1, "%u moves when all was even", t->load - before);
    end_mover(me, mover);
    return 0;
}

TEST(mover, evens_out_simulated)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(20); i++) {
        struct tale one = {0}, two = {0};
        rp_system_opts o = {.loops = 2 + (unsigned)(i % 3), .sim_seed = seed + i};
        check_eq(run_with(many_hands, &one, &o), 0);
        check_eq(run_with(many_hands, &two, &o), 0);
        check(one.hash == two.hash, "the same seed, other moves");
    }
}

/* One that is all the load there is would only take it along. */
static int alone(rp_self *me, void *arg)
{
    struct tale t = {0};
    (void)arg;
    hire(me, &labourer, 1, 700);
    rp_ref mover = start_mover(me, &t);
    check_eq(rp_sleep(me, rp_in_ms(me, 1000)), 0);
    check(rp_loop_load(me, 1) > 600);
    check_eq(t.load + t.talk, 0);
    end_mover(me, mover);
    return 0;
}

TEST(mover, does_not_change_two_loops_about)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(6); i++)
        check_eq(run_with(alone, 0, &(rp_system_opts){.loops = 2 + (unsigned)(i % 2), .sim_seed = seed + i}), 0);
}

/* Ten of these have a loop at work for 80 ms, once a second. */
static int spurt(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    rp_sim_busy(me, 8 * RP_MS);
    return 0;
}
static const rp_actor sprinter = {.name = "sprinter", .handle = spurt, .flags = RP_MOVABLE};

static int for_a_while(rp_self *me, void *arg)
{
    enum { HANDS = 10 };
    struct tale t = {0};
    rp_ref who[HANDS], mover;
    int most = 0;
    (void)arg;
    for (unsigned i = 0; i < HANDS; i++)
        who[i] = start(me, &sprinter, 1);
    check_eq(rp_mover_start(me, &(rp_mover){.event = note, .arg = &t}, NULL, &mover), 0);
    for (unsigned s = 0; s < 5; s++) {
        for (unsigned i = 0; i < HANDS; i++)
            check_eq(tell_num(me, who[i], 0), 0);
        for (unsigned i = 0; i < 100; i++) {
            check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
            most = rp_loop_load(me, 1) > most ? rp_loop_load(me, 1) : most;
        }
    }
    check(most > 400, "%d", most); /* it showed, but not for long */
    check_eq(t.load + t.talk, 0);
    end_mover(me, mover);
    return 0;
}

TEST(mover, lets_a_burst_pass)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(6); i++)
        check_eq(run_with(for_a_while, 0, &(rp_system_opts){.loops = 2, .sim_seed = seed + i}), 0);
}

/* Who talk much are not brought together where there is no room; when there is, they are. */
static int no_room(rp_self *me, void *arg)
{
    struct tale t = {0};
    rp_ref big[2], a = start(me, &player, 0), b = start(me, &player, 1);
    (void)arg;
    for (unsigned i = 0; i < 2; i++)
        big[i] = hire(me, &peasant, i, 900);
    check_eq(rp_sleep(me, rp_in_ms(me, 300)), 0);
    pair_up(me, a, b);
    rp_ref mover = start_mover(me, &t);
    check_eq(rp_sleep(me, rp_in_ms(me, 500)), 0);
    check(rp_loop_load(me, 0) > 800 && rp_loop_load(me, 1) > 800);
    check_eq(t.load + t.talk, 0);
    check_eq(rp_stop(me, big[1], "test"), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 500)), 0);
    check_eq(rp_place_of(me, a), RP_LOOP(1));
    check_eq(rp_place_of(me, b), RP_LOOP(1));
    end_mover(me, mover);
    return 0;
}

TEST(mover, keeps_within_the_room_there_is)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(6); i++)
        check_eq(run_with(no_room, 0, &(rp_system_opts){.loops = 2, .sim_seed = seed + i}), 0);
}

/* ---- neither ---------------------------------------------------------------------------------------- */

static int quiet(rp_self *me, void *arg)
{
    struct tale t = {0};
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
    end_mover(me, mover);
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
    for (uint64_t i = 0; i < seeds(4); i++)
        check_eq(run_with(quiet, 0, &(rp_system_opts){.loops = 1 + (unsigned)(i % 3), .sim_seed = seed + i}), 0);
}

/* Who belongs together is not torn apart and brought together for ever. */
static int settled(rp_self *me, void *arg)
{
    struct tale t = {0};
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned i = 0; i < 2 * n; i++)
        pair_up(me, start(me, &player, i), start(me, &player, i + i / n));
    rp_ref mover = start_mover(me, &t);
    check_eq(rp_sleep(me, rp_in_ms(me, 400)), 0);
    unsigned before = t.talk + t.load;
    check_eq(rp_sleep(me, rp_in_ms(me, 1000)), 0); /* 100 periods */
    check(t.talk + t.load - before < 20, "%u moves when all has been settled", t.talk + t.load - before);
    end_mover(me, mover);
    return 0;
}

TEST(mover, settles)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(4); i++)
        check_eq(run_with(settled, 0, &(rp_system_opts){.loops = 2 + (unsigned)(i % 2), .sim_seed = seed + i}), 0);
}
