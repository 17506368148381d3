/* SPDX-License-Identifier: MIT
 *
 * fault.c - every scenario, with its k-th allocation or system call failing, for every k.
 *
 *     fault alloc|syscall [NAME]
 *
 * Once, and from then on; a kernel that lacks the newer calls is a third way. Each run must end, with
 * an error or with success; its books must balance and its memory must be back. The last run, which no
 * fault reached, must succeed. Built with -Dpool=false every small block counts as an allocation.
 */
#include "tests/fault/fault.h"

#include "loop/base/os.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_S = 10, SIM_LIMIT_S = 4, JOBS = 2, K_MAX = 100000 };

enum way { ONCE, ONWARDS, OLD_ONCE, OLD_ONWARDS, WAYS };
static const char *const way_names[] = {"once", "from then on", "once, old kernel", "from then on, old kernel"};
static const char *const world_names[] = {"sim, 1 loop", "sim, 3 loops", "2 threads", "attached", "ticked", "sim, client", "sim, server", "ipc, client", "ipc, server",
                                          "uv+ipc, client", "uv+ipc, server"};

/* What the present run is; the parent reads it when a child has died. */
struct progress {
    long k, runs;
};

static bool syscalls; /* else allocations */
static enum way way;
static const struct scenario *now;
static struct progress *progress;
static struct test_mem mem;
static _Atomic int64_t sys_calls, sys_fail_at;

void test_failed(const char *file, int line, const char *cond, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "    %s (%s), %s %ld fails %s:\n    %s:%d: %s\n    ", now->name, world_names[now->world],
            syscalls ? "system call" : "allocation", progress->k, way_names[way], file, line, cond);
    vfprintf(stderr, format, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    _exit(1);
}

uint64_t test_seed(void)
{
    return 1;
}

/* ---- faults ----------------------------------------------------------------------------------------- */

void fault_arm(void)
{
    if (now->world != SERVER && now->world != REAL_SERVER && now->world != UV_SERVER) /* else the faults are not this one's */
        fault_arm_server();
}

void fault_arm_server(void)
{
    if (syscalls)
        sys_fail_at = sys_calls + progress->k;
    else
        mem.fail_at = mem.calls + progress->k;
}

const rp_alloc *fault_mem(void)
{
    return &mem.alloc;
}

static int on_syscall(const char *call)
{
    if (way >= OLD_ONCE && strstr(call, "madvise"))
        return ENOSYS;
    int64_t n = ++sys_calls, at = sys_fail_at;
    return at && (n == at || (n > at && way % 2 == ONWARDS)) ? ENOMEM : 0;
}

static bool reached(void)
{
    return syscalls ? sys_fail_at && sys_calls >= sys_fail_at : mem.fail_at && mem.calls >= mem.fail_at;
}

static void reset(bool at_once)
{
    test_mem_init(&mem);
    mem.from_then_on = way % 2 == ONWARDS;
    sys_calls = sys_fail_at = 0;
    if (at_once)
        fault_arm_server();
}

/* ---- one run ----------------------------------------------------------------------------------------- */

static void check_books(const rp_ledger *l)
{
    check(l->sent + l->arrived == l->handled + l->left + l->dead + l->dropped + l->late + l->expired,
          "sent %llu arrived %llu handled %llu left %llu dead %llu dropped %llu late %llu expired %llu",
          (unsigned long long)l->sent, (unsigned long long)l->arrived, (unsigned long long)l->handled,
          (unsigned long long)l->left, (unsigned long long)l->dead, (unsigned long long)l->dropped,
          (unsigned long long)l->late, (unsigned long long)l->expired);
}

static void check_end(int rc)
{
    check(rc <= 0, "the run returned %d", rc);
    check(rc == 0 || reached(), "no fault, but the run returned %d (%s)", rc, rp_strerror(rc));
    check(mem.blocks == 0, "%lld blocks are left, after %d (%s)", (long long)mem.blocks, rc, rp_strerror(rc));
}

