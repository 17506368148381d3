/* SPDX-License-Identifier: MIT */
#include "loop/stall.h"

#include "loop/os.h"
#include "loop/system.h"
#include "loop/trace.h"
#include "loop/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

enum {
    LOOKS = 4,             /* in the span that is too long */
    DOZE = 50000,          /* ns between two looks at the other side's state */
    PATIENCE = 2000,       /* such looks until a thread counts as one that does not answer; */
    PATIENCE_FROZEN = 4000, /* until a frozen one, of which all is known but its stack, goes on */
    DEPTH = 32,
    SIGNALS = 65
};

/* ---- the loop's thread --------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    unsigned users;
    struct sigaction before;
} handlers[SIGNALS]; /* under the lock */

/* Read by the handler only, so no code that switches stacks caches it. */
static _Thread_local struct rp__stall_seat *mine;

static uint32_t state(struct rp__stall_seat *s)
{
    return atomic_load_explicit(&s->state, memory_order_acquire);
}

static bool step(struct rp__stall_seat *s, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&s->state, &from, to, memory_order_acq_rel, memory_order_acquire);
}

static struct rp__cx stands_at(const ucontext_t *u)
{
#if defined(__x86_64__)
    const greg_t *r = u->uc_mcontext.gregs;
    return (struct rp__cx){.sp = (void *)r[REG_RSP], .ip = (void *)r[REG_RIP], .bp = (void *)r[REG_RBP]};
#elif defined(__aarch64__)
    return (struct rp__cx){.sp = (void *)u->uc_mcontext.sp, .ip = (void *)u->uc_mcontext.pc,
                           .bp = (void *)u->uc_mcontext.regs[29]};
#else
    (void)u;
    return (struct rp__cx){0};
#endif
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
    int before = errno;
    struct rp__stall_seat *s = mine;
    (void)signo, (void)info;
    if (s && state(s) == RP__STALL_ASKED) {
        s->cx = stands_at(context);
        if (step(s, RP__STALL_ASKED, RP__STALL_FROZEN)) {
            for (unsigned n = 0; state(s) != RP__STALL_RELEASED; n += state(s) == RP__STALL_COPIED) {
                rp__os_doze(DOZE); /* unbounded until it is copied: the watchdog is at it */
                if (n > PATIENCE_FROZEN && step(s, RP__STALL_COPIED, RP__STALL_IDLE))
                    break;
            }
            step(s, RP__STALL_RELEASED, RP__STALL_IDLE);
        }
    }
    errno = before;
}

static int handler_in(int signo)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_signal;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    pthread_mutex_lock(&lock);
    int rc = handlers[signo].users > 0 ? 0 : sigaction(signo, &sa, &handlers[signo].before);
    handlers[signo].users += rc == 0;
    pthread_mutex_unlock(&lock);
    return rc == 0 ? 0 : -EINVAL;
}

static void handler_out(int signo)
{
    struct sigaction now;
    pthread_mutex_lock(&lock);
    if (--handlers[signo].users == 0 && sigaction(signo, 0, &now) == 0 && now.sa_flags & SA_SIGINFO &&
        now.sa_sigaction == on_signal)
        sigaction(signo, &handlers[signo].before, 0); /* else somebody stands on top of us: leave it */
    pthread_mutex_unlock(&lock);
}

static void own_stack(struct rp__stall_seat *s)
{
    pthread_attr_t a;
    void *low;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &a) != 0)
        return;
    if (pthread_attr_getstack(&a, &low, &size) == 0) {
        s->low = low;
        s->high = s->low + size;
    }
    pthread_attr_destroy(&a);
}

void rp__stall_sit(struct rp_loop *l, bool there)
{
    struct rp__stall *w = l->sys->stall;
    if (!w)
        return;
    struct rp__stall_seat *s = &w->seat[l->index];
    pthread_mutex_lock(&w->lock);
    if (there)
        own_stack(s);
    s->thread = pthread_self();
    s->there = there;
    mine = there ? s : 0;
    pthread_mutex_unlock(&w->lock);
    if (there)
        rp__stall_woken(l);
}

