/* SPDX-License-Identifier: MIT
 *
 * message.h - what lies in the slots.
 *
 *    0        8        16       24
 *   +--------+--------+--------+---------------------------------+
 *   | to     | from   | type   | [node via call deadline         |   one slot, 64 bytes,
 *   +--------+--------+--------+   stamp cookie] body            |   up to 16 of them
 *                      |         +---------------------------------+
 *        63          48 47                                 3 2 0
 *       +--------------+-----------------------------------+---+
 *       | flags        | address of the rp_type            |   |  more flags: the address is a
 *       +--------------+-----------------------------------+---+  multiple of 8
 *
 * The words before the body stand there only if their flag is set. A body that does not fit 16
 * slots, or owns bytes outside its struct, stands in a block (struct rp__big) and the slot carries its
 * address. An rp_msg is the first slot, wherever that lies: in a ring, or in a block of a loop's pool
 * (RP__F_OWNED), where `to` links the messages of a mailbox.
 */
#ifndef RP__MESSAGE_H
#define RP__MESSAGE_H

#include "mailbox/ledger.h"
#include "mailbox/type.h"

#include <stdatomic.h>
#include <string.h>

struct rp_msg {
    struct rp__slot slot;
};

/* Flags, as they stand above bit 48. The low four bits: slots beyond the first. */
enum {
    RP__F_EXTRA = 0xf,
    RP__F_SYSTEM = 1 << 4,   /* for the runtime: the low bits are an op, not a type */
    RP__F_REPLY = 1 << 5,    /* for a waiting call: word call */
    RP__F_CALL = 1 << 6,     /* wants a reply: word call */
    RP__F_DEADLINE = 1 << 7, /* word deadline */
    RP__F_NODE = 1 << 8,     /* came from another process: words node and via */
    RP__F_BIG = 1 << 9,
    RP__F_DROP = 1 << 10,    /* its type has a drop function */
    RP__F_OWNED = 1 << 11,   /* in a block of its own */
    RP__F_HEAVY = RP__F_OWNED, /* of one that is on its way, and so has none: it takes room there (loop/window.h) */
    RP__F_SPENT = 1 << 12,   /* its right to reply has been used or taken */
    RP__F_TAKEN = 1 << 13,   /* moved away: the slot is an empty shell */
    RP__F_SURE = 1 << 14,    /* needs no room in the mailbox */
    RP__F_PAID = 1 << 15     /* the credit it used on its link has been given back; a call of this process: was passed on */
};

#define RP__FLAG(f) ((uint64_t)(f) << 48)
#define RP__LOW_MASK ((UINT64_C(1) << 48) - 1)
#define RP__TYPE_MASK (RP__LOW_MASK & ~UINT64_C(7))
#define RP__STAMP UINT64_C(4)  /* it is measured: word stamp (loop/sample.h) */
#define RP__RIGHTS UINT64_C(1) /* its type has RP_TOKEN fields */
#define RP__BOUNCE UINT64_C(2) /* its sender wants to know if it ends unread: word cookie */

_Static_assert(_Alignof(rp_type) >= 8, "the low bits of a type's address are ours");

extern const rp_type rp__gone_type; /* of a block that is no message any more */

enum {
    RP__HEAD = 24,
    RP__EXT_MAX = 48,
    RP__INLINE_MAX = RP__SLOTS_MAX * RP__SLOT - RP__HEAD - RP__EXT_MAX
};

/* A body outside the slots: the struct, then the bytes that its fields point at. */
struct rp__big {
    size_t size;  /* of all of it */
    /* Slots that share it, beside the first: rp__send with `share`. Going up is relaxed: who shares it has it.
     * Going down is acq_rel: who frees it does so after the others have read it. 0, read with acquire, means
     * that it is the reader's alone. */
    _Atomic uint32_t others;
    bool packed;  /* its fields point into it; else at their user's memory, until it is sent */
    bool fixed;   /* it has pages of its own, which cannot be written while others share it: rp__big_new_shared */
    _Alignas(16) char body[];
};