static void run_one(const struct scenario *s)
{
    rp_actor root = {.name = s->name, .run = s->root};
    rp_ledger l;
    memset(&l, 0, sizeof l);
    rp_system_opts o = {.on_report = unreported, .loops = s->world == SIM_1 ? 1 : s->world == SIM_3 ? 3 : 2, .mem = &mem.alloc, .ledger = &l,
                        .sim_seed = s->world <= SIM_3 ? 7 : 0, .spin_us = -1, .demote_ms = s->world <= SIM_3};
    if (strstr(s->name, "endpoint"))
        o.inspect = fault_endpoint();
    reset(strcmp(s->name, "start") == 0 || strcmp(s->name, "endpoint") == 0);
    if (s->world == TICKED)
        o.loops = 1;
    run_fn *by = s->world == ATTACHED ? run_attached : s->world == TICKED ? run_ticked : rp_run;
    int rc = by(&root, 0, &o);
    check_books(&l);
    check_end(rc);
}

static void run_pair(const struct scenario *s)
{
    struct test_mem sound;
    test_mem_init(&sound);
    reset(false);
    struct fault_server server = {.arm = s->world == SERVER, .ms = strcmp(s->name, "far_left") == 0 ? 500 : 20000};
    rp_actor sr = {.name = "server", .run = fault_server}, cr = {.name = "client", .run = s->root};
    rp_ledger ls, lc;
    memset(&ls, 0, sizeof ls);
    memset(&lc, 0, sizeof lc);
    rp_system_opts so = {.on_report = unreported, .loops = 2, .listen = "sim://server", .types = fault_types, .ledger = &ls},
                   co = {.on_report = unreported, .loops = 2, .types = fault_types, .ledger = &lc};
    if (strcmp(s->name, "far_stranger") == 0)
        so.secret = "open sesame";
    so.mem = server.arm ? &mem.alloc : &sound.alloc;
    co.mem = server.arm ? &sound.alloc : &mem.alloc;
    rp_sim *sim = rp_sim_new(7);
    unsigned a, b;
    check_eq(rp_sim_add(sim, &sr, &server, &so, &a), 0);
    check_eq(rp_sim_add(sim, &cr, (void *)(uintptr_t) "sim://server", &co, &b), 0);
    check_eq(rp_sim_run(sim, 200 * RP_S), 0);
    int rs = rp_sim_result(sim, a), rc = rp_sim_result(sim, b);
    rp_sim_free(sim);
    check_books(&ls);
    check_books(&lc);
    check(rs <= 0 && (rs == 0 || reached()), "no fault, but the server returned %d", rs);
    check_eq(sound.blocks, 0);
    check_end(rc);
}

/* ---- real processes ----------------------------------------------------------------------------------- */

static pid_t other;

static bool other_has_ended(void)
{
    return waitpid(other, 0, WNOHANG) == other;
}

static int run_server(const char *listen, int url_to, bool arm)
{
    struct fault_server server = {.arm = arm, .ms = 10000, .url_to = url_to, .done = arm ? other_has_ended : NULL};
    rp_actor sr = {.name = "server", .run = fault_server};
    rp_ledger l;
    memset(&l, 0, sizeof l);
    rp_system_opts o = {.on_report = unreported, .loops = 2, .listen = listen, .types = fault_types, .ledger = &l, .mem = arm ? &mem.alloc : NULL};
    int rc = rp_run(&sr, &server, &o);
    check_books(&l);
    return rc;
}

static int run_client(const struct scenario *s, char *url, bool faulty)
{
    rp_actor root = {.name = s->name, .run = s->root};
    rp_ledger l;
    memset(&l, 0, sizeof l);
    rp_system_opts o = {.on_report = unreported, .loops = 2, .types = fault_types, .ledger = &l, .mem = faulty ? &mem.alloc : NULL};
    int rc = rp_run(&root, url, &o);
    check_books(&l);
    return rc;
}

static void run_real(const struct scenario *s)
{
    int fd[2];
    char listen[64], url[128] = "";
    bool server_here = s->world == REAL_SERVER || s->world == UV_SERVER;
    snprintf(listen, sizeof listen, "%sipc:///tmp/reparto-fault-%d", s->world >= UV_CLIENT ? "uv+" : "", (int)getpid());
    reset(false);
    check(pipe(fd) == 0);
    fault_patience_ms = 400;
    other = fork(); /* before nng has begun in this process */
    check(other >= 0);
    if (other == 0) {
        alarm(LIMIT_S);
        if (!server_here)
            _exit(run_server(listen, fd[1], false) == 0 ? 0 : 1);
        close(fd[1]);
        if (read(fd[0], url, sizeof url) == sizeof url)
            (void)run_client(s, url, false);
        _exit(0);
    }
    if (server_here) {
        int rc = run_server(listen, fd[1], true);
        close(fd[1]);
        check_end(rc);
    } else {
        close(fd[1]);
        check(read(fd[0], url, sizeof url) == sizeof url);
        int rc = run_client(s, url, true);
        check_end(rc);
    }
    if (!other_has_ended()) {
        kill(other, SIGKILL);
        waitpid(other, 0, 0);
    }
    unlink(strchr(listen, '/') + 2);
}

