/* SPDX-License-Identifier: MIT
 *
 * cancel.c - every function that suspends, cancelled at its wait: before it begins, while it waits, in the
 * very round in which what it waits for comes, and afterwards.
 *
 * Each case runs as a task of a scope; the canceller ends it after so many microseconds, or so many
 * passes, in a simulated run per moment, so that the end falls before, upon and behind every step. Held
 * to: the task ends; -ECANCELED means that nothing has happened, anything else that it has, once; the
 * books balance and no memory is left (run_with). The ways of ending it: its scope is cancelled, it is
 * cancelled as a task, its scope's deadline fires, the whole actor is stopped.
 */
#include "tests/stress/stress.h"

#include "reparto/sim.h"

#include <errno.h>

enum how { SCOPE, TASK, DEADLINE, ACTOR, HOWS };

/* ---- those who are waited for -------------------------------------------------------------------------- */

enum { SLOW_MS = 1 };

struct helper {
    uint64_t handled, sum;
};

/* Takes its time over each message; answers who asks. */
static int help(rp_self *me, void *state, const rp_msg *m)
{
    struct helper *h = state;
    const struct num *b = rp_body(m, NUM);
    h->handled++;
    h->sum += b ? b->n : 0;
    struct num r = {h->sum, {0, 0}};
    if (b && b->n == 0) /* how much has come? at once */
        return rp_reply(me, m, NUM, &r);
    int rc = rp_sleep(me, rp_in_ms(me, SLOW_MS));
    return rc != 0 ? rc : rp_wants_reply(m) ? rp_reply(me, m, NUM, &r) : 0;
}
static const rp_actor helper = {.name = "helper", .handle = help, .state_size = sizeof(struct helper)};

static int slow_init(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    return 0;
}
static const rp_actor newborn = {.name = "newborn", .handle = help, .init = slow_init, .state_size = sizeof(struct helper)};

static int spawn_late(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_sleep(me, rp_in_ms(me, SLOW_MS));
    rp_spawn_opts o = {.name = "late"};
    if (rc == 0)
        rc = rp_spawn(me, &helper, &o, NULL);
    return rc != 0 ? rc : rp_sleep(me, RP_FOREVER);
}
static const rp_actor namer = {.name = "namer", .run = spawn_late};

static int tell_soon(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, rp_in_ms(me, SLOW_MS));
    return rc != 0 ? rc : tell_num(me, *(rp_ref *)arg, 7);
}
static const rp_actor teller = {.name = "teller", .run = tell_soon};

/* ---- the cases ------------------------------------------------------------------------------------------ */

struct trial {
    const struct wait *wait;
    enum how how;
    rp_time after;       /* before it is ended */
    const char *url;     /* of the other node */
    rp_ref far, helper;  /* the other node's helper; one here, on the last loop */
    rp_node node;
    uint64_t done;       /* what the waiting has done, as far as it knows */
    unsigned ended, at_close; /* tasks of a scope: when it was closed, no more may end */
};

struct wait { /* one function that suspends */
    const char *name;
    int (*run)(rp_self *me, struct trial *t); /* 0, or the error of the function */
    bool far;      /* needs the other node */
    bool by_actor; /* only the actor itself may: no tasks */
};

static int w_sleep(rp_self *me, struct trial *t)
{
    (void)t;
    return rp_sleep(me, rp_in_ms(me, SLOW_MS));
}

static int w_yield(rp_self *me, struct trial *t)
{
    (void)t;
    for (int i = 0; i < 20; i++) {
        int rc = rp_yield(me);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int for_a_while(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, rp_in_ms(me, SLOW_MS));
    ((struct trial *)arg)->ended++;
    return rc;
}

static int w_scope_close(rp_self *me, struct trial *t)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = rp_go(me, &s, for_a_while, t, NULL);
    rc = rp_scope_close(me, &s, rc);
    t->at_close = t->ended;
    check(rc != 0 || t->ended == 3);
    return rc;
}

static int w_join(rp_self *me, struct trial *t)
{
    rp_scope s;
    rp_task *task;
    int result = 0;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, for_a_while, t, &task);
    if (rc == 0)
        rc = rp_join(me, task, &result, RP_FOREVER);
    return rp_scope_close(me, &s, rc);
}

