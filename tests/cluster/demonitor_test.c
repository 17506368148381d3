/* SPDX-License-Identifier: MIT
 *
 * Monitors over a link that are taken back: of an actor, of the node; and what a peer makes of those that cross.
 */
#include "reparto/sim.h"
#include "tests/cluster/by_hand.h"

#include <errno.h>

static int end(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return RP_STOP;
}
static const rp_actor ends = {.name = "ends", .handle = end};

enum { MOST = 3 };

static int be_server(rp_self *me, void *arg)
{
    static const char *name[MOST] = {"0", "1", "2"};
    (void)arg;
    for (unsigned i = 0; i < MOST; i++)
        check_eq(rp_spawn(me, &ends, &(rp_spawn_opts){.name = name[i], .on = RP_SPREAD}, NULL), 0);
    return rp_sleep(me, rp_in_ms(me, 500));
}

static int be_client(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref r;
    rp_msg *m;
    struct rp_down d;
    (void)arg;
    check_eq(rp_connect(me, "sim://down", &node, RP_FOREVER), 0);
    for (unsigned i = 0; i < MOST; i++) {
        char name[2] = {(char)('0' + i), 0};
        check_eq(rp_lookup(me, node, name, &r, RP_FOREVER), 0);
        for (unsigned k = 0; k < i; k++)
            check_eq(rp_monitor(me, r), 0);
        check_eq(rp_demonitor(me, r), 0);
        check_eq(tell_num(me, r, 1), 0);
        for (unsigned k = 1; k < i; k++)
            check_eq(recv_down(me, &d), 0);
        check_eq(rp_recv(me, &m, rp_in_ms(me, 20)), -ETIMEDOUT);
    }
    check_eq(rp_node_monitor(me, node), 0);
    check_eq(rp_node_monitor(me, node), 0);
    check_eq(rp_node_demonitor(me, node), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0); /* the server ends */
    check(rp_type_of(m) == RP_NODE_DOWN);
    rp_msg_drop(me, m);
    check_eq(rp_recv(me, &m, rp_in_ms(me, 20)), -ETIMEDOUT);
    check_eq(rp_demonitor(me, r), 0); /* there is no such link */
    check_eq(rp_node_demonitor(me, node), 0);
    return 0;
}

TEST(demonitor, over_a_link)
{
    static const rp_type *const types[] = {&num_type, NULL};
    for (unsigned i = 0; i < seeds(10); i++) {
        rp_actor server = {.name = "server", .run = be_server}, client = {.name = "client", .run = be_client};
        rp_system_opts os = {.loops = 2, .listen = "sim://down", .types = types}, oc = {.loops = 1 + i % 2, .types = types};
        unsigned s, c;
        rp_sim *sim = rp_sim_new(test_seed() + i);
        check_eq(rp_sim_add(sim, &server, NULL, &os, &s), 0);
        check_eq(rp_sim_add(sim, &client, NULL, &oc, &c), 0);
        check_eq(rp_sim_run(sim, 60 * RP_S), 0);
        check_eq(rp_sim_result(sim, c), 0);
        rp_sim_free(sim);
    }
}

static void say_watch(struct stranger *s, uint8_t type, uint64_t actor, uint64_t watch)
{
    unsigned char p[16];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, actor);
    rp__put64(&w, watch);
    say_frame(s, type, 0, 0, p, w.n);
}

/* He may take back what never was; it frees no place but its own. */
TEST(demonitor, by_a_stranger_gives_back_what_he_had)
{
    struct node n;
    struct stranger s;
    node_open(&n);
    know(&s, &n, 1000);
    size_t before = n.mem.now;
    for (uint64_t i = 1; i <= 2 * RP__PEER_WATCHES; i++) {
        say_watch(&s, RP__MONITOR, n.sleeper, i);
        say_watch(&s, RP__DEMONITOR, n.sleeper, i);
        say_watch(&s, RP__DEMONITOR, n.sleeper, i);
    }
    check(s.link && s.link->state == RP__L_UP);
    check(n.mem.now < before + 100000, "%zu bytes", n.mem.now - before);
    check_eq(s.link->watched, 0);
    go(&s);
    node_close(&n);
}
