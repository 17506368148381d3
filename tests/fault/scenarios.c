/* SPDX-License-Identifier: MIT */
#include "tests/fault/fault.h"

#include "actors/life/life.h"
#include "actors/table/actor.h"
#include "loop/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int fault_patience_ms = 3000; /* nobody waits longer: what was dropped for want of memory does not come */

#define TRY(x) \
    do { \
        int rc_ = (x); \
        if (rc_ < 0) \
            return rc_; \
    } while (0)

static rp_time patience(rp_self *me)
{
    return rp_in_ms(me, fault_patience_ms);
}

/* ---- actors to play with --------------------------------------------------------------------------- */

/* Does with a number what the number says, and answers whoever wants an answer. */
enum { ANSWER, ERROR, SILENT, TAKE, KEEP, PASS, REST, NEXT, QUIT, FAIL, SPAWN, TASKS, TIMER, LASTS };

struct player {
    rp_token token;
    rp_msg *kept;
    rp_ref child;
    uint64_t seen;
};

static int nothing(rp_self *me, void *arg)
{
    (void)arg;
    return rp_yield(me);
}

static int play_tasks(rp_self *me)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, nothing, 0, NULL);
    if (rc == 0)
        rc = rp_go(me, &s, nothing, 0, NULL);
    return rp_scope_close(me, &s, rc);
}

static int play_next(rp_self *me)
{
    rp_msg *m;
    TRY(rp_recv(me, &m, patience(me)));
    rp_msg_drop(me, m);
    return 0;
}

static int play(rp_self *me, void *state, const rp_msg *m);

static void tell_player(const void *state, char *to, size_t size)
{
    snprintf(to, size, "%llu seen", (unsigned long long)((const struct player *)state)->seen);
}
static const rp_actor idle_player = {
    .name = "child", .handle = play, .info = tell_player, .state_size = sizeof(struct player),
};

static int play(rp_self *me, void *state, const rp_msg *m)
{
    struct player *p = state;
    const struct num *b = rp_body(m, NUM);
    p->seen++;
    if (!b)
        return rp_wants_reply(m) ? rp_reply_error(me, m, -ENOMSG) : 0;
    struct num r = {b->n + 1, rp_self_ref(me)};
    int rc = 0;
    switch (b->n) {
    case ERROR:
        return rp_reply_error(me, m, -EDOM);
    case SILENT:
        return 0;
    case TAKE:
        if (p->token.call)
            rp_token_drop(me, &p->token);
        return rp_take_token(me, m, &p->token);
    case KEEP:
        if (p->kept)
            rp_msg_drop(me, p->kept);
        p->kept = NULL;
        return rp_keep(me, m, &p->kept);
    case PASS:
        return rp_forward(me, m, b->ref);
    case REST:
        TRY(rp_sleep(me, rp_in_ms(me, 2)));
        break;
    case LASTS:
        rp_sim_busy(me, 3 * RP_MS);
        break;
    case NEXT:
        TRY(play_next(me));
        break;
    case QUIT:
        return RP_STOP;
    case FAIL:
        return -EIO;
    case SPAWN:
        TRY(rp_spawn(me, &idle_player, NULL, &p->child));
        break;
    case TASKS:
        TRY(play_tasks(me));
        break;
    case TIMER:
        r.n = ANSWER;
        TRY(rp_timer_start(me, rp_in_ms(me, 1), NUM, &r, NULL));
        r.n = b->n + 1;
        break;
    default:
        break;
    }
    if (rp_wants_reply(m))
        rc = rp_reply(me, m, NUM, &r);
    return rc;
}

static void stop_playing(rp_self *me, void *state, int reason)
{
    struct player *p = state;
    (void)reason;
    if (p->token.call)
        rp_token_drop(me, &p->token);
    if (p->kept)
        rp_msg_drop(me, p->kept);
}

static int start_playing(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    return 0;
}

static const rp_actor player = {.name = "player", .handle = play, .init = start_playing, .fini = stop_playing,
                                .state_size = sizeof(struct player)};

/* The same as one function that receives. */
static int sing(rp_self *me, void *arg)
{
    struct player p = {.seen = 0};
    (void)arg;
    for (;;) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc == 0) {
            rc = play(me, &p, m);
            rp_msg_drop(me, m);
        }
        if (rc != 0) {
            stop_playing(me, &p, rc);
            return rc == RP_STOP ? 0 : rc;
        }
    }
}
static const rp_actor singer = {.name = "singer", .run = sing};

static int call_n(rp_self *me, rp_ref to, uint64_t n, rp_ref ref)
{
    struct num b = {n, ref};
    rp_msg *m;
    TRY(rp_call(me, to, NUM, &b, &m, patience(me)));
    rp_msg_drop(me, m);
    return 0;
}

static int wants(int rc, int want) /* a call that is to end with `want` */
{
    return rc == want ? 0 : rc == 0 ? -EBADE : rc;
}

static int spawn_on(rp_self *me, const rp_actor *a, unsigned on, rp_ref *ret)
{
    rp_spawn_opts o = {.on = RP_LOOP(on)};
    return rp_spawn(me, a, &o, ret);
}

static unsigned last(rp_self *me)
{
    return rp_loop_count(me) - 1;
}

/* An RP_DOWN must come for each rp_monitor that returned 0: under faults it may have been dropped, which
 * is what the time limit is for. */
static int await_down(rp_self *me)
{
    rp_msg *m;
    TRY(rp_recv(me, &m, patience(me)));
    bool down = rp_body(m, RP_DOWN) || rp_body(m, RP_NODE_DOWN);
    rp_msg_drop(me, m);
    return down ? 0 : -EBADMSG;
}

/* ---- life ------------------------------------------------------------------------------------------ */

static int start(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

static int waits(rp_self *me, void *arg)
{
    (void)arg;
    fault_arm();
    TRY(rp_yield(me));
    TRY(rp_sleep(me, rp_in_ms(me, 1)));
    return rp_scope_check(me);
}

static int spawns(rp_self *me, void *arg)
{
    rp_ref r;
    rp_msg *m;
    (void)arg;
    fault_arm();
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        TRY(spawn_on(me, &player, on, &r));
        TRY(spawn_on(me, &singer, on, &r));
        rp_spawn_opts o = {.on = RP_SPREAD, .stack = 200000, .monitor = true};
        int rc = rp_spawn(me, &singer, &o, &r);
        if (rc != 0 && rp_recv(me, &m, rp_in_ms(me, 1)) == 0)
            check(false, "of what never was comes %s", rp_type_of(m)->name);
        TRY(rc);
        TRY(rp_stop(me, r, "enough"));
        TRY(await_down(me));
    }
    return 0;
}

