/* SPDX-License-Identifier: MIT
 *
 * player.h - one of two who play ping-pong, as a handler and as a coroutine. It sends back a number less one, and
 * ends when that is 0; a link_to makes it serve. It adds up what it gets, and leaves the sum where it was told.
 */
#ifndef RP_BENCH_PLAYER_H
#define RP_BENCH_PLAYER_H

#include "bench.h"

struct player {
    uint64_t sum, *ret;
};

static int finish(struct player *p)
{
    *p->ret = p->sum;
    return RP_STOP;
}

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    struct player *p = state;
    const struct num *b = rp_body(m, &num_type);
    const struct link_to *first = rp_body(m, &link_to_type);
    if (first)
        return rp_tell(me, first->ref, &num_type, &(struct num){first->n});
    p->sum += b->n;
    if (b->n == 0)
        return finish(p);
    int rc = rp_tell(me, rp_from(me, m), &num_type, &(struct num){b->n - 1});
    return rc != 0 ? rc : b->n == 1 ? finish(p) : 0;
}

static int born(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct player *)state = (struct player){0, arg};
    return 0;
}
static const rp_actor handler = {.name = "handler", .handle = handle, .init = born, .state_size = sizeof(struct player)};

static int run(rp_self *me, void *arg)
{
    struct player p = {0, arg};
    for (;;) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        rc = handle(me, &p, m);
        rp_msg_drop(me, m);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
}
static const rp_actor coroutine = {.name = "coroutine", .run = run};

/* One of loop 0 and one of loop `other` play; `*took`: the time of that, by `clock`. */
static int play(rp_self *me, const rp_actor *kind, unsigned other, uint64_t trips, double (*clock)(void), double *took)
{
    rp_ref ping, pong;
    uint64_t odd = 0, even = 0;
    int rc = rp_spawn(me, kind, &(rp_spawn_opts){.arg = &odd, .monitor = true, .on = RP_LOOP(0)}, &ping);
    if (rc == 0)
        rc = rp_spawn(me, kind, &(rp_spawn_opts){.arg = &even, .monitor = true, .on = RP_LOOP(other)}, &pong);
    double from = clock();
    if (rc == 0)
        rc = rp_tell(me, ping, &link_to_type, &(struct link_to){pong, 2 * trips});
    if (rc == 0)
        rc = await_downs(me, 2);
    *took = clock() - from;
    return rc != 0 ? rc : check_that(even == trips * (trips + 1) && odd == trips * trips, "a number was lost, or came twice");
}

#endif
