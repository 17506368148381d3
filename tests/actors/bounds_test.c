/* SPDX-License-Identifier: MIT
 *
 * A bound bounds: what a mailbox takes beyond it, for each way by which messages come. docs/contract.md, "Bounds".
 *
 * The target begins with its first message and waits for ever. What is accepted then stands in its mailbox, or is on its
 * way there.
 */
#include "tests/support.h"

#include "loop/loop.h"
#include "reparto/dead.h"
#include "reparto/group.h"
#include "reparto/inspect.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct wide { /* several slots */
    uint8_t raw[480];
};
static const rp_field wide_fields[] = {RP_FIELD(struct wide, raw, RP_RAW)};
static const rp_type wide_type = RP_TYPE("test.wide", struct wide, wide_fields);

enum { BIG = 100000 };

static int hog(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor stuck = {.name = "stuck", .handle = hog};

struct trial {
    const char *name;
    int (*send)(rp_self *me, rp_ref to); /* one message; -EAGAIN ends it, as any error */
    unsigned senders, each; /* each: so many and no more; 0: as many as go */
    uint32_t limit;
    size_t limit_bytes, message; /* bytes; 0: the bound is in messages */
    bool noise; /* the target's loop sends much to where the senders are: what it says of the mailbox comes late */
};

struct run {
    const struct trial *trial;
    rp_ref to;
    _Atomic uint64_t accepted;
    _Atomic bool over;
};

static int sender(rp_self *me, void *arg)
{
    struct run *r = arg;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && !atomic_load(&r->over) && (r->trial->each == 0 || i < r->trial->each); i++) {
        rc = r->trial->send(me, r->to);
        if (rc == 0)
            atomic_fetch_add(&r->accepted, 1);
    }
    return 0;
}
static const rp_actor sender_actor = {.name = "sender", .run = sender};

static int depth_of(rp_self *me, rp_ref who, uint32_t *messages, uint64_t *bytes)
{
    rp_inspection *in;
    rp_actor_info x;
    int rc = rp_inspect(me, 60000, &in);
    while (rc == 0 && (rc = rp_inspect_next(me, in, &x)) == 1) {
        rc = 0;
        if (rp_ref_eq(x.ref, who)) {
            *messages = x.depth;
            *bytes = x.bytes;
        }
    }
    rp_inspect_end(me, in);
    return rc;
}

/* What has been accepted and is not being handled, when it is as many as the bound, and a while after that. */
static uint64_t held(rp_self *me, struct run *r)
{
    const struct trial *t = r->trial;
    uint64_t bytes = 0, bound = t->message ? t->limit_bytes / t->message : t->limit;
    uint32_t depth = 0;
    while (depth < bound) {
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        check_eq(depth_of(me, r->to, &depth, &bytes), 0);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    return atomic_load(&r->accepted) - 1;
}

static size_t window_of(const struct trial *t)
{
    return t->limit_bytes < 1 << 20 ? RP__WAY_WINDOW / RP__WEIGHT_NARROW : RP__WAY_WINDOW;
}

static void check_held(const struct trial *t, uint64_t n, unsigned loops)
{
    if (!t->message)
        check(n <= t->limit + loops * RP__WAY_FEW, "%s, %u loops: of %u it holds %llu", t->name, loops, t->limit, (unsigned long long)n);
    else
        check(n * t->message <= t->limit_bytes + t->message + loops * (window_of(t) + t->message), "%s, %u loops: of %zu bytes it holds %llu",
              t->name, loops, t->limit_bytes, (unsigned long long)(n * t->message));
}

static int nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor idle = {.name = "idle", .handle = nothing};

static int make_noise(rp_self *me, void *arg)
{
    struct run *r = arg;
    rp_ref to;
    int rc = rp_spawn(me, &idle, &(rp_spawn_opts){.on = RP_LOOP(0)}, &to);
    while (rc == 0 && !atomic_load(&r->over))
        rc = tell_num(me, to, 1);
    return rc;
}
static const rp_actor noise = {.name = "noise", .run = make_noise};

/* All that read what stands on this stack have ended. */
static void wait_for(rp_self *me, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
    }
}