static int places(rp_self *me, void *arg)
{
    const unsigned on[] = {RP_LEAST, RP_LEAST, RP_KEY(7), RP_SPREAD};
    rp_ref r;
    (void)arg;
    fault_arm();
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        TRY(rp_spawn(me, &player, &(rp_spawn_opts){.on = on[i]}, &r));
        TRY(rp_spawn(me, &player, &(rp_spawn_opts){.on = rp_place_of(me, r)}, NULL));
    }
    return 0;
}

static int names(rp_self *me, void *arg)
{
    rp_ref r, found;
    (void)arg;
    fault_arm();
    rp_spawn_opts o = {.name = "ann", .on = RP_LOOP(last(me))};
    TRY(rp_spawn(me, &player, &o, &r));
    TRY(rp_whereis(me, "ann", &found));
    o.on = RP_SAME;
    TRY(wants(rp_spawn(me, &player, &o, NULL), -EEXIST));
    TRY(rp_lookup(me, rp_this_node(me), "ann", &found, patience(me)));
    return wants(rp_whereis(me, "bob", &found), -ESRCH);
}

static int late_name(rp_self *me, void *arg)
{
    (void)arg;
    rp_spawn_opts o = {.name = "late"};
    TRY(rp_sleep(me, rp_in_ms(me, 1)));
    TRY(rp_spawn(me, &player, &o, NULL));
    return rp_sleep(me, rp_in_ms(me, 5));
}
static const rp_actor namer = {.name = "namer", .run = late_name};

static int waits_for_name(rp_self *me, void *arg)
{
    rp_ref r;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &namer, last(me), &r));
    return rp_lookup(me, rp_this_node(me), "late", &r, patience(me));
}

static int bad_init(rp_self *me, void *state, void *arg)
{
    struct num b = {0, {0, 0}};
    (void)state, (void)arg;
    TRY(rp_timer_start(me, rp_in_ms(me, 1), NUM, &b, NULL));
    TRY(rp_tell(me, rp_self_ref(me), NUM, &b));
    TRY(rp_spawn(me, &player, NULL, NULL));
    return -EDOM;
}
static const rp_actor stillborn = {.name = "stillborn", .handle = play, .init = bad_init, .state_size = sizeof(struct player)};

static int init_fails(rp_self *me, void *arg)
{
    (void)arg;
    fault_arm();
    rp_spawn_opts o = {.name = "none", .monitor = true};
    TRY(wants(rp_spawn(me, &stillborn, &o, NULL), -EDOM));
    o.on = RP_LOOP(last(me));
    return wants(rp_spawn(me, &stillborn, &o, NULL), -EDOM);
}

static int tree(rp_self *me, void *arg)
{
    uint64_t depth = (uintptr_t)arg;
    rp_actor branch = {.name = "branch", .run = tree};
    rp_ref kid;
    if (depth == 3)
        fault_arm();
    if (depth == 0)
        return rp_sleep(me, RP_FOREVER);
    for (unsigned i = 0; i < 2; i++) {
        static rp_actor kind;
        kind = branch;
        rp_spawn_opts o = {.arg = (void *)(uintptr_t)(depth - 1), .on = RP_SPREAD};
        TRY(rp_spawn(me, &kind, &o, &kid));
    }
    return depth == 3 ? rp_sleep(me, rp_in_ms(me, 3)) : rp_sleep(me, RP_FOREVER);
}

static int tree_root(rp_self *me, void *arg)
{
    (void)arg;
    return tree(me, (void *)(uintptr_t)3);
}

/* ---- messages -------------------------------------------------------------------------------------- */

struct wide {
    unsigned char raw[600];
};
static const rp_field wide_fields[] = {RP_FIELD(struct wide, raw, RP_RAW)};
static const rp_type wide_type = RP_TYPE("fault.wide", struct wide, wide_fields);

struct errand {
    rp_token token;
};
static const rp_field errand_fields[] = {RP_FIELD(struct errand, token, RP_TOKEN)};
static const rp_type errand_type = RP_TYPE("fault.errand", struct errand, errand_fields);

const rp_type *const fault_types[] = {&num_type, &text_type, &wide_type, &errand_type, NULL};

static int tell_all_sizes(rp_self *me, rp_ref to)
{
    struct num n = {SILENT, {0, 0}};
    struct wide w = {{1}};
    static char much[20000];
    struct text small = {1, {"abc", 3}}, large = {2, {much, sizeof much}};
    TRY(rp_tell(me, to, NUM, &n));
    TRY(rp_tell(me, to, &wide_type, &w));
    TRY(rp_tell(me, to, TEXT, &small));
    TRY(rp_tell(me, to, TEXT, &large));
    return rp_try_tell(me, to, TEXT, &large);
}

static int tells(rp_self *me, void *arg)
{
    rp_ref p, s;
    (void)arg;
    fault_arm();
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        TRY(spawn_on(me, &player, on, &p));
        TRY(spawn_on(me, &singer, on, &s));
        TRY(tell_all_sizes(me, p));
        TRY(tell_all_sizes(me, s));
        TRY(call_n(me, p, ANSWER, p));
        TRY(call_n(me, s, ANSWER, s));
    }
    return 0;
}

static int own_messages(rp_self *me, void *arg)
{
    rp_ref p;
    (void)arg;
    fault_arm();
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        TRY(spawn_on(me, &player, on, &p));
        const rp_type *types[] = {NUM, TEXT, &wide_type};
        for (unsigned i = 0; i < 3; i++) {
            rp_msg *m = rp_msg_new(me, types[i]);
            if (!m)
                return -ENOMEM;
            if (types[i] == TEXT)
                *(struct text *)rp_msg_fill(m) = (struct text){7, {"moved", 5}};
            int rc = rp_send(me, p, &m);
            if (rc != 0)
                rp_msg_drop(me, m);
            TRY(rc);
        }
        TRY(call_n(me, p, ANSWER, p));
    }
    return 0;
}

static int sends_on(rp_self *me, void *arg) /* what came goes on to another */
{
    rp_ref p;
    rp_msg *m;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &player, last(me), &p));
    TRY(tell_all_sizes(me, rp_self_ref(me)));
    while (rp_recv(me, &m, rp_in_ms(me, 5)) == 0) {
        int rc = rp_send(me, p, &m);
        if (rc != 0)
            rp_msg_drop(me, m);
        TRY(rc);
    }
    return call_n(me, p, ANSWER, p);
}

static int keeps(rp_self *me, void *arg)
{
    rp_ref p;
    (void)arg;
    fault_arm();
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        TRY(spawn_on(me, &player, on, &p));
        TRY(tell_num(me, p, KEEP));
        TRY(tell_num(me, p, KEEP));
        TRY(call_n(me, p, ANSWER, p));
    }
    return 0;
}

static int receives(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    fault_arm();
    TRY(wants(rp_recv(me, &m, rp_in_ms(me, 1)), -ETIMEDOUT));
    TRY(tell_num(me, rp_self_ref(me), 1));
    TRY(rp_recv(me, &m, patience(me)));
    const rp_type *t = rp_type_of(m);
    bool right = t == NUM && rp_ref_eq(rp_from(me, m), rp_self_ref(me)) && rp_deadline_of(m) == RP_FOREVER;
    rp_msg_drop(me, m);
    return right ? 0 : -EBADMSG;
}

