/* SPDX-License-Identifier: MIT
 *
 * start.S - the first frame of every stack.
 *
 * rp__cx_make leaves {arg, entry} at the top of a fresh stack; the first switch jumps here. The
 * return address is declared undefined, which is how a debugger, `backtrace()` and the sanitizers
 * learn that the stack ends.
 *
 * A file of its own, and not assembly within a C file: with link-time optimization that would hide the symbol from the
 * archive's table, and a static program would lack it.
 */
#if !defined(RP_UCONTEXT)

#if defined(__CET__)
#include <cet.h> /* marks this file as one with branch targets, too */
#endif

    .text
#if defined(__x86_64__)
    .p2align 4
    .globl rp__cx_start
    .hidden rp__cx_start
    .type rp__cx_start, @function
rp__cx_start:
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    movq 0(%rsp), %rdi
    movq 8(%rsp), %rax
    xorl %ebp, %ebp
    call *%rax
    ud2
    .cfi_endproc
    .size rp__cx_start, .-rp__cx_start
#elif defined(__aarch64__)
    .p2align 4
    .globl rp__cx_start
    .hidden rp__cx_start
    .type rp__cx_start, %function
rp__cx_start:
    .cfi_startproc
    .cfi_undefined x30
    hint #36 /* bti j */
    ldp x0, x1, [sp]
    mov x29, xzr
    mov x30, xzr
    blr x1
    brk #1
    .cfi_endproc
    .size rp__cx_start, .-rp__cx_start

#if defined(__ARM_FEATURE_BTI_DEFAULT)
    .pushsection .note.gnu.property, "a" /* branch targets are marked in this file */
    .p2align 3
    .word 4
    .word 16
    .word 5
    .asciz "GNU"
    .word 0xc0000000
    .word 4
    .word 1
    .word 0
    .popsection
#endif
#endif

#endif

    .section .note.GNU-stack, "", %progbits
