/* SPDX-License-Identifier: MIT
 *
 * rings.c - actors that wait for each other in a ring learn of it, and nobody else does.
 *
 * Planted: rings of one to eight calls over all loops, of handlers and coroutines, all begun at once. Each is
 * broken, by who stands in it, and the names told are the ring's.
 *
 * Not planted: random calls that last longer than it takes to be suspected, among actors that never wait in a
 * ring, but look as if: they ask down a ladder, pass calls on, and ask back who asks them while somebody
 * else already has the right to reply. None may be told -EDEADLK.
 *
 * And graphs by chance, of locks, calls and full mailboxes, in which it is known who stands in a ring (graph.h).
 */
#include "tests/graph.h"
#include "tests/stress/stress.h"

#include "reparto/sim.h"

#include <errno.h>
#include <stdatomic.h>

/* ---- planted ---------------------------------------------------------------------------------------- */

enum { LONGEST = 8 };

struct ring {
    unsigned n;
    rp_ref member[LONGEST];
    char name[LONGEST][4];
    /* Counted by members on any loop, read when all have ended. */
    _Atomic unsigned told, unwound;
};

struct member {
    struct ring *ring;
    unsigned i;
};

/* "a > b > a", from any of the ring's on. */
static void check_names(const struct ring *r, const char *blame)
{
    for (unsigned first = 0; first < r->n; first++) {
        char want[64] = "";
        for (unsigned k = 0; k <= r->n; k++) {
            strcat(want, k ? " > " : "");
            strcat(want, r->name[(first + k) % r->n]);
        }
        if (strcmp(want, blame) == 0)
            return;
    }
    check(false, "a ring of %u is told as %s", r->n, blame);
}

static int ask_next(rp_self *me, struct ring *r, unsigned i)
{
    rp_msg *m;
    int rc = rp_call(me, r->member[(i + 1) % r->n], NUM, &(struct num){.n = 1}, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    if (rc == -EDEADLK) {
        check_names(r, rp_blame(me));
        atomic_fetch_add(&r->told, 1);
    } else {
        check(rc == 0 || rc == -EPIPE || rc == -ESRCH, "%d", rc);
        atomic_fetch_add(&r->unwound, 1);
    }
    return RP_STOP;
}

static int ring_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct member *s = state;
    (void)m;
    return ask_next(me, s->ring, s->i);
}

static int ring_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct member *)state = *(struct member *)arg;
    return 0;
}

static int ring_run(rp_self *me, void *arg)
{
    struct member s = *(struct member *)arg;
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    ask_next(me, s.ring, s.i);
    rp_msg_drop(me, m); /* it may be the call of the one before */
    return 0;
}

static void plant(rp_self *me, unsigned n)
{
    struct ring r = {.n = n};
    struct member member[LONGEST];
    rp_actor kind[LONGEST];
    for (unsigned i = 0; i < n; i++) {
        memcpy(r.name[i], (char[]){'r', (char)('0' + i), 0}, 3);
        member[i] = (struct member){&r, i};
        bool co = rp_random(me) % 2;
        kind[i] = (rp_actor){.name = r.name[i], .state_size = sizeof(struct member)};
        if (co)
            kind[i].run = ring_run;
        else
            kind[i].handle = ring_handle, kind[i].init = ring_init;
        rp_spawn_opts o = {.on = RP_LOOP((unsigned)rp_random(me) % rp_loop_count(me)), .arg = &member[i], .monitor = true};
        check_eq(rp_spawn(me, &kind[i], &o, &r.member[i]), 0);
    }
    for (unsigned i = 0; i < n; i++)
        check_eq(tell_num(me, r.member[i], 1), 0);
    for (unsigned i = 0; i < n; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    check(r.told >= 1 && r.told + r.unwound == n, "a ring of %u: %u told, %u unwound", n, r.told, r.unwound);
}

static int plant_all(rp_self *me, void *arg)
{
    for (uint64_t i = 0; i < *(uint64_t *)arg; i++)
        for (unsigned n = 1; n <= LONGEST; n++)
            plant(me, n);
    return 0;
}

/* ---- not planted ------------------------------------------------------------------------------------ */

enum { RUNGS = 24, ASKERS = 24 };

struct ladder {
    rp_ref rung[RUNGS];
    uint64_t each;         /* calls of every asker */
    _Atomic uint64_t done; /* for the report: relaxed would do */
};

struct question {
    uint32_t from; /* rung: ask further down from here */
    uint32_t kind;
    rp_token token; /* LATER: answer by it */
};
enum kind { DOWN, PASS, BACK, LATER, QUESTIONS };
static const rp_field question_fields[] = {RP_FIELD(struct question, from, RP_U32), RP_FIELD(struct question, kind, RP_U32),
                                           RP_FIELD(struct question, token, RP_TOKEN)};
static const rp_type question_type = RP_TYPE("rings.question", struct question, question_fields);
#define QUESTION (&question_type)

struct rung {
    struct ladder *ladder;
    uint32_t at;
};

/* Now and then so long that who waits is suspected. */
static int take_time(rp_self *me)
{
    return rp_random(me) % 4 ? rp_yield(me) : rp_sleep(me, rp_now(me) + (rp_time)(rp_random(me) % (uint64_t)(120 * RP_MS)));
}

static rp_ref below(rp_self *me, const struct rung *s)
{
    return s->ladder->rung[s->at + 1 + rp_random(me) % (RUNGS - s->at - 1)];
}

static int ask(rp_self *me, rp_ref to, const struct question *q)
{
    rp_msg *m = NULL;
    int rc = rp_call(me, to, QUESTION, q, &m, RP_FOREVER); /* -ECANCELED: all askers have ended, and with them the run */
    check(rc == 0 || rc == -ECANCELED, "%s: %s", rp_strerror(rc), rp_blame(me));
    rp_msg_drop(me, m);
    return rc;
}

/* The right to reply goes to another, and only then it asks who waits for that reply. */
static int ask_back(rp_self *me, struct rung *s, const rp_msg *m)
{
    struct question later = {.kind = LATER};
    rp_ref asker = rp_from(me, m);
    check_eq(rp_take_token(me, m, &later.token), 0);
    int rc = rp_tell(me, below(me, s), QUESTION, &later);
    check(rc == 0, "%s: %s", rp_strerror(rc), rp_blame(me));
    return ask(me, asker, &(struct question){.kind = BACK});
}

static int on_question(rp_self *me, void *state, const rp_msg *m)
{
    struct rung *s = state;
    const struct question *b = rp_body(m, QUESTION);
    struct question q = *b;
    int rc = take_time(me);
    if (rc != 0)
        return rc;
    if (q.kind == LATER) {
        rp_token k;
        check_eq(rp_token_from(me, m, &b->token, &k), 0);
        return rp_token_reply(me, &k, QUESTION, &(struct question){.kind = LATER});
    }
    if (s->at == RUNGS - 1)
        return rp_reply(me, m, QUESTION, &q);
    if (q.kind == PASS)
        return rp_forward(me, m, below(me, s));
    if (q.kind == BACK)
        return ask_back(me, s, m);
    if (rp_random(me) % 2)
        rc = ask(me, below(me, s), &(struct question){.kind = rp_random(me) % 2 ? DOWN : PASS});
    return rc != 0 ? rc : rp_reply(me, m, QUESTION, &q);
}

static int rung_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct rung *)state = *(struct rung *)arg;
    return 0;
}
static const rp_actor rung = {.name = "rung", .handle = on_question, .init = rung_init, .state_size = sizeof(struct rung)};