/* ---- calls ----------------------------------------------------------------------------------------- */

static int calls(rp_self *me, void *arg)
{
    rp_ref p;
    (void)arg;
    fault_arm();
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        TRY(spawn_on(me, on % 2 ? &singer : &player, on, &p));
        TRY(call_n(me, p, ANSWER, p));
        TRY(wants(call_n(me, p, ERROR, p), -EDOM));
        TRY(wants(call_n(me, p, SILENT, p), -EPIPE));
        TRY(call_n(me, p, REST, p));
        TRY(call_n(me, p, TASKS, p));
        TRY(call_n(me, p, SPAWN, p));
        TRY(call_n(me, p, TIMER, p));
        TRY(tell_num(me, p, QUIT));
        TRY(wants(call_n(me, p, ANSWER, p), -ESRCH));
    }
    return 0;
}

static int asks(rp_self *me, void *arg)
{
    enum { N = 6 };
    static const uint64_t what[N] = {ANSWER, ERROR, SILENT, REST, ANSWER, REST};
    rp_ask a[N];
    struct num b[N];
    fault_arm();
    (void)arg;
    for (unsigned i = 0; i < N; i++) {
        b[i] = (struct num){what[i], {0, 0}};
        a[i] = (rp_ask){.type = NUM, .body = &b[i]};
        TRY(rp_spawn(me, &player, &(rp_spawn_opts){.on = RP_SPREAD}, &a[i].to));
    }
    int rc = rp_call_many(me, a, N, 3, patience(me));
    for (unsigned i = 0; i < N; i++)
        check((a[i].rc == 0) == (a[i].reply != NULL));
    rp_asks_drop(me, a, N);
    return rc;
}

static int drains(rp_self *me, void *arg)
{
    rp_ref p, q;
    rp_undone left[4];
    unsigned n = 4;
    fault_arm();
    (void)arg;
    TRY(rp_spawn(me, &player, &(rp_spawn_opts){.on = RP_SPREAD}, &p));
    TRY(rp_spawn(me, &player, &(rp_spawn_opts){.on = RP_SPREAD, .name = "q"}, &q));
    for (int i = 0; i < 3; i++) {
        struct num b = {REST, p};
        TRY(rp_tell(me, p, NUM, &b));
        b.n = i == 2 ? SPAWN : REST;
        TRY(rp_tell(me, q, NUM, &b));
    }
    int rc = rp_drain(me, 0, left, &n);
    if (rc != -ETIMEDOUT)
        return rc;
    return rp_drain(me, patience(me), left, &n);
}

static int hurries(rp_self *me, void *arg) /* calls that are given up */
{
    rp_ref p;
    rp_msg *m;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &player, last(me), &p));
    struct num b = {REST, p};
    TRY(wants(rp_call(me, p, NUM, &b, &m, rp_in_ms(me, 1)), -ETIMEDOUT));
    TRY(rp_sleep(me, rp_in_ms(me, 5)));
    return call_n(me, p, ANSWER, p);
}

struct question {
    rp_ref to;
    uint64_t n;
};

static int ask(rp_self *me, void *arg)
{
    struct question *q = arg;
    return call_n(me, q->to, q->n, q->to);
}

static int tokens(rp_self *me, void *arg)
{
    rp_ref p;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &player, last(me), &p));
    struct question q = {p, TAKE};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    rp_task *task = NULL;
    int rc = rp_go(me, &s, ask, &q, &task);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 1));
    if (rc == 0)
        rc = tell_num(me, p, QUIT); /* its fini drops the token */
    int got = 0;
    if (rc == 0)
        rc = rp_join(me, task, &got, patience(me));
    rc = rp_scope_close(me, &s, rc);
    return wants(rc, -EPIPE);
}

/* Replies with the one that it is sent. */
static int runs_errand(rp_self *me, const rp_msg *m, const struct errand *b)
{
    rp_token k;
    struct num r = {1, {0, 0}};
    TRY(rp_token_from(me, m, &b->token, &k)); /* else it breaks with its message */
    TRY(rp_token_detach(me, &k));
    TRY(rp_token_attach(me, &k));
    return rp_token_reply(me, &k, NUM, &r);
}

/* Sends the right to reply to whom the question names. */
static int sends_it(rp_self *me, void *state, const rp_msg *m)
{
    struct errand e;
    (void)state;
    TRY(rp_take_token(me, m, &e.token));
    return rp_tell(me, ((const struct num *)rp_body(m, NUM))->ref, &errand_type, &e);
}
static const rp_actor sender = {.name = "sender", .handle = sends_it};

/* Takes the right to reply to the first, and replies with it when the second comes. */
static int holds(rp_self *me, void *state, const rp_msg *m)
{
    rp_token *k = state;
    struct num r = {1, {0, 0}};
    const struct errand *b = rp_body(m, &errand_type);
    if (b)
        return runs_errand(me, m, b);
    if (k->call == 0)
        return rp_take_token(me, m, k);
    int rc = rp_token_reply(me, k, NUM, &r);
    if (rc != 0)
        rc = rp_token_error(me, k, -EIO);
    return rc != 0 ? rc : rp_reply(me, m, NUM, &r);
}
static const rp_actor holder = {.name = "holder", .handle = holds, .state_size = sizeof(rp_token)};

static int token_replies(rp_self *me, void *arg)
{
    rp_ref p;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &holder, last(me), &p));
    struct question q = {p, 0};
    rp_scope s;
    rp_scope_open(me, &s, patience(me));
    int rc = rp_go(me, &s, ask, &q, NULL);
    if (rc == 0)
        rc = rp_go(me, &s, ask, &q, NULL);
    return rp_scope_close(me, &s, rc);
}

static int send_token(rp_self *me, rp_ref to)
{
    rp_ref s;
    TRY(spawn_on(me, &sender, 0, &s));
    return call_n(me, s, 0, to);
}

static int tokens_sent(rp_self *me, void *arg)
{
    rp_ref p;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &holder, last(me), &p));
    return send_token(me, p);
}

static int forwards(rp_self *me, void *arg)
{
    rp_ref a, b;
    (void)arg;
    fault_arm();
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        TRY(spawn_on(me, &player, on, &a));
        TRY(spawn_on(me, &holder, last(me), &b));
        TRY(tell_num(me, a, SILENT));
        struct question q = {b, 0};
        rp_scope s;
        rp_scope_open(me, &s, patience(me));
        int rc = rp_go(me, &s, ask, &q, NULL);
        if (rc == 0)
            rc = rp_yield(me);
        if (rc == 0)
            rc = call_n(me, a, PASS, b);
        TRY(rp_scope_close(me, &s, rc));
    }
    return 0;
}

/* ---- time, tasks, threads --------------------------------------------------------------------------- */

