/* SPDX-License-Identifier: MIT
 *
 * profile.c - the CPU time of each actor, of which loop/profile.h says when some has passed; and asking all loops for it.
 */
#include "actors/table/look.h"
#include "actors/table/runtime.h"
#include "observe/words.h"

#include "loop/system.h"
#include "reparto/inspect.h"

#include <errno.h>
#include <stdlib.h>

enum { PATIENCE_MS = 1000 };

/* ---- keeping it: in a signal handler, which may have come in the middle of anything ---------------- */

const struct rp__actor *rp__at_work(const rp_self *me)
{
    const struct rp__actors *t = me->loop->actors;
    return t->hook ? t->hooked : me->actor;
}

/* Its slot is looked up and not believed: it may be about to end, or to move. */
bool rp__ran(const rp_self *me, rp_time ns)
{
    struct rp__actors *t = me->loop->actors;
    const struct rp__actor *a = rp__at_work(me);
    uint64_t addr = a ? a->addr : 0;
    uint32_t slot = a ? rp__slot_here(a) : 0;
    if (!addr || slot >= t->count || rp__actor_at(t, slot) != a)
        return false;
    struct rp__cpu *c = rp__cpu_at(t, slot);
    if (atomic_load_explicit(&c->who, memory_order_relaxed) != addr) {
        atomic_store_explicit(&c->ns, 0, memory_order_relaxed);
        atomic_store_explicit(&c->who, addr, memory_order_relaxed);
    }
    rp__cpu_add(&c->ns, ns);
    return true;
}

/* ---- by its loop ----------------------------------------------------------------------------------- */

rp_time rp__cpu_of(const struct rp_loop *l, const struct rp__actor *a)
{
    const struct rp__cpu *c = rp__cpu_at(l->actors, rp__slot_here(a));
    return atomic_load_explicit(&c->who, memory_order_relaxed) == a->addr ? atomic_load_explicit(&c->ns, memory_order_relaxed) : 0;
}

void rp__cpu_brought(struct rp_loop *l, const struct rp__actor *a, rp_time ns)
{
    struct rp__cpu *c = rp__cpu_at(l->actors, rp__slot_here(a));
    if (ns == 0)
        return; /* nobody has asked, so the page stays untouched */
    atomic_store_explicit(&c->ns, ns, memory_order_relaxed);
    atomic_store_explicit(&c->who, a->addr, memory_order_relaxed);
}

/* ---- asking for it ------------------------------------------------------------------------------- */

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
