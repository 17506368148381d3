/* SPDX-License-Identifier: MIT
 *
 * CPU time by sample, held against what the kernel tells this thread in another timer of the same kind. It looks whether
 * timers are due once in 4 to 10 ms; on a crowded machine once in 150 ms of CPU time, at an end of a thread's share. So
 * a stretch of work lasts until a look, and how long it was is what that look has told. A share is right within what so
 * few looks allow.
 */
#include "tests/support.h"

#include "loop/self.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) /* it holds signals back until a thread blocks: who was at work then, nobody knows */
#define SAMPLES 0
#else
#define SAMPLES 1
#endif

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || defined(RP_VALGRIND) /* they put more on a stack */
#define PLAIN 0
#else
#define PLAIN 1
#endif

#if !defined(sigev_notify_thread_id) /* glibc before 2.38 */
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define TICK (10 * RP_MS)
enum { BURN_MS = 60, LONG_MS = 600000 };
#define BURN (BURN_MS * RP_MS)

static rp_time own_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (rp_time)t.tv_sec * RP_S + t.tv_nsec;
}

/* ---- what the kernel tells ----------------------------------------------------------------------- */

/* A timer of the calling thread's CPU time. Its signal is blocked, and asked for: it needs no room on small stacks. */
struct teller {
    timer_t timer;
    sigset_t only;
    bool blocked;
};

enum { PERIOD = RP_MS };

static void teller_open(struct teller *t)
{
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMAX - 7};
    sigset_t before;
    e.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    sigemptyset(&t->only);
    sigaddset(&t->only, e.sigev_signo);
    pthread_sigmask(SIG_BLOCK, &t->only, &before);
    t->blocked = sigismember(&before, e.sigev_signo);
    check_eq(timer_create(CLOCK_THREAD_CPUTIME_ID, &e, &t->timer), 0);
    struct timespec span = {.tv_nsec = PERIOD};
    timer_settime(t->timer, 0, &(struct itimerspec){span, span}, NULL);
}

/* Time that a look has told of; 0: there was none since. */
static rp_time told_by(const struct teller *t)
{
    siginfo_t i;
    return sigtimedwait(&t->only, &i, &(struct timespec){0, 0}) > 0 ? (1 + i.si_overrun) * (rp_time)PERIOD : 0;
}

static void teller_close(struct teller *t)
{
    timer_delete(t->timer);
    while (told_by(t) > 0)
        ;
    if (!t->blocked)
        pthread_sigmask(SIG_UNBLOCK, &t->only, NULL);
}

/* All that was burnt since it was asked for last. */
static _Atomic rp_time burnt;

static rp_time so_far(void)
{
    return atomic_exchange(&burnt, 0);
}

/* At least so much; until a look has told of it. */
__attribute__((noinline)) static rp_time burn(rp_time ns)
{
    struct teller t;
    rp_time took = 0;
#if SAMPLES && !defined(RP_VALGRIND)
    teller_open(&t);
    while (took < ns)
        took += told_by(&t);
    teller_close(&t);
#else
    (void)t, (void)teller_open, (void)teller_close;
    for (rp_time began = own_time(); took < ns;)
        took = own_time() - began;
#endif
    atomic_fetch_add(&burnt, took);
    return took;
}

/* ---- burners ------------------------------------------------------------------------------------- */

struct fire {
    rp_time least, most; /* of one message */
    uint64_t seed;
    rp_time burnt;
};

/* Theirs together. They live on one loop, and end at a look. */
static struct {
    struct teller teller;
    double told, squares; /* ms, of all looks */
    _Atomic bool out;
} fires;

enum { LOOKS = 40 };

/* As many looks as would say as much if all told of the same time: one that tells of a lot weighs more. */
static double looks(void)
{
    return fires.squares > 0 ? fires.told * fires.told / fires.squares : 0;
}

static void note_look(rp_time told)
{
    double ms = (double)told / RP_MS;
    fires.told += ms;
    fires.squares += ms * ms;
}

/* By themselves, one message after the other, each as long as chance will have it: so nobody is in step with the kernel. */
static int keep_burning(rp_self *me, void *state, const rp_msg *m)
{
    struct fire *f = *(struct fire **)state;
    (void)m;
    if (atomic_load(&fires.out))
        return 0;
    rp_time ns = f->least + (rp_time)(test_random(&f->seed) % (uint64_t)(f->most - f->least)), began = own_time(), took;
    while ((took = own_time() - began) < ns && looks() < LOOKS)
        note_look(SAMPLES ? told_by(&fires.teller) : took >= ns - RP_US);
    f->burnt += took;
    if (looks() >= LOOKS)
        atomic_store(&fires.out, true);
    return tell_num(me, rp_self_ref(me), 0);
}

