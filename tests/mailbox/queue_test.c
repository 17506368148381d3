/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* ---- support ------------------------------------------------------------------------------------- */

static rp_queue *queue_of(uint32_t capacity, rp_order order, int64_t (*priority)(const void *))
{
    rp_queue *q;
    rp_queue_opts o = {.order = order, .priority = priority};
    check_eq(rp_queue_new(sizeof(int), capacity, &o, &q), 0);
    return q;
}

static rp_queue *fifo(uint32_t capacity)
{
    return queue_of(capacity, RP_FIFO, 0);
}

static int put(rp_self *me, rp_queue *q, int n)
{
    return rp_queue_put(me, q, &n, RP_FOREVER);
}

static int get(rp_self *me, rp_queue *q) /* the item, or the error */
{
    int n = -1, rc = rp_queue_get(me, q, &n, RP_FOREVER);
    return rc == 0 ? n : rc;
}

static rp_queue_stats stats_of(rp_queue *q)
{
    rp_queue_stats s;
    rp_queue_read(q, &s);
    return s;
}

struct job { /* one task's part in a test */
    rp_queue *q;
    int n, rc;
    rp_time deadline;
    int *order, *turn; /* `turn` counts up; where it stood when this one was through */
    rp_lease lease;
};

static int put_job(rp_self *me, void *arg)
{
    struct job *j = arg;
    j->rc = rp_queue_put(me, j->q, &j->n, j->deadline ? j->deadline : RP_FOREVER);
    if (j->turn)
        *j->order = ++*j->turn;
    return 0;
}

static int get_job(rp_self *me, void *arg)
{
    struct job *j = arg;
    j->rc = rp_queue_get(me, j->q, &j->n, j->deadline ? j->deadline : RP_FOREVER);
    if (j->turn)
        *j->order = ++*j->turn;
    return 0;
}

static void passes(rp_self *me, int n)
{
    for (int i = 0; i < n; i++)
        check_eq(rp_yield(me), 0);
}

