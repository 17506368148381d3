/* SPDX-License-Identifier: MIT
 *
 * sim.c - clusters in a simulation, for tests: what sim.h says.
 */
#include "cluster/carriers/carrier_sim.h"
#include "cluster/link/cluster.h"
#include "loop/fork.h"
#include "reparto/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sim_node {
    struct sim_node *next;
    struct rp__sim_node node;
    struct rp__runtime *rt; /* NULL: over */
    unsigned number;
    int result;
};

struct rp_sim {
    struct rp__sim *sim;
    struct rp__net *net;
    struct sim_node *nodes;
    unsigned next;
};

rp_sim *rp_sim_new(uint64_t seed)
{
    rp_sim *s = calloc(1, sizeof *s);
    if (!s)
        return 0;
    if (rp__sim_new(seed, &s->sim) != 0 || !(s->net = rp__net_new(s->sim))) {
        rp__sim_free(s->sim);
        free(s);
        return 0;
    }
    return s;
}

static struct sim_node *find(rp_sim *s, unsigned node)
{
    for (struct sim_node *n = s ? s->nodes : 0; n; n = n->next)
        if (n->number == node)
            return n;
    return 0;
}

int rp_sim_add(rp_sim *s, const rp_actor *root, void *arg, const rp_system_opts *o, unsigned *node)
{
    if (!s || !node)
        return -EINVAL;
    struct sim_node *n = calloc(1, sizeof *n);
    if (!n)
        return -ENOMEM;
    n->number = s->next++;
    rp__sim_node_init(s->sim, &n->node);
    n->node.index = n->number;
    n->node.sim_net = s->net;
    rp_system_opts so = o ? *o : (rp_system_opts){0};
    so.loops = so.loops ? so.loops : 2;
    so.mem = so.mem ? so.mem : &n->node.mem;
    so.chaos_seed = so.chaos_seed ? so.chaos_seed : 1;
    int rc = rp__runtime_new(root, arg, &so, &rp__world_sim, &n->node, &n->rt);
    if (rc != 0) {
        free(n);
        return rc;
    }
    n->rt->cluster_open = rp__cluster_open;
    rp__sim_node_add(&n->node, n->rt->sys);
    struct sim_node **at = &s->nodes;
    while (*at)
        at = &(*at)->next;
    *at = n;
    *node = n->number;
    return 0;
}

/* Its events go; what it has allocated goes with it, whatever was in the middle of what. */
static void remove_node(rp_sim *s, struct sim_node *n, bool crashed)
{
    rp__net_gone(s->net, &n->node);
    rp__sim_node_remove(&n->node);
    if (!crashed)
        n->result = rp__runtime_result(n->rt);
    rp__cluster_free(n->rt);
    rp__runtime_free(n->rt);
    rp__sim_node_wipe(&n->node);
    n->rt = 0;
}

/* Nodes that have ended are taken out; true: all have. */
static bool all_over(void *ud)
{
    rp_sim *s = ud;
    bool all = true;
    for (struct sim_node *n = s->nodes; n; n = n->next) {
        if (n->rt && n->node.running == 0)
            remove_node(s, n, false);
        all &= n->rt == 0;
    }
    return all;
}

int rp_sim_run(rp_sim *s, rp_time span)
{
    if (!s)
        return -EINVAL;
    return rp__sim_run(s->sim, all_over, s, rp__after(rp__sim_now(s->sim), span));
}

int rp_sim_result(rp_sim *s, unsigned node)
{
    struct sim_node *n = find(s, node);
    return !n ? -EINVAL : n->rt ? -EBUSY : n->result;
}

void rp_sim_crash(rp_sim *s, unsigned node)
{
    struct sim_node *n = find(s, node);
    if (!n || !n->rt)
        return;
    remove_node(s, n, true);
    n->result = -EOWNERDEAD;
}

void rp_sim_pause(rp_sim *s, unsigned node, rp_time span)
{
    struct sim_node *n = find(s, node);
    if (n && n->rt)
        n->node.paused_until = rp__after(rp__sim_now(s->sim), span);
}

void rp_sim_partition(rp_sim *s, unsigned a, unsigned b, bool apart)
{
    if (s)
        rp__net_partition(s->net, a, b, apart);
}

void rp_sim_cut(rp_sim *s, unsigned a, unsigned b)
{
    if (s)
        rp__net_cut(s->net, a, b);
}

void rp_sim_latency(rp_sim *s, rp_time least, rp_time most)
{
    if (s)
        rp__net_latency(s->net, least, most);
}

void rp_sim_busy(rp_self *me, rp_time span)
{
    if (me->loop->world == &rp__world_sim && span > 0 && !rp__forked(me->loop))
        rp__sim_busy(me, span);
}

rp_time rp_sim_now(const rp_sim *s)
{
    return s ? rp__sim_now(s->sim) : 0;
}

uint64_t rp_sim_random(rp_sim *s)
{
    return s ? rp__sim_random(s->sim) : 0;
}

uint64_t rp_sim_hash(const rp_sim *s)
{
    return s ? rp__sim_hash(s->sim) : 0;
}

void rp_sim_free(rp_sim *s)
{
    if (!s)
        return;
    for (struct sim_node *n = s->nodes; n; n = n->next)
        if (n->rt)
            remove_node(s, n, true);
    for (struct sim_node *n = s->nodes, *next; n; n = next) {
        next = n->next;
        free(n);
    }
    rp__net_free(s->net);
    rp__sim_free(s->sim);
    free(s);
}
