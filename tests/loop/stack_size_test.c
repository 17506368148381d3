/* SPDX-License-Identifier: MIT
 *
 * `.stack` is what code may use: for a coroutine, a handler, a task and the root; and no frame leaps over the guard.
 */
#include "tests/support.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * KIB };

/* Uses `n` bytes of the stack below `top`: all of them, and no more than a frame beyond. */
__attribute__((noinline)) static int use(const char *top, size_t n)
{
    const char *here = __builtin_frame_address(0);
    volatile char room[512];
    room[0] = (char)n;
    return (size_t)(top - here) >= n ? 0 : use(top, n) + room[0] - (char)n;
}

static int uses(size_t n)
{
    return use(__builtin_frame_address(0), n - 600); /* less what is called on the way, and the last frame */
}

static int run_uses(rp_self *me, void *arg)
{
    (void)me;
    return uses((size_t)(uintptr_t)arg);
}

static int task_uses(rp_self *me, void *arg)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, run_uses, arg, NULL);
    return rp_scope_close(me, &s, rc);
}

static int handle_uses(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    int rc = uses(b->n);
    return rc != 0 ? rc : rp_reply(me, m, NUM, b);
}

static int handle_task_uses(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    int rc = task_uses(me, (void *)(uintptr_t)b->n);
    return rc != 0 ? rc : rp_reply(me, m, NUM, b);
}

static const rp_actor coroutine = {.name = "coroutine", .run = run_uses};
static const rp_actor with_task = {.name = "with a task", .run = task_uses};
static const rp_actor handler = {.name = "handler", .handle = handle_uses};
static const rp_actor handler_with_task = {.name = "handler with a task", .handle = handle_task_uses};

#if defined(__SANITIZE_THREAD__) /* it keeps account of 65,536 calls, and 64 MiB are more */
enum { LARGEST = 16 * MIB };
#else
enum { LARGEST = 64 * MIB };
#endif
static const size_t sizes[] = {16 * KIB, 64 * KIB, 100000, 256 * KIB, MIB, 4 * MIB, LARGEST};

static void ask(rp_self *me, rp_ref who, size_t n)
{
    rp_msg *answer;
    check_eq(rp_call(me, who, NUM, &(struct num){n, {0, 0}}, &answer, RP_FOREVER), 0);
    rp_msg_drop(me, answer);
}

static int all_kinds(rp_self *me, void *arg)
{
    struct rp_down down;
    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rp_spawn_opts o = {.arg = (void *)(uintptr_t)sizes[i], .stack = sizes[i], .monitor = true};
        const rp_actor *run[] = {&coroutine, &with_task}, *handle[] = {&handler, &handler_with_task};
        for (unsigned k = 0; k < 2; k++) {
            rp_ref r;
            check_eq(rp_spawn(me, run[k], &o, &r), 0);
            check_eq(recv_down(me, &down), 0);
            check_eq(down.reason, 0);
            check_eq(rp_spawn(me, handle[k], &o, &r), 0);
            ask(me, r, sizes[i]);
            check_eq(rp_stop(me, r, "done"), 0);
            check_eq(recv_down(me, &down), 0);
        }
    }
    return 0;
}

TEST(stack, all_that_was_asked_for_is_usable)
{
    check_eq(run_with(all_kinds, 0, &(rp_system_opts){.loops = 1}), 0);
    check_eq(run_with(all_kinds, 0, &(rp_system_opts){.sim_seed = test_seed()}), 0);
}

TEST(stack, of_the_root_too)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rp_system_opts o = {.loops = 1, .stack = sizes[i]};
        check_eq(rp_run(&coroutine, (void *)(uintptr_t)sizes[i], &o), 0);
        check_eq(rp_run(&with_task, (void *)(uintptr_t)sizes[i], &o), 0);
        check_eq(run_ticked(&coroutine, (void *)(uintptr_t)sizes[i], &o), 0);
    }
    check_eq(rp_run(&coroutine, (void *)(uintptr_t)(64 * KIB), NULL), 0);
}

/* ---- a handler's, in the middle of what goes on ---------------------------------------------------- */

struct line {
    uint64_t next;
};

