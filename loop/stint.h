/* SPDX-License-Identifier: MIT
 *
 * stint.h - how much a loop does between two looks at the clock.
 *
 * A turn is over when its time is, or when it has done so many things (in a simulation time stands still within a
 * turn). The clock costs as much as a message or two, so it is looked at once in a stint: so many switches and messages.
 * The first stint of a turn is short. One that was quick is followed by one of twice as many; one that was slow by as
 * many as will not be, at its pace, and that is remembered: the next turn begins with those. So where handlers are slow
 * a turn ends with the one in which its time is over; where they have just become slow, with the stint.
 *
 * A round is not a stint: it goes on over many while there is time, so that quick messages cost
 * a look at the clock and not a round. What the end of a turn cuts off comes first in the next (dispatch.c).
 */
#ifndef RP__STINT_H
#define RP__STINT_H

#include "reparto/loop.h"

enum {
    RP__TURN_BUDGET = 4096,  /* switches and messages in a turn, */
    RP__TURN_NS = 100000,    /* or this long (rp__stint.slice): then the world polls I/O */
    RP__STINT_FIRST = 4,     /* of those, before the first look at the clock; */
    RP__STINT_MOST = 256,    /* between any two; */
    RP__STINT_GROWTH = 2,
    RP__STINT_ALONE = 64,    /* of one thing each, after one that took more than the budget */
    RP__STINT_PART = 8       /* and a stint that took more than this part of the slice was slow */
};

struct rp__stint {
    int32_t left; /* of this one; 0 or less: the clock is to be looked at, or the turn is over */
    int32_t size; /* what the handlers' pace allows */
    int32_t alone; /* so many stints are to be of one thing */
    int32_t turn; /* what was left of the turn when it began; 0: the turn is over */
    rp_time end;  /* of the turn */
    rp_time slice; /* how long a turn may last, */
    rp_time budget; /* and one thing in it, before the floor is told; RP_FOREVER: any time */
};

/* Whoever calls these is a loop's own thread, and the stint its loop's. */
void rp__stint_init(struct rp__stint *s, rp_time budget);
void rp__stint_turn(struct rp__stint *s, int32_t budget); /* a turn begins, at the loop's `now` */
bool rp__stint_next(struct rp__stint *s);  /* looks at the clock (the loop's `now`). False: the turn is over */
void rp__stint_share(struct rp__stint *s, int32_t most); /* the turn is over: so many more all the same, and a slice at most */

static inline void rp__stint_end(struct rp__stint *s) /* the turn is over, whatever the clock says */
{
    s->left = s->turn = 0;
}

/* May one thing more be done in this turn? Who does it takes it off `left`. */
static inline bool rp__stint_goes_on(struct rp__stint *s)
{
    return __builtin_expect(s->left > 0, 1) || rp__stint_next(s);
}

/* The same before something else than so far. Where the pace is slow it looks at the clock: what is left of a stint may have
 * been given while the time was, and would be all that the others get. */
static inline bool rp__stint_turns_to(struct rp__stint *s)
{
    return s->size < RP__STINT_FIRST ? rp__stint_next(s) : rp__stint_goes_on(s);
}

#endif
