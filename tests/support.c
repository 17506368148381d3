/* SPDX-License-Identifier: MIT */
#include "tests/audit.h"

#include "loop/ring.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

static const rp_field num_fields[] = {
    RP_FIELD(struct num, n, RP_U64),
    RP_FIELD(struct num, ref, RP_REF),
};
const rp_type num_type = RP_TYPE("test.num", struct num, num_fields);

static const rp_field text_fields[] = {
    RP_FIELD(struct text, id, RP_U32),
    RP_FIELD(struct text, text, RP_TEXT),
};
const rp_type text_type = RP_TYPE("test.text", struct text, text_fields);

/* Rings begin two rounds before their positions come to an end and go on from 0. */
__attribute__((constructor)) static void begin_rings_at_the_end(void)
{
    rp__ring_begin = UINT32_MAX - 2 * RP__RING_SLOTS + 1;
}

/* ---- memory -------------------------------------------------------------------------------------- */

static void *mem_alloc(void *ud, size_t size)
{
    struct test_mem *m = ud;
    int64_t call = atomic_fetch_add(&m->calls, 1) + 1;
    if (m->fail_at && size >= m->least && (call == m->fail_at || (m->from_then_on && call > m->fail_at)))
        return 0;
    void *p = malloc(size);
    if (p)
        atomic_fetch_add(&m->blocks, 1);
    return p;
}

static void mem_free(void *ud, void *p, size_t size)
{
    struct test_mem *m = ud;
    (void)size;
    atomic_fetch_sub(&m->blocks, 1);
    free(p);
}

void test_mem_init(struct test_mem *m)
{
    memset(m, 0, sizeof *m);
    m->alloc = (rp_alloc){mem_alloc, mem_free, m};
}

/* ---- running ------------------------------------------------------------------------------------- */

struct root {
    root_fn *fn;
    void *arg;
    bool simulated;
};

static int run_root(rp_self *me, void *arg)
{
    struct root *r = arg;
    if (r->simulated)
        audit_every_step(me, HELD_ANY);
    return r->fn(me, r->arg);
}

static void host_learns(void *ud, int result)
{
    *(int *)ud = result;
}

int run_attached(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    uv_loop_t uv;
    rp_system *sys;
    int result = INT_MIN;
    check_eq(uv_loop_init(&uv), 0);
    int rc = rp_attach(&uv, root, arg, o, host_learns, &result, &sys);
    uv_run(&uv, UV_RUN_DEFAULT);
    check_eq(uv_loop_close(&uv), 0);
    return rc != 0 ? rc : result;
}

int run_ticked(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    rp_system *sys;
    int rc = rp_system_open(root, arg, o, &sys);
    if (rc != 0)
        return rc;
    struct pollfd fd = {.fd = rp_poll_fd(sys), .events = POLLIN};
    while ((rc = rp_system_tick(sys, 50 * RP_US)) >= 0)
        if (rc == 0)
            poll(&fd, 1, rp_poll_ms(sys));
    check_eq(rc, -ESHUTDOWN);
    return rp_system_close(sys);
}

static int run_by(run_fn *run, root_fn *fn, void *arg, const rp_system_opts *given)
{
    rp_actor root = {.name = "root", .run = run_root};
    rp_system_opts o = given ? *given : (rp_system_opts){0};
    struct test_mem mem;
    test_mem_init(&mem);
    rp_ledger l;
    if (!o.mem)
        o.mem = &mem.alloc;
    if (!o.on_report && !getenv("RP_TEST_LOUD")) /* many fail on purpose */
        o.on_report = unreported;
    o.ledger = &l;
    memset(&l, 0, sizeof l);
    struct root r = {fn, arg, o.sim_seed != 0};
    int rc = run(&root, &r, &o);
    check_eq(l.sent + l.arrived, l.handled + l.left + l.dead + l.dropped + l.late + l.expired);
    check_eq(l.lost_signals, 0);
    check_eq(mem.blocks, 0);
    return rc;
}

