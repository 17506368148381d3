/* SPDX-License-Identifier: MIT
 *
 * counting - Savina's: one actor tells another, on another loop, to count up, and asks in the end how far it got.
 */
#include "bench.h"

static int count(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t *n = state;
    if (rp_wants_reply(m))
        return rp_reply(me, m, &num_type, &(struct num){*n});
    *n += ((const struct num *)rp_body(m, &num_type))->n;
    return 0;
}
static const rp_actor counter = {.name = "counter", .handle = count, .state_size = sizeof(uint64_t), .flags = RP_NOWAIT};

static int root(rp_self *me, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    rp_ref to;
    rp_msg *m;
    int rc = rp_spawn(me, &counter, &(rp_spawn_opts){.on = RP_LOOP(1)}, &to);
    double from = seconds();
    for (uint64_t i = 0; i < n && rc == 0; i++)
        rc = rp_tell(me, to, &num_type, &(struct num){1});
    if (rc == 0)
        rc = rp_call(me, to, &num_type, &(struct num){0}, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    say("counting", (double)n / (seconds() - from), "msg/s");
    rc = check_that(((const struct num *)rp_body(m, &num_type))->n == n, "the count");
    rp_msg_drop(me, m);
    return rc;
}

int main(void)
{
    uint64_t n = scaled(20000000);
    bench_run(root, &n, &(rp_system_opts){.loops = 2});
    return 0;
}
