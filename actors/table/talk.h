/* SPDX-License-Identifier: MIT
 *
 * talk.h - what a mover hears of a loop: who has its time, and who sends to whom across loops. By sample.
 *
 * In each round of a loop that is listened to, the first message is timed and counts for all that stood in line
 * with it; one that came from another loop names its pair. Each table keeps those that are named most: where
 * two fall together, one takes from the other what it weighs (Boyer and Moore's vote), so that few win against many.
 * A loop that nobody has asked for a while listens no longer.
 */
#ifndef RP__TALK_H
#define RP__TALK_H

#include "actors/table/actor.h"

enum { RP__TALKS = 64 };

struct rp__talk {
    rp_time until;    /* listens so long */
    uint64_t rounds;
    uint64_t time;    /* ns of all that was timed, weighed */
    struct rp__speaker {
        uint64_t who, weight; /* of its time */
    } busy[RP__TALKS];
    struct rp__pairing {
        uint64_t from, to, weight; /* messages */
    } pair[RP__TALKS];
};

int  rp__talk_open(struct rp_loop *l, rp_time until); /* 0, -ENOMEM; again: goes on */
void rp__talk_close(struct rp_loop *l);
void rp__talk_time(struct rp__talk *t, uint64_t who, uint64_t weight);
void rp__talk_pair(struct rp__talk *t, uint64_t from, uint64_t to, uint64_t weight);

#endif
