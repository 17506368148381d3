/* SPDX-License-Identifier: MIT */
#include "cluster/link/hole.h"

#include <errno.h>

enum { HOLES = 256 }; /* that are kept at a time; of older ones nobody is told */

struct rp__hole {
    struct rp__hook all; /* in its cluster's list, the oldest first; under the cluster's lock */
    uint64_t node, target;
    struct rp__tellers by;
};

/* ---- tellers -------------------------------------------------------------------------------------- */

void rp__teller_note(struct rp__tellers *t, uint64_t who)
{
    for (unsigned i = t->n; i-- > 0;) /* the last is the likeliest */
        if (t->who[i] == who)
            return;
    if (t->n < RP__TELLERS)
        t->who[t->n++] = who;
}

static bool drop_teller(struct rp__tellers *t, uint64_t who)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->who[i] == who) {
            t->who[i] = t->who[--t->n];
            return true;
        }
    return false;
}

/* ---- holes: the cluster's lock is held -------------------------------------------------------------- */

static uint64_t bit_of(uint64_t target)
{
    return UINT64_C(1) << (target * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

static void hole_free(struct rp__cluster *c, struct rp__hole *h)
{
    rp__unlink(&h->all);
    c->nholes--;
    rp__free_mem(c->rt->sys, h, sizeof *h);
}

/* Of that node; target 0: all its holes. True: it stood in one. */
static bool take(struct rp__cluster *c, uint64_t node, uint64_t target, uint64_t who)
{
    bool was = false;
    for (struct rp__hook *at = c->holes.next, *next; at != &c->holes; at = next) {
        struct rp__hole *h = RP__OF(struct rp__hole, all, at);
        next = at->next;
        if (h->node != node || (target && h->target != target))
            continue;
        was |= drop_teller(&h->by, who);
        if (h->by.n == 0)
            hole_free(c, h);
    }
    return was;
}

static void put(struct rp__cluster *c, uint64_t node, const struct rp__credit *credit)
{
    struct rp__hole *h = rp__alloc(c->rt->sys, sizeof *h);
    if (!h)
        return; /* nobody is told then: as good as no memory for a monitor that nobody asked for */
    *h = (struct rp__hole){.node = node, .target = credit->target, .by = credit->by};
    rp__list_push(&c->holes, &h->all);
    if (++c->nholes > HOLES)
        hole_free(c, RP__OF(struct rp__hole, all, c->holes.next));
}

/* ---- a link ends, and another begins ------------------------------------------------------------------ */

void rp__holes_of(struct rp__link *k)
{
    struct rp__cluster *c = k->c;
    pthread_mutex_lock(&k->lock);
    pthread_mutex_lock(&c->lock);
    for (uint32_t i = 0; i < k->credits.size; i++) {
        const struct rp__credit *credit = k->credits.at[i].value;
        if (credit && credit->out > 0 && credit->by.n > 0)
            put(c, k->peer, credit);
    }
    for (uint32_t i = 0; i < k->watching.size && c->nholes > 0; i++) { /* they hear of it */
        const struct rp__watching *w = k->watching.at[i].p;
        if (w)
            (void)take(c, k->peer, w->target, w->watcher);
    }
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&k->lock);
}

void rp__holes_before(struct rp__link *k)
{
    struct rp__cluster *c = k->c;
    pthread_mutex_lock(&c->lock);
    for (struct rp__hook *at = c->holes.next; at != &c->holes; at = at->next) {
        const struct rp__hole *h = RP__OF(struct rp__hole, all, at);
        k->holes |= h->node == k->peer ? bit_of(h->target) : 0;
    }
    pthread_mutex_unlock(&c->lock);
}

bool rp__hole_ahead(struct rp__link *k, uint64_t target, uint64_t who)
{
    if (!(k->holes & bit_of(target)))
        return false;
    pthread_mutex_lock(&k->c->lock);
    bool was = take(k->c, k->peer, target, who);
    pthread_mutex_unlock(&k->c->lock);
    return was;
}

void rp__hole_told(struct rp_loop *l, uint64_t node, uint64_t target, uint64_t who)
{
    struct rp__cluster *c = rp__cluster_of(l);
    struct rp__link *k = rp__link_to(l, node);
    if (k) { /* it is down, and its holes may not have been noted yet */
        pthread_mutex_lock(&k->lock);
        struct rp__credit *credit = k->down ? rp__map_find(&k->credits, target) : 0;
        if (credit)
            (void)drop_teller(&credit->by, who);
        pthread_mutex_unlock(&k->lock);
    }
    pthread_mutex_lock(&c->lock);
    (void)take(c, node, target, who);
    pthread_mutex_unlock(&c->lock);
}

void rp__holes_free(struct rp__cluster *c)
{
    while (!rp__list_empty(&c->holes))
        hole_free(c, RP__OF(struct rp__hole, all, c->holes.next));
}
