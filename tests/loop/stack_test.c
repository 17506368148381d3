/* SPDX-License-Identifier: MIT */
#include "loop/base/os.h"
#include "loop/switch/switch.h"
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the switch ---------------------------------------------------------------------------------- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* bare switches, which these are not told of */
enum { COROUTINES = 16, ROUNDS = 3000 };

static struct rp__cx main_cx, co_cx[COROUTINES];
static uint64_t sums[COROUTINES];
static unsigned next_co;

/* Mixes integers and floats that live across switches in every kind of register and on the stack. */
static uint64_t mix(uint64_t id, uint64_t round, double f, uint64_t seed)
{
    return seed * 6364136223846793005u + id + round * 31 + (uint64_t)(f * 1000);
}

RP__NOIPA static void co_body(void *arg)
{
    uint64_t id = (uint64_t)(uintptr_t)arg, a = id, b = id * 3, c = id ^ 77, d = 1;
    double x = (double)id, y = 0.5, z = 2.25;
    char local[64];
    memset(local, (int)id, sizeof local);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        a += b ^ i, b = b * 7 + c, c ^= a, d = mix(id, i, x + y * z, d);
        x += 0.25, y = x - z, z *= 1.0001;
        unsigned to = (unsigned)(d % (COROUTINES + 1));
        local[i % sizeof local] ^= (char)i;
        next_co = to;
        rp__cx_switch(&co_cx[id], &main_cx);
    }
    sums[id] = a ^ b ^ c ^ d ^ (uint64_t)(x * y + z) ^ (uint64_t)local[5];
    for (;;)
        rp__cx_switch(&co_cx[id], &main_cx);
}

/* The same computation without any switch. */
static uint64_t plain(uint64_t id)
{
    uint64_t a = id, b = id * 3, c = id ^ 77, d = 1;
    double x = (double)id, y = 0.5, z = 2.25;
    char local[64];
    memset(local, (int)id, sizeof local);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        a += b ^ i, b = b * 7 + c, c ^= a, d = mix(id, i, x + y * z, d);
        x += 0.25, y = x - z, z *= 1.0001;
        local[i % sizeof local] ^= (char)i;
    }
    return a ^ b ^ c ^ d ^ (uint64_t)(x * y + z) ^ (uint64_t)local[5];
}

RP__NOIPA static void interleave(void)
{
    uint64_t rng = test_seed();
    for (uint64_t i = 0; i < (uint64_t)COROUTINES * (ROUNDS + 2) * 2; i++) {
        unsigned id = next_co < COROUTINES && test_random(&rng) % 4 ? next_co : (unsigned)(test_random(&rng) % COROUTINES);
        rp__cx_switch(&main_cx, &co_cx[id]);
    }
    for (unsigned id = 0; id < COROUTINES; id++) /* whatever chance left over */
        for (unsigned i = 0; i < ROUNDS + 2; i++)
            rp__cx_switch(&main_cx, &co_cx[id]);
}

TEST(stack, every_register_survives_the_switch)
{
    for (unsigned i = 0; i < COROUTINES; i++) {
        char *stack = malloc(65536);
        rp__cx_make(&co_cx[i], stack + 65536, co_body, (void *)(uintptr_t)i);
    }
    interleave();
    for (unsigned i = 0; i < COROUTINES; i++)
        check(sums[i] == plain(i), "coroutine %u computed something else", i);
}
#endif

#if !defined(RP_SWITCH_ONLY) /* tests/switch.sh compiles what is above by itself */

/* ---- overflow ------------------------------------------------------------------------------------ */

__attribute__((noinline)) static int deeper(volatile char *up, int n)
{
    volatile char here[512];
    here[0] = *up;
    return n == 0 ? here[0] : deeper(here, n - 1) + here[511 - n % 512];
}

static int overflow(rp_self *me, void *arg)
{
    (void)me;
    char c = 0;
    return deeper(&c, 1000000) + *(int *)arg;
}

static int spawn_overflow(rp_self *me, void *arg)
{
    static const rp_actor greedy = {.name = "greedy", .run = overflow};
    rp_spawn_opts o = {.stack = 200000, .arg = arg, .on = RP_LOOP(1)};
    check_eq(rp_spawn(me, &greedy, &o, NULL), 0);
    return rp_sleep(me, rp_in_ms(me, 10000));
}

