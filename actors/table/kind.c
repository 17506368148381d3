/* SPDX-License-Identifier: MIT */
#include "actors/table/kind.h"

#include "actors/table/actor.h"
#include "loop/system.h"

#include <string.h>

enum { FEW = 64 };

static bool same_name(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same(const rp_actor *copy, const rp_actor *k)
{
    return copy->handle == k->handle && copy->run == k->run && copy->init == k->init && copy->fini == k->fini &&
           copy->info == k->info && copy->state_size == k->state_size && copy->flags == (k->flags | RP__KIND_COPY) &&
           same_name(copy->name, k->name);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * UINT64_C(0x9e3779b97f4a7c15) ^ h >> 29;
}

static uint64_t key_of(const rp_actor *k)
{
    uint64_t h = mix((uintptr_t)k->handle, (uintptr_t)k->run);
    h = mix(mix(mix(h, (uintptr_t)k->init), (uintptr_t)k->fini), (uintptr_t)k->info);
    h = mix(mix(h, k->state_size), k->flags);
    for (const char *c = k->name; c && *c; c++) /* unbounded: a text has an end */
        h = mix(h, (unsigned char)*c);
    return h ? h : 1;
}

/* ---- copies -------------------------------------------------------------------------------------- */

static void copy_free(struct rp_loop *l, struct rp__kind_copy *k)
{
    struct rp__kind_table *t = &l->actors->kinds;
    if (k->key)
        rp__map_remove(&t->found, k->key);
    rp__unlink(&k->all);
    rp__pool_free(&l->pool, k, k->size);
    t->n--;
}

static void sweep(struct rp_loop *l)
{
    struct rp__kind_table *t = &l->actors->kinds;
    memset(t->copied, 0, sizeof t->copied);
    for (struct rp__hook *at = t->all.next, *next; at != &t->all; at = next) {
        struct rp__kind_copy *k = RP__OF(struct rp__kind_copy, all, at);
        next = at->next;
        if (k->live == 0)
            copy_free(l, k);
    }
    t->enough = 2 * t->n + FEW;
}

static struct rp__kind_copy *copy_new(struct rp_loop *l, const rp_actor *k, uint64_t key)
{
    struct rp__kind_table *t = &l->actors->kinds;
    if (!t->all.next)
        rp__list_init(&t->all);
    if (t->n >= t->enough)
        sweep(l);
    bool keeps_name = k->name && !rp__constant(l->sys, k->name, 1);
    size_t size = sizeof(struct rp__kind_copy) + (keeps_name ? strlen(k->name) + 1 : 0);
    struct rp__kind_copy *c = rp__pool_get(&l->pool, size);
    if (!c)
        return 0;
    *c = (struct rp__kind_copy){.is = *k, .size = size};
    c->is.flags |= RP__KIND_COPY;
    if (keeps_name)
        c->is.name = memcpy(c + 1, k->name, size - sizeof *c);
    if (!rp__map_find(&t->found, key) && rp__map_put(&t->found, &l->sys->mem, key, c) == 0)
        c->key = key; /* else it is merely not shared */
    rp__list_push(&t->all, &c->all);
    t->n++;
    return c;
}

__attribute__((noinline)) static struct rp__kind_copy *copy_of(struct rp_loop *l, const rp_actor *k)
{
    uint64_t key = key_of(k);
    struct rp__kind_copy *c = rp__map_find(&l->actors->kinds.found, key);
    if (!c || !same(&c->is, k))
        c = copy_new(l, k, key);
    if (c)
        l->actors->kinds.copied[rp__kind_slot(k)] = (struct rp__copied){k, c};
    return c;
}

static bool constant(const rp_system *sys, const rp_actor *k)
{
    return rp__constant(sys, k, sizeof *k) && (!k->name || rp__constant(sys, k->name, 1));
}

const rp_actor *rp__kind_look_up(struct rp_loop *l, const rp_actor *k)
{
    struct rp__kind_table *t = &l->actors->kinds;
    unsigned i = rp__kind_slot(k);
    struct rp__kind_copy *c = t->copied[i].kind;
    if (t->copied[i].at != k || !same(&c->is, k)) {
        if (constant(l->sys, k))
            return t->constant[i] = k;
        if (!(c = copy_of(l, k)))
            return 0;
    }
    c->live++;
    return &c->is;
}

void rp__kinds_close(struct rp_loop *l)
{
    struct rp__hook *all = &l->actors->kinds.all;
    while (all->next && all->next != all)
        copy_free(l, RP__OF(struct rp__kind_copy, all, all->next));
    rp__map_fini(&l->actors->kinds.found, &l->sys->mem);
}
