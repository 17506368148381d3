/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- a journal of lives --------------------------------------------------------------------------- */

enum { JOURNAL = 4096 };

static struct {
    pthread_mutex_t lock;
    char text[JOURNAL];
    size_t n;
    int live, most, born;
} journal = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(char what, char who)
{
    pthread_mutex_lock(&journal.lock);
    if (journal.n + 3 < JOURNAL) {
        journal.text[journal.n++] = what;
        journal.text[journal.n++] = who;
        journal.text[journal.n] = 0;
    }
    journal.live += what == '+' ? 1 : what == '-' ? -1 : 0;
    journal.born += what == '+';
    pthread_mutex_unlock(&journal.lock);
}

static void clear(void)
{
    pthread_mutex_lock(&journal.lock);
    journal.n = 0;
    journal.text[0] = 0;
    journal.live = journal.born = 0;
    pthread_mutex_unlock(&journal.lock);
}

static void copy(char *to)
{
    pthread_mutex_lock(&journal.lock);
    memcpy(to, journal.text, journal.n + 1);
    pthread_mutex_unlock(&journal.lock);
}

/* Waits until that stands in it. */
static void await(rp_self *me, const char *want)
{
    char is[JOURNAL] = "";
    for (int i = 0; i < 2000; i++) {
        copy(is);
        if (strcmp(is, want) == 0)
            return;
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
    check_str(is, want);
}

/* ---- children: a letter each; told a number ------------------------------------------------------- */

enum { FAIL = 1000, END, ECHO, SLOW_FAIL, DEEP_FAIL };

static int ward_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(char *)state = *(char *)arg;
    note('+', *(char *)arg);
    return 0;
}

static void ward_fini(rp_self *me, void *state, int reason)
{
    (void)me, (void)reason;
    note('-', *(char *)state);
}

static void deep(rp_self *me)
{
    (void)rp_fail(me, -EPROTO, "deep below");
    check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED); /* no wait holds it up */
}

static int ward_handle(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    if (!b)
        return -EBADMSG;
    switch (b->n) {
    case FAIL:
        return -EIO;
    case SLOW_FAIL:
        return rp_sleep(me, rp_in_ms(me, 3)) == 0 ? -EIO : 0;
    case DEEP_FAIL:
        deep(me);
        return 0;
    case END:
        return RP_STOP;
    default:
        break;
    }
    struct num r = {rp_restarts(me), rp_self_ref(me)};
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &r) : rp_ref_none(b->ref) ? 0 : rp_tell(me, b->ref, NUM, b);
}
static const rp_actor ward = {.name = "ward", .handle = ward_handle, .init = ward_init, .fini = ward_fini, .state_size = 8};

static int ward_run(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    int rc = 0;
    while (rc == 0 && (rc = rp_recv(me, &m, RP_FOREVER)) == 0) {
        rc = ward_handle(me, rp_state(me), m);
        rp_msg_drop(me, m);
    }
    return rc == RP_STOP ? 0 : rc;
}
static const rp_actor ward_co = {.name = "ward-co", .run = ward_run, .init = ward_init, .fini = ward_fini, .state_size = 8};

static const char letters[] = "abcdefgh";

static rp_child child_of(rp_self *me, unsigned i)
{
    return (rp_child){
        .actor = i % 2 ? &ward_co : &ward,
        .opts = {.arg = (void *)(uintptr_t)&letters[i], .on = RP_LOOP(i % rp_loop_count(me))},
    };
}

static uint64_t lives(rp_self *me, rp_ref r)
{
    struct num b = {ECHO, {0, 0}};
    rp_msg *m;
    check_eq(rp_call(me, r, NUM, &b, &m, RP_FOREVER), 0);
    uint64_t n = ((const struct num *)rp_body(m, NUM))->n;
    rp_msg_drop(me, m);
    return n;
}

static void stop_and_wait(rp_self *me, rp_ref r)
{
    struct rp_down d;
    check_eq(rp_monitor(me, r), 0);
    check_eq(rp_stop(me, r, "test"), 0);
    check_eq(recv_down(me, &d), 0);
}

/* ---- strategies ----------------------------------------------------------------------------------- */

