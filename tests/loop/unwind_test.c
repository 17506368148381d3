/* SPDX-License-Identifier: MIT */
#include "loop/watch/unwind.h"
#include "tests/test.h"

#include <stdlib.h>
#include <sys/mman.h>

#if !defined(RP__UCONTEXT)

static struct rp__cx home, other;
static void *deepest;

/* Parks in the middle of something, as a coroutine does. */
__attribute__((noinline)) RP__NOIPA static unsigned park(unsigned n)
{
    volatile char room[64];
    room[n & 63] = (char)n;
    if (n > 0)
        return park(n - 1) + (unsigned)room[n & 63];
    deepest = __builtin_return_address(0);
    rp__cx_switch(&other, &home);
    return 0;
}

RP__NOIPA static void entry(void *arg)
{
    (void)arg;
    park(10);
    abort();
}

RP__NOIPA static void to_other(void)
{
    rp__cx_switch(&home, &other);
}

enum { SIZE = 65536 };
static char *stack; /* nothing is mapped below and above it */

static void map_stack(void)
{
    enum { PAGE = 65536 }; /* on any machine */
    if (stack)
        return;
    char *all = mmap(0, SIZE + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(all != MAP_FAILED && mprotect(all + PAGE, SIZE, PROT_READ | PROT_WRITE) == 0);
    stack = all + PAGE;
}

static void make(void)
{
    map_stack();
    rp__cx_make(&other, stack + SIZE, entry, 0);
    to_other();
}

TEST(unwind, finds_every_frame)
{
    void *pc[64];
    make();
    check_eq(rp__unwind(&other, stack, stack + SIZE, pc, 64), 13); /* eleven, entry, and what calls it */
    check(pc[1] == deepest);
    check_eq(rp__unwind(&other, stack, stack + SIZE, pc, 5), 5);
    check_eq(rp__unwind(&other, stack, stack + SIZE, pc, 0), 0);
}

TEST(unwind, of_one_that_has_not_begun)
{
    void *pc[64];
    map_stack();
    rp__cx_make(&other, stack + SIZE, entry, 0);
    check_eq(rp__unwind(&other, stack, stack + SIZE, pc, 64), 1);
    check(pc[0] == (void *)rp__cx_start);
}

/* As memory: ASan knows of the frames on that stack, and would complain. */
__attribute__((no_sanitize("address"))) static void copy(void *to, const void *from, size_t size)
{
    for (size_t i = 0; i < size / 8; i++)
        ((volatile uint64_t *)to)[i] = ((const volatile uint64_t *)from)[i];
}

/* Whatever stands on the stack and in the context, it is walked within its bounds, and comes to an end. */
TEST(unwind, survives_broken_stacks)
{
    void *pc[64];
    uint64_t seed = test_seed();
    make();
    static _Alignas(16) char sound[SIZE];
    copy(sound, stack, SIZE);
    struct rp__cx cx = other;
    size_t used = (size_t)(stack + SIZE - (char *)other.sp);
    for (unsigned i = 0; i < 20000; i++) {
        copy(stack + SIZE - used, sound + SIZE - used, used);
        other = cx;
        for (unsigned k = 0; k < 1 + i % 8; k++) {
            uint64_t r = test_random(&seed), v = test_random(&seed);
            char *at = (char *)cx.sp + r % used / 8 * 8;
            uint64_t put = test_random(&seed);
            if (v % 4 == 1)
                put = (uintptr_t)stack + put % SIZE; /* a place on it */
            else if (v % 4 == 2)
                put = (uintptr_t)entry + put % 4096 - 2048; /* code, or near it */
            else if (v % 4 == 3)
                put = 0;
            copy(at, &put, sizeof put);
        }
        if (i % 5 == 0)
            other.ip = (void *)((uintptr_t)park + test_random(&seed) % 65536 - 32768);
        if (i % 7 == 0)
            other.bp = (void *)(uintptr_t)test_random(&seed);
        if (i % 11 == 0)
            other.sp = (void *)((uintptr_t)stack + test_random(&seed) % (2 * SIZE) - SIZE / 2);
        if (i % 13 == 0) /* at its very end: what was saved would lie below */
            other.sp = stack + test_random(&seed) % 8 * 8;
        check(rp__unwind(&other, stack, stack + SIZE, pc, 64) <= 64);
    }
}

#endif
