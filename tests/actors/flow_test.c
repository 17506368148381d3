/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include "loop/loop.h"

#include <errno.h>
#include <stdatomic.h>

/* A consumer that waits in the middle of each message, so that its mailbox fills. */
static int consume(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t *seen = state;
    const struct num *b = rp_body(m, NUM);
    if (!b)
        return -EBADMSG;
    if (rp_wants_reply(m)) {
        struct num r = {*seen, {0, 0}};
        return rp_reply(me, m, NUM, &r);
    }
    ++*seen;
    int rc = *seen % 8 == 0 ? rp_sleep(me, rp_in_ms(me, 1)) : rp_yield(me);
    return rc;
}
static const rp_actor consumer = {.name = "consumer", .handle = consume, .state_size = 8};

enum { EACH = 400, PRODUCERS = 6, BOUND = 16 };

static int produce(rp_self *me, void *arg)
{
    for (uint64_t i = 0; i < EACH; i++) {
        int rc = tell_num(me, *(rp_ref *)arg, i);
        if (rc != 0)
            return rc;
    }
    return 0;
}
static const rp_actor producer = {.name = "producer", .run = produce};

static int bounded(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref c;
    rp_spawn_opts oc = {.mailbox = BOUND, .on = RP_LOOP(rp_loop_count(me) - 1)};
    check_eq(rp_spawn(me, &consumer, &oc, &c), 0);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        rp_spawn_opts op = {.arg = &c, .on = RP_SPREAD, .monitor = true};
        check_eq(rp_spawn(me, &producer, &op, NULL), 0);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    uint64_t n = 0;
    for (unsigned tries = 0; n < EACH * PRODUCERS && tries < 10000; tries++) { /* a call may overtake what others have sent */
        struct num b = {0, {0, 0}};
        rp_msg *m;
        check_eq(rp_call(me, c, NUM, &b, &m, RP_FOREVER), 0);
        n = ((const struct num *)rp_body(m, NUM))->n;
        rp_msg_drop(me, m);
    }
    check_eq(n, EACH * PRODUCERS);
    rp_ledger l;
    rp_ledger_read(me, &l);
    check_eq(l.dropped, 0);
    check(l.high_water <= BOUND + (rp_loop_count(me) - 1) * 2048 + PRODUCERS * RP__BURST + RP__CROWDED, "the mailbox grew to %llu",
          (unsigned long long)l.high_water);
    return 0;
}

TEST(flow, senders_wait_and_nothing_is_lost)
{
    everywhere(bounded, 0);
}

static int same_loop_bound(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref c;
    rp_spawn_opts oc = {.mailbox = BOUND};
    check_eq(rp_spawn(me, &consumer, &oc, &c), 0);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        rp_spawn_opts op = {.arg = &c, .monitor = true};
        check_eq(rp_spawn(me, &producer, &op, NULL), 0);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
    }
    rp_ledger l;
    rp_ledger_read(me, &l);
    check(l.high_water <= BOUND + PRODUCERS * RP__BURST + RP__CROWDED, "the mailbox grew to %llu", (unsigned long long)l.high_water);
    return 0;
}

TEST(flow, overshoot_is_a_burst_per_sender)
{
    rp_system_opts o = {.loops = 1};
    check_eq(run_with(same_loop_bound, 0, &o), 0);
}

/* Room is said, and taken by what is on its way, before it has been heard of: that the mailbox is full again must not
 * be forgotten with it. */
static int rests_at_times(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t *rng = state;
    (void)m;
    return test_random(rng) % 8 == 0 ? rp_yield(me) : 0;
}

static int starts_with(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(uint64_t *)state = *(uint64_t *)arg;
    return 0;
}
static const rp_actor unsteady = {.name = "unsteady", .handle = rests_at_times, .init = starts_with, .state_size = 8};

