/* SPDX-License-Identifier: MIT
 *
 * The right to reply goes to another process and back, and nowhere is it lost. No ask has a deadline.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>
#include <string.h>

struct job {
    uint64_t what;
    rp_ref to;
    rp_token token;
};
static const rp_field job_fields[] = {
    RP_FIELD(struct job, what, RP_U64), RP_FIELD(struct job, to, RP_REF), RP_FIELD(struct job, token, RP_TOKEN)};
static const rp_type job_type = RP_TYPE("token.job", struct job, job_fields);
static const rp_type odd_type = RP_TYPE("token.odd", struct job, job_fields); /* the server does not know it */

struct tail { /* a field more than the server knows */
    uint64_t n;
    rp_token token;
};
static const rp_field tail_fields[] = {RP_FIELD(struct tail, n, RP_U64), RP_FIELD(struct tail, token, RP_TOKEN)};
static const rp_type tail_type = RP_TYPE("token.tail", struct tail, tail_fields);
static const rp_type short_type = {"token.tail", sizeof(uint64_t), tail_fields, 1, NULL, RP_DEFAULT, 0, 0};

static const rp_type *const near_types[] = {&job_type, &odd_type, &tail_type, NULL};
static const rp_type *const far_types[] = {&job_type, &short_type, NULL};
#define JOB (&job_type)

/* What is done with a token; and what the near one sends it on as. */
enum { REPLY, FORGET, KEEP, END, BACK, NOBODY, ODD, TAIL, DOUBLE };

struct clerk {
    rp_token kept;
};

static int far_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct clerk *s = state;
    const struct job *b = rp_body(m, JOB);
    if (!b || b->what == FORGET)
        return 0;
    if (rp_wants_reply(m))
        check_eq(rp_take_token(me, m, &s->kept), 0);
    else
        check_eq(rp_token_from(me, m, &b->token, &s->kept), 0);
    if (b->what == KEEP)
        return 0;
    if (b->what == DOUBLE) { /* nobody looks after it, and it is used twice: the second finds nobody */
        check_eq(rp_token_detach(me, &s->kept), 0);
        rp_token copy = s->kept;
        check_eq(rp_token_reply(me, &copy, JOB, &(struct job){.what = 42}), 0);
    }
    if (b->what == BACK) /* the near one replies: it may be the asker's neighbour */
        return rp_tell(me, b->to, JOB, &(struct job){.what = REPLY, .token = s->kept});
    return b->what == END ? RP_STOP : rp_token_reply(me, &s->kept, JOB, &(struct job){.what = 42});
}
static const rp_actor far_clerk = {.name = "far", .handle = far_handle, .state_size = sizeof(struct clerk)};

static int near_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct clerk *s = state;
    const struct job *b = rp_body(m, JOB);
    rp_ref to = b->to;
    if (!rp_wants_reply(m))
        return far_handle(me, state, m);
    check_eq(rp_take_token(me, m, &s->kept), 0);
    struct job on = {.what = b->what, .to = rp_self_ref(me), .token = s->kept};
    int rc = b->what == TAIL ? rp_tell(me, to, &tail_type, &(struct tail){1, s->kept})
                             : rp_tell(me, to, b->what == ODD ? &odd_type : JOB, &on);
    check_eq(rc, 0);
    check_eq(rp_token_reply(me, &s->kept, JOB, &on), -EALREADY);
    return 0;
}
static const rp_actor near_clerk = {.name = "near", .handle = near_handle, .state_size = sizeof(struct clerk)};

static int serve(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0;; i++) { /* whoever ends is followed by another */
        rp_ref r;
        struct rp_down d;
        rp_spawn_opts o = {.name = "far", .on = RP_LOOP(i % rp_loop_count(me)), .monitor = true};
        check_eq(rp_spawn(me, &far_clerk, &o, &r), 0);
        int rc = recv_down(me, &d);
        if (rc != 0)
            return rc;
    }
}

static void ask(rp_self *me, rp_ref who, uint64_t what, rp_ref to, int rc)
{
    rp_msg *m = NULL;
    int got = rp_call(me, who, JOB, &(struct job){.what = what, .to = to}, &m, RP_FOREVER);
    check(got == rc, "%d: %d, not %d", (int)what, got, rc);
    if (got == 0)
        check_eq(((const struct job *)rp_body(m, JOB))->what, 42);
    rp_msg_drop(me, m);
}

