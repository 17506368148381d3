/* SPDX-License-Identifier: MIT
 *
 * carrier_sim.c - links in a simulation: bytes take their time, come in pieces, stop coming, break.
 *
 * A connection is a pair of ends on two nodes. What one end sends arrives at the other in order, after
 * a random time, cut at random places. A partition holds back what is to arrive; a cut or the crash of
 * a node breaks the connection, and the other end is told after what was on its way has arrived.
 */
#include "cluster/carriers/carrier_sim.h"

#include "cluster/link/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 64, RETRY_NS = 5000000 };

struct piece {
    struct rp__hook flying; /* in the network's list, until it has arrived: an event that is dropped leaks nothing */
    struct piece *next;
    struct end *to;
    size_t n;
    unsigned char data[];
};

struct end {
    struct end *next;            /* all of the network's */
    struct rp__net *net;
    struct rp__link *k;          /* NULL: closed on this side, or not yet taken in */
    struct rp__sim_node *node;   /* NULL: it has gone */
    struct end *other;
    struct piece *first, **last; /* arrived, to be read */
    struct piece *held, **held_last; /* before a partition, in order */
    rp_time arrives;             /* of the last piece on its way here */
    unsigned on_way;
    bool begun, broken, posted, dialling, refused;
    struct rp__post post;        /* to the link's home loop */
};

struct listener {
    struct listener *next;
    struct rp__cluster *c;
    char url[128];
};

struct rp__net {
    struct rp__sim *sim;
    struct end *ends;
    struct listener *listeners;
    struct rp__hook flying;  /* struct piece */
    struct rp__hook coming;  /* struct coming */
    rp_time least, most;
    bool apart[NODES][NODES];
};

static struct rp__sim_node *node_of(struct rp__cluster *c)
{
    return c->rt->sys->world_ud;
}

static struct rp__net *net_of(struct rp__cluster *c)
{
    return node_of(c)->sim_net;
}

static rp_time some_time(struct rp__net *net)
{
    rp_time span = net->most - net->least;
    rp_time more = span > 0 ? (rp_time)(rp__sim_random(net->sim) % (uint64_t)span) : 0;
    return rp__after(rp__sim_now(net->sim), net->least + more);
}

static bool apart(struct rp__net *net, const struct end *a, const struct end *b)
{
    return a->node && b->node && net->apart[a->node->index % NODES][b->node->index % NODES];
}

/* ---- to the home loop ----------------------------------------------------------------------------- */

static void read_end(struct end *e)
{
    struct rp__link *k = e->k;
    while (e->k == k && k && e->begun && e->first) {
        struct piece *p = e->first;
        if (!(e->first = p->next))
            e->last = &e->first;
        rp__link_bytes(k, p->data, p->n);
        free(p);
    }
    if (e->k == k && k && e->begun && e->broken && e->on_way == 0 && !e->first)
        rp__link_broken(k, 0);
}

static void on_post(struct rp__post *p, struct rp_loop *l)
{
    (void)l;
    struct end *e = RP__OF(struct end, post, p);
    e->posted = false;
    if (e->k && e->dialling) {
        e->dialling = false;
        rp__link_dialled(e->k, e->refused ? -ECONNREFUSED : 0);
    }
    read_end(e);
}

static void post(struct end *e)
{
    if (e->posted || !e->k || !e->node)
        return;
    e->posted = true;
    e->post.fn = on_post;
    if (rp__inbox_push(e->k->home, &e->post) != 0)
        e->posted = false;
}

/* ---- bytes ---------------------------------------------------------------------------------------- */

static void append(struct piece ***last, struct piece *p)
{
    p->next = 0;
    **last = p;
    *last = &p->next;
}

static void take(struct end *e, struct piece *p)
{
    e->on_way--;
    rp__unlink(&p->flying);
    append(&e->last, p);
    post(e);
}

/* The partition may be over: all that it held comes at once, before what is still on its way. */
static void release(void *arg)
{
    struct end *e = arg;
    if (e->other && apart(e->net, e, e->other)) {
        if (rp__sim_at(e->net->sim, rp__sim_now(e->net->sim) + RETRY_NS, e->node, release, e) != 0)
            abort();
        return;
    }
    struct piece *p = e->held;
    e->held = 0;
    e->held_last = &e->held;
    for (struct piece *next; p; p = next) {
        next = p->next;
        take(e, p);
    }
}

