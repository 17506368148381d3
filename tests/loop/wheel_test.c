/* SPDX-License-Identifier: MIT */
#include "loop/base/wheel.h"
#include "tests/test.h"

#include <limits.h>
#include <stdlib.h>

struct probe {
    struct rp__timer t;
    unsigned id;
};

static unsigned fired[4096], nfired;
static rp_time clock_now;
static struct probe *stop_this, *start_this;
static struct rp__wheel wheel;

static void fire(struct rp__timer *t, struct rp__wheel *w)
{
    struct probe *p = (struct probe *)t;
    check(p->t.when <= clock_now, "timer %u fired %lld ns early", p->id, (long long)(p->t.when - clock_now));
    if (nfired < 4096)
        fired[nfired++] = p->id;
    if (stop_this)
        rp__timer_stop(w, &stop_this->t);
    if (start_this)
        rp__timer_start(w, &start_this->t, clock_now - RP_S);
    start_this = 0;
}

static void begin(rp_time now)
{
    clock_now = now;
    nfired = 0;
    stop_this = start_this = 0;
    rp__wheel_fini(&wheel);
    check_eq(rp__wheel_init(&wheel, now), 0);
}

static void start(struct probe *p, unsigned id, rp_time when)
{
    *p = (struct probe){{.fire = fire}, id};
    rp__timer_start(&wheel, &p->t, when);
}

