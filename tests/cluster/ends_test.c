/* SPDX-License-Identifier: MIT
 *
 * Calls over links that are not answered: whoever asked hears at once, with the name of who was to answer, nothing of
 * them is left at either end, and no client ends a service.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

static const rp_field far_fields[] = {RP_FIELD(struct num, n, RP_U64), RP_FIELD(struct num, ref, RP_REF)};
static const rp_type far_type = RP_TYPE("ends.num", struct num, far_fields);
static const rp_field job_fields[] = {{"token", RP_TOKEN, 0, sizeof(rp_token)}};
static const rp_type job_type = {"ends.job", sizeof(rp_token), job_fields, 1, NULL, RP_DEFAULT, 0, 0};
static const rp_type *const types[] = {&far_type, &job_type, NULL};
#define FAR (&far_type)

/* ---- who ends with a call -------------------------------------------------------------------------- */

static int takes_one(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    return rp_recv(me, &m, RP_FOREVER);
}

static int takes_three(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    for (unsigned i = 0; i < 3; i++)
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    return 0;
}

static int keeps(rp_self *me, void *state, const rp_msg *m)
{
    return ++*(unsigned *)state == 1 ? rp_keep(me, m, &(rp_msg *){NULL}) : RP_STOP;
}

static int keeps_and_moves(rp_self *me, void *state, const rp_msg *m)
{
    if (++*(unsigned *)state > 1)
        return RP_STOP;
    check_eq(rp_move(me, rp_self_ref(me), RP_LOOP(rp_loop_count(me) - 1)), 0);
    return rp_keep(me, m, &(rp_msg *){NULL});
}

static int takes_its_time(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    int rc = rp_sleep(me, rp_in_ms(me, 40));
    return rc != 0 ? rc : rp_reply(me, m, FAR, rp_body(m, FAR));
}

static int answers(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_reply(me, m, FAR, rp_body(m, FAR));
}

/* Asks its back end, which takes 40 ms, and returns what fails. */
static int fronts(rp_self *me, void *state, const rp_msg *m)
{
    rp_msg *r;
    int rc = rp_call(me, *(rp_ref *)state, FAR, rp_body(m, FAR), &r, RP_FOREVER);
    if (rc != 0)
        return rc;
    rc = rp_reply(me, m, FAR, rp_body(r, FAR));
    rp_msg_drop(me, r);
    return rc;
}
static const rp_actor slow = {.name = "slow", .handle = takes_its_time};

static int spawn_slow(rp_self *me, void *state, void *arg)
{
    (void)arg;
    return rp_spawn(me, &slow, NULL, state);
}

/* Passes what it gets on to who is meant by it, in this process or a third. */
static int passes_on(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_forward(me, m, ((const struct num *)rp_body(m, FAR))->ref);
}

static int passes_token(rp_self *me, void *state, const rp_msg *m)
{
    rp_token k;
    rp_ref to = ((const struct num *)rp_body(m, FAR))->ref;
    (void)state;
    int rc = rp_take_token(me, m, &k);
    return rc != 0 ? rc : rp_tell(me, to, &job_type, &k);
}

static const rp_actor cast[] = {
    {.name = "one", .run = takes_one},
    {.name = "three", .run = takes_three},
    {.name = "keeper", .handle = keeps, .state_size = sizeof(unsigned)},
    {.name = "mover", .handle = keeps_and_moves, .state_size = sizeof(unsigned)},
    {.name = "slow", .handle = takes_its_time},
    {.name = "echo", .handle = answers},
    {.name = "front", .handle = fronts, .init = spawn_slow, .state_size = sizeof(rp_ref)},
    {.name = "passer", .handle = passes_on},
    {.name = "token", .handle = passes_token},
};
enum { ONE, THREE, KEEPER, MOVER, SLOW, ECHO, FRONT, PASSER, TOKEN, CAST };

static char third_url[] = "sim://third";

static int server(rp_self *me, void *arg)
{
    rp_node n;
    for (unsigned i = 0; i < CAST; i++)
        check_eq(rp_spawn(me, &cast[i], &(rp_spawn_opts){.name = cast[i].name, .on = RP_SPREAD}, NULL), 0);
    if (arg)
        check_eq(rp_connect(me, arg, &n, RP_FOREVER), 0);
    return rp_sleep(me, RP_FOREVER);
}

static rp_ref look_up(rp_self *me, rp_node node, unsigned who)
{
    rp_ref r = {0, 0};
    check_eq(rp_lookup(me, node, cast[who].name, &r, RP_FOREVER), 0);
    return r;
}

