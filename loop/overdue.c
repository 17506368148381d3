/* SPDX-License-Identifier: MIT */
#include "loop/overdue.h"

#include "loop/system.h"

#include <errno.h>
#include <stdio.h>

/* When a wait that has just been looked into is looked into again, or is over. */
static rp_time next_look(const rp_self *self, rp_time now)
{
    rp_time age = now - self->since, last = (rp_time)RP__OVERDUE << (RP__LOOKS - 1);
    return age < last && now + age < self->until ? now + age : self->until;
}

static void look_into(rp_self *self, rp_time now)
{
    rp_time next = next_look(self, now);
    if (next != RP_FOREVER)
        rp__timer_start(&self->loop->wheel, &self->timer, next);
    self->overdue(self);
}

static void over(struct rp__timer *t, struct rp__wheel *w)
{
    (void)w;
    rp_self *self = RP__OF(rp_self, timer, t);
    if (!self->overdue || t->when >= self->until)
        rp__interrupt(self, -ETIMEDOUT);
    else
        look_into(self, t->when);
}

/* ---- the young ------------------------------------------------------------------------------------ */

static rp_time end_of_youth(const rp_self *self)
{
    return self->since + RP__OVERDUE;
}

/* Of all whose time has come, one at a time: how many timers fire in a round is bounded. */
static void grown(struct rp__timer *t, struct rp__wheel *w)
{
    struct rp__young *y = RP__OF(struct rp__young, timer, t);
    if (rp__list_empty(&y->line))
        return; /* started again by who comes next */
    rp_self *first = RP__OF(rp_self, young, y->line.next);
    if (end_of_youth(first) <= t->when) {
        rp__unlink(&first->young);
        if (first->state == RP__PARKED) /* else its wait is over, and it is about to run */
            look_into(first, t->when);
    }
    if (!rp__list_empty(&y->line))
        rp__timer_start(w, t, end_of_youth(RP__OF(rp_self, young, y->line.next)));
}

void rp__young_init(struct rp__young *y)
{
    rp__list_init(&y->line);
    y->timer.fire = grown;
}

void rp__wait_until(struct rp_loop *l, rp_self *me, rp_time deadline)
{
    me->until = deadline;
    me->timer.fire = over;
    if (me->overdue && deadline > end_of_youth(me)) {
        rp__list_push(&l->young.line, &me->young);
        if (!rp__timer_armed(&l->young.timer))
            rp__timer_start(&l->wheel, &l->young.timer, end_of_youth(me));
    } else if (deadline != RP_FOREVER)
        rp__timer_start(&l->wheel, &me->timer, deadline);
}

int rp__waits_for_itself(rp_self *me)
{
    const char *name = me->actor ? me->loop->sys->floor->name(me) : "?";
    snprintf(me->blame, sizeof me->blame, "%.28s > %.28s", name, name);
    return -EDEADLK;
}