/* Runs `fn` as n actors on all loops, each with its element of `args`; none may fail. */
static void crew(rp_self *me, int (*fn)(rp_self *, void *), void *args, size_t size, unsigned n)
{
    rp_actor kind = {.name = "crew", .run = fn};
    for (unsigned i = 0; i < n; i++) {
        rp_spawn_opts o = {.arg = (char *)args + i * size, .on = RP_SPREAD, .monitor = true};
        check_eq(rp_spawn(me, &kind, &o, NULL), 0);
    }
    for (unsigned i = 0; i < n; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
}

/* ---- order --------------------------------------------------------------------------------------- */

static int64_t tens(const void *item)
{
    return *(const int *)item / 10;
}

static void expect(rp_self *me, rp_queue *q, const int *in, const int *out, int n)
{
    for (int i = 0; i < n; i++)
        check_eq(put(me, q, in[i]), 0);
    for (int i = 0; i < n; i++)
        check_eq(get(me, q), out[i]);
    check_eq(stats_of(q).count, 0);
    check_eq(stats_of(q).high_water, n);
    rp_queue_free(q);
}

static int orders(rp_self *me, void *arg)
{
    (void)arg;
    const int in[] = {31, 12, 55, 13, 11, 54, 30}, by_ten[] = {12, 13, 11, 31, 30, 55, 54};
    const int back[] = {30, 54, 11, 13, 55, 12, 31};
    expect(me, fifo(7), in, in, 7);
    expect(me, queue_of(7, RP_LIFO, 0), in, back, 7);
    expect(me, queue_of(7, RP_PRIORITY, tens), in, by_ten, 7);
    return 0;
}

TEST(queue, a_each_order)
{
    everywhere(orders, 0);
}

static int ring_round(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = fifo(3);
    for (int i = 0; i < 20; i++) {
        check_eq(put(me, q, i), 0);
        if (i >= 2)
            check_eq(get(me, q), i - 2);
    }
    rp_queue_free(q);
    uint64_t seed = test_seed();
    q = queue_of(64, RP_PRIORITY, tens);
    int left[100] = {0}, n = 0;
    for (int i = 0; i < 2000; i++) { /* against the obvious way */
        bool more = n == 0 || (n < 64 && test_random(&seed) % 2);
        int least = 0, p = (int)(test_random(&seed) % 1000);
        if (more) {
            check_eq(put(me, q, p), 0);
            left[p / 10]++;
            n++;
            continue;
        }
        while (!left[least])
            least++;
        check_eq(get(me, q) / 10, least);
        left[least]--;
        n--;
    }
    rp_queue_free(q);
    return 0;
}

TEST(queue, a_round_and_round)
{
    check_eq(run_with(ring_round, 0, 0), 0);
}

TEST(queue, a_refuses_nonsense)
{
    rp_queue *q;
    check_eq(rp_queue_new(0, 1, 0, &q), -EINVAL);
    check_eq(rp_queue_new(RP_ITEM_MAX + 1, 1, 0, &q), -EINVAL);
    check_eq(rp_queue_new(4, 0, &(rp_queue_opts){.order = RP_LIFO}, &q), -EINVAL);
    check_eq(rp_queue_new(4, 4, &(rp_queue_opts){.order = RP_PRIORITY}, &q), -EINVAL);
    for (int k = 1; k <= 4; k++) {
        struct test_mem mem;
        test_mem_init(&mem);
        mem.fail_at = k;
        rp_queue_opts o = {.order = RP_PRIORITY, .priority = tens, .mem = &mem.alloc};
        int rc = rp_queue_new(4, 8, &o, &q);
        check_eq(rc, k <= 3 ? -ENOMEM : 0);
        if (rc == 0)
            rp_queue_free(q);
        check_eq(mem.blocks, 0);
    }
    rp_queue_free(NULL);
}

/* ---- waiting ------------------------------------------------------------------------------------- */

static int meets(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = fifo(0);
    int n = 7, turn = 0, order[4] = {0};
    check_eq(rp_queue_try_put(q, &n), -EAGAIN);
    check_eq(rp_queue_put(me, q, &n, 0), -ETIMEDOUT);
    check_eq(rp_queue_get(me, q, &n, 0), -ETIMEDOUT);
    struct job a = {q, 1, -1, 0, &order[0], &turn, {0}}, b = {q, 2, -1, 0, &order[1], &turn, {0}};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, put_job, &a, NULL), 0);
    check_eq(rp_go(me, &s, put_job, &b, NULL), 0);
    passes(me, 3);
    check_eq(turn, 0); /* each waits until somebody gets */
    check_eq(stats_of(q).putters, 2);
    check_eq(stats_of(q).count, 0);
    check_eq(get(me, q), 1);
    check_eq(get(me, q), 2);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(order[0], 1);
    check_eq(order[1], 2);
    rp_queue_free(q);
    return 0;
}

TEST(queue, b_rendezvous)
{
    everywhere(meets, 0);
}

static int fair(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = fifo(1);
    int turn = 0, order[6] = {0}, n = 99;
    struct job j[6];
    rp_scope s;
    check_eq(put(me, q, 0), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 3; i++) {
        j[i] = (struct job){q, i + 1, -1, 0, &order[i], &turn, {0}};
        check_eq(rp_go(me, &s, put_job, &j[i], NULL), 0);
    }
    passes(me, 2);
    check_eq(stats_of(q).putters, 3);
    check_eq(get(me, q), 0);
    check_eq(rp_queue_try_put(q, &n), -EAGAIN); /* the room went to who waited: nobody comes before */
    for (int i = 1; i <= 3; i++)
        check_eq(get(me, q), i);
    for (int i = 3; i < 6; i++) {
        j[i] = (struct job){q, -1, -1, 0, &order[i], &turn, {0}};
        check_eq(rp_go(me, &s, get_job, &j[i], NULL), 0);
    }
    passes(me, 2);
    check_eq(stats_of(q).getters, 3);
    for (int i = 3; i < 6; i++)
        check_eq(put(me, q, 10 * i), 0);
    check_eq(rp_queue_try_get(q, &n), -EAGAIN);
    check_eq(rp_scope_close(me, &s, 0), 0);
    for (int i = 0; i < 6; i++) {
        check_eq(order[i], i + 1);
        check_eq(j[i].rc, 0);
        check_eq(j[i].n, i < 3 ? i + 1 : 10 * i);
    }
    rp_queue_free(q);
    return 0;
}

TEST(queue, b_first_come_first_served)
{
    everywhere(fair, 0);
}