/* A coroutine: who asks it back, while it waits itself, gets the answer when it waits no more. */
static int ask_on(rp_self *me, void *arg)
{
    struct ladder *l = arg;
    for (uint64_t i = 0; i < l->each; i++) {
        struct question q = {.kind = (uint32_t)(rp_random(me) % LATER)};
        uint32_t at = (uint32_t)(rp_random(me) % RUNGS);
        check_eq(ask(me, l->rung[at], &q), 0);
        atomic_fetch_add(&l->done, 1);
        rp_msg *m;
        int rc; /* every BACK that was not answered at the last rung comes here, before or after that reply */
        while ((rc = rp_recv(me, &m, q.kind == BACK && at < RUNGS - 1 ? RP_FOREVER : rp_now(me))) == 0) {
            check_eq(rp_reply(me, m, QUESTION, &q), 0);
            rp_msg_drop(me, m);
            q.kind = DOWN;
        }
        check_eq(rc, -ETIMEDOUT);
    }
    return 0;
}
static const rp_actor asker = {.name = "asker", .run = ask_on};

static int climb(rp_self *me, void *arg)
{
    struct ladder l = {.each = *(uint64_t *)arg / ASKERS + 1};
    struct rung r[RUNGS];
    struct rp_down d;
    for (unsigned i = 0; i < RUNGS; i++) {
        r[i] = (struct rung){&l, i};
        rp_spawn_opts o = {.on = RP_LOOP((unsigned)rp_random(me) % rp_loop_count(me)), .arg = &r[i], .mailbox = 4};
        check_eq(rp_spawn(me, &rung, &o, &l.rung[i]), 0);
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        rp_spawn_opts o = {.on = RP_LOOP((unsigned)rp_random(me) % rp_loop_count(me)), .arg = &l, .monitor = true};
        check_eq(rp_spawn(me, &asker, &o, NULL), 0);
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return 0;
}

static int graphs(rp_self *me, void *arg)
{
    struct graph_node node[GRAPH_MOST];
    for (uint64_t i = 0; i < *(uint64_t *)arg; i++)
        graph_play(me, node, graph_random(me, node, GRAPH_MOST));
    return 0;
}

unsigned stress_rings(void)
{
    uint64_t calls = size_from("RP_RINGS", 1000000), seeds = 20, some = 20, few = calls / 2000, share = calls / seeds;
    uint64_t drawn = calls / 10000;
    rp_system_opts two = {.loops = 2}, chaos = {.loops = 3, .chaos_seed = test_seed()};
    check_eq(run_with(plant_all, &(uint64_t){2}, &two), 0);
    check_eq(run_with(plant_all, &(uint64_t){2}, &chaos), 0);
    check_eq(run_with(climb, &few, &two), 0);
    check_eq(run_with(graphs, &(uint64_t){10}, &two), 0);
    check_eq(run_with(graphs, &(uint64_t){10}, &chaos), 0);
    printf("%llu random calls on threads, and 32 rings\n", (unsigned long long)few);
    for (uint64_t i = 0; i < seeds; i++) {
        rp_system_opts sim = {.loops = (unsigned)(1 + i % 3), .sim_seed = test_seed() + i};
        check_eq(run_with(plant_all, &some, &sim), 0);
        check_eq(run_with(climb, &share, &sim), 0);
        check_eq(run_with(graphs, &drawn, &sim), 0);
    }
    printf("%llu graphs simulated\n", (unsigned long long)(seeds * drawn));
    printf("%llu random calls simulated, and %llu rings\n", (unsigned long long)calls, (unsigned long long)(seeds * some * LONGEST));
    return 7;
}
