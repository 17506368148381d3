/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>

enum { FAIL = 1000, END, LINK, UNLINK, EXITS, KNOWS, QUIET_LINK };

struct trapper {
    uint64_t exits;
    int32_t last;
};

static int obey(rp_self *me, void *state, const rp_msg *m)
{
    struct trapper *t = state;
    const struct rp_exit_notice *e = rp_body(m, RP_EXIT_NOTICE);
    if (e) {
        t->exits++;
        t->last = e->reason;
        return e->reason == -ECANCELED ? RP_STOP : 0;
    }
    const struct num *b = rp_body(m, NUM);
    switch (b->n) {
    case FAIL:
        return -EIO;
    case END:
        return RP_STOP;
    case LINK: { /* behind the link: the other has it when it passes this on */
        struct num k = {KNOWS, rp_parent(me)};
        int rc = rp_link(me, b->ref);
        return rc != 0 ? rc : rp_tell(me, b->ref, NUM, &k);
    }
    case QUIET_LINK:
        return rp_link(me, b->ref);
    case KNOWS:
        return rp_tell(me, b->ref, NUM, b);
    case UNLINK:
        rp_unlink(me, b->ref);
        return 0;
    default:
        break;
    }
    struct num r = {t->exits, {(uint64_t)-t->last, 0}};
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &r) : 0;
}
static const rp_actor plain = {.name = "plain", .handle = obey, .state_size = sizeof(struct trapper)};
static const rp_actor trapping = {.name = "trapping", .handle = obey, .state_size = sizeof(struct trapper), .flags = RP_TRAP};

static int run_plain(rp_self *me, void *arg)
{
    struct trapper t = {0, 0};
    rp_msg *m;
    int rc = 0;
    (void)arg;
    while (rc == 0 && (rc = rp_recv(me, &m, RP_FOREVER)) == 0) {
        rc = obey(me, &t, m);
        rp_msg_drop(me, m);
    }
    return rc == RP_STOP ? 0 : rc;
}
static const rp_actor plain_co = {.name = "plain-co", .run = run_plain};

static rp_ref start(rp_self *me, const rp_actor *kind, unsigned on)
{
    rp_spawn_opts o = {.on = RP_LOOP(on % rp_loop_count(me)), .monitor = true};
    rp_ref r = {0, 0};
    check_eq(rp_spawn(me, kind, &o, &r), 0);
    return r;
}

static void tell(rp_self *me, rp_ref to, uint64_t what, rp_ref about)
{
    struct num b = {what, about};
    check_eq(rp_tell(me, to, NUM, &b), 0);
}

static uint64_t ask(rp_self *me, rp_ref to, int *last)
{
    struct num b = {EXITS, {0, 0}};
    rp_msg *m;
    check_eq(rp_call(me, to, NUM, &b, &m, RP_FOREVER), 0);
    struct num r = *(const struct num *)rp_body(m, NUM);
    rp_msg_drop(me, m);
    if (last)
        *last = -(int)r.ref.node;
    return r.n;
}

/* Links the two; both know of it. */
static void tie(rp_self *me, rp_ref a, rp_ref b)
{
    uint64_t n = 0;
    tell(me, a, LINK, b);
    check_eq(recv_num(me, &n), 0);
    check_eq(n, KNOWS);
}

/* The next RP_DOWN of each of the two, in whatever order. */
static void downs(rp_self *me, rp_ref a, int why_a, rp_ref b, int why_b)
{
    for (int i = 0; i < 2; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check(rp_ref_eq(d.who, a) || rp_ref_eq(d.who, b));
        check_eq(d.reason, rp_ref_eq(d.who, a) ? why_a : why_b);
    }
}

static int together(rp_self *me, void *arg)
{
    (void)arg;
    const rp_actor *const kinds[] = {&plain, &plain_co};
    for (unsigned i = 0; i < 16; i++) {
        rp_ref a = start(me, kinds[i % 2], 0), b = start(me, kinds[i / 2 % 2], i / 4);
        tie(me, a, b);
        tie(me, a, b); /* once is enough */
        tie(me, b, a);
        bool stop = i & 4;
        if (stop)
            check_eq(rp_stop(me, i & 8 ? a : b, "test"), 0);
        else
            tell(me, i & 8 ? a : b, FAIL, a);
        downs(me, a, stop ? -ECANCELED : -EIO, b, stop ? -ECANCELED : -EIO);
    }
    return 0;
}

TEST(links, a_failure_takes_the_other_along)
{
    everywhere(together, 0);
}

