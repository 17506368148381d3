/* SPDX-License-Identifier: MIT
 *
 * What looks like a ring from one loop after the other, and never was one.
 *
 *     x > a > w > y > x     x's call stands in a's mailbox, a's in w's, y's in x's; w's, which y has passed on, is back there
 *                           only when x's has been dropped
 *
 * Simulated: the drop and the return fall between two steps of the probe in some of the runs.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>

enum { X, A, W, Y, MEMBERS };

struct apart {
    bool ring;         /* for comparison: nothing is dropped, w's call is back at once, and it is one */
    rp_time told_after; /* how long x has waited when it was told of that */
    rp_time at;        /* when it comes apart, after x has begun to wait */
    rp_ref who[MEMBERS], keeper;
    _Atomic unsigned waits; /* how many of them ask, or are about to */
    int rc;            /* of x's call */
    bool over;         /* loops take turns: no two run at once */
};

static void answer_next(rp_self *me, int rc)
{
    rp_msg *m;
    for (bool answered = false; rc == 0 && !answered; rp_msg_drop(me, m)) {
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
        if ((answered = rp_wants_reply(m)))
            check_eq(rp_reply(me, m, NUM, &(struct num){.n = 1}), 0);
    }
}

static int ask(rp_self *me, struct apart *s, unsigned whom)
{
    rp_msg *m = NULL;
    s->waits++;
    int rc = rp_call(me, s->who[whom], NUM, &(struct num){.n = 1}, &m, RP_FOREVER);
    rp_msg_drop(me, m);
    return rc;
}

static void until_wait(rp_self *me, struct apart *s, unsigned n)
{
    while (s->waits < n)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
}

static int be_x(rp_self *me, void *arg)
{
    struct apart *s = arg;
    until_wait(me, s, 3);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0); /* the last */
    rp_time from = rp_now(me);
    s->at = from + s->at;
    s->rc = ask(me, s, A);
    s->told_after = rp_now(me) - from;
    s->over = true;
    answer_next(me, 0);
    return 0;
}

static int be_a(rp_self *me, void *arg)
{
    check_eq(ask(me, arg, W), 0);
    return 0;
}

static int be_w(rp_self *me, void *arg)
{
    struct apart *s = arg;
    while (rp_ref_none(s->who[X]))
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(ask(me, s, Y), 0);
    answer_next(me, 0);
    return 0;
}

static int be_y(rp_self *me, void *arg)
{
    struct apart *s = arg;
    rp_msg *m;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check_eq(rp_forward(me, m, s->keeper), 0);
    rp_msg_drop(me, m);
    check_eq(ask(me, s, X), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check_eq(rp_reply(me, m, NUM, &(struct num){.n = 1}), 0);
    rp_msg_drop(me, m);
    return 0;
}

/* On a's loop: what it tells a is there before what it passes on has left. */
static int keep(rp_self *me, void *arg)
{
    struct apart *s = arg;
    rp_msg *m;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    until_wait(me, s, MEMBERS);
    if (!s->ring) {
        check_eq(rp_sleep(me, s->at - RP_MS), 0);
        while (rp_now(me) < s->at)
            check_eq(rp_yield(me), 0);
        check_eq(tell_num(me, s->who[A], 0), 0);
        check_eq(rp_yield(me), 0);
    }
    check_eq(rp_forward(me, m, s->who[Y]), 0);
    rp_msg_drop(me, m);
    return 0;
}

/* On the loops of x and w: now and then the word of the drop comes late there, or the probe. */
static int busy(rp_self *me, void *arg)
{
    struct apart *s = arg;
    until_wait(me, s, MEMBERS);
    if (!s->ring)
        check_eq(rp_sleep(me, s->at - RP_MS), 0);
    while (!s->ring && !s->over) {
        if (rp_random(me) % 2 == 0)
            rp_sim_busy(me, (rp_time)(rp_random(me) % 16) * RP_US);
        check_eq(rp_yield(me), 0);
    }
    return 0;
}

static int stage(rp_self *me, void *arg)
{
    static const rp_actor kind[] = {{.name = "x", .run = be_x}, {.name = "a", .run = be_a}, {.name = "w", .run = be_w},
                                    {.name = "y", .run = be_y}, {.name = "keeper", .run = keep}, {.name = "busy", .run = busy}, {.name = "busy", .run = busy}};
    static const unsigned loop[] = {2, 3, 0, 1, 3, 2, 0};
    struct apart *s = arg;
    enum { n = MEMBERS + 3 };
    s->waits = 0;
    for (unsigned i = n; i-- > 0;) { /* x asks when all others do, y when it is asked */
        rp_spawn_opts o = {.arg = s, .on = RP_LOOP(loop[i]), .monitor = true, .mailbox = i == A ? 1 : 0, .overflow = RP_DROP_OLD};
        check_eq(rp_spawn(me, &kind[i], &o, i == MEMBERS ? &s->keeper : i < MEMBERS ? &s->who[i] : NULL), 0);
    }
    for (unsigned i = 0; i < n; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return 0;
}

#if defined(__SANITIZE_THREAD__) /* one thread: it finds nothing here, and takes long */
enum { RUNS = 12 };
#else
enum { RUNS = 120 };
#endif

TEST(deadlock, none_that_was_never_there_as_a_whole)
{
    uint64_t x = test_seed();
    for (unsigned i = 0; i < RUNS; i++) {
        rp_system_opts sim = {.loops = 4, .sim_seed = test_random(&x)};
        struct apart s = {.ring = true};
        check_eq(run_with(stage, &s, &sim), 0);
        check_eq(s.rc, -EDEADLK);
        s = (struct apart){.at = s.told_after + (rp_time)(test_random(&x) % 36) * RP_US}; /* loops are busy then: it is later */
        check_eq(run_with(stage, &s, &sim), 0);
        check_eq(s.rc, -EAGAIN);
    }
}
