/* SPDX-License-Identifier: MIT
 *
 * shed.c - a mailbox in which messages always stand for too long lets go of those that have stood longest.
 *
 * A burst makes a line that goes away again, and nothing of it is dropped. A line that has been longer than the target
 * for all of an interval is another matter: as many come as go, and each waits for what stood there before it came. It
 * is kept short then, until it has been shorter. After CoDel (Nichols and Jacobson 2012); but its slow law of dropping
 * is for senders that slow down when they lose something. Here, as in Facebook's servers (Maurer 2015), the line is cut
 * to what can be handled in twice the target.
 *
 * How long a line is in time is known by its pace: of one message at a time, the marked one, it is known how long it
 * stood and how many were taken meanwhile (mailbox.h).
 */
#include "actors/mail/mail.h"
#include "actors/table/runtime.h"

enum {
    INTERVAL = 20, PATIENCE = 2, /* targets */
    SOME = 4                     /* units of mailbox.h's coarse time: less is not measured well */
};

static void cut(struct rp_loop *l, struct rp__actor *a, const struct rp__shed *s)
{
    rp_time room = PATIENCE * s->target / s->each;
    for (rp_msg *m; (rp_time)a->box->count > (room > 0 ? room : 1) && (m = rp__mailbox_take_oldest(l, a->box, 0));)
        rp__drop(l, &m->slot, RP_DROPPED_SHED);
}

void rp__shed(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__shed *s = &a->extra->shed;
    struct rp__mailbox *b = a->box;
    if (b->transit > 0 && b->stood_for >= SOME)
        s->each = rp__mailbox_stood(b) / b->transit + 1;
    b->transit = 0;
    if (b->count * s->each <= s->target)
        s->since = 0;
    else if (s->since == 0)
        s->since = l->now;
    else if (l->now - s->since >= INTERVAL * s->target)
        cut(l, a, s);
}
