/* SPDX-License-Identifier: MIT
 *
 * Systems in hosts that have a main loop. That all else works there too is shown by `everywhere`, which runs
 * each test attached and ticked as well.
 */
#include "tests/support.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

struct end {
    int result;
    unsigned times;
};

static void on_end(void *ud, int result)
{
    struct end *e = ud;
    e->result = result;
    e->times++;
}

static rp_system *attach(uv_loop_t *uv, root_fn *fn, void *arg, unsigned loops, struct end *e)
{
    static rp_actor root;
    rp_system_opts o = {.loops = loops};
    rp_system *sys;
    root = (rp_actor){.name = "root", .run = fn};
    check_eq(rp_attach(uv, &root, arg, &o, on_end, e, &sys), 0);
    return sys;
}

static rp_system *open_ticked(root_fn *fn, void *arg, unsigned loops)
{
    static rp_actor root;
    rp_system_opts o = {.loops = loops};
    rp_system *sys;
    root = (rp_actor){.name = "root", .run = fn};
    check_eq(rp_system_open(&root, arg, &o, &sys), 0);
    return sys;
}

/* Ticks and polls as a host does, for `ms` at most. What the last tick said. */
static int tick_for(rp_system *sys, int ms)
{
    struct pollfd fd = {.fd = rp_poll_fd(sys), .events = POLLIN};
    int rc;
    for (;;) {
        while ((rc = rp_system_tick(sys, RP_MS)) == 1)
            ;
        int due = rp_poll_ms(sys);
        if (rc < 0 || ms <= 0)
            return rc;
        poll(&fd, 1, due >= 0 && due < ms ? due : ms);
        ms -= due >= 0 && due < ms ? due : ms;
    }
}

static int waits(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    return rc == 0 ? -EBADMSG : rc;
}

static int returns(rp_self *me, void *arg)
{
    (void)me;
    return *(int *)arg;
}

static void close_uv(uv_loop_t *uv)
{
    uv_run(uv, UV_RUN_DEFAULT);
    check_eq(uv_loop_close(uv), 0);
}

/* ---- attached -------------------------------------------------------------------------------------- */

TEST(embed, the_end_is_told_once_with_the_result)
{
    for (unsigned loops = 1; loops <= 3; loops++) {
        uv_loop_t uv;
        struct end e = {0};
        int result = -EDOM;
        uv_loop_init(&uv);
        attach(&uv, returns, &result, loops, &e);
        check_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
        check_eq(e.times, 1);
        check_eq(e.result, -EDOM);
        close_uv(&uv);
    }
}

TEST(embed, what_cannot_begin_leaves_the_host_alone)
{
    uv_loop_t uv;
    rp_actor none = {.name = "none"}, root = {.name = "root", .run = waits};
    rp_system_opts sim = {.sim_seed = 1};
    rp_system *sys;
    uv_loop_init(&uv);
    check_eq(rp_attach(&uv, &none, NULL, NULL, NULL, NULL, &sys), -EINVAL);
    check_eq(rp_attach(NULL, &root, NULL, NULL, NULL, NULL, &sys), -EINVAL);
    check_eq(rp_attach(&uv, &root, NULL, &sim, NULL, NULL, &sys), -EINVAL);
    check_eq(rp_system_open(&none, NULL, NULL, &sys), -EINVAL);
    check_eq(rp_system_open(&root, NULL, &sim, &sys), -EINVAL);
    struct test_mem mem;
    for (int64_t k = 1; k < 12; k++) {
        test_mem_init(&mem);
        mem.fail_at = k;
        rp_system_opts o = {.loops = 2, .mem = &mem.alloc};
        check_eq(rp_attach(&uv, &root, NULL, &o, NULL, NULL, &sys), -ENOMEM);
        check_eq(mem.blocks, 0);
        check_eq(uv_loop_alive(&uv), 0);
    }
    check_eq(uv_loop_close(&uv), 0); /* there is no handle of ours in it */
}

