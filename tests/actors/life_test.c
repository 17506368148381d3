/* SPDX-License-Identifier: MIT */
#include "loop/base/os.h"
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>

/* ---- spawning ------------------------------------------------------------------------------------ */

struct counter {
    uint64_t sum, seen;
};

static int counter_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct counter *c = state;
    const struct num *b = rp_body(m, NUM);
    if (!b)
        return -EBADMSG;
    c->sum += b->n;
    c->seen++;
    if (rp_wants_reply(m)) {
        struct num r = {c->sum, {0, 0}};
        return rp_reply(me, m, NUM, &r);
    }
    return b->n == UINT64_MAX ? RP_STOP : 0;
}
static const rp_actor counter = {.name = "counter", .handle = counter_handle, .state_size = sizeof(struct counter)};

static int counter_run(rp_self *me, void *arg)
{
    (void)arg;
    struct counter c = {0, 0};
    rp_msg *m;
    int rc, end = 0;
    while (end == 0 && (rc = rp_recv(me, &m, RP_FOREVER)) == 0) {
        end = counter_handle(me, &c, m);
        rp_msg_drop(me, m);
    }
    return end < 0 ? end : 0;
}
static const rp_actor counter_co = {.name = "counter-co", .run = counter_run};

static int call_sum(rp_self *me, rp_ref to, uint64_t n, uint64_t *sum)
{
    struct num b = {n, {0, 0}};
    rp_msg *m;
    int rc = rp_call(me, to, NUM, &b, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    *sum = ((const struct num *)rp_body(m, NUM))->n;
    rp_msg_drop(me, m);
    return 0;
}

static int both_kinds_everywhere(rp_self *me, void *arg)
{
    (void)arg;
    const rp_actor *kinds[] = {&counter, &counter_co};
    for (unsigned on = 0; on < rp_loop_count(me); on++)
        for (unsigned k = 0; k < 2; k++) {
            rp_spawn_opts o = {.on = RP_LOOP(on)};
            rp_ref r;
            uint64_t sum = 0;
            check_eq(rp_spawn(me, kinds[k], &o, &r), 0);
            for (uint64_t i = 1; i <= 100; i++)
                check_eq(tell_num(me, r, i), 0);
            check_eq(call_sum(me, r, 0, &sum), 0);
            check_eq(sum, 5050);
        }
    return 0;
}

TEST(spawn, both_kinds_on_every_loop)
{
    everywhere(both_kinds_everywhere, 0);
}

static int init_fails(rp_self *me, void *state, void *arg)
{
    check(state != 0 && *(int *)state == 0);
    check_eq(rp_yield(me), -EAGAIN); /* init does not wait */
    *(int *)arg += 1;
    return -EPROTO;
}

static int handle_nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}

static void fini_never(rp_self *me, void *state, int reason)
{
    (void)me, (void)state, (void)reason;
    check(false, "fini without init");
}

static const rp_actor unborn = {.name = "unborn", .handle = handle_nothing, .init = init_fails, .fini = fini_never, .state_size = 8};

static int spawn_errors(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref r = {0, 0}, named;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        int inits = 0;
        rp_spawn_opts o = {.on = RP_LOOP(on), .arg = &inits, .name = "x", .monitor = true};
        check_eq(rp_spawn(me, &unborn, &o, &r), -EPROTO);
        check_eq(inits, 1);
        check(rp_ref_none(r), "an error leaves *ret alone");
        check_eq(rp_whereis(me, "x", &r), -ESRCH);
    }
    rp_spawn_opts o = {.name = "x"};
    check_eq(rp_spawn(me, &counter, &o, &named), 0);
    check_eq(rp_spawn(me, &counter, &o, &r), -EEXIST);
    check_eq(rp_whereis(me, "x", &r), 0);
    check(rp_ref_eq(r, named));
    o = (rp_spawn_opts){.on = RP_LOOP(99)};
    check_eq(rp_spawn(me, &counter, &o, &r), -EINVAL);
    rp_actor neither = {.name = "neither"};
    check_eq(rp_spawn(me, &neither, NULL, &r), -EINVAL);
    return 0;
}