static int strategies(rp_self *me, void *arg)
{
    (void)arg;
    static const char *const want[] = {"+a+b+c-b+b", "+a+b+c-b-c-a+a+b+c", "+a+b+c-b-c+b+c"};
    static const char *const end[] = {"-c-b-a", "-c-b-a", "-c-b-a"};
    for (rp_strategy s = RP_ONE_FOR_ONE; s <= RP_REST_FOR_ONE; s++) {
        clear();
        rp_child c[] = {child_of(me, 0), child_of(me, 1), child_of(me, 2)};
        rp_supervisor spec = {.strategy = s, .children = c, .nchildren = 3};
        rp_spawn_opts o = {.on = RP_SPREAD};
        rp_ref sup, r[3];
        check_eq(rp_supervise(me, &spec, &o, &sup), 0);
        await(me, "+a+b+c");
        for (unsigned i = 0; i < 3; i++)
            check_eq(rp_supervise_child(me, sup, i, &r[i]), 0);
        check_eq(rp_supervise_child(me, sup, 3, &r[0]), -ENOENT);
        check_eq(tell_num(me, r[1], FAIL), 0);
        await(me, want[s]);
        check_eq(lives(me, r[0]), s == RP_ONE_FOR_ALL); /* by the addresses they had */
        check_eq(lives(me, r[1]), 1);
        check_eq(lives(me, r[2]), s != RP_ONE_FOR_ONE);
        stop_and_wait(me, sup);
        char all[128];
        snprintf(all, sizeof all, "%s%s", want[s], end[s]);
        await(me, all);
    }
    return 0;
}

TEST(supervisor, strategies)
{
    everywhere(strategies, 0);
}

static int kinds_of_failure(rp_self *me, void *arg)
{
    (void)arg;
    static const uint64_t ways[] = {FAIL, SLOW_FAIL, DEEP_FAIL};
    for (unsigned kind = 0; kind < 2; kind++)
        for (unsigned on = 0; on < rp_loop_count(me); on++) {
            rp_child c = child_of(me, kind);
            c.opts.on = RP_LOOP(on);
            c.restart = RP_ON_FAILURE;
            rp_supervisor spec = {.children = &c, .nchildren = 1};
            rp_ref sup, r;
            check_eq(rp_supervise(me, &spec, NULL, &sup), 0);
            check_eq(rp_supervise_child(me, sup, 0, &r), 0);
            for (uint64_t i = 0; i < 3; i++) {
                check_eq(tell_num(me, r, ways[i]), 0);
                check_eq(lives(me, r), i + 1); /* the call waits for the next incarnation */
            }
            stop_and_wait(me, sup);
        }
    return 0;
}

TEST(supervisor, kinds_of_failure)
{
    everywhere(kinds_of_failure, 0);
}

static int when_to_restart(rp_self *me, void *arg)
{
    (void)arg;
    struct rp_down d;
    for (int how = 0; how < 3; how++) /* fails, ends, is stopped */
        for (rp_restart when = RP_ALWAYS; when <= RP_NEVER; when++) {
            rp_child c = child_of(me, 1);
            c.restart = when;
            rp_supervisor spec = {.children = &c, .nchildren = 1};
            rp_ref sup, r;
            check_eq(rp_supervise(me, &spec, NULL, &sup), 0);
            check_eq(rp_supervise_child(me, sup, 0, &r), 0);
            check_eq(rp_monitor(me, r), 0);
            check_eq(how == 2 ? rp_stop(me, r, "test") : tell_num(me, r, how == 0 ? FAIL : END), 0);
            if (when == RP_ALWAYS || (when == RP_ON_FAILURE && how == 0)) {
                check_eq(lives(me, r), 1);
            } else {
                check_eq(recv_down(me, &d), 0); /* that was its end */
                check(rp_ref_eq(d.who, r));
                check_eq(d.reason, how == 0 ? -EIO : how == 1 ? 0 : -ECANCELED);
            }
            bool lives_on = when == RP_ALWAYS || (when == RP_ON_FAILURE && how == 0);
            int of_child = 0, of_sup = 0;
            check_eq(rp_monitor(me, sup), 0);
            check_eq(rp_stop(me, sup, "test"), 0);
            for (int i = 0; i < 1 + lives_on; i++) {
                check_eq(recv_down(me, &d), 0); /* once each, and none at the restart */
                of_child += rp_ref_eq(d.who, r);
                of_sup += rp_ref_eq(d.who, sup);
            }
            check(of_child == lives_on && of_sup == 1);
            rp_msg *m;
            check_eq(rp_recv(me, &m, rp_in_ms(me, 2)), -ETIMEDOUT);
        }
    return 0;
}

