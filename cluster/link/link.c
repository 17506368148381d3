/* SPDX-License-Identifier: MIT */
#include "cluster/link/link.h"

#include "actors/life/life.h"
#include "actors/table/post.h"
#include "cluster/link/hole.h"
#include "loop/base/os.h"
#include "loop/report.h"
#include "loop/trace.h"
#include "loop/world/sim.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* ---- birth and death ------------------------------------------------------------------------------ */

static void on_beat(struct rp__timer *t, struct rp__wheel *w);

/* Nobody may know it before, nor see it again: not from the generator that a program's seeds and draws come from. */
static int draw_nonce(struct rp_loop *l, unsigned char to[RP__NONCE])
{
    if (l->world != &rp__world_sim)
        return rp__os_random(to, RP__NONCE);
    for (unsigned i = 0; i < RP__NONCE; i += 8) {
        uint64_t r = rp__random_of(l);
        memcpy(to + i, &r, 8);
    }
    return 0;
}

int rp__link_new(struct rp__cluster *c, const struct rp__carrier *carrier, bool dialler, bool ipc, struct rp__link **ret)
{
    rp_system *sys = c->rt->sys;
    unsigned char nonce[RP__NONCE];
    int rc = draw_nonce(c->home, nonce);
    if (rc != 0)
        return rc;
    struct rp__link *k = rp__alloc(sys, sizeof *k);
    struct rp__link_loop *loops = k ? rp__alloc(sys, sys->nloops * sizeof *loops) : 0;
    if (!loops) {
        rp__free_mem(sys, k, sizeof *k);
        return -ENOMEM;
    }
    memset(k, 0, sizeof *k);
    memset(loops, 0, sys->nloops * sizeof *loops);
    k->c = c;
    k->home = c->home;
    k->id = ++c->next_link;
    k->carrier = carrier;
    k->dialler = dialler;
    k->ipc = ipc;
    k->loops = loops;
    k->state = dialler ? RP__L_DIALLING : RP__L_HELLO;
    k->down = true;
    for (unsigned i = 0; i < sys->nloops; i++) {
        loops[i].k = k;
        rp__list_init(&loops[i].watches);
    }
    k->inflows.salt = k->credits.salt = sys->salt;
    rp__outbox_init(k);
    rp__reader_init(&k->reader, &sys->mem, ipc);
    pthread_mutex_init(&k->lock, 0);
    memcpy(k->nonce, nonce, sizeof nonce);
    k->timer.fire = on_beat;
    rp__timer_start(&k->home->wheel, &k->timer, k->home->world->now(k->home) + RP__GREETING_MS * RP_MS);
    rp__list_push(&c->links, &k->all);
    if (!dialler)
        rp__list_push(&c->strangers, &k->strange);
    *ret = k;
    return 0;
}

static void wire_closed(struct rp__link *k)
{
    rp__outbox_cut(k);
    if (!k->closed)
        k->carrier->close(k);
    k->closed = true;
}

void rp__link_free(struct rp__link *k)
{
    struct rp__cluster *c = k->c;
    rp_system *sys = c->rt->sys;
    wire_closed(k);
    rp__timer_stop(&k->home->wheel, &k->timer);
    rp__round_end_forget(k->home, &k->loops[k->home->index].round_end);
    rp__unlink(&k->all);
    rp__unlink(&k->strange);
    rp__outbox_free(k);
    k->c->frames->free(k);
    rp__reader_fini(&k->reader);
    pthread_mutex_destroy(&k->lock);
    if (k->url)
        rp__free_mem(sys, k->url, strlen(k->url) + 1);
    rp__free_mem(sys, k->loops, sys->nloops * sizeof *k->loops);
    rp__free_mem(sys, k, sizeof *k);
    rp__cluster_link_gone(c);
}

/* ---- telling the loops ---------------------------------------------------------------------------- */

static void answered(struct rp__errand *e, struct rp_loop *l);

static void answer(struct rp__link_loop *on, struct rp_loop *l)
{
    on->errand.fn = answered;
    rp__signal(l, rp__loop_addr(on->k->home->index), 0, RP__OP_RUN, (uintptr_t)&on->errand, 0);
}

/* The wake-ups came to the inbox before this did: no coroutine of this loop waits for the link any more, and none that
 * is stopped now looks into it. */
static void all_woken(struct rp__post *p, struct rp_loop *l)
{
    answer(RP__OF(struct rp__link_loop, behind, p), l);
}

