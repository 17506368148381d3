/* SPDX-License-Identifier: MIT
 *
 * cancel.c - every function that suspends, cancelled at its wait: before it begins, while it waits, in the
 * very round in which what it waits for comes, and afterwards.
 *
 * Each case runs as a task of a scope; the canceller ends it after so many microseconds, or so many
 * passes, in a simulated run per moment, so that the end falls before, upon and behind every step. Held
 * to: the task ends; -ECANCELED means that nothing has happened, anything else that it has, once; the
 * books balance after every step and no memory is left. The ways of ending it: its scope is cancelled, it is
 * cancelled as a task, its scope's deadline fires, the whole actor is stopped.
 */
#include "tests/audit.h"
#include "tests/stress/waits.h"

#include "reparto/sim.h"

/* ---- those who take part ----------------------------------------------------------------------------- */

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

/* ---- one trial ------------------------------------------------------------------------------------------ */

static int as_task(rp_self *me, void *arg)
{
    struct trial *t = arg;
    int rc = t->wait->run(me, t);
    check(rc == 0 || rc == -ECANCELED, "%s returned %d", t->wait->name, rc);
    int again = rp_scope_check(me) == 0 ? 0 : rp_sleep(me, RP_FOREVER);
    check(rp_scope_check(me) == 0 || again == -ECANCELED, "being cancelled is a state");
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

/* Its reason. The partner may end before it. */
static int await_end(rp_self *me, struct trial *t, rp_ref who)
{
    struct rp_down d;
    do {
        check_eq(recv_down(me, &d), 0);
        if (rp_ref_eq(d.who, t->partner)) {
            check_eq(d.reason, 0);
            t->partner_ended = true;
        }
    } while (!rp_ref_eq(d.who, who));
    return d.reason;
}

/* An actor of its own, that is stopped. */
static void try_actor(rp_self *me, struct trial *t)
{
    rp_ref r;
    rp_spawn_opts o = {.arg = t, .monitor = true};
    check_eq(rp_spawn(me, &waiter, &o, &r), 0);
    rp_spawn_opts ot = {.arg = &r};
    if (t->wait->by_actor)
        check_eq(rp_spawn(me, &teller, &ot, NULL), 0);
    check_eq(rp_sleep(me, rp_now(me) + t->after), 0);
    if (t->how == ACTOR)
        check_eq(rp_stop(me, r, "enough"), 0);
    int rc = await_end(me, t, r);
    check(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT, "%d", rc);
}

static int be_partner(rp_self *me, void *arg)
{
    struct trial *t = arg;
    return t->wait->partner(me, t);
}
static const rp_actor partner = {.name = "partner", .run = be_partner};

static void start_others(rp_self *me, struct trial *t)
{
    unsigned last = rp_loop_count(me) - 1;
    rp_spawn_opts o = {.mailbox = t->wait->room ? t->wait->room : 4, .on = RP_LOOP(last)}, op = {.arg = t, .on = RP_LOOP(last)};
    check_eq(rp_spawn(me, &helper, &o, &t->helper), 0);
    check_eq(rp_spawn(me, &namer, NULL, NULL), 0);
    if (t->wait->prepare)
        t->wait->prepare(me, t);
    op.monitor = true;
    if (t->wait->partner)
        check_eq(rp_spawn(me, &partner, &op, &t->partner), 0);
    while (t->wait->holds && !t->ready)
        check_eq(rp_yield(me), 0);
    if (t->wait->far && strcmp(t->wait->name, "rp_connect") != 0) {
        check_eq(rp_connect(me, t->url, &t->node, RP_FOREVER), 0);
        check_eq(rp_lookup(me, t->node, "far", &t->far, RP_FOREVER), 0);
    }
}

static int run_trial(rp_self *me, void *arg)
{
    struct trial *t = arg;
    audit_every_step(me, HELD_ANY);
    start_others(me, t);
    if (t->how == ACTOR || t->wait->by_actor)
        try_actor(me, t);
    else
        try_task(me, t);
    if (t->wait->partner && !t->partner_ended)
        check_eq(await_end(me, t, t->partner), 0);
    if (t->wait->settle)
        t->wait->settle(me, t);
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

/* At the beginning, about when what is waited for comes, or any time. */
static rp_time moment(uint64_t k, rp_time most, uint64_t *rng)
{
    if (k < 15)
        return (rp_time)k * RP_US;
    if (k % 2)
        return SLOW_MS * RP_MS + (rp_time)(test_random(rng) % (uint64_t)(150 * RP_US)) - 20 * RP_US;
    return (rp_time)(test_random(rng) % (uint64_t)most);
}

static uint64_t try_wait(const struct wait *w, uint64_t moments)
{
    for (uint64_t k = 0; k < moments; k++)
        for (int how = 0; how < HOWS; how++) {
            uint64_t rng = k * HOWS + (unsigned)how;
            rp_time most = w->far ? 20 * RP_MS : 4 * RP_MS; /* beyond the end of its wait */
            rp_time after = moment(k, most, &rng);
            struct trial t = {.wait = w, .how = (enum how)how, .after = after};
            simulate(&t, test_seed() + k);
        }
    printf("%s\n", w->name);
    return moments * HOWS;
}

unsigned stress_cancel(void)
{
    const char *only = getenv("RP_WAIT"); /* one of them, by the beginning of its name */
    uint64_t moments = size_from("RP_MOMENTS", 150), runs = 0;
    unsigned n = 0;
    const struct wait *all[] = {actor_waits, sync_waits};
    for (unsigned i = 0; i < 2; i++)
        for (const struct wait *w = all[i]; w->name; w++)
            if (!only || strncmp(w->name, only, strlen(only)) == 0) {
                runs += try_wait(w, moments);
                n++;
            }
    printf("%llu runs, the books audited %llu times\n", (unsigned long long)runs, (unsigned long long)audit_steps());
    return n;
}
