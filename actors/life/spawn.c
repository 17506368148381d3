/* SPDX-License-Identifier: MIT
 *
 * spawn.c - actors come to life.
 *
 * On the spawner's loop an actor is built at once. On another loop the spawner sends its struct
 * rp__birth there and waits until that loop has built the actor and run its init, so that a failure
 * comes back as rp_spawn's result and the address is good when it returns. A kept actor's next
 * incarnation (kept.c) goes the same way.
 */
#include "actors/life/hooks.h"
#include "actors/life/life.h"
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/mail/trace.h"
#include "actors/table/cause.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "actors/table/why.h"
#include "loop/held.h"
#include "loop/here.h"
#include "loop/rest.h"
#include "loop/scope.h"

#include <errno.h>
#include <string.h>

enum { MAILBOX = 1024, MAILBOX_BYTES = 1 << 20 };

struct rp__birth {
    rp_self *who; /* waits for it */
    const rp_actor *kind;
    const rp_spawn_opts *o;
    uint64_t parent;
    struct rp__kid *kid; /* the parent's record, if the parent is on another loop */
    uint64_t addr; /* when kind is NULL: whose next incarnation is to begin */
    const rp_mail *mail; /* it is kept; NULL: it is not */
    void *site; /* where in the code it was asked for */
    int rc;
    bool stillborn; /* its init failed, and it has children: it ends as any other, when they have ended */
};

static void actor_main(rp_self *me)
{
    struct rp__actor *a = me->actor;
    int rc = a->kind->run(me, me->arg);
    rp__abandon_held(me);
    if (me->scope)
        rp__returned_over_scope(me, "run");
    rp__hands_put_down(me, a, true);
    a->co = 0;
    me->actor = 0;
    rp__actor_end(me->loop, a, rc);
}

/* ---- building ------------------------------------------------------------------------------------ */

static int build_stack(struct rp_loop *l, struct rp__actor *a, size_t size, void *arg)
{
    a->handle = a->kind->handle;
    if (a->handle) {
        if (__builtin_expect(size > 0 && size > rp__stack_size(RP__STACK_USUAL), 0))
            a->flags |= RP__A_UNFIT | rp__stack_class(size) << RP__A_STACK;
        return 0;
    }
    rp_self *co = rp__co_new(l, rp__stack_class(size), actor_main);
    if (!co)
        return -ENOMEM;
    co->actor = a;
    co->is_actor = true;
    co->arg = arg;
    a->co = co;
    a->flags |= RP__A_COROUTINE | RP__A_BUSY;
    return 0;
}

static int build_state(struct rp_loop *l, struct rp__actor *a)
{
    size_t n = a->kind->state_size;
    if (n == 0)
        return 0;
    if (!a->state)
        a->state = rp__pool_get(&l->pool, n);
    if (!a->state)
        return -ENOMEM;
    memset(a->state, 0, n);
    return 0;
}

static int build_rest(struct rp_loop *l, struct rp__actor *a, const rp_spawn_opts *o)
{
    if (o->stash == 0 && o->shed_ms == 0 && rp_ref_none(o->redirect))
        return 0;
    struct rp__extra *x = rp__extra(l, a);
    if (!x)
        return -ENOMEM;
    x->redirect = o->redirect;
    x->stash_limit = o->stash;
    x->shed.target = o->shed_ms * RP_MS;
    return 0;
}

static int build_name(struct rp_loop *l, struct rp__actor *a, const char *name)
{
    if (!name)
        return 0;
    size_t n = strlen(name) + 1;
    if (n == 1 || n > RP__NAME_MAX + 1)
        return -EINVAL;
    struct rp__extra *x = rp__extra(l, a);
    char *copy = x ? rp__pool_get(&l->pool, n) : 0;
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name, n);
    int rc = rp__name_add(l, name, rp__ref(l, a->addr));
    if (rc != 0)
        rp__pool_free(&l->pool, copy, n);
    else
        x->name = copy;
    return rc;
}

