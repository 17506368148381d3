/* SPDX-License-Identifier: MIT */
#include "loop/scope.h"

#include "loop/fork.h"
#include "loop/held.h"
#include "loop/here.h"
#include "loop/rest.h"
#include "loop/system.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    DEEP = 32, /* tasks that are still to be looked at, */
    FUEL = 256 /* and of all of them, when a rp_join has lasted */
};

const char rp__for_task[] = "join", rp__for_scope[] = "scope", rp__for_sleep[] = "sleep";

/* ---- what a program gets wrong -------------------------------------------------------------------
 * A scope that is left open has tasks, a timer and a place in a list that are on a stack which somebody else uses by now.
 * It is found when its function returns from an actor, a task or a handler; else when the next scope or wait is begun.
 */

static const char CLOSE_IT[] = "rp_scope_close it on every path out of the function that opened it, also where that fails";

void rp__scope_lost(const rp_self *me)
{
    rp__misuse(me, "has a scope that was left open: the function that opened it has returned. %s", CLOSE_IT);
}

void rp__returned_over_scope(const rp_self *me, const char *what)
{
    rp__misuse(me, "returned from its %s over an open scope. %s", what, CLOSE_IT);
}

static struct rp__scope *scope_of(rp_scope *s, const char *call)
{
    struct rp__scope *in = (struct rp__scope *)(void *)s;
    if (in->magic != RP__SCOPE_OPEN)
        rp__report_fatal(0, &(rp_report){.kind = RP_REPORT_MISUSE}, "%s of an rp_scope that is not open: it was closed before, or never opened",
                         call);
    return in;
}

/* Neither the innermost one again, nor one whose memory that has. */
static void check_new(const rp_self *me, const struct rp__scope *s)
{
    uintptr_t at = (uintptr_t)s, up = (uintptr_t)me->scope;
    if (up && (at > up ? at - up : up - at) < sizeof(rp_scope))
        rp__misuse(me, "opens a scope where one is open already: the function that opened it has returned, or opens it twice. %s", CLOSE_IT);
}

static void cancel(struct rp__scope *s, enum rp__cause cause, const char *why);

static void deadline_fired(struct rp__timer *t, struct rp__wheel *w)
{
    (void)w;
    cancel(RP__OF(struct rp__scope, deadline, t), RP__BY_DEADLINE, "deadline");
}

static void open_scope(rp_self *me, rp_scope *s, rp_time deadline, bool shield, const void *frame)
{
    struct rp__scope *in = (struct rp__scope *)(void *)s;
    struct rp__scope *up = me->scope;
    rp__must_be_here(me);
    if (!s)
        return;
    check_new(me, in);
    rp__scope_sound(me, frame);
    memset(in, 0, sizeof *in);
    in->magic = RP__SCOPE_OPEN;
    in->owner = me;
    in->parent = up;
    rp__list_init(&in->tasks);
    in->effective = up && !shield && up->effective < deadline ? up->effective : deadline;
    if (shield) {
        in->shield = true;
        in->hides = me->stopped;
        me->stopped = false;
    } else if (up ? up->cause != RP__NOT_CANCELLED : me->stopped) {
        in->cause = RP__FROM_OUTSIDE;
        in->why = up ? up->why : me->why;
    }
    if (deadline == in->effective && deadline != RP_FOREVER) {
        in->deadline.fire = deadline_fired;
        rp__timer_start(&me->loop->wheel, &in->deadline, deadline);
    }
    me->scope = in;
}

RP__NOIPA void rp_scope_open(rp_self *me, rp_scope *s, rp_time deadline)
{
    open_scope(me, s, deadline, false, __builtin_frame_address(0));
}

RP__NOIPA void rp_scope_open_shielded(rp_self *me, rp_scope *s, rp_time deadline)
{
    open_scope(me, s, deadline, true, __builtin_frame_address(0));
}

/* ---- all tasks of a coroutine --------------------------------------------------------------------
 * A coroutine's scopes are a chain from the innermost outward, ending where its home is; each has tasks,
 * which have chains of their own.
 */
static rp_self *first_in(struct rp__scope *s, const struct rp__scope *end)
{
    for (; s != end; s = s->parent)
        if (!rp__list_empty(&s->tasks))
            return RP__OF(rp_self, sibling, s->tasks.next);
    return 0;
}

rp_self *rp__task_first(const rp_self *root)
{
    return first_in(root->scope, root->home);
}

rp_self *rp__task_next(const rp_self *root, const rp_self *task)
{
    rp_self *next = first_in(task->scope, task->home); /* its own come first */
    while (!next) { /* bounded by the depth */
        struct rp__scope *s = task->home;
        if (task->sibling.next != &s->tasks)
            return RP__OF(rp_self, sibling, task->sibling.next);
        task = s->owner;
        next = first_in(s->parent, task->home);
        if (task == root)
            break;
    }
    return next;
}

/* ---- tasks --------------------------------------------------------------------------------------- */

