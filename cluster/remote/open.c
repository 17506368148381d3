/* SPDX-License-Identifier: MIT
 *
 * open.c - puts a node together: its links, what carries them, and what their frames mean to actors.
 */
#include "cluster/link/resolve.h"
#include "cluster/remote/remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void init_loops(struct rp__cluster *c)
{
    for (unsigned i = 0; i < c->rt->sys->nloops; i++) {
        c->loops[i].l = c->rt->sys->loops[i];
        c->loops[i].flush.fire = rp__taken_flush;
        c->loops[i].by_node.salt = c->loops[i].taken.salt = c->rt->sys->salt;
    }
}

int rp__cluster_open(struct rp_loop *l)
{
    struct rp__runtime *rt = rp__runtime(l);
    const rp_system_opts *o = &rt->opts;
    struct rp__cluster *c = rp__alloc(rt->sys, sizeof *c);
    size_t size = rt->sys->nloops * sizeof *c->loops;
    struct rp__cluster_loop *loops = c ? rp__alloc(rt->sys, size) : 0;
    if (!loops) {
        rp__free_mem(rt->sys, c, sizeof *c);
        return -ENOMEM;
    }
    memset(c, 0, sizeof *c);
    memset(loops, 0, size);
    c->rt = rt;
    c->home = l;
    c->loops = loops;
    c->simulated = !rt->sys->world->real;
    c->carrier = c->simulated ? &rp__carrier_sim : &rp__carrier_nng;
    c->plain = c->simulated ? 0 : &rp__carrier_uv;
    c->frames = &rp__frames_of_actors;
    rp__list_init(&c->holes);
    rp__pulse_open(c);
    rp__list_init(&c->links);
    rp__list_init(&c->strangers);
    rp__list_init(&c->dials);
    pthread_mutex_init(&c->lock, 0);
    if (o->node)
        snprintf(c->name, sizeof c->name, "%s", o->node);
    else
        snprintf(c->name, sizeof c->name, "node-%06x", (unsigned)(rt->sys->node & 0xffffff));
    init_loops(c);
    rt->cluster = c;
    rt->route = &rp__route_links;
    return o->listen ? rp__cluster_listen(c) : 0;
}

void rp__cluster_free(struct rp__runtime *rt)
{
    struct rp__cluster *c = rt->cluster;
    if (!c)
        return;
    while (!rp__list_empty(&c->links)) /* one that came in the very last moment */
        rp__link_free(RP__OF(struct rp__link, all, c->links.next));
    for (unsigned i = 0; i < rt->sys->nloops; i++) {
        rp__map_fini(&c->loops[i].by_node, &rt->sys->mem);
        rp__map_fini(&c->loops[i].by_id, &rt->sys->mem);
        rp__taken_forget(&c->loops[i]);
    }
    rp__pulse_close(c);
    rp__holes_free(c);
    rp__resolver_close(c->resolver);
    pthread_mutex_destroy(&c->lock);
    rp__free_mem(rt->sys, c->loops, rt->sys->nloops * sizeof *c->loops);
    rp__free_mem(rt->sys, c->scratch, RP__SCRATCH);
    rp__free_mem(rt->sys, c, sizeof *c);
    rt->cluster = 0;
}
