/* SPDX-License-Identifier: MIT
 *
 * outbox.h - what waits to leave by a link, and leaves: frames behind each other in two queues, and one batch at a time
 * that the carrier has. All of it stands under the link's lock.
 */
#ifndef RP__OUTBOX_H
#define RP__OUTBOX_H

#include "cluster/wire/wire.h"
#include "loop/base/list.h"
#include "loop/loop.h"

#include <pthread.h>

struct rp__link;

struct rp__outbuf {
    struct rp__outbuf *next;
    size_t n, size;
    unsigned char data[];
};

struct rp__outq {
    struct rp__outbuf *first, *last;
};

struct rp__batch { /* what goes out at once: one SP message, behind the SP header the first time */
    unsigned char head[RP__SP_HEADER + 13];
    size_t nhead;
    struct rp__outbuf *buf[2]; /* control, bulk; either may be NULL */
};

struct rp__outbox {
    struct rp__outq control, bulk;
    size_t queued;               /* bytes in bulk, */
    size_t held;                 /* in all: of the batch too */
    bool told;                   /* that replies are not kept any more, until there is less */
    /* Changes whenever the carrier gets rid of some. Compared with itself only, so relaxed: on any thread. */
    _Atomic uint64_t moved;
    struct rp__outbuf *spare;
    struct rp__batch batch;      /* the carrier's while `sending` */
    bool sending, cut;           /* cut: the carrier has let go of it */
    bool greeted;                /* the SP header has gone out */
    struct rp__hook room;        /* rp_self that wait for bulk to shrink, with a struct rp__turn each (room.c) */
    size_t promised;             /* bytes of those whose turn has come and that have not written yet */
    const rp_self *writes;       /* whose turn came last, */
    size_t may_write;            /* and so much more it may write before it stands behind those in line */
    pthread_mutex_t at_wire;     /* around the carrier's send and go_on: taken under the link's lock, kept beyond it */
};

void rp__outbox_init(struct rp__link *k);
void rp__outbox_free(struct rp__link *k);

/* Room for a frame of n payload bytes at the end of a queue; the lock is held. NULL: no memory. */
unsigned char *rp__link_frame(struct rp__link *k, bool control, uint8_t type, uint8_t flags, uint16_t number, size_t n);

/* The others take the lock. */

/* A whole frame, from a loop; it leaves at the end of the round. 0, -ENOMEM;
 * -EHOSTUNREACH: it is down (control frames pass as long as there is a wire), or is given up because so much waits for the peer. */
int  rp__link_emit(struct rp_loop *l, struct rp__link *k, bool control, uint8_t type, uint16_t number, const void *payload, size_t n);

void rp__link_touch(struct rp_loop *l, struct rp__link *k); /* it has been written to */
void rp__link_sent(struct rp__link *k, int rc);             /* the batch; by the carrier */
void rp__link_pulse(struct rp__link *k);                    /* PING, if nothing else is on its way; any thread */

/* Nothing more is taken in but control frames, and who waits for room hears of it; `drop`: nor does what there is in bulk
 * leave. What leaves does so at once, if it can. */
void rp__outbox_down(struct rp__link *k, bool drop);
void rp__outbox_cut(struct rp__link *k);   /* nothing is sent from here on, by whatever thread, nor is any still at it */
bool rp__outbox_gone(struct rp__link *k);  /* all that could be sent has been */

#endif
