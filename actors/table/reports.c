/* SPDX-License-Identifier: MIT */
#include "actors/table/reports.h"

#include "actors/table/runtime.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- who ----------------------------------------------------------------------------------------- */

static const char *kind_of(const struct rp__actor *a)
{
    return a->kind && a->kind->name ? a->kind->name : "without a name";
}

void rp__who_text(struct rp_loop *l, const struct rp__actor *a, rp_report *about, char *to, size_t size)
{
    char ref[RP__ADDR_TEXT], site[RP__SITE_TEXT];
    about->actor = rp__ref(l, a->addr);
    about->name = a->kind ? a->kind->name : 0;
    about->site = rp__site_of(l, a);
    int n = snprintf(to, size, "actor %.60s %s", kind_of(a), rp__addr_text(ref, a->addr));
    if (about->site && n > 0 && (size_t)n < size)
        snprintf(to + n, size - (size_t)n, " (spawned at %s)", rp__site_plain(site, about->site));
}

void rp__about(const rp_self *me, rp_report *about, char *to, size_t size)
{
    if (!me->actor) {
        snprintf(to, size, "code of no actor");
        return;
    }
    int n = me->home ? snprintf(to, size, "a task of ") : 0;
    rp__who_text(me->loop, me->actor, about, to + n, size - (size_t)n);
}

/* ---- failures ------------------------------------------------------------------------------------ */

static const char NOBODY[] = "Nobody monitors it, is linked with it or supervises it: rp_run returns that, if the root does not fail";

const char *rp__why_text(char to[RP__WHY_TEXT], const char *why)
{
    to[0] = 0;
    if (why && why[0])
        snprintf(to, RP__WHY_TEXT, "; why: %s", why);
    return to;
}

void rp__report_of(struct rp_loop *l, const struct rp__actor *a, rp_report_kind kind, int err, const char *format, ...)
{
    char who[RP__WHO_TEXT], text[RP__REPORT_TEXT];
    rp_report about = {.kind = kind, .err = err};
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rp__who_text(l, a, &about, who, sizeof who);
    rp__report(l->sys, &about, "%s %s", who, text);
}

void rp__report_failure(struct rp_loop *l, const struct rp__actor *a)
{
    char why[RP__WHY_TEXT];
    rp__report_of(l, a, RP_REPORT_FAILURE, a->reason, "failed: %d, %s%s. %s", a->reason, rp_strerror(a->reason),
                  rp__why_text(why, a->why), a->parent ? NOBODY : "It is the root: rp_run returns that");
}

void rp__report_left_failure(struct rp_loop *l, uint64_t who, const rp_actor *kind, int reason, const char *why)
{
    char ref[RP__ADDR_TEXT], text[RP__WHY_TEXT];
    rp_report about = {.kind = RP_REPORT_FAILURE, .err = reason, .actor = rp__ref(l, who), .name = kind ? kind->name : 0};
    rp__report(l->sys, &about, "actor %.60s %s failed: %d, %s%s. Who was linked with it has ended too: rp_run returns that, "
               "if the root does not fail", about.name ? about.name : "without a name", rp__addr_text(ref, who), reason, rp_strerror(reason),
               rp__why_text(text, why));
}

/* ---- before there is a system -------------------------------------------------------------------- */

void rp__report_opts(const rp_system_opts *o, int err, const char *which, const char *format, ...)
{
    char text[RP__REPORT_TEXT];
    rp_report about = {.kind = RP_REPORT_MISUSE, .err = err};
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rp__report_by(o->on_report, o->report_ud, &about, "the system cannot begin: %d, %s. %s %s", err, rp_strerror(err), which, text);
}
