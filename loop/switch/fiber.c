/* SPDX-License-Identifier: MIT
 *
 * fiber.c - ThreadSanitizer's fibers, kept when a system ends for the next one of the process: most tests run ten, one
 * after the other. In another build there is nothing here.
 *
 * What a fiber has seen goes with it. So those of a system that has ended are used only when no other lived beside it:
 * else the two would look as if one had waited for the other, and a race between them would not be seen. For the same
 * reason ThreadSanitizer sees nothing of this table; who finds another at it does without.
 */
#include "loop/switch/fiber.h"

#if defined(RP__TSAN)
#include <stdatomic.h>

#define UNSEEN __attribute__((no_sanitize("thread"), noinline))

enum { MOST = 8128 }; /* as many as it has */

static _Atomic unsigned users; /* loops with stacks; relaxed: it orders nothing */

static struct {
    atomic_flag taken; /* test and set: acquire; clear: release; what stands below is between the two */
    unsigned usable, n;
    void *fiber[MOST]; /* the first `usable` may be used again, the others when there have been no users */
} spare = {.taken = ATOMIC_FLAG_INIT};

UNSEEN static bool enter(void)
{
    return !atomic_flag_test_and_set_explicit(&spare.taken, memory_order_acquire);
}

UNSEEN static void leave(void)
{
    atomic_flag_clear_explicit(&spare.taken, memory_order_release);
}

UNSEEN void *rp__tsan_fiber(void)
{
    void *f = 0;
    if (enter()) {
        if (spare.usable > 0) {
            f = spare.fiber[--spare.usable];
            spare.fiber[spare.usable] = spare.fiber[--spare.n];
        }
        leave();
    }
    return f ? f : __tsan_create_fiber(0);
}

UNSEEN void rp__tsan_fiber_done(void *f)
{
    bool kept = false;
    if (enter()) {
        kept = spare.n < MOST;
        if (kept)
            spare.fiber[spare.n++] = f;
        leave();
    }
    if (!kept)
        __tsan_destroy_fiber(f);
}

UNSEEN void rp__tsan_users(int change)
{
    unsigned before = atomic_fetch_add_explicit(&users, (unsigned)change, memory_order_relaxed);
    if (before + (unsigned)change == 0 && enter()) {
        spare.usable = spare.n;
        leave();
    }
}
#endif