static inline void rp__big_init(struct rp__big *b, size_t size, bool packed) /* its head; the body is yet to come */
{
    b->size = size;
    atomic_init(&b->others, 0);
    b->packed = packed;
    b->fixed = false;
}

static inline bool rp__big_shared(const struct rp__big *b)
{
    return atomic_load_explicit(&b->others, memory_order_acquire) > 0;
}

static inline void rp__big_share(struct rp__big *b)
{
    atomic_fetch_add_explicit(&b->others, 1, memory_order_relaxed);
}

static inline uint64_t rp__word(const void *type, unsigned flags)
{
    return (uint64_t)(uintptr_t)type | RP__FLAG(flags);
}

static inline unsigned rp__flags(uint64_t word)
{
    return (unsigned)(word >> 48);
}

static inline unsigned rp__slots(uint64_t word)
{
    return (rp__flags(word) & RP__F_EXTRA) + 1;
}

static inline const rp_type *rp__type(uint64_t word)
{
    return (const rp_type *)(uintptr_t)(word & RP__TYPE_MASK);
}

static inline unsigned rp__slots_for(size_t bytes) /* of body and extension words */
{
    return (unsigned)((RP__HEAD + bytes + RP__SLOT - 1) / RP__SLOT);
}

static inline unsigned rp__ext_words(uint64_t word)
{
    unsigned f = rp__flags(word);
    return 2 * ((f & RP__F_NODE) != 0) + ((f & (RP__F_CALL | RP__F_REPLY)) != 0) + ((f & RP__F_DEADLINE) != 0) +
           ((word & RP__STAMP) != 0) + ((word & RP__BOUNCE) != 0);
}

/* The extension words; each only if its flag is set. */
static inline uint64_t *rp__node_of(struct rp__slot *s) /* the sender's */
{
    return s->body;
}

static inline uint64_t *rp__via_of(struct rp__slot *s) /* link << 32 | bytes it took of the link's credit */
{
    return s->body + 1;
}

static inline uint64_t *rp__call_of(struct rp__slot *s)
{
    return s->body + 2 * ((rp__flags(s->type) & RP__F_NODE) != 0);
}

static inline uint64_t *rp__deadline_of(struct rp__slot *s)
{
    return rp__call_of(s) + ((rp__flags(s->type) & (RP__F_CALL | RP__F_REPLY)) != 0);
}

static inline uint64_t *rp__stamp_of(struct rp__slot *s)
{
    return rp__deadline_of(s) + ((rp__flags(s->type) & RP__F_DEADLINE) != 0);
}

static inline uint64_t *rp__cookie_of(struct rp__slot *s)
{
    return rp__stamp_of(s) + ((s->type & RP__STAMP) != 0);
}

static inline void *rp__body_of(struct rp__slot *s)
{
    const uint64_t elsewhere = RP__FLAG(RP__F_NODE | RP__F_CALL | RP__F_REPLY | RP__F_DEADLINE | RP__F_BIG) | RP__STAMP | RP__BOUNCE;
    if (__builtin_expect((s->type & elsewhere) == 0, 1))
        return s->body;
    uint64_t *at = s->body + rp__ext_words(s->type);
    if (__builtin_expect(rp__flags(s->type) & RP__F_BIG, 0))
        return ((struct rp__big *)(uintptr_t)*at)->body;
    return at;
}

static inline struct rp__big *rp__big_of(struct rp__slot *s)
{
    return (struct rp__big *)(uintptr_t)s->body[rp__ext_words(s->type)];
}

/* Bytes it takes of a mailbox's room: the same whether it is measured or not. */
static inline size_t rp__weight(struct rp__slot *s)
{
    size_t slots = rp__slots(s->type), big = rp__flags(s->type) & RP__F_BIG;
    if (__builtin_expect((s->type & RP__STAMP) != 0, 0))
        slots = rp__slots_for(8 * (rp__ext_words(s->type) - 1) + (big ? 8 : rp__type(s->type)->size));
    return slots * RP__SLOT + (big ? rp__big_of(s)->size : 0);
}