static int cancels(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *full = fifo(1), *empty = fifo(1);
    check_eq(put(me, full, 5), 0);
    for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
        rp_time until = by_deadline ? rp_in_ms(me, 2) : 0;
        struct job p = {full, 6, 0, until, 0, 0, {0}}, g = {empty, -7, 0, until, 0, 0, {0}};
        rp_scope s;
        rp_scope_open(me, &s, RP_FOREVER);
        check_eq(rp_go(me, &s, put_job, &p, NULL), 0);
        check_eq(rp_go(me, &s, get_job, &g, NULL), 0);
        passes(me, 2);
        if (!by_deadline) {
            check_eq(stats_of(full).putters, 1);
            check_eq(stats_of(empty).getters, 1);
            rp_scope_cancel(&s, "test");
        }
        check_eq(rp_scope_close(me, &s, 0), 0);
        check_eq(p.rc, by_deadline ? -ETIMEDOUT : -ECANCELED);
        check_eq(g.rc, by_deadline ? -ETIMEDOUT : -ECANCELED);
        check_eq(g.n, -7); /* untouched */
        check_eq(stats_of(full).count, 1);
        check_eq(stats_of(full).putters + stats_of(empty).getters, 0);
    }
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    rp_scope_cancel(&s, "test");
    check_eq(put(me, empty, 1), -ECANCELED); /* there is room, but it is a state */
    check_eq(get(me, full), -ECANCELED);
    int n = 0;
    check_eq(rp_queue_try_get(full, &n), 0); /* who cleans up may */
    check_eq(n, 5);
    check_eq(rp_scope_close(me, &s, 0), 0);
    rp_queue_free(full);
    rp_queue_free(empty);
    return 0;
}

TEST(queue, b_cancelled_means_it_did_not_happen)
{
    everywhere(cancels, 0);
}

static int counts(rp_self *me, void *arg)
{
    int *n = arg;
    while (rp_yield(me) == 0)
        ++*n;
    return 0;
}

static int shares(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = fifo(4);
    int passed = 0;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, counts, &passed, NULL), 0);
    for (int i = 0; i < 20000; i++) {
        check_eq(put(me, q, i), 0);
        check_eq(get(me, q), i);
    }
    check(passed > 2, "who never has to wait lets nobody else run");
    rp_scope_cancel(&s, "enough");
    check_eq(rp_scope_close(me, &s, 0), 0);
    rp_queue_free(q);
    return 0;
}

TEST(queue, b_never_full_starves_nobody)
{
    everywhere(shares, 0);
}

/* ---- closing ------------------------------------------------------------------------------------- */

static int ends_put(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = fifo(2);
    struct job p = {q, 3, 0, 0, 0, 0, {0}}, g = {q, -1, 0, 0, 0, 0, {0}}, g2 = g;
    int n = 0;
    check_eq(put(me, q, 1), 0);
    check_eq(put(me, q, 2), 0);
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, put_job, &p, NULL), 0);
    passes(me, 2);
    rp_queue_close_put(q);
    check_eq(put(me, q, 4), -EPIPE);
    check_eq(rp_queue_try_put(q, &n), -EPIPE);
    check_eq(get(me, q), 1);
    check_eq(get(me, q), 2);
    check_eq(get(me, q), -EPIPE);
    check_eq(rp_queue_try_get(q, &n), -EPIPE);
    check_eq(rp_queue_join(me, q, RP_FOREVER), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(p.rc, -EPIPE);
    rp_queue_free(q);
    q = g.q = g2.q = fifo(2);
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, get_job, &g, NULL), 0);
    check_eq(rp_go(me, &s, get_job, &g2, NULL), 0);
    passes(me, 2);
    rp_queue_close_put(q);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(g.rc, -EPIPE);
    check_eq(g2.rc, -EPIPE); /* all of them */
    rp_queue_free(q);
    return 0;
}

TEST(queue, c_closing_the_put_end)
{
    everywhere(ends_put, 0);
}

static _Atomic int dropped;

static void drop_int(void *item)
{
    dropped += *(int *)item;
}

static int ends_get(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q;
    rp_queue_opts o = {.drop = drop_int};
    dropped = 0;
    check_eq(rp_queue_new(sizeof(int), 3, &o, &q), 0);
    struct job p = {q, 1000, 0, 0, 0, 0, {0}};
    for (int i = 1; i <= 100; i *= 10)
        check_eq(put(me, q, i), 0);
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, put_job, &p, NULL), 0);
    passes(me, 2);
    check_eq(rp_queue_join(me, q, rp_in_ms(me, 1)), -ETIMEDOUT);
    rp_queue_close_get(q);
    check_eq(dropped, 111);
    check_eq(rp_queue_join(me, q, RP_FOREVER), 0); /* all have found their end */
    check_eq(put(me, q, 1), -EPIPE);
    check_eq(get(me, q), -EPIPE);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(p.rc, -EPIPE);
    rp_queue_free(q);
    check_eq(dropped, 111);
    check_eq(rp_queue_new(sizeof(int), 3, &o, &q), 0);
    check_eq(put(me, q, 20000), 0);
    rp_queue_free(q);
    check_eq(dropped, 20111); /* what is left at the end too */
    return 0;
}

