/* SPDX-License-Identifier: MIT */
#include "loop/base/histogram.h"
#include "loop/loop.h"
#include "loop/system.h"
#include "tests/test.h"

#include <stdlib.h>

/* ---- histograms ---------------------------------------------------------------------------------- */

TEST(histogram, every_value_has_its_bucket_and_that_is_narrow)
{
    uint64_t seed = test_seed();
    for (unsigned b = 0; b + 1 < RP__BUCKETS; b++)
        check_eq(rp__bucket_of(rp__bucket_from(b)), b);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t v = test_random(&seed) >> (23 + test_random(&seed) % 41);
        unsigned b = rp__bucket_of(v);
        uint64_t from = rp__bucket_from(b), to = rp__bucket_from(b + 1);
        check(from <= v && v < to, "%" PRIu64 " in bucket %u", v, b);
        check(to - from <= 1 || (to - from) * 4 <= from, "bucket %u from %" PRIu64 " to %" PRIu64, b, from, to);
    }
    check_eq(rp__bucket_of(UINT64_MAX), RP__BUCKETS - 1);
}

TEST(histogram, counts_sums_and_shares)
{
    static struct rp__histogram h;
    struct rp__counts c = {0};
    for (uint64_t v = 1; v <= 1000; v++)
        rp__histogram_add(&h, v, 3);
    rp__counts_add(&c, &h);
    rp__counts_add(&c, &h);
    check_eq(c.total, 6000);
    check_eq(c.sum, 6 * 500500);
    check_eq(rp__counts_below(&c, 9), 6 * 511);
    uint64_t half = rp__counts_at(&c, 0.5);
    check(half >= 500 - 500 / 8 && half <= 500 + 500 / 8, "%" PRIu64, half);
    uint64_t most = rp__counts_at(&c, 1);
    check(most >= 1000 - 1000 / 8 && most <= 1000 + 1000 / 8, "%" PRIu64, most);
}

/* Not to the bucket that just reaches it, where nobody may be. */
TEST(histogram, a_share_leads_to_somebody)
{
    static struct rp__histogram h;
    struct rp__counts c = {0};
    check_eq(rp__counts_at(&c, 0.5), 0);
    rp__histogram_add(&h, 5, 1);
    rp__histogram_add(&h, 7, 1);
    rp__counts_add(&c, &h);
    check_eq(rp__counts_at(&c, 0), 5);
    check_eq(rp__counts_at(&c, 0.49), 5);
    check_eq(rp__counts_at(&c, 0.5), 7);
    check_eq(rp__counts_at(&c, 1), 7);
}

/* ---- sampling ------------------------------------------------------------------------------------
 * A pattern of messages over and over, some of them of several slots and by the long way: each of its places
 * must be chosen as often as any other, and what the chosen stand for must be what was sent. */

enum { PLACES = 6, ROUNDS = 400000, LOG = 3 };

struct tally {
    uint64_t chosen[PLACES], sum;
};

static bool is_far(unsigned place)
{
    return place == 2 || place == 5;
}

static void fix_length(struct rp__sampler *s)
{
    s->log = LOG;
    s->odd = false;
}

static void note(struct tally *t, const struct rp__sampler *s, unsigned place)
{
    t->chosen[place]++;
    t->sum += UINT64_C(1) << s->weight;
}

static void check_fair(const struct tally *t)
{
    const double want = (double)ROUNDS / (1 << LOG);
    for (unsigned i = 0; i < PLACES; i++) {
        double off = ((double)t->chosen[i] - want) / want;
        check(off > -0.02 && off < 0.02, "place %u: %" PRIu64 " of %g", i, t->chosen[i], want);
    }
    double off = (double)t->sum / ((double)ROUNDS * PLACES) - 1;
    check(off > -0.01 && off < 0.01, "they stand for %g more than there were", off);
}

TEST(sample, no_place_in_a_loops_own_queue_is_favoured)
{
    static struct rp__pool pool;
    struct rp__pool *peers[] = {&pool};
    struct rp__sampler s = {0};
    struct rp__events e;
    struct tally t = {{0}, 0};
    check_eq(rp__pool_init(&pool, &rp__libc_alloc, 0, 1, peers), 0);
    rp__sampler_init(&s, test_seed(), 0);
    fix_length(&s);
    check_eq(rp__events_init(&e, &pool, &s), 0);
    rp__events_sample_after(&e, rp__draw(&s, (e.stream.rest = 0, &e.stream)));
    s.ahead = rp__draw(&s, (s.far.rest = 0, &s.far));
    for (unsigned i = 0; i < ROUNDS; i++)
        for (unsigned place = 0; place < PLACES; place++) {
            struct rp__slot *slot = is_far(place) ? 0 : rp__events_push_short(&e);
            unsigned n = 1;
            if (!slot) {
                bool measured = rp__choose(&s);
                check(measured || is_far(place));
                if (measured)
                    note(&t, &s, place);
                fix_length(&s);
                n = (is_far(place) ? place : 1) + measured;
                slot = rp__events_push(&e, n);
            }
            check(slot != 0);
            check(rp__events_peek(&e) == slot);
            rp__events_pop(&e, n);
        }
    check_eq(e.count, 0);
    check_fair(&t);
    rp__events_fini(&e);
    rp__pool_fini(&pool);
}

TEST(sample, no_place_in_a_ring_is_favoured)
{
    struct rp__sampler s = {0};
    struct tally t = {{0}, 0};
    rp__sampler_init(&s, test_seed(), 0);
    fix_length(&s);
    struct rp__ring *r = rp__ring_new(&rp__libc_alloc, 0, 0, &s);
    rp__ring_sample_after(r, rp__draw(&s, (r->stream.rest = 0, &r->stream)));
    s.ahead = rp__draw(&s, (s.far.rest = 0, &s.far));
    uint64_t full = 0;
    for (unsigned i = 0; i < ROUNDS; i++)
        for (unsigned place = 0; place < PLACES; place++) {
            struct rp__slot *slot = is_far(place) ? 0 : rp__ring_push_short(r);
            unsigned n = 1;
            bool measured = false;
            if (!slot) {
                if (r->chosen || is_far(place))
                    measured = rp__choose(&s);
                if (measured)
                    note(&t, &s, place);
                fix_length(&s);
                n = (is_far(place) ? place : 1) + measured;
                while (!(slot = rp__ring_push(r, n, RP__RING_RESERVE))) {
                    full++;
                    r->chead = r->ptail; /* the consumer has read all */
                    atomic_store_explicit(&r->head, r->chead, memory_order_release);
                }
            }
            rp__ring_commit(r, n);
            rp__ring_sampled(r);
            check(r->ptail - r->chead <= RP__RING_SLOTS - RP__RING_RESERVE, "%u", r->ptail - r->chead);
        }
    check(full > 1000);
    check_fair(&t);
    rp__ring_free(&rp__libc_alloc, r);
}

TEST(sample, switched_off_it_chooses_nothing)
{
    struct rp__sampler s = {.off = true};
    rp__sampler_init(&s, 1, 0);
    s.ahead = 10;
    for (unsigned i = 0; i < 1000; i++)
        check(!rp__choose(&s));
}
