/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The record of an actor, or of one of its tasks. False: there is none. */
static bool look(rp_self *me, rp_ref who, uint32_t task, rp_actor_info *ret)
{
    rp_inspection *i;
    rp_actor_info a;
    bool found = false;
    check_eq(rp_inspect(me, 5000, &i), 0);
    int rc;
    while ((rc = rp_inspect_next(me, i, &a)) > 0)
        if (rp_ref_eq(a.ref, who) && a.task == task) {
            check(!found, "it is listed twice");
            found = true;
            *ret = a;
        }
    check_eq(rc, 0);
    rp_inspect_end(me, i);
    return found;
}

/* The same, when it waits for this. */
static rp_actor_info when_waits(rp_self *me, rp_ref who, uint32_t task, const char *what)
{
    for (;;) {
        rp_actor_info a;
        if (look(me, who, task, &a) && a.doing == RP_WAITING && strcmp(a.waits, what) == 0)
            return a;
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
}

/* ---- people to look at --------------------------------------------------------------------------- */

static int answer_late(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct num *b = rp_body(m, NUM);
    return b && b->n ? rp_sleep(me, RP_FOREVER) : 0;
}
static const rp_actor sleeper = {.name = "sleeper", .handle = answer_late};

static int ask(rp_self *me, void *arg)
{
    rp_msg *m;
    return rp_call(me, *(rp_ref *)arg, NUM, &(struct num){.n = 1}, &m, rp_in_ms(me, 3600000));
}
static const rp_actor asker = {.name = "asker", .run = ask};

static int wait_for_message(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    return rp_recv(me, &m, RP_FOREVER);
}
static const rp_actor receiver = {.name = "receiver", .run = wait_for_message};

/* ---- what they do -------------------------------------------------------------------------------- */

static int states(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref idle, busy, a, r;
    rp_actor_info i;
    const rp_spawn_opts there = {.on = RP_SPREAD, .name = "the idle one", .mailbox = 7};
    check_eq(rp_spawn(me, &sleeper, &there, &idle), 0);
    check_eq(rp_spawn(me, &sleeper, &(rp_spawn_opts){.on = RP_SPREAD}, &busy), 0);
    check_eq(rp_spawn(me, &receiver, &(rp_spawn_opts){.on = RP_SPREAD, .stack = 8000}, &r), 0);
    check_eq(rp_spawn(me, &asker, &(rp_spawn_opts){.on = RP_SPREAD, .arg = &busy, .monitor = true}, &a), 0);

    check(look(me, idle, 0, &i));
    check_eq(i.doing, RP_IDLE);
    check_str(i.kind, "sleeper");
    check_str(i.name, "the idle one");
    check(rp_ref_eq(i.parent, rp_self_ref(me)));
    check_eq(i.limit, 7);
    check_eq(i.stack, 0);
    check_eq(i.tasks + i.depth + i.bytes + i.restarts + i.supervised + i.stopping + i.children, 0);
    check_str(i.waits, "");

    i = when_waits(me, a, 0, "reply");
    check(rp_ref_eq(i.on, busy));
    check(i.since <= rp_now(me) && i.until > rp_now(me) && i.until < RP_FOREVER);
    check(i.stack > 16000 && i.stack_used > 100 && i.stack_used < i.stack);

    i = when_waits(me, busy, 0, "sleep");
    check(rp_ref_none(i.on));
    check_eq(i.until, RP_FOREVER);
    check(i.stack_used > 0);

    i = when_waits(me, r, 0, "message");
    check(!i.object && rp_ref_none(i.on));
    check(i.stack == 16384);

    check(look(me, rp_self_ref(me), 0, &i));
    check_eq(i.doing, RP_RUNNING);
    check(rp_ref_none(i.parent));
    check_eq(i.children, 4);
    return 0;
}

TEST(inspect, shows_what_actors_do)
{
    everywhere(states, 0);
}

/* ---- tasks, locks, stopping ---------------------------------------------------------------------- */

struct together {
    rp_lock lock;
    rp_event go;
};

static int holds_the_lock(rp_self *me, void *arg)
{
    struct together *t = *(struct together **)arg;
    check_eq(rp_lock_acquire(me, &t->lock, RP_FOREVER), 0);
    int rc = rp_event_wait(me, &t->go, RP_FOREVER);
    check_eq(rp_lock_release(me, &t->lock), 0);
    return rc;
}
static const rp_actor holder = {.name = "holder", .run = holds_the_lock};

static int nested(rp_self *me, void *arg)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = arg ? rp_go(me, &s, nested, 0, NULL) : 0;
    if (rc == 0)
        rc = rp_sleep(me, RP_FOREVER);
    return rp_scope_close(me, &s, rc);
}