static int timers(rp_self *me, void *arg)
{
    struct num b = {1, {0, 0}};
    struct text t = {1, {"later", 5}};
    rp_timer first, second;
    uint64_t n = 0;
    (void)arg;
    fault_arm();
    TRY(rp_timer_start(me, rp_in_ms(me, 2), NUM, &b, &first));
    TRY(rp_timer_start(me, rp_in_ms(me, 1), TEXT, &t, &second));
    TRY(rp_timer_stop(me, second));
    TRY(rp_timer_start(me, rp_in_ms(me, 100000), TEXT, &t, NULL));
    rp_msg *m;
    TRY(rp_recv(me, &m, patience(me)));
    rp_msg_drop(me, m);
    (void)n;
    return wants(rp_timer_stop(me, first), -ESRCH);
}

static int many_timers(rp_self *me, void *arg)
{
    struct num b = {1, {0, 0}};
    rp_timer t[150]; /* beyond the first size of the table */
    (void)arg;
    fault_arm();
    for (unsigned i = 0; i < 150; i++)
        TRY(rp_timer_start(me, rp_in_ms(me, 1000), NUM, &b, &t[i]));
    for (unsigned i = 0; i < 150; i += 2)
        TRY(rp_timer_stop(me, t[i]));
    return 0;
}

static int fails(rp_self *me, void *arg)
{
    TRY(rp_yield(me));
    return *(int *)arg;
}

static int for_ever(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER);
}

static int tasks(rp_self *me, void *arg)
{
    int why = -EIO, result = 0;
    (void)arg;
    fault_arm();
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    rp_task *t = NULL;
    int rc = rp_go(me, &s, nothing, 0, &t);
    if (rc == 0)
        rc = rp_join(me, t, &result, patience(me));
    if (rc == 0)
        rc = rp_go(me, &s, for_ever, 0, &t);
    if (rc == 0)
        rc = rp_yield(me);
    if (rc == 0)
        rp_task_cancel(t, "enough");
    if (rc == 0)
        rc = rp_join(me, t, &result, patience(me));
    if (rc == 0)
        rc = rp_go(me, &s, fails, &why, NULL);
    if (rc == 0)
        rc = rp_go(me, &s, for_ever, 0, NULL);
    rc = rp_scope_close(me, &s, rc);
    return wants(rc, result == -ECANCELED ? rc : -EIO) == 0 && (rc == -EIO || rc == -ECANCELED) ? 0 : rc;
}

static int scopes(rp_self *me, void *arg)
{
    rp_scope outer, inner;
    (void)arg;
    fault_arm();
    rp_scope_open(me, &outer, rp_in_ms(me, 50));
    int rc = rp_go(me, &outer, for_ever, 0, NULL);
    rp_scope_open(me, &inner, rp_in_ms(me, 2));
    if (rc == 0)
        rc = rp_go(me, &inner, for_ever, 0, NULL);
    if (rc == 0)
        rc = rp_sleep(me, RP_FOREVER);
    rc = rp_scope_close(me, &inner, rc);
    if (rc == -ETIMEDOUT)
        rp_scope_cancel(&outer, "enough");
    bool told = rc != -ETIMEDOUT || (rp_why(me) && strcmp(rp_why(me), "enough") == 0);
    int all = rp_scope_close(me, &outer, 0);
    return !told ? -EBADE : rc == -ETIMEDOUT ? all : rc;
}

static int compute(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static void posted(void *arg)
{
    ++*(_Atomic int *)arg;
}

struct poster {
    rp_system *sys;
    _Atomic int *n;
};

static int post_some(void *arg)
{
    struct poster *p = arg;
    TRY(rp_post(p->sys, 0, posted, p->n));
    return rp_post(p->sys, 0, posted, p->n);
}

static int threads(rp_self *me, void *arg)
{
    int n = 0;
    static _Atomic int come;
    struct poster p = {rp_system_of(me), &come};
    (void)arg;
    come = 0;
    fault_arm();
    TRY(rp_offload(me, compute, &n, RP_FOREVER));
    TRY(rp_offload(me, post_some, &p, RP_FOREVER));
    for (unsigned i = 0; i < 1000 && come < 2; i++)
        TRY(rp_sleep(me, rp_in_ms(me, 1)));
    return come == 2 ? 0 : -EBADE;
}

/* ---- ends ------------------------------------------------------------------------------------------ */

static int monitors(rp_self *me, void *arg)
{
    (void)arg;
    fault_arm();
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_ref p, q;
        TRY(spawn_on(me, &player, on, &p));
        TRY(spawn_on(me, &singer, on, &q));
        TRY(rp_monitor(me, p));
        TRY(rp_monitor(me, q));
        TRY(tell_num(me, p, FAIL));
        TRY(await_down(me));
        TRY(rp_stop(me, q, "enough"));
        TRY(await_down(me));
        TRY(rp_monitor(me, p)); /* there is none any more */
        TRY(await_down(me));
    }
    return 0;
}

/* ---- full ------------------------------------------------------------------------------------------ */

static int tell_many(rp_self *me, void *arg)
{
    rp_ref to = *(rp_ref *)arg;
    for (unsigned i = 0; i < 200; i++) {
        int rc = tell_num(me, to, i % 16 ? SILENT : REST);
        if (rc == -EAGAIN)
            rc = rp_yield(me);
        TRY(rc);
    }
    return 0;
}
static const rp_actor teller = {.name = "teller", .run = tell_many};

static int full(rp_self *me, rp_overflow policy)
{
    rp_ref to;
    fault_arm();
    rp_spawn_opts o = {.mailbox = 4, .overflow = policy, .on = RP_LOOP(last(me))};
    TRY(rp_spawn(me, &player, &o, &to));
    for (unsigned i = 0; i < 2; i++) {
        rp_spawn_opts ot = {.arg = &to, .monitor = true, .on = RP_LOOP(i % rp_loop_count(me))};
        TRY(rp_spawn(me, &teller, &ot, NULL));
    }
    TRY(await_down(me));
    TRY(await_down(me));
    rp_ledger l;
    rp_ledger_read(me, &l);
    return l.sent >= 400 || policy != RP_WAIT ? 0 : -EBADE;
}

static int full_wait(rp_self *me, void *arg)
{
    (void)arg;
    return full(me, RP_WAIT);
}

static int full_fail(rp_self *me, void *arg)
{
    (void)arg;
    return full(me, RP_FAIL);
}

static int full_drop_new(rp_self *me, void *arg)
{
    (void)arg;
    return full(me, RP_DROP_NEW);
}

static int full_drop_old(rp_self *me, void *arg)
{
    (void)arg;
    return full(me, RP_DROP_OLD);
}

