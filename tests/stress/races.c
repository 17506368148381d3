/* SPDX-License-Identifier: MIT
 *
 * races.c - two things that must never happen, tried a million times each.
 *
 *   A wake-up lost: senders of three kinds hit the target's loop as it goes to sleep. Each waits for the
 *   answer, so every message is a race of its own; one that is lost stands still, and the alarm tells.
 *   A message to the wrong actor: refs of actors that have ended, whose slots are used again.
 */
#include "tests/stress/stress.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- the race with sleep ---------------------------------------------------------------------------- */

static int echo(rp_self *me, void *state, const rp_msg *m)
{
    struct num r = *(const struct num *)rp_body(m, NUM);
    (void)state;
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &r) : rp_tell(me, rp_from(me, m), NUM, &r);
}
static const rp_actor echoer = {.name = "echo", .handle = echo};

struct pinger {
    uint64_t n;
    rp_ref to;
};

/* Waits a little, differently each time, so that the send falls into every place of going to sleep. */
static void idle_a_bit(uint64_t *rng)
{
    for (uint64_t i = test_random(rng) % 600; i > 0; i--)
        __asm__ volatile("" ::: "memory");
}

static int ping(rp_self *me, void *arg)
{
    struct pinger *p = arg;
    uint64_t rng = p->n, n = 0;
    for (uint64_t i = 0; i < p->n; i++) {
        struct num b = {i, {0, 0}};
        check_eq(rp_tell(me, p->to, NUM, &b), 0);
        check_eq(recv_num(me, &n), 0);
        check_eq(n, i);
        idle_a_bit(&rng);
    }
    return 0;
}
static const rp_actor ping_actor = {.name = "ping", .run = ping};

static int wake_race(rp_self *me, void *arg)
{
    struct pinger p = {.n = *(uint64_t *)arg};
    rp_spawn_opts o = {.on = RP_LOOP(1)}, op = {.arg = &p, .monitor = true};
    check_eq(rp_spawn(me, &echoer, &o, &p.to), 0);
    check_eq(rp_spawn(me, &ping_actor, &op, NULL), 0);
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    return d.reason;
}

/* Threads that are no loops: each post must run, and the next comes when it has. */
struct thread {
    pthread_t id;
    rp_system *sys;
    uint64_t n, begun;
    _Atomic uint64_t done;
};

static void bump(void *arg)
{
    struct thread *t = arg;
    atomic_fetch_add(&t->done, 1);
}

static void *post_all(void *arg)
{
    struct thread *t = arg;
    uint64_t rng = t->n;
    for (uint64_t i = 0; i < t->n; i++) {
        check_eq(rp_post(t->sys, 1, bump, t), 0);
        idle_a_bit(&rng);
        while (i % 8 == 0 && atomic_load(&t->done) <= i) /* most in flight together, some awaited */
            sched_yield();
    }
    return 0;
}

static int all_arrived(void *arg)
{
    struct thread *t = arg;
    pthread_join(t->id, 0);
    return 0;
}

static int post_race(rp_self *me, void *arg)
{
    struct thread t = {.sys = rp_system_of(me), .n = *(uint64_t *)arg};
    check_eq(-pthread_create(&t.id, 0, post_all, &t), 0);
    check_eq(rp_offload(me, all_arrived, &t, RP_FOREVER), 0);
    for (unsigned i = 0; i < 2000 && atomic_load(&t.done) < t.n; i++)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(t.done, t.n);
    return 0;
}

/* ---- refs of the dead ------------------------------------------------------------------------------- */

static const uint64_t ROUND = 250; /* refs of one generation, each told four times */

static int mortal(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)me, (void)state;
    check(b && rp_ref_eq(b->ref, rp_self_ref(me)), "a message for another has come");
    return 0;
}
static const rp_actor mortal_actor = {.name = "mortal", .handle = mortal};

/* Tells each of the refs, and by the ledger all of them were dead. */
static int bury_and_tell(rp_self *me, rp_ref *ref, unsigned on)
{
    rp_spawn_opts o = {.on = RP_LOOP(on), .monitor = true};
    struct rp_down d;
    for (uint64_t i = 0; i < ROUND; i++)
        check_eq(rp_spawn(me, &mortal_actor, &o, &ref[i]), 0);
    for (uint64_t i = 0; i < ROUND; i++)
        check_eq(rp_stop(me, ref[i], "enough"), 0);
    for (uint64_t i = 0; i < ROUND; i++)
        check_eq(recv_down(me, &d), 0);
    return 0;
}

static int stale_refs(rp_self *me, void *arg)
{
    uint64_t total = *(uint64_t *)arg, told = 0;
    rp_ref old[2][250], living[50];
    for (unsigned on = 0; on < 2; on++)
        check_eq(bury_and_tell(me, old[on], on), 0);
    while (told < total)
        for (unsigned on = 0; on < 2; on++) {
            rp_spawn_opts o = {.on = RP_LOOP(on), .monitor = true};
            for (unsigned i = 0; i < 50; i++) /* on the same slots */
                check_eq(rp_spawn(me, &mortal_actor, &o, &living[i]), 0);
            for (unsigned i = 0; i < 2000; i++, told++) {
                struct num b = {0, old[on][i % ROUND]};
                check_eq(rp_tell(me, b.ref, NUM, &b), 0);
                b.ref = living[i % 50];
                if (i % 40 == 0)
                    check_eq(rp_tell(me, b.ref, NUM, &b), 0);
            }
            for (unsigned i = 0; i < 50; i++) {
                old[on][(told + i) % ROUND] = living[i]; /* the next generation of the dead */
                check_eq(rp_stop(me, living[i], "enough"), 0);
            }
            for (unsigned i = 0; i < 50; i++) {
                struct rp_down d;
                check_eq(recv_down(me, &d), 0);
            }
        }
    rp_ledger l;
    rp_ledger_read(me, &l);
    check(l.dead >= total, "%llu were dead", (unsigned long long)l.dead);
    return 0;
}

unsigned stress_races(void)
{
    uint64_t n = size_from("RP_RACES", 1000000), tenth = n / 10, rest = n - 2 * tenth;
    rp_system_opts asleep = {.loops = 2, .spin_us = -1}, spins = {.loops = 2}, two = {.loops = 2};
    check_eq(run_with(wake_race, &tenth, &asleep), 0);
    printf("%llu messages to a loop that goes to sleep\n", (unsigned long long)tenth);
    check_eq(run_with(wake_race, &tenth, &spins), 0);
    printf("%llu messages to a loop that spins, then sleeps\n", (unsigned long long)tenth);
    check_eq(run_with(post_race, &rest, &asleep), 0);
    printf("%llu posts from a foreign thread\n", (unsigned long long)rest);
    check_eq(run_with(stale_refs, &n, &two), 0);
    printf("%llu messages to the dead\n", (unsigned long long)n);
    return 4;
}