/* Senders on the target's loop, on another, on all. */
static int try_ways(rp_self *me, void *arg)
{
    unsigned all = rp_loop_count(me);
    for (unsigned where = 0; where < 3; where++) {
        struct run r = {.trial = arg};
        const struct trial *t = arg;
        rp_spawn_opts o = {.mailbox = t->limit, .mailbox_bytes = t->limit_bytes, .on = RP_LOOP(all - 1)};
        rp_spawn_opts os = {.arg = &r, .monitor = true, .on = where == 0 ? RP_LOOP(all - 1) : where == 1 ? RP_LOOP(0) : RP_SPREAD};
        check_eq(rp_spawn(me, &stuck, &o, &r.to), 0);
        unsigned noises = t->noise && all > 1 ? 3 : 0;
        for (unsigned i = 0; i < noises; i++)
            check_eq(rp_spawn(me, &noise, &(rp_spawn_opts){.arg = &r, .monitor = true, .on = RP_LOOP(all - 1)}, NULL), 0);
        for (unsigned i = 0; i < t->senders; i++)
            check_eq(rp_spawn(me, &sender_actor, &os, NULL), 0);
        check_held(t, held(me, &r), where == 2 ? all : 1);
        atomic_store(&r.over, true);
        check_eq(rp_stop(me, r.to, "enough"), 0);
        wait_for(me, t->senders + noises);
    }
    return 0;
}

static int by_tell(rp_self *me, rp_ref to)
{
    return tell_num(me, to, 1);
}

static int by_try_tell(rp_self *me, rp_ref to)
{
    int rc = rp_try_tell(me, to, NUM, &(struct num){1, {0, 0}});
    return rc;
}

static int by_wide(rp_self *me, rp_ref to)
{
    struct wide b = {{1}};
    return rp_tell(me, to, &wide_type, &b);
}

static int by_bounce(rp_self *me, rp_ref to)
{
    return rp_tell_bounce(me, to, NUM, &(struct num){1, {0, 0}}, 7);
}

static int by_send(rp_self *me, rp_ref to)
{
    rp_msg *m = rp_msg_new(me, NUM);
    int rc = m ? rp_send(me, to, &m) : -ENOMEM;
    rp_msg_drop(me, m);
    return rc;
}

static const char bulk[BIG];

static int by_big(rp_self *me, rp_ref to)
{
    return rp_tell(me, to, TEXT, &(struct text){1, {bulk, BIG}});
}

static int by_big_try(rp_self *me, rp_ref to)
{
    return rp_try_tell(me, to, TEXT, &(struct text){1, {bulk, BIG}});
}

TEST(bounds, of_messages_whoever_sends)
{
    static const struct trial trials[] = {
        {"one", by_tell, 1, 0, 10, 0, 0, false}, {"a few", by_tell, 10, 0, 10, 0, 0, false}, {"a crowd, one each", by_tell, 300, 1, 10, 0, 0, false},
        {"one, a mailbox for one", by_tell, 1, 0, 1, 0, 0, false}, {"one, nearly a usual one", by_tell, 1, 0, 1000, 0, 0, false},
    };
    for (unsigned i = 0; i < sizeof trials / sizeof *trials; i++)
        everywhere(try_ways, (void *)(uintptr_t)&trials[i]);
}

TEST(bounds, of_messages_by_each_call)
{
    static const struct trial trials[] = {
        {"rp_try_tell", by_try_tell, 10, 0, 10, 0, 0, false}, {"several slots", by_wide, 3, 0, 10, 0, 0, false},
        {"rp_tell_bounce", by_bounce, 3, 0, 10, 0, 0, false}, {"rp_send", by_send, 3, 0, 10, 0, 0, false},
    };
    for (unsigned i = 0; i < sizeof trials / sizeof *trials; i++)
        everywhere(try_ways, (void *)(uintptr_t)&trials[i]);
}

TEST(bounds, of_messages_when_the_news_come_late)
{
    static const struct trial trials[] = {
        {"one, noise", by_tell, 1, 0, 10, 0, 0, true}, {"a few, noise", by_tell, 20, 0, 10, 0, 0, true},
    };
    for (unsigned i = 0; i < sizeof trials / sizeof *trials; i++)
        everywhere(try_ways, (void *)(uintptr_t)&trials[i]);
}

