/* SPDX-License-Identifier: MIT
 *
 * mailbox.h - what a message is.
 *
 * A message is a struct with one owner. Its type is described once, by a table of fields: local sends
 * copy the struct, sends to other processes encode it by its fields, traces print it by them.
 *
 *     struct order { uint64_t id; int32_t pieces; rp_bytes note; };
 *     static const rp_field order_fields[] = {
 *         RP_FIELD(struct order, id, RP_U64),
 *         RP_FIELD(struct order, pieces, RP_I32),
 *         RP_FIELD(struct order, note, RP_TEXT),
 *     };
 *     const rp_type order_type = RP_TYPE("shop.order", struct order, order_fields);
 *
 * A type is known by its name: descriptions that say the same are one type, wherever they stand, also a `static const`
 * one in a header that several files include. A system takes the first it meets under a name; one that says something
 * else is an error (-EINVAL) to who sends by it, and reported (report.h). A constant description costs nothing to
 * recognise; one that is on the stack, or may change, is compared at each send.
 */
#ifndef REPARTO_MAILBOX_H
#define REPARTO_MAILBOX_H

#include "reparto/loop.h"

#ifdef __cplusplus
template <class T> struct rp__points { enum { yes = 0 }; }; /* is T a pointer: for RP_FIELD */
template <class T> struct rp__points<T *> { enum { yes = 1 }; };
extern "C" {
#endif

/* An actor anywhere. `node` is the incarnation of its process, `local` its loop, slot and generation
 * there: a ref to an actor that has ended never reaches another. All zero: nobody. */
typedef struct rp_ref {
    uint64_t node, local;
} rp_ref;

static inline bool rp_ref_eq(rp_ref a, rp_ref b)
{
    return a.node == b.node && a.local == b.local;
}

static inline bool rp_ref_none(rp_ref a)
{
    return a.node == 0 && a.local == 0;
}

/* The right to reply to a call, taken out of its message: see reparto/actors.h. */
typedef struct rp_token {
    rp_ref asker;
    uint64_t call; /* 0: used, or never one */
    uint64_t via;  /* the runtime's: by which link its asker is reached, */
    uint64_t held; /* and who answers for it */
} rp_token;

/* Bytes outside the struct. A sender points it at memory of its own, which is copied; in a received
 * message it points into the message and lives as long as that. */
typedef struct rp_bytes {
    const void *data;
    size_t size;
} rp_bytes;

typedef enum rp_kind {
    RP_BOOL = 1, /* bool */
    RP_I8, RP_I16, RP_I32, RP_I64,
    RP_U8, RP_U16, RP_U32, RP_U64,
    RP_F32, RP_F64,
    RP_CHARS,    /* char[N], NUL-terminated: what stands before the NUL travels */
    RP_RAW,      /* any array of bytes: all N travel, as they are */
    RP_REF,      /* rp_ref */
    RP_TEXT,     /* rp_bytes, UTF-8 by convention */
    RP_BYTES,    /* rp_bytes */
    RP_TOKEN     /* rp_token: goes over with the message, and breaks if that ends with it */
} rp_kind;

typedef struct rp_field {
    const char *name;
    rp_kind kind;
    uint32_t offset, size;
} rp_field;

/* What happens to a message that meets a full mailbox. */
typedef enum rp_overflow {
    RP_DEFAULT = 0, /* of a mailbox: RP_WAIT. Of a type: as its mailbox says */
    RP_WAIT,        /* the sender waits until there is room */
    RP_FAIL,        /* senders of this process get -EAGAIN once they know; what was on its way is dropped */
    RP_DROP_NEW,    /* it is dropped */
    RP_DROP_OLD,    /* the oldest is dropped; where the bytes are too many, as many of the oldest as make room */
    RP_CONFLATE,    /* full or not: it takes the place of the queued one of its type with the same key (but of none that
                       was set aside, also when that is back in line); otherwise as RP_DROP_OLD */
    RP_REDIRECT     /* it goes on to rp_spawn_opts.redirect, sender and right to reply with it */
} rp_overflow;

enum { RP_URGENT = 1 }; /* flag of a type: in a mailbox it is taken before the others */

typedef struct rp_type {
    const char *name;          /* stable across versions and languages, e.g. "shop.order"; at most 63 bytes */
    size_t size;               /* of the struct; at most 64 KiB */
    const rp_field *fields;    /* NULL: it cannot leave the process */
    size_t nfields;
    void (*drop)(void *body);  /* releases what the struct owns beyond itself; run exactly once, by whoever
                                  ends the message; such a type cannot leave the process */
    rp_overflow overflow;      /* instead of its mailbox's policy; RP_DEFAULT: that */
    unsigned key;              /* RP_CONFLATE: 1 + the index of the field that is its key; 0: all are alike */
    unsigned flags;
} rp_type;

/* RP_CHARS or RP_RAW of a pointer does not compile: what it points to would not travel. Text outside the struct is RP_TEXT. */
#define RP_FIELD(T, member, kind) \
    { #member, kind, (uint32_t)offsetof(T, member), \
      (uint32_t)(sizeof(((T *)0)->member) + 0 * sizeof(char[RP__IS_ARRAY(kind) && RP__POINTS(((T *)0)->member) ? -1 : 1])) }
#define RP__IS_ARRAY(kind) ((kind) == RP_CHARS || (kind) == RP_RAW)
#ifdef __cplusplus
#define RP__POINTS(x) rp__points<decltype(x)>::yes
#else
#define RP__POINTS(x) __extension__ _Generic(&(x), char **: 1, const char **: 1, unsigned char **: 1, const unsigned char **: 1, \
                                             void **: 1, const void **: 1, default: 0)
