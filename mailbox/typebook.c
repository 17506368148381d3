/* SPDX-License-Identifier: MIT */
#include "mailbox/typebook.h"

#include "loop/system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void rp__typebook_open(struct rp__typebook *b, const rp_alloc *mem)
{
    *b = (struct rp__typebook){.mem = *mem};
    pthread_mutex_init(&b->lock, 0);
}

void rp__typebook_close(struct rp__typebook *b)
{
    for (unsigned i = 0; i < RP__TYPE_BUCKETS; i++)
        for (struct rp__known_type *k = b->known[i], *next; k; k = next) {
            next = k->next;
            b->mem.free(b->mem.ud, k, k->size);
        }
    pthread_mutex_destroy(&b->lock);
}

/* ---- one for all --------------------------------------------------------------------------------- */

static bool constant(const rp_system *sys, const rp_type *t)
{
    bool all = rp__constant(sys, t, sizeof *t) && rp__constant(sys, t->name, 1) &&
               (t->nfields == 0 || rp__constant(sys, t->fields, t->nfields * sizeof *t->fields));
    for (size_t i = 0; all && i < t->nfields; i++)
        all = rp__constant(sys, t->fields[i].name, 1);
    return all;
}

static char *text_to(char **at, const char *text)
{
    size_t n = strlen(text) + 1;
    char *to = memcpy(*at, text, n);
    *at += n;
    return to;
}

static size_t copy_size(const rp_type *t)
{
    size_t n = sizeof(rp_type) + t->nfields * sizeof(rp_field) + strlen(t->name) + 1;
    for (size_t i = 0; i < t->nfields; i++)
        n += strlen(t->fields[i].name) + 1;
    return n;
}

static const rp_type *copy_to(void *to, const rp_type *t)
{
    rp_type *copy = memcpy(to, t, sizeof *t);
    rp_field *f = (rp_field *)(void *)(copy + 1);
    char *at = (char *)(f + t->nfields);
    copy->name = text_to(&at, t->name);
    copy->fields = t->nfields ? f : 0;
    for (size_t i = 0; i < t->nfields; i++) {
        f[i] = t->fields[i];
        f[i].name = text_to(&at, t->fields[i].name);
    }
    return copy;
}

static struct rp__known_type *known_new(struct rp__typebook *b, const rp_type *t)
{
    bool as_it_is = constant(b->sys, t);
    size_t size = sizeof(struct rp__known_type) + (as_it_is ? 0 : copy_size(t));
    struct rp__known_type *k = b->mem.alloc(b->mem.ud, size);
    if (!k)
        return 0;
    *k = (struct rp__known_type){.size = size};
    k->type = as_it_is ? t : copy_to(k + 1, t);
    return k;
}

static struct rp__known_type **place_of(struct rp__typebook *b, const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (const char *c = name; *c; c++) /* bounded: its length has been checked */
        h = (h ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    struct rp__known_type **at = &b->known[h >> 32 & (RP__TYPE_BUCKETS - 1)];
    while (*at && strcmp((*at)->type->name, name) != 0)
        at = &(*at)->next;
    return at;
}

/* ---- what is wrong ------------------------------------------------------------------------------- */

static void tell_bad(struct rp__typebook *b, const rp_type *t, const char *why)
{
    pthread_mutex_lock(&b->lock);
    bool told = false;
    for (unsigned i = 0; i < RP__TYPE_BUCKETS; i++)
        told |= b->bad[i] == t;
    if (!told)
        b->bad[b->nbad++ % RP__TYPE_BUCKETS] = t;
    pthread_mutex_unlock(&b->lock);
    if (!told)
        rp__report(b->sys, &(rp_report){.kind = RP_REPORT_MISUSE, .err = -EINVAL},
                   "a message type is not described rightly: %s; nothing can be sent by it until its rp_type is mended", why);
}

static void tell_twice(struct rp__typebook *b, const rp_type *a, const rp_type *t)
{
    char why[RP__TYPE_FAULT];
    rp__type_difference(a, t, why, sizeof why);
    rp__report(b->sys, &(rp_report){.kind = RP_REPORT_MISUSE, .err = -EINVAL},
               "two message types are called \"%s\": %s (the rp_type at %p and the one at %p); "
               "give one of them another name, or describe it once for both", t->name, why, (const void *)a, (const void *)t);
}

/* ---- meeting one --------------------------------------------------------------------------------- */

int rp__type_meet(struct rp__typebook *b, const rp_type *t, const rp_type **ret)
{
    char why[RP__TYPE_FAULT];
    if (!t)
        return -EINVAL;
    if (!rp__type_sound(t, why, sizeof why)) {
        tell_bad(b, t, why);
        return -EINVAL;
    }
    pthread_mutex_lock(&b->lock);
    struct rp__known_type **at = place_of(b, t->name), *k = *at;
    if (!k)
        k = *at = known_new(b, t);
    bool same = k && rp__type_same(k->type, t), told = k && k->told;
    if (k && !same)
        k->told = true;
    pthread_mutex_unlock(&b->lock);
    if (!k)
        return -ENOMEM;
    if (!same && !told)
        tell_twice(b, k->type, t);
    *ret = k->type;
    return same ? 0 : -EINVAL;
}

const rp_type *rp__type_named(struct rp__typebook *b, const char *name)
{
    pthread_mutex_lock(&b->lock);
    const struct rp__known_type *k = *place_of(b, name);
    const rp_type *t = k ? k->type : 0;
    pthread_mutex_unlock(&b->lock);
    return t;
}

int rp__types_meet(struct rp__typebook *b, const rp_type **list)
{
    for (; list && *list; list++) {
        char fault[RP__TYPE_FAULT], why[RP__TYPE_FAULT + 40];
        bool sound = rp__type_sound(*list, fault, sizeof fault);
        int rc = sound ? rp__type_meet(b, *list, list) : 0;
        if (rc != 0)
            return rc;
        if (sound && (*list)->fields && !(*list)->drop)
            continue;
        if (!sound)
            snprintf(why, sizeof why, "one in rp_system_opts.types: %s", fault);
        else
            snprintf(why, sizeof why, "\"%s\" is listed in rp_system_opts.types, and %s", (*list)->name,
                 (*list)->drop ? "has a drop function, which cannot come from another process" : "has no fields, by which it could come");
        tell_bad(b, *list, why);
        return -EINVAL;
    }
    return 0;
}

/* ---- the loops' caches ---------------------------------------------------------------------------- */

const struct rp__shape *rp__shape_look_up(struct rp__types *c, const rp_type *t)
{
    struct rp__loose *loose = &c->loose[((uintptr_t)t >> 4) % RP__TYPE_LOOSE];
    if (t && loose->at == t && rp__type_same(rp__type_of_word(loose->shape.word), t))
        return &loose->shape;
    const rp_type *known = 0;
    int rc = rp__type_meet(c->book, t, &known);
    if (rc != 0) {
        rp__shape_bad(&c->bad, rc);
        return &c->bad;
    }
    struct rp__shape *s = &loose->shape;
    if (known == t || constant(c->book->sys, t))
        s = rp__shape_at(c, t);
    else
        loose->at = t;
    rp__shape_of(s, known);
    s->type = t;
    return s;
}
