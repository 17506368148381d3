/* SPDX-License-Identifier: MIT
 *
 * waits.h - every function that suspends, as something that cancel.c can end: tests/structure.py finds the
 * one that is missing here by its comment in include/.
 */
#ifndef RP_WAITS_H
#define RP_WAITS_H

#include "tests/stress/stress.h"

#include <errno.h>

enum how { SCOPE, TASK, DEADLINE, ACTOR, HOWS }; /* in which way it is ended */

enum { SLOW_MS = 1 }; /* after so long comes what is waited for */

struct trial {
    const struct wait *wait;
    enum how how;
    rp_time after;       /* before it is ended */
    const char *url;     /* of the other node */
    rp_ref far, helper;  /* the other node's helper; one here, on the last loop */
    rp_node node;
    uint64_t done;       /* what the waiting has done, as far as it knows */
    unsigned ended, at_close; /* tasks of a scope: when it was closed, no more may end */
    rp_ref thing;        /* a group, a supervisor */
    rp_ref child;
    int alive;           /* children that have begun and not ended */
    rp_ref partner;
    bool partner_ended;
    bool ready;          /* the partner has what is waited for */
    int partner_rc;      /* what its wait returned */
    unsigned inside;     /* those who hold it now */
    uint64_t value;
    struct sync *sync;
};

struct wait { /* one function that suspends */
    const char *name;
    int (*run)(rp_self *me, struct trial *t);      /* 0, or the error of the function */
    int (*partner)(rp_self *me, struct trial *t);  /* by an actor on the last loop: brings what is waited for */
    void (*prepare)(rp_self *me, struct trial *t); /* by the root, before */
    void (*settle)(rp_self *me, struct trial *t);  /* and after: nothing is lost or doubled */
    bool holds;    /* the partner has it first, and says so */
    bool far;      /* needs the other node */
    bool by_actor; /* only the actor itself may: no tasks */
    uint32_t room; /* of the helper's mailbox; 0: 4 */
};

extern const struct wait actor_waits[], sync_waits[]; /* each ends with one without a name */

/* The helper: handles a number in SLOW_MS, answers with the sum of all; */
enum { HOW_MUCH = 0, JOIN = 1000 }; /* at once to HOW_MUCH; JOIN: becomes a member of num.ref */
extern const rp_actor helper;
int call_one(rp_self *me, rp_ref to, uint64_t n, uint64_t *ret);

#endif
