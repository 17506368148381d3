/* SPDX-License-Identifier: MIT
 *
 * mailbox.h - where messages stand while their actor is busy: first in, first out, bounded.
 *
 * An actor that is idle has none: its messages go from the ring to its handler. The bound holds here,
 * where a message meets a busy actor; what is on its way in the rings comes on top of it, at most
 * RP__RING_SLOTS for each other loop and a burst for each sender on this one (docs/contract.md).
 */
#ifndef RP__MAILBOX_H
#define RP__MAILBOX_H

#include "mailbox/message.h"

struct rp__mailbox {
    struct rp__slot *first, *last; /* linked through `to`, which is the owner's address again when taken */
    uint64_t owner;
    uint32_t count;
    uint32_t told;                 /* loops that know it is full */
    size_t bytes;
    uint64_t told_set[];           /* a bit for each of them */
};

struct rp__mailbox *rp__mailbox_new(struct rp_loop *l, uint64_t owner);   /* NULL: no memory */
void rp__mailbox_free(struct rp_loop *l, struct rp__mailbox *b);          /* empty; NULL too */
void rp__mailbox_put(struct rp_loop *l, struct rp__mailbox *b, rp_msg *m); /* takes m */

static inline rp_msg *rp__mailbox_take(struct rp__mailbox *b) /* the oldest; NULL: empty */
{
    struct rp__slot *s = b->first;
    if (!s)
        return 0;
    b->first = (struct rp__slot *)(uintptr_t)s->to;
    b->count--;
    b->bytes -= rp__weight(s);
    s->to = b->owner;
    return (rp_msg *)s;
}

#endif