static void arrive(void *arg)
{
    struct piece *p = arg;
    struct end *e = p->to;
    if (e->held) {
        append(&e->held_last, p);
    } else if (e->other && apart(e->net, e, e->other)) {
        append(&e->held_last, p);
        release(e);
    } else {
        take(e, p);
    }
}

static void fly(struct end *to, const unsigned char *data, size_t n)
{
    struct piece *p = malloc(sizeof *p + n);
    if (!p)
        abort(); /* the simulator's own memory is not what is tested */
    p->to = to;
    p->n = n;
    rp__list_push(&to->net->flying, &p->flying);
    memcpy(p->data, data, n);
    rp_time at = some_time(to->net);
    to->arrives = at > to->arrives ? at : to->arrives;
    to->on_way++;
    if (rp__sim_at(to->net->sim, to->arrives, to->node, arrive, p) != 0)
        abort();
}

static void send_cut(struct end *to, const unsigned char *data, size_t n)
{
    while (n > 0) {
        size_t piece = 1 + rp__sim_random(to->net->sim) % (rp__sim_random(to->net->sim) % 4 ? 65536 : 16);
        piece = piece < n ? piece : n;
        fly(to, data, piece);
        data += piece;
        n -= piece;
    }
}

static void sent(void *arg)
{
    struct end *e = arg;
    if (e->k)
        rp__link_sent(e->k, 0);
}

static bool sim_send(struct rp__link *k)
{
    struct end *e = k->wire, *to = e->other;
    struct rp__batch *b = &k->box.batch;
    if (to && to->node && !to->broken) {
        send_cut(to, b->head, b->nhead);
        for (unsigned i = 0; i < 2; i++)
            if (b->buf[i])
                send_cut(to, b->buf[i]->data, b->buf[i]->n);
    }
    if (rp__sim_at(e->net->sim, rp__sim_now(e->net->sim) + 5000, e->node, sent, e) != 0)
        abort();
    return false;
}

/* ---- ends ----------------------------------------------------------------------------------------- */

static struct end *end_new(struct rp__net *net, struct rp__link *k, struct rp__sim_node *node)
{
    struct end *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->net = net;
    e->k = k;
    e->node = node;
    e->last = &e->first;
    e->held_last = &e->held;
    e->next = net->ends;
    net->ends = e;
    return e;
}

static void tell_broken(void *arg)
{
    struct end *e = arg;
    e->broken = true;
    post(e);
}

/* The other side learns of it after what is on its way to it. */
static void part(struct end *e)
{
    struct end *o = e->other;
    if (!o || !o->node || o->broken)
        return;
    rp_time at = some_time(e->net);
    if (rp__sim_at(e->net->sim, at > o->arrives ? at : o->arrives, o->node, tell_broken, o) != 0)
        abort();
}

static void sim_close(struct rp__link *k)
{
    struct end *e = k->wire;
    if (!e)
        return;
    k->wire = 0;
    e->k = 0;
    part(e);
}

static void sim_begin(struct rp__link *k)
{
    struct end *e = k->wire;
    e->begun = true;
    post(e);
}

static void dial_done(void *arg)
{
    post(arg);
}

struct coming {
    struct rp__post post;
    struct rp__hook all;
    struct rp__cluster *c;
    struct end *e;
};

static void take_in(struct rp__post *p, struct rp_loop *l)
{
    (void)l;
    struct coming *come = (struct coming *)(void *)p;
    struct rp__link *k;
    if (rp__link_new(come->c, &rp__carrier_sim, false, false, &k) == 0) {
        k->wire = come->e;
        come->e->k = k;
        rp__link_accepted(k);
    } else {
        part(come->e);
    }
    rp__unlink(&come->all);
    free(come);
}

static void come(void *arg)
{
    struct coming *come = arg;
    come->post.fn = take_in;
    (void)!rp__inbox_push(come->c->home, &come->post); /* refused: it is freed with the network */
}

static struct listener *listener_at(struct rp__net *net, const char *url)
{
    for (struct listener *ln = net->listeners; ln; ln = ln->next)
        if (strcmp(ln->url, url) == 0)
            return ln;
    return 0;
}