static void open_fires(void *arg)
{
    (void)arg;
    teller_open(&fires.teller);
}

static int take_arg(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}
static const rp_actor burner = {.name = "burner", .init = take_arg, .handle = keep_burning, .state_size = sizeof(void *)};

/* So many ms a message, and says when it is done. */
static int burn_once(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t ms = ((const struct num *)rp_body(m, NUM))->n;
    (void)state;
    if (ms > 0)
        burn((rp_time)ms * RP_MS);
    return rp_reply(me, m, NUM, &(struct num){1, {0, 0}});
}
static const rp_actor oven = {.name = "oven", .handle = burn_once};

static void have_burnt(rp_self *me, rp_ref who, uint64_t ms)
{
    rp_msg *m;
    check_eq(rp_call(me, who, NUM, &(struct num){ms, {0, 0}}, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
}

/* ---- looking ------------------------------------------------------------------------------------- */

static rp_time cpu_of(rp_self *me, rp_ref who)
{
    rp_inspection *i;
    rp_actor_info a;
    rp_time cpu = -1;
    int rc;
    check_eq(rp_inspect(me, LONG_MS, &i), 0);
    while ((rc = rp_inspect_next(me, i, &a)) > 0) {
        check(a.cpu >= 0 && (a.cpu == 0 || a.task == 0));
        if (rp_ref_eq(a.ref, who) && a.task == 0)
            cpu = a.cpu;
    }
    check_eq(rc, 0);
    rp_inspect_end(me, i);
    check(cpu >= 0, "it is not listed");
    return cpu;
}

static rp_loop_info loop_info(rp_self *me, unsigned loop)
{
    rp_loop_info l;
    check_eq(rp_inspect_loop(me, loop, RP_FOREVER, &l), 0);
    return l;
}

/* Done in so many stretches. */
#define near(is, should, stretches) \
    do { \
        rp_time is_ = (is), should_ = (should), off_ = ((stretches) + 2) * TICK; \
        check(!SAMPLES || (is_ > should_ - off_ && is_ < should_ + off_), "%s is %.1f ms, not %.1f", #is, \
              (double)is_ / RP_MS, (double)should_ / RP_MS); \
    } while (0)

/* ---- shares -------------------------------------------------------------------------------------- */

static struct fire much, little;

static int two(rp_self *me, void *arg)
{
    rp_ref a, b, c;
    rp_spawn_opts o = {.on = RP_LOOP(1)};
    (void)arg;
    much = (struct fire){.least = 500 * RP_US, .most = 1500 * RP_US, .seed = test_seed()};
    little = (struct fire){.least = 100 * RP_US, .most = 400 * RP_US, .seed = test_seed() + 1};
    o.arg = &much;
    check_eq(rp_spawn(me, &burner, &o, &a), 0);
    o.arg = &little;
    check_eq(rp_spawn(me, &burner, &o, &b), 0);
    check_eq(rp_spawn(me, &oven, &o, &c), 0);
    have_burnt(me, c, 30);
    rp_loop_info l = loop_info(me, 1);
    check(cpu_of(me, c) == 0 && l.cpu == 0 && l.cpu_own == 0, "nobody has asked");
    check_eq(rp_profile(me, LONG_MS), 0);
    check_eq(rp_post(rp_system_of(me), 1, open_fires, NULL), 0); /* in order before what comes now */
    have_burnt(me, c, 0);
    check_eq(tell_num(me, a, 0), 0);
    check_eq(tell_num(me, b, 0), 0);
    while (!atomic_load(&fires.out))
        check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    have_burnt(me, c, 0); /* behind all they have sent */
    have_burnt(me, c, 0);
    rp_time of_much = cpu_of(me, a), of_little = cpu_of(me, b), of_rest = cpu_of(me, c);
    l = loop_info(me, 1);
    near(of_much + of_little, much.burnt + little.burnt, 2);
    near(of_much + of_little + of_rest + l.cpu_own, l.cpu, 1); /* whoever else there is has done nothing */
    check(of_rest < 3 * TICK && l.cpu_own <= l.cpu / 4, "%.1f of %.1f ms", (double)l.cpu_own / RP_MS, (double)l.cpu / RP_MS);
    double n = looks(), p = (double)much.burnt / (double)(much.burnt + little.burnt);
    double off = (double)of_much / (double)(of_much + of_little) - p;
    check(!SAMPLES || off * off < 4 * 4 * p * (1 - p) / n, "%.3f from %.3f", off, p); /* four deviations */
    return 0;
}

TEST(profile, of_two_each_has_its_share)
{
    check_eq(run_with(two, 0, &(rp_system_opts){.loops = 2}), 0);
}

/* ---- whose it is --------------------------------------------------------------------------------- */

static int slow_init(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    burn(BURN);
    return 0;
}

static void slow_info(const void *state, char *to, size_t size)
{
    (void)state;
    burn(BURN);
    snprintf(to, size, "well");
}
static const rp_actor hooked = {.name = "hooked", .init = slow_init, .handle = burn_once, .info = slow_info, .state_size = 8};

static int task(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    burn(BURN);
    return 0;
}

/* On stacks too small for what the kernel puts on one for a signal. */
static int with_tasks(rp_self *me, void *arg)
{
    rp_scope s;
    rp_msg *m;
    (void)arg;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, task, 0, NULL), 0);
    burn(BURN);
    check_eq(rp_scope_close(me, &s, 0), 0);
    for (;;) {
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        check_eq(rp_reply(me, m, NUM, &(struct num){1, {0, 0}}), 0);
        rp_msg_drop(me, m);
    }
}
static const rp_actor busy = {.name = "busy", .run = with_tasks};

