/* SPDX-License-Identifier: MIT */
#include "mailbox/type.h"

#include "loop/format.h"
#include "mailbox/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SIZE_MAX_TYPE = 65536, NAME_MAX_TYPE = 63, FIELDS_MAX = 255 };

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

static bool field_sound(const rp_type *t, const rp_field *f)
{
    size_t want = size_of(f->kind);
    return f->name && *f->name && strlen(f->name) <= NAME_MAX_TYPE && f->size > 0 &&
           (want == 0 || f->size == want) && f->offset <= t->size && f->size <= t->size - f->offset;
}

int rp_type_check(const rp_type *t)
{
    if (!t->name || !*t->name || strlen(t->name) > NAME_MAX_TYPE || t->size > SIZE_MAX_TYPE ||
        t->nfields > FIELDS_MAX || (t->nfields && !t->fields))
        return -EINVAL;
    for (size_t i = 0; i < t->nfields; i++) {
        if (!field_sound(t, &t->fields[i]))
            return -EINVAL;
        for (size_t k = 0; k < i; k++)
            if (overlap(&t->fields[i], &t->fields[k]) || !strcmp(t->fields[i].name, t->fields[k].name))
                return -EINVAL;
    }
    return 0;
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
    struct out o = {to, size, 0};
    put(&o, "%s{", t->name);
    for (size_t i = 0; i < t->nfields; i++) {
        put(&o, "%s%s=", i ? " " : "", t->fields[i].name);
        put_field(&o, &t->fields[i], (const char *)body + t->fields[i].offset);
    }
    put(&o, "}");
    return (int)o.n;
}
