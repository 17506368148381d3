/* SPDX-License-Identifier: MIT
 *
 * measuring KIND - what measuring messages costs ping-pong on one loop, in percent of its time: with and without
 * by turns, the fastest of each by the processor's time, so that who shares the machine does not count.
 * KIND: handlers, coroutines.
 */
#include "player.h"

struct question {
    const rp_actor *kind;
    double best;
};

static int root(rp_self *me, void *arg)
{
    struct question *q = arg;
    rp_ref ping, pong;
    int rc = rp_spawn(me, q->kind, &(rp_spawn_opts){.monitor = true}, &ping);
    if (rc == 0)
        rc = rp_spawn(me, q->kind, &(rp_spawn_opts){.monitor = true}, &pong);
    double from = cpu_seconds();
    if (rc == 0)
        rc = rp_tell(me, ping, &link_to_type, &(struct link_to){pong, 2 * scaled(1000000)});
    if (rc == 0)
        rc = await_downs(me, 2);
    double took = cpu_seconds() - from;
    q->best = took < q->best ? took : q->best;
    return rc;
}

int main(int argc, char **argv)
{
    enum { TURNS = 41 };
    if (argc < 2)
        return 2;
    bool handlers = strcmp(argv[1], "handlers") == 0;
    struct question q[2] = {{handlers ? &handler : &coroutine, 1e9}, {handlers ? &handler : &coroutine, 1e9}};
    for (unsigned i = 0; i < 2 * TURNS; i++)
        bench_run(root, &q[i % 2], &(rp_system_opts){.loops = 1, .unmeasured = i % 2});
    say(handlers ? "measuring_handlers" : "measuring_coroutines", 100 * (q[0].best / q[1].best - 1), "%");
    return 0;
}