TEST(supervisor, when_to_restart)
{
    everywhere(when_to_restart, 0);
}

/* ---- mailboxes and hand-over ---------------------------------------------------------------------- */

static int mail(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned kind = 0; kind < 2; kind++)
        for (rp_mail policy = RP_MAIL_KEEP; policy <= RP_MAIL_DEAD; policy++) {
            rp_child c = child_of(me, kind);
            c.mail = policy;
            rp_supervisor spec = {.children = &c, .nchildren = 1, .backoff_ms = 100, .backoff_max_ms = 100};
            rp_ref sup, r;
            rp_msg *m;
            check_eq(rp_supervise(me, &spec, NULL, &sup), 0);
            check_eq(rp_supervise_child(me, sup, 0, &r), 0);
            check_eq(tell_num(me, r, SLOW_FAIL), 0);
            for (uint64_t i = 1; i <= 10; i++) { /* some while it is busy, some while it is down */
                struct num b = {i, rp_self_ref(me)};
                check_eq(rp_tell(me, r, NUM, &b), 0);
                if (i == 5)
                    check_eq(rp_sleep(me, rp_in_ms(me, 6)), 0);
            }
            struct num q = {ECHO, {0, 0}};
            static const int answers[] = {0, -EAGAIN, -ESRCH};
            check_eq(rp_call(me, r, NUM, &q, &m, RP_FOREVER), answers[policy]);
            for (int rc = answers[policy]; rc != 0; rc = rp_call(me, r, NUM, &q, &m, RP_FOREVER))
                check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
            rp_msg_drop(me, m);
            check_eq(lives(me, r), 1);
            uint64_t n = 0;
            for (uint64_t i = 1; policy == RP_MAIL_KEEP && i <= 10; i++) {
                check_eq(recv_num(me, &n), 0);
                check_eq(n, i);
            }
            check_eq(rp_recv(me, &m, rp_in_ms(me, 1)), -ETIMEDOUT);
            stop_and_wait(me, sup);
        }
    return 0;
}

TEST(supervisor, mail_is_kept_or_dropped_or_dead)
{
    everywhere(mail, 0);
}

static int heir_init(rp_self *me, void *state, void *arg)
{
    (void)arg;
    rp_msg *m;
    int rc = rp_inherit(me, &m);
    if (rc == 0) {
        *(uint64_t *)state = ((const struct num *)rp_body(m, NUM))->n;
        rp_msg_drop(me, m);
        check_eq(rp_inherit(me, &m), -ENOENT); /* once */
    }
    return 0;
}

static int heir_handle(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t *sum = state;
    const struct num *b = rp_body(m, NUM);
    if (b->n == FAIL)
        return -EIO;
    *sum += b->n;
    struct num r = {*sum, {0, 0}};
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &r) : 0;
}

static void heir_fini(rp_self *me, void *state, int reason)
{
    (void)reason;
    struct num left = {1, {0, 0}};
    check_eq(rp_bequeath(me, NUM, &left), 0);
    left.n = *(uint64_t *)state;
    check_eq(rp_bequeath(me, NUM, &left), 0); /* the last one counts */
}
static const rp_actor heir = {.name = "heir", .handle = heir_handle, .init = heir_init, .fini = heir_fini, .state_size = 8};