static int full_ring(rp_self *me, void *arg) /* replies and signals go beside it */
{
    rp_ref to, back;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &player, last(me), &to));
    TRY(spawn_on(me, &player, 0, &back));
    struct wide w = {{1}};
    for (unsigned i = 0; i < 150; i++)
        TRY(rp_tell(me, to, &wide_type, &w));
    TRY(rp_monitor(me, to));
    TRY(rp_stop(me, to, "enough"));
    return await_down(me);
}

static int full_queue(rp_self *me, void *arg) /* chunks of a loop's own queue */
{
    rp_ref to;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &player, 0, &to));
    for (unsigned i = 0; i < 300; i++)
        TRY(tell_num(me, to, SILENT));
    return call_n(me, to, ANSWER, to);
}

static int busy(rp_self *me, void *arg)
{
    rp_ref p;
    (void)arg;
    fault_arm();
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        TRY(spawn_on(me, &player, on, &p));
        TRY(tell_num(me, p, REST));
        TRY(tell_all_sizes(me, p));
        TRY(tell_num(me, p, NEXT));
        TRY(tell_all_sizes(me, p));
        TRY(call_n(me, p, ANSWER, p));
    }
    return 0;
}

static int dies_busy(rp_self *me, void *arg) /* with all sorts of things unread */
{
    rp_ref p;
    (void)arg;
    fault_arm();
    TRY(spawn_on(me, &player, last(me), &p));
    TRY(tell_num(me, p, REST));
    TRY(tell_all_sizes(me, p));
    TRY(rp_stop(me, p, "enough"));
    TRY(tell_all_sizes(me, p));
    return wants(call_n(me, p, ANSWER, p), -ESRCH);
}

static int looks(rp_self *me, void *arg)
{
    char text[100];
    (void)arg;
    fault_arm();
    struct num b = {1, {0, 0}};
    rp_ledger l;
    rp_ledger_read(me, &l);
    TRY(rp_type_check(NUM));
    TRY(rp_type_print(text, sizeof text, NUM, &b));
    char url[64];
    TRY(wants(rp_listen_url(me, url, sizeof url), -ENOTCONN));
    TRY(rp_node_name(me, rp_this_node(me), text, sizeof text));
    (void)rp_random(me);
    return rp_loop_index(me) == 0 && rp_state(me) == NULL && rp_ref_none(rp_parent(me)) ? 0 : -EBADE;
}

/* ---- two nodes ------------------------------------------------------------------------------------- */

int fault_server(rp_self *me, void *arg)
{
    struct fault_server *s = arg;
    struct { const char *name; const rp_actor *kind; unsigned on; } all[] = {
        {"player", &player, 0}, {"singer", &singer, last(me)}, {"holder", &holder, last(me)},
    };
    if (s->arm)
        fault_arm_server();
    if (s->url_to) {
        char url[128] = "";
        TRY(rp_listen_url(me, url, sizeof url));
        if (write(s->url_to, url, sizeof url) != sizeof url)
            return -EIO;
    }
    for (unsigned i = 0; i < 3; i++) {
        rp_spawn_opts o = {.name = all[i].name, .on = RP_LOOP(all[i].on), .monitor = true};
        TRY(rp_spawn(me, all[i].kind, &o, NULL));
    }
    rp_time end = rp_in_ms(me, s->ms);
    while (rp_now(me) < end && (!s->done || !s->done()))
        TRY(rp_sleep(me, rp_in_ms(me, s->done ? 5 : 500)));
    return 0;
}

struct peer {
    rp_node node;
    rp_ref player, singer, holder;
};

static int meet(rp_self *me, const char *url, struct peer *p)
{
    TRY(rp_connect(me, url, &p->node, patience(me)));
    TRY(rp_node_monitor(me, p->node));
    TRY(rp_lookup(me, p->node, "player", &p->player, patience(me)));
    TRY(rp_lookup(me, p->node, "singer", &p->singer, patience(me)));
    return rp_lookup(me, p->node, "holder", &p->holder, patience(me));
}

static int meets(rp_self *me, void *arg)
{
    struct peer p;
    rp_ref none;
    char name[64];
    fault_arm();
    TRY(meet(me, arg, &p));
    TRY(rp_node_name(me, p.node, name, sizeof name));
    return wants(rp_lookup(me, p.node, "nobody", &none, 0), -ESRCH);
}

static int far_calls(rp_self *me, void *arg)
{
    struct peer p;
    fault_arm();
    TRY(meet(me, arg, &p));
    TRY(tell_all_sizes(me, p.player));
    TRY(tell_all_sizes(me, p.singer));
    TRY(call_n(me, p.player, ANSWER, p.player));
    TRY(wants(call_n(me, p.singer, ERROR, p.player), -EDOM));
    TRY(wants(call_n(me, p.player, SILENT, p.player), -EPIPE));
    TRY(tell_num(me, p.singer, KEEP));
    TRY(call_n(me, p.singer, REST, p.player));
    return wants(rp_try_tell(me, p.singer, NUM, &(struct num){ANSWER, p.player}), 0);
}

static int far_ends(rp_self *me, void *arg)
{
    struct peer p;
    fault_arm();
    TRY(meet(me, arg, &p));
    TRY(rp_monitor(me, p.player));
    TRY(rp_monitor(me, p.singer));
    TRY(tell_num(me, p.player, QUIT));
    TRY(await_down(me));
    TRY(rp_stop(me, p.singer, "enough"));
    TRY(await_down(me));
    TRY(rp_monitor(me, p.player));
    return await_down(me);
}

static int far_forwards(rp_self *me, void *arg) /* a call to the peer comes back to an actor of ours */
{
    struct peer p;
    rp_ref here;
    fault_arm();
    TRY(spawn_on(me, &holder, last(me), &here));
    TRY(meet(me, arg, &p));
    struct question q = {here, 0};
    rp_scope s;
    rp_scope_open(me, &s, patience(me));
    int rc = rp_go(me, &s, ask, &q, NULL);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 1));
    if (rc == 0)
        rc = call_n(me, p.player, PASS, here);
    return rp_scope_close(me, &s, rc);
}

static int far_tokens(rp_self *me, void *arg)
{
    struct peer p;
    fault_arm();
    TRY(meet(me, arg, &p));
    struct question q = {p.holder, 0};
    rp_scope s;
    rp_scope_open(me, &s, patience(me));
    int rc = rp_go(me, &s, ask, &q, NULL);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 20));
    if (rc == 0)
        rc = call_n(me, p.player, PASS, p.holder);
    return rp_scope_close(me, &s, rc);
}

static int far_tokens_sent(rp_self *me, void *arg)
{
    struct peer p;
    fault_arm();
    TRY(meet(me, arg, &p));
    return send_token(me, p.holder);
}

static int far_window(rp_self *me, void *arg) /* more than may be on its way */
{
    struct peer p;
    static char much[60000];
    struct text t = {1, {much, sizeof much}};
    fault_arm();
    TRY(meet(me, arg, &p));
    TRY(tell_num(me, p.singer, REST));
    for (unsigned i = 0; i < 12; i++)
        TRY(rp_tell(me, p.singer, TEXT, &t));
    return call_n(me, p.singer, ANSWER, p.singer);
}

