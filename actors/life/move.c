/* SPDX-License-Identifier: MIT
 *
 * move.c - the steps of a move, each on the loop that takes it. What they are for: move.h.
 */
#include "actors/life/move.h"

#include "actors/life/life.h"
#include "actors/mail/mail.h"
#include "actors/mail/trace.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "loop/here.h"
#include "loop/rest.h"
#include "loop/system.h"

#include <errno.h>
#include <string.h>

/* ---- answers ------------------------------------------------------------------------------------- */

static void answered(struct rp__errand *e, struct rp_loop *l)
{
    struct rp__request *r = RP__OF(struct rp__request, answer, e);
    (void)l;
    rp__wake(r->who, r->rc);
}

static struct rp__slot answer_slot(struct rp__request *r)
{
    r->answer.fn = answered;
    return (struct rp__slot){rp__loop_addr(r->loop), 0, rp__op_word(RP__OP_RUN), {(uintptr_t)&r->answer}};
}

/* `made`: by which, if it has been made before. */
static void answer(struct rp_loop *l, struct rp__request *r, int rc, struct rp__spill *made)
{
    r->rc = rc;
    if (!r->who) {
        rp__pool_free(&l->pool, r, sizeof *r);
        if (made)
            rp__spill_free(l, made);
        return;
    }
    struct rp__slot s = answer_slot(r);
    if (!made) {
        rp__post_sure(l, &s);
        return;
    }
    made->slot[0] = s;
    rp__post_made(l, made);
}

/* ---- its memory ---------------------------------------------------------------------------------- */

static void move_free(struct rp_loop *l, struct rp__move *m)
{
    size_t size = sizeof *m + m->loops * sizeof *m->at;
    for (unsigned i = 0; i < RP__MOVE_SPILLS; i++)
        if (m->spill[i])
            rp__spill_free(l, m->spill[i]);
    for (unsigned i = 0; i < m->loops; i++) {
        if (m->at[i].where)
            rp__pool_free(&l->pool, m->at[i].where, sizeof *m->at[i].where);
        if (m->at[i].change)
            rp__spill_free(l, m->at[i].change);
        if (m->at[i].changed)
            rp__spill_free(l, m->at[i].changed);
    }
    rp__pool_free(&l->pool, m, size);
}

static struct rp__spill *spill_for(struct rp_loop *l, unsigned loop, struct rp__errand *e)
{
    struct rp__spill *s = rp__spill_new(l);
    if (s)
        s->slot[0] = (struct rp__slot){rp__loop_addr(loop), 0, rp__op_word(RP__OP_RUN), {(uintptr_t)e}};
    return s;
}

static bool has_all(const struct rp__move *m, bool records)
{
    for (unsigned i = 0; i < RP__MOVE_SPILLS; i++)
        if (!m->spill[i])
            return false;
    for (unsigned i = 0; i < m->loops; i++)
        if ((records && !m->at[i].where) || !m->at[i].change || !m->at[i].changed)
            return false;
    return true;
}

static void prepare(struct rp__errand *e, struct rp_loop *l);
static void ready(struct rp__errand *e, struct rp_loop *l);
static void change(struct rp__errand *e, struct rp_loop *l);
static void changed(struct rp__errand *e, struct rp_loop *l);
static void install(struct rp__errand *e, struct rp_loop *l);

/* With all that it will need. NULL: no memory. */
static struct rp__move *move_new(struct rp_loop *l, struct rp__actor *a, struct rp__request *r)
{
    unsigned n = l->sys->nloops;
    bool records = !rp__where_find(l->actors, a->addr); /* else every loop has one */
    size_t size = sizeof(struct rp__move) + n * sizeof(struct rp__at);
    struct rp__move *m = rp__pool_get(&l->pool, size);
    if (!m)
        return 0;
    memset(m, 0, size);
    m->prepare.fn = prepare;
    m->ready.fn = ready;
    m->change.fn = change;
    m->changed.fn = changed;
    m->install.fn = install;
    m->request = r;
    m->addr = a->addr;
    m->a = a;
    m->kind = a->kind;
    m->site = rp__site_of(l, a);
    m->limit = a->limit;
    m->limit_bytes = a->limit_bytes;
    m->overflow = a->overflow;
    m->redirect = a->extra ? a->extra->redirect : (rp_ref){0, 0};
    m->from = l->index;
    m->to = r->to;
    m->loops = m->left = n;
    rp__list_init(&m->held[0]);
    rp__list_init(&m->held[1]);
    m->spill[TO_PREPARE] = spill_for(l, m->to, &m->prepare);
    m->spill[TO_READY] = spill_for(l, m->from, &m->ready);
    m->spill[TO_INSTALL] = spill_for(l, m->to, &m->install);
    m->spill[TO_ANSWER] = rp__spill_new(l);
    for (unsigned i = 0; i < n; i++) {
        struct rp__where *w = records ? rp__pool_get(&l->pool, sizeof *w) : 0;
        if (w)
            *w = (struct rp__where){.addr = m->addr, .loop = m->from};
        m->at[i] = (struct rp__at){w, spill_for(l, i, &m->change), spill_for(l, m->from, &m->changed)};
    }
    if (has_all(m, records))
        return m;
    move_free(l, m);
    return 0;
}

