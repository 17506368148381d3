/* SPDX-License-Identifier: MIT */
#include "loop/pool.h"
#include "tests/support.h"

#include <stdlib.h>

static struct rp__pool a, b;
static struct rp__pool *peers[2] = {&a, &b};

static void open_pools(struct test_mem *mem)
{
    test_mem_init(mem);
    check_eq(rp__pool_init(&a, &mem->alloc, 0, 2, peers), 0);
    check_eq(rp__pool_init(&b, &mem->alloc, 1, 2, peers), 0);
}

static void close_pools(struct test_mem *mem)
{
    check_eq(a.live + b.live, 0);
    rp__pool_fini(&a);
    rp__pool_fini(&b);
    check_eq(mem->blocks, 0);
}

TEST(pool, classes_cover_every_size)
{
    struct test_mem mem;
    open_pools(&mem);
    for (size_t size = 1; size < 3 * RP__POOL_MAX; size += size < 300 ? 1 : 61) {
        char *p = rp__pool_get(&a, size), *q = rp__pool_get(&a, size);
        check(p && q && p != q, "size %zu", size);
        memset(p, 1, size);
        memset(q, 2, size);
        check_eq(p[size - 1], 1);
        check((uintptr_t)p % 16 == 0 && (size > RP__POOL_MAX || (uintptr_t)p % 64 == 0), "alignment");
        rp__pool_free(&a, p, size);
        rp__pool_free(&a, q, size);
    }
    close_pools(&mem);
}

TEST(pool, blocks_freed_elsewhere_come_home)
{
    enum { N = 3000 };
    static void *p[N];
    struct test_mem mem;
    open_pools(&mem);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < N; i++)
            check((p[i] = rp__pool_get(&a, 100)) != 0);
        for (unsigned i = 0; i < N; i++)
            rp__pool_free(&b, p[i], 100);
        rp__pool_flush(&b);
    }
    rp__pool_sweep(&a);
    check(mem.calls < 8, "blocks were not used again: %lld allocations", (long long)mem.calls);
    close_pools(&mem);
}

TEST(pool, out_of_memory_is_null_and_passes)
{
    struct test_mem mem;
    open_pools(&mem);
    mem.fail_at = mem.calls + 1;
    mem.from_then_on = true;
    check(!rp__pool_get(&a, 64));
    check(!rp__pool_get(&a, 100000));
    mem.fail_at = 0;
    void *p = rp__pool_get(&a, 64);
    check(p != 0);
    rp__pool_free(&a, p, 64);
    close_pools(&mem);
}
