/* SPDX-License-Identifier: MIT
 *
 * fiber.h - tells AddressSanitizer, ThreadSanitizer and valgrind that the stack is about to change.
 *
 * One fiber per pooled stack, made with the stack and used again with it: making one costs TSan a
 * millisecond and it never gives back the memory. In a plain build all of this is nothing.
 *
 * TSan notes each function's call and return, for each fiber up to 65,536 calls that have not returned. A coroutine ends in
 * the middle of functions that never return, so each life would leave some behind: 20,000 lives, and TSan's memory is
 * overwritten. So under TSan a coroutine ends at its first frame, by a longjmp, which TSan takes for the return of all
 * that is above; and what follows is not noted at all (RP__UNNOTED).
 */
#ifndef RP__FIBER_H
#define RP__FIBER_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define RP__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RP__ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define RP__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RP__TSAN 1
#endif
#endif

#if defined(RP__ASAN)
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(RP__TSAN)
#include <sanitizer/tsan_interface.h>
#include <setjmp.h>
void *rp__tsan_fiber(void); /* fiber.c */
void rp__tsan_fiber_done(void *f);
void rp__tsan_users(int change);
#endif
#if defined(RP_VALGRIND)
#include <valgrind/valgrind.h>
#endif

#if !defined(RP__TSAN)
#define RP__UNNOTED
#elif defined(__clang__)
#define RP__UNNOTED __attribute__((disable_sanitizer_instrumentation, noinline))
#else
#define RP__UNNOTED __attribute__((no_sanitize("thread"), noinline))
#endif

struct rp__fiber {
#if defined(RP__ASAN)
    const void *low;
    size_t size;
    void *fake; /* ASan's shadow frames while this stack is parked */
#endif
#if defined(RP__TSAN)
    void *tsan;
    jmp_buf first; /* its first frame */
#endif
#if defined(RP_VALGRIND)
    unsigned stack_id;
#endif
    char none;
};

/* One more that makes fibers (1), or all of its are done with (-1). */
static inline void rp__fiber_users(int change)
{
    (void)change;
#if defined(RP__TSAN)
    rp__tsan_users(change);
#endif
}

/* A new stack [low, low+size). */
static inline void rp__fiber_init(struct rp__fiber *f, void *low, size_t size)
{
    (void)f, (void)low, (void)size;
#if defined(RP__ASAN)
    f->low = low;
    f->size = size;
    f->fake = 0;
#endif
#if defined(RP__TSAN)
    f->tsan = rp__tsan_fiber();
#endif
#if defined(RP_VALGRIND)
    f->stack_id = VALGRIND_STACK_REGISTER(low, (char *)low + size);
#endif
}

/* The thread's own stack: the one this is called on. */
static inline void rp__fiber_home(struct rp__fiber *f)
{
    (void)f;
#if defined(RP__ASAN)
    pthread_attr_t attr;
    void *low = 0;
    f->size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &low, &f->size);
        pthread_attr_destroy(&attr);
    }
    f->low = low;
    f->fake = 0;
#endif
#if defined(RP__TSAN)
    f->tsan = __tsan_get_current_fiber();
#endif
}

/* In the first frame of what runs on this stack: true; and once more, false, when it is over. */
#if defined(RP__TSAN)
#define RP__FIBER_BEGINS(f) (setjmp((f)->first) == 0)
#define RP__FIBER_IS_OVER(f) longjmp((f)->first, 1)
#else
#define RP__FIBER_BEGINS(f) ((void)(f), true)
#define RP__FIBER_IS_OVER(f) ((void)(f))
#endif

static inline void rp__fiber_fini(struct rp__fiber *f)
{
    (void)f;
#if defined(RP__TSAN)
    rp__tsan_fiber_done(f->tsan);
#endif
#if defined(RP_VALGRIND)
    VALGRIND_STACK_DEREGISTER(f->stack_id);
#endif
}

/* The kernel gets this memory back, and may give it to somebody else: frames that never returned have left their marks. */
static inline void rp__fiber_forget(const void *from, size_t size)
{
#if defined(RP__ASAN)
    __asan_unpoison_memory_region(from, size);
#else
    (void)from, (void)size;
#endif
}

/* A pooled stack is handed out again: nothing on it is poisoned any more. */
static inline void rp__fiber_reuse(struct rp__fiber *f)
{
    (void)f;
#if defined(RP__ASAN)
    __asan_unpoison_memory_region(f->low, f->size);
#endif
}

/* `ends`: what runs on `from` is over and will not be switched back to. */
__attribute__((always_inline)) static inline void rp__fiber_leave(struct rp__fiber *from,
                                                                  struct rp__fiber *to, bool ends)
{
    (void)from, (void)to, (void)ends;
#if defined(RP__ASAN)
    __sanitizer_start_switch_fiber(ends ? 0 : &from->fake, to->low, to->size);
#endif
#if defined(RP__TSAN)
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
}

__attribute__((always_inline)) static inline void rp__fiber_arrive(struct rp__fiber *here)
{
    (void)here;
#if defined(RP__ASAN)
    __sanitizer_finish_switch_fiber(here->fake, 0, 0);
    here->fake = 0;
#endif
}

#endif
