/* SPDX-License-Identifier: MIT */
#include "loop/base/load.h"

enum { UNIT = 10, HALF = 16 /* a half-life, in units: 2^16 */, WORKS = 40 };

#define SINCE ((UINT64_C(1) << WORKS) - 1)

uint32_t rp__load_after(uint32_t load, bool working, rp_time time)
{
    uint64_t left = time > 0 ? (uint64_t)time >> UNIT : 0;
    uint64_t gap = working ? RP__LOAD_FULL - load : load; /* to where it goes */
    uint64_t halves = left >> HALF;
    gap = halves < 24 ? gap >> halves : 0;
    gap -= gap * (left & ((1 << HALF) - 1)) >> (HALF + 1); /* a straight line between two halvings */
    return (uint32_t)(working ? RP__LOAD_FULL - gap : gap);
}

static uint32_t carried_on(uint64_t word, uint64_t now)
{
    uint64_t units = (now - word) & SINCE;
    if (units > SINCE / 2) /* the reader's clock is a little behind */
        units = 0;
    return rp__load_after((uint32_t)(word >> (WORKS + 1)), word >> WORKS & 1, (rp_time)(units << UNIT));
}

static void store(struct rp__load *d, uint64_t load, bool working, rp_time now)
{
    uint64_t word = load << (WORKS + 1) | (uint64_t)working << WORKS | ((uint64_t)now >> UNIT & SINCE);
    atomic_store_explicit(&d->word, word, memory_order_relaxed);
}

void rp__load_note(struct rp__load *d, rp_time now, bool working)
{
    store(d, rp__load_at(d, now), working, now);
}

void rp__load_add(struct rp__load *d, rp_time now, uint32_t load)
{
    uint32_t before = rp__load_at(d, now);
    store(d, before < RP__LOAD_FULL - load ? before + load : RP__LOAD_FULL, false, now);
}

uint32_t rp__load_at(const struct rp__load *d, rp_time now)
{
    return carried_on(atomic_load_explicit(&d->word, memory_order_relaxed), (uint64_t)now >> UNIT);
}
