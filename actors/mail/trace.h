/* SPDX-License-Identifier: MIT
 *
 * trace.h - the lines of RP_TRACE (loop/trace.h) that are about actors. Whoever calls has asked rp__traces.
 */
#ifndef RP__ACTORS_TRACE_H
#define RP__ACTORS_TRACE_H

#include "actors/table/actor.h"
#include "actors/mail/mail.h"
#include "loop/trace.h"
#include "reparto/supervisor.h"

/* Whether it has a line for each message that it begins with. */
static inline void rp__trace_actor(const struct rp_loop *l, struct rp__actor *a)
{
    a->flags = (a->flags & ~(uint32_t)RP__A_TRACED) | (rp__traces(l, RP__T_RECV) ? RP__A_TRACED : 0u);
}

void rp__trace_spawn(struct rp_loop *l, const struct rp__actor *a);
void rp__trace_end(struct rp_loop *l, const struct rp__actor *a);
void rp__trace_send(struct rp_loop *l, const struct rp__out *o, bool gone); /* gone: its body is not here any more */
void rp__trace_recv(struct rp_loop *l, const struct rp__actor *a, struct rp__slot *s);
void rp__trace_dead(struct rp_loop *l, struct rp__slot *s, const char *end, uint64_t count);
/* The right to reply to `asker` ends unused with `by`; it has replied without it; has done so too late. */
void rp__trace_unanswered(struct rp_loop *l, rp_ref asker, const struct rp__actor *by);
void rp__trace_refused(struct rp_loop *l, rp_ref asker, const struct rp__actor *by);
void rp__trace_late(struct rp_loop *l, uint64_t asker, const struct rp__actor *by);
void rp__trace_demoted(struct rp_loop *l, const struct rp__actor *a, rp_time took);
void rp__trace_hook(struct rp_loop *l, const struct rp__actor *a, const char *hook, rp_time took);

/* a, a supervisor, has seen this, or decided it: `what` 0, to stop a child, which may take until `again`. */
void rp__trace_supervise(struct rp_loop *l, const struct rp__actor *a, const rp_supervision *e);

/* `what` says what `one` has to do with the other from now on; a monitor or a link takes word that `which` has ended. 0:
 * somebody behind a link of the cluster. */
void rp__trace_tie(struct rp_loop *l, uint64_t one, const char *what, rp_ref other);
void rp__trace_down(struct rp_loop *l, rp_ref which, int reason, uint64_t told);

/* `what` is what happened to a. */
void rp__trace_of(struct rp_loop *l, unsigned category, const struct rp__actor *a, const char *what, const char *about);

#endif
