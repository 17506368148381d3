/* SPDX-License-Identifier: MIT
 *
 * Many questions at once.
 */
#include "tests/support.h"

#include <errno.h>

/* Does with a number what it says: answers with it, at once or after so many ms; or fails to. */
enum { FORGET = 1001, QUIT, REFUSE };

static int serve(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    int rc = 0;
    (void)state;
    if (b->n == FORGET || b->n == QUIT)
        return b->n == QUIT ? RP_STOP : 0;
    if (b->n == REFUSE)
        return rp_reply_error(me, m, -EACCES);
    if (b->n > 0)
        rc = rp_sleep(me, rp_in_ms(me, (int64_t)b->n));
    return rc != 0 || !rp_wants_reply(m) ? rc : rp_reply(me, m, NUM, b);
}
static const rp_actor server = {.name = "server", .handle = serve};

enum { MOST = 8 };
struct group {
    struct num body[MOST];
    rp_ask asks[MOST];
};

/* One server for each number, on one loop after the other. */
static void prepare(rp_self *me, struct group *g, unsigned n, const uint64_t *what)
{
    for (unsigned i = 0; i < n; i++) {
        rp_spawn_opts o = {.on = RP_LOOP(i % rp_loop_count(me))};
        g->body[i] = (struct num){what[i], {0, 0}};
        g->asks[i] = (rp_ask){.type = NUM, .body = &g->body[i]};
        check_eq(rp_spawn(me, &server, &o, &g->asks[i].to), 0);
    }
}

static void replied(const rp_ask *a, uint64_t n)
{
    check_eq(a->rc, 0);
    check(a->reply != NULL);
    check_eq(((const struct num *)rp_body(a->reply, NUM))->n, n);
}

/* ---- how many are enough ------------------------------------------------------------------------------- */

struct round { /* one rp_call_many, and what must become of it */
    unsigned n;
    uint64_t what[MOST];
    unsigned enough;
    int64_t within_ms; /* 0: for ever */
    int rc, or_rc;     /* its result; 0: there is only one */
    int each[MOST];    /* of each question; 0: its number has come back */
    int64_t at_most_ms;
};

static int ask(rp_self *me, void *arg)
{
    const struct round *r = arg;
    struct group g;
    prepare(me, &g, r->n, r->what);
    rp_time from = rp_now(me);
    int rc = rp_call_many(me, g.asks, r->n, r->enough, r->within_ms ? rp_in_ms(me, r->within_ms) : RP_FOREVER);
    check(rc == r->rc || (r->or_rc && rc == r->or_rc), "%d", rc);
    check(!r->at_most_ms || rp_now(me) - from < r->at_most_ms * RP_MS, "it waited for one that is of no use");
    for (unsigned i = 0; i < r->n; i++) {
        if (r->each[i] == 0) {
            replied(&g.asks[i], r->what[i]);
            continue;
        }
        check_eq(g.asks[i].rc, r->each[i]);
        check(g.asks[i].reply == NULL);
        if (r->each[i] == -EPIPE)
            check_str(g.asks[i].blame, "server");
    }
    rp_asks_drop(me, g.asks, r->n);
    rp_asks_drop(me, g.asks, r->n); /* once is enough */
    return 0;
}

TEST(ask, all_of)
{
    everywhere(ask, &(struct round){.n = 5, .what = {0, 2, 1, 0, 3}});
    everywhere(ask, &(struct round){.n = 5, .what = {0, 2, 1, 0, 3}, .enough = 5});
}

TEST(ask, quorum_and_each_failure_has_its_reason)
{
    /* the last reply ends it, and what has not failed by then is cancelled */
    everywhere(ask, &(struct round){.n = 5, .what = {FORGET, 1, QUIT, REFUSE, 200}, .enough = 2,
                                    .each = {-EPIPE, 0, -EPIPE, -EACCES, 0}});
}

TEST(ask, ends_when_it_cannot_be_enough)
{
    everywhere(ask, &(struct round){.n = 3, .what = {500, FORGET, REFUSE}, .enough = 2, .rc = -EPIPE, .or_rc = -EACCES,
                                    .each = {-ECANCELED, -EPIPE, -EACCES}, .at_most_ms = 400});
}

TEST(ask, one_deadline_and_what_came_is_there)
{
    everywhere(ask, &(struct round){.n = 3, .what = {0, 3600000, 1}, .within_ms = 300, .rc = -ETIMEDOUT,
                                    .each = {0, -ETIMEDOUT, 0}});
}

