/* SPDX-License-Identifier: MIT
 *
 * wire.h - what two nodes say to each other: the SP stream, and the frames in its messages.
 *
 *   L0  "\0SP\0" u16 protocol u16 0        once each way, the dialer first          (big-endian, as SP)
 *       per message: tcp  u64 length | body        ipc  01 | u64 length | body
 *   L1  body = u32 hops | frame ... frame          PAIR1; hops is 1 from us, anything up to 255 to us
 *   L2  frame = u32 length | u8 type | u8 flags | u16 number | payload              (little-endian)
 *
 * A reader is fed bytes as they come, in any pieces, and hands out whole frames. It is pure: what it
 * makes of bytes depends on the bytes alone. Anything that is not as docs/wire.md says ends it.
 */
#ifndef RP__WIRE_H
#define RP__WIRE_H

#include "cluster/wire/codec.h"

enum {
    RP__SP_HEADER = 8,
    RP__SP_PAIR1 = 0x11,
    RP__FRAME_HEADER = 8,
    RP__MAX_FRAME = 1 << 20,      /* payload */
    RP__MAX_FRAME_EARLY = 4096,   /* before the peer is known */
    RP__MAX_BODY = 2 << 20,       /* one SP message */
    RP__BATCH = 65536             /* what we put into one, beyond which the next is begun */
};

enum rp__frame_type {
    RP__HELLO = 1,
    RP__AUTH,
    RP__WELCOME,
    RP__BYE,
    RP__PING,
    RP__PONG,
    RP__CREDIT,
    RP__TYPE,       /* announces a type; number */
    RP__SEND = 16,
    RP__CALL,
    RP__REPLY,
    RP__NO_REPLY,
    RP__MONITOR,
    RP__DOWN,
    RP__STOP_ACTOR,
    RP__LOOKUP,
    RP__FOUND,
    RP__FORGET = 64, /* of those that may be left out */
    RP__DEMONITOR,
    RP__CULPRIT
};

enum { /* flags */
    RP__W_NODE = 1,    /* SEND, CALL: u64 node of the sender, which is not the one that sends this */
    RP__W_DEADLINE = 2, /* CALL: u32 milliseconds that are left */
    RP__W_WAIT = 4     /* LOOKUP: answer when there is one */
};

struct rp__frame {
    uint8_t type, flags;
    uint16_t number;
    struct rp__in payload;
};

void rp__put_frame(struct rp__w *w, uint8_t type, uint8_t flags, uint16_t number, size_t payload);

void rp__put_sp(unsigned char to[RP__SP_HEADER]);

/* The header of an SP message that carries n bytes of frames; its length. */
size_t rp__put_sp_message(unsigned char to[13], bool ipc, size_t n);

/* ---- the reader ---------------------------------------------------------------------------------- */

struct rp__reader {
    const rp_alloc *mem;
    bool ipc;
    uint8_t stage;
    uint32_t max_frame;
    uint64_t body_left;   /* of the present SP message */
    unsigned char *held;  /* the beginning of a piece that has not come whole */
    size_t nheld, held_size;
    uint64_t frames;      /* read so far */
};

void rp__reader_init(struct rp__reader *r, const rp_alloc *mem, bool ipc);
void rp__reader_fini(struct rp__reader *r);

/* Takes n bytes; calls on_frame for each whole frame, until that returns other than 0. Returns that;
 * or -EPROTO (not SP, not PAIR1, a length beyond what may be, a frame across messages); or -ENOMEM. */
int rp__reader_feed(struct rp__reader *r, const void *bytes, size_t n,
                    int (*on_frame)(void *ud, const struct rp__frame *f), void *ud);

#endif
