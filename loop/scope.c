/* SPDX-License-Identifier: MIT */
#include "loop/scope.h"

#include "loop/fork.h"
#include "loop/held.h"
#include "loop/system.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { MAGIC = 0x53434f50 };

static struct rp__scope *scope_of(rp_scope *s)
{
    struct rp__scope *in = (struct rp__scope *)(void *)s;
    assert(in->magic == MAGIC && "this rp_scope is not open");
    return in;
}

static void cancel(struct rp__scope *s, enum rp__cause cause, const char *why);

static void deadline_fired(struct rp__timer *t, struct rp__wheel *w)
{
    (void)w;
    cancel(RP__OF(struct rp__scope, deadline, t), RP__BY_DEADLINE, "deadline");
}

void rp_scope_open(rp_self *me, rp_scope *s, rp_time deadline)
{
    struct rp__scope *in = (struct rp__scope *)(void *)s;
    struct rp__scope *up = me->scope;
    memset(in, 0, sizeof *in);
    in->magic = MAGIC;
    in->owner = me;
    in->parent = up;
    rp__list_init(&in->tasks);
    in->effective = up && up->effective < deadline ? up->effective : deadline;
    if (up ? up->cause != RP__NOT_CANCELLED : me->stopped) {
        in->cause = RP__FROM_OUTSIDE;
        in->why = up ? up->why : me->why;
    }
    if (deadline == in->effective && deadline != RP_FOREVER) {
        in->deadline.fire = deadline_fired;
        rp__timer_start(&me->loop->wheel, &in->deadline, deadline);
    }
    me->scope = in;
}

/* ---- tasks --------------------------------------------------------------------------------------- */

static void task_ended(rp_self *me, int rc)
{
    struct rp__scope *s = me->home;
    assert(me->scope == s && "a task returned over an open scope");
    rp__unlink(&me->sibling);
    if (me->task) {
        me->task->self = 0;
        me->task->rc = rc;
        for (struct rp__hook *at; (at = rp__list_pop(&me->task->joiners));)
            rp__wake(RP__OF(rp_self, queue, at), 0);
    }
    if (rc < 0 && s->cause == RP__NOT_CANCELLED) {
        s->rc = rc;
        cancel(s, RP__BY_FAILURE, "a task failed");
    }
    if (--s->live == 0 && s->closing) {
        s->closing = false; /* once: others may come, and end, before it runs */
        rp__wake(s->owner, 0);
    }
}

static void task_main(rp_self *me)
{
    int rc = rp_check(me) == 0 ? me->fn(me, me->arg) : -ECANCELED;
    rp__abandon_held(me);
    task_ended(me, rc);
}

int rp_go(rp_self *me, rp_scope *scope, rp_task_fn *fn, void *arg, rp_task **ret)
{
    struct rp__scope *s = scope_of(scope);
    struct rp_loop *l = me->loop;
    if (rp__forked(l))
        return -EPERM;
    assert(s->owner->loop == l && "a scope belongs to its loop");
    if (s->cause != RP__NOT_CANCELLED)
        return -ECANCELED;
    if (me->nowait && s->owner == me) /* closing it would have to wait */
        return -EAGAIN;
    if (rp__keep_stack(me) != 0) /* now, when it can still fail: closing the scope must not */
        return -ENOMEM;
    rp_task *handle = 0;
    if (ret && !(handle = rp__pool_get(&l->pool, sizeof *handle)))
        return -ENOMEM;
    rp_self *task = rp__co_new(l, s->owner->tasks_class, task_main);
    if (!task) {
        if (handle)
            rp__pool_free(&l->pool, handle, sizeof *handle);
        return -ENOMEM;
    }
    task->actor = s->owner->actor;
    task->scope = task->home = s;
    task->fn = fn;
    task->arg = arg;
    task->task = handle;
    rp__list_push(&s->tasks, &task->sibling); /* in its scope before its first step */
    s->live++;
    if (handle) {
        *handle = (rp_task){.scope = s, .self = task, .next = s->handles};
        rp__list_init(&handle->joiners);
        s->handles = handle;
        *ret = handle;
    }
    rp__ready(task);
    return 0;
}

int rp_join(rp_self *me, rp_task *task, int *result, rp_time deadline)
{
    int rc = rp_check(me);
    if (rc == 0 && task->self) {
        rp__list_push(&task->joiners, &me->queue);
        me->overdue = me->loop->sys->floor->overdue;
        rc = rp__park(me, "join", task, rp__unqueue, deadline);
    }
    if (rc == 0 && result)
        *result = task->rc;
    return rc;
}