void rp__stall_woken(struct rp_loop *l)
{
    struct rp__stall *w = l->sys->stall;
    atomic_store_explicit(&l->sleeping, 0, memory_order_seq_cst);
    if (!atomic_load_explicit(&w->asleep, memory_order_seq_cst) ||
        !atomic_exchange_explicit(&w->asleep, 0, memory_order_seq_cst))
        return;
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* ---- what holds it ------------------------------------------------------------------------------- */

/* On a stack [low, high), or the thread's own. */
static unsigned walk(const struct rp__stall_seat *s, const char *low, const char *high, void **pc)
{
    const char *sp = s->cx.sp;
    if (!low || sp < low || sp >= high) {
        low = s->low;
        high = s->high;
    }
    if (!low || sp < low || sp >= high)
        return 0;
    return rp__unwind(&s->cx, low, high, pc, DEPTH);
}

/* False: the loop is between two turns, so no actor holds it. */
static bool look_at(struct rp__stall_seat *s, rp_stall *r, void **pc)
{
    for (unsigned n = 0; state(s) != RP__STALL_FROZEN; n++) {
        if (n > PATIENCE && step(s, RP__STALL_ASKED, RP__STALL_IDLE))
            return true;
        rp__os_doze(DOZE);
    }
    struct rp_loop *l = s->l;
    const rp_self *self = l->running;
    bool turn = self && self != &l->home;
    const char *low = turn ? self->low : 0;
    if (turn)
        l->sys->floor->at(self, r);
    step(s, RP__STALL_FROZEN, RP__STALL_COPIED);
    r->depth = turn ? walk(s, low, (const char *)self, pc) : 0;
    step(s, RP__STALL_COPIED, RP__STALL_RELEASED);
    return turn;
}

static size_t frame_text(char *to, size_t size, const void *pc)
{
    Dl_info d = {0};
    bool known = dladdr(pc, &d) != 0 && d.dli_fname;
    const char *file = known ? strrchr(d.dli_fname, '/') : 0;
    int n = d.dli_sname ? snprintf(to, size, " %s+0x%zx", d.dli_sname, (size_t)((const char *)pc - (const char *)d.dli_saddr))
                        : snprintf(to, size, " %s+0x%zx", file ? file + 1 : known ? d.dli_fname : "?",
                                   (size_t)((const char *)pc - (const char *)d.dli_fbase));
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

__attribute__((noinline)) static void say(const struct rp__stall_seat *s, const rp_stall *r)
{
    enum { LINE = 1000, FRAMES = 12, PREFIX = 9 };
    char line[LINE] = "reparto: ";
    size_t n = PREFIX;
    bool known = !rp_ref_none(r->actor);
    uint64_t a = r->actor.local;
    n += (size_t)snprintf(line + n, LINE - n, "loop %u held for %lld ms by %s", r->loop, (long long)(r->held / RP_MS),
                          known ? r->name : r->depth ? "no actor" : "what does not answer");
    if (known)
        n += (size_t)snprintf(line + n, LINE - n, "#%u.%u.%u", (unsigned)(a >> 54), (unsigned)(a >> 24) & 0x3fffffff,
                              (unsigned)(a & 0xffffff));
    if (r->type[0])
        n += (size_t)snprintf(line + n, LINE - n, " in %s", r->type);
    if (r->hook[0])
        n += (size_t)snprintf(line + n, LINE - n, " in its %s", r->hook);
    for (unsigned i = 0; i < r->depth && i < FRAMES; i++) /* so far at most 200 bytes */
        n += frame_text(line + n, LINE - 1 - n, r->stack[i]);
    if (rp__traces(s->l, RP__T_STALL)) {
        rp__trace(s->l, RP__T_STALL, "%s", line + PREFIX);
    } else if (!s->l->sys->stall->o.tell) {
        line[n++] = '\n';
        (void)!rp__os_write(2, line, n);
    }
}

__attribute__((noinline)) static void report(struct rp__stall *w, struct rp__stall_seat *s, rp_time now)
{
    void *pc[DEPTH];
    rp_stall r = {.loop = s->l->index, .held = now - s->since, .times = s->times + 1, .hook = "", .stack = pc};
    if (!step(s, RP__STALL_IDLE, RP__STALL_ASKED))
        return; /* it has not yet come out of the last one */
    pthread_mutex_lock(&w->lock);
    bool there = s->there && pthread_kill(s->thread, w->o.signo) == 0;
    pthread_mutex_unlock(&w->lock);
    if (!there)
        step(s, RP__STALL_ASKED, RP__STALL_IDLE);
    if (!there || !look_at(s, &r, pc))
        return;
    s->times++;
    rp__count(&s->stalls, 1);
    say(s, &r);
    if (w->o.tell)
        w->o.tell(&r, w->o.ud);
}

/* ---- the watchdog -------------------------------------------------------------------------------- */

static bool sleeps(struct rp__stall_seat *s)
{
    return atomic_load_explicit(&s->l->sleeping, memory_order_seq_cst);
}

/* True: it is awake. */
static bool look(struct rp__stall *w, struct rp__stall_seat *s)
{
    rp_time now = rp__os_now();
    uint64_t turns = atomic_load_explicit(&s->l->turns, memory_order_relaxed);
    pthread_mutex_lock(&w->lock);
    bool there = s->there;
    pthread_mutex_unlock(&w->lock);
    bool awake = there && !sleeps(s);
    if (!awake || turns != s->turns) {
        s->turns = turns;
        s->since = now;
        s->report_at = now + w->o.after;
        s->times = 0;
    } else if (now >= s->report_at) {
        report(w, s, now);
        s->report_at = s->since + 2 * (now - s->since);
    }
    return awake;
}

static bool all_sleep(struct rp__stall *w)
{
    for (unsigned i = 0; i < w->sys->nloops; i++)
        if (w->seat[i].there && !sleeps(&w->seat[i]))
            return false;
    return true;
}

static void wait_a_while(struct rp__stall *w, bool awake)
{
    rp_time until = rp__os_now() + w->o.after / LOOKS;
    struct timespec at = {until / RP_S, until % RP_S};
    pthread_mutex_lock(&w->lock);
    if (awake) {
        if (!w->stop)
            pthread_cond_timedwait(&w->changed, &w->lock, &at);
    } else {
        atomic_store_explicit(&w->asleep, 1, memory_order_seq_cst);
        while (!w->stop && all_sleep(w) && atomic_load_explicit(&w->asleep, memory_order_seq_cst))
            pthread_cond_wait(&w->changed, &w->lock);
        atomic_store_explicit(&w->asleep, 0, memory_order_seq_cst);
    }
    pthread_mutex_unlock(&w->lock);
}

static void *watch(void *arg)
{
    struct rp__stall *w = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, 0);
    for (bool stop = false; !stop;) {
        bool awake = false;
        for (unsigned i = 0; i < w->sys->nloops; i++)
            awake = look(w, &w->seat[i]) || awake;
        wait_a_while(w, awake);
        pthread_mutex_lock(&w->lock);
        stop = w->stop;
        pthread_mutex_unlock(&w->lock);
    }
    return 0;
}

int rp__stall_start(rp_system *sys, const struct rp__stall_opts *o)
{
    int signo = o->signo ? o->signo : SIGRTMAX - 3;
    if (o->after <= 0)
        return 0;
    if (signo < SIGRTMIN || signo > SIGRTMAX)
        return -EINVAL;
    size_t size = sizeof(struct rp__stall) + sys->nloops * sizeof(struct rp__stall_seat);
    struct rp__stall *w = rp__alloc(sys, size);
    if (!w)
        return -ENOMEM;
    memset(w, 0, size);
    w->sys = sys;
    w->o = *o;
    w->o.signo = signo;
    for (unsigned i = 0; i < sys->nloops; i++)
        w->seat[i] = (struct rp__stall_seat){.l = sys->loops[i], .turns = UINT64_MAX}; /* it has not been looked at */
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, 0);
    pthread_cond_init(&w->changed, &a);
    pthread_condattr_destroy(&a);
    int rc = handler_in(signo);
    if (rc == 0 && (rc = rp__os_thread(&w->thread, watch, w)) != 0)
        handler_out(signo);
    if (rc != 0)
        rp__free_mem(sys, w, size);
    else
        sys->stall = w;
    return rc;
}

void rp__stall_stop(rp_system *sys)
{
    struct rp__stall *w = sys->stall;
    if (!w || sys->forked)
        return; /* in a forked child there is no such thread */
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, 0);
    handler_out(w->o.signo);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    rp__free_mem(sys, w, sizeof *w + sys->nloops * sizeof *w->seat);
    sys->stall = 0;
}

uint64_t rp__stalls_of(const struct rp_loop *l)
{
    const struct rp__stall *w = l->sys->stall;
    return w ? atomic_load_explicit(&w->seat[l->index].stalls, memory_order_relaxed) : 0;
}
