/* SPDX-License-Identifier: MIT
 *
 * The order of what one actor says to another, where memory is out for a moment in the middle of it.
 */
#include "tests/support.h"

#include <errno.h>

enum { FAIL = 1000, MANY = 20000 };

static int obey(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state;
    return ((const struct num *)rp_body(m, NUM))->n == FAIL ? -EIO : 0;
}
static const rp_actor listener = {.name = "listener", .handle = obey};

struct scarce {
    struct test_mem mem;
    uint64_t before; /* messages that stand in the queue already */
    uint64_t needs;  /* memory, the message after so many; 0: not known */
    bool hit;
    int how;
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

static int listen_first(rp_self *me, void *arg)
{
    struct scarce *s = arg;
    rp_ref sink, who;
    struct rp_down d;
    check_eq(rp_spawn(me, &listener, NULL, &sink), 0);
    check_eq(rp_spawn(me, &listener, NULL, &who), 0);
    for (uint64_t i = 0; i < s->before && !s->needs; i++) {
        int64_t calls = s->mem.calls;
        check_eq(rp_try_tell(me, sink, NUM, &(struct num){0, {0, 0}}), 0);
        if (s->before == MANY && i > 0 && s->mem.calls != calls)
            s->needs = i;
    }
    if (s->before == MANY)
        return 0;
    s->mem.fail_at = s->mem.calls + 1;
    int rc = rp_monitor(me, who);
    s->hit = rc == 0 && s->mem.calls >= s->mem.fail_at;
    s->mem.fail_at = 0;
    if (rc != 0)
        return 0;
    check_eq(say_fail(me, who, s->how), 0);
    check_eq(recv_down(me, &d), 0);
    check(d.reason == -EIO, "what was said after rp_monitor came before it: %d", d.reason);
    return 0;
}

TEST(order, what_waits_for_memory_is_not_overtaken)
{
    uint64_t needs = MANY;
    for (int how = -1; how < 3; how++) {
        struct scarce s = {.before = needs, .how = how};
        test_mem_init(&s.mem);
        s.mem.from_then_on = true;
        check_eq(run_with(listen_first, &s, &(rp_system_opts){.loops = 1, .sim_seed = 3, .mem = &s.mem.alloc}), 0);
        needs = how < 0 ? s.needs : needs;
        check(needs > 0 && (how < 0 || s.hit), "memory was not out");
    }
}
