/* SPDX-License-Identifier: MIT */
#include "cluster/wire/wire.h"
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>

struct rec {
    bool b;
    int8_t i8;
    int64_t i64;
    uint16_t u16;
    double f64;
    char name[9];
    uint8_t raw[5];
    rp_ref ref;
    rp_token token;
    rp_bytes a, z;
};
static const rp_field rec_fields[] = {
    RP_FIELD(struct rec, b, RP_BOOL),     RP_FIELD(struct rec, i8, RP_I8),
    RP_FIELD(struct rec, i64, RP_I64),    RP_FIELD(struct rec, u16, RP_U16),
    RP_FIELD(struct rec, f64, RP_F64),    RP_FIELD(struct rec, name, RP_CHARS),
    RP_FIELD(struct rec, raw, RP_RAW),    RP_FIELD(struct rec, ref, RP_REF),
    RP_FIELD(struct rec, token, RP_TOKEN),
    RP_FIELD(struct rec, a, RP_TEXT),     RP_FIELD(struct rec, z, RP_BYTES),
};
static const rp_type rec_type = RP_TYPE("test.rec", struct rec, rec_fields);

struct rec_v2 { /* one field more, two fewer, another order */
    uint32_t added;
    rp_bytes z;
    int64_t i64;
    char name[20];
};
static const rp_field v2_fields[] = {
    RP_FIELD(struct rec_v2, added, RP_U32),
    RP_FIELD(struct rec_v2, z, RP_BYTES),
    RP_FIELD(struct rec_v2, i64, RP_I64),
    RP_FIELD(struct rec_v2, name, RP_CHARS),
};
static const rp_type rec_v2_type = RP_TYPE("test.rec", struct rec_v2, v2_fields);

static struct test_mem mem;

static struct rp__plan *plan_for(const rp_type *from, const rp_type *to)
{
    static unsigned char bytes[4096];
    const rp_type *types[] = {to, NULL};
    struct rp__w w = {bytes, 0, sizeof bytes};
    rp__announce(&w, from);
    check_eq(w.n, rp__announced_size(from));
    struct rp__in in = {bytes, bytes + w.n, false};
    struct rp__plan *p = 0;
    check_eq(rp__plan_new(&mem.alloc, &in, types, &p), 0);
    check(in.at == in.end);
    p->peer = 9;
    p->link = 10;
    return p;
}

static void plan_free(struct rp__plan *p)
{
    mem.alloc.free(mem.alloc.ud, p, rp__plan_size(p));
}

static const struct rec sample = {true, -7, INT64_MIN, 65535, 2.5, "12345678", {1, 2, 3, 4, 5}, {9, 8}, {{9, 0}, 5, 0, 6}, {"text", 4}, {"\0\1", 2}};

static size_t pack_sample(unsigned char *to, size_t size)
{
    struct rp__w w = {to, 0, size};
    rp__pack(&w, &rec_type, &sample);
    check_eq(w.n, rp__packed_size(&rec_type, &sample));
    return w.n;
}

TEST(codec, round_trip)
{
    test_mem_init(&mem);
    unsigned char bytes[512];
    size_t n = pack_sample(bytes, sizeof bytes), outside;
    struct rp__plan *p = plan_for(&rec_type, &rec_type);
    check(p->type == &rec_type);
    check_eq(rp__unpack_check(p, (struct rp__in){bytes, bytes + n, false}, &outside), 0);
    check_eq(outside, 4 + 1 + 2 + 1);
    struct rec r;
    char room[8];
    memset(&r, 0, sizeof r);
    rp__unpack(p, (struct rp__in){bytes, bytes + n, false}, &r, room);
    char a[256], b[256];
    rp_type_print(a, sizeof a, &rec_type, &sample);
    rp_type_print(b, sizeof b, &rec_type, &r);
    check_str(b, a);
    check(r.token.call == 5 && r.token.asker.node == 9 && r.token.via == 10); /* by whom the plan came */
    check_eq(r.token.held, 0); /* nobody's here */
    check(r.ref.node == 9 && memcmp(r.raw, sample.raw, 5) == 0 && memcmp(r.z.data, "\0\1", 2) == 0);
    plan_free(p);
    check_eq(mem.blocks, 0);
}

