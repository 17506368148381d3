/* SPDX-License-Identifier: MIT
 *
 * inbox.h - the door by which any thread reaches a loop: a stack of posts, taken all at once.
 *
 * For what is rare: foreign threads, nng's and libuv's workers. Messages between loops go through
 * rings. A post is owned by the loop from rp__inbox_push until its fn is called, which may free it.
 */
#ifndef RP__INBOX_H
#define RP__INBOX_H

#include <stdatomic.h>

struct rp_loop;

struct rp__post {
    struct rp__post *next;
    void (*fn)(struct rp__post *, struct rp_loop *); /* runs on the loop; may not suspend */
};

struct rp__inbox {
    /* Pushed by any thread, exchanged with NULL by the loop. The push is seq_cst because it is the P1
     * of the wake protocol (ring.h); the look before blocking is its C2. The exchange is acquire: it
     * takes over what the pusher wrote into the post. */
    _Atomic(struct rp__post *) top;
};

/* Any thread; wakes the loop. -ESHUTDOWN: the loop has ended, the post is still the caller's. */
int  rp__inbox_push(struct rp_loop *l, struct rp__post *p);
void rp__inbox_push_own(struct rp_loop *l, struct rp__post *p); /* the loop, which takes a turn before it blocks and has not ended */
void rp__inbox_drain(struct rp_loop *l); /* the loop: runs them, oldest first */
void rp__inbox_close(struct rp_loop *l); /* the loop: runs what is there, refuses what comes later */

#endif
