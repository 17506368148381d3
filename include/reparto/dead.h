/* SPDX-License-Identifier: MIT
 *
 * dead.h - messages that ended unread: the last of them on each loop, and how to hear of one's own.
 *
 * The ledger counts them all; here stands which they were. What follows the same way to the same end is one
 * record that counts.
 */
#ifndef REPARTO_DEAD_H
#define REPARTO_DEAD_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RP_DEAD_LETTERS = 256 }; /* that a loop keeps */

typedef enum rp_end {
    RP_END_DEAD = 1, /* its receiver had ended, or ended with it unread */
    RP_END_DROPPED,  /* by the mailbox's policy, or for want of memory */
    RP_END_LATE,     /* a reply nobody waited for any more */
    RP_END_EXPIRED   /* a call past its deadline when its turn came */
} rp_end;

typedef struct rp_dead_letter {
    rp_end end;
    const rp_type *type;
    rp_ref from, to;  /* of a reply, `to` is who had asked */
    uint64_t count;   /* so many of one type, to one address, with one end, in a row */
    rp_time at;       /* of the last of these */
    rp_time age;      /* since it was sent; < 0: not known, it was not measured (metrics.h) */
} rp_dead_letter;

/* Of one loop, the last first: up to n of them; how many there are in `ret`. `ret` may be NULL when n is 0.
 * Suspends while that loop is asked.
 * -ETIMEDOUT: it does not answer; -EINVAL: there is no such loop; -ECANCELED, -EAGAIN, -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_dead_letters(rp_self *me, unsigned loop, rp_time deadline, rp_dead_letter *ret, unsigned n);

struct rp_bounce { /* a message with rp_tell_bounce has ended unread */
    rp_ref whom;
    uint64_t cookie;
    const rp_type *type; /* what it was */
    int32_t reason;      /* -ESRCH: it is dead; -EAGAIN: it was dropped */
};
RP_EXPORT extern const rp_type rp_bounce_type;
#define RP_BOUNCE (&rp_bounce_type)

/* As rp_tell, to an actor of this process; if the message ends unread, the caller gets RP_BOUNCE with the
 * cookie, once, which needs no room in its mailbox. Who passes the message on passes that on too.
 * Suspends as rp_tell does. -EINVAL: no actor of this process, or the caller is none. */
RP_EXPORT RP_NODISCARD int rp_tell_bounce(rp_self *me, rp_ref to, const rp_type *t, const void *body, uint64_t cookie);

#ifdef __cplusplus
}
#endif
#endif
