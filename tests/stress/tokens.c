/* SPDX-License-Identifier: MIT
 *
 * tokens.c - the right to reply, under everything that can happen to it. Each ask ends once: by the reply that
 * was meant for it, by an error somebody gave it, broken with the name of who broke it, by its deadline, or by
 * the loss of its node. One that is lost stands still, and the run says so; what comes too late is counted.
 *
 * Brokers on all loops do with each call, by chance: reply, reply twice, take the token, store it, send it on (or in a
 * timer, or to one that has ended, or through nobody's hands), use it later, drop it, forget the message it is
 * in, keep the whole message, pass it on, fail while they hold some, and are started again by their supervisor.
 * They clear up nothing. Askers wait with and without deadlines. Then all of it between two nodes,
 * one of which is killed in the middle.
 */
#include "tests/audit.h"
#include "tests/stress/stress.h"

#include "reparto/sim.h"

#include <errno.h>
#include <stdatomic.h>

enum { BROKERS = 6, ASKERS = 8, STORE = 8 };

/* Counted on any loop, read when all have ended. */
struct tally {
    _Atomic uint64_t asked, replied, broken, refused, timed_out, lost, unknown; /* how asks have ended */
    _Atomic uint64_t sent; /* replies that were accepted */
};

struct market {
    struct tally *tally;
    rp_ref broker[BROKERS];
    uint64_t each;
    bool far;   /* the brokers are in another process */
    const char *url;
};

struct work {
    uint64_t n;
    rp_token token; /* sent on; none in a call */
};
static const rp_field work_fields[] = {RP_FIELD(struct work, n, RP_U64), RP_FIELD(struct work, token, RP_TOKEN)};
static const rp_type work_type = RP_TYPE("tokens.work", struct work, work_fields);
#define WORK (&work_type)

/* ---- brokers ---------------------------------------------------------------------------------------- */

