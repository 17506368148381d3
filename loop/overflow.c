/* SPDX-License-Identifier: MIT */
#include "loop/overflow.h"

#include "loop/system.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RP__AT_NULL = 4096 }; /* no smaller address is mapped */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static struct sigaction before_segv, before_bus;

/* What this thread runs, the innermost: read by the handler only, so no code that switches stacks caches it. */
static _Thread_local struct rp__running *here;

/* What is being passed on. A handler that was installed after ours, and stays when ours is installed again, passes it back. */
static _Thread_local const siginfo_t *passing;

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
static void report(const rp_self *self, const char *did, size_t bytes, const char *advice)
{
    char text[512];
    size_t n = append(text, 0, sizeof text - 1, "reparto: actor ");
    n = append(text, n, sizeof text - 1, self->loop->sys->floor->name(self));
    n = append(text, n, sizeof text - 1, did);
    n = bytes ? append_number(text, n, sizeof text - 1, bytes) : n;
    n = append(text, n, sizeof text - 1, advice);
    if (write(STDERR_FILENO, text, n) < 0)
        return; /* nowhere to say it */
}

/* By kill or raise: si_addr is none, and no instruction faults again. */
static bool was_sent(const siginfo_t *info)
{
    return info->si_code <= 0;
}

/* Whose code runs on this thread, if the fault is at NULL, or at a member of a struct at NULL: its own mistake, or a NULL
 * that it has passed to a call of ours. */
static const rp_self *at_null(const siginfo_t *info)
{
    const rp_self *self = here ? here->l->running : 0;
    return !was_sent(info) && (uintptr_t)info->si_addr < RP__AT_NULL && self && self->low ? self : 0;
}

static const rp_self *whose(const char *at)
{
    for (const struct rp__running *r = here; r; r = r->outer) { /* bounded by the systems that run one inside the other */
        const rp_self *self = r->l->running;
        if (self && self->low && at >= self->low && at < (const char *)self)
            return self;
    }
    return 0;
}

static void pass_on(int signo, siginfo_t *info, void *context)
{
    const struct sigaction *before = signo == SIGSEGV ? &before_segv : &before_bus;
    bool nobodys = before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN;
    if (nobodys || passing == info) {
        const rp_self *self = nobodys ? at_null(info) : 0;
        if (self)
            report(self, " used a NULL pointer, or passed one to a call that takes none", 0,
                   ": look first at what may be NULL, as rp_body of a message of another type; a debugger shows the line\n");
        signal(signo, SIG_DFL);
        if (was_sent(info))
            raise(signo);
        return;
    }
    passing = info;
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signo, info, context);
    else
        before->sa_handler(signo);
    passing = 0;
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    const rp_self *self = whose(info->si_addr);
    if (!self) {
        pass_on(signo, info, context);
        return;
    }
    report(self, " overflowed its ", rp__stack_size(self->class), RP__STACK_ADVICE "\n");
    signal(signo, SIG_DFL); /* the instruction faults again, and the core shows it */
}

static bool is_ours(const struct sigaction *sa)
{
    return sa->sa_flags & SA_SIGINFO && sa->sa_sigaction == on_fault;
}

/* May be there from before, under one that was somebody else's: then what it has kept is right. */
static void install(int signo, struct sigaction *before)
{
    struct sigaction sa, now;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_fault;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    if (sigaction(signo, 0, &now) == 0 && !is_ours(&now))
        sigaction(signo, &sa, before);
}

static bool is_free(int signo)
{
    struct sigaction now;
    return sigaction(signo, 0, &now) == 0 && (is_ours(&now) || (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL));
}

void rp__overflow_watch(rp_system *sys, bool in_host)
{
    pthread_mutex_lock(&lock);
    sys->watched = users > 0 || !in_host || (is_free(SIGSEGV) && is_free(SIGBUS));
    if (sys->watched && users++ == 0) {
        install(SIGSEGV, &before_segv);
        install(SIGBUS, &before_bus);
    }
    pthread_mutex_unlock(&lock);
}

static void restore(int signo, const struct sigaction *before)
{
    struct sigaction now;
    if (sigaction(signo, 0, &now) == 0 && is_ours(&now))
        sigaction(signo, before, 0); /* else another was installed since: it stays, and so does ours under it */
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

void rp__overflow_enter(struct rp__running *r, struct rp_loop *l)
{
    *r = (struct rp__running){l, here};
    here = r;
}

void rp__overflow_leave(const struct rp__running *r)
{
    here = r->outer;
}
