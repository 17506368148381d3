/* SPDX-License-Identifier: MIT
 *
 * report.h - what went wrong and was nobody's result: one line each, on standard error or to the program's own hook.
 *
 * An error that a call returns is the caller's. What no call can return is reported: an actor that failed and nobody
 * monitored it, a message whose type is unknown here, a link that was refused, a mistake of the program such as a
 * scope that was left open. Each report names the actor, its kind, where it was spawned (rp_system_opts.sites), the
 * error in words, and what to do about it.
 *
 * At most 20 reports of a kind are told in a second, by each system; the next one says how many were left out. The
 * last 64 are kept, also those that were left out, and `reparto failures PID` lists them.
 *
 * A mistake after which going on would break memory (a scope that was left open, a message that was dropped twice, `me`
 * on another thread) is told on standard error and to the hook, and then the process ends by abort().
 *
 * Where the program has no handler for SIGSEGV a NULL pointer that an actor used, or passed to a call that takes none, is told with
 * the actor's name, and so is a stack that overflowed; then the signal ends the process as it would without.
 *
 * RP_DEBUG=1 in the environment: when every loop sleeps and nothing inside the program can wake one, that is reported once,
 * with who waits for what. Not in a host or a simulation.
 */
#ifndef REPARTO_REPORT_H
#define REPARTO_REPORT_H

#include "reparto/mailbox.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rp_report_kind {
    RP_REPORT_FAILURE, /* an actor, or a system, ended with an error that nobody took */
    RP_REPORT_MESSAGE, /* a message was lost, and its sender cannot be told */
    RP_REPORT_LINK,    /* a link was refused, or a peer went beyond a limit or broke the protocol */
    RP_REPORT_MISUSE,  /* the program made a mistake */
    RP_REPORT_KINDS
} rp_report_kind;

typedef struct rp_report {
    rp_report_kind kind;
    int err;          /* a negative errno value; 0: none applies */
    rp_ref actor;     /* whom it is about; none: no actor */
    const char *name; /* of its kind; NULL: none */
    void *site;       /* where it was spawned; NULL: not known */
    const char *text; /* the whole report, without a newline; valid during the call */
    uint64_t skipped; /* reports of this kind that were left out since the last one that was told */
} rp_report;

/* Called on the thread where it happened, in the middle of what goes on there: must not wait, nor call reparto. Several
 * loops may call it at once. `ud`: rp_system_opts.report_ud. */
typedef void rp_report_fn(const rp_report *r, void *ud);

#ifdef __cplusplus
}
#endif
#endif