TEST(queue, c_closing_the_get_end)
{
    everywhere(ends_get, 0);
}

/* ---- leases -------------------------------------------------------------------------------------- */

static int join_job(rp_self *me, void *arg)
{
    struct job *j = arg;
    j->rc = rp_queue_join(me, j->q, RP_FOREVER);
    *j->turn = 1;
    return 0;
}

static int leases(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = fifo(4);
    rp_lease a = {0}, b = {0}, c = {0}, stale;
    int n, joined = 0;
    check_eq(rp_queue_join(me, q, RP_FOREVER), 0); /* nothing was put: nothing to wait for */
    for (int i = 1; i <= 3; i++)
        check_eq(put(me, q, i), 0);
    struct job j = {q, 0, -1, 0, 0, &joined, {0}};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, join_job, &j, NULL), 0);
    check_eq(rp_queue_take(me, q, &n, &a, RP_FOREVER), 0);
    check_eq(n, 1);
    check_eq(rp_lease_tries(&a), 1);
    check_eq(rp_queue_take(me, q, &n, &b, RP_FOREVER), 0);
    check_eq(n, 2);
    check_eq(rp_queue_take(me, q, &n, &c, RP_FOREVER), 0);
    check_eq(n, 3);
    check_eq(stats_of(q).leased, 3);
    check_eq(rp_lease_return(me, &b), 0);
    check_eq(rp_lease_return(me, &c), 0);
    check_eq(rp_lease_return(me, &a), 0);
    check_eq(stats_of(q).count, 3);
    for (int i = 1; i <= 2; i++) { /* each stands where it stood */
        check_eq(rp_queue_take(me, q, &n, &a, RP_FOREVER), 0); /* and taking the next is having done the last */
        check_eq(n, i);
        check_eq(rp_lease_tries(&a), 2);
        check_eq(stats_of(q).leased, 1);
    }
    stale = a;
    check_eq(rp_lease_done(me, &a), 0);
    check_eq(rp_lease_done(me, &a), -EPERM);
    check_eq(rp_queue_take(me, q, &n, &a, RP_FOREVER), 0);
    check_eq(n, 3);
    check_eq(rp_lease_done(me, &stale), -EPERM); /* the record is used again, the lease is another */
    passes(me, 2);
    check_eq(joined, 0);
    check_eq(rp_queue_take(me, q, &n, &a, 0), -ETIMEDOUT); /* the last one is done all the same */
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(joined, 1);
    rp_queue_free(q);
    return 0;
}

TEST(queue, d_leases_and_join)
{
    everywhere(leases, 0);
}

static int fails_with_it(rp_self *me, void *arg)
{
    struct job *j = arg;
    int rc = rp_queue_take(me, j->q, &j->n, &j->lease, RP_FOREVER);
    return rc != 0 ? rc : j->rc;
}

static int comes_back(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = queue_of(4, RP_PRIORITY, tens);
    int n;
    rp_lease lease = {0};
    for (int i = 10; i <= 30; i += 10)
        check_eq(put(me, q, i), 0);
    struct job j = {q, 0, -EIO, 0, 0, 0, {0}};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, fails_with_it, &j, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), -EIO);
    check_eq(j.n, 10);
    j = (struct job){.q = q};
    crew(me, fails_with_it, &j, sizeof j, 1); /* an actor, on some loop, that ends well but forgets */
    check_eq(j.n, 10);
    check_eq(put(me, q, 5), 0);
    rp_queue_close_put(q);
    check_eq(rp_queue_take(me, q, &n, &lease, RP_FOREVER), 0);
    check_eq(n, 5); /* more urgent than what came back */
    check_eq(rp_queue_take(me, q, &n, &lease, RP_FOREVER), 0);
    check_eq(n, 10);
    check_eq(rp_lease_tries(&lease), 3);
    check_eq(get(me, q), 20);
    check_eq(get(me, q), 30);
    struct job g = {q, 0, -1, 0, 0, 0, {0}};
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, get_job, &g, NULL), 0);
    passes(me, 2);
    check_eq(stats_of(q).getters, 1); /* closed and empty, but something may come back */
    check_eq(rp_lease_return(me, &lease), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(g.rc, 0);
    check_eq(g.n, 10);
    check_eq(get(me, q), -EPIPE);
    rp_queue_free(q);
    return 0;
}

