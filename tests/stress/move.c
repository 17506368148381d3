/* SPDX-License-Identifier: MIT
 *
 * move.c - an actor that is never where it was: eight senders on all loops, calls, timers, monitors, a mailbox
 * that is mostly full, and meanwhile it hops from loop to loop. Then many short lives, each moved and ended at
 * any moment. None lost, none twice, in order for each sender; every end told once; nobody left.
 */
#include "tests/audit.h"
#include "tests/stress/stress.h"

#include "actors/table/actor.h"

#include <errno.h>

enum { SENDERS = 8, ASK_EVERY = 500 };

/* ---- the one who hops -------------------------------------------------------------------------------- */

struct hopper {
    uint64_t next[SENDERS], ticks, keyed;
    unsigned loop;
    rp_time last;     /* when it had done with the last message */
};

struct work {
    uint64_t each;    /* messages of each sender */
    unsigned hops;
    rp_ref hopper;
    _Atomic uint64_t got, done; /* messages; hops */
    rp_time *pause;   /* of each hop: between the last message before it and the first after it */
    _Atomic unsigned npauses;
    bool live;        /* there is a clock to measure by */
};

static struct work *work_now; /* a process runs one at a time */

static const rp_type tick_type = {.name = "move.tick", .size = sizeof(struct num)};
static const rp_type keyed_type = {.name = "move.keyed", .size = sizeof(struct num)};

static void note_pause(rp_self *me, struct hopper *h)
{
    struct work *w = work_now;
    unsigned loop = rp_loop_index(me);
    rp_time now = w->live || loop != h->loop ? rp_now(me) : 0;
    if (loop != h->loop && h->last && w->npauses < w->hops)
        w->pause[w->npauses++] = now - h->last;
    h->loop = loop;
    h->last = now;
}

static int hop_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct hopper *h = state;
    const struct num *b = rp_body(m, NUM);
    const struct text *t = rp_body(m, TEXT);
    if (rp_type_of(m) == &tick_type || rp_type_of(m) == &keyed_type) {
        h->ticks += rp_type_of(m) == &tick_type;
        h->keyed += rp_type_of(m) == &keyed_type;
        return 0;
    }
    uint64_t n = b ? b->n : ((uint64_t)t->id);
    uint64_t from = n >> 28, i = n & 0xfffffff;
    check(from < SENDERS && i == h->next[from], "from %d: %d came, %d was expected", (int)from, (int)i, (int)h->next[from]);
    h->next[from]++;
    note_pause(me, h);
    work_now->got++;
    int rc = 0;
    if (i % 64 == 0) /* it is stopped again and again, and never comes */
        rc = rp_timer_key(me, 1, rp_in_ms(me, 10000), &keyed_type, &(struct num){i, {0, 0}});
    if (rc == 0 && i % 97 == 0)
        rc = rp_yield(me); /* and its mailbox fills */
    if (rc == 0 && rp_wants_reply(m))
        rc = rp_reply(me, m, NUM, &(struct num){n, {h->keyed, 0}});
    return rc;
}

static int hop_init(rp_self *me, void *state, void *arg)
{
    struct hopper *h = state;
    (void)arg;
    h->loop = rp_loop_index(me);
    return rp_timer_every(me, rp_in_ms(me, 1), RP_MS, &tick_type, &(struct num){0, {0, 0}}, NULL);
}
static const rp_actor hopper = {.name = "hopper", .init = hop_init, .handle = hop_handle, .state_size = sizeof(struct hopper)};

/* ---- the senders ------------------------------------------------------------------------------------- */

