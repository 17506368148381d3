/* SPDX-License-Identifier: MIT
 *
 * test.h - what a test is written against: Criterion, or our own small runner where Criterion cannot
 * run (ThreadSanitizer) or is in the way (valgrind, gdb).
 *
 *     TEST(wheel, fires_in_order)
 *     {
 *         check_eq(a, b);
 *         check(x < y, "x is %d", x);
 *     }
 *
 * A test that needs random numbers asks test_seed() for a seed; it is printed when the test fails, and
 * RP_SEED=n repeats it.
 */
#ifndef RP_TEST_H
#define RP_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

uint64_t test_seed(void);

/* How many of n simulated runs: under ThreadSanitizer two, for one thread has no races. Threads in other tests find those. */
static inline unsigned seeds(unsigned n)
{
#if defined(__SANITIZE_THREAD__)
    return n < 2 ? n : 2;
#else
    return n;
#endif
}

/* A failed check ends the process, which is the test's own: it may be on any stack and any thread. */
void test_failed(const char *file, int line, const char *cond, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));
#define check(cond, ...) \
    ((cond) ? (void)0 : test_failed(__FILE__, __LINE__, #cond, " " __VA_ARGS__))

#if defined(RP_CRITERION)

#include <criterion/criterion.h>
#define TEST(suite, name) Test(suite, name, .timeout = 120)
#define TEST_SIGNAL(suite, name, signo) Test(suite, name, .timeout = 120, .signal = signo)

#else

typedef void test_fn(void);
struct test_case {
    const char *suite, *name;
    test_fn *fn;
    int signo; /* it is to die of; 0: it is not */
    struct test_case *next;
};
void test_add(struct test_case *t);

#define TEST_SIGNAL(suite_, name_, signo_) \
    static void test_##suite_##_##name_(void); \
    __attribute__((constructor)) static void add_##suite_##_##name_(void) \
    { \
        static struct test_case t = {#suite_, #name_, test_##suite_##_##name_, signo_, 0}; \
        test_add(&t); \
    } \
    static void test_##suite_##_##name_(void)
#define TEST(suite, name) TEST_SIGNAL(suite, name, 0)

#endif

#define check_eq(a, b) \
    do { \
        int64_t a_ = (int64_t)(a), b_ = (int64_t)(b); \
        check(a_ == b_, "%s is %" PRId64 ", not %" PRId64, #a, a_, b_); \
    } while (0)
#define check_str(a, b) \
    do { \
        const char *a_ = (a), *b_ = (b); \
        check(strcmp(a_, b_) == 0, "%s is \"%s\", not \"%s\"", #a, a_, b_); \
    } while (0)

/* A small generator for tests: splitmix64. */
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
