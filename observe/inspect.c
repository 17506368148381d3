/* SPDX-License-Identifier: MIT
 *
 * inspect.c - records of what actors and loops do, written by the loops themselves.
 *
 * A portion is what one look brings home: up to ROOM records, from `slot` on. Its work is bounded in steps,
 * each an actor's slot or a task looked at: a few tens of nanoseconds, a cache miss or two.
 */
#include "observe/inspect.h"

#include "actors/life/hooks.h"
#include "actors/life/move.h"
#include "actors/table/runtime.h"
#include "actors/wait/rights.h"
#include "loop/scope.h"
#include "mailbox/sync/holder.h"
#include "observe/endpoint.h"

#include <errno.h>
#include <string.h>

enum {
    ROOM = 400,          /* records of a portion, */
    STEPS = 4096,        /* and steps, */
    TOLD = 200000,       /* and ns in which kinds describe their actors; and one of them more */
    TASKS_LISTED = 32, TASKS_COUNTED = 1000,
    READY_COUNTED = 10000
};

struct portion {
    struct rp__look look;
    uint32_t slot;       /* the next to look at; then where to go on */
    bool last;
    rp_time told;        /* what rp_actor.info has taken of the loop's time */
    unsigned n, at;
    rp_actor_info info[ROOM];
};

struct rp_inspection {
    int64_t patience_ms;
    unsigned loop;
    uint32_t slot;
    struct portion *p;   /* NULL: to be asked for */
};

rp_time rp__look_until(rp_self *me, unsigned loop, int64_t patience_ms)
{
    return rp_in_ms(me, patience_ms) - rp__silence(rp__runtime(me->loop)->endpoint, loop);
}

/* ---- one record ---------------------------------------------------------------------------------- */

static size_t stack_used(const rp_self *co) /* bytes, of one that is parked */
{
#if defined(RP__UCONTEXT)
    return 0;
#else
    return co->state == RP__PARKED || co->state == RP__READY ? (size_t)((const char *)co - (const char *)co->cx.sp) : 0;
#endif
}

struct seen_holder {
    const struct rp_system *sys;
    uint64_t addr;
};

/* The first that is an actor's of this system. */
static bool see_holder(const rp_self *holder, void *arg)
{
    struct seen_holder *seen = arg;
    /* acquire: pairs with the release in hooks.c; all else about the actor came with the latch */
    const struct rp__actor *a = __atomic_load_n(&holder->actor, __ATOMIC_ACQUIRE);
    if (a && holder->loop->sys == seen->sys)
        seen->addr = a->addr;
    return seen->addr == 0;
}

static void copy_name(char *to, size_t size, const char *from)
{
    size_t n = from ? strnlen(from, size - 1) : 0;
    memcpy(to, from ? from : "", n);
    to[n] = 0;
}

static void note_object(struct rp_loop *l, rp_actor_info *r, const rp_self *co)
{
    struct seen_holder seen = {l->sys, 0};
    r->object = co->waits_on;
    r->holders = rp__holders(co, see_holder, &seen);
    r->on = rp__ref(l, seen.addr);
    copy_name(r->object_name, sizeof r->object_name, rp__object_name(co));
}

static void note_wait(struct rp_loop *l, rp_actor_info *r, const rp_self *co)
{
    const void *on = co->waits_on;
    r->doing = RP_WAITING;
    r->waits = co->waits ? co->waits : "";
    r->since = co->since;
    if (rp__timer_armed(&co->timer) || rp__linked(&co->young))
        r->until = co->until;
    if (co->waits_node)
        r->on = (rp_ref){co->waits_node, (uint64_t)(uintptr_t)on};
    else if (!co->actor || !co->is_actor || !(co->actor->flags & RP__A_RECV))
        note_object(l, r, co);
}

static void note_coroutine(struct rp_loop *l, rp_actor_info *r, const rp_self *co)
{
    r->stack = rp__stack_size(co->class);
    r->stack_used = stack_used(co);
    if (co->state == RP__PARKED)
        note_wait(l, r, co);
    else
        r->doing = co == l->running ? RP_RUNNING : RP_READY;
}