static void posted(void *arg)
{
    burn(BURN);
    atomic_store((_Atomic bool *)arg, true);
}

static int whose(rp_self *me, void *arg)
{
    rp_ref a, b;
    (void)arg;
    unsigned on = RP_LOOP(rp_loop_count(me) - 1);
    check_eq(rp_profile(me, LONG_MS), 0);
    rp_loop_info before = loop_info(me, rp_loop_count(me) - 1);
    check_eq(rp_spawn(me, &hooked, &(rp_spawn_opts){.on = on}, &a), 0);
    rp_time was = so_far(), now;
    near(cpu_of(me, a), was, 1); /* its init, */
    was += so_far();
    near(cpu_of(me, a), was, 2); /* and its info, which that called */
    was += so_far();
    check_eq(rp_spawn(me, &busy, &(rp_spawn_opts){.on = on, .stack = 8192}, &b), 0);
    have_burnt(me, b, 0);
    now = so_far();
    rp_time of_a = cpu_of(me, a), of_b = cpu_of(me, b);
    near(of_a, was, 3);
    near(of_b, now, 2);
    so_far();
    static _Atomic bool over;
    before = loop_info(me, rp_loop_count(me) - 1);
    check_eq(rp_post(rp_system_of(me), rp_loop_count(me) - 1, posted, (void *)&over), 0);
    while (!atomic_load(&over))
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    rp_loop_info after = loop_info(me, rp_loop_count(me) - 1);
    near(after.cpu_own - before.cpu_own, so_far(), 1);
    return 0;
}

TEST(profile, of_tasks_hooks_and_nobody)
{
    check_eq(run_with(whose, 0, &(rp_system_opts){.loops = 2}), 0);
}

/* ---- it stays with the actor --------------------------------------------------------------------- */

static int moves(rp_self *me, void *arg)
{
    rp_ref a, b;
    (void)arg;
    check_eq(rp_profile(me, LONG_MS), 0);
    check_eq(rp_spawn(me, &oven, &(rp_spawn_opts){.on = RP_LOOP(1)}, &a), 0);
    have_burnt(me, a, BURN_MS);
    rp_time before = cpu_of(me, a);
    near(before, so_far(), 1);
    for (unsigned on = 2; on != 1; on = (on + 1) % 3) { /* a guest of two loops, then home */
        check_eq(rp_move(me, a, RP_LOOP(on)), 0);
        check_eq(cpu_of(me, a), before);
        have_burnt(me, a, BURN_MS);
        rp_time then = cpu_of(me, a);
        near(then - before, so_far(), 1);
        before = then;
    }
    check_eq(rp_move(me, a, RP_LOOP(1)), 0);
    check_eq(cpu_of(me, a), before);
    rp_time all = 0;
    for (unsigned i = 0; i < 3; i++)
        all += loop_info(me, i).cpu - loop_info(me, i).cpu_own;
    check(before <= all && (!SAMPLES || all - before < 5 * TICK), "%.1f of %.1f ms", (double)before / RP_MS, (double)all / RP_MS);
    /* whoever has its place on a loop where it was a guest has nothing of it */
    check_eq(rp_spawn(me, &oven, &(rp_spawn_opts){.on = RP_LOOP(2)}, &b), 0);
    check_eq(cpu_of(me, b), 0);
    return 0;
}