static int send_one(rp_self *me, uint64_t from, uint64_t i)
{
    char bytes[200];
    uint64_t n = from << 28 | i;
    if (i % 16 == 7) {
        memset(bytes, 'x', sizeof bytes);
        return rp_tell(me, work_now->hopper, TEXT, &(struct text){(uint32_t)n, {bytes, sizeof bytes}});
    }
    if (i % ASK_EVERY != 3)
        return tell_num(me, work_now->hopper, n);
    rp_msg *m;
    int rc = rp_call(me, work_now->hopper, NUM, &(struct num){n, {0, 0}}, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    const struct num *r = rp_body(m, NUM);
    check_eq(r->n, n);
    check_eq(r->ref.node, 0); /* no keyed timer has come */
    rp_msg_drop(me, m);
    return 0;
}

static int send_run(rp_self *me, void *arg)
{
    uint64_t from = (uintptr_t)arg;
    struct rp_down d;
    int rc = rp_monitor(me, work_now->hopper);
    for (uint64_t i = 0; i < work_now->each && rc == 0; i++)
        rc = send_one(me, from, i);
    if (rc == 0)
        rc = recv_down(me, &d); /* once, wherever it ends */
    check(rc != 0 || d.reason == -ECANCELED);
    return rc;
}
static const rp_actor sender = {.name = "sender", .run = send_run};

/* ---- one run ----------------------------------------------------------------------------------------- */

static void hop_all(rp_self *me, struct work *w)
{
    unsigned n = rp_loop_count(me);
    uint64_t total = w->each * SENDERS;
    for (unsigned i = 0; i < w->hops; i++) {
        while (w->got < total * i / w->hops)
            check_eq(w->live ? rp_yield(me) : rp_sleep(me, rp_now(me) + 20 * RP_US), 0);
        unsigned to = (unsigned)(rp_random(me) % (n - 1));
        to += RP_LOOP(to) >= rp_place_of(me, w->hopper);
        check_eq(rp_move(me, w->hopper, RP_LOOP(to)), 0);
        check_eq(rp_place_of(me, w->hopper), RP_LOOP(to));
        w->done++;
    }
}

static int run_hops(rp_self *me, void *arg)
{
    struct work *w = arg;
    unsigned n = rp_loop_count(me);
    work_now = w;
    w->live = me->loop->world->real;
    if (w->live)
        check_eq(rp_spawn(me, &auditor, NULL, NULL), 0);
    check_eq(rp_spawn(me, &hopper, &(rp_spawn_opts){.mailbox = 32}, &w->hopper), 0);
    for (unsigned i = 0; i < SENDERS; i++)
        check_eq(rp_spawn(me, &sender, &(rp_spawn_opts){.on = RP_LOOP(i % n), .arg = (void *)(uintptr_t)i, .monitor = true}, NULL), 0);
    hop_all(me, w);
    while (w->got < w->each * SENDERS)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rp_stop(me, w->hopper, "enough"), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    check_eq(w->got, w->each * SENDERS);
    return 0;
}

static int by_size(const void *a, const void *b)
{
    rp_time x = *(const rp_time *)a, y = *(const rp_time *)b;
    return (x > y) - (x < y);
}

static void hops(const char *name, rp_system_opts o, uint64_t total, unsigned nhops)
{
    struct work w = {.each = total / SENDERS, .hops = nhops, .pause = calloc(nhops, sizeof *w.pause)};
    rp_ledger l = {0};
    o.ledger = &l;
    check_eq(run_with(run_hops, &w, &o), 0);
    check_eq(l.lost_signals, 0);
    check_eq(w.done, nhops);
    qsort(w.pause, w.npauses, sizeof *w.pause, by_size);
    if (name && w.npauses)
        printf("%s: %d messages, %u hops; pause: median %.3f ms, 99 %% %.3f, longest %.3f\n", name, (int)(w.each * SENDERS),
               nhops, (double)w.pause[w.npauses / 2] / 1e6, (double)w.pause[w.npauses * 99 / 100] / 1e6,
               (double)w.pause[w.npauses - 1] / 1e6);
    free(w.pause);
}

/* ---- short lives ------------------------------------------------------------------------------------- */

enum { LIVES = 64, END = 1, FAIL, SPAWN, GO };

static _Atomic int64_t alive;
static int live_handle(rp_self *me, void *state, const rp_msg *m);

static int live_init(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    alive++;
    return 0;
}

static void live_fini(rp_self *me, void *state, int reason)
{
    (void)me, (void)state, (void)reason;
    alive--;
}
static const rp_actor life = {.name = "life", .init = live_init, .handle = live_handle, .fini = live_fini, .state_size = 64};

static int live_handle(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    if (!b)
        return 0;
    if (b->n == GO)
        return rp_move(me, rp_self_ref(me), (unsigned)b->ref.local) == -ECANCELED ? -ECANCELED : 0;
    if (b->n == SPAWN)
        return rp_spawn(me, &life, &(rp_spawn_opts){.on = b->ref.local % 2 ? RP_SAME : RP_SPREAD}, NULL);
    if (b->n == FAIL && b->ref.local % 2)
        return rp_yield(me) == 0 ? -EIO : -ECANCELED;
    return b->n == END ? RP_STOP : b->n == FAIL ? -EIO : 0;
}

/* One thing that happens to one of them, by chance. */
static int happen(rp_self *me, rp_ref who)
{
    unsigned n = rp_loop_count(me);
    uint64_t dice = rp_random(me) % 32, arg = rp_random(me) >> 8;
    int rc = 0;
    if (dice < 8)
        rc = rp_tell(me, who, NUM, &(struct num){GO, {1, RP_LOOP(arg % n)}});
    else if (dice < 20)
        rc = rp_move(me, who, RP_LOOP(arg % n));
    else if (dice < 24)
        rc = rp_tell(me, who, NUM, &(struct num){SPAWN, {1, arg}});
    else if (dice < 28)
        rc = rp_tell(me, who, NUM, &(struct num){GO + 1 + arg % 8, {0, 0}});
    else if (dice < 30)
        rc = rp_tell(me, who, NUM, &(struct num){dice == 28 ? END : FAIL, {1, arg}});
    else
        rc = rp_stop(me, who, "by chance");
    return rc == -ESRCH || rc == -EALREADY || rc == -EBUSY ? 0 : rc;
}

struct fate {
    rp_ref *who;
    uint64_t steps;
};

static int fate_run(rp_self *me, void *arg)
{
    const struct fate *f = arg;
    int rc = 0;
    for (uint64_t i = 0; i < f->steps && rc == 0; i++)
        rc = happen(me, f->who[rp_random(me) % LIVES]);
    return rc;
}
static const rp_actor fate = {.name = "fate", .run = fate_run};

static void event(rp_self *me, void *arg, const rp_supervision *e)
{
    (void)me;
    *(uint64_t *)arg += e->what == RP_CHILD_RESTARTED;
}

static int run_lives(rp_self *me, void *arg)
{
    uint64_t steps = *(uint64_t *)arg, restarts = 0;
    unsigned n = rp_loop_count(me), downs = 0;
    rp_ref who[LIVES], sup;
    rp_child c[LIVES / 2];
    for (unsigned i = 0; i < LIVES / 2; i++)
        c[i] = (rp_child){.actor = &life, .opts = {.on = RP_SPREAD}};
    const rp_supervisor s = {.children = c, .nchildren = LIVES / 2, .restarts = 100000, .within_ms = 1, .event = event, .event_arg = &restarts};
    check_eq(rp_supervise(me, &s, NULL, &sup), 0);
    for (unsigned i = 0; i < LIVES / 2; i++)
        check_eq(rp_supervise_child(me, sup, i, &who[i]), 0);
    for (unsigned i = LIVES / 2; i < LIVES; i++)
        check_eq(rp_spawn(me, &life, &(rp_spawn_opts){.on = RP_SPREAD, .monitor = true}, &who[i]), 0);
    struct fate f = {who, steps / n};
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_spawn(me, &fate, &(rp_spawn_opts){.arg = &f, .on = RP_LOOP(i), .monitor = true}, NULL), 0);
    for (unsigned fates = 0; downs < LIVES / 2 + n; downs++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check(strcmp(d.name, "fate") != 0 || d.reason == 0, "fate: %d", d.reason);
        fates += strcmp(d.name, "fate") == 0;
        for (unsigned i = LIVES / 2; fates == n && i < LIVES; i++) /* those that chance has spared */
            check_eq(rp_stop(me, who[i], "enough"), 0);
    }
    check_eq(rp_monitor(me, sup), 0);
    check_eq(rp_stop(me, sup, "enough"), 0);
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    check_eq(alive, 0);
    check(steps < 1000 || restarts > 0);
    for (unsigned i = 0; me->loop->slow & RP__SLOW_MOVED; i++) { /* the last have just ended */
        check(i < 1000, "somebody is still known to live elsewhere");
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
    return 0;
}

/* ---- all --------------------------------------------------------------------------------------------- */

unsigned stress_move(void)
{
    uint64_t total = size_from("RP_MOVE", 1000000), seeds = size_from("RP_SEEDS", 300), seed = test_seed();
    unsigned nhops = (unsigned)size_from("RP_HOPS", 1000), passed = 0;
    hops("2 loops", (rp_system_opts){.loops = 2}, total, nhops);
    hops("4 loops, no spinning", (rp_system_opts){.loops = 4, .spin_us = -1}, total, nhops);
    hops("3 loops, chaos", (rp_system_opts){.loops = 3, .chaos_seed = seed}, total / 10, nhops / 4 + 1);
    passed += 3;
    for (uint64_t i = 0; i < seeds; i++)
        hops(0, (rp_system_opts){.loops = 2 + (unsigned)(i % 3), .sim_seed = seed + i}, 1600, 40);
    printf("%d seeds simulated, each 1600 messages and 40 hops\n", (int)seeds);
    passed++;
    uint64_t steps = total / 20, few = 600;
    check_eq(run_with(run_lives, &steps, &(rp_system_opts){.loops = 2}), 0);
    check_eq(run_with(run_lives, &steps, &(rp_system_opts){.loops = 3, .chaos_seed = seed}), 0);
    for (uint64_t i = 0; i < seeds; i++)
        check_eq(run_with(run_lives, &few, &(rp_system_opts){.loops = 2 + (unsigned)(i % 3), .sim_seed = seed + i}), 0);
    printf("%d moves, ends and falls of %d actors, twice; %d with each of %d seeds\n", (int)steps, LIVES, (int)few, (int)seeds);
    return passed + 3;
}
