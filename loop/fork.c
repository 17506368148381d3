/* SPDX-License-Identifier: MIT */
#include "loop/fork.h"

#include "loop/process/inherit.h"
#include "loop/visit.h"
#include "loop/world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct rp__hook all = {&all, &all}; /* rp_system, by `everywhere` */
static void (*end_child)(void); /* of the world that has one */
unsigned rp__forks;

static void hold(void)
{
    pthread_mutex_lock(&lock);
}

static void release(void)
{
    pthread_mutex_unlock(&lock);
}

/* In the child, whose only thread this is. */
static void mark_all(void)
{
    bool hosted = false;
    rp__forks += !rp__list_empty(&all);
    for (struct rp__hook *at = all.next; at != &all; at = at->next) {
        rp_system *sys = RP__OF(rp_system, everywhere, at);
        hosted |= sys->world->hosted && sys->world->hosted(sys);
        sys->forked = true;
        for (unsigned i = 0; i < sys->nloops; i++)
            sys->loops[i]->slow |= RP__SLOW_FORKED;
    }
    rp__visits_forget();
    if (!hosted) /* else libuv may poll them in the child, where the host runs its loop on, and would end the process */
        rp__inherit_none();
    release();
}

static void at_exit(void)
{
    if (rp__forks > 0 && end_child)
        end_child();
}

static void ask_once(void)
{
    (void)atexit(at_exit); /* before the destructors of libraries */
    (void)pthread_atfork(hold, release, mark_all); /* without memory for it children are not told */
}

void rp__fork_watch(rp_system *sys)
{
    pthread_once(&once, ask_once);
    hold();
    if (sys->world->end_child)
        end_child = sys->world->end_child;
    rp__list_push(&all, &sys->everywhere);
    release();
}

void rp__fork_unwatch(rp_system *sys)
{
    hold();
    rp__unlink(&sys->everywhere);
    release();
}

void rp__fork_strayed(void)
{
    fputs("reparto: a forked child returned into its parent's loop; it is ended\n", stderr);
    abort();
}
