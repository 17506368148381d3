/* SPDX-License-Identifier: MIT
 *
 * timers N - N one-shot timers spread over a second, each a message to its actor; CPU time for each,
 * starting, firing and handling.
 * timers sleeping N - the same by N tasks that sleep: starting, sleeping, ending.
 */
#include "bench.h"

struct state {
    uint64_t left;
    rp_time last; /* the last one is due */
};

static int tick(rp_self *me, void *state, const rp_msg *m)
{
    struct state *s = state;
    const struct num *b = rp_body(m, &num_type);
    if (rp_body(m, &link_to_type)) { /* begin */
        rp_time now = rp_now(me);
        uint64_t n = s->left;
        for (uint64_t i = 0; i < n; i++) {
            rp_time due = now + RP_S / 10 + (rp_time)(i * 7919 % n) * RP_S / (rp_time)n;
            s->last = due > s->last ? due : s->last;
            int rc = rp_timer_start(me, due, &num_type, &(struct num){1}, NULL);
            if (rc != 0)
                return rc;
        }
        return 0;
    }
    if ((s->left -= b->n) > 0)
        return 0;
    return rp_now(me) >= s->last ? RP_STOP : check_that(false, "a timer fired too soon");
}

static int init(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct state *)state)->left = *(uint64_t *)arg;
    return 0;
}
static const rp_actor ticker = {.name = "ticker", .handle = tick, .init = init, .state_size = sizeof(struct state)};

static int root(rp_self *me, void *arg)
{
    rp_ref r;
    int rc = rp_spawn(me, &ticker, &(rp_spawn_opts){.arg = arg, .monitor = true}, &r);
    double from = cpu_seconds();
    if (rc == 0)
        rc = rp_tell(me, r, &link_to_type, &(struct link_to){r, 0});
    if (rc == 0)
        rc = await_downs(me, 1);
    say("timers_1m", (cpu_seconds() - from) * 1e9 / (double)*(uint64_t *)arg, "ns");
    return rc;
}

static uint64_t woken;

static int sleeper(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, (rp_time)(intptr_t)arg);
    woken += rc == 0 && rp_now(me) >= (rp_time)(intptr_t)arg;
    return rc;
}

static int sleeping_root(rp_self *me, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    double from = cpu_seconds();
    rp_time first = rp_now(me) + (rp_time)n * 8 * RP_US; /* by then all sleep */
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = 0;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        rp_time until = first + (rp_time)(i * 7919 % n) * RP_S / (rp_time)n;
        rc = rp_go(me, &s, sleeper, (void *)(intptr_t)until, NULL);
        if (rc == 0 && i % 1000 == 999)
            rc = rp_yield(me); /* so that they come to their rp_sleep */
    }
    rc = rp_scope_close(me, &s, rc);
    say("timers_sleeping", (cpu_seconds() - from) * 1e9 / (double)n, "ns");
    return rc != 0 ? rc : check_that(woken == n, "somebody did not sleep, or not long enough");
}

int main(int argc, char **argv)
{
    bool sleeping = argc > 1 && strcmp(argv[1], "sleeping") == 0;
    const char *size = argc > 1 + sleeping ? argv[1 + sleeping] : "1000000";
    uint64_t n = (uint64_t)atoll(size);
    bench_run(sleeping ? sleeping_root : root, &n, &(rp_system_opts){.loops = 1});
    return 0;
}
