/* SPDX-License-Identifier: MIT
 *
 * kin.c - supervision trees under random kills, from seeds and on threads. Held to:
 *   - no supervisor decides on more restarts in a time than its intensity says;
 *   - a child has one incarnation at a time; under one-for-all and rest-for-one none begins while one that is
 *     to go with it still lives;
 *   - nobody is an orphan: when a supervisor's RP_DOWN comes, all below it have ended, grandchildren on other
 *     loops too.
 */
#include "tests/stress/stress.h"

#include <errno.h>
#include <stdatomic.h>

enum { SUPS = 3, KIDS = 4, LOG = 64, RESTARTS = 5, WITHIN_MS = 20 };

struct tree;

struct kid {
    struct tree *tree;
    unsigned sup, i;
    _Atomic int alive; /* incarnations */
    _Atomic int below; /* its own children */
    _Atomic bool bad;  /* its next init fails */
};

struct sup {
    struct tree *tree;
    rp_supervisor spec;
    rp_child child[KIDS];
    struct kid kid[KIDS];
    rp_time log[LOG];  /* when it decided on its last restarts */
    uint64_t nlog;
    _Atomic uint64_t fell, gave_up;
};

struct tree {
    struct sup sup[SUPS];
    rp_supervisor top;
    rp_child children[SUPS];
    uint64_t kills;
    _Atomic uint64_t begun;
};

/* ---- children --------------------------------------------------------------------------------------- */

enum order { FAIL = 1, FAIL_AND_BEGIN_BADLY, END, SPAWN, GIVE_UP, LINGER };

static int below_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct kid **)state = arg;
    atomic_fetch_add(&((struct kid *)arg)->below, 1);
    return 0;
}

static int below_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}

static void below_fini(rp_self *me, void *state, int reason)
{
    (void)me, (void)reason;
    atomic_fetch_sub(&(*(struct kid **)state)->below, 1);
}
static const rp_actor below = {
    .name = "below", .handle = below_handle, .init = below_init, .fini = below_fini, .state_size = sizeof(struct kid *),
};

static int kid_init(rp_self *me, void *state, void *arg)
{
    struct kid *k = arg;
    *(struct kid **)state = k;
    (void)me;
    if (atomic_exchange(&k->bad, false))
        return -EBADF;
    check_eq(atomic_fetch_add(&k->alive, 1), 0);
    check_eq(k->below, 0); /* what the one before has made is gone */
    const struct sup *s = &k->tree->sup[k->sup];
    for (unsigned i = k->i + 1; i < KIDS && s->spec.strategy != RP_ONE_FOR_ONE; i++)
        check_eq(s->kid[i].alive, 0); /* started in order: those behind have been stopped */
    k->tree->begun++;
    return 0;
}

static void kid_fini(rp_self *me, void *state, int reason)
{
    struct kid *k = *(struct kid **)state;
    (void)me, (void)reason;
    check_eq(atomic_fetch_sub(&k->alive, 1), 1);
    check_eq(k->below, 0);
}

static int obey(rp_self *me, struct kid *k, enum order what)
{
    rp_ref r;
    rp_spawn_opts o = {.arg = k, .on = RP_SPREAD};
    int rc = 0;
    switch (what) {
    case FAIL_AND_BEGIN_BADLY:
        k->bad = true;
        return -EIO;
    case FAIL:
        return -EIO;
    case END:
        return RP_STOP;
    case SPAWN: /* some that wait, and some that do not */
        for (unsigned i = 0; i < 3 && rc == 0; i++)
            if ((rc = rp_spawn(me, &below, &o, &r)) == 0 && i > 0)
                rc = tell_num(me, r, 1);
        return rc;
    case GIVE_UP:
        return rp_fail(me, -EPROTO, "told to");
    case LINGER: /* cannot be stopped for a moment, and then fails of its own */
        (void)!rp_sleep(me, rp_in_ms(me, 2));
        return rp_random(me) % 2 ? -EIO : 0;
    }
    return 0;
}

static int kid_handle(rp_self *me, void *state, const rp_msg *m)
{
    return obey(me, *(struct kid **)state, (enum order)((const struct num *)rp_body(m, NUM))->n);
}

static int kid_run(rp_self *me, void *arg)
{
    struct kid *k = *(struct kid **)rp_state(me);
    uint64_t n;
    int rc;
    (void)arg;
    while ((rc = recv_num(me, &n)) == 0)
        if ((rc = obey(me, k, (enum order)n)) != 0)
            return rc == RP_STOP ? 0 : rc;
    return rc;
}

static const rp_actor kid_handler = {
    .name = "handler", .handle = kid_handle, .init = kid_init, .fini = kid_fini, .state_size = sizeof(struct kid *),
};
static const rp_actor kid_coroutine = {
    .name = "coroutine", .run = kid_run, .init = kid_init, .fini = kid_fini, .state_size = sizeof(struct kid *),
};

/* ---- supervisors ------------------------------------------------------------------------------------ */

/* The last RESTARTS + 1 decisions must not all lie within the time. */
static void on_event(rp_self *me, void *arg, const rp_supervision *e)
{
    struct sup *s = arg;
    s->gave_up += e->what == RP_GAVE_UP;
    if (e->what == RP_CHILD_STARTED)
        s->nlog = 0; /* not restarted: the supervisor itself has begun anew, and counts anew */
    if (e->what != RP_CHILD_FELL || e->again == 0)
        return;
    s->fell++;
    s->log[s->nlog++ % LOG] = rp_now(me);
    if (s->nlog > RESTARTS)
        check(rp_now(me) - s->log[(s->nlog - 1 - RESTARTS) % LOG] >= WITHIN_MS * RP_MS, "%u restarts in less than %u ms",
              RESTARTS + 1, WITHIN_MS);
}

