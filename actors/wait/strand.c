/* SPDX-License-Identifier: MIT
 *
 * strand.c - which of an actor's coroutines the others wait for.
 *
 * An actor that has started tasks and waits for their end goes on when they have ended. Where at each step there is one
 * task, and who has started it waits for it, all of the actor stands still with the last: what that one waits for the
 * actor waits for, and what any of them holds is held until then. Where there are more, one of them may go on, answer
 * what the actor has to answer, or fail and so end the others' waits: nothing is said of those.
 */
#include "actors/wait/rights.h"
#include "loop/held.h"
#include "loop/scope.h"

/* The task that `co` waits for, the only one it has; NULL: it does not, or has more. */
static rp_self *only_task(const rp_self *co)
{
    const struct rp__scope *with = 0;
    unsigned n = 0;
    for (const struct rp__scope *s = co->scope; s != co->home; s = s->parent) /* bounded by the depth */
        if (s->live > 0)
            with = s, n += s->live;
    if (n != 1 || co->state != RP__PARKED || !co->waits)
        return 0;
    rp_self *task = RP__OF(rp_self, sibling, with->tasks.next);
    bool closes = co->waits == rp__for_scope;
    bool joins = co->waits == rp__for_task && ((const rp_task *)co->waits_on)->self == task;
    return closes || joins ? task : 0;
}

rp_self *rp__strand(const struct rp__actor *a)
{
    rp_self *co = a->co, *task;
    while (co && (task = only_task(co)))
        co = task;
    return co == a->co || !rp__task_first(co) ? co : 0;
}

bool rp__strand_holds(const struct rp__actor *a, const void *what)
{
    const rp_self *co = a->co;
    while (co && !rp__held_find(co, what))
        co = only_task(co);
    return co != 0;
}
