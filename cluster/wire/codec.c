/* SPDX-License-Identifier: MIT */
#include "cluster/wire/codec.h"

#include <errno.h>
#include <string.h>

/* ---- bytes --------------------------------------------------------------------------------------- */

const void *rp__get_bytes(struct rp__in *in, size_t n)
{
    if (in->bad || (size_t)(in->end - in->at) < n) {
        in->bad = true;
        return 0;
    }
    const void *p = in->at;
    in->at += n;
    return p;
}

static uint64_t get(struct rp__in *in, size_t n)
{
    const unsigned char *p = rp__get_bytes(in, n);
    uint64_t x = 0;
    for (size_t i = 0; p && i < n; i++)
        x |= (uint64_t)p[i] << 8 * i;
    return x;
}

uint8_t rp__get8(struct rp__in *in)
{
    return (uint8_t)get(in, 1);
}

uint16_t rp__get16(struct rp__in *in)
{
    return (uint16_t)get(in, 2);
}

uint32_t rp__get32(struct rp__in *in)
{
    return (uint32_t)get(in, 4);
}

uint64_t rp__get64(struct rp__in *in)
{
    return get(in, 8);
}

void rp__put_bytes(struct rp__w *w, const void *p, size_t n)
{
    if (n > 0 && w->n <= w->size && n <= w->size - w->n)
        memcpy(w->to + w->n, p, n);
    w->n += n;
}

static void put(struct rp__w *w, uint64_t x, size_t n)
{
    unsigned char b[8];
    for (size_t i = 0; i < n; i++)
        b[i] = (unsigned char)(x >> 8 * i);
    rp__put_bytes(w, b, n);
}

void rp__put8(struct rp__w *w, uint8_t x)
{
    put(w, x, 1);
}

void rp__put16(struct rp__w *w, uint16_t x)
{
    put(w, x, 2);
}

void rp__put32(struct rp__w *w, uint32_t x)
{
    put(w, x, 4);
}

void rp__put64(struct rp__w *w, uint64_t x)
{
    put(w, x, 8);
}

/* ---- fields -------------------------------------------------------------------------------------- */

/* The width on the wire; 0: it has a length in front. RP_RAW has the announced size. */
static size_t width_of(unsigned kind, uint32_t raw)
{
    switch ((rp_kind)kind) {
    case RP_TOKEN:
        return 8; /* its number on the link */
    case RP_REF:
        return 16;
    case RP_RAW:
        return raw;
    default:
        return rp__number_size((rp_kind)kind);
    }
}

static bool known_kind(unsigned k)
{
    return k >= RP_BOOL && k <= RP_TOKEN;
}

static rp_bytes bytes_at(const void *at)
{
    rp_bytes b;
    memcpy(&b, at, sizeof b);
    return b;
}

size_t rp__packed_size(const rp_type *t, const void *body)
{
    size_t n = 0;
    for (size_t i = 0; i < t->nfields; i++) {
        const rp_field *f = &t->fields[i];
        const char *at = (const char *)body + f->offset;
        size_t text = f->kind == RP_CHARS ? strnlen(at, f->size) : 0;
        if (text > UINT16_MAX || (text > 0 && text == f->size)) /* the latter has no NUL */
            return SIZE_MAX;
        if (f->kind == RP_CHARS)
            n += 2 + text;
        else if (rp__kind_outside(f->kind))
            n += 4 + bytes_at(at).size;
        else
            n += width_of(f->kind, f->size);
    }
    return n;
}

/* Integers and floats lie in memory as they lie on the wire, but for the order of their bytes. */
static void pack_fixed(struct rp__w *w, const void *at, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    rp__put_bytes(w, at, n);
#else
    unsigned char b[8];
    for (size_t i = 0; i < n; i++)
        b[i] = ((const unsigned char *)at)[n - 1 - i];
    rp__put_bytes(w, b, n);
#endif
}

static void unpack_fixed(void *to, const void *from, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, from, n);
#else
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)to)[i] = ((const unsigned char *)from)[n - 1 - i];
#endif
}