static void note_box(const struct rp_loop *l, rp_actor_info *r, const struct rp__actor *a)
{
    r->limit = a->limit;
    r->limit_bytes = a->limit_bytes;
    if (!a->box)
        return;
    r->depth = a->box->count;
    r->stashed = a->box->stashed;
    r->bytes = a->box->bytes;
    r->oldest = rp__mailbox_age(a->box, l->now);
}

static rp_doing without_stack(const struct rp_loop *l, const struct rp__actor *a)
{
    if (a->flags & RP__A_DOWN)
        return RP_FALLEN;
    if (a->flags & RP__A_ENDING)
        return RP_ENDING;
    if (l->running && l->running->actor == a)
        return RP_RUNNING;
    return a->flags & (RP__A_DRAINS | RP__A_DUE) ? RP_READY : RP_IDLE;
}

static void begin(struct rp_loop *l, rp_actor_info *r, const struct rp__actor *a)
{
    *r = (rp_actor_info){.ref = rp__ref(l, a->addr), .parent = rp__ref(l, a->parent), .loop = l->index};
    r->waits = "";
    r->until = RP_FOREVER;
    r->demoted = (a->flags & RP__A_DEMOTED) != 0;
    r->stopping = (a->flags & RP__A_STOPPED) != 0;
    copy_name(r->kind, sizeof r->kind, a->kind->name);
    copy_name(r->name, sizeof r->name, a->extra ? a->extra->name : 0);
}

static rp_time note_actor(struct rp_loop *l, rp_actor_info *r, const struct rp__actor *a)
{
    begin(l, r, a);
    note_box(l, r, a);
    r->children = a->nchildren;
    r->placed = (rp_placed)((a->flags & RP__A_PLACED_MASK) >> RP__A_PLACED);
    r->supervised = (a->flags & RP__A_KEPT) != 0;
    r->restarts = r->supervised ? a->extra->kept->restarts : 0;
    r->doing = without_stack(l, a);
    if (a->co && r->doing != RP_FALLEN && r->doing != RP_ENDING)
        note_coroutine(l, r, a->co);
    r->site = rp__site_of(l, a);
    r->cpu = rp__cpu_of(l, a);
    return rp__run_info(l, a, r->info, sizeof r->info);
}

/* The actor and those of its tasks that are listed. How many were looked at. */
static unsigned note_all(struct rp_loop *l, struct portion *p, const struct rp__actor *a)
{
    rp_actor_info *self = &p->info[p->n++];
    p->told += note_actor(l, self, a);
    for (rp_self *t = a->co ? rp__task_first(a->co) : 0; t && self->tasks < TASKS_COUNTED; t = rp__task_next(a->co, t)) {
        if (self->tasks++ >= TASKS_LISTED)
            continue;
        rp_actor_info *r = &p->info[p->n++];
        begin(l, r, a);
        r->task = self->tasks;
        note_coroutine(l, r, t);
    }
    return self->tasks + rp__tell_few(l, a);
}

static void see_portion(struct rp__look *k, struct rp_loop *l)
{
    struct portion *p = (struct portion *)k;
    struct rp__actors *t = l->actors;
    bool room = true;
    for (int steps = STEPS; steps > 0 && room && p->told < TOLD && p->slot < t->count; steps--) {
        const struct rp__actor *a = rp__actor_at(t, p->slot++);
        bool shell = a->flags & RP__A_MOVING && a->move->to == l->index;
        if (a->addr != 0 && a->kind && !shell)
            steps -= (int)note_all(l, p, a);
        room = p->n + 1 + TASKS_LISTED <= ROOM;
    }
    p->last = p->slot >= t->count;
}

/* ---- all of them --------------------------------------------------------------------------------- */

