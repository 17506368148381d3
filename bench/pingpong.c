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
    rp_ref ping, pong;
    int rc = rp_spawn(me, q->kind, &(rp_spawn_opts){.monitor = true, .on = RP_LOOP(0)}, &ping);
    if (rc == 0)
        rc = rp_spawn(me, q->kind, &(rp_spawn_opts){.monitor = true, .on = RP_LOOP(q->other)}, &pong);
    double from = seconds();
    if (rc == 0)
        rc = rp_tell(me, ping, &link_to_type, &(struct link_to){pong, 2 * q->trips});
    if (rc == 0)
        rc = await_downs(me, 2);
    say(q->name, (double)q->trips / (seconds() - from), "rt/s");
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
