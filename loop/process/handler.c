/* SPDX-License-Identifier: MIT */
#include "loop/process/handler.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNALS = 65, STACK = 65536 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    unsigned users;
    rp__handler *fn;
    struct sigaction before;
} handlers[SIGNALS]; /* under the lock */

static bool is(const struct sigaction *sa, rp__handler *fn)
{
    return sa->sa_flags & SA_SIGINFO && sa->sa_sigaction == fn;
}

static bool is_nobodys(const struct sigaction *sa)
{
    return !(sa->sa_flags & SA_SIGINFO) && (sa->sa_handler == SIG_DFL || sa->sa_handler == SIG_IGN);
}

static int put(int signo, rp__handler *fn)
{
    struct sigaction sa, *before = &handlers[signo].before;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = fn;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    for (int other = SIGRTMIN; other <= SIGRTMAX; other++)
        sigaddset(&sa.sa_mask, other);
    if (sigaction(signo, 0, before) != 0)
        return -EINVAL;
    if (!is_nobodys(before))
        return -EBUSY;
    return sigaction(signo, &sa, 0) == 0 ? 0 : -EINVAL;
}

int rp__handler_in(int signo, rp__handler *fn)
{
    if (signo <= 0 || signo >= SIGNALS)
        return -EINVAL;
    pthread_mutex_lock(&lock);
    int rc = handlers[signo].users == 0 ? put(signo, fn) : handlers[signo].fn == fn ? 0 : -EBUSY;
    if (rc == 0) {
        handlers[signo].fn = fn;
        handlers[signo].users++;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void rp__handler_out(int signo, rp__handler *fn)
{
    struct sigaction now;
    pthread_mutex_lock(&lock);
    if (--handlers[signo].users == 0 && sigaction(signo, 0, &now) == 0 && is(&now, fn))
        sigaction(signo, &handlers[signo].before, 0); /* else somebody stands on top of us: leave it */
    pthread_mutex_unlock(&lock);
}

/* ---- a thread's stack for signals ---------------------------------------------------------------- */

static _Thread_local unsigned users;
static _Thread_local char *stack; /* NULL: it has one of its own */

int rp__handler_stack_in(void)
{
    stack_t own = {0};
    if (users == 0 && sigaltstack(0, &own) == 0 && own.ss_flags & SS_DISABLE) {
        stack = malloc(STACK);
        if (!stack)
            return -ENOMEM;
        sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = STACK}, 0);
    }
    users++;
    return 0;
}

void rp__handler_stack_out(void)
{
    if (users == 0 || --users > 0 || !stack)
        return;
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, 0);
    free(stack);
    stack = 0;
}
