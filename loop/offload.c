/* SPDX-License-Identifier: MIT
 *
 * offload.c - blocking calls, off the loop.
 */
#include "loop/loop.h"

#include <errno.h>

int rp_offload(rp_self *me, int (*fn)(void *arg), void *arg, rp_time deadline)
{
    return fn ? me->loop->world->offload(me, fn, arg, deadline) : -EINVAL;
}