TEST(spawn, errors_come_back)
{
    everywhere(spawn_errors, 0);
}

/* ---- ending -------------------------------------------------------------------------------------- */

static _Atomic int finished, finis;

static void fini_counts(rp_self *me, void *state, int reason)
{
    (void)me, (void)state, (void)reason;
    atomic_fetch_add(&finis, 1);
}

static int child_run(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    check_eq(rc, -ECANCELED);
    check_str(rp_why(me), "its parent ended");
    atomic_fetch_add(&finished, 1);
    return 0;
}
static const rp_actor child_co = {.name = "child", .run = child_run, .fini = fini_counts};
static const rp_actor child_handler = {.name = "child-h", .handle = handle_nothing, .fini = fini_counts};

static int parent_run(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 6; i++) {
        rp_spawn_opts o = {.on = RP_SPREAD};
        check_eq(rp_spawn(me, i % 2 ? &child_co : &child_handler, &o, NULL), 0);
    }
    return 0;
}
static const rp_actor parent = {.name = "parent", .run = parent_run, .fini = fini_counts};

static int family(rp_self *me, void *arg)
{
    (void)arg;
    atomic_store(&finished, 0);
    atomic_store(&finis, 0);
    rp_spawn_opts o = {.monitor = true, .on = RP_SPREAD};
    struct rp_down d;
    rp_ref r;
    check_eq(rp_spawn(me, &parent, &o, &r), 0);
    check_eq(recv_down(me, &d), 0);
    check(rp_ref_eq(d.who, r));
    check_eq(d.reason, 0);
    check_str(d.name, "parent");
    check_eq(atomic_load(&finished), 3); /* the children had ended before their parent did */
    check_eq(atomic_load(&finis), 7);
    return 0;
}

TEST(life, children_end_before_their_parent)
{
    everywhere(family, 0);
}

static int chain_link(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    if (b->n == 0)
        return tell_num(me, b->ref, 1);
    struct num next = {b->n - 1, b->ref};
    rp_ref r;
    static const rp_actor link = {.name = "link", .handle = chain_link, .fini = fini_counts};
    int rc = rp_spawn(me, &link, NULL, &r);
    return rc != 0 ? rc : rp_tell(me, r, NUM, &next);
}

static int deep_family(rp_self *me, void *arg)
{
    (void)arg;
    atomic_store(&finis, 0);
    static const rp_actor link = {.name = "link", .handle = chain_link, .fini = fini_counts};
    rp_spawn_opts o = {.monitor = true};
    rp_ref r;
    struct num n = {20000, rp_self_ref(me)};
    uint64_t got;
    struct rp_down d;
    check_eq(rp_spawn(me, &link, &o, &r), 0);
    check_eq(rp_tell(me, r, NUM, &n), 0);
    check_eq(recv_num(me, &got), 0);
    check_eq(rp_stop(me, r, "test"), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -ECANCELED);
    check_eq(atomic_load(&finis), 20001);
    return 0;
}

TEST(life, a_chain_of_20000_generations_ends)
{
    everywhere(deep_family, 0);
}

static int fails_run(rp_self *me, void *arg)
{
    (void)me;
    return (int)(intptr_t)arg;
}
static const rp_actor failing = {.name = "failing", .run = fails_run};

static int unobserved(rp_self *me, void *arg)
{
    rp_spawn_opts o = {.arg = (void *)(intptr_t)-EIO, .monitor = arg != 0};
    check_eq(rp_spawn(me, &failing, &o, NULL), 0);
    return rp_sleep(me, rp_in_ms(me, 2));
}

TEST(life, a_failure_nobody_took_is_the_result)
{
    check_eq(run_with(unobserved, 0, 0), -EIO);
    int monitored;
    check_eq(run_with(unobserved, &monitored, 0), 0);
    rp_system_opts sim = {.loops = 2, .sim_seed = 5};
    check_eq(run_with(unobserved, 0, &sim), -EIO);
}

