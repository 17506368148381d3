/* SPDX-License-Identifier: MIT
 *
 * The right to reply is linear: whatever becomes of who holds it, or of the message it is in, the asker hears once.
 * No ask here has a deadline: a token that is lost is a test that does not end.
 */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

struct job {
    uint64_t what;
    rp_ref to;
    rp_token token;
    rp_token second;
};
static const rp_field job_fields[] = {
    RP_FIELD(struct job, what, RP_U64),
    RP_FIELD(struct job, to, RP_REF),
    RP_FIELD(struct job, token, RP_TOKEN),
    RP_FIELD(struct job, second, RP_TOKEN),
};
static const rp_type job_type = RP_TYPE("token.job", struct job, job_fields);
#define JOB (&job_type)

/* What a clerk does with a call: keeps the right and says nothing, or ... */
enum { HOLD, FAIL, QUIT, PASS, PASS_AND_END, TIMER, TIMER_STOPPED, TWICE, BOTH, UNSENT, LEAVE, BEQUEATH, BY_REPLY };

struct clerk {
    rp_token token, other;
    unsigned n;
};

static int with_it(rp_self *me, struct clerk *s, const struct job *b)
{
    struct job on = {.what = b->what, .token = s->token};
    rp_timer t;
    int rc;
    switch (b->what) {
    case PASS:
    case PASS_AND_END:
        check_eq(rp_tell(me, b->to, JOB, &on), 0);
        check_eq(rp_token_reply(me, &s->token, JOB, &on), -EALREADY);
        check_eq(rp_token_error(me, &s->token, -EIO), -EALREADY);
        check_eq(rp_token_detach(me, &s->token), -EALREADY);
        check_eq(rp_tell(me, b->to, JOB, &on), -EINVAL);
        rp_token_drop(me, &s->token);
        return b->what == PASS ? 0 : RP_STOP;
    case TIMER:
    case TIMER_STOPPED:
        on.what = LEAVE;
        check_eq(rp_timer_every(me, rp_in_ms(me, 1), RP_MS, JOB, &on, &t), -EINVAL);
        check_eq(rp_publish(me, b->to, JOB, &on), -EINVAL);
        check_eq(rp_timer_key(me, 1, rp_in_ms(me, b->what == TIMER ? 1 : 1000), JOB, &on), 0);
        check_eq(rp_token_reply(me, &s->token, JOB, &on), -EALREADY);
        return b->what == TIMER ? 0 : rp_timer_key_stop(me, 1);
    case TWICE: /* the same one in two fields */
        on.second = on.token;
        check_eq(rp_tell(me, b->to, JOB, &on), -EINVAL);
        on.second.call = 0;
        check_eq(rp_token_reply(me, &s->token, JOB, &on), -EINVAL); /* by itself */
        return rp_token_reply(me, &s->token, JOB, b);
    case UNSENT: { /* written into a message that is not sent, it is the actor's all the same */
        rp_msg *m = rp_msg_new(me, JOB);
        check(m != NULL);
        ((struct job *)rp_msg_fill(m))->token = s->token;
        rp_msg_drop(me, m);
        return rp_token_reply(me, &s->token, JOB, b);
    }
    case BEQUEATH:
        check_eq(rp_bequeath(me, JOB, &on), 0);
        check_eq(rp_token_reply(me, &s->token, JOB, &on), -EALREADY);
        return -EIO;
    default:
        rc = b->what == FAIL ? -EIO : b->what == QUIT ? RP_STOP : 0;
        return rc;
    }
}

static int clerk_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct clerk *s = state;
    const struct job *b = rp_body(m, JOB);
    if (rp_wants_reply(m)) {
        if (b->what == BY_REPLY) /* the first asker's right goes to the second, with the reply */
            if (s->n++ == 1)
                return rp_reply(me, m, JOB, &(struct job){.token = s->token});
        check_eq(rp_take_token(me, m, &s->token), 0);
        return with_it(me, s, b);
    }
    if (b->what == LEAVE)
        return 0;
    if (b->what == PASS_AND_END) { /* copied out of the message it is still that one's */
        rp_token copy = b->token;
        check_eq(rp_token_reply(me, &copy, JOB, b), -EALREADY);
        check_eq(rp_token_from(me, m, &copy, &copy), -EINVAL);
        check_eq(rp_token_from(me, m, &b->second, &copy), -EALREADY);
        return 0;
    }
    check_eq(rp_token_from(me, m, &b->token, &s->token), 0);
    check_eq(b->token.call, 0);
    check_eq(rp_token_from(me, m, &b->token, &s->other), -EALREADY);
    return rp_token_reply(me, &s->token, JOB, b);
}
static const rp_actor clerk = {.name = "clerk", .handle = clerk_handle, .state_size = sizeof(struct clerk)};

