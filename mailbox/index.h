/* SPDX-License-Identifier: MIT
 *
 * index.h - a mailbox's messages by type, and by key.
 *
 * A mailbox gets one when somebody first receives by type, or when messages first replace each other
 * by key; from then on each message in it has an entry. Taking the oldest of a type, or finding the one
 * with a key, costs the same however many others stand there (Erlang's selective receive looks at all).
 */
#ifndef RP__INDEX_H
#define RP__INDEX_H

#include "loop/base/map.h"
#include "mailbox/message.h"

enum rp__lane { RP__LANE_URGENT, RP__LANE_NORMAL, RP__LANES };

struct rp__entry {
    struct rp__hook all;         /* in its lane, by age */
    struct rp__hook same;        /* among those of its type, by age */
    struct rp__slot *slot;
    struct rp__of_type *of_type;
    uint64_t key;                /* hash of type and key; 0: it has none */
};

struct rp__of_type {
    const rp_type *type;
    struct rp__hook entries;
};

struct rp__index {
    struct rp__hook lane[RP__LANES];
    struct rp__map types;        /* rp_type -> struct rp__of_type */
    struct rp__map keys;         /* hash -> the struct rp__entry that a newer message replaces */
};

struct rp__index *rp__index_new(struct rp_loop *l);                      /* NULL: no memory */
void rp__index_free(struct rp_loop *l, struct rp__index *x);             /* empty */

/* `keyed`: a later one with its key may replace it. 0, -ENOMEM. */
int  rp__index_put(struct rp_loop *l, struct rp__index *x, struct rp__slot *s, bool in_front, bool keyed);
struct rp__slot *rp__index_remove(struct rp_loop *l, struct rp__index *x, struct rp__entry *e);

struct rp__entry *rp__index_of_type(struct rp__index *x, const rp_type *t); /* the oldest; NULL: none */
struct rp__entry *rp__index_of_key(struct rp__index *x, struct rp__slot *s); /* with the key of s; NULL: none */

static inline enum rp__lane rp__lane_of(const struct rp__slot *s)
{
    return rp__type(s->type)->flags & RP_URGENT ? RP__LANE_URGENT : RP__LANE_NORMAL;
}

#endif
