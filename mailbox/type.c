/* SPDX-License-Identifier: MIT */
#include "mailbox/type.h"

#include "loop/base/format.h"
#include "mailbox/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_TYPE = 63, FIELDS_MAX = 255 };

static bool carries_tokens(const rp_type *t)
{
    size_t i = 0;
    return rp__token_field(t, &i) != 0;
}

bool rp__type_copies(const rp_type *t)
{
    return !t->drop && !carries_tokens(t);
}

void rp__shape_of(struct rp__shape *s, const rp_type *t)
{
    bool big = t->size > RP__INLINE_MAX;
    for (size_t i = 0; i < t->nfields && !big; i++)
        big = rp__kind_outside(t->fields[i].kind);
    s->type = t;
    s->size = (uint32_t)t->size;
    s->slots = big ? 1 : rp__slots_for(t->size);
    s->word = rp__word(t, (big ? RP__F_BIG : 0) | (t->drop ? RP__F_DROP : 0) | (s->slots - 1));
    s->word |= carries_tokens(t) ? RP__RIGHTS : 0;
}

void rp__shape_bad(struct rp__shape *s, int err)
{
    *s = (struct rp__shape){.word = rp__word(0, RP__F_BIG | RP__F_EXTRA) | RP__RIGHTS, .size = (uint32_t)-err};
}

void rp__types_open(struct rp__types *c, struct rp__typebook *book)
{
    c->book = book;
    for (unsigned i = 0; i < RP__TYPE_CACHE; i++)
        rp__shape_bad(&c->at[i], -EINVAL); /* who sends by NULL comes here */
}

/* ---- is it sound? -------------------------------------------------------------------------------- */

size_t rp__number_size(rp_kind k)
{
    switch (k) {
    case RP_BOOL:
    case RP_I8:
    case RP_U8:
        return 1;
    case RP_I16:
    case RP_U16:
        return 2;
    case RP_I32:
    case RP_U32:
    case RP_F32:
        return 4;
    case RP_I64:
    case RP_U64:
    case RP_F64:
        return 8;
    default:
        return 0;
    }
}

/* The size a kind must have; 0: any. */
static size_t size_of(rp_kind k)
{
    switch (k) {
    case RP_REF:
        return sizeof(rp_ref);
    case RP_TOKEN:
        return sizeof(rp_token);
    case RP_TEXT:
    case RP_BYTES:
        return sizeof(rp_bytes);
    case RP_CHARS:
    case RP_RAW:
        return 0;
    default:
        return rp__number_size(k) ? rp__number_size(k) : SIZE_MAX;
    }
}

