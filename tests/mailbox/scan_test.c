/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct all {
    bool b;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    float f32;
    double f64;
    char name[8];
    rp_ref ref;
    rp_bytes note, more;
};
static const rp_field all_fields[] = {
    RP_FIELD(struct all, b, RP_BOOL),    RP_FIELD(struct all, i8, RP_I8),     RP_FIELD(struct all, i16, RP_I16),
    RP_FIELD(struct all, i32, RP_I32),   RP_FIELD(struct all, i64, RP_I64),   RP_FIELD(struct all, u8, RP_U8),
    RP_FIELD(struct all, u16, RP_U16),   RP_FIELD(struct all, u32, RP_U32),   RP_FIELD(struct all, u64, RP_U64),
    RP_FIELD(struct all, f32, RP_F32),   RP_FIELD(struct all, f64, RP_F64),   RP_FIELD(struct all, name, RP_CHARS),
    RP_FIELD(struct all, ref, RP_REF),   RP_FIELD(struct all, note, RP_TEXT), RP_FIELD(struct all, more, RP_TEXT),
};
static const rp_type all_type = RP_TYPE("t.all", struct all, all_fields);

struct dark { /* what cannot be read */
    char raw[4];
    rp_bytes bytes;
    rp_token token;
    uint8_t n;
};
static const rp_field dark_fields[] = {
    RP_FIELD(struct dark, raw, RP_RAW), RP_FIELD(struct dark, bytes, RP_BYTES), RP_FIELD(struct dark, token, RP_TOKEN),
    RP_FIELD(struct dark, n, RP_U8),
};
static const rp_type dark_type = RP_TYPE("t.dark", struct dark, dark_fields);

enum { TEXT_MOST = 600 }; /* of an all, as printed */

/* From memory of its exact size, so that a sanitizer sees each step beyond. */
static int scan(const char *text, const rp_type *t, void *body, char *room)
{
    size_t n = strlen(text);
    char *copy = strdup(text);
    check(copy != 0);
    int rc = rp_type_scan(copy, t, body, room, room ? n : 0);
    free(copy);
    return rc;
}

static int scan_all(const char *text, struct all *ret)
{
    static char room[4096];
    memset(ret, 0xa5, sizeof *ret);
    return scan(text, &all_type, ret, room);
}

static int scan_dark(const char *text)
{
    struct dark d;
    return scan(text, &dark_type, &d, NULL);
}

/* ---- there and back ------------------------------------------------------------------------------ */

static void draw_text(uint64_t *x, char *to, size_t n)
{
    static const char some[] = "ab \"\\{}=<>\n\x7f\xc3\xa9";
    for (size_t i = 0; i < n; i++)
        to[i] = test_random(x) % 4 ? some[test_random(x) % (sizeof some - 1)] : (char)(1 + test_random(x) % 255);
}

static uint64_t draw_number(uint64_t *x) /* small, or at a border, or any */
{
    uint64_t n = test_random(x), kind = test_random(x) % 4;
    return kind == 0 ? n % 10 : kind == 1 ? 0 - (n & 1) : kind == 2 ? UINT64_C(1) << n % 64 : n;
}

/* Its bits; a NaN's payload is not printed. */
static void draw_floats(uint64_t *x, struct all *a)
{
    uint32_t bits = (uint32_t)test_random(x);
    uint64_t more = test_random(x);
    memcpy(&a->f32, &bits, sizeof bits);
    memcpy(&a->f64, &more, sizeof more);
    if (test_random(x) % 8 == 0)
        a->f32 = -INFINITY;
}

static void draw(uint64_t *x, struct all *a, char notes[2][32])
{
    *a = (struct all){.b = test_random(x) & 1, .i8 = (int8_t)draw_number(x), .i16 = (int16_t)draw_number(x),
                      .i32 = (int32_t)draw_number(x), .i64 = (int64_t)draw_number(x), .u8 = (uint8_t)draw_number(x),
                      .u16 = (uint16_t)draw_number(x), .u32 = (uint32_t)draw_number(x), .u64 = draw_number(x),
                      .ref = {draw_number(x), draw_number(x)}};
    draw_floats(x, a);
    draw_text(x, a->name, test_random(x) % sizeof a->name);
    a->note = (rp_bytes){notes[0], test_random(x) % 32};
    a->more = (rp_bytes){notes[1], test_random(x) % 32};
    draw_text(x, notes[0], 32);
    draw_text(x, notes[1], 32);
    notes[0][test_random(x) % 32] = 0; /* in text outside the struct it is like any other byte */
}

