/* SPDX-License-Identifier: MIT
 *
 * Working off what there is, and saying who has not.
 */
#include "tests/support.h"

#include "reparto/sim.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

/* ---- all is worked off ------------------------------------------------------------------------------ */

enum { STAGES = 5, ITEMS = 200, CROWD = 12, HOPS = 40 };

static _Atomic int done;

static int step(rp_self *me, void *state, const rp_msg *m) /* now and then slowly; then on to the next */
{
    const struct num *b = rp_body(m, NUM);
    rp_ref *next = state;
    if (b->n == 0) {
        *next = b->ref;
        return 0;
    }
    int rc = b->n % 50 == 0 ? rp_sleep(me, rp_in_ms(me, 1)) : 0;
    if (rc == 0 && rp_ref_none(*next))
        done++;
    else if (rc == 0)
        rc = rp_tell(me, *next, NUM, b);
    return rc;
}
static const rp_actor stage = {.name = "stage", .handle = step, .state_size = sizeof(rp_ref)};

static int pipeline(rp_self *me, void *arg)
{
    rp_ref s[STAGES];
    (void)arg;
    done = 0;
    for (int i = 0; i < STAGES; i++)
        check_eq(rp_spawn(me, &stage, &(rp_spawn_opts){.on = RP_SPREAD, .mailbox = 8}, &s[i]), 0);
    for (int i = 0; i + 1 < STAGES; i++)
        check_eq(rp_tell(me, s[i], NUM, &(struct num){0, s[i + 1]}), 0);
    for (uint64_t i = 1; i <= ITEMS; i++)
        check_eq(tell_num(me, s[0], i), 0);
    check(!rp_draining(me));
    check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), 0);
    check(rp_draining(me));
    check_eq(done, ITEMS);
    check_eq(rp_drain(me, 0, NULL, NULL), 0); /* a look is enough */
    return 0;
}

TEST(drain, a_pipeline_runs_empty)
{
    everywhere(pipeline, 0);
}

/* ---- several at once -------------------------------------------------------------------------------- */

static int drains(rp_self *me, void *arg)
{
    (void)arg;
    return rp_drain(me, RP_FOREVER, NULL, NULL);
}

static int drains_when_told(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    int rc = rp_drain(me, RP_FOREVER, NULL, NULL);
    return rc == 0 ? RP_STOP : rc;
}

/* Coroutines, their tasks and handlers, on every loop: none of them is work for the others. */
static int many_drain(rp_self *me, void *arg)
{
    enum { MANY = 9 };
    static const rp_actor co = {.name = "drains", .run = drains}, handler = {.name = "drains when told", .handle = drains_when_told};
    (void)arg;
    struct rp_down d;
    rp_scope s;
    for (unsigned i = 0; i < MANY; i++) {
        rp_ref r;
        rp_spawn_opts o = {.on = RP_LOOP(i % rp_loop_count(me)), .monitor = true};
        check_eq(rp_spawn(me, i % 3 ? &co : &handler, &o, &r), 0);
        if (i % 3 == 0)
            check_eq(tell_num(me, r, i), 0);
    }
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, drains, NULL, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    for (unsigned i = 0; i < MANY; i++) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return 0;
}

TEST(drain, several_at_once)
{
    everywhere(many_drain, 0);
}

/* ---- what is on its way ------------------------------------------------------------------------------ */

struct hop {
    uint64_t left;
    rp_ref crowd[CROWD];
};
static const rp_field hop_fields[] = {RP_FIELD(struct hop, left, RP_U64), RP_FIELD(struct hop, crowd, RP_RAW)};
static const rp_type hop_type = RP_TYPE("drain.hop", struct hop, hop_fields);

static int jump(rp_self *me, void *state, const rp_msg *m)
{
    struct hop h = *(const struct hop *)rp_body(m, &hop_type);
    (void)state;
    if (h.left-- == 0) {
        done++;
        return 0;
    }
    if (rp_random(me) % 8 == 0) {
        int rc = rp_sleep(me, rp_now(me) + (rp_time)(rp_random(me) % 3) * RP_MS);
        if (rc != 0)
            return rc;
    }
    rp_ref to = h.crowd[rp_random(me) % CROWD];
    if (rp_random(me) % 16 == 0) { /* by somebody who was not there when it began */
        static const rp_actor newcomer = {.name = "newcomer", .handle = jump};
        int rc = rp_spawn(me, &newcomer, &(rp_spawn_opts){.on = RP_SPREAD}, &to);
        if (rc != 0)
            return rc;
    }
    return rp_tell(me, to, &hop_type, &h);
}
static const rp_actor jumper = {.name = "jumper", .handle = jump};

