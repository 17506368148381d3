/* SPDX-License-Identifier: MIT
 *
 * move.h - an actor goes to live on another loop. Its address stays, and with it everything that others know.
 *
 *     S: where it lives         D: where it goes           each loop X, S and D too
 *     REQUEST, it is idle:
 *     frozen  -- prepare ------> a shell: busy
 *             <----- ready -----
 *             -- change ---------------------------------> who sends to it from here on sends to D;
 *             <------------------------------- changed --- behind all that went to S before
 *     all have: nothing more
 *     can come
 *             -- install ------> it lives here
 *
 * Frozen, and as a shell, an actor is busy without a stack: messages stand in its mailbox, under its bound and
 * policy; signals to it are held in order (they would change it), and acted on when it has arrived. The ring
 * from X to S carries X's "changed" behind X's last message, so S's mailbox has all the older messages of each
 * sender when it goes, and D's shell has the newer ones, which are put behind. No message is ever forwarded.
 *
 * Everything that could fail is had before anything is changed. After that there are only signals, and those
 * are made beforehand too.
 *
 * At its birthplace an actor that lives elsewhere leaves its slot empty and reserved. Where it lives it has a
 * slot of that loop, RP__A_GUEST, and is found by the loop's struct rp__where; its kin are all kid records
 * then, because slots mean nothing to another loop.
 */
#ifndef RP__MOVE_H
#define RP__MOVE_H

#include "actors/table/where.h"
#include "actors/table/post.h"

struct rp__request { /* on the stack of who waits; or of its own */
    struct rp__errand answer;
    rp_self *who;  /* NULL: nobody waits */
    uint64_t id;   /* what its withdrawal names */
    unsigned loop; /* of who waits */
    unsigned to;
    bool withdrawn;
    bool by_mover; /* only who is RP_MOVABLE */
    int rc;
};

enum { TO_PREPARE, TO_READY, TO_INSTALL, TO_ANSWER, RP__MOVE_SPILLS };

/* As rp_move. `by_mover`: -EPERM, its kind does not say RP_MOVABLE. */
int rp__move(rp_self *me, rp_ref who, unsigned on, bool by_mover);

struct rp__move {
    struct rp__errand prepare, ready, change, changed, install; /* the steps, by who takes them: D, S, X, S, D */
    struct rp__request *request;
    uint64_t addr;
    unsigned from, to;
    unsigned left;           /* loops that have not changed yet */
    int rc;                  /* of prepare */
    const rp_actor *kind;    /* what a shell must know to take messages: */
    uint32_t limit, limit_bytes;
    rp_overflow overflow;
    rp_ref redirect;
    void *site;              /* (a shell, too, may be to blame) */
    struct rp__actor *a;     /* at S */
    struct rp__actor *shell; /* at D */
    struct rp__actor gone;   /* what it was when it left S */
    rp_time cpu;             /* and the CPU time it had */
    bool on_way;             /* it has left S */
    struct rp__hook held[2]; /* struct rp__spill: at S, at D */
    struct rp__spill *spill[RP__MOVE_SPILLS];
    unsigned loops;          /* of `at` */
    struct rp__at {
        struct rp__where *where; /* for that loop; NULL: it has one */
        struct rp__spill *change, *changed;
    } at[];
};

/* ---- what goes along (baggage.c) ----------------------------------------------------------------- */

int  rp__kin_apart(struct rp_loop *l, struct rp__actor *a); /* 0, -ENOMEM: some are apart, which does no harm */
void rp__baggage_pack(struct rp_loop *l, struct rp__actor *a);
void rp__baggage_unpack(struct rp_loop *l, struct rp__actor *a);
struct rp__mailbox *rp__boxes_join(struct rp_loop *l, struct rp__mailbox *first, struct rp__mailbox *then);

#endif
