/* SPDX-License-Identifier: MIT
 *
 * fairness - a thousand pairs that ping each other on one loop, each a ping at a time; then the same beside
 * one actor that sends to another as fast as it can. How much longer does a ping take, at the 99th percent? And beside
 * one that holds the loop for 2 ms with each message, and always has some: as it comes, and demoted.
 */
#include "bench.h"

enum { PAIRS = 1000, EACH = 2000, EACH_SLOW = 4, SLOW_MS = 2 };

static int echo(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_tell(me, rp_from(me, m), &num_type, rp_body(m, &num_type));
}
static const rp_actor ponger = {.name = "ponger", .handle = echo, .flags = RP_NOWAIT};

struct pinger {
    rp_ref pong;
    uint64_t left;
    double from;
    float *took;
};

static int ping(rp_self *me, void *state, const rp_msg *m)
{
    struct pinger *p = state;
    double now = seconds();
    if (rp_body(m, &num_type))
        p->took[--p->left] = (float)(now - p->from);
    p->from = now;
    return p->left == 0 ? RP_STOP : rp_tell(me, p->pong, &num_type, &(struct num){1});
}

static int born(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct pinger *)state = *(const struct pinger *)arg;
    return 0;
}
static const rp_actor pinger = {.name = "pinger", .handle = ping, .init = born, .state_size = sizeof(struct pinger), .flags = RP_NOWAIT};

static int swallow(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor sink = {.name = "sink", .handle = swallow};

static int plod(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    for (rp_time until = rp_now(me) + SLOW_MS * RP_MS; rp_now(me) < until;)
        ;
    return 0;
}
static const rp_actor plodder = {.name = "plodder", .handle = plod};

static int flood(rp_self *me, void *arg)
{
    rp_ref s;
    int rc = rp_spawn(me, arg, NULL, &s);
    while (rc == 0 && (rc = rp_scope_check(me)) == 0)
        rc = rp_tell(me, s, &num_type, &(struct num){1});
    return rc == -ECANCELED ? 0 : rc;
}
static const rp_actor flooder = {.name = "flooder", .run = flood};

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int p99_of(rp_self *me, unsigned each, double *ret)
{
    float *took = malloc(sizeof *took * PAIRS * each);
    static rp_ref pings[PAIRS];
    int rc = took ? 0 : -ENOMEM;
    for (unsigned i = 0; i < PAIRS && rc == 0; i++) {
        struct pinger p = {.left = each, .took = took + i * each};
        rc = rp_spawn(me, &ponger, NULL, &p.pong);
        if (rc == 0)
            rc = rp_spawn(me, &pinger, &(rp_spawn_opts){.arg = &p, .monitor = true}, &pings[i]);
    }
    for (unsigned i = 0; i < PAIRS && rc == 0; i++)
        rc = rp_tell(me, pings[i], &link_to_type, &(struct link_to){{0, 0}, 0});
    if (rc == 0)
        rc = await_downs(me, PAIRS);
    if (rc == 0) {
        qsort(took, PAIRS * each, sizeof *took, by_value);
        *ret = took[(size_t)PAIRS * each * 99 / 100];
    }
    free(took);
    return rc;
}

static int root(rp_self *me, void *arg)
{
    (void)arg;
    double alone = 0, beside = 0;
    rp_ref f;
    int rc = p99_of(me, EACH, &alone);
    if (rc == 0)
        rc = rp_spawn(me, &flooder, &(rp_spawn_opts){.arg = (void *)(uintptr_t)&sink}, &f);
    if (rc == 0)
        rc = p99_of(me, EACH, &beside);
    say("ping_p99_alone", alone * 1e6, "us");
    say("ping_p99_flooded", beside * 1e6, "us");
    return rc;
}

static int beside_a_slow_one(rp_self *me, void *name)
{
    double beside = 0;
    rp_ref f;
    int rc = rp_spawn(me, &flooder, &(rp_spawn_opts){.arg = (void *)(uintptr_t)&plodder}, &f);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 100));
    if (rc == 0)
        rc = p99_of(me, EACH_SLOW, &beside);
    say(name, beside * 1e3, "ms");
    return rc;
}

int main(void)
{
    char slow[] = "ping_p99_slow", demoted[] = "ping_p99_demoted";
    bench_run(root, NULL, &(rp_system_opts){.loops = 1});
    bench_run(beside_a_slow_one, slow, &(rp_system_opts){.loops = 1});
    bench_run(beside_a_slow_one, demoted, &(rp_system_opts){.loops = 1, .demote_ms = 1});
    return 0;
}