/* ---- they hear --------------------------------------------------------------------------------------- */

struct question {
    rp_ref to;
    struct num body;
    rp_time until;
    int rc;
    const char *culprit;
};

static int ask(rp_self *me, void *arg)
{
    struct question *q = arg;
    rp_msg *m = NULL;
    int rc = rp_call(me, q->to, FAR, &q->body, &m, q->until ? q->until : RP_FOREVER);
    check(rc == q->rc, "%s: %d", q->culprit, rc);
    check(rc == 0 || strcmp(rp_blame(me), q->culprit) == 0, "\"%s\" is not \"%s\"", rp_blame(me), q->culprit);
    rp_msg_drop(me, m);
    return 0;
}

static void ask_some(rp_self *me, struct question *q, unsigned n)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_go(me, &s, ask, &q[i], NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
}

static void ends_with_it(rp_self *me, rp_node node)
{
    struct question q[3] = {{.to = look_up(me, node, ONE), .rc = -EPIPE, .culprit = "one"}};
    ask_some(me, q, 1);
    for (unsigned i = 0; i < 3; i++)
        q[i] = (struct question){.to = look_up(me, node, THREE), .rc = -EPIPE, .culprit = "three"};
    ask_some(me, q, 3);
    for (unsigned who = KEEPER; who <= MOVER; who++) {
        for (unsigned i = 0; i < 2; i++)
            q[i] = (struct question){.to = look_up(me, node, who), .rc = -EPIPE, .culprit = cast[who].name};
        ask_some(me, q, 2);
    }
}

static int client(rp_self *me, void *arg)
{
    rp_node node;
    (void)arg;
    check_eq(rp_connect(me, "sim://far", &node, RP_FOREVER), 0);
    ends_with_it(me, node);
    return 0;
}

/* Passed on to one of a third process, by forwarding and as a token: that one ends with it. */
static int client_of_a_third(rp_self *me, void *arg)
{
    rp_node far, third;
    (void)arg;
    check_eq(rp_connect(me, "sim://far", &far, RP_FOREVER), 0);
    check_eq(rp_connect(me, "sim://third", &third, RP_FOREVER), 0);
    struct question q[] = {
        {.to = look_up(me, far, PASSER), .body = {.ref = look_up(me, third, ONE)}, .rc = -EPIPE, .culprit = "one"},
        {.to = look_up(me, far, TOKEN), .body = {.ref = look_up(me, third, KEEPER)}, .rc = -EPIPE, .culprit = "keeper"},
        {.to = look_up(me, third, KEEPER), .rc = -EPIPE, .culprit = "keeper"},
        {.to = look_up(me, far, PASSER), .body = {.ref = look_up(me, far, ECHO)}, .culprit = ""},
    };
    ask_some(me, q, sizeof q / sizeof *q);
    return 0;
}

static void add(rp_sim *sim, const rp_actor *root, void *arg, const char *listen, rp_ledger *l, unsigned *ret)
{
    rp_system_opts o = {.loops = 2, .listen = listen, .types = types, .ledger = l};
    check_eq(rp_sim_add(sim, root, arg, &o, ret), 0);
}

static const rp_actor server_root = {.name = "server", .run = server}, client_root = {.name = "client", .run = client},
                      third_root = {.name = "client", .run = client_of_a_third};

static void balanced(const rp_ledger *l)
{
    check_eq(l->sent + l->arrived, l->handled + l->left + l->dead + l->dropped + l->late + l->expired);
}

TEST(cluster, who_ends_with_a_call_of_a_peer)
{
    for (unsigned i = 0; i < seeds(10); i++) {
        unsigned s, c;
        rp_ledger l = {0};
        rp_sim *sim = rp_sim_new(test_seed() + i);
        add(sim, &server_root, NULL, "sim://far", NULL, &s);
        add(sim, &client_root, NULL, NULL, &l, &c);
        (void)!rp_sim_run(sim, 100 * RP_S);
        check_eq(rp_sim_result(sim, c), 0);
        check_eq(rp_sim_result(sim, s), -EBUSY);
        rp_sim_free(sim);
        balanced(&l);
    }
}

