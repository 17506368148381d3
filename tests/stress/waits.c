/* SPDX-License-Identifier: MIT
 *
 * waits.c - the functions of tasks, actors and links that suspend. Those of queues and locks: sync_waits.c.
 */
#include "tests/stress/waits.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- those who are waited for -------------------------------------------------------------------------- */

struct helper {
    uint64_t handled, sum;
};

/* Takes its time over each message; answers who asks. */
static int help(rp_self *me, void *state, const rp_msg *m)
{
    struct helper *h = state;
    const struct num *b = rp_body(m, NUM);
    if (b && b->n == JOIN)
        return rp_group_join(me, b->ref);
    h->handled++;
    h->sum += b ? b->n : 0;
    struct num r = {h->sum, {0, 0}};
    if (b && b->n == HOW_MUCH)
        return rp_reply(me, m, NUM, &r);
    int rc = rp_sleep(me, rp_in_ms(me, SLOW_MS));
    return rc != 0 ? rc : rp_wants_reply(m) ? rp_reply(me, m, NUM, &r) : 0;
}
const rp_actor helper = {.name = "helper", .handle = help, .state_size = sizeof(struct helper)};

static int slow_init(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    return 0;
}
static const rp_actor newborn = {.name = "newborn", .handle = help, .init = slow_init, .state_size = sizeof(struct helper)};

/* ---- the cases ------------------------------------------------------------------------------------------ */

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

static int w_mover_start(rp_self *me, struct trial *t)
{
    rp_ref r;
    int rc = rp_mover_start(me, NULL, &(rp_spawn_opts){.on = RP_LOOP(rp_loop_count(me) - 1)}, &r);
    (void)t;
    return rc != 0 ? rc : rp_stop(me, r, "enough");
}

/* There and back, until it is cancelled: then it is where it was before. */
static int w_move(rp_self *me, struct trial *t)
{
    unsigned at = rp_place_of(me, t->helper);
    for (unsigned i = 0; i < 10; i++) {
        unsigned to = RP_LOOP(i % rp_loop_count(me));
        int rc = rp_move(me, t->helper, to); /* the second time round it is busy, and is waited for */
        at = rc == 0 ? to : at;
        check(rp_place_of(me, t->helper) == at, "it was to be on %x and is on %x", at, rp_place_of(me, t->helper));
        if (rc != 0 || (i % 2 == 0 && (rc = tell_num(me, t->helper, 1)) != 0))
            return rc;
        t->done += i % 2 == 0;
    }
    return 0;
}

int call_one(rp_self *me, rp_ref to, uint64_t n, uint64_t *ret)
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

/* Some are answered, some on their way, some wait for room: none of their replies is lost, whatever ends it. */
static int w_call_many(rp_self *me, struct trial *t)
{
    enum { N = 8 };
    struct num b = {1, {0, 0}};
    rp_ask asks[N];
    for (int i = 0; i < N; i++)
        asks[i] = (rp_ask){.to = t->helper, .type = NUM, .body = &b};
    int rc = rp_call_many(me, asks, N, N, RP_FOREVER);
    for (int i = 0; i < N; i++)
        check((asks[i].rc == 0) == (asks[i].reply != NULL) && (rc != 0 || asks[i].rc == 0));
    rp_asks_drop(me, asks, N);
    return rc;
}

