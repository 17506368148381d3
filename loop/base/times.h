/* SPDX-License-Identifier: MIT
 *
 * times.h - adding to times that a caller may have chosen: RP_FOREVER is as far as it goes, and INT64_MIN is as long ago.
 */
#ifndef RP__TIMES_H
#define RP__TIMES_H

#include "reparto/loop.h"

/* `span` after `now`; also before, if it is negative. */
static inline rp_time rp__after(rp_time now, rp_time span)
{
    rp_time at;
    if (__builtin_add_overflow(now, span, &at))
        return span > 0 ? RP_FOREVER : INT64_MIN;
    return at;
}

/* `n` of `unit`, n >= 0. */
static inline rp_time rp__times(int64_t n, rp_time unit)
{
    rp_time span;
    return __builtin_mul_overflow(n, unit, &span) ? RP_FOREVER : span;
}

/* How long it is from `now` to `at`. RP_FOREVER less anything is RP_FOREVER. */
static inline rp_time rp__until(rp_time at, rp_time now)
{
    rp_time left;
    if (at == RP_FOREVER || __builtin_sub_overflow(at, now, &left))
        return at > now ? RP_FOREVER : INT64_MIN;
    return left;
}

#endif