static int add_seven(void *arg)
{
    *(uint64_t *)arg += 7;
    return 0;
}

static int w_offload(rp_self *me, struct trial *t)
{
    uint64_t n = 0;
    int rc = rp_offload(me, add_seven, &n, RP_FOREVER);
    check(rc != 0 ? n == 0 || rc != -ECANCELED : n == 7, "%d, and %llu", rc, (unsigned long long)n);
    (void)t;
    return rc;
}

static int w_spawn(rp_self *me, struct trial *t)
{
    rp_spawn_opts o = {.on = RP_LOOP(rp_loop_count(me) - 1)};
    rp_ref r;
    int rc = rp_spawn(me, &newborn, &o, &r);
    (void)t;
    return rc != 0 ? rc : rp_stop(me, r, "enough");
}

static int call_one(rp_self *me, rp_ref to, uint64_t n, uint64_t *ret)
{
    struct num b = {n, {0, 0}};
    rp_msg *m;
    int rc = rp_call(me, to, NUM, &b, &m, RP_FOREVER);
    if (rc == 0) {
        *ret = ((const struct num *)rp_body(m, NUM))->n;
        rp_msg_drop(me, m);
    }
    return rc;
}

static int w_call(rp_self *me, struct trial *t)
{
    uint64_t n;
    return call_one(me, t->helper, 1, &n);
}

static int w_far_call(rp_self *me, struct trial *t)
{
    uint64_t n;
    return call_one(me, t->far, 1, &n);
}

/* The helper's mailbox takes four: these wait for room. Each that is told is counted, and comes. */
static int w_tell(rp_self *me, struct trial *t)
{
    for (int i = 0; i < 80; i++) {
        int rc = tell_num(me, t->helper, 1);
        if (rc != 0)
            return rc;
        t->done++;
    }
    return 0;
}

static int w_ring(rp_self *me, struct trial *t) /* for room on the way to another loop */
{
    for (int i = 0; i < 1500; i++) {
        int rc = tell_num(me, t->helper, 1);
        if (rc != 0)
            return rc;
        t->done++;
    }
    return 0;
}

static int w_far_tell(rp_self *me, struct trial *t) /* for credit */
{
    static char much[60000];
    for (int i = 0; i < 12; i++) {
        struct text b = {1, {much, sizeof much}};
        int rc = rp_tell(me, t->far, TEXT, &b);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int w_send(rp_self *me, struct trial *t) /* a message of one's own stays one's own */
{
    for (int i = 0; i < 40; i++) {
        rp_msg *m = rp_msg_new(me, NUM);
        check(m != NULL);
        ((struct num *)rp_msg_fill(m))->n = 1;
        int rc = rp_send(me, t->helper, &m);
        check((rc == 0) == (m == NULL));
        if (rc != 0) {
            rp_msg_drop(me, m);
            return rc;
        }
        t->done++;
    }
    return 0;
}

static int w_connect(rp_self *me, struct trial *t)
{
    rp_node node;
    return rp_connect(me, t->url, &node, RP_FOREVER);
}

static int w_lookup(rp_self *me, struct trial *t)
{
    rp_ref r;
    (void)t;
    return rp_lookup(me, rp_this_node(me), "late", &r, RP_FOREVER);
}

static int w_far_lookup(rp_self *me, struct trial *t)
{
    rp_ref r;
    return rp_lookup(me, t->node, "far-late", &r, RP_FOREVER);
}

static int w_recv(rp_self *me, struct trial *t)
{
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc == 0) {
        check(rp_body(m, NUM) != NULL);
        t->done++;
        rp_msg_drop(me, m);
    }
    return rc;
}

static int forward_all(rp_self *me, void *state, const rp_msg *m)
{
    return rp_forward(me, m, *(rp_ref *)state);
}

static int forward_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(rp_ref *)state = *(rp_ref *)arg;
    return 0;
}
static const rp_actor forwarder = {.name = "forwarder", .handle = forward_all, .init = forward_init, .state_size = sizeof(rp_ref)};

/* A handler waits in rp_forward for the full helper, and its asker is cancelled, or it itself is stopped. */
static int w_forward(rp_self *me, struct trial *t)
{
    rp_ref f;
    rp_spawn_opts o = {.arg = &t->helper};
    uint64_t n;
    int rc = rp_spawn(me, &forwarder, &o, &f);
    for (int i = 0; i < 20 && rc == 0; i++)
        rc = tell_num(me, f, 1);
    return rc != 0 ? rc : call_one(me, f, 1, &n);
}