static uint64_t answer_to(uint64_t n)
{
    return n * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

struct broker {
    struct market *market;
    struct work held[STORE];
    rp_msg *kept;
};

/* 0, or the asker's process is gone. */
static void used(struct broker *s, int rc)
{
    check(rc == 0 || (s->market->far && rc == -EHOSTUNREACH), "%d", rc);
    s->market->tally->sent += rc == 0;
}

static void use(rp_self *me, struct broker *s, struct work *w)
{
    struct work r = {.n = answer_to(w->n)};
    int rc = 0;
    switch (rp_random(me) % 3) {
    case 0:
        used(s, rc = rp_token_reply(me, &w->token, WORK, &r));
        break;
    case 1:
        rc = rp_token_error(me, &w->token, -ENOTSUP);
        check(rc == 0 || rc == -EHOSTUNREACH, "%d", rc);
        break;
    default:
        rp_token_drop(me, &w->token);
    }
    if (rc != 0)
        rp_token_drop(me, &w->token); /* nobody is there to be told */
    check_eq(rp_token_reply(me, &w->token, WORK, &r), -EALREADY);
    check_eq(rp_token_error(me, &w->token, -EIO), -EALREADY);
    rp_token_drop(me, &w->token); /* nothing */
}

static rp_ref other(rp_self *me, struct broker *s)
{
    return s->market->broker[rp_random(me) % BROKERS];
}

/* To another, who may be at anything, or to oneself later; only what was accepted is not this one's any more. */
static void send_on(rp_self *me, struct broker *s, struct work *w)
{
    int rc = rp_random(me) % 4 ? rp_try_tell(me, other(me, s), WORK, w)
                               : rp_timer_start(me, rp_now(me) + (rp_time)(rp_random(me) % (uint64_t)RP_MS), WORK, w, NULL);
    check(rc == 0 || rc == -EAGAIN, "%d", rc);
    if (rc != 0) {
        use(me, s, w);
        return;
    }
    check_eq(rp_token_reply(me, &w->token, WORK, w), -EALREADY);
    check_eq(rp_try_tell(me, rp_self_ref(me), WORK, w), -EINVAL);
    rp_token_drop(me, &w->token); /* nothing */
}

/* By nobody's hands; whoever has it then uses it, or answers for it again. */
static void hand_round(rp_self *me, struct broker *s, struct work *w)
{
    check_eq(rp_token_detach(me, &w->token), 0);
    if (rp_random(me) % 2)
        check_eq(rp_token_attach(me, &w->token), 0);
    use(me, s, w);
}

static void store(rp_self *me, struct broker *s, const struct work *w)
{
    struct work *at = &s->held[rp_random(me) % STORE];
    if (at->token.call != 0)
        use(me, s, at);
    *at = *w;
}

static int take(rp_self *me, const rp_msg *m, struct work *w)
{
    int rc = rp_take_token(me, m, &w->token);
    check_eq(rc, 0);
    check_eq(rp_take_token(me, m, &(rp_token){0}), -EALREADY);
    check(!rp_wants_reply(m));
    return rc;
}

static void reply_at_once(rp_self *me, struct broker *s, const rp_msg *m, uint64_t n)
{
    struct work r = {.n = answer_to(n)};
    int rc = rp_reply(me, m, WORK, &r);
    used(s, rc);
    if (rc == 0)
        check_eq(rp_reply(me, m, WORK, &r), -EALREADY);
}

static int on_call(rp_self *me, struct broker *s, const rp_msg *m, struct work w)
{
    int rc;
    switch (rp_random(me) % 10) {
    case 0:
    case 1:
        reply_at_once(me, s, m, w.n);
        return 0;
    case 2:
        take(me, m, &w);
        store(me, s, &w);
        return 0;
    case 3:
        take(me, m, &w);
        send_on(me, s, &w);
        return 0;
    case 4: /* later, and others have their turn meanwhile */
        rc = rp_sleep(me, rp_now(me) + (rp_time)(rp_random(me) % (uint64_t)RP_MS));
        if (rc == 0)
            reply_at_once(me, s, m, w.n);
        return rc;
    case 5: {
        rp_ref to = other(me, s); /* to oneself would be a wait for oneself */
        rc = rp_ref_eq(to, rp_self_ref(me)) ? -EAGAIN : rp_forward(me, m, to);
        check(rc == 0 || rc == -EAGAIN || rc == -EDEADLK || rc == -ECANCELED, "%d", rc);
        return rc == -ECANCELED ? rc : 0;
    }
    case 6:
        rp_msg_drop(me, s->kept);
        s->kept = NULL;
        return rp_keep(me, m, &s->kept);
    case 7:
        rc = rp_reply_error(me, m, -ENOTSUP);
        check(rc == 0 || rc == -EHOSTUNREACH, "%d", rc);
        return 0;
    case 8:
        return rp_random(me) % 8 ? 0 : -EIO; /* it fails, with all that it holds */
    default:
        return 0; /* forgotten */
    }
}

static int on_token(rp_self *me, struct broker *s, const rp_msg *m, struct work w)
{
    const struct work *b = rp_body(m, WORK);
    check_eq(rp_token_from(me, m, &b->token, &w.token), 0);
    check_eq(rp_token_from(me, m, &b->token, &(rp_token){0}), -EALREADY);
    switch (rp_random(me) % 5) {
    case 0:
    case 1:
        send_on(me, s, &w);
        return 0;
    case 2:
        store(me, s, &w);
        return 0;
    case 3:
        hand_round(me, s, &w);
        return 0;
    default:
        use(me, s, &w);
        return rp_random(me) % 8 ? 0 : -EIO;
    }
}

static int on_work(rp_self *me, void *state, const rp_msg *m)
{
    struct broker *s = state;
    struct work w = *(const struct work *)rp_body(m, WORK);
    if (rp_wants_reply(m))
        return on_call(me, s, m, w);
    switch (rp_random(me) % 8) {
    case 0: /* forgotten, and it breaks with its message */
        return 0;
    case 1: {
        rp_ref to = other(me, s);
        int rc = rp_ref_eq(to, rp_self_ref(me)) ? 0 : rp_forward(me, m, to);
        check(rc == 0 || rc == -EDEADLK || rc == -ECANCELED, "%d", rc);
        return rc == -ECANCELED ? rc : 0;
    }
    default:
        return on_token(me, s, m, w);
    }
}

static int broker_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct broker *)state)->market = arg;
    return 0;
}

