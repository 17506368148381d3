/* SPDX-License-Identifier: MIT
 *
 * monitor.c - monitors across links: of actors of the peer, of the peer itself, and by actors of the peer.
 */
#include "actors/life/life.h"
#include "actors/mail/trace.h"
#include "actors/table/post.h"
#include "cluster/remote/remote.h"
#include "loop/here.h"

#include <errno.h>
#include <string.h>

static const rp_field node_down_fields[] = {
    RP_FIELD(struct rp_node_down, node, RP_U64),
    RP_FIELD(struct rp_node_down, reason, RP_I32),
    RP_FIELD(struct rp_node_down, name, RP_CHARS),
};
const rp_type rp_node_down_type = RP_TYPE("rp.node_down", struct rp_node_down, node_down_fields);

/* ---- ours ----------------------------------------------------------------------------------------- */

/* target 0: the node. 0; -ENOMEM; -EHOSTUNREACH: there is no such link. */
static int watch_peer(struct rp_loop *l, uint64_t watcher, rp_ref who)
{
    struct rp__link *k = rp__link_to(l, who.node);
    if (!k)
        return -EHOSTUNREACH;
    const rp_alloc *mem = &rp__link_sys(k)->mem;
    struct rp__watching by = {watcher, who.local, 0};
    pthread_mutex_lock(&k->lock);
    by.nth = ++k->watched_times;
    bool full = who.local && k->nwatching >= RP__PEER_WATCHES;
    uint64_t id = k->down || full ? 0 : rp__id_add(&k->watching, mem, &by, sizeof by);
    unsigned char *to = id && who.local ? rp__link_frame(k, false, RP__MONITOR, 0, 0, 16) : 0;
    if (to) {
        struct rp__w w = {to, 0, 16};
        rp__put64(&w, who.local);
        rp__put64(&w, id);
    }
    int rc = k->down ? -EHOSTUNREACH : full ? -ENOBUFS : !id || (who.local && !to) ? -ENOMEM : 0;
    if (rc == -ENOMEM)
        (void)rp__id_take(&k->watching, mem, id, &by, sizeof by);
    k->nwatching += rc == 0 && who.local;
    pthread_mutex_unlock(&k->lock);
    if (rc == 0)
        rp__link_touch(l, k);
    if (rc == 0 && rp__traces(l, RP__T_LINK))
        rp__trace_tie(l, watcher, "monitors", who);
    return rc;
}

int rp__remote_monitor(struct rp_loop *l, rp_ref watcher, rp_ref who)
{
    int rc = who.local ? watch_peer(l, watcher.local, who) : -EINVAL;
    if (rc != -EHOSTUNREACH)
        return rc;
    struct rp_down d = {.who = who, .reason = -EHOSTUNREACH};
    rp__down_now(l, watcher.local, &d);
    return 0;
}

/* The latest of that watcher's; the lock is held. 0: none. */
static uint64_t watch_of(struct rp__link *k, const struct rp__watching *by)
{
    uint64_t latest = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < k->watching.size; i++) {
        const struct rp__watching *w = k->watching.at[i].p;
        if (w && w->watcher == by->watcher && w->target == by->target && w->nth >= at) {
            at = w->nth;
            latest = rp__id_at(&k->watching, i);
        }
    }
    return latest;
}

/* Once the link is down what it tells of that is on its way. */
static void unwatch_peer(struct rp_loop *l, uint64_t watcher, rp_ref who)
{
    struct rp__link *k = rp__link_to(l, who.node);
    struct rp__watching by = {watcher, who.local, 0};
    unsigned char p[16];
    struct rp__w w = {p, 0, sizeof p};
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    uint64_t id = k->down ? 0 : watch_of(k, &by);
    if (id && rp__id_take(&k->watching, &rp__link_sys(k)->mem, id, &by, sizeof by))
        k->nwatching -= who.local != 0;
    pthread_mutex_unlock(&k->lock);
    if (id == 0 || who.local == 0)
        return;
    rp__put64(&w, who.local);
    rp__put64(&w, id);
    (void)!rp__link_emit(l, k, false, RP__DEMONITOR, 0, p, w.n); /* no memory for that: the peer says DOWN, for nobody */
}

int rp__remote_demonitor(struct rp_loop *l, rp_ref watcher, rp_ref who)
{
    if (!who.local)
        return -EINVAL;
    unwatch_peer(l, watcher.local, who);
    return 0;
}

int rp_node_demonitor(rp_self *me, rp_node node)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    if (!me->actor || node.id == 0)
        return -EINVAL;
    unwatch_peer(l, me->actor->addr, (rp_ref){node.id, 0});
    return 0;
}

static void say_node_down(struct rp_loop *l, uint64_t watcher, uint64_t node, int reason, const char *name)
{
    struct rp_node_down d = {.node = node, .reason = reason};
    if (rp__traces(l, RP__T_LINK))
        rp__trace_down(l, (rp_ref){node, 0}, reason, watcher);
    memcpy(d.name, name, strnlen(name, sizeof d.name - 1));
    struct rp__slot s = {watcher, 0, rp__word(&rp_node_down_type, RP__F_SURE), {0}};
    memcpy(s.body, &d, sizeof d);
    rp__tally(l, RP__SENT, 1);
    rp__post_sure(l, &s);
}