static int refilled(rp_self *me, void *arg)
{
    rp_ref c;
    check_eq(rp_spawn(me, &unsteady, &(rp_spawn_opts){.arg = arg, .mailbox = BOUND}, &c), 0);
    for (unsigned i = 0; i < PRODUCERS; i++)
        check_eq(rp_spawn(me, &producer, &(rp_spawn_opts){.arg = &c, .monitor = true}, NULL), 0);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
    }
    rp_ledger l;
    rp_ledger_read(me, &l);
    check(l.high_water <= BOUND + RP__WAY_FEW, "the mailbox grew to %llu", (unsigned long long)l.high_water);
    return 0;
}

TEST(flow, full_again_before_room_is_heard_of)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        rp_system_opts o = {.loops = 1, .chaos_seed = seed, .sim_seed = seed};
        check_eq(run_with(refilled, &seed, &o), 0);
    }
}

/* A crowd on one loop that never waits of its own accord, and an actor that never holds a mailbox: what they have sent
 * and is not dispatched is bounded all the same. */
struct crowd {
    rp_ref to;
    uint32_t each, seen, most;
};

static int crowd_seen(rp_self *me, void *state, const rp_msg *m)
{
    struct crowd *c = *(struct crowd **)state;
    (void)m;
    c->seen++;
    c->most = me->loop->events.count > c->most ? (uint32_t)me->loop->events.count : c->most;
    return 0;
}

static int crowd_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}
static const rp_actor crowd_sink = {.name = "sink", .handle = crowd_seen, .init = crowd_init, .state_size = sizeof(void *)};

static int crowd_send(rp_self *me, void *arg)
{
    struct crowd *c = arg;
    int rc = 0;
    for (uint32_t i = 0; i < c->each && rc == 0; i++)
        rc = tell_num(me, c->to, i);
    return rc;
}
static const rp_actor crowd_source = {.name = "source", .run = crowd_send};

static int crowded(rp_self *me, void *arg)
{
    enum { N = 60, EACH_OF = 1000 };
    struct crowd c = {.each = EACH_OF};
    struct rp_down d;
    (void)arg;
    check_eq(rp_spawn(me, &crowd_sink, &(rp_spawn_opts){.arg = &c, .on = RP_SAME}, &c.to), 0);
    for (unsigned i = 0; i < N; i++)
        check_eq(rp_spawn(me, &crowd_source, &(rp_spawn_opts){.arg = &c, .on = RP_SAME, .monitor = true}, NULL), 0);
    for (unsigned i = 0; i < N; i++) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    while (c.seen < N * EACH_OF)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check(c.most <= (N + 8) * RP__BURST + RP__CROWDED, "%u waited to be dispatched", c.most);
    return 0;
}

TEST(flow, a_crowd_on_one_loop_is_held_back)
{
    everywhere(crowded, 0);
}

/* Nor does it help to rest in the middle of a burst, each time. */
static int crowd_rests(rp_self *me, void *arg)
{
    struct crowd *c = arg;
    int rc = 0;
    for (uint32_t i = 0; i < c->each && rc == 0; i++) {
        rc = tell_num(me, c->to, i);
        if (rc == 0 && i % (RP__BURST - 1) == 0)
            rc = rp_yield(me);
    }
    return rc;
}
static const rp_actor crowd_that_rests = {.name = "source", .run = crowd_rests};

static int crowded_at_rest(rp_self *me, void *arg)
{
    enum { N = 60, EACH_OF = 1000 };
    struct crowd c = {.each = EACH_OF};
    struct rp_down d;
    (void)arg;
    check_eq(rp_spawn(me, &crowd_sink, &(rp_spawn_opts){.arg = &c, .on = RP_SAME}, &c.to), 0);
    for (unsigned i = 0; i < N; i++)
        check_eq(rp_spawn(me, &crowd_that_rests, &(rp_spawn_opts){.arg = &c, .on = RP_SAME, .monitor = true}, NULL), 0);
    for (unsigned i = 0; i < N; i++) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    while (c.seen < N * EACH_OF)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check(c.most <= (N + 8) * RP__BURST + RP__CROWDED, "%u waited to be dispatched", c.most);
    return 0;
}

