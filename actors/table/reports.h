/* SPDX-License-Identifier: MIT
 *
 * reports.h - what is reported of actors (loop/report.h): who they are, in words, and how they failed.
 */
#ifndef RP__REPORTS_H
#define RP__REPORTS_H

#include "actors/table/actor.h"
#include "loop/system.h"

#include <errno.h>

static inline bool rp__is_failure(int reason) /* to be stopped is none */
{
    return reason < 0 && reason != -ECANCELED;
}

enum { RP__WHO_TEXT = 160 };

/* "actor shop 0.3.1 (spawned at shop+0x1234)"; fills in whom *about is about. */
void rp__who_text(struct rp_loop *l, const struct rp__actor *a, rp_report *about, char *to, size_t size);

/* struct rp__floor's: the same of whose code runs; "a task of actor ..." */
void rp__about(const rp_self *me, rp_report *about, char *to, size_t size);

/* Tells who it is about, then the text. On its loop. */
void rp__report_of(struct rp_loop *l, const struct rp__actor *a, rp_report_kind kind, int err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* "; why: no such order", or "" when there is none: what rp_fail, or whoever stopped it, has said. */
enum { RP__WHY_TEXT = 128 };
const char *rp__why_text(char to[RP__WHY_TEXT], const char *why);

void rp__report_failure(struct rp_loop *l, const struct rp__actor *a); /* nobody took it; or it is the root's */

/* It was for an actor that is linked with the one that failed, and has ended too. `kind`: of the one that failed. */
void rp__report_left_failure(struct rp_loop *l, uint64_t who, const rp_actor *kind, int reason, const char *why);

/* struct rp__floor's, for who looks whether all waits for ever (forever.c) */
bool rp__expects(struct rp_loop *l);
unsigned rp__say_waiting(struct rp_loop *l, unsigned most);

/* A system cannot begin, or its options are wrong: `which` of them (rp_system_opts), and what it must be. */
void rp__report_opts(const rp_system_opts *o, int err, const char *which, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
