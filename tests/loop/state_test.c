/* SPDX-License-Identifier: MIT
 *
 * What of the thread's state belongs to a coroutine goes with it: C++ exceptions, FPU control words.
 */
#include "loop/switch/state.h"
#include "tests/support.h"

#include <errno.h>
#include <fenv.h>
#include <string.h>

/* ---- exceptions ------------------------------------------------------------------------------------
 * This program has no C++: here is what its runtime keeps for each thread. tests/builds.sh tries the real one.
 */
static _Thread_local struct rp__exceptions in_thread;

struct rp__exceptions *__cxa_get_globals(void);
struct rp__exceptions *__cxa_get_globals(void)
{
    return &in_thread;
}

static bool none(void)
{
    return !in_thread.handled && in_thread.in_flight == 0;
}

static void is_mine(uint64_t *mine, unsigned n)
{
    check(in_thread.handled == mine, "somebody else's exception");
    check_eq(in_thread.in_flight, n);
}

static int answers(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    check(none());
    return rp_reply(me, m, NUM, rp_body(m, NUM));
}

static int answers_in_the_middle(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t mine = 1;
    (void)state;
    check(none());
    in_thread = (struct rp__exceptions){&mine, 9};
    int rc = rp_yield(me);
    is_mine(&mine, 9);
    in_thread = (struct rp__exceptions){0};
    return rc != 0 ? rc : rp_reply(me, m, NUM, rp_body(m, NUM));
}
static const rp_actor answerer = {.name = "answerer", .handle = answers};
static const rp_actor slow_answerer = {.name = "slow answerer", .handle = answers_in_the_middle};

/* Handles an exception through every kind of wait. */
static int catches(rp_self *me, void *arg)
{
    rp_ref quick, slow;
    rp_msg *m;
    uint64_t mine = (uintptr_t)arg, n;
    unsigned in_flight = (unsigned)mine;
    check_eq(rp_spawn(me, &answerer, NULL, &quick), 0);
    check_eq(rp_spawn(me, &slow_answerer, NULL, &slow), 0);
    check(none());
    in_thread = (struct rp__exceptions){&mine, in_flight};
    for (unsigned i = 0; i < 5; i++) {
        check_eq(rp_sleep(me, rp_now(me) + (rp_time)(100 * mine) * RP_US), 0);
        is_mine(&mine, in_flight);
        check_eq(rp_yield(me), 0);
        is_mine(&mine, in_flight);
        for (unsigned k = 0; k < 2; k++) {
            check_eq(rp_call(me, k ? slow : quick, NUM, &(struct num){i, {0, 0}}, &m, RP_FOREVER), 0);
            rp_msg_drop(me, m);
            is_mine(&mine, in_flight);
        }
        check_eq(tell_num(me, rp_self_ref(me), i), 0);
        check_eq(recv_num(me, &n), 0);
        is_mine(&mine, in_flight);
    }
    return 0; /* and leaves it: nobody else finds it */
}
static const rp_actor catcher = {.name = "catcher", .run = catches};

static int many_catch(rp_self *me, void *arg)
{
    struct rp_down down;
    (void)arg;
    for (uintptr_t i = 1; i <= 5; i++)
        check_eq(rp_spawn(me, &catcher, &(rp_spawn_opts){.arg = (void *)i, .monitor = true}, NULL), 0);
    for (unsigned i = 0; i < 5; i++) {
        check_eq(recv_down(me, &down), 0);
        check_eq(down.reason, 0);
        check(none());
    }
    return 0;
}

TEST(state, exceptions_belong_to_who_handles_them)
{
    everywhere(many_catch, 0);
}

/* A system that is run in a catch block. */
TEST(state, what_the_host_handles_is_none_of_its_actors)
{
    uint64_t mine = 7;
    in_thread = (struct rp__exceptions){&mine, 1};
    check_eq(run_with(many_catch, 0, &(rp_system_opts){.loops = 1}), 0);
    is_mine(&mine, 1);
    check_eq(run_ticked(&(rp_actor){.name = "root", .run = many_catch}, NULL, NULL), 0);
    is_mine(&mine, 1);
}

/* ---- the FPU ----------------------------------------------------------------------------------------- */

static int rounds_up(rp_self *me, void *arg)
{
    int usual = *(int *)arg;
    check_eq(fegetround(), usual);
    fesetround(FE_UPWARD);
    for (unsigned i = 0; i < 5; i++) {
        check_eq(rp_sleep(me, rp_now(me) + 100 * RP_US), 0);
        check_eq(fegetround(), FE_UPWARD);
        check_eq(rp_yield(me), 0);
        check_eq(fegetround(), FE_UPWARD);
    }
    return 0; /* and leaves it so */
}

static int leaves_upward(rp_self *me, void *arg)
{
    (void)me;
    check_eq(fegetround(), *(int *)arg);
    fesetround(FE_UPWARD);
    return 0;
}

static int handles_upward(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    fesetround(FE_UPWARD);
    return 0;
}

static int others_round(rp_self *me, void *arg)
{
    static const rp_actor upward = {.name = "upward", .handle = handles_upward};
    int usual = *(int *)arg;
    rp_scope s;
    rp_ref r;
    rp_scope_open(me, &s, RP_FOREVER);
    for (unsigned i = 0; i < 3; i++)
        check_eq(rp_go(me, &s, rounds_up, arg, NULL), 0);
    for (unsigned i = 0; i < 10; i++) {
        check_eq(rp_sleep(me, rp_now(me) + 100 * RP_US), 0);
        check_eq(fegetround(), usual);
    }
    check_eq(rp_scope_close(me, &s, 0), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    for (unsigned i = 0; i < 3; i++) /* one after the other, in one turn */
        check_eq(rp_go(me, &s, leaves_upward, arg, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(fegetround(), usual);
    check_eq(rp_spawn(me, &upward, NULL, &r), 0);
    check_eq(tell_num(me, r, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0); /* a turn later */
    check_eq(fegetround(), usual);
    return 0;
}

TEST(state, rounding_belongs_to_who_has_set_it)
{
    int usual = fegetround();
    everywhere(others_round, &usual);
    check_eq(fegetround(), usual);
}

TEST(state, everybody_rounds_as_the_host_does)
{
    int usual = FE_DOWNWARD;
    fesetround(usual);
    check_eq(run_with(others_round, &usual, &(rp_system_opts){.loops = 2}), 0);
    check_eq(run_ticked(&(rp_actor){.name = "root", .run = others_round}, &usual, NULL), 0);
    check_eq(fegetround(), usual);
}
