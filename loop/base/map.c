/* SPDX-License-Identifier: MIT */
#include "loop/base/map.h"

#include <errno.h>
#include <string.h>

static uint32_t home_of(const struct rp__map *m, uint64_t key)
{
    if (m->salt) { /* twice multiplied by what nobody knows: differences of keys say nothing about where they fall */
        key = (key ^ m->salt) * (m->salt << 1 | 1);
        key = (key ^ key >> 32) * (m->salt >> 7 | 1);
        return (uint32_t)(key >> 32) & (m->size - 1);
    }
    return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (m->size - 1);
}

/* Where the key stands, or where it would. The map is never full. */
static struct rp__pair *place(const struct rp__map *m, uint64_t key)
{
    uint32_t i = home_of(m, key);
    while (m->at[i].value && m->at[i].key != key)
        i = (i + 1) & (m->size - 1);
    return &m->at[i];
}

void *rp__map_find(const struct rp__map *m, uint64_t key)
{
    return m->size ? place(m, key)->value : 0;
}

static int grow(struct rp__map *m, const rp_alloc *mem)
{
    struct rp__map big = {.size = m->size ? 2 * m->size : 16, .used = m->used, .salt = m->salt};
    big.at = mem->alloc(mem->ud, big.size * sizeof *big.at);
    if (!big.at)
        return -ENOMEM;
    memset(big.at, 0, big.size * sizeof *big.at);
    for (uint32_t i = 0; i < m->size; i++)
        if (m->at[i].value)
            *place(&big, m->at[i].key) = m->at[i];
    if (m->at)
        mem->free(mem->ud, m->at, m->size * sizeof *m->at);
    *m = big;
    return 0;
}

int rp__map_put(struct rp__map *m, const rp_alloc *mem, uint64_t key, void *value)
{
    if (2 * (m->used + 1) > m->size && grow(m, mem) != 0)
        return -ENOMEM;
    *place(m, key) = (struct rp__pair){key, value};
    m->used++;
    return 0;
}

int rp__map_reserve(struct rp__map *m, const rp_alloc *mem, uint32_t n)
{
    while (2 * ((uint64_t)m->used + n) > m->size) /* bounded: it doubles */
        if (grow(m, mem) != 0)
            return -ENOMEM;
    return 0;
}

void *rp__map_remove(struct rp__map *m, uint64_t key)
{
    if (!m->size)
        return 0;
    struct rp__pair *p = place(m, key);
    void *value = p->value;
    if (!value)
        return 0;
    m->used--;
    uint32_t hole = (uint32_t)(p - m->at);
    for (uint32_t i = (hole + 1) & (m->size - 1); m->at[i].value; i = (i + 1) & (m->size - 1)) {
        uint32_t home = home_of(m, m->at[i].key);
        if (((i - home) & (m->size - 1)) >= ((i - hole) & (m->size - 1))) {
            m->at[hole] = m->at[i]; /* it may stand earlier: the gap moves on */
            hole = i;
        }
    }
    m->at[hole].value = 0;
    return value;
}

void rp__map_fini(struct rp__map *m, const rp_alloc *mem)
{
    if (m->at)
        mem->free(mem->ud, m->at, m->size * sizeof *m->at);
    memset(m, 0, sizeof *m);
}

void *rp__map_any(struct rp__map *m, uint64_t *key)
{
    for (uint32_t i = 0; i < m->size; i++) {
        const struct rp__pair *p = &m->at[m->any & (m->size - 1)];
        if (p->value) {
            *key = p->key;
            return p->value;
        }
        m->any++;
    }
    return 0;
}
