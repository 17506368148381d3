/* SPDX-License-Identifier: MIT
 *
 * Who holds its loop for long with a message: others' messages go before its next one.
 */
#include "reparto/inspect.h"
#include "reparto/metrics.h"
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

enum { FIRST = 12, BURST = 40, ROOM = 64, MANY = 4000, SEEDS = 20, BUSY_MS = 5, LIMIT_MS = 1 };

enum shape { HANDLER, HANDLER_NAPS, COROUTINE, BY_TYPE, SHAPES };

struct slow { /* it counts what it has handled, and each comes in order */
    enum shape shape;
    unsigned n;
    unsigned quick; /* how many that were when the quick one's came */
    unsigned busy_ms;
    bool over;
};

static int work(rp_self *me, struct slow *s, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    check_eq(b->n, s->n);
    int rc = s->shape == HANDLER_NAPS ? rp_sleep(me, rp_in_ms(me, 1)) : 0;
    s->n++;
    rp_time end = rp_now(me) + s->busy_ms * RP_MS;
    rp_sim_busy(me, s->busy_ms * RP_MS);
    while (rp_now(me) < end)
        ; /* by the clock, where that is not simulated */
    return rc;
}

static int handle_slowly(rp_self *me, void *state, const rp_msg *m)
{
    return work(me, *(struct slow **)state, m);
}

static int keep_arg(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}
static const rp_actor handler = {.name = "slow", .handle = handle_slowly, .init = keep_arg, .state_size = sizeof(void *)};

static int run_slowly(rp_self *me, void *arg)
{
    static const rp_type *const nums[] = {NUM, NULL};
    struct slow *s = arg;
    int rc = 0;
    while (rc == 0) {
        rp_msg *m;
        rc = s->shape == BY_TYPE ? rp_recv_of(me, nums, &m, RP_FOREVER) : rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            break;
        rc = work(me, s, m);
        rp_msg_drop(me, m);
    }
    return s->over ? 0 : rc;
}
static const rp_actor coroutine = {.name = "slow", .run = run_slowly};

static int note(rp_self *me, void *state, const rp_msg *m)
{
    struct slow *s = *(struct slow **)state;
    (void)me, (void)m;
    s->quick = s->n;
    return 0;
}
static const rp_actor quick = {.name = "quick", .handle = note, .init = keep_arg, .state_size = sizeof(void *)};

static rp_ref start(rp_self *me, struct slow *s, unsigned on)
{
    rp_ref r;
    check_eq(rp_spawn(me, s->shape < COROUTINE ? &handler : &coroutine, &(rp_spawn_opts){.arg = s, .on = on, .mailbox = ROOM}, &r), 0);
    return r;
}

static void send_slow(rp_self *me, rp_ref to, unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++)
        check_eq(tell_num(me, to, i), 0);
}

static void until(rp_self *me, const struct slow *s, unsigned n)
{
    while (s->n < n)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
}

static bool is_demoted(rp_self *me, rp_ref who)
{
    rp_inspection *i;
    rp_actor_info a;
    bool found = false, is = false;
    check_eq(rp_inspect(me, 1000, &i), 0);
    while (rp_inspect_next(me, i, &a) > 0)
        if (rp_ref_eq(a.ref, who) && a.task == 0)
            found = true, is = a.demoted;
    rp_inspect_end(me, i);
    check(found);
    return is;
}

static uint64_t demotions(rp_self *me)
{
    rp_metrics m;
    check_eq(rp_metrics_read(me, RP_ALL_LOOPS, &m), 0);
    return m.demoted;
}