TEST(flow, a_crowd_that_rests_is_held_back_too)
{
    everywhere(crowded_at_rest, 0);
}

/* Where more messages go round than a round dispatches, those who send much still have their turn. */
static int pass_on(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return tell_num(me, rp_self_ref(me), 1);
}
static const rp_actor circle = {.name = "circle", .handle = pass_on};

static int busy_room(rp_self *me, void *arg)
{
    enum { ROUND = 6000, N = 3, EACH_OF = 2000 };
    struct crowd c = {.each = EACH_OF};
    struct rp_down d;
    rp_ref r;
    (void)arg;
    check_eq(rp_spawn(me, &crowd_sink, &(rp_spawn_opts){.arg = &c, .on = RP_SAME}, &c.to), 0);
    for (unsigned i = 0; i < ROUND; i++) {
        check_eq(rp_spawn(me, &circle, &(rp_spawn_opts){.on = RP_SAME}, &r), 0);
        check_eq(tell_num(me, r, 1), 0);
    }
    for (unsigned i = 0; i < N; i++)
        check_eq(rp_spawn(me, &crowd_source, &(rp_spawn_opts){.arg = &c, .on = RP_SAME, .monitor = true}, NULL), 0);
    for (unsigned i = 0; i < N; i++) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    check(c.most <= 2 * ROUND + (N + 8) * RP__BURST, "%u waited to be dispatched", c.most);
    return 0;
}

TEST(flow, who_is_held_back_has_a_turn)
{
    everywhere(busy_room, 0);
}

/* Who has sent its burst steps aside for messages, and not for others that run beside it: each of them that waits would
 * let it send another. */
struct aside {
    rp_ref to;
    rp_time begin; /* of all at once */
    uint32_t sent, before; /* before the first one came */
};

static int aside_seen(rp_self *me, void *state, const rp_msg *m)
{
    struct aside *a = *(struct aside **)state;
    (void)me, (void)m;
    a->before = a->before ? a->before : a->sent;
    return 0;
}
static const rp_actor aside_sink = {.name = "sink", .handle = aside_seen, .init = crowd_init, .state_size = sizeof(void *)};

static int aside_send(rp_self *me, void *arg)
{
    struct aside *a = arg;
    int rc = rp_sleep(me, a->begin);
    for (; a->sent < 6000 && rc == 0; a->sent += rc == 0)
        rc = tell_num(me, a->to, a->sent);
    return rc;
}

static int waits_twice(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, ((struct aside *)arg)->begin);
    return rc != 0 ? rc : rp_sleep(me, rp_in_ms(me, 1));
}

static int aside(rp_self *me, void *arg)
{
    enum { BESIDE = 60 };
    struct aside a = {.begin = rp_in_ms(me, 2)};
    rp_scope s;
    (void)arg;
    check_eq(rp_spawn(me, &aside_sink, &(rp_spawn_opts){.arg = &a, .on = RP_SAME}, &a.to), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, aside_send, &a, NULL);
    for (unsigned i = 0; i < BESIDE && rc == 0; i++)
        rc = rp_go(me, &s, waits_twice, &a, NULL);
    check_eq(rp_scope_close(me, &s, rc), 0);
    check(a.before > 0 && a.before <= RP__BACKLOG, "%u were sent before one was dispatched", a.before);
    return 0;
}

TEST(flow, who_steps_aside_waits_for_messages)
{
    everywhere(aside, 0);
}

struct policy {
    rp_overflow overflow;
};