static int build_kin(struct rp_loop *l, struct rp__actor *a, const struct rp__birth *b)
{
    a->parent = b->parent;
    a->kid = b->kid;
    if (b->kid) {
        a->farewell = rp__farewell_new(l, b->parent, a->addr, b->kid);
        if (!a->farewell)
            return -ENOMEM;
    }
    if (b->mail && rp__kept_new(l, a, b->o, *b->mail) != 0)
        return -ENOMEM;
    return b->o->monitor ? rp__watch_new(l, a, b->parent, 0, 0) : 0;
}

/* What stands of a half-built actor goes. Nobody has its address but what init told. */
static void unbuild(struct rp_loop *l, struct rp__actor *a, bool monitored, int reason)
{
    if (a->co)
        rp__stack_put(l, a->co);
    a->co = 0;
    a->reason = reason;
    if (monitored && a->extra)
        rp__watch_forget_first(l, a); /* the spawner's: it gets the error instead */
    rp__actor_remains(l, a);
}

static uint32_t flags_of(const rp_actor *kind)
{
    return (kind->flags & RP_NOWAIT ? RP__A_NOWAIT : 0u) | (kind->flags & RP_TRAP ? RP__A_TRAP : 0u);
}

/* Its init has failed. True: it has children, and is to be ended by rp__actor_end; false: it is gone. */
static bool keep_stillborn(struct rp_loop *l, struct rp__actor *a, const struct rp__birth *b, int reason)
{
    if (a->nchildren == 0) {
        unbuild(l, a, b->o->monitor, reason);
        return false;
    }
    if (a->co)
        rp__stack_put(l, a->co);
    a->co = 0;
    a->reason = reason;
    rp__actor_unname(l, a);
    a->flags = RP__A_WATCHED | RP__A_STOPPED; /* its failure is its spawner's, who gets the error at once */
    if (b->o->monitor)
        rp__watch_forget_first(l, a);
    return true;
}

static int build(struct rp_loop *l, struct rp__birth *b, struct rp__actor **ret)
{
    const rp_spawn_opts *o = b->o;
    const rp_actor *kind = rp__kind_enter(l, &l->actors->kinds, b->kind);
    struct rp__actor *a = kind ? rp__actor_new(l) : 0;
    if (!a) {
        rp__kind_leave(kind);
        return -ENOMEM;
    }
    a->kind = kind;
    a->limit = o->mailbox ? o->mailbox : MAILBOX;
    a->limit_bytes = o->mailbox_bytes == 0           ? MAILBOX_BYTES
                     : o->mailbox_bytes > UINT32_MAX ? UINT32_MAX
                                                     : (uint32_t)o->mailbox_bytes;
    a->addr |= a->limit < MAILBOX || a->limit_bytes < MAILBOX_BYTES ? RP__NARROW : 0; /* for all its incarnations */
    rp__site_note(l, a, b->site);
    a->overflow = o->overflow ? o->overflow : RP_WAIT;
    a->flags = flags_of(kind);
    rp__trace_actor(l, a);
    if (o->on != RP_SAME)
        rp__placed(a, rp__placed_by(o->on));
    int rc = build_stack(l, a, o->stack, o->arg);
    if (rc == 0)
        rc = build_state(l, a);
    if (rc == 0)
        rc = build_kin(l, a, b);
    if (rc == 0)
        rc = build_rest(l, a, o);
    if (rc == 0)
        rc = build_name(l, a, o->name);
    if (rc == 0)
        rc = rp__run_init(l, a, o->arg);
    if (rc != 0)
        b->stillborn = keep_stillborn(l, a, b, rc);
    else if (rp__traces(l, RP__T_SPAWN))
        rp__trace_spawn(l, a);
    *ret = a;
    return rc;
}

/* It begins; a stillborn one ends. */
static void start(struct rp_loop *l, struct rp__actor *a, int rc)
{
    if (rc != 0)
        rp__actor_end(l, a, rc);
    else if (a->co)
        rp__ready(a->co);
}

/* ---- the next incarnation ------------------------------------------------------------------------ */

