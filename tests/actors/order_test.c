/* SPDX-License-Identifier: MIT
 *
 * The order of what one actor says to another, where memory is out for a moment in the middle of it.
 */
#include "tests/support.h"

#include "loop/loop.h"

#include <errno.h>

enum { FAIL = 1000, BLOCKS_MOST = 10000, WAITS_IN = sizeof(struct rp__spill) + sizeof(struct rp__slot) };

static const rp_type short_type = {.name = "t.short", .size = sizeof(uint64_t)}; /* one slot */

static int obey(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state;
    const struct num *n = rp_body(m, NUM);
    return n && n->n == FAIL ? -EIO : 0;
}
static const rp_actor listener = {.name = "listener", .handle = obey};

struct scarce {
    struct test_mem mem;
    int how; /* as of say_fail */
};

/* Three ways of saying something: the short one, with a body outside the slots, and by a message that moves. */
static int say_fail(rp_self *me, rp_ref to, int how)
{
    if (how == 0)
        return rp_try_tell(me, to, NUM, &(struct num){FAIL, {0, 0}});
    if (how == 1)
        return rp_tell_bounce(me, to, NUM, &(struct num){FAIL, {0, 0}}, 1);
    rp_msg *m = rp_msg_new(me, NUM);
    if (!m)
        return -ENOMEM;
    *(struct num *)rp_msg_fill(m) = (struct num){FAIL, {0, 0}};
    return rp_send(me, to, &m);
}

/* Takes all blocks of the size that the loop's queue grows by, and fills the queue to its last slot. How many it took. */
static unsigned use_up(rp_self *me, struct scarce *s, rp_ref sink, void **block)
{
    unsigned n = 0;
    int rc;
    s->mem.fail_at = s->mem.calls + 1;
    while ((block[n] = rp__pool_get(&me->loop->pool, sizeof(struct rp__chunk))) != NULL)
        check(++n < BLOCKS_MOST);
    while ((rc = rp_try_tell(me, sink, &short_type, &(uint64_t){0})) == 0)
        continue;
    check_eq(rc, -ENOMEM);
    return n;
}

static int listen_first(rp_self *me, void *arg)
{
    static void *block[BLOCKS_MOST];
    struct scarce *s = arg;
    struct rp_down d;
    rp_ref sink, who;
    check_eq(rp_spawn(me, &listener, NULL, &sink), 0);
    check_eq(rp_spawn(me, &listener, NULL, &who), 0);
    rp_msg_drop(me, rp_msg_new(me, &short_type)); /* a type takes memory when it is first met */
    void *waits_in = rp__pool_get(&me->loop->pool, WAITS_IN);
    unsigned n = use_up(me, s, sink, block);
    int64_t calls = s->mem.calls;
    rp__pool_free(&me->loop->pool, waits_in, WAITS_IN);
    check_eq(rp_monitor(me, who), 0);
    check(s->mem.calls > calls, "memory was not out");
    s->mem.fail_at = 0;
    check_eq(say_fail(me, who, s->how), 0);
    check_eq(recv_down(me, &d), 0);
    check(d.reason == -EIO, "what was said after rp_monitor came before it: %d", d.reason);
    while (n > 0)
        rp__pool_free(&me->loop->pool, block[--n], sizeof(struct rp__chunk));
    return 0;
}

TEST(order, what_waits_for_memory_is_not_overtaken)
{
    for (int how = 0; how < 3; how++) {
        struct scarce s = {.how = how};
        test_mem_init(&s.mem);
        s.mem.from_then_on = true;
        s.mem.least = sizeof(struct rp__chunk); /* where there are no slabs, only what the queue grows by */
        check_eq(run_with(listen_first, &s, &(rp_system_opts){.loops = 1, .sim_seed = 3, .mem = &s.mem.alloc}), 0);
    }
}