/* ---- all of them --------------------------------------------------------------------------------------- */

static void run(const struct scenario *s)
{
    alarm(s->world < REAL_CLIENT ? SIM_LIMIT_S : LIMIT_S);
    progress->runs++;
    if (s->world >= REAL_CLIENT)
        run_real(s);
    else if (s->world >= CLIENT)
        run_pair(s);
    else
        run_one(s);
}

/* Real ones in a process each, since nng does not survive a fork; true: a fault was reached. */
static bool run_apart(const struct scenario *s)
{
    enum { REACHED = 77 };
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        run(s);
        exit(reached() ? REACHED : 0);
    }
    int status;
    waitpid(pid, &status, 0);
    progress->runs++;
    if (WIFSIGNALED(status))
        raise(WTERMSIG(status));
    if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != REACHED)
        _exit(1);
    return WEXITSTATUS(status) == REACHED;
}

static void for_every_k(const struct scenario *s)
{
    bool real = s->world >= REAL_CLIENT, hit = true;
    const char *only = getenv("RP_FAULT_K"), *most = getenv("RP_FAULT_REAL");
    long step = real ? (most ? atol(most) : 7) : 1;
    rp__os_fault = syscalls ? on_syscall : NULL;
    for (progress->k = only ? atol(only) : 1; hit && progress->k < K_MAX; progress->k += step) {
        if (real) {
            hit = run_apart(s);
        } else {
            run(s);
            hit = reached();
        }
        if (only)
            return;
    }
    check(!hit, "faults without an end");
}

struct job {
    pid_t pid;
    const struct scenario *s;
    enum way way;
    struct progress *progress;
};

static bool finish(struct job *j)
{
    int status;
    bool ok = waitpid(j->pid, &status, 0) == j->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok)
        printf("FAILED %s (%s), %s: k = %ld%s%s\n", j->s->name, world_names[j->s->world], way_names[j->way], j->progress->k,
               WIFSIGNALED(status) ? ", killed by " : "", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
    j->pid = 0;
    return ok;
}

static void begin(struct job *j, const struct scenario *s, enum way w)
{
    fflush(stdout);
    *j->progress = (struct progress){0};
    j->s = s;
    j->way = w;
    j->pid = fork();
    if (j->pid == 0) {
        now = s;
        way = w;
        progress = j->progress;
        for_every_k(s);
        exit(0);
    }
}

int main(int argc, char **argv)
{
    syscalls = argc > 1 && strcmp(argv[1], "syscall") == 0;
    if (argc < 2 || (!syscalls && strcmp(argv[1], "alloc") != 0)) {
        fprintf(stderr, "fault alloc|syscall [NAME]\n");
        return 2;
    }
    struct job jobs[JOBS] = {{0}};
    unsigned passed = 0, failed = 0, next = 0;
    long runs = 0;
    for (unsigned i = 0; i < JOBS; i++)
        jobs[i].progress = mmap(0, sizeof *jobs->progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned ways = syscalls ? WAYS : 2;
    for (unsigned i = 0; i < nscenarios * ways; i++) {
        const struct scenario *s = &scenarios[i / ways];
        if (argc > 2 && strcmp(argv[2], s->name) != 0)
            continue;
        struct job *j = &jobs[next++ % JOBS];
        if (j->pid) {
            bool ok = finish(j);
            runs += j->progress->runs;
            passed += ok;
            failed += !ok;
        }
        begin(j, s, (enum way)(i % ways));
    }
    for (unsigned i = 0; i < JOBS; i++)
        if (jobs[i].pid) {
            bool ok = finish(&jobs[i]);
            runs += jobs[i].progress->runs;
            passed += ok;
            failed += !ok;
        }
    printf("%ld runs\n%u passed, %u failed\n", runs, passed, failed);
    return failed > 0;
}
