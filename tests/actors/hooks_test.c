/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- info ---------------------------------------------------------------------------------------- */

struct shop { /* what its handler does to it is seen between two messages, or where it waits in the middle */
    unsigned sold;
    bool open;
};

static int set_up(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct shop *)state)->open = true;
    return arg ? *(int *)arg : 0;
}

static int sell(rp_self *me, void *state, const rp_msg *m)
{
    struct shop *s = state;
    const struct num *b = rp_body(m, NUM);
    s->sold++;
    return b->n ? rp_sleep(me, rp_in_ms(me, (int64_t)b->n)) : 0;
}

static void tell_shop(const void *state, char *to, size_t size)
{
    const struct shop *s = state;
    snprintf(to, size, "%u sold, 100%% %s", s->sold, s->open ? "open" : "closed");
}
static const rp_actor shop = {
    .name = "shop", .init = set_up, .handle = sell, .info = tell_shop, .state_size = sizeof(struct shop),
};

static int run_shop(rp_self *me, void *arg)
{
    (void)arg;
    struct shop *s = rp_state(me);
    for (uint64_t n;; s->sold += (unsigned)n) {
        int rc = recv_num(me, &n);
        if (rc != 0)
            return rc;
    }
}
static const rp_actor market = {
    .name = "market", .init = set_up, .run = run_shop, .info = tell_shop, .state_size = sizeof(struct shop),
};

static void tell_too_much(const void *state, char *to, size_t size)
{
    (void)state;
    memset(to, 'x', size);
}
static const rp_actor talkative = {.name = "talkative", .handle = sell, .info = tell_too_much, .state_size = sizeof(struct shop)};

/* What is said of it; it must be listed. */
static const char *info_of(rp_self *me, rp_ref who, rp_doing doing)
{
    static _Thread_local char text[RP_INFO];
    rp_inspection *i;
    rp_actor_info a;
    int rc, found = 0;
    check_eq(rp_inspect(me, 5000, &i), 0);
    while ((rc = rp_inspect_next(me, i, &a)) > 0) {
        check(a.task == 0 || !a.info[0]);
        if (!rp_ref_eq(a.ref, who) || a.task)
            continue;
        found++;
        check_eq(a.doing, doing);
        memcpy(text, a.info, sizeof text);
    }
    check_eq(rc, 0);
    check_eq(found, 1);
    rp_inspect_end(me, i);
    return text;
}

