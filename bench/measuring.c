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
    double took;
    int rc = play(me, q->kind, 0, scaled(1000000), cpu_seconds, &took);
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
