/* SPDX-License-Identifier: MIT
 *
 * switch.h - one stack to another in seven instructions.
 *
 * A context is {sp, ip, bp}. The asm saves those three and tells the compiler that every other
 * register is lost, so the compiler spills just what is alive: usually nothing. It leaves by an
 * indirect jump, not `ret`, because the return predictor cannot know the other stack (Photon's CACS
 * found the same; ../shared measurements: 2 to 3 ns against 13 for the classic way).
 *
 * Rules that keep it right:
 *   - a function that contains rp__cx_switch is RP__NOIPA, or gcc carries statics in registers over it;
 *   - nothing is pushed, so the red zone is safe; the frame pointer is saved by hand, because naming
 *     it as clobbered breaks unwinding;
 *   - no CFI directives in here: at the jump every callee-saved register is dead or spilled, so a
 *     debugger given {sp, ip, bp} unwinds a parked stack with the compiler's own tables;
 *   - a started stack never changes thread (compilers cache thread-local addresses over the switch).
 */
#ifndef RP__SWITCH_H
#define RP__SWITCH_H

#include <stdint.h>

#if defined(__clang__)
#define RP__NOIPA __attribute__((noinline)) /* it looks into no function that it does not inline */
#else
#define RP__NOIPA __attribute__((noipa))
#endif

#if !defined(RP_UCONTEXT) && (defined(__x86_64__) || defined(__aarch64__))

struct rp__cx {
    void *sp, *ip, *bp;
};

void rp__cx_start(void); /* start.S: the first frame of every stack; unwinders stop at it */

/* Prepares `cx` so that the first switch to it calls entry(arg) on the stack that ends at `top`. */
static inline void rp__cx_make(struct rp__cx *cx, void *top, void (*entry)(void *), void *arg)
{
    void **sp = (void **)((uintptr_t)top & ~(uintptr_t)15) - 2;
    sp[0] = arg;
    sp[1] = (void *)entry;
    cx->sp = sp;
    cx->ip = (void *)rp__cx_start;
    cx->bp = 0;
}

static inline const char *rp__cx_sp(const struct rp__cx *cx) /* where a parked stack ends */
{
    return cx->sp;
}

#if defined(__x86_64__)

__attribute__((always_inline)) static inline void rp__cx_switch(struct rp__cx *from,
                                                                const struct rp__cx *to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%%rdi)\n\t"
                     "movq %%rax, 8(%%rdi)\n\t"
                     "movq %%rbp, 16(%%rdi)\n\t"
                     "movq 0(%%rsi), %%rsp\n\t"
                     "movq 16(%%rsi), %%rbp\n\t"
                     "jmp *8(%%rsi)\n\t"
                     ".p2align 4\n"
                     "1:\tendbr64\n"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "st", "st(1)",
                       "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",
#if defined(__AVX512F__)
                       "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                       "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31",
                       "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7",
#endif
                       "cc", "memory");
}

#else /* aarch64; x29 is saved by hand. x18 belongs to the platform on some, but gcc on Linux uses it */

__attribute__((always_inline)) static inline void rp__cx_switch(struct rp__cx *from,
                                                                const struct rp__cx *to)
{
    register struct rp__cx *f __asm__("x0") = from;
    register const struct rp__cx *t __asm__("x1") = to;
    __asm__ volatile("mov x2, sp\n\t"
                     "adr x3, 1f\n\t"
                     "stp x2, x3, [x0]\n\t"
                     "str x29, [x0, #16]\n\t"
                     "ldp x2, x16, [x1]\n\t"
                     "ldr x29, [x1, #16]\n\t"
                     "mov sp, x2\n\t"
                     "br x16\n"
                     "1:\thint #36\n" /* bti j */
                     : "+r"(f), "+r"(t)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25",
                       "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
                       "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31", "cc", "memory");
}

#endif

#else /* any other machine: correct, and a hundred times slower */

#define RP__UCONTEXT 1
#include <ucontext.h>

struct rp__cx {
    ucontext_t uc;
    char *top;
    void (*entry)(void *);
    void *arg;
};

void rp__cx_make(struct rp__cx *cx, void *top, void (*entry)(void *), void *arg);

static inline const char *rp__cx_sp(const struct rp__cx *cx) /* it is not known */
{
    (void)cx;
    return 0;
}

static inline void rp__cx_switch(struct rp__cx *from, struct rp__cx *to)
{
    swapcontext(&from->uc, &to->uc);
}

#endif
#endif