static int stop_self(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    int rc = rp_stop(me, rp_self_ref(me), "enough");
    return rc != 0 ? rc : rp_sleep(me, RP_FOREVER) == -ECANCELED ? 0 : -EIO;
}
static const rp_actor suicidal = {.name = "suicidal", .handle = stop_self};

static int stops_itself(rp_self *me, void *arg)
{
    (void)arg;
    rp_spawn_opts o = {.monitor = true, .on = RP_SPREAD};
    rp_ref r;
    struct rp_down d;
    check_eq(rp_spawn(me, &suicidal, &o, &r), 0);
    check_eq(tell_num(me, r, 1), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -ECANCELED);
    check_eq(rp_stop(me, r, "again"), 0);
    return 0;
}

TEST(life, an_actor_stops_itself)
{
    everywhere(stops_itself, 0);
}

/* ---- monitors ------------------------------------------------------------------------------------ */

static int says_then_ends(rp_self *me, void *arg)
{
    rp_ref *to = arg;
    for (uint64_t i = 0; i < 500; i++) {
        int rc = tell_num(me, *to, i);
        if (rc != 0)
            return rc;
    }
    return -EIO;
}
static const rp_actor speaker = {.name = "speaker", .run = says_then_ends};

static int last_word(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref self = rp_self_ref(me), r;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_spawn_opts o = {.arg = &self, .on = RP_LOOP(on), .monitor = true};
        check_eq(rp_spawn(me, &speaker, &o, &r), 0);
        check_eq(rp_monitor(me, r), 0); /* a second one: a second RP_DOWN */
        if (on % 2)
            check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
        uint64_t n = 0;
        for (uint64_t i = 0; i < 500; i++) {
            check_eq(recv_num(me, &n), 0);
            check_eq(n, i);
        }
        struct rp_down d;
        for (int k = 0; k < 2; k++) {
            check_eq(recv_down(me, &d), 0);
            check(rp_ref_eq(d.who, r));
            check(d.reason == -EIO || d.reason == -ESRCH);
        }
        check_eq(rp_monitor(me, r), 0); /* it has ended: at once */
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, -ESRCH);
        rp_msg *m;
        check_eq(rp_recv(me, &m, rp_in_ms(me, 2)), -ETIMEDOUT); /* and never again */
    }
    return 0;
}

TEST(monitor, down_once_each_and_after_the_last_message)
{
    everywhere(last_word, 0);
}

static int take_back(rp_self *me, void *arg)
{
    rp_msg *m;
    rp_ref r;
    struct rp_down d;
    (void)arg;
    for (unsigned i = 0; i < 30; i++) {
        rp_spawn_opts o = {.on = i % 3 == 0 ? RP_SAME : RP_SPREAD};
        check_eq(rp_spawn(me, &counter, &o, &r), 0);
        check_eq(rp_demonitor(me, r), 0); /* there is none: no matter */
        for (unsigned k = 0; k < i % 3; k++)
            check_eq(rp_monitor(me, r), 0);
        check_eq(rp_demonitor(me, r), 0);
        check_eq(tell_num(me, r, UINT64_MAX), 0);
        for (unsigned k = 1; k < i % 3; k++)
            check_eq(recv_down(me, &d), 0);
        check_eq(rp_recv(me, &m, rp_in_ms(me, 2)), -ETIMEDOUT);
    }
    check_eq(rp_demonitor(me, (rp_ref){0, 0}), -EINVAL);
    return 0;
}

TEST(monitor, taken_back_is_as_never_asked_for)
{
    everywhere(take_back, 0);
}

static int fails(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return -EIO;
}
static const rp_actor fails_when_told = {.name = "failing", .handle = fails};

static int look_away(rp_self *me, void *arg)
{
    rp_ref r;
    (void)arg;
    check_eq(rp_spawn(me, &fails_when_told, &(rp_spawn_opts){.monitor = true}, &r), 0);
    check_eq(rp_demonitor(me, r), 0);
    check_eq(tell_num(me, r, 1), 0);
    for (unsigned i = 0; i < 100; i++) /* it has handled it by then */
        check_eq(rp_yield(me), 0);
    return 0;
}