static int sim_dial(struct rp__link *k, const char *url, const struct rp__net_addr *to)
{
    (void)to;
    struct rp__net *net = net_of(k->c);
    struct listener *ln = listener_at(net, url);
    struct end *e = end_new(net, k, node_of(k->c));
    k->wire = e;
    e->dialling = true;
    e->refused = !ln || net->apart[e->node->index % NODES][node_of(ln->c)->index % NODES];
    if (!e->refused) {
        struct coming *c = calloc(1, sizeof *c);
        if (!c)
            abort();
        struct rp__sim_node *there = node_of(ln->c);
        *c = (struct coming){.c = ln->c, .e = end_new(net, 0, there)};
        e->other = c->e;
        c->e->other = e;
        rp__list_push(&net->coming, &c->all);
        if (rp__sim_at(net->sim, some_time(net), there, come, c) != 0)
            abort();
    }
    return rp__sim_at(net->sim, some_time(net), e->node, dial_done, e);
}

static int sim_listen(struct rp__cluster *c, const char *url, const struct rp__net_addr *at, const char *path)
{
    (void)at, (void)path;
    struct rp__net *net = net_of(c);
    if (listener_at(net, url))
        return -EADDRINUSE;
    struct listener *ln = calloc(1, sizeof *ln);
    if (!ln)
        abort();
    ln->c = c;
    snprintf(ln->url, sizeof ln->url, "%s", url);
    ln->next = net->listeners;
    net->listeners = ln;
    c->listener = ln;
    return 0;
}

static void drop_listener(struct rp__net *net, const struct rp__sim_node *node)
{
    for (struct listener **at = &net->listeners; *at;) {
        struct listener *ln = *at;
        if (node_of(ln->c) != node) {
            at = &ln->next;
            continue;
        }
        *at = ln->next;
        free(ln);
    }
}

static void sim_unlisten(struct rp__cluster *c)
{
    drop_listener(net_of(c), node_of(c));
    c->listener = 0;
}

static const char *sim_url(struct rp__cluster *c, int *port)
{
    *port = 0;
    return ((struct listener *)c->listener)->url;
}

const struct rp__carrier rp__carrier_sim = {
    .listen = sim_listen,
    .url = sim_url,
    .unlisten = sim_unlisten,
    .dial = sim_dial,
    .begin = sim_begin,
    .send = sim_send,
    .close = sim_close,
};

/* ---- the network ---------------------------------------------------------------------------------- */

struct rp__net *rp__net_new(struct rp__sim *sim)
{
    struct rp__net *net = calloc(1, sizeof *net);
    if (net) {
        net->sim = sim;
        rp__list_init(&net->flying);
        rp__list_init(&net->coming);
        rp__net_latency(net, 100 * RP_US, 2 * RP_MS);
    }
    return net;
}

void rp__net_free(struct rp__net *net)
{
    if (!net)
        return;
    for (struct end *e = net->ends, *next; e; e = next) {
        next = e->next;
        for (struct piece *p = e->first, *after; p; p = after) {
            after = p->next;
            free(p);
        }
        free(e);
    }
    for (struct rp__hook *at; (at = rp__list_pop(&net->flying));)
        free(RP__OF(struct piece, flying, at));
    for (struct rp__hook *at; (at = rp__list_pop(&net->coming));)
        free(RP__OF(struct coming, all, at));
    free(net);
}

void rp__net_latency(struct rp__net *net, rp_time least, rp_time most)
{
    net->least = least > 0 ? least : 0;
    net->most = most > net->least ? most : net->least;
}

void rp__net_partition(struct rp__net *net, unsigned a, unsigned b, bool on)
{
    net->apart[a % NODES][b % NODES] = net->apart[b % NODES][a % NODES] = on;
}

void rp__net_cut(struct rp__net *net, unsigned a, unsigned b)
{
    for (struct end *e = net->ends; e; e = e->next) {
        struct end *o = e->other;
        if (e->k && o && e->node && o->node && e->node->index == a && o->node->index == b) {
            part(e);
            part(o);
        }
    }
}

void rp__net_gone(struct rp__net *net, struct rp__sim_node *node)
{
    drop_listener(net, node);
    for (struct end *e = net->ends; e; e = e->next)
        if (e->node == node) {
            if (e->k)
                part(e);
            e->k = 0;
            e->node = 0;
        }
}