static void post(struct rp_loop *l, struct rp__spill **s)
{
    struct rp__spill *made = *s;
    *s = 0;
    rp__post_made(l, made);
}

/* ---- signals to one that moves ------------------------------------------------------------------- */

static struct rp__spill *spill_of(struct rp_loop *l, const struct rp__slot *s)
{
    struct rp__spill *made = rp__spill_new(l);
    if (!made)
        made = rp__reserve_take(l);
    if (made)
        made->slot[0] = *s;
    return made;
}

bool rp__move_hold(struct rp_loop *l, struct rp__actor *a, const struct rp__slot *s)
{
    struct rp__move *m = a->move;
    switch ((unsigned)rp__op_of(s->type)) {
    case RP__OP_MOVE: /* it is told no; and who has asked for this one gets his answer soon */
    case RP__OP_STAY:
    case RP__OP_BORN: /* not to the actor, but to a coroutine of it */
    case RP__OP_NO_REPLY:
    case RP__OP_HAS:
        return false;
    default:
        break;
    }
    struct rp__spill *held = spill_of(l, s);
    if (held)
        rp__list_push(&m->held[l->index == m->to], &held->link);
    return true;
}

static void act_on(struct rp_loop *l, struct rp__hook *held, bool moved)
{
    for (struct rp__hook *at; (at = rp__list_pop(held));) {
        struct rp__spill *s = RP__OF(struct rp__spill, link, at);
        if (!moved || rp__op_of(s->slot->type) != RP__OP_MORE) /* its loop has let all go on who waited */
            rp__on_signal(l, s->slot);
        rp__spill_free(l, s);
    }
}

/* It is an idle handler, and what has come meanwhile comes first. */
static void go_on(struct rp_loop *l, struct rp__actor *a)
{
    a->flags &= ~(uint32_t)(RP__A_BUSY | RP__A_MOVING | RP__A_DRAINS);
    rp__drain(l, a);
}

static void thaw(struct rp_loop *l, struct rp__actor *a)
{
    a->why = 0;
    l->actors->nmoving--;
    go_on(l, a);
}

/* ---- S: it begins -------------------------------------------------------------------------------- */

static int begin(struct rp_loop *l, struct rp__actor *a, struct rp__request *r)
{
    int rc = rp__kin_apart(l, a);
    struct rp__move *m = rc == 0 ? move_new(l, a, r) : 0;
    if (!m)
        return -ENOMEM;
    a->flags |= RP__A_BUSY | RP__A_MOVING;
    a->move = m;
    l->actors->nmoving++;
    post(l, &m->spill[TO_PREPARE]);
    return 0;
}

/* ---- D: a shell, to which messages may come ------------------------------------------------------ */

/* At its birthplace its slot is free for it. */
static struct rp__actor *slot_for(struct rp_loop *l, struct rp__move *m)
{
    if (rp__loop_of(m->addr) == l->index)
        return rp__actor_at(l->actors, rp__slot_of(m->addr));
    struct rp__where *w = rp__where_find(l->actors, m->addr);
    struct rp__actor *a = rp__actor_new(l);
    if (!a)
        return 0;
    if (!w) {
        w = m->at[l->index].where;
        m->at[l->index].where = 0;
        rp__where_add(l, w);
    }
    w->here = a;
    w->own = a->addr;
    a->flags = RP__A_GUEST; /* what else it is comes with it */
    a->prev = rp__slot_of(a->addr);
    return a;
}

static int shell_new(struct rp_loop *l, struct rp__move *m)
{
    struct rp__extra *x = 0;
    if (!rp_ref_none(m->redirect)) {
        if (!(x = rp__pool_get(&l->pool, sizeof *x)))
            return -ENOMEM;
        *x = (struct rp__extra){.redirect = m->redirect};
    }
    const rp_actor *kind = rp__kind_enter(l, &l->actors->kinds, m->kind); /* this loop's own: the other's goes when it has left */
    struct rp__actor *a = kind ? slot_for(l, m) : 0;
    if (!a) {
        rp__kind_leave(kind);
        if (x)
            rp__pool_free(&l->pool, x, sizeof *x);
        return -ENOMEM;
    }
    a->addr = m->addr;
    rp__site_note(l, a, m->site);
    a->kind = kind;
    a->limit = m->limit;
    a->limit_bytes = m->limit_bytes;
    a->overflow = m->overflow;
    a->extra = x;
    a->flags |= RP__A_BUSY | RP__A_MOVING;
    a->move = m;
    m->shell = a;
    l->actors->nmoving++;
    return 0;
}

