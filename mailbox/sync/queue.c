/* SPDX-License-Identifier: MIT
 *
 * queue.c - putting, getting, closing. Leases are lease.c, the order of items is store.c.
 */
#include "mailbox/sync/queue.h"

#include "loop/base/os.h"
#include "loop/fork.h"
#include "loop/system.h"

#include <assert.h>
#include <string.h>

const char rp__for_room[] = "room in a queue", rp__for_item[] = "an item", rp__for_queue_done[] = "a queue to be done";

/* ---- life ---------------------------------------------------------------------------------------- */

int rp_queue_new(size_t item, uint32_t capacity, const rp_queue_opts *given, rp_queue **ret)
{
    rp_queue_opts o = given ? *given : (rp_queue_opts){0};
    if (!ret || item == 0 || item > RP_ITEM_MAX || (unsigned)o.order > RP_PRIORITY || (capacity == 0 && o.order != RP_FIFO) ||
        (o.order == RP_PRIORITY) != (o.priority != 0))
        return -EINVAL;
    rp_alloc mem = o.mem ? *o.mem : rp__libc_alloc;
    rp_queue *q = mem.alloc(mem.ud, sizeof *q);
    if (!q)
        return -ENOMEM;
    *q = (rp_queue){.plain = o.order == RP_FIFO, .forks = rp__forks, .fd = -1, .item = item, .priority = o.priority, .drop = o.drop,
                    .mem = mem};
    if (o.name)
        memcpy(q->name, o.name, strnlen(o.name, sizeof q->name - 1));
    int rc = rp__store_init(&q->store, &mem, o.order, item, capacity);
    if (rc != 0) {
        mem.free(mem.ud, q, sizeof *q);
        return rc;
    }
    *ret = q;
    return 0;
}

void rp_queue_free(rp_queue *q)
{
    if (!q)
        return;
    assert(!q->putters.first && !q->getters.first && !q->joiners.first && "somebody waits in the queue");
    assert(q->leased == 0 && "an item of the queue is leased");
    rp_queue_close_get(q);
    rp__leases_fini(q);
    if (q->fd >= 0)
        rp__os_flag_close(q->fd);
    rp__store_fini(&q->store, &q->mem);
    rp_alloc mem = q->mem;
    mem.free(mem.ud, q, sizeof *q);
}

/* ---- what holds between two operations ------------------------------------------------------------- */

static bool idle(const rp_queue *q) /* all that was put has found its end */
{
    return q->store.count == 0 && !q->returned && q->leased == 0;
}

static bool something(const rp_queue *q) /* to get, or to learn */
{
    return q->store.count > 0 || q->returned || (q->store.capacity == 0 && q->putters.first) ||
           q->get_closed || (q->put_closed && q->leased == 0);
}

/* The descriptor goes up when there is something, and down when a call has found nothing: one system call
 * for each of these, none while nobody asked for it. Both under the latch, or they could change places. */
static void raise_flag(rp_queue *q)
{
    if (q->fd < 0 || q->raised)
        return;
    q->raised = true;
    rp__os_flag_raise(q->fd);
}

static void lower_flag(rp_queue *q)
{
    if (!q->raised)
        return;
    q->raised = false;
    rp__os_flag_lower(q->fd);
}

void rp__queue_settle(rp_queue *q, struct rp__woken *w)
{
    if (idle(q)) {
        w->joiners = rp__line_take_all(&q->joiners);
        if (q->put_closed)
            w->broken = rp__line_take_all(&q->getters);
    }
    if (q->fd >= 0 && something(q))
        raise_flag(q);
}

void rp__queue_wake(const struct rp__woken *w, struct rp_loop *here)
{
    if (w->served)
        rp__unpark(w->served, 0, here);
    rp__unpark_all(w->joiners, 0, here);
    rp__unpark_all(w->broken, -EPIPE, here);
}

/* ---- the short way --------------------------------------------------------------------------------- */

/* There is room and nobody to hand it to: no line changes, nobody is woken. False: the long way. */
static inline bool put_short(rp_queue *q, const void *item)
{
    rp__latch(&q->latch);
    bool may = q->plain && !q->getters.first && q->store.count < q->store.capacity;
    if (may) {
        rp__store_append(&q->store, q->number++, item, q->item);
        if (q->store.count > q->high_water)
            q->high_water = q->store.count;
    }
    rp__unlatch(&q->latch);
    return may;
}

/* There is an item, and nobody waits for its place or for the queue to be empty. */
static inline bool get_short(rp_queue *q, void *item)
{
    rp__latch(&q->latch);
    bool may = q->plain && q->store.count > 0 && !q->returned && !q->putters.first && !q->joiners.first;
    if (may)
        rp__store_shift(&q->store, item, q->item);
    rp__unlatch(&q->latch);
    return may;
}

/* ---- put ----------------------------------------------------------------------------------------- */

