/* SPDX-License-Identifier: MIT
 *
 * cluster.h - a process's links: who is dialled, who has come, how each loop finds them.
 */
#ifndef RP__CLUSTER_H
#define RP__CLUSTER_H

#include "cluster/link/link.h"
#include "loop/process/claim.h"

enum { RP__SCRATCH = 262144 };

struct rp__cluster_loop { /* a loop's own table, touched by nobody else */
    struct rp__map by_node, by_id; /* struct rp__link */
    struct rp__map taken;          /* struct rp__taken: what came by a link and has been taken */
    struct rp__timer flush;
    struct rp_loop *l;
};

struct rp__cluster {
    struct rp__runtime *rt;
    struct rp_loop *home;
    const struct rp__carrier *carrier;    /* of URLs that do not say which */
    const struct rp__carrier *plain; /* for what that cannot carry; NULL: there is none */
    const struct rp__frames *frames;
    bool simulated;
    const struct rp__carrier *listens;
    void *listener;                /* its */
    struct rp__pulse pulse;
    unsigned char *scratch;        /* RP__SCRATCH bytes to read into; NULL: nobody has needed them yet */
    struct rp__hook links;         /* struct rp__link, by `all` */
    struct rp__hook strangers;     /* those that came and have not proved anything, by `strange`, the oldest first */
    struct rp__hook dials;         /* struct rp__dial */
    struct rp__resolver *resolver; /* NULL: no name has been asked for yet */
    struct rp__claim claim;        /* of the path it listens at */
    rp_time said_no_room;          /* 0: never */
    uint64_t next_link;
    struct rp__hook holes;         /* hole.c's, under the lock */
    unsigned nholes;
    bool closing;
    char name[RP__NODE_NAME];
    struct rp__cluster_loop *loops;
    /* Requests to connect stand in a dial's list, on loop 0, and are taken out by whoever waits, on any
     * loop: this lock is for those lists and the holes. It may be taken under a link's. */
    pthread_mutex_t lock;
};

static inline struct rp__cluster *rp__cluster_of(const struct rp_loop *l)
{
    return rp__runtime(l)->cluster;
}

static inline struct rp__cluster_loop *rp__cluster_here(const struct rp_loop *l)
{
    return &rp__cluster_of(l)->loops[l->index];
}

/* A loop's own links. NULL: there is none, or not any more. */
static inline struct rp__link *rp__link_to(const struct rp_loop *l, uint64_t node)
{
    return rp__map_find(&rp__cluster_here(l)->by_node, node);
}

static inline struct rp__link *rp__link_by(const struct rp_loop *l, uint64_t id)
{
    return rp__map_find(&rp__cluster_here(l)->by_id, id);
}

static inline rp_system *rp__link_sys(const struct rp__link *k)
{
    return k->c->rt->sys;
}

int  rp__cluster_open(struct rp_loop *l);       /* struct rp__runtime.cluster_open */
void rp__cluster_free(struct rp__runtime *rt);  /* every loop has stopped */

/* Is there, or will there be, another link to k's peer that is to stay instead of k? */
bool rp__cluster_has_better(struct rp__link *k);

/* The stranger that goes so that this one may stay. NULL: there is room for it. */
struct rp__link *rp__stranger_too_many(const struct rp__link *comer);

/* dial.c */
void rp__dial_settled(struct rp__link *k, int rc); /* its link is up, or came to nothing */
void rp__dials_end(struct rp__cluster *c);         /* whoever waits is told -ESHUTDOWN */

/* listen.c: at rp_system_opts.listen. 0 or an error, which has been reported. */
int  rp__cluster_listen(struct rp__cluster *c);
void rp__cluster_unlisten(struct rp__cluster *c);
void rp__cluster_no_room(struct rp__cluster *c, int rc); /* for a peer that wants in, and is tried again: said now and then */

/* cluster.c: by which carrier an URL goes. An address that nng would not take, of which it asks whether the machine has
 * any other of that family, goes over plain sockets: the wire is the same. `at` NULL: the URL has no host. */
const struct rp__carrier *rp__carrier_of(const struct rp__cluster *c, const char *url, const struct rp__net_addr *at);

void rp__cluster_link_gone(struct rp__cluster *c);  /* one less: perhaps the last, when closing */

void rp__taken_flush(struct rp__timer *t, struct rp__wheel *w);    /* credit.c: tells the peers what has been taken */
void rp__taken_forget(struct rp__cluster_loop *here);
void rp__cluster_closing(struct rp_loop *l);


#endif
