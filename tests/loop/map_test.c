/* SPDX-License-Identifier: MIT */
#include "loop/base/map.h"
#include "tests/support.h"

static void *thing(uint64_t n) /* never looked into */
{
    return (void *)(uintptr_t)(n + 1);
}

/* Against what a plain array says. */
TEST(map, keeps_what_it_is_given)
{
    enum { KEYS = 300 };
    struct test_mem mem;
    struct rp__map m = {0};
    uint64_t seed = test_seed(), value[KEYS] = {0};
    unsigned used = 0;
    test_mem_init(&mem);
    for (unsigned i = 0; i < 50000; i++) {
        uint64_t k = test_random(&seed) % KEYS, key = k * (k % 3 ? 1 : UINT64_C(0x100000000));
        if (value[k]) {
            check(rp__map_remove(&m, key) == thing(value[k]));
            value[k] = 0;
            used--;
        } else {
            value[k] = 1 + test_random(&seed) % 1000;
            check_eq(rp__map_put(&m, &mem.alloc, key, thing(value[k])), 0);
            used++;
        }
        check(rp__map_find(&m, key) == (value[k] ? thing(value[k]) : NULL));
        check_eq(m.used, used);
    }
    uint64_t key;
    for (void *p; (p = rp__map_any(&m, &key)); used--)
        check(rp__map_remove(&m, key) == p);
    check_eq(used, 0);
    rp__map_fini(&m, &mem.alloc);
    check_eq(mem.blocks, 0);
}

/* To take out all, one after the other, takes as long as to put them in: were each looked for from the beginning, this
 * would take minutes. */
TEST(map, a_large_one_is_emptied)
{
    enum { MANY = 600000 };
    struct test_mem mem;
    struct rp__map m = {0};
    uint64_t key, n = 0;
    test_mem_init(&mem);
    for (uint64_t i = 0; i < MANY; i++)
        check_eq(rp__map_put(&m, &mem.alloc, i * 31 + 1, thing(i)), 0);
    for (; rp__map_any(&m, &key); n++)
        check(rp__map_remove(&m, key) == thing((key - 1) / 31));
    check_eq(n, MANY);
    rp__map_fini(&m, &mem.alloc);
}

/* Keys that all fall together in a map without a salt: who does not know the salt cannot find such ones. */
TEST(map, with_a_salt_is_as_quick_for_any_keys)
{
    enum { MANY = 20000 };
    struct test_mem mem;
    uint64_t seed = test_seed();
    struct rp__map m = {.salt = test_random(&seed) | 1};
    uint64_t inverse = UINT64_C(0x9e3779b97f4a7c15), c = inverse, apart = 0;
    test_mem_init(&mem);
    for (unsigned i = 0; i < 6; i++)
        inverse *= 2 - c * inverse; /* of an odd number: each step doubles its right bits */
    check_eq(inverse * c, 1);
    for (uint64_t i = 1; i <= MANY; i++)
        check_eq(rp__map_put(&m, &mem.alloc, inverse * (i << 52 | i >> 12), thing(i)), 0);
    for (uint32_t i = 0; i < m.size; i++) /* runs of places that are all taken; a look goes to the end of one */
        for (uint64_t run = 0; i < m.size && m.at[i].value; i++, run++)
            apart = run > apart ? run : apart;
    check(apart < 200, "%" PRIu64 " stand together", apart);
    rp__map_fini(&m, &mem.alloc);
}