static int try_all(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref far, near;
    (void)arg;
    check_eq(rp_connect(me, "sim://far", &node, RP_FOREVER), 0);
    check_eq(rp_lookup(me, node, "far", &far, RP_FOREVER), 0);
    check_eq(rp_spawn(me, &near_clerk, &(rp_spawn_opts){.on = RP_LOOP(1 % rp_loop_count(me))}, &near), 0);
    ask(me, near, REPLY, far, 0);
    ask(me, near, BACK, far, 0);
    ask(me, near, FORGET, far, -EPIPE);
    ask(me, near, ODD, far, -EPIPE);
    ask(me, near, TAIL, far, -EPIPE);
    ask(me, far, BACK, near, 0);
    ask(me, far, DOUBLE, near, 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 50)), 0); /* it has come, and the link stands */
    ask(me, near, END, far, -EPIPE);
    ask(me, near, NOBODY, far, -EPIPE); /* that one has ended */
    check_eq(rp_lookup(me, node, "far", &far, RP_FOREVER), 0);
    ask(me, far, END, near, -EPIPE);
    return 0;
}

TEST(cluster, tokens_cross_and_are_not_lost)
{
    for (unsigned i = 0; i < 20; i++) {
        uint64_t seed = test_seed() + i;
        rp_ledger l;
        rp_actor server = {.name = "server", .run = serve}, client = {.name = "client", .run = try_all};
        rp_system_opts os = {.loops = 1 + i % 2, .listen = "sim://far", .types = far_types},
                       oc = {.loops = 1 + i / 2 % 2, .types = near_types, .ledger = &l};
        unsigned s, c;
        rp_sim *sim = rp_sim_new(seed);
        check_eq(rp_sim_add(sim, &server, NULL, &os, &s), 0);
        check_eq(rp_sim_add(sim, &client, NULL, &oc, &c), 0);
        check_eq(rp_sim_run(sim, 100 * RP_S), -EDEADLK); /* only the server is left, and waits */
        check_eq(rp_sim_result(sim, c), 0);
        rp_sim_free(sim);
        check_eq(l.late, 1);
        check_eq(l.sent + l.arrived, l.handled + l.left + l.dead + l.dropped + l.late + l.expired);
    }
}

/* ---- a link that was lost ------------------------------------------------------------------------- */

/* Answers the one before, whose link is gone, and then this one. */
static int late_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct clerk *s = state;
    rp_token k;
    check_eq(rp_take_token(me, m, &k), 0);
    if (s->kept.call != 0) {
        check_eq(rp_token_reply(me, &s->kept, JOB, &(struct job){.what = 41}), 0); /* it is late, as in one process */
        return rp_token_reply(me, &k, JOB, &(struct job){.what = 42});
    }
    s->kept = k;
    return 0;
}
static const rp_actor late_clerk = {.name = "late", .handle = late_handle, .state_size = sizeof(struct clerk)};

static int serve_late(rp_self *me, void *arg)
{
    rp_ref r;
    (void)arg;
    check_eq(rp_spawn(me, &late_clerk, &(rp_spawn_opts){.name = "late", .on = RP_LOOP(rp_loop_count(me) - 1)}, &r), 0);
    return rp_sleep(me, RP_FOREVER);
}

static int ask_twice(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref late;
    (void)arg;
    for (int again = 0; again < 2; again++) {
        check_eq(rp_connect(me, "sim://far", &node, RP_FOREVER), 0);
        check_eq(rp_lookup(me, node, "late", &late, RP_FOREVER), 0);
        ask(me, late, REPLY, late, again ? 0 : -EHOSTUNREACH);
    }
    return 0;
}

TEST(cluster, a_token_does_not_outlive_its_link)
{
    for (unsigned i = 0; i < seeds(10); i++) {
        rp_actor server = {.name = "server", .run = serve_late}, client = {.name = "client", .run = ask_twice};
        rp_system_opts os = {.loops = 1 + i % 2, .listen = "sim://far", .types = far_types},
                       oc = {.loops = 1, .types = near_types};
        unsigned s, c;
        rp_sim *sim = rp_sim_new(test_seed() + i);
        check_eq(rp_sim_add(sim, &server, NULL, &os, &s), 0);
        check_eq(rp_sim_add(sim, &client, NULL, &oc, &c), 0);
        check_eq(rp_sim_run(sim, RP_S), -ETIMEDOUT);
        rp_sim_cut(sim, s, c);
        (void)!rp_sim_run(sim, 100 * RP_S);
        check_eq(rp_sim_result(sim, c), 0);
        rp_sim_free(sim);
    }
}