/* Who is not waited for any more replies all the same: that is late, and no message. */
static int losers(rp_self *me, void *arg)
{
    rp_ledger l;
    rp_msg *m;
    int rc = ask(me, arg);
    check_eq(rp_recv(me, &m, rp_in_ms(me, 100)), -ETIMEDOUT);
    rp_ledger_read(me, &l);
    check_eq(l.late, 2);
    return rc;
}

TEST(ask, first_of_and_the_losers_are_late)
{
    everywhere(losers, &(struct round){.n = 3, .what = {30, 0, 30}, .enough = 1, .each = {-ECANCELED, 0, -ECANCELED}});
}

static int wrong(rp_self *me, void *arg)
{
    struct group g;
    const uint64_t what[] = {0, 0};
    (void)arg;
    prepare(me, &g, 2, what);
    check_eq(rp_call_many(me, g.asks, 0, 0, RP_FOREVER), -EINVAL);
    check_eq(rp_call_many(me, g.asks, 2, 3, RP_FOREVER), -EINVAL);
    check_eq(g.asks[1].rc, -EINVAL);
    g.asks[1].to = (rp_ref){0, 0};
    check_eq(rp_call_many(me, g.asks, 2, 0, RP_FOREVER), -EINVAL);
    rp_asks_drop(me, g.asks, 2);
    return 0;
}

TEST(ask, needs_somebody_to_ask)
{
    everywhere(wrong, 0);
}

/* ---- full mailboxes ----------------------------------------------------------------------------------- */

/* Busy for so many ms, and then with a full mailbox; the spawner knows it. */
static rp_ref make_full(rp_self *me, uint64_t busy, rp_overflow policy)
{
    rp_ref r;
    rp_spawn_opts o = {.mailbox = 1, .overflow = policy};
    struct num b = {busy, {0, 0}};
    int rc = 0;
    check_eq(rp_spawn(me, &server, &o, &r), 0);
    check_eq(rp_tell(me, r, NUM, &b), 0);
    b.n = 0;
    while ((rc = rp_try_tell(me, r, NUM, &b)) == 0)
        check_eq(rp_yield(me), 0);
    check_eq(rc, -EAGAIN);
    return r;
}

static int around_a_full_one(rp_self *me, void *arg)
{
    struct group g;
    const uint64_t what[] = {0, 0, 0};
    (void)arg;
    prepare(me, &g, 3, what);
    g.asks[0].to = make_full(me, 600, RP_WAIT);
    rp_time from = rp_now(me);
    check_eq(rp_call_many(me, g.asks, 3, 2, RP_FOREVER), 0); /* the others are not held up, and end its waiting */
    check(rp_now(me) - from < 500 * RP_MS, "it waited for room");
    check_eq(g.asks[0].rc, -ECANCELED);
    replied(&g.asks[1], 0);
    replied(&g.asks[2], 0);
    rp_asks_drop(me, g.asks, 3);
    check_eq(rp_call_many(me, g.asks, 3, 3, rp_in_ms(me, 20)), -ETIMEDOUT); /* in its line for room */
    check_eq(g.asks[0].rc, -ETIMEDOUT);
    rp_asks_drop(me, g.asks, 3);
    check_eq(rp_call_many(me, g.asks, 3, 3, RP_FOREVER), 0);
    rp_asks_drop(me, g.asks, 3);
    g.asks[1].to = make_full(me, 50, RP_FAIL);
    check_eq(rp_call_many(me, g.asks, 3, 2, RP_FOREVER), 0);
    check_eq(g.asks[1].rc, -EAGAIN);
    rp_asks_drop(me, g.asks, 3);
    return 0;
}

TEST(ask, a_full_one_delays_nobody)
{
    everywhere(around_a_full_one, 0);
}

static int a_thousand(rp_self *me, void *arg)
{
    enum { N = 1000 };
    static rp_ask asks[N];
    static struct num body[N];
    rp_ref to[4];
    (void)arg;
    for (unsigned i = 0; i < 4; i++)
        check_eq(rp_spawn(me, &server, &(rp_spawn_opts){.on = RP_SPREAD}, &to[i]), 0);
    for (unsigned i = 0; i < N; i++) {
        body[i].n = i % 100 == 99 ? 1 : 0;
        asks[i] = (rp_ask){.to = to[i % 4], .type = NUM, .body = &body[i]};
    }
    check_eq(rp_call_many(me, asks, N, N, RP_FOREVER), 0);
    for (unsigned i = 0; i < N; i++)
        replied(&asks[i], body[i].n);
    rp_asks_drop(me, asks, N);
    return 0;
}