/* The same address, a new life: all that an incarnation has is built as at first. */
static int revive(struct rp_loop *l, uint64_t addr)
{
    struct rp__actor *a = rp__actor_find(l->actors, addr);
    if (!a || !(a->flags & RP__A_DOWN))
        return -ESRCH;
    struct rp__kept *k = a->extra->kept;
    int rc = rp__kept_ready(l, a);
    if (rc == 0)
        rc = build_stack(l, a, k->stack, k->arg);
    if (rc != 0)
        return rc;
    a->flags &= ~(uint32_t)(RP__A_DOWN | RP__A_ENDING);
    a->why = 0;
    a->reason = 0;
    k->restarts++;
    rp__tally(l, RP__RESTARTED, 1);
    (void)!build_state(l, a); /* the memory is there */
    rc = rp__run_init(l, a, k->arg);
    if (rc == 0) {
        start(l, a, 0);
        rp__drain(l, a);
        return 0;
    }
    if (a->co)
        rp__stack_put(l, a->co);
    a->co = 0;
    rp__actor_end(l, a, rc);
    return RP__FALLEN;
}

int rp__revive(rp_self *me, rp_ref who)
{
    struct rp_loop *l = me->loop;
    unsigned loop = rp__route_of(l, who.local);
    if (loop == l->index)
        return revive(l, who.local);
    int rc = rp__may_park(me, RP_FOREVER);
    if (rc != 0)
        return rc;
    struct rp__birth b = {.who = me, .parent = me->actor->addr, .addr = who.local};
    struct rp__slot s = {who.local, b.parent, rp__op_word(RP__OP_SPAWN), {(uintptr_t)&b}};
    rc = rp__post_slots(l, loop, &s, 1);
    return rc != 0 ? rc : rp__park(me, "restart", &b, 0, RP_FOREVER);
}

/* ---- here ---------------------------------------------------------------------------------------- */

void rp__kid_free(struct rp_loop *l, struct rp__kid *k)
{
    rp__unlink(&k->link);
    if (k->stop)
        rp__spill_free(l, k->stop);
    rp__pool_free(&l->pool, k, sizeof *k);
}

struct rp__kid *rp__kid_new(struct rp_loop *l, struct rp__actor *parent)
{
    struct rp__extra *x = rp__extra(l, parent);
    struct rp__kid *k = x ? rp__pool_get(&l->pool, sizeof *k) : 0;
    if (!k)
        return 0;
    *k = (struct rp__kid){.parent = parent->addr, .stop = rp__spill_new(l)};
    if (!k->stop) {
        rp__pool_free(&l->pool, k, sizeof *k);
        return 0;
    }
    rp__list_push(&x->kids, &k->link);
    return k;
}

void rp__kid_born(const struct rp_loop *l, struct rp__kid *k, uint64_t child)
{
    k->child = child;
    k->stop->slot[0] = rp__stop_slot(l, child, k->parent, "its parent ended", RP__FOR_GOOD, 0);
}

struct rp__spill *rp__farewell_new(struct rp_loop *l, uint64_t parent, uint64_t child, struct rp__kid *k)
{
    struct rp__spill *s = rp__spill_new(l);
    if (s)
        s->slot[0] = (struct rp__slot){parent, child, rp__op_word(RP__OP_CHILD_ENDED), {(uintptr_t)k}};
    return s;
}

static void adopt(struct rp_loop *l, struct rp__actor *parent, struct rp__actor *a)
{
    uint32_t slot = rp__slot_of(a->addr);
    a->next = parent->first_child;
    if (a->next != RP__NOBODY)
        rp__actor_at(l->actors, a->next)->prev = slot;
    parent->first_child = slot;
    parent->nchildren++;
}