static int connects_to_nobody(rp_self *me, void *arg)
{
    rp_node node;
    (void)arg;
    fault_arm();
    return wants(rp_connect(me, "sim://nobody", &node, rp_in_ms(me, 100)), -ETIMEDOUT);
}

static int far_left(rp_self *me, void *arg) /* the server ends first */
{
    struct peer p;
    fault_arm();
    TRY(meet(me, arg, &p));
    TRY(rp_monitor(me, p.player));
    TRY(await_down(me));
    TRY(await_down(me));
    return wants(call_n(me, p.player, ANSWER, p.player), -EHOSTUNREACH);
}

static int far_stranger(rp_self *me, void *arg) /* without the secret */
{
    rp_node node;
    fault_arm();
    return wants(rp_connect(me, arg, &node, patience(me)), -EACCES);
}

static int run_inner(void *arg)
{
    (void)arg;
    rp_actor root = {.name = "inner", .run = nothing};
    return rp_run(&root, 0, &(rp_system_opts){.on_report = unreported, .loops = 2, .mem = fault_mem(), .sim_seed = 3});
}

static int system_in_system(rp_self *me, void *arg)
{
    (void)arg;
    fault_arm();
    TRY(rp_offload(me, run_inner, NULL, RP_FOREVER));
    return rp_yield(me);
}

/* ---- supervision, links, groups -------------------------------------------------------------------- */

static int supervises(rp_self *me, void *arg)
{
    (void)arg;
    const rp_child c[] = {{.actor = &idle_player, .opts = {.on = RP_SPREAD}}, {.actor = &idle_player, .opts = {.name = "second"}}};
    const rp_supervisor inner = {.strategy = RP_ONE_FOR_ALL, .children = c, .nchildren = 2};
    const rp_child cc = {.supervisor = &inner, .opts = {.name = "inner", .on = RP_SPREAD}};
    const rp_supervisor outer = {.children = &cc, .nchildren = 1, .backoff_ms = 1};
    rp_ref sup, in, first, added;
    rp_scope s;
    fault_arm();
    rp_scope_open(me, &s, patience(me));
    int rc = rp_supervise(me, &outer, NULL, &sup);
    if (rc == 0 && (rc = rp_whereis(me, "inner", &in)) == 0 && (rc = rp_supervise_child(me, in, 0, &first)) == 0)
        rc = rp_tell(me, first, NUM, &(struct num){.n = FAIL});
    if (rc == 0 && (rc = call_n(me, first, ANSWER, first)) == 0)
        rc = rp_supervise_add(me, in, &c[0], &added);
    if (rc == 0 && (rc = rp_supervise_remove(me, in, added)) == 0)
        rc = rp_stop(me, sup, "test");
    return rp_scope_close(me, &s, rc);
}

/* Where one allocation fails and no more, whoever falls begins again, or its supervisor ends: nothing stands still. */
static int restarts(rp_self *me, void *arg)
{
    (void)arg;
    const struct test_mem *mem = fault_mem()->ud;
    const rp_child c[] = {{.actor = &idle_player, .opts = {.on = RP_SPREAD}}, {.actor = &singer, .opts = {.on = RP_SPREAD}}};
    rp_supervisor s = {.children = c, .nchildren = 2, .restarts = 100, .within_ms = 60000};
    rp_ref sup, a, b;
    for (s.strategy = RP_ONE_FOR_ONE; s.strategy <= RP_REST_FOR_ONE; s.strategy++) {
        TRY(rp_supervise(me, &s, &(rp_spawn_opts){.monitor = true}, &sup));
        if (s.strategy == RP_ONE_FOR_ONE)
            fault_arm();
        for (int i = 0; i < 2; i++) {
            int rc = i ? rp_supervise_child(me, sup, 0, &a) : rp_supervise_add(me, sup, &c[0], &b);
            if (rc == -EPIPE && !mem->from_then_on)
                check_eq(rp_supervise_child(me, sup, 0, &a), 0); /* that it could not answer does not end it */
            TRY(rc);
        }
        TRY(rp_supervise_remove(me, sup, b));
        TRY(rp_supervise_child(me, sup, 1, &b));
        for (int i = 0; i < 6; i++) { /* one, the other, both at once */
            if (i % 4 == 0)
                TRY(rp_tell(me, a, NUM, &(struct num){.n = FAIL}));
            if (i % 4 == 2 || i == 4)
                TRY(rp_tell(me, b, NUM, &(struct num){.n = FAIL}));
            int rc = call_n(me, i % 2 ? b : a, ANSWER, a);
            check(rc != -ETIMEDOUT || mem->from_then_on, "it does not begin again: %d", i);
            TRY(rc);
        }
        TRY(rp_stop(me, sup, "test"));
        int rc = await_down(me);
        check(rc != -ETIMEDOUT || mem->from_then_on, "the supervisor does not end");
        TRY(rc);
    }
    return 0;
}

/* With children, a timer, a stash and messages on their way; there and back. */
static int moves(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref a, b;
    fault_arm();
    TRY(rp_spawn(me, &player, &(rp_spawn_opts){.mailbox = 2, .stash = 2, .name = "mover"}, &a));
    TRY(rp_spawn(me, &singer, NULL, &b));
    TRY(rp_monitor(me, a));
    TRY(rp_link(me, a));
    TRY(tell_num(me, a, SPAWN));
    TRY(tell_num(me, a, TIMER));
    const struct test_mem *mem = fault_mem()->ud;
    for (unsigned i = 1; i <= 3; i++) {
        TRY(tell_num(me, a, REST)); /* it is in the middle of one, and others wait */
        TRY(rp_tell(me, a, NUM, &(struct num){PASS, rp_self_ref(me)}));
        TRY(rp_sleep(me, rp_in_ms(me, 1)));
        int rc = rp_move(me, a, RP_LOOP(i % rp_loop_count(me)));
        if (rc != 0 && rc != -ENOMEM)
            return rc;
        int passed = play_next(me);
        check(rc == 0 || mem->from_then_on || passed == 0, "it does not go on where it was: %d", passed);
        TRY(passed);
        TRY(tell_num(me, a, SPAWN));
        TRY(wants(rp_move(me, b, RP_SAME), -ENOTSUP));
        TRY(call_n(me, a, ANSWER, a));
    }
    rp_unlink(me, a);
    TRY(rp_stop(me, a, "enough"));
    return await_down(me);
}