static int policies(rp_self *me, void *arg)
{
    rp_overflow p = ((struct policy *)arg)->overflow;
    enum { N = 200, LIMIT = 10 };
    rp_ref c;
    rp_spawn_opts oc = {.mailbox = LIMIT, .overflow = p};
    check_eq(rp_spawn(me, &consumer, &oc, &c), 0);
    unsigned accepted = 0, refused = 0;
    for (uint64_t i = 0; i < N; i++) {
        int rc = tell_num(me, c, i);
        check(rc == 0 || (rc == -EAGAIN && p == RP_FAIL), "%d", rc);
        accepted += rc == 0;
        refused += rc != 0;
        if (i % 20 == 19)
            check_eq(rp_yield(me), 0);
    }
    struct num b = {0, {0, 0}};
    rp_msg *m;
    check_eq(rp_sleep(me, rp_in_ms(me, 100)), 0); /* until its mailbox is empty, or the call is dropped too */
    check_eq(rp_call(me, c, NUM, &b, &m, RP_FOREVER), 0);
    uint64_t seen = ((const struct num *)rp_body(m, NUM))->n;
    rp_msg_drop(me, m);
    rp_ledger l;
    rp_ledger_read(me, &l);
    check_eq(seen + l.dropped, accepted);
    check(l.dropped > 0 && l.high_water <= LIMIT + 1, "dropped %llu, high water %llu",
          (unsigned long long)l.dropped, (unsigned long long)l.high_water);
    check(p != RP_FAIL || refused > 0, "nobody was refused");
    return 0;
}

TEST(flow, every_policy_accounts_for_every_message)
{
    rp_overflow all[] = {RP_DROP_NEW, RP_DROP_OLD, RP_FAIL};
    for (unsigned i = 0; i < 3; i++) {
        struct policy p = {all[i]};
        rp_system_opts one = {.loops = 1}, sim = {.loops = 1, .sim_seed = test_seed()};
        check_eq(run_with(policies, &p, &one), 0);
        check_eq(run_with(policies, &p, &sim), 0);
    }
}

/* A slow actor must not hold up messages to others on its loop. */
static int hog(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor stuck = {.name = "stuck", .handle = hog};

static int no_blocking(rp_self *me, void *arg)
{
    (void)arg;
    unsigned far = rp_loop_count(me) - 1;
    rp_ref s, c;
    rp_spawn_opts o = {.mailbox = 4, .on = RP_LOOP(far)}, op = {.arg = &s, .on = RP_SAME};
    check_eq(rp_spawn(me, &stuck, &o, &s), 0);
    o.mailbox = 0;
    check_eq(rp_spawn(me, &consumer, &o, &c), 0);
    for (unsigned i = 0; i < 3; i++)
        check_eq(rp_spawn(me, &producer, &op, NULL), 0); /* all three will wait for ever */
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    for (uint64_t i = 0; i < 300; i++)
        check_eq(tell_num(me, c, i), 0);
    struct num b = {0, {0, 0}};
    rp_msg *m;
    check_eq(rp_call(me, c, NUM, &b, &m, rp_in_ms(me, 60000)), 0);
    rp_msg_drop(me, m);
    struct num n = {0, {0, 0}};
    check_eq(rp_try_tell(me, s, NUM, &n), -EAGAIN);
    rp_scope scope;
    rp_scope_open(me, &scope, rp_in_ms(me, 3));
    check_eq(tell_num(me, s, 1), -ECANCELED); /* waiting for room is cancelled like any wait */
    check_eq(rp_scope_close(me, &scope, 0), -ETIMEDOUT);
    check_eq(rp_stop(me, s, "test"), 0); /* its senders go on */
    return 0;
}

TEST(flow, a_stuck_actor_blocks_nobody_else)
{
    everywhere(no_blocking, 0);
}

static int flood(rp_self *me, void *arg)
{
    uint64_t sent = 0;
    while (sent < 1000000 && tell_num(me, *(rp_ref *)arg, sent) == 0) /* never waits of its own accord */
        sent++;
    return 0;
}
static const rp_actor flooder = {.name = "flooder", .run = flood};

static int hears_full(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref s;
    rp_spawn_opts o = {.mailbox = 16, .on = RP_LOOP(rp_loop_count(me) - 1)}, of = {.arg = &s};
    check_eq(rp_spawn(me, &stuck, &o, &s), 0);
    check_eq(rp_spawn(me, &flooder, &of, NULL), 0);
    rp_ledger l = {0};
    for (int i = 0; i < 100 && (i < 3 || l.high_water < 16); i++) { /* on a slow machine it takes a while to fill */
        check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
        rp_ledger_read(me, &l);
    }
    check(l.high_water >= 16 && l.high_water <= 16 + 2 * 1024, "the mailbox holds %llu", (unsigned long long)l.high_water);
    return 0;
}

TEST(flow, a_sender_that_never_stops_hears_full) /* full.pml, BUG5 */
{
    everywhere(hears_full, 0);
}

/* ---- the mesh: none lost, none twice, in order per pair ------------------------------------------- */

enum { MESH = 12 };

struct mesh_msg {
    uint32_t from, seq;
};
static const rp_field mesh_fields[] = {
    RP_FIELD(struct mesh_msg, from, RP_U32),
    RP_FIELD(struct mesh_msg, seq, RP_U32),
};
static const rp_type mesh_type = RP_TYPE("test.mesh", struct mesh_msg, mesh_fields);

struct mesh {
    uint32_t each; /* messages that every node sends to every other */
    rp_ref node[MESH];
};

struct mesh_node {
    struct mesh *mesh;
    uint32_t id, next[MESH], seen;
};

static int mesh_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct mesh_node *n = state;
    const struct mesh_msg *b = rp_body(m, &mesh_type);
    (void)me;
    if (!b)
        return -EBADMSG;
    check(b->from < MESH && b->seq == n->next[b->from], "from %u: %u, expected %u", b->from, b->seq, n->next[b->from]);
    n->next[b->from]++;
    return ++n->seen == n->mesh->each * MESH ? RP_STOP : 0;
}