struct pair {
    uv_loop_t uv;
    rp_system *a;
    struct end ea, eb;
    int hellos;
};

static int says_hello(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, rp_in_ms(me, 2));
    ((struct pair *)arg)->hellos++;
    return rc;
}

static void b_ended(void *ud, int result)
{
    struct pair *p = ud;
    on_end(&p->eb, result);
    if (p->eb.times == 1) { /* the next one, from within the end of this */
        rp_actor root = {.name = "again", .run = says_hello};
        static rp_actor kept;
        rp_system *sys;
        kept = root;
        check_eq(rp_attach(&p->uv, &kept, p, NULL, b_ended, p, &sys), 0);
    } else {
        rp_quit(p->a, "all said");
    }
}

TEST(embed, several_in_one_loop_and_a_run_beside_them)
{
    struct pair p = {.hellos = 0};
    rp_actor hello = {.name = "hello", .run = says_hello};
    rp_system *b;
    uv_loop_init(&p.uv);
    p.a = attach(&p.uv, waits, NULL, 2, &p.ea);
    check_eq(rp_attach(&p.uv, &hello, &p, NULL, b_ended, &p, &b), 0);
    check_eq(run_with(says_hello, &p, NULL), 0);
    uv_run(&p.uv, UV_RUN_DEFAULT);
    check_eq(p.hellos, 3);
    check_eq(p.eb.times, 2);
    check_eq(p.ea.times, 1);
    check_eq(p.ea.result, -ECANCELED);
    close_uv(&p.uv);
}

TEST(embed, quit_before_it_ran_and_twice)
{
    uv_loop_t uv;
    struct end e = {0};
    uv_loop_init(&uv);
    rp_system *sys = attach(&uv, waits, NULL, 2, &e);
    rp_quit(sys, "at once");
    rp_quit(sys, "again");
    uv_run(&uv, UV_RUN_DEFAULT);
    check_eq(e.times, 1);
    check_eq(e.result, -ECANCELED);
    close_uv(&uv);
}

TEST(embed, a_host_that_is_not_held_may_go)
{
    uv_loop_t uv;
    struct end e = {0};
    uv_loop_init(&uv);
    rp_system *sys = attach(&uv, waits, NULL, 2, &e);
    rp_hold_host(sys, false);
    uv_run(&uv, UV_RUN_DEFAULT);
    check_eq(e.times, 0);
    rp_hold_host(sys, true);
    rp_quit(sys, "now");
    uv_run(&uv, UV_RUN_DEFAULT);
    check_eq(e.times, 1);
    close_uv(&uv);
}

/* ---- how long the host waits -------------------------------------------------------------------------- */

enum { BUSY = 200, SPELL_MS = 300 };

static int pass_on(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    rp_ref *next = state;
    if (b->n == 0) {
        *next = b->ref;
        return 0;
    }
    return rp_tell(me, *next, NUM, b);
}
static const rp_actor passer = {.name = "passer", .handle = pass_on, .state_size = sizeof(rp_ref)};

static int storm(rp_self *me, void *arg) /* messages go round without an end */
{
    (void)arg;
    rp_ref ring[BUSY];
    for (int i = 0; i < BUSY; i++)
        check_eq(rp_spawn(me, &passer, NULL, &ring[i]), 0);
    for (int i = 0; i < BUSY; i++) {
        struct num b = {0, ring[(i + 1) % BUSY]};
        check_eq(rp_tell(me, ring[i], NUM, &b), 0);
    }
    for (int i = 0; i < BUSY; i++)
        check_eq(tell_num(me, ring[i], 1), 0);
    return rp_sleep(me, rp_in_ms(me, SPELL_MS));
}

static rp_time cpu_now(void) /* of this thread: what other processes do does not show */
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (rp_time)t.tv_sec * RP_S + t.tv_nsec;
}