static const struct wait waits[] = {
    {"rp_sleep", w_sleep}, {"rp_yield", w_yield}, {"rp_scope_close", w_scope_close}, {"rp_join", w_join},
    {"rp_offload", w_offload}, {"rp_spawn", w_spawn}, {"rp_call", w_call}, {"rp_tell, mailbox", w_tell},
    {"rp_tell, ring", w_ring}, {"rp_send", w_send}, {"rp_forward", w_forward}, {"rp_lookup", w_lookup},
    {"rp_recv", w_recv, .by_actor = true}, {"rp_connect", w_connect, .far = true}, {"rp_call, far", w_far_call, .far = true},
    {"rp_tell, far", w_far_tell, .far = true}, {"rp_lookup, far", w_far_lookup, .far = true},
};

/* ---- one trial ------------------------------------------------------------------------------------------ */

static int as_task(rp_self *me, void *arg)
{
    struct trial *t = arg;
    int rc = t->wait->run(me, t);
    check(rc == 0 || rc == -ECANCELED, "%s returned %d", t->wait->name, rc);
    int again = rp_check(me) == 0 ? 0 : rp_sleep(me, RP_FOREVER);
    check(rp_check(me) == 0 || again == -ECANCELED, "being cancelled is a state");
    return rc;
}

static int as_actor(rp_self *me, void *arg)
{
    struct trial *t = arg;
    if (!t->wait->by_actor && t->how != ACTOR)
        return as_task(me, t);
    rp_scope s;
    rp_time by = t->how == DEADLINE ? rp_now(me) + t->after : RP_FOREVER;
    rp_scope_open(me, &s, by);
    int rc = t->wait->run(me, t);
    check(rc == 0 || rc == -ECANCELED, "%s returned %d", t->wait->name, rc);
    rc = rp_scope_close(me, &s, rc);
    if (t->wait->by_actor && t->done == 0 && t->how != ACTOR) { /* nothing was taken: it is still there */
        uint64_t n = 0;
        check_eq(recv_num(me, &n), 0);
        check_eq(n, 7);
    }
    return rc;
}
static const rp_actor waiter = {.name = "waiter", .run = as_actor};

/* In a scope of this actor's own. */
static void try_task(rp_self *me, struct trial *t)
{
    rp_scope s;
    rp_task *task = NULL;
    rp_scope_open(me, &s, t->how == DEADLINE ? rp_now(me) + t->after : RP_FOREVER);
    check_eq(rp_go(me, &s, as_task, t, &task), 0);
    if (t->how != DEADLINE) {
        (void)!rp_sleep(me, rp_now(me) + t->after);
        if (t->how == TASK)
            rp_task_cancel(task, "enough");
        else
            rp_scope_cancel(&s, "enough");
    }
    int rc = rp_scope_close(me, &s, 0);
    check(rc == 0 || rc == -ECANCELED || (rc == -ETIMEDOUT && t->how == DEADLINE), "%s: %d", t->wait->name, rc);
}

/* An actor of its own, that is stopped. */
static void try_actor(rp_self *me, struct trial *t)
{
    rp_ref r;
    rp_spawn_opts o = {.arg = t, .monitor = true};
    struct rp_down d;
    check_eq(rp_spawn(me, &waiter, &o, &r), 0);
    rp_spawn_opts ot = {.arg = &r};
    if (t->wait->by_actor)
        check_eq(rp_spawn(me, &teller, &ot, NULL), 0);
    check_eq(rp_sleep(me, rp_now(me) + t->after), 0);
    if (t->how == ACTOR)
        check_eq(rp_stop(me, r, "enough"), 0);
    check_eq(recv_down(me, &d), 0);
    check(rp_ref_eq(d.who, r) && (d.reason == 0 || d.reason == -ECANCELED || d.reason == -ETIMEDOUT), "%d", d.reason);
}

