/* SPDX-License-Identifier: MIT */
#include "cluster/link/cluster.h"

#include <errno.h>
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

static void finish(struct rp__cluster *c)
{
    if (c->closing && rp__list_empty(&c->links))
        c->rt->closed(c->home);
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
