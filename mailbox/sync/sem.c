/* SPDX-License-Identifier: MIT
 *
 * sem.c - rp_sem. Who waits holds up all behind, also those for whom there would be enough: else who
 * asks for many might wait for ever. So when the first in line gives up, the next have to be looked at.
 */
#include "mailbox/sync/park.h"
#include "reparto/sync.h"

struct sem {
    struct rp__latch latch;
    uint32_t n, most;
    struct rp__line line;
};

struct want {
    struct rp__waiter w;
    uint32_t n;
};

_Static_assert(sizeof(struct sem) <= sizeof(rp_sem), "the public struct holds it");

static struct sem *sem_of(rp_sem *s)
{
    return (struct sem *)(void *)s;
}

static bool enough_for_first(const struct sem *s)
{
    return s->line.first && ((struct want *)s->line.first)->n <= s->n;
}

static struct rp__waiter *serve_first(struct sem *s)
{
    struct rp__waiter *w = rp__line_pop(&s->line);
    s->n -= ((struct want *)w)->n;
    return w;
}

/* Gives what is there to who waits, one each time the latch is taken. */
static void serve(struct sem *s, struct rp_loop *here)
{
    for (bool more = true; more;) { /* bounded by the line */
        rp__latch(&s->latch);
        struct rp__waiter *w = enough_for_first(s) ? serve_first(s) : 0;
        more = enough_for_first(s);
        rp__unlatch(&s->latch);
        if (w)
            rp__unpark(w, 0, here);
    }
}

static void one_left(struct rp__line *line, struct rp_loop *here)
{
    serve(RP__OF(struct sem, line, line), here);
}

static int try_sem(void *object, struct rp__waiter *w)
{
    struct sem *s = object;
    uint32_t n = ((struct want *)w)->n;
    if (s->line.first || s->n < n)
        return -EAGAIN;
    s->n -= n;
    return 0;
}

/* ---- for users ----------------------------------------------------------------------------------- */

int rp_sem_init(rp_sem *sem, uint32_t n, uint32_t most)
{
    most = most ? most : UINT32_MAX;
    if (!sem || n > most)
        return -EINVAL;
    *sem_of(sem) = (struct sem){.n = n, .most = most};
    return 0;
}

int rp_sem_acquire(rp_self *me, rp_sem *sem, uint32_t n, rp_time deadline)
{
    if (!sem)
        return -EINVAL;
    struct sem *s = sem_of(sem);
    struct want want = {.w.left = one_left, .n = n};
    if (n == 0 || n > s->most)
        return -EINVAL;
    return rp__wait_for(me, &s->latch, &s->line, &want.w, try_sem, s, "a semaphore", deadline);
}

int rp_sem_try(rp_sem *sem, uint32_t n)
{
    if (!sem)
        return -EINVAL;
    struct sem *s = sem_of(sem);
    struct want want = {.n = n};
    if (n == 0 || n > s->most)
        return -EINVAL;
    rp__latch(&s->latch);
    int rc = try_sem(s, &want.w);
    rp__unlatch(&s->latch);
    return rc;
}

int rp_sem_release(rp_sem *sem, uint32_t n)
{
    if (!sem)
        return -EINVAL;
    struct sem *s = sem_of(sem);
    rp__latch(&s->latch);
    bool fits = n <= s->most - s->n;
    s->n += fits ? n : 0;
    struct rp__waiter *w = enough_for_first(s) ? serve_first(s) : 0;
    bool more = enough_for_first(s);
    rp__unlatch(&s->latch);
    if (w)
        rp__unpark(w, 0, 0);
    if (more)
        serve(s, 0);
    return fits ? 0 : -EOVERFLOW;
}