/* A text ends with a NUL in the receiver's array: one that would not is refused there, and is not packed here. */
TEST(codec, texts_arrive_with_their_end)
{
    test_mem_init(&mem);
    unsigned char bytes[512];
    size_t n = pack_sample(bytes, sizeof bytes), outside;
    struct short_rec {
        char name[8];
    };
    const rp_field fields[] = {RP_FIELD(struct short_rec, name, RP_CHARS)};
    const rp_type short_type = RP_TYPE("test.rec", struct short_rec, fields);
    struct rp__plan *p = plan_for(&rec_type, &short_type);
    check_eq(rp__unpack_check(p, (struct rp__in){bytes, bytes + n, false}, &outside), -EMSGSIZE);
    plan_free(p);
    struct short_rec full;
    memset(&full, 'x', sizeof full);
    check(rp__packed_size(&short_type, &full) == SIZE_MAX);
    full.name[7] = 0;
    check_eq(rp__packed_size(&short_type, &full), 2 + 7);
    check_eq(mem.blocks, 0);
}

TEST(codec, versions_meet_by_name)
{
    test_mem_init(&mem);
    unsigned char bytes[512];
    size_t n = pack_sample(bytes, sizeof bytes), outside;
    struct rp__plan *p = plan_for(&rec_type, &rec_v2_type);
    struct rec_v2 r;
    char room[8];
    memset(&r, 0, sizeof r);
    check(p->type == &rec_v2_type);
    check_eq(rp__unpack_check(p, (struct rp__in){bytes, bytes + n, false}, &outside), 0);
    check_eq(outside, 3);
    rp__unpack(p, (struct rp__in){bytes, bytes + n, false}, &r, room);
    check(r.added == 0 && r.i64 == INT64_MIN && r.z.size == 2);
    check_str(r.name, "12345678");
    struct rp__in in = {bytes, bytes + n, false};
    rp_token k; /* one that has no place here is not lost sight of */
    unsigned i = 0;
    check(rp__unpack_token(p, &in, &i, false, &k));
    check(k.call == 5 && k.asker.node == 9 && k.via == 10);
    check(!rp__unpack_token(p, &in, &i, false, &k));
    plan_free(p);

    rp_field other[] = {RP_FIELD(struct rec_v2, i64, RP_U64)}; /* the same name, another meaning */
    rp_type other_type = RP_TYPE("test.rec", struct rec_v2, other);
    p = plan_for(&rec_type, &other_type);
    check(p->type == NULL);
    plan_free(p);
    check_eq(mem.blocks, 0);
}

/* Cut anywhere, with any byte changed: refused or understood, never more read than is there. */
TEST(codec, damaged_bodies)
{
    test_mem_init(&mem);
    unsigned char bytes[512];
    size_t n = pack_sample(bytes, sizeof bytes), outside;
    struct rp__plan *p = plan_for(&rec_type, &rec_type);
    for (size_t cut = 0; cut < n; cut++) {
        unsigned char *copy = malloc(cut + 1); /* to the byte: ASan and valgrind watch its end */
        memcpy(copy, bytes, cut);
        check_eq(rp__unpack_check(p, (struct rp__in){copy, copy + cut, false}, &outside), -EPROTO);
        free(copy);
    }
    uint64_t rng = test_seed();
    for (unsigned i = 0; i < 20000; i++) {
        unsigned char *copy = malloc(n);
        memcpy(copy, bytes, n);
        for (unsigned k = 0; k < 1 + i % 3; k++)
            copy[test_random(&rng) % n] = (unsigned char)test_random(&rng);
        struct rp__in in = {copy, copy + n, false};
        if (rp__unpack_check(p, in, &outside) == 0) {
            struct rec r;
            char *room = malloc(outside);
            memset(&r, 0, sizeof r);
            rp__unpack(p, in, &r, room);
            free(room);
            rp_token k;
            for (unsigned at = 0; rp__unpack_token(p, &in, &at, true, &k);)
                check(k.call != 0);
        }
        free(copy);
    }
    plan_free(p);
}

/* ---- the reader ---------------------------------------------------------------------------------- */

struct seen {
    unsigned n;
    uint64_t sum;
};

static int count(void *ud, const struct rp__frame *f)
{
    struct seen *s = ud;
    s->n++;
    for (const unsigned char *p = f->payload.at; p < f->payload.end; p++)
        s->sum = s->sum * 31 + *p + f->type;
    return 0;
}

