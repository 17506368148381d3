/* SPDX-License-Identifier: MIT
 *
 * What a handler returns, and whose failure it is: the actor's own, or that of the client whose call it worked on.
 * Simulated: virtual time.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

enum { ASKED_MS = 50, PING = 1000 };

static int sleep_long(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, rp_in_ms(me, 1000));
}
static const rp_actor never = {.name = "never", .handle = sleep_long};

static int init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}

/* ---- whose failure it is --------------------------------------------------------------------------- */

/* What a handler does that is asked by one with 50 ms; `own`: it is the actor's failure, or what the asker gets. */
static int own_deadline(rp_self *me, const rp_msg *m, rp_ref back)
{
    (void)m, (void)back;
    rp_msg *r;
    rp_ref n;
    check_eq(rp_spawn(me, &never, NULL, &n), 0);
    return rp_call(me, n, NUM, &(struct num){1}, &r, rp_in_ms(me, ASKED_MS / 5));
}

static int asked_for_deadline(rp_self *me, const rp_msg *m, rp_ref back)
{
    (void)back;
    int rc = rp_sleep(me, rp_deadline_of(m));
    return rc != 0 ? rc : -ETIMEDOUT;
}

static int asked_for_scope(rp_self *me, const rp_msg *m, rp_ref back)
{
    rp_scope s;
    (void)back;
    rp_scope_open(me, &s, rp_deadline_of(m));
    return rp_scope_close(me, &s, rp_sleep(me, RP_FOREVER));
}

static int own_error_in_time(rp_self *me, const rp_msg *m, rp_ref back)
{
    (void)me, (void)m, (void)back;
    return -ETIMEDOUT;
}

static int own_error_too_late(rp_self *me, const rp_msg *m, rp_ref back)
{
    (void)m, (void)back;
    check_eq(rp_sleep(me, rp_in_ms(me, 2 * ASKED_MS)), 0);
    return -EIO;
}

static int failed_on_purpose(rp_self *me, const rp_msg *m, rp_ref back)
{
    int rc = asked_for_deadline(me, m, back);
    return rp_fail(me, rc, "the test says so");
}

static int own_deadline_after_the_reply(rp_self *me, const rp_msg *m, rp_ref back)
{
    check_eq(rp_reply(me, m, NUM, &(struct num){0}), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 2 * ASKED_MS)), 0);
    return own_deadline(me, m, back);
}

/* The line before the other one is so long that it is turned away at once: on account of the 50 ms. */
static int turned_away(rp_self *me, const rp_msg *m, rp_ref back)
{
    rp_msg *r;
    rp_time from = rp_now(me);
    (void)m;
    int rc = rp_call(me, back, NUM, &(struct num){1}, &r, RP_FOREVER);
    check_eq(rc, -ETIMEDOUT);
    check(rp_now(me) - from < ASKED_MS / 2 * RP_MS, "%" PRId64, rp_now(me) - from);
    return rc;
}

/* It asks the asker back, who waits for it: one of the two is told that this is a ring. */
static int asks_back(rp_self *me, const rp_msg *m, rp_ref back)
{
    rp_msg *r;
    (void)back;
    return rp_call(me, rp_from(me, m), NUM, &(struct num){1}, &r, RP_FOREVER);
}

typedef int does_fn(rp_self *me, const rp_msg *m, rp_ref back);
static const struct act {
    const char *what;
    does_fn *does;
    int asker; /* gets this */
    int reason; /* of the actor's end; 0: it lives */
} acts[] = {
    {"a deadline of its own", own_deadline, -EPIPE, -ETIMEDOUT},
    {"the asker's, given to a wait", asked_for_deadline, -ETIMEDOUT, 0},
    {"the asker's, given to a scope", asked_for_scope, -ETIMEDOUT, 0},
    {"an error of its own", own_error_in_time, -EPIPE, -ETIMEDOUT},
    {"another error when time is up", own_error_too_late, -ETIMEDOUT, -EIO},
    {"rp_fail", failed_on_purpose, -ETIMEDOUT, -ETIMEDOUT},
    {"a deadline of its own after the reply", own_deadline_after_the_reply, 0, -ETIMEDOUT},
    {"turned away", turned_away, -ETIMEDOUT, 0},
    {"asks back", asks_back, -ETIMEDOUT, 0},
};

