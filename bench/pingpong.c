/* SPDX-License-Identifier: MIT
 *
 * pingpong KIND WHERE - a message goes to and fro between two actors.
 * KIND: handlers, coroutines. WHERE: one loop, two loops, asleep (two loops that never spin).
 */
#include "player.h"

struct question {
    const rp_actor *kind;
    const char *name;
    unsigned other;
    uint64_t trips;
};

static int root(rp_self *me, void *arg)
{
    struct question *q = arg;
    double took;
    int rc = play(me, q->kind, q->other, q->trips, seconds, &took);
    say(q->name, (double)q->trips / took, "rt/s");
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    bool handlers = strcmp(argv[1], "handlers") == 0, one = strcmp(argv[2], "one") == 0, asleep = strcmp(argv[2], "asleep") == 0;
    char name[64];
    snprintf(name, sizeof name, "pingpong_%s%s", argv[2], handlers ? "_handlers" : "");
    struct question q = {handlers ? &handler : &coroutine, name, one ? 0 : 1,
                         scaled(one ? 20000000 : asleep ? 60000 : 2000000)};
    rp_system_opts o = {.loops = one ? 1 : 2, .spin_us = asleep ? -1 : 0};
    bench_run(root, &q, &o);
    return 0;
}