static void on_loop(struct rp__errand *e, struct rp_loop *l)
{
    struct rp__link_loop *on = RP__OF(struct rp__link_loop, errand, e);
    struct rp__link *k = on->k;
    struct rp__cluster_loop *here = rp__cluster_here(l);
    if (k->state == RP__L_JOINING) {
        int rc = rp__map_put(&here->by_node, &rp__link_sys(k)->mem, k->peer, k);
        if (rc == 0 && (rc = rp__map_put(&here->by_id, &rp__link_sys(k)->mem, k->id, k)) != 0)
            rp__map_remove(&here->by_node, k->peer);
        /* a loop without memory for it cannot send to that peer: it says -EHOSTUNREACH */
    } else {
        if (rp__link_to(l, k->peer) == k)
            rp__map_remove(&here->by_node, k->peer);
        rp__map_remove(&here->by_id, k->id);
        rp__round_end_forget(l, &on->round_end);
        while (!rp__list_empty(&on->watches))
            rp__watch_free(l, RP__OF(struct rp__watch, peer, on->watches.next));
        on->behind.fn = all_woken;
        if (rp__inbox_push(l, &on->behind) == 0) /* a loop that has ended has nobody that waits */
            return;
    }
    answer(on, l);
}

static void tell_loops(struct rp__link *k)
{
    k->unanswered = k->c->rt->sys->nloops;
    for (unsigned i = 0; i < k->c->rt->sys->nloops; i++) {
        k->loops[i].errand.fn = on_loop;
        rp__signal(k->home, rp__loop_addr(i), 0, RP__OP_RUN, (uintptr_t)&k->loops[i].errand, 0);
    }
}

static void go_down(struct rp__link *k, int reason);

/* It left in peace, and the peer has not said that it has read all: what was told may be lost, and no call says so. */
static void say_unread(struct rp__link *k)
{
    pthread_mutex_lock(&k->lock);
    uint64_t unread = k->out > k->box.queued ? k->out : k->box.queued;
    pthread_mutex_unlock(&k->lock);
    if (k->reason != 0 || k->peer_left || unread == 0)
        return;
    rp__report(rp__link_sys(k), &(rp_report){.kind = RP_REPORT_LINK, .err = -EHOSTUNREACH, .name = k->name},
               "node %llx \"%s\" had not read all that was told to it when this one ended, and %d ms later: %llu bytes may be lost; "
               "who must know asks for a reply, and then ends", (unsigned long long)k->peer, k->name, RP__LINGER_MS,
               (unsigned long long)unread);
    rp__failure_noted(k->home, -EHOSTUNREACH);
}

/* Down, and every loop knows: freed once its last bytes are gone and the peer's BYE has come (to close
 * with bytes of its unread could make the kernel throw ours away), or after a while. */
static void try_free(struct rp__link *k)
{
    if (k->unanswered > 0)
        return;
    rp_time now = k->home->world->now(k->home);
    bool said = rp__outbox_gone(k) && (k->peer_left || k->reason != 0);
    if ((k->closed || said || now >= k->lost_at) && k->lost == (k->losing != 0)) {
        say_unread(k);
        rp__link_free(k);
        return;
    }
    rp__timer_stop(&k->home->wheel, &k->timer);
    rp__timer_start(&k->home->wheel, &k->timer, now + 5 * RP_MS < k->lost_at ? now + 5 * RP_MS : k->lost_at);
}

/* Not at once: its frames may be being read. */
static void free_soon(struct rp__link *k)
{
    rp__timer_stop(&k->home->wheel, &k->timer);
    rp__timer_start(&k->home->wheel, &k->timer, k->home->now);
}

static void answered(struct rp__errand *e, struct rp_loop *l)
{
    (void)l;
    struct rp__link *k = RP__OF(struct rp__link_loop, errand, e)->k;
    if (--k->unanswered > 0)
        return;
    if (k->state == RP__L_DOWN) {
        try_free(k);
        return;
    }
    assert(k->state == RP__L_JOINING);
    if (k->reason != 0) { /* it broke meanwhile */
        int reason = k->reason;
        k->reason = 0;
        go_down(k, reason);
        return;
    }
    int rc = rp__on_joined(k);
    if (rc != 0)
        go_down(k, rc);
}

void rp__link_join(struct rp__link *k)
{
    rp__unlink(&k->strange);
    rp__holes_before(k);
    k->state = RP__L_JOINING;
    rp__timer_stop(&k->home->wheel, &k->timer);
    rp__timer_start(&k->home->wheel, &k->timer, k->home->now + RP__BEAT_MS * RP_MS);
    tell_loops(k);
}