static void prepare(struct rp__errand *e, struct rp_loop *l)
{
    struct rp__move *m = RP__OF(struct rp__move, prepare, e);
    m->rc = shell_new(l, m);
    post(l, &m->spill[TO_READY]);
}

/* ---- S, then each loop: from here on messages go there --------------------------------------------- */

static void ready(struct rp__errand *e, struct rp_loop *l)
{
    struct rp__move *m = RP__OF(struct rp__move, ready, e);
    if (m->rc != 0) { /* nobody knows of it yet */
        thaw(l, m->a);
        act_on(l, &m->held[0], false);
        answer(l, m->request, m->rc, m->spill[TO_ANSWER]);
        m->spill[TO_ANSWER] = 0;
        move_free(l, m);
        return;
    }
    for (unsigned i = 0; i < m->loops; i++)
        post(l, &m->at[i].change);
}

static void change(struct rp__errand *e, struct rp_loop *l)
{
    struct rp__move *m = RP__OF(struct rp__move, change, e);
    struct rp__at *at = &m->at[l->index];
    struct rp__where *w = rp__where_find(l->actors, m->addr);
    if (!w) {
        w = at->where;
        at->where = 0;
        rp__where_add(l, w);
    }
    w->loop = m->to;
    if (m->to == rp__loop_of(m->addr) && !w->here)
        rp__where_remove(l, w); /* home again; where it still is, that is found by it */
    rp__full_moved(l, m->addr);
    post(l, &at->changed);
}

/* ---- S: nothing more can come ---------------------------------------------------------------------- */

static void changed(struct rp__errand *e, struct rp_loop *l)
{
    struct rp__move *m = RP__OF(struct rp__move, changed, e);
    struct rp__actor *a = m->a;
    if (--m->left > 0)
        return;
    rp__baggage_pack(l, a);
    m->gone = *a;
    m->cpu = rp__cpu_of(l, a);
    m->on_way = true;
    l->actors->nmoving--;
    if (a->flags & RP__A_GUEST) {
        struct rp__where *w = rp__where_find(l->actors, m->addr);
        a->addr = w->own;
        w->here = 0;
        if (w->loop == rp__loop_of(m->addr))
            rp__where_remove(l, w);
        a->flags = 0;
        rp__actor_free(l, a);
    } else {
        rp__kind_leave(a->kind);
        memset(a, 0, sizeof *a); /* reserved: it is in no list, and answers to no address */
    }
    post(l, &m->spill[TO_INSTALL]);
}

/* ---- D: it lives here ------------------------------------------------------------------------------ */

static void install(struct rp__errand *e, struct rp_loop *l)
{
    struct rp__move *m = RP__OF(struct rp__move, install, e);
    struct rp__actor *a = m->shell, shell = *a;
    if (shell.extra)
        rp__pool_free(&l->pool, shell.extra, sizeof *shell.extra);
    *a = m->gone;
    a->kind = shell.kind;
    a->flags = (a->flags & ~(uint32_t)RP__A_GUEST) | (shell.flags & RP__A_GUEST);
    a->flags |= a->flags & RP__A_STACK_MASK ? RP__A_UNFIT : 0; /* this loop's stack may be smaller than that one's */
    rp__trace_actor(l, a);
    rp__placed(a, m->request->by_mover ? RP_PLACED_MOVER : RP_PLACED_MOVED);
    a->first_child = a->next = RP__NOBODY;
    a->prev = shell.prev;
    a->box = rp__boxes_join(l, a->box, shell.box);
    rp__baggage_unpack(l, a);
    rp__cpu_brought(l, a, m->cpu);
    thaw(l, a);
    act_on(l, &m->held[0], true);
    act_on(l, &m->held[1], true);
    answer(l, m->request, 0, m->spill[TO_ANSWER]);
    m->spill[TO_ANSWER] = 0;
    move_free(l, m);
}

/* ---- S: who asks ----------------------------------------------------------------------------------- */

/* 1: it may move. */
static int may_move(const struct rp_loop *l, const struct rp__actor *a, unsigned to, bool by_mover)
{
    if (!a)
        return -ESRCH;
    if (by_mover && !(a->kind->flags & RP_MOVABLE))
        return -EPERM;
    if (a->flags & RP__A_MOVING || (a->extra && a->extra->leave))
        return -EALREADY;
    if (a->flags & RP__A_DOWN)
        return -EBUSY;
    if (a->flags & (RP__A_ENDING | RP__A_STOPPED))
        return -ESRCH;
    if (a->flags & RP__A_COROUTINE || a->parent == 0)
        return -ENOTSUP;
    return to == l->index ? 0 : 1;
}