static int wants_the_lock(rp_self *me, void *arg)
{
    struct together *t = *(struct together **)arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, nested, t, NULL);
    if (rc == 0)
        rc = rp_go(me, &s, nested, t, NULL);
    if (rc == 0 && (rc = rp_lock_acquire(me, &t->lock, RP_FOREVER)) == 0)
        rc = rp_lock_release(me, &t->lock);
    rp_scope_cancel(&s, "done");
    return rp_scope_close(me, &s, rc);
}
static const rp_actor wanter = {.name = "wanter", .run = wants_the_lock};

static int waits_and_tasks(rp_self *me, void *arg)
{
    (void)arg;
    struct together t = {0}, *tp = &t;
    rp_ref h, w;
    struct rp_down d;
    check_eq(rp_spawn(me, &holder, &(rp_spawn_opts){.arg = &tp, .on = RP_SPREAD, .monitor = true}, &h), 0);
    rp_actor_info i = when_waits(me, h, 0, "an event");
    check(i.object == &t.go);
    check_eq(rp_spawn(me, &wanter, &(rp_spawn_opts){.arg = &tp, .on = RP_SPREAD, .monitor = true}, &w), 0);
    i = when_waits(me, w, 0, "a lock");
    check(i.object == &t.lock);
    check(rp_ref_eq(i.on, h)); /* who has it */
    for (uint32_t k = 1; k <= 4; k++) /* two tasks, and a task of each */
        check_str(when_waits(me, w, k, "sleep").kind, "wanter");
    check(look(me, w, 0, &i));
    check_eq(i.tasks, 4);
    check(!look(me, w, 5, &i));
    rp_event_set(&t.go);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, 0);
    check(!look(me, w, 0, &i)); /* they have ended */
    return 0;
}

TEST(inspect, shows_locks_and_tasks)
{
    everywhere(waits_and_tasks, 0);
}

/* ---- mailboxes ----------------------------------------------------------------------------------- */

static int floods(rp_self *me, void *arg)
{
    for (;;) {
        int rc = tell_num(me, *(rp_ref *)arg, 0);
        if (rc != 0)
            return rc;
    }
}
static const rp_actor flooder = {.name = "flooder", .run = floods};

static int mailboxes(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref busy, f;
    check_eq(rp_spawn(me, &sleeper, &(rp_spawn_opts){.mailbox = 10}, &busy), 0);
    check_eq(tell_num(me, busy, 1), 0);
    when_waits(me, busy, 0, "sleep");
    rp_time before = rp_now(me);
    check_eq(rp_spawn(me, &flooder, &(rp_spawn_opts){.arg = &busy, .on = RP_SPREAD, .monitor = true}, &f), 0);
    rp_actor_info i = when_waits(me, f, 0, "room in a mailbox");
    check(rp_ref_eq(i.on, busy));
    check_eq(rp_sleep(me, rp_in_ms(me, 30)), 0);
    check(look(me, busy, 0, &i));
    check(i.depth >= 10 && i.limit == 10 && i.bytes == 64 * (uint64_t)i.depth, "%u of %u", i.depth, i.limit);
    check(i.oldest >= 28 * RP_MS && i.oldest <= rp_now(me) - before + 2 * RP_MS);
    return 0;
}

TEST(inspect, shows_full_mailboxes)
{
    everywhere(mailboxes, 0);
}

