/* SPDX-License-Identifier: MIT */
#include "loop/base/ids.h"

#include "loop/base/os.h"

#include <assert.h>
#include <string.h>

enum { FIRST = 64 };

static bool grow(struct rp__ids *t, const rp_alloc *mem)
{
    if (t->size > UINT32_MAX / 2)
        return false;
    uint32_t size = t->size ? 2 * t->size : FIRST;
    struct rp__id_slot *at = mem->alloc(mem->ud, size * sizeof *at);
    if (!at)
        return false;
    rp__os_populate_within(at, size * sizeof *at);
    if (t->size) {
        memcpy(at, t->at, t->size * sizeof *at);
        mem->free(mem->ud, t->at, t->size * sizeof *at);
    }
    for (uint32_t i = t->size; i < size; i++)
        at[i] = (struct rp__id_slot){0, 1, i + 1};
    t->at = at;
    t->size = size;
    return true;
}

uint64_t rp__id_new(struct rp__ids *t, const rp_alloc *mem, void *p)
{
    if (t->first_free == t->size && !grow(t, mem))
        return 0;
    uint32_t i = t->first_free;
    t->first_free = t->at[i].next_free;
    t->at[i].p = p;
    return rp__id_at(t, i);
}

void rp__id_free(struct rp__ids *t, uint64_t id)
{
    assert(rp__id_find(t, id));
    uint32_t i = (uint32_t)id - 1;
    t->at[i].p = 0;
    t->at[i].generation++;
    t->at[i].next_free = t->first_free;
    t->first_free = i;
}

void rp__ids_fini(struct rp__ids *t, const rp_alloc *mem)
{
    if (t->at)
        mem->free(mem->ud, t->at, t->size * sizeof *t->at);
    memset(t, 0, sizeof *t);
}

uint64_t rp__id_add(struct rp__ids *t, const rp_alloc *mem, const void *record, size_t size)
{
    void *p = mem->alloc(mem->ud, size);
    uint64_t id = p ? rp__id_new(t, mem, memcpy(p, record, size)) : 0;
    if (p && !id)
        mem->free(mem->ud, p, size);
    return id;
}

bool rp__id_take(struct rp__ids *t, const rp_alloc *mem, uint64_t id, void *ret, size_t size)
{
    void *p = rp__id_find(t, id);
    if (!p)
        return false;
    rp__id_free(t, id);
    memcpy(ret, p, size);
    mem->free(mem->ud, p, size);
    return true;
}

void rp__ids_drop(struct rp__ids *t, const rp_alloc *mem, size_t size)
{
    for (uint32_t i = 0; i < t->size; i++)
        if (t->at[i].p)
            mem->free(mem->ud, t->at[i].p, size);
    rp__ids_fini(t, mem);
}
