/* SPDX-License-Identifier: MIT
 *
 * An overflow of a stack is told with the actor's name wherever a system runs, and the host's own handlers stay.
 */
#include "tests/support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they have a handler themselves, and in a host it stays */

__attribute__((noinline)) static int deeper(volatile char *up, int n)
{
    volatile char here[512];
    here[0] = *up;
    return n == 0 ? here[0] : deeper(here, n - 1) + here[511 - n % 512];
}

static int overflow(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    char c = 0;
    return deeper(&c, 1000000);
}
static const rp_actor greedy = {.name = "greedy", .run = overflow};

static int overflow_at_work(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return overflow(me, NULL);
}

/* A handler, in its second turn. */
static int has_greedy(rp_self *me, void *arg)
{
    static const rp_actor greedy_handler = {.name = "greedy handler", .handle = overflow_at_work};
    rp_ref r;
    (void)arg;
    int rc = rp_spawn(me, &greedy_handler, NULL, &r);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 2));
    if (rc == 0)
        rc = tell_num(me, r, 1);
    return rc != 0 ? rc : rp_sleep(me, rp_in_ms(me, 10000));
}
static const rp_actor with_greedy = {.name = "root", .run = has_greedy};

static int no_more(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, rp_in_ms(me, 1));
}
static const rp_actor short_lived = {.name = "short-lived", .run = no_more};