_Static_assert(sizeof(struct rp_node_down) <= RP__SLOT - RP__HEAD, "one slot");

int rp_node_monitor(rp_self *me, rp_node node)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    if (!me->actor || node.id == 0)
        return -EINVAL;
    int rc = watch_peer(l, me->actor->addr, (rp_ref){node.id, 0});
    if (rc != -EHOSTUNREACH)
        return rc;
    say_node_down(l, me->actor->addr, node.id, -EHOSTUNREACH, "");
    return 0;
}

int rp__read_down(struct rp__link *k, struct rp__in in)
{
    uint64_t id = rp__get64(&in);
    int32_t reason = (int32_t)rp__get32(&in);
    size_t n = rp__get8(&in);
    const void *name = rp__get_bytes(&in, n);
    size_t m = k->version >= RP__SAYS_WHY ? rp__get8(&in) : 0;
    const void *why = rp__get_bytes(&in, m);
    if (!rp__get_end(&in))
        return -EPROTO;
    struct rp__watching w;
    pthread_mutex_lock(&k->lock);
    bool known = rp__id_take(&k->watching, &rp__link_sys(k)->mem, id, &w, sizeof w);
    bool past = known || rp__id_past(&k->watching, id); /* else it has been taken back */
    k->nwatching -= known && w.target;
    pthread_mutex_unlock(&k->lock);
    if (!known)
        return past ? 0 : -EPROTO;
    struct rp_down d = {.who = {k->peer, w.target}, .reason = reason};
    memcpy(d.name, name, n < sizeof d.name - 1 ? n : sizeof d.name - 1);
    memcpy(d.why, why, m < sizeof d.why - 1 ? m : sizeof d.why - 1);
    rp__down_now(k->home, w.watcher, &d);
    return 0;
}

void rp__monitors_end(struct rp__link *k, int reason)
{
    for (int nodes = 0; nodes < 2; nodes++)
        for (uint32_t i = 0; i < k->watching.size; i++) {
            const struct rp__watching *w = k->watching.at[i].p;
            if (!w || (w->target == 0) != nodes)
                continue;
            struct rp_down d = {.who = {k->peer, w->target}, .reason = -EHOSTUNREACH};
            if (nodes)
                say_node_down(k->home, w->watcher, k->peer, reason, k->name);
            else
                rp__down_now(k->home, w->watcher, &d);
        }
}

void rp__monitors_free(struct rp__link *k)
{
    rp__ids_drop(&k->watching, &rp__link_sys(k)->mem, sizeof(struct rp__watching));
}

/* ---- the peer's ----------------------------------------------------------------------------------- */

int rp__read_monitor(struct rp__link *k, struct rp__in in)
{
    uint64_t target = rp__get64(&in), id = rp__get64(&in);
    if (!rp__get_end(&in) || id == 0)
        return -EPROTO;
    struct rp_down none = {.reason = -ESRCH};
    if (atomic_fetch_add_explicit(&k->watched, 1, memory_order_relaxed) >= RP__PEER_WATCHES)
        return rp__link_limit(k, "monitors of its actors stand here", RP__PEER_WATCHES);
    if (rp__is_here(k, target))
        rp__signal(k->home, target, 0, RP__OP_MONITOR, k->id, id);
    else
        rp__remote_down(k->home, k->id, id, &none);
    return 0;
}

int rp__read_demonitor(struct rp__link *k, struct rp__in in)
{
    uint64_t target = rp__get64(&in), id = rp__get64(&in);
    if (!rp__get_end(&in))
        return -EPROTO;
    struct rp__slot s = {target, 0, rp__op_word(RP__OP_MONITOR), {k->id, id, 1}};
    if (rp__is_here(k, target))
        rp__post_sure(k->home, &s);
    return 0;
}

void rp__remote_unwatched(struct rp_loop *l, uint64_t via)
{
    struct rp__link *k = rp__link_by(l, via);
    if (k)
        atomic_fetch_sub_explicit(&k->watched, 1, memory_order_relaxed);
}

bool rp__remote_watched(struct rp_loop *l, struct rp__watch *w)
{
    struct rp__link *k = rp__link_by(l, w->via);
    if (k)
        rp__list_push(&k->loops[l->index].watches, &w->peer);
    return k != 0;
}

void rp__remote_down(struct rp_loop *l, uint64_t via, uint64_t id, const struct rp_down *d)
{
    struct rp__link *k = rp__link_by(l, via);
    unsigned char p[14 + sizeof d->name + sizeof d->why];
    struct rp__w w = {p, 0, sizeof p};
    size_t n = strnlen(d->name, sizeof d->name), m = strnlen(d->why, sizeof d->why);
    rp__put64(&w, id);
    rp__put32(&w, (uint32_t)d->reason);
    rp__put8(&w, (uint8_t)n);
    rp__put_bytes(&w, d->name, n);
    if (k && k->version >= RP__SAYS_WHY) {
        rp__put8(&w, (uint8_t)m);
        rp__put_bytes(&w, d->why, m);
    }
    if (k)
        atomic_fetch_sub_explicit(&k->watched, 1, memory_order_relaxed);
    if (k) /* without memory for it the peer would wait in vain: the link is given up instead */
        if (rp__link_emit(l, k, false, RP__DOWN, 0, p, w.n) == -ENOMEM)
            rp__link_lose(k, -ENOMEM);
}
