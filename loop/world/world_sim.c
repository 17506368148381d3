/* SPDX-License-Identifier: MIT */
#include "loop/overflow.h"
#include "loop/process/handler.h"
#include "loop/system.h"
#include "loop/world/sim.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sim_loop { /* a loop's world_ud */
    bool runnable;
    rp_self *held;      /* in the middle of a turn: who takes time. NULL: it stands between two turns */
    rp_time held_until;
};

struct rp__sim {
    rp_time now;
    uint64_t rng, hash, order;
    struct rp__sim_node *nodes;
    struct rp__sim_event *heap;
    size_t nheap, heap_size;
    void (*watch)(void *ud, struct rp__sim_node *n); /* NULL: nobody does */
    void *watch_ud;
    bool running;
};

struct rp__sim_block {
    struct rp__sim_block *next, **pprev;
    size_t size;
    uint64_t pad;
};

/* ---- random and hash ----------------------------------------------------------------------------- */

uint64_t rp__sim_random(struct rp__sim *s)
{
    uint64_t z = s->rng += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void note(struct rp__sim *s, uint64_t what) /* into the hash */
{
    s->hash = (s->hash ^ what) * UINT64_C(0x100000001b3);
    s->hash ^= s->hash >> 29;
}

uint64_t rp__sim_hash(const struct rp__sim *s)
{
    return s->hash;
}

rp_time rp__sim_now(const struct rp__sim *s)
{
    return s->now;
}

/* ---- events: a binary heap ----------------------------------------------------------------------- */

static bool before(const struct rp__sim_event *a, const struct rp__sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void sift_down(struct rp__sim *s, size_t i)
{
    for (;;) { /* bounded by the height */
        size_t least = i, child = 2 * i + 1;
        for (size_t k = child; k < child + 2 && k < s->nheap; k++)
            if (before(&s->heap[k], &s->heap[least]))
                least = k;
        if (least == i)
            return;
        struct rp__sim_event t = s->heap[i];
        s->heap[i] = s->heap[least];
        s->heap[least] = t;
        i = least;
    }
}

int rp__sim_at(struct rp__sim *s, rp_time at, struct rp__sim_node *node, void (*fn)(void *), void *arg)
{
    if (s->nheap == s->heap_size) {
        size_t size = s->heap_size ? 2 * s->heap_size : 64;
        struct rp__sim_event *heap = realloc(s->heap, size * sizeof *heap);
        if (!heap)
            return -ENOMEM;
        s->heap = heap;
        s->heap_size = size;
    }
    size_t i = s->nheap++;
    s->heap[i] = (struct rp__sim_event){at > s->now ? at : s->now, s->order++, node, fn, arg};
    for (; i > 0 && before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        struct rp__sim_event t = s->heap[i];
        s->heap[i] = s->heap[(i - 1) / 2];
        s->heap[(i - 1) / 2] = t;
    }
    return 0;
}

static struct rp__sim_event pop_event(struct rp__sim *s)
{
    struct rp__sim_event e = s->heap[0];
    s->heap[0] = s->heap[--s->nheap];
    sift_down(s, 0);
    return e;
}

/* ---- a node's memory ----------------------------------------------------------------------------- */

static void *node_alloc(void *ud, size_t size)
{
    struct rp__sim_node *n = ud;
    struct rp__sim_block *b = malloc(sizeof *b + size);
    if (!b)
        return 0;
    b->size = size;
    b->next = n->blocks;
    b->pprev = &n->blocks;
    if (b->next)
        b->next->pprev = &b->next;
    n->blocks = b;
    n->nblocks++;
    return b + 1;
}

static void node_free(void *ud, void *p, size_t size)
{
    struct rp__sim_node *n = ud;
    struct rp__sim_block *b = (struct rp__sim_block *)p - 1;
    assert(b->size == size);
    (void)size;
    *b->pprev = b->next;
    if (b->next)
        b->next->pprev = b->pprev;
    n->nblocks--;
    free(b);
}

void rp__sim_node_wipe(struct rp__sim_node *n)
{
    while (n->blocks)
        node_free(n, n->blocks + 1, n->blocks->size);
}

/* ---- nodes --------------------------------------------------------------------------------------- */

int rp__sim_new(uint64_t seed, struct rp__sim **ret)
{
    struct rp__sim *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->rng = seed;
    s->now = RP_S; /* not 0, so that nothing works by accident */
    s->hash = seed;
    *ret = s;
    return 0;
}

void rp__sim_free(struct rp__sim *s)
{
    if (!s)
        return;
    assert(!s->nodes);
    free(s->heap);
    free(s);
}

void rp__sim_node_init(struct rp__sim *s, struct rp__sim_node *n)
{
    memset(n, 0, sizeof *n);
    n->sim = s;
    n->mem = (rp_alloc){node_alloc, node_free, n};
    for (struct rp__sim_node *at = s->nodes; at; at = at->next)
        n->index = at->index >= n->index ? at->index + 1 : n->index;
}

void rp__sim_node_add(struct rp__sim_node *n, rp_system *sys)
{
    n->sys = sys;
    n->running = sys->nloops;
    struct rp__sim_node **at = &n->sim->nodes; /* at the end: the order of adding is the order of stepping */
    while (*at)
        at = &(*at)->next;
    *at = n;
    for (unsigned i = 0; i < sys->nloops; i++)
        rp__fiber_home(&sys->loops[i]->home.fiber);
}

void rp__sim_node_remove(struct rp__sim_node *n)
{
    struct rp__sim *s = n->sim;
    struct rp__sim_node **at = &s->nodes;
    while (*at && *at != n)
        at = &(*at)->next;
    if (*at)
        *at = n->next;
    size_t kept = 0;
    for (size_t i = 0; i < s->nheap; i++)
        if (s->heap[i].node != n)
            s->heap[kept++] = s->heap[i];
    s->nheap = kept;
    for (size_t i = kept / 2 + 1; i-- > 0;)
        sift_down(s, i);
}

/* ---- running ------------------------------------------------------------------------------------- */

static struct sim_loop *of(const struct rp_loop *l)
{
    return l->world_ud;
}

static bool may_run(const struct rp__sim *s, const struct rp__sim_node *n, const struct rp_loop *l)
{
    return of(l)->runnable && !l->stopped && n->paused_until <= s->now && of(l)->held_until <= s->now;
}

static struct rp_loop *choose(struct rp__sim *s, struct rp__sim_node **node)
{
    unsigned found = 0;
    struct rp_loop *chosen = 0;
    for (struct rp__sim_node *n = s->nodes; n; n = n->next)
        for (unsigned i = 0; i < n->sys->nloops; i++)
            found += may_run(s, n, n->sys->loops[i]);
    if (found == 0)
        return 0;
    unsigned k = (unsigned)(rp__sim_random(s) % found);
    for (struct rp__sim_node *n = s->nodes; n && !chosen; n = n->next)
        for (unsigned i = 0; i < n->sys->nloops && !chosen; i++)
            if (may_run(s, n, n->sys->loops[i]) && k-- == 0) {
                chosen = n->sys->loops[i];
                *node = n;
            }
    return chosen;
}

/* Between the simulation and who takes time: neither is parked, both stand still. */
RP__NOIPA static void step_over(rp_self *from, rp_self *to)
{
    rp__fiber_leave(&from->fiber, &to->fiber, false);
    rp__cx_switch(&from->cx, &to->cx);
    rp__fiber_arrive(&from->fiber);
}

void rp__sim_busy(rp_self *me, rp_time span)
{
    struct rp_loop *l = me->loop;
    rp_time now = l->world->now(l);
    assert(l->running == me);
    of(l)->held = me;
    of(l)->held_until = rp__after(now, span);
    struct rp__own own;
    rp__own_take(&l->usual, &own);
    step_over(me, &l->home);
    rp__own_give(&l->usual, &own);
}

/* A turn, or the rest of one. */
static bool go_on(struct rp_loop *l)
{
    rp_self *held = of(l)->held;
    if (!held)
        return rp__turn(l);
    of(l)->held = 0;
    step_over(&l->home, held);
    return l->more;
}

static bool all_stand(const rp_system *sys)
{
    for (unsigned i = 0; i < sys->nloops; i++)
        if (of(sys->loops[i])->held)
            return false;
    return true;
}

static void take_turn(struct rp__sim *s, struct rp__sim_node *n, struct rp_loop *l)
{
    struct rp__running running;
    rp__overflow_enter(&running, l);
    bool more = go_on(l);
    rp__overflow_leave(&running);
    s->now += 200 + (rp_time)(rp__sim_random(s) % 2000); /* work takes time */
    note(s, (uint64_t)s->now ^ (uint64_t)n->index << 56 ^ (uint64_t)l->index << 48);
    for (unsigned i = 0; i < RP__TALLIES; i++)
        note(s, atomic_load_explicit(&l->tally[i], memory_order_relaxed));
    if (s->watch && all_stand(n->sys))
        s->watch(s->watch_ud, n);
    if (more || of(l)->held)
        return;
    rp__load_note(&l->load, s->now, false);
    if (l->stopping) {
        rp__inbox_close(l);
        rp__publish(l);
        l->stopped = true;
        n->running--;
    } else if (rp__sleep_begin(l)) {
        of(l)->runnable = false;
    }
}

/* Nothing to do now: on to the next timer or event, but not beyond `until`. False: there is none. */
static bool pass_time(struct rp__sim *s, rp_time until)
{
    rp_time next = s->nheap ? s->heap[0].at : RP_FOREVER;
    for (struct rp__sim_node *n = s->nodes; n; n = n->next)
        for (unsigned i = 0; i < n->sys->nloops; i++) {
            struct rp_loop *l = n->sys->loops[i];
            rp_time at = l->stopped ? RP_FOREVER : of(l)->runnable ? of(l)->held_until : rp__next_deadline(l);
            if (at != RP_FOREVER && at < n->paused_until)
                at = n->paused_until;
            next = at < next ? at : next;
        }
    if (next == RP_FOREVER)
        return false;
    next = next < until ? next : until;
    s->now = next > s->now ? next : s->now;
    return true;
}

static void fire_due(struct rp__sim *s)
{
    while (s->nheap && s->heap[0].at <= s->now) {
        struct rp__sim_event e = pop_event(s);
        e.fn(e.arg);
    }
    for (struct rp__sim_node *n = s->nodes; n; n = n->next)
        for (unsigned i = 0; i < n->sys->nloops; i++) {
            struct rp_loop *l = n->sys->loops[i];
            if (!l->stopped && !of(l)->runnable && rp__next_deadline(l) <= s->now) {
                rp__sleep_end(l);
                of(l)->runnable = true;
            }
        }
}

static int run(struct rp__sim *s, bool (*goal)(void *ud), void *ud, rp_time until)
{
    while (!goal(ud)) { /* unbounded: until the goal, the end of time, or nothing is left to happen */
        if (s->now >= until)
            return -ETIMEDOUT;
        fire_due(s);
        struct rp__sim_node *n = 0;
        struct rp_loop *l = choose(s, &n);
        if (l)
            take_turn(s, n, l);
        else if (!pass_time(s, until))
            return -EDEADLK;
    }
    return 0;
}

int rp__sim_run(struct rp__sim *s, bool (*goal)(void *ud), void *ud, rp_time until)
{
    if (s->running)
        return -EDEADLK; /* from within */
    s->running = true;
    bool has = rp__handler_stack_in() == 0; /* else an overflow is not told */
    int rc = run(s, goal, ud, until < RP__SIM_END ? until : RP__SIM_END);
    if (has)
        rp__handler_stack_out();
    s->running = false;
    return rc;
}

void rp__sim_watch(struct rp__sim *s, void (*fn)(void *ud, struct rp__sim_node *n), void *ud)
{
    s->watch = fn;
    s->watch_ud = ud;
}

/* ---- the world ----------------------------------------------------------------------------------- */

static struct rp__sim_node *node_of(const rp_system *sys)
{
    return sys->world_ud;
}

static int world_open(struct rp_loop *l)
{
    struct sim_loop *w = rp__alloc(l->sys, sizeof *w);
    if (!w)
        return -ENOMEM;
    *w = (struct sim_loop){.runnable = true};
    l->world_ud = w;
    return 0;
}

static void world_close(struct rp_loop *l)
{
    rp__free_mem(l->sys, l->world_ud, sizeof(struct sim_loop));
    l->world_ud = 0;
}

static bool all_stopped(void *ud)
{
    return ((struct rp__sim_node *)ud)->running == 0;
}

static int world_run(rp_system *sys)
{
    struct rp__sim_node *n = node_of(sys);
    rp__sim_node_add(n, sys);
    return rp__sim_run(n->sim, all_stopped, n, RP_FOREVER);
}

static rp_time world_now(const struct rp_loop *l)
{
    return node_of(l->sys)->sim->now;
}

static void world_wake(struct rp_loop *l)
{
    if (!of(l)->runnable)
        rp__sleep_end(l);
    of(l)->runnable = true;
}

static uint64_t world_seed(rp_system *sys)
{
    return rp__sim_random(node_of(sys)->sim);
}

struct work {
    rp_self *me;
    int (*fn)(void *);
    void *arg;
};

static void work_done(void *arg)
{
    struct work *w = arg;
    rp__wake_from_afar(w->me, w->fn(w->arg));
}

static bool goes_on(rp_self *me)
{
    (void)me;
    return false;
}

static int world_offload(rp_self *me, int (*fn)(void *), void *arg, rp_time deadline)
{
    struct rp__sim_node *n = node_of(me->loop->sys);
    struct work w = {me, fn, arg};
    int rc = rp__may_park(me, deadline);
    if (rc == 0)
        rc = rp__sim_at(n->sim, n->sim->now + (rp_time)(rp__sim_random(n->sim) % RP_MS), n, work_done, &w);
    return rc != 0 ? rc : rp__park(me, "offload", (void *)fn, goes_on, deadline);
}

const struct rp__world rp__world_sim = {
    false, world_open, world_close, world_run, world_now, world_wake, world_seed, world_offload, 0, 0, 0,
};