TEST(bounds, of_bytes)
{
    static const struct trial trials[] = {
        {"big bodies", by_big, 1, 0, 1024, 1 << 20, BIG, false}, {"a crowd", by_big, 50, 0, 1024, 1 << 20, BIG, false},
        {"not waiting", by_big_try, 50, 0, 1024, 200000, BIG, false},
    };
    for (unsigned i = 0; i < sizeof trials / sizeof *trials; i++)
        everywhere(try_ways, (void *)(uintptr_t)&trials[i]);
}

/* ---- by the hands of others ---------------------------------------------------------------------------- */

static int pass_on(rp_self *me, void *state, const rp_msg *m)
{
    return rp_forward(me, m, *(rp_ref *)state);
}

static int keep_ref(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(rp_ref *)state = *(rp_ref *)arg;
    return 0;
}
static const rp_actor forwarder = {.name = "forwarder", .handle = pass_on, .init = keep_ref, .state_size = sizeof(rp_ref)};

enum { FEW = 10, MUCH = 5000 };

/* Messages pour into `by`, which passes them to `to`. How many stand before `to` in the end. */
static uint32_t pour(rp_self *me, rp_ref by, rp_ref to)
{
    uint32_t depth = 0;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < MUCH && rp_try_tell(me, by, NUM, &(struct num){i, {0, 0}}) == 0; i++)
        if (i % 50 == 49)
            check_eq(rp_yield(me), 0);
    while (depth < FEW) {
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        check_eq(depth_of(me, to, &depth, &bytes), 0);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(depth_of(me, to, &depth, &bytes), 0);
    return depth;
}

static int forwarded(rp_self *me, void *arg)
{
    static rp_ref to; /* the forwarder may outlive this call */
    rp_ref by;
    (void)arg;
    check_eq(rp_spawn(me, &stuck, &(rp_spawn_opts){.mailbox = FEW, .on = RP_LOOP(rp_loop_count(me) - 1)}, &to), 0);
    check_eq(rp_spawn(me, &forwarder, &(rp_spawn_opts){.arg = &to}, &by), 0);
    uint32_t n = pour(me, by, to);
    check(n <= FEW + RP__WAY_FEW, "%u were passed on", n);
    return 0;
}

static int redirected(rp_self *me, void *arg)
{
    rp_ref to, by;
    (void)arg;
    check_eq(rp_spawn(me, &stuck, &(rp_spawn_opts){.mailbox = FEW, .on = RP_LOOP(rp_loop_count(me) - 1)}, &to), 0);
    check_eq(rp_spawn(me, &stuck, &(rp_spawn_opts){.mailbox = 1, .overflow = RP_REDIRECT, .redirect = to}, &by), 0);
    uint32_t n = pour(me, by, to);
    check(n <= FEW + RP__WAY_FEW, "%u were passed on", n);
    return 0;
}

static int joins(rp_self *me, void *arg)
{
    int rc = rp_group_join(me, *(rp_ref *)arg);
    return rc != 0 ? rc : rp_sleep(me, RP_FOREVER); /* and receives nothing */
}
static const rp_actor member = {.name = "member", .run = joins};

static int publishes(rp_self *me, void *arg)
{
    int rc = 0;
    for (unsigned i = 0; i < MUCH && rc == 0; i++)
        rc = rp_publish(me, *(rp_ref *)arg, NUM, &(struct num){i, {0, 0}});
    return 0;
}
static const rp_actor publisher = {.name = "publisher", .run = publishes};

static int published(rp_self *me, void *arg)
{
    static rp_ref group; /* the publisher may outlive this call */
    rp_ref to, by;
    uint32_t n = 0;
    uint64_t bytes;
    (void)arg;
    check_eq(rp_group_start(me, &(rp_spawn_opts){.mailbox = FEW}, &group), 0);
    check_eq(rp_spawn(me, &member, &(rp_spawn_opts){.arg = &group, .mailbox = FEW, .on = RP_LOOP(rp_loop_count(me) - 1)}, &to), 0);
    while (rp_group_members(me, group, NULL, 0) != 1)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rp_spawn(me, &publisher, &(rp_spawn_opts){.arg = &group}, &by), 0);
    while (n < FEW) {
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        check_eq(depth_of(me, to, &n, &bytes), 0);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(depth_of(me, to, &n, &bytes), 0);
    check(n <= FEW + RP__WAY_FEW, "a member holds %u", n);
    check_eq(depth_of(me, group, &n, &bytes), 0);
    check(n <= FEW + RP__WAY_FEW, "the group holds %u", n);
    return 0;
}

