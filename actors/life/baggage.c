/* SPDX-License-Identifier: MIT
 *
 * baggage.c - what of an actor is tied to its loop, and is taken up before it moves and put down after.
 *
 *   kin        parent, children and siblings know each other by slots of their loop: they get the records by
 *              which those on different loops know each other
 *   timers     stand in the loop's wheel
 *   monitors   by other processes stand in their link's list on the loop
 *   full       who has been told that its mailbox is full (flow.c)
 *
 * All else is reached by its address, or is memory, which any loop may free.
 */
#include "actors/life/life.h"
#include "actors/life/move.h"
#include "actors/mail/mail.h"
#include "actors/table/runtime.h"

#include <errno.h>

/* ---- kin ----------------------------------------------------------------------------------------- */

static int apart(struct rp_loop *l, struct rp__actor *parent, struct rp__actor *child)
{
    struct rp__kid *k = rp__kid_new(l, parent);
    if (!k || !(child->farewell = rp__farewell_new(l, parent->addr, child->addr, k))) {
        if (k)
            rp__kid_free(l, k);
        return -ENOMEM;
    }
    rp__kid_born(l, k, child->addr);
    rp__siblings_leave(l, parent, child);
    child->kid = k;
    child->next = child->prev = RP__NOBODY;
    return 0;
}

int rp__kin_apart(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__actor *parent = a->kid ? 0 : rp__actor_find(l->actors, a->parent);
    int rc = parent ? apart(l, parent, a) : 0;
    while (rc == 0 && a->first_child != RP__NOBODY)
        rc = apart(l, a, rp__actor_at(l->actors, a->first_child));
    return rc;
}

/* ---- up and down --------------------------------------------------------------------------------- */

void rp__baggage_pack(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__extra *x = a->extra;
    if (a->box)
        rp__mailbox_untold(l, a->box);
    if (!x)
        return;
    rp__timers_pack(l, a);
    for (struct rp__hook *at = x->watches.next; at != &x->watches; at = at->next)
        rp__unlink(&RP__OF(struct rp__watch, link, at)->peer);
}

void rp__baggage_unpack(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__extra *x = a->extra;
    if (!x)
        return;
    rp__timers_unpack(l, a);
    for (struct rp__hook *at = x->watches.next, *next; at != &x->watches; at = next) {
        struct rp__watch *w = RP__OF(struct rp__watch, link, at);
        next = at->next;
        if (w->via && !rp__runtime(l)->route->watched(l, w))
            rp__watch_free(l, w); /* that link is gone */
    }
}

struct rp__mailbox *rp__boxes_join(struct rp_loop *l, struct rp__mailbox *first, struct rp__mailbox *then)
{
    if (!first || !then)
        return first ? first : then;
    rp_dropped why;
    for (rp_msg *m; (m = rp__mailbox_join(l, first, then, &why));)
        rp__drop(l, &m->slot, why);
    rp__mailbox_free(l, then);
    return first;
}
