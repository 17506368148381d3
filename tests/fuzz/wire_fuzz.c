/* SPDX-License-Identifier: MIT
 *
 * wire_fuzz.c - whatever a stranger may send, up to the structs it becomes: the reader, announcements of
 * types, bodies. The first byte says how the rest is cut into pieces.
 */
#include "cluster/wire/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct all {
    bool b;
    int16_t i16;
    uint64_t u64;
    double f64;
    char chars[12];
    unsigned char raw[6];
    rp_ref ref;
    rp_token token;
    rp_bytes text, bytes;
};
static const rp_field fields[] = {
    RP_FIELD(struct all, b, RP_BOOL),     RP_FIELD(struct all, i16, RP_I16), RP_FIELD(struct all, u64, RP_U64),
    RP_FIELD(struct all, f64, RP_F64),    RP_FIELD(struct all, chars, RP_CHARS), RP_FIELD(struct all, raw, RP_RAW),
    RP_FIELD(struct all, ref, RP_REF),    RP_FIELD(struct all, token, RP_TOKEN), RP_FIELD(struct all, text, RP_TEXT), RP_FIELD(struct all, bytes, RP_BYTES),
};
static const rp_type all_type = RP_TYPE("all", struct all, fields);
static const rp_type *const types[] = {&all_type, NULL};

enum { PLANS = 64, LARGEST = RP__MAX_FRAME + 4096 };

static void *get(void *ud, size_t size)
{
    (void)ud;
    assert(size <= LARGEST); /* nothing is allocated by what the input claims */
    return malloc(size);
}

static void put(void *ud, void *p, size_t size)
{
    (void)ud, (void)size;
    free(p);
}

static const rp_alloc mem = {get, put, 0};

struct session {
    struct rp__plan *plan[PLANS];
    unsigned n;
};

static int on_frame(void *ud, const struct rp__frame *f)
{
    struct session *s = ud;
    struct rp__in in = f->payload;
    if (f->type == RP__TYPE) {
        if (s->n == PLANS)
            return 0;
        int rc = rp__plan_new(&mem, &in, types, &s->plan[s->n]);
        s->n += rc == 0;
        return rc;
    }
    if (s->n == 0)
        return 0;
    const struct rp__plan *p = s->plan[f->number % s->n];
    size_t outside;
    if (rp__unpack_check(p, in, &outside) != 0 || !p->type)
        return 0;
    assert(outside <= (size_t)(in.end - in.at) + p->nfields);
    struct all a;
    char *room = malloc(outside);
    memset(&a, 0, sizeof a);
    rp__unpack(p, in, &a, room);
    size_t n = rp__packed_size(&all_type, &a); /* what came out can go in again, and comes out the same */
    unsigned char *again = malloc(n);
    struct rp__w w = {again, 0, n};
    rp__pack(&w, &all_type, &a);
    assert(w.n == n);
    char printed[64];
    rp_type_print(printed, sizeof printed, &all_type, &a);
    free(again);
    free(room);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t piece = data[0] % 64 ? data[0] % 64 : size;
    struct session s = {.n = 0};
    struct rp__reader r;
    rp__reader_init(&r, &mem, data[1] & 1);
    if (data[1] & 2)
        r.max_frame = RP__MAX_FRAME;
    int rc = 0;
    for (size_t at = 2; at < size && rc == 0; at += piece) {
        size_t n = piece < size - at ? piece : size - at;
        uint8_t *copy = malloc(n); /* so that one byte too far is seen */
        memcpy(copy, data + at, n);
        rc = rp__reader_feed(&r, copy, n, on_frame, &s);
        free(copy);
    }
    rp__reader_fini(&r);
    for (unsigned i = 0; i < s.n; i++)
        free(s.plan[i]);
    return 0;
}