/* A guest's children are kid records all: slots of this loop mean nothing where it may go next. */
static int spawn_here(rp_self *me, struct rp__birth *b)
{
    struct rp_loop *l = me->loop;
    struct rp__actor *a, *parent = me->actor;
    if (parent->flags & RP__A_GUEST && !(b->kid = rp__kid_new(l, parent)))
        return -ENOMEM;
    int rc = build(l, b, &a);
    if (rc != 0 && !b->stillborn) {
        if (b->kid)
            rp__kid_free(l, b->kid);
        return rc;
    }
    b->addr = a->addr;
    if (b->kid) {
        rp__kid_born(l, b->kid, a->addr);
        parent->nchildren++;
    } else {
        adopt(l, parent, a);
    }
    start(l, a, rc);
    return rc;
}

int rp__spawn_root(struct rp_loop *l, const rp_actor *kind, void *arg)
{
    rp_spawn_opts o = {.arg = arg, .stack = rp__runtime(l)->opts.stack};
    struct rp__birth b = {.kind = kind, .o = &o};
    struct rp__actor *a;
    int rc = build(l, &b, &a);
    if (rc != 0 && !b.stillborn)
        return rc;
    rp__runtime(l)->root_addr = a->addr;
    start(l, a, rc);
    return 0;
}

/* ---- on another loop ----------------------------------------------------------------------------- */

void rp__on_spawn(struct rp_loop *l, struct rp__birth *b)
{
    struct rp__actor *a;
    if (!b->kind) {
        b->rc = revive(l, b->addr);
        rp__signal(l, b->parent, 0, RP__OP_BORN, (uintptr_t)b, 0);
        return;
    }
    b->rc = build(l, b, &a);
    if (b->rc == 0 || b->stillborn) {
        b->addr = a->addr;
        start(l, a, b->rc);
    }
    rp__signal(l, b->parent, 0, RP__OP_BORN, (uintptr_t)b, 0);
}

void rp__on_born(struct rp_loop *l, struct rp__birth *b)
{
    (void)l;
    rp__wake(b->who, b->rc);
}

static int spawn_there(rp_self *me, struct rp__birth *b, unsigned loop)
{
    struct rp_loop *l = me->loop;
    struct rp__actor *parent = me->actor;
    int rc = rp__may_park(me, RP_FOREVER); /* now: once it is sent, waiting must not fail */
    if (rc != 0)
        return rc;
    if (!(b->kid = rp__kid_new(l, parent)))
        return -ENOMEM;
    struct rp__slot s = {rp__loop_addr(loop), parent->addr, rp__op_word(RP__OP_SPAWN), {(uintptr_t)b}};
    rc = rp__post_slots(l, loop, &s, 1);
    if (rc == 0) {
        parent->nchildren++; /* before it can end */
        rc = rp__park(me, "spawn", b, 0, RP_FOREVER);
        parent->nchildren -= rc != 0 && !b->stillborn;
    }
    if (rc != 0 && !b->stillborn) {
        rp__kid_free(l, b->kid);
        return rc;
    }
    if (b->kid->child == UINT64_MAX) { /* it has ended already */
        rp__kid_free(l, b->kid);
        return rc;
    }
    rp__kid_born(l, b->kid, b->addr);
    return rc;
}

void rp__kid_gone(struct rp_loop *l, struct rp__kid *k)
{
    if (k->child == 0)
        k->child = UINT64_MAX; /* its spawner has not run yet, and looks */
    else
        rp__kid_free(l, k);
}

/* ---- rp_spawn ------------------------------------------------------------------------------------ */

static bool stack_allowed(rp_system *sys, const rp_actor *kind, size_t size, void *site)
{
    if (__builtin_expect(size <= RP__STACK_MAX, 1))
        return true;
    rp__report(sys, &(rp_report){.kind = RP_REPORT_MISUSE, .err = -EINVAL, .name = kind->name, .site = site},
               "actor %s: a stack of %zu bytes was asked for, and the largest has %d (64 MiB): ask for less, or put what is large "
               "elsewhere", kind->name ? kind->name : "without a name", size, RP__STACK_MAX);
    return false;
}

