/* SPDX-License-Identifier: MIT
 *
 * remote.c - what rp__route promises to the actors, and which of a peer's frames is whose.
 */
#include "cluster/remote/remote.h"

#include "actors/table/post.h"
#include "actors/table/why.h"

#include <errno.h>
#include <string.h>

static uint64_t node_at(struct rp_loop *l, uint64_t link)
{
    struct rp__link *k = rp__link_by(l, link);
    return k ? k->peer : 0;
}

static void lose(struct rp_loop *l, uint64_t link)
{
    struct rp__link *k = rp__link_by(l, link);
    if (k)
        rp__link_lose(k, -ENOMEM);
}

static int stop(struct rp_loop *l, rp_ref who)
{
    struct rp__link *k = rp__link_to(l, who.node);
    unsigned char p[8];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, who.local);
    return k ? rp__link_emit(l, k, false, RP__STOP_ACTOR, 0, p, w.n) : -EHOSTUNREACH;
}

static int on_stop(struct rp__link *k, struct rp__in in)
{
    uint64_t target = rp__get64(&in);
    if (!rp__get_end(&in))
        return -EPROTO;
    if (rp__is_here(k, target)) {
        struct rp__slot s = rp__stop_slot(k->home, target, 0, "stopped by another node", 0, 0);
        rp__post_sure(k->home, &s);
    }
    return 0;
}

static unsigned figures(struct rp_loop *l, struct rp__link_figures *to, unsigned most)
{
    struct rp__hook *all = &rp__cluster_of(l)->links;
    unsigned n = 0;
    for (struct rp__hook *at = all->next; at != all && n < most; at = at->next) {
        struct rp__link *k = RP__OF(struct rp__link, all, at);
        if (k->state != RP__L_UP)
            continue;
        struct rp__link_figures *f = &to[n++];
        pthread_mutex_lock(&k->lock);
        *f = (struct rp__link_figures){.id = k->id, .queued = k->box.queued, .credit = k->out, .targets = k->credits.used};
        pthread_mutex_unlock(&k->lock);
        memcpy(f->peer, k->name, sizeof f->peer - 1);
    }
    return n;
}

const struct rp__route rp__route_links = {
    .send = rp__remote_send,
    .send_sure = rp__remote_send_sure,
    .no_reply = rp__remote_no_reply,
    .lose = lose,
    .node_at = node_at,
    .monitor = rp__remote_monitor,
    .demonitor = rp__remote_demonitor,
    .stop = stop,
    .watched = rp__remote_watched,
    .unwatched = rp__remote_unwatched,
    .down = rp__remote_down,
    .consumed = rp__remote_consumed,
    .figures = figures,
    .closing = rp__cluster_closing,
};

/* ---- a peer's frames ------------------------------------------------------------------------------ */

static int on_frame(struct rp__link *k, const struct rp__frame *f)
{
    switch (f->type) {
    case RP__TYPE:
        return rp__read_type(k, f);
    case RP__CREDIT:
        return rp__read_credit(k, f->payload);
    case RP__SEND:
    case RP__CALL:
        return rp__read_message(k, f);
    case RP__REPLY:
        return rp__read_reply(k, f);
    case RP__NO_REPLY:
        return rp__read_no_reply(k, f->payload);
    case RP__MONITOR:
        return rp__read_monitor(k, f->payload);
    case RP__DOWN:
        return rp__read_down(k, f->payload);
    case RP__STOP_ACTOR:
        return on_stop(k, f->payload);
    case RP__LOOKUP:
        return rp__read_lookup(k, f);
    case RP__FOUND:
        return rp__read_found(k, f->payload);
    case RP__CULPRIT:
        return rp__read_culprit(k, f->payload);
    case RP__FORGET:
        return rp__read_forget(k, f->payload);
    case RP__DEMONITOR:
        return rp__read_demonitor(k, f->payload);
    default:
        return f->type >= 64 ? 0 : -EPROTO; /* from 64 on: for what may be left out */
    }
}

/* ---- the end of a link ---------------------------------------------------------------------------- */

/* Calls first, then actors, then the node: each once, and after all that came from it, because this goes
 * through the same rings. Nobody adds to these tables once `down` is set. */
static void on_end(struct rp__link *k, int reason)
{
    rp__holes_of(k);
    rp__credit_end(k);
    rp__lookups_end(k);
    rp__asked_end(k);
    rp__monitors_end(k, reason);
}

static void free_all(struct rp__link *k)
{
    rp__numbers_free(k);
    rp__plans_free(k);
    rp__credit_free(k);
    rp__lookups_free(k);
    rp__asked_free(k);
    rp__monitors_free(k);
}

const struct rp__frames rp__frames_of_actors = {on_frame, on_end, free_all};
