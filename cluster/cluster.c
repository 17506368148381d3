/* SPDX-License-Identifier: MIT */
#include "cluster/remote.h"
#include "cluster/url.h"

#include "actors/cause.h"
#include "actors/reports.h"
#include "loop/scope.h"
#include "loop/sim.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BACKOFF_FIRST_MS = 20, BACKOFF_MOST_MS = 2000, FLUSH_MS = 50 };

struct rp__dial { /* an URL that somebody wants to be linked with */
    struct rp__hook all;
    struct rp__hook wanted; /* struct request, under the cluster's lock */
    struct rp__cluster *c;
    struct rp__link *link;  /* the present attempt */
    struct rp__timer again;
    int64_t pause_ms;
    char url[];
};

struct request { /* on the stack of who called rp_connect */
    struct rp__post post;
    struct rp__hook hook;
    rp_self *me;
    struct rp__cluster *c;
    const char *url;
    rp_node *ret;
    bool given_up;          /* before loop 0 had seen it; under the lock */
};

/* ---- requests ------------------------------------------------------------------------------------- */

/* The answer to everybody who waits for it. */
static void answer(struct rp__dial *d, int rc, uint64_t node)
{
    pthread_mutex_lock(&d->c->lock);
    for (struct rp__hook *at; (at = rp__list_pop(&d->wanted));) {
        struct request *r = RP__OF(struct request, hook, at);
        if (rc == 0)
            r->ret->id = node;
        rp__wake_from_afar(r->me, rc);
    }
    pthread_mutex_unlock(&d->c->lock);
}

static void dial_free(struct rp__dial *d)
{
    rp__timer_stop(&d->c->home->wheel, &d->again);
    rp__unlink(&d->all);
    if (d->link)
        d->link->dial = 0;
    rp__free_mem(d->c->rt->sys, d, sizeof *d + strlen(d->url) + 1);
}

static bool nobody_waits(struct rp__dial *d)
{
    pthread_mutex_lock(&d->c->lock);
    bool nobody = rp__list_empty(&d->wanted);
    pthread_mutex_unlock(&d->c->lock);
    return nobody;
}

static const struct rp__carrier *carrier_of(const struct rp__cluster *c, const char *url)
{
    return rp__url_is_uv(url) && c->carrier == &rp__carrier_nng ? &rp__carrier_uv : c->carrier;
}

static int try_dial(struct rp__dial *d)
{
    struct rp__link *k;
    int rc = rp__link_new(d->c, carrier_of(d->c, d->url), true, rp__url_is_unix(d->url), &k);
    if (rc != 0)
        return rc;
    size_t n = strlen(d->url) + 1;
    k->url = rp__alloc(d->c->rt->sys, n);
    if (k->url)
        memcpy(k->url, d->url, n);
    d->link = k;
    k->dial = d;
    rc = k->url ? k->carrier->dial(k, d->url) : -ENOMEM;
    if (rc != 0)
        rp__link_dialled(k, rc);
    return 0;
}

static void dial_again(struct rp__timer *t, struct rp__wheel *w)
{
    (void)w;
    struct rp__dial *d = RP__OF(struct rp__dial, again, t);
    if (nobody_waits(d)) {
        dial_free(d);
        return;
    }
    int rc = try_dial(d);
    if (rc != 0) {
        answer(d, rc, 0);
        dial_free(d);
    }
}

/* Perhaps nobody listens there yet, or it is being started again: worth another try. */
static bool may_pass(int rc)
{
    return rc == -ECONNREFUSED || rc == -ENOENT || rc == -ETIMEDOUT || rc == -ECONNRESET || rc == -EHOSTUNREACH ||
           rc == -ENETUNREACH || rc == -EAGAIN;
}

void rp__dial_settled(struct rp__link *k, int rc)
{
    struct rp__dial *d = k->dial;
    if (!d)
        return;
    k->dial = 0;
    d->link = 0;
    if (rc == -EALREADY) { /* there is another link with that node */
        struct rp__link *other = rp__link_to(d->c->home, k->peer);
        if (other && other->state == RP__L_UP) {
            k = other;
            rc = 0;
        } else {
            rc = -EAGAIN; /* it is not up yet: look again soon */
        }
    }
    if (rc != 0 && may_pass(rc) && !d->c->closing) {
        uint64_t r = rp__random_of(d->c->home);
        rp_time pause = d->pause_ms * RP_MS / 2 + (rp_time)(r % (uint64_t)(d->pause_ms * RP_MS / 2));
        d->pause_ms = d->pause_ms * 2 < BACKOFF_MOST_MS ? d->pause_ms * 2 : BACKOFF_MOST_MS;
        rp__timer_start(&d->c->home->wheel, &d->again, d->c->home->now + pause);
        return;
    }
    answer(d, rc, k->peer);
    dial_free(d);
}

static struct rp__link *link_to(struct rp__cluster *c, const char *url)
{
    for (struct rp__hook *at = c->links.next; at != &c->links; at = at->next) {
        struct rp__link *k = RP__OF(struct rp__link, all, at);
        if (k->state == RP__L_UP && k->url && strcmp(k->url, url) == 0)
            return k;
    }
    return 0;
}