void rp__pack(struct rp__w *w, const rp_type *t, const void *body)
{
    for (size_t i = 0; i < t->nfields; i++) {
        const rp_field *f = &t->fields[i];
        const char *at = (const char *)body + f->offset;
        if (f->kind == RP_CHARS) {
            size_t n = strnlen(at, f->size);
            rp__put16(w, (uint16_t)n);
            rp__put_bytes(w, at, n);
        } else if (rp__kind_outside(f->kind)) {
            rp_bytes b = bytes_at(at);
            rp__put32(w, (uint32_t)b.size);
            rp__put_bytes(w, b.data, b.size);
        } else if (f->kind == RP_REF) {
            pack_fixed(w, at, 8);
            pack_fixed(w, at + 8, 8);
        } else if (f->kind == RP_TOKEN) {
            pack_fixed(w, at + offsetof(rp_token, call), 8);
        } else if (f->kind == RP_RAW) {
            rp__put_bytes(w, at, f->size);
        } else {
            pack_fixed(w, at, f->size);
        }
    }
}

/* ---- announcing ---------------------------------------------------------------------------------- */

static void put_name(struct rp__w *w, const char *name)
{
    size_t n = strlen(name);
    rp__put8(w, (uint8_t)n);
    rp__put_bytes(w, name, n);
}

void rp__announce(struct rp__w *w, const rp_type *t)
{
    put_name(w, t->name);
    rp__put8(w, (uint8_t)t->nfields);
    for (size_t i = 0; i < t->nfields; i++) {
        const rp_field *f = &t->fields[i];
        rp__put8(w, (uint8_t)f->kind);
        rp__put32(w, f->kind == RP_RAW ? f->size : 0);
        put_name(w, f->name);
    }
}

size_t rp__announced_size(const rp_type *t)
{
    struct rp__w w = {0, 0, 0};
    rp__announce(&w, t);
    return w.n;
}

size_t rp__plan_size(const struct rp__plan *p)
{
    return sizeof *p + p->nfields * sizeof *p->step;
}

static bool get_name(struct rp__in *in, char to[RP__WIRE_NAME + 1])
{
    size_t n = rp__get8(in);
    const char *p = n > 0 && n <= RP__WIRE_NAME ? rp__get_bytes(in, n) : 0;
    if (!p || memchr(p, 0, n)) {
        in->bad = true;
        return false;
    }
    memcpy(to, p, n);
    to[n] = 0;
    return true;
}

static const rp_type *type_named(const rp_type *const *types, const char *name)
{
    for (; types && *types; types++)
        if (strcmp((*types)->name, name) == 0)
            return *types;
    return 0;
}

/* Where the announced field goes in our type. A field of the same name but another kind, or RP_RAW of
 * another size, makes the whole type another: to take part of its meaning would be worse than none. */
static bool place_field(struct rp__plan *p, struct rp__step *s, const char *name)
{
    s->skip = true;
    for (size_t i = 0; p->type && i < p->type->nfields; i++) {
        const rp_field *f = &p->type->fields[i];
        if (strcmp(f->name, name) != 0)
            continue;
        if (f->kind != (rp_kind)s->kind || (f->kind == RP_RAW && f->size != s->size))
            return false;
        s->skip = false;
        s->offset = f->offset;
        s->room = f->size;
    }
    return true;
}

static int read_fields(struct rp__plan *p, struct rp__in *in)
{
    bool fits = true;
    for (unsigned i = 0; i < p->nfields; i++) {
        struct rp__step *s = &p->step[i];
        char name[RP__WIRE_NAME + 1];
        s->kind = rp__get8(in);
        s->size = rp__get32(in);
        if (!get_name(in, name) || !known_kind(s->kind))
            return -EPROTO;
        fits &= place_field(p, s, name);
        p->carries_tokens |= s->kind == RP_TOKEN;
    }
    if (!fits || (p->type && p->type->drop))
        p->type = 0;
    return in->bad ? -EPROTO : 0;
}