static int hand_over(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_child c = {.actor = &heir, .opts = {.on = RP_LOOP(on), .name = "heir"}};
        rp_supervisor spec = {.children = &c, .nchildren = 1};
        rp_ref sup, r;
        check_eq(rp_supervise(me, &spec, NULL, &sup), 0);
        for (uint64_t i = 1; i <= 3; i++) {
            check_eq(rp_whereis(me, "heir", &r), 0); /* it is never without its name */
            for (uint64_t k = 0; k < 10; k++)
                check_eq(tell_num(me, r, 1), 0);
            check_eq(tell_num(me, r, FAIL), 0);
            check_eq(rp_whereis(me, "heir", &r), 0);
            check_eq(lives(me, r), 10 * i + (i - 1) * ECHO + ECHO);
        }
        stop_and_wait(me, sup);
        check_eq(rp_whereis(me, "heir", &r), -ESRCH);
    }
    struct num n = {1, {0, 0}};
    check_eq(rp_bequeath(me, NUM, &n), -ENOENT);
    check_eq(rp_restarts(me), 0);
    return 0;
}

TEST(supervisor, state_is_handed_over)
{
    everywhere(hand_over, 0);
}

/* ---- starting and stopping ------------------------------------------------------------------------ */

static int bad_init(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    return -ENXIO;
}
static const rp_actor bad = {.name = "bad", .handle = ward_handle, .init = bad_init};

static int start_fails(rp_self *me, void *arg)
{
    (void)arg;
    clear();
    rp_child c[] = {child_of(me, 0), child_of(me, 1), {.actor = &bad, .opts = {.on = RP_SPREAD}}, child_of(me, 3)};
    rp_supervisor inner = {.children = c, .nchildren = 4};
    rp_child cc[] = {child_of(me, 4), {.supervisor = &inner}};
    rp_supervisor outer = {.children = cc, .nchildren = 2};
    rp_spawn_opts o = {.monitor = true, .name = "sup"};
    rp_ref sup = {0, 0};
    check_eq(rp_supervise(me, &inner, &o, &sup), -ENXIO);
    await(me, "+a+b-b-a"); /* it is over when the error comes */
    check(rp_ref_none(sup), "an error leaves *ret alone");
    check_eq(rp_supervise(me, &outer, &o, &sup), -ENXIO);
    await(me, "+a+b-b-a+e+a+b-b-a-e");
    rp_child neither = {.restart = RP_NEVER};
    rp_supervisor wrong = {.children = &neither, .nchildren = 1};
    check_eq(rp_supervise(me, &wrong, NULL, &sup), -EINVAL);
    rp_msg *m;
    check_eq(rp_recv(me, &m, rp_in_ms(me, 2)), -ETIMEDOUT); /* no RP_DOWN of what never was */
    return 0;
}

TEST(supervisor, a_start_that_fails_leaves_nothing)
{
    everywhere(start_fails, 0);
}

static int hasty_init(rp_self *me, void *state, void *arg)
{
    int rc = ward_init(me, state, arg);
    return rc == 0 && rp_restarts(me) == 0 ? tell_num(me, rp_self_ref(me), FAIL) : rc;
}
static const rp_actor hasty = {.name = "hasty", .handle = ward_handle, .init = hasty_init, .fini = ward_fini, .state_size = 8};

/* The first falls as soon as it has begun: it begins again when all others have begun, those below too. */
static int falls_early(rp_self *me, void *arg)
{
    rp_ref sup;
    char is[JOURNAL];
    (void)arg;
    for (unsigned on = 0; on < 2; on++) {
        clear();
        rp_child c[] = {child_of(me, 2), child_of(me, 3)};
        rp_supervisor inner = {.children = c, .nchildren = 2};
        rp_child cc[] = {child_of(me, 0), {.supervisor = &inner, .opts = {.on = RP_SPREAD}}, child_of(me, 1)};
        cc[0].actor = &hasty;
        cc[0].opts.on = RP_LOOP(on % rp_loop_count(me));
        rp_supervisor outer = {.children = cc, .nchildren = 3};
        check_eq(rp_supervise(me, &outer, NULL, &sup), 0);
        const char *again = NULL;
        for (int i = 0; i < 2000 && !again; i++) {
            check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
            copy(is);
            again = strstr(is + 1, "+a");
        }
        check(again && strstr(is, "+c") < strstr(is, "+d") && strstr(is, "+d") < strstr(is, "+b") && strstr(is, "+b") < again, "%s", is);
        stop_and_wait(me, sup);
    }
    return 0;
}

TEST(supervisor, who_falls_early_waits_for_the_others)
{
    everywhere(falls_early, 0);
}

