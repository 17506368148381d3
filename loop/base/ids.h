/* SPDX-License-Identifier: MIT
 *
 * ids.h - numbers for things that may be gone when somebody comes back with the number: a table of
 * pointers with generations. An id is never 0 and is not used again before 4 billion uses of its slot.
 */
#ifndef RP__IDS_H
#define RP__IDS_H

#include "reparto/loop.h"

struct rp__id_slot {
    void *p; /* NULL: free */
    uint32_t generation, next_free;
};

struct rp__ids {
    struct rp__id_slot *at;
    uint32_t size, first_free; /* first_free == size: none */
    uint32_t tag;              /* less than 1024: tables with different ones give different numbers, for 4 million uses */
};

static inline uint32_t rp__id_generation(const struct rp__ids *t, uint64_t id)
{
    return (uint32_t)(id >> 32) ^ t->tag << 22;
}

static inline void *rp__id_find(const struct rp__ids *t, uint64_t id) /* NULL: gone */
{
    uint32_t i = (uint32_t)id - 1;
    return i < t->size && t->at[i].generation == rp__id_generation(t, id) ? t->at[i].p : 0;
}

/* It was given out once, and its slot has been freed since. */
static inline bool rp__id_past(const struct rp__ids *t, uint64_t id)
{
    uint32_t i = (uint32_t)id - 1, g = rp__id_generation(t, id);
    return i < t->size && g != 0 && (int32_t)(t->at[i].generation - g) > 0;
}

static inline uint64_t rp__id_at(const struct rp__ids *t, uint32_t i) /* of the slot `i`, which is in use */
{
    return (uint64_t)(t->at[i].generation ^ t->tag << 22) << 32 | (i + 1);
}

uint64_t rp__id_new(struct rp__ids *t, const rp_alloc *mem, void *p); /* 0: no memory */
void rp__id_free(struct rp__ids *t, uint64_t id);
void rp__ids_fini(struct rp__ids *t, const rp_alloc *mem);

/* A table of records of `size` bytes, which are its own: a number for a copy of this one (0: no memory); the record
 * out again, and the number is gone (false: it was before); and all that is left, with the table. */
uint64_t rp__id_add(struct rp__ids *t, const rp_alloc *mem, const void *record, size_t size);
bool rp__id_take(struct rp__ids *t, const rp_alloc *mem, uint64_t id, void *ret, size_t size);
void rp__ids_drop(struct rp__ids *t, const rp_alloc *mem, size_t size);

#endif