/* How many of a burst of slow messages go before a quick one's that was sent after them. */
static unsigned before_quick(rp_self *me, enum shape shape, unsigned on)
{
    struct slow s = {.shape = shape, .busy_ms = BUSY_MS};
    rp_ref who = start(me, &s, on), q;
    check_eq(rp_spawn(me, &quick, &(rp_spawn_opts){.arg = &s, .on = on}, &q), 0);
    send_slow(me, who, 0, FIRST);
    until(me, &s, FIRST);
    send_slow(me, who, FIRST, BURST);
    check_eq(tell_num(me, q, 1), 0);
    until(me, &s, FIRST + BURST);
    s.over = true;
    check_eq(rp_stop(me, who, "over"), 0);
    check_eq(rp_stop(me, q, "over"), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    return s.quick - FIRST;
}

struct want {
    enum shape shape;
    bool demotes;
};

static int burst(rp_self *me, void *arg)
{
    const struct want *w = arg;
    unsigned n = before_quick(me, w->shape, RP_SAME);
    if (w->demotes)
        check(n <= 3, "%u of %u went before", n, BURST);
    else
        check(n == BURST, "%u of %u went before", n, BURST);
    check((demotions(me) > 0) == w->demotes); /* on a crowded machine others may seem slow */
    return 0;
}

TEST(demote, others_messages_go_first)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        for (unsigned k = HANDLER; k < BY_TYPE; k++) {
            struct want w = {k, true};
            rp_system_opts sim = {.loops = 1, .sim_seed = seed + i, .demote_ms = LIMIT_MS};
            check_eq(run_with(burst, &w, &sim), 0);
        }
}

TEST(demote, by_the_clock)
{
    for (unsigned k = HANDLER; k < BY_TYPE; k++) {
        struct want w = {k, true};
        check_eq(run_with(burst, &w, &(rp_system_opts){.loops = 1, .demote_ms = LIMIT_MS}), 0);
    }
}

/* What the tests above tell apart. */
TEST(demote, nobody_is_who_has_not_asked_for_it)
{
    struct want w = {HANDLER, false};
    rp_system_opts sim = {.loops = 1, .sim_seed = test_seed()};
    check_eq(run_with(burst, &w, &sim), 0);
    sim.demote_ms = 2 * BUSY_MS; /* nor who takes less */
    check_eq(run_with(burst, &w, &sim), 0);
}

static int mixed(rp_self *me, void *arg)
{
    struct slow s = {.shape = HANDLER, .busy_ms = BUSY_MS};
    rp_ref who = start(me, &s, RP_SAME), q;
    (void)arg;
    check_eq(rp_spawn(me, &quick, &(rp_spawn_opts){.arg = &s}, &q), 0);
    for (uint64_t i = rp_random(me) % 4; i > 0; i--) /* the first stint ends with another of them each time */
        check_eq(tell_num(me, q, 1), 0);
    for (unsigned i = 0; i < BURST; i++) {
        send_slow(me, who, i, 1);
        check_eq(tell_num(me, q, 1), 0);
        if (i % 4 == 3)
            until(me, &s, i + 1);
    }
    check(is_demoted(me, who) && !is_demoted(me, q) && !is_demoted(me, rp_self_ref(me)));
    check_eq(demotions(me), 1);
    return 0;
}

TEST(demote, nobody_but_who_was)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(mixed, NULL, &(rp_system_opts){.loops = 1, .sim_seed = seed + i, .demote_ms = LIMIT_MS}), 0);
}

/* From another loop, and of each shape: in order, and all of them. */
static int from_afar(rp_self *me, void *arg)
{
    for (enum shape k = HANDLER; k < SHAPES; k++)
        (void)before_quick(me, k, RP_LOOP(1));
    check_eq(demotions(me), SHAPES);
    (void)arg;
    return 0;
}

TEST(demote, nothing_is_lost_and_all_is_in_order)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++) {
        rp_system_opts sim = {.loops = 2, .sim_seed = seed + i, .demote_ms = LIMIT_MS};
        check_eq(run_with(from_afar, NULL, &sim), 0);
    }
}

