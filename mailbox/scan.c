/* SPDX-License-Identifier: MIT
 *
 * scan.c - a body out of text: what rp_type_print has written, read back.
 */
#include "loop/base/format.h"
#include "mailbox/type.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct in {
    const char *at;
    char *room;       /* what is left of it */
    size_t left;
    uint64_t seen[4]; /* fields, a bit for each: rp_type_check lets no more than 255 through */
};

static bool eat(struct in *in, char c)
{
    bool is = *in->at == c;
    in->at += is;
    return is;
}

static bool eat_word(struct in *in, const char *word)
{
    size_t n = strlen(word);
    bool is = strncmp(in->at, word, n) == 0;
    in->at += is ? n : 0;
    return is;
}

/* ---- numbers ------------------------------------------------------------------------------------- */

static int digit(char c, unsigned base)
{
    int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    return d < (int)base ? d : -1;
}

static int scan_digits(struct in *in, unsigned base, uint64_t *ret)
{
    const char *from = in->at;
    bool over = false;
    *ret = 0;
    for (int d; (d = digit(*in->at, base)) >= 0; in->at++) {
        over |= __builtin_mul_overflow(*ret, base, ret);
        over |= __builtin_add_overflow(*ret, (uint64_t)d, ret);
    }
    return in->at == from ? -EINVAL : over ? -ERANGE : 0;
}

static void put_number(char *to, size_t size, uint64_t n)
{
    uint8_t n8 = (uint8_t)n;
    uint16_t n16 = (uint16_t)n;
    uint32_t n32 = (uint32_t)n;
    memcpy(to, size == 1 ? (void *)&n8 : size == 2 ? (void *)&n16 : size == 4 ? (void *)&n32 : (void *)&n, size);
}

static int scan_number(struct in *in, const rp_field *f, char *to)
{
    bool with_sign = f->kind >= RP_I8 && f->kind <= RP_I64, minus = eat(in, '-');
    uint64_t n, most = UINT64_MAX >> (64 - 8 * f->size + with_sign);
    int rc = scan_digits(in, 10, &n);
    if (rc == 0 && n > (!minus ? most : with_sign ? most + 1 : 0))
        rc = -ERANGE;
    if (rc == 0)
        put_number(to, f->size, minus ? 0 - n : n);
    return rc;
}

static int scan_bool(struct in *in, char *to)
{
    bool b = eat_word(in, "true");
    memcpy(to, &b, sizeof b);
    return b || eat_word(in, "false") ? 0 : -EINVAL;
}

/* An infinity is one only if it was written as one. */
static int scan_float(struct in *in, rp_kind kind, char *to)
{
    char *end = 0;
    if (*in->at == ' ' || (*in->at >= '\t' && *in->at <= '\r')) /* what strtod would pass over */
        return -EINVAL;
    errno = 0;
    float f = kind == RP_F32 ? rp__to_float(in->at, &end) : 0;
    double d = kind == RP_F64 ? rp__to_double(in->at, &end) : (double)f;
    if (end == in->at)
        return -EINVAL;
    in->at = end;
    memcpy(to, kind == RP_F32 ? (void *)&f : (void *)&d, kind == RP_F32 ? sizeof f : sizeof d);
    return isinf(d) && errno == ERANGE ? -ERANGE : 0;
}

static int scan_ref(struct in *in, char *to)
{
    rp_ref r = {0, 0};
    int rc = eat(in, '<') ? scan_digits(in, 16, &r.node) : -EINVAL;
    if (rc == 0)
        rc = eat(in, '.') ? scan_digits(in, 16, &r.local) : -EINVAL;
    memcpy(to, &r, sizeof r);
    return rc != 0 || eat(in, '>') ? rc : -EINVAL;
}

/* ---- text ---------------------------------------------------------------------------------------- */

