/* SPDX-License-Identifier: MIT
 *
 * type.h - what sending needs to know of a type, worked out once per loop and description.
 */
#ifndef RP__TYPE_H
#define RP__TYPE_H

#include "loop/loop.h"
#include "reparto/mailbox.h"

#include <errno.h>

enum { RP__TYPE_CACHE = 64, RP__TYPE_LOOSE = 16, RP__TYPE_MOST = 65536 /* bytes of a body */ };

struct rp__shape {
    const rp_type *type; /* as the sender describes it */
    uint64_t word;    /* the slot's type word: address (of the description for all, typebook.h) and flags, for a message
                         without extensions */
    uint32_t size;    /* of a bad one: what sending by it returns, negated */
    uint32_t slots;   /* of a message without extensions; 0: the type is bad */
};

struct rp__typebook;

/* A direct-mapped cache: a loop sends few types, over and over. Those in `at` are constant. */
struct rp__types {
    struct rp__shape at[RP__TYPE_CACHE];
    struct rp__loose { /* one that its owner may change, or take away */
        const rp_type *at;
        struct rp__shape shape;
    } loose[RP__TYPE_LOOSE];
    struct rp__shape bad;
    struct rp__typebook *book;
};

void rp__types_open(struct rp__types *c, struct rp__typebook *book);
void rp__shape_of(struct rp__shape *ret, const rp_type *t); /* of the description for all */
void rp__shape_bad(struct rp__shape *ret, int err);
const struct rp__shape *rp__shape_look_up(struct rp__types *c, const rp_type *t);

static inline struct rp__shape *rp__shape_at(struct rp__types *c, const rp_type *t)
{
    return &c->at[((uintptr_t)t >> 4 ^ (uintptr_t)t >> 11) & (RP__TYPE_CACHE - 1)];
}

static inline const struct rp__shape *rp__shape(struct rp__types *c, const rp_type *t)
{
    const struct rp__shape *s = rp__shape_at(c, t);
    return __builtin_expect(s->type == t, 1) ? s : rp__shape_look_up(c, t);
}

static inline int rp__shape_rc(const struct rp__shape *s) /* 0, or why nothing can be sent by it */
{
    return s->slots ? 0 : -(int)s->size;
}

/* 0, or why `body` cannot be sent by the type. */
static inline int rp__sendable(const struct rp__shape *s, const void *body)
{
    return s->slots == 0 ? -(int)s->size : body || s->size == 0 ? 0 : -EINVAL;
}

const rp_type *rp__type_of_word(uint64_t word); /* the description for all */

/* Do they describe the same? */
bool rp__type_same(const rp_type *a, const rp_type *b);
/* Is a message's type, the description for all, the one that `t` describes? */
static inline bool rp__type_is(const rp_type *type, const rp_type *t)
{
    return __builtin_expect(type == t, 1) || rp__type_same(type, t);
}

/* In what they differ, the first thing. */
void rp__type_difference(const rp_type *a, const rp_type *b, char *why, size_t size);
/* As rp_type_check, which does not say why not. */
bool rp__type_sound(const rp_type *t, char *why, size_t size);

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