static int for_a_while(rp_self *me, void *arg)
{
    struct slow s = {.shape = HANDLER, .busy_ms = BUSY_MS};
    rp_ref who = start(me, &s, RP_SAME);
    (void)arg;
    check(!is_demoted(me, who));
    send_slow(me, who, 0, FIRST);
    until(me, &s, FIRST);
    check(is_demoted(me, who));
    check_eq(rp_sleep(me, rp_in_ms(me, 900)), 0);
    s.busy_ms = 0;
    send_slow(me, who, FIRST, 1);
    until(me, &s, FIRST + 1);
    check(is_demoted(me, who), "it is again after less than a second");
    check_eq(rp_sleep(me, rp_in_ms(me, 200)), 0);
    send_slow(me, who, FIRST + 1, 2); /* the first of these finds that it is over */
    until(me, &s, FIRST + 3);
    check(!is_demoted(me, who));
    check_eq(demotions(me), 1);
    return 0;
}

TEST(demote, until_it_has_been_quick_for_a_second)
{
    check_eq(run_with(for_a_while, NULL, &(rp_system_opts){.loops = 1, .sim_seed = test_seed(), .demote_ms = LIMIT_MS}), 0);
}

static int hog(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    rp_sim_busy(me, 1500 * RP_MS);
    return 0;
}

/* Its time is over while some of its messages stand behind others': what comes then is no quicker than those. */
static int over_meanwhile(rp_self *me, void *arg)
{
    static const rp_actor hogs = {.name = "hog", .handle = hog};
    for (enum shape k = HANDLER; k < SHAPES; k++) {
        struct slow s = {.shape = k, .busy_ms = BUSY_MS};
        rp_ref who = start(me, &s, RP_SAME), h;
        check_eq(rp_spawn(me, &hogs, NULL, &h), 0);
        send_slow(me, who, 0, FIRST);
        until(me, &s, FIRST);
        send_slow(me, who, FIRST, 2);
        check_eq(tell_num(me, h, 1), 0);
        send_slow(me, who, FIRST + 2, 6);
        until(me, &s, FIRST + 8);
        s.over = true;
        check_eq(rp_stop(me, who, "over"), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
    (void)arg;
    return 0;
}

TEST(demote, what_stands_there_when_it_is_over_comes_first)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(over_meanwhile, NULL, &(rp_system_opts){.loops = 1, .sim_seed = seed + i, .demote_ms = LIMIT_MS}), 0);
}

/* A handler that takes its next message itself. */
static int take_two(rp_self *me, void *state, const rp_msg *m)
{
    struct slow *s = *(struct slow **)state;
    rp_msg *next;
    int rc = work(me, s, m);
    if (rc == 0)
        rc = rp_recv(me, &next, rp_in_ms(me, 60000));
    check(rc == 0, "%d at %u", rc, s->n);
    rc = work(me, s, next);
    rp_msg_drop(me, next);
    return rc;
}
static const rp_actor two = {.name = "two", .handle = take_two, .init = keep_arg, .state_size = sizeof(void *)};

static int by_twos(rp_self *me, void *arg)
{
    struct slow s = {.shape = HANDLER, .busy_ms = BUSY_MS};
    rp_ref who;
    rp_time begun = rp_now(me);
    (void)arg;
    check_eq(rp_spawn(me, &two, &(rp_spawn_opts){.arg = &s}, &who), 0);
    for (unsigned i = 0; i < FIRST + BURST; i++) {
        send_slow(me, who, i, 1);
        check_eq(rp_sleep(me, rp_in_ms(me, i % 3 ? 0 : 3 * BUSY_MS)), 0);
    }
    until(me, &s, FIRST + BURST);
    check(is_demoted(me, who));
    check(rp_now(me) - begun < 10 * RP_S, "it has waited for what stood there");
    return 0;
}

TEST(demote, who_waits_in_the_middle_gets_his)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(by_twos, NULL, &(rp_system_opts){.loops = 1, .sim_seed = seed + i, .demote_ms = LIMIT_MS}), 0);
}

/* ---- what may happen to it meanwhile ---------------------------------------------------------------- */

