/* SPDX-License-Identifier: MIT
 *
 * runtime.h - what the actors of a system share beyond their loops: names, the way to other
 * processes, how it all ends.
 */
#ifndef RP__RUNTIME_H
#define RP__RUNTIME_H

#include "actors/table/actor.h"
#include "loop/constant.h"
#include "loop/fork.h"
#include "mailbox/typebook.h"

#include <pthread.h>

struct rp__link_figures { /* of one link that is up */
    uint64_t id;
    char peer[64];
    uint64_t queued;  /* bytes that wait to go out */
    uint64_t credit;  /* bytes sent to actors there that they have not taken yet, as far as the peer has said */
    uint64_t targets; /* to how many actors */
};

/* How a ref of another process is reached: installed by the cluster, called on any loop. */
struct rp__out;

struct rp__route {
    /* As rp__send; takes the message on success. */
    int  (*send)(rp_self *me, struct rp__out *o, bool wait, rp_time until);
    int  (*send_sure)(struct rp_loop *l, struct rp__out *o);           /* a reply, by the link `via` */
    int  (*no_reply)(struct rp_loop *l, uint64_t link, uint64_t call, int err, const char *blame);
    void (*lose)(struct rp_loop *l, uint64_t link);                      /* what must be said on it cannot be */
    uint64_t (*node_at)(struct rp_loop *l, uint64_t link);              /* 0: that link is gone */
    int  (*monitor)(struct rp_loop *l, rp_ref watcher, rp_ref who);
    int  (*demonitor)(struct rp_loop *l, rp_ref watcher, rp_ref who);
    int  (*stop)(struct rp_loop *l, rp_ref who);
    bool (*watched)(struct rp_loop *l, struct rp__watch *w);            /* false: its link is gone */
    void (*unwatched)(struct rp_loop *l, uint64_t via);                 /* its watcher has taken one back */
    void (*down)(struct rp_loop *l, uint64_t via, uint64_t id, const struct rp_down *down);
    void (*consumed)(struct rp_loop *l, uint64_t via, uint64_t target); /* a message that came by a link is taken */
    unsigned (*figures)(struct rp_loop *l, struct rp__link_figures *to, unsigned most); /* on loop 0; how many */
    void (*closing)(struct rp_loop *l); /* the root has ended: let go of the peers; calls `closed` */
};

struct rp__name {
    struct rp__name *next;
    struct rp__hook ends; /* struct rp__name_event, for those who will hear that it is gone */
    rp_ref ref;
    char text[];
};

/* Somebody waits for a name to be registered. Whoever takes it out of the list, under the lock, owns it. */
struct rp__name_wait {
    struct rp__hook all;
    uint64_t link; /* whose peer asks, */
    uint64_t id;   /* and by what number; 0: an actor of this process */
    void (*found)(struct rp__name_wait *w, struct rp_loop *l, rp_ref ref); /* on the registering loop */
    const char *text;
};

enum { RP__NAME_BUCKETS = 256, RP__NAME_MAX = 255 };

struct rp__runtime {
    rp_system *sys;
    rp_system_opts opts; /* and the root: what they point at is in `given` (given.c) */
    rp_actor root;
    void *given;
    size_t given_size;
    struct rp__typebook book;
    void *root_arg;
    int root_rc;
    struct rp__endpoint *endpoint; /* NULL: none */
    struct rp__post start, quit;
    uint64_t root_addr; /* loop 0's; 0: not yet */
    const char *quit_why;
    char quit_text[RP__WHY]; /* where it is, unless it is constant */
    /* A quit is on its way: whoever turns it true pushes the post. acquire and release: the post is free again, and
     * `quit_why`, when loop 0 has turned it false. */
    _Atomic bool quitting;
    _Atomic bool read_along; /* somebody does (tracer.c). Whoever turns it true does; acquire and release: one after the other */
    _Atomic bool draining; /* nothing new is taken in: set once, read by all; relaxed, it orders nothing */
    void (*root_ended)(struct rp_loop *l, int reason);
    void (*closed)(struct rp_loop *l); /* the route has let go of the peers */
    int (*cluster_open)(struct rp_loop *l); /* on loop 0, before the root; NULL: no cluster */
    const struct rp__route *route;
    void *cluster;
    /* The first failure of an actor that nobody monitored: set by compare-and-swap from 0, read when
     * every loop has stopped. relaxed: joining the threads orders it. */
    _Atomic int orphan_rc;
    pthread_mutex_t names_lock; /* names are for finding each other once, not for every message */
    struct rp__name *names[RP__NAME_BUCKETS];
    struct rp__hook name_watches;
    struct rp__hook lent; /* plan.h's, under the names' lock */
    struct rp__hook name_waits;
};

static inline bool rp__draining(const struct rp__runtime *rt)
{
    return atomic_load_explicit(&rt->draining, memory_order_relaxed);
}

static inline struct rp__runtime *rp__runtime(const struct rp_loop *l)
{
    return l->sys->up;
}

static inline void rp__consumed(struct rp_loop *l, struct rp__slot *s)
{
    rp__runtime(l)->route->consumed(l, *rp__via_of(s), s->to);
}

void rp__name_watches_end(struct rp_loop *l, struct rp__actor *a);
int  rp__name_add(struct rp_loop *l, const char *text, rp_ref ref);
void rp__name_remove(struct rp_loop *l, const char *text, rp_ref ref);
/* 0; or -ESRCH; or with `wait`: 1, and it stands in the list; -ENOBUFS: that is full. */
int  rp__name_find(struct rp__runtime *rt, const char *text, rp_ref *ret, struct rp__name_wait *wait);
bool rp__name_unwait(struct rp__runtime *rt, struct rp__name_wait *w); /* false: it has been found */
struct rp__name_wait *rp__name_unwait_of(struct rp__runtime *rt, uint64_t link, uint64_t id); /* 0: any of its; NULL: none */


int  rp__given_keep(struct rp__runtime *rt, const rp_actor *root, const rp_system_opts *o, const rp_alloc *mem); /* 0, -ENOMEM */
void rp__given_free(struct rp__runtime *rt, const rp_alloc *mem);

/* Builds a runtime; tests and the simulation run several. */
int  rp__runtime_new(const rp_actor *root, void *arg, const rp_system_opts *o, const struct rp__world *world,
                     void *world_ud, struct rp__runtime **ret);
int  rp__runtime_result(struct rp__runtime *rt);
void rp__runtime_free(struct rp__runtime *rt);

#endif
