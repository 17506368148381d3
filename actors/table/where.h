/* SPDX-License-Identifier: MIT
 *
 * where.h - who lives elsewhere than where he was born, and what becomes of that at his end.
 *
 * The records are made by who moves an actor and only linked in here, so that this cannot fail: it grows
 * when there is memory, and its chains grow when there is none.
 */
#ifndef RP__WHERE_H
#define RP__WHERE_H

#include "actors/table/actor.h"

struct rp__where { /* on each loop, of an actor that does not live at its birthplace or is just moving */
    struct rp__where *next;
    uint64_t addr;
    uint32_t loop;          /* where messages to it go */
    struct rp__actor *here; /* it lives on this loop, or has its shell here; NULL: not */
    uint64_t own;           /* what the address of the slot there would be: for giving that back */
};

struct rp__where *rp__where_find(const struct rp__actors *t, uint64_t addr);
void rp__where_add(struct rp_loop *l, struct rp__where *w);
void rp__where_remove(struct rp_loop *l, struct rp__where *w); /* and frees it */
void rp__where_fini(struct rp_loop *l);

void rp__on_forget(struct rp_loop *l, uint64_t addr); /* the guest with this address has ended: a signal */
void rp__guest_gone(struct rp_loop *l, struct rp__actor *a);         /* it has ended: its slot is as any other */

#endif