TEST(queue, d_what_a_dead_one_had_comes_back)
{
    everywhere(comes_back, 0);
}

struct worker { /* a handler that takes and forgets */
    rp_queue *q;
    int seen;
};

static int take_one(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *n = rp_body(m, NUM);
    struct worker *w = (struct worker *)(uintptr_t)n->n;
    rp_lease lease = {0};
    (void)state;
    return rp_queue_take(me, w->q, &w->seen, &lease, RP_FOREVER);
}

static const rp_actor worker = {.name = "worker", .handle = take_one};

static int handler_forgets(rp_self *me, void *arg)
{
    (void)arg;
    struct worker w = {fifo(1), 0};
    rp_ref r;
    uint64_t before = 0;
    check_eq(rp_spawn(me, &worker, &(rp_spawn_opts){.on = RP_SPREAD}, &r), 0);
    for (int waits = 0; waits < 2; waits++) { /* in the scheduler's stack, and in one of its own */
        if (!waits)
            check_eq(put(me, w.q, 42), 0);
        check_eq(tell_num(me, r, (uintptr_t)&w), 0);
        while (waits && stats_of(w.q).getters == 0)
            check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        if (waits)
            check_eq(put(me, w.q, 42), 0);
        while (stats_of(w.q).count == 0 || stats_of(w.q).taken == before)
            check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        before = stats_of(w.q).taken;
        check_eq(get(me, w.q), 42); /* the actor lives, its call is over */
        check_eq(w.seen, 42);
        w.seen = 0;
    }
    rp_queue_free(w.q);
    return 0;
}

TEST(queue, d_a_handlers_lease_ends_with_its_call)
{
    everywhere(handler_forgets, 0);
}

static int out_of_memory(rp_self *me, void *arg)
{
    (void)arg;
    struct test_mem mem;
    test_mem_init(&mem);
    rp_queue *q;
    rp_queue_opts o = {.mem = &mem.alloc};
    rp_lease lease = {0};
    int n = 7;
    check_eq(rp_queue_new(sizeof n, 1, &o, &q), 0);
    check_eq(put(me, q, 1), 0);
    mem.fail_at = mem.calls + 1;
    check_eq(rp_queue_take(me, q, &n, &lease, RP_FOREVER), -ENOMEM);
    check_eq(n, 7);
    check_eq(stats_of(q).count, 1);
    check_eq(rp_queue_take(me, q, &n, &lease, RP_FOREVER), 0);
    mem.fail_at = mem.calls + 1;
    for (int i = 0; i < 10; i++) { /* and from now on it needs none */
        check_eq(put(me, q, i), 0);
        check_eq(rp_queue_take(me, q, &n, &lease, RP_FOREVER), 0);
    }
    check_eq(rp_lease_done(me, &lease), 0);
    rp_queue_free(q);
    check_eq(mem.blocks, 0);
    return 0;
}

TEST(queue, d_a_lease_without_memory)
{
    check_eq(run_with(out_of_memory, 0, 0), 0);
}

static int never_waits(rp_self *me, void *state, void *arg)
{
    rp_queue *q = arg;
    int n = 0;
    (void)state;
    check_eq(rp_queue_get(me, q, &n, RP_FOREVER), -EAGAIN);
    check_eq(rp_queue_put(me, q, &n, RP_FOREVER), 0);
    check_eq(rp_queue_put(me, q, &n, RP_FOREVER), -EAGAIN);
    check_eq(stats_of(q).getters + stats_of(q).putters, 0);
    return 0;
}

static int does_nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}

static const rp_actor hasty = {.name = "hasty", .init = never_waits, .handle = does_nothing};

static int may_not_wait(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = fifo(1);
    rp_ref r;
    check_eq(rp_spawn(me, &hasty, &(rp_spawn_opts){.arg = q, .on = RP_SPREAD}, &r), 0);
    check_eq(get(me, q), 0);
    rp_queue_free(q);
    return 0;
}

