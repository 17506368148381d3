/* SPDX-License-Identifier: MIT
 *
 * failures.c - the last reports (loop/report.h), for who asks at the endpoint.
 */
#include "actors/table/runtime.h"
#include "observe/words.h"

#include <inttypes.h>

/* Any thread may read them: so they are to be had while every loop is held, too. */
static int say_failures(rp_self *me, rp_system *sys, struct rp__text *t)
{
    struct rp__report_kept r;
    rp_time now = sys->world->now(sys->loops[0]) - sys->began;
    rp__say(me, t, "ago_ms kind report\n");
    for (uint64_t i = 0; t->rc == 0 && rp__reports_next(sys, &i, &r); i++)
        rp__say(me, t, "%" PRId64 " %s %s\n", (int64_t)((now - r.at) / RP_MS), rp__report_word(r.kind), r.text);
    return t->rc;
}

int rp__say_failures(rp_self *me, struct rp__text *t, const char *rest)
{
    (void)rest;
    return say_failures(me, me->loop->sys, t);
}

int rp__say_failures_alone(rp_system *sys, struct rp__text *t, const char *rest)
{
    (void)rest;
    return say_failures(0, sys, t);
}
