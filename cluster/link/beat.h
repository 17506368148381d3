/* SPDX-License-Identifier: MIT
 *
 * beat.h - does the peer live, and do we for it?
 *
 * Each link has a timer on its home loop: it sends PING, and judges. It counts beats, not time: a process that stood still
 * has not listened meanwhile, so first it reads what has come. A loop that a handler holds sends nothing; so a thread of its
 * own, the pulse, sends PING in its place, as long as the process lives and the loop is held for no longer than RP__HELD_MS.
 */
#ifndef RP__BEAT_H
#define RP__BEAT_H

#include "loop/base/list.h"

#include <pthread.h>
#include <stdbool.h>

struct rp__cluster;
struct rp__link;

enum {
    RP__HEARTBEAT_MS = 5000,                /* a peer that is silent for so long is lost */
    RP__BEAT_MS = RP__HEARTBEAT_MS / 4,
    RP__HELD_MS = 60000,                    /* a loop 0 that is held for longer is taken for dead */
    RP__UNREAD_MS = 60000                   /* a peer that is sent something and takes nothing of it for so long is lost */
};

struct rp__beat { /* of a link; the home loop's */
    bool heard;         /* something came since the last beat; a part of a frame will do, a large one takes long */
    unsigned quiet;     /* beats in a row in which nothing came */
    unsigned unread;    /* and in which the peer took nothing */
    uint64_t moved;     /* rp__outbox.moved at the last one */
    /* the pulse's, under its lock */
    struct rp__hook in; /* its list */
    unsigned held;      /* looks in a row at which the home loop had not beaten */
    bool beaten;        /* the home loop has since the last look: under the link's lock */
};

/* One beat of a link that is known. 0; -EHOSTUNREACH: the peer is lost. */
int rp__beat(struct rp__link *k);

struct rp__pulse { /* a cluster's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct rp__hook links; /* struct rp__link that are up */
    bool runs, over;
};

void rp__pulse_open(struct rp__cluster *c);
void rp__pulse_close(struct rp__cluster *c);
void rp__pulse_add(struct rp__link *k);
void rp__pulse_remove(struct rp__link *k); /* harmless when it is not in there; the thread does not touch it from here on */

#endif