static void come_to(rp_self *me, rp_ref who, rp_doing doing, const char *text)
{
    for (;;) { /* messages are on their way: unbounded but for the test's time */
        rp_inspection *i;
        rp_actor_info a;
        bool there = false;
        check_eq(rp_inspect(me, 5000, &i), 0);
        while (rp_inspect_next(me, i, &a) > 0)
            there |= rp_ref_eq(a.ref, who) && a.task == 0 && a.doing == doing && strcmp(a.info, text) == 0;
        rp_inspect_end(me, i);
        if (there)
            return;
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
}

static int described(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref a, b, c;
    check_eq(rp_spawn(me, &shop, &(rp_spawn_opts){.on = RP_SPREAD}, &a), 0);
    check_eq(rp_spawn(me, &market, &(rp_spawn_opts){.on = RP_SPREAD}, &b), 0);
    check_eq(rp_spawn(me, &talkative, &(rp_spawn_opts){.on = RP_SPREAD}, &c), 0);
    check_str(info_of(me, a, RP_IDLE), "0 sold, 100% open");
    come_to(me, b, RP_WAITING, "0 sold, 100% open");
    check_eq(strlen(info_of(me, c, RP_IDLE)), RP_INFO - 1);
    check_eq(tell_num(me, a, 0), 0);
    check_eq(tell_num(me, a, 100000), 0);
    check_eq(tell_num(me, b, 7), 0);
    come_to(me, a, RP_WAITING, "2 sold, 100% open");
    come_to(me, b, RP_WAITING, "7 sold, 100% open");
    check_str(info_of(me, rp_self_ref(me), RP_RUNNING), "");
    check_eq(rp_stop(me, a, "enough"), 0); /* it returns -ECANCELED */
    return 0;
}

/* The last one that a loop has called is no more at work than the others, when somebody looks from another loop. */
static int idle_again(rp_self *me, void *arg)
{
    rp_ref a;
    (void)arg;
    check_eq(rp_spawn(me, &shop, &(rp_spawn_opts){.on = RP_LOOP(rp_loop_count(me) - 1)}, &a), 0);
    check_eq(tell_num(me, a, 0), 0);
    come_to(me, a, RP_IDLE, "1 sold, 100% open");
    return 0;
}

TEST(hooks, who_was_called_last_is_idle)
{
    everywhere(idle_again, 0);
}

TEST(hooks, info_is_a_line_of_its_state)
{
    everywhere(described, 0);
}

/* Where its state is not its own to show: not begun, fallen, and its code runs. It goes with who moves. */
static int asks_itself(rp_self *me, void *state, const rp_msg *m)
{
    (void)m;
    ((struct shop *)state)->sold++;
    check_str(info_of(me, rp_self_ref(me), RP_RUNNING), "");
    return -EIO;
}
static const rp_actor shy = {
    .name = "shy", .init = set_up, .handle = asks_itself, .info = tell_shop, .state_size = sizeof(struct shop),
};

static int not_shown(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref a, top, child;
    int broken = -EINVAL;
    check_eq(rp_spawn(me, &shop, &(rp_spawn_opts){.on = RP_SPREAD, .arg = &broken}, &a), -EINVAL);
    rp_child one = {.actor = &shy, .opts = {.on = RP_SPREAD}};
    rp_supervisor s = {.children = &one, .nchildren = 1, .restarts = 3, .within_ms = 100000, .backoff_ms = 50000};
    check_eq(rp_supervise(me, &s, NULL, &top), 0);
    check_eq(rp_supervise_child(me, top, 0, &child), 0);
    check_str(info_of(me, child, RP_IDLE), "0 sold, 100% open");
    check_eq(tell_num(me, child, 0), 0);
    come_to(me, child, RP_FALLEN, "");
    check_eq(rp_spawn(me, &shop, NULL, &a), 0);
    check_eq(tell_num(me, a, 0), 0);
    check_eq(rp_move(me, a, rp_loop_count(me) - 1), 0);
    come_to(me, a, RP_IDLE, "1 sold, 100% open");
    return 0;
}

TEST(hooks, info_is_not_asked_of_who_runs_or_has_fallen)
{
    everywhere(not_shown, 0);
}

/* ---- as text, and how long each may take --------------------------------------------------------- */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct told {
    bool awaited;
    _Atomic unsigned init, fini, info, none; /* reports about the slow one, by hook */
};
static struct told told;

/* 120 ms; where a watchdog is to tell of it, until it has: on a crowded machine that takes its time. */
static void burn_till(_Atomic unsigned *n)
{
    double began = now_ms();
    while (now_ms() < began + 120 || (told.awaited && atomic_load(n) == 0 && now_ms() < began + 10000))
        __asm__ volatile("");
}

static int slow_init(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    burn_till(&told.init);
    return 0;
}

static void slow_fini(rp_self *me, void *state, int reason)
{
    (void)me, (void)state, (void)reason;
    burn_till(&told.fini);
}

static void slow_info(const void *state, char *to, size_t size)
{
    (void)state;
    burn_till(&told.info);
    snprintf(to, size, "at last");
}
static const rp_actor slow = {
    .name = "slow", .init = slow_init, .handle = sell, .fini = slow_fini, .info = slow_info, .state_size = sizeof(struct shop),
};

static void on_stall(const rp_stall *s, void *ud)
{
    struct told *t = ud;
    if (strcmp(s->name, "slow") != 0)
        return;
    atomic_fetch_add(strcmp(s->hook, "init") == 0   ? &t->init
                     : strcmp(s->hook, "fini") == 0 ? &t->fini
                     : strcmp(s->hook, "info") == 0 ? &t->info
                                                    : &t->none, 1);
}

static int lives_slowly(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref who;
    struct rp_down d;
    check_eq(rp_spawn(me, &slow, &(rp_spawn_opts){.on = RP_LOOP(1), .monitor = true}, &who), 0);
    check_str(info_of(me, who, RP_IDLE), "at last");
    check_eq(rp_stop(me, who, "enough"), 0);
    return recv_down(me, &d);
}

TEST(hooks, one_that_takes_too_long_is_named)
{
    struct told *t = &told;
    rp_system_opts o = {.loops = 2, .stall_ms = 20, .on_stall = on_stall, .stall_ud = t};
#if !defined(__SANITIZE_THREAD__) /* it holds signals back until a thread blocks */
    t->awaited = true;
#endif
    check_eq(run_with(lives_slowly, 0, &o), 0);
#if !defined(__SANITIZE_THREAD__)
    t->awaited = false;
    check(t->init >= 1 && t->fini >= 1 && t->info >= 1, "%u %u %u", t->init, t->fini, t->info);
    check_eq(t->none, 0);
#endif
}

/* A fini is part of a child's end: its supervisor does not wait for it beyond the child's budget. */
struct stops {
    bool stuck;
    rp_time at, gone;
};

static void on_event(rp_self *me, void *arg, const rp_supervision *e)
{
    struct stops *s = arg;
    if (e->what == RP_CHILD_STUCK)
        s->stuck = true, s->at = rp_now(me);
    if (e->what == RP_CHILD_GONE)
        s->gone = rp_now(me);
}

static int stops_slowly(rp_self *me, void *arg)
{
    struct stops s = {0};
    rp_ref top;
    struct rp_down d;
    rp_child one = {.actor = &slow, .opts = {.on = RP_LOOP(1)}, .stop_ms = 30};
    rp_supervisor spec = {.children = &one, .nchildren = 1, .event = on_event, .event_arg = &s};
    (void)arg;
    check_eq(rp_supervise(me, &spec, &(rp_spawn_opts){.monitor = true}, &top), 0);
    check_eq(rp_stop(me, top, "enough"), 0);
    check_eq(recv_down(me, &d), 0);
    check(s.stuck && s.gone > s.at, "stuck %d at %" PRId64 ", gone at %" PRId64, s.stuck, s.at, s.gone);
    return 0;
}

TEST(hooks, a_fini_over_its_childs_budget_is_reported)
{
    check_eq(run_with(stops_slowly, 0, &(rp_system_opts){.loops = 2}), 0);
}

TEST(hooks, each_is_a_line_of_the_trace)
{
    char path[64], line[512];
    unsigned init = 0, fini = 0, info = 0;
    double took;
    snprintf(path, sizeof path, "/tmp/reparto-hooks-%d", (int)getpid());
    setenv("RP_TRACE", "hook", 1);
    setenv("RP_TRACE_FILE", path, 1);
    rp_system_opts o = {.loops = 2};
    check_eq(run_with(lives_slowly, 0, &o), 0);
    unsetenv("RP_TRACE");
    FILE *f = fopen(path, "r");
    check(f != NULL);
    while (fgets(line, sizeof line, f)) {
        init += sscanf(line, "%*f 1 hook slow#1.%*[0-9.] init %lf ms", &took) == 1 && took >= 119;
        fini += sscanf(line, "%*f 1 hook slow#1.%*[0-9.] fini %lf ms", &took) == 1 && took >= 119;
        info += sscanf(line, "%*f 1 hook slow#1.%*[0-9.] info %lf ms", &took) == 1 && took >= 119;
    }
    fclose(f);
    unlink(path);
    check(init == 1 && fini == 1 && info == 1, "%u %u %u", init, fini, info);
}

/* However long they take to say, no loop is held for all of them. In time of its thread, so that a crowded machine
 * does not count. */
static double thread_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void halting_info(const void *state, char *to, size_t size)
{
    (void)state;
    for (double end = thread_ms() + 1; thread_ms() < end;)
        __asm__ volatile("");
    snprintf(to, size, "well");
}
static const rp_actor halting = {.name = "halting", .handle = sell, .info = halting_info, .state_size = sizeof(struct shop)};

static int ticks(rp_self *me, void *arg)
{
    double *longest = *(double **)arg, last = thread_ms();
    for (int rc = 0; rc == 0; rc = rp_yield(me)) {
        double now = thread_ms();
        *longest = now - last > *longest ? now - last : *longest;
        last = now;
    }
    return 0;
}
static const rp_actor ticker = {.name = "ticker", .run = ticks};

static int many(rp_self *me, void *arg)
{
    enum { N = 200 };
    double longest = 0, *p = &longest;
    rp_inspection *i;
    rp_actor_info a;
    rp_ref t;
    struct rp_down d;
    unsigned said = 0;
    (void)arg;
    for (unsigned k = 0; k < N; k++)
        check_eq(rp_spawn(me, &halting, &(rp_spawn_opts){.on = RP_LOOP(1)}, NULL), 0);
    check_eq(rp_spawn(me, &ticker, &(rp_spawn_opts){.on = RP_LOOP(1), .arg = &p, .monitor = true}, &t), 0);
    check_eq(rp_inspect(me, 5000, &i), 0);
    while (rp_inspect_next(me, i, &a) > 0)
        said += strcmp(a.info, "well") == 0;
    rp_inspect_end(me, i);
    check_eq(said, N);
    check_eq(rp_stop(me, t, "enough"), 0);
    check_eq(recv_down(me, &d), 0);
    check(longest < N / 4, "its loop was held for %.1f ms", longest);
    return 0;
}

TEST(hooks, those_of_many_hold_no_loop)
{
    check_eq(run_with(many, 0, &(rp_system_opts){.loops = 2}), 0);
}

static int writes(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref a;
    char path[] = "/tmp/reparto-hooks-XXXXXX", text[4096] = "";
    int fd = mkstemp(path);
    unlink(path);
    check_eq(rp_spawn(me, &shop, &(rp_spawn_opts){.name = "the shop"}, &a), 0);
    check_eq(rp_dump(me, fd), 0);
    check(pread(fd, text, sizeof text - 1, 0) > 0);
    close(fd);
    check(strstr(text, "the shop             idle     - 0 sold, 100% open\n"), "%s", text);
    return 0;
}

TEST(hooks, info_stands_in_the_dump)
{
    everywhere(writes, 0);
}