static int nested(rp_self *me, void *arg)
{
    (void)arg;
    clear();
    rp_child c[] = {child_of(me, 1), child_of(me, 2)};
    rp_supervisor inner = {.name = "inner", .strategy = RP_ONE_FOR_ALL, .children = c, .nchildren = 2, .restarts = 1, .within_ms = 60000};
    rp_child cc[] = {child_of(me, 0), {.supervisor = &inner, .opts = {.name = "inner", .on = RP_SPREAD}}, child_of(me, 3)};
    rp_supervisor outer = {.children = cc, .nchildren = 3, .strategy = RP_REST_FOR_ONE};
    rp_spawn_opts o = {.monitor = true};
    rp_ref sup, in, b;
    struct rp_down d;
    check_eq(rp_supervise(me, &outer, &o, &sup), 0);
    await(me, "+a+b+c+d");
    check_eq(rp_whereis(me, "inner", &in), 0);
    check_eq(rp_supervise_child(me, in, 0, &b), 0);
    check_eq(tell_num(me, b, FAIL), 0);
    await(me, "+a+b+c+d-b-c+b+c");
    check_eq(tell_num(me, b, FAIL), 0); /* once too often: the inner one gives up, the outer restarts it */
    await(me, "+a+b+c+d-b-c+b+c-b-c-d+b+c+d");
    rp_ref again;
    check_eq(rp_supervise_child(me, in, 0, &again), 0); /* the inner supervisor's address is the same, */
    check(!rp_ref_eq(again, b), "its children are new");
    check_eq(rp_stop(me, sup, "test"), 0);
    check_eq(recv_down(me, &d), 0);
    check(rp_ref_eq(d.who, sup));
    check_eq(d.reason, -ECANCELED);
    await(me, "+a+b+c+d-b-c+b+c-b-c-d+b+c+d-d-c-b-a");
    return 0;
}

TEST(supervisor, trees_escalate)
{
    everywhere(nested, 0);
}

static int dynamic(rp_self *me, void *arg)
{
    (void)arg;
    clear();
    rp_supervisor spec = {0};
    rp_ref sup, r[3], none;
    check_eq(rp_supervise(me, &spec, NULL, &sup), 0);
    for (unsigned i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "dyn%u", i);
        rp_child c = child_of(me, i);
        c.opts.name = name; /* copied */
        check_eq(rp_supervise_add(me, sup, &c, &r[i]), 0);
        check_eq(rp_supervise_add(me, sup, &c, &none), -EEXIST);
    }
    rp_child b = {.actor = &bad};
    check_eq(rp_supervise_add(me, sup, &b, &none), -ENXIO);
    b = (rp_child){0};
    check_eq(rp_supervise_add(me, sup, &b, &none), -EINVAL);
    check_eq(tell_num(me, r[1], FAIL), 0);
    await(me, "+a+b+c-b+b");
    check_eq(rp_supervise_remove(me, sup, r[1]), 0);
    await(me, "+a+b+c-b+b-b");
    check_eq(rp_supervise_remove(me, sup, r[1]), -ESRCH);
    rp_ref found;
    for (int i = 0; i < 100 && rp_whereis(me, "dyn1", &found) == 0; i++)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rp_whereis(me, "dyn1", &found), -ESRCH);
    stop_and_wait(me, sup);
    await(me, "+a+b+c-b+b-b-c-a");
    b = (rp_child){.actor = &bad};
    check_eq(rp_supervise_add(me, sup, &b, &none), -ESRCH);
    return 0;
}

TEST(supervisor, children_come_and_go)
{
    everywhere(dynamic, 0);
}

static int significant(rp_self *me, void *arg)
{
    (void)arg;
    for (int how = 0; how < 2; how++) {
        clear();
        rp_child c[] = {child_of(me, 0), child_of(me, 1), child_of(me, 2)};
        c[1].significant = true;
        c[1].restart = RP_NEVER;
        rp_supervisor spec = {.children = c, .nchildren = 3};
        rp_spawn_opts o = {.monitor = true};
        rp_ref sup, r;
        struct rp_down d;
        check_eq(rp_supervise(me, &spec, &o, &sup), 0);
        check_eq(rp_supervise_child(me, sup, 1, &r), 0);
        check_eq(tell_num(me, r, how ? FAIL : END), 0);
        check_eq(recv_down(me, &d), 0);
        check(rp_ref_eq(d.who, sup));
        check_eq(d.reason, how ? -EIO : 0);
        await(me, "+a+b+c-b-c-a");
    }
    return 0;
}

