/* SPDX-License-Identifier: MIT
 *
 * player.h - one of two who play ping-pong, as a handler and as a coroutine. It sends back a number less one, and
 * ends when that is 0; a link_to makes it serve.
 */
#ifndef RP_BENCH_PLAYER_H
#define RP_BENCH_PLAYER_H

#include "bench.h"

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct num *b = rp_body(m, &num_type);
    const struct link_to *first = rp_body(m, &link_to_type);
    if (first)
        return rp_tell(me, first->ref, &num_type, &(struct num){first->n});
    if (b->n == 0)
        return RP_STOP;
    int rc = rp_tell(me, rp_from(me, m), &num_type, &(struct num){b->n - 1});
    return rc != 0 ? rc : b->n == 1 ? RP_STOP : 0;
}
static const rp_actor handler = {.name = "handler", .handle = handle};

static int run(rp_self *me, void *arg)
{
    (void)arg;
    for (;;) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        rc = handle(me, NULL, m);
        rp_msg_drop(me, m);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
}
static const rp_actor coroutine = {.name = "coroutine", .run = run};

#endif
