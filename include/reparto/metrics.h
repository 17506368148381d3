/* SPDX-License-Identifier: MIT
 *
 * metrics.h - how a running system fares: what it has counted, how long messages take, and all of it as the
 * text that Prometheus reads. docs/metrics.md says what is measured and how.
 *
 * Each loop writes figures of its own, and whoever reads adds them up as they stand. What nobody keeps (how many
 * messages stand in mailboxes) is in the text only: each loop counts, some thousands of actors at a time.
 */
#ifndef REPARTO_METRICS_H
#define REPARTO_METRICS_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RP_ALL_LOOPS = 0xffff };

typedef struct rp_metrics {
    rp_ledger messages;
    uint64_t dropped[RP_DROPPED_WHYS]; /* by why; together messages.dropped */
    uint64_t turns;      /* of the loop */
    uint64_t wakeups;    /* after it had blocked */
    uint64_t spawned, ended; /* actors; the difference is alive */
    uint64_t failed;     /* incarnations that ended with an error, other than by being stopped */
    uint64_t restarted;  /* by supervisors */
    uint64_t demoted;    /* actors, each time (rp_system_opts.demote_ms) */
    uint64_t stalls;     /* reports that it was held (stall.h) */
    uint64_t stacks, stack_bytes; /* in use; address space that they and the free ones take */
    uint64_t pool_blocks, pool_bytes; /* in use; taken from the allocator. A block may be freed on another loop
                                         than it was taken on: right for all loops together */
} rp_metrics;

/* Of one loop, by its index, or the sum over all. What counts up is exact but for what happens meanwhile; stacks
 * and pool are those of a millisecond ago, or of before a handler that has run since. -EINVAL: no such loop. */
RP_EXPORT RP_NODISCARD int rp_metrics_read(const rp_self *me, unsigned loop, rp_metrics *ret);

typedef struct rp_times { /* of messages of a type; each within an eighth of the true value */
    uint64_t count;       /* of messages that these stand for: an estimate, as they are chosen at random */
    rp_time mean, p50, p99, p999, max;
} rp_times;

/* How long messages of type `t` waited between being sent and their actor beginning with them, and how long their
 * actors then took until they had done with them, waits in the middle included. Over all loops of this process, for
 * messages sent in it. Either may be NULL. -ENOENT: none has been measured yet. */
RP_EXPORT RP_NODISCARD int rp_times_read(const rp_self *me, const rp_type *t, rp_times *wait, rp_times *service);

/* All of it in Prometheus' text format (0.0.4), and the mailboxes of each kind of actor, and the links. Writes at most
 * `size` bytes, the last of them a NUL; returns how many there are without it, as snprintf: `to` may be NULL when `size` is 0. Suspends; a loop that does not
 * answer within 2 s is left out, and counted in reparto_loops_held. -ENOMEM, -ECANCELED, -EAGAIN in who may not
 * wait. */
RP_EXPORT RP_NODISCARD int rp_metrics_text(rp_self *me, char *to, size_t size);

#ifdef __cplusplus
}
#endif
#endif