static int takes_one(rp_self *me, void *arg)
{
    rp_msg *m;
    while (!atomic_load((_Atomic bool *)arg))
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor taker = {.name = "taker", .run = takes_one};

/* Of what is left in a mailbox the age is not forgotten with the message that was marked. */
static int ages(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref t;
    rp_actor_info i = {.depth = 0};
    _Atomic bool go = false; /* by the root, when they have been there for long enough */
    check_eq(rp_spawn(me, &taker, &(rp_spawn_opts){.arg = &go}, &t), 0);
    for (unsigned k = 0; k < 3; k++)
        check_eq(tell_num(me, t, k), 0);
    for (unsigned depth = 3; depth >= 2; depth--) {
        while (i.depth != depth) {
            check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
            check(look(me, t, 0, &i));
        }
        check_eq(rp_sleep(me, rp_in_ms(me, depth == 3 ? 40 : 0)), 0);
        atomic_store(&go, true);
    }
    check(i.oldest >= 35 * RP_MS, "%d", (int)(i.oldest / RP_MS));
    return 0;
}

TEST(inspect, keeps_the_age_of_what_is_left)
{
    everywhere(ages, 0);
}

/* ---- many, coming and going ---------------------------------------------------------------------- */

static int nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor idler = {.name = "idler", .handle = nothing};

enum { MANY = 1000 };

static int come_and_go(rp_self *me, void *arg)
{
    (void)arg;
    static const rp_actor fly = {.name = "fly", .handle = nothing};
    while (rp_scope_check(me) == 0) {
        rp_ref f[8];
        for (unsigned k = 0; k < 8; k++)
            if (rp_spawn(me, &fly, &(rp_spawn_opts){.on = RP_SPREAD}, &f[k]) != 0)
                return 0;
        for (unsigned k = 0; k < 8; k++)
            rp_stop(me, f[k], "test");
        (void)!rp_yield(me);
    }
    return 0;
}
static const rp_actor swarm = {.name = "swarm", .run = come_and_go};

static int all_of_them(rp_self *me, void *arg)
{
    (void)arg;
    static rp_ref all[MANY];
    rp_ref s;
    for (unsigned k = 0; k < MANY; k++)
        check_eq(rp_spawn(me, &idler, &(rp_spawn_opts){.on = RP_SPREAD}, &all[k]), 0);
    check_eq(rp_spawn(me, &swarm, &(rp_spawn_opts){.on = RP_SPREAD}, &s), 0);
    for (unsigned round = 0; round < 3; round++) {
        unsigned seen = 0;
        rp_inspection *i;
        rp_actor_info a;
        check_eq(rp_inspect(me, 5000, &i), 0);
        while (rp_inspect_next(me, i, &a) > 0)
            seen += strcmp(a.kind, "idler") == 0;
        rp_inspect_end(me, i);
        check_eq(seen, MANY); /* who stays is seen, once */
    }
    unsigned loops = rp_loop_count(me), live = 0;
    rp_loop_info l;
    for (unsigned k = 0; k < loops; k++) {
        check_eq(rp_inspect_loop(me, k, RP_FOREVER, &l), 0);
        check_eq(l.loop, k);
        check(l.load <= 1000 && l.turns > 0);
        live += l.actors;
    }
    check(live >= MANY + 2);
    check_eq(rp_inspect_loop(me, loops, RP_FOREVER, &l), -EINVAL);
    return 0;
}

TEST(inspect, misses_nobody_who_stays)
{
    everywhere(all_of_them, 0);
}

/* One that has moved is listed where it lives, and found there. */
static int moved(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref w;
    rp_actor_info i;
    void *pc[64];
    unsigned last = rp_loop_count(me) - 1;
    check_eq(rp_spawn(me, &sleeper, &(rp_spawn_opts){.name = "traveller"}, &w), 0);
    check_eq(rp_move(me, w, RP_LOOP(last)), 0);
    check(look(me, w, 0, &i));
    check_eq(i.loop, last);
    check_str(i.name, "traveller");
    check_eq(tell_num(me, w, 1), 0);
    check_eq(when_waits(me, w, 0, "sleep").loop, last);
    check(rp_backtrace(me, w, 0, pc, 64) > 3);
    return 0;
}

TEST(inspect, finds_who_has_moved)
{
    everywhere(moved, 0);
}

/* ---- giving up ----------------------------------------------------------------------------------- */

static int is_cancelled(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_inspection *i;
    rp_actor_info a;
    rp_loop_info l;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_inspect(me, 5000, &i), 0);
    rp_scope_cancel(&s, "test");
    check_eq(rp_inspect_next(me, i, &a), -ECANCELED);
    check_eq(rp_inspect_loop(me, rp_loop_count(me) - 1, RP_FOREVER, &l), -ECANCELED);
    check_eq(rp_dump(me, 1), -ECANCELED);
    rp_inspect_end(me, i);
    rp_inspect_end(me, NULL);
    return rp_scope_close(me, &s, 0);
}