TEST(stack, overflow_names_the_actor_and_its_stack)
{
    int fd[2], zero = 0;
    char said[4096];
    check(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd[1], 2);
        rp_actor root = {.name = "root", .run = spawn_overflow};
        rp_system_opts o = {.loops = 2};
        _exit(rp_run(&root, &zero, &o) != 0);
    }
    close(fd[1]);
    size_t n = 0;
    for (ssize_t got; n < sizeof said - 1 && (got = read(fd[0], said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = 0;
    int status;
    check(waitpid(pid, &status, 0) == pid);
    check(WIFSIGNALED(status) || WEXITSTATUS(status) != 0, "it survived");
    check(strstr(said, "reparto: actor greedy overflowed its 262144-byte stack") != 0, "it said: %s", said);
}

/* ---- one after the other --------------------------------------------------------------------------
 * Each life ends in the middle of what never returns: a sanitizer that keeps account of calls must not be left with a
 * longer one each time. ThreadSanitizer came to its end after 20,000.
 */
#if defined(RP_VALGRIND)
enum { LIVES = 10000 };
#else
enum { LIVES = 1000000 };
#endif

static int lives(rp_self *me, void *arg)
{
    (void)me;
    ++*(unsigned *)arg;
    return 0;
}

static int waits_in_the_middle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    int rc = rp_yield(me);
    return rc != 0 ? rc : rp_reply(me, m, NUM, rp_body(m, NUM));
}

static int one_after_the_other(rp_self *me, void *arg)
{
    static const rp_actor waiter = {.name = "waiter", .handle = waits_in_the_middle}, life = {.name = "life", .run = lives};
    unsigned n = 0;
    rp_ref r;
    (void)arg;
    for (unsigned i = 0; i < LIVES / 1000; i++) {
        rp_scope s;
        rp_scope_open(me, &s, RP_FOREVER);
        for (unsigned k = 0; k < 1000; k++)
            check_eq(rp_go(me, &s, lives, &n, NULL), 0);
        check_eq(rp_scope_close(me, &s, 0), 0);
    }
    check_eq(rp_spawn(me, &waiter, NULL, &r), 0);
    for (unsigned i = 0; i < LIVES / 20; i++) {
        rp_msg *m;
        check_eq(rp_call(me, r, NUM, &(struct num){i, {0, 0}}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
        check_eq(rp_spawn(me, &life, &(rp_spawn_opts){.arg = &n}, NULL), 0);
        check_eq(rp_yield(me), 0);
    }
    check_eq(n, LIVES + LIVES / 20);
    return 0;
}

TEST(stack, a_million_lives_one_after_the_other)
{
    check_eq(run_with(one_after_the_other, 0, &(rp_system_opts){.loops = 1}), 0);
}

/* ---- many ---------------------------------------------------------------------------------------- */

#if !defined(__SANITIZE_THREAD__) /* it has 8,128 fibers, at a millisecond each */
static int parks(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER) == -ECANCELED ? 0 : -EIO;
}

/* Until the scope is closed, n stacks are in use. */
static void park(rp_self *me, rp_scope *s, int n)
{
    rp_scope_open(me, s, RP_FOREVER);
    for (int i = 0; i < n; i++)
        check_eq(rp_go(me, s, parks, 0, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    rp_scope_cancel(s, "enough"); /* they end when somebody waits for them */
}

static int thousands(rp_self *me, void *arg)
{
    rp_scope s;
    (void)arg;
    for (int round = 0; round < 2; round++) {
        park(me, &s, 4000);
        check_eq(rp_scope_close(me, &s, 0), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0); /* the loop blocks, and trims what was used */
    }
    return 0;
}

static int handler_stays(rp_self *me, void *arg)
{
    struct sigaction before, after;
    struct test_mem mem;
    (void)me, (void)arg;
    sigaction(SIGSEGV, 0, &before);
    for (int64_t k = 1; k < 20; k++) { /* another system in this process fails to start */
        test_mem_init(&mem);
        mem.fail_at = k;
        rp_system *none;
        check_eq(rp_system_open(&(rp_actor){.name = "none", .run = handler_stays}, 0, &(rp_system_opts){.loops = 2, .mem = &mem.alloc}, &none), -ENOMEM);
        check_eq(mem.blocks, 0);
    }
    sigaction(SIGSEGV, 0, &after);
    check(before.sa_sigaction == after.sa_sigaction, "overflows are not named any more");
    return 0;
}

TEST(stack, a_failed_start_takes_nothing_from_others)
{
    check_eq(run_with(handler_stays, 0, 0), 0);
}

TEST(stack, thousands_at_once)
{
    check_eq(run_with(thousands, 0, 0), 0);
}

/* ---- maps ----------------------------------------------------------------------------------------
 * A process has 65,530 by default, and a guard by mprotect takes two: who used them up would leave the program
 * without memory.
 */
static unsigned maps(void)
{
    char piece[4096];
    unsigned lines = 0;
    int fd = open("/proc/self/maps", O_RDONLY);
    for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            lines += piece[i] == '\n';
    close(fd);
    return lines;
}

static int park_many(rp_self *me, void *arg)
{
    unsigned before = maps(), *grown = arg;
    rp_scope s;
    park(me, &s, 12000);
    *grown = maps() - before;
    return rp_scope_close(me, &s, 0);
}

static bool free_guards(void) /* the kernel has guards that take no map */
{
#if defined(RP_VALGRIND)
    return false;
#else
    enum { GUARD_INSTALL = 102 };
    void *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool has = madvise(p, 4096, GUARD_INSTALL) == 0;
    munmap(p, 4096);
    return has;
#endif
}

static int no_free_guards(const char *call)
{
    return strcmp(call, "process_madvise") == 0 || strcmp(call, "madvise") == 0;
}

TEST(stack, guards_leave_the_program_its_maps)
{
    enum { OTHERS = 500 }; /* slabs, and what the allocator has taken */
    unsigned grown, before = maps();
    check_eq(run_with(park_many, &grown, 0), 0);
    check(grown < (free_guards() ? OTHERS : 2 * 8192 + OTHERS), "%u more maps", grown);
    rp__os_fault = no_free_guards; /* as on a kernel before 6.13 */
    for (int again = 0; again < 2; again++) {
        int rc = run_with(park_many, &grown, 0);
        check_eq(rc, 0);
        check(grown > 2 * 8000 && grown < 2 * 8192 + OTHERS, "%u more maps", grown); /* bounded, and given back */
    }
    rp__os_fault = 0;
    check(maps() < before + OTHERS, "%u maps are left of %u", maps(), before);
}
#endif

#endif
