/* SPDX-License-Identifier: MIT
 *
 * lookup.c - names over links: what is asked of a peer, and what a peer asks.
 */
#include "actors/mail/ask.h"
#include "actors/table/cause.h"
#include "actors/table/edge.h"
#include "cluster/remote/remote.h"
#include "loop/rest.h"

#include <errno.h>
#include <string.h>

struct rp__search { /* on the stack of who called rp_lookup */
    struct rp__link *k;          /* NULL: the name is this process's own */
    struct rp__name_wait wait;
    uint64_t id;
    rp_self *me;
    rp_ref *ret;
};

/* The peer keeps the question for as long as it has no answer: it is told that nobody waits for one any more. */
static void forget(struct rp__search *s)
{
    struct rp_loop *l = s->me->loop;
    unsigned char p[8];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, s->id);
    (void)!rp__link_emit(l, s->k, false, RP__FORGET, 0, p, w.n); /* no memory for that: it keeps it as long as the link */
}

static bool leave_search(rp_self *me)
{
    struct rp__search *s = me->got;
    if (!s->k)
        return rp__name_unwait(rp__runtime(me->loop), &s->wait);
    pthread_mutex_lock(&s->k->lock);
    bool waiting = rp__id_find(&s->k->lookups, s->id) == s;
    if (waiting)
        rp__id_free(&s->k->lookups, s->id);
    pthread_mutex_unlock(&s->k->lock);
    if (waiting)
        forget(s);
    return waiting;
}

/* Puts the question on the wire. 1: an answer will come; -EHOSTUNREACH, -ENOMEM. */
static int ask_name(struct rp__search *s, const char *name, bool wait)
{
    struct rp__link *k = s->k;
    size_t n = strlen(name);
    pthread_mutex_lock(&k->lock);
    s->id = k->down ? 0 : rp__id_new(&k->lookups, &rp__link_sys(k)->mem, s);
    unsigned char *to = s->id ? rp__link_frame(k, false, RP__LOOKUP, wait ? RP__W_WAIT : 0, 0, 9 + n) : 0;
    if (to) {
        struct rp__w w = {to, 0, 9 + n};
        rp__put64(&w, s->id);
        rp__put8(&w, (uint8_t)n);
        rp__put_bytes(&w, name, n);
    } else if (s->id) {
        rp__id_free(&k->lookups, s->id);
    }
    int rc = to ? 1 : k->down ? -EHOSTUNREACH : -ENOMEM;
    pthread_mutex_unlock(&k->lock);
    return rc;
}

static void found_here(struct rp__name_wait *w, struct rp_loop *l, rp_ref ref)
{
    (void)l;
    struct rp__search *s = RP__OF(struct rp__search, wait, w);
    *s->ret = ref;
    rp__wake_from_afar(s->me, 0);
}

int rp_lookup(rp_self *me, rp_node node, const char *name, rp_ref *ret, rp_time deadline)
{
    struct rp_loop *l = me->loop;
    size_t n = name ? strlen(name) : 0;
    bool wait = deadline != 0, own = node.id == l->node;
    deadline = rp__while_asked(me, wait ? deadline : RP_FOREVER);
    if (n == 0 || n > RP__NAME_MAX || !ret)
        return -EINVAL;
    struct rp__search s = {.k = own ? 0 : rp__link_to(l, node.id), .me = me, .ret = ret, .wait = {.found = found_here, .text = name}};
    int rc = rp__may_park(me, deadline);
    if (rc != 0)
        return rc;
    me->got = &s; /* before it can be found: another loop may be quick */
    if (own)
        rc = rp__name_find(rp__runtime(l), name, ret, wait ? &s.wait : 0);
    else
        rc = s.k ? ask_name(&s, name, wait) : -EHOSTUNREACH;
    if (rc == 1) {
        if (s.k)
            rp__link_touch(l, s.k);
        rc = rp__park(me, rp__for_name, name, leave_search, deadline);
    }
    me->got = 0;
    rc = rp__rested(me, rc);
    return rc == -ESRCH || rc == -ETIMEDOUT ? rp__cause_is(me, rc, "nobody is registered there as \"%s\"", name) : rc;
}