static size_t stream_of(unsigned char *to, bool ipc, unsigned messages)
{
    struct rp__w w = {to, 0, 1 << 20};
    unsigned char head[13], sp[RP__SP_HEADER];
    rp__put_sp(sp);
    rp__put_bytes(&w, sp, sizeof sp);
    for (unsigned i = 0; i < messages; i++) {
        unsigned frames = 1 + i % 3, n = 0;
        for (unsigned k = 0; k < frames; k++)
            n += RP__FRAME_HEADER + (i * 7 + k) % 300;
        rp__put_bytes(&w, head, rp__put_sp_message(head, ipc, n));
        for (unsigned k = 0; k < frames; k++) {
            unsigned payload = (i * 7 + k) % 300;
            rp__put_frame(&w, (uint8_t)(16 + k), 0, 0, payload);
            for (unsigned b = 0; b < payload; b++)
                rp__put8(&w, (uint8_t)(b * i));
        }
    }
    check(w.n < w.size);
    return w.n;
}

TEST(reader, any_cut_gives_the_same_frames)
{
    test_mem_init(&mem);
    static unsigned char bytes[1 << 20];
    uint64_t rng = test_seed();
    for (unsigned ipc = 0; ipc < 2; ipc++) {
        size_t n = stream_of(bytes, ipc, 60);
        struct seen whole = {0, 0};
        for (unsigned round = 0; round < 200; round++) {
            struct seen s = {0, 0};
            struct rp__reader r;
            rp__reader_init(&r, &mem.alloc, ipc);
            for (size_t at = 0; at < n;) {
                size_t piece = round == 0 ? n : round == 1 ? 1 : 1 + test_random(&rng) % (round % 2 ? 9 : 900);
                piece = piece < n - at ? piece : n - at;
                unsigned char *copy = malloc(piece);
                memcpy(copy, bytes + at, piece);
                check_eq(rp__reader_feed(&r, copy, piece, count, &s), 0);
                free(copy);
                at += piece;
            }
            rp__reader_fini(&r);
            if (round == 0)
                whole = s;
            check(s.n == whole.n && s.sum == whole.sum && s.n == 119 + 1, "%u frames, %u in one piece", s.n, whole.n);
        }
    }
    check_eq(mem.blocks, 0);
}

static int feed(bool ipc, const void *p, size_t n, size_t *held)
{
    struct seen s = {0, 0};
    struct rp__reader r;
    rp__reader_init(&r, &mem.alloc, ipc);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = rp__reader_feed(&r, (const char *)p + i, 1, count, &s);
    *held = r.held_size;
    rp__reader_fini(&r);
    return rc;
}

TEST(reader, hostile_streams_end_early_and_cost_little)
{
    test_mem_init(&mem);
    size_t held;
    const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const char sub[] = "\0SP\0\0\x21\0\0";
    const char huge[] = "\0SP\0\0\x11\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
    const char zero[] = "\0SP\0\0\x11\0\0\0\0\0\0\0\0\0\0";
    const char hops[] = "\0SP\0\0\x11\0\0\0\0\0\0\0\0\0\x0c\0\0\1\0\1\2\3\4\5\6\7\x08";
    const char frame[] = "\0SP\0\0\x11\0\0\0\0\0\0\0\0\0\x0c\0\0\0\1\xff\xff\0\0\1\0\0\0";
    const char across[] = "\0SP\0\0\x11\0\0\0\0\0\0\0\0\0\x0c\0\0\0\1\1\0\0\0\1\0\0\0";
    const char ipc[] = "\0SP\0\0\x11\0\0\2\0\0\0\0\0\0\0\x0c";
    check_eq(feed(false, http, sizeof http - 1, &held), -EPROTO);
    check_eq(feed(false, sub, 8, &held), -EPROTO);
    check_eq(feed(false, huge, 16, &held), -EPROTO);
    check_eq(feed(false, zero, 16, &held), -EPROTO);
    check_eq(feed(false, hops, 28, &held), -EPROTO);
    check_eq(feed(false, frame, 28, &held), -EPROTO);
    check_eq(feed(false, across, 28, &held), -EPROTO);
    check_eq(feed(true, ipc, 17, &held), -EPROTO);
    check(held <= 256, "a stranger made us hold %zu bytes", held);
    check_eq(mem.blocks, 0);
}
