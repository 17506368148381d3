/* SPDX-License-Identifier: MIT
 *
 * What is off the loop, and what does not wait behind it.
 */
#include "reparto/inspect.h"
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the pool is full ------------------------------------------------------------------------------- */

enum { POOL = 4, MORE = 2 * POOL };

struct pipe_of {
    int fd[2];
    _Atomic unsigned blocked; /* that have begun; relaxed: only its number counts */
};

static int blocks(void *arg)
{
    struct pipe_of *p = arg;
    char c;
    atomic_fetch_add_explicit(&p->blocked, 1, memory_order_relaxed);
    return read(p->fd[0], &c, 1) == 0 ? 0 : -EIO;
}

static int offloads(rp_self *me, void *arg)
{
    return rp_offload(me, blocks, arg, RP_FOREVER);
}

static int dumps_behind_a_full_pool(rp_self *me, void *arg)
{
    struct pipe_of p = {.blocked = 0};
    rp_scope s;
    (void)arg;
    check_eq(pipe(p.fd), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < MORE; i++)
        check_eq(rp_go(me, &s, offloads, &p, NULL), 0);
    while (atomic_load_explicit(&p.blocked, memory_order_relaxed) < POOL)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    check_eq(rp_dump(me, fd), 0);
    close(fd);
    close(p.fd[1]); /* they end only now */
    check_eq(rp_scope_close(me, &s, 0), 0);
    close(p.fd[0]);
    return 0;
}

TEST(offload, a_dump_does_not_wait_for_the_pool)
{
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    check_eq(run_with(dumps_behind_a_full_pool, NULL, &(rp_system_opts){.loops = 1}), 0);
    rp_actor root = {.name = "root", .run = dumps_behind_a_full_pool};
    check_eq(run_attached(&root, NULL, NULL), 0);
}

static int fails(void *arg)
{
    (void)arg;
    return -EIO;
}

/* Begun, it is waited for, whatever is cancelled: what it works on is the caller's. Not begun, it never begins. */
static int given_up(rp_self *me, void *arg)
{
    struct pipe_of p = {.blocked = 0};
    rp_scope s;
    int result[MORE];
    rp_task *task[MORE];
    (void)arg;
    check_eq(pipe(p.fd), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < MORE; i++)
        check_eq(rp_go(me, &s, offloads, &p, &task[i]), 0);
    while (atomic_load_explicit(&p.blocked, memory_order_relaxed) < POOL)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rp_offload(me, fails, NULL, rp_in_ms(me, 1)), -ETIMEDOUT);
    for (int i = 0; i < MORE; i++)
        rp_task_cancel(task[i], "not needed");
    close(p.fd[1]);
    int begun = 0, not_begun = 0;
    for (int i = 0; i < MORE; i++) {
        check_eq(rp_join(me, task[i], &result[i], RP_FOREVER), 0);
        begun += result[i] == 0;
        not_begun += result[i] == -ECANCELED;
    }
    check(begun == POOL && not_begun == MORE - POOL, "%d, %d", begun, not_begun);
    check_eq(rp_scope_close(me, &s, 0), 0);
    close(p.fd[0]);
    return 0;
}

TEST(offload, what_has_not_begun_is_given_up)
{
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    check_eq(run_with(given_up, NULL, &(rp_system_opts){.loops = 1}), 0);
}