enum { GAPS = 100000 };
struct gaps {
    rp_time last, gap[GAPS];
    unsigned n;
};

static int by_size(const void *a, const void *b)
{
    rp_time x = *(const rp_time *)a, y = *(const rp_time *)b;
    return (x > y) - (x < y);
}

static void note(struct gaps *g)
{
    rp_time now = cpu_now();
    if (g->last && g->n < GAPS)
        g->gap[g->n++] = now - g->last;
    g->last = now;
}

static void check_gaps(struct gaps *g)
{
    check(g->n > 20, "the host ran %u times", g->n); /* thousands, where the machine is its own */
    qsort(g->gap, g->n, sizeof *g->gap, by_size);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    rp_time p99 = g->gap[g->n * 99 / 100];
    check(p99 < 100 * RP_US + RP_MS, "p99 is %lld ns", (long long)p99);
#endif
}

static void on_host_idle(uv_idle_t *h)
{
    note(h->data);
    if (uv_now(h->loop) > *(uint64_t *)h->loop->data)
        uv_close((uv_handle_t *)h, NULL);
}

TEST(embed, the_host_waits_no_longer_than_a_turn)
{
    static struct gaps g;
    uv_loop_t uv;
    uv_idle_t idle;
    struct end e = {0};
    uv_loop_init(&uv);
    uint64_t until = uv_now(&uv) + SPELL_MS * 2 / 3;
    uv.data = &until;
    uv_idle_init(&uv, &idle);
    idle.data = &g;
    uv_idle_start(&idle, on_host_idle);
    attach(&uv, storm, NULL, 1, &e);
    uv_run(&uv, UV_RUN_DEFAULT);
    check_eq(e.result, 0);
    check_gaps(&g);
    close_uv(&uv);
}

TEST(embed, a_tick_keeps_to_its_budget)
{
    static struct gaps g;
    rp_system *sys = open_ticked(storm, NULL, 1);
    int rc;
    do
        note(&g);
    while ((rc = rp_system_tick(sys, 20 * RP_US)) >= 0);
    check_eq(rc, -ESHUTDOWN);
    check_eq(rp_system_close(sys), 0);
    check_gaps(&g);
}

/* ---- ticked --------------------------------------------------------------------------------------- */

static int three_steps(rp_self *me, void *arg)
{
    int rc = 0;
    for (; rc == 0 && *(int *)arg < 3; ++*(int *)arg)
        rc = rp_yield(me);
    return rc != 0 ? rc : rp_sleep(me, rp_in_ms(me, 30));
}

TEST(embed, ticks_do_a_little_and_say_what_next)
{
    int steps = 0;
    rp_system *sys = open_ticked(three_steps, &steps, 1);
    check_eq(rp_system_tick(sys, 0), 1);
    check(steps < 3, "%d steps in one round", steps);
    while (rp_system_tick(sys, 0) == 1)
        ;
    check_eq(steps, 3);
    int ms = rp_poll_ms(sys);
    check(ms > 0 && ms <= 31, "it sleeps %d ms", ms);
    struct pollfd fd = {.fd = rp_poll_fd(sys), .events = POLLIN};
    check_eq(poll(&fd, 1, 0), 0);
    check_eq(tick_for(sys, 5000), -ESHUTDOWN);
    check_eq(rp_system_tick(sys, RP_MS), -ESHUTDOWN);
    check_eq(rp_system_close(sys), 0);
}

TEST(embed, an_idle_one_asks_for_nothing)
{
    rp_system *sys = open_ticked(waits, NULL, 2);
    check_eq(tick_for(sys, 300), 0); /* beyond what is done once a loop has become idle */
    struct pollfd fd = {.fd = rp_poll_fd(sys), .events = POLLIN};
    check_eq(rp_poll_ms(sys), -1);
    check_eq(poll(&fd, 1, 50), 0);
    rp_quit(sys, "enough");
    check_eq(poll(&fd, 1, 5000), 1);
    check_eq(tick_for(sys, 5000), -ESHUTDOWN);
    check_eq(rp_system_close(sys), -ECANCELED);
}

