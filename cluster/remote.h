/* SPDX-License-Identifier: MIT
 *
 * remote.h - between actors of two processes. Going out, any loop calls (rp__route); what comes in is read on the
 * home loop, frame by frame.
 *
 *   outgoing.c   messages and replies that leave
 *   incoming.c   messages and replies that come
 *   room.c       who waits for room on a link, in order
 *   credit.c     how many bytes may be on their way to one actor
 *   hole.c       what was told by a link that was lost
 *   asked.c      calls and tokens that went over a link, until they are answered
 *   monitor.c    monitors of actors and nodes
 *   lookup.c     names
 *   remote.c     puts these together
 */
#ifndef RP__REMOTE_H
#define RP__REMOTE_H

#include "cluster/cluster.h"

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

/* ---- credit.c ------------------------------------------------------------------------------------ */

struct rp__credit *rp__credit_of(struct rp__link *k, uint64_t target); /* the lock is held. NULL: no memory */
int  rp__read_credit(struct rp__link *k, struct rp__in in);
void rp__credit_end(struct rp__link *k); /* whoever waits for it looks again, and finds no link */
void rp__credit_free(struct rp__link *k);

/* The peer has sent so many bytes to an actor here. 0; -EOVERFLOW: its window was full. The home loop's. */
int  rp__credit_came(struct rp__link *k, uint64_t target, uint32_t bytes);

struct rp__taken { /* of what came by a link, and is to be said to the peer */
    uint64_t link, target, bytes;
};
void rp__say_taken(struct rp_loop *l, const struct rp__taken *t);
void rp__remote_consumed(struct rp_loop *l, uint64_t via, uint64_t target);

void rp__credit_drop(struct rp__link *k, struct rp__credit *c);

/* ---- room.c: the lock is held --------------------------------------------------------------------------- */

struct rp__turn { /* on the stack of who sends */
    struct rp__hook *list; /* it stands in, or is to stand in */
    uint64_t link, target;
    uint32_t bytes;
    bool paid;             /* they count as on their way, */
    bool promised;         /* and as queued */
};

bool rp__room_ask(struct rp__link *k, struct rp__credit *c, struct rp__turn *t, const rp_self *me); /* there is some for it */
void rp__room_wait(struct rp__link *k, struct rp__credit *c, struct rp__turn *t, rp_self *me); /* else: stands in line */
bool rp__room_take(struct rp__link *k, struct rp__turn *t, const rp_self *me); /* its turn had come, on this link: it need not ask */
void rp__room_refund(struct rp__link *k, struct rp__turn *t, uint64_t target); /* it does not send after all */

/* There is more than before: whoever is next has its turn. The first may drop the credit. */
void rp__room_in_credit(struct rp__link *k, struct rp__credit *c);
void rp__room_in_queue(struct rp__link *k, size_t below); /* when less than that is queued */

/* ---- hole.c ---------------------------------------------------------------------------------------- */

void rp__teller_note(struct rp__tellers *t, uint64_t who);
void rp__holes_of(struct rp__link *k);     /* it is down */
void rp__holes_before(struct rp__link *k); /* it joins */

/* The lock is held. `who` has told `target` by a link before this one what may be lost, and does not know: true once. */
bool rp__hole_ahead(struct rp__link *k, uint64_t target, uint64_t who);
void rp__hole_told(struct rp_loop *l, uint64_t node, uint64_t target, uint64_t who); /* target 0: all there: it knows */

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

#endif