TEST(supervisor, a_significant_child_ends_it)
{
    everywhere(significant, 0);
}

/* ---- who does not end ----------------------------------------------------------------------------- */

static int stubborn_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state;
    return rp_body(m, NUM) ? RP_STOP : 0; /* RP_EXIT_NOTICE does not impress it */
}
static const rp_actor stubborn = {.name = "stubborn", .handle = stubborn_handle, .init = ward_init, .fini = ward_fini,
                                  .state_size = 8, .flags = RP_TRAP};

static void tell_stuck(rp_self *me, void *arg, const rp_supervision *e)
{
    check_eq(rp_yield(me), -EAGAIN);
    if (e->what == RP_CHILD_STUCK) {
        check_str(e->name, "stubborn");
        note('!', *(char *)arg);
    }
}

static int stuck(rp_self *me, void *arg)
{
    (void)arg;
    clear();
    rp_child c[] = {child_of(me, 0), child_of(me, 1), child_of(me, 2)};
    c[1].actor = &stubborn;
    c[1].stop_ms = 5;
    rp_supervisor spec = {.children = c, .nchildren = 3, .event = tell_stuck, .event_arg = (void *)(uintptr_t)&letters[1]};
    rp_spawn_opts o = {.monitor = true};
    rp_ref sup, r;
    rp_msg *m;
    struct rp_down d;
    check_eq(rp_supervise(me, &spec, &o, &sup), 0);
    check_eq(rp_supervise_child(me, sup, 1, &r), 0);
    check_eq(rp_stop(me, sup, "test"), 0);
    await(me, "+a+b+c-c!b-a"); /* it is reported once, and those before it end */
    check_eq(rp_recv(me, &m, rp_in_ms(me, 10)), -ETIMEDOUT); /* but the supervisor does not */
    check_eq(tell_num(me, r, 1), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -ECANCELED);
    await(me, "+a+b+c-c!b-a-b");
    return 0;
}

TEST(supervisor, who_does_not_end_is_reported)
{
    everywhere(stuck, 0);
}

/* ---- intensity ------------------------------------------------------------------------------------ */

struct plan {
    rp_strategy strategy;
    uint32_t restarts, within_ms, backoff_ms;
    rp_time log[256]; /* of failures answered with a restart */
    uint32_t n;
    bool gave_up;
    uint64_t seed;
};

static void count(rp_self *me, void *arg, const rp_supervision *e)
{
    struct plan *p = arg;
    rp_time now = rp_now(me);
    if (e->what == RP_CHILD_FELL && e->again != 0) {
        check(!p->gave_up);
        check(e->again >= now - RP_S && e->again - now <= 8 * p->backoff_ms * RP_MS);
        check(p->n < 256);
        p->log[p->n++] = now;
        if (p->n > p->restarts) /* so many before this one: the oldest of them is outside the window */
            check(now + RP_MS - p->log[p->n - 1 - p->restarts] >= p->within_ms * RP_MS);
    }
    if (e->what == RP_GAVE_UP) {
        check(!p->gave_up);
        p->gave_up = true;
        check(p->n >= p->restarts);
        if (p->restarts)
            check(now - RP_MS - p->log[p->n - p->restarts] < p->within_ms * RP_MS);
    }
}

enum { WARDS = 5 };

