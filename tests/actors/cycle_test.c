/* SPDX-License-Identifier: MIT
 *
 * Rings of actors that wait for what others hold: locks, and locks and calls.
 */
#include "tests/graph.h"

#include <errno.h>
#include <stdatomic.h>

static struct graph_node wants(unsigned to, enum graph_edge by, unsigned i)
{
    return (struct graph_node){.to = (int)to, .by = by, .handler = i % 2, .loop = i};
}

/* Each has one and wants the next one's. */
static void ring(rp_self *me, unsigned n, const enum graph_edge *by, unsigned kinds)
{
    struct graph_node node[GRAPH_MOST];
    for (unsigned i = 0; i < n; i++)
        node[i] = wants((i + 1) % n, by[i % kinds], i);
    graph_play(me, node, n);
}

static int ab_ba(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned n = 2; n <= 4; n++)
        ring(me, n, (enum graph_edge[]){BY_LOCK}, 1);
    return 0;
}

TEST(cycle, locks_in_the_wrong_order)
{
    everywhere(ab_ba, 0);
}

static int mixed(rp_self *me, void *arg)
{
    (void)arg;
    ring(me, 2, (enum graph_edge[]){BY_LOCK, BY_CALL}, 2);
    ring(me, 2, (enum graph_edge[]){BY_READ, BY_WRITE}, 2);
    ring(me, 3, (enum graph_edge[]){BY_ONCE, BY_CALL, BY_LOCK}, 3);
    ring(me, 3, (enum graph_edge[]){BY_ROOM, BY_WRITE, BY_LOCK}, 3);
    ring(me, 3, (enum graph_edge[]){BY_FORWARD, BY_HANDED, BY_LOCK}, 3);
    ring(me, 3, (enum graph_edge[]){BY_MANY, BY_CALL, BY_LOCK}, 3);
    return 0;
}

static int in_tasks(rp_self *me, void *arg)
{
    struct graph_node node[GRAPH_MOST];
    (void)arg;
    for (enum graph_edge by = 0; by < GRAPH_EDGES; by++) {
        for (unsigned i = 0; i < 3; i++) {
            node[i] = wants((i + 1) % 3, by, i);
            node[i].task = ONE_TASK;
        }
        graph_play(me, node, 3);
    }
    return 0;
}

TEST(cycle, in_tasks)
{
    for (unsigned loops = 1; loops <= 3; loops++) {
        rp_system_opts sim = {.loops = loops, .sim_seed = test_seed() + loops};
        check_eq(run_with(in_tasks, 0, &sim), 0);
    }
}

TEST(cycle, locks_calls_and_all_else)
{
    everywhere(mixed, 0);
}

static int by_chance(rp_self *me, void *arg)
{
    struct graph_node node[GRAPH_MOST];
    for (unsigned i = 0; i < *(unsigned *)arg; i++)
        graph_play(me, node, graph_random(me, node, GRAPH_MOST));
    return 0;
}

TEST(cycle, graphs_by_chance)
{
    unsigned few = 2, many = 15;
    everywhere(by_chance, &few);
    for (unsigned loops = 1; loops <= 4; loops++) {
        rp_system_opts sim = {.loops = loops, .sim_seed = test_seed()};
        check_eq(run_with(by_chance, &many, &sim), 0);
    }
}

/* ---- one waits for several ----------------------------------------------------------------------- */

struct three {
    rp_rwlock rw;
    rp_lock lock;
    rp_barrier begin;
    rp_event free;
    _Atomic unsigned told; /* counted on any loop, read when all have ended */
};

/* Reads, and does not want to write: nothing waits for it to deadlock. */
static int reads_only(rp_self *me, void *arg)
{
    struct three *t = arg;
    check_eq(rp_rwlock_read(me, &t->rw, RP_FOREVER), 0);
    check(rp_barrier_wait(me, &t->begin, RP_FOREVER) >= 0);
    return rp_event_wait(me, &t->free, RP_FOREVER);
}

