/* SPDX-License-Identifier: MIT
 *
 * bounded_buffer - four producers and four consumers at one queue of 100 items; two of each on each loop.
 */
#include "bench.h"

enum { PAIRS = 4, CAPACITY = 100 };

struct work {
    rp_queue *queue;
    uint64_t each;
    uint64_t sums[PAIRS];
};

struct part {
    struct work *work;
    uint64_t *sum;
};

static int produce(rp_self *me, void *arg)
{
    struct work *w = ((struct part *)arg)->work;
    int rc = 0;
    for (uint64_t i = 1; i <= w->each && rc == 0; i++)
        rc = rp_queue_put(me, w->queue, &i, RP_FOREVER);
    return rc;
}

static int consume(rp_self *me, void *arg)
{
    struct part *p = arg;
    uint64_t v, sum = 0;
    int rc = 0;
    for (uint64_t i = 0; i < p->work->each && rc == 0; i++)
        if ((rc = rp_queue_get(me, p->work->queue, &v, RP_FOREVER)) == 0)
            sum += v;
    *p->sum = sum;
    return rc;
}

static int run_all(rp_self *me, struct work *w)
{
    static const rp_actor producer = {.name = "producer", .run = produce}, consumer = {.name = "consumer", .run = consume};
    struct part parts[PAIRS];
    int rc = 0;
    for (unsigned i = 0; i < PAIRS && rc == 0; i++) {
        parts[i] = (struct part){w, &w->sums[i]};
        rp_spawn_opts o = {.arg = &parts[i], .on = RP_LOOP(i % 2), .monitor = true};
        if ((rc = rp_spawn(me, &producer, &o, NULL)) == 0)
            rc = rp_spawn(me, &consumer, &o, NULL);
    }
    return rc == 0 ? await_downs(me, 2 * PAIRS) : rc;
}

static int root(rp_self *me, void *arg)
{
    struct work w = {.each = *(uint64_t *)arg / PAIRS};
    int rc = rp_queue_new(sizeof(uint64_t), CAPACITY, NULL, &w.queue);
    double from = seconds();
    if (rc == 0)
        rc = run_all(me, &w);
    say("bounded_buffer", (double)(w.each * PAIRS) / (seconds() - from), "items/s");
    for (unsigned i = 0; i < PAIRS && rc == 0; i++)
        rc = check_that(w.sums[i] > 0, "a consumer had nothing");
    if (rc == 0)
        rc = check_that(w.sums[0] + w.sums[1] + w.sums[2] + w.sums[3] == PAIRS * w.each * (w.each + 1) / 2, "the sum");
    rp_queue_free(w.queue);
    return rc;
}

int main(void)
{
    uint64_t n = scaled(10000000);
    bench_run(root, &n, &(rp_system_opts){.loops = 2});
    return 0;
}
