/* SPDX-License-Identifier: MIT
 *
 * mail.h - the door of this room: sending, mailboxes and room in them, the ends of messages, replies, timers, demotion.
 */
#ifndef RP__MAIL_H
#define RP__MAIL_H

#include "actors/table/post.h"

/* ---- messages ------------------------------------------------------------------------------------ */

struct rp__out { /* one on its way out */
    rp_ref to;
    uint64_t from;
    const rp_type *type;
    const void *body;
    rp_msg *msg;      /* the body is this message's: what it owns moves. The shell stays the caller's */
    struct rp__big *share; /* the body stands here, for others of this loop too; NULL: it is copied */
    unsigned flags;   /* RP__F_CALL, RP__F_REPLY, RP__F_DEADLINE, RP__F_NODE */
    uint64_t call;
    uint64_t node;    /* of `from`, with RP__F_NODE */
    uint64_t via;     /* and the link it came by */
    rp_time deadline; /* of the call */
    bool bounce;      /* tell the sender if it ends unread, */
    uint64_t cookie;  /* with this */
};

/* Sends it; where it must wait, `wait` says whether it may and `until` how long. Counts it as sent
 * unless it is a message that moves. */
int  rp__send(rp_self *me, struct rp__out *o, bool wait, rp_time until);

/* The same of a call that has this number, and for its asker this end. */
int  rp__send_call(rp_self *me, rp_ref to, const rp_type *t, const void *body, uint64_t id, rp_time deadline, bool wait, rp_time until);

/* Passes a message on; it is an empty shell then. */
int  rp__forward(rp_self *me, struct rp__slot *s, rp_ref to, bool wait);

/* Sends without waiting and beyond every bound. `by`: whose doing it is; NULL: no actor's. 0 or -ENOMEM. An asker in a
 * lost process has nobody to tell. */
int  rp__send_reply(struct rp_loop *l, const rp_token *k, const struct rp__actor *by, const rp_type *t, const void *body);

rp_msg *rp__msg_of(struct rp_loop *l, const struct rp__out *o); /* a block of its own; not counted. NULL: no memory */

/* It waits in rp_recv: m is what its wait brings. It is still to be resumed. */
static inline void rp__give(struct rp__actor *a, rp_msg *m)
{
    a->flags &= ~(uint32_t)RP__A_RECV;
    a->co->hand[0] = m; /* which is free: it waits for one */
    a->co->rc = 0;
}

void rp__dispatch(struct rp_loop *l);
void rp__suspended(rp_self *me);
void rp__discard(struct rp_loop *l, struct rp__slot *s);

/* Ends a message whose reader is done with it, or has ended: settles its right to reply. */
void rp__finish(struct rp_loop *l, struct rp__slot *s, enum rp__tally how);

static inline void rp__drop(struct rp_loop *l, struct rp__slot *s, rp_dropped why)
{
    rp__tally(l, RP__DROPPED_WHY + why, 1);
    rp__finish(l, s, RP__DROPPED);
}

static inline void rp__no_memory(struct rp_loop *l, struct rp__slot *s)
{
    if (!rp__hold_over(l, s))
        rp__drop(l, s, RP_DROPPED_MEMORY);
}

void rp__pay(struct rp_loop *l, struct rp__slot *s);

void rp__no_reply(struct rp_loop *l, struct rp__slot *call, int err);
rp_msg *rp__next_in_box(struct rp_loop *l, struct rp__actor *a); /* NULL: empty */
bool rp__taken(struct rp_loop *l, struct rp__actor *a, rp_msg *m); /* out of its mailbox; false: it had expired, and has ended */

/* After an actor has taken a message out of its mailbox: senders may go on. */
void rp__box_taken(struct rp_loop *l, struct rp__actor *a);
void rp__shed(struct rp_loop *l, struct rp__actor *a); /* one has been taken, of a mailbox that is kept short */
void rp__box_full(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, rp_overflow policy);
bool rp__has_mail(const struct rp__actor *a); /* to be taken: a message in its mailbox, or a timer that is due */
void rp__drain(struct rp_loop *l, struct rp__actor *a); /* an idle handler gets what stands in its mailbox, before what comes now */
bool rp__box_is_full(const struct rp__actor *a);
void rp__box_tell(struct rp__actor *a, struct rp__slot *s); /* whoever receives by type: s has come */
void rp__box_put(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, bool owned);
void rp__box_gone(struct rp_loop *l, struct rp__actor *a);

/* Sender's side. */
struct rp__full *rp__full_find(struct rp_loop *l, uint64_t target);
int  rp__full_wait(rp_self *me, struct rp__full *f, rp_time until); /* after 0, and having sent or not: rp__full_sent */
void rp__full_sent(struct rp_loop *l, uint64_t target);
rp_overflow rp__full_policy(const struct rp__full *f);
void rp__on_full(struct rp_loop *l, uint64_t target, rp_overflow policy);
void rp__on_room(struct rp_loop *l, uint64_t target, uint64_t n);
void rp__full_moved(struct rp_loop *l, uint64_t target); /* who waits asks its new loop */
void rp__on_more(struct rp_loop *l, uint64_t target, unsigned loop);

/* ---- demotion (demote.c) --------------------------------------------------------------------------- */

void rp__overran(struct rp_loop *l, rp_time took); /* struct rp__floor's */
bool rp__still_demoted(struct rp_loop *l, struct rp__actor *a);
void rp__stand_behind(rp_self *me); /* suspends, if it may wait, until what is in the loop's queue has had its turn */

static inline bool rp__is_demoted(struct rp_loop *l, struct rp__actor *a)
{
    return __builtin_expect(a->flags & RP__A_DEMOTED, 0) && rp__still_demoted(l, a);
}

/* ---- replies and timers ------------------------------------------------------------------------------ */

void rp__on_no_reply(struct rp_loop *l, uint64_t call, int err, const char *blame, void *site);
void rp__on_has(struct rp_loop *l, uint64_t call, uint64_t who); /* whoever waits for the reply waits for that one */
rp_self *rp__on_reply(struct rp_loop *l, struct rp__slot *s); /* who waited for it, and is to run now; NULL: nobody is */

struct rp__delayed *rp__timer_due(struct rp_loop *l); /* the next whose time has come; NULL: none */
rp_msg *rp__timer_take(struct rp_loop *l, struct rp__delayed *d); /* NULL: its actor is busy, or memory is out */
/* The next that came while it was busy, of these types (NULL: any); NULL: none. */
rp_msg *rp__timer_of(struct rp_loop *l, struct rp__actor *a, const rp_type *const *types);
void rp__timers_end(struct rp_loop *l, struct rp__actor *a);
bool rp__timers_find(const struct rp__actor *a, bool (*is)(struct rp__slot *s, const void *arg), const void *arg); /* among the messages they will bring */
void rp__timers_pack(struct rp_loop *l, struct rp__actor *a);
void rp__timers_unpack(struct rp_loop *l, struct rp__actor *a);

#endif
