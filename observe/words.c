/* SPDX-License-Identifier: MIT */
#include "observe/words.h"

#include "actors/table/runtime.h"
#include "observe/dump.h"

#include <errno.h>
#include <inttypes.h>

static int say_books(rp_self *me, rp_system *sys, struct rp__text *t)
{
    rp_ledger b;
    rp__ledger_sum(sys, &b);
    rp__say(me, t, "sent %" PRIu64 "\narrived %" PRIu64 "\nhandled %" PRIu64 "\nleft %" PRIu64 "\ndead %" PRIu64
            "\ndropped %" PRIu64 "\nlate %" PRIu64 "\nexpired %" PRIu64 "\n",
            b.sent, b.arrived, b.handled, b.left, b.dead, b.dropped, b.late, b.expired);
    rp__say(me, t, "high_water %" PRIu64 "\nlost_signals %" PRIu64 "\n", b.high_water, b.lost_signals);
    return 0;
}

static int say_ledger(rp_self *me, struct rp__text *t, const char *rest)
{
    (void)rest;
    return say_books(me, me->loop->sys, t);
}

static int say_ledger_alone(rp_system *sys, struct rp__text *t, const char *rest)
{
    (void)rest;
    return say_books(0, sys, t); /* counters, which any thread may read */
}

static int stop(rp_self *me, struct rp__text *t, const char *rest)
{
    unsigned task;
    rp_ref who;
    (void)t;
    int rc = rp__whom(me->loop->sys, rest, &who, &task);
    return rc != 0 ? rc : task ? -EINVAL : rp_stop(me, who, "stopped from outside");
}

/* In the order that `help` shows. */
const struct rp__word rp__words[] = {
    {"loops", "a line for each loop", rp__say_loops, rp__say_loops_alone},
    {"actors", "a line for each actor and task", rp__say_actors, rp__say_actors_alone},
    {"profile", "samples CPU time for so long: profile MS; loops and actors show it", rp__say_profile, 0},
    {"stack", "where an actor stands: stack REF|NAME [TASK]", rp__say_stack, rp__say_stack_alone},
    {"stop", "ends an actor, as rp_stop does: stop REF|NAME", stop, 0},
    {"trace", "what happens, as it happens, for so long: trace CATEGORY,... [MS]", rp__say_trace, 0},
    {"send", "a message to an actor, as if by rp_tell: send REF|NAME TYPE{FIELD=VALUE ...}", rp__inject, 0},
    {"dump", "loops and actors, for people", rp__say_dump, rp__say_dump_alone},
    {"ledger", "how the messages so far have ended", say_ledger, say_ledger_alone},
    {"dead", "messages that ended unread, the last first", rp__say_dead, 0},
    {"failures", "the last reports: failures, refusals, mistakes", rp__say_failures, rp__say_failures_alone},
    {"metrics", "counters and times, for Prometheus", rp__say_metrics, rp__say_metrics_alone},
    {0, 0, 0, 0},
};
