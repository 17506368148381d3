/* SPDX-License-Identifier: MIT */
#include "loop/report.h"

#include "loop/os.h"
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

static void print(const rp_report *about)
{
    char line[sizeof PREFIX + RP__REPORT_TEXT + 48];
    int n = snprintf(line, sizeof line, "%s%s", PREFIX, about->text);
    if (about->skipped)
        n += snprintf(line + n, sizeof line - (size_t)n, " (%llu more were left out)", (unsigned long long)about->skipped);
    line[n++] = '\n';
    (void)!rp__os_write(STDERR_FILENO, line, (size_t)n);
}

static void tell(rp_system *sys, const rp_report *about)
{
    if (sys && sys->reports.tell)
        sys->reports.tell(about, sys->reports.ud);
    else
        print(about);
}

void rp__report(rp_system *sys, const rp_report *about, const char *format, ...)
{
    char text[RP__REPORT_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rp_report r = *about;
    r.text = text;
    r.skipped = 0;
    if (!sys || admit(sys, &r))
        tell(sys, &r);
}

void rp__report_fatal(rp_system *sys, const rp_report *about, const char *format, ...)
{
    char text[RP__REPORT_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rp_report r = *about;
    r.text = text;
    r.skipped = 0;
    print(&r);
    if (sys && sys->reports.tell)
        sys->reports.tell(&r, sys->reports.ud);
    abort();
}

unsigned rp__reports_last(rp_system *sys, struct rp__report_kept *to, unsigned max)
{
    struct rp__reports *r = &sys->reports;
    pthread_mutex_lock(&r->lock);
    uint64_t n = r->count < RP__REPORT_LAST ? r->count : RP__REPORT_LAST;
    if (n > max)
        n = max;
    for (uint64_t i = 0; i < n; i++)
        to[i] = r->kept[(r->count - n + i) % RP__REPORT_LAST];
    pthread_mutex_unlock(&r->lock);
    return (unsigned)n;
}