static int reluctant(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, RP_FOREVER);
    for (int i = 0; i < 3; i++) {
        *(int *)arg += 1;
        rp_msg *m;
        (void)!rp_recv(me, &m, RP_FOREVER); /* cancelled */
    }
    return rc;
}

TEST(embed, close_ends_what_lives)
{
    for (unsigned loops = 1; loops <= 3; loops++) {
        int left = 0;
        rp_system *sys = open_ticked(reluctant, &left, loops);
        if (loops != 2) /* one that was never ticked too */
            check_eq(tick_for(sys, 2), 0);
        check_eq(rp_system_close(sys), -ECANCELED);
        check(left == 3 || loops == 2);
    }
}

static void *tick_elsewhere(void *arg)
{
    check_eq(rp_system_tick(arg, RP_MS), -EPERM);
    check_eq(rp_system_close(arg), -EPERM);
    return NULL;
}

TEST(embed, only_one_thread_ticks)
{
    rp_system *sys = open_ticked(waits, NULL, 1);
    pthread_t t;
    check_eq(rp_system_tick(sys, RP_MS), 0);
    check_eq(pthread_create(&t, NULL, tick_elsewhere, sys), 0);
    pthread_join(t, NULL);
    check_eq(rp_system_close(sys), -ECANCELED);
}

TEST(embed, a_forked_child_has_no_part_in_it)
{
    rp_system *sys = open_ticked(waits, NULL, 1);
    check_eq(rp_system_tick(sys, RP_MS), 0);
    pid_t pid = fork();
    if (pid == 0) {
        rp_quit(sys, "not by me");
        _exit(rp_system_tick(sys, RP_MS) == -EPERM && rp_system_close(sys) == -EPERM ? 0 : 1);
    }
    int status;
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
    check_eq(tick_for(sys, 5), 0); /* nothing has come of it here */
    check_eq(rp_system_close(sys), -ECANCELED);
}

/* ---- from outside ------------------------------------------------------------------------------------ */

struct question {
    uint64_t n;
    rp_queue *answers;
};

/* What serves a port: takes what any thread has put, has it done by actors, and puts the answer where asked. */
static int serve(rp_self *me, void *arg)
{
    rp_queue *port = arg;
    struct question q;
    int rc;
    while ((rc = rp_queue_get(me, port, &q, RP_FOREVER)) == 0) {
        uint64_t square = q.n * q.n;
        rc = rp_queue_put(me, q.answers, &square, RP_FOREVER);
        if (rc != 0)
            return rc;
    }
    return rc == -EPIPE ? 0 : rc;
}

enum { ASKERS = 3, QUESTIONS = 300 };

static void *ask(void *arg)
{
    rp_queue *port = arg, *answers;
    uint64_t sum = 0, got, n = 0;
    check_eq(rp_queue_new(sizeof(uint64_t), 4, NULL, &answers), 0);
    struct pollfd fd = {.fd = rp_queue_fd(answers), .events = POLLIN};
    check(fd.fd >= 0);
    for (unsigned answered = 0; answered < QUESTIONS;) {
        struct question q = {n + 1, answers};
        int rc = n < QUESTIONS ? rp_queue_try_put(port, &q) : -EAGAIN;
        check(rc == 0 || rc == -EAGAIN); /* bounded, and it never waits */
        n += rc == 0;
        if (rc == -EAGAIN)
            check(poll(&fd, 1, n > answered ? 5000 : 1) >= 0);
        for (; rp_queue_try_get(answers, &got) == 0; answered++)
            sum += got;
    }
    check_eq(sum, (uint64_t)QUESTIONS * (QUESTIONS + 1) * (2 * QUESTIONS + 1) / 6);
    rp_queue_free(answers);
    return NULL;
}

