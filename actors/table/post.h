/* SPDX-License-Identifier: MIT
 *
 * post.h - what one loop asks of another: signals, in order with messages; and what must not fail to be sent.
 */
#ifndef RP__POST_H
#define RP__POST_H

#include "actors/table/actor.h"

enum rp__op {            /* body[] */
    RP__OP_STOP = 1,     /* see rp__stop_slot (why.h) */
    RP__OP_MONITOR,      /* the link the watcher is behind, or 0; its number for the watch; 1: it is taken back */
    RP__OP_FULL,         /* the full target's address, its policy */
    RP__OP_ROOM,         /* the target's address, how many may go on */
    RP__OP_MORE,         /* (to the target) others still wait */
    RP__OP_SPAWN,        /* struct rp__birth *; or (to the actor) of a kept one's next incarnation */
    RP__OP_BORN,         /* struct rp__birth * */
    RP__OP_CHILD_ENDED,  /* struct rp__kid * */
    RP__OP_NO_REPLY,     /* call id, error, who is to blame; `from` is no address, but where that one was spawned */
    RP__OP_LATE,         /* (to who replied, from the asker) nobody waited any more: while sites are kept */
    RP__OP_HAS,          /* (to the asker) call id: the sender has it to answer */
    RP__OP_DRAIN,        /* */
    RP__OP_LINK,         /* struct rp__bond *, the target's half; its number */
    RP__OP_UNLINK,       /* the numbers it is known by: the sender's, the target's */
    RP__OP_EXIT,         /* (to who is linked) reason, above it whether somebody knows of the failure; kind; why */
    RP__OP_MOVE,         /* struct rp__request * */
    RP__OP_STAY,         /* the request's number: it is withdrawn */
    RP__OP_FORGET,       /* the address of a guest that has ended */
    RP__OP_RUN           /* a struct rp__errand *: somebody's own business, in order with messages */
};

static inline uint64_t rp__op_word(enum rp__op op)
{
    return RP__FLAG(RP__F_SYSTEM) | (uint64_t)op << 1;
}

static inline enum rp__op rp__op_of(uint64_t word)
{
    return (enum rp__op)((word & RP__LOW_MASK) >> 1);
}

struct rp__errand { /* one of these is called, once, by whoever has it then */
    void (*fn)(struct rp__errand *e, struct rp_loop *l);
    void (*undone)(struct rp__errand *e, struct rp_loop *l); /* its system has ended before: frees it, and sends nothing.
                                              NULL: it is part of what is not let go before it has run */
};

/* Never fails: what can be sent at no other time. Takes from the reserve when memory is out; dispatch
 * stops taking messages while the reserve is short. */
void rp__signal(struct rp_loop *l, uint64_t to, uint64_t from, enum rp__op op, uint64_t a, uint64_t b);
enum { RP__SURE_SLOTS = 2 }; /* of what may not be lost, RP__F_SURE, at most */
void rp__post_sure(struct rp_loop *l, const struct rp__slot *s); /* of so many slots, to where `to` is */
void rp__post_made(struct rp_loop *l, struct rp__spill *s);       /* the same, made before: it never fails */
struct rp__spill *rp__spill_new(struct rp_loop *l); /* of one slot, for later; NULL: no memory */
bool rp__reserve_ready(struct rp_loop *l);
struct rp__spill *rp__reserve_take(struct rp_loop *l); /* NULL: it is spent, and a signal lost */
void rp__reserve_fini(struct rp_loop *l);
bool rp__hold_over(struct rp_loop *l, struct rp__slot *s); /* a message nobody may lose, and no memory: later. False: it is lost */
bool rp__held_take(struct rp_loop *l, struct rp__slot ret[RP__SURE_SLOTS]); /* the next of those; false: none */
void rp__on_signal(struct rp_loop *l, struct rp__slot *s);

#endif