static struct rp__dial *dial_to(struct rp__cluster *c, const char *url)
{
    for (struct rp__hook *at = c->dials.next; at != &c->dials; at = at->next) {
        struct rp__dial *d = RP__OF(struct rp__dial, all, at);
        if (strcmp(d->url, url) == 0)
            return d;
    }
    size_t n = strlen(url) + 1;
    struct rp__dial *d = rp__alloc(c->rt->sys, sizeof *d + n);
    if (!d)
        return 0;
    memset(d, 0, sizeof *d);
    d->c = c;
    d->pause_ms = BACKOFF_FIRST_MS;
    d->again.fire = dial_again;
    rp__list_init(&d->wanted);
    memcpy(d->url, url, n);
    rp__list_push(&c->dials, &d->all);
    rp__timer_start(&c->home->wheel, &d->again, c->home->now); /* at once, when it has somebody who waits */
    return d;
}

/* On loop 0. */
static void on_request(struct rp__post *p, struct rp_loop *l)
{
    struct request *r = RP__OF(struct request, post, p);
    struct rp__cluster *c = r->c;
    struct rp__link *k = link_to(c, r->url);
    struct rp__dial *d = k || c->closing ? 0 : dial_to(c, r->url);
    (void)l;
    pthread_mutex_lock(&c->lock);
    int rc = r->given_up ? r->me->rc : k ? 0 : c->closing ? -ESHUTDOWN : d ? 1 : -ENOMEM;
    if (rc == 1)
        rp__list_push(&d->wanted, &r->hook);
    else if (rc == 0)
        r->ret->id = k->peer;
    if (rc <= 0)
        rp__wake_from_afar(r->me, rc);
    pthread_mutex_unlock(&c->lock);
}

static bool give_up(rp_self *me)
{
    struct request *r = me->got;
    pthread_mutex_lock(&r->c->lock);
    bool was_waiting = rp__linked(&r->hook);
    rp__unlink(&r->hook);
    r->given_up = true;
    pthread_mutex_unlock(&r->c->lock);
    return was_waiting; /* else it is on its way to loop 0, or back: wait for it */
}

int rp_connect(rp_self *me, const char *url, rp_node *ret, rp_time deadline)
{
    struct rp__cluster *c = rp__cluster_of(me->loop);
    if (!rp__url_good(url))
        return rp__cause_is(me, -EINVAL, "\"%s\" is no URL as \"tcp://127.0.0.1:7000\", \"ipc:///run/x\" or \"abstract://x\"", url ? url : "");
    int rc = rp__may_park(me, deadline);
    if (rc != 0)
        return rc;
    struct request r = {.post.fn = on_request, .me = me, .c = c, .url = url, .ret = ret};
    me->got = &r;
    rc = rp__inbox_push(c->home, &r.post);
    if (rc == 0)
        rc = rp__park(me, "connection", url, give_up, deadline);
    if (rc == 0 && me->actor) /* what it tells from here on it tells by the link it has asked for */
        rp__hole_told(me->loop, ret->id, 0, me->actor->addr);
    return rp__cause_is(me, rc, "no link with %s: %s", url, rp_strerror(rc));
}

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

/* Whoever calls rp_run gets the number alone. */
static int check_opts(const rp_system_opts *o)
{
    if (o->listen && !rp__url_good(o->listen)) {
        rp__report_opts(o, -EINVAL, ".listen", "is \"%s\": it must be as \"tcp://127.0.0.1:7000\", \"ipc:///run/x\" or \"abstract://x\", "
                        "with \"uv+\" before it or not", o->listen);
        return -EINVAL;
    }
    if (o->listen && rp__url_beyond_loopback(o->listen) && !o->secret) {
        rp__report_opts(o, -EACCES, ".secret", "is missing: to listen at \"%s\", which others can reach, needs one", o->listen);
        return -EACCES;
    }
    for (const rp_type *const *t = o->types; t && *t; t++)
        if (rp_type_check(*t) != 0 || (*t)->drop) {
            rp__report_opts(o, -EINVAL, ".types", "holds \"%s\", which %s", (*t)->name ? (*t)->name : "", (*t)->drop ?
                            "has a drop function: such a type cannot cross a link" : "is not sound: rp_type_check says so too");
            return -EINVAL;
        }
    return 0;
}

static int listen_at(struct rp__cluster *c, const rp_system_opts *o)
{
    c->listens = carrier_of(c, o->listen);
    int rc = c->listens->listen(c, o->listen);
    if (rc != 0)
        rp__report_opts(o, rc, ".listen", "is \"%s\": it cannot be listened at", o->listen);
    return rc;
}

int rp__cluster_open(struct rp_loop *l)
{
    struct rp__runtime *rt = rp__runtime(l);
    const rp_system_opts *o = &rt->opts;
    int rc = check_opts(o);
    if (rc != 0)
        return rc;
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
    return o->listen ? listen_at(c, o) : 0;
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
    if (c->listener)
        c->listens->unlisten(c);
    c->listener = 0;
    while (!rp__list_empty(&c->dials)) {
        struct rp__dial *d = RP__OF(struct rp__dial, all, c->dials.next);
        answer(d, -ESHUTDOWN, 0);
        dial_free(d);
    }
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
    pthread_mutex_destroy(&c->lock);
    rp__free_mem(rt->sys, c->loops, rt->sys->nloops * sizeof *c->loops);
    rp__free_mem(rt->sys, c->scratch, RP__SCRATCH);
    rp__free_mem(rt->sys, c, sizeof *c);
    rt->cluster = 0;
}

/* ---- asking --------------------------------------------------------------------------------------- */

int rp_listen_url(rp_self *me, char *to, size_t size)
{
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
    const char *name = node.id == me->loop->node ? rp__cluster_of(me->loop)->name : 0;
    struct rp__link *k = rp__link_to(me->loop, node.id);
    if (!name && k)
        name = k->name;
    if (!name)
        return -ESRCH;
    snprintf(to, size, "%s", name);
    return 0;
}
