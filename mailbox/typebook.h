/* SPDX-License-Identifier: MIT
 *
 * typebook.h - the types that a system has met, one under each name.
 *
 * A message carries the address of its type, so there is one address for each type, wherever it was described: two files
 * that include one header with a `static const rp_type` mean the same type. The first description that is met is kept:
 * where it lies if it is constant (loop/constant.h), else as a copy. Each loop has in front of this a cache by the
 * address of the description (type.h): of a constant one it is final, of any other all of it is compared each time.
 *
 * A description that is not sound, or that differs from the one of its name, is reported, once, and is an error to who
 * sends by it.
 */
#ifndef RP__TYPEBOOK_H
#define RP__TYPEBOOK_H

#include "mailbox/type.h"

#include <pthread.h>

enum { RP__TYPE_BUCKETS = 64, RP__TYPE_FAULT = 200 };

struct rp__known_type {
    struct rp__known_type *next;
    const rp_type *type; /* the one for all */
    bool told;           /* that another differs */
    size_t size;         /* of this block, with what is copied */
};

struct rp__typebook {
    rp_system *sys;      /* NULL: not yet */
    rp_alloc mem;
    pthread_mutex_t lock; /* of what follows */
    struct rp__known_type *known[RP__TYPE_BUCKETS];
    const rp_type *bad[RP__TYPE_BUCKETS]; /* the last ones that were told to be unsound */
    unsigned nbad;
};

void rp__typebook_open(struct rp__typebook *b, const rp_alloc *mem);
void rp__typebook_close(struct rp__typebook *b); /* when no message is left */

/* The type that `t` describes. 0; -EINVAL: it is not sound, or another has its name; -ENOMEM. */
int rp__type_meet(struct rp__typebook *b, const rp_type *t, const rp_type **ret);

/* The one of that name; NULL: none was met. */
const rp_type *rp__type_named(struct rp__typebook *b, const char *name);

/* The same for a list of those that may come from other processes: each must have fields and no drop. Overwrites the list. */
int rp__types_meet(struct rp__typebook *b, const rp_type **list);

#endif