static void print(char to[TEXT_MOST], const struct all *a)
{
    check(rp_type_print(to, TEXT_MOST, &all_type, a) < TEXT_MOST);
}

static bool same_bytes(rp_bytes a, rp_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void check_same(const struct all *a, const struct all *b)
{
    check(a->b == b->b && a->i8 == b->i8 && a->i16 == b->i16 && a->i32 == b->i32 && a->i64 == b->i64);
    check(a->u8 == b->u8 && a->u16 == b->u16 && a->u32 == b->u32 && a->u64 == b->u64);
    check(strcmp(a->name, b->name) == 0 && rp_ref_eq(a->ref, b->ref));
    check(same_bytes(a->note, b->note) && same_bytes(a->more, b->more));
}

TEST(scan, reads_what_print_writes)
{
    uint64_t x = test_seed();
    for (unsigned i = 0; i < 20000; i++) {
        struct all a, b;
        char notes[2][32], text[TEXT_MOST], again[TEXT_MOST];
        draw(&x, &a, notes);
        print(text, &a);
        int rc = scan_all(text, &b);
        check(rc == 0, "%d: %s", rc, text);
        check_same(&a, &b);
        print(again, &b);
        check_str(again, text); /* floats, as far as they are printed */
    }
}

TEST(scan, fields_may_be_left_out)
{
    struct all a;
    check_eq(scan_all("t.all{}", &a), 0);
    for (size_t i = 0; i < sizeof a; i++)
        check_eq(((const char *)&a)[i], 0);
    check_eq(scan_all("t.all{ note=\"\\x41\\\"\\\\\"  i8=-0 b=true u64=007 }", &a), 0);
    check(a.b && a.i8 == 0 && a.u64 == 7 && a.note.size == 3 && memcmp(a.note.data, "A\"\\", 3) == 0);
    check_eq(scan_all("t.all{f32=inf f64=-1e3 name=\"1234567\" ref=<0.00000000000000000ff>}", &a), 0);
    check(isinf(a.f32) && a.f64 == -1000 && a.ref.local == 255);
    check_str(a.name, "1234567");
    check_eq(scan_dark("t.dark{n=3}"), 0);
}

/* ---- what is wrong ------------------------------------------------------------------------------- */

TEST(scan, knows_the_borders_of_numbers)
{
    static const char *const in[] = {"i8=-128", "i8=127", "i16=-32768", "i32=2147483647", "i64=-9223372036854775808",
        "i64=9223372036854775807", "u8=255", "u16=65535", "u32=4294967295", "u64=18446744073709551615", "f32=3.4e38", "f64=1e-999"};
    static const char *const out[] = {"i8=-129", "i8=128", "i16=32768", "i32=-2147483649", "i64=9223372036854775808",
        "i64=-9223372036854775809", "u8=256", "u8=-1", "u16=65536", "u32=4294967296", "u64=18446744073709551616", "u64=-1",
        "u64=99999999999999999999999999", "f32=1e39", "f32=-1e39", "f64=1e999", "ref=<10000000000000000.1>"};
    struct all a;
    char text[100];
    for (unsigned i = 0; i < sizeof in / sizeof *in; i++) {
        snprintf(text, sizeof text, "t.all{%s}", in[i]);
        check(scan_all(text, &a) == 0, "%s", text);
    }
    for (unsigned i = 0; i < sizeof out / sizeof *out; i++) {
        snprintf(text, sizeof text, "t.all{%s}", out[i]);
        check(scan_all(text, &a) == -ERANGE, "%s", text);
    }
}

TEST(scan, refuses_what_is_no_such_text)
{
    static const char *const wrong[] = {"", "t.all", "t.al{}", "t.alls{}", "T.all{}", " t.all{}", "t.all {}", "t.all{", "t.all{}}", "t.all{} ",
        "t.all{i8}", "t.all{i8=}", "t.all{i8 =1}", "t.all{i8= 1}", "t.all{i8=1", "t.all{i8=1 ", "t.all{i8=+1}", "t.all{i8=--1}",
        "t.all{i8=0x1}", "t.all{i8=1.}", "t.all{i8=1u8=1}", "t.all{i8=1,u8=1}", "t.all{i8=1 i8=1}", "t.all{i9=1}", "t.all{=1}",
        "t.all{b=1}", "t.all{b=tru}", "t.all{b=truefalse}", "t.all{f32=}", "t.all{f32= 1}", "t.all{f64=x}", "t.all{f64=1e}", "t.all{f64=",
        "t.all{name=}", "t.all{name=x}", "t.all{name=\"x}", "t.all{name=\"x\"x}", "t.all{name=\"\\x0\"}", "t.all{name=\"\\n\"}",
        "t.all{name=\"\\", "t.all{name=\"\\x", "t.all{name=\"\\x4", "t.all{name=\"a\\x00b\"}", "t.all{note=\"", "t.all{note=}",
        "t.all{ref=}", "t.all{ref=<}", "t.all{ref=<1>}", "t.all{ref=<1.>}", "t.all{ref=<1.1}", "t.all{ref=<-1.1>}", "t.all{ref=1.1}",
        "t.all{ref=<1.1 1>}", "t.all{\ti8=1}"};
    struct all a;
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check(scan_all(wrong[i], &a) == -EINVAL, "%s", wrong[i]);
}

TEST(scan, refuses_what_it_cannot_hold)
{
    struct all a;
    char room[4];
    check_eq(scan_all("t.all{name=\"12345678\"}", &a), -EMSGSIZE);
    check_eq(rp_type_scan("t.all{note=\"123\" more=\"4\"}", &all_type, &a, room, 4), 0);
    check_eq(rp_type_scan("t.all{note=\"123\" more=\"45\"}", &all_type, &a, room, 4), -ENOBUFS);
    check_eq(rp_type_scan("t.all{note=\"1\"}", &all_type, &a, NULL, 0), -ENOBUFS);
    check_eq(rp_type_scan("t.all{note=\"\"}", &all_type, &a, NULL, 0), 0);
    check_eq(scan_dark("t.dark{raw=4 bytes}"), -ENOTSUP);
    check_eq(scan_dark("t.dark{bytes=0 bytes}"), -ENOTSUP);
    check_eq(scan_dark("t.dark{n=1 token=<0.0 0>}"), -ENOTSUP);
}

TEST(scan, refuses_an_unsound_type)
{
    uint16_t n;
    static const rp_field beyond[] = {{"n", RP_U16, 1, 2}};
    static const rp_type t = {.name = "t.beyond", .size = sizeof n, .fields = beyond, .nfields = 1};
    check_eq(rp_type_scan("t.beyond{n=1}", &t, &n, NULL, 0), -EINVAL);
}

/* ---- any text ------------------------------------------------------------------------------------ */

/* A byte changed, taken out, put in, or a piece of it copied to another place. */
static void mutate(uint64_t *x, char *text, size_t size)
{
    static const char likely[] = "{}\"\\=<>. -x0189aefn";
    size_t n = strlen(text), at = test_random(x) % (n + 1), from = test_random(x) % (n + 1), k = test_random(x) % 8;
    char c = test_random(x) % 4 ? likely[test_random(x) % (sizeof likely - 1)] : (char)(1 + test_random(x) % 255);
    switch (test_random(x) % 4) {
    case 0:
        if (at < n)
            text[at] = c;
        return;
    case 1:
        if (at < n)
            memmove(text + at, text + at + 1, n - at);
        return;
    case 2:
        if (n + 1 < size) {
            memmove(text + at + 1, text + at, n - at + 1);
            text[at] = c;
        }
        return;
    default:
        if (at + k <= n && from + k <= n)
            memmove(text + at, text + from, k);
    }
}

/* What can be read says the same when it has been printed and read again. */
static bool settles(const char *text)
{
    static char rooms[2][2 * TEXT_MOST];
    struct all a, b;
    char once[8 * TEXT_MOST], twice[8 * TEXT_MOST];
    if (scan(text, &all_type, &a, rooms[0]) != 0)
        return false;
    check(rp_type_print(once, sizeof once, &all_type, &a) < (int)sizeof once);
    check(scan(once, &all_type, &b, rooms[1]) == 0, "%s became %s", text, once);
    rp_type_print(twice, sizeof twice, &all_type, &b);
    check_str(twice, once);
    check_same(&a, &b);
    return true;
}

TEST(scan, takes_any_text)
{
    uint64_t x = test_seed();
    unsigned read = 0;
    for (unsigned i = 0; i < 50000; i++) {
        struct all a;
        char notes[2][32], text[2 * TEXT_MOST];
        draw(&x, &a, notes);
        print(text, &a);
        for (uint64_t k = test_random(&x) % 6; k > 0; k--)
            mutate(&x, text, sizeof text);
        read += settles(text);
    }
    check(read > 5000 && read < 49000, "%u could be read", read);
}