static void advance(rp_time to)
{
    clock_now = to;
    check(!rp__wheel_advance(&wheel, to, UINT_MAX));
    check(!rp__wheel_behind(&wheel, to));
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

TEST(wheel, one_started_by_another_waits)
{
    struct probe a, b;
    begin(9 * RP_S);
    b = (struct probe){{.fire = fire}, 2};
    start(&a, 1, clock_now + RP_MS);
    start_this = &b; /* it was due long ago */
    clock_now += RP_S;
    check(!rp__wheel_advance(&wheel, clock_now, UINT_MAX));
    check_eq(nfired, 1);
    check_eq(wheel.armed, 1);
    check(rp__wheel_behind(&wheel, clock_now) && rp__wheel_next(&wheel) <= clock_now);
    clock_now += RP_S;
    check(!rp__wheel_advance(&wheel, clock_now, 1));
    check_eq(nfired, 2);
    check_eq(fired[1], 2);
}

/* What is due fires by and by, and may be stopped until it does. */
TEST(wheel, fires_no_more_than_asked)
{
    enum { N = 1000 };
    static struct probe p[N];
    begin(RP_S);
    for (unsigned i = 0; i < N; i++)
        start(&p[i], i, clock_now + RP_MS + (rp_time)(i / 100) * 40000); /* some ticks, some ties */
    clock_now += RP_S;
    unsigned want = 0;
    for (bool more = true; more;) {
        more = rp__wheel_advance(&wheel, clock_now, 7);
        check_eq(more, rp__wheel_behind(&wheel, clock_now));
        check(!more || rp__wheel_next(&wheel) <= clock_now);
        for (unsigned k = 0; k < nfired; k++, want++) {
            while (want % 8 == 7 && want > 7)
                want++; /* it has been stopped */
            check_eq(fired[k], want);
        }
        nfired = 0;
        unsigned next = (want | 7) + 8;
        if (next < N)
            rp__timer_stop(&wheel, &p[next].t);
    }
    check_eq(want, N - 1);
    check_eq(wheel.armed, 0);
}

/* A crowd in one tick is not looked through again for each of its timers. */
TEST(wheel, a_crowd_is_not_late)
{
    enum { N = 2000 };
    static struct probe p[N];
    uint64_t rng = test_seed();
    begin(3 * RP_S);
    rp_time tick = (clock_now >> RP__TICK_SHIFT << RP__TICK_SHIFT) + 100 * 65536;
    for (unsigned i = 0; i < N; i++)
        start(&p[i], i, tick + (rp_time)(test_random(&rng) % 65536));
    rp_time last = 0;
    for (rp_time at = tick; at < tick + 65536 + 100; at += 100) {
        unsigned before = nfired;
        advance(at);
        for (unsigned k = before; k < nfired; k++) {
            rp_time when = p[fired[k]].t.when;
            check(at - when <= 8192 + 100, "%lld ns late", (long long)(at - when));
            check(when >= last, "out of order");
            last = when;
        }
    }
    check_eq(nfired, N);
}

/* ---- against a plain list -------------------------------------------------------------------------- */

enum { N = 500 };

static struct model {
    struct probe p[N];
    rp_time when[N]; /* 0: not started */
    rp_time since[N]; /* it can have fired */
    uint64_t born[N], births;
    unsigned due[N], ndue, next; /* what this advance is to fire */
    uint64_t rng;
    bool mischief;
} m;

static int by_deadline(const void *x, const void *y)
{
    unsigned a = *(const unsigned *)x, b = *(const unsigned *)y;
    if (m.when[a] != m.when[b])
        return m.when[a] < m.when[b] ? -1 : 1;
    return m.born[a] < m.born[b] ? -1 : 1;
}

/* Near, far, gone by, the same as another's: deadlines over ten orders of magnitude. */
static rp_time some_deadline(void)
{
    uint64_t r = test_random(&m.rng);
    rp_time far = (rp_time)(r >> (20 + test_random(&m.rng) % 43)), other = m.when[r % N];
    switch (test_random(&m.rng) % 8) {
    case 0: return other ? other : clock_now + far;
    case 1: return clock_now + (rp_time)(r % 65536);
    case 2: return clock_now - (rp_time)(r % 1000000);
    case 3: return clock_now + 3 * RP_S + (rp_time)(r % 100000);
    default: return clock_now + far;
    }
}

static void model_fire(struct rp__timer *t, struct rp__wheel *w);

static void model_start(unsigned i, rp_time when)
{
    m.when[i] = when;
    m.since[i] = when > clock_now ? when : clock_now;
    m.born[i] = ++m.births;
    m.p[i] = (struct probe){{.fire = model_fire, .order = i & RP__TIMER_NOTE}, i};
    rp__timer_start(&wheel, &m.p[i].t, when);
}

static void model_stop(unsigned i)
{
    m.when[i] = 0;
    rp__timer_stop(&wheel, &m.p[i].t);
}

static void skip_stopped(void)
{
    while (m.next < m.ndue && (m.when[m.due[m.next]] == 0 || m.when[m.due[m.next]] > clock_now))
        m.next++;
}

static void model_fire(struct rp__timer *t, struct rp__wheel *w)
{
    struct probe *p = (struct probe *)t;
    check(w == &wheel && (t->order & RP__TIMER_NOTE) == (p->id & RP__TIMER_NOTE));
    skip_stopped();
    check(m.next < m.ndue, "timer %u fired, and none was due", p->id);
    check_eq(p->id, m.due[m.next]);
    m.next++;
    m.when[p->id] = 0;
    if (!m.mischief || test_random(&m.rng) % 3)
        return;
    unsigned i = (unsigned)(test_random(&m.rng) % N);
    for (unsigned k = m.next; k < m.ndue; k++)
        if (m.due[k] == i)
            m.due[k--] = m.due[--m.ndue], qsort(m.due + m.next, m.ndue - m.next, sizeof *m.due, by_deadline);
    if (m.when[i])
        model_stop(i);
    else
        model_start(i, some_deadline()); /* due or not: not in this advance */
}

static void model_advance(rp_time to)
{
    clock_now = to;
    m.ndue = m.next = 0;
    for (unsigned i = 0; i < N; i++)
        if (m.when[i] && m.when[i] <= to)
            m.due[m.ndue++] = i;
    qsort(m.due, m.ndue, sizeof *m.due, by_deadline);
    m.mischief = test_random(&m.rng) % 2;
    if (m.mischief)
        rp__wheel_advance(&wheel, to, UINT_MAX);
    else
        while (rp__wheel_advance(&wheel, to, 1 + (unsigned)(test_random(&m.rng) % 64)))
            if (m.ndue > 0 && m.when[m.due[m.ndue - 1]])
                model_stop(m.due[m.ndue - 1]);
    skip_stopped();
    for (unsigned k = m.next; k < m.ndue; k++)
        check(to - m.since[m.due[k]] <= 8192, "timer %u was missed", m.due[k]); /* a crowd's may wait so long */
}

TEST(wheel, agrees_with_a_list)
{
    enum { STEPS = 40000 };
    memset(&m, 0, sizeof m);
    m.rng = test_seed();
    begin((rp_time)(test_random(&m.rng) >> 4));
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)(test_random(&m.rng) % N);
        if (m.when[i] == 0)
            model_start(i, some_deadline());
        else if (test_random(&m.rng) % 4 == 0)
            model_stop(i);
        if (test_random(&m.rng) % 8 != 0)
            continue;
        rp_time next = rp__wheel_next(&wheel), first = RP_FOREVER;
        size_t armed = 0;
        for (unsigned k = 0; k < N; k++) {
            armed += m.when[k] != 0;
            first = m.when[k] && m.when[k] < first ? m.when[k] : first;
        }
        check_eq(armed, wheel.armed);
        check(next <= first || next - (first > clock_now ? first : clock_now) <= 8192, "the wheel would sleep past a deadline");
        rp_time far = (rp_time)(test_random(&m.rng) >> (26 + test_random(&m.rng) % 37));
        rp_time to = test_random(&m.rng) % 2 && first != RP_FOREVER ? first : clock_now + far;
        model_advance(to > clock_now ? to : clock_now);
    }
}