static int ended_with(int rc, rp_self *me, struct three *t, const char *one, const char *other)
{
    if (rc == -EDEADLK) {
        check(strcmp(rp_blame(me), one) == 0 || strcmp(rp_blame(me), other) == 0, "%s", rp_blame(me));
        atomic_fetch_add(&t->told, 1);
        rp_event_set(&t->free);
        return 0;
    }
    return rc == -EOWNERDEAD ? 0 : rc; /* the other gave it back by its end */
}

static int reads_and_locks(rp_self *me, void *arg)
{
    struct three *t = arg;
    check_eq(rp_rwlock_read(me, &t->rw, RP_FOREVER), 0);
    check(rp_barrier_wait(me, &t->begin, RP_FOREVER) >= 0);
    return ended_with(rp_lock_acquire(me, &t->lock, RP_FOREVER), me, t, "writer > reader > writer", "reader > writer > reader");
}

static int locks_and_writes(rp_self *me, void *arg)
{
    struct three *t = arg;
    check_eq(rp_lock_acquire(me, &t->lock, RP_FOREVER), 0);
    check(rp_barrier_wait(me, &t->begin, RP_FOREVER) >= 0);
    return ended_with(rp_rwlock_write(me, &t->rw, RP_FOREVER), me, t, "writer > reader > writer", "reader > writer > reader");
}

static void spawn_each(rp_self *me, int (*const *fn)(rp_self *, void *), const char *const *name, unsigned n, void *arg)
{
    rp_actor kind[8];
    for (unsigned i = 0; i < n; i++) {
        kind[i] = (rp_actor){.name = name[i], .run = fn[i]};
        check_eq(rp_spawn(me, &kind[i], &(rp_spawn_opts){.arg = arg, .on = RP_SPREAD, .monitor = true}, NULL), 0);
    }
    for (unsigned i = 0; i < n; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
}

/* The ring goes through one of several readers, whichever came first. */
static int through_one_reader(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned which = 0; which < 3; which++) {
        struct three t = {.told = 0};
        int (*fn[4])(rp_self *, void *) = {reads_only, reads_only, reads_only, locks_and_writes};
        const char *name[4] = {"idler", "idler", "idler", "writer"};
        fn[which] = reads_and_locks;
        name[which] = "reader";
        check_eq(rp_barrier_init(&t.begin, 4), 0);
        spawn_each(me, fn, name, 4, &t);
        check_eq(t.told, 1);
    }
    return 0;
}

TEST(cycle, a_writer_waits_for_every_reader)
{
    everywhere(through_one_reader, 0);
}

/* ---- a condition --------------------------------------------------------------------------------- */

struct signalled {
    rp_lock a, b;
    rp_cond cond;
    rp_barrier begin;
};

/* Has b, and waits for a again when the signal has come: it cannot be told. */
static int awaits_signal(rp_self *me, void *arg)
{
    struct signalled *s = arg;
    check_eq(rp_lock_acquire(me, &s->b, RP_FOREVER), 0);
    check_eq(rp_lock_acquire(me, &s->a, RP_FOREVER), 0);
    check(rp_barrier_wait(me, &s->begin, RP_FOREVER) >= 0);
    check_eq(rp_cond_wait(me, &s->cond, &s->a, RP_FOREVER), 0);
    check_eq(rp_lock_release(me, &s->b), 0);
    return rp_lock_release(me, &s->a);
}

static int closes(rp_self *me, struct signalled *s, bool signals)
{
    check(rp_barrier_wait(me, &s->begin, RP_FOREVER) >= 0);
    check_eq(rp_lock_acquire(me, &s->a, RP_FOREVER), 0);
    if (signals)
        rp_cond_signal(&s->cond);
    check_eq(rp_lock_acquire(me, &s->b, RP_FOREVER), -EDEADLK);
    check_str(rp_blame(me), "signaller > waiter > signaller");
    return rp_lock_release(me, &s->a);
}

static int signals(rp_self *me, void *arg)
{
    return closes(me, arg, true);
}

/* The signal closes the ring, when all have waited for long. */
static int signalled_late(rp_self *me, void *arg)
{
    return closes(me, arg, false);
}

