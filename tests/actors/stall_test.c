/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) /* it holds signals back until a thread blocks */
#define ANSWERS 0
#else
#define ANSWERS 1
#endif

enum { KEPT = 64, PATIENCE_MS = 20000 };

struct told {
    _Atomic unsigned n; /* reports, the first of them kept */
    rp_stall s[KEPT];
    void *stack[KEPT][32];
};

static void on_stall(const rp_stall *s, void *ud)
{
    struct told *t = ud;
    unsigned n = atomic_load(&t->n);
    if (n < KEPT) {
        t->s[n] = *s;
        for (unsigned i = 0; i < s->depth; i++)
            t->stack[n][i] = s->stack[i];
    }
    atomic_store(&t->n, n + 1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

__attribute__((noinline)) static void burn(double ms)
{
    for (double end = now_ms() + ms; now_ms() < end;)
        __asm__ volatile("");
}

/* A report of `name` on that loop; on a crowded machine there are others, and some where the thread did not answer. */
static bool is_of(const rp_stall *s, unsigned loop, const char *name)
{
    return s->loop == loop && (!ANSWERS || strcmp(s->name, name) == 0);
}

/* The first one from the `from`-th on; KEPT: there is none. */
static unsigned first_of(const struct told *t, unsigned from, unsigned loop, const char *name)
{
    unsigned n = atomic_load(&t->n);
    for (unsigned i = from; i < n && i < KEPT; i++)
        if (is_of(&t->s[i], loop, name))
            return i;
    return KEPT;
}

/* The one with which that stall was first told; in between each has the next number, and a longer time. */
static unsigned began(const struct told *t, unsigned i)
{
    while (t->s[i].times > 1) {
        unsigned before = i - 1;
        while (before < i && t->s[before].loop != t->s[i].loop)
            before--;
        check(before < i, "a stall begins with its report %u", t->s[i].times);
        check(t->s[i].times == t->s[before].times + 1 && t->s[i].held > t->s[before].held);
        i = before;
    }
    return i;
}

/* Whether who holds that loop is to go on: 100 ms, and until it has been told so often. */
__attribute__((noinline)) static bool goes_on(const struct told *t, unsigned from, rp_self *me, const char *name, unsigned times, double begun)
{
    for (unsigned at = from; times > 0 && (at = first_of(t, at, rp_loop_index(me), name)) < KEPT; at++)
        times--;
    return now_ms() < begun + 100 || (times > 0 && now_ms() < begun + PATIENCE_MS);
}

static int handle_long(rp_self *me, void *state, const rp_msg *m)
{
    const struct told *t = (const struct told *)(uintptr_t)((const struct num *)rp_body(m, NUM))->n;
    unsigned from = atomic_load(&t->n);
    (void)state;
    for (double begun = now_ms(); goes_on(t, from, me, "busy", 2, begun);)
        __asm__ volatile("");
    return RP_STOP;
}
static const rp_actor busy = {.name = "busy", .handle = handle_long};

static int run_long(rp_self *me, void *arg)
{
    const struct told *t = arg;
    unsigned from = atomic_load(&t->n);
    for (double begun = now_ms(); goes_on(t, from, me, "blocked", 1, begun);)
        usleep(20000); /* EINTR, when it is looked at */
    return 0;
}
static const rp_actor blocked = {.name = "blocked", .run = run_long};

static bool through(const struct told *t, unsigned n, const void *fn)
{
    for (unsigned i = 0; i < t->s[n].depth; i++)
        if ((char *)t->stack[n][i] >= (const char *)fn && (char *)t->stack[n][i] < (const char *)fn + 400)
            return true;
    return false;
}

static int held(rp_self *me, void *arg)
{
    struct told *t = arg;
    struct rp_down d;
    rp_ref who;
    rp_metrics m;
    unsigned loop = rp_loop_count(me) - 1;
    check_eq(rp_spawn(me, &busy, &(rp_spawn_opts){.on = RP_LOOP(loop), .monitor = true}, &who), 0);
    check_eq(tell_num(me, who, (uintptr_t)t), 0);
    check_eq(recv_down(me, &d), 0);
    unsigned i = first_of(t, 0, loop, "busy"), k = i < KEPT ? first_of(t, i + 1, loop, "busy") : KEPT;
    check(k < KEPT, "%u reports, not two of busy", atomic_load(&t->n));
    check(t->s[began(t, i)].held >= 20 * RP_MS);
    if (ANSWERS) {
        check_eq(began(t, k), began(t, i));
        check(rp_ref_eq(t->s[i].actor, who));
        check_str(t->s[i].type, "test.num");
        check(through(t, i, handle_long), "depth %u", t->s[i].depth);
    }
    k = atomic_load(&t->n);
    check_eq(rp_spawn(me, &blocked, &(rp_spawn_opts){.on = RP_LOOP(loop), .arg = t, .monitor = true}, &who), 0);
    check_eq(recv_down(me, &d), 0);
    i = first_of(t, k, loop, "blocked");
    check(i < KEPT, "%u reports, none of blocked", atomic_load(&t->n));
    check(!ANSWERS || t->s[i].type[0] == 0, "%s", t->s[i].type);
    check(began(t, i) >= k || loop == 0, "it is told as if it had begun before"); /* on one loop it is all one turn */
    check(!ANSWERS || t->s[i].depth >= 1);
    unsigned n = atomic_load(&t->n);
    check_eq(rp_metrics_read(me, RP_ALL_LOOPS, &m), 0);
    check(m.stalls >= n && n > 1);
    return 0;
}

TEST(stall, a_held_loop_is_told_while_it_is)
{
    static struct told t;
    struct sigaction before, after;
    sigaction(SIGRTMAX - 3, 0, &before);
    rp_system_opts o = {.loops = 2, .stall_ms = 20, .on_stall = on_stall, .stall_ud = &t};
    check_eq(run_with(held, &t, &o), 0);
    sigaction(SIGRTMAX - 3, 0, &after);
    check(before.sa_handler == after.sa_handler, "the handler is still there");
}

/* Its loop is watched while it runs it. */
TEST(stall, in_a_host)
{
    static struct told t;
    rp_system_opts o = {.loops = 1, .stall_ms = 20, .on_stall = on_stall, .stall_ud = &t};
    rp_actor root = {.name = "root", .run = held};
    check_eq(run_ticked(&root, &t, &o), 0);
    atomic_store(&t.n, 0);
    check_eq(run_attached(&root, &t, &o), 0);
}

static int short_and_idle(rp_self *me, void *arg)
{
    struct rusage a, b;
    long most = 30, is = most;
    (void)arg;
    for (double end = now_ms() + 100; now_ms() < end;) {
        burn(1);
        check_eq(rp_yield(me), 0);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    for (int i = 0; i < 10 && is >= most; i++) { /* at first it may still be looking at one that got no processor */
        getrusage(RUSAGE_SELF, &a);
        check_eq(rp_sleep(me, rp_in_ms(me, 400)), 0);
        getrusage(RUSAGE_SELF, &b);
        is = b.ru_nvcsw - a.ru_nvcsw;
    }
    check(is < most, "%ld switches while all sleep", is);
    return 0;
}

/* Many short turns are no stall; and where nobody is awake, the watchdog sleeps too: it would look 80 times. */
TEST(stall, not_a_busy_loop_and_not_an_idle_one)
{
    static struct told t;
    rp_system_opts o = {.loops = 2, .stall_ms = 20, .stall_signal = SIGRTMIN + 3, .on_stall = on_stall, .stall_ud = &t};
    check_eq(run_with(short_and_idle, 0, &o), 0);
    for (unsigned i = 0; i < atomic_load(&t.n) && i < KEPT; i++) /* on a crowded machine a turn may take as long */
        check(t.s[i].times <= 3);
}

static int block_it(rp_self *me, void *arg)
{
    sigset_t *it = arg;
    sigemptyset(it);
    sigaddset(it, SIGRTMAX - 3);
    (void)me;
    check_eq(pthread_sigmask(SIG_BLOCK, it, 0), 0);
    burn(200);
    return 0;
}

/* It is looked at in vain, and what it was sent for that does not come when there is no handler any more. */
TEST(stall, a_thread_that_blocks_the_signal)
{
    static struct told t;
    sigset_t it;
    rp_system_opts o = {.loops = 1, .stall_ms = 20, .on_stall = on_stall, .stall_ud = &t};
    check_eq(run_with(block_it, &it, &o), 0);
    check_eq(pthread_sigmask(SIG_UNBLOCK, &it, 0), 0);
    check(atomic_load(&t.n) > 0);
    check_eq(t.s[0].depth, 0);
}

static int nothing(rp_self *me, void *arg)
{
    (void)arg;
    return rp_yield(me);
}

TEST(stall, without_memory_there_is_no_system_and_no_handler)
{
    rp_actor root = {.name = "root", .run = nothing};
    int rc = -ENOMEM;
    for (int64_t i = 1; rc != 0; i++) {
        struct test_mem mem;
        struct sigaction now;
        test_mem_init(&mem);
        mem.fail_at = i;
        rp_system_opts o = {.loops = 2, .stall_ms = 1000, .mem = &mem.alloc};
        rc = rp_run(&root, NULL, &o);
        check(rc == 0 || rc == -ENOMEM, "%d", rc);
        check_eq(mem.blocks, 0);
        sigaction(SIGRTMAX - 3, 0, &now);
        check(now.sa_handler == SIG_DFL);
    }
}

TEST(stall, what_cannot_be)
{
    rp_system_opts o = {.loops = 1, .stall_ms = 20, .stall_signal = SIGUSR1};
    check_eq(run_with(short_and_idle, 0, &o), -EINVAL);
    o = (rp_system_opts){.loops = 2, .stall_ms = 1, .sim_seed = test_seed()}; /* is not watched */
    static struct told t;
    o.on_stall = on_stall;
    o.stall_ud = &t;
    check_eq(run_with(short_and_idle, 0, &o), 0);
    check_eq(atomic_load(&t.n), 0);
}
