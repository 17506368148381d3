/* SPDX-License-Identifier: MIT
 *
 * A link is lost, and another made, by somebody else: who told something that may be lost hears of it before it goes on.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

static const rp_type *const types[] = {&num_type, NULL};

static uint64_t last_of[3];
static unsigned gaps;

static int take(rp_self *me, void *state, const rp_msg *m) /* NUM: from whom, and which */
{
    const struct num *b = rp_body(m, NUM);
    (void)me, (void)state;
    uint64_t who = b->n / 1000, n = b->n % 1000;
    gaps += n != last_of[who] + 1;
    last_of[who] = n;
    return 0;
}
static const rp_actor taker = {.name = "taker", .handle = take};

static int be_server(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &taker, &(rp_spawn_opts){.name = "taker"}, NULL), 0);
    return rp_sleep(me, RP_FOREVER);
}

static rp_node node;

enum { UNAWARE, WATCHES, QUIET };

/* Each tells three before the line is cut; all but one tell three more then, which are lost; and go on when there is a link
 * again. */
static int tell_on(rp_self *me, void *arg)
{
    uint64_t who = (uintptr_t)arg, n = 0;
    rp_ref r;
    check_eq(rp_lookup(me, node, "taker", &r, RP_FOREVER), 0);
    if (who == WATCHES)
        check_eq(rp_node_monitor(me, node), 0);
    for (unsigned i = 0; i < 3; i++)
        check_eq(tell_num(me, r, who * 1000 + ++n), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1000)), 0); /* the line is cut at 0.5 s */
    for (unsigned i = 0; i < 3 && who != QUIET; i++)
        check_eq(tell_num(me, r, who * 1000 + ++n), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 20000)), 0);
    int rc = tell_num(me, r, who * 1000 + n + 1);
    check(rc == (who == UNAWARE ? -EHOSTUNREACH : 0), "%u: %d", (unsigned)who, rc);
    n += rc == 0;
    for (unsigned i = 0; i < 3; i++)
        check_eq(tell_num(me, r, who * 1000 + ++n), 0);
    return rp_sleep(me, rp_in_ms(me, 500));
}
static const rp_actor teller = {.name = "teller", .run = tell_on};

static int be_client(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    check_eq(rp_connect(me, "sim://hole", &node, RP_FOREVER), 0);
    check_eq(rp_node_monitor(me, node), 0);
    for (uintptr_t i = UNAWARE; i <= QUIET; i++)
        check_eq(rp_spawn(me, &teller, &(rp_spawn_opts){.arg = (void *)i, .on = RP_SPREAD}, NULL), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check(rp_type_of(m) == RP_NODE_DOWN);
    rp_msg_drop(me, m);
    check_eq(rp_connect(me, "sim://hole", &node, RP_FOREVER), 0);
    return rp_sleep(me, rp_in_ms(me, 30000));
}

TEST(hole, is_told_once_to_who_does_not_know)
{
    for (unsigned i = 0; i < seeds(10); i++) {
        rp_actor server = {.name = "server", .run = be_server}, client = {.name = "client", .run = be_client};
        rp_system_opts os = {.loops = 1, .listen = "sim://hole", .types = types}, oc = {.loops = 1 + i % 3, .types = types};
        unsigned s, c;
        rp_sim *sim = rp_sim_new(test_seed() + i);
        memset(last_of, 0, sizeof last_of);
        gaps = 0;
        check_eq(rp_sim_add(sim, &server, NULL, &os, &s), 0);
        check_eq(rp_sim_add(sim, &client, NULL, &oc, &c), 0);
        check_eq(rp_sim_run(sim, 600 * RP_MS), -ETIMEDOUT);
        rp_sim_partition(sim, s, c, true);
        check_eq(rp_sim_run(sim, 9 * RP_S), -ETIMEDOUT);
        rp_sim_partition(sim, s, c, false);
        (void)!rp_sim_run(sim, 60 * RP_S);
        check_eq(rp_sim_result(sim, c), 0);
        check_eq(last_of[UNAWARE], 9);
        check_eq(last_of[WATCHES], 10);
        check_eq(last_of[QUIET], 7);
        check_eq(gaps, 2); /* of the first two: one was told when it told, the other by RP_NODE_DOWN */
        rp_sim_free(sim);
    }
}