/* What an actor owns it gives back: a message. For the tokens it holds the runtime answers. */
static void broker_fini(rp_self *me, void *state, int reason)
{
    struct broker *s = state;
    (void)reason;
    rp_msg_drop(me, s->kept);
}
static const rp_actor broker = {
    .name = "broker", .handle = on_work, .init = broker_init, .fini = broker_fini, .state_size = sizeof(struct broker),
};

static void open_market(rp_self *me, struct market *market)
{
    static const char *const names[BROKERS] = {"b0", "b1", "b2", "b3", "b4", "b5"};
    rp_child child[BROKERS];
    for (unsigned i = 0; i < BROKERS; i++)
        child[i] = (rp_child){.actor = &broker, .opts = {.name = names[i], .arg = market, .on = RP_LOOP(i % rp_loop_count(me)),
                                                         .mailbox = 32}};
    rp_supervisor s = {.children = child, .nchildren = BROKERS, .restarts = 100000, .within_ms = 1};
    rp_ref sup;
    check_eq(rp_supervise(me, &s, NULL, &sup), 0);
    for (unsigned i = 0; i < BROKERS; i++)
        check_eq(rp_supervise_child(me, sup, i, &market->broker[i]), 0);
}

/* ---- askers ----------------------------------------------------------------------------------------- */

static void ended(rp_self *me, const struct market *market, int rc, const rp_msg *m, uint64_t n)
{
    struct tally *t = market->tally;
    t->asked++;
    switch (rc) {
    case 0:
        check_eq(((const struct work *)rp_body(m, WORK))->n, answer_to(n));
        t->replied++;
        return;
    case -EPIPE:
        check(market->far || strcmp(rp_blame(me), "broker") == 0, "broken by \"%s\"", rp_blame(me));
        t->broken++;
        return;
    case -ENOTSUP:
        t->refused++;
        return;
    case -ETIMEDOUT:
        t->timed_out++;
        return;
    case -EHOSTUNREACH:
        check(market->far);
        t->lost++;
        return;
    default:
        check(rc == -ESRCH && market->far, "%d", rc); /* here the brokers live on */
        t->unknown++;
    }
}

static int ask_on(rp_self *me, void *arg)
{
    struct market *market = arg;
    for (uint64_t i = 0; i < market->each; i++) {
        struct work w = {.n = rp_random(me)};
        rp_time by = rp_random(me) % 4 ? RP_FOREVER : rp_now(me) + (rp_time)(rp_random(me) % (uint64_t)(2 * RP_MS));
        rp_msg *m = NULL;
        int rc = rp_call(me, market->broker[rp_random(me) % BROKERS], WORK, &w, &m, by);
        ended(me, market, rc, m, w.n);
        rp_msg_drop(me, m);
        if (rc == -EHOSTUNREACH)
            return 0;
    }
    return 0;
}
static const rp_actor asker = {.name = "asker", .run = ask_on};

/* Told now and then that it is not needed, so that nobody waits for ever for what a broker has stored. */
static int stir(rp_self *me, void *arg)
{
    struct market *market = arg;
    for (int rc = 0; rc == 0; rc = rp_sleep(me, rp_in_ms(me, 1)))
        for (unsigned i = 0; i < BROKERS; i++)
            if (rp_stop(me, market->broker[i], "stirred") != 0)
                return -EIO;
    return 0;
}
static const rp_actor stirrer = {.name = "stirrer", .run = stir};

