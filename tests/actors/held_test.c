/* SPDX-License-Identifier: MIT
 *
 * held_test.c - what the socket answers while handlers hold loops.
 */
#include "tests/client.h"
#include "tests/support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#if defined(__SANITIZE_THREAD__) /* it holds signals back: who runs may stay unknown */
#define SEEN 0
#else
#define SEEN 1
#endif

/* ---- loops that are held, and who looks at them --------------------------------------------------- */

static struct {
    _Atomic unsigned held;
    _Atomic bool enough; /* they may go on */
    const char *path;
    rp_ref who[2];       /* that holds a loop */
    void (*look)(void);
} now;

__attribute__((noinline)) static void burn(void)
{
    atomic_fetch_add(&now.held, 1);
    while (!atomic_load(&now.enough))
        usleep(500);
}

static int handle_long(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    burn();
    return RP_STOP;
}
static const rp_actor burner = {.name = "burner", .handle = handle_long};

static void *look_from_outside(void *arg)
{
    while (atomic_load(&now.held) < *(unsigned *)arg)
        usleep(1000);
    now.look();
    atomic_store(&now.enough, true);
    return 0;
}

static int nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor witness = {.name = "witness", .handle = nothing};

static void hold(rp_self *me, unsigned loop)
{
    unsigned before = atomic_load(&now.held);
    check_eq(rp_spawn(me, &burner, &(rp_spawn_opts){.on = RP_LOOP(loop), .monitor = true}, &now.who[loop]), 0);
    check_eq(tell_num(me, now.who[loop], 1), 0);
    while (loop != rp_loop_index(me) && atomic_load(&now.held) == before) /* or our own would be held with this message */
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
}

/* Holds the loops of a mask, its own the last. */
static int holds(rp_self *me, void *arg)
{
    unsigned mask = *(unsigned *)arg;
    struct rp_down d;
    for (unsigned i = rp_loop_count(me); i-- > 0;)
        check_eq(rp_spawn(me, &witness, &(rp_spawn_opts){.on = RP_LOOP(i)}, NULL), 0);
    for (unsigned i = rp_loop_count(me); i-- > 0;)
        if (mask & 1u << i)
            hold(me, i);
    for (; mask; mask &= mask - 1)
        check_eq(recv_down(me, &d), 0);
    return 0;
}

static void run_held_by(run_fn *run, root_fn *by, unsigned loops, unsigned mask, void (*look)(void))
{
    const rp_actor root = {.name = "root", .run = by};
    rp_system_opts o = {.loops = loops, .inspect = now.path = socket_path("held")};
    unsigned held = (unsigned)__builtin_popcount(mask);
    pthread_t outside;
    atomic_store(&now.held, 0);
    atomic_store(&now.enough, false);
    now.look = look;
    check_eq(pthread_create(&outside, 0, look_from_outside, &held), 0);
    check_eq(run(&root, &mask, &o), 0);
    pthread_join(outside, 0);
    check_eq(access(now.path, F_OK), -1);
}

static void run_held(unsigned loops, unsigned mask, void (*look)(void))
{
    run_held_by(rp_run, holds, loops, mask, look);
}

static struct ask a;

static const char *asked(const char *text)
{
    a.path = now.path;
    a.text = text;
    check_eq(ask_at(&a), 0);
    return a.answer;
}

static bool ends_ok(void)
{
    return a.n >= 3 && strcmp(a.answer + a.n - 3, "ok\n") == 0;
}

/* A line "# loop N held for ... by burner#..., in the message". */
static void check_named(unsigned loop)
{
    char start[32];
    snprintf(start, sizeof start, SEEN ? "# loop %u held for " : "# loop %u ", loop);
    const char *line = strstr(a.answer, start);
    check(line, "%s", a.answer);
    const char *who = strstr(line, " by burner#"), *what = strstr(line, " in test.num "), *end = strchr(line, '\n');
    check(!SEEN || (who && what && who < what && what < end), "%s", a.answer);
}

/* One of the frames of its stack lies in burn or who has called it. */
static void check_stack(unsigned loop)
{
    char text[64];
    uint64_t at = now.who[loop].local;
    unsigned long pc;
    bool found = false;
    snprintf(text, sizeof text, "stack %u.%u.%u\n", (unsigned)(at >> 54), (unsigned)(at >> 24) & 0x3fffffff,
             (unsigned)(at & 0xffffff));
    asked(text);
    for (const char *line = a.answer; (line = strchr(line, '#')); line++)
        if (sscanf(line, "#%*u 0x%lx", &pc) == 1)
            found |= (pc >= (uintptr_t)burn && pc < (uintptr_t)burn + 200) ||
                     (pc >= (uintptr_t)handle_long && pc < (uintptr_t)handle_long + 200);
    check(!SEEN || (found && ends_ok()), "%s", a.answer);
}

