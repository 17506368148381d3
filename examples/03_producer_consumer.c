/* SPDX-License-Identifier: MIT
 *
 * 03 producer/consumer - three producers on different loops, two slow consumers with small mailboxes.
 * Nobody is told to slow down: whoever sends to a full mailbox waits, and nothing is lost.
 */
#include <reparto/reparto.h>
#include <stdio.h>

enum { PRODUCERS = 3, CONSUMERS = 2, EACH = 2000 };

struct item {
    uint64_t n; /* 0: there are no more from this producer */
};
static const rp_field item_fields[] = {RP_FIELD(struct item, n, RP_U64)};
static const rp_type item_type = RP_TYPE("example.item", struct item, item_fields);

static int produce(rp_self *me, void *arg)
{
    const rp_ref *consumers = arg;
    for (uint64_t n = 1; n <= EACH; n++) {
        int rc = rp_tell(me, consumers[n % CONSUMERS], &item_type, &(struct item){n}); /* waits when full */
        if (rc != 0)
            return rc;
    }
    int rc = 0;
    for (int i = 0; i < CONSUMERS && rc == 0; i++)
        rc = rp_tell(me, consumers[i], &item_type, &(struct item){0});
    return rc;
}
static const rp_actor producer = {.name = "producer", .run = produce};

static int consume(rp_self *me, void *arg)
{
    uint64_t *sum = arg;
    for (int open = PRODUCERS; open > 0;) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        uint64_t n = ((const struct item *)rp_body(m, &item_type))->n;
        rp_msg_drop(me, m);
        *sum += n;
        open -= n == 0;
        if (n % 100 == 0 && (rc = rp_sleep(me, rp_in_ms(me, 1))) != 0) /* work takes time */
            return rc;
    }
    return 0;
}
static const rp_actor consumer = {.name = "consumer", .run = consume};

static int root(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref consumers[CONSUMERS];
    uint64_t sum[CONSUMERS] = {0};
    int rc = 0;
    for (int i = 0; i < CONSUMERS && rc == 0; i++)
        rc = rp_spawn(me, &consumer, &(rp_spawn_opts){.arg = &sum[i], .on = RP_SPREAD, .mailbox = 16, .monitor = true}, &consumers[i]);
    for (int i = 0; i < PRODUCERS && rc == 0; i++)
        rc = rp_spawn(me, &producer, &(rp_spawn_opts){.arg = consumers, .on = RP_SPREAD, .monitor = true}, NULL);
    for (int ended = 0; rc == 0 && ended < PRODUCERS + CONSUMERS; ended++) {
        rp_msg *down;
        if ((rc = rp_recv(me, &down, RP_FOREVER)) == 0) {
            rc = ((const struct rp_down *)rp_body(down, RP_DOWN))->reason;
            rp_msg_drop(me, down);
        }
    }
    if (rc == 0)
        printf("%d items, sum %llu\n", PRODUCERS * EACH, (unsigned long long)(sum[0] + sum[1]));
    return rc;
}

int main(void)
{
    int rc = rp_run(&(rp_actor){.name = "root", .run = root}, NULL, NULL);
    if (rc != 0)
        fprintf(stderr, "producer/consumer: %s\n", rp_strerror(rc));
    return rc != 0;
}