static int crowd(rp_self *me, void *arg) /* few messages that never rest: easy to miss */
{
    struct hop h = {.left = HOPS};
    (void)arg;
    for (int i = 0; i < CROWD; i++)
        check_eq(rp_spawn(me, &jumper, &(rp_spawn_opts){.on = RP_SPREAD}, &h.crowd[i]), 0);
    for (int again = 0; again < 10; again++) {
        done = 0;
        for (int i = 0; i < 3; i++)
            check_eq(rp_tell(me, h.crowd[i], &hop_type, &h), 0);
        check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), 0);
        check_eq(done, 3);
    }
    return 0;
}

TEST(drain, a_message_that_hops_is_not_missed)
{
    everywhere(crowd, 0);
}

/* One message that goes from loop to loop and never rests: it is easily where nobody looks just then. */
static int leap(rp_self *me, void *state, const rp_msg *m)
{
    struct hop h = *(const struct hop *)rp_body(m, &hop_type);
    (void)state;
    if (h.left-- == 0) {
        done++;
        return 0;
    }
    return rp_tell(me, h.crowd[rp_random(me) % CROWD], &hop_type, &h);
}
static const rp_actor leaper = {.name = "leaper", .handle = leap};

static int elusive(rp_self *me, void *arg)
{
    struct hop h = {.left = 300};
    (void)arg;
    for (int i = 0; i < CROWD; i++)
        check_eq(rp_spawn(me, &leaper, &(rp_spawn_opts){.on = RP_LOOP((unsigned)i % rp_loop_count(me))}, &h.crowd[i]), 0);
    for (int again = 0; again < 3; again++) {
        done = 0;
        check_eq(rp_tell(me, h.crowd[0], &hop_type, &h), 0);
        check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), 0);
        check_eq(done, 1);
    }
    return 0;
}

TEST(drain, one_that_never_rests_is_not_missed)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(100); i++) {
        rp_system_opts sim = {.loops = (unsigned)(2 + i % 2), .sim_seed = seed + i};
        check_eq(run_with(elusive, 0, &sim), 0);
    }
    everywhere(elusive, 0);
}

static int tick(rp_self *me, void *state, const rp_msg *m) /* makes work by itself, until it is told */
{
    rp_timer *t = state;
    if (t->id == 0)
        return rp_timer_every(me, rp_in_ms(me, 2), 2 * RP_MS, NUM, rp_body(m, NUM), t);
    done++;
    if (rp_draining(me))
        (void)rp_timer_stop(me, *t);
    return rp_sleep(me, rp_in_ms(me, 1));
}
static const rp_actor ticker = {.name = "ticker", .handle = tick, .state_size = sizeof(rp_timer)};

static int by_handler(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    int rc = rp_drain(me, rp_in_ms(me, 5000), NULL, NULL);
    return rc != 0 ? rc : RP_STOP;
}
static const rp_actor drainer = {.name = "drainer", .handle = by_handler};