static int apart(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 6; i++) {
        rp_ref a = start(me, &plain, 0), b = start(me, &plain_co, i);
        tie(me, a, b);
        struct rp_down d;
        if (i % 2) { /* a normal end is no failure */
            tell(me, a, END, a);
        } else {
            tell(me, b, UNLINK, a);
            (void)ask(me, b, 0);
            tell(me, a, FAIL, a);
        }
        check_eq(recv_down(me, &d), 0);
        check(rp_ref_eq(d.who, a));
        check_eq(ask(me, b, 0), 0); /* it lives */
        tell(me, b, QUIET_LINK, a); /* to one that has ended */
        check_eq(recv_down(me, &d), 0);
        check(rp_ref_eq(d.who, b));
        check_eq(d.reason, -ESRCH);
    }
    check_eq(rp_link(me, (rp_ref){0, 0}), -EINVAL);
    check_eq(rp_link(me, (rp_ref){12345, 1}), -EINVAL);
    check_eq(rp_link(me, rp_self_ref(me)), 0);
    return 0;
}

TEST(links, normal_ends_and_unlinked_ones_do_not)
{
    everywhere(apart, 0);
}

static int traps(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 6; i++) {
        rp_ref a = start(me, &trapping, i), b[3];
        int last = 1;
        struct rp_down d;
        for (unsigned k = 0; k < 3; k++) {
            b[k] = start(me, k == 1 ? &plain_co : &plain, i / 2 + k);
            tie(me, k == 2 ? b[k] : a, k == 2 ? a : b[k]);
        }
        for (unsigned k = 0; k < 3; k++) {
            tell(me, b[k], k == 1 ? END : FAIL, a);
            check_eq(recv_down(me, &d), 0);
            check(rp_ref_eq(d.who, b[k]));
            for (int tries = 0; tries < 1000 && ask(me, a, 0) < k + 1; tries++)
                check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
            check_eq(ask(me, a, &last), k + 1);
            check_eq(last, k == 1 ? 0 : -EIO);
        }
        check_eq(rp_stop(me, a, "test"), 0); /* a message too */
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return 0;
}

TEST(links, who_traps_is_told)
{
    everywhere(traps, 0);
}

/* A ring of actors, each linked to the next, across loops: one failure ends them all, each once. */
static int ring(rp_self *me, void *arg)
{
    enum { N = 200 };
    static rp_ref r[N];
    static int down[N];
    (void)arg;
    for (unsigned i = 0; i < N; i++) {
        r[i] = start(me, i % 3 ? &plain : &plain_co, i);
        down[i] = 0;
    }
    for (unsigned i = 0; i < N; i++)
        tie(me, r[i], r[(i + 1) % N]);
    tell(me, r[77], FAIL, r[0]);
    for (unsigned i = 0; i < N; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, -EIO);
        for (unsigned k = 0; k < N; k++)
            down[k] += rp_ref_eq(r[k], d.who);
    }
    for (unsigned i = 0; i < N; i++)
        check_eq(down[i], 1);
    return 0;
}

TEST(links, a_ring_ends_as_one)
{
    everywhere(ring, 0);
}

/* Both ends link and unlink at random; when all is quiet, either both know of it or neither. */
static int flutter(rp_self *me, void *arg)
{
    uint64_t rng = *(uint64_t *)arg;
    for (unsigned round = 0; round < 20; round++) {
        rp_ref a = start(me, &trapping, 0), b = start(me, &trapping, 1 + round);
        for (int i = 0; i < 30; i++) {
            uint64_t x = test_random(&rng);
            tell(me, x & 1 ? a : b, x & 2 ? QUIET_LINK : UNLINK, x & 1 ? b : a);
            if (x % 16 == 5)
                check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        }
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
        bool first = test_random(&rng) & 1;
        struct rp_down d;
        /* who ends tells the other if it knows the link; who does not know it hears nothing */
        tell(me, first ? a : b, END, a);
        check_eq(recv_down(me, &d), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
        uint64_t told = ask(me, first ? b : a, 0);
        check(told <= 1);
        tell(me, first ? b : a, QUIET_LINK, first ? a : b); /* a half that was left alone would swallow this */
        (void)ask(me, first ? b : a, 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
        check_eq(ask(me, first ? b : a, 0), told + 1);
        tell(me, first ? b : a, END, a);
        check_eq(recv_down(me, &d), 0);
    }
    return 0;
}

TEST(links, both_halves_or_none)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(100); i++) {
        uint64_t arg = seed + i;
        rp_system_opts sim = {.loops = 2 + (unsigned)(i % 2), .sim_seed = seed + i};
        check_eq(run_with(flutter, &arg, &sim), 0);
    }
}

static int unheard(rp_self *me, void *arg)
{
    rp_spawn_opts o = {.on = RP_SPREAD};
    rp_ref a, b;
    bool traps = *(bool *)arg;
    check_eq(rp_spawn(me, &plain, &o, &a), 0);
    check_eq(rp_spawn(me, traps ? &trapping : &plain, &o, &b), 0);
    tie(me, a, b);
    tell(me, a, FAIL, a);
    return rp_sleep(me, rp_in_ms(me, 2));
}

TEST(links, a_failure_is_the_traps_or_the_runs)
{
    for (uint64_t i = 0; i < 10; i++) {
        bool traps = i & 1;
        rp_system_opts o = {.loops = 2, .sim_seed = 1 + i / 2};
        check_eq(run_with(unheard, &traps, &o), traps ? 0 : -EIO);
    }
}