static void *ask_all(void *arg) /* then the port is closed, and who serves it ends */
{
    pthread_t t[ASKERS];
    for (int i = 0; i < ASKERS; i++)
        check_eq(pthread_create(&t[i], NULL, ask, arg), 0);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(t[i], NULL);
    rp_queue_close_put(arg);
    return NULL;
}

TEST(embed, foreign_threads_ask_by_a_port)
{
    for (int way = 0; way < 2; way++) {
        rp_queue *port;
        pthread_t t;
        check_eq(rp_queue_new(sizeof(struct question), 4, NULL, &port), 0);
        check_eq(pthread_create(&t, NULL, ask_all, port), 0);
        if (way == 0) {
            rp_system *sys = open_ticked(serve, port, 1);
            int rc;
            while ((rc = tick_for(sys, 1000)) >= 0)
                ;
            check_eq(rc, -ESHUTDOWN);
            check_eq(rp_system_close(sys), 0);
        } else {
            uv_loop_t uv;
            struct end e = {0};
            uv_loop_init(&uv);
            attach(&uv, serve, port, 2, &e);
            uv_run(&uv, UV_RUN_DEFAULT);
            check_eq(e.result, 0);
            close_uv(&uv);
        }
        pthread_join(t, NULL);
        rp_queue_free(port);
    }
}

static void *put_late(void *arg)
{
    usleep(20000);
    check_eq(rp_queue_try_put(arg, &(struct question){0}), 0);
    return NULL;
}

static int get_one(rp_self *me, void *arg)
{
    struct question q;
    return rp_queue_get(me, arg, &q, RP_FOREVER);
}

/* A host that runs libuv now and then, and blocks elsewhere, on its backend's descriptor. */
TEST(embed, a_loop_that_sleeps_in_its_hosts_poll_is_woken)
{
    for (int i = 0; i < 5; i++) {
        uv_loop_t uv;
        struct end e = {0};
        rp_queue *port;
        pthread_t t;
        uv_loop_init(&uv);
        check_eq(rp_queue_new(sizeof(struct question), 1, NULL, &port), 0);
        attach(&uv, get_one, port, 1, &e);
        uv_run(&uv, UV_RUN_NOWAIT);
        struct pollfd fd = {.fd = uv_backend_fd(&uv), .events = POLLIN};
        check_eq(pthread_create(&t, NULL, put_late, port), 0);
        while (uv_backend_timeout(&uv) >= 0)
            uv_run(&uv, UV_RUN_NOWAIT);
        check_eq(poll(&fd, 1, 5000), 1);
        uv_run(&uv, UV_RUN_DEFAULT);
        check_eq(e.result, 0);
        pthread_join(t, NULL);
        rp_queue_free(port);
        close_uv(&uv);
    }
}

static int nap(rp_self *me, void *arg)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < *(const int *)arg; i++)
        rc = rp_sleep(me, rp_now(me) + (1 + i % 3) * RP_MS);
    return rc;
}

/* libuv runs timers after the poll since 1.45, and before that with UV_RUN_ONCE. A host that then blocks elsewhere comes
 * back in time only if libuv says that there is more to do. */
TEST(embed, a_timer_that_fires_after_the_poll_gets_its_turn)
{
    uv_loop_t uv;
    struct end e = {0};
    int naps = 20;
    uv_loop_init(&uv);
    attach(&uv, nap, &naps, 1, &e);
    struct pollfd fd = {.fd = uv_backend_fd(&uv), .events = POLLIN};
    while (uv_run(&uv, UV_RUN_ONCE)) {
        int ms = uv_backend_timeout(&uv);
        check(poll(&fd, 1, ms >= 0 ? ms : 20000) > 0 || ms >= 0, "nothing says that a turn is due");
    }
    check_eq(e.times, 1);
    check_eq(e.result, 0);
    close_uv(&uv);
}

