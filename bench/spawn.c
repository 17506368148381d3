/* SPDX-License-Identifier: MIT
 *
 * spawn [LOOPS] - spawn an actor, send it one message, it handles it and ends; on each loop.
 */
#include "bench.h"

struct worker_arg {
    uint64_t each;
};

static _Thread_local struct { /* a loop's */
    uint64_t ended, sum;
} here;

static int once(rp_self *me, void *state, const rp_msg *m)
{
    (void)me;
    *(uint64_t *)state += ((const struct num *)rp_body(m, &num_type))->n;
    here.sum += *(uint64_t *)state;
    here.ended++;
    return RP_STOP;
}
static const rp_actor mayfly = {.name = "mayfly", .handle = once, .state_size = 8};

static int spawner_run(rp_self *me, void *arg)
{
    uint64_t each = ((struct worker_arg *)arg)->each;
    for (uint64_t i = 0; i < each; i++) {
        rp_ref r;
        int rc = rp_spawn(me, &mayfly, NULL, &r);
        if (rc == 0)
            rc = rp_tell(me, r, &num_type, &(struct num){i});
        if (rc != 0)
            return rc;
    }
    int rc = 0;
    while (here.ended < each && rc == 0)
        rc = rp_yield(me);
    return rc != 0 ? rc : check_that(here.ended == each && here.sum == each * (each - 1) / 2, "the sum");
}
static const rp_actor spawner = {.name = "spawner", .run = spawner_run};

static int root(rp_self *me, void *arg)
{
    struct worker_arg *a = arg;
    unsigned n = rp_loop_count(me);
    double from = seconds();
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = rp_spawn(me, &spawner, &(rp_spawn_opts){.arg = a, .monitor = true, .on = RP_LOOP(i)}, NULL);
    if (rc == 0)
        rc = await_downs(me, n);
    say(n == 1 ? "spawn_die" : "spawn_die_two", (double)(a->each * n) / (seconds() - from), "actors/s");
    return rc;
}

int main(int argc, char **argv)
{
    struct worker_arg a = {scaled(20000000)};
    bench_run(root, &a, &(rp_system_opts){.loops = argc > 1 ? (unsigned)atoi(argv[1]) : 1});
    return 0;
}
