/* SPDX-License-Identifier: MIT */
#include "loop/base/histogram.h"

uint64_t rp__bucket_from(unsigned bucket)
{
    return bucket < 8 ? bucket : (uint64_t)(4 + bucket % 4) << (bucket / 4 - 1);
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
}

void rp__histogram_add(struct rp__histogram *h, uint64_t v, uint64_t times)
{
    add(&h->n[rp__bucket_of(v)], times);
    add(&h->sum, v * times);
}

void rp__counts_add(struct rp__counts *to, const struct rp__histogram *h)
{
    to->sum += atomic_load_explicit(&h->sum, memory_order_relaxed);
    for (unsigned i = 0; i < RP__BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&h->n[i], memory_order_relaxed);
        to->n[i] += n;
        to->total += n;
    }
}

uint64_t rp__counts_below(const struct rp__counts *c, unsigned log)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < RP__BUCKETS && rp__bucket_from(i) >> log == 0; i++)
        n += c->n[i];
    return n;
}

uint64_t rp__counts_at(const struct rp__counts *c, double share)
{
    uint64_t want = (uint64_t)((double)c->total * share), n = 0;
    for (unsigned i = 0; i < RP__BUCKETS; i++)
        if ((n += c->n[i]) > want || (n == c->total && n > 0))
            return (rp__bucket_from(i) + rp__bucket_from(i + 1)) / 2;
    return 0;
}