static void plan(rp_self *me, struct tree *t)
{
    static const rp_strategy strategies[SUPS] = {RP_ONE_FOR_ONE, RP_ONE_FOR_ALL, RP_REST_FOR_ONE};
    for (unsigned i = 0; i < SUPS; i++) {
        struct sup *s = &t->sup[i];
        s->tree = t;
        for (unsigned k = 0; k < KIDS; k++) {
            s->kid[k].tree = t, s->kid[k].sup = i, s->kid[k].i = k;
            s->child[k] = (rp_child){
                .actor = rp_random(me) % 2 ? &kid_handler : &kid_coroutine,
                .opts = {.arg = &s->kid[k], .on = RP_LOOP((unsigned)rp_random(me) % rp_loop_count(me))},
                .restart = rp_random(me) % 8 ? RP_ALWAYS : RP_ON_FAILURE,
                .mail = (rp_mail)(rp_random(me) % 3),
                .stop_ms = 1 + (int64_t)(rp_random(me) % 5),
            };
        }
        s->spec = (rp_supervisor){.strategy = strategies[i], .children = s->child, .nchildren = KIDS, .restarts = RESTARTS,
                                  .within_ms = WITHIN_MS, .backoff_ms = (uint32_t)(rp_random(me) % 3), .backoff_max_ms = 4,
                                  .event = on_event, .event_arg = s};
        t->children[i] = (rp_child){.supervisor = &s->spec, .opts = {.on = RP_LOOP((unsigned)rp_random(me) % rp_loop_count(me))}};
    }
    t->top = (rp_supervisor){.children = t->children, .nchildren = SUPS, .restarts = 3, .within_ms = 50};
}

static void nobody_is_left(const struct tree *t)
{
    for (unsigned i = 0; i < SUPS; i++)
        for (unsigned k = 0; k < KIDS; k++)
            check(t->sup[i].kid[k].alive == 0 && t->sup[i].kid[k].below == 0, "an orphan");
}

/* One random thing to a random child; false: the whole tree has given up. */
static bool kill_one(rp_self *me, rp_ref top)
{
    rp_ref sup, kid;
    rp_scope s; /* who is about to give up may keep us waiting */
    rp_scope_open(me, &s, rp_in_ms(me, 50));
    int rc = rp_supervise_child(me, top, rp_random(me) % SUPS, &sup);
    bool alive = rc != -ESRCH && rc != -EPIPE;
    if (rc == 0)
        rc = rp_supervise_child(me, sup, rp_random(me) % KIDS, &kid);
    if (rc == 0)
        switch (rp_random(me) % 16) {
        case 0:
            rc = rp_stop(me, sup, "killed");
            break;
        case 1:
        case 2:
            rc = rp_stop(me, kid, "killed");
            break;
        case 3:
            rc = rp_supervise_remove(me, sup, kid);
            break;
        default:
            rc = rp_try_tell(me, kid, NUM, &(struct num){.n = 1 + rp_random(me) % LINGER});
        }
    (void)!rp_scope_close(me, &s, rc);
    return alive;
}

static int one_tree(rp_self *me, struct tree *t)
{
    rp_ref top;
    struct rp_down d;
    rp_spawn_opts o = {.monitor = true};
    plan(me, t);
    check_eq(rp_supervise(me, &t->top, &o, &top), 0);
    for (uint64_t i = 0; i < t->kills && kill_one(me, top); i++)
        check_eq(rp_sleep(me, rp_now(me) + (rp_time)(rp_random(me) % (uint64_t)(6 * RP_MS))), 0);
    check_eq(rp_stop(me, top, "enough"), 0);
    check_eq(recv_down(me, &d), 0);
    check(rp_ref_eq(d.who, top) && d.reason <= 0, "%d", d.reason);
    nobody_is_left(t);
    return 0;
}

static int grow(rp_self *me, void *arg)
{
    return one_tree(me, arg);
}

unsigned stress_kin(void)
{
    uint64_t seeds = size_from("RP_KIN", 1000), fell = 0, gave_up = 0, begun = 0;
    for (uint64_t i = 0; i < seeds + 6; i++) {
        static struct tree t;
        memset(&t, 0, sizeof t);
        t.kills = 60;
        rp_system_opts o = {.on_report = unreported, .loops = (unsigned)(1 + i % 3), .sim_seed = test_seed() + i};
        if (i < 6) { /* on threads */
            o = (rp_system_opts){.on_report = unreported, .loops = 3, .chaos_seed = i % 2 ? test_seed() + i : 0};
            t.kills = 150;
        }
        check_eq(run_with(grow, &t, &o), 0);
        for (unsigned k = 0; k < SUPS; k++)
            fell += t.sup[k].fell, gave_up += t.sup[k].gave_up;
        begun += t.begun;
    }
    printf("%llu trees: %llu incarnations, %llu restarts decided, %llu supervisors gave up\n", (unsigned long long)seeds + 6,
           (unsigned long long)begun, (unsigned long long)fell, (unsigned long long)gave_up);
    check(fell > seeds && gave_up > seeds / 100);
    return 3;
}