static void ask_all(rp_self *me, struct market *market)
{
    for (unsigned i = 0; i < ASKERS; i++) {
        rp_spawn_opts o = {.arg = market, .on = RP_SPREAD, .monitor = true};
        check_eq(rp_spawn(me, &asker, &o, NULL), 0);
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
}

static int trade(rp_self *me, void *arg)
{
    struct market *market = arg;
    open_market(me, market);
    check_eq(rp_spawn(me, &stirrer, &(rp_spawn_opts){.arg = market}, NULL), 0);
    ask_all(me, market);
    return 0;
}

/* ---- two nodes -------------------------------------------------------------------------------------- */

static int serve(rp_self *me, void *arg)
{
    struct market *market = arg;
    open_market(me, market);
    check_eq(rp_spawn(me, &stirrer, &(rp_spawn_opts){.arg = market}, NULL), 0);
    return rp_sleep(me, RP_FOREVER);
}

static int trade_afar(rp_self *me, void *arg)
{
    struct market *market = arg;
    rp_node node;
    int rc = rp_connect(me, market->url, &node, rp_in_ms(me, 1000));
    for (unsigned i = 0; i < BROKERS && rc == 0; i++) {
        char name[] = {'b', (char)('0' + i), 0};
        rc = rp_lookup(me, node, name, &market->broker[i], RP_FOREVER);
    }
    if (rc == -EHOSTUNREACH || rc == -ETIMEDOUT)
        return 0; /* killed before it began */
    check_eq(rc, 0);
    ask_all(me, market);
    return 0;
}

static void two_nodes(uint64_t seed, struct tally *tally)
{
    static const rp_type *const types[] = {&work_type, NULL};
    struct market here = {.tally = tally, .each = UINT64_MAX, .far = true, .url = "sim://market"};
    struct market there = {.tally = tally, .far = true};
    rp_actor server = {.name = "server", .run = serve}, client = {.name = "client", .run = trade_afar};
    rp_ledger l;
    rp_system_opts os = {.loops = 2, .listen = here.url, .types = types},
                   oc = {.loops = 1 + (unsigned)(seed % 2), .types = types, .ledger = &l};
    unsigned s, c;
    rp_sim *sim = rp_sim_new(seed);
    check_eq(rp_sim_add(sim, &server, &there, &os, &s), 0);
    check_eq(rp_sim_add(sim, &client, &here, &oc, &c), 0);
    check_eq(rp_sim_run(sim, (rp_time)(rp_sim_random(sim) % (uint64_t)(300 * RP_MS))), -ETIMEDOUT);
    rp_sim_crash(sim, s);
    int rc = rp_sim_run(sim, 100 * RP_S);
    check(rc == 0, "seed %llu: an ask does not end: %d", (unsigned long long)seed, rc);
    check_eq(rp_sim_result(sim, c), 0);
    rp_sim_free(sim);
    check_eq(l.sent + l.arrived, l.handled + l.left + l.dead + l.dropped + l.late + l.expired);
}

/* ---- all -------------------------------------------------------------------------------------------- */

static void say(const char *where, const struct tally *t)
{
    printf("%s: %llu asked, %llu replied, %llu broken, %llu refused, %llu timed out, %llu lost\n", where,
           (unsigned long long)t->asked, (unsigned long long)t->replied, (unsigned long long)t->broken,
           (unsigned long long)t->refused, (unsigned long long)t->timed_out, (unsigned long long)t->lost);
    check(t->asked == t->replied + t->broken + t->refused + t->timed_out + t->lost + t->unknown);
    check(t->replied <= t->sent && t->sent <= t->replied + t->timed_out + t->lost); /* none twice, none made up */
    check(t->replied && t->broken && t->refused && t->timed_out);
}

unsigned stress_tokens(void)
{
    uint64_t asks = size_from("RP_TOKENS", 400000), seeds = 100;
    struct tally threads = {0}, sim = {0}, far = {0};
    rp_system_opts three = {.loops = 3}, chaos = {.loops = 3, .chaos_seed = test_seed()};
    struct market m = {.tally = &threads, .each = asks / 32 / ASKERS};
    check_eq(run_with(trade, &m, &three), 0);
    check_eq(run_with(trade, &m, &chaos), 0);
    say("threads", &threads);
    for (uint64_t i = 0; i < seeds; i++) {
        rp_system_opts o = {.loops = (unsigned)(1 + i % 3), .sim_seed = test_seed() + i};
        struct market ms = {.tally = &sim, .each = asks / 2 / seeds / ASKERS};
        check_eq(run_with(trade, &ms, &o), 0);
    }
    say("simulated", &sim);
    for (uint64_t i = 0; i < seeds; i++)
        two_nodes(test_seed() + i, &far);
    say("over a link that is lost", &far);
    check(far.lost > 0);
    return 4;
}
