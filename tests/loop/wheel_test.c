/* SPDX-License-Identifier: MIT */
#include "loop/wheel.h"
#include "tests/test.h"

#include <stdlib.h>

struct probe {
    struct rp__timer t;
    unsigned id;
};

static unsigned fired[4096], nfired;
static rp_time clock_now;
static struct probe *stop_this;
static struct rp__wheel wheel;

static void fire(struct rp__timer *t)
{
    struct probe *p = (struct probe *)t;
    check(p->t.when <= clock_now, "timer %u fired %lld ns early", p->id, (long long)(p->t.when - clock_now));
    if (nfired < 4096)
        fired[nfired++] = p->id;
    if (stop_this)
        rp__timer_stop(&wheel, &stop_this->t);
}

static void begin(rp_time now)
{
    clock_now = now;
    nfired = 0;
    stop_this = 0;
    rp__wheel_init(&wheel, now);
}

static void start(struct probe *p, unsigned id, rp_time when)
{
    *p = (struct probe){{.fire = fire}, id};
    rp__timer_start(&wheel, &p->t, when);
}

static void advance(rp_time to)
{
    clock_now = to;
    rp__wheel_advance(&wheel, to);
}

TEST(wheel, never_early_and_in_order)
{
    struct probe p[5];
    begin(1000 * RP_S);
    start(&p[0], 0, clock_now + 5 * RP_MS);
    start(&p[1], 1, clock_now + 1 * RP_MS);
    start(&p[2], 2, clock_now + 3600 * RP_S);
    start(&p[3], 3, clock_now + 1);
    start(&p[4], 4, clock_now - 5 * RP_S);
    rp_time from = clock_now;
    advance(from);
    check_eq(nfired, 1);
    check_eq(fired[0], 4);
    advance(from + 1);
    check_eq(fired[1], 3);
    advance(from + 5 * RP_MS - 1);
    check_eq(nfired, 3);
    check_eq(fired[2], 1);
    advance(from + 3600 * RP_S - 1);
    check_eq(nfired, 4);
    advance(from + 3600 * RP_S);
    check_eq(nfired, 5);
    check_eq(wheel.armed, 0);
}

TEST(wheel, ties_go_by_age)
{
    enum { N = 300 };
    struct probe p[N];
    begin(7 * RP_S);
    rp_time from = clock_now, when = from + 10 * RP_S;
    for (unsigned i = 0; i < N; i++) {
        if (i == N / 2)
            advance(when - 2 * RP_MS); /* the first half has moved down a level by now */
        start(&p[i], i, when);
    }
    advance(when);
    check_eq(nfired, N);
    for (unsigned i = 0; i < N; i++)
        check_eq(fired[i], i);
}

TEST(wheel, wakes_no_more_often_than_needed)
{
    enum { N = 100 };
    struct probe lone, crowd[N];
    begin(7 * RP_S);
    start(&lone, 0, clock_now + 5 * RP_S + 12345);
    check_eq(rp__wheel_next(&wheel), lone.t.when);
    rp_time when = clock_now + 20 * RP_MS;
    when -= when % 65536;
    for (unsigned i = 0; i < N; i++)
        start(&crowd[i], i + 1, when + 40000 + (rp_time)i * 37 % 50);
    unsigned wakes = 0;
    for (rp_time at; (at = rp__wheel_next(&wheel)) < lone.t.when; wakes++) {
        check(at > clock_now, "it would spin at %lld", (long long)at);
        advance(at);
    }
    check_eq(nfired, N);
    check(wakes <= 50 + 4, "%u wakes for 50 moments", wakes);
}

TEST(wheel, stopped_never_fires_even_by_a_neighbour)
{
    struct probe a, b, c;
    begin(RP_S);
    start(&a, 1, clock_now + RP_MS);
    start(&b, 2, clock_now + RP_MS);
    start(&c, 3, clock_now + 2 * RP_MS);
    rp__timer_stop(&wheel, &c.t);
    rp__timer_stop(&wheel, &c.t);
    stop_this = &b;
    advance(clock_now + 10 * RP_MS);
    check_eq(nfired, 1);
    check_eq(fired[0], 1);
    check_eq(wheel.armed, 0);
}

/* Against a plain list: random starts, stops and advances over ten orders of magnitude. */
TEST(wheel, agrees_with_a_list)
{
    enum { N = 500, STEPS = 20000 };
    static struct probe p[N];
    static rp_time due[N];
    uint64_t rng = test_seed();
    begin((rp_time)(test_random(&rng) >> 4));
    memset(due, 0, sizeof due);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)(test_random(&rng) % N);
        rp_time far = (rp_time)(test_random(&rng) >> (20 + test_random(&rng) % 43));
        if (due[i] == 0) {
            due[i] = clock_now + far;
            start(&p[i], i, due[i]);
        } else if (test_random(&rng) % 4 == 0) {
            due[i] = 0;
            rp__timer_stop(&wheel, &p[i].t);
        }
        if (test_random(&rng) % 8 != 0)
            continue;
        rp_time next = rp__wheel_next(&wheel), first = RP_FOREVER;
        for (unsigned k = 0; k < N; k++)
            first = due[k] && due[k] < first ? due[k] : first;
        check(next <= first || next - first < 65536, "the wheel would sleep past a deadline");
        rp_time to = test_random(&rng) % 2 && first != RP_FOREVER ? first : clock_now + far / 64;
        nfired = 0;
        advance(to > clock_now ? to : clock_now);
        for (unsigned k = 0; k < nfired; k++) {
            unsigned id = fired[k];
            check(due[id] && due[id] <= clock_now, "timer %u was not due", id);
            check(k == 0 || p[fired[k - 1]].t.when <= p[id].t.when, "out of order");
            due[id] = 0;
        }
        for (unsigned k = 0; k < N; k++)
            check(!due[k] || due[k] > clock_now, "timer %u was missed", k);
    }
}