TEST(inspect, can_be_cancelled)
{
    everywhere(is_cancelled, 0);
}

static _Atomic bool held, let_go;

static int hold(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    held = true;
    while (!let_go)
        usleep(100);
    return 0;
}
static const rp_actor holdup = {.name = "holdup", .handle = hold};

static int past_a_held_loop(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref h, last;
    held = let_go = false;
    check_eq(rp_spawn(me, &holdup, &(rp_spawn_opts){.on = RP_LOOP(1)}, &h), 0);
    check_eq(rp_spawn(me, &idler, &(rp_spawn_opts){.on = RP_LOOP(2)}, &last), 0);
    check_eq(tell_num(me, h, 0), 0);
    while (!held)
        check_eq(rp_yield(me), 0);
    rp_inspection *i;
    rp_actor_info a;
    rp_loop_info l;
    unsigned seen = 0, gaps = 0;
    check_eq(rp_inspect(me, 400, &i), 0);
    for (int rc; (rc = rp_inspect_next(me, i, &a)) != 0;) {
        check(rc == 1 || (rc == -ETIMEDOUT && a.loop == 1), "%d", rc);
        gaps += rc < 0;
        seen += rc > 0 && rp_ref_eq(a.ref, last);
    }
    rp_inspect_end(me, i);
    check_eq(gaps, 1);
    check_eq(seen, 1);
    check_eq(rp_inspect_loop(me, 1, rp_in_ms(me, 5), &l), -ETIMEDOUT);
    void *pc[4];
    check_eq(rp_backtrace(me, last, 0, pc, 4), -ENOENT);
    let_go = true;
    check_eq(rp_inspect_loop(me, 1, rp_in_ms(me, 5000), &l), 0);
    return 0;
}

/* Held when a part of it has been read already: of the next loop all are listed all the same. */
static int past_one_held_midway(rp_self *me, void *arg)
{
    rp_ref h;
    rp_inspection *i;
    rp_actor_info a;
    unsigned seen = 0;
    bool gap = false;
    (void)arg;
    held = let_go = false;
    check_eq(rp_spawn(me, &holdup, &(rp_spawn_opts){.on = RP_LOOP(1)}, &h), 0);
    for (unsigned k = 0; k < MANY; k++)
        check_eq(rp_spawn(me, &idler, &(rp_spawn_opts){.on = RP_LOOP(1 + k % 2)}, NULL), 0);
    check_eq(rp_inspect(me, 400, &i), 0);
    for (int rc; (rc = rp_inspect_next(me, i, &a)) != 0; seen += rc > 0 && a.loop == 2 && strcmp(a.kind, "idler") == 0) {
        gap |= rc == -ETIMEDOUT && a.loop == 1;
        if (a.loop == 1 && !held) /* it has said who the first are */
            check_eq(tell_num(me, h, 0), 0);
        while (a.loop == 1 && !held)
            check_eq(rp_yield(me), 0);
    }
    rp_inspect_end(me, i);
    check(gap, "it has said all at once");
    check_eq(seen, MANY / 2);
    let_go = true;
    return 0;
}

TEST(inspect, goes_on_without_a_loop_that_is_held)
{
    rp_system_opts three = {.loops = 3};
    check_eq(run_with(past_a_held_loop, 0, &three), 0);
    check_eq(run_with(past_one_held_midway, 0, &three), 0);
}

/* ---- stacks -------------------------------------------------------------------------------------- */

/* Frames that only the unwinding tables know: this is built without frame pointers. */
extern const char deep_begins[] __asm__("__start_deep_code"), deep_ends[] __asm__("__stop_deep_code");

__attribute__((noinline, section("deep_code"))) static int deep(rp_self *me, unsigned n, rp_ref to)
{
    volatile char room[200];
    room[n] = (char)n;
    rp_msg *m;
    int rc = n ? deep(me, n - 1, to) : rp_call(me, to, NUM, &(struct num){.n = 1}, &m, RP_FOREVER);
    return room[n] == (char)n ? rc : -EIO;
}

static int goes_deep(rp_self *me, void *arg)
{
    int rc = deep(me, 5, *(rp_ref *)arg);
    __asm__ volatile("" : "+r"(rc)); /* a call, not a jump */
    return rc;
}
static const rp_actor diver = {.name = "diver", .run = goes_deep};