TEST(queue, b_who_may_not_wait_does_not)
{
    everywhere(may_not_wait, 0);
}

/* ---- stress: every item once, in order for each producer ------------------------------------------ */

enum { MAKERS = 4, TAKERS = 4, EACH = 400 };

struct stress {
    rp_queue *q;
    _Atomic int times[MAKERS][EACH]; /* each item was got */
    _Atomic int puts, gets, refusals;
    bool leases;
};

struct part {
    struct stress *s;
    int id;
};

struct item {
    int maker, n;
};

/* A deadline that has passed, one that will soon, or none. */
static rp_time some_deadline(rp_self *me)
{
    uint64_t r = rp_random(me);
    return r % 4 == 0 ? 0 : r % 4 == 1 ? rp_now(me) + (rp_time)(r / 4 % 200) * RP_US : RP_FOREVER;
}

struct one_put {
    rp_queue *q;
    struct item item;
    rp_time deadline;
    int rc;
};

static int put_in_task(rp_self *me, void *arg)
{
    struct one_put *p = arg;
    p->rc = rp_queue_put(me, p->q, &p->item, p->deadline);
    return 0;
}

/* Puts by a task, which is cancelled some passes later if it has not come through. */
static int put_or_cancel(rp_self *me, struct one_put *p)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, put_in_task, p, NULL);
    for (uint64_t n = rp_random(me) % 4; rc == 0 && n > 0; n--)
        rc = rp_yield(me);
    rp_scope_cancel(&s, "test");
    rc = rp_scope_close(me, &s, rc);
    check_eq(rc, 0);
    return p->rc;
}

static int makes(rp_self *me, void *arg)
{
    struct part *part = arg;
    struct stress *s = part->s;
    for (int n = 0; n < EACH;) {
        struct one_put p = {s->q, {part->id, n}, some_deadline(me), 0};
        p.rc = -ECANCELED;
        int rc = rp_random(me) % 4 ? rp_queue_put(me, s->q, &p.item, p.deadline) : put_or_cancel(me, &p);
        if (rc == 0) {
            n++;
            s->puts++;
        } else {
            check(rc == -ETIMEDOUT || rc == -ECANCELED, "%d", rc);
            s->refusals++;
            check_eq(rp_yield(me), 0);
        }
    }
    return 0;
}

struct one_get {
    struct stress *s;
    struct item item;
    rp_lease lease;
    int rc;
};

static int get_in_task(rp_self *me, void *arg)
{
    struct one_get *g = arg;
    g->rc = g->s->leases ? rp_queue_take(me, g->s->q, &g->item, &g->lease, RP_FOREVER)
                         : rp_queue_get(me, g->s->q, &g->item, RP_FOREVER);
    if (g->rc == 0 && g->s->leases) {
        if (rp_random(me) % 4 == 0)
            g->rc = -EINTR; /* forgets it: it comes back to somebody */
        else
            check_eq(rp_lease_done(me, &g->lease), 0);
    }
    return 0;
}

static int get_or_cancel(rp_self *me, struct one_get *g)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, get_in_task, g, NULL);
    for (uint64_t n = rp_random(me) % 4; rc == 0 && n > 0; n--)
        rc = rp_yield(me);
    rp_scope_cancel(&s, "test");
    check_eq(rp_scope_close(me, &s, rc), 0);
    return g->rc;
}

static int takes(rp_self *me, void *arg)
{
    struct part *part = arg;
    struct stress *s = part->s;
    int last[MAKERS];
    memset(last, -1, sizeof last);
    for (int rc = 0; rc != -EPIPE;) {
        struct one_get g = {.s = s, .rc = -ECANCELED};
        bool by_task = s->leases || rp_random(me) % 4 == 0;
        rc = by_task ? get_or_cancel(me, &g) : rp_queue_get(me, s->q, &g.item, some_deadline(me));
        if (rc == 0) {
            s->times[g.item.maker][g.item.n]++;
            s->gets++;
            check(s->leases || g.item.n > last[g.item.maker], "out of order");
            last[g.item.maker] = g.item.n;
        } else if (rc != -EPIPE) {
            check(rc == -ETIMEDOUT || rc == -ECANCELED || rc == -EINTR, "%d", rc);
            s->refusals++;
            check_eq(rp_yield(me), 0);
        }
    }
    return 0;
}

