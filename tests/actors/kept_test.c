/* SPDX-License-Identifier: MIT
 *
 * kept_test.c - what reaches an actor between two of its incarnations.
 */
#include "tests/support.h"

#include "loop/loop.h"

#include <errno.h>

/* Fails at every fifth message: one that it takes out when its mailbox, of four, is half empty. Its senders
 * have just been told of the room, and those for whom there was none say that they still wait. */
static int fail_at_times(rp_self *me, void *state, const rp_msg *m)
{
    (void)m;
    if (++*(uint64_t *)state % 5 == 0)
        return -EIO;
    return rp_sleep(me, rp_in_ms(me, 1));
}
static const rp_actor failing = {.name = "failing", .handle = fail_at_times, .state_size = sizeof(uint64_t)};

enum { SENDERS = 200 };

static int send_some(rp_self *me, void *arg)
{
    for (uint64_t i = 0; i < 4; i++) {
        int rc = tell_num(me, *(rp_ref *)arg, i);
        if (rc != 0)
            return rc;
    }
    return 0;
}
static const rp_actor sender = {.name = "sender", .run = send_some};

static int stays_bounded(rp_self *me, void *arg)
{
    (void)arg;
    rp_child child = {.actor = &failing, .opts = {.mailbox = 4, .on = RP_LOOP(rp_loop_count(me) - 1)}};
    rp_supervisor s = {.children = &child, .nchildren = 1, .restarts = 100000, .within_ms = 1, .backoff_ms = 2, .backoff_max_ms = 2};
    rp_ref sup, c;
    check_eq(rp_supervise(me, &s, NULL, &sup), 0);
    check_eq(rp_supervise_child(me, sup, 0, &c), 0);
    for (unsigned i = 0; i < 8; i++) /* it is full, and this loop knows: none that come now have sent before */
        check_eq(tell_num(me, c, i), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    for (unsigned i = 0; i < SENDERS; i++)
        check_eq(rp_spawn(me, &sender, &(rp_spawn_opts){.arg = &c, .monitor = true}, NULL), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    rp_ledger l;
    rp_ledger_read(me, &l);
    check(l.high_water <= 4 + RP__WAY_FEW, "the mailbox of four grew to %llu", (unsigned long long)l.high_water);
    return 0;
}

TEST(kept, a_mailbox_stays_bounded_between_incarnations)
{
    everywhere(stays_bounded, 0);
}
