/* SPDX-License-Identifier: MIT
 *
 * time.c - now, and sleeping.
 */
#include "loop/loop.h"
#include "loop/scope.h"

#include <errno.h>

rp_time rp_now(const rp_self *me)
{
    return me->loop->world->now(me->loop);
}

rp_time rp_in_ms(const rp_self *me, int64_t ms)
{
    rp_time now = rp_now(me);
    if (ms <= 0)
        return now;
    return ms > (RP_FOREVER - now) / RP_MS ? RP_FOREVER : now + ms * RP_MS;
}

static bool nothing_to_undo(rp_self *me)
{
    (void)me;
    return true;
}

int rp_sleep(rp_self *me, rp_time until)
{
    if (until <= rp_now(me))
        return rp_yield(me);
    int rc = rp__park(me, rp__for_sleep, 0, nothing_to_undo, until);
    return rc == -ETIMEDOUT ? 0 : rc;
}
