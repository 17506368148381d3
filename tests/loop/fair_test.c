/* SPDX-License-Identifier: MIT
 *
 * Coroutines that are always ready, more of them than a turn has room for, and a message.
 */
#include "tests/support.h"

enum { SIM_MANY = 100, MANY = 4500 };

static bool came;

static int always_ready(rp_self *me, void *arg)
{
    int rc = 0;
    while (!*(bool *)arg && rc == 0)
        rc = rp_yield(me);
    return rc;
}

static int arrive(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    came = true;
    return RP_STOP;
}
static const rp_actor target = {.name = "target", .handle = arrive};

static int crowded(rp_self *me, void *arg)
{
    unsigned n = *(unsigned *)arg;
    rp_scope s;
    rp_ref r;
    came = false;
    rp_scope_open(me, &s, rp_in_ms(me, 10000));
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = rp_go(me, &s, always_ready, &came, NULL);
    if (rc == 0)
        rc = rp_yield(me);
    if (rc == 0)
        rc = rp_spawn(me, &target, NULL, &r);
    if (rc == 0)
        rc = tell_num(me, r, 1);
    while (!came && rc == 0)
        rc = rp_yield(me);
    return rp_scope_close(me, &s, rc);
}

TEST(fair, messages_have_their_share_beside_those_that_are_ready)
{
    unsigned n = SIM_MANY;
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 10; i++) { /* turns of at most 64 steps, by chance */
        rp_system_opts sim = {.loops = 1, .sim_seed = seed + i}, chaos = {.loops = 1, .chaos_seed = seed + i};
        check_eq(run_with(crowded, &n, &sim), 0);
        check_eq(run_with(crowded, &n, &chaos), 0);
    }
#if !defined(__SANITIZE_THREAD__) /* which needs a millisecond for each stack */
    rp_system_opts one = {.loops = 1};
    n = MANY;
    check_eq(run_with(crowded, &n, &one), 0);
#endif
}
