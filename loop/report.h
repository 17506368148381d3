/* SPDX-License-Identifier: MIT
 *
 * report.h - how the runtime says what no call can return.
 *
 * One door for all of it: a line on standard error, or the program's hook (rp_system_opts.on_report). Reports are
 * rare and cost a lock; nothing on a fast path comes here.
 */
#ifndef RP__REPORT_H
#define RP__REPORT_H

#include "reparto/report.h"

#include <pthread.h>

enum {
    RP__REPORT_TEXT = 512,      /* of one report, its NUL included; longer ones are cut off */
    RP__REPORT_LAST = 64,       /* reports that are kept for who asks */
    RP__REPORTS_A_SECOND = 20   /* of a kind */
};

struct rp__report_kept {
    rp_time at;                 /* since the system was made */
    rp_report_kind kind;
    char text[RP__REPORT_TEXT];
};

struct rp__reports { /* a system's */
    rp_report_fn *tell;         /* NULL: standard error */
    void *ud;
    pthread_mutex_t lock;       /* of what follows */
    struct {
        rp_time since;          /* the second in which it counts */
        unsigned told;
        uint64_t skipped;
    } kind[RP_REPORT_KINDS];
    uint64_t count;             /* of all reports; kept[count % RP__REPORT_LAST] is the next to be written */
    struct rp__report_kept kept[RP__REPORT_LAST];
};

void rp__reports_open(struct rp__reports *r, rp_report_fn *tell, void *ud);
void rp__reports_close(struct rp__reports *r);

/* Tells *about, whose `text` and `skipped` are filled in here. From any thread of the system. What a text holds that is
 * no printable character (a peer may have made it up) is shown as '?'. `sys` NULL: there is none yet, or none any
 * more; then it goes to standard error. */
void rp__report(rp_system *sys, const rp_report *about, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same where there is no system yet: to `tell`, or standard error. Not kept, not limited. */
void rp__report_by(rp_report_fn *tell, void *ud, const rp_report *about, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a mistake after which going on would break memory: tells it, without a limit, on standard error and to
 * the hook, and ends the process. */
void rp__report_fatal(rp_system *sys, const rp_report *about, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* The oldest report that is kept and whose number is at least *number, which becomes its number; they count from 0. False:
 * there is none. From any thread. */
bool rp__reports_next(rp_system *sys, uint64_t *number, struct rp__report_kept *to);

/* "failure", "message", ... : a kind in a word. */
const char *rp__report_word(rp_report_kind kind);

/* A mistake of whose code `me` runs, after which going on would break memory: "actor shop 0.3.1 (spawned at ...) " and the
 * text. Ends the process. */
void rp__misuse(const rp_self *me, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn, cold));

#endif