static int makers_stop(rp_self *me, void *arg)
{
    rp_ref t, d;
    struct rp_down down;
    (void)arg;
    check_eq(rp_spawn(me, &ticker, &(rp_spawn_opts){.on = RP_SPREAD}, &t), 0);
    check_eq(tell_num(me, t, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
    check_eq(rp_spawn(me, &drainer, &(rp_spawn_opts){.monitor = true}, &d), 0);
    check_eq(tell_num(me, d, 1), 0);
    check_eq(recv_down(me, &down), 0); /* the root waits for a message meanwhile: that is no work */
    check_eq(down.reason, 0);
    return 0;
}

TEST(drain, by_a_handler_and_makers_of_work_are_told)
{
    everywhere(makers_stop, 0);
}

/* ---- who has not finished -------------------------------------------------------------------------- */

static int sleepy(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor sleeper = {.name = "sleeper", .handle = sleepy};

static int asks_it(rp_self *me, void *arg)
{
    rp_msg *m;
    return rp_call(me, *(rp_ref *)arg, NUM, &(struct num){1, {0, 0}}, &m, RP_FOREVER);
}
static const rp_actor hopeful = {.name = "hopeful", .run = asks_it};

static int undone(rp_self *me, void *arg)
{
    rp_ref s, h;
    rp_undone left[4];
    unsigned n = 1;
    (void)arg;
    check_eq(rp_spawn(me, &sleeper, &(rp_spawn_opts){.on = RP_SPREAD, .name = "Sam"}, &s), 0);
    for (int i = 0; i < 3; i++)
        check_eq(tell_num(me, s, 1), 0);
    check_eq(rp_drain(me, rp_in_ms(me, 100), NULL, NULL), -ETIMEDOUT);
    check_eq(rp_drain(me, rp_in_ms(me, 100), left, &n), -ETIMEDOUT);
    check_eq(n, 1);
    check(rp_ref_eq(left[0].who, s));
    check_eq(left[0].messages, 3);
    check_str(left[0].waits, "sleep");
    check_str(left[0].kind, "sleeper");
    check_str(left[0].name, "Sam");
    check_eq(rp_spawn(me, &hopeful, &(rp_spawn_opts){.arg = &s}, &h), 0);
    n = 1; /* there is room for one, and there are two */
    check_eq(rp_drain(me, rp_in_ms(me, 100), left, &n), -ETIMEDOUT);
    check_eq(n, 2);
    n = 4;
    check_eq(rp_drain(me, 0, left, &n), -ETIMEDOUT);
    check_eq(n, 2);
    unsigned at = rp_ref_eq(left[1].who, h);
    check(rp_ref_eq(left[at].who, h));
    check_str(left[at].waits, "reply");
    check_eq(rp_stop(me, s, "enough"), 0);
    check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), 0);
    return 0;
}

TEST(drain, says_who_has_not_finished)
{
    for (unsigned loops = 1; loops <= 3; loops++) { /* the hopeful fails, and nobody monitors it */
        rp_system_opts o = {.loops = loops}, sim = {.loops = loops, .sim_seed = test_seed()};
        check_eq(run_with(undone, 0, &o), -ESRCH);
        check_eq(run_with(undone, 0, &sim), -ESRCH);
    }
}

enum { HELD_MS = 1500 };

static int hold(rp_self *me, void *state, const rp_msg *m)
{
    struct timespec t = {HELD_MS / 1000, HELD_MS % 1000 * 1000000L};
    (void)me, (void)state, (void)m;
    nanosleep(&t, NULL); /* as no handler should */
    return 0;
}
static const rp_actor holder = {.name = "holder", .handle = hold};

static int held(rp_self *me, void *arg)
{
    rp_ref h;
    rp_undone left[2];
    unsigned n = 2;
    (void)arg;
    check_eq(rp_spawn(me, &holder, &(rp_spawn_opts){.on = RP_LOOP(1)}, &h), 0);
    check_eq(tell_num(me, h, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 50)), 0);
    rp_time from = rp_now(me);
    check_eq(rp_drain(me, rp_in_ms(me, 20), left, &n), -ETIMEDOUT);
    check(rp_now(me) - from < HELD_MS * RP_MS / 2, "it waited for a loop that is held");
    check_eq(n, 1);
    check(rp_ref_none(left[0].who));
    check_str(left[0].kind, "loop 1");
    check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), 0);
    return 0;
}

TEST(drain, a_loop_that_is_held_is_named)
{
    rp_system_opts o = {.loops = 2};
    check_eq(run_with(held, 0, &o), 0);
}

/* ---- rings ----------------------------------------------------------------------------------------- */

static int answer_late(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    int rc = rp_sleep(me, rp_in_ms(me, 20));
    return rc != 0 ? rc : rp_reply(me, m, NUM, rp_body(m, NUM));
}
static const rp_actor late = {.name = "late", .handle = answer_late};

