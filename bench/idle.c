/* SPDX-License-Identifier: MIT
 *
 * idle bytes N - resident bytes per idle handler actor, beyond its state (it has none).
 * idle stacks N - the same for coroutine actors that are parked.
 * idle wakeups - how often a started system without anything to do wakes in a second.
 */
#include "bench.h"

#include <sys/resource.h>
#include <unistd.h>

static int nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor handler = {.name = "idle", .handle = nothing};

static int parked(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    return rp_recv(me, &m, RP_FOREVER) == -ECANCELED ? 0 : -EIO;
}
static const rp_actor coroutine = {.name = "idle", .run = parked};

struct question {
    const char *name;
    const rp_actor *kind;
    unsigned n;
};

static int root(rp_self *me, void *arg)
{
    struct question *q = arg;
    double before = rss_bytes();
    int rc = 0;
    for (unsigned i = 0; i < q->n && rc == 0; i++) {
        rc = rp_spawn(me, q->kind, NULL, NULL);
        if (i % 1000 == 999 && rc == 0)
            rc = rp_yield(me); /* so that the coroutines come to their rp_recv */
    }
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 100));
    say(q->name, (rss_bytes() - before) / q->n, "B");
    return rc;
}

/* How often threads other than this one have gone to sleep. */
static long switches(void)
{
    struct rusage all, own;
    getrusage(RUSAGE_SELF, &all);
    getrusage(RUSAGE_THREAD, &own);
    return all.ru_nvcsw - own.ru_nvcsw;
}

static int watch(void *arg) /* off the loops, so that no timer of theirs wakes them */
{
    (void)arg;
    sleep(1);
    long before = switches();
    sleep(3);
    say("idle_wakeups", (double)(switches() - before) / 3, "/s");
    return 0;
}

static int idle_root(rp_self *me, void *arg)
{
    (void)arg;
    int rc = 0;
    for (unsigned i = 0; i < rp_loop_count(me) && rc == 0; i++)
        rc = rp_spawn(me, &handler, &(rp_spawn_opts){.on = RP_LOOP(i)}, NULL);
    return rc == 0 ? rp_offload(me, watch, NULL, RP_FOREVER) : rc;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (strcmp(argv[1], "wakeups") == 0) {
        bench_run(idle_root, NULL, &(rp_system_opts){.loops = 2});
        return 0;
    }
    struct question q = {.n = argc > 2 ? (unsigned)atoi(argv[2]) : 1000000};
    bool stacks = strcmp(argv[1], "stacks") == 0;
    q.kind = stacks ? &coroutine : &handler;
    q.name = stacks ? "idle_stack_bytes" : q.n >= 10000000 ? "idle_bytes_10m" : "idle_bytes";
    bench_run(root, &q, &(rp_system_opts){.loops = 1});
    return 0;
}