static int w_drain(rp_self *me, struct trial *t) /* while there is work for a while */
{
    for (int i = 0; i < 3; i++) {
        int rc = tell_num(me, t->helper, 1);
        if (rc != 0)
            return rc;
    }
    return rp_drain(me, RP_FOREVER, NULL, NULL);
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

static int w_tell_bounce(rp_self *me, struct trial *t)
{
    for (int i = 0; i < 80; i++) {
        int rc = rp_tell_bounce(me, t->helper, NUM, &(struct num){1, {0, 0}}, 1);
        if (rc != 0)
            return rc;
        t->done++;
    }
    return 0;
}

static int w_dead_letters(rp_self *me, struct trial *t)
{
    (void)t;
    int rc = 0;
    for (unsigned k = 0; k < 20 && rc >= 0; k++)
        rc = rp_dead_letters(me, k % rp_loop_count(me), RP_FOREVER, NULL, 0);
    return rc;
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

/* ---- by type ------------------------------------------------------------------------------------------- */

static int w_recv_of(rp_self *me, struct trial *t)
{
    static const rp_type *const types[] = {&num_type, NULL};
    rp_msg *m;
    int rc = rp_recv_of(me, types, &m, RP_FOREVER);
    if (rc == 0) {
        t->done++;
        rp_msg_drop(me, m);
    }
    return rc;
}

/* What was told has come, and nothing else. */
static void all_come(rp_self *me, struct trial *t)
{
    uint64_t n = 0;
    check_eq(call_one(me, t->helper, HOW_MUCH, &n), 0);
    check_eq(n, t->done);
}

/* No task of a scope that was closed has gone on. */
static void none_goes_on(rp_self *me, struct trial *t)
{
    check_eq(rp_sleep(me, rp_in_ms(me, 2 * SLOW_MS)), 0);
    check_eq(t->ended, t->at_close);
}

/* ---- groups --------------------------------------------------------------------------------------------- */

static void make_group(rp_self *me, struct trial *t)
{
    rp_spawn_opts o = {.mailbox = 2};
    check_eq(rp_group_start(me, &o, &t->thing), 0);
}

static int w_group_start(rp_self *me, struct trial *t)
{
    rp_spawn_opts o = {.on = RP_LOOP(rp_loop_count(me) - 1)};
    (void)t;
    return rp_group_start(me, &o, NULL);
}

static int w_group_join(rp_self *me, struct trial *t)
{
    int rc = rp_group_join(me, t->thing);
    t->done += rc == 0;
    return rc;
}

static void has_joined(rp_self *me, struct trial *t)
{
    rp_ref member;
    int n = rp_group_members(me, t->thing, &member, 1);
    check(t->how == ACTOR ? n == 0 : n == 1 || (n == 0 && t->done == 0), "%d members", n);
    check(n == 0 || rp_ref_eq(member, rp_self_ref(me)));
}

static void make_and_join(rp_self *me, struct trial *t)
{
    make_group(me, t);
    check_eq(rp_group_join(me, t->thing), 0);
}

static int w_group_leave(rp_self *me, struct trial *t)
{
    int rc = rp_group_leave(me, t->thing);
    t->done += rc == 0;
    return rc == -ESRCH && t->how == ACTOR ? 0 : rc; /* another actor: it was none */
}

static void has_left(rp_self *me, struct trial *t)
{
    int n = rp_group_members(me, t->thing, NULL, 0);
    check(n == 0 || (n == 1 && t->done == 0), "%d members", n);
}

static int w_group_members(rp_self *me, struct trial *t)
{
    int n = rp_group_members(me, t->thing, NULL, 0);
    check(n == 1 || n == -ECANCELED, "%d", n);
    return n < 0 ? n : 0;
}

static void make_and_let_join(rp_self *me, struct trial *t)
{
    make_group(me, t);
    struct num b = {JOIN, t->thing};
    check_eq(rp_tell(me, t->helper, NUM, &b), 0);
    while (rp_group_members(me, t->thing, NULL, 0) == 0)
        check_eq(rp_sleep(me, rp_in_ms(me, SLOW_MS)), 0);
}

static int w_publish(rp_self *me, struct trial *t)
{
    struct num b = {1, {0, 0}};
    for (int i = 0; i < 80; i++) {
        int rc = rp_publish(me, t->thing, NUM, &b);
        if (rc != 0)
            return rc;
        t->done++;
    }
    return 0;
}

static void all_published(rp_self *me, struct trial *t)
{
    check_eq(rp_group_members(me, t->thing, NULL, 0), 1); /* comes behind what was published: that is on its way */
    uint64_t n = 0;
    for (int i = 0; i < 1000 && n < t->done; i++) { /* and our question may come before it: another sends that */
        check_eq(call_one(me, t->helper, HOW_MUCH, &n), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
    check_eq(n, t->done);
}

/* ---- supervisors ---------------------------------------------------------------------------------------- */

static int ward_init(rp_self *me, void *state, void *arg)
{
    struct trial *t = arg;
    (void)me;
    *(struct trial **)state = t;
    t->alive++;
    return 0;
}

static int ward_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}

static void ward_fini(rp_self *me, void *state, int reason)
{
    (void)me, (void)reason;
    (*(struct trial **)state)->alive--;
}
static const rp_actor ward = {
    .name = "ward", .handle = ward_handle, .init = ward_init, .fini = ward_fini, .state_size = sizeof(struct trial *),
};

static rp_child ward_on(struct trial *t, unsigned loop)
{
    return (rp_child){.actor = &ward, .opts = {.arg = t, .on = RP_LOOP(loop)}};
}

static int w_supervise(rp_self *me, struct trial *t)
{
    rp_child inner[] = {ward_on(t, rp_loop_count(me) - 1)};
    rp_supervisor below = {.children = inner, .nchildren = 1};
    rp_child children[] = {ward_on(t, 0), ward_on(t, rp_loop_count(me) - 1), {.supervisor = &below}};
    rp_supervisor s = {.children = children, .nchildren = 3};
    int rc = rp_supervise(me, &s, NULL, &t->child);
    check(rc != 0 || t->alive == 3, "%d children live", t->alive);
    if (rc == 0)
        check_eq(rp_stop(me, t->child, "enough"), 0);
    return rc;
}

static void no_orphans(rp_self *me, struct trial *t)
{
    check_eq(rp_sleep(me, rp_in_ms(me, 2 * SLOW_MS)), 0);
    check_eq(t->alive, 0);
}

static void make_supervisor(rp_self *me, struct trial *t)
{
    rp_child child = ward_on(t, rp_loop_count(me) - 1);
    rp_supervisor s = {.children = &child, .nchildren = 1};
    check_eq(rp_supervise(me, &s, NULL, &t->thing), 0);
    check_eq(rp_supervise_child(me, t->thing, 0, &t->child), 0);
}

static int w_supervise_child(rp_self *me, struct trial *t)
{
    rp_ref r;
    int rc = rp_supervise_child(me, t->thing, 0, &r);
    check(rc != 0 || rp_ref_eq(r, t->child));
    return rc;
}

static int w_supervise_add(rp_self *me, struct trial *t)
{
    rp_child child = ward_on(t, rp_loop_count(me) - 1);
    int rc = rp_supervise_add(me, t->thing, &child, NULL);
    check(rc != 0 || t->alive == 2);
    t->done += rc == 0;
    return rc;
}

static int w_supervise_remove(rp_self *me, struct trial *t)
{
    int rc = rp_supervise_remove(me, t->thing, t->child);
    check(rc != 0 || t->alive == 0);
    t->done += rc == 0;
    return rc;
}

/* A question that was given up may have been heard; but not by half. */
static void none_or_all(rp_self *me, struct trial *t)
{
    rp_ref r;
    check_eq(rp_sleep(me, rp_in_ms(me, 2 * SLOW_MS)), 0);
    int first = rp_supervise_child(me, t->thing, 0, &r), added = rp_supervise_child(me, t->thing, 1, &r);
    check_eq(t->alive, (first == 0) + (added == 0));
    check_eq(rp_stop(me, t->thing, "enough"), 0);
    no_orphans(me, t);
}

static int w_inspect_next(rp_self *me, struct trial *t)
{
    (void)t;
    rp_inspection *i;
    rp_actor_info a;
    check_eq(rp_inspect(me, 1000, &i), 0);
    int rc;
    while ((rc = rp_inspect_next(me, i, &a)) > 0)
        check(a.kind[0]);
    rp_inspect_end(me, i);
    return rc;
}

static int w_metrics_text(rp_self *me, struct trial *t)
{
    (void)t;
    static char text[65536];
    int n = rp_metrics_text(me, text, sizeof text);
    check(n < 0 || strstr(text, "reparto_actors{kind="));
    return n < 0 ? n : 0;
}

static int w_inspect_loop(rp_self *me, struct trial *t)
{
    (void)t;
    rp_loop_info l = {0};
    int rc = 0;
    for (unsigned k = 0; k < 20 && rc == 0; k++)
        rc = rp_inspect_loop(me, k % rp_loop_count(me), RP_FOREVER, &l);
    check(rc != 0 || l.turns > 0);
    return rc;
}

static int w_profile(rp_self *me, struct trial *t)
{
    (void)t;
    int rc = rp_profile(me, 1);
    return rc == -ENOTSUP ? 0 : rc; /* simulated */
}

static int w_backtrace(rp_self *me, struct trial *t)
{
    void *pc[8];
    for (unsigned k = 0; k < 20; k++) {
        int rc = rp_backtrace(me, k % 2 ? t->helper : rp_self_ref(me), 0, pc, 8);
        if (rc == -ECANCELED)
            return rc;
        check(rc > 0 || rc == -ENOENT || rc == -EBUSY, "%d", rc);
    }
    return 0;
}

static int w_dump(rp_self *me, struct trial *t)
{
    (void)t;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int rc = rp_dump(me, fd);
    close(fd);
    return rc;
}

const struct wait actor_waits[] = {
    {"rp_sleep", w_sleep},
    {"rp_yield", w_yield},
    {"rp_scope_close", w_scope_close, .settle = none_goes_on},
    {"rp_join", w_join},
    {"rp_offload", w_offload},
    {"rp_spawn", w_spawn},
    {"rp_move", w_move, .settle = all_come},
    {"rp_mover_start", w_mover_start},
    {"rp_call", w_call},
    {"rp_call_many", w_call_many},
    {"rp_drain", w_drain},
    {"rp_tell, mailbox", w_tell, .settle = all_come},
    {"rp_tell, ring", w_ring, .settle = all_come, .room = 1024},
    {"rp_tell_bounce", w_tell_bounce, .settle = all_come},
    {"rp_dead_letters", w_dead_letters},
    {"rp_send", w_send, .settle = all_come},
    {"rp_forward", w_forward},
    {"rp_lookup", w_lookup},
    {"rp_recv", w_recv, .by_actor = true},
    {"rp_recv_of", w_recv_of, .by_actor = true},
    {"rp_group_start", w_group_start},
    {"rp_group_join", w_group_join, .prepare = make_group, .settle = has_joined},
    {"rp_group_leave", w_group_leave, .prepare = make_and_join, .settle = has_left},
    {"rp_group_members", w_group_members, .prepare = make_and_join},
    {"rp_publish", w_publish, .prepare = make_and_let_join, .settle = all_published},
    {"rp_supervise", w_supervise, .settle = no_orphans},
    {"rp_supervise_child", w_supervise_child, .prepare = make_supervisor, .settle = none_or_all},
    {"rp_inspect_next", w_inspect_next},
    {"rp_inspect_loop", w_inspect_loop},
    {"rp_profile", w_profile},
    {"rp_metrics_text", w_metrics_text},
    {"rp_backtrace", w_backtrace},
    {"rp_dump", w_dump},
    {"rp_supervise_add", w_supervise_add, .prepare = make_supervisor, .settle = none_or_all},
    {"rp_supervise_remove", w_supervise_remove, .prepare = make_supervisor, .settle = none_or_all},
    {"rp_connect", w_connect, .far = true},
    {"rp_call, far", w_far_call, .far = true},
    {"rp_tell, far", w_far_tell, .far = true},
    {"rp_lookup, far", w_far_lookup, .far = true},
    {.name = NULL},
};