static int mesh_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct mesh_node *)state)->mesh = arg;
    return 0;
}
static const rp_actor mesh_sink = {.name = "mesh-sink", .handle = mesh_handle, .init = mesh_init, .state_size = sizeof(struct mesh_node)};

struct mesh_arg {
    struct mesh *mesh;
    uint32_t id;
};

static int mesh_source(rp_self *me, void *arg)
{
    struct mesh_arg *a = arg;
    for (uint32_t i = 0; i < a->mesh->each; i++)
        for (uint32_t k = 0; k < MESH; k++) {
            struct mesh_msg b = {a->id, i};
            int rc = rp_tell(me, a->mesh->node[(k + a->id) % MESH], &mesh_type, &b);
            if (rc != 0)
                return rc;
        }
    return 0;
}
static const rp_actor mesh_src = {.name = "mesh-source", .run = mesh_source};

static int mesh(rp_self *me, void *arg)
{
    struct mesh mesh = {.each = *(uint32_t *)arg};
    struct mesh_arg args[MESH];
    for (unsigned i = 0; i < MESH; i++) {
        rp_spawn_opts o = {.on = RP_SPREAD, .monitor = true, .arg = &mesh};
        check_eq(rp_spawn(me, &mesh_sink, &o, &mesh.node[i]), 0);
    }
    for (unsigned i = 0; i < MESH; i++) {
        args[i] = (struct mesh_arg){&mesh, i};
        rp_spawn_opts o = {.on = RP_SPREAD, .monitor = true, .arg = &args[i]};
        check_eq(rp_spawn(me, &mesh_src, &o, NULL), 0);
    }
    for (unsigned i = 0; i < 2 * MESH; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return 0;
}

TEST(mesh, a_million_messages)
{
    uint32_t each = 1000000 / MESH / MESH + 1;
    rp_system_opts o = {.loops = 3};
    check_eq(run_with(mesh, &each, &o), 0);
}

TEST(mesh, every_world)
{
    uint32_t each = 100;
    everywhere(mesh, &each);
}
