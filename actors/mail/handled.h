/* SPDX-License-Identifier: MIT
 *
 * handled.h - how an actor begins with a message, and how it is done with it. On each message's way, and so inline.
 */
#ifndef RP__HANDLED_H
#define RP__HANDLED_H

#include "actors/mail/trace.h"
#include "actors/mail/mail.h"
#include "actors/table/meter.h"
#include "actors/table/runtime.h"

/* By the clock and not by the round's time: a round may last, and nothing is to be begun that nobody
 * waits for any more. */
static inline bool rp__expired(struct rp_loop *l, struct rp__slot *s)
{
    return rp__flags(s->type) & RP__F_DEADLINE && (rp_time)*rp__deadline_of(s) <= l->world->now(l);
}

/* Its actor begins with it. */
static inline void rp__begin(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s)
{
    rp__begun(l, s);
    if (a->flags & RP__A_TRACED)
        rp__trace_recv(l, a, s);
}

/* What makes the end of a message more than a count. */
#define RP__ENDS_SLOWLY (RP__FLAG(RP__F_CALL | RP__F_NODE | RP__F_BIG | RP__F_DROP | RP__F_TAKEN) | RP__STAMP | RP__RIGHTS)

__attribute__((always_inline)) static inline void rp__done_with(struct rp_loop *l, struct rp__slot *s, bool owned)
{
    const uint64_t answered = RP__FLAG(RP__F_CALL | RP__F_SPENT);
    uint64_t special = s->type & (RP__ENDS_SLOWLY | answered);
    if (__builtin_expect(special & RP__ENDS_SLOWLY && special != answered, 0)) {
        rp__finish(l, s, RP__HANDLED);
        return;
    }
    rp__tally(l, RP__HANDLED, 1);
    if (owned || s->type & RP__FLAG(RP__F_OWNED))
        rp__msg_shell_free(l, s);
}

#endif