static int run_trial(rp_self *me, void *arg)
{
    struct trial *t = arg;
    rp_spawn_opts o = {.mailbox = t->wait->run == w_ring ? 0 : 4, .on = RP_LOOP(rp_loop_count(me) - 1)};
    check_eq(rp_spawn(me, &helper, &o, &t->helper), 0);
    check_eq(rp_spawn(me, &namer, NULL, NULL), 0);
    if (t->wait->far && t->wait->run != w_connect) {
        check_eq(rp_connect(me, t->url, &t->node, RP_FOREVER), 0);
        check_eq(rp_lookup(me, t->node, "far", &t->far, RP_FOREVER), 0);
    }
    if (t->how == ACTOR || t->wait->by_actor)
        try_actor(me, t);
    else
        try_task(me, t);
    if (t->wait->run == w_scope_close) {
        check_eq(rp_sleep(me, rp_in_ms(me, 2 * SLOW_MS)), 0);
        check_eq(t->ended, t->at_close);
    }
    uint64_t n = 0; /* what was told has come, and nothing else */
    if (t->wait->run == w_tell || t->wait->run == w_ring || t->wait->run == w_send) {
        check_eq(call_one(me, t->helper, 0, &n), 0);
        check_eq(n, t->done);
    }
    return 0;
}

static int far_root(rp_self *me, void *arg)
{
    (void)arg;
    rp_spawn_opts o = {.name = "far", .mailbox = 4, .on = RP_SPREAD}, late = {.name = "far-late"};
    check_eq(rp_spawn(me, &helper, &o, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 8)), 0);
    check_eq(rp_spawn(me, &helper, &late, NULL), 0);
    return rp_sleep(me, rp_in_ms(me, 5000));
}

static void check_node(const rp_ledger *l, const struct test_mem *mem)
{
    check_eq(l->sent + l->arrived, l->handled + l->left + l->dead + l->dropped + l->late + l->expired);
    check_eq(l->dropped + l->lost_signals, 0);
    check_eq(mem->blocks, 0);
}

static void simulate(struct trial *t, uint64_t seed)
{
    static const rp_type *const types[] = {&num_type, &text_type, NULL};
    struct test_mem mem[2];
    rp_ledger l[2];
    unsigned a, b;
    rp_actor near = {.name = "near", .run = run_trial}, far = {.name = "far", .run = far_root};
    rp_sim *s = rp_sim_new(seed);
    for (int i = 0; i < 2; i++)
        test_mem_init(&mem[i]);
    memset(l, 0, sizeof l);
    rp_system_opts on = {.loops = 1 + (unsigned)(seed % 2), .types = types, .mem = &mem[0].alloc, .ledger = &l[0]},
                   of = {.loops = 2, .types = types, .listen = "sim://far", .mem = &mem[1].alloc, .ledger = &l[1]};
    t->url = of.listen;
    check_eq(rp_sim_add(s, &near, t, &on, &a), 0);
    if (t->wait->far)
        check_eq(rp_sim_add(s, &far, NULL, &of, &b), 0);
    int rc = rp_sim_run(s, 100 * RP_S);
    check(rc == 0, "%s, ended %d after %lld ns, seed %llu: the run returned %d", t->wait->name, t->how, (long long)t->after,
          (unsigned long long)seed, rc);
    check_eq(rp_sim_result(s, a), 0);
    rp_sim_free(s);
    check_node(&l[0], &mem[0]);
    if (t->wait->far)
        check_node(&l[1], &mem[1]);
}

unsigned stress_cancel(void)
{
    enum { N = sizeof waits / sizeof *waits };
    uint64_t moments = size_from("RP_MOMENTS", 150), runs = 0;
    for (unsigned i = 0; i < N; i++) {
        for (uint64_t k = 0; k < moments; k++)
            for (int how = 0; how < HOWS; how++) {
                uint64_t rng = k * HOWS + (unsigned)how;
                rp_time most = waits[i].far ? 20 * RP_MS : 4 * RP_MS; /* beyond the end of its wait */
                rp_time after = k < 30 ? (rp_time)k * RP_US : (rp_time)(test_random(&rng) % (uint64_t)most);
                struct trial t = {.wait = &waits[i], .how = (enum how)how, .after = after};
                simulate(&t, test_seed() + k);
                runs++;
            }
        printf("%s\n", waits[i].name);
    }
    printf("%llu runs\n", (unsigned long long)runs);
    return N;
}