void rp__queue_hand(rp_queue *q, struct rp__getter *g, const void *item, struct rp__rank rank, unsigned tries)
{
    rp__item_copy(g->item, item, q->item);
    struct rp__lease *in = g->lease;
    if (!in)
        return;
    memcpy(in->item, item, q->item);
    in->rank = rank;
    in->tries = tries + 1;
    in->id = ++q->leases;
    q->leased++;
}

static struct rp__rank next_rank(rp_queue *q, int64_t key)
{
    uint64_t number = q->number++;
    return (struct rp__rank){q->store.order == RP_LIFO ? -(int64_t)number : key, number};
}

static void keep(rp_queue *q, const struct rp__putter *p)
{
    rp__store_push(&q->store, next_rank(q, p->key), p->item, q->item);
    if (q->store.count > q->high_water)
        q->high_water = q->store.count;
}

static int try_put(void *object, struct rp__waiter *w)
{
    rp_queue *q = object;
    struct rp__putter *p = (struct rp__putter *)w;
    if (q->put_closed)
        return -EPIPE;
    if (q->getters.first) {
        p->woken.served = rp__line_pop(&q->getters);
        rp__queue_hand(q, (struct rp__getter *)p->woken.served, p->item, next_rank(q, p->key), 0);
        return 0;
    }
    if (q->store.count == q->store.capacity) {
        if (q->store.capacity == 0)
            raise_flag(q); /* it will stand there with its item */
        return -EAGAIN;
    }
    keep(q, p);
    raise_flag(q);
    return 0;
}

static int64_t key_of(const rp_queue *q, const void *item)
{
    return q->priority ? q->priority(item) : 0;
}

__attribute__((noinline)) static int put_long(rp_self *me, rp_queue *q, const void *item, rp_time deadline)
{
    struct rp__putter p = {.item = item, .key = key_of(q, item)};
    int rc = rp__wait_unrested(me, &q->latch, &q->putters, &p.w, try_put, q, rp__for_room, deadline);
    rp__queue_wake(&p.woken, me->loop);
    if (!p.w.self)
        rp__rest(me);
    return rc;
}

int rp_queue_put(rp_self *me, rp_queue *q, const void *item, rp_time deadline)
{
    if (__builtin_expect(!q | !item, 0)) /* one branch */
        return -EINVAL;
    if (rp__checkpoint(me) != 0 || !put_short(q, item))
        return put_long(me, q, item, deadline);
    rp__rest(me);
    return 0;
}

int rp_queue_try_put(rp_queue *q, const void *item)
{
    if (__builtin_expect(!q | !item, 0)) /* one branch */
        return -EINVAL;
    if (q->forks != rp__forks)
        return -EPERM;
    if (put_short(q, item))
        return 0;
    struct rp__putter p = {.item = item, .key = key_of(q, item)};
    rp__latch(&q->latch);
    int rc = try_put(q, &p.w);
    rp__unlatch(&q->latch);
    rp__queue_wake(&p.woken, 0);
    return rc;
}

/* ---- get ----------------------------------------------------------------------------------------- */

/* There is room in the store now: for the item of whoever has waited longest. */
static void let_in(rp_queue *q, struct rp__woken *w)
{
    w->served = rp__line_pop(&q->putters);
    if (w->served)
        keep(q, (struct rp__putter *)w->served);
}

static void get_returned(rp_queue *q, struct rp__getter *g)
{
    struct rp__lease *r = q->returned;
    q->returned = r->next;
    rp__queue_hand(q, g, r->item, r->rank, r->tries);
    r->next = q->spare;
    q->spare = r;
}

static void meet(rp_queue *q, struct rp__getter *g) /* a rendezvous */
{
    struct rp__putter *p = (struct rp__putter *)rp__line_pop(&q->putters);
    g->woken.served = &p->w;
    rp__queue_hand(q, g, p->item, next_rank(q, p->key), 0);
}

static int try_get(void *object, struct rp__waiter *w)
{
    rp_queue *q = object;
    struct rp__getter *g = (struct rp__getter *)w;
    struct rp__cell *c = rp__store_first(&q->store);
    if (q->get_closed)
        return -EPIPE;
    if (q->returned && (!c || rp__before(q->returned->rank, c->rank))) {
        get_returned(q, g);
    } else if (c) {
        rp__queue_hand(q, g, c->item, c->rank, 0);
        rp__store_pop(&q->store);
        let_in(q, &g->woken);
    } else if (q->putters.first) {
        meet(q, g);
    } else if (q->put_closed && q->leased == 0) {
        return -EPIPE;
    } else {
        lower_flag(q);
        return -EAGAIN;
    }
    rp__queue_settle(q, &g->woken);
    return 0;
}