/* ---- signals -------------------------------------------------------------------------------------------- */

static rp_system *_Atomic signalled;

static void on_term(int signo)
{
    (void)signo;
    rp_quit(signalled, "SIGTERM");
}

static int until_told(rp_self *me, void *state, const rp_msg *m)
{
    const struct rp_exit_notice *e = rp_body(m, RP_EXIT_NOTICE);
    (void)me, (void)state;
    if (!e)
        return 0;
    check_str(e->why, "SIGTERM");
    check(rp_ref_none(e->who));
    return ++*(int *)state == 2 ? RP_STOP : 0; /* a second one is told as well */
}

static int kill_oneself(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_sleep(me, rp_in_ms(me, 1));
    raise(SIGTERM); /* in the middle of a turn */
    return rc != 0 ? rc : rp_sleep(me, RP_FOREVER);
}
static const rp_actor killer = {.name = "killer", .run = kill_oneself};

static int begin(rp_self *me, void *state, void *arg)
{
    (void)state, (void)arg;
    return rp_spawn(me, &killer, NULL, NULL);
}

TEST(embed, a_signal_handler_may_quit)
{
    rp_actor root = {.name = "root", .handle = until_told, .init = begin, .flags = RP_TRAP, .state_size = sizeof(int)};
    rp_system *sys;
    check_eq(rp_system_open(&root, NULL, NULL, &sys), 0);
    signalled = sys;
    signal(SIGTERM, on_term);
    check_eq(tick_for(sys, 50), 0);
    raise(SIGTERM); /* while it sleeps */
    check_eq(tick_for(sys, 5000), -ESHUTDOWN);
    check_eq(rp_system_close(sys), 0);
    signal(SIGTERM, SIG_DFL);
}

/* ---- a wake that the host's own iteration uses up ------------------------------------------------- */

enum { WAKES = 200 };

struct prepared {
    rp_queue *queue;
    unsigned put;
    _Atomic unsigned got;
};

static int take_all(rp_self *me, void *arg)
{
    struct prepared *s = arg;
    int rc = 0, item;
    while (rc == 0 && s->got < WAKES)
        if ((rc = rp_queue_get(me, s->queue, &item, RP_FOREVER)) == 0)
            s->got++;
    return rc;
}

/* Behind our prepare, which has taken its turn, and before the poll of the same iteration, which sees the wake. */
static void put_one(uv_prepare_t *h)
{
    struct prepared *s = h->data;
    int item = 0;
    if (s->put == s->got && s->put < WAKES && rp_queue_try_put(s->queue, &item) == 0)
        s->put++;
}

TEST(embed, a_host_that_polls_by_itself_misses_no_wake)
{
    struct prepared s = {.put = 0};
    struct end e = {0};
    uv_loop_t uv;
    uv_prepare_t first;
    check_eq(uv_loop_init(&uv), 0);
    check_eq(rp_queue_new(sizeof(int), 4, NULL, &s.queue), 0);
    uv_prepare_init(&uv, &first);
    first.data = &s;
    uv_prepare_start(&first, put_one);
    uv_unref((uv_handle_t *)&first);
    attach(&uv, take_all, &s, 1, &e);
    struct pollfd fd = {.fd = uv_backend_fd(&uv), .events = POLLIN};
    while (e.times == 0) {
        uv_run(&uv, UV_RUN_NOWAIT);
        int due = uv_backend_timeout(&uv);
        check(e.times > 0 || due >= 0 || s.put == s.got || poll(&fd, 1, 5000) > 0, "it would sleep for ever after %u wakes", s.put);
        if (e.times == 0 && due != 0)
            (void)poll(&fd, 1, due);
    }
    check_eq(e.result, 0);
    check_eq(s.got, WAKES);
    uv_close((uv_handle_t *)&first, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    check_eq(uv_loop_close(&uv), 0);
    rp_queue_free(s.queue);
}