static int conditions(rp_self *me, void *arg)
{
    (void)arg;
    for (int late = 0; late < 2; late++) {
        struct signalled s = {0};
        const rp_actor kind[2] = {{.name = "waiter", .run = awaits_signal}, {.name = "signaller", .run = late ? signalled_late : signals}};
        check_eq(rp_barrier_init(&s.begin, 2), 0);
        for (unsigned i = 0; i < 2; i++)
            check_eq(rp_spawn(me, &kind[i], &(rp_spawn_opts){.arg = &s, .on = RP_SPREAD, .monitor = true}, NULL), 0);
        if (late) {
            check_eq(rp_sleep(me, rp_in_ms(me, 70)), 0);
            rp_cond_signal(&s.cond);
        }
        for (unsigned i = 0; i < 2; i++) {
            struct rp_down d;
            check_eq(recv_down(me, &d), 0);
            check_eq(d.reason, 0);
        }
    }
    return 0;
}

TEST(cycle, through_a_condition)
{
    everywhere(conditions, 0);
}

/* ---- who is told leaves the line, and nothing else happens --------------------------------------- */

struct line {
    rp_lock a, b;
    rp_barrier begin;
    rp_event stands;       /* the one who will be told stands in line */
    unsigned order, behind; /* under a */
};

static int has_a(rp_self *me, void *arg) /* waits first, is served */
{
    struct line *n = arg;
    check_eq(rp_lock_acquire(me, &n->a, RP_FOREVER), 0);
    check(rp_barrier_wait(me, &n->begin, RP_FOREVER) >= 0);
    check_eq(rp_lock_acquire(me, &n->b, RP_FOREVER), 0);
    n->order = 1;
    check_eq(rp_lock_release(me, &n->b), 0);
    return rp_lock_release(me, &n->a);
}

static int has_b(rp_self *me, void *arg) /* waits last, is told */
{
    struct line *n = arg;
    check_eq(rp_lock_acquire(me, &n->b, RP_FOREVER), 0);
    check(rp_barrier_wait(me, &n->begin, RP_FOREVER) >= 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    rp_event_set(&n->stands);
    check_eq(rp_lock_acquire(me, &n->a, RP_FOREVER), -EDEADLK);
    check_str(rp_blame(me), "b > a > b");
    check_eq(rp_lock_release(me, &n->a), -EPERM);
    check_eq(rp_lock_try(me, &n->a), -EAGAIN); /* another's, still */
    check_eq(rp_lock_release(me, &n->b), 0);
    check_eq(rp_lock_acquire(me, &n->a, RP_FOREVER), 0); /* behind who stood behind it */
    check_eq(n->order, 2);
    return rp_lock_release(me, &n->a);
}

static int stands_behind(rp_self *me, void *arg)
{
    struct line *n = arg;
    check(rp_barrier_wait(me, &n->begin, RP_FOREVER) >= 0);
    check_eq(rp_event_wait(me, &n->stands, RP_FOREVER), 0);
    check_eq(rp_lock_acquire(me, &n->a, RP_FOREVER), 0);
    check_eq(n->order++, 1);
    return rp_lock_release(me, &n->a);
}

static int fair(rp_self *me, void *arg)
{
    (void)arg;
    struct line n = {.order = 0};
    check_eq(rp_barrier_init(&n.begin, 3), 0);
    spawn_each(me, (int (*[])(rp_self *, void *)){has_a, has_b, stands_behind}, (const char *[]){"a", "b", "c"}, 3, &n);
    return 0;
}

TEST(cycle, the_line_stays_fair)
{
    everywhere(fair, 0);
}

static int by_oneself(rp_self *me, void *arg)
{
    rp_lock k = {0};
    rp_rwlock rw = {0};
    (void)arg;
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), 0);
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), -EDEADLK);
    check_str(rp_blame(me), "root > root");
    check_eq(rp_lock_release(me, &k), 0);
    check_eq(rp_rwlock_read(me, &rw, RP_FOREVER), 0);
    check_eq(rp_rwlock_write(me, &rw, RP_FOREVER), -EDEADLK);
    check_str(rp_blame(me), "root > root");
    return rp_rwlock_release(me, &rw);
}

TEST(cycle, by_oneself)
{
    everywhere(by_oneself, 0);
}
