/* SPDX-License-Identifier: MIT
 *
 * idle bytes N - resident bytes per idle handler actor, beyond its state (it has none), when each has been asked once.
 * idle stacks N - the same for coroutine actors that are parked.
 * idle wakeups - how often a started system without anything to do wakes in a second.
 */
#include "bench.h"

#include <sys/resource.h>
#include <unistd.h>

static uint64_t heard; /* the sum of what all were told; of one loop */

static int nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state;
    heard += ((const struct num *)rp_body(m, &num_type))->n;
    return 0;
}
static const rp_actor handler = {.name = "idle", .handle = nothing};

static int parked(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc == 0)
        heard += ((const struct num *)rp_body(m, &num_type))->n;
    rp_msg_drop(me, m);
    return rc;
}
static const rp_actor coroutine = {.name = "idle", .run = parked};

struct question {
    const char *name;
    const rp_actor *kind;
    unsigned n;
};

/* Each is there, and hears what it is told. */
static int tell_all(rp_self *me, const rp_ref *all, uint64_t n)
{
    int rc = 0;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        rc = rp_tell(me, all[i], &num_type, &(struct num){i});
        if (i % 1000 == 999 && rc == 0)
            rc = rp_yield(me);
    }
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 20));
    return rc != 0 ? rc : check_that(heard == n * (n - 1) / 2, "somebody has heard nothing");
}

static int root(rp_self *me, void *arg)
{
    struct question *q = arg;
    rp_ref *all = malloc(q->n * sizeof *all);
    if (!all)
        return -ENOMEM;
    memset(all, 1, q->n * sizeof *all); /* it is resident */
    double before = rss_bytes();
    int rc = 0;
    for (unsigned i = 0; i < q->n && rc == 0; i++) {
        rc = rp_spawn(me, q->kind, NULL, &all[i]);
        if (i % 1000 == 999 && rc == 0)
            rc = rp_yield(me); /* so that the coroutines come to their rp_recv */
    }
    if (rc == 0 && q->kind == &handler)
        rc = tell_all(me, all, q->n);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 100));
    say(q->name, (rss_bytes() - before) / q->n, "B");
    if (rc == 0 && q->kind == &coroutine)
        rc = tell_all(me, all, q->n);
    free(all);
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