static int taking_crew(rp_self *me, void *arg)
{
    struct part parts[TAKERS];
    for (int i = 0; i < TAKERS; i++)
        parts[i] = (struct part){arg, i};
    crew(me, takes, parts, sizeof *parts, TAKERS);
    return 0;
}

static const rp_actor takers = {.name = "takers", .run = taking_crew};

static void stress_once(rp_self *me, uint32_t capacity, bool with_leases)
{
    static struct stress s;
    memset(&s, 0, sizeof s);
    check_eq(rp_queue_new(sizeof(struct item), capacity, NULL, &s.q), 0);
    s.leases = with_leases;
    struct part parts[MAKERS];
    check_eq(rp_spawn(me, &takers, &(rp_spawn_opts){.arg = &s, .monitor = true}, NULL), 0);
    for (int i = 0; i < MAKERS; i++)
        parts[i] = (struct part){&s, i};
    crew(me, makes, parts, sizeof *parts, MAKERS);
    rp_queue_close_put(s.q);
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, 0);
    check_eq(s.puts, MAKERS * EACH);
    check_eq(s.gets, MAKERS * EACH);
    for (int m = 0; m < MAKERS; m++)
        for (int n = 0; n < EACH; n++)
            check_eq(s.times[m][n], 1);
    check(s.refusals > 0, "nothing was ever cancelled: the test tests nothing");
    check_eq(rp_queue_join(me, s.q, RP_FOREVER), 0);
    rp_queue_stats t = stats_of(s.q);
    check_eq(t.count + t.leased + t.getters + t.putters + t.joiners, 0);
    rp_queue_free(s.q);
}

static int stress(rp_self *me, void *arg)
{
    (void)arg;
    stress_once(me, 0, false);
    stress_once(me, 1, false);
    stress_once(me, 7, false);
    stress_once(me, 3, true);
    return 0;
}

TEST(queue, e_stress_two_loops)
{
    rp_system_opts two = {.loops = 2}, sleepy = {.loops = 2, .spin_us = -1};
    check_eq(run_with(stress, 0, &two), 0);
    check_eq(run_with(stress, 0, &sleepy), 0);
}

TEST(queue, e_stress_unfair_schedules)
{
    rp_system_opts chaos = {.loops = 3, .chaos_seed = test_seed()};
    check_eq(run_with(stress, 0, &chaos), 0);
}

static int stress_one(rp_self *me, void *arg)
{
    stress_once(me, *(uint32_t *)arg % 3, *(uint32_t *)arg % 4 == 3);
    return 0;
}

TEST(queue, e_stress_50_simulations)
{
    uint64_t seed = test_seed();
    for (uint32_t i = 0; i < seeds(50); i++) {
        rp_system_opts sim = {.loops = 1 + i % 3, .sim_seed = seed + i};
        check_eq(run_with(stress_one, &i, &sim), 0);
    }
}

/* ---- foreign threads ------------------------------------------------------------------------------ */

enum { FOREIGN = 3000 };

struct foreign {
    rp_queue *in, *out;
    int64_t sum;
};

static void *thread_puts(void *arg)
{
    struct foreign *f = arg;
    for (int n = 1; n <= FOREIGN;)
        if (rp_queue_try_put(f->in, &n) == 0)
            n++;
        else
            sched_yield();
    rp_queue_close_put(f->in);
    return 0;
}

static void *thread_gets(void *arg) /* a foreign event loop */
{
    struct foreign *f = arg;
    struct pollfd p = {.fd = rp_queue_fd(f->out), .events = POLLIN};
    check(p.fd >= 0);
    for (int rc = 0; rc != -EPIPE;) {
        check_eq(poll(&p, 1, 20000), 1);
        int n;
        while ((rc = rp_queue_try_get(f->out, &n)) == 0)
            f->sum += n;
        check(rc == -EAGAIN || rc == -EPIPE);
    }
    return 0;
}

static int doubles(rp_self *me, void *arg)
{
    struct foreign *f = arg;
    int n, rc;
    while ((rc = rp_queue_get(me, f->in, &n, RP_FOREVER)) == 0) {
        n *= 2;
        check_eq(rp_queue_put(me, f->out, &n, RP_FOREVER), 0);
    }
    check_eq(rc, -EPIPE);
    return 0;
}

static const rp_actor doubler = {.name = "doubles", .run = doubles};