static rp_ref a_clerk(rp_self *me, const rp_actor *kind, unsigned loop)
{
    rp_ref r = {0, 0};
    check_eq(rp_spawn(me, kind, &(rp_spawn_opts){.on = RP_LOOP(loop % rp_loop_count(me)), .monitor = true}, &r), 0);
    return r;
}

static void ask(rp_self *me, rp_ref who, uint64_t what, rp_ref to, int rc, const char *blame)
{
    rp_msg *m = NULL;
    int got = rp_call(me, who, JOB, &(struct job){.what = what, .to = to}, &m, RP_FOREVER);
    check(got == rc, "%d: %d, not %d", (int)what, got, rc);
    check(rc == 0 || strcmp(rp_blame(me), blame) == 0, "%d: \"%s\"", (int)what, rp_blame(me));
    rp_msg_drop(me, m);
}

static int holders(rp_self *me, void *arg)
{
    rp_ref first = a_clerk(me, &clerk, 0), second = a_clerk(me, &clerk, 1), third = a_clerk(me, &clerk, 2);
    (void)arg;
    ask(me, first, FAIL, second, -EPIPE, "clerk");
    ask(me, second, QUIT, first, -EPIPE, "clerk");
    rp_ref gone = first;
    first = a_clerk(me, &clerk, 1);
    ask(me, first, PASS, third, 0, "");
    ask(me, first, PASS, gone, -EPIPE, ""); /* nobody knows what that was */
    ask(me, first, TIMER, third, -EPIPE, "clerk");
    ask(me, first, TIMER_STOPPED, third, -EPIPE, "clerk");
    ask(me, first, TWICE, third, 0, "");
    ask(me, first, UNSENT, third, 0, "");
    ask(me, first, PASS_AND_END, third, -EPIPE, "clerk");
    struct rp_down d;
    for (unsigned i = 0; i < 3; i++)
        check_eq(recv_down(me, &d), 0);
    check_eq(rp_stop(me, third, "enough"), 0);
    return recv_down(me, &d);
}

TEST(token, who_ends_with_it_breaks_it)
{
    everywhere(holders, 0);
}

/* ---- where it dies unread ------------------------------------------------------------------------- */

static int jammed_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    (void)m;
    return rp_sleep(me, rp_in_ms(me, 5));
}
static const rp_actor jammed = {.name = "jammed", .handle = jammed_handle};

static int unread(rp_self *me, void *arg)
{
    static const rp_overflow policy[] = {RP_DROP_NEW, RP_DROP_OLD, RP_CONFLATE};
    rp_ref from = a_clerk(me, &clerk, 0), to;
    struct rp_down d;
    (void)arg;
    for (unsigned i = 0; i < 3; i++) {
        rp_spawn_opts o = {.on = RP_LOOP(i % rp_loop_count(me)), .mailbox = 1, .overflow = policy[i], .monitor = true};
        check_eq(rp_spawn(me, &jammed, &o, &to), 0);
        for (unsigned k = 0; k < 4; k++) { /* one in work, one waits; the rest meets a full mailbox. Each is forgotten at last */
            rp_ask q = {.to = from, .type = JOB, .body = &(struct job){.what = PASS, .to = to}};
            check_eq(rp_call_many(me, &q, 1, 1, RP_FOREVER), -EPIPE);
            check_str(q.blame, "jammed");
        }
        check_eq(rp_stop(me, to, "done"), 0);
        check_eq(recv_down(me, &d), 0);
    }
    return 0;
}

TEST(token, a_message_unread_breaks_it)
{
    everywhere(unread, 0);
}

/* ---- two at once, and by a reply ------------------------------------------------------------------ */

struct asking {
    rp_ref who;
    uint64_t what;
};

static int asker_run(rp_self *me, void *arg)
{
    const struct asking *a = arg;
    rp_msg *m = NULL;
    int rc = rp_call(me, a->who, JOB, &(struct job){.what = a->what}, &m, RP_FOREVER);
    if (rc == 0) { /* another's right came with the answer: he is told */
        const struct job *b = rp_body(m, JOB);
        rp_token k;
        if (b->token.call != 0) {
            check_eq(rp_token_from(me, m, &b->token, &k), 0);
            check_eq(rp_token_reply(me, &k, JOB, &(struct job){.what = 7}), 0);
        } else {
            check_eq(b->what, 7);
        }
    }
    rp_msg_drop(me, m);
    return rc;
}
static const rp_actor asker = {.name = "asker", .run = asker_run};

