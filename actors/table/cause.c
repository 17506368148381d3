/* SPDX-License-Identifier: MIT
 *
 * cause.c - a failed call, in a sentence with its names.
 *
 * A loop keeps the last one. Between a call's return and the question nobody else runs there; who waits in between has
 * another number of its wait, and finds nothing.
 */
#include "actors/table/cause.h"

#include "loop/here.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int rp__cause_is(rp_self *me, int rc, const char *format, ...)
{
    struct rp__last_error *c = &me->loop->actors->cause;
    va_list args;
    if (rc >= 0)
        return rc;
    *c = (struct rp__last_error){.whose = me, .wait = me->wait, .rc = rc};
    va_start(args, format);
    vsnprintf(c->text, sizeof c->text, format, args);
    va_end(args);
    return rc;
}

/* By whom a wait failed: rp_blame's name, and rp_blame_site's place. */
static const char *blamed(rp_self *me, struct rp__last_error *c, int rc)
{
    char site[RP__SITE_TEXT];
    const void *pc = rp_blame_site(me);
    if (rc == -EDEADLK)
        snprintf(c->text, sizeof c->text, "actors wait for each other in a ring: %s", me->blame);
    else
        snprintf(c->text, sizeof c->text, "%.59s%s%.100s %s", me->blame, pc ? ", spawned at " : "", pc ? rp__site_plain(site, pc) : "",
                 rc == -ESRCH ? "has ended, and was to reply" : "has ended, or has ended the message, without a reply");
    return c->text;
}

const char *rp_cause(rp_self *me, int rc)
{
    struct rp__last_error *c = &me->loop->actors->cause;
    rp__must_be_here(me);
    rc = rc > 0 ? -rc : rc;
    if (c->whose == me && c->wait == me->wait && c->rc == rc)
        return c->text;
    c->whose = 0;
    return me->blame[0] && (rc == -EPIPE || rc == -ESRCH || rc == -EDEADLK) ? blamed(me, c, rc) : rp_strerror(rc);
}
