/* SPDX-License-Identifier: MIT
 *
 * codec.h - bodies on the wire: the fields of a struct, one after the other, as its sender described them.
 *
 * A type is announced once per link and direction: its number, its name, its fields. After that a body
 * is just the fields' values, little-endian and packed. The receiver makes a plan from the announced
 * fields to its own type of the same name: fields that it does not have are skipped, fields that did
 * not come are zero. So two versions of a program talk as long as a field keeps its name and kind.
 *
 * Pure: no I/O, no allocation but for rp__big of bodies with bytes outside. Every length is checked
 * against what is there before it is believed. docs/wire.md describes the bytes.
 */
#ifndef RP__CODEC_H
#define RP__CODEC_H

#include "mailbox/message.h"

/* ---- reading and writing bytes ------------------------------------------------------------------- */

struct rp__in { /* what is left to read; `bad` once something was not there */
    const unsigned char *at, *end;
    bool bad;
};

struct rp__w { /* where to write; n counts on past `size`, which is then an error */
    unsigned char *to;
    size_t n, size;
};

const void *rp__get_bytes(struct rp__in *in, size_t n); /* NULL: not there */
uint8_t  rp__get8(struct rp__in *in);
uint16_t rp__get16(struct rp__in *in);
uint32_t rp__get32(struct rp__in *in);
uint64_t rp__get64(struct rp__in *in);
static inline bool rp__get_end(const struct rp__in *in) /* all was there, and nothing is left */
{
    return !in->bad && in->at == in->end;
}

void rp__put_bytes(struct rp__w *w, const void *p, size_t n);
void rp__put8(struct rp__w *w, uint8_t x);
void rp__put16(struct rp__w *w, uint16_t x);
void rp__put32(struct rp__w *w, uint32_t x);
void rp__put64(struct rp__w *w, uint64_t x);

/* ---- bodies -------------------------------------------------------------------------------------- */

/* Bytes that `body` takes on the wire. SIZE_MAX: a text in it is longer than the wire can say. */
size_t rp__packed_size(const rp_type *t, const void *body);
void   rp__pack(struct rp__w *w, const rp_type *t, const void *body);

/* ---- announced types ----------------------------------------------------------------------------- */

enum { RP__WIRE_NAME = 63 };

struct rp__plan { /* what to do with each announced field */
    const rp_type *type; /* ours; NULL: we have none of that name, its messages are refused */
    char name[RP__WIRE_NAME + 1];
    uint16_t nfields;
    bool carries_tokens;
    uint8_t told; /* what has been reported of it (refused.c) */
    uint64_t peer, link; /* who announced it: what it lends it hears of again */
    struct rp__step {
        uint8_t kind;    /* as announced */
        bool skip;
        uint32_t size;   /* announced, for RP_RAW */
        uint32_t offset, room; /* in our struct */
    } step[];
};

size_t rp__announced_size(const rp_type *t);
void   rp__announce(struct rp__w *w, const rp_type *t);

/* Reads an announcement. 0 and a plan to be freed with size rp__plan_size; -EPROTO: malformed; -ENOMEM.
 * `types`: ours, NULL-terminated; may be NULL. */
int    rp__plan_new(const rp_alloc *mem, struct rp__in *in, const rp_type *const *types, struct rp__plan **ret);
size_t rp__plan_size(const struct rp__plan *p);

/* Checks a body against the plan: 0 and the bytes that our struct's outside fields will take; -EPROTO; -EMSGSIZE: it is
 * sound, but a text does not fit our array. */
int rp__unpack_check(const struct rp__plan *p, struct rp__in in, size_t *outside);

/* Fills our struct (zeroed before); outside bytes go to `outside`. After rp__unpack_check. */
void rp__unpack(const struct rp__plan *p, struct rp__in in, void *body, char *outside);

/* The next token, from step *i of the plan on, that has no place in our struct, or with `all` any: false, none. */
bool rp__unpack_token(const struct rp__plan *p, struct rp__in *in, unsigned *i, bool all, rp_token *ret);

#endif