static int random_kills(rp_self *me, void *arg)
{
    struct plan *p = arg;
    uint64_t rng = p->seed;
    rp_child c[WARDS];
    for (unsigned i = 0; i < WARDS; i++) {
        c[i] = child_of(me, i);
        c[i].opts.on = RP_SPREAD;
        c[i].mail = (rp_mail)(test_random(&rng) % 3);
        c[i].restart = test_random(&rng) % 4 ? RP_ALWAYS : RP_ON_FAILURE;
    }
    rp_supervisor spec = {.strategy = p->strategy, .children = c, .nchildren = WARDS, .restarts = p->restarts,
                          .within_ms = p->within_ms, .backoff_ms = p->backoff_ms, .backoff_max_ms = 8 * p->backoff_ms,
                          .event = count, .event_arg = p};
    rp_spawn_opts o = {.on = RP_SPREAD, .monitor = true};
    rp_ref sup, r[WARDS];
    rp_msg *m;
    check_eq(rp_supervise(me, &spec, &o, &sup), 0);
    for (unsigned i = 0; i < WARDS; i++)
        check_eq(rp_supervise_child(me, sup, i, &r[i]), 0);
    int rc = 0;
    for (int k = 0; k < 60; k++) {
        static const uint64_t ways[] = {FAIL, SLOW_FAIL, DEEP_FAIL, ECHO};
        check_eq(tell_num(me, r[test_random(&rng) % WARDS], ways[test_random(&rng) % 4]), 0);
        if (test_random(&rng) % 3 == 0 && (rc = rp_recv(me, &m, rp_in_ms(me, (int64_t)(test_random(&rng) % 4)))) != -ETIMEDOUT)
            break; /* it gave up */
    }
    if (rc != 0)
        check_eq(rp_stop(me, sup, "test"), 0);
    if (rc != 0)
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    const struct rp_down *d = rp_body(m, RP_DOWN);
    check(d && rp_ref_eq(d->who, sup));
    check(p->gave_up ? d->reason < 0 && d->reason != -ECANCELED : d->reason == -ECANCELED, "%d", d->reason);
    rp_msg_drop(me, m);
    check_eq(journal.live, 0); /* no orphan: all had ended before their supervisor did */
    check(journal.born >= WARDS);
    return 0;
}

static void kill_with(uint64_t seed, const rp_system_opts *o)
{
    struct plan p = {.seed = seed, .strategy = (rp_strategy)(seed % 3), .restarts = (uint32_t)(seed / 3 % 7),
                     .within_ms = (uint32_t)(5 + seed % 40), .backoff_ms = (uint32_t)(seed / 7 % 3)};
    clear();
    check_eq(run_with(random_kills, &p, o), 0);
}

TEST(supervisor, random_kills_simulated)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(100); i++) {
        rp_system_opts sim = {.loops = (unsigned)(1 + i % 3), .sim_seed = seed + i};
        kill_with(seed + i, &sim);
    }
}

TEST(supervisor, random_kills)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 20; i++) {
        rp_system_opts o = {.loops = (unsigned)(1 + i % 3), .chaos_seed = i % 2 ? seed + i : 0, .spin_us = -1};
        kill_with(seed + i, &o);
    }
}

static int same_twice(rp_self *me, void *arg)
{
    return random_kills(me, arg);
}

TEST(supervisor, backoff_repeats_in_simulation)
{
    uint64_t hash[2];
    for (int i = 0; i < 2; i++) {
        struct plan p = {.seed = 7, .restarts = 50, .within_ms = 1000, .backoff_ms = 3};
        rp_actor root = {.name = "root", .run = same_twice};
        unsigned node;
        clear();
        rp_sim *s = rp_sim_new(99);
        check_eq(rp_sim_add(s, &root, &p, NULL, &node), 0);
        check_eq(rp_sim_run(s, RP_FOREVER / 2), 0);
        check_eq(rp_sim_result(s, node), 0);
        hash[i] = rp_sim_hash(s);
        rp_sim_free(s);
        check(p.n > 5);
    }
    check(hash[0] == hash[1]);
}

/* ---- memory --------------------------------------------------------------------------------------- */

struct scarce {
    struct test_mem mem;
    int64_t at; /* the allocation that fails, counted from when all is set up */
};

