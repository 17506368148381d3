/* SPDX-License-Identifier: MIT
 *
 * throughput - Savina's fork-join throughput: sixty actors on two loops, and messages to each in turn.
 */
#include "bench.h"

enum { WORKERS = 60 };

struct worker {
    uint64_t left, sum, expected;
};

static int work(rp_self *me, void *state, const rp_msg *m)
{
    (void)me;
    struct worker *w = state;
    w->sum += ((const struct num *)rp_body(m, &num_type))->n;
    return --w->left > 0 ? 0 : w->sum == w->expected ? RP_STOP : check_that(false, "a worker's sum");
}

static int born(rp_self *me, void *state, void *arg)
{
    (void)me;
    uint64_t n = *(const uint64_t *)arg;
    *(struct worker *)state = (struct worker){n, 0, n * (n + 1) / 2};
    return 0;
}
static const rp_actor worker = {.name = "worker", .handle = work, .init = born, .state_size = sizeof(struct worker), .flags = RP_NOWAIT};

static int root(rp_self *me, void *arg)
{
    static rp_ref all[WORKERS];
    uint64_t each = *(uint64_t *)arg / WORKERS;
    int rc = 0;
    for (unsigned i = 0; i < WORKERS && rc == 0; i++)
        rc = rp_spawn(me, &worker, &(rp_spawn_opts){.arg = &each, .on = RP_SPREAD, .monitor = true}, &all[i]);
    double from = seconds();
    for (uint64_t n = 1; n <= each && rc == 0; n++)
        for (unsigned i = 0; i < WORKERS && rc == 0; i++)
            rc = rp_tell(me, all[i], &num_type, &(struct num){n});
    if (rc == 0)
        rc = await_downs(me, WORKERS);
    say("fork_join_throughput", (double)(each * WORKERS) / (seconds() - from), "msg/s");
    return rc;
}

int main(void)
{
    uint64_t n = scaled(20000000);
    bench_run(root, &n, &(rp_system_opts){.loops = 2});
    return 0;
}
