/* SPDX-License-Identifier: MIT
 *
 * rest.h - a call that suspends, and need not wait, lets others run all the same when the turn is over.
 *
 * Otherwise a loop around such calls holds its thread for good: no timer fires, no stop arrives, no tick of a host ends.
 * So each function whose comment says that it suspends comes here on each of its ways that does not park: where it
 * finds what it wants, and where it fails at once (its deadline is past, its scope is cancelled). It costs a count
 * while the stint lasts (stint.h). It rests when all is done, so that it loses no place in a line and nobody waits for
 * what it has yet to say; but a scope is open until its close returns. tests/actors/rests.c tries them all.
 */
#ifndef RP__REST_H
#define RP__REST_H

#include "loop/loop.h"

void rp__rest_now(rp_self *me); /* the stint is over */

static inline void rp__rest(rp_self *me)
{
    if (__builtin_expect(me->loop->stint.left > 0, 1))
        me->loop->stint.left--;
    else
        rp__rest_now(me);
}

/* For who returns at once. */
static inline int rp__rested(rp_self *me, int rc)
{
    rp__rest(me);
    return rc;
}

#endif