TEST(ask, a_thousand_at_once)
{
    everywhere(a_thousand, 0);
}

/* ---- who asks ---------------------------------------------------------------------------------------- */

static const uint64_t three[] = {0, 1, 400};

static int ask_three(rp_self *me, void *arg)
{
    struct group *g = arg;
    int rc = rp_call_many(me, g->asks, 3, 0, RP_FOREVER);
    rp_asks_drop(me, g->asks, 3);
    return rc;
}

static int on_question(rp_self *me, void *state, const rp_msg *m)
{
    struct group g;
    (void)state;
    prepare(me, &g, 3, three);
    int rc = ask_three(me, &g);
    return rp_reply_error(me, m, rc != 0 ? rc : -EDOM);
}
static const rp_actor asker = {.name = "asker", .handle = on_question};

static int of_all_kinds(rp_self *me, void *arg)
{
    rp_ref a;
    rp_scope s;
    rp_msg *m;
    struct num b = {0, {0, 0}};
    struct group g;
    (void)arg;
    prepare(me, &g, 3, three);
    rp_scope_open(me, &s, rp_in_ms(me, 20)); /* a task, ended by its scope */
    int rc = rp_go(me, &s, ask_three, &g, NULL);
    check_eq(rp_scope_close(me, &s, rc), -ETIMEDOUT);
    check_eq(rp_spawn(me, &asker, &(rp_spawn_opts){.on = RP_SPREAD}, &a), 0);
    rc = rp_call(me, a, NUM, &b, &m, rp_in_ms(me, 20)); /* a handler: no longer than it is asked */
    check(rc == -ETIMEDOUT, "%d", rc);
    check_eq(rp_call(me, a, NUM, &b, &m, RP_FOREVER), -EDOM);
    return 0;
}

TEST(ask, by_tasks_and_handlers_too)
{
    everywhere(of_all_kinds, 0);
}

/* ---- rings --------------------------------------------------------------------------------------------- */

struct ring {
    rp_ref next;
    bool asks;
};

static int pass_on(rp_self *me, void *state, const rp_msg *m)
{
    struct ring *r = state;
    const struct num *b = rp_body(m, NUM);
    rp_msg *reply;
    if (b->n == 0) {
        r->next = b->ref;
        return rp_reply(me, m, NUM, b);
    }
    rp_ask asks[2] = {{.to = r->next, .type = NUM, .body = b}, {.to = b->ref, .type = NUM, .body = &(struct num){0}}};
    int rc = r->asks ? rp_call_many(me, asks, 2, 2, RP_FOREVER) : rp_call(me, r->next, NUM, b, &reply, RP_FOREVER);
    if (r->asks)
        rp_asks_drop(me, asks, 2);
    check(rc < 0);
    return rp_wants_reply(m) ? rp_reply_error(me, m, rc) : 0;
}

static int init_ring(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct ring *)state)->asks = *(bool *)arg;
    return 0;
}
static const rp_actor passer = {.name = "passer", .handle = pass_on, .init = init_ring, .state_size = sizeof(struct ring)};

static int in_a_ring(rp_self *me, void *arg)
{
    rp_ref r[3], quick;
    rp_msg *m;
    bool many = true, one = false;
    (void)arg;
    check_eq(rp_spawn(me, &server, NULL, &quick), 0);
    for (unsigned i = 0; i < 3; i++)
        check_eq(rp_spawn(me, &passer, &(rp_spawn_opts){.arg = i == 1 ? &many : &one, .on = RP_SPREAD}, &r[i]), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct num b = {0, r[(i + 1) % 3]};
        check_eq(rp_call(me, r[i], NUM, &b, &m, RP_FOREVER), 0); /* it knows before another asks it */
        rp_msg_drop(me, m);
    }
    struct num go = {1, quick};
    check_eq(rp_call(me, r[0], NUM, &go, &m, rp_in_ms(me, 5000)), -EDEADLK);
    return 0;
}

TEST(ask, a_ring_through_many_is_found)
{
    everywhere(in_a_ring, 0);
}