/* Who has taken its monitor back does not answer for the failure any more. */
TEST(monitor, taken_back_leaves_the_failure_to_the_run)
{
    rp_system_opts o = {.loops = 1};
    check_eq(run_with(look_away, 0, &o), -EIO);
}

/* ---- stale addresses ----------------------------------------------------------------------------- */

static int stale(rp_self *me, void *arg)
{
    (void)arg;
    enum { N = 3000 };
    static rp_ref old[N];
    uint64_t sum = 0;
    for (unsigned i = 0; i < N; i++) {
        check_eq(rp_spawn(me, &counter, NULL, &old[i]), 0);
        check_eq(tell_num(me, old[i], UINT64_MAX), 0);
        if (i % 16 == 0)
            check_eq(rp_yield(me), 0);
    }
    for (int i = 0; i < 200 && rp_yield(me) == 0; i++)
        ;
    rp_ref alive;
    check_eq(rp_spawn(me, &counter, NULL, &alive), 0);
    for (unsigned i = 0; i < N; i++) {
        check(!rp_ref_eq(old[i], alive), "an address was used again");
        check_eq(tell_num(me, old[i], 1), 0);
    }
    check_eq(call_sum(me, old[0], 1, &sum), -ESRCH);
    check_eq(call_sum(me, alive, 0, &sum), 0);
    check_eq(sum, 0);
    rp_ref nonsense[] = {{0, 0}, {0, 1}, {rp_self_ref(me).node, UINT64_MAX}, {12345, 1}};
    int want[] = {-EINVAL, -EINVAL, -EINVAL, -EHOSTUNREACH};
    for (unsigned i = 0; i < 4; i++)
        check_eq(tell_num(me, nonsense[i], 1), want[i]);
    rp_ref never = {rp_self_ref(me).node, UINT64_C(0x3fffffff) << 24};
    check_eq(tell_num(me, never, 1), 0);
    return 0;
}

TEST(life, old_addresses_reach_nobody)
{
    everywhere(stale, 0);
}

/* ---- where waiting is not allowed ------------------------------------------------------------------ */

static int task_of_nobody(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

/* Every way to wait, in a place where none is allowed. */
static void cannot_wait(rp_self *me)
{
    rp_msg *m;
    rp_scope s;
    struct num b = {0, {0, 0}};
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), -EAGAIN);
    check_eq(rp_yield(me), -EAGAIN);
    check_eq(rp_recv(me, &m, RP_FOREVER), -EAGAIN);
    check_eq(rp_call(me, rp_self_ref(me), NUM, &b, &m, RP_FOREVER), -EAGAIN);
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, task_of_nobody, 0, NULL), -EAGAIN); /* closing would have to wait for it */
    check_eq(rp_scope_close(me, &s, 0), 0);
}

static int nowait_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    cannot_wait(me);
    struct num r = {((const struct num *)rp_body(m, NUM))->n + 1, {0, 0}};
    return rp_reply(me, m, NUM, &r);
}

static int nowait_init(rp_self *me, void *state, void *arg)
{
    (void)state, (void)arg;
    cannot_wait(me);
    return 0;
}

static void nowait_fini(rp_self *me, void *state, int reason)
{
    (void)state, (void)reason;
    cannot_wait(me);
    check_eq(rp_spawn(me, &(rp_actor){.name = "none", .handle = nowait_handle}, NULL, NULL), -ECANCELED);
}
static const rp_actor hasty = {.name = "hasty", .handle = nowait_handle, .init = nowait_init, .fini = nowait_fini, .flags = RP_NOWAIT};

