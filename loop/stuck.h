/* SPDX-License-Identifier: MIT
 *
 * stuck.h - with RP_DEBUG=1: says, once, that nothing inside the program can wake it any more, and who waits for what.
 *
 * The last loop that goes to sleep looks: all others sleep too, none has a timer, a descriptor or a request, and the
 * floor above expects nobody. Another thread, or a signal handler, may still post or put: so it is no error, and the
 * system waits on.
 */
#ifndef RP__STUCK_H
#define RP__STUCK_H

#include "loop/inbox.h"

#include <stdbool.h>

enum { RP__STUCK_LINES = 8 };

struct rp__stuck { /* of a system */
    struct rp__post post;    /* goes from loop to loop */
    bool looks;              /* set before its loops run */
    _Atomic bool told;       /* whoever turns it true sends the post off; relaxed, it orders nothing */
    unsigned next, left;     /* the loop where the post is, and the lines that may still be written: the post's */
};

void rp__stuck_look(struct rp_loop *l); /* it has begun to sleep (rp__sleep_begin) */

#endif