TEST(cluster, who_ends_with_a_call_that_was_passed_on)
{
    for (unsigned i = 0; i < seeds(10); i++) {
        unsigned s, t, c;
        rp_ledger l = {0};
        rp_sim *sim = rp_sim_new(test_seed() + i);
        add(sim, &server_root, NULL, third_url, NULL, &t);
        add(sim, &server_root, third_url, "sim://far", NULL, &s);
        add(sim, &third_root, NULL, NULL, &l, &c);
        (void)!rp_sim_run(sim, 100 * RP_S);
        check_eq(rp_sim_result(sim, c), 0);
        rp_sim_free(sim);
        balanced(&l);
    }
}

/* ---- nothing is left of them ------------------------------------------------------------------------- */

struct books {
    struct test_mem mem;
    int64_t first, last;
};

/* Its time is up before their turn comes; directly, and passed on. */
static void let_expire(rp_self *me, rp_ref to, rp_ref ref, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        rp_msg *m = NULL;
        check_eq(rp_call(me, to, FAR, &(struct num){1, ref}, &m, rp_in_ms(me, 4)), -ETIMEDOUT);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 2000)), 0); /* what is on its way has come home */
}

static int client_in_a_hurry(rp_self *me, void *arg)
{
    struct books *b = arg;
    rp_node node;
    rp_ref none = {0, 0};
    check_eq(rp_connect(me, "sim://far", &node, RP_FOREVER), 0);
    rp_ref direct = look_up(me, node, SLOW), passer = look_up(me, node, PASSER);
    for (unsigned round = 0; round < 3; round++) {
        let_expire(me, direct, none, 300);
        let_expire(me, passer, direct, 300);
        b->first = round == 0 ? b->mem.blocks : b->first;
    }
    b->last = b->mem.blocks;
    return 0;
}

TEST(cluster, calls_that_expire_there_leave_nothing_here)
{
    static struct books b;
    const rp_actor hurry = {.name = "client", .run = client_in_a_hurry};
    unsigned s, c;
    test_mem_init(&b.mem);
    rp_sim *sim = rp_sim_new(test_seed());
    add(sim, &server_root, NULL, "sim://far", NULL, &s);
    check_eq(rp_sim_add(sim, &hurry, &b, &(rp_system_opts){.loops = 1, .types = types, .mem = &b.mem.alloc}, &c), 0);
    (void)!rp_sim_run(sim, 100 * RP_S);
    check_eq(rp_sim_result(sim, c), 0);
    rp_sim_free(sim);
    check(b.last <= b.first + 8, "%" PRId64 " blocks, and %" PRId64 " after twice as many more", b.first, b.last);
    check_eq(b.mem.blocks, 0);
}

/* ---- a client does not end a service ----------------------------------------------------------------- */

static int client_with_50_ms(rp_self *me, void *arg)
{
    rp_node node;
    (void)arg;
    check_eq(rp_connect(me, "sim://far", &node, RP_FOREVER), 0);
    rp_ref front = look_up(me, node, FRONT);
    for (unsigned ms = 1; ms < 60; ms += 7) {
        rp_msg *m = NULL;
        int rc = rp_call(me, front, FAR, &(struct num){1}, &m, rp_in_ms(me, ms));
        check(rc == 0 || rc == -ETIMEDOUT, "%d", rc);
        rp_msg_drop(me, m);
    }
    struct question q = {.to = front, .culprit = ""};
    return ask(me, &q);
}

static int client_for_good(rp_self *me, void *arg) /* it is killed while it waits */
{
    rp_node node;
    rp_msg *m;
    (void)arg;
    check_eq(rp_connect(me, "sim://far", &node, RP_FOREVER), 0);
    rp_ref front = look_up(me, node, FRONT);
    for (;;)
        check_eq(rp_call(me, front, FAR, &(struct num){1}, &m, RP_FOREVER), 0);
}

TEST(cluster, a_client_does_not_end_a_service)
{
    const rp_actor hasty = {.name = "client", .run = client_with_50_ms}, doomed = {.name = "client", .run = client_for_good};
    for (unsigned i = 0; i < seeds(10); i++) {
        unsigned s, c, d;
        rp_sim *sim = rp_sim_new(test_seed() + i);
        add(sim, &server_root, NULL, "sim://far", NULL, &s);
        add(sim, &doomed, NULL, NULL, NULL, &d);
        check_eq(rp_sim_run(sim, RP_S / 2), -ETIMEDOUT);
        rp_sim_crash(sim, d);
        add(sim, &hasty, NULL, NULL, NULL, &c);
        (void)!rp_sim_run(sim, 100 * RP_S);
        check_eq(rp_sim_result(sim, c), 0);
        check_eq(rp_sim_result(sim, s), -EBUSY);
        rp_sim_free(sim);
    }
}
