/* SPDX-License-Identifier: MIT */
#include "actors/life/hooks.h"

#include "actors/mail/trace.h"
#include "loop/scope.h"

struct before { /* a hook may run in another's: init spawns */
    const char *hook;
    const struct rp__actor *hooked;
    const struct rp__scope *scope; /* the innermost of the stack that it runs on */
    rp_time at;
};

static struct before enter(struct rp_loop *l, const struct rp__actor *a, const char *hook, bool timed)
{
    struct rp__actors *t = l->actors;
    struct before b = {t->hook, t->hooked, l->running ? l->running->scope : 0, timed ? l->world->now(l) : 0};
    t->hooked = a;
    t->hook = hook;
    return b;
}

/* How long it took, if that was to be known. */
static rp_time leave(struct rp_loop *l, const struct before *b, bool timed)
{
    struct rp__actors *t = l->actors;
    rp_time took = timed ? l->world->now(l) - b->at : 0;
    if (rp__traces(l, RP__T_HOOK))
        rp__trace_hook(l, t->hooked, t->hook, took);
    t->hook = b->hook;
    t->hooked = b->hooked;
    return took;
}

/* As the actor itself, on whatever stack runs. */
static struct rp__actor *become(rp_self *me, struct rp__actor *a)
{
    struct rp__actor *was = me->actor;
    /* release: another loop may look whose lock this stack holds (inspect.c), and finds all of `a` */
    __atomic_store_n(&me->actor, a, __ATOMIC_RELEASE);
    return was;
}

int rp__init_hook(struct rp_loop *l, struct rp__actor *a, void *arg)
{
    rp_self *me = l->running;
    bool timed = rp__traces(l, RP__T_HOOK);
    struct before b = enter(l, a, "init", timed);
    struct rp__actor *was = become(me, a);
    me->nowait++;
    int rc = a->kind->init(me, a->state, arg);
    me->nowait--;
    if (me->scope != b.scope)
        rp__returned_over_scope(me, "init");
    become(me, was);
    leave(l, &b, timed);
    return rc;
}

void rp__fini_hook(struct rp_loop *l, struct rp__actor *a)
{
    rp_self *me = l->running;
    bool timed = rp__traces(l, RP__T_HOOK);
    struct before b = enter(l, a, "fini", timed);
    struct rp__actor *was = become(me, a);
    me->nowait++;
    a->kind->fini(me, a->state, a->reason);
    me->nowait--;
    if (me->scope != b.scope)
        rp__returned_over_scope(me, "fini");
    become(me, was);
    leave(l, &b, timed);
}

rp_time rp__run_info(struct rp_loop *l, const struct rp__actor *a, char *to, size_t size)
{
    to[0] = 0;
    if (!a->kind->info || (a->flags & (RP__A_INIT | RP__A_DOWN | RP__A_MOVING)) != RP__A_INIT ||
        (l->running && l->running->actor == a))
        return 0;
    struct before b = enter(l, a, "info", true);
    a->kind->info(a->state, to, size);
    to[size - 1] = 0;
    return leave(l, &b, true);
}