static int foreign_root(rp_self *me, void *arg)
{
    for (int i = 0; i < 2; i++)
        check_eq(rp_spawn(me, &doubler, &(rp_spawn_opts){.arg = arg, .on = RP_SPREAD, .monitor = true}, NULL), 0);
    for (int i = 0; i < 2; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    rp_queue_close_put(((struct foreign *)arg)->out);
    return 0;
}

TEST(queue, f_foreign_threads)
{
    struct foreign f = {fifo(8), fifo(4), 0};
    pthread_t a, b;
    check_eq(pthread_create(&a, 0, thread_puts, &f), 0);
    check_eq(pthread_create(&b, 0, thread_gets, &f), 0);
    rp_system_opts two = {.loops = 2};
    check_eq(run_with(foreign_root, &f, &two), 0);
    pthread_join(a, 0);
    pthread_join(b, 0);
    check_eq(f.sum, (int64_t)FOREIGN * (FOREIGN + 1));
    rp_queue_free(f.in);
    rp_queue_free(f.out);
}

static bool readable(rp_queue *q)
{
    struct pollfd p = {.fd = rp_queue_fd(q), .events = POLLIN};
    check(p.fd >= 0);
    return poll(&p, 1, 0) == 1;
}

static int descriptor(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q = fifo(2), *r = fifo(0);
    int n = 1;
    check_eq(put(me, q, 1), 0);
    check(readable(q)); /* what was there before anybody asked */
    check_eq(rp_queue_fd(q), rp_queue_fd(q));
    check_eq(put(me, q, 2), 0);
    check_eq(get(me, q), 1);
    check(readable(q));
    check_eq(get(me, q), 2);
    check_eq(rp_queue_try_get(q, &n), -EAGAIN);
    check(!readable(q));
    check_eq(put(me, q, 3), 0);
    check(readable(q));
    check_eq(get(me, q), 3);
    check_eq(rp_queue_get(me, q, &n, 0), -ETIMEDOUT);
    check(!readable(q));
    rp_queue_close_put(q);
    check(readable(q)); /* the end is something to learn */
    check(!readable(r));
    struct job j = {r, 5, -1, 0, 0, 0, {0}};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, put_job, &j, NULL), 0);
    passes(me, 2);
    check(readable(r)); /* somebody stands there with an item */
    check_eq(rp_queue_try_get(r, &n), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    rp_queue_free(q);
    rp_queue_free(r);
    return 0;
}

TEST(queue, f_descriptor)
{
    everywhere(descriptor, 0);
}

/* Closed while an item is leased: there is -EPIPE to learn, at once and for good, whenever it is asked for. */
static int descriptor_of_a_closed_one(rp_self *me, void *arg)
{
    (void)arg;
    for (int asked_before = 0; asked_before < 2; asked_before++) {
        rp_queue *q = fifo(2);
        rp_lease lease = {0};
        int n = 0;
        if (asked_before)
            check(!readable(q));
        check_eq(put(me, q, 1), 0);
        check_eq(rp_queue_take(me, q, &n, &lease, RP_FOREVER), 0);
        check_eq(rp_queue_try_get(q, &n), -EAGAIN);
        rp_queue_close_get(q);
        for (int i = 0; i < 2; i++) {
            check(readable(q));
            check_eq(rp_queue_try_get(q, &n), -EPIPE);
        }
        check_eq(asked_before ? rp_lease_done(me, &lease) : rp_lease_return(me, &lease), 0);
        check(readable(q));
        check_eq(rp_queue_try_get(q, &n), -EPIPE);
        rp_queue_free(q);
    }
    return 0;
}

TEST(queue, f_descriptor_of_a_closed_one)
{
    everywhere(descriptor_of_a_closed_one, 0);
}

/* A foreign thread wakes the last actor of a system, which is then freed: not under the waker. */
static void *thread_puts_one(void *arg)
{
    int n = 1;
    while (rp_queue_try_put(arg, &n) != 0)
        sched_yield();
    return 0;
}

static int gets_one(rp_self *me, void *arg)
{
    check_eq(get(me, arg), 1);
    return 0;
}

TEST(queue, f_the_last_wake_outlives_no_system)
{
    for (int i = 0; i < 100; i++) {
        rp_queue *q = fifo(0);
        pthread_t t;
        check_eq(pthread_create(&t, 0, thread_puts_one, q), 0);
        rp_system_opts one = {.loops = 1, .spin_us = i % 2 ? 50 : -1};
        check_eq(run_with(gets_one, q, &one), 0);
        pthread_join(t, 0);
        rp_queue_free(q);
    }
}
