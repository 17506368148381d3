/* SPDX-License-Identifier: MIT
 *
 * move WHAT - actors that go to live on another loop, two loops.
 *
 * talk   eight pairs play ping-pong, each across the loops: round trips a second, before a mover has begun, when it
 *        has had its time, and with the pairs put together by hand
 * load   eight actors work for 20 us a message, all on one loop: messages a second, before, after, and by hand
 * hops   an idle actor hops to and fro: moves a second
 * away   to an actor that lives elsewhere than where it was born: messages a second, and the same to one at home
 */
#include "bench.h"

#include <stdatomic.h>

enum { PAIRS = 8, MEASURE_MS = 700, SETTLE_MS = 1500 };

static _Atomic uint64_t done;

/* ---- talk ------------------------------------------------------------------------------------------ */

struct batter {
    rp_ref other;
    uint64_t next; /* the number that comes */
};

static int bat(rp_self *me, void *state, const rp_msg *m)
{
    struct batter *s = state;
    const struct link_to *first = rp_body(m, &link_to_type);
    if (first) {
        *s = (struct batter){first->ref, 1 + first->n}; /* 1: it serves */
        return first->n == 0 ? 0 : rp_tell(me, s->other, &num_type, &(struct num){1});
    }
    uint64_t n = ((const struct num *)rp_body(m, &num_type))->n;
    if (n != s->next)
        return check_that(false, "a message was lost, or came twice");
    s->next += 2;
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
    return rp_tell(me, s->other, &num_type, &(struct num){n + 1});
}
static const rp_actor batter = {.name = "batter", .handle = bat, .state_size = sizeof(struct batter), .flags = RP_MOVABLE};

static int start_talk(rp_self *me, bool by_hand)
{
    int rc = 0;
    for (unsigned i = 0; i < PAIRS && rc == 0; i++) {
        rp_ref a, b;
        rc = rp_spawn(me, &batter, &(rp_spawn_opts){.on = RP_LOOP(by_hand ? i % 2 : 0)}, &a);
        if (rc == 0)
            rc = rp_spawn(me, &batter, &(rp_spawn_opts){.on = RP_LOOP(by_hand ? i % 2 : 1)}, &b);
        if (rc == 0)
            rc = rp_tell(me, b, &link_to_type, &(struct link_to){a, 0});
        if (rc == 0)
            rc = rp_tell(me, a, &link_to_type, &(struct link_to){b, 1});
    }
    return rc;
}

/* ---- load ------------------------------------------------------------------------------------------ */

static int toil(rp_self *me, void *state, const rp_msg *m)
{
    volatile unsigned sum = 0;
    uint64_t *next = state, n = ((const struct num *)rp_body(m, &num_type))->n;
    if (n != (*next)++)
        return check_that(false, "a message was lost, or came twice");
    for (unsigned i = 0; i < 20000; i++) /* some 20 us */
        sum += i;
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
    return rp_tell(me, rp_self_ref(me), &num_type, &(struct num){n + 1});
}
static const rp_actor toiler = {.name = "toiler", .handle = toil, .state_size = sizeof(uint64_t), .flags = RP_MOVABLE};

static int start_load(rp_self *me, bool by_hand)
{
    int rc = 0;
    for (unsigned i = 0; i < PAIRS && rc == 0; i++) {
        rp_ref a;
        rc = rp_spawn(me, &toiler, &(rp_spawn_opts){.on = RP_LOOP(by_hand ? i % 2 : 1)}, &a);
        if (rc == 0)
            rc = rp_tell(me, a, &num_type, &(struct num){0});
    }
    return rc;
}

/* ---- before and after ------------------------------------------------------------------------------ */

struct question {
    int (*start)(rp_self *me, bool by_hand);
    const char *before, *after, *hand, *unit;
    double per; /* of `done` */
};

static int measure(rp_self *me, const char *name, const struct question *q)
{
    double from = seconds();
    uint64_t was = done;
    int rc = rp_sleep(me, rp_in_ms(me, MEASURE_MS));
    say(name, (double)(done - was) / q->per / (seconds() - from), q->unit);
    return rc;
}

static int by_mover(rp_self *me, void *arg)
{
    const struct question *q = arg;
    int rc = q->start(me, false);
    if (rc == 0)
        rc = measure(me, q->before, q);
    if (rc == 0)
        rc = rp_mover_start(me, NULL, NULL, NULL);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, SETTLE_MS));
    return rc != 0 ? rc : measure(me, q->after, q);
}

static int by_hand(rp_self *me, void *arg)
{
    const struct question *q = arg;
    int rc = q->start(me, true);
    return rc != 0 ? rc : measure(me, q->hand, q);
}

/* ---- moving itself --------------------------------------------------------------------------------- */

static int absorb(rp_self *me, void *state, const rp_msg *m) /* n, n - 1, ..., 1 */
{
    uint64_t *left = state, n = ((const struct num *)rp_body(m, &num_type))->n;
    (void)me;
    if ((*left)-- != n)
        return check_that(false, "a message was lost, came twice, or out of order");
    return n == 1 ? RP_STOP : 0;
}

static int dry(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(uint64_t *)state = arg ? *(const uint64_t *)arg : 0;
    return 0;
}
static const rp_actor sponge = {.name = "sponge", .handle = absorb, .init = dry, .state_size = sizeof(uint64_t)};

static int hop(rp_self *me, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    rp_ref a;
    int rc = rp_spawn(me, &sponge, NULL, &a);
    double from = seconds();
    for (uint64_t i = 1; i <= n && rc == 0; i++)
        rc = rp_move(me, a, RP_LOOP(i % 2));
    say("move_hops", (double)n / (seconds() - from), "moves/s");
    return rc;
}

static int send_to(rp_self *me, const char *name, unsigned born, uint64_t n)
{
    rp_ref a;
    int rc = rp_spawn(me, &sponge, &(rp_spawn_opts){.arg = &n, .on = RP_LOOP(born), .monitor = true}, &a);
    if (rc == 0)
        rc = rp_move(me, a, RP_LOOP(1));
    double from = seconds();
    for (uint64_t i = n; i > 0 && rc == 0; i--)
        rc = rp_tell(me, a, &num_type, &(struct num){i});
    if (rc == 0)
        rc = await_downs(me, 1);
    say(name, (double)n / (seconds() - from), "msg/s");
    return rc;
}

static int away(rp_self *me, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    int rc = send_to(me, "move_at_home", 1, n);
    return rc != 0 ? rc : send_to(me, "move_away", 0, n);
}

int main(int argc, char **argv)
{
    static const struct question talk = {start_talk, "move_talk_before", "move_talk_after", "move_talk_by_hand", "rt/s", 2};
    static const struct question load = {start_load, "move_load_before", "move_load_after", "move_load_by_hand", "msg/s", 1};
    const char *what = argc > 1 ? argv[1] : "talk";
    uint64_t n = scaled(strcmp(what, "hops") == 0 ? 50000 : 10000000);
    rp_system_opts two = {.loops = 2};
    struct question q = strcmp(what, "load") == 0 ? load : talk;
    if (strcmp(what, "hops") == 0 || strcmp(what, "away") == 0) {
        bench_run(*what == 'h' ? hop : away, &n, &two);
        return 0;
    }
    bench_run(by_mover, &q, &two);
    bench_run(by_hand, &q, &two);
    return 0;
}