int rp__read_found(struct rp__link *k, struct rp__in in)
{
    uint64_t id = rp__get64(&in);
    int32_t rc = (int32_t)rp__get32(&in);
    uint64_t local = rp__get64(&in);
    if (!rp__get_end(&in) || rc > 0)
        return -EPROTO;
    pthread_mutex_lock(&k->lock);
    struct rp__search *s = rp__id_find(&k->lookups, id);
    if (s) { /* else it has given up */
        rp__id_free(&k->lookups, id);
        if (rc == 0)
            *s->ret = (rp_ref){k->peer, local};
        rp__wake_from_afar(s->me, rc);
    }
    pthread_mutex_unlock(&k->lock);
    return 0;
}

/* ---- the peer's questions ------------------------------------------------------------------------- */

struct asked_name {
    struct rp__name_wait wait;
    char text[RP__NAME_MAX + 1];
};

static int say_found(struct rp_loop *l, uint64_t link, uint64_t id, int rc, rp_ref ref)
{
    struct rp__link *k = rp__link_by(l, link);
    unsigned char p[20];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, id);
    rp__put32(&w, (uint32_t)rc);
    rp__put64(&w, ref.local);
    return k ? rp__link_emit(l, k, false, RP__FOUND, 0, p, w.n) : 0;
}

static void found_for_peer(struct rp__name_wait *w, struct rp_loop *l, rp_ref ref)
{
    struct asked_name *a = RP__OF(struct asked_name, wait, w);
    struct rp__link *k = rp__link_by(l, w->link);
    if (say_found(l, w->link, w->id, 0, ref) == -ENOMEM)
        rp__link_lose(k, -ENOMEM);
    rp__free_mem(l->sys, a, sizeof *a);
}

int rp__read_lookup(struct rp__link *k, const struct rp__frame *f)
{
    struct rp__in in = f->payload;
    uint64_t id = rp__get64(&in);
    size_t n = rp__get8(&in);
    const char *p = rp__get_bytes(&in, n);
    if (!p || id == 0 || n == 0 || memchr(p, 0, n) || !rp__get_end(&in))
        return -EPROTO;
    rp_ref ref = {0, 0};
    struct asked_name *a = rp__alloc(rp__link_sys(k), sizeof *a);
    if (!a)
        return say_found(k->home, k->id, id, -ENOMEM, ref);
    *a = (struct asked_name){.wait = {.link = k->id, .id = id, .found = found_for_peer, .text = a->text}};
    memcpy(a->text, p, n);
    int rc = rp__name_find(k->c->rt, a->text, &ref, f->flags & RP__W_WAIT ? &a->wait : 0);
    if (rc == 1)
        return 0;
    rp__free_mem(rp__link_sys(k), a, sizeof *a);
    return say_found(k->home, k->id, id, rc, ref);
}

static bool forget_one(struct rp__link *k, uint64_t id) /* 0: any */
{
    struct rp__name_wait *w = rp__name_unwait_of(k->c->rt, k->id, id);
    if (w)
        rp__free_mem(rp__link_sys(k), RP__OF(struct asked_name, wait, w), sizeof(struct asked_name));
    return w != 0;
}

int rp__read_forget(struct rp__link *k, struct rp__in in)
{
    uint64_t id = rp__get64(&in);
    if (!rp__get_end(&in))
        return -EPROTO;
    if (id != 0)
        (void)forget_one(k, id); /* or its answer is on the way */
    return 0;
}

/* ---- the end of a link ---------------------------------------------------------------------------- */

static void wake_searches(struct rp__link *k)
{
    pthread_mutex_lock(&k->lock);
    for (uint32_t i = 0; i < k->lookups.size; i++) {
        struct rp__search *s = k->lookups.at[i].p;
        if (!s)
            continue;
        rp__id_free(&k->lookups, s->id);
        rp__wake_from_afar(s->me, -EHOSTUNREACH);
    }
    pthread_mutex_unlock(&k->lock);
}

void rp__lookups_end(struct rp__link *k)
{
    wake_searches(k);
    while (forget_one(k, 0)) /* bounded: it asks no more */
        ;
}

void rp__lookups_free(struct rp__link *k)
{
    rp__ids_fini(&k->lookups, &rp__link_sys(k)->mem);
}