static int little_tree(rp_self *me, void *arg)
{
    struct scarce *s = arg;
    rp_child c[] = {child_of(me, 0), child_of(me, 1)};
    rp_supervisor inner = {.children = c, .nchildren = 2};
    rp_ref first;
    check_eq(rp_spawn(me, &ward_co, &c[1].opts, &first), 0);
    check_eq(lives(me, first), 0); /* the ways to and fro are there */
    s->mem.fail_at = s->mem.calls + s->at;
    rp_child cc = {.supervisor = &inner, .opts = {.on = RP_SPREAD, .name = "inner"}};
    rp_supervisor outer = {.children = &cc, .nchildren = 1};
    rp_ref sup, in, r;
    int rc = rp_supervise(me, &outer, NULL, &sup);
    if (rc == 0 && (rc = rp_whereis(me, "inner", &in)) == 0 && (rc = rp_supervise_child(me, in, 1, &r)) == 0 &&
        (rc = tell_num(me, r, FAIL)) == 0)
        rc = rp_sleep(me, rp_in_ms(me, 1));
    return rc;
}

TEST(supervisor, every_allocation_may_fail)
{
    rp_actor root = {.name = "root", .run = little_tree};
    int failed = 0;
    for (int64_t at = 1; at < 30; at++) {
        struct scarce s = {.at = at};
        rp_ledger l;
        test_mem_init(&s.mem);
        rp_system_opts o = {.loops = 2, .sim_seed = 11, .mem = &s.mem.alloc, .ledger = &l};
        clear();
        memset(&l, 0, sizeof l);
        int rc = rp_run(&root, &s, &o);
        failed += rc != 0;
        check(rc == 0 || rc == -ENOMEM || rc == -EPIPE || rc == -ECANCELED || rc == -ESRCH, "%d at %d", rc, (int)at);
        check_eq(s.mem.blocks, 0);
        check_eq(journal.live, 0);
        check_eq(l.sent + l.arrived, l.handled + l.left + l.dead + l.dropped + l.late + l.expired);
    }
    check(failed > 1);
}

/* ---- what a failing init leaves ------------------------------------------------------------------- */

static _Atomic int orphans;

static void orphan_fini(rp_self *me, void *state, int reason)
{
    (void)me, (void)state, (void)reason;
    atomic_fetch_sub(&orphans, 1);
}

static int parent_init(rp_self *me, void *state, void *arg)
{
    static const rp_actor kid = {.name = "kid", .handle = ward_handle, .fini = orphan_fini};
    (void)state, (void)arg;
    for (int i = 0; i < 3; i++) {
        check_eq(rp_spawn(me, &kid, NULL, NULL), 0);
        atomic_fetch_add(&orphans, 1);
    }
    return -ENXIO;
}

static int orphaned(rp_self *me, void *arg)
{
    static const rp_actor mother = {.name = "mother", .handle = ward_handle, .init = parent_init};
    (void)arg;
    atomic_store(&orphans, 0);
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_spawn_opts o = {.on = RP_LOOP(on), .monitor = on % 2, .name = "mother"};
        check_eq(rp_spawn(me, &mother, &o, NULL), -ENXIO);
        check_eq(rp_spawn(me, &mother, &o, NULL), -ENXIO); /* the name is free */
    }
    for (int i = 0; i < 200 && atomic_load(&orphans) > 0; i++)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(atomic_load(&orphans), 0);
    return 0;
}

TEST(life, a_failing_init_leaves_no_orphans)
{
    everywhere(orphaned, 0);
}

static int never_waits(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), -EAGAIN);
    check_eq(rp_yield(me), -EAGAIN);
    struct num r = {0, {0, 0}};
    return rp_reply(me, m, NUM, &r);
}

static int nowait(rp_self *me, void *arg)
{
    static const rp_actor never = {.name = "never", .handle = never_waits, .flags = RP_NOWAIT};
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_spawn_opts o = {.on = RP_LOOP(on)};
        rp_ref r;
        check_eq(rp_spawn(me, &never, &o, &r), 0);
        for (int i = 0; i < 10; i++)
            check_eq(lives(me, r), 0);
        check_eq(rp_spawn(me, &ward, &(rp_spawn_opts){.on = RP_LOOP(on), .arg = (void *)(uintptr_t)letters}, &r), 0);
        check_eq(tell_num(me, r, SLOW_FAIL), 0); /* and another one may wait as ever */
        check_eq(rp_stop(me, r, "test"), 0);
    }
    return 0;
}

TEST(life, a_nowait_handler_does_not_wait)
{
    everywhere(nowait, 0);
}
