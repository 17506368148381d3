/* SPDX-License-Identifier: MIT
 *
 * rp_quit and rp_post against the end of the system: a call that began before it is waited for, one that comes after
 * it is refused.
 */
#include "tests/support.h"

#include "loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

static void nothing(void *arg)
{
    (void)arg;
}

static int refused(rp_system *sys) /* 0, or what rp_post says instead */
{
    errno = EDOM;
    rp_quit(sys, "too late");
    check_eq(errno, EDOM);
    int rc = rp_post(sys, 0, nothing, NULL);
    return rc == -ESHUTDOWN ? 0 : rc;
}

/* ---- refused ---------------------------------------------------------------------------------------- */

static int tells(rp_self *me, void *arg)
{
    *(rp_system **)arg = rp_system_of(me);
    return 0;
}

static const rp_actor teller = {.name = "root", .run = tells};

TEST(visit, a_system_that_has_run_is_refused)
{
    rp_system *sys = NULL;
    rp_system_opts o = {.loops = 2};
    check_eq(rp_run(&teller, &sys, &o), 0);
    check_eq(refused(sys), 0);
    check_eq(rp_post(NULL, 0, nothing, NULL), -EINVAL);
    rp_quit(NULL, "nobody");
}

TEST(visit, one_that_is_ticked_is_refused_from_its_end_on)
{
    rp_system *sys, *same = NULL;
    check_eq(rp_system_open(&teller, &same, NULL, &sys), 0);
    check_eq(rp_post(sys, 0, nothing, NULL), 0);
    int rc;
    while ((rc = rp_system_tick(sys, RP_MS)) >= 0)
        ;
    check_eq(rc, -ESHUTDOWN);
    check(same == sys);
    check_eq(refused(sys), 0);
    check_eq(rp_system_close(sys), 0);
    check_eq(refused(sys), 0);
}

struct end {
    rp_system *sys;
    unsigned times;
};

static void on_end(void *ud, int result)
{
    struct end *e = ud;
    e->times++;
    check_eq(result, 0);
    check_eq(refused(e->sys), 0);
}

TEST(visit, one_that_is_attached_is_refused_when_its_end_is_told)
{
    uv_loop_t uv;
    rp_system *same;
    struct end e = {0};
    uv_loop_init(&uv);
    check_eq(rp_attach(&uv, &teller, &same, NULL, on_end, &e, &e.sys), 0);
    check_eq(rp_post(e.sys, 0, nothing, NULL), 0);
    check_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    check_eq(e.times, 1);
    check_eq(uv_loop_close(&uv), 0);
}

static int until_told(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_sleep(me, RP_FOREVER);
    return rc == -ECANCELED ? 0 : rc;
}

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

TEST(visit, each_of_many_systems_is_found)
{
    enum { MANY = 150 }; /* more than the first doors */
    static rp_system *sys[MANY];
    unsigned run = 0;
    static const rp_actor root = {.name = "root", .run = until_told};
    for (unsigned i = 0; i < MANY; i++)
        check_eq(rp_system_open(&root, NULL, NULL, &sys[i]), 0);
    for (unsigned i = 0; i < MANY; i++) {
        check_eq(rp_post(sys[i], 0, count, &run), 0);
        check_eq(rp_system_tick(sys[i], 0) >= 0, 1);
        check_eq(run, i + 1);
    }
    for (unsigned i = 0; i < MANY; i++)
        check_eq(rp_system_close(sys[i]), -ECANCELED);
    for (unsigned i = 0; i < MANY; i++)
        check_eq(refused(sys[i]), 0);
}

/* ---- waited for ------------------------------------------------------------------------------------- */

/* A thread's rp_post is held up in the middle: in the allocator. Meanwhile its system ends; were it not waited for,
 * its loops would be freed under it. */
struct overlap {
    rp_alloc mem;
    pthread_t thread;
    rp_system *sys;
    rp_event inside;
    _Atomic bool in, out, freed; /* the post is in the middle, and beyond; a loop was freed between the two */
    int rc;
};

static _Thread_local bool posts;

static void *held_up(void *ud, size_t size)
{
    struct overlap *o = ud;
    if (posts) {
        atomic_store(&o->in, true);
        rp_event_set(&o->inside);
        for (unsigned ms = 0; ms < 200 && !atomic_load(&o->freed); ms++)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return malloc(size);
}

static void watched_free(void *ud, void *p, size_t size)
{
    struct overlap *o = ud;
    if (size == sizeof(struct rp_loop) + 256 && atomic_load(&o->in) && !atomic_load(&o->out))
        atomic_store(&o->freed, true);
    free(p);
}

static void *post_slowly(void *arg)
{
    struct overlap *o = arg;
    posts = true;
    o->rc = rp_post(o->sys, 0, nothing, NULL);
    posts = false;
    atomic_store(&o->out, true);
    return NULL;
}

static int ends_meanwhile(rp_self *me, void *arg)
{
    struct overlap *o = arg;
    o->sys = rp_system_of(me);
    check_eq(pthread_create(&o->thread, 0, post_slowly, o), 0);
    return rp_event_wait(me, &o->inside, RP_FOREVER);
}

TEST(visit, a_post_that_has_begun_is_waited_for)
{
    static struct overlap o;
    o.mem = (rp_alloc){held_up, watched_free, &o};
    rp_system_opts opts = {.loops = 2, .mem = &o.mem};
    check_eq(rp_run(&(rp_actor){.name = "root", .run = ends_meanwhile}, &o, &opts), 0);
    check_eq(pthread_join(o.thread, 0), 0);
    check(!atomic_load(&o.freed), "a loop was freed while a post was at it");
    check_eq(o.rc, -ESHUTDOWN);
}