int rp_inspect(rp_self *me, int64_t patience_ms, rp_inspection **ret)
{
    if (!ret)
        return -EINVAL;
    rp_inspection *i = rp__alloc(me->loop->sys, sizeof *i);
    if (!i)
        return -ENOMEM;
    *i = (rp_inspection){.patience_ms = patience_ms};
    *ret = i;
    return 0;
}

static int next_portion(rp_self *me, rp_inspection *i)
{
    i->p = rp__look_new(me, sizeof *i->p, see_portion);
    if (!i->p)
        return -ENOMEM;
    i->p->slot = i->slot;
    struct rp__look *k = &i->p->look;
    int rc = rp__look(me, &k, i->loop, rp__look_until(me, i->loop, i->patience_ms));
    if (rc != 0)
        i->p = 0;
    return rc;
}

/* It has been read to its end. */
static void done_with(rp_self *me, rp_inspection *i)
{
    i->slot = i->p->last ? 0 : i->p->slot;
    i->loop += i->p->last;
    rp__look_free(me, &i->p->look);
    i->p = 0;
}

int rp_inspect_next(rp_self *me, rp_inspection *i, rp_actor_info *ret)
{
    if (!i || !ret)
        return -EINVAL;
    for (;;) { /* bounded by the slots of all loops: a portion may be empty */
        if (i->p && i->p->at < i->p->n) {
            *ret = i->p->info[i->p->at++];
            return 1;
        }
        if (i->p)
            done_with(me, i);
        if (i->loop == me->loop->sys->nloops)
            return 0;
        int rc = next_portion(me, i);
        if (rc == -ETIMEDOUT) {
            *ret = (rp_actor_info){.loop = i->loop++, .waits = ""};
            i->slot = 0;
        }
        if (rc != 0)
            return rc;
    }
}

void rp_inspect_end(rp_self *me, rp_inspection *i)
{
    if (!i)
        return;
    if (i->p)
        rp__look_free(me, &i->p->look);
    rp__free_mem(me->loop->sys, i, sizeof *i);
}

/* ---- loops --------------------------------------------------------------------------------------- */

struct loop_look {
    struct rp__look look;
    rp_loop_info info;
};

static uint32_t count_ready(const struct rp_loop *l)
{
    uint32_t n = 0;
    for (const struct rp__hook *at = l->ready.next; at != &l->ready && n < READY_COUNTED; at = at->next)
        n++;
    return n;
}

static uint64_t count_inbound(struct rp_loop *l)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < l->sys->nloops; i++) {
        struct rp__ring *r = atomic_load_explicit(&l->in[i], memory_order_acquire);
        n += r ? rp__ring_ready(r) : 0;
    }
    return n;
}

static void see_loop(struct rp__look *k, struct rp_loop *l)
{
    rp_loop_info *r = &((struct loop_look *)k)->info;
    *r = (rp_loop_info){.loop = l->index, .turns = l->turns, .wakeups = l->wakeups, .actors = l->actors->live,
                        .ready = count_ready(l), .queued = l->events.count, .inbound = count_inbound(l),
                        .timers = l->wheel.armed, .full = l->actors->nfull, .pool_blocks = l->pool.live,
                        .cpu = l->profile.all, .cpu_own = l->profile.own};
    r->load = (uint32_t)((uint64_t)rp__load_at(&l->load, l->now) * 1000 / RP__LOAD_FULL);
    for (unsigned c = 0; c < RP__STACK_CLASSES; c++) {
        r->stacks += l->stacks.nlive[c];
        r->stacks_free += l->stacks.nfree[c];
    }
}

int rp_inspect_loop(rp_self *me, unsigned loop, rp_time deadline, rp_loop_info *ret)
{
    if (!ret || loop >= me->loop->sys->nloops)
        return -EINVAL;
    struct loop_look *q = rp__look_new(me, sizeof *q, see_loop);
    if (!q)
        return -ENOMEM;
    struct rp__look *k = &q->look;
    int rc = rp__look(me, &k, loop, deadline);
    if (rc == 0)
        *ret = q->info;
    rp__look_free(me, k);
    return rc;
}
