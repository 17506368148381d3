/* SPDX-License-Identifier: MIT
 *
 * profile.c - asks all loops for the CPU time of their actors (actors/table/cpu.c).
 */
#include "actors/table/look.h"
#include "actors/table/runtime.h"
#include "loop/system.h"
#include "observe/words.h"
#include "reparto/inspect.h"

#include <errno.h>
#include <stdlib.h>

enum { PATIENCE_MS = 1000 };

struct arming {
    struct rp__look look;
    rp_time until;
    int rc;
};

static void see(struct rp__look *k, struct rp_loop *l)
{
    struct arming *a = (struct arming *)k;
    a->rc = rp__profile_arm(l, a->until);
}

/* A loop that does not answer in time does as it is asked when it comes to it. */
static int arm(rp_self *me, unsigned loop, rp_time until, rp_time deadline, int *ret)
{
    struct arming *a = rp__look_new(me, sizeof *a, see);
    if (!a)
        return -ENOMEM;
    a->until = until;
    struct rp__look *k = &a->look;
    int rc = rp__look(me, &k, loop, deadline);
    *ret = rc == 0 ? a->rc : rc;
    rp__look_free(me, k);
    return rc == -ETIMEDOUT ? 0 : rc;
}

int rp_profile(rp_self *me, int64_t for_ms)
{
    int first = 0;
    rp_time until = rp_in_ms(me, for_ms), deadline = rp_in_ms(me, PATIENCE_MS);
    if (for_ms <= 0)
        return -EINVAL;
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        int of_loop, rc = arm(me, i, until, deadline, &of_loop);
        if (rc != 0)
            return rc;
        first = first ? first : of_loop;
    }
    return first;
}

/* Nothing is said of a loop that is held: it is shown as held. */
int rp__say_profile(rp_self *me, struct rp__text *t, const char *rest)
{
    (void)t;
    int rc = rp_profile(me, strtoll(rest, 0, 10));
    return rc == -ETIMEDOUT ? 0 : rc;
}
