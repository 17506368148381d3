/* SPDX-License-Identifier: MIT */
#include "loop/watch/stall.h"

#include "loop/base/os.h"
#include "loop/system.h"
#include "loop/trace.h"

#include <errno.h>
#include <string.h>

enum { LOOKS = 4 }; /* in the span that is too long */

/* ---- telling ------------------------------------------------------------------------------------- */

__attribute__((noinline)) static void say(const struct rp__stall *w, const rp_stall *r)
{
    enum { PREFIX = 9 };
    char line[PREFIX + RP__SEEN_TEXT + 1] = "reparto: ";
    const struct rp_loop *l = w->sys->loops[r->loop];
    size_t n = PREFIX + rp__seen_text(line + PREFIX, RP__SEEN_TEXT, r);
    if (!rp__traced_outside(l, RP__T_STALL, line + PREFIX) && !w->o.tell) {
        line[n++] = '\n';
        (void)!rp__os_write(2, line, n);
    }
}

__attribute__((noinline)) static void report(struct rp__stall *w, struct rp__watched *s, rp_time now)
{
    struct rp__seen seen;
    enum rp__found found = rp__freeze(w->sys, s->l->index, &seen);
    if (found != RP__FOUND_SILENT && found != RP__FOUND_RUNNING)
        return;
    seen.is.held = now - s->since;
    seen.is.times = ++s->times;
    rp__count(&s->stalls, 1);
    say(w, &seen.is);
    if (w->o.tell)
        w->o.tell(&seen.is, w->o.ud);
}

/* A loop's thread, which wakes. */
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

/* ---- the watchdog -------------------------------------------------------------------------------- */

static bool sleeps(struct rp__watched *s)
{
    return atomic_load_explicit(&s->l->sleeping, memory_order_seq_cst);
}

/* True: it is awake. */
static bool look(struct rp__stall *w, struct rp__watched *s)
{
    rp_time now = rp__os_now();
    uint64_t turns = atomic_load_explicit(&s->l->turns, memory_order_relaxed);
    bool awake = rp__seat_taken(w->sys, s->l->index) && !sleeps(s);
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
        if (rp__seat_taken(w->sys, i) && !sleeps(&w->loop[i]))
            return false;
    return true;
}

static void wait_a_while(struct rp__stall *w, bool awake)
{
    rp_time until = rp__os_now() + w->o.after / LOOKS;
    pthread_mutex_lock(&w->lock);
    if (awake) {
        if (!w->stop)
            (void)rp__os_cond_until(&w->changed, &w->lock, until);
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
    for (bool stop = false; !stop;) {
        bool awake = false;
        for (unsigned i = 0; i < w->sys->nloops; i++)
            awake = look(w, &w->loop[i]) || awake;
        wait_a_while(w, awake);
        pthread_mutex_lock(&w->lock);
        stop = w->stop;
        pthread_mutex_unlock(&w->lock);
    }
    return 0;
}

int rp__stall_start(rp_system *sys, const struct rp__stall_opts *o)
{
    if (o->after <= 0)
        return 0;
    size_t size = sizeof(struct rp__stall) + sys->nloops * sizeof(struct rp__watched);
    struct rp__stall *w = rp__alloc(sys, size);
    if (!w)
        return -ENOMEM;
    memset(w, 0, size);
    w->sys = sys;
    w->o = *o;
    for (unsigned i = 0; i < sys->nloops; i++)
        w->loop[i] = (struct rp__watched){.l = sys->loops[i], .turns = UINT64_MAX}; /* it has not been looked at */
    pthread_mutex_init(&w->lock, 0);
    rp__os_cond_init(&w->changed);
    int rc = rp__os_silent_thread(&w->thread, watch, w);
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
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    rp__free_mem(sys, w, sizeof *w + sys->nloops * sizeof *w->loop);
    sys->stall = 0;
}

uint64_t rp__stalls_of(const struct rp_loop *l)
{
    const struct rp__stall *w = l->sys->stall;
    return w ? atomic_load_explicit(&w->loop[l->index].stalls, memory_order_relaxed) : 0;
}

/* ---- both who look ------------------------------------------------------------------------------- */

/* The signal may be somebody else's: who looks from outside sees less then, and a watchdog is an error. */
static int open_both(rp_system *sys, const struct rp__system_opts *o)
{
    bool watched = o->stall.after > 0;
    int rc = o->frozen || watched ? rp__seats_open(sys, o->freeze_signo) : 0;
    if (rc == -EBUSY && !watched)
        return 0;
    return rc == 0 ? rp__stall_start(sys, &o->stall) : rc;
}

static void close_both(rp_system *sys)
{
    rp__stall_stop(sys);
    rp__seats_close(sys);
}

const struct rp__lookout rp__lookout = {open_both, close_both, rp__stall_woken};