struct actor_of {
    const struct act *act;
    rp_ref back;
};

static int do_act(rp_self *me, void *state, const rp_msg *m)
{
    struct actor_of *s = *(struct actor_of **)state;
    uint64_t n = ((const struct num *)rp_body(m, NUM))->n;
    return n == PING ? rp_reply(me, m, NUM, &(struct num){n}) : s->act->does(me, m, s->back);
}
static const rp_actor doer = {.name = "doer", .handle = do_act, .init = init, .state_size = sizeof(void *)};

struct asker {
    rp_ref to;
    int rc;
};

static int ask_with_50_ms(rp_self *me, void *arg)
{
    struct asker *a = arg;
    rp_msg *m = NULL;
    a->rc = rp_call(me, a->to, NUM, &(struct num){1}, &m, rp_in_ms(me, ASKED_MS));
    rp_msg_drop(me, m);
    return 0;
}
static const rp_actor asker = {.name = "asker", .run = ask_with_50_ms};

static int sleep_a_little(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, rp_in_ms(me, 10));
}
static const rp_actor slow = {.name = "slow", .handle = sleep_a_little};

static int ask_patiently(rp_self *me, void *arg)
{
    rp_msg *m;
    int rc = rp_call(me, *(rp_ref *)arg, NUM, &(struct num){1}, &m, rp_in_ms(me, 10000));
    check(rc == -EPIPE || rc == -ECANCELED, "%d", rc); /* the test is over before the line is */
    return 0;
}

static int stand_in_line(rp_self *me, void *arg)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (unsigned i = 0; i < 60; i++)
        check_eq(rp_go(me, &s, ask_patiently, arg, NULL), 0);
    return rp_scope_close(me, &s, 0);
}
static const rp_actor crowd = {.name = "crowd", .run = stand_in_line};

static int whose_failure(rp_self *me, void *arg)
{
    const struct act *act = arg;
    struct actor_of s = {.act = act};
    struct asker a = {.rc = 1};
    struct rp_down d;
    rp_msg *m;
    bool ring = act->does == asks_back;
    check_eq(rp_spawn(me, &slow, NULL, &s.back), 0);
    check_eq(rp_spawn(me, &crowd, &(rp_spawn_opts){.arg = &s.back}, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 200)), 0); /* its pace is known, and a long line is left */
    check_eq(rp_spawn(me, &doer, &(rp_spawn_opts){.arg = &s, .monitor = act->reason != 0}, &a.to), 0);
    check_eq(rp_spawn(me, &asker, &(rp_spawn_opts){.arg = &a, .monitor = true}, NULL), 0);
    check_eq(recv_down(me, &d), 0);
    check(d.reason == 0 || (act->reason != 0 && d.reason == act->reason), "%s: %d", act->what, d.reason);
    if (act->reason != 0) {
        check_eq(recv_down(me, &d), 0);
    } else {
        check_eq(rp_call(me, a.to, NUM, &(struct num){PING}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
    }
    check(a.rc == act->asker || (ring && a.rc == -EDEADLK), "%s: %d", act->what, a.rc);
    return 0;
}

TEST(excused, whose_failure_it_is)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        for (uint64_t seed = 1; seed <= seeds(3); seed++) {
            rp_system_opts o = {.loops = 1 + (unsigned)seed % 2, .sim_seed = seed};
            check_eq(run_with(whose_failure, (void *)(uintptr_t)&acts[i], &o), 0);
        }
}

/* An asker that is cancelled, or ends, while its question is worked on. */
static int cancels(rp_self *me, void *arg)
{
    struct asker a = {*(rp_ref *)arg, 1};
    rp_scope s;
    rp_scope_open(me, &s, rp_in_ms(me, 5));
    (void)!rp_go(me, &s, ask_with_50_ms, &a, NULL);
    check_eq(rp_scope_close(me, &s, 0), -ETIMEDOUT);
    check_eq(a.rc, -ECANCELED);
    return 0;
}
static const rp_actor canceller = {.name = "canceller", .run = cancels};

