/* SPDX-License-Identifier: MIT */
#include "loop/watch/freeze.h"

#include "loop/base/os.h"
#include "loop/process/handler.h"
#include "loop/system.h"
#include "loop/watch/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

enum {
    DOZE = 50000,          /* ns between two looks at the other side's state */
    PATIENCE = 2000,       /* such looks until a thread counts as one that does not answer; */
    PATIENCE_FROZEN = 4000 /* until a frozen one, of which all is known but its stack, goes on */
};

/* ---- the loop's thread --------------------------------------------------------------------------- */

/* Read by the handler, and by nobody who switches stacks in between, so no code caches it. The innermost. */
static _Thread_local struct rp__seat *mine;

static uint32_t state(struct rp__seat *s)
{
    return atomic_load_explicit(&s->state, memory_order_acquire);
}

static bool step(struct rp__seat *s, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&s->state, &from, to, memory_order_acq_rel, memory_order_acquire);
}

static struct rp__cx stands_at(const ucontext_t *u)
{
#if defined(RP__UCONTEXT)
    (void)u; /* nothing walks such a stack */
    return (struct rp__cx){.top = 0};
#elif defined(__x86_64__)
    const greg_t *r = u->uc_mcontext.gregs;
    return (struct rp__cx){.sp = (void *)r[REG_RSP], .ip = (void *)r[REG_RIP], .bp = (void *)r[REG_RBP]};
#else /* aarch64 */
    return (struct rp__cx){.sp = (void *)u->uc_mcontext.sp, .ip = (void *)u->uc_mcontext.pc,
                           .bp = (void *)u->uc_mcontext.regs[29]};
#endif
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
    int before = errno;
    struct rp__seat *s = mine;
    (void)signo, (void)info;
    while (s && state(s) != RP__SEAT_ASKED) /* bounded by the systems that this thread runs one inside the other */
        s = s->outer;
    if (s) {
        s->cx = stands_at(context);
        if (step(s, RP__SEAT_ASKED, RP__SEAT_FROZEN)) {
            for (unsigned n = 0; state(s) != RP__SEAT_RELEASED; n += state(s) == RP__SEAT_COPIED) {
                rp__os_doze(DOZE); /* unbounded until it is copied: who looks is at it */
                if (n > PATIENCE_FROZEN && step(s, RP__SEAT_COPIED, RP__SEAT_IDLE))
                    break;
            }
            step(s, RP__SEAT_RELEASED, RP__SEAT_IDLE);
        }
    }
    errno = before;
}

static void own_stack(struct rp__seat *s)
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

/* One that this thread was sent and, with the signal blocked, has not got: it would come when there is no handler any
 * more, and end the process. */
