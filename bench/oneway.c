/* SPDX-License-Identifier: MIT
 *
 * oneway KIND WHERE - one actor sends to another as fast as that can keep up.
 * KIND of the receiver: handlers, coroutines. WHERE: one, two. Fan-in: oneway fanin 8: eight senders on
 * one loop, the receiver on the other, and the peak of the resident set. The numbers add up to what was sent.
 */
#include "bench.h"

#include <sys/resource.h>

struct question {
    const rp_actor *sink;
    char name[64];
    unsigned producers, there;
    uint64_t each;
};

struct to_come {
    uint64_t sum;
    uint32_t left; /* narrow: gcc would work on both at once, in twice the instructions */
};

static struct to_come all_of(const struct question *q)
{
    return (struct to_come){q->producers * (q->each * (q->each + 1) / 2), (uint32_t)(q->each * q->producers)};
}

static int count(rp_self *me, void *state, const rp_msg *m)
{
    (void)me;
    struct to_come *t = state;
    const struct num *b = rp_body(m, &num_type);
    if (!b)
        return check_that(false, "something else than a number");
    t->sum -= b->n;
    return --t->left > 0 ? 0 : t->sum == 0 ? RP_STOP : check_that(false, "the sum");
}

static int count_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct to_come *)state = all_of(arg);
    return 0;
}

static int count_run(rp_self *me, void *arg)
{
    struct to_come t = all_of(arg);
    for (; t.left > 0; t.left--) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        t.sum -= ((const struct num *)rp_body(m, &num_type))->n;
        rp_msg_drop(me, m);
    }
    return check_that(t.sum == 0, "the sum");
}

static const rp_actor handler = {.name = "sink", .handle = count, .init = count_init, .state_size = sizeof(struct to_come)};
static const rp_actor coroutine = {.name = "sink", .run = count_run};

struct producer_arg {
    rp_ref sink;
    uint64_t each;
};

static int produce(rp_self *me, void *arg)
{
    struct producer_arg a = *(struct producer_arg *)arg;
    for (struct num i = {1}; i.n <= a.each; i.n++) {
        int rc = rp_tell(me, a.sink, &num_type, &i);
        if (rc != 0)
            return rc;
    }
    return 0;
}
static const rp_actor producer = {.name = "producer", .run = produce};

static int root(rp_self *me, void *arg)
{
    struct question *q = arg;
    struct producer_arg a = {.each = q->each};
    int rc = rp_spawn(me, q->sink, &(rp_spawn_opts){.arg = q, .monitor = true, .on = RP_LOOP(q->there)}, &a.sink);
    double from = seconds();
    for (unsigned i = 0; i < q->producers && rc == 0; i++)
        rc = rp_spawn(me, &producer, &(rp_spawn_opts){.arg = &a, .monitor = true, .on = RP_LOOP(0)}, NULL);
    if (rc == 0)
        rc = await_downs(me, q->producers + 1);
    say(q->name, (double)(q->each * q->producers) / (seconds() - from), "msg/s");
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    bool fanin = strcmp(argv[1], "fanin") == 0, handlers = fanin || strcmp(argv[1], "handlers") == 0;
    bool two = fanin || strcmp(argv[2], "two") == 0;
    struct question q = {.sink = handlers ? &handler : &coroutine, .producers = fanin ? (unsigned)atoi(argv[2]) : 1, .there = two};
    q.each = scaled(fanin ? 40000000 / q.producers : 40000000);
    if (fanin)
        snprintf(q.name, sizeof q.name, "fanin_%s", argv[2]);
    else
        snprintf(q.name, sizeof q.name, "oneway_%s%s", argv[2], handlers ? "" : "_coroutine");
    rp_system_opts o = {.loops = two ? 2 : 1};
    bench_run(root, &q, &o);
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    if (fanin)
        say("fanin_8_rss", (double)ru.ru_maxrss * 1024 / 1e6, "MB");
    return 0;
}