static bool overlap(const rp_field *a, const rp_field *b)
{
    return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

static const char *const kind_names[] = {
    [RP_BOOL] = "RP_BOOL", [RP_I8] = "RP_I8",   [RP_I16] = "RP_I16",     [RP_I32] = "RP_I32", [RP_I64] = "RP_I64", [RP_U8] = "RP_U8",
    [RP_U16] = "RP_U16",   [RP_U32] = "RP_U32", [RP_U64] = "RP_U64",     [RP_F32] = "RP_F32", [RP_F64] = "RP_F64", [RP_CHARS] = "RP_CHARS",
    [RP_RAW] = "RP_RAW",   [RP_REF] = "RP_REF", [RP_TEXT] = "RP_TEXT",   [RP_BYTES] = "RP_BYTES", [RP_TOKEN] = "RP_TOKEN",
};

static const char *kind_name(rp_kind k)
{
    return (unsigned)k < sizeof kind_names / sizeof *kind_names && kind_names[k] ? kind_names[k] : "no rp_kind";
}

static bool name_sound(const char *name)
{
    return name && *name && strnlen(name, NAME_MAX_TYPE + 1) <= NAME_MAX_TYPE;
}

/* What is wrong with a field, by itself; NULL: nothing. */
static const char *field_fault(const rp_type *t, const rp_field *f)
{
    size_t want = size_of(f->kind);
    if (!name_sound(f->name))
        return "has no name, or one of more than 63 bytes";
    if (want == SIZE_MAX)
        return "is of a kind that is none";
    if (f->size == 0 || (want != 0 && f->size != want))
        return "is of another size than its kind";
    if (f->offset > t->size || f->size > t->size - f->offset)
        return "goes beyond the struct";
    return 0;
}

static bool fields_sound(const rp_type *t, char *why, size_t size)
{
    for (size_t i = 0; i < t->nfields; i++) {
        const rp_field *f = &t->fields[i];
        const char *fault = field_fault(t, f);
        for (size_t k = 0; !fault && k < i; k++)
            fault = overlap(f, &t->fields[k]) ? "overlaps another field" : strcmp(f->name, t->fields[k].name) == 0 ? "is there twice" : 0;
        if (!fault)
            continue;
        snprintf(why, size, "type \"%s\", field %zu \"%.63s\" (%s, %" PRIu32 " bytes at %" PRIu32 " of %zu) %s", t->name, i,
                 f->name ? f->name : "", kind_name(f->kind), f->size, f->offset, t->size, fault);
        return false;
    }
    return true;
}

bool rp__type_sound(const rp_type *t, char *why, size_t size)
{
    if (!name_sound(t->name)) {
        snprintf(why, size, "the rp_type at %p has no name, or one of more than 63 bytes", (const void *)t);
        return false;
    }
    const char *fault = t->size > RP__TYPE_MOST                ? "is larger than 64 KiB"
                        : t->nfields > FIELDS_MAX              ? "has more than 255 fields"
                        : t->nfields && !t->fields             ? "has a number of fields and no fields"
                        : t->key > t->nfields                  ? "has a key that is none of its fields"
                        : (unsigned)t->overflow > RP_REDIRECT  ? "has an overflow policy that is none"
                                                               : 0;
    if (fault)
        snprintf(why, size, "type \"%s\" %s", t->name, fault);
    return !fault && fields_sound(t, why, size);
}

int rp_type_check(const rp_type *t)
{
    char why[256];
    return t && rp__type_sound(t, why, sizeof why) ? 0 : -EINVAL;
}

/* ---- are they the same? -------------------------------------------------------------------------- */

const rp_type *rp__type_of_word(uint64_t word)
{
    return rp__type(word);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || strcmp(a, b) == 0;
}

static bool same_field(const rp_field *a, const rp_field *b)
{
    return a->kind == b->kind && a->offset == b->offset && a->size == b->size && same_text(a->name, b->name);
}

/* Two files may each have a drop function of their own, out of one header: that both have one is all that can be seen. */
static bool same_head(const rp_type *a, const rp_type *b)
{
    return a->size == b->size && a->nfields == b->nfields && a->overflow == b->overflow && a->key == b->key && a->flags == b->flags &&
           !a->drop == !b->drop;
}

bool rp__type_same(const rp_type *a, const rp_type *b)
{
    if (!same_head(a, b) || !b->name || !same_text(a->name, b->name))
        return false;
    for (size_t i = 0; a->fields != b->fields && i < a->nfields; i++)
        if (!same_field(&a->fields[i], &b->fields[i]))
            return false;
    return true;
}

void rp__type_difference(const rp_type *a, const rp_type *b, char *why, size_t size)
{
    snprintf(why, size, "they differ in their policy, key, flags or drop function");
    if (a->size != b->size)
        snprintf(why, size, "one has %zu bytes, the other %zu", a->size, b->size);
    for (size_t i = 0; i < a->nfields && i < b->nfields; i++) {
        const rp_field *f = &a->fields[i], *g = &b->fields[i];
        if (same_field(f, g))
            continue;
        snprintf(why, size, "field %zu is \"%.30s\", %s, %" PRIu32 " bytes at %" PRIu32 " in one, \"%.30s\", %s, %" PRIu32 " bytes at %" PRIu32
                 " in the other", i, f->name, kind_name(f->kind), f->size, f->offset, g->name, kind_name(g->kind), g->size, g->offset);
        return;
    }
    if (a->nfields != b->nfields)
        snprintf(why, size, "one has %zu fields, the other %zu", a->nfields, b->nfields);
}

/* ---- printing ------------------------------------------------------------------------------------ */

struct out {
    char *to;
    size_t size, n;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    size_t at = o->n < o->size ? o->n : o->size;
    int n = rp__vformat(o->to ? o->to + at : 0, o->size - at, format, ap);
    va_end(ap);
    o->n += n > 0 ? (size_t)n : 0;
}

static void put_text(struct out *o, const char *s, size_t n)
{
    put(o, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < 32 || c == '"' || c == '\\' || c == 127)
            put(o, "\\x%02x", c);
        else
            put(o, "%c", c);
    }
    put(o, "\"");
}

static void put_field(struct out *o, const rp_field *f, const char *at)
{
    union {
        int8_t i8; int16_t i16; int32_t i32; int64_t i64;
        uint8_t u8; uint16_t u16; uint32_t u32; uint64_t u64;
        float f32; double f64; bool b; rp_ref ref; rp_bytes bytes; rp_token token;
    } v;
    memcpy(&v, at, f->size < sizeof v ? f->size : sizeof v);
    switch (f->kind) {
    case RP_BOOL: put(o, "%s", v.b ? "true" : "false"); return;
    case RP_I8:   put(o, "%d", v.i8); return;
    case RP_I16:  put(o, "%d", v.i16); return;
    case RP_I32:  put(o, "%" PRId32, v.i32); return;
    case RP_I64:  put(o, "%" PRId64, v.i64); return;
    case RP_U8:   put(o, "%u", v.u8); return;
    case RP_U16:  put(o, "%u", v.u16); return;
    case RP_U32:  put(o, "%" PRIu32, v.u32); return;
    case RP_U64:  put(o, "%" PRIu64, v.u64); return;
    case RP_F32:  put(o, "%g", (double)v.f32); return;
    case RP_F64:  put(o, "%g", v.f64); return;
    case RP_REF:  put(o, "<%" PRIx64 ".%" PRIx64 ">", v.ref.node, v.ref.local); return;
    case RP_TOKEN: put(o, "<%" PRIx64 ".%" PRIx64 " %" PRIx64 ">", v.token.asker.node, v.token.asker.local, v.token.call); return;
    case RP_CHARS: put_text(o, at, strnlen(at, f->size)); return;
    case RP_TEXT: put_text(o, v.bytes.data, v.bytes.size); return;
    case RP_BYTES: put(o, "%zu bytes", v.bytes.size); return;
    case RP_RAW:  put(o, "%" PRIu32 " bytes", f->size); return;
    }
}

int rp_type_print(char *to, size_t size, const rp_type *t, const void *body)
{
    if (!t || (!body && t->nfields > 0) || (!to && size > 0))
        return -EINVAL;
    struct out o = {to, size, 0};
    put(&o, "%s{", t->name);
    for (size_t i = 0; i < t->nfields; i++) {
        put(&o, "%s%s=", i ? " " : "", t->fields[i].name);
        put_field(&o, &t->fields[i], (const char *)body + t->fields[i].offset);
    }
    put(&o, "}");
    return (int)o.n;
}
