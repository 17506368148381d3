/* SPDX-License-Identifier: MIT
 *
 * outbox.c - the queues of a link, and how what stands in them leaves.
 */
#include "cluster/link/room.h"

#include <errno.h>
#include <string.h>

/* ---- buffers: the lock is held -------------------------------------------------------------------- */

static struct rp__outbuf *outbuf_new(struct rp__link *k, size_t least)
{
    struct rp__outbuf *b = k->box.spare;
    if (b && b->size >= least) {
        k->box.spare = 0;
    } else {
        size_t size = least > RP__BATCH ? least : RP__BATCH;
        b = rp__alloc(rp__link_sys(k), sizeof *b + size);
        if (!b)
            return 0;
        b->size = size;
    }
    b->next = 0;
    b->n = 0;
    return b;
}

static void outbuf_free(struct rp__link *k, struct rp__outbuf *b)
{
    if (!b)
        return;
    if (!k->box.spare && b->size == RP__BATCH)
        k->box.spare = b;
    else
        rp__free_mem(rp__link_sys(k), b, sizeof *b + b->size);
}

static void outq_drop(struct rp__link *k, struct rp__outq *q)
{
    for (struct rp__outbuf *b = q->first, *next; b; b = next) {
        next = b->next;
        outbuf_free(k, b);
    }
    *q = (struct rp__outq){0, 0};
}

static struct rp__outbuf *outq_take(struct rp__outq *q)
{
    struct rp__outbuf *b = q->first;
    if (b && !(q->first = b->next))
        q->last = 0;
    return b;
}

unsigned char *rp__link_frame(struct rp__link *k, bool control, uint8_t type, uint8_t flags, uint16_t number, size_t n)
{
    struct rp__outq *q = control ? &k->box.control : &k->box.bulk;
    size_t whole = RP__FRAME_HEADER + n;
    struct rp__outbuf *b = q->last;
    if (!b || b->size - b->n < whole) {
        if (!(b = outbuf_new(k, whole)))
            return 0;
        if (q->last)
            q->last->next = b;
        else
            q->first = b;
        q->last = b;
    }
    struct rp__w w = {b->data + b->n, 0, RP__FRAME_HEADER};
    rp__put_frame(&w, type, flags, number, n);
    b->n += whole;
    k->box.queued += control ? 0 : whole;
    k->box.held += whole;
    return b->data + b->n - n;
}

/* The next batch, if there is one and none is on its way. */
static bool take_batch(struct rp__link *k)
{
    struct rp__outbox *o = &k->box;
    struct rp__batch *b = &o->batch;
    if (o->sending || o->cut || (!o->control.first && !o->bulk.first))
        return false;
    b->buf[0] = outq_take(&o->control);
    b->buf[1] = outq_take(&o->bulk);
    size_t n = (b->buf[0] ? b->buf[0]->n : 0) + (b->buf[1] ? b->buf[1]->n : 0);
    o->queued -= b->buf[1] ? b->buf[1]->n : 0;
    b->nhead = 0;
    if (!o->greeted) {
        rp__put_sp(b->head);
        b->nhead = RP__SP_HEADER;
        o->greeted = true;
    }
    b->nhead += rp__put_sp_message(b->head + b->nhead, k->ipc, n);
    o->sending = true;
    return true;
}

static void wake_all(struct rp__hook *waiters, int rc)
{
    for (struct rp__hook *at; (at = rp__list_pop(waiters));)
        rp__wake_from_afar(RP__OF(rp_self, queue, at), rc);
}

static void batch_gone(struct rp__link *k)
{
    struct rp__outbox *o = &k->box;
    for (unsigned i = 0; i < 2; i++) {
        o->held -= o->batch.buf[i] ? o->batch.buf[i]->n : 0;
        outbuf_free(k, o->batch.buf[i]);
        o->batch.buf[i] = 0;
    }
    o->told &= o->held > RP__HELD_HIGH / 2;
    atomic_fetch_add_explicit(&o->moved, 1, memory_order_relaxed);
    o->sending = false;
    rp__room_in_queue(k, RP__QUEUE_LOW);
}

/* ---- leaving -------------------------------------------------------------------------------------- */

/* Sends what has piled up, until there is no more or the carrier needs time. The lock is held, but not while
 * the carrier writes; `at_wire` is held then, by which who closes it knows that it has been left. */