static void task_ended(rp_self *me, int rc)
{
    struct rp__scope *s = me->home;
    if (me->scope != s)
        rp__returned_over_scope(me, "function");
    if (s->magic != RP__SCOPE_OPEN)
        rp__scope_lost(me);
    rp__unlink(&me->sibling);
    if (me->task) {
        me->task->self = 0;
        me->task->rc = rc;
        for (struct rp__hook *at; (at = rp__list_pop(&me->task->joiners));) {
            rp_self *joiner = RP__OF(rp_self, queue, at);
            joiner->got = (void *)(intptr_t)rc; /* the handle may be gone when it runs */
            rp__wake(joiner, 0);
        }
    }
    bool as_told = rc == -ECANCELED && me->stopped; /* by rp_task_cancel, for itself alone */
    if (rc < 0 && !as_told && s->cause == RP__NOT_CANCELLED) {
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
    int rc = rp_scope_check(me) == 0 ? me->fn(me, me->arg) : -ECANCELED;
    rp__abandon_held(me);
    if (me->hand[0] || me->hand[1])
        me->loop->sys->floor->task_ends(me);
    task_ended(me, rc);
}

RP__NOIPA int rp_go(rp_self *me, rp_scope *scope, rp_task_fn *fn, void *arg, rp_task **ret)
{
    if (!scope || !fn)
        return -EINVAL;
    struct rp__scope *s = scope_of(scope, "rp_go");
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    rp__scope_sound(me, __builtin_frame_address(0));
    if (rp__forked(l))
        return -EPERM;
    if (s->owner->loop != l)
        rp__misuse(me, "starts a task in a scope of another loop: a scope's tasks live where its opener does");
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

/* ---- joining ------------------------------------------------------------------------------------- */

/* Whose end `co` waits for in rp_join; NULL: nobody's. */
static const rp_self *joined_by(const rp_self *co)
{
    return co->state == RP__PARKED && co->waits == rp__for_task ? ((const rp_task *)co->waits_on)->self : 0;
}

/* Is it `me`, or one that has a scope to close in which `me` is? */
static bool around(const rp_self *co, const rp_self *me)
{
    for (; me != co && me->home; me = me->home->owner) /* bounded by the depth */
        ;
    return me == co;
}

/* Seen at once: it ends after `me`, or joins one that does, and so on. */
static bool in_a_ring(const rp_self *co, const rp_self *me)
{
    for (; co; co = joined_by(co)) /* bounded: such rings are refused */
        if (around(co, me))
            return true;
    return false;
}

/* Seen when it has lasted, since it costs a look at every task: through those that wait for their tasks, too. */
static bool ends_after(const rp_self *co, const rp_self *me)
{
    const rp_self *next[DEEP] = {co};
    unsigned n = 1;
    for (unsigned fuel = FUEL; n > 0 && fuel > 0; fuel--) {
        co = next[--n];
        if (around(co, me))
            return true;
        if (joined_by(co))
            next[n++] = joined_by(co);
        if (co->state != RP__PARKED || co->waits != rp__for_scope)
            continue;
        const struct rp__hook *all = &((const struct rp__scope *)co->waits_on)->tasks;
        for (const struct rp__hook *at = all->next; at != all && n < DEEP; at = at->next)
            next[n++] = RP__OF(const rp_self, sibling, at);
    }
    return false;
}

static void look_into_join(rp_self *me)
{
    if (ends_after(joined_by(me), me)) {
        (void)rp__waits_for_itself(me);
        rp__interrupt(me, -EDEADLK);
    } else {
        me->loop->sys->floor->overdue(me);
    }
}

int rp_join(rp_self *me, rp_task *task, int *result, rp_time deadline)
{
    if (!task)
        return -EINVAL;
    rp__must_be_here(me);
    int rc = rp_scope_check(me);
    if (rc == 0 && task->self && in_a_ring(task->self, me))
        rc = rp__waits_for_itself(me);
    if (rc != 0 || !task->self) {
        int ended = task->rc;
        if (rc == 0 && result)
            *result = ended;
        return rp__rested(me, rc);
    }
    rp__list_push(&task->joiners, &me->queue);
    me->overdue = look_into_join;
    rc = rp__park(me, rp__for_task, task, rp__unqueue, deadline);
    if (rc == 0 && result)
        *result = (int)(intptr_t)me->got;
    return rc;
}

int rp_task_result(const rp_task *task, int *result)
{
    if (!task)
        return -EINVAL;
    if (task->self)
        return -EAGAIN;
    if (result)
        *result = task->rc;
    return 0;
}

void rp_task_cancel(rp_task *task, const char *why)
{
    if (!task)
        return;
    rp__must_be_here(task->scope->owner);
    rp_self *self = task->self;
    if (self && !self->stopped) /* else `text` is in use */
        rp__stop_self(self, rp__text_kept(self->loop->sys, why ? why : "cancelled", task->text, sizeof task->text));
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

RP__NOIPA int rp_scope_close(rp_self *me, rp_scope *scope, int rc)
{
    if (!scope)
        return -EINVAL;
    struct rp__scope *s = scope_of(scope, "rp_scope_close");
    rp__must_be_here(me);
    rp__scope_sound(me, __builtin_frame_address(0));
    if (me->scope != s || s->owner != me)
        rp__misuse(me, s->owner == me ? "closes a scope while one is open that it opened later: they close in reverse order, and %s"
                                      : "closes a scope that another coroutine has opened: %s", CLOSE_IT);
    if (rp__forked(me->loop)) { /* its tasks are the parent's business */
        me->scope = s->parent;
        return -EPERM;
    }
    if (rc < 0 && s->cause == RP__NOT_CANCELLED) {
        s->rc = rc;
        cancel(s, RP__BY_FAILURE, "its opener failed");
    }
    if (s->live == 0)
        rp__rest(me); /* while it is open: who goes into it now is waited for */
    while (s->live > 0) {
        s->closing = true;
        me->overdue = me->loop->sys->floor->overdue; /* its task may wait for what its actor has */
        int parked = rp__park(me, rp__for_scope, s, 0, RP_FOREVER);
        assert(parked == 0); /* who has tasks keeps its stack already: see rp_go */
        (void)parked;
    }
    rp__timer_stop(&me->loop->wheel, &s->deadline);
    for (rp_task *t = s->handles, *next; t; t = next) {
        next = t->next;
        rp__pool_free(&me->loop->pool, t, sizeof *t);
    }
    me->scope = s->parent;
    me->stopped |= s->hides;
    s->magic = 0;
    return result_of(s, rc);
}

/* ---- cancelling ---------------------------------------------------------------------------------- */

static void mark(struct rp__scope *s, enum rp__cause cause, const char *why, struct rp__scope **work)
{
    if (s->cause != RP__NOT_CANCELLED)
        return;
    s->cause = (uint8_t)cause;
    s->why = why;
    s->next_cancel = *work;
    *work = s;
}

/* The outermost shield of `self`, before `end`; NULL: none. */
static struct rp__scope *shield_of(const rp_self *self, const struct rp__scope *end)
{
    struct rp__scope *shield = 0;
    for (struct rp__scope *s = self->scope; s != end; s = s->parent) {
        if (s->magic != RP__SCOPE_OPEN)
            rp__scope_lost(self);
        shield = s->shield ? s : shield;
    }
    return shield;
}

/* Marks the scopes of `self` from the innermost outward up to, and without, `end`, but for those within a shield; puts
 * them on the work list. Where there is none, its wait ends too. */
static void cancel_chain(rp_self *self, const struct rp__scope *end, const char *why, struct rp__scope **work)
{
    struct rp__scope *shield = shield_of(self, end);
    for (struct rp__scope *s = shield ? shield->parent : self->scope; s != end; s = s->parent)
        mark(s, RP__FROM_OUTSIDE, why, work);
    if (!shield)
        rp__interrupt(self, -ECANCELED);
}

/* Ends the waits of everybody in the marked scopes; tasks add their own scopes to the list. */
static void cancel_marked(struct rp__scope *work)
{
    while (work) { /* bounded: every scope is marked once */
        struct rp__scope *s = work;
        work = s->next_cancel;
        for (struct rp__hook *at = s->tasks.next; at != &s->tasks; at = at->next) {
            rp_self *task = RP__OF(rp_self, sibling, at);
            cancel_chain(task, s, s->why, &work);
        }
    }
}

static void cancel(struct rp__scope *s, enum rp__cause cause, const char *why)
{
    if (s->cause != RP__NOT_CANCELLED)
        return;
    struct rp__scope *work = 0;
    cancel_chain(s->owner, s, why, &work);
    mark(s, cause, why, &work);
    cancel_marked(work);
}

void rp_scope_cancel(rp_scope *s, const char *why)
{
    if (!s)
        return;
    struct rp__scope *in = scope_of(s, "rp_scope_cancel");
    rp__must_be_here(in->owner);
    if (in->cause == RP__NOT_CANCELLED) /* else `text` is in use */
        cancel(in, RP__BY_OWNER, rp__text_kept(in->owner->loop->sys, why ? why : "cancelled", in->text, sizeof in->text));
}

void rp__stop_self(rp_self *self, const char *why)
{
    struct rp__scope *shield = shield_of(self, self->home), *work = 0;
    bool *stopped = shield ? &shield->hides : &self->stopped;
    if (*stopped)
        return;
    *stopped = true;
    self->why = why;
    cancel_chain(self, self->home, why, &work);
    cancel_marked(work);
}

int rp_scope_check(const rp_self *me)
{
    return rp__cancelled(me) ? -ECANCELED : 0;
}

const char *rp_why(const rp_self *me)
{
    for (const struct rp__scope *s = me->scope; s; s = s->parent)
        if (s->cause != RP__NOT_CANCELLED)
            return s->why;
        else if (s->hides)
            return me->why;
    return me->stopped ? me->why : 0;
}
