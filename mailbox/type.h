/* SPDX-License-Identifier: MIT
 *
 * type.h - what sending needs to know of a type, worked out once per loop and type.
 */
#ifndef RP__TYPE_H
#define RP__TYPE_H

#include "loop/loop.h"
#include "reparto/mailbox.h"

enum { RP__TYPE_CACHE = 64 };

struct rp__shape {
    const rp_type *type;
    uint64_t word;    /* the slot's type word: address and flags, for a message without extensions */
    uint32_t size;
    uint32_t slots;   /* of a message without extensions */
};

/* A direct-mapped cache: a loop sends few types, over and over. */
struct rp__types {
    struct rp__shape at[RP__TYPE_CACHE];
};

void rp__shape_of(struct rp__shape *ret, const rp_type *t);

static inline struct rp__shape *rp__shape_at(struct rp__types *c, const rp_type *t)
{
    return &c->at[((uintptr_t)t >> 4 ^ (uintptr_t)t >> 11) & (RP__TYPE_CACHE - 1)];
}

static inline const struct rp__shape *rp__shape(struct rp__types *c, const rp_type *t)
{
    struct rp__shape *s = rp__shape_at(c, t);
    if (__builtin_expect(s->type != t, 0))
        rp__shape_of(s, t);
    return s;
}

size_t rp__number_size(rp_kind k); /* of a number, in a struct and on the wire; 0: it is none */
bool rp__type_copies(const rp_type *t); /* a body may be copied: it owns nothing */

/* The next of t's RP_TOKEN fields, from number *i on; NULL: there is none left. Not all bodies are aligned. */
static inline const rp_field *rp__token_field(const rp_type *t, size_t *i)
{
    while (*i < t->nfields) {
        const rp_field *f = &t->fields[(*i)++];
        if (f->kind == RP_TOKEN)
            return f;
    }
    return 0;
}

static inline bool rp__kind_outside(rp_kind k) /* its value stands outside the struct */
{
    return k == RP_TEXT || k == RP_BYTES;
}

#endif
