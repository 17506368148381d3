/* SPDX-License-Identifier: MIT
 *
 * loop.c - opening and closing a loop, its rings to the others, and going to sleep without missing a
 * wake-up. Who runs when is scheduler.c.
 */
#include "loop/loop.h"

#include "loop/system.h"
#include "loop/trace.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* ---- open, close --------------------------------------------------------------------------------- */

static void seed(struct rp_loop *l)
{
    uint64_t x = l->world->seed(l->sys) + l->index * UINT64_C(0x632be59bd9b4e019);
    for (unsigned i = 0; i < 2; i++) { /* splitmix64, as its authors advise for seeding */
        uint64_t z = x += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        l->rng[i] = z ^ z >> 31;
    }
}

int rp__loop_open(struct rp_loop *l, rp_system *sys, unsigned index)
{
    l->sys = sys;
    l->world = sys->world;
    l->index = index;
    l->node = sys->node;
    rp__list_init(&l->ready);
    rp__list_init(&l->yielded);
    rp__list_init(&l->due);
    rp__young_init(&l->young);
    l->trim_at = RP_FOREVER;
    rp__stint_init(&l->stint, sys->budget);
    rp__waitlist_init(&l->in_line);
    rp__waitlist_init(&l->window.waiters);
    rp__list_init(&l->spills);
    rp__stacks_init(&l->stacks, &sys->mem);
    l->home.loop = l;
    seed(l);
    int rc = rp__pool_init(&l->pool, &sys->mem, index, sys->nloops, sys->pools);
    if (rc != 0)
        return rc;
    l->out = rp__alloc(sys, sys->nloops * sizeof *l->out);
    l->in = rp__alloc(sys, sys->nloops * sizeof *l->in);
    for (unsigned i = 0; l->out && i < sys->nloops; i++) /* each by itself: half-open loops are closed too */
        l->out[i] = 0;
    for (unsigned i = 0; l->in && i < sys->nloops; i++)
        atomic_init(&l->in[i], 0);
    if (!l->out || !l->in)
        return -ENOMEM;
    l->sampler.off = sys->unmeasured;
    rp__sampler_init(&l->sampler, l->rng[0], sys->world->now(l));
    if ((rc = rp__events_init(&l->events, &l->pool, &l->sampler)) != 0 || (rc = rp__sched_open(l)) != 0)
        return rc;
    if ((rc = sys->world->open(l)) != 0)
        return rc;
    l->now = sys->world->now(l);
    if (index == 0)
        sys->began = l->now;
    rp__trace_set(l, 0);
    if ((rc = rp__wheel_init(&l->wheel, l->now)) != 0)
        return rc;
    return sys->floor->open(l);
}

void rp__loop_close(struct rp_loop *l)
{
    rp_system *sys = l->sys;
    if (!sys)
        return;
    sys->floor->close(l);
    sys->world->close(l);
    for (unsigned i = 0; l->out && i < sys->nloops; i++)
        if (l->out[i])
            rp__ring_free(&sys->mem, l->out[i]);
    rp__free_mem(sys, l->out, sys->nloops * sizeof *l->out);
    rp__free_mem(sys, (void *)l->in, sys->nloops * sizeof *l->in);
    rp__events_fini(&l->events);
    rp__wheel_fini(&l->wheel);
    rp__stacks_fini(&l->stacks);
}