/* ---- all are held --------------------------------------------------------------------------------- */

static void looks_at_one(void)
{
    asked("dump\n");
    check(strncmp(a.answer, "loop load%", 10) == 0 && strstr(a.answer, "\n0 - ") && strstr(a.answer, " held\n") && ends_ok(),
          "%s", a.answer);
    check_named(0);
    asked("actors\n");
    check(strncmp(a.answer, "ref task parent ", 16) == 0 && ends_ok(), "%s", a.answer);
    check_named(0);
    check(strstr(asked("loops\n"), "\n0 - ") && ends_ok(), "%s", a.answer);
    check(strncmp(asked("ledger\n"), "sent ", 5) == 0 && ends_ok(), "%s", a.answer);
    check(strstr(asked("help\n"), "\nledger ") && ends_ok(), "%s", a.answer);
    check_str(asked("dead\n"), "error: no loop answers, and this needs one; ask for dump\n");
    check_str(asked("nonsense\n"), "error: no such word; ask for help\n");
    check(strncmp(asked("stack nobody\n"), "error: ", 7) == 0);
    check_stack(0);
}

TEST(held, the_only_loop)
{
    run_held(1, 1, looks_at_one);
}

static void looks_by_http(void)
{
    asked("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    check(strncmp(a.answer, "HTTP/1.0 200 OK\r\n", 17) == 0 && strstr(a.answer, "\nreparto_loops_held 2\n"), "%s", a.answer);
    check(strstr(a.answer, "reparto_turns_total{loop=\"1\"} "));
    asked("GET /dead HTTP/1.1\r\n\r\n");
    check(strncmp(a.answer, "HTTP/1.0 503 ", 13) == 0, "%s", a.answer);
    asked("dump\n");
    check_named(0);
    check_named(1);
    check_stack(0);
    check_stack(1);
}

TEST(held, all_loops)
{
    run_held(2, 3, looks_by_http);
}

/* ---- in a host ------------------------------------------------------------------------------------ */

TEST(held, in_a_host)
{
    run_held_by(run_ticked, holds, 1, 1, looks_at_one);
    run_held_by(run_attached, holds, 1, 1, looks_at_one);
    run_held_by(run_ticked, holds, 2, 3, looks_by_http);
    run_held_by(run_attached, holds, 2, 3, looks_by_http);
}

static int waits_for_enough(rp_self *me, void *arg)
{
    (void)arg;
    atomic_fetch_add(&now.held, 1);
    while (!atomic_load(&now.enough))
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    return 0;
}

static void do_something_else(void)
{
    while (atomic_load(&now.held) > 0 && !atomic_load(&now.enough))
        usleep(1000);
}

static int tick_now_and_then(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    rp_system *sys;
    check_eq(rp_system_open(root, arg, o, &sys), 0);
    while (rp_system_tick(sys, RP_MS) >= 0)
        do_something_else();
    return rp_system_close(sys);
}

static void end_of_guest(void *ud, int result)
{
    *(int *)ud = result;
}

static int run_now_and_then(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    uv_loop_t uv;
    rp_system *sys;
    int result = -EXDEV;
    check_eq(uv_loop_init(&uv), 0);
    check_eq(rp_attach(&uv, root, arg, o, end_of_guest, &result, &sys), 0);
    while (uv_run(&uv, UV_RUN_NOWAIT))
        do_something_else();
    check_eq(uv_loop_close(&uv), 0);
    return result;
}

static const char *what_host;

static void looks_for_a_host(void)
{
    int ms = 0;
    asked("dump\n");
    const char *line = strstr(a.answer, what_host);
    check(line && sscanf(line + strlen(what_host), " for %d ms\n", &ms) == 1 && ms >= 1900 && ends_ok(), "%s", a.answer);
    asked("actors\n"); /* at once: it has not come since */
    check(strstr(a.answer, what_host) && ends_ok(), "%s", a.answer);
    check(strncmp(asked("stack 0.0.1\n"), "error: ", 7) == 0, "%s", a.answer);
}

/* Nobody holds the loop: its host does something else. */
TEST(held, by_a_host_that_is_elsewhere)
{
    what_host = "# loop 0 not ticked";
    run_held_by(tick_now_and_then, waits_for_enough, 1, 1, looks_for_a_host);
    what_host = "# loop 0 not run by its host";
    run_held_by(run_now_and_then, waits_for_enough, 1, 1, looks_for_a_host);
}

/* ---- one of two ----------------------------------------------------------------------------------- */

static unsigned beside;

static void looks_beside(void)
{
    char line[32];
    asked("actors\n");
    snprintf(line, sizeof line, " %u witness - idle ", 1 - beside);
    check(strstr(a.answer, line) && ends_ok(), "%s", a.answer);
    check_named(beside);
    snprintf(line, sizeof line, "\n%u - ", beside);
    check(strstr(asked("loops\n"), line) && strstr(a.answer, " ok\n") && ends_ok(), "%s", a.answer);
    asked("dead\n");
    check_named(beside);
    check(ends_ok());
    check_stack(beside);
    asked("dump\n");
    check(strstr(a.answer, " witness ") && ends_ok(), "%s", a.answer);
    check_named(beside);
}

TEST(held, one_of_two)
{
    run_held(2, 1 << (beside = 0), looks_beside);
    run_held(2, 1 << (beside = 1), looks_beside);
}

static _Atomic bool more;

/* Loop 1 is held already; and when somebody has begun to ask, loop 0 too. */
static int holds_later(rp_self *me, void *arg)
{
    struct rp_down d;
    (void)arg;
    hold(me, 1);
    while (!atomic_load(&more))
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    burn();
    return recv_down(me, &d);
}

static void looks_in_between(void)
{
    int fd = dial(now.path);
    check(fd >= 0 && send(fd, "actors\n", 7, 0) == 7);
    usleep(100000); /* loop 0 has taken it by now, or else never will: it waits for loop 1 */
    atomic_store(&more, true);
    a.n = 0;
    for (ssize_t n; (n = read(fd, a.answer + a.n, sizeof a.answer - 1 - a.n)) > 0;)
        a.n += (size_t)n;
    a.answer[a.n] = 0;
    close(fd);
    check(ends_ok(), "%s", a.answer);
    check_named(1);
    check(strstr(a.answer, SEEN ? " by root#" : "# loop 0 "), "%s", a.answer);
}

TEST(held, a_loop_that_has_begun_to_answer)
{
    run_held_by(rp_run, holds_later, 2, 2, looks_in_between);
}

/* ---- clients that are rude ------------------------------------------------------------------------- */

static void looks_in_bad_company(void)
{
    int fd[6];
    for (unsigned i = 0; i < 6; i++) {
        check((fd[i] = dial(now.path)) >= 0);
        check(i % 2 == 0 || send(fd[i], "actors\n", 7, 0) == 7); /* every other one asks, and does not listen */
    }
    check(strstr(asked("dump\n"), "held") && ends_ok(), "%s", a.answer);
    for (unsigned i = 0; i < 4; i++)
        close(fd[i]);
    for (unsigned i = 0; i < 20; i++) /* more than have a place */
        check(strncmp(asked("loops\n"), "loop load%", 10) == 0 && ends_ok(), "%s", a.answer);
} /* two are connected still, and it ends all the same */

TEST(held, waits_for_no_client)
{
    run_held(1, 1, looks_in_bad_company);
    run_held(2, 2, looks_in_bad_company);
}

static int returns(rp_self *me, void *arg)
{
    (void)arg;
    return rp_yield(me);
}

/* The child has none of its threads, and may have a system of its own. (Not under valgrind: what only those threads
 * had, a stack for signals each, is lost in the child, and that is an error there.) */
static void forks(void)
{
    const rp_actor own = {.name = "own", .run = returns};
    char path[100];
    snprintf(path, sizeof path, "%s-child", now.path);
    rp_system_opts o = {.loops = 2, .inspect = path};
    asked("dump\n");
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(SEEN ? -rp_run(&own, NULL, &o) : 0); /* ThreadSanitizer allows no thread there */
    check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
    check(strstr(asked("dump\n"), "held") && ends_ok(), "%s", a.answer);
}

TEST(held, a_child_takes_nothing_along)
{
    run_held(2, 3, forks);
}

/* ---- what it costs ---------------------------------------------------------------------------------- */

static int sleeps(rp_self *me, void *arg)
{
    struct rusage before, after;
    check_eq(rp_sleep(me, rp_in_ms(me, 150)), 0); /* stacks that are free are trimmed once */
    getrusage(RUSAGE_SELF, &before);
    check_eq(rp_sleep(me, rp_in_ms(me, 400)), 0);
    getrusage(RUSAGE_SELF, &after);
    *(long *)arg = after.ru_nvcsw - before.ru_nvcsw;
    return 0;
}

TEST(held, nothing_while_nobody_asks)
{
    rp_system_opts without = {.loops = 2}, with = {.loops = 2, .inspect = socket_path("idle")};
    long alone, watched;
    check_eq(run_with(sleeps, &alone, &without), 0);
    check_eq(run_with(sleeps, &watched, &with), 0);
    check(watched <= alone + 3, "%ld and %ld switches", alone, watched);
}
