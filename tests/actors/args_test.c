/* SPDX-License-Identifier: MIT
 *
 * Every pointer argument of every public function, NULL in turn: what include/reparto/loop.h promises of it. Each call
 * stands here with NULL at each such place; tests/structure.py looks for that.
 */
#include "tests/support.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <uv.h>

#define REFUSED(call) check_eq((call), -EINVAL)

static const rp_type empty_type = {.name = "test.empty"};
static const struct num one = {.n = 1};

/* What may as well not be said: either way is right, and none is that the argument is wrong. */
static void allowed(int rc)
{
    check(rc != -EINVAL);
}

static int nothing(rp_self *me, void *arg)
{
    (void)me;
    (void)arg;
    return 0;
}

static int off_the_loop(void *arg)
{
    return arg ? 1 : 0;
}

static void posted(void *arg)
{
    (void)arg;
}

static int waits(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER);
}

/* ---- loop.h --------------------------------------------------------------------------------------- */

static int loops(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_task *t;
    int rc, result = 7;
    rp_scope_open(me, NULL, RP_FOREVER);
    rp_scope_open_shielded(me, NULL, RP_FOREVER);
    REFUSED(rp_scope_close(me, NULL, 0));
    rp_scope_cancel(NULL, "none");
    rp_task_cancel(NULL, "none");
    rp_scope_open(me, &s, RP_FOREVER);
    REFUSED(rp_go(me, NULL, nothing, NULL, NULL));
    REFUSED(rp_go(me, &s, NULL, NULL, NULL));
    check_eq(rp_go(me, &s, nothing, NULL, NULL), 0);
    check_eq(rp_go(me, &s, nothing, NULL, &t), 0);
    REFUSED(rp_join(me, NULL, &result, RP_FOREVER));
    REFUSED(rp_task_result(NULL, &result));
    check_eq(rp_join(me, t, NULL, RP_FOREVER), 0);
    check_eq(rp_task_result(t, NULL), 0);
    check_eq(result, 7);
    check_eq(rp_go(me, &s, waits, NULL, &t), 0);
    rp_task_cancel(t, NULL);
    check_eq(rp_scope_close(me, &s, 0), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    rp_scope_cancel(&s, NULL);
    check_str(rp_why(me), "cancelled");
    rc = rp_scope_close(me, &s, 0);
    check(rc == 0 || rc == -ECANCELED);
    REFUSED(rp_offload(me, NULL, NULL, RP_FOREVER));
    check_eq(rp_offload(me, off_the_loop, NULL, RP_FOREVER), 0);
    REFUSED(rp_post(NULL, 0, posted, NULL));
    REFUSED(rp_post(rp_system_of(me), 0, NULL, NULL));
    check_eq(rp_post(rp_system_of(me), 0, posted, NULL), 0);
    return 0;
}

TEST(args, of_loops_and_scopes)
{
    everywhere(loops, 0);
}

/* ---- mailbox.h: types and messages ---------------------------------------------------------------- */

static int messages(rp_self *me, void *arg)
{
    (void)arg;
    char text[80];
    struct num n;
    struct text t;
    rp_msg *m;
    REFUSED(rp_type_check(NULL));
    REFUSED(rp_type_print(NULL, sizeof text, NUM, &one));
    REFUSED(rp_type_print(text, sizeof text, NULL, &one));
    REFUSED(rp_type_print(text, sizeof text, NUM, NULL));
    check_eq(rp_type_print(NULL, 0, NUM, &one), rp_type_print(text, sizeof text, NUM, &one));
    REFUSED(rp_type_scan(NULL, NUM, &n, NULL, 0));
    REFUSED(rp_type_scan(text, NULL, &n, NULL, 0));
    REFUSED(rp_type_scan(text, NUM, NULL, NULL, 0));
    check_eq(rp_type_scan("test.text{text=\"a\"}", TEXT, &t, NULL, 9), -ENOBUFS);
    check_eq(rp_type_scan(text, NUM, &n, NULL, 0), 0);
    check(rp_msg_new(me, NULL) == NULL);
    check(rp_msg_fill(NULL) == NULL);
    check(rp_type_of(NULL) == NULL);
    check(rp_ref_none(rp_from(me, NULL)));
    check(rp_deadline_of(NULL) == RP_FOREVER);
    check(!rp_wants_reply(NULL));
    rp_msg_drop(me, NULL);
    check((m = rp_msg_new(me, NUM)) != NULL);
    check(rp_body(NULL, NUM) == NULL && rp_body(m, NULL) == NULL);
    rp_msg_drop(me, m);
    rp_ledger_read(me, NULL);
    return 0;
}

TEST(args, of_types_and_messages)
{
    everywhere(messages, 0);
}

/* ---- actors.h -------------------------------------------------------------------------------------- */

static int answers(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    rp_msg *kept;
    rp_token k;
    if (!rp_wants_reply(m))
        return 0;
    REFUSED(rp_keep(me, NULL, &kept));
    REFUSED(rp_keep(me, m, NULL));
    REFUSED(rp_stash(me, NULL));
    REFUSED(rp_forward(me, NULL, rp_self_ref(me)));
    REFUSED(rp_reply(me, NULL, NUM, &one));
    REFUSED(rp_reply(me, m, NULL, &one));
    REFUSED(rp_reply(me, m, NUM, NULL));
    REFUSED(rp_reply(me, m, TEXT, NULL));
    REFUSED(rp_reply_error(me, NULL, -EIO));
    REFUSED(rp_reply_error(me, m, 0));
    REFUSED(rp_take_token(me, NULL, &k));
    REFUSED(rp_take_token(me, m, NULL));
    REFUSED(rp_token_from(me, NULL, &k, &k));
    REFUSED(rp_token_from(me, m, NULL, &k));
    REFUSED(rp_token_from(me, m, &k, NULL));
    const struct num *n = rp_body(m, NUM);
    if (!n || n->n == 0)
        return rp_reply(me, m, n ? NUM : &empty_type, n); /* a body of no bytes may be NULL */
    check_eq(rp_take_token(me, m, &k), 0);
    REFUSED(rp_token_detach(me, NULL));
    REFUSED(rp_token_attach(me, NULL));
    REFUSED(rp_token_reply(me, NULL, NUM, &one));
    REFUSED(rp_token_reply(me, &k, NULL, &one));
    REFUSED(rp_token_reply(me, &k, NUM, NULL));
    REFUSED(rp_token_error(me, NULL, -EIO));
    REFUSED(rp_token_error(me, &k, 0));
    rp_token_drop(me, NULL);
    return rp_token_reply(me, &k, NUM, &one);
}

static const rp_actor answerer = {.name = "answerer", .handle = answers};

static void asks(rp_self *me, rp_ref to)
{
    rp_msg *m = NULL;
    REFUSED(rp_tell(me, to, NULL, &one));
    REFUSED(rp_tell(me, to, NUM, NULL));
    REFUSED(rp_tell(me, to, TEXT, NULL));
    REFUSED(rp_try_tell(me, to, NULL, &one));
    REFUSED(rp_try_tell(me, to, NUM, NULL));
    REFUSED(rp_tell_bounce(me, to, NULL, &one, 1));
    REFUSED(rp_tell_bounce(me, to, NUM, NULL, 1));
    REFUSED(rp_send(me, to, NULL));
    REFUSED(rp_send(me, to, &m));
    REFUSED(rp_call(me, to, NULL, &one, &m, RP_FOREVER));
    REFUSED(rp_call(me, to, NUM, NULL, &m, RP_FOREVER));
    REFUSED(rp_call(me, to, NUM, &one, NULL, RP_FOREVER));
    REFUSED(rp_call(me, to, NUM, &one, NULL, 0));
    REFUSED(rp_call_many(me, NULL, 2, 0, RP_FOREVER));
    rp_asks_drop(me, NULL, 2);
    rp_ask bad[] = {{.to = to, .body = &one}, {.to = to, .type = NUM}};
    for (unsigned i = 0; i < 2; i++) {
        REFUSED(rp_call_many(me, &bad[i], 1, 0, RP_FOREVER));
        REFUSED(bad[i].rc);
    }
    check_eq(rp_tell(me, to, &empty_type, NULL), 0);
    check_eq(rp_try_tell(me, to, &empty_type, NULL), 0);
    check_eq(rp_call(me, to, &empty_type, NULL, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    for (uint64_t n = 0; n < 2; n++) {
        check_eq(rp_call(me, to, NUM, &(struct num){.n = n}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
    }
}

static int failing(rp_self *me, void *arg)
{
    (void)arg;
    return rp_fail(me, -EIO, NULL);
}

static void names(rp_self *me)
{
    rp_ref r;
    REFUSED(rp_whereis(me, NULL, &r));
    REFUSED(rp_whereis(me, "nobody", NULL));
    REFUSED(rp_watch_name(me, NULL));
    REFUSED(rp_unwatch_name(me, NULL));
}

static void timers(rp_self *me)
{
    rp_timer t;
    rp_time never = rp_in_ms(me, 1000000);
    REFUSED(rp_timer_start(me, never, NULL, &one, &t));
    REFUSED(rp_timer_start(me, never, NUM, NULL, &t));
    REFUSED(rp_timer_key(me, 1, never, NULL, &one));
    REFUSED(rp_timer_key(me, 1, never, NUM, NULL));
    REFUSED(rp_timer_every(me, never, RP_S, NULL, &one, &t));
    REFUSED(rp_timer_every(me, never, RP_S, NUM, NULL, &t));
    check_eq(rp_timer_start(me, never, NUM, &one, NULL), 0);
    check_eq(rp_timer_start(me, never, &empty_type, NULL, NULL), 0);
    check_eq(rp_timer_every(me, never, RP_S, NUM, &one, NULL), 0);
}

static int actors(rp_self *me, void *arg)
{
    (void)arg;
    static const rp_actor fails = {.name = "fails", .run = failing}, sleeper = {.name = "sleeper", .run = waits};
    rp_ref r, self = rp_self_ref(me);
    rp_msg *m;
    uint64_t n;
    struct rp_down d;
    REFUSED(rp_spawn(me, NULL, NULL, &r));
    REFUSED(rp_spawn(me, &answerer, &(rp_spawn_opts){.overflow = (rp_overflow)99}, &r));
    REFUSED(rp_spawn(me, &answerer, &(rp_spawn_opts){.on = RP_NOWHERE}, &r));
    check_eq(rp_spawn(me, &answerer, NULL, NULL), 0);
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        check_eq(rp_spawn(me, &answerer, &(rp_spawn_opts){.on = RP_LOOP(on)}, &r), 0);
        asks(me, r);
    }
    check_eq(rp_tell(me, self, NUM, &one), 0);
    REFUSED(rp_recv(me, NULL, RP_FOREVER));
    REFUSED(rp_recv_of(me, NULL, &m, RP_FOREVER));
    REFUSED(rp_recv_of(me, (const rp_type *const[]){NULL}, &m, RP_FOREVER));
    REFUSED(rp_recv_of(me, (const rp_type *const[]){NUM, NULL}, NULL, RP_FOREVER));
    check_eq(recv_num(me, &n), 0);
    REFUSED(rp_recv(me, NULL, 0)); /* none is there */
    names(me);
    timers(me);
    check_eq(rp_spawn(me, &fails, &(rp_spawn_opts){.monitor = true}, NULL), 0);
    check_eq(recv_down(me, &d), 0);
    check_str(d.why, "failed");
    check_eq(rp_spawn(me, &sleeper, &(rp_spawn_opts){.monitor = true}, &r), 0);
    check_eq(rp_stop(me, r, NULL), 0);
    check_eq(recv_down(me, &d), 0);
    return 0;
}

TEST(args, of_actors)
{
    everywhere(actors, 0);
}

/* ---- groups, supervisors, what looks inside ------------------------------------------------------- */

static int inherits(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    REFUSED(rp_bequeath(me, NULL, &one));
    REFUSED(rp_bequeath(me, NUM, NULL));
    check_eq(rp_bequeath(me, NUM, &one), 0);
    REFUSED(rp_inherit(me, NULL));
    check_eq(rp_inherit(me, &m), 0);
    rp_msg_drop(me, m);
    return waits(me, NULL);
}

static int families(rp_self *me, void *arg)
{
    (void)arg;
    static const rp_actor heir = {.name = "heir", .run = inherits};
    const rp_child child = {.actor = &heir};
    const rp_supervisor some = {.children = &child, .nchildren = 1}, wrong = {.nchildren = 1}, odd = {.strategy = (rp_strategy)9};
    rp_ref r, c;
    REFUSED(rp_group_members(me, rp_self_ref(me), NULL, 3));
    check_eq(rp_group_start(me, NULL, NULL), 0);
    check_eq(rp_group_start(me, NULL, &r), 0);
    REFUSED(rp_publish(me, r, NULL, &one));
    REFUSED(rp_publish(me, r, NUM, NULL));
    check_eq(rp_group_members(me, r, NULL, 0), 0);
    REFUSED(rp_supervise(me, NULL, NULL, &r));
    REFUSED(rp_supervise(me, &wrong, NULL, &r));
    REFUSED(rp_supervise(me, &odd, NULL, &r));
    check_eq(rp_supervise(me, &some, NULL, NULL), 0);
    check_eq(rp_supervise(me, &some, NULL, &r), 0);
    REFUSED(rp_supervise_child(me, r, 0, NULL));
    check_eq(rp_supervise_child(me, r, 0, &c), 0);
    REFUSED(rp_supervise_add(me, r, NULL, &c));
    REFUSED(rp_supervise_add(me, r, &(rp_child){0}, &c));
    check_eq(rp_supervise_add(me, r, &child, NULL), 0);
    REFUSED(rp_mover_start(me, NULL, &(rp_spawn_opts){.overflow = (rp_overflow)99}, NULL));
    check_eq(rp_mover_start(me, NULL, NULL, NULL), 0);
    return 0;
}

TEST(args, of_groups_and_supervisors)
{
    everywhere(families, 0);
}

static int looks(rp_self *me, void *arg)
{
    (void)arg;
    rp_inspection *i;
    rp_actor_info info;
    rp_times w;
    rp_undone left;
    unsigned n;
    REFUSED(rp_inspect(me, 1000, NULL));
    check_eq(rp_inspect(me, 1000, &i), 0);
    REFUSED(rp_inspect_next(me, NULL, &info));
    REFUSED(rp_inspect_next(me, i, NULL));
    check_eq(rp_inspect_next(me, i, &info), 1);
    rp_inspect_end(me, i);
    rp_inspect_end(me, NULL);
    REFUSED(rp_inspect_loop(me, 0, RP_FOREVER, NULL));
    REFUSED(rp_backtrace(me, rp_self_ref(me), 0, NULL, 4));
    REFUSED(rp_dead_letters(me, 0, RP_FOREVER, NULL, 4));
    REFUSED(rp_metrics_read(me, 0, NULL));
    REFUSED(rp_times_read(me, NULL, &w, &w));
    allowed(rp_times_read(me, NUM, NULL, &w));
    allowed(rp_times_read(me, NUM, &w, NULL));
    REFUSED(rp_metrics_text(me, NULL, 100));
    check(rp_metrics_text(me, NULL, 0) > 0);
    REFUSED(rp_drain(me, RP_FOREVER, &left, NULL));
    check(!rp_draining(me));
    check_eq(rp_drain(me, RP_FOREVER, NULL, &n), 0);
    check_eq(rp_drain(me, RP_FOREVER, NULL, NULL), 0);
    return 0;
}

TEST(args, of_what_looks_inside)
{
    everywhere(looks, 0);
}

/* ---- queue.h, sync.h ------------------------------------------------------------------------------- */

static int queues(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q;
    rp_lease lease = {0};
    rp_queue_stats stats;
    uint64_t n = 5;
    REFUSED(rp_queue_new(sizeof n, 4, NULL, NULL));
    REFUSED(rp_queue_new(sizeof n, 4, &(rp_queue_opts){.order = (rp_order)9}, &q));
    check_eq(rp_queue_new(sizeof n, 4, NULL, &q), 0);
    REFUSED(rp_queue_put(me, NULL, &n, RP_FOREVER));
    REFUSED(rp_queue_put(me, q, NULL, RP_FOREVER));
    REFUSED(rp_queue_try_put(NULL, &n));
    REFUSED(rp_queue_try_put(q, NULL));
    check_eq(rp_queue_put(me, q, &n, RP_FOREVER), 0);
    REFUSED(rp_queue_get(me, NULL, &n, RP_FOREVER));
    REFUSED(rp_queue_get(me, q, NULL, RP_FOREVER));
    REFUSED(rp_queue_try_get(NULL, &n));
    REFUSED(rp_queue_try_get(q, NULL));
    REFUSED(rp_queue_take(me, NULL, &n, &lease, RP_FOREVER));
    REFUSED(rp_queue_take(me, q, NULL, &lease, RP_FOREVER));
    REFUSED(rp_queue_take(me, q, &n, NULL, RP_FOREVER));
    check_eq(rp_queue_take(me, q, &n, &lease, RP_FOREVER), 0);
    REFUSED(rp_lease_done(me, NULL));
    REFUSED(rp_lease_return(me, NULL));
    check_eq(rp_lease_tries(NULL), 0);
    check_eq(rp_lease_done(me, &lease), 0);
    REFUSED(rp_queue_join(me, NULL, RP_FOREVER));
    REFUSED(rp_queue_fd(NULL));
    rp_queue_read(NULL, &stats);
    rp_queue_read(q, NULL);
    rp_queue_close_put(NULL);
    rp_queue_close_get(NULL);
    rp_queue_free(NULL);
    rp_queue_free(q);
    return 0;
}

static int syncs(rp_self *me, void *arg)
{
    (void)arg;
    rp_lock k = {0};
    rp_cond c = {0};
    rp_once o = {0};
    REFUSED(rp_lock_acquire(me, NULL, RP_FOREVER));
    REFUSED(rp_lock_try(me, NULL));
    REFUSED(rp_lock_release(me, NULL));
    REFUSED(rp_rwlock_read(me, NULL, RP_FOREVER));
    REFUSED(rp_rwlock_write(me, NULL, RP_FOREVER));
    REFUSED(rp_rwlock_release(me, NULL));
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), 0);
    REFUSED(rp_cond_wait(me, NULL, &k, RP_FOREVER));
    REFUSED(rp_cond_wait(me, &c, NULL, RP_FOREVER));
    check_eq(rp_lock_release(me, &k), 0);
    rp_cond_signal(NULL);
    rp_cond_broadcast(NULL);
    REFUSED(rp_event_wait(me, NULL, RP_FOREVER));
    rp_event_set(NULL);
    rp_event_clear(NULL);
    check(!rp_event_is_set(NULL));
    REFUSED(rp_sem_init(NULL, 1, 0));
    REFUSED(rp_sem_acquire(me, NULL, 1, RP_FOREVER));
    REFUSED(rp_sem_try(NULL, 1));
    REFUSED(rp_sem_release(NULL, 1));
    REFUSED(rp_limiter_init(NULL, 1, RP_S, 1));
    REFUSED(rp_limiter_acquire(me, NULL, 1, RP_FOREVER));
    REFUSED(rp_limiter_try(me, NULL, 1));
    REFUSED(rp_barrier_init(NULL, 2));
    REFUSED(rp_barrier_wait(me, NULL, RP_FOREVER));
    REFUSED(rp_once_run(me, NULL, nothing, NULL, RP_FOREVER));
    REFUSED(rp_once_run(me, &o, NULL, NULL, RP_FOREVER));
    check_eq(rp_once_run(me, &o, nothing, NULL, RP_FOREVER), 0);
    return 0;
}

TEST(args, of_queues)
{
    everywhere(queues, 0);
}

TEST(args, of_locks_and_their_kin)
{
    everywhere(syncs, 0);
}

/* ---- cluster.h ------------------------------------------------------------------------------------- */

static int nodes(rp_self *me, void *arg)
{
    (void)arg;
    rp_node n, here = rp_this_node(me);
    rp_ref r;
    REFUSED(rp_connect(me, NULL, &n, 0));
    REFUSED(rp_connect(me, "tcp://127.0.0.1:1", NULL, 0));
    REFUSED(rp_lookup(me, here, NULL, &r, 0));
    REFUSED(rp_lookup(me, here, "nobody", NULL, 0));
    REFUSED(rp_listen_url(me, NULL, 100));
    REFUSED(rp_node_name(me, here, NULL, 100));
    return 0;
}

TEST(args, of_nodes)
{
    everywhere(nodes, 0);
}

/* ---- systems: rp_run, embed.h, sim.h --------------------------------------------------------------- */

static const rp_actor root = {.name = "root", .run = nothing};
static const rp_system_opts quiet = {.on_report = unreported};

TEST(args, of_systems)
{
    REFUSED(rp_run(NULL, NULL, &quiet));
    check_eq(rp_run(&root, NULL, NULL), 0);
    rp_quit(NULL, "none");
}

TEST(args, of_hosts)
{
    static const rp_actor sleeper = {.name = "sleeper", .run = waits};
    uv_loop_t uv;
    rp_system *sys;
    check_eq(uv_loop_init(&uv), 0);
    REFUSED(rp_attach(NULL, &root, NULL, &quiet, NULL, NULL, &sys));
    REFUSED(rp_attach(&uv, NULL, NULL, &quiet, NULL, NULL, &sys));
    REFUSED(rp_attach(&uv, &root, NULL, &quiet, NULL, NULL, NULL));
    check_eq(rp_attach(&uv, &root, NULL, NULL, NULL, NULL, &sys), 0);
    rp_hold_host(NULL, true);
    check_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    check_eq(uv_loop_close(&uv), 0);
    REFUSED(rp_system_open(NULL, NULL, &quiet, &sys));
    REFUSED(rp_system_open(&root, NULL, &quiet, NULL));
    REFUSED(rp_system_tick(NULL, 0));
    REFUSED(rp_poll_fd(NULL));
    REFUSED(rp_poll_ms(NULL));
    REFUSED(rp_system_close(NULL));
    check_eq(rp_system_open(&sleeper, NULL, NULL, &sys), 0);
    rp_quit(sys, NULL);
    check_eq(rp_system_close(sys), -ECANCELED);
}

TEST(args, of_simulations)
{
    unsigned node;
    rp_sim *s = rp_sim_new(1);
    REFUSED(rp_sim_add(NULL, &root, NULL, NULL, &node));
    REFUSED(rp_sim_add(s, NULL, NULL, &quiet, &node));
    REFUSED(rp_sim_add(s, &root, NULL, NULL, NULL));
    check_eq(rp_sim_add(s, &root, NULL, NULL, &node), 0);
    REFUSED(rp_sim_run(NULL, RP_S));
    REFUSED(rp_sim_result(NULL, node));
    rp_sim_crash(NULL, node);
    rp_sim_pause(NULL, node, RP_S);
    rp_sim_partition(NULL, 0, 1, true);
    rp_sim_cut(NULL, 0, 1);
    rp_sim_latency(NULL, 0, 1);
    check_eq(rp_sim_now(NULL), 0);
    check_eq(rp_sim_random(NULL), 0);
    check_eq(rp_sim_hash(NULL), 0);
    rp_sim_free(NULL);
    check_eq(rp_sim_run(s, RP_S), 0);
    check_eq(rp_sim_result(s, node), 0);
    rp_sim_free(s);
}