void rp__link_up(struct rp__link *k)
{
    k->state = RP__L_UP;
    if (rp__traces(k->home, RP__T_LINK))
        rp__trace(k->home, RP__T_LINK, "link %u to node %llx \"%s\" is up", (unsigned)k->id, (unsigned long long)k->peer, k->name);
    k->reader.max_frame = RP__MAX_FRAME;
    pthread_mutex_lock(&k->lock);
    k->down = false;
    pthread_mutex_unlock(&k->lock);
    rp__pulse_add(k);
    rp__dial_settled(k, 0);
}

static void go_down(struct rp__link *k, int reason)
{
    if (k->state == RP__L_DOWN)
        return;
    if (k->state == RP__L_JOINING && k->unanswered > 0) {
        k->reason = reason != 0 ? reason : -EHOSTUNREACH; /* after the loops have answered */
        return;
    }
    bool known = k->state >= RP__L_JOINING;
    rp__unlink(&k->strange);
    rp__pulse_remove(k);
    rp__link_refused(k, known, reason);
    k->state = RP__L_DOWN;
    k->reason = reason;
    if (rp__traces(k->home, RP__T_LINK))
        rp__trace(k->home, RP__T_LINK, "link %u to node %llx \"%s\" is down, %d", (unsigned)k->id, (unsigned long long)k->peer,
                  k->name, reason);
    k->lost_at = k->home->world->now(k->home) + (known || reason != 0 ? RP__LINGER_MS * RP_MS : 0);
    rp__outbox_down(k, reason != 0); /* who leaves in peace says all it had to say */
    rp__dial_settled(k, reason != 0 ? reason : -ECONNRESET); /* unless it was up: then nobody waits for it */
    if (!known) {
        free_soon(k);
        return;
    }
    k->c->frames->end(k, reason);
    tell_loops(k);
}

/* ---- events --------------------------------------------------------------------------------------- */

void rp__link_broken(struct rp__link *k, int rc)
{
    wire_closed(k);
    if (k->state == RP__L_DOWN)
        free_soon(k);
    else
        go_down(k, k->state < RP__L_JOINING && rc != 0 ? rc : -EHOSTUNREACH);
}

/* The peer has been told who we are: a stranger is told nothing before he has said a sound HELLO. */
static bool has_greeted(const struct rp__link *k)
{
    return k->state > (k->dialler ? RP__L_DIALLING : RP__L_HELLO);
}

void rp__link_leave(struct rp__link *k, int reason, enum rp__bye code, const char *text)
{
    if (k->state == RP__L_DOWN)
        return;
    size_t n = strlen(text);
    unsigned char payload[3 + 64];
    struct rp__w w = {payload, 0, sizeof payload};
    rp__put16(&w, (uint16_t)code);
    rp__put8(&w, (uint8_t)(n < 64 ? n : 64));
    rp__put_bytes(&w, text, n < 64 ? n : 64);
    if (k->wire && has_greeted(k)) /* behind what was said before, if it leaves in peace */
        (void)!rp__link_emit(k->home, k, reason != 0, RP__BYE, 0, payload, w.n);
    go_down(k, reason);
}

static int bye_error(unsigned code)
{
    switch (code) {
    case RP__BYE_NORMAL:
        return 0;
    case RP__BYE_AUTH:
        return -EACCES;
    case RP__BYE_DUP:
        return -EALREADY;
    case RP__BYE_VERSION:
        return -EPROTONOSUPPORT;
    case RP__BYE_LIMIT:
        return -ENOBUFS;
    default:
        return -EPROTO;
    }
}

static int on_bye(struct rp__link *k, struct rp__in in)
{
    int rc = bye_error(rp__get16(&in));
    k->peer_left = true;
    if (k->state == RP__L_DOWN)
        free_soon(k);
    else
        rp__link_leave(k, k->state == RP__L_UP ? rc : rc != 0 ? rc : -ECONNRESET, RP__BYE_NORMAL, "");
    return -ECONNRESET;
}

static int on_ping(struct rp__link *k, const struct rp__frame *f)
{
    size_t n = (size_t)(f->payload.end - f->payload.at);
    return n == 8 ? rp__link_emit(k->home, k, true, RP__PONG, 0, f->payload.at, n) : -EPROTO;
}

