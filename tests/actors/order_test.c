/* SPDX-License-Identifier: MIT
 *
 * The order of what one actor says to another, where memory is out for a moment in the middle of it.
 */
#include "tests/support.h"

#include <errno.h>

enum { FAIL = 1000, BURN_MANY = 100000, MANY = 1000 /* as many as may be sent without waiting */ };

struct wide { /* 15 slots: some of them fill blocks of the queue that are there already */
    char bytes[900];
};
static const rp_type wide_type = {.name = "t.wide", .size = sizeof(struct wide)};
static const rp_type two_slots = {.name = "t.two_slots", .size = 60};

static int obey(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state;
    const struct num *n = rp_body(m, NUM);
    return n && n->n == FAIL ? -EIO : 0;
}
static const rp_actor listener = {.name = "listener", .handle = obey};

struct scarce {
    struct test_mem mem;
    uint64_t burnt;  /* messages made, and kept, before: the pool is about to need memory */
    uint64_t before; /* messages in the queue already */
    uint64_t needs;  /* memory, the one after so many; 0: not known */
    bool hit;
    int how;         /* as of say_fail; -1: finds how many need memory; -2: how many are to be burnt */
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

/* Makes `n` messages, at most as many as can be had without asking for memory; how many. */
static uint64_t burn(rp_self *me, struct scarce *s, rp_msg **made, uint64_t n)
{
    uint64_t i = 0;
    for (int64_t calls = s->mem.calls; i < n && s->mem.calls == calls; i++)
        check((made[i] = rp_msg_new(me, &wide_type)) != 0);
    return i;
}

static void fill(rp_self *me, struct scarce *s, rp_ref sink)
{
    for (uint64_t i = 0; i < s->before && !s->needs; i++) {
        int64_t calls = s->mem.calls;
        bool wide = i < 24; /* then by single slots, up to the very end of a block */
        check_eq(wide ? rp_try_tell(me, sink, &wide_type, &(struct wide){{0}})
                      : rp_try_tell(me, sink, NUM, &(struct num){0, {0, 0}}), 0);
        if (s->how == -1 && i > 0 && s->mem.calls != calls)
            s->needs = i;
    }
}

static int say_first(rp_self *me, struct scarce *s, rp_ref sink, rp_ref who);

static int listen_first(rp_self *me, void *arg)
{
    static rp_msg *made[BURN_MANY];
    struct scarce *s = arg;
    rp_ref sink, who;
    check_eq(rp_spawn(me, &listener, NULL, &sink), 0);
    check_eq(rp_spawn(me, &listener, NULL, &who), 0);
    check_eq(rp_monitor(me, sink), 0); /* so that the next one needs no memory of its own */
    check_eq(rp_yield(me), 0);
    rp_msg_drop(me, rp_msg_new(me, NUM)); /* a type takes memory when it is first met */
    rp_msg_drop(me, rp_msg_new(me, &wide_type));
    rp_msg_drop(me, rp_msg_new(me, &two_slots)); /* and what waits for memory has a block to do so in */
    uint64_t n = burn(me, s, made, s->how == -2 ? BURN_MANY : s->burnt - 1);
    if (s->how == -2)
        s->burnt = n;
    int rc = s->how == -2 ? 0 : say_first(me, s, sink, who);
    while (n > 0)
        rp_msg_drop(me, made[--n]);
    return rc;
}

static int say_first(rp_self *me, struct scarce *s, rp_ref sink, rp_ref who)
{
    struct rp_down d;
    fill(me, s, sink);
    if (s->how < 0)
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
    uint64_t burnt = 0, needs = MANY;
    for (int how = -2; how < 3; how++) {
        struct scarce s = {.burnt = burnt, .before = needs, .how = how};
        test_mem_init(&s.mem);
        s.mem.from_then_on = true;
        check_eq(run_with(listen_first, &s, &(rp_system_opts){.loops = 1, .sim_seed = 3, .mem = &s.mem.alloc}), 0);
        burnt = s.burnt;
        needs = how == -1 ? s.needs : needs;
        check(needs > 0 && burnt < BURN_MANY && (how < 0 || s.hit), "memory was not out: how %d, after %d messages", how, (int)needs);
    }
}