#endif
#define RP_TYPE(name, T, fields) { name, sizeof(T), fields, sizeof(fields) / sizeof *(fields), NULL, RP_DEFAULT, 0, 0 }

/* Is the description sound? 0, or -EINVAL: a field beyond the struct, overlapping or of the wrong size
 * for its kind, no name. Sending by one that is not is -EINVAL, and the first time a report says what is wrong. */
RP_EXPORT RP_NODISCARD int rp_type_check(const rp_type *t);

/* Prints a body by its fields, for traces: `name{id=7 note="x"}`. Returns what snprintf would.
 * `to` may be NULL when `size` is 0. */
RP_EXPORT int rp_type_print(char *to, size_t size, const rp_type *t, const void *body);

/* Reads that back into `body`, t->size bytes: zero, but for the fields that are named, in any order. `room` may be NULL:
 * then it has no bytes. What is in RP_TEXT
 * fields is written into `room`, the caller's, `size` bytes of it, and pointed to: as many as the text has are always
 * enough. -EINVAL: not such text, another type's, a field that is unknown or there twice. -ERANGE: a number that is
 * too large for its field. -EMSGSIZE: text that is too long for its RP_CHARS, with the NUL. -ENOBUFS: `room` is too
 * small. -ENOTSUP: a field of RP_RAW or RP_BYTES, of which only the length is printed, or of RP_TOKEN. On error nothing
 * in `body` counts. */
RP_EXPORT RP_NODISCARD int rp_type_scan(const char *text, const rp_type *t, void *body, void *room, size_t size);

/* ---- messages ------------------------------------------------------------------------------------ */

typedef struct rp_msg rp_msg; /* exactly one owner, an actor: used on the loop where that lives, and goes with it when it moves,
                                 and ends with it. Only rp_send and rp_forward make it another actor's: no queue does */

/* A message to fill and rp_send: saves the copy that rp_tell makes. The body is zeroed.
 * NULL: out of memory, or the type is not sound. What is never sent ends with the actor. */
RP_EXPORT rp_msg *rp_msg_new(rp_self *me, const rp_type *t);

/* The body of a message of one's own, to write to. */
RP_EXPORT void *rp_msg_fill(rp_msg *m);

/* The body, if the message is of the type that `t` describes; else NULL. */
RP_EXPORT const void *rp_body(const rp_msg *m, const rp_type *t);

/* The system's description of its type, which says the same as the sender's and may lie elsewhere: ask with rp_body
 * whether it is a certain one, not by comparing addresses. Valid while the system lives. */
RP_EXPORT const rp_type *rp_type_of(const rp_msg *m);
RP_EXPORT rp_ref rp_from(const rp_self *me, const rp_msg *m); /* who sent it; none: not an actor */
RP_EXPORT rp_time rp_deadline_of(const rp_msg *m); /* of a call: when the asker stops waiting; else RP_FOREVER */
RP_EXPORT bool rp_wants_reply(const rp_msg *m);  /* a call that nobody has replied to, and no one else will */

/* Ends a message: it counts as handled. A call that was not replied to wakes its asker with -EPIPE. On another loop than
 * its owner's it is reported, and left as it is. */
RP_EXPORT void rp_msg_drop(rp_self *me, rp_msg *m);

/* ---- the ledger ----------------------------------------------------------------------------------
 * Every message ends exactly once. At every instant, over all loops of a process:
 *     sent + arrived == handled + left + dead + dropped + late + expired + in flight
 */
typedef enum rp_dropped { /* why a message was dropped */
    RP_DROPPED_NEW,      /* the mailbox was full, and the policy is to turn away what comes (also: to redirect, and there
                            was no room either) */
    RP_DROPPED_OLD,      /* a newer one needed its place */
    RP_DROPPED_REPLACED, /* a newer one with its key took its place */
    RP_DROPPED_RESTART,  /* its actor was between two incarnations, or fell: RP_MAIL_DROP */
    RP_DROPPED_MEMORY,   /* there was none to keep it */
    RP_DROPPED_REFUSED,  /* it came from another process, and could not be made here */
    RP_DROPPED_SHED,     /* it had stood for too long, as all before it (rp_spawn_opts.shed_ms) */
    RP_DROPPED_WHYS
} rp_dropped;

typedef struct rp_ledger {
    uint64_t sent;     /* accepted from an actor of this process */
    uint64_t arrived;  /* accepted from another process */
    uint64_t handled;  /* its last receiver has done with it */
    uint64_t left;     /* handed over to the link to another process */
    uint64_t dead;     /* its receiver had ended, or ended with it unread */
    uint64_t dropped;  /* by the receiver's overflow policy */
    uint64_t late;     /* a reply nobody waited for any more */
    uint64_t expired;  /* a call past its deadline when its turn came, or turned away because it would be */
    uint64_t high_water; /* the longest mailbox there has been, in messages */
    uint64_t lost_signals; /* not messages: a waiting sender or asker could not be told, because memory and
                              its reserve were spent. 0 while the allocator answers */
} rp_ledger;

#ifdef __cplusplus
}
#endif
#endif