uint64_t rp__random_of(struct rp_loop *l) /* xoroshiro128+ */
{
    uint64_t a = l->rng[0], b = l->rng[1], r = a + b;
    b ^= a;
    l->rng[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
    l->rng[1] = b << 37 | b >> 27;
    return r;
}

/* ---- rings to other loops ------------------------------------------------------------------------ */

struct rp__ring *rp__ring_open(struct rp_loop *l, unsigned dst)
{
    struct rp_loop *to = l->sys->loops[dst];
    struct rp__ring *r = rp__ring_new(&l->sys->mem, l, to, &l->sampler);
    if (!r)
        return 0;
    l->out[dst] = r;
    /* P0 of ring.h. seq_cst, with the load in rp__anything_inbound: a consumer that does not see the ring looks at no tail of
     * it, and if that could be after its C1 and still before P0, neither side would see the other */
    atomic_store_explicit(&to->in[l->index], r, memory_order_seq_cst);
    return r;
}

void rp__ring_wait(struct rp_loop *l, struct rp__ring *r)
{
    if (r->waiting)
        return;
    r->waiting = true;
    r->waiting_next = l->waiting;
    l->waiting = r;
}

static bool push_copy(struct rp_loop *l, struct rp__ring *r, const struct rp__slot *s, unsigned n,
                      unsigned reserve)
{
    struct rp__slot *at = rp__ring_push(r, n, reserve);
    if (!at)
        return false;
    memcpy(at, s, n * sizeof *s);
    rp__ring_commit(r, n);
    rp__ring_touch(l, r);
    return true;
}

/* Into the queue that leads to `dst`, if there is room and nothing waits before it. */
static bool try_post(struct rp_loop *l, unsigned dst, const struct rp__slot *s, unsigned n)
{
    if (dst != l->index) {
        struct rp__ring *r = rp__ring_to(l, dst);
        return r && rp__list_empty(&r->spills) && push_copy(l, r, s, n, 0);
    }
    struct rp__slot *at = rp__list_empty(&l->spills) ? rp__events_push(&l->events, n) : 0;
    if (at)
        memcpy(at, s, n * sizeof *s);
    return at != 0;
}

struct rp__spill *rp__spill_of(struct rp_loop *l, unsigned n)
{
    struct rp__spill *s = rp__pool_get(&l->pool, sizeof *s + n * sizeof *s->slot);
    if (s)
        s->n = s->room = n;
    return s;
}

int rp__post_slots(struct rp_loop *l, unsigned dst, const struct rp__slot *s, unsigned n)
{
    if (try_post(l, dst, s, n))
        return 0;
    if (dst != l->index && !l->out[dst])
        return -ENOMEM;
    struct rp__spill *spill = rp__spill_of(l, n);
    if (!spill)
        return -ENOMEM;
    memcpy(spill->slot, s, n * sizeof *s);
    rp__post_spill(l, dst, spill);
    return 0;
}

/* It has come through the inbox, and queues up here. */
static void arrive(struct rp__post *p, struct rp_loop *l)
{
    rp__post_spill(l, l->index, RP__OF(struct rp__spill, post, p));
}

void rp__post_spill(struct rp_loop *l, unsigned dst, struct rp__spill *s)
{
    if (try_post(l, dst, s->slot, s->n)) {
        rp__spill_free(l, s);
    } else if (dst == l->index) {
        rp__list_push(&l->spills, &s->link);
        l->slow |= RP__SLOW_SPILT;
    } else if (l->out[dst]) {
        rp__list_push(&l->out[dst]->spills, &s->link);
        rp__ring_wait(l, l->out[dst]);
    } else {
        s->post.fn = arrive;
        if (rp__inbox_push(l->sys->loops[dst], &s->post) == 0)
            return;
        l->sys->floor->discard(l, s->slot);
        rp__spill_free(l, s);
    }
}

struct rp__spill *rp__spill_take(struct rp_loop *l)
{
    struct rp__hook *at = rp__list_pop(&l->spills);
    for (unsigned i = 0; i < l->sys->nloops && !at; i++)
        if (l->out[i])
            at = rp__list_pop(&l->out[i]->spills);
    return at ? RP__OF(struct rp__spill, link, at) : 0;
}

void rp__spill_free(struct rp_loop *l, struct rp__spill *s)
{
    rp__pool_free(&l->pool, s, sizeof *s + s->room * sizeof *s->slot);
}

bool rp__serve_own(struct rp_loop *l)
{
    while (!rp__list_empty(&l->spills)) {
        struct rp__spill *s = RP__OF(struct rp__spill, link, l->spills.next);
        struct rp__slot *at = rp__events_push(&l->events, s->n);
        if (!at)
            return false;
        memcpy(at, s->slot, s->n * sizeof *at);
        rp__unlink(&s->link);
        rp__spill_free(l, s);
    }
    l->slow &= ~(uint32_t)RP__SLOW_SPILT;
    return true;
}

/* Gives what room there is: first to what was spilled, in order, then to who waits. */
static void serve_waiting(struct rp_loop *l, struct rp__ring *r)
{
    while (!rp__list_empty(&r->spills)) {
        struct rp__spill *s = RP__OF(struct rp__spill, link, r->spills.next);
        if (!push_copy(l, r, s->slot, s->n, 0))
            return;
        rp__unlink(&s->link);
        rp__spill_free(l, s);
    }
    uint32_t room = RP__RING_SLOTS - RP__RING_RESERVE - (r->ptail - r->head_seen);
    for (; room > 0 && room <= RP__RING_SLOTS; room--) {
        rp_self *next = rp__waitlist_pop(&r->waiters, l->now);
        if (!next)
            return;
        rp__wake(next, 0);
    }
}

/* For each ring that somebody waits for: asks to be woken when there is room, then looks again. */
static void look_for_room(struct rp_loop *l)
{
    struct rp__ring *list = l->waiting;
    l->waiting = 0;
    for (struct rp__ring *r = list, *next; r; r = next) {
        next = r->waiting_next;
        r->waiting = false;
        atomic_store_explicit(&r->want, 1, memory_order_seq_cst);
        r->head_seen = atomic_load_explicit(&r->head, memory_order_seq_cst);
        serve_waiting(l, r);
        if (rp__ring_window_open(l, r))
            rp__window_serve(&r->window, l->now);
        if (!rp__list_empty(&r->spills) || !rp__waitlist_empty(&r->waiters) || !rp__waitlist_empty(&r->window.waiters))
            rp__ring_wait(l, r);
    }
}

/* Producer: P1 for every ring written to. Consumer: hands back what was read, wakes who waits. */
void rp__release_rings(struct rp_loop *l)
{
    for (struct rp__ring *r = l->dirty; r; r = r->dirty_next)
        if (r->released != r->ptail) {
            r->released = r->ptail;
            atomic_store_explicit(&r->tail, r->ptail, memory_order_release);
        }
}

/* What is heavy and has been dispatched: not before what has been said of it since is on its way. True: there was some. */
static bool return_taken(struct rp_loop *l, struct rp__ring *r)
{
    const struct rp__ring *out = l->out[r->src->index];
    if (r->taken == r->told || (out && !rp__list_empty(&out->spills)))
        return false;
    r->told = r->taken;
    atomic_store_explicit(&r->returned, r->taken, memory_order_seq_cst);
    return true;
}

/* Who waits for room in the ring or its window looks again. */
static void wake_if_wanted(struct rp__ring *r)
{
    if (atomic_load_explicit(&r->want, memory_order_seq_cst) && atomic_exchange_explicit(&r->want, 0, memory_order_seq_cst))
        rp__wake_loop(r->src);
}

void rp__ring_return(struct rp_loop *l, struct rp__ring *r)
{
    rp__release_rings(l);
    if (return_taken(l, r))
        wake_if_wanted(r);
}

void rp__publish(struct rp_loop *l)
{
    if (l->waiting)
        look_for_room(l);
    if (!rp__list_empty(&l->spills))
        rp__serve_own(l);
    while (l->dirty) {
        struct rp__ring *r = l->dirty;
        l->dirty = r->dirty_next;
        r->dirty = false;
        r->released = r->ptail;
        atomic_store_explicit(&r->tail, r->ptail, memory_order_seq_cst);
        rp__wake_loop(r->dst);
    }
    for (unsigned i = 0; i < l->sys->nloops; i++) {
        struct rp__ring *r = atomic_load_explicit(&l->in[i], memory_order_acquire);
        if (!r || (!return_taken(l, r) && r->chead == r->csettled))
            continue;
        r->cpublished = r->csettled = r->chead;
        atomic_store_explicit(&r->head, r->chead, memory_order_seq_cst);
        wake_if_wanted(r);
    }
    while (l->round_end) {
        struct rp__round_end *e = l->round_end;
        l->round_end = e->next;
        e->queued = false;
        e->fn(e, l);
    }
    rp__pool_flush(&l->pool);
}

/* ---- sleeping ------------------------------------------------------------------------------------ */

void rp__wake_loop(struct rp_loop *l)
{
    if (atomic_load_explicit(&l->sleeping, memory_order_seq_cst) &&
        atomic_exchange_explicit(&l->sleeping, 0, memory_order_seq_cst))
        l->world->wake(l);
}

bool rp__anything_inbound(struct rp_loop *l)
{
    if (atomic_load_explicit(&l->inbox.top, memory_order_seq_cst))
        return true;
    for (unsigned i = 0; i < l->sys->nloops; i++) {
        struct rp__ring *r = atomic_load_explicit(&l->in[i], memory_order_seq_cst);
        if (r && atomic_load_explicit(&r->tail, memory_order_seq_cst) != r->chead)
            return true;
    }
    return false;
}

/* The other half of C2: somebody took our `want`, so room may have come that we have not seen. To look
 * at the head instead is not enough (BUG7 of tests/model/wake.pml). */
static bool asked_and_answered(struct rp_loop *l)
{
    for (struct rp__ring *r = l->waiting; r; r = r->waiting_next)
        if (!atomic_load_explicit(&r->want, memory_order_seq_cst))
            return true;
    return false;
}

bool rp__anything_new(struct rp_loop *l)
{
    return rp__anything_inbound(l) || asked_and_answered(l);
}

/* What is freed is soon used again, and a page given back costs two microseconds to get: so only stacks
 * that a loop has not needed for a while are trimmed. It may be asleep by then, and wakes once for it. */
static void trim(struct rp_loop *l)
{
    enum { LATER = 100 };
    if (!rp__stacks_excess(&l->stacks)) {
        l->trim_at = RP_FOREVER;
    } else if (l->trim_at == RP_FOREVER) {
        l->trim_at = l->now + LATER * RP_MS;
    } else if (l->trim_at <= l->now) {
        rp__stacks_trim(&l->stacks);
        l->trim_at = RP_FOREVER;
    }
}

bool rp__sleep_begin(struct rp_loop *l)
{
    trim(l);
    rp__publish_gauges(l);
    atomic_store_explicit(&l->sleeping, 1, memory_order_seq_cst);
    if (!rp__anything_new(l))
        return true;
    atomic_store_explicit(&l->sleeping, 0, memory_order_relaxed); /* our own thread is awake */
    return false;
}

void rp__sleep_end(struct rp_loop *l)
{
    rp__count(&l->wakeups, 1);
    /* relaxed: whoever exchanged it in between has woken us, which is what happened; whoever reads
     * the 0 has stored its tail before our next C2 */
    atomic_store_explicit(&l->sleeping, 0, memory_order_relaxed);
    if (l->sys->stall)
        l->sys->lookout->woken(l);
}

rp_time rp__next_deadline(struct rp_loop *l)
{
    rp_time due = rp__wheel_next(&l->wheel);
    due = l->trim_at < due ? l->trim_at : due;
    return !rp__list_empty(&l->spills) && rp__after(l->now, RP_MS) < due ? rp__after(l->now, RP_MS) : due; /* nobody tells when some comes back */
}