static void push_out(struct rp__link *k)
{
    while (take_batch(k)) {
        pthread_mutex_lock(&k->box.at_wire);
        pthread_mutex_unlock(&k->lock);
        bool gone = k->carrier->send(k);
        pthread_mutex_unlock(&k->box.at_wire);
        pthread_mutex_lock(&k->lock);
        if (!gone)
            return;
        batch_gone(k);
    }
}

void rp__link_sent(struct rp__link *k, int rc)
{
    pthread_mutex_lock(&k->lock);
    batch_gone(k);
    if (rc == 0)
        push_out(k);
    pthread_mutex_unlock(&k->lock);
}

void rp__link_pulse(struct rp__link *k)
{
    static const unsigned char stamp[8];
    pthread_mutex_lock(&k->lock);
    bool idle = !k->box.sending && !k->box.cut && !k->down && !k->box.control.first;
    unsigned char *to = idle ? rp__link_frame(k, true, RP__PING, 0, 0, sizeof stamp) : 0;
    if (to)
        memcpy(to, stamp, sizeof stamp);
    push_out(k);
    bool waits = k->box.sending && !k->box.cut && k->carrier->go_on; /* a part of a frame will do */
    if (waits)
        pthread_mutex_lock(&k->box.at_wire);
    pthread_mutex_unlock(&k->lock);
    if (waits) {
        k->carrier->go_on(k);
        pthread_mutex_unlock(&k->box.at_wire);
    }
}

static void at_round_end(struct rp__round_end *e, struct rp_loop *l)
{
    (void)l;
    struct rp__link *k = RP__OF(struct rp__link_loop, round_end, e)->k;
    pthread_mutex_lock(&k->lock);
    push_out(k);
    pthread_mutex_unlock(&k->lock);
}

void rp__link_touch(struct rp_loop *l, struct rp__link *k)
{
    rp__at_round_end(l, &k->loops[l->index].round_end);
}

int rp__link_emit(struct rp_loop *l, struct rp__link *k, bool control, uint8_t type, uint16_t number, const void *payload, size_t n)
{
    pthread_mutex_lock(&k->lock);
    int rc = k->box.cut || (k->down && !control) ? -EHOSTUNREACH : 0;
    bool too_much = rc == 0 && k->box.held > RP__HELD_MOST && type != RP__BYE;
    rc = too_much ? -EHOSTUNREACH : rc;
    unsigned char *at = rc == 0 ? rp__link_frame(k, control, type, 0, number, n) : 0;
    if (at && n > 0)
        memcpy(at, payload, n);
    pthread_mutex_unlock(&k->lock);
    if (too_much)
        rp__link_lose(k, -ENOBUFS);
    if (!at)
        return rc != 0 ? rc : -ENOMEM;
    rp__link_touch(l, k);
    return 0;
}

/* ---- birth and death ------------------------------------------------------------------------------ */

void rp__outbox_init(struct rp__link *k)
{
    rp__list_init(&k->box.room);
    pthread_mutex_init(&k->box.at_wire, 0);
    for (unsigned i = 0; i < rp__link_sys(k)->nloops; i++)
        k->loops[i].round_end.fn = at_round_end;
}

void rp__outbox_down(struct rp__link *k, bool drop)
{
    pthread_mutex_lock(&k->lock);
    k->down = true;
    if (drop) {
        outq_drop(k, &k->box.bulk);
        k->box.held -= k->box.queued;
        k->box.queued = 0;
    }
    wake_all(&k->box.room, -EHOSTUNREACH);
    push_out(k);
    pthread_mutex_unlock(&k->lock);
}

void rp__outbox_cut(struct rp__link *k)
{
    pthread_mutex_lock(&k->lock);
    k->box.cut = true;
    pthread_mutex_unlock(&k->lock);
    pthread_mutex_lock(&k->box.at_wire);
    pthread_mutex_unlock(&k->box.at_wire);
}

bool rp__outbox_gone(struct rp__link *k)
{
    pthread_mutex_lock(&k->lock);
    bool gone = k->box.cut || (!k->box.sending && !k->box.control.first && !k->box.bulk.first);
    pthread_mutex_unlock(&k->lock);
    return gone;
}

void rp__outbox_free(struct rp__link *k)
{
    struct rp__outbox *o = &k->box;
    outq_drop(k, &o->control);
    outq_drop(k, &o->bulk);
    outbuf_free(k, o->batch.buf[0]);
    outbuf_free(k, o->batch.buf[1]);
    if (o->spare)
        rp__free_mem(rp__link_sys(k), o->spare, sizeof *o->spare + o->spare->size);
    pthread_mutex_destroy(&o->at_wire);
}