static int moved(rp_self *me, void *arg)
{
    struct slow s = {.shape = HANDLER, .busy_ms = BUSY_MS};
    rp_ref who = start(me, &s, RP_SAME);
    (void)arg;
    send_slow(me, who, 0, FIRST);
    until(me, &s, FIRST);
    for (unsigned i = 0; i < 10; i++) {
        send_slow(me, who, FIRST + 4 * i, 4);
        check_eq(rp_move(me, who, RP_LOOP(1 - i % 2)), 0);
    }
    check(is_demoted(me, who), "it has moved, and is as slow");
    until(me, &s, FIRST + 40);
    return 0;
}

TEST(demote, it_moves)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(moved, NULL, &(rp_system_opts){.loops = 2, .sim_seed = seed + i, .demote_ms = LIMIT_MS}), 0);
}

/* It ends with messages in its mailbox, of its own or told to; its asker learns of it. */
static int ends(rp_self *me, void *arg)
{
    enum shape shape = *(enum shape *)arg;
    struct slow s = {.shape = shape, .busy_ms = BUSY_MS, .over = true};
    rp_ref who = start(me, &s, RP_SAME);
    struct rp_down d;
    check_eq(rp_monitor(me, who), 0);
    send_slow(me, who, 0, FIRST);
    until(me, &s, FIRST);
    send_slow(me, who, FIRST, BURST);
    check_eq(rp_stop(me, who, "enough"), 0);
    check_eq(recv_down(me, &d), 0);
    check(s.n < FIRST + BURST, "all were handled");
    return 0;
}

TEST(demote, it_ends)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        for (enum shape k = HANDLER; k < SHAPES; k++)
            check_eq(run_with(ends, &k, &(rp_system_opts){.loops = 1, .sim_seed = seed + i, .demote_ms = LIMIT_MS}), 0);
}

/* Its mailbox is bounded, and who fills it waits. */
static int bounded(rp_self *me, void *arg)
{
    struct slow s = {.shape = HANDLER, .busy_ms = BUSY_MS};
    rp_ref who = start(me, &s, RP_SAME);
    rp_time begun = rp_now(me);
    rp_ledger b;
    (void)arg;
    send_slow(me, who, 0, MANY);
    check(rp_now(me) - begun > MANY / 2 * BUSY_MS * RP_MS, "the sender has waited for %lld ns", (long long)(rp_now(me) - begun));
    until(me, &s, MANY);
    rp_ledger_read(me, &b);
    check_eq(b.dropped, 0);
    return 0;
}

TEST(demote, who_sends_to_it_waits)
{
    check_eq(run_with(bounded, NULL, &(rp_system_opts){.loops = 1, .sim_seed = test_seed(), .demote_ms = LIMIT_MS}), 0);
}

/* ---- a poll finds what is there, and a call its answer ---------------------------------------------- */

static int polls(rp_self *me, void *arg)
{
    struct slow *s = arg;
    while (s->n < FIRST + BURST) {
        rp_msg *m;
        int rc = rp_recv(me, &m, rp_now(me));
        if (rc == -ETIMEDOUT)
            rc = rp_sleep(me, rp_in_ms(me, 1));
        else if (rc == 0) {
            rc = work(me, s, m);
            rp_msg_drop(me, m);
        }
        check_eq(rc, 0);
    }
    return 0;
}
static const rp_actor poller = {.name = "poller", .run = polls};

static int beside_a_poller(rp_self *me, void *arg)
{
    struct slow s = {.shape = COROUTINE, .busy_ms = BUSY_MS};
    rp_ref who;
    (void)arg;
    check_eq(rp_spawn(me, &poller, &(rp_spawn_opts){.arg = &s}, &who), 0);
    send_slow(me, who, 0, FIRST + BURST);
    until(me, &s, FIRST + BURST);
    check_eq(demotions(me), 1);
    return 0;
}

TEST(demote, a_poll_finds_what_is_there)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(SEEDS); i++)
        check_eq(run_with(beside_a_poller, NULL, &(rp_system_opts){.loops = 1, .sim_seed = seed + i, .demote_ms = LIMIT_MS}), 0);
}
