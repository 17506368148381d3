/* SPDX-License-Identifier: MIT
 *
 * A mailbox in which messages always stand for too long, and one that has to do with a burst.
 */
#include "reparto/metrics.h"
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

enum { TARGET_MS = 10, SECOND = 1000, SEEDS = 10 };

struct server { /* takes a millisecond for a message, or two */
    uint64_t n;
    rp_time slowest; /* a message was handled after, since that was last asked */
};

static int serve(rp_self *me, void *state, const rp_msg *m)
{
    struct server *s = *(struct server **)state;
    rp_time late = rp_now(me) - (rp_time)((const struct num *)rp_body(m, NUM))->n;
    s->slowest = late > s->slowest ? late : s->slowest;
    s->n++;
    int rc = rp_sleep(me, rp_in_ms(me, 1));
    return rc == 0 && rp_wants_reply(m) ? rp_reply(me, m, NUM, &(struct num){0, {0, 0}}) : rc;
}

static int receive(rp_self *me, void *arg)
{
    static const rp_type *const nums[] = {NUM, NULL};
    int rc = 0;
    while (rc == 0) {
        rp_msg *m;
        if ((rc = rp_recv_of(me, nums, &m, RP_FOREVER)) != 0)
            break;
        rc = serve(me, &arg, m);
        rp_msg_drop(me, m);
    }
    return rc == -ECANCELED ? 0 : rc;
}

static int keep_arg(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}
static const rp_actor handler = {.name = "server", .handle = serve, .init = keep_arg, .state_size = sizeof(void *)};
static const rp_actor receiver = {.name = "server", .run = receive};

static rp_ref start(rp_self *me, const rp_actor *kind, struct server *s, uint32_t shed_ms)
{
    rp_ref r;
    rp_spawn_opts o = {.arg = s, .mailbox = 1000000, .mailbox_bytes = 1 << 30, .shed_ms = shed_ms};
    check_eq(rp_spawn(me, kind, &o, &r), 0);
    return r;
}

static void load(rp_self *me, rp_ref to, unsigned ms, unsigned each)
{
    for (unsigned i = 0; i < ms; i++) {
        for (unsigned k = 0; k < each; k++)
            check_eq(tell_num(me, to, (uint64_t)rp_now(me)), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
}

static uint64_t shed(rp_self *me)
{
    rp_metrics m;
    check_eq(rp_metrics_read(me, RP_ALL_LOOPS, &m), 0);
    check_eq(m.dropped[RP_DROPPED_SHED], m.messages.dropped);
    return m.messages.dropped;
}

/* Three times what it can do: it does as much, and none of it late; when that is over nothing more is dropped. */
static int overloaded(rp_self *me, void *arg)
{
    struct server s = {0, 0};
    rp_ref who = start(me, arg, &s, TARGET_MS);
    load(me, who, SECOND, 3);
    uint64_t n = s.n;
    s.slowest = 0;
    load(me, who, SECOND, 3);
    check(s.slowest <= 4 * TARGET_MS * RP_MS, "handled after %lld us", (long long)(s.slowest / RP_US));
    check(s.n - n >= SECOND / 3, "%llu were", (unsigned long long)(s.n - n));
    check(shed(me) > SECOND);
    load(me, who, 300, 0);
    n = shed(me);
    s.slowest = 0;
    for (unsigned i = 0; i < 100; i++)
        load(me, who, 4, i % 4 == 0);
    check_eq(shed(me), n);
    check(s.slowest < TARGET_MS * RP_MS);
    return 0;
}

TEST(shed, a_line_that_stands_is_cut)
{
    const rp_actor *kinds[] = {&handler, &receiver};
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(overloaded, (void *)(uintptr_t)kinds[i % 2], &(rp_system_opts){.loops = 1, .sim_seed = seed + i}), 0);
}

/* What the test above tells apart. */
static int not_asked_for(rp_self *me, void *arg)
{
    struct server s = {0, 0};
    rp_ref who = start(me, &handler, &s, 0);
    (void)arg;
    load(me, who, SECOND, 3);
    check(s.slowest > SECOND / 4 * RP_MS, "handled after %lld us", (long long)(s.slowest / RP_US));
    check_eq(shed(me), 0);
    return rp_stop(me, who, "over");
}

TEST(shed, only_where_it_is_asked_for)
{
    check_eq(run_with(not_asked_for, NULL, &(rp_system_opts){.loops = 1, .sim_seed = test_seed()}), 0);
}

/* Longer than the target, and shorter than twenty of them, again and again. */
static int bursts(rp_self *me, void *arg)
{
    struct server s = {0, 0};
    rp_ref who = start(me, &handler, &s, TARGET_MS);
    (void)arg;
    for (unsigned i = 0; i < 10; i++) {
        load(me, who, 1, 50);
        for (unsigned k = 0; k < 40; k++) { /* and some all the time, of which its pace is known */
            load(me, who, 1, 1);
            load(me, who, 3, 0);
        }
    }
    check_eq(s.n, 900);
    check(s.slowest > 2 * TARGET_MS * RP_MS);
    check_eq(shed(me), 0);
    return 0;
}

TEST(shed, a_burst_is_not)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(bursts, NULL, &(rp_system_opts){.loops = 1, .sim_seed = seed + i}), 0);
}

static int floods(rp_self *me, void *arg)
{
    load(me, *(const rp_ref *)arg, SECOND, 3);
    return 0;
}

/* Who asks is told at once, and what must not be lost stays. */
static int asks(rp_self *me, void *arg)
{
    struct server s = {0, 0};
    rp_ref who = start(me, &handler, &s, TARGET_MS);
    rp_scope scope;
    unsigned refused = 0;
    (void)arg;
    rp_scope_open(me, &scope, RP_FOREVER);
    check_eq(rp_go(me, &scope, floods, &who, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, SECOND / 2)), 0);
    for (unsigned i = 0; i < 20; i++) {
        rp_msg *m;
        rp_time begun = rp_now(me);
        int rc = rp_call(me, who, NUM, &(struct num){(uint64_t)begun, {0, 0}}, &m, RP_FOREVER);
        check(rc == 0 || rc == -EAGAIN, "%d", rc);
        refused += rc != 0;
        check(rp_now(me) - begun < 6 * TARGET_MS * RP_MS);
        if (rc == 0)
            rp_msg_drop(me, m);
    }
    check(refused > 0, "none was refused");
    return rp_scope_close(me, &scope, 0);
}

TEST(shed, who_asks_is_told)
{
    check_eq(run_with(asks, NULL, &(rp_system_opts){.loops = 1, .sim_seed = test_seed()}), 0);
}

static int with_a_stash(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &handler, &(rp_spawn_opts){.shed_ms = 10, .stash = 1}, NULL), -EINVAL);
    return 0;
}

TEST(shed, not_beside_a_stash)
{
    check_eq(run_with(with_a_stash, NULL, NULL), 0);
}
