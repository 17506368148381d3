/* SPDX-License-Identifier: MIT
 *
 * fork_join - Savina's: 40,000 actors at a time are made, get one message each, and end.
 */
#include "bench.h"

enum { BATCH = 40000 };

struct tally { /* one loop: nobody else is at it */
    uint64_t ended, sum;
};

struct worker {
    struct tally *all;
};

static int once(rp_self *me, void *state, const rp_msg *m)
{
    (void)me;
    struct tally *all = ((struct worker *)state)->all;
    all->sum += ((const struct num *)rp_body(m, &num_type))->n;
    all->ended++;
    return RP_STOP;
}

static int init(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct worker *)state)->all = arg;
    return 0;
}
static const rp_actor worker = {.name = "worker", .handle = once, .init = init, .state_size = sizeof(struct worker)};

static int root(rp_self *me, void *arg)
{
    uint64_t n = *(uint64_t *)arg, made = 0;
    static rp_ref all[BATCH];
    double from = seconds();
    int rc = 0;
    for (; made < n && rc == 0; made += BATCH) {
        struct tally t = {0, 0};
        for (uint64_t i = 0; i < BATCH && rc == 0; i++)
            rc = rp_spawn(me, &worker, &(rp_spawn_opts){.arg = &t}, &all[i]);
        for (uint64_t i = 0; i < BATCH && rc == 0; i++)
            rc = rp_tell(me, all[i], &num_type, &(struct num){i});
        while (rc == 0 && t.ended < BATCH)
            rc = rp_yield(me);
        if (rc == 0)
            rc = check_that(t.ended == BATCH && t.sum == (uint64_t)BATCH * (BATCH - 1) / 2, "the sum");
    }
    say("fork_join_create", (double)made / (seconds() - from), "actors/s");
    return rc;
}

int main(void)
{
    uint64_t n = scaled(8000000);
    bench_run(root, &n, &(rp_system_opts){.loops = 1});
    return 0;
}
