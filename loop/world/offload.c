/* SPDX-License-Identifier: MIT
 *
 * offload.c - blocking calls, off the loop: a user's in the pool, the runtime's own in a thread of their own.
 */
#include "loop/world/offload.h"

#include "loop/base/os.h"
#include "loop/system.h"

#include <errno.h>

int rp_offload(rp_self *me, int (*fn)(void *arg), void *arg, rp_time deadline)
{
    return fn ? me->loop->world->offload(me, fn, arg, deadline) : -EINVAL;
}

/* ---- apart ----------------------------------------------------------------------------------------- */

struct apart { /* on the caller's stack: the caller stays parked until the thread is done with it */
    rp_self *me;
    int (*fn)(void *);
    void *arg;
};

static void *do_work(void *arg)
{
    struct apart *a = arg;
    rp_self *me = a->me;
    rp__wake_from_outside(me, a->fn(a->arg));
    return 0;
}

static bool goes_on(rp_self *me)
{
    (void)me;
    return false;
}

int rp__offload_apart(rp_self *me, int (*fn)(void *arg), void *arg)
{
    struct apart a = {me, fn, arg};
    pthread_t thread;
    int rc = rp__may_park(me, RP_FOREVER);
    if (rc != 0)
        return rc;
    if (!me->loop->world->real || rp__os_thread(&thread, do_work, &a) != 0)
        return rp_offload(me, fn, arg, RP_FOREVER); /* there is no thread to be had: as anybody's */
    rc = rp__park(me, "offload", (void *)fn, goes_on, RP_FOREVER);
    pthread_join(thread, 0); /* it has a few instructions left */
    return rc;
}