/* Who holds the loop for long has its messages later, and all of them; also what stood there when memory was out. */
static int demoted(rp_self *me, void *arg)
{
    const rp_actor *kinds[] = {&player, &singer};
    const struct test_mem *mem = fault_mem()->ud;
    (void)arg;
    fault_arm();
    for (unsigned i = 0; i < 2; i++) {
        rp_ref who;
        TRY(rp_spawn(me, kinds[i], &(rp_spawn_opts){.monitor = true}, &who));
        for (unsigned k = 0; k < 10; k++)
            TRY(tell_num(me, who, LASTS));
        TRY(tell_num(me, who, REST));
        int rc = call_n(me, who, ANSWER, who);
        check(rc != -ETIMEDOUT || mem->from_then_on, "its turn does not come");
        TRY(rc);
        TRY(rp_stop(me, who, "enough"));
        TRY(await_down(me));
    }
    return 0;
}

static int movers(rp_self *me, void *arg)
{
    rp_ref m, a;
    (void)arg;
    fault_arm();
    TRY(rp_spawn(me, &player, NULL, &a));
    TRY(rp_mover_start(me, &(rp_mover){.period_ms = 2}, &(rp_spawn_opts){.monitor = true}, &m));
    for (unsigned i = 0; i < 20; i++) {
        TRY(tell_num(me, a, SPAWN));
        rp_sim_busy(me, 300 * RP_US); /* to the mover, a load */
        TRY(rp_sleep(me, rp_in_ms(me, 1)));
    }
    TRY(rp_stop(me, m, "enough"));
    return await_down(me);
}

static int links(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref a;
    fault_arm();
    TRY(rp_spawn(me, &idle_player, &(rp_spawn_opts){.on = RP_SPREAD}, &a));
    TRY(rp_link(me, a));
    rp_unlink(me, a);
    TRY(rp_link(me, a));
    TRY(rp_watch_name(me, "x"));
    TRY(play_next(me));
    TRY(rp_spawn(me, &idle_player, &(rp_spawn_opts){.on = RP_SPREAD, .name = "x"}, NULL));
    TRY(play_next(me));
    TRY(rp_timer_key(me, 1, rp_in_ms(me, 1), NUM, &(struct num){.n = 1}));
    TRY(rp_timer_key(me, 1, rp_in_ms(me, 2), NUM, &(struct num){.n = 1}));
    TRY(rp_timer_every(me, rp_in_ms(me, 1), RP_MS, NUM, &(struct num){.n = 1}, NULL));
    TRY(play_next(me));
    return play_next(me);
}

static int groups(rp_self *me, void *arg)
{
    (void)arg;
    char many[3000] = {0};
    rp_ref g, list[4];
    rp_scope s;
    fault_arm();
    rp_scope_open(me, &s, patience(me));
    int rc = rp_group_start(me, &(rp_spawn_opts){.on = RP_SPREAD}, &g);
    if (rc == 0 && (rc = rp_group_join(me, g)) == 0)
        rc = rp_publish(me, g, TEXT, &(struct text){1, {many, sizeof many}});
    if (rc == 0 && (rc = play_next(me)) == 0 && (rc = rp_group_members(me, g, list, 4)) >= 0)
        rc = rp_group_leave(me, g);
    return rp_scope_close(me, &s, rc);
}

/* ---- looking inside ------------------------------------------------------------------------------ */

static int dead_letters(rp_self *me, void *arg)
{
    rp_ref who;
    rp_dead_letter d[2];
    rp_msg *m;
    (void)arg;
    TRY(rp_spawn(me, &player, &(rp_spawn_opts){.on = RP_SPREAD}, &who));
    TRY(rp_stop(me, who, "done"));
    fault_arm();
    TRY(rp_tell_bounce(me, who, TEXT, &(struct text){1, {"abc", 3}}, 7));
    TRY(rp_recv(me, &m, patience(me)));
    int rc = rp_type_of(m) == RP_BOUNCE ? 0 : -EPROTO;
    rp_msg_drop(me, m);
    for (unsigned i = 0; rc >= 0 && i < rp_loop_count(me); i++)
        rc = rp_dead_letters(me, i, patience(me), d, 2);
    return rc < 0 ? rc : 0;
}

/* Without memory a message goes unmeasured, and that is all. */
static int measured(rp_self *me, void *arg)
{
    char text[200];
    rp_ref who;
    rp_times wait, service;
    rp_metrics m;
    (void)arg;
    TRY(rp_spawn(me, &player, &(rp_spawn_opts){.on = RP_SPREAD}, &who));
    TRY(rp_sleep(me, rp_in_ms(me, 5))); /* so that each message is measured */
    fault_arm();
    for (unsigned i = 0; i < 3; i++) {
        rp_msg *answer;
        TRY(rp_call(me, who, NUM, &(struct num){ANSWER, {0, 0}}, &answer, patience(me)));
        rp_msg_drop(me, answer);
        TRY(rp_tell(me, who, TEXT, &(struct text){1, {"abc", 3}}));
    }
    TRY(rp_sleep(me, rp_in_ms(me, 5)));
    TRY(rp_metrics_read(me, RP_ALL_LOOPS, &m));
    TRY(rp_metrics_text(me, text, sizeof text));
    (void)!rp_times_read(me, TEXT, &wait, &service);
    return rp_stop(me, who, "done");
}

const char *fault_endpoint(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/reparto-fault-%d.sock", (int)getpid());
    return path;
}

/* 0: it was answered in full. */
static int ask_for(const char *word, struct timeval patient)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, fault_endpoint());
    char got[8192];
    size_t n = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool sent = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient) == 0 &&
                connect(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
                send(fd, word, strlen(word), MSG_NOSIGNAL) == (ssize_t)strlen(word);
    for (ssize_t k; sent && n < sizeof got && (k = read(fd, got + n, sizeof got - n)) > 0;)
        n += (size_t)k;
    close(fd);
    return n >= 3 && memcmp(got + n - 3, "ok\n", 3) == 0 ? 0 : -EPIPE;
}

static int ask_endpoint(void *arg) /* off the loop */
{
    return ask_for(arg, (struct timeval){0, 300000});
}

static int endpoint(rp_self *me, void *arg)
{
    (void)arg;
    return rp_offload(me, ask_endpoint, (void *)(uintptr_t) "dump\n", RP_FOREVER);
}

static int traced_endpoint(rp_self *me, void *arg)
{
    (void)arg;
    fault_arm();
    return rp_offload(me, ask_endpoint, (void *)(uintptr_t) "trace all 20\n", RP_FOREVER);
}

static struct {
    _Atomic unsigned held;
    _Atomic bool enough;
} holdup;

static int hold_up(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    atomic_fetch_add(&holdup.held, 1);
    while (!atomic_load(&holdup.enough))
        usleep(500);
    return RP_STOP;
}
static const rp_actor held_one = {.name = "held", .handle = hold_up};

/* Off the loops. When both are held, or will never be. */
static int ask_held_endpoint(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 100 && atomic_load(&holdup.held) < 2; i++)
        usleep(1000);
    int rc = ask_for("dump\n", (struct timeval){2, 0});
    if (rc == 0)
        rc = ask_for("stack 1.0.1\n", (struct timeval){2, 0});
    atomic_store(&holdup.enough, true);
    return rc;
}