TEST(bounds, of_messages_that_are_passed_on)
{
    everywhere(forwarded, 0);
    everywhere(redirected, 0);
    everywhere(published, 0);
}

/* Timers of one that is busy do not stand in its mailbox. */
static int starts_timers(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    for (unsigned i = 0; i < 500; i++)
        check_eq(rp_timer_start(me, rp_now(me), NUM, &(struct num){i, {0, 0}}, NULL), 0);
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor timed = {.name = "timed", .handle = starts_timers};

static int timers(rp_self *me, void *arg)
{
    rp_ref to;
    uint32_t n = 0;
    uint64_t bytes;
    (void)arg;
    check_eq(rp_spawn(me, &timed, &(rp_spawn_opts){.mailbox = 1}, &to), 0);
    check_eq(tell_num(me, to, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(depth_of(me, to, &n, &bytes), 0);
    check_eq(n, 0);
    return 0;
}

TEST(bounds, timers_take_no_room)
{
    everywhere(timers, 0);
}

/* ---- who may not wait ------------------------------------------------------------------------------------ */

struct pusher {
    rp_ref to;
    bool may_wait;
    uint32_t sent;
    int rc;
};

/* The target is never busy, and its mailbox of the usual size: what is on its way is all there is. */
static int push_all(rp_self *me, void *state, const rp_msg *m)
{
    struct pusher *p = *(struct pusher **)state;
    (void)m;
    while (p->rc == 0 && p->sent < 1000000) {
        struct num b = {p->sent, {0, 0}};
        p->rc = p->may_wait ? rp_try_tell(me, p->to, NUM, &b) : rp_tell(me, p->to, NUM, &b);
        p->sent += p->rc == 0;
    }
    return 0;
}

static int keep_pointer(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}
static const rp_actor trier = {.name = "trier", .handle = push_all, .init = keep_pointer, .state_size = sizeof(void *)};
static const rp_actor nowaiter = {.name = "nowaiter", .handle = push_all, .init = keep_pointer, .state_size = sizeof(void *), .flags = RP_NOWAIT};

static int refused(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 4; i++) {
        struct pusher p = {.may_wait = i % 2};
        rp_ref by;
        rp_msg *m;
        check_eq(rp_spawn(me, &idle, &(rp_spawn_opts){.on = i < 2 ? RP_SAME : RP_LOOP(rp_loop_count(me) - 1)}, &p.to), 0);
        check_eq(rp_spawn(me, p.may_wait ? &trier : &nowaiter, &(rp_spawn_opts){.arg = &p, .on = RP_SAME}, &by), 0);
        check_eq(rp_call(me, by, NUM, &(struct num){0, {0, 0}}, &m, RP_FOREVER), -EPIPE); /* it has returned */
        bool here = i < 2 || rp_loop_count(me) == 1;
        check(!here || p.sent <= RP__CROWDED + RP__BURST, "%u were taken", p.sent);
        check_eq(here ? p.rc : -EAGAIN, -EAGAIN);
    }
    return 0;
}

TEST(bounds, who_may_not_wait_is_refused)
{
    everywhere(refused, 0);
}

/* A small mailbox that is empty is not full, however many there are. */
static int room_for_all(rp_self *me, void *arg)
{
    enum { WORKERS = 30 };
    rp_ref w[WORKERS];
    (void)arg;
    for (unsigned i = 0; i < WORKERS; i++)
        check_eq(rp_spawn(me, &idle, &(rp_spawn_opts){.mailbox = 2, .on = RP_SPREAD}, &w[i]), 0);
    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0; i < WORKERS; i++)
            check_eq(rp_try_tell(me, w[i], NUM, &(struct num){1, {0, 0}}), 0);
    return 0;
}

TEST(bounds, of_an_empty_mailbox_refuse_nobody)
{
    everywhere(room_for_all, 0);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

struct counted {
    rp_alloc mem;
    _Atomic int64_t bytes, most;
};

static void *counted_alloc(void *ud, size_t size)
{
    struct counted *c = ud;
    int64_t now = atomic_fetch_add(&c->bytes, (int64_t)size) + (int64_t)size, most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
        ;
    return malloc(size);
}

static void counted_free(void *ud, void *p, size_t size)
{
    struct counted *c = ud;
    atomic_fetch_sub(&c->bytes, (int64_t)size);
    free(p);
}

/* A thousand senders of large bodies: who waits holds no copy. */
static int crowd_of_big(rp_self *me, void *arg)
{
    static const struct trial t = {"a thousand", by_big, 1000, 0, 1024, 1 << 20, BIG, false};
    struct counted *c = arg;
    struct run r = {.trial = &t};
    unsigned loops = rp_loop_count(me);
    check_eq(rp_spawn(me, &stuck, &(rp_spawn_opts){.on = RP_LOOP(loops - 1)}, &r.to), 0);
    int64_t before = atomic_load(&c->bytes), most = t.limit_bytes + BIG + loops * (RP__WAY_WINDOW + BIG), besides = 3 << 20;
    for (unsigned i = 0; i < t.senders; i++)
        check_eq(rp_spawn(me, &sender_actor, &(rp_spawn_opts){.arg = &r, .monitor = true, .on = RP_SPREAD}, NULL), 0);
    check_held(&t, held(me, &r), loops);
    atomic_store(&r.over, true);
    check(atomic_load(&c->most) - before <= most + besides, "%lld bytes", (long long)(atomic_load(&c->most) - before));
    check_eq(rp_stop(me, r.to, "enough"), 0);
    wait_for(me, t.senders);
    return 0;
}

TEST(bounds, of_memory_hold_for_a_crowd)
{
    for (unsigned loops = 1; loops <= 3; loops++) {
        static struct counted c;
        c = (struct counted){.mem = {counted_alloc, counted_free, &c}};
        rp_system_opts o = {.loops = loops, .mem = &c.mem};
        check_eq(run_with(crowd_of_big, &c, &o), 0);
        check_eq(atomic_load(&c.bytes), 0);
    }
}

/* One that takes a while for each, and one that never stops: the memory of the first few hundred is that of all. */
static int slow(rp_self *me, void *state, const rp_msg *m)
{
    _Atomic uint32_t *seen = *(_Atomic uint32_t **)state;
    (void)m;
    atomic_fetch_add(seen, 1);
    return rp_sleep(me, rp_in_ms(me, 1));
}
static const rp_actor slow_actor = {.name = "slow", .handle = slow, .init = keep_pointer, .state_size = sizeof(void *)};

static int slow_one(rp_self *me, void *arg)
{
    static const struct trial t = {"slow", by_wide, 1, 0, 1024, 0, 0, false};
    struct counted *c = arg;
    struct run r = {.trial = &t};
    _Atomic uint32_t seen = 0;
    check_eq(rp_spawn(me, &slow_actor, &(rp_spawn_opts){.arg = &seen, .monitor = true, .on = RP_LOOP(rp_loop_count(me) - 1)}, &r.to), 0);
    check_eq(rp_spawn(me, &sender_actor, &(rp_spawn_opts){.arg = &r, .monitor = true}, NULL), 0);
    while (atomic_load(&seen) < 100)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    int64_t before = atomic_load(&c->most);
    while (atomic_load(&seen) < 400)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check(atomic_load(&c->most) - before <= 256 << 10, "%lld bytes more", (long long)(atomic_load(&c->most) - before));
    atomic_store(&r.over, true);
    check_eq(rp_stop(me, r.to, "enough"), 0);
    wait_for(me, 2);
    return 0;
}

TEST(bounds, of_memory_hold_while_one_is_slow)
{
    static struct counted c;
    for (unsigned loops = 1; loops <= 2; loops++) {
        c = (struct counted){.mem = {counted_alloc, counted_free, &c}};
        rp_system_opts real = {.loops = loops, .mem = &c.mem}, sim = {.loops = loops, .mem = &c.mem, .sim_seed = test_seed()};
        check_eq(run_with(slow_one, &c, &real), 0);
        check_eq(run_with(slow_one, &c, &sim), 0);
        check_eq(atomic_load(&c.bytes), 0);
    }
}