TEST(profile, goes_with_who_moves)
{
    check_eq(run_with(moves, 0, &(rp_system_opts){.loops = 3}), 0);
}

static int burn_and_fall(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    burn(BURN);
    if (rp_restarts(me) == 0)
        return -EIO;
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc == 0)
        rc = rp_reply(me, m, NUM, &(struct num){1, {0, 0}});
    rp_msg_drop(me, m);
    return rc != 0 ? rc : rp_sleep(me, RP_FOREVER);
}
static const rp_actor clumsy = {.name = "clumsy", .run = burn_and_fall};

static int begins_anew(rp_self *me, void *arg)
{
    rp_ref top, child, a;
    struct rp_down d;
    rp_child one = {.actor = &clumsy, .opts = {.on = RP_LOOP(1)}};
    rp_supervisor s = {.children = &one, .nchildren = 1, .restarts = 3, .within_ms = LONG_MS, .backoff_ms = 1};
    (void)arg;
    check_eq(rp_profile(me, LONG_MS), 0);
    check_eq(rp_supervise(me, &s, NULL, &top), 0);
    check_eq(rp_supervise_child(me, top, 0, &child), 0);
    have_burnt(me, child, 0);
    near(cpu_of(me, child), so_far(), 2); /* of both incarnations */
    uint64_t slot = 0;
    for (unsigned i = 0; i < 2; i++) { /* the same slot, and another actor */
        check_eq(rp_spawn(me, &oven, &(rp_spawn_opts){.on = RP_LOOP(1), .monitor = true}, &a), 0);
        check(i == 0 || a.local >> 24 == slot);
        check_eq(cpu_of(me, a), 0);
        have_burnt(me, a, BURN_MS);
        near(cpu_of(me, a), so_far(), 1);
        slot = a.local >> 24;
        check_eq(rp_stop(me, a, "enough"), 0);
        check_eq(recv_down(me, &d), 0);
    }
    return 0;
}

TEST(profile, of_all_incarnations_and_of_no_successor)
{
    check_eq(run_with(begins_anew, 0, &(rp_system_opts){.loops = 2}), 0);
}

/* ---- when it is over ----------------------------------------------------------------------------- */

