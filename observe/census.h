/* SPDX-License-Identifier: MIT
 *
 * census.h - figures that nobody keeps, because they would cost something on a message's way: how many messages
 * stand in the mailboxes of each kind of actor, how old the oldest is; what is under way on each link.
 *
 * Each loop counts its own actors, some thousands at a time, between two of its rounds (look.h). So it is true of
 * each actor at the moment it was counted.
 */
#ifndef RP__CENSUS_H
#define RP__CENSUS_H

#include "actors/table/runtime.h"

enum { RP__KINDS = 64, RP__LINKS_SHOWN = 64 };

struct rp__kind { /* of one name, over all loops */
    char name[32];
    uint64_t actors, messages, bytes, most; /* most: in one mailbox */
    rp_time oldest; /* of a message that waits, at least; see rp__mailbox_age */
    rp_time cpu;    /* of those that live, as far as somebody has asked for it (loop/profile.h) */
};

struct rp__kinds {
    unsigned n;
    struct rp__kind of[RP__KINDS + 1]; /* the last: of those that found no place */
    unsigned held; /* loops that did not answer */
};

struct rp__links {
    unsigned n;
    struct rp__link_figures of[RP__LINKS_SHOWN];
};

/* Suspend. 0 and a block, to be given to rp__free_mem; -ENOMEM, -ECANCELED, -EAGAIN. */
int rp__census_kinds(rp_self *me, struct rp__kinds **ret);
int rp__census_links(rp_self *me, struct rp__links **ret); /* NULL: no cluster, or loop 0 does not answer */

#endif
