/* SPDX-License-Identifier: MIT
 *
 * finish.c - the ends of a message: whoever waits for an answer to it hears that there is none, what it owns is
 * released, and it is counted.
 */
#include "actors/mail/letters.h"
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/table/meter.h"
#include "actors/table/runtime.h"

#include <errno.h>

static int why_unanswered(enum rp__tally how)
{
    return how == RP__HANDLED ? -EPIPE : how == RP__DROPPED ? -EAGAIN : how == RP__EXPIRED ? -ETIMEDOUT : -ESRCH;
}

/* Who asked in this process and let the time pass knows so by itself; a peer keeps a record until it is answered. */
static bool wants_to_hear(const struct rp__slot *s, enum rp__tally how)
{
    unsigned f = rp__flags(s->type);
    return (f & (RP__F_CALL | RP__F_SPENT | RP__F_TAKEN)) == RP__F_CALL && (how != RP__EXPIRED || f & RP__F_NODE);
}

/* A message from another process has been taken: the credit it used goes back. Once. */
void rp__pay(struct rp_loop *l, struct rp__slot *s)
{
    if ((rp__flags(s->type) & (RP__F_NODE | RP__F_PAID | RP__F_TAKEN)) != RP__F_NODE)
        return;
    s->type |= RP__FLAG(RP__F_PAID);
    rp__consumed(l, s);
}

void rp__finish(struct rp_loop *l, struct rp__slot *s, enum rp__tally how)
{
    if (wants_to_hear(s, how))
        rp__no_reply(l, s, why_unanswered(how));
    rp__pay(l, s);
    if (s->type & RP__RIGHTS && !(rp__flags(s->type) & (RP__F_TAKEN | RP__F_SYSTEM)))
        rp__tokens_break(l, s);
    if (s->type & RP__FLAG(RP__F_TAKEN))
        ; /* moved on, and ends elsewhere */
    else if (how == RP__HANDLED)
        rp__done(l, s);
    else
        rp__died(l, s, how);
    rp__msg_end(l, s, how);
}
