/* SPDX-License-Identifier: MIT
 *
 * window.h - how much may be on its way of what must not pile up there.
 *
 * A ring holds a thousand messages, a loop's own queue as many as its senders' bursts. That is little memory while they lie
 * in the slots, and little beside a mailbox of the usual size. For others it is too much: bodies outside the slots, of up to
 * 1 MiB, and messages for mailboxes that are small. These are heavy: each way has a window, and who sends something heavy
 * waits while the window is full. A way is a loop's own queue, or a ring.
 *
 *   sender's loop    out + weight                                  what is on its way, as far as it knows
 *   target's loop    dispatches it: taken + weight (rings), out - weight (its own queue)
 *                    at the end of its round, and at half a window: returned = taken, behind what it has written to the
 *                    sender's loop
 *   sender's loop    reads returned, then the tail of the ring from there; when it has read up to that: out - what has come back
 *
 * That last condition makes it exact: a message that finds its mailbox full makes its loop say FULL (actors/mail/flow.c), and who
 * counts on the room that this message leaves on the way has heard of that before. So a mailbox gets at most a window more
 * than its bound from each way.
 *
 * Who waits for room in a window is woken as who waits for a slot is (`want` in ring.h). One is woken at a time, and wakes the next when it has taken its part.
 */
#ifndef RP__WINDOW_H
#define RP__WINDOW_H

#include "loop/waitlist.h"

struct rp__ring;

enum {
    RP__WAY_WINDOW = 1 << 20, /* bytes: something heavy may go while less than that is on its way */
    RP__WAY_FEW = 64, /* messages for small mailboxes, at most: each weighs so much that no more fit */
    RP__WEIGHT_LEAST = RP__WAY_WINDOW / RP__WAY_FEW,
    RP__WEIGHT_NARROW = 4 /* times its size weighs a body for a small mailbox */
};

struct rp__window {
    uint64_t out;
    bool promised; /* one has been woken, and has not run yet */
    struct rp__waitlist waiters;
};

static inline bool rp__window_open(const struct rp__window *w)
{
    return w->out < RP__WAY_WINDOW;
}

/* Nobody has been here before. */
static inline bool rp__window_free(const struct rp__window *w)
{
    return !w->promised && rp__waitlist_empty(&w->waiters);
}

void rp__window_serve(struct rp__window *w, rp_time now); /* wakes the next, if there is room */
void rp__ring_return(struct rp_loop *l, struct rp__ring *r); /* the target's loop, between two messages: not only at the round's end */
bool rp__ring_window_open(struct rp_loop *l, struct rp__ring *r); /* the sender's loop looks what has come back */

#endif
