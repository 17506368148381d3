/* SPDX-License-Identifier: MIT
 *
 * links.c - two actors that end together.
 *
 *   one's loop                                      the other's loop
 *   half a link  <---- both made by rp_link ---->   LINK: half a link
 *   ends: EXIT   ------------------------------->   takes its half out; is stopped, or gets RP_EXIT_NOTICE
 *   rp_unlink: UNLINK -------------------------->   takes its half out
 *
 * Each half holds the EXIT that will be sent, ready but for the reason, so that it cannot fail to be. Both
 * ends may link, unlink and link again while the other's word is on its way: a link has a number from each
 * end that asked for it, UNLINK names those its sender knew, and a half stays while it has a number left. So
 * either both halves are there or none, once everything has arrived.
 */
#include "actors/life/life.h"
#include "actors/mail/trace.h"
#include "actors/table/post.h"
#include "actors/table/reports.h"
#include "actors/table/runtime.h"
#include "actors/table/why.h"
#include "loop/here.h"

#include <errno.h>

struct rp__bond {
    struct rp__hook link; /* in its actor's list */
    uint64_t peer;
    uint64_t mine, theirs; /* numbers, by who asked; 0: none */
    struct rp__spill *exit;
};

static struct rp__bond *bond_new(struct rp_loop *l, uint64_t owner, uint64_t peer)
{
    struct rp__bond *b = rp__pool_get(&l->pool, sizeof *b);
    struct rp__spill *exit = b ? rp__spill_new(l) : 0;
    if (!exit) {
        if (b)
            rp__pool_free(&l->pool, b, sizeof *b);
        return 0;
    }
    exit->slot[0] = (struct rp__slot){peer, owner, rp__op_word(RP__OP_EXIT), {0}};
    *b = (struct rp__bond){.peer = peer, .exit = exit};
    return b;
}

static void bond_free(struct rp_loop *l, struct rp__bond *b)
{
    if (!b)
        return;
    rp__unlink(&b->link);
    if (b->exit)
        rp__spill_free(l, b->exit);
    rp__pool_free(&l->pool, b, sizeof *b);
}

static struct rp__bond *find(const struct rp__actor *a, uint64_t peer)
{
    if (!a || !a->extra)
        return 0;
    for (struct rp__hook *at = a->extra->bonds.next; at != &a->extra->bonds; at = at->next)
        if (RP__OF(struct rp__bond, link, at)->peer == peer)
            return RP__OF(struct rp__bond, link, at);
    return 0;
}

static void say_exit(struct rp_loop *l, struct rp__bond *b, int reason, const char *why, bool known, const rp_actor *kind)
{
    uint64_t *body = b->exit->slot[0].body;
    if (rp__traces(l, RP__T_LINK))
        rp__trace_down(l, rp__ref(l, b->exit->slot[0].from), reason, b->peer);
    body[0] = (uint64_t)known << 32 | (uint32_t)reason;
    body[1] = kind && !(kind->flags & RP__KIND_COPY) ? (uintptr_t)kind : 0; /* a copy may be gone when it comes */
    rp__why_write(l, body + 2, 3, why);
    rp__post_made(l, b->exit);
    b->exit = 0;
    bond_free(l, b);
}

int rp_link(rp_self *me, rp_ref who)
{
    struct rp_loop *l = me->loop;
    struct rp__actor *a = me->actor;
    rp__must_be_here(me);
    if (l->slow & RP__SLOW_FORKED)
        return -EPERM;
    if (!a || who.node != l->node || rp__loop_of(who.local) >= l->sys->nloops)
        return -EINVAL;
    if (who.local == a->addr || find(a, who.local))
        return 0;
    struct rp__extra *x = rp__extra(l, a);
    struct rp__bond *b = x ? bond_new(l, a->addr, who.local) : 0;
    struct rp__bond *other = b ? bond_new(l, who.local, a->addr) : 0;
    int rc = other ? 0 : -ENOMEM;
    if (rc == 0) {
        b->mine = other->theirs = rp__new_number(l);
        struct rp__slot s = {who.local, a->addr, rp__op_word(RP__OP_LINK), {(uintptr_t)other, b->mine}};
        rc = rp__post_slots(l, rp__route_of(l, who.local), &s, 1);
    }
    if (rc == 0) {
        rp__list_push(&x->bonds, &b->link);
        if (rp__traces(l, RP__T_LINK))
            rp__trace_tie(l, a->addr, "is linked with", who);
        return 0;
    }
    bond_free(l, b);
    bond_free(l, other);
    return rc;
}

void rp_unlink(rp_self *me, rp_ref who)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    struct rp__bond *b = who.node == l->node ? find(me->actor, who.local) : 0;
    if (!b)
        return;
    rp__signal(l, who.local, me->actor->addr, RP__OP_UNLINK, b->mine, b->theirs);
    if (rp__traces(l, RP__T_LINK))
        rp__trace_tie(l, me->actor->addr, "is linked no more with", who);
    bond_free(l, b);
}

void rp__on_link(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__bond *b = (struct rp__bond *)(uintptr_t)s->body[0];
    struct rp__actor *a = rp__actor_find(l->actors, s->to);
    struct rp__bond *there = find(a, s->from);
    struct rp__extra *x = a ? rp__extra(l, a) : 0;
    if (!x) {
        say_exit(l, b, a ? -ENOMEM : -ESRCH, "there is no such actor", true, 0);
    } else if (there) {
        there->theirs = s->body[1];
        bond_free(l, b);
    } else {
        rp__list_push(&x->bonds, &b->link);
    }
}

void rp__link_undone(struct rp_loop *l, struct rp__slot *s)
{
    bond_free(l, (struct rp__bond *)(uintptr_t)s->body[0]);
}

void rp__on_unlink(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__bond *b = find(rp__actor_find(l->actors, s->to), s->from);
    if (!b)
        return;
    if (b->theirs == s->body[0])
        b->theirs = 0;
    if (b->mine == s->body[1])
        b->mine = 0;
    if (b->mine == 0 && b->theirs == 0)
        bond_free(l, b);
}

void rp__on_exit(struct rp_loop *l, struct rp__slot *s)
{
    struct rp__actor *a = rp__actor_find(l->actors, s->to);
    struct rp__bond *b = find(a, s->from);
    int reason = (int32_t)(uint32_t)s->body[0];
    bool told = b && (!(a->flags & (RP__A_ENDING | RP__A_STOPPED)) || !(~a->flags & (RP__A_KEPT | RP__A_TRAP)));
    bond_free(l, b);
    if (told && (reason < 0 || a->flags & RP__A_TRAP))
        rp__actor_stop(l, a, s->from, reason, rp__why_read(s->body + 2, 3));
    else if (!told && !(s->body[0] >> 32) && rp__is_failure(reason)) { /* it was to be this one's, which is no more */
        rp__report_left_failure(l, s->from, (const rp_actor *)(uintptr_t)s->body[1], reason, rp__why_read(s->body + 2, 3));
        rp__failure_noted(l, reason);
    }
}

void rp__bonds_end(struct rp_loop *l, struct rp__actor *a, bool known)
{
    for (struct rp__hook *at; (at = rp__list_pop(&a->extra->bonds));)
        say_exit(l, RP__OF(struct rp__bond, link, at), a->reason, a->why ? a->why : "a linked actor ended", known, a->kind);
}