static int comes_and_goes(rp_self *me, void *arg)
{
    rp_ref a;
    (void)arg;
    check_eq(rp_spawn(me, &oven, &(rp_spawn_opts){.on = RP_LOOP(1)}, &a), 0);
    check_eq(rp_profile(me, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    have_burnt(me, a, 20); /* until the look that ends it */
    rp_time first = cpu_of(me, a), all = loop_info(me, 1).cpu;
    have_burnt(me, a, 100);
    check_eq(cpu_of(me, a), first);
    check_eq(loop_info(me, 1).cpu, all);
    check_eq(rp_profile(me, LONG_MS), 0);
    so_far();
    have_burnt(me, a, BURN_MS);
    rp_time second = cpu_of(me, a);
    near(second - first, so_far(), 1); /* it goes on from there */
    check_eq(rp_profile(me, 1), 0);      /* never for less */
    check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    have_burnt(me, a, BURN_MS);
    near(cpu_of(me, a) - second, so_far(), 1);
    return 0;
}

TEST(profile, ends_by_itself_and_goes_on_when_asked)
{
    check_eq(run_with(comes_and_goes, 0, &(rp_system_opts){.loops = 2}), 0);
}

static _Atomic bool held, let_go;

static int hold(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    atomic_store(&held, true);
    while (!atomic_load(&let_go))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return 0;
}
static const rp_actor holder = {.name = "holder", .handle = hold};

static int is_held(rp_self *me, void *arg)
{
    rp_ref a, b;
    (void)arg;
    check_eq(rp_spawn(me, &oven, &(rp_spawn_opts){.on = RP_LOOP(1)}, &a), 0);
    check_eq(rp_spawn(me, &holder, &(rp_spawn_opts){.on = RP_LOOP(1)}, &b), 0);
    check_eq(tell_num(me, b, 0), 0);
    while (!atomic_load(&held))
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rp_profile(me, LONG_MS), -ETIMEDOUT);
    atomic_store(&let_go, true);
    have_burnt(me, a, BURN_MS);
    near(cpu_of(me, a), so_far(), 1);
    return 0;
}

TEST(profile, a_held_loop_begins_when_it_is_let_go)
{
    check_eq(run_with(is_held, 0, &(rp_system_opts){.loops = 2}), 0);
}

/* ---- what cannot be ------------------------------------------------------------------------------ */

static int refuses(rp_self *me, void *arg)
{
    return rp_profile(me, 10) == *(int *)arg ? 0 : -EIO;
}

static int refused_in_hook(rp_self *me, void *state, void *arg)
{
    (void)state, (void)arg;
    check_eq(rp_profile(me, 10), -EAGAIN);
    return 0;
}
static const rp_actor hasty = {.name = "hasty", .init = refused_in_hook, .handle = burn_once, .state_size = 8};

static int asks_badly(rp_self *me, void *arg)
{
    rp_ref a;
    (void)arg;
    check_eq(rp_profile(me, 0), -EINVAL);
    check_eq(rp_profile(me, -5), -EINVAL);
    check_eq(rp_spawn(me, &hasty, NULL, &a), 0);
    return 0;
}

static void others(int signo)
{
    (void)signo;
}

TEST(profile, what_cannot_be)
{
    int simulated = -ENOTSUP, taken = -EBUSY;
    check_eq(run_with(refuses, &simulated, &(rp_system_opts){.loops = 2, .sim_seed = test_seed()}), 0);
    check_eq(run_with(asks_badly, 0, &(rp_system_opts){.loops = 2}), 0);
    signal(SIGRTMAX - 4, others);
    check_eq(run_with(refuses, &taken, &(rp_system_opts){.loops = 2}), 0);
    check(signal(SIGRTMAX - 4, SIG_DFL) == others);
    rp_actor root = {.name = "root", .run = refuses};
    signal(SIGRTMAX - 3, others); /* a watchdog takes nobody's either */
    check_eq(rp_run(&root, &taken, &(rp_system_opts){.loops = 1, .stall_ms = 1000}), -EBUSY);
}

/* Watched as well, under one and the same signal: the one who comes second is told no. */
static int watched(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_profile(me, 10), -EBUSY);
    return 0;
}

TEST(profile, a_signal_is_not_shared)
{
    check_eq(run_with(watched, 0, &(rp_system_opts){.loops = 1, .stall_ms = 1000, .stall_signal = SIGRTMAX - 4}), 0);
}

/* ---- threads that are not only ours -------------------------------------------------------------- */

/* Timers of this process; -1: the kernel does not say. */
static int timers(void)
{
    char line[256];
    int n = 0;
    FILE *f = fopen("/proc/self/timers", "r");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f))
        n += strncmp(line, "ID:", 3) == 0;
    fclose(f);
    return n;
}

/* The thread is as it was: no timer, no stack for signals, and none comes. */
static void nothing_is_left(bool had_stack)
{
    stack_t s;
    burn(20 * RP_MS);
    check(timers() <= 0, "%d timers", timers());
    check_eq(sigaltstack(NULL, &s), 0);
    check_eq(!(s.ss_flags & SS_DISABLE), had_stack);
}

static bool has_stack(void)
{
    stack_t s;
    check_eq(sigaltstack(NULL, &s), 0);
    return !(s.ss_flags & SS_DISABLE);
}

/* With so little left of a small stack that a signal would not fit there; the clock does. */
__attribute__((noinline)) static rp_time burn_deep(const rp_self *me, volatile char *above)
{
    enum { GUARD = 65536, LEFT = 1200 };
    volatile char here[256];
    here[0] = *above;
    bool deep = (char *)__builtin_frame_address(0) - me->low < GUARD + LEFT;
    rp_time took = deep || !PLAIN ? burn(BURN) : burn_deep(me, here);
    return took + here[0];
}

/* On loop 0, whose thread may be a host's. */
static int burn_on_little(rp_self *me, void *arg)
{
    volatile char zero = 0;
    (void)arg;
    for (unsigned i = 0; i < 2; i++) { /* also when it has been over */
        check_eq(rp_profile(me, i == 0 ? 1 : LONG_MS), 0);
        check(timers() != 0);
        rp_time cpu = cpu_of(me, rp_self_ref(me)), own = loop_info(me, 0).cpu_own;
        rp_time took = burn_deep(me, &zero);
        check(took >= BURN);
        cpu = cpu_of(me, rp_self_ref(me)) - cpu;
        own = loop_info(me, 0).cpu_own - own;
        if (i == 1)
            near(cpu, took, 1);
        check(own < 3 * TICK, "%.1f ms", (double)own / RP_MS);
    }
    return 0;
}
static const rp_actor little_one = {.name = "little", .run = burn_on_little};