static int on_frame(void *ud, const struct rp__frame *f)
{
    struct rp__link *k = ud;
    if (f->type == RP__BYE)
        return on_bye(k, f->payload);
    if (k->state == RP__L_DOWN)
        return 0; /* what it said before it knew */
    if (k->state < RP__L_JOINING) /* not yet who it says: nothing that it could have us answer again and again */
        return rp__on_greeting(k, f);
    if (f->type == RP__PING)
        return on_ping(k, f);
    if (f->type == RP__PONG)
        return 0;
    if (k->state < RP__L_UP)
        return rp__on_greeting(k, f);
    return k->c->frames->read(k, f);
}

static void on_lose(struct rp__post *p, struct rp_loop *l)
{
    (void)l;
    struct rp__link *k = RP__OF(struct rp__link, lose, p);
    k->lost = true;
    if (k->losing == -ENOBUFS)
        rp__link_leave(k, rp__link_limit(k, "bytes wait for it, so it does not read", RP__HELD_MOST), RP__BYE_LIMIT, "it does not read");
    else
        rp__link_broken(k, k->losing);
}

void rp__link_lose(struct rp__link *k, int rc)
{
    pthread_mutex_lock(&k->lock);
    bool first = k->losing == 0;
    if (first)
        k->losing = rc;
    pthread_mutex_unlock(&k->lock);
    k->lose.fn = on_lose;
    if (first)
        (void)!rp__inbox_push(k->home, &k->lose);
}

int rp__link_limit(struct rp__link *k, const char *what, unsigned most)
{
    if (k->state != RP__L_DOWN)
        rp__report(rp__link_sys(k), &(rp_report){.kind = RP_REPORT_LINK, .err = -ENOBUFS, .name = k->name},
                   "the link with node %llx \"%s\" is given up: more than %u %s", (unsigned long long)k->peer, k->name, most, what);
    return -ENOBUFS;
}

static enum rp__bye bye_of(int rc)
{
    switch (rc) {
    case -EACCES:
        return RP__BYE_AUTH;
    case -EALREADY:
        return RP__BYE_DUP;
    case -EOVERFLOW:
        return RP__BYE_FLOW;
    case -EPROTONOSUPPORT:
        return RP__BYE_VERSION;
    case -ENOBUFS:
        return RP__BYE_LIMIT;
    default:
        return RP__BYE_PROTO;
    }
}

void rp__link_bytes(struct rp__link *k, const void *p, size_t n)
{
    if (k->peer_left)
        return;
    k->beat.heard = true;
    int rc = rp__reader_feed(&k->reader, p, n, on_frame, k);
    if (rc == 0 || rc == -ECONNRESET || rc == -EHOSTUNREACH) /* the last: it is being lost */
        return;
    enum rp__bye code = bye_of(rc);
    rp__link_leave(k, code == RP__BYE_FLOW ? -EPROTO : rc, code, rp_strerror(rc));
}

void rp__link_accepted(struct rp__link *k)
{
    if (k->c->closing || rp__draining(k->c->rt)) {
        go_down(k, -ECONNREFUSED);
        return;
    }
    struct rp__link *goes = rp__stranger_too_many(k);
    if (goes)
        go_down(goes, -ECONNREFUSED);
    k->carrier->begin(k);
}

void rp__link_hurry(struct rp__link *k, int64_t ms)
{
    rp__timer_stop(&k->home->wheel, &k->timer);
    rp__timer_start(&k->home->wheel, &k->timer, k->home->now + ms * RP_MS);
}

void rp__link_dialled(struct rp__link *k, int rc)
{
    if (k->state != RP__L_DIALLING)
        return;
    if (rc == 0) {
        k->state = RP__L_HELLO;
        rp__link_hurry(k, RP__GREETING_MS);
        k->carrier->begin(k);
        rc = rp__greet(k);
    }
    if (rc != 0)
        go_down(k, rc);
}

/* The timer of a link: the end of patience while it is strange, the heartbeat while it is up. */
static void on_beat(struct rp__timer *t, struct rp__wheel *w)
{
    (void)w;
    struct rp__link *k = RP__OF(struct rp__link, timer, t);
    if (k->state == RP__L_DOWN) {
        try_free(k);
        return;
    }
    if (k->state < RP__L_JOINING) {
        go_down(k, -ETIMEDOUT);
        return;
    }
    rp__timer_start(&k->home->wheel, &k->timer, k->home->now + RP__BEAT_MS * RP_MS);
    int rc = rp__beat(k);
    if (rc != 0) {
        wire_closed(k);
        go_down(k, rc);
    }
}
