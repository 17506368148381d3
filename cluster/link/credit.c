/* SPDX-License-Identifier: MIT */
#include "cluster/link/credit.h"

#include "actors/mail/mail.h"
#include "cluster/link/room.h"

#include <errno.h>

struct rp__credit *rp__credit_of(struct rp__link *k, uint64_t target)
{
    struct rp__credit *c = rp__map_find(&k->credits, target);
    if (c)
        return c;
    c = rp__alloc(rp__link_sys(k), sizeof *c);
    if (!c)
        return 0;
    *c = (struct rp__credit){.target = target};
    rp__list_init(&c->waiters);
    if (rp__map_put(&k->credits, &rp__link_sys(k)->mem, target, c) == 0)
        return c;
    rp__free_mem(rp__link_sys(k), c, sizeof *c);
    return 0;
}

void rp__credit_drop(struct rp__link *k, struct rp__credit *c)
{
    rp__map_remove(&k->credits, c->target);
    rp__free_mem(rp__link_sys(k), c, sizeof *c);
}

int rp__read_credit(struct rp__link *k, struct rp__in in)
{
    uint64_t target = rp__get64(&in), bytes = rp__get64(&in);
    if (!rp__get_end(&in))
        return -EPROTO;
    pthread_mutex_lock(&k->lock);
    struct rp__credit *c = rp__map_find(&k->credits, target);
    if (c) {
        bytes = bytes < c->out ? bytes : c->out;
        c->out -= bytes;
        k->out -= bytes;
        rp__room_in_credit(k, c);
    }
    pthread_mutex_unlock(&k->lock);
    return 0;
}

void rp__credit_end(struct rp__link *k)
{
    pthread_mutex_lock(&k->lock);
    for (uint32_t i = 0; i < k->credits.size; i++) {
        struct rp__credit *c = k->credits.at[i].value;
        for (struct rp__hook *at; c && (at = rp__list_pop(&c->waiters));)
            rp__wake_from_afar(RP__OF(rp_self, queue, at), 0);
    }
    pthread_mutex_unlock(&k->lock);
}

/* ---- does the peer keep to its window? ------------------------------------------------------------ */

/* On their way here or unread, less what was not counted for want of memory. */
static int64_t unread(const struct rp__inflow *f)
{
    return (int64_t)(f->came - atomic_load_explicit(&f->taken, memory_order_relaxed));
}

/* Takes out those that are not needed at present; the lock is held. */
static void sweep(struct rp__link *k, bool all)
{
    struct rp__map *m = &k->inflows;
    for (uint32_t i = 0; i < m->size; i++) /* another may move to where one was */
        for (struct rp__inflow *f; (f = m->at[i].value) && (all || unread(f) <= 0);) {
            rp__map_remove(m, f->target);
            rp__free_mem(rp__link_sys(k), f, sizeof *f);
        }
    k->inflow = 0;
    k->many_inflows = m->used < 64 ? 128 : 2 * m->used;
}

static struct rp__inflow *inflow_new(struct rp__link *k, uint64_t target)
{
    struct rp__inflow *f = rp__alloc(rp__link_sys(k), sizeof *f);
    if (!f)
        return 0;
    f->target = target;
    f->came = 0;
    atomic_init(&f->taken, 0);
    pthread_mutex_lock(&k->lock);
    if (k->inflows.used >= k->many_inflows)
        sweep(k, false);
    int rc = rp__map_put(&k->inflows, &rp__link_sys(k)->mem, target, f);
    pthread_mutex_unlock(&k->lock);
    if (rc == 0)
        return f;
    rp__free_mem(rp__link_sys(k), f, sizeof *f);
    return 0;
}

int rp__credit_came(struct rp__link *k, uint64_t target, uint32_t bytes)
{
    struct rp__inflow *f = k->inflow;
    if (!f || f->target != target)
        k->inflow = f = rp__map_find(&k->inflows, target);
    if (!f)
        k->inflow = f = inflow_new(k, target);
    if (f && unread(f) >= RP__WINDOW)
        return -EOVERFLOW;
    if (f)
        f->came += bytes;
    return 0;
}

static void note_taken(struct rp__link *k, const struct rp__taken *t)
{
    pthread_mutex_lock(&k->lock);
    struct rp__inflow *f = rp__map_find(&k->inflows, t->target);
    if (f)
        atomic_fetch_add_explicit(&f->taken, t->bytes, memory_order_relaxed);
    pthread_mutex_unlock(&k->lock);
}

void rp__credit_free(struct rp__link *k)
{
    uint64_t key;
    for (struct rp__credit *c; (c = rp__map_any(&k->credits, &key));)
        rp__credit_drop(k, c);
    sweep(k, true);
    rp__map_fini(&k->credits, &rp__link_sys(k)->mem);
    rp__map_fini(&k->inflows, &rp__link_sys(k)->mem);
}

/* ---- what came and has been taken ----------------------------------------------------------------- */

void rp__say_taken(struct rp_loop *l, const struct rp__taken *t)
{
    struct rp__link *k = rp__link_by(l, t->link);
    unsigned char p[16];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, t->target);
    rp__put64(&w, t->bytes);
    if (k)
        note_taken(k, t);
    if (k && rp__link_emit(l, k, true, RP__CREDIT, 0, p, w.n) == -ENOMEM)
        rp__link_lose(k, -ENOMEM);
}

void rp__taken_flush(struct rp__timer *timer, struct rp__wheel *w)
{
    (void)w;
    struct rp__cluster_loop *here = RP__OF(struct rp__cluster_loop, flush, timer);
    struct rp_loop *l = here->l;
    uint64_t key;
    for (struct rp__taken *t; (t = rp__map_any(&here->taken, &key));) {
        rp__say_taken(l, t);
        rp__map_remove(&here->taken, key);
        rp__pool_free(&l->pool, t, sizeof *t);
    }
}

void rp__taken_forget(struct rp__cluster_loop *here)
{
    uint64_t key;
    for (struct rp__taken *t; (t = rp__map_any(&here->taken, &key));) {
        rp__map_remove(&here->taken, key);
        rp__pool_free(&here->l->pool, t, sizeof *t);
    }
    rp__map_fini(&here->taken, &here->l->sys->mem);
}

void rp__remote_consumed(struct rp_loop *l, uint64_t via, uint64_t target)
{
    enum { FLUSH_MS = 50 };
    struct rp__cluster_loop *here = rp__cluster_here(l);
    struct rp__taken one = {via >> 32, target, via & UINT32_MAX};
    uint64_t key = target * 31 + one.link; /* two that fall together are told apart below */
    struct rp__taken *t = rp__map_find(&here->taken, key);
    if (t && (t->target != target || t->link != one.link)) {
        rp__say_taken(l, &one);
        return;
    }
    if (!t) {
        t = rp__pool_get(&l->pool, sizeof *t);
        if (!t || rp__map_put(&here->taken, &l->sys->mem, key, t) != 0) {
            if (t)
                rp__pool_free(&l->pool, t, sizeof *t);
            rp__say_taken(l, &one);
            return;
        }
        *t = (struct rp__taken){one.link, target, 0};
        if (!rp__timer_armed(&here->flush))
            rp__timer_start(&l->wheel, &here->flush, l->now + FLUSH_MS * RP_MS);
    }
    t->bytes += one.bytes;
    if (t->bytes < RP__WINDOW / 4)
        return;
    rp__say_taken(l, t);
    rp__map_remove(&here->taken, key);
    rp__pool_free(&l->pool, t, sizeof *t);
}
