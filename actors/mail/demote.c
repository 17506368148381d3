/* SPDX-License-Identifier: MIT
 *
 * demote.c - who holds its loop for long with a message lets everybody else's messages pass before its next one.
 *
 * A loop cannot take the processor from a handler. But of those that wait for a slow one, one after the other, each holds
 * up all that came after it. So a demoted actor's messages go to its mailbox, as if it were busy, and it gets them one at
 * a time, each when what stood in the loop's queue by then has had its turn: who is idle, or waits for a message, by
 * RP__OP_DRAIN, who is at one and takes the next itself by standing there. Their order is the same, its mailbox has its
 * bounds, and who sends to it waits where that is full.
 *
 * Who it was is known where the clock is looked at after one thing. It is looked at seldom where all is quick, and after each
 * of the next where something was too long (stint.h): so the first of a burst of slow messages goes by unseen, and it
 * costs nothing else. After a while without another one an actor is as all others.
 */
#include "actors/mail/mail.h"
#include "actors/mail/trace.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"

enum { FOR = RP_S }; /* since it has last held the loop */

void rp__overran(struct rp_loop *l, rp_time took)
{
    struct rp__actor *a = l->running->actor;
    struct rp__extra *x = a && a->addr && !(a->flags & RP__A_ENDING) ? rp__extra(l, a) : 0;
    if (!x)
        return; /* nobody's doing; or no memory, and it is seen the next time */
    x->demoted_until = l->now + FOR;
    if (a->flags & RP__A_DEMOTED)
        return;
    a->flags |= RP__A_DEMOTED;
    rp__tally(l, RP__DEMOTED, 1);
    if (rp__traces(l, RP__T_STALL))
        rp__trace_demoted(l, a, took);
}

struct stander {
    struct rp__errand errand;
    rp_self *self;
};

static void its_turn(struct rp__errand *e, struct rp_loop *l)
{
    (void)l;
    rp__wake(RP__OF(struct stander, errand, e)->self, 0);
}

void rp__stand_behind(rp_self *me)
{
    struct rp_loop *l = me->loop;
    struct stander s = {{its_turn, 0}, me};
    struct rp__spill *word = me->nowait || rp__keep_stack(me) != 0 ? 0 : rp__spill_new(l);
    if (!word)
        return;
    word->slot[0] = (struct rp__slot){rp__loop_addr(l->index), 0, rp__op_word(RP__OP_RUN), {(uintptr_t)&s.errand}};
    rp__post_made(l, word);
    (void)rp__park(me, "its turn", 0, 0, RP_FOREVER); /* nothing ends it before, and it has its stack */
}

bool rp__still_demoted(struct rp_loop *l, struct rp__actor *a)
{
    if (l->now < a->extra->demoted_until)
        return true;
    a->flags &= ~(uint32_t)RP__A_DEMOTED;
    return false;
}