int rp__queue_get(rp_self *me, rp_queue *q, struct rp__getter *g, rp_time deadline)
{
    int rc = rp__wait_unrested(me, &q->latch, &q->getters, &g->w, try_get, q, rp__for_item, deadline);
    rp__queue_wake(&g->woken, me->loop);
    if (!g->w.self)
        rp__rest(me);
    return rc;
}

__attribute__((noinline)) static int get_long(rp_self *me, rp_queue *q, void *item, rp_time deadline)
{
    struct rp__getter g = {.item = item};
    return rp__queue_get(me, q, &g, deadline);
}

int rp_queue_get(rp_self *me, rp_queue *q, void *item, rp_time deadline)
{
    if (__builtin_expect(!q | !item, 0)) /* one branch */
        return -EINVAL;
    if (rp__checkpoint(me) != 0 || !get_short(q, item))
        return get_long(me, q, item, deadline);
    rp__rest(me);
    return 0;
}

int rp_queue_try_get(rp_queue *q, void *item)
{
    if (__builtin_expect(!q | !item, 0)) /* one branch */
        return -EINVAL;
    if (q->forks != rp__forks)
        return -EPERM;
    if (get_short(q, item))
        return 0;
    struct rp__getter g = {.item = item};
    rp__latch(&q->latch);
    int rc = try_get(q, &g.w);
    rp__unlatch(&q->latch);
    rp__queue_wake(&g.woken, 0);
    return rc;
}

/* ---- join, close, look --------------------------------------------------------------------------- */

static int try_join(void *object, struct rp__waiter *w)
{
    (void)w;
    return idle(object) ? 0 : -EAGAIN;
}

int rp_queue_join(rp_self *me, rp_queue *q, rp_time deadline)
{
    if (!q)
        return -EINVAL;
    struct rp__waiter w = {0};
    return rp__wait_for(me, &q->latch, &q->joiners, &w, try_join, q, rp__for_queue_done, deadline);
}

void rp_queue_close_put(rp_queue *q)
{
    if (!q)
        return;
    struct rp__woken w = {0};
    rp__latch(&q->latch);
    q->put_closed = true;
    q->plain = false;
    struct rp__waiter *putters = rp__line_take_all(&q->putters);
    rp__queue_settle(q, &w);
    rp__unlatch(&q->latch);
    rp__unpark_all(putters, -EPIPE, 0);
    rp__queue_wake(&w, 0);
}

/* Takes one out of a queue that nobody can get from; false: there is none. */
static bool take_left(rp_queue *q, void *item)
{
    struct rp__getter g = {.item = item};
    rp__latch(&q->latch);
    struct rp__cell *c = rp__store_first(&q->store);
    bool any = c || q->returned;
    if (c) {
        rp__queue_hand(q, &g, c->item, c->rank, 0);
        rp__store_pop(&q->store);
    } else if (any) {
        get_returned(q, &g);
    }
    rp__queue_settle(q, &g.woken);
    rp__unlatch(&q->latch);
    rp__queue_wake(&g.woken, 0);
    return any;
}

void rp_queue_close_get(rp_queue *q)
{
    if (!q)
        return;
    rp__latch(&q->latch);
    q->put_closed = q->get_closed = true;
    q->plain = false;
    raise_flag(q); /* for good: what a call finds from now on is -EPIPE, whatever is leased */
    struct rp__waiter *putters = rp__line_take_all(&q->putters);
    struct rp__waiter *getters = rp__line_take_all(&q->getters);
    rp__unlatch(&q->latch);
    rp__unpark_all(putters, -EPIPE, 0);
    rp__unpark_all(getters, -EPIPE, 0);
    _Alignas(16) char item[RP_ITEM_MAX];
    while (take_left(q, item)) /* bounded: nothing more comes in */
        if (q->drop)
            q->drop(item);
}

int rp_queue_fd(rp_queue *q)
{
    if (!q)
        return -EINVAL;
    int fresh = rp__os_flag_open();
    rp__latch(&q->latch);
    if (q->fd < 0 && fresh >= 0) {
        q->fd = fresh;
        q->plain = false;
        fresh = -1;
        if (something(q))
            raise_flag(q);
    }
    int fd = q->fd;
    rp__unlatch(&q->latch);
    if (fresh >= 0)
        rp__os_flag_close(fresh);
    return fd >= 0 ? fd : -EMFILE;
}

void rp_queue_read(rp_queue *q, rp_queue_stats *ret)
{
    if (!q || !ret)
        return;
    rp__latch(&q->latch);
    uint32_t returned = 0;
    for (const struct rp__lease *r = q->returned; r; r = r->next)
        returned++;
    *ret = (rp_queue_stats){
        .count = q->store.count + returned,
        .leased = q->leased,
        .putters = q->putters.count,
        .getters = q->getters.count,
        .joiners = q->joiners.count,
        .high_water = q->high_water,
        .put = q->number,
        .taken = q->leases,
    };
    rp__unlatch(&q->latch);
}