/* \x0a, \" or \\, of which rp_type_print writes the first alone. */
static int scan_escape(struct in *in, char *ret)
{
    const char *at = in->at + 1;
    int high = *at == 'x' ? digit(at[1], 16) : -1;
    int low = high >= 0 ? digit(at[2], 16) : -1;
    if (low < 0 && *at != '"' && *at != '\\')
        return -EINVAL;
    *ret = low < 0 ? *at : (char)(high << 4 | low);
    in->at += low < 0 ? 2 : 4;
    return 1;
}

/* 1: there is one; 0: that was the end. */
static int scan_char(struct in *in, char *ret)
{
    if (*in->at == '\\')
        return scan_escape(in, ret);
    if (*in->at == 0)
        return -EINVAL;
    *ret = *in->at++;
    return *ret != '"';
}

static int scan_text(struct in *in, char *to, size_t room, size_t *n)
{
    char c;
    int rc = eat(in, '"') ? 1 : -EINVAL;
    for (*n = 0; rc > 0 && (rc = scan_char(in, &c)) > 0; (*n)++) {
        if (*n == room)
            return -EMSGSIZE;
        to[*n] = c;
    }
    return rc;
}

static int scan_chars(struct in *in, const rp_field *f, char *to)
{
    size_t n;
    int rc = scan_text(in, to, f->size - 1, &n);
    return rc == 0 && memchr(to, 0, n) ? -EINVAL : rc; /* what is behind a NUL would be lost */
}

static int scan_outside(struct in *in, char *to)
{
    rp_bytes b = {.data = in->room};
    int rc = scan_text(in, in->room, in->left, &b.size);
    if (rc != 0)
        return rc == -EMSGSIZE ? -ENOBUFS : rc;
    if (b.size > 0)
        in->room += b.size;
    in->left -= b.size;
    memcpy(to, &b, sizeof b);
    return 0;
}

/* ---- fields -------------------------------------------------------------------------------------- */

static int scan_value(struct in *in, const rp_field *f, char *to)
{
    switch (f->kind) {
    case RP_BOOL:
        return scan_bool(in, to);
    case RP_F32:
    case RP_F64:
        return scan_float(in, f->kind, to);
    case RP_REF:
        return scan_ref(in, to);
    case RP_CHARS:
        return scan_chars(in, f, to);
    case RP_TEXT:
        return scan_outside(in, to);
    case RP_RAW:
    case RP_BYTES: /* their length is all that is printed */
    case RP_TOKEN: /* nobody can make up a right to reply */
        return -ENOTSUP;
    default:
        return scan_number(in, f, to);
    }
}

/* Its number; -1: there is none of that name, or it has been there before. */
static int scan_name(struct in *in, const rp_type *t)
{
    for (size_t i = 0; i < t->nfields; i++) {
        size_t n = strlen(t->fields[i].name);
        if (strncmp(in->at, t->fields[i].name, n) != 0 || in->at[n] != '=')
            continue;
        bool again = in->seen[i / 64] >> i % 64 & 1;
        in->seen[i / 64] |= UINT64_C(1) << i % 64;
        in->at += n + 1;
        return again ? -1 : (int)i;
    }
    return -1;
}

static int scan_field(struct in *in, const rp_type *t, char *body)
{
    int i = scan_name(in, t);
    int rc = i >= 0 ? scan_value(in, &t->fields[i], body + t->fields[i].offset) : -EINVAL;
    return rc != 0 || *in->at == ' ' || *in->at == '}' ? rc : -EINVAL;
}

int rp_type_scan(const char *text, const rp_type *t, void *body, void *room, size_t size)
{
    if (!text || !body)
        return -EINVAL;
    struct in in = {.at = text, .room = room, .left = room ? size : 0};
    if (rp_type_check(t) != 0 || !eat_word(&in, t->name) || !eat(&in, '{'))
        return -EINVAL;
    memset(body, 0, t->size);
    for (;;) { /* bounded by the fields, each of which comes once */
        in.at += strspn(in.at, " ");
        if (eat(&in, '}'))
            return *in.at ? -EINVAL : 0;
        int rc = scan_field(&in, t, body);
        if (rc != 0)
            return rc;
    }
}