/* NULL: nothing. */
static inline const char *what_is_wrong(const rp_self *me, const rp_actor *a, const rp_spawn_opts *o)
{
    if (!a)
        return "the rp_actor is NULL";
    if ((a->run != 0) == (a->handle != 0))
        return "an rp_actor has exactly one of .run and .handle";
    if (a->flags & ~RP__KIND_FLAGS)
        return "rp_actor.flags has one that is none";
    if (o->overflow > RP_REDIRECT)
        return "rp_spawn_opts.overflow is no rp_overflow";
    if (o->stash && o->shed_ms)
        return "rp_spawn_opts has .stash and .shed_ms: one of them at most";
    return me->actor ? 0 : "only an actor spawns";
}

static int no_such_loop(rp_self *me, unsigned on)
{
    if (on < RP_LOOP(0))
        return rp__cause_is(me, -EINVAL, "rp_spawn_opts.on is %u, which is no place: RP_LOOP(%u) is a loop", on, on);
    return rp__cause_is(me, -EINVAL, "rp_spawn_opts.on is RP_LOOP(%u): the last of this system's loops is %u", on - RP_LOOP(0),
                        me->loop->sys->nloops - 1);
}

/* Its init may have said so too, of something else; the name's owner is named if there is one. */
static int name_refused(rp_self *me, const char *name, int rc)
{
    rp_ref r;
    char owner[RP__ADDR_TEXT];
    size_t n = strlen(name);
    if (rc == -EINVAL && (n == 0 || n > RP__NAME_MAX))
        return rp__cause_is(me, rc, "a name has 1 to %d bytes, and rp_spawn_opts.name has %zu", RP__NAME_MAX, n);
    if (rc != -EEXIST)
        return rc;
    if (rp__name_find(rp__runtime(me->loop), name, &r, 0) != 0)
        return -EEXIST;
    return rp__cause_is(me, -EEXIST, "the name \"%s\" is taken by %s", name, rp__addr_text(owner, r.local));
}

static int spawn(rp_self *me, const rp_actor *kind, const rp_spawn_opts *o, const rp_mail *mail, void *site, rp_ref *ret)
{
    static const rp_spawn_opts defaults;
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    if (!o)
        o = &defaults;
    if (rp__forked(l))
        return -EPERM;
    const char *wrong = what_is_wrong(me, kind, o);
    if (wrong)
        return rp__cause_is(me, -EINVAL, "%s", wrong);
    if (!stack_allowed(l->sys, kind, o->stack, site))
        return rp__cause_is(me, -EINVAL, "rp_spawn_opts.stack is %zu: more than a stack can have", o->stack);
    unsigned loop = l->index;
    int rc = o->on == RP_SAME ? 0 : rp__place(l, o->on, &loop);
    if (rc == 0)
        rc = me->actor->flags & RP__A_ENDING ? -ECANCELED : rp_scope_check(me); /* from fini: its children have ended */
    if (rc != 0)
        return rp__rested(me, rc) == -EINVAL ? no_such_loop(me, o->on) : rc;
    struct rp__birth b = {.who = me, .kind = kind, .o = o, .parent = me->actor->addr, .mail = mail, .site = site};
    rc = loop == l->index ? spawn_here(me, &b) : spawn_there(me, &b, loop);
    if (rc == 0 && ret)
        *ret = rp__ref(l, b.addr);
    rp__rest(me);
    return __builtin_expect(rc != 0 && o->name, 0) ? name_refused(me, o->name, rc) : rc;
}

/* Inlined into another it would say who called that one. */
RP__NOIPA int rp_spawn(rp_self *me, const rp_actor *kind, const rp_spawn_opts *o, rp_ref *ret)
{
    return spawn(me, kind, o, 0, __builtin_return_address(0), ret);
}

int rp__spawn_from(rp_self *me, const rp_actor *kind, const rp_spawn_opts *o, void *site, rp_ref *ret)
{
    return spawn(me, kind, o, 0, site, ret);
}

int rp__spawn_kept(rp_self *me, const rp_actor *kind, const rp_spawn_opts *o, rp_mail mail, void *site, rp_ref *ret)
{
    return spawn(me, kind, o, &mail, site, ret);
}