void rp_task_cancel(rp_task *task, const char *why)
{
    if (task->self)
        rp__stop_self(task->self, why);
}

static int result_of(const struct rp__scope *s, int rc)
{
    switch ((enum rp__cause)s->cause) {
    case RP__BY_FAILURE:
        return s->rc;
    case RP__BY_DEADLINE:
        return -ETIMEDOUT;
    case RP__FROM_OUTSIDE:
        return -ECANCELED;
    case RP__BY_OWNER:
        return rc == -ECANCELED ? 0 : rc;
    case RP__NOT_CANCELLED:
        break;
    }
    return rc;
}

int rp_scope_close(rp_self *me, rp_scope *scope, int rc)
{
    struct rp__scope *s = scope_of(scope);
    assert(me->scope == s && "scopes close in the reverse order of opening");
    if (rp__forked(me->loop)) { /* its tasks are the parent's business */
        me->scope = s->parent;
        return -EPERM;
    }
    if (rc < 0 && s->cause == RP__NOT_CANCELLED) {
        s->rc = rc;
        cancel(s, RP__BY_FAILURE, "its opener failed");
    }
    while (s->live > 0) {
        s->closing = true;
        me->overdue = me->loop->sys->floor->overdue; /* its task may wait for what its actor has */
        int parked = rp__park(me, "scope", s, 0, RP_FOREVER);
        assert(parked == 0); /* who has tasks keeps its stack already: see rp_go */
        (void)parked;
    }
    rp__timer_stop(&me->loop->wheel, &s->deadline);
    for (rp_task *t = s->handles, *next; t; t = next) {
        next = t->next;
        rp__pool_free(&me->loop->pool, t, sizeof *t);
    }
    me->scope = s->parent;
    s->magic = 0;
    return result_of(s, rc);
}

/* ---- cancelling ---------------------------------------------------------------------------------- */

/* Marks the scopes from `s` outward up to, and without, `end`; puts them on the work list. */
static void mark_chain(struct rp__scope *s, struct rp__scope *end, enum rp__cause cause,
                       const char *why, struct rp__scope **work)
{
    for (; s != end; s = s->parent) {
        if (s->cause != RP__NOT_CANCELLED)
            continue;
        s->cause = (uint8_t)cause;
        s->why = why;
        s->next_cancel = *work;
        *work = s;
    }
}

/* Ends the waits of everybody in the marked scopes; tasks add their own scopes to the list. */
static void cancel_marked(struct rp__scope *work)
{
    while (work) { /* bounded: every scope is marked once */
        struct rp__scope *s = work;
        work = s->next_cancel;
        for (struct rp__hook *at = s->tasks.next; at != &s->tasks; at = at->next) {
            rp_self *task = RP__OF(rp_self, sibling, at);
            mark_chain(task->scope, s, RP__FROM_OUTSIDE, s->why, &work);
            rp__interrupt(task, -ECANCELED);
        }
    }
}

static void cancel(struct rp__scope *s, enum rp__cause cause, const char *why)
{
    if (s->cause != RP__NOT_CANCELLED)
        return;
    struct rp__scope *work = 0;
    mark_chain(s->owner->scope, s, RP__FROM_OUTSIDE, why, &work);
    mark_chain(s, s->parent, cause, why, &work);
    rp__interrupt(s->owner, -ECANCELED);
    cancel_marked(work);
}

void rp_scope_cancel(rp_scope *s, const char *why)
{
    cancel(scope_of(s), RP__BY_OWNER, why);
}

void rp__stop_self(rp_self *self, const char *why)
{
    if (self->stopped)
        return;
    self->stopped = true;
    self->why = why;
    struct rp__scope *work = 0;
    mark_chain(self->scope, self->home, RP__FROM_OUTSIDE, why, &work);
    rp__interrupt(self, -ECANCELED);
    cancel_marked(work);
}

int rp_check(const rp_self *me)
{
    return rp__cancelled(me) ? -ECANCELED : 0;
}

const char *rp_why(const rp_self *me)
{
    for (const struct rp__scope *s = me->scope; s; s = s->parent)
        if (s->cause != RP__NOT_CANCELLED)
            return s->why;
    return me->stopped ? me->why : 0;
}
