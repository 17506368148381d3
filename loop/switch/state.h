/* SPDX-License-Identifier: MIT
 *
 * state.h - what the thread keeps for the code that runs on it, and a coroutine takes along when it waits.
 *
 *   C++ exceptions    the runtime's two words for a thread: the exceptions that are being handled, and how many are in
 *                     flight. A coroutine that waits in a catch block, or in a destructor that runs because of one, finds
 *                     its own when it goes on. Without C++ in the program there are none.
 *   FPU               the control words: rounding, which exceptions trap, whether denormals are zero. A call keeps
 *                     them by the calling convention, and so does one that waits; everybody else runs with those
 *                     that the loop's thread had when the turn began. Not the flags of what has happened.
 *
 * The usual case is that neither is anything special, and that is one comparison each, at each wait. The x87 word is looked at
 * for both of x86-64's: fesetround, fesetenv and feenableexcept set both, and to read the other one costs a fifth of a wait.
 * Where that alone is changed (_mm_setcsr), it is noticed and undone at the end of the turn. So is what a handler changes
 * and leaves.
 *
 * What stays the thread's: errno, thread-local variables, the locale, the signal mask (docs/contract.md).
 */
#ifndef RP__STATE_H
#define RP__STATE_H

#include <stdbool.h>
#include <stdint.h>

struct rp_loop;

struct rp__exceptions { /* __cxa_eh_globals of the Itanium C++ ABI */
    void *handled;
    unsigned in_flight;
};

#if defined(__x86_64__)
struct rp__fpu {
    uint32_t mxcsr; /* without its flags */
    uint16_t x87;
};

enum { RP__MXCSR_CONTROL = 0xffc0 };

static inline struct rp__fpu rp__fpu_read(void)
{
    struct rp__fpu f;
    __asm__ volatile("stmxcsr %0" : "=m"(f.mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(f.x87));
    f.mxcsr &= RP__MXCSR_CONTROL;
    return f;
}

static inline void rp__fpu_write(const struct rp__fpu *f)
{
    uint32_t now;
    __asm__ volatile("stmxcsr %0" : "=m"(now));
    now = (now & ~(uint32_t)RP__MXCSR_CONTROL) | f->mxcsr;
    __asm__ volatile("ldmxcsr %0" : : "m"(now));
    __asm__ volatile("fldcw %0" : : "m"(f->x87));
}

static inline bool rp__fpu_same(const struct rp__fpu *a, const struct rp__fpu *b)
{
    return a->mxcsr == b->mxcsr && a->x87 == b->x87;
}

/* A look, not a proof: see above. */
static inline bool rp__fpu_changed(const struct rp__fpu *f)
{
    uint16_t now;
    __asm__ volatile("fnstcw %0" : "=m"(now));
    return now != f->x87;
}
#elif defined(__aarch64__)
struct rp__fpu {
    uint64_t fpcr;
};

static inline struct rp__fpu rp__fpu_read(void)
{
    struct rp__fpu f;
    __asm__ volatile("mrs %0, fpcr" : "=r"(f.fpcr));
    return f;
}

static inline void rp__fpu_write(const struct rp__fpu *f)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(f->fpcr));
}

static inline bool rp__fpu_same(const struct rp__fpu *a, const struct rp__fpu *b)
{
    return a->fpcr == b->fpcr;
}

static inline bool rp__fpu_changed(const struct rp__fpu *f)
{
    return rp__fpu_read().fpcr != f->fpcr;
}
#else /* there swapcontext keeps what it keeps */
struct rp__fpu {
    char none;
};

static inline struct rp__fpu rp__fpu_read(void)
{
    return (struct rp__fpu){0};
}

static inline void rp__fpu_write(const struct rp__fpu *f)
{
    (void)f;
}

static inline bool rp__fpu_same(const struct rp__fpu *a, const struct rp__fpu *b)
{
    (void)a, (void)b;
    return true;
}

static inline bool rp__fpu_changed(const struct rp__fpu *f)
{
    (void)f;
    return false;
}
#endif

struct rp__usual { /* a loop's: what everybody finds */
    struct rp__exceptions *exceptions; /* its thread's; NULL: there is no C++ in the program */
    struct rp__fpu fpu;
};

struct rp__own { /* what one that waits has taken along */
    struct rp__exceptions exceptions;
    struct rp__fpu fpu;
};

/* On the loop's thread, which may be another each time (a host's): a turn begins. What the thread was at goes to *outside,
 * and comes back with rp__own_give when the turn has ended. */
void rp__state_begin(struct rp__usual *u, struct rp__own *outside);

/* Takes what is the caller's own, and leaves the usual; and back. */
void rp__own_take(const struct rp__usual *u, struct rp__own *ret);
void rp__own_give(const struct rp__usual *u, const struct rp__own *own);

/* Is there anything to be taken along? */
static inline bool rp__has_own(const struct rp__usual *u)
{
    const struct rp__exceptions *e = u->exceptions;
    return __builtin_expect((e && (e->handled || e->in_flight)) || rp__fpu_changed(&u->fpu), 0);
}

#endif