static int when_idle(struct rp_loop *l, struct rp__actor *a, struct rp__request *r)
{
    struct rp__extra *x = rp__extra(l, a);
    if (!x)
        return -ENOMEM;
    x->leave = r;
    a->flags |= RP__A_LEAVES;
    return 1;
}

void rp__on_move(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__request *r = (struct rp__request *)(uintptr_t)s->body[0];
    struct rp__actor *a = rp__actor_find(l->actors, s->to);
    int rc = may_move(l, a, r->to, r->by_mover);
    if (rc == 1)
        rc = a->flags & RP__A_BUSY ? when_idle(l, a, r) : begin(l, a, r) == 0 ? 1 : -ENOMEM;
    if (rc != 1)
        answer(l, r, rc, 0);
}

void rp__move_undone(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__request *r = (struct rp__request *)(uintptr_t)s->body[0];
    if (!r->who)
        rp__pool_free(&l->pool, r, sizeof *r);
}

void rp__on_stay(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__actor *a = rp__actor_find(l->actors, s->to);
    if (a && a->extra && a->extra->leave && a->extra->leave->id == s->body[0])
        rp__leave_not(l, a, -ECANCELED);
}

void rp__leave_not(struct rp_loop *l, struct rp__actor *a, int err)
{
    struct rp__request *r = a->extra ? a->extra->leave : 0;
    if (!r)
        return;
    a->extra->leave = 0;
    a->flags &= ~(uint32_t)RP__A_LEAVES;
    answer(l, r, err, 0);
}

void rp__leave(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__request *r = a->extra->leave;
    a->extra->leave = 0;
    a->flags &= ~(uint32_t)RP__A_LEAVES;
    int rc = begin(l, a, r);
    if (rc == 0)
        return;
    go_on(l, a);
    answer(l, r, rc, 0);
}

/* ---- for users ------------------------------------------------------------------------------------- */

/* Its end is always an answer: from who has moved it, or has not and will not. */
static bool withdraw(rp_self *me)
{
    struct rp__request *r = me->got;
    if (!r->withdrawn)
        rp__signal(me->loop, (uint64_t)(uintptr_t)me->waits_on, 0, RP__OP_STAY, r->id, 0);
    r->withdrawn = true;
    return false;
}

int rp__move_unasked(struct rp_loop *l, uint64_t addr, unsigned to)
{
    struct rp__request *r = rp__pool_get(&l->pool, sizeof *r);
    if (!r)
        return -ENOMEM;
    *r = (struct rp__request){.to = to, .loop = l->index};
    struct rp__slot s = {addr, 0, rp__op_word(RP__OP_MOVE), {(uintptr_t)r}};
    int rc = rp__post_slots(l, rp__route_of(l, addr), &s, 1);
    if (rc != 0)
        rp__pool_free(&l->pool, r, sizeof *r);
    return rc;
}

/* It is in the middle of a message, and is gone with the end of that. */
static int move_self(rp_self *me, unsigned to)
{
    struct rp__actor *a = me->actor;
    int rc = a->flags & (RP__A_ENDING | RP__A_STOPPED) ? -ECANCELED : may_move(me->loop, a, to, false);
    return rc == 1 ? rp__move_unasked(me->loop, a->addr, to) : rc;
}

int rp_move(rp_self *me, rp_ref who, unsigned on)
{
    return rp__move(me, who, on, false);
}

int rp__move(rp_self *me, rp_ref who, unsigned on, bool by_mover)
{
    struct rp_loop *l = me->loop;
    struct rp__request r = {.who = me, .loop = l->index, .by_mover = by_mover};
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    if (!me->actor || rp_ref_none(who) || who.node != l->node || rp__loop_of(who.local) >= l->sys->nloops)
        return -EINVAL;
    int rc = rp__place(l, on, &r.to);
    if (rc == 0 && who.local == me->actor->addr)
        return rp__rested(me, move_self(me, r.to));
    if (rc == 0)
        rc = rp__may_park(me, RP_FOREVER);
    if (rc != 0)
        return rc;
    r.id = rp__new_number(l);
    struct rp__slot s = {who.local, me->actor->addr, rp__op_word(RP__OP_MOVE), {(uintptr_t)&r}};
    rc = rp__post_slots(l, rp__route_of(l, who.local), &s, 1);
    if (rc != 0)
        return rc;
    me->got = &r;
    return rp__park(me, "move", (void *)(uintptr_t)who.local, withdraw, RP_FOREVER);
}
