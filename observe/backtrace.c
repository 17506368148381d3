/* SPDX-License-Identifier: MIT
 *
 * backtrace.c - where a suspended actor stands. Its own loop walks the stack, between two rounds: nothing on
 * it can move meanwhile.
 */
#include "loop/scope.h"
#include "loop/system.h"
#include "loop/watch/unwind.h"
#include "observe/inspect.h"

#include <errno.h>
#include <string.h>

enum { FRAMES = 64 };

struct stack_look {
    struct rp__look look;
    uint64_t addr;
    uint32_t task;
    int rc; /* how many, or an error */
    void *frame[FRAMES];
};

static const rp_self *coroutine(struct rp_loop *l, uint64_t addr, uint32_t task, int *rc)
{
    const struct rp__actor *a = rp__actor_find(l->actors, addr);
    const rp_self *co = a ? a->co : 0;
    *rc = !a || (task && !co) ? -ESRCH : l->running && l->running->actor == a && !co ? -EBUSY : -ENOENT;
    if (task == 0 || !co)
        return co;
    const rp_self *t = rp__task_first(co);
    for (*rc = -ESRCH; t && --task > 0;)
        t = rp__task_next(co, t);
    return t;
}

static void see_stack(struct rp__look *k, struct rp_loop *l)
{
    struct stack_look *s = (struct stack_look *)k;
    const rp_self *co = coroutine(l, s->addr, s->task, &s->rc);
    if (!co)
        return;
    bool still = co->state == RP__PARKED || co->state == RP__READY;
    s->rc = still ? (int)rp__unwind(&co->cx, co->low, co, s->frame, FRAMES) : -EBUSY;
}

int rp_backtrace(rp_self *me, rp_ref who, uint32_t task, void **ret, unsigned n)
{
    if (!ret && n > 0)
        return -EINVAL;
    unsigned loop = rp__route_of(me->loop, who.local);
    if (who.node != me->loop->node || loop >= me->loop->sys->nloops)
        return -ESRCH;
    struct stack_look *s = rp__look_new(me, sizeof *s, see_stack);
    if (!s)
        return -ENOMEM;
    s->addr = who.local;
    s->task = task;
    struct rp__look *k = &s->look;
    int rc = rp__look(me, &k, loop, rp__look_until(me, loop, 2000));
    if (rc == 0 && (rc = s->rc) > 0) {
        rc = rc < (int)n ? rc : (int)n;
        memcpy(ret, s->frame, (size_t)rc * sizeof *ret);
    }
    rp__look_free(me, k);
    return rc;
}
