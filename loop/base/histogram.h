/* SPDX-License-Identifier: MIT
 *
 * histogram.h - how often how much: four buckets for each power of two, so that a value is known to an
 * eighth. One writer, any readers.
 *
 *   value   0  1  2  3 | 4  5  6  7 | 8-9 10-11 12-13 14-15 | 16-19 ...
 *   bucket  0  1  2  3 | 4  5  6  7 | 8   9     10    11    | 12    ...
 */
#ifndef RP__HISTOGRAM_H
#define RP__HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { RP__BUCKETS = 4 * 40 }; /* up to 2^41: in ns, half an hour; what is more is counted as that */

struct rp__histogram {
    /* Written by one thread, read by any: relaxed both, each is right by itself. */
    _Atomic uint64_t sum;
    _Atomic uint64_t n[RP__BUCKETS];
};

struct rp__counts { /* a copy, or the sum of several */
    uint64_t sum, total;
    uint64_t n[RP__BUCKETS];
};

static inline unsigned rp__bucket_of(uint64_t v)
{
    if (v < 4)
        return (unsigned)v;
    unsigned e = 63u - (unsigned)__builtin_clzll(v);
    unsigned b = 4 * (e - 1) + (unsigned)(v >> (e - 2) & 3);
    return b < RP__BUCKETS ? b : RP__BUCKETS - 1;
}

uint64_t rp__bucket_from(unsigned bucket); /* its least value */
void rp__histogram_add(struct rp__histogram *h, uint64_t v, uint64_t times);
void rp__counts_add(struct rp__counts *to, const struct rp__histogram *h);
uint64_t rp__counts_below(const struct rp__counts *c, unsigned log); /* how many were less than 2^log */
uint64_t rp__counts_at(const struct rp__counts *c, double share); /* the middle of the bucket below which `share` of all are */

#endif