/* fn in a child: what it says, and how it ends. */
static int child(void (*fn)(void), char *said, size_t size)
{
    int fd[2], status;
    check(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(fd[1], 2);
        fn();
        _exit(0);
    }
    close(fd[1]);
    size_t n = 0;
    for (ssize_t got; n < size - 1 && (got = read(fd[0], said + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = 0;
    close(fd[0]);
    check(waitpid(pid, &status, 0) == pid);
    return status;
}

static void is_told(void (*fn)(void), const char *whose)
{
    char said[4096], want[200];
    int status = child(fn, said, sizeof said);
    snprintf(want, sizeof want, "reparto: actor %s overflowed its 65536-byte stack", whose);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x, it said: %s", status, said);
    check(strstr(said, want), "it said: %s", said);
}

static void fault(void)
{
    volatile char *nothing = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *nothing = 1;
}

/* ---- NULL ------------------------------------------------------------------------------------------ */

struct number {
    char before[100];
    int n;
};

static int uses_null(rp_self *me, void *arg)
{
    struct number *volatile none = NULL;
    (void)me, (void)arg;
    return none->n;
}
static const rp_actor careless = {.name = "careless", .run = uses_null};

static int passes_null(rp_self *me, void *arg)
{
    size_t (*volatile length)(const char *) = strlen;
    (void)me;
    return length(arg) > 0;
}
static const rp_actor passing_null = {.name = "passer", .run = passes_null};

static int is_killed(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return raise(SIGSEGV);
}
static const rp_actor victim = {.name = "victim", .run = is_killed};

static void run_careless(void) { (void)!rp_run(&careless, NULL, NULL); }
static void run_passing(void) { (void)!rp_run(&passing_null, NULL, NULL); }
static void run_victim(void) { (void)!rp_run(&victim, NULL, NULL); }

TEST(overflow, null_is_told_with_the_actors_name)
{
    static const struct { void (*fn)(void); const char *want; } of[] = {
        {run_careless, "reparto: actor careless used a NULL pointer"},
        {run_passing, "reparto: actor passer used a NULL pointer"},
        {run_victim, ""}, /* a signal that was sent says nothing of an address */
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char said[4096];
        int status = child(of[i].fn, said, sizeof said);
        check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x, it said: %s", status, said);
        check(of[i].want[0] ? strstr(said, of[i].want) != 0 : said[0] == 0, "it said: %s", said);
    }
}

/* ---- in a host ------------------------------------------------------------------------------------- */

static void attached(void)
{
    (void)!run_attached(&with_greedy, NULL, NULL);
}

static void ticked(void)
{
    (void)!run_ticked(&with_greedy, NULL, NULL);
}

TEST(overflow, is_told_in_a_host)
{
    is_told(attached, "greedy handler");
    is_told(ticked, "greedy handler");
}

static void hosts_own(int signo)
{
    (void)!write(2, "the host's\n", 11);
    _exit(signo == SIGSEGV ? 7 : 8);
}

static bool is_hosts(void (*handler)(int))
{
    struct sigaction now;
    sigaction(SIGSEGV, 0, &now);
    return !(now.sa_flags & SA_SIGINFO) && now.sa_handler == handler;
}

static int looks(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return is_hosts(hosts_own) ? 0 : -EIO;
}

static void with_a_handler(void)
{
    stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536};
    struct sigaction sa = {.sa_handler = hosts_own, .sa_flags = SA_ONSTACK};
    sigaltstack(&alt, 0);
    sigaction(SIGSEGV, &sa, 0);
    check_eq(run_attached(&(rp_actor){.name = "root", .run = looks}, NULL, NULL), 0);
    check_eq(run_ticked(&(rp_actor){.name = "root", .run = looks}, NULL, NULL), 0);
    check(is_hosts(hosts_own));
    (void)!run_ticked(&with_greedy, NULL, NULL);
}

TEST(overflow, a_host_keeps_its_handler)
{
    char said[4096];
    int status = child(with_a_handler, said, sizeof said);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %x, it said: %s", status, said);
    check(strcmp(said, "the host's\n") == 0, "it said: %s", said);
}

TEST(overflow, a_host_has_no_handler_when_its_systems_have_ended)
{
    rp_system *sys;
    check_eq(rp_system_open(&short_lived, NULL, NULL, &sys), 0);
    check(!is_hosts(SIG_DFL));
    check_eq(rp_run(&short_lived, NULL, NULL), 0); /* another comes and goes */
    check(!is_hosts(SIG_DFL));
    while (rp_system_tick(sys, RP_MS) >= 0)
        ;
    check_eq(rp_system_close(sys), 0);
    check(is_hosts(SIG_DFL));
}

/* ---- one inside the other ---------------------------------------------------------------------------- */

static int around(rp_self *me, void *arg)
{
    rp_system *sys;
    int rc = rp_system_open(&short_lived, NULL, &(rp_system_opts){.loops = 1}, &sys);
    while (rc == 0 && rp_system_tick(sys, RP_MS) >= 0)
        ;
    rc = rc == 0 ? rp_system_close(sys) : rc;
    return rc != 0 ? rc : overflow(me, arg);
}
static const rp_actor outer = {.name = "outer", .run = around};

static void run_inside(void)
{
    (void)!rp_run(&outer, NULL, &(rp_system_opts){.loops = 1, .stack = 65536});
}

static void run_inside_a_host(void)
{
    (void)!run_attached(&outer, NULL, NULL);
}

TEST(overflow, is_told_after_ticks_inside)
{
    is_told(run_inside, "outer");
    is_told(run_inside_a_host, "outer");
}

static void after_a_simulation(void)
{
    (void)!rp_run(&short_lived, NULL, &(rp_system_opts){.sim_seed = 1});
    fault();
}

static void in_a_simulation(void)
{
    (void)!rp_run(&greedy, NULL, &(rp_system_opts){.sim_seed = 1});
}

TEST(overflow, is_told_in_a_simulation_and_not_after_it)
{
    char said[4096];
    is_told(in_a_simulation, "greedy");
    int status = child(after_a_simulation, said, sizeof said);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && !said[0], "status %x, it said: %s", status, said);
}

/* ---- handlers of others ------------------------------------------------------------------------------ */

static struct sigaction below;

static void passes_on(int signo, siginfo_t *info, void *context)
{
    if (below.sa_flags & SA_SIGINFO)
        below.sa_sigaction(signo, info, context);
    else
        signal(signo, SIG_DFL);
}

static int covers(rp_self *me, void *arg)
{
    struct sigaction sa = {.sa_sigaction = passes_on, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    (void)me, (void)arg;
    return sigaction(SIGSEGV, &sa, &below);
}

static int faults(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    fault();
    return 0;
}

/* Ours is under it from the first run, and on top of it in the second. */
static void ring_of_handlers(void)
{
    alarm(20);
    check_eq(rp_run(&(rp_actor){.name = "covers", .run = covers}, NULL, NULL), 0);
    (void)!rp_run(&(rp_actor){.name = "faults", .run = faults}, NULL, NULL);
}

TEST(overflow, handlers_that_pass_on_to_each_other_come_to_an_end)
{
    char said[4096];
    int status = child(ring_of_handlers, said, sizeof said);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x, it said: %s", status, said);
}

#endif
