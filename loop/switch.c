/* SPDX-License-Identifier: MIT
 *
 * switch.c - the first frame of every stack.
 *
 * rp__cx_make leaves {arg, entry} at the top of a fresh stack; the first switch jumps here. The
 * return address is declared undefined, which is how a debugger, `backtrace()` and the sanitizers
 * learn that the stack ends.
 */
#include "loop/switch.h"

#if !defined(RP__UCONTEXT)
#if defined(__x86_64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl rp__cx_start\n"
        ".hidden rp__cx_start\n"
        ".type rp__cx_start, @function\n"
        "rp__cx_start:\n"
        "\t.cfi_startproc\n"
        "\t.cfi_undefined rip\n"
        "\tendbr64\n"
        "\tmovq 0(%rsp), %rdi\n"
        "\tmovq 8(%rsp), %rax\n"
        "\txorl %ebp, %ebp\n"
        "\tcall *%rax\n"
        "\tud2\n"
        "\t.cfi_endproc\n"
        ".size rp__cx_start, .-rp__cx_start\n");
#else
__asm__(".text\n"
        ".p2align 4\n"
        ".globl rp__cx_start\n"
        ".hidden rp__cx_start\n"
        ".type rp__cx_start, %function\n"
        "rp__cx_start:\n"
        "\t.cfi_startproc\n"
        "\t.cfi_undefined x30\n"
        "\thint #36\n" /* bti j */
        "\tldp x0, x1, [sp]\n"
        "\tmov x29, xzr\n"
        "\tmov x30, xzr\n"
        "\tblr x1\n"
        "\tbrk #1\n"
        "\t.cfi_endproc\n"
        ".size rp__cx_start, .-rp__cx_start\n");
#endif

#else

/* makecontext passes ints only: the pointer travels in two halves. */
static void start(unsigned hi, unsigned lo)
{
    struct rp__cx *cx = (struct rp__cx *)(((uintptr_t)hi << 16 << 16) | lo);
    cx->entry(cx->arg);
}

void rp__cx_make(struct rp__cx *cx, void *top, void (*entry)(void *), void *arg)
{
    getcontext(&cx->uc);
    cx->entry = entry;
    cx->arg = arg;
    /* makecontext wants the low end; the switch itself never looks at it, so any size will do */
    enum { ROOM = 8192 };
    cx->uc.uc_stack.ss_sp = (char *)top - ROOM;
    cx->uc.uc_stack.ss_size = ROOM;
    cx->uc.uc_link = 0;
    makecontext(&cx->uc, (void (*)(void))start, 2, (unsigned)((uintptr_t)cx >> 16 >> 16),
                (unsigned)(uintptr_t)cx);
}

#endif