static int goes_deep_in_a_handler(rp_self *me, void *state, const rp_msg *m)
{
    (void)m;
    int rc = deep(me, 5, *(rp_ref *)state);
    __asm__ volatile("" : "+r"(rc));
    return rc;
}

static int take_arg(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(rp_ref *)state = *(rp_ref *)arg;
    return 0;
}
static const rp_actor handling_diver = {.name = "diver", .handle = goes_deep_in_a_handler, .init = take_arg, .state_size = sizeof(rp_ref)};

static unsigned count_in(void *const *pc, int n, const void *fn, size_t size)
{
    unsigned k = 0;
    for (int i = 0; i < n; i++)
        k += (char *)pc[i] > (const char *)fn && (char *)pc[i] < (const char *)fn + size;
    return k;
}

static void check_deep(rp_self *me, rp_ref who, const void *outermost)
{
    void *pc[64];
    when_waits(me, who, 0, "reply");
    int n = rp_backtrace(me, who, 0, pc, 64);
    check(n >= 8 && n < 30, "%d frames", n);
    check_eq(count_in(pc, n, deep_begins, (size_t)(deep_ends - deep_begins)), 6);
    check(count_in(pc, n, outermost, 200) >= 1);
    check_eq(rp_backtrace(me, who, 0, pc, 3), 3);
}

static int stacks(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref busy, co, ha, idle;
    void *pc[64];
    check_eq(rp_spawn(me, &sleeper, NULL, &busy), 0);
    check_eq(rp_spawn(me, &idler, NULL, &idle), 0);
    check_eq(rp_spawn(me, &diver, &(rp_spawn_opts){.on = RP_SPREAD, .arg = &busy, .monitor = true}, &co), 0);
    check_eq(rp_spawn(me, &handling_diver, &(rp_spawn_opts){.on = RP_SPREAD, .arg = &busy, .monitor = true}, &ha), 0);
    check_eq(rp_monitor(me, ha), 0);
    check_eq(tell_num(me, ha, 0), 0);
    check_deep(me, co, (const void *)goes_deep);
    check_deep(me, ha, (const void *)goes_deep_in_a_handler);
    check_eq(rp_backtrace(me, idle, 0, pc, 64), -ENOENT);
    check_eq(rp_backtrace(me, co, 1, pc, 64), -ESRCH);
    check_eq(rp_backtrace(me, rp_self_ref(me), 0, pc, 64), -EBUSY);
    check_eq(rp_backtrace(me, (rp_ref){1, 1}, 0, pc, 64), -ESRCH);
    check_eq(rp_stop(me, co, "test"), 0);
    return 0;
}

TEST(inspect, shows_where_they_stand)
{
    everywhere(stacks, 0);
}

/* ---- as text ------------------------------------------------------------------------------------- */

static int dumps(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref busy, a;
    check_eq(rp_spawn(me, &sleeper, &(rp_spawn_opts){.name = "slow"}, &busy), 0);
    check_eq(rp_spawn(me, &sleeper, &(rp_spawn_opts){.name = "a\033[1m b"}, NULL), 0);
    check_eq(rp_spawn(me, &asker, &(rp_spawn_opts){.arg = &busy, .on = RP_SPREAD, .monitor = true}, &a), 0);
    for (unsigned k = 0; k < 200; k++) /* more than fits into one block */
        check_eq(rp_spawn(me, &idler, &(rp_spawn_opts){.on = RP_SPREAD}, NULL), 0);
    when_waits(me, a, 0, "reply");
    char path[] = "/tmp/reparto-dump-XXXXXX";
    static char text[65536];
    memset(text, 0, sizeof text);
    int fd = mkstemp(path);
    check(fd >= 0);
    unlink(path);
    check_eq(rp_dump(me, fd), 0);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    check(n > 8192);
    check(strstr(text, "loop load% turns"));
    check(strstr(text, " slow                 waiting  for sleep"), "%.3000s", text);
    check(strstr(text, "waiting  for reply of "));
    check(strstr(text, " a?[1m b ") && !strchr(text, '\033')); /* a name does nothing to the terminal */
    unsigned idlers = 0;
    for (const char *at = text; (at = strstr(at, "idler")); at++)
        idlers++;
    check_eq(idlers, 200);
    close(fd);
    check_eq(rp_dump(me, -1), -EBADF);
    return 0;
}

TEST(inspect, writes_it_down)
{
    everywhere(dumps, 0);
}
