/* SPDX-License-Identifier: MIT
 *
 * ends.c - systems that end while threads they do not know, and signals, are at them.
 *
 * One system after the other is run, ticked or attached; some threads post to whichever was made last, tell it to
 * quit and put into a queue that its root reads; one gets signals, whose handler quits too. Nobody waits for anybody
 * at the end: most calls come too late for a system, and some in the middle of its end. What is wrong then is for the
 * sanitizers to see, or a crash; and each post that was taken must have run.
 */
#include "tests/stress/stress.h"

#include "reparto/embed.h"
#include "reparto/queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>
#include <uv.h>

enum { POSTERS = 2 };

static _Atomic(rp_system *) now; /* the one that was made last; it may be gone */
static _Atomic bool over;
static _Atomic uint64_t taken, run, refused;
static rp_queue *port;

static void bump(void *arg)
{
    (void)arg;
    atomic_fetch_add(&run, 1);
}

static int root(rp_self *me, void *arg)
{
    (void)arg;
    uint64_t n;
    int rc;
    atomic_store(&now, rp_system_of(me));
    do
        rc = rp_queue_get(me, port, &n, RP_FOREVER);
    while (rc == 0 && n % 64 != 0);
    return rc == -ECANCELED ? 0 : rc;
}
static const rp_actor root_actor = {.name = "root", .run = root};

static void at_random(uint64_t *rng, uint64_t *n)
{
    rp_system *sys = atomic_load(&now);
    switch (test_random(rng) % 8) {
    case 0:
        rp_quit(sys, "enough");
        break;
    case 1:
    case 2:
        ++*n;
        (void)!rp_queue_try_put(port, n);
        break;
    default:
        if (sys && rp_post(sys, (unsigned)(test_random(rng) % 2), bump, NULL) == 0)
            atomic_fetch_add(&taken, 1);
        else
            atomic_fetch_add(&refused, 1);
    }
}

static void *disturb(void *arg)
{
    uint64_t rng = 17 + *(unsigned *)arg, n = 0;
    while (!atomic_load(&over)) {
        at_random(&rng, &n);
        for (uint64_t i = test_random(&rng) % 2000; i > 0; i--)
            __asm__ volatile("" ::: "memory");
    }
    return NULL;
}

static void on_signal(int signo)
{
    (void)signo;
    rp_quit(atomic_load(&now), "a signal");
}

/* Signals for the thread that runs the systems: into each place of a turn, and of the end. */
static void *storm(void *arg)
{
    uint64_t rng = 99;
    while (!atomic_load(&over)) {
        pthread_kill(*(pthread_t *)arg, SIGUSR1);
        usleep((useconds_t)(test_random(&rng) % 400));
    }
    return NULL;
}

static int attach_one(const rp_system_opts *o)
{
    uv_loop_t uv;
    rp_system *sys;
    uv_loop_init(&uv);
    int rc = rp_attach(&uv, &root_actor, NULL, o, NULL, NULL, &sys);
    if (rc == 0)
        uv_run(&uv, UV_RUN_DEFAULT);
    check_eq(uv_loop_close(&uv), 0);
    return rc;
}

static int open_one(const rp_system_opts *o)
{
    rp_system *sys;
    int rc = rp_system_open(&root_actor, NULL, o, &sys), more = 0;
    for (unsigned i = 0; rc == 0 && more >= 0 && i < 100; i++)
        more = rp_system_tick(sys, 0);
    return rc != 0 ? rc : rp_system_close(sys);
}

unsigned stress_ends(void)
{
    uint64_t each = size_from("RP_ENDS", 3000);
    pthread_t self = pthread_self(), threads[POSTERS], stormer;
    unsigned number[POSTERS];
    rp_system_opts o = {.loops = 2, .spin_us = -1};
    sigset_t only;
    struct sigaction sa = {.sa_handler = on_signal};
    sigemptyset(&only);
    sigaddset(&only, SIGUSR1);
    check_eq(sigaction(SIGUSR1, &sa, NULL), 0);
    check_eq(rp_queue_new(sizeof(uint64_t), 4, NULL, &port), 0);
    for (unsigned i = 0; i < POSTERS; i++) {
        number[i] = i;
        check_eq(pthread_create(&threads[i], 0, disturb, &number[i]), 0);
    }
    check_eq(pthread_create(&stormer, 0, storm, &self), 0);
    for (uint64_t i = 0; i < each; i++) {
        int rc = i % 3 == 0 ? rp_run(&root_actor, NULL, &o) : i % 3 == 1 ? attach_one(&o) : open_one(&o);
        check(rc == 0 || rc == -ECANCELED, "%d", rc);
    }
    atomic_store(&over, true);
    for (unsigned i = 0; i < POSTERS; i++)
        check_eq(pthread_join(threads[i], 0), 0);
    check_eq(pthread_join(stormer, 0), 0);
    pthread_sigmask(SIG_BLOCK, &only, NULL);
    rp_queue_free(port);
    check_eq(atomic_load(&run), atomic_load(&taken));
    printf("%llu systems ended; %llu posts ran, %llu came too late\n", (unsigned long long)each, (unsigned long long)atomic_load(&run),
           (unsigned long long)atomic_load(&refused));
    return 2;
}
