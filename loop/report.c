/* SPDX-License-Identifier: MIT */
#include "loop/report.h"

#include "loop/base/os.h"
#include "loop/system.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char PREFIX[] = "reparto: ";

void rp__reports_open(struct rp__reports *r, rp_report_fn *tell, void *ud)
{
    r->tell = tell;
    r->ud = ud;
    pthread_mutex_init(&r->lock, 0);
}

void rp__reports_close(struct rp__reports *r)
{
    pthread_mutex_destroy(&r->lock);
}

const char *rp__report_word(rp_report_kind kind)
{
    switch (kind) {
    case RP_REPORT_FAILURE:
        return "failure";
    case RP_REPORT_MESSAGE:
        return "message";
    case RP_REPORT_LINK:
        return "link";
    case RP_REPORT_MISUSE:
        return "misuse";
    case RP_REPORT_KINDS:
        break;
    }
    return "?";
}

/* ---- keeping ------------------------------------------------------------------------------------- */

static void keep(struct rp__reports *r, const rp_report *about, rp_time at)
{
    struct rp__report_kept *k = &r->kept[r->count++ % RP__REPORT_LAST];
    k->at = at;
    k->kind = about->kind;
    snprintf(k->text, sizeof k->text, "%s", about->text);
}

/* Counts *about; true: it is to be told. */
static bool admit(rp_system *sys, rp_report *about)
{
    struct rp__reports *r = &sys->reports;
    rp_time now = sys->loops && sys->loops[0] ? sys->world->now(sys->loops[0]) : 0;
    pthread_mutex_lock(&r->lock);
    keep(r, about, now - sys->began);
    if (r->kind[about->kind].told == 0 || now - r->kind[about->kind].since >= RP_S) {
        r->kind[about->kind].since = now;
        r->kind[about->kind].told = 0;
    }
    bool told = r->kind[about->kind].told < RP__REPORTS_A_SECOND;
    if (told) {
        r->kind[about->kind].told++;
        about->skipped = r->kind[about->kind].skipped;
        r->kind[about->kind].skipped = 0;
    } else {
        r->kind[about->kind].skipped++;
    }
    pthread_mutex_unlock(&r->lock);
    return told;
}

bool rp__reports_next(rp_system *sys, uint64_t *number, struct rp__report_kept *to)
{
    struct rp__reports *r = &sys->reports;
    pthread_mutex_lock(&r->lock);
    uint64_t oldest = r->count < RP__REPORT_LAST ? 0 : r->count - RP__REPORT_LAST;
    if (*number < oldest)
        *number = oldest;
    bool there = *number < r->count;
    if (there)
        *to = r->kept[*number % RP__REPORT_LAST];
    pthread_mutex_unlock(&r->lock);
    return there;
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void print(const rp_report *about)
{
    char line[sizeof PREFIX + RP__REPORT_TEXT + 48];
    int n = snprintf(line, sizeof line, "%s%s", PREFIX, about->text);
    if (about->skipped)
        n += snprintf(line + n, sizeof line - (size_t)n, " (%llu more were left out)", (unsigned long long)about->skipped);
    line[n++] = '\n';
    (void)!rp__os_write(STDERR_FILENO, line, (size_t)n);
}

static void tell(rp_report_fn *hook, void *ud, const rp_report *about)
{
    if (hook)
        hook(about, ud);
    else
        print(about);
}

__attribute__((format(printf, 4, 0))) static rp_report fill(const rp_report *about, char *text, size_t size, const char *format, va_list args)
{
    rp_report r = *about;
    vsnprintf(text, size, format, args);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    r.text = text;
    r.skipped = 0;
    return r;
}

void rp__report(rp_system *sys, const rp_report *about, const char *format, ...)
{
    char text[RP__REPORT_TEXT];
    va_list args;
    va_start(args, format);
    rp_report r = fill(about, text, sizeof text, format, args);
    va_end(args);
    if (!sys || admit(sys, &r))
        tell(sys ? sys->reports.tell : 0, sys ? sys->reports.ud : 0, &r);
}

void rp__report_by(rp_report_fn *hook, void *ud, const rp_report *about, const char *format, ...)
{
    char text[RP__REPORT_TEXT];
    va_list args;
    va_start(args, format);
    rp_report r = fill(about, text, sizeof text, format, args);
    va_end(args);
    tell(hook, ud, &r);
}

static void die(rp_system *sys, const rp_report *r) __attribute__((noreturn));

static void die(rp_system *sys, const rp_report *r)
{
    print(r);
    if (sys && sys->reports.tell)
        sys->reports.tell(r, sys->reports.ud);
    abort();
}

void rp__report_fatal(rp_system *sys, const rp_report *about, const char *format, ...)
{
    char text[RP__REPORT_TEXT];
    va_list args;
    va_start(args, format);
    rp_report r = fill(about, text, sizeof text, format, args);
    va_end(args);
    die(sys, &r);
}

void rp__misuse(const rp_self *me, const char *format, ...)
{
    char what[RP__REPORT_TEXT], text[RP__REPORT_TEXT];
    rp_system *sys = me->loop->sys;
    rp_report about = {.kind = RP_REPORT_MISUSE};
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    sys->floor->about(me, &about, text, sizeof text);
    rp__report_fatal(sys, &about, "%s %s", text, what);
}
