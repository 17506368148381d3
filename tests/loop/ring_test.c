/* SPDX-License-Identifier: MIT
 *
 * A ring whose positions come to their end, which is 2^32, and go on. All tests begin their rings shortly before it
 * (support.c); what needs 2^31 slots of one kind is here.
 */
#include "loop/ring.h"
#include "loop/system.h"
#include "tests/test.h"

enum { LONG = 16, MOST = RP__RING_SLOTS - RP__RING_RESERVE };

/* As if so many more slots had been written and read, by the long way, as those before. */
static void later(struct rp__ring *r, uint32_t by)
{
    r->ptail += by;
    r->released += by;
    r->head_seen += by;
    r->chead += by;
    atomic_fetch_add(&r->tail, by);
    atomic_fetch_add(&r->head, by);
}

static void send_long(struct rp__ring *r, unsigned n)
{
    while (!rp__ring_push(r, n, RP__RING_RESERVE)) { /* the consumer reads all */
        r->chead = r->ptail;
        atomic_store(&r->head, r->chead);
    }
    rp__ring_commit(r, n);
    rp__ring_sampled(r);
}

/* How many short ones go in while nobody reads. */
static unsigned send_short(struct rp__ring *r)
{
    unsigned n = 0;
    while (n <= 2 * RP__RING_SLOTS) {
        if (!rp__ring_push_short(r)) {
            if (!r->chosen)
                break;
            if (!rp__ring_push(r, 1, RP__RING_RESERVE))
                break;
        }
        rp__ring_commit(r, 1);
        rp__ring_sampled(r);
        n++;
    }
    return n;
}

/* Long messages alone, for 2^31 slots and more: then short ones find the ring as full as it is. */
static void long_and_then_short(unsigned n, bool off)
{
    struct rp__sampler s = {.off = off};
    rp__sampler_init(&s, test_seed(), 0);
    for (uint64_t after = UINT64_C(1) << 28; after <= UINT64_C(9) << 29; after += UINT64_C(1) << 28) {
        struct rp__ring *r = rp__ring_new(&rp__libc_alloc, 0, 0, &s);
        for (uint64_t sent = 0; sent < after; sent += UINT64_C(1) << 28) {
            later(r, UINT32_C(1) << 28);
            for (unsigned i = 0; i < 2 * RP__RING_SLOTS / n; i++) /* what so many would have done on their way */
                send_long(r, n);
        }
        r->chead = r->ptail;
        atomic_store(&r->head, r->chead);
        unsigned sent = send_short(r);
        check(sent == MOST, "%u short ones after %" PRIu64 " slots", sent, after);
        rp__ring_free(&rp__libc_alloc, r);
    }
}

TEST(ring, short_ones_after_long_ones_alone_find_it_full)
{
    long_and_then_short(LONG, true);
    long_and_then_short(LONG, false);
    long_and_then_short(3, true); /* with padding */
}