static int hastens(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_ref r;
        rp_msg *m;
        struct num b = {41, {0, 0}};
        rp_spawn_opts o = {.on = RP_LOOP(on), .monitor = true};
        check_eq(rp_spawn(me, &hasty, &o, &r), 0);
        check_eq(rp_call(me, r, NUM, &b, &m, RP_FOREVER), 0);
        check_eq(((const struct num *)rp_body(m, NUM))->n, 42);
        rp_msg_drop(me, m);
        check_eq(rp_stop(me, r, "enough"), 0);
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
    }
    return 0;
}

TEST(life, who_may_not_wait_is_told_so)
{
    everywhere(hastens, 0);
}

/* An init that fails after it has spawned: its children end, and before its parent does. */
static int parent_init(rp_self *me, void *state, void *arg)
{
    (void)state;
    rp_actor *child = arg;
    check_eq(rp_spawn(me, child, &(rp_spawn_opts){.arg = child}, NULL), 0);
    check_eq(rp_spawn(me, child, &(rp_spawn_opts){.arg = child}, NULL), 0);
    return -EDOM;
}

static _Atomic int left;

static int child_of_stillborn(rp_self *me, void *arg)
{
    (void)arg;
    left++;
    int rc = rp_sleep(me, RP_FOREVER);
    left--;
    return rc;
}

static int no_run(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    check(false, "an actor whose init failed ran");
    return 0;
}

static int has_stillborns(rp_self *me, void *arg)
{
    (void)arg;
    static rp_actor child = {.name = "child", .run = child_of_stillborn};
    static const rp_actor handler = {.name = "handler", .handle = nowait_handle, .init = parent_init, .state_size = 8},
                          coroutine = {.name = "coroutine", .run = no_run, .init = parent_init};
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_spawn_opts o = {.on = RP_LOOP(on), .arg = &child, .name = "x", .monitor = on % 2};
        check_eq(rp_spawn(me, &handler, &o, NULL), -EDOM);
        o.name = NULL;
        check_eq(rp_spawn(me, &coroutine, &o, NULL), -EDOM);
    }
    return 0;
}

TEST(life, children_of_a_failed_init_end)
{
    everywhere(has_stillborns, 0);
    check_eq(left, 0);
    static rp_actor child = {.name = "child", .run = child_of_stillborn};
    rp_actor root = {.name = "root", .handle = nowait_handle, .init = parent_init};
    for (int i = 0; i < 2; i++)
        check_eq(rp_run(&root, &child, &(rp_system_opts){.loops = 2, .sim_seed = (uint64_t)i}), -EDOM);
    check_eq(left, 0);
}

/* ---- failing without memory ------------------------------------------------------------------------ */

static unsigned refused;

static int refuse(const char *call)
{
    (void)call;
    refused++;
    return ENOMEM;
}

/* Deep below, where there is no stack to be had for it. */
static int fails_below(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    if (!rp_body(m, NUM))
        return 0; /* RP_EXIT_NOTICE is not for this */
    rp__os_fault = refuse;
    (void)rp_fail(me, -EPROTO, "deep below");
    rp__os_fault = NULL;
    return 0;
}

static int sleeps(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER);
}

static int fail_short(rp_self *me, void *arg)
{
    static const rp_actor kinds[] = {{.name = "below", .handle = fails_below}, {.name = "below", .handle = fails_below, .flags = RP_TRAP}};
    static const rp_actor sleeper = {.name = "sleeper", .run = sleeps};
    for (int i = 0; i < *(int *)arg; i++)
        check_eq(rp_spawn(me, &sleeper, NULL, NULL), 0);
    for (int trap = 0; trap < 2; trap++) {
        rp_ref who;
        struct rp_down d;
        check_eq(rp_spawn(me, &kinds[trap], &(rp_spawn_opts){.monitor = true}, &who), 0);
        check_eq(tell_num(me, who, 1), 0);
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, -EPROTO);
    }
    return 0;
}

TEST(life, who_fails_without_memory_has_failed)
{
    for (int stacks = 1010; stacks < 1026; stacks++) /* a slab of stacks is used up at some of these */
        check_eq(run_with(fail_short, &stacks, &(rp_system_opts){.loops = 1, .sim_seed = 5}), 0);
    check(refused > 0);
}
