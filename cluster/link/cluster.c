/* SPDX-License-Identifier: MIT */
#include "cluster/link/hole.h"
#include "cluster/link/resolve.h"
#include "cluster/wire/url.h"

#include "actors/table/cause.h"
#include "loop/scope.h"
#include "loop/world/sim.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- which of two links stays --------------------------------------------------------------------- */

static uint64_t dialler_of(const struct rp__link *k)
{
    return k->dialler ? k->c->rt->sys->node : k->peer;
}

bool rp__cluster_has_better(struct rp__link *k)
{
    for (struct rp__hook *at = k->c->links.next; at != &k->c->links; at = at->next) {
        struct rp__link *o = RP__OF(struct rp__link, all, at);
        if (o == k || o->peer != k->peer || o->state == RP__L_DOWN)
            continue;
        if (o->state >= RP__L_JOINING)
            return true;
        if (o->dialler && o->state >= RP__L_AUTH && dialler_of(o) < dialler_of(k)) /* it is where we dialled; */
            return true;                                                           /* a comer is believed nothing yet */
    }
    return false;
}

/* ---- opening and closing -------------------------------------------------------------------------- */

static void init_loops(struct rp__cluster *c)
{
    for (unsigned i = 0; i < c->rt->sys->nloops; i++) {
        c->loops[i].l = c->rt->sys->loops[i];
        c->loops[i].flush.fire = rp__taken_flush;
        c->loops[i].by_node.salt = c->loops[i].taken.salt = c->rt->sys->salt;
    }
}

const struct rp__carrier *rp__carrier_of(const struct rp__cluster *c, const char *url, const struct rp__net_addr *at)
{
    bool plain = rp__url_is_uv(url) || (at && !rp__resolve_usual(at));
    return plain && c->carrier == &rp__carrier_nng ? &rp__carrier_uv : c->carrier;
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
    c->carrier = rt->sys->world == &rp__world_sim ? &rp__carrier_sim : &rp__carrier_nng;
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

static void finish(struct rp__cluster *c)
{
    if (c->closing && rp__list_empty(&c->links))
        rp__route_closed(c->home);
}

void rp__cluster_link_gone(struct rp__cluster *c)
{
    finish(c);
}

/* The root has ended: what was said is sent, the peers are told, and then it is over. */
void rp__cluster_closing(struct rp_loop *l)
{
    struct rp__cluster *c = rp__cluster_of(l);
    c->closing = true;
    rp__cluster_unlisten(c);
    rp__dials_end(c);
    for (struct rp__hook *at = c->links.next; at != &c->links; at = at->next)
        rp__link_leave(RP__OF(struct rp__link, all, at), 0, RP__BYE_NORMAL, "it has ended");
    finish(c);
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

/* ---- asking --------------------------------------------------------------------------------------- */

int rp_listen_url(rp_self *me, char *to, size_t size)
{
    if (!to && size > 0)
        return -EINVAL;
    struct rp__cluster *c = rp__cluster_of(me->loop);
    if (rp__forked(me->loop))
        return -EPERM;
    if (!c->listener)
        return -ENOTCONN;
    int port;
    const char *url = c->listens->url(c, &port);
    if (port < 0)
        return port;
    const char *colon = strrchr(url, ':');
    int n = port == 0 ? snprintf(to, size, "%s", url) : snprintf(to, size, "%.*s:%d", (int)(colon - url), url, port);
    return n >= 0 && (size_t)n < size ? 0 : -ENOSPC;
}

rp_node rp_this_node(const rp_self *me)
{
    return (rp_node){me->loop->node};
}

int rp_node_name(rp_self *me, rp_node node, char *to, size_t size)
{
    if (!to && size > 0)
        return -EINVAL;
    const char *name = node.id == me->loop->node ? rp__cluster_of(me->loop)->name : 0;
    struct rp__link *k = rp__link_to(me->loop, node.id);
    if (!name && k)
        name = k->name;
    if (!name)
        return -ESRCH;
    snprintf(to, size, "%s", name);
    return 0;
}