int run_with(root_fn *fn, void *arg, const rp_system_opts *o)
{
    return run_by(rp_run, fn, arg, o);
}

void everywhere(root_fn *fn, void *arg)
{
    rp_system_opts one = {.loops = 1}, three = {.loops = 3, .spin_us = -1};
    check_eq(run_with(fn, arg, &one), 0);
    check_eq(run_with(fn, arg, &three), 0);
    uint64_t seed = test_seed();
    rp_system_opts chaos = {.loops = 3, .chaos_seed = seed};
    check_eq(run_with(fn, arg, &chaos), 0);
    rp_system_opts two = {.loops = 2, .spin_us = -1};
    check_eq(run_by(run_attached, fn, arg, &two), 0);
    check_eq(run_by(run_ticked, fn, arg, &one), 0);
    for (uint64_t i = 0; i < seeds(5); i++) {
        rp_system_opts sim = {.loops = (unsigned)(1 + i % 3), .sim_seed = seed + i};
        check_eq(run_with(fn, arg, &sim), 0);
    }
}

/* ---- reports ------------------------------------------------------------------------------------- */

void reports_init(struct reports *r)
{
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->lock, 0);
}

void reported(const rp_report *r, void *ud)
{
    struct reports *all = ud;
    pthread_mutex_lock(&all->lock);
    unsigned i = all->n++;
    all->skipped += r->skipped;
    if (i < 64) {
        all->r[i] = *r;
        snprintf(all->text[i], sizeof all->text[i], "%s", r->text);
        all->r[i].text = all->text[i];
    }
    pthread_mutex_unlock(&all->lock);
}

void unreported(const rp_report *r, void *ud)
{
    (void)r, (void)ud;
}

const rp_report *report_with(struct reports *r, const char *part)
{
    const rp_report *found = 0;
    pthread_mutex_lock(&r->lock);
    for (unsigned i = 0; !found && i < r->n && i < 64; i++)
        if (strstr(r->text[i], part))
            found = &r->r[i];
    pthread_mutex_unlock(&r->lock);
    return found;
}

static void run_to_death(root_fn *fn, void *arg, int fd)
{
    rp_actor root = {.name = "root", .run = fn};
    rp_system_opts o = {.loops = 1};
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL); /* a test's runner may have one of its own */
    dup2(fd, STDERR_FILENO);
    alarm(60);
    _exit(rp_run(&root, arg, &o) == 0 ? 0 : 1);
}

void dies_saying(root_fn *fn, void *arg, const char *part)
{
    char said[8192];
    size_t n = 0;
    int ends[2], status = 0;
    check(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0)
        run_to_death(fn, arg, ends[1]);
    close(ends[1]);
    for (ssize_t got; n < sizeof said - 1 && (got = read(ends[0], said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = 0;
    close(ends[0]);
    check(waitpid(pid, &status, 0) == pid);
#if defined(__SANITIZE_ADDRESS__)
    check(!WIFEXITED(status) || WEXITSTATUS(status) != 0, "it goes on");
#else
    check(strstr(said, part) != NULL, "it said \"%s\", not \"%s\"", said, part);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x, having said \"%s\"", (unsigned)status, said);
#endif
}

/* ---- messages ------------------------------------------------------------------------------------ */

int tell_num(rp_self *me, rp_ref to, uint64_t n)
{
    struct num b = {n, {0, 0}};
    return rp_tell(me, to, NUM, &b);
}

int recv_num(rp_self *me, uint64_t *n)
{
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    const struct num *b = rp_body(m, NUM);
    if (b)
        *n = b->n;
    rp_msg_drop(me, m);
    return b ? 0 : -EBADMSG;
}

int recv_down(rp_self *me, struct rp_down *d)
{
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    const struct rp_down *b = rp_body(m, RP_DOWN);
    if (b)
        *d = *b;
    rp_msg_drop(me, m);
    return b ? 0 : -EBADMSG;
}