/* Copies by words, so that slots just written by words come out of the store buffer at once. */
static inline void rp__slot_copy(struct rp__slot *to, const struct rp__slot *from)
{
    uint64_t a = from->to, b = from->from, c = from->type;
    uint64_t d = from->body[0], e = from->body[1], f = from->body[2], g = from->body[3], h = from->body[4];
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g), "+r"(h));
    to->to = a, to->from = b, to->type = c;
    to->body[0] = d, to->body[1] = e, to->body[2] = f, to->body[3] = g, to->body[4] = h;
}

/* Makes the block for a body outside the slots, its bytes copied behind it. NULL: no memory. */
struct rp__big *rp__big_new(struct rp_loop *l, const rp_type *t, const void *body);
void rp__big_free(struct rp_loop *l, struct rp__big *b); /* when nobody else shares it */

/* The same for one that several will share. Where misuse is looked for (RP__MOVES_COPY), who writes to it is stopped. */
struct rp__big *rp__big_new_shared(struct rp_loop *l, const rp_type *t, const void *body);

/* A copy of the slots in a block of its own; the original is an empty shell then. NULL: no memory. */
static inline rp_msg *rp__msg_hold(struct rp_loop *l, struct rp__slot *s)
{
    unsigned n = rp__slots(s->type);
    struct rp__slot *to = (struct rp__slot *)rp__pool_get(&l->pool, (size_t)n * RP__SLOT);
    if (!to)
        return 0;
    rp__slot_copy(to, s);
    if (__builtin_expect(n > 1, 0))
        memcpy(to + 1, s + 1, (n - 1) * sizeof *s);
    to->type |= RP__FLAG(RP__F_OWNED);
    s->type |= RP__FLAG(RP__F_TAKEN);
    return (rp_msg *)to;
}

/* Frees an owned message's block and nothing else: its contents have moved on. */
static inline void rp__msg_shell_free(struct rp_loop *l, struct rp__slot *s)
{
    size_t size = (size_t)rp__slots(s->type) * RP__SLOT;
    s->from = s->type; /* for who looks what it was */
    __asm__ volatile("" : : : "memory"); /* two plain stores: gcc would put both words into a vector first */
    s->type = rp__word(&rp__gone_type, RP__F_SYSTEM | RP__F_TAKEN);
    rp__pool_free(&l->pool, s, size);
}

/* Whoever uses a message that has been dropped or sent finds this in it, until its block is another's: no message
 * that a user has is of RP__F_SYSTEM. */
static inline bool rp__msg_gone(const rp_msg *m)
{
    return __builtin_expect((m->slot.type & RP__FLAG(RP__F_SYSTEM)) != 0, 0);
}

/* The process ends, with a line. `me` NULL: it is not known. */
void rp__used_gone(const rp_self *me, const rp_msg *m, const char *call) __attribute__((noreturn, cold));
void rp__not_to_drop(const rp_self *me, const rp_msg *m) __attribute__((noreturn, cold)); /* it is gone, or a handler's */

static inline void rp__must_live(const rp_self *me, const rp_msg *m, const char *call)
{
    if (rp__msg_gone(m))
        rp__used_gone(me, m, call);
}

/* An owned message of that type, its body zeroed; counted as sent: it exists from here on, and ends once. NULL: no memory. */
rp_msg *rp__msg_blank(struct rp_loop *l, const rp_type *t);

/* Releases what a message owns, and the block of an owned one, without counting anything. */
void rp__msg_release(struct rp_loop *l, struct rp__slot *s);

/* Ends a message that nobody will look at again: what it owns is released, its end counted; the block
 * of an owned one is freed. A right to reply that it still has is the caller's to settle before. */
void rp__msg_end(struct rp_loop *l, struct rp__slot *s, enum rp__tally how);

static inline bool rp__brings_right(const struct rp__slot *s) /* that was another's before; or it may */
{
    return (s->type & (RP__RIGHTS | RP__FLAG(RP__F_PAID))) != 0;
}

#endif