static int on_loop_0(rp_self *me, void *arg)
{
    struct rp_down d;
    rp_ref a;
    (void)arg;
    check_eq(rp_spawn(me, &little_one, &(rp_spawn_opts){.on = RP_LOOP(0), .stack = 8192, .monitor = true}, &a), 0);
    check_eq(recv_down(me, &d), 0);
    return d.reason;
}
static const rp_actor root_on_0 = {.name = "root", .run = on_loop_0};

TEST(profile, in_every_kind_of_thread)
{
    bool had_stack = has_stack();
    rp_system_opts one = {.loops = 1}, two = {.loops = 2};
    check_eq(run_with(on_loop_0, 0, &two), 0);
    nothing_is_left(had_stack);
    check_eq(run_attached(&root_on_0, 0, &two), 0);
    nothing_is_left(had_stack);
    check_eq(run_ticked(&root_on_0, 0, &one), 0);
    nothing_is_left(had_stack);
}

TEST(profile, in_a_thread_that_blocks_all_signals)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    check_eq(run_with(on_loop_0, 0, &(rp_system_opts){.loops = 2}), 0);
}

/* Two systems of one host's thread: what one does is for the other what its host does. */
static int asks_and_waits(rp_self *me, void *arg)
{
    rp_loop_info *l = arg;
    rp_msg *m;
    check_eq(rp_profile(me, LONG_MS), 0);
    *l = loop_info(me, 0);
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc == 0) /* RP_EXIT_NOTICE */
        rp_msg_drop(me, m);
    *l = loop_info(me, 0);
    return rc;
}
static const rp_actor waiter = {.name = "waiter", .run = asks_and_waits, .flags = RP_TRAP};

static int burns_and_tells(rp_self *me, void *arg)
{
    check_eq(rp_profile(me, LONG_MS), 0);
    rp_time took = burn(BURN);
    *(rp_time *)arg = cpu_of(me, rp_self_ref(me));
    near(*(rp_time *)arg, took, 1);
    return 0;
}
static const rp_actor tells = {.name = "teller", .run = burns_and_tells};

TEST(profile, of_two_systems_in_one_thread)
{
    rp_loop_info l = {0};
    rp_time burnt_there = 0;
    rp_system *a, *b;
    check_eq(rp_system_open(&waiter, &l, &(rp_system_opts){.loops = 1}, &a), 0);
    while (rp_system_tick(a, RP_MS) == 1)
        ;
    for (unsigned i = 0; i < 2; i++) { /* the one that came second goes first, and another comes */
        check_eq(rp_system_open(&tells, &burnt_there, &(rp_system_opts){.loops = 1}, &b), 0);
        while (rp_system_tick(b, RP_MS) >= 0)
            ;
        check_eq(rp_system_close(b), 0);
        check(!SAMPLES || burnt_there > 0);
    }
    check(timers() == 1 || timers() == -1);
    burn(BURN);
    rp_quit(a, "enough");
    check_eq(rp_system_close(a), 0);
    check(l.cpu_own <= l.cpu);
    near(l.cpu_own, so_far(), 3);
    check_eq(timers() <= 0, true);
}

/* The child has no timer of its parent's, and touches none. */
static int forks(rp_self *me, void *arg)
{
    int status;
    (void)arg;
    check_eq(rp_profile(me, LONG_MS), 0);
    burn(20 * RP_MS);
    pid_t child = fork();
    if (child == 0) {
        burn(20 * RP_MS);
        _exit(timers() <= 0 && rp_profile(me, 10) == -EPERM ? 0 : 1);
    }
    check_eq(waitpid(child, &status, 0), child);
    check_eq(status, 0);
    rp_time before = cpu_of(me, rp_self_ref(me));
    rp_time took = burn(BURN);
    near(cpu_of(me, rp_self_ref(me)) - before, took, 1);
    return 0;
}

TEST(profile, a_forked_child_has_no_part_in_it)
{
    check_eq(run_with(forks, 0, &(rp_system_opts){.loops = 1}), 0);
}