static int in_order(rp_self *me, void *state, const rp_msg *m)
{
    struct line *line = state;
    const struct num *b = rp_body(m, NUM);
    check_eq(b->n, line->next++);
    int rc = uses(b->n % 8 == 0 ? MIB : 32 * KIB);
    if (rc == 0 && b->n % 5 == 0)
        rc = rp_yield(me);
    return rc != 0 ? rc : b->n == 999 ? RP_STOP : 0;
}
static const rp_actor deep = {.name = "deep", .handle = in_order, .state_size = sizeof(struct line)};

/* By handlers that are in the middle of a message themselves, here and on other loops. */
static int starts(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    unsigned loops = rp_loop_count(me);
    rp_ref r;
    (void)state;
    int rc = rp_spawn(me, &deep, &(rp_spawn_opts){.on = RP_LOOP(b->n % loops), .stack = MIB}, &r);
    for (uint64_t i = 0; rc == 0 && i < 500; i++)
        rc = tell_num(me, r, i);
    if (rc == 0 && loops > 1)
        rc = rp_move(me, r, RP_LOOP((b->n + 1) % loops)); /* where the handlers' stack may be smaller */
    for (uint64_t i = 500; rc == 0 && i < 1000; i++)
        rc = tell_num(me, r, i);
    rp_msg *none; /* behind the last: it has ended */
    if (rc == 0 && rp_call(me, r, NUM, b, &none, RP_FOREVER) == 0)
        rc = -EIO;
    return rc != 0 ? rc : rp_reply(me, m, NUM, b);
}
static const rp_actor starter = {.name = "starter", .handle = starts};

static int deep_ones(rp_self *me, void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < rp_loop_count(me); i++) {
        rp_ref r;
        check_eq(rp_spawn(me, &starter, NULL, &r), 0);
        ask(me, r, i);
    }
    return 0;
}

TEST(stack, a_deep_handler_keeps_its_messages_in_order)
{
    everywhere(deep_ones, 0);
}

/* ---- too much -------------------------------------------------------------------------------------- */

static unsigned told;

static void hear(const rp_report *r, void *ud)
{
    (void)ud;
    check_eq(r->err, -EINVAL);
    check(strstr(r->text, "64 MiB") && strstr(r->text, "coroutine"), "%s", r->text);
    told++;
}

static int too_large(rp_self *me, void *arg)
{
    rp_ref r;
    (void)arg;
    check_eq(rp_spawn(me, &coroutine, &(rp_spawn_opts){.stack = 64 * MIB + 1}, &r), -EINVAL);
    check_eq(told, 1);
    check_eq(rp_spawn(me, &coroutine, &(rp_spawn_opts){.stack = SIZE_MAX}, &r), -EINVAL);
    return told == 2 ? 0 : -EIO;
}

TEST(stack, more_than_there_can_be_is_refused_and_told)
{
    check_eq(run_with(too_large, 0, &(rp_system_opts){.loops = 1, .on_report = hear}), 0);
    check_eq(rp_run(&coroutine, NULL, &(rp_system_opts){.stack = 64 * MIB + 1}), -EINVAL);
}

/* ---- a large frame --------------------------------------------------------------------------------- */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wframe-larger-than="
__attribute__((noinline)) static int leap(void)
{
    volatile char b[900 * KIB]; /* larger than stack and guard, and only its far end is touched */
    b[0] = 1;
    return b[0];
}
#pragma GCC diagnostic pop

static int leaps(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return leap();
}

TEST(stack, no_frame_leaps_over_the_guard)
{
    int fd[2];
    char said[4096];
    check(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd[1], 2);
        _exit(rp_run(&(rp_actor){.name = "leaper", .run = leaps}, NULL, &(rp_system_opts){.loops = 1}) != 0);
    }
    close(fd[1]);
    size_t n = 0;
    for (ssize_t got; n < sizeof said - 1 && (got = read(fd[0], said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = 0;
    int status;
    check(waitpid(pid, &status, 0) == pid);
    check(WIFSIGNALED(status) || WEXITSTATUS(status) != 0, "it survived");
#if !defined(__SANITIZE_ADDRESS__)
    check(strstr(said, "reparto: actor leaper overflowed its 65536-byte stack") != 0, "it said: %s", said);
#endif
}