static int held_endpoint(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref a, b;
    atomic_store(&holdup.held, 0);
    atomic_store(&holdup.enough, false);
    TRY(rp_spawn(me, &held_one, &(rp_spawn_opts){.on = RP_LOOP(1)}, &a));
    TRY(rp_spawn(me, &held_one, &(rp_spawn_opts){.on = RP_LOOP(0)}, &b));
    fault_arm();
    int rc = rp_tell(me, a, NUM, &(struct num){1, {0, 0}});
    for (unsigned i = 0; i < 100 && rc == 0 && atomic_load(&holdup.held) == 0; i++) /* or it would stay with us, held */
        rc = rp_sleep(me, rp_in_ms(me, 1));
    if (rc == 0)
        rc = rp_tell(me, b, NUM, &(struct num){1, {0, 0}});
    if (rc == 0)
        rc = rp_offload(me, ask_held_endpoint, NULL, RP_FOREVER);
    atomic_store(&holdup.enough, true); /* it may not have been asked */
    return rc;
}

static void passes(void *arg)
{
    (void)arg;
}

/* Loop 1 has ended before the root: what is sent there then is freed by who clears up. */
static int left_behind(rp_self *me, void *arg)
{
    (void)arg;
    rp_system *sys = rp_system_of(me);
    rp_ref gone = {rp_self_ref(me).node, rp__loop_addr(1) | 77 << 24 | 1};
    fault_arm();
    rp__system_stop(sys);
    while (rp_post(sys, 1, passes, NULL) == 0)
        TRY(rp_yield(me));
    for (int i = 0; i < 20; i++) {
        gone.local++;
        TRY(rp_link(me, gone));
        TRY(rp__move_unasked(me->loop, gone.local, 0));
    }
    return 0;
}

static int inspects(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref a;
    rp_inspection *i = NULL;
    rp_actor_info info;
    rp_loop_info l;
    void *pc[8];
    int rc, nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    fault_arm();
    TRY(rp_spawn(me, &idle_player, &(rp_spawn_opts){.on = RP_SPREAD, .name = "x"}, &a));
    rc = rp_inspect(me, fault_patience_ms, &i);
    bool said = false;
    while (rc == 0 && (rc = rp_inspect_next(me, i, &info)) > 0) {
        said |= strcmp(info.info, "0 seen") == 0;
        rc = 0;
    }
    rp_inspect_end(me, i);
    if (rc == 0 && !said)
        rc = -ENOMSG;
    if (rc == 0)
        rc = rp_inspect_loop(me, rp_loop_count(me) - 1, patience(me), &l);
    if (rc == 0 && (rc = rp_backtrace(me, a, 0, pc, 8)) == -ENOENT)
        rc = rp_dump(me, nowhere);
    close(nowhere);
    return rc;
}

/* And again, when it has been over. */
static int profiles(rp_self *me, void *arg)
{
    (void)arg;
    rp_loop_info l;
    fault_arm();
    for (unsigned i = 0; i < 2; i++) {
        TRY(rp_profile(me, 1));
        TRY(rp_sleep(me, rp_in_ms(me, 2)));
        for (unsigned k = 0; k < rp_loop_count(me); k++) {
            TRY(rp_inspect_loop(me, k, patience(me), &l));
            if (l.cpu < l.cpu_own)
                return -ERANGE;
        }
    }
    return 0;
}

#define BOTH(name, root) {name, SIM_1, root}, {name, SIM_3, root}
#define PAIR(name, root) {name, CLIENT, root}, {name, SERVER, root}

const struct scenario scenarios[] = {
    {"start", SIM_1, start}, {"start", SIM_3, start}, {"start", UV_2, start},
    {"start", ATTACHED, start}, {"start", TICKED, start}, {"spawns", ATTACHED, spawns}, {"calls", TICKED, calls},
    BOTH("waits", waits), BOTH("spawns", spawns), BOTH("places", places), BOTH("names", names), BOTH("waits_for_name", waits_for_name),
    BOTH("init_fails", init_fails), BOTH("tree", tree_root), BOTH("tells", tells), BOTH("own_messages", own_messages),
    BOTH("sends_on", sends_on), BOTH("keeps", keeps), BOTH("receives", receives), BOTH("calls", calls), BOTH("asks", asks), BOTH("drains", drains), {"drains", UV_2, drains},
    BOTH("hurries", hurries), BOTH("tokens", tokens), BOTH("token_replies", token_replies), BOTH("tokens_sent", tokens_sent),
    BOTH("forwards", forwards),
    BOTH("timers", timers), BOTH("many_timers", many_timers), BOTH("tasks", tasks), BOTH("scopes", scopes),
    BOTH("threads", threads), BOTH("monitors", monitors), BOTH("full_wait", full_wait), BOTH("full_fail", full_fail),
    BOTH("full_drop_new", full_drop_new), BOTH("full_drop_old", full_drop_old), BOTH("full_ring", full_ring),
    BOTH("full_queue", full_queue), BOTH("busy", busy), BOTH("dies_busy", dies_busy), BOTH("looks", looks),
    BOTH("supervises", supervises), BOTH("restarts", restarts), BOTH("links", links), BOTH("moves", moves), BOTH("movers", movers), BOTH("demoted", demoted), BOTH("groups", groups), BOTH("inspects", inspects), {"inspects", UV_2, inspects},
    {"profiles", UV_2, profiles}, {"profiles", ATTACHED, profiles}, {"profiles", TICKED, profiles},
    {"left_behind", UV_2, left_behind},
    {"spawns", UV_2, spawns}, {"calls", UV_2, calls}, {"threads", UV_2, threads}, {"endpoint", UV_2, endpoint}, {"traced_endpoint", UV_2, traced_endpoint},
    {"held_endpoint", UV_2, held_endpoint},
    BOTH("dead_letters", dead_letters), {"dead_letters", UV_2, dead_letters},
    {"measured", SIM_1, measured}, {"measured", SIM_3, measured}, {"measured", UV_2, measured},
    {"connects_to_nobody", SIM_1, connects_to_nobody},
    PAIR("meets", meets), PAIR("far_calls", far_calls), PAIR("far_ends", far_ends), PAIR("far_forwards", far_forwards),
    PAIR("far_tokens", far_tokens), PAIR("far_tokens_sent", far_tokens_sent), PAIR("far_window", far_window), PAIR("far_left", far_left),
    PAIR("far_stranger", far_stranger), {"system_in_system", UV_2, system_in_system},
    {"far_calls", REAL_CLIENT, far_calls}, {"far_ends", REAL_CLIENT, far_ends}, {"far_calls", REAL_SERVER, far_calls},
    {"far_calls_uv", UV_CLIENT, far_calls}, {"far_ends_uv", UV_CLIENT, far_ends}, {"far_calls_uv", UV_SERVER, far_calls},
};
const unsigned nscenarios = sizeof scenarios / sizeof *scenarios;
