/* SPDX-License-Identifier: MIT
 *
 * remote.h - between actors of two processes. Going out, any loop calls (rp__route); what comes in is read on the
 * home loop, frame by frame.
 *
 *   outgoing.c   messages and replies that leave
 *   incoming.c   messages and replies that come
 *   asked.c      calls and tokens that went over a link, until they are answered
 *   monitor.c    monitors of actors and nodes
 *   lookup.c     names
 *   remote.c     puts these together
 *   open.c       and a node
 */
#ifndef RP__REMOTE_H
#define RP__REMOTE_H

#include "cluster/link/credit.h"
#include "cluster/link/hole.h"
#include "cluster/link/room.h"
#include "actors/mail/mail.h"

/* ---- outgoing.c ---------------------------------------------------------------------------------- */

int  rp__remote_send(rp_self *me, struct rp__out *o, bool wait, rp_time until);
int  rp__remote_send_sure(struct rp_loop *l, struct rp__out *o);
void rp__numbers_free(struct rp__link *k);

/* ---- incoming.c ---------------------------------------------------------------------------------- */

int  rp__read_type(struct rp__link *k, const struct rp__frame *f);
int  rp__read_message(struct rp__link *k, const struct rp__frame *f);
int  rp__read_reply(struct rp__link *k, const struct rp__frame *f);
void rp__plans_free(struct rp__link *k);

static inline bool rp__is_here(const struct rp__link *k, uint64_t addr) /* the peer may have made it up */
{
    return rp__loop_of(addr) < k->c->rt->sys->nloops;
}

/* ---- asked.c ------------------------------------------------------------------------------------- */

/* With the lock held: a number for the peer to reply by (0: no memory); and what it stands for, once. */
uint64_t rp__asked_new(struct rp__link *k, uint64_t asker, uint64_t call, uint64_t via);
bool rp__asked_take(struct rp__link *k, uint64_t id, struct rp__asked *ret);

/* The peer answers. 1; or 0: it has been answered before, which a peer's actor may get wrong; -EPROTO: nobody asked that. */
int  rp__asked_by(struct rp__link *k, uint64_t id, struct rp__asked *ret);

int  rp__remote_no_reply(struct rp_loop *l, uint64_t link, uint64_t call, int err, const char *blame); /* the kind of actor; NULL, "": not known */
/* The same, or the link is given up: that is an answer too. */
void rp__remote_unanswered(struct rp_loop *l, uint64_t link, uint64_t call, int err, const char *blame);
int  rp__read_culprit(struct rp__link *k, struct rp__in in);
int  rp__read_no_reply(struct rp__link *k, struct rp__in in);
void rp__asked_end(struct rp__link *k);
void rp__asked_free(struct rp__link *k);

/* ---- monitor.c ----------------------------------------------------------------------------------- */

int  rp__remote_monitor(struct rp_loop *l, rp_ref watcher, rp_ref who);
int  rp__remote_demonitor(struct rp_loop *l, rp_ref watcher, rp_ref who);
bool rp__remote_watched(struct rp_loop *l, struct rp__watch *w);
void rp__remote_down(struct rp_loop *l, uint64_t via, uint64_t id, const struct rp_down *d);
int  rp__read_monitor(struct rp__link *k, struct rp__in in);
void rp__remote_unwatched(struct rp_loop *l, uint64_t via);
int  rp__read_demonitor(struct rp__link *k, struct rp__in in);
int  rp__read_down(struct rp__link *k, struct rp__in in);
void rp__monitors_end(struct rp__link *k, int reason); /* actors first, then the node */
void rp__monitors_free(struct rp__link *k);

/* ---- lookup.c ------------------------------------------------------------------------------------ */

int  rp__read_lookup(struct rp__link *k, const struct rp__frame *f);
int  rp__read_forget(struct rp__link *k, struct rp__in in);
int  rp__read_found(struct rp__link *k, struct rp__in in);
void rp__lookups_end(struct rp__link *k);
void rp__lookups_free(struct rp__link *k);

/* ---- remote.c ------------------------------------------------------------------------------------ */

extern const struct rp__route rp__route_links;
extern const struct rp__frames rp__frames_of_actors;

#endif