static int ask_root(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    int rc = rp_call(me, rp_parent(me), NUM, &(struct num){1, {0, 0}}, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    done++;
    return rc;
}
static const rp_actor client = {.name = "client", .run = ask_root};

static int rings(rp_self *me, void *arg)
{
    rp_msg *m;
    rp_ref l;
    (void)arg;
    done = 0;
    check_eq(rp_spawn(me, &late, &(rp_spawn_opts){.on = RP_SPREAD}, &l), 0);
    check_eq(rp_spawn(me, &client, &(rp_spawn_opts){.on = RP_SPREAD}, NULL), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), -EDEADLK); /* it waits for our answer */
    check_str(rp_blame(me), "root > client > root");
    check_eq(rp_forward(me, m, l), 0); /* now another will answer: that is no ring */
    rp_msg_drop(me, m);
    check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), 0);
    check_eq(done, 1);
    check_eq(rp_spawn(me, &client, &(rp_spawn_opts){.on = RP_SPREAD}, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), -EDEADLK); /* its question stands in our mailbox */
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check_eq(rp_reply(me, m, NUM, &(struct num){2, {0, 0}}), 0);
    rp_msg_drop(me, m);
    check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), 0);
    check_eq(done, 2);
    return 0;
}

TEST(drain, who_waits_for_the_caller_is_a_ring)
{
    everywhere(rings, 0);
}

/* ---- from other processes ------------------------------------------------------------------------------ */

static const rp_type *const types[] = {&num_type, NULL};

static int slow_echo(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    int rc = rp_sleep(me, rp_in_ms(me, 100));
    return rc != 0 ? rc : rp_reply(me, m, NUM, rp_body(m, NUM));
}
static const rp_actor echo = {.name = "echo", .handle = slow_echo};

static int drained_node(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &echo, &(rp_spawn_opts){.name = "echo", .on = RP_SPREAD}, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 60)), 0);
    return rp_drain(me, rp_in_ms(me, 1000), NULL, NULL);
}

struct peer {
    rp_ref echo;
    int first;
};

static int first_call(rp_self *me, void *arg)
{
    struct peer *p = arg;
    rp_msg *m;
    p->first = rp_call(me, p->echo, NUM, &(struct num){7, {0, 0}}, &m, RP_FOREVER);
    if (p->first == 0)
        rp_msg_drop(me, m);
    return p->first;
}

static int peer(rp_self *me, void *arg)
{
    struct peer *p = arg;
    rp_node node;
    rp_scope s;
    rp_msg *m;
    check_eq(rp_connect(me, "sim://drained", &node, RP_FOREVER), 0);
    check_eq(rp_lookup(me, node, "echo", &p->echo, RP_FOREVER), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, first_call, p, NULL);
    check_eq(rp_sleep(me, rp_in_ms(me, 80)), 0);
    check_eq(rp_call(me, p->echo, NUM, &(struct num){8, {0, 0}}, &m, RP_FOREVER), -ESHUTDOWN);
    check_eq(tell_num(me, p->echo, 9), 0); /* nobody hears it */
    return rp_scope_close(me, &s, rc);
}

TEST(drain, peers_get_their_answers_and_no_more)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 20; i++) {
        rp_actor a = {.name = "drained", .run = drained_node}, b = {.name = "peer", .run = peer};
        struct peer p = {.first = 1};
        rp_ledger la, lb;
        rp_system_opts oa = {.loops = 2, .listen = "sim://drained", .types = types, .ledger = &la},
                       ob = {.loops = 2, .types = types, .ledger = &lb};
        unsigned na, nb;
        rp_sim *s = rp_sim_new(seed + i);
        check_eq(rp_sim_add(s, &a, NULL, &oa, &na), 0);
        check_eq(rp_sim_add(s, &b, &p, &ob, &nb), 0);
        check_eq(rp_sim_run(s, 100 * RP_S), 0);
        check_eq(rp_sim_result(s, na), 0);
        check_eq(rp_sim_result(s, nb), 0);
        rp_sim_free(s);
        check_eq(p.first, 0);
        check_eq(la.dropped, 2);
        check_eq(la.sent + la.arrived, la.handled + la.left + la.dead + la.dropped + la.late + la.expired);
    }
}