static void take_pending(int signo)
{
    const struct timespec at_once = {0, 0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    (void)sigtimedwait(&set, 0, &at_once);
}

static void sit_down(struct rp__seat *s)
{
    s->outer = mine;
    mine = s;
}

void rp__seat_take(struct rp_loop *l, bool there)
{
    struct rp__seats *all = l->sys->seats;
    if (!all)
        return;
    struct rp__seat *s = &all->seat[l->index];
    pthread_mutex_lock(&all->lock);
    if (there)
        own_stack(s);
    s->thread = pthread_self();
    s->there = there;
    pthread_mutex_unlock(&all->lock);
    if (there)
        sit_down(s);
    else
        mine = s->outer;
    if (!there)
        take_pending(all->signo);
}

/* Of the thread that came first; without a stack for the signal it is as if nobody came. */
static bool is_hosts(struct rp__seat *s)
{
    if (!s->hosted && rp__handler_stack_in() == 0) {
        own_stack(s);
        s->thread = pthread_self();
        s->hosted = true;
    }
    return s->hosted && pthread_equal(s->thread, pthread_self());
}

void rp__seat_enter(struct rp_loop *l)
{
    struct rp__seats *all = l->sys->seats;
    if (!all)
        return;
    struct rp__seat *s = &all->seat[l->index];
    pthread_mutex_lock(&all->lock);
    bool there = s->there = is_hosts(s);
    pthread_mutex_unlock(&all->lock);
    if (there)
        sit_down(s);
}

void rp__seat_exit(struct rp_loop *l)
{
    struct rp__seats *all = l->sys->seats;
    struct rp__seat *s = all ? &all->seat[l->index] : 0;
    if (!s || mine != s)
        return;
    mine = s->outer;
    if (l->sys->forked)
        return; /* the lock may be another thread's */
    pthread_mutex_lock(&all->lock);
    s->there = false;
    s->left = rp__os_now();
    s->hosted = !l->stopped;
    pthread_mutex_unlock(&all->lock);
    if (!l->stopped)
        return;
    take_pending(all->signo);
    rp__handler_stack_out();
}

bool rp__seat_taken(const rp_system *sys, unsigned loop)
{
    pthread_mutex_lock(&sys->seats->lock);
    bool there = sys->seats->seat[loop].there;
    pthread_mutex_unlock(&sys->seats->lock);
    return there;
}

/* ---- who looks ----------------------------------------------------------------------------------- */

/* On a stack [low, high), or the thread's own. */
static unsigned walk(const struct rp__seat *s, const char *low, const char *high, void **pc)
{
    const char *sp = rp__cx_sp(&s->cx);
    if (!low || sp < low || sp >= high) {
        low = s->low;
        high = s->high;
    }
    if (!low || sp < low || sp >= high)
        return 0;
    return rp__unwind(&s->cx, low, high, pc, RP__SEEN_DEPTH);
}

static enum rp__found look_at(struct rp__seat *s, struct rp__seen *r)
{
    for (unsigned n = 0; state(s) != RP__SEAT_FROZEN; n++) {
        if (n > PATIENCE && step(s, RP__SEAT_ASKED, RP__SEAT_IDLE))
            return RP__FOUND_SILENT;
        rp__os_doze(DOZE);
    }
    struct rp_loop *l = s->l;
    const rp_self *self = rp__at_turn(l);
    const char *low = self ? self->low : 0;
    r->round = self ? l->now : 0;
    if (self)
        l->sys->floor->at(self, &r->is);
    step(s, RP__SEAT_FROZEN, RP__SEAT_COPIED);
    r->is.depth = self ? walk(s, low, (const char *)self, r->pc) : 0;
    step(s, RP__SEAT_COPIED, RP__SEAT_RELEASED);
    return self ? RP__FOUND_RUNNING : RP__FOUND_BETWEEN;
}

enum rp__found rp__freeze(rp_system *sys, unsigned loop, struct rp__seen *ret)
{
    struct rp__seats *all = sys->seats;
    struct rp__seat *s = &all->seat[loop];
    *ret = (struct rp__seen){.is = {.loop = loop, .hook = ""}};
    ret->is.stack = ret->pc;
    pthread_mutex_lock(&all->looking);
    enum rp__found found = RP__FOUND_NOBODY;
    if (step(s, RP__SEAT_IDLE, RP__SEAT_ASKED)) { /* else it has not yet come out of the last one */
        pthread_mutex_lock(&all->lock);
        bool there = s->there && pthread_kill(s->thread, all->signo) == 0;
        bool away = s->hosted && !s->there;
        ret->round = away ? s->left : 0;
        pthread_mutex_unlock(&all->lock);
        if (there)
            found = look_at(s, ret);
        else if (step(s, RP__SEAT_ASKED, RP__SEAT_IDLE) && away)
            found = RP__FOUND_AWAY;
    }
    pthread_mutex_unlock(&all->looking);
    return found;
}

/* ---- as text ------------------------------------------------------------------------------------- */

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

size_t rp__seen_text(char *to, size_t size, const rp_stall *r)
{
    enum { FRAMES = 12 };
    bool known = !rp_ref_none(r->actor);
    char ref[RP__ADDR_TEXT];
    size_t n = (size_t)snprintf(to, size, "loop %u held for %lld ms by %s", r->loop, (long long)(r->held / RP_MS),
                                known ? r->name : r->depth ? "no actor" : "what does not answer");
    if (known)
        n += (size_t)snprintf(to + n, size - n, "#%s", rp__addr_text(ref, r->actor.local));
    if (r->type[0])
        n += (size_t)snprintf(to + n, size - n, " in %s", r->type);
    if (r->hook[0])
        n += (size_t)snprintf(to + n, size - n, " in its %s", r->hook);
    for (unsigned i = 0; i < r->depth && i < FRAMES; i++) /* so far at most 200 bytes */
        n += frame_text(to + n, size - n, r->stack[i]);
    return n;
}

/* ---- life ---------------------------------------------------------------------------------------- */

static size_t size_for(const rp_system *sys)
{
    return sizeof(struct rp__seats) + sys->nloops * sizeof(struct rp__seat);
}

int rp__seats_open(rp_system *sys, int signo)
{
    signo = signo ? signo : SIGRTMAX - 3;
    if (signo < SIGRTMIN || signo > SIGRTMAX)
        return -EINVAL;
    struct rp__seats *all = rp__alloc(sys, size_for(sys));
    if (!all)
        return -ENOMEM;
    memset(all, 0, size_for(sys));
    all->signo = signo;
    for (unsigned i = 0; i < sys->nloops; i++)
        all->seat[i].l = sys->loops[i];
    int rc = rp__handler_in(signo, on_signal);
    if (rc != 0) {
        rp__free_mem(sys, all, size_for(sys));
        return rc;
    }
    pthread_mutex_init(&all->lock, 0);
    pthread_mutex_init(&all->looking, 0);
    sys->seats = all;
    return 0;
}

void rp__seats_close(rp_system *sys)
{
    struct rp__seats *all = sys->seats;
    if (!all || sys->forked)
        return; /* in a forked child the locks may be another thread's */
    rp__handler_out(all->signo, on_signal);
    pthread_mutex_destroy(&all->lock);
    pthread_mutex_destroy(&all->looking);
    rp__free_mem(sys, all, size_for(sys));
    sys->seats = 0;
}
