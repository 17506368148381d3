/* SPDX-License-Identifier: MIT */
#include "loop/overflow.h"

#include "loop/handler.h"
#include "loop/system.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static struct sigaction before_segv, before_bus;

/* The loop of this thread: read by the handler only, so no code that switches stacks caches it. */
static _Thread_local struct rp_loop *here;

static size_t append(char *to, size_t at, size_t size, const char *text)
{
    while (*text && at < size)
        to[at++] = *text++;
    return at;
}

static size_t append_number(char *to, size_t at, size_t size, size_t n)
{
    char digits[24];
    size_t k = sizeof digits;
    digits[--k] = 0;
    do
        digits[--k] = (char)('0' + n % 10);
    while (n /= 10);
    return append(to, at, size, digits + k);
}

/* Async-signal-safe: no stdio, no allocation. */
static void report(const rp_self *self)
{
    char text[256];
    size_t n = append(text, 0, sizeof text - 1, "reparto: actor ");
    n = append(text, n, sizeof text - 1, self->loop->sys->floor->name(self));
    n = append(text, n, sizeof text - 1, " overflowed its ");
    n = append_number(text, n, sizeof text - 1, rp__stack_size(self->class));
    n = append(text, n, sizeof text - 1, "-byte stack\n");
    if (write(STDERR_FILENO, text, n) < 0)
        return; /* nowhere to say it */
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    const rp_self *self = here ? here->running : 0;
    const char *at = info->si_addr;
    if (self && self->low && at >= self->low && at < (const char *)self) {
        report(self);
        signal(signo, SIG_DFL); /* the instruction faults again, and the core shows it */
        return;
    }
    const struct sigaction *before = signo == SIGSEGV ? &before_segv : &before_bus;
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signo, info, context);
    else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
        before->sa_handler(signo);
    else
        signal(signo, SIG_DFL);
}

int rp__overflow_watch(rp_system *sys)
{
    sys->watched = true;
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        struct sigaction sa;
        memset(&sa, 0, sizeof sa);
        sa.sa_sigaction = on_fault;
        sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigaction(SIGSEGV, &sa, &before_segv);
        sigaction(SIGBUS, &sa, &before_bus);
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

static void restore(int signo, const struct sigaction *before)
{
    struct sigaction now;
    if (sigaction(signo, 0, &now) == 0 && now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_fault)
        sigaction(signo, before, 0); /* else somebody stands on top of us: leave it */
}

void rp__overflow_unwatch(rp_system *sys)
{
    if (!sys->watched)
        return; /* it failed to open before it came to this */
    pthread_mutex_lock(&lock);
    if (--users == 0) {
        restore(SIGSEGV, &before_segv);
        restore(SIGBUS, &before_bus);
    }
    pthread_mutex_unlock(&lock);
}

int rp__overflow_thread(struct rp_loop *l)
{
    bool before = here != 0, now = l != 0;
    here = l;
    if (now && !before)
        return rp__handler_stack_in();
    if (before && !now)
        rp__handler_stack_out();
    return 0;
}
