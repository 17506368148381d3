/* SPDX-License-Identifier: MIT
 *
 * sample.h - which messages are measured, at no cost to the others.
 *
 * A loop's messages go out in streams: its own queue, the ring to each other loop, and, counted by
 * themselves, those that go the long way. Each stream is cut into blocks of 2^k messages, and of each block
 * one is chosen, at a random place: it carries the time of its sending and stands for 2^k in a histogram. So
 * every message is as likely to be chosen as the others of its block, whatever pattern the program has, and
 * the sums over histograms are right on average.
 *
 *   block of 8    . . . . x . . .    . x . . . . . .    . . .       x: chosen
 *                         |--- rest     |--- from rest + a new random number to the next: rp__draw
 *
 * No message is counted for it. The place stands where the stream looks anyway whether it may go on: at the
 * queue's `tail_end` and the ring's `limit` (ring.h).
 *
 * How long blocks are follows the load. Every millisecond, at the beginning of a turn, k is set so that at
 * the rate of the last one four messages would be chosen in each, and all blocks begin anew; this looks at
 * how much was sent, never at what was chosen, so it favours no message. Within a millisecond every second
 * one chosen doubles the blocks to come, so a burst after silence is not measured to death.
 */
#ifndef RP__SAMPLE_H
#define RP__SAMPLE_H

#include "reparto/loop.h"

enum {
    RP__BLOCK_LOG_MAX = 12,     /* messages of a block at most: 2^12 */
    RP__LOOK_EVERY = 1000000,   /* ns between two settings of a loop's block length */
    RP__CHOSEN_EACH_LOOK = 4,
    RP__NEVER = UINT32_MAX / 2  /* messages until the chosen one: none is */
};

struct rp__stream {
    uint32_t rest; /* messages of the present block behind its chosen one */
    uint32_t log;  /* of the block's length */
};

struct rp__sampler { /* a loop's */
    uint32_t log;    /* of the length of blocks that begin now */
    bool off;
    bool odd;        /* one has been chosen since the length last doubled */
    bool chosen;     /* the message now to be sent, */
    uint32_t weight; /* and the log of what it stands for */
    struct rp__stream far;
    uint32_t ahead;  /* of that stream, the long way's: messages before the chosen one */
    uint64_t rng;
    uint64_t sent;   /* by the loop, at the last setting */
    rp_time look_at; /* when to set the length again */
    rp_time looked;
};

void rp__sampler_init(struct rp__sampler *s, uint64_t seed, rp_time now);

/* The stream's next block: how many of its messages pass before the one that is chosen. */
uint32_t rp__draw(struct rp__sampler *s, struct rp__stream *t);

/* For all streams of a loop; at the beginning of a turn when it is time. */
struct rp_loop;
void rp__sampler_look(struct rp_loop *l, rp_time now);

/* A short send has come to its stream's place: the message now goes the long way, which asks. */
static inline void rp__chosen(struct rp__sampler *s, const struct rp__stream *t)
{
    s->chosen = true;
    s->weight = t->log;
}

bool rp__choose_slowly(struct rp__sampler *s);

/* By who sends a message the long way: is it to be measured? It stands for 2^weight. */
static inline bool rp__choose(struct rp__sampler *s)
{
    if (__builtin_expect(!s->chosen && s->ahead > 0, 1)) {
        s->ahead--;
        return false;
    }
    return rp__choose_slowly(s);
}

/* ---- what a measured message carries ------------------------------------------------------------- */

/*   63                              6 5     4 3         0
 *  +---------------------------------+-------+-----------+
 *  | ns, of its sending or beginning | state | log weight|
 *  +---------------------------------+-------+-----------+
 */
enum rp__measured { RP__WAITS, RP__BEGUN, RP__VOID /* it was stashed: no longer measured */ };

static inline uint64_t rp__stamp(rp_time at, enum rp__measured state, unsigned log)
{
    return (uint64_t)at << 6 | (uint64_t)state << 4 | log;
}

static inline enum rp__measured rp__stamp_state(uint64_t stamp)
{
    return (enum rp__measured)(stamp >> 4 & 3);
}

static inline unsigned rp__stamp_log(uint64_t stamp)
{
    return stamp & 15;
}

static inline uint64_t rp__stamp_age(uint64_t stamp, rp_time now) /* ns, modulo nine years */
{
    return ((uint64_t)now - (stamp >> 6)) << 6 >> 6;
}

#endif
