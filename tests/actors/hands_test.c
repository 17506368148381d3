/* SPDX-License-Identifier: MIT
 *
 * An actor that ends with messages in its hands: whoever asked hears at once, with its name, and nothing is left.
 *
 * No call here has a deadline: an asker that is forgotten is a test that does not end. run_with checks the books and the
 * memory of each run.
 */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

/* ---- coroutines ---------------------------------------------------------------------------------- */

struct part { /* of a coroutine: it receives so many, does something, and ends with `rc` */
    unsigned receives;
    int (*does)(rp_self *me, rp_msg **m);
    int rc;
};

enum { MOST = 5 };

static int play(rp_self *me, void *arg)
{
    const struct part *p = arg;
    rp_msg *m[MOST] = {0};
    for (unsigned i = 0; i < p->receives; i++)
        check_eq(rp_recv(me, &m[i], RP_FOREVER), 0);
    int rc = p->does ? p->does(me, m) : 0;
    return rc != 0 ? rc : p->rc;
}
static const rp_actor player = {.name = "player", .run = play};

static int ask(rp_self *me, void *arg)
{
    rp_msg *m = NULL;
    int rc = rp_call(me, *(rp_ref *)arg, NUM, &(struct num){7}, &m, RP_FOREVER);
    check(rc == -EPIPE || rc == -ESRCH, "%d", rc);
    check_str(rp_blame(me), "player");
    return 0;
}

/* `n` ask at once. */
static void all_hear(rp_self *me, rp_ref who, unsigned n)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_go(me, &s, ask, &who, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
}

static int fails(rp_self *me, rp_msg **m)
{
    (void)m;
    return rp_fail(me, -EIO, "the test says so");
}

static int drops_one(rp_self *me, rp_msg **m) /* the middle one */
{
    rp_msg_drop(me, m[1]);
    return 0;
}

static int cannot_pass_it_on(rp_self *me, rp_msg **m)
{
    rp_ref nowhere = {12345, 1 << 24};
    check_eq(rp_forward(me, m[0], nowhere), -EHOSTUNREACH);
    check_eq(rp_send(me, nowhere, &m[0]), -EHOSTUNREACH);
    return 0;
}

static int puts_into_a_queue(rp_self *me, rp_msg **m)
{
    rp_queue *q;
    check_eq(rp_queue_new(sizeof *m, 1, NULL, &q), 0);
    check_eq(rp_queue_put(me, q, m, RP_FOREVER), 0);
    rp_queue_free(q);
    return 0;
}

static int stashes(rp_self *me, rp_msg **m)
{
    return rp_stash(me, m[0]);
}

static int wait_for_good(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER);
}

static int gives_it_to_a_task(rp_self *me, rp_msg **m)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, wait_for_good, m[0], NULL), 0);
    check_eq(rp_yield(me), 0);
    return rp_scope_close(me, &s, -EIO);
}

