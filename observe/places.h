/* SPDX-License-Identifier: MIT
 *
 * places.h - the endpoint's inside: what its thread and the loops share.
 *
 * A client's way, by the state of its place:
 *
 *            thread                          thread                a loop, that comes first
 *   FREE ----accepts----> READS ----its line is there----> OFFERED ----takes it----> SERVED ----> FREE
 *                                                             |  ^                      |
 *                               no loop answers: the thread   |  +----------------------+
 *                                     FREE <---- ANSWERS <----+     the loop is held: the thread takes it back
 *
 * Who offers asks every loop, by a post that each has here, and that is not pushed again before the loop has
 * answered it. A loop answers by taking what is offered.
 */
#ifndef RP__PLACES_H
#define RP__PLACES_H

#include "loop/process/socket.h"
#include "loop/system.h"
#include "loop/watch/freeze.h"
#include "observe/endpoint.h"
#include "observe/request.h"

#include <pthread.h>

enum { RP__PLACES = 8 };
enum rp__place_state { RP__PLACE_FREE, RP__PLACE_READS, RP__PLACE_OFFERED, RP__PLACE_SERVED, RP__PLACE_ANSWERS };

/* A client that a loop serves. The loop's own, but for `place`, `begun` and `fd`: those are under the lock. */
struct rp__serving {
    struct rp__hook all; /* in the endpoint's list */
    struct rp__endpoint *e;
    struct rp__place *place; /* NULL: the thread has taken the client back */
    struct rp_loop *l;
    rp_self *co;
    int fd;
    bool begun;          /* something has been written to it */
    struct rp__text text;
    char block[RP__TEXT_ROOM]; /* its: a loop that does not end in peace leaves the coroutine as it is, and all it has */
    struct rp__request q;
};

struct rp__place {
    enum rp__place_state state;
    int fd;                  /* but in FREE and SERVED */
    rp_time next;            /* when the thread is to look at it again; in READS and ANSWERS: its time is up */
    unsigned refused;        /* by loops that have no memory for it */
    struct rp__serving *by;  /* in SERVED */
    struct rp__request q;
    char *out;               /* in ANSWERS: what it is given, */
    size_t n, room, done;    /* of this length, in a block of this size, so much of it written */
};

/* A loop, as the thread knows it. */
struct rp__asked {
    struct rp__post post;
    struct rp__endpoint *e;
    /* Since when it owes an answer; 0: it owes none. Written under the lock; relaxed, a figure for who reads it
     * without. */
    _Atomic rp_time since;
    bool gone;               /* it has ended */
    /* What was last seen of it while it owed one. */
    enum rp__found found;
    struct rp__seen seen;
    rp_time seen_at;         /* 0: it has not been looked at since it owes this one */
};

struct rp__endpoint {
    rp_system *sys;
    size_t size;             /* of all this */
    const struct rp__word *words;
    pthread_t thread;
    int flag;                /* raised: the thread is to look around */
    int fd;                  /* it listens; < 0: closed. The thread's, */
    rp_time rest;            /* and so is this: until then it does not accept */
    pthread_mutex_t lock;    /* about all that follows */
    bool closing, abandoned; /* it is to end: in order; at once */
    bool shut;
    void (*closed)(struct rp_loop *l);
    struct rp__post over;
    struct rp__hook servings;
    unsigned live;           /* of them */
    struct rp__place place[RP__PLACES];
    char block[RP__TEXT_ROOM]; /* the thread's, of the text it writes */
    char path[RP__SOCKET_PATH];
    struct rp__asked loop[]; /* one for each */
};

/* serve.c: the post's fn. */
void rp__serve_offered(struct rp__post *p, struct rp_loop *l);

#endif
