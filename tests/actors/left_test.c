/* SPDX-License-Identifier: MIT
 *
 * What is on its way to another loop when the system ends will never arrive: it is told so, and freed. Here the loop
 * it goes to has ended before the root has. What links, moves and names have on their way: `left_behind` in
 * tests/fault, where the allocator sees each block.
 */
#include "tests/support.h"

#include "actors/table/actor.h"
#include "actors/table/post.h"
#include "loop/system.h"

#include <errno.h>
#include <stdlib.h>

static unsigned runs, undones;

static void run(struct rp__errand *e, struct rp_loop *l)
{
    (void)l;
    runs++;
    free(e);
}

static void leave_undone(struct rp__errand *e, struct rp_loop *l)
{
    (void)l;
    undones++;
    free(e);
}

static void nothing(void *arg)
{
    (void)arg;
}

static int sends_too_late(rp_self *me, void *arg)
{
    rp_system *sys = rp_system_of(me);
    (void)arg;
    rp__system_stop(sys);
    while (rp_post(sys, 1, nothing, NULL) != -ESHUTDOWN)
        check_eq(rp_yield(me), 0);
    for (unsigned i = 0; i < 3 * RP__RING_SLOTS; i++) { /* into the ring, and what waits behind it */
        struct rp__errand *e = malloc(sizeof *e);
        *e = (struct rp__errand){run, leave_undone};
        rp__signal(me->loop, rp__loop_addr(1), 0, RP__OP_RUN, (uintptr_t)e, 0);
    }
    struct rp__errand *own = malloc(sizeof *own); /* this loop is still there */
    *own = (struct rp__errand){run, leave_undone};
    rp__signal(me->loop, rp__loop_addr(0), 0, RP__OP_RUN, (uintptr_t)own, 0);
    return rp_yield(me);
}

TEST(left, an_errand_ends_once_whatever_becomes_of_its_system)
{
    check_eq(run_with(sends_too_late, 0, &(rp_system_opts){.loops = 2}), 0);
    check_eq(runs, 1);
    check_eq(undones, 3 * RP__RING_SLOTS);
}