static int nobody_answers(rp_self *me, void *arg)
{
    static const struct part parts[] = {
        {1, NULL, 0},
        {1, NULL, -EIO},
        {2, NULL, 0},
        {5, NULL, -EIO},
        {3, drops_one, 0},
        {5, drops_one, 0},
        {1, fails, 0},
        {1, cannot_pass_it_on, 0},
        {1, puts_into_a_queue, 0},
        {1, stashes, 0},
        {1, gives_it_to_a_task, 0},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (unsigned loop = 0; loop < rp_loop_count(me); loop++) {
            rp_ref r;
            struct rp_down d;
            rp_spawn_opts o = {.arg = (void *)(uintptr_t)&parts[i], .monitor = true, .stash = 1, .on = RP_LOOP(loop)};
            check_eq(rp_spawn(me, &player, &o, &r), 0);
            all_hear(me, r, parts[i].receives);
            check_eq(recv_down(me, &d), 0);
        }
    return 0;
}

TEST(hands, a_coroutine_that_ends_with_calls)
{
    everywhere(nobody_answers, 0);
}

/* Received, made, inherited, brought by a timer or as an answer; with a body outside, or a drop function. */
struct owner {
    unsigned *dropped;
};
static void owner_drop(void *body)
{
    ++*((struct owner *)body)->dropped;
}
static const rp_type owner_type = {.name = "hands.owner", .size = sizeof(struct owner), .drop = owner_drop};

static int answer(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_reply(me, m, TEXT, &(struct text){.text = {"an answer that lies outside", 27}});
}
static const rp_actor answerer = {.name = "answerer", .handle = answer};

struct hoard {
    rp_ref to;
    unsigned dropped;
};

static int hoards(rp_self *me, void *arg)
{
    struct hoard *h = arg;
    rp_msg *m;
    rp_ask asks[3] = {{.to = h->to, .type = NUM, .body = &(struct num){1}}, {.to = h->to, .type = NUM, .body = &(struct num){2}},
                      {.to = h->to, .type = NUM, .body = &(struct num){3}}};
    for (unsigned i = 0; i < 3; i++) {
        check_eq(rp_call(me, h->to, NUM, &(struct num){i}, &m, RP_FOREVER), 0);
        check(rp_msg_new(me, TEXT) != NULL);
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    }
    check_eq(rp_timer_start(me, rp_in_ms(me, 1), NUM, &(struct num){9}, NULL), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    m = rp_msg_new(me, &owner_type);
    ((struct owner *)rp_msg_fill(m))->dropped = &h->dropped;
    return rp_call_many(me, asks, 3, 0, RP_FOREVER);
}
static const rp_actor hoarder = {.name = "hoarder", .run = hoards};

static int all_is_given_back(rp_self *me, void *arg)
{
    (void)arg;
    struct hoard h = {.dropped = 0};
    rp_ref r;
    struct rp_down d;
    unsigned loop = rp_loop_count(me) - 1, given = 0;
    check_eq(rp_spawn(me, &answerer, NULL, &h.to), 0);
    check_eq(rp_spawn(me, &hoarder, &(rp_spawn_opts){.arg = &h, .monitor = true, .on = RP_LOOP(loop)}, &r), 0);
    check_eq(rp_tell(me, r, TEXT, &(struct text){.text = {"some text", 9}}), 0);
    check_eq(rp_tell(me, r, &owner_type, &(struct owner){&given}), 0);
    check_eq(tell_num(me, r, 1), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, 0);
    check_eq(h.dropped, 1);
    check_eq(given, 1);
    return 0;
}

TEST(hands, all_that_an_actor_has_ends_with_it)
{
    everywhere(all_is_given_back, 0);
}

/* ---- handlers ------------------------------------------------------------------------------------ */

enum { STOPS = 1, FAILS, STAYS, RECEIVES, MOVES, ANSWERS_LAST };

struct keeper {
    uint64_t what;
    rp_msg *kept;
};

static int keep(rp_self *me, void *state, const rp_msg *m)
{
    struct keeper *s = state;
    rp_msg *another;
    if (!rp_wants_reply(m))
        return RP_STOP;
    s->what = ((const struct num *)rp_body(m, NUM))->n;
    check_eq(rp_keep(me, m, &s->kept), 0);
    if (s->what == RECEIVES)
        check_eq(rp_recv(me, &another, RP_FOREVER), 0);
    if (s->what == MOVES)
        check_eq(rp_move(me, rp_self_ref(me), RP_LOOP(rp_loop_count(me) - 1)), 0);
    return s->what == FAILS ? -EIO : s->what == STOPS || s->what == RECEIVES ? RP_STOP : 0;
}

static void kept_at_the_end(rp_self *me, void *state, int reason)
{
    struct keeper *s = state;
    (void)reason;
    if (s->what == ANSWERS_LAST)
        check_eq(rp_reply(me, s->kept, NUM, &(struct num){42}), 0);
    if (s->what == ANSWERS_LAST)
        rp_msg_drop(me, s->kept);
}
static const rp_actor keeper = {.name = "player", .handle = keep, .state_size = sizeof(struct keeper)};
static const rp_actor keeper_with_fini = {.name = "player", .handle = keep, .fini = kept_at_the_end, .state_size = sizeof(struct keeper)};

struct question {
    rp_ref to;
    uint64_t what;
    int rc;
    uint64_t answer;
};

static int ask_that(rp_self *me, void *arg)
{
    struct question *q = arg;
    rp_msg *m = NULL;
    q->rc = rp_call(me, q->to, NUM, &(struct num){q->what}, &m, RP_FOREVER);
    if (q->rc == 0)
        q->answer = ((const struct num *)rp_body(m, NUM))->n;
    else
        check(strcmp(rp_blame(me), "player") == 0, "%d by %s", q->rc, rp_blame(me));
    rp_msg_drop(me, m);
    return 0;
}

static int a_handler_ends(rp_self *me, void *arg)
{
    const rp_actor *kind = arg;
    for (uint64_t what = STOPS; what <= ANSWERS_LAST; what++) {
        struct rp_down d;
        struct question q[2] = {{.what = what}, {.what = what}};
        rp_scope s;
        check_eq(rp_spawn(me, kind, &(rp_spawn_opts){.monitor = true}, &q[0].to), 0);
        q[1].to = q[0].to;
        rp_scope_open(me, &s, RP_FOREVER);
        for (unsigned i = 0; i < (what == RECEIVES ? 2 : 1); i++)
            check_eq(rp_go(me, &s, ask_that, &q[i], NULL), 0);
        check_eq(rp_yield(me), 0);
        if (what == MOVES) /* a plain message finds it there */
            check_eq(tell_num(me, q[0].to, 0), 0);
        else if (what == STAYS || what == ANSWERS_LAST)
            check_eq(rp_stop(me, q[0].to, "enough"), 0);
        check_eq(rp_scope_close(me, &s, 0), 0);
        check_eq(recv_down(me, &d), 0);
        bool answers = what == ANSWERS_LAST && kind->fini;
        check_eq(q[0].rc, answers ? 0 : -EPIPE);
        check_eq(q[0].answer, answers ? 42 : 0);
        check_eq(q[1].rc, what == RECEIVES ? -EPIPE : 0);
    }
    return 0;
}

TEST(hands, a_handler_that_ends_with_calls)
{
    everywhere(a_handler_ends, (void *)(uintptr_t)&keeper);
}

TEST(hands, a_fini_may_still_answer)
{
    everywhere(a_handler_ends, (void *)(uintptr_t)&keeper_with_fini);
}

/* ---- before its children ------------------------------------------------------------------------- */

static int lingers(rp_self *me, void *arg) /* it is asked to end, and does when it is told */
{
    const rp_type *const told[] = {NUM, NULL};
    rp_msg *m;
    (void)arg;
    check_eq(rp_recv_of(me, told, &m, RP_FOREVER), 0);
    return 0;
}
static const rp_actor child = {.name = "child", .run = lingers, .flags = RP_TRAP};

static int has_a_child(rp_self *me, void *arg)
{
    rp_msg *m;
    check_eq(rp_spawn(me, &child, NULL, arg), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    return 0;
}
static const rp_actor parent = {.name = "player", .run = has_a_child};

static int hears_before_the_children_end(rp_self *me, void *arg)
{
    struct rp_down d;
    struct question q = {.what = STOPS};
    rp_ref kid = {0, 0};
    (void)arg;
    check_eq(rp_spawn(me, &parent, &(rp_spawn_opts){.arg = &kid, .monitor = true}, &q.to), 0);
    check_eq(ask_that(me, &q), 0);
    check_eq(q.rc, -EPIPE);
    check_eq(tell_num(me, kid, 0), 0);
    return recv_down(me, &d);
}

TEST(hands, the_asker_does_not_wait_for_children)
{
    everywhere(hears_before_the_children_end, 0);
}

/* ---- incarnations -------------------------------------------------------------------------------- */

static int returns_early(rp_self *me, void *arg)
{
    (void)arg;
    for (;;) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        const struct num *n = rp_body(m, NUM);
        if (n->n == STOPS)
            return -EIO;
        check_eq(rp_reply(me, m, NUM, &(struct num){42}), 0);
        rp_msg_drop(me, m);
    }
}
static const rp_actor early = {.name = "player", .run = returns_early};

static int bequeaths(rp_self *me, void *state, void *arg) /* each life but the first inherits, and forgets it */
{
    rp_msg *m;
    (void)state, (void)arg;
    check_eq(rp_restarts(me) > 0 ? rp_inherit(me, &m) : 0, 0);
    return rp_bequeath(me, NUM, &(struct num){1});
}
static const rp_actor heir = {.name = "player", .handle = keep, .init = bequeaths, .state_size = sizeof(struct keeper)};

static int an_incarnation_ends(rp_self *me, void *arg)
{
    const rp_actor *kind = arg;
    rp_child c = {.actor = kind, .opts = {.on = RP_LOOP(rp_loop_count(me) - 1)}};
    rp_supervisor s = {.children = &c, .nchildren = 1, .restarts = 100};
    rp_ref sup;
    struct question q = {.what = kind == &early ? STOPS : FAILS}, ok = {.what = STAYS};
    check_eq(rp_supervise(me, &s, NULL, &sup), 0);
    check_eq(rp_supervise_child(me, sup, 0, &q.to), 0);
    ok.to = q.to;
    for (unsigned i = 0; i < 3; i++) {
        check_eq(ask_that(me, &q), 0);
        check_eq(q.rc, -EPIPE);
        if (kind == &early)
            check_eq(ask_that(me, &ok), 0);
        check_eq(ok.answer, kind == &early ? 42 : 0);
    }
    return 0;
}

TEST(hands, an_incarnation_that_ends_with_calls)
{
    everywhere(an_incarnation_ends, (void *)(uintptr_t)&early);
    everywhere(an_incarnation_ends, (void *)(uintptr_t)&heir);
}

/* ---- from hand to hand --------------------------------------------------------------------------- */

struct shared {
    rp_ref to;
    rp_msg *m;
    bool dropped;
};

static int gets_an_answer(rp_self *me, void *arg)
{
    struct shared *s = arg;
    rp_msg *m;
    check_eq(rp_call(me, s->to, NUM, &(struct num){1}, &m, RP_FOREVER), 0);
    s->m = m;
    while (!s->dropped)
        check_eq(rp_yield(me), 0);
    return 0;
}

static int drops_it(rp_self *me, void *arg)
{
    struct shared *s = arg;
    while (!s->m)
        check_eq(rp_yield(me), 0);
    check(rp_body(s->m, TEXT) != NULL);
    rp_msg_drop(me, s->m);
    s->dropped = true;
    return 0;
}
static const rp_actor dropper = {.name = "dropper", .run = drops_it};

/* Another task, its actor, and another actor of the loop drop what a task has got and still has in its hands; the last
 * time nobody does, and the actor ends with it. */
static int dropped_by_another(rp_self *me, void *arg)
{
    struct shared s = {{0, 0}, NULL, false};
    (void)arg;
    check_eq(rp_spawn(me, &answerer, NULL, &s.to), 0);
    for (unsigned i = 0; i < 4; i++) {
        rp_scope in;
        s.m = NULL;
        s.dropped = i == 3;
        rp_scope_open(me, &in, RP_FOREVER);
        check_eq(rp_go(me, &in, gets_an_answer, &s, NULL), 0);
        if (i == 0)
            check_eq(rp_go(me, &in, drops_it, &s, NULL), 0);
        else if (i == 1)
            check_eq(rp_spawn(me, &dropper, &(rp_spawn_opts){.arg = &s}, NULL), 0);
        else if (i == 2)
            check_eq(drops_it(me, &s), 0);
        check_eq(rp_scope_close(me, &in, 0), 0);
    }
    check(rp_body(s.m, TEXT) != NULL);
    return 0;
}

TEST(hands, whoever_drops_it)
{
    everywhere(dropped_by_another, 0);
}

/* ---- on another loop ----------------------------------------------------------------------------- */

static void count_misuse(const rp_report *r, void *ud)
{
    check_eq(r->kind, RP_REPORT_MISUSE);
    check(strstr(r->text, "dropper") && strstr(r->text, "loop 1") && strstr(r->text, "loop 0"), "%s", r->text);
    ++*(unsigned *)ud;
}

static int drops_from_afar(rp_self *me, void *arg)
{
    rp_msg_drop(me, *(rp_msg **)arg);
    return 0;
}
static const rp_actor far_dropper = {.name = "dropper", .run = drops_from_afar};

static int is_left_as_it_is(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    struct rp_down d;
    check_eq(tell_num(me, rp_self_ref(me), 5), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    rp_msg *kept = m;
    check_eq(rp_spawn(me, &far_dropper, &(rp_spawn_opts){.arg = &kept, .on = RP_LOOP(1), .monitor = true}, NULL), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(((const struct num *)rp_body(kept, NUM))->n, 5);
    rp_msg_drop(me, kept);
    return 0;
}

TEST(hands, dropped_on_another_loop)
{
    unsigned reports = 0;
    check_eq(run_with(is_left_as_it_is, 0, &(rp_system_opts){.loops = 2, .sim_seed = 3, .on_report = count_misuse, .report_ud = &reports}), 0);
    check_eq(reports, 1);
}
