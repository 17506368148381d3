/* SPDX-License-Identifier: MIT
 *
 * map.h - from a number to a pointer. Open addressing, no tombstones; 0 is a key like any other, NULL
 * is no value.
 *
 * A map whose keys others choose gets a `salt` before its first key, a number that they do not know: else they could choose
 * keys that fall together, and each look into the map would cost as much as it holds.
 */
#ifndef RP__MAP_H
#define RP__MAP_H

#include "reparto/loop.h"

struct rp__map {
    struct rp__pair {
        uint64_t key;
        void *value; /* NULL: empty */
    } *at;
    uint32_t size, used; /* size is a power of two, or 0 */
    uint64_t salt;       /* 0: nobody means harm by its keys */
    uint32_t any;        /* where rp__map_any looks first: to empty a map is no more than to go over it once */
};

void *rp__map_find(const struct rp__map *m, uint64_t key);
int   rp__map_put(struct rp__map *m, const rp_alloc *mem, uint64_t key, void *value); /* new key; 0, -ENOMEM */
int   rp__map_reserve(struct rp__map *m, const rp_alloc *mem, uint32_t n); /* the next n puts will not fail; 0, -ENOMEM */
void *rp__map_remove(struct rp__map *m, uint64_t key); /* what stood there */
void  rp__map_fini(struct rp__map *m, const rp_alloc *mem);

/* Any of its values, for emptying it; NULL: it is empty. */
void *rp__map_any(struct rp__map *m, uint64_t *key);

#endif