static int by_reply(rp_self *me, void *arg)
{
    struct asking a = {a_clerk(me, &clerk, 0), BY_REPLY};
    struct rp_down d;
    (void)arg;
    for (unsigned i = 0; i < 2; i++) {
        check_eq(rp_spawn(me, &asker, &(rp_spawn_opts){.arg = &a, .on = RP_LOOP(i % rp_loop_count(me)), .monitor = true}, NULL), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    check_eq(rp_stop(me, a.who, "done"), 0);
    return recv_down(me, &d);
}

TEST(token, goes_over_with_a_reply)
{
    everywhere(by_reply, 0);
}

/* ---- incarnations --------------------------------------------------------------------------------- */

static int heir_init(rp_self *me, void *state, void *arg)
{
    struct clerk *s = state;
    rp_msg *m;
    (void)arg;
    if (rp_inherit(me, &m) != 0)
        return 0;
    const struct job *b = rp_body(m, JOB);
    check_eq(rp_token_from(me, m, &b->token, &s->token), 0);
    rp_msg_drop(me, m);
    check_eq(rp_token_reply(me, &s->token, JOB, &(struct job){.what = 9}), 0);
    return 0;
}
static const rp_actor heir = {
    .name = "heir", .init = heir_init, .handle = clerk_handle, .state_size = sizeof(struct clerk)};

static int handed_over(rp_self *me, void *arg)
{
    rp_child child = {.actor = &heir, .opts = {.on = RP_LOOP(1 % rp_loop_count(me))}};
    rp_supervisor s = {.children = &child, .nchildren = 1, .restarts = 100, .within_ms = 1000};
    rp_ref sup, who;
    (void)arg;
    check_eq(rp_supervise(me, &s, NULL, &sup), 0);
    check_eq(rp_supervise_child(me, sup, 0, &who), 0);
    ask(me, who, BEQUEATH, who, 0, "");   /* the next incarnation answers */
    ask(me, who, FAIL, who, -EPIPE, "heir"); /* this one is not asked */
    ask(me, who, BEQUEATH, who, 0, "");
    return 0;
}

TEST(token, an_incarnation_breaks_what_it_did_not_hand_over)
{
    everywhere(handed_over, 0);
}

/* ---- by ways nobody sees -------------------------------------------------------------------------- */

static int putter_handle(rp_self *me, void *state, const rp_msg *m)
{
    rp_queue **q = state;
    rp_token k, copy;
    check_eq(rp_take_token(me, m, &k), 0);
    copy = k;
    check_eq(rp_token_attach(me, &k), -EALREADY);
    check_eq(rp_token_detach(me, &k), 0);
    check_eq(rp_token_reply(me, &copy, JOB, &(struct job){0}), -EALREADY);
    return rp_queue_put(me, *q, &k, RP_FOREVER);
}

static int putter_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(rp_queue **)state = arg;
    return 0;
}
static const rp_actor putter = {
    .name = "putter", .init = putter_init, .handle = putter_handle, .state_size = sizeof(rp_queue *)};

static int getter_run(rp_self *me, void *arg)
{
    rp_token k;
    for (unsigned i = 0; i < 2; i++) {
        check_eq(rp_queue_get(me, arg, &k, RP_FOREVER), 0);
        check_eq(rp_token_attach(me, &k), 0);
        if (i == 0)
            check_eq(rp_token_reply(me, &k, JOB, &(struct job){.what = 7}), 0);
    }
    return 0; /* with the second */
}
static const rp_actor getter = {.name = "getter", .run = getter_run};

static int by_queue(rp_self *me, void *arg)
{
    rp_queue *q;
    rp_ref from;
    (void)arg;
    check_eq(rp_queue_new(sizeof(rp_token), 4, NULL, &q), 0);
    check_eq(rp_spawn(me, &putter, &(rp_spawn_opts){.arg = q, .monitor = true}, &from), 0);
    check_eq(rp_spawn(me, &getter, &(rp_spawn_opts){.arg = q, .on = RP_LOOP(1 % rp_loop_count(me)), .monitor = true}, NULL), 0);
    ask(me, from, HOLD, from, 0, "");
    ask(me, from, HOLD, from, -EPIPE, "getter");
    check_eq(rp_stop(me, from, "done"), 0);
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    check_eq(recv_down(me, &d), 0);
    rp_queue_free(q);
    return 0;
}

TEST(token, by_a_queue)
{
    everywhere(by_queue, 0);
}

/* ---- and it moves with its holder ----------------------------------------------------------------- */

static int moves(rp_self *me, void *arg)
{
    struct asking a = {a_clerk(me, &clerk, 0), HOLD};
    struct rp_down d;
    (void)arg;
    check_eq(rp_spawn(me, &asker, &(rp_spawn_opts){.arg = &a, .monitor = true}, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    for (unsigned i = 1; i < 5; i++)
        check_eq(rp_move(me, a.who, RP_LOOP(i % rp_loop_count(me))), 0);
    check_eq(rp_stop(me, a.who, "done"), 0);
    int reasons = 0;
    for (unsigned i = 0; i < 2; i++) {
        check_eq(recv_down(me, &d), 0);
        reasons += d.reason == -EPIPE;
    }
    check_eq(reasons, 1);
    return 0;
}

TEST(token, moves_with_its_holder)
{
    everywhere(moves, 0);
}
