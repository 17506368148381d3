/* SPDX-License-Identifier: MIT
 *
 * Calls whose answers and deadlines come in every order, at times that lie on both sides of those at which a wait is
 * looked into.
 */
#include "tests/support.h"

#include "reparto/sim.h"

#include <errno.h>

enum { CALLERS = 60, LATE = RP_MS, MOST_MS = 450 };

struct plan {
    rp_time begin, answer, deadline; /* answer, deadline: after begin */
};

static int answer_after(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    int rc = rp_sleep(me, rp_now(me) + (rp_time)b->n);
    return rc == 0 ? rp_reply(me, m, NUM, b) : rc;
}
static const rp_actor answerer = {.name = "answerer", .handle = answer_after};

static int caller(rp_self *me, void *arg)
{
    struct plan p = *(struct plan *)arg;
    rp_ref a;
    rp_msg *m;
    check_eq(rp_spawn(me, &answerer, &(rp_spawn_opts){.on = RP_SPREAD}, &a), 0);
    check_eq(rp_sleep(me, p.begin), 0);
    rp_time from = rp_now(me);
    int rc = rp_call(me, a, NUM, &(struct num){.n = (uint64_t)p.answer}, &m, from + p.deadline);
    rp_time took = rp_now(me) - from, due = p.answer < p.deadline ? p.answer : p.deadline;
    check(took >= due && took <= due + LATE, "%" PRIi64 " ns, not %" PRIi64, took, due);
    check_eq(rc, p.answer < p.deadline ? 0 : -ETIMEDOUT);
    if (rc == 0)
        rp_msg_drop(me, m);
    return 0;
}
static const rp_actor kind = {.name = "caller", .run = caller};

static rp_time some_time(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (rp_time)(1 + (*seed >> 33) % MOST_MS) * RP_MS;
}

static int calls(rp_self *me, void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    struct plan plans[CALLERS];
    struct rp_down d;
    for (unsigned i = 0; i < CALLERS; i++) {
        plans[i] = (struct plan){some_time(&seed), some_time(&seed), some_time(&seed)};
        plans[i].deadline += RP_MS / 2; /* never at once with the answer */
        check_eq(rp_spawn(me, &kind, &(rp_spawn_opts){.arg = &plans[i], .on = RP_SPREAD, .monitor = true}, NULL), 0);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return 0;
}

TEST(call, each_ends_when_it_is_answered_or_its_time_is_over)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(20); i++, seed++) {
        rp_system_opts sim = {.loops = (unsigned)(1 + i % 2), .sim_seed = seed + 1};
        check_eq(run_with(calls, &seed, &sim), 0);
    }
}
