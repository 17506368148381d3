/* SPDX-License-Identifier: MIT
 *
 * 06 bounded buffer - forty producers and forty consumers, spread over four loops, share one queue of
 * sixteen places. Who finds it full or empty waits; nobody polls, nothing is lost, and the queue itself
 * says when there will be no more.
 */
#include <errno.h>
#include <reparto/reparto.h>
#include <stdatomic.h>
#include <stdio.h>

enum { EACH_KIND = 40, EACH = 1000, PLACES = 16 };

struct shared {
    rp_queue *queue;
    _Atomic uint64_t started, ended; /* producers */
    _Atomic uint64_t count, sum;     /* of what the consumers have seen */
};

static int produce(rp_self *me, void *arg)
{
    struct shared *s = arg;
    uint64_t first = 1 + EACH * s->started++;
    for (uint64_t n = first; n < first + EACH; n++) {
        int rc = rp_queue_put(me, s->queue, &n, RP_FOREVER);
        if (rc != 0)
            return rc;
    }
    if (++s->ended == EACH_KIND)
        rp_queue_close_put(s->queue); /* the last one turns out the light */
    return 0;
}
static const rp_actor producer = {.name = "producer", .run = produce};

static int consume(rp_self *me, void *arg)
{
    struct shared *s = arg;
    uint64_t n;
    int rc;
    while ((rc = rp_queue_get(me, s->queue, &n, RP_FOREVER)) == 0) {
        s->count++;
        s->sum += n;
    }
    return rc == -EPIPE ? 0 : rc; /* closed and empty: the usual end */
}
static const rp_actor consumer = {.name = "consumer", .run = consume};

static int root(rp_self *me, void *arg)
{
    int rc = 0;
    for (unsigned i = 0; i < 2 * EACH_KIND && rc == 0; i++)
        rc = rp_spawn(me, i % 2 ? &producer : &consumer,
                      &(rp_spawn_opts){.arg = arg, .on = RP_SPREAD, .monitor = true}, NULL);
    for (unsigned ended = 0; ended < 2 * EACH_KIND && rc == 0; ended++) {
        rp_msg *down;
        if ((rc = rp_recv(me, &down, RP_FOREVER)) == 0) {
            rc = ((const struct rp_down *)rp_body(down, RP_DOWN))->reason;
            rp_msg_drop(me, down);
        }
    }
    return rc;
}

int main(void)
{
    struct shared s = {.count = 0};
    int rc = rp_queue_new(sizeof(uint64_t), PLACES, NULL, &s.queue);
    if (rc == 0) {
        rc = rp_run(&(rp_actor){.name = "root", .run = root}, &s, &(rp_system_opts){.loops = 4});
        rp_queue_free(s.queue);
        printf("%llu items, sum %llu\n", (unsigned long long)s.count, (unsigned long long)s.sum);
    }
    if (rc != 0)
        fprintf(stderr, "bounded buffer: %s\n", rp_strerror(rc));
    return rc != 0;
}
