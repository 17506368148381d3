/* SPDX-License-Identifier: MIT */
#include "cluster/wire/wire.h"

#include <errno.h>
#include <string.h>

/* What comes next. */
enum { AT_SP, AT_MESSAGE, AT_HOPS, AT_FRAME };

void rp__put_frame(struct rp__w *w, uint8_t type, uint8_t flags, uint16_t number, size_t payload)
{
    rp__put32(w, (uint32_t)payload);
    rp__put8(w, type);
    rp__put8(w, flags);
    rp__put16(w, number);
}

void rp__put_sp(unsigned char to[RP__SP_HEADER])
{
    static const unsigned char header[RP__SP_HEADER] = {0, 'S', 'P', 0, 0, RP__SP_PAIR1, 0, 0};
    memcpy(to, header, sizeof header);
}

size_t rp__put_sp_message(unsigned char to[13], bool ipc, size_t n)
{
    size_t at = 0;
    if (ipc)
        to[at++] = 1;
    uint64_t size = n + 4;
    for (int shift = 56; shift >= 0; shift -= 8)
        to[at++] = (unsigned char)(size >> shift);
    to[at++] = 0, to[at++] = 0, to[at++] = 0, to[at++] = 1; /* hops */
    return at;
}

/* ---- reading ------------------------------------------------------------------------------------- */

void rp__reader_init(struct rp__reader *r, const rp_alloc *mem, bool ipc)
{
    memset(r, 0, sizeof *r);
    r->mem = mem;
    r->ipc = ipc;
    r->max_frame = RP__MAX_FRAME_EARLY;
}

void rp__reader_fini(struct rp__reader *r)
{
    if (r->held)
        r->mem->free(r->mem->ud, r->held, r->held_size);
    r->held = 0;
}

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++)
        x = x << 8 | p[i];
    return x;
}

static uint32_t frame_length(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Bytes that the present stage needs, given that `have` are there. 0: what is there is wrong. */
static size_t needs(const struct rp__reader *r, const unsigned char *p, size_t have)
{
    switch (r->stage) {
    case AT_SP:
        return RP__SP_HEADER;
    case AT_MESSAGE:
        return r->ipc ? 9 : 8;
    case AT_HOPS:
        return 4;
    default:
        break;
    }
    if (r->body_left < RP__FRAME_HEADER)
        return 0;
    if (have < RP__FRAME_HEADER)
        return RP__FRAME_HEADER;
    uint32_t n = frame_length(p);
    if (n > r->max_frame || n > r->body_left - RP__FRAME_HEADER)
        return 0;
    return RP__FRAME_HEADER + (size_t)n;
}

static int take_sp(struct rp__reader *r, const unsigned char *p)
{
    unsigned char want[RP__SP_HEADER];
    rp__put_sp(want);
    r->stage = AT_MESSAGE;
    return memcmp(p, want, sizeof want) == 0 ? 0 : -EPROTO;
}

static int take_message(struct rp__reader *r, const unsigned char *p)
{
    if (r->ipc && *p++ != 1)
        return -EPROTO;
    r->body_left = big_endian(p, 8);
    r->stage = AT_HOPS;
    return r->body_left >= 4 && r->body_left <= RP__MAX_BODY ? 0 : -EPROTO;
}

static int take_hops(struct rp__reader *r, const unsigned char *p)
{
    r->body_left -= 4;
    r->stage = r->body_left > 0 ? AT_FRAME : AT_MESSAGE;
    return big_endian(p, 4) <= 255 ? 0 : -EPROTO;
}

static int take_frame(struct rp__reader *r, const unsigned char *p, size_t n,
                      int (*on_frame)(void *, const struct rp__frame *), void *ud)
{
    struct rp__frame f = {p[4], p[5], (uint16_t)(p[6] | p[7] << 8), {p + RP__FRAME_HEADER, p + n, false}};
    r->body_left -= n;
    r->stage = r->body_left > 0 ? AT_FRAME : AT_MESSAGE;
    r->frames++;
    return on_frame(ud, &f);
}

static int take(struct rp__reader *r, const unsigned char *p, size_t n,
                int (*on_frame)(void *, const struct rp__frame *), void *ud)
{
    switch (r->stage) {
    case AT_SP:
        return take_sp(r, p);
    case AT_MESSAGE:
        return take_message(r, p);
    case AT_HOPS:
        return take_hops(r, p);
    default:
        return take_frame(r, p, n, on_frame, ud);
    }
}

/* Keeps a piece's beginning until the rest comes. */
static int hold(struct rp__reader *r, const unsigned char *p, size_t n, size_t whole)
{
    if (r->held_size < whole) {
        size_t size = whole < 256 ? 256 : whole;
        unsigned char *held = r->mem->alloc(r->mem->ud, size);
        if (!held)
            return -ENOMEM;
        if (r->held) {
            memcpy(held, r->held, r->nheld);
            r->mem->free(r->mem->ud, r->held, r->held_size);
        }
        r->held = held;
        r->held_size = size;
    }
    memcpy(r->held + r->nheld, p, n);
    r->nheld += n;
    return 0;
}

int rp__reader_feed(struct rp__reader *r, const void *bytes, size_t n,
                    int (*on_frame)(void *ud, const struct rp__frame *f), void *ud)
{
    const unsigned char *p = bytes;
    while (n > 0 || r->nheld > 0) { /* bounded: each turn takes bytes or returns */
        const unsigned char *piece = r->nheld > 0 ? r->held : p;
        size_t have = r->nheld > 0 ? r->nheld : n;
        size_t whole = needs(r, piece, have);
        if (whole == 0)
            return -EPROTO;
        if (r->nheld > 0 || have < whole) {
            size_t more = whole > r->nheld ? whole - r->nheld : 0;
            size_t now = more < n ? more : n;
            int rc = now > 0 ? hold(r, p, now, whole) : 0;
            if (rc != 0)
                return rc;
            p += now;
            n -= now;
            if (r->nheld < whole)
                return 0;
            if (needs(r, r->held, r->nheld) != whole)
                continue; /* the header has come, and says how much follows */
            r->nheld = 0;
            rc = take(r, r->held, whole, on_frame, ud);
            if (rc != 0)
                return rc;
            continue;
        }
        p += whole;
        n -= whole;
        int rc = take(r, piece, whole, on_frame, ud);
        if (rc != 0)
            return rc;
    }
    return 0;
}
