/* SPDX-License-Identifier: MIT */
#include "mailbox/index.h"

#include "loop/system.h"

#include <errno.h>
#include <string.h>

static struct rp__entry *entry_of(struct rp__hook *same)
{
    return RP__OF(struct rp__entry, same, same);
}

struct rp__index *rp__index_new(struct rp_loop *l)
{
    struct rp__index *x = rp__pool_get(&l->pool, sizeof *x);
    if (!x)
        return 0;
    memset(x, 0, sizeof *x);
    for (unsigned i = 0; i < RP__LANES; i++)
        rp__list_init(&x->lane[i]);
    x->keys.salt = l->sys->salt;
    return x;
}

void rp__index_free(struct rp_loop *l, struct rp__index *x)
{
    uint64_t type;
    for (struct rp__of_type *t; (t = rp__map_any(&x->types, &type));) {
        rp__map_remove(&x->types, type);
        rp__pool_free(&l->pool, t, sizeof *t);
    }
    rp__map_fini(&x->types, &l->sys->mem);
    rp__map_fini(&x->keys, &l->sys->mem);
    rp__pool_free(&l->pool, x, sizeof *x);
}

static struct rp__of_type *of_type(struct rp_loop *l, struct rp__index *x, const rp_type *type)
{
    struct rp__of_type *t = rp__map_find(&x->types, (uintptr_t)type);
    if (t || !(t = rp__pool_get(&l->pool, sizeof *t)))
        return t;
    t->type = type;
    rp__list_init(&t->entries);
    if (rp__map_put(&x->types, &l->sys->mem, (uintptr_t)type, t) == 0)
        return t;
    rp__pool_free(&l->pool, t, sizeof *t);
    return 0;
}

/* The bytes of its key in a body: of the type's key field; none: all of the type are alike. */
static const void *key_of(const rp_type *t, const void *body, size_t *size)
{
    *size = 0;
    if (t->key == 0)
        return body;
    const rp_field *f = &t->fields[t->key - 1];
    const char *at = (const char *)body + f->offset;
    if (rp__kind_outside(f->kind)) {
        const rp_bytes *b = (const void *)at;
        *size = b->size;
        return b->data;
    }
    *size = f->kind == RP_CHARS ? strnlen(at, f->size) : f->size;
    return at;
}

static bool same_key(struct rp__slot *a, struct rp__slot *b)
{
    const rp_type *t = rp__type(a->type);
    if (t != rp__type(b->type))
        return false;
    size_t na, nb;
    const void *ka = key_of(t, rp__body_of(a), &na), *kb = key_of(t, rp__body_of(b), &nb);
    return na == nb && memcmp(ka, kb, na) == 0;
}

static uint64_t hash_of(struct rp__slot *s)
{
    const rp_type *t = rp__type(s->type);
    size_t n;
    const unsigned char *k = key_of(t, rp__body_of(s), &n);
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uintptr_t)t;
    for (size_t i = 0; i < n; i++)
        h = (h ^ k[i]) * UINT64_C(0x100000001b3);
    return h ? h : 1;
}

struct rp__entry *rp__index_of_key(struct rp__index *x, struct rp__slot *s)
{
    struct rp__entry *e = rp__map_find(&x->keys, hash_of(s));
    return e && same_key(e->slot, s) ? e : 0;
}

int rp__index_put(struct rp_loop *l, struct rp__index *x, struct rp__slot *s, bool in_front, bool keyed)
{
    struct rp__of_type *t = of_type(l, x, rp__type(s->type));
    struct rp__entry *e = t ? rp__pool_get(&l->pool, sizeof *e) : 0;
    if (!e)
        return -ENOMEM;
    *e = (struct rp__entry){.slot = s, .of_type = t};
    struct rp__hook *lane = &x->lane[rp__lane_of(s)];
    rp__list_push(in_front ? lane->next : lane, &e->all); /* before the first: at the front */
    rp__list_push(in_front ? t->entries.next : &t->entries, &e->same);
    if (keyed) { /* one that stands there already, or no memory: this one will not be replaced */
        uint64_t key = hash_of(s);
        if (!rp__map_find(&x->keys, key) && rp__map_put(&x->keys, &l->sys->mem, key, e) == 0)
            e->key = key;
    }
    return 0;
}

struct rp__slot *rp__index_remove(struct rp_loop *l, struct rp__index *x, struct rp__entry *e)
{
    struct rp__slot *s = e->slot;
    rp__unlink(&e->all);
    rp__unlink(&e->same);
    if (e->key)
        rp__map_remove(&x->keys, e->key);
    rp__pool_free(&l->pool, e, sizeof *e);
    return s;
}

struct rp__entry *rp__index_of_type(struct rp__index *x, const rp_type *type)
{
    struct rp__of_type *t = rp__map_find(&x->types, (uintptr_t)type);
    return t && !rp__list_empty(&t->entries) ? entry_of(t->entries.next) : 0;
}