int rp__plan_new(const rp_alloc *mem, struct rp__in *in, const rp_type *const *types, struct rp__plan **ret)
{
    char name[RP__WIRE_NAME + 1];
    if (!get_name(in, name))
        return -EPROTO;
    uint16_t n = rp__get8(in);
    if (in->bad)
        return -EPROTO;
    size_t size = sizeof(struct rp__plan) + n * sizeof(struct rp__step);
    struct rp__plan *p = mem->alloc(mem->ud, size);
    if (!p)
        return -ENOMEM;
    memset(p, 0, size);
    p->nfields = n;
    memcpy(p->name, name, sizeof name);
    p->type = type_named(types, name);
    int rc = read_fields(p, in);
    if (rc != 0) {
        mem->free(mem->ud, p, size);
        return rc;
    }
    *ret = p;
    return 0;
}

/* ---- bodies coming in ---------------------------------------------------------------------------- */

/* The next value: its length, and where it begins. NULL: not there. */
static const unsigned char *next_value(struct rp__in *in, const struct rp__step *s, size_t *n)
{
    *n = width_of(s->kind, s->size);
    if (s->kind == RP_CHARS)
        *n = rp__get16(in);
    else if (rp__kind_outside((rp_kind)s->kind))
        *n = rp__get32(in);
    return rp__get_bytes(in, *n);
}

static rp_token token_at(const struct rp__plan *p, const unsigned char *at)
{
    rp_token t = {.asker = {p->peer, 0}, .via = p->link};
    unpack_fixed(&t.call, at, 8);
    return t;
}

int rp__unpack_check(const struct rp__plan *p, struct rp__in in, size_t *outside)
{
    size_t total = 0, n;
    bool fits = true;
    for (unsigned i = 0; i < p->nfields; i++) {
        const struct rp__step *s = &p->step[i];
        const unsigned char *at = next_value(&in, s, &n);
        if (in.bad)
            return -EPROTO;
        if (s->kind == RP_BOOL && *at > 1)
            return -EPROTO;
        if (s->skip)
            continue;
        fits &= s->kind != RP_CHARS || n < s->room; /* and its NUL */
        if (rp__kind_outside((rp_kind)s->kind))
            total += n + 1;
    }
    *outside = total;
    return !rp__get_end(&in) ? -EPROTO : fits ? 0 : -EMSGSIZE;
}

void rp__unpack(const struct rp__plan *p, struct rp__in in, void *body, char *outside)
{
    for (unsigned i = 0; i < p->nfields; i++) {
        const struct rp__step *s = &p->step[i];
        size_t n;
        const unsigned char *at = next_value(&in, s, &n);
        if (s->skip)
            continue;
        char *to = (char *)body + s->offset;
        if (rp__kind_outside((rp_kind)s->kind)) {
            rp_bytes b = {outside, n};
            if (n > 0)
                memcpy(outside, at, n);
            outside[n] = 0;
            outside += n + 1;
            memcpy(to, &b, sizeof b);
        } else if (s->kind == RP_CHARS || s->kind == RP_RAW) {
            memcpy(to, at, n);
        } else if (s->kind == RP_REF) {
            unpack_fixed(to, at, 8);
            unpack_fixed(to + 8, at + 8, 8);
        } else if (s->kind == RP_TOKEN) {
            rp_token t = token_at(p, at);
            memcpy(to, &t, sizeof t);
        } else {
            unpack_fixed(to, at, n);
        }
    }
}

bool rp__unpack_token(const struct rp__plan *p, struct rp__in *in, unsigned *i, bool all, rp_token *ret)
{
    while (*i < p->nfields) {
        const struct rp__step *s = &p->step[(*i)++];
        size_t n;
        const unsigned char *at = next_value(in, s, &n);
        if (s->kind != RP_TOKEN || !(s->skip || all))
            continue;
        *ret = token_at(p, at);
        if (ret->call != 0)
            return true;
    }
    return false;
}