static int passes_it_to_slow(rp_self *me, void *state, const rp_msg *m)
{
    rp_msg *r;
    int rc = rp_call(me, *(rp_ref *)state, NUM, &(struct num){1}, &r, RP_FOREVER);
    if (rc != 0)
        return rc;
    rc = rp_reply(me, m, NUM, rp_body(r, NUM));
    rp_msg_drop(me, r);
    return rc;
}

static int spawn_slow(rp_self *me, void *state, void *arg);
static const rp_actor front = {.name = "front", .handle = passes_it_to_slow, .init = spawn_slow, .state_size = sizeof(rp_ref)};

static int reply_slowly(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    int rc = rp_sleep(me, rp_in_ms(me, 20));
    return rc != 0 ? rc : rp_reply(me, m, NUM, rp_body(m, NUM));
}
static const rp_actor back_end = {.name = "back", .handle = reply_slowly};

static int spawn_slow(rp_self *me, void *state, void *arg)
{
    (void)arg;
    return rp_spawn(me, &back_end, NULL, state);
}

static int ask_back_later(rp_self *me, void *state, const rp_msg *m)
{
    rp_msg *r;
    (void)state;
    if (((const struct num *)rp_body(m, NUM))->n == PING)
        return rp_reply(me, m, NUM, rp_body(m, NUM));
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    int rc = rp_call(me, rp_from(me, m), NUM, &(struct num){1}, &r, RP_FOREVER);
    check_eq(rc, -ESRCH);
    return rc;
}
static const rp_actor boomerang = {.name = "boomerang", .handle = ask_back_later};

/* It asks `who`, and is stopped before that answers. */
static void ask_and_end(rp_self *me, rp_ref who)
{
    struct asker a = {who, 1};
    rp_ref r;
    check_eq(rp_spawn(me, &asker, &(rp_spawn_opts){.arg = &a}, &r), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    check_eq(rp_stop(me, r, "killed"), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 100)), 0);
    check_eq(a.rc, -ECANCELED);
}

static int whatever_becomes_of_the_asker(rp_self *me, void *arg)
{
    rp_ref s, b;
    rp_msg *m;
    (void)arg;
    check_eq(rp_spawn(me, &front, NULL, &s), 0);
    check_eq(rp_spawn(me, &boomerang, NULL, &b), 0);
    check_eq(rp_spawn(me, &canceller, &(rp_spawn_opts){.arg = &s, .monitor = true}, NULL), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    ask_and_end(me, s);
    ask_and_end(me, b);
    check_eq(rp_call(me, s, NUM, &(struct num){1}, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    check_eq(rp_call(me, b, NUM, &(struct num){PING}, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    return 0;
}

TEST(excused, an_asker_that_is_cancelled_or_ends)
{
    for (uint64_t seed = 1; seed <= seeds(5); seed++)
        check_eq(run_with(whatever_becomes_of_the_asker, 0, &(rp_system_opts){.loops = 1 + (unsigned)seed % 2, .sim_seed = seed}), 0);
}

/* ---- told, not asked -------------------------------------------------------------------------------- */

static int echo(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_reply(me, m, NUM, rp_body(m, NUM));
}
static const rp_actor echoer = {.name = "echoer", .handle = echo};

static void count_told(const rp_report *r, void *ud)
{
    check_eq(r->kind, RP_REPORT_MISUSE);
    check_eq(r->err, -EALREADY);
    check(strstr(r->text, "echoer") && strstr(r->text, "test.num"), "%s", r->text);
    ++*(unsigned *)ud;
}

static int tells_who_answers(rp_self *me, void *arg)
{
    rp_ref e;
    rp_msg *m;
    (void)arg;
    check_eq(rp_spawn(me, &echoer, NULL, &e), 0);
    check_eq(tell_num(me, e, 1), 0);
    check_eq(rp_call(me, e, NUM, &(struct num){2}, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    return 0;
}

TEST(excused, told_what_it_answers)
{
    unsigned told = 0;
    check_eq(run_with(tells_who_answers, 0, &(rp_system_opts){.loops = 1, .on_report = count_told, .report_ud = &told}), 0);
    check_eq(told, 1);
}
