/* SPDX-License-Identifier: MIT */
#include "loop/process/inherit.h"

#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

enum { MOST = 1 << 20, WORDS = MOST / 64 }; /* descriptors: more than the kernel gives by default. Pages that nobody
                                               has touched cost nothing */

/* relaxed: each bit is written by who owns the descriptor, and that passes from one thread to another through the
 * kernel. `top` only grows. */
static _Atomic uint64_t ours[WORDS];
static _Atomic int top;

void rp__inherit_not(int fd)
{
    if (fd < 0 || fd >= MOST)
        return;
    atomic_fetch_or_explicit(&ours[fd / 64], UINT64_C(1) << fd % 64, memory_order_relaxed);
    int was = atomic_load_explicit(&top, memory_order_relaxed);
    while (was <= fd && !atomic_compare_exchange_weak_explicit(&top, &was, fd + 1, memory_order_relaxed,
                                                               memory_order_relaxed))
        ; /* bounded by those who open at the same time */
}

bool rp__inherit_forget(int fd)
{
    if (fd < 0 || fd >= MOST)
        return fd >= 0;
    uint64_t bit = UINT64_C(1) << fd % 64;
    return atomic_fetch_and_explicit(&ours[fd / 64], ~bit, memory_order_relaxed) & bit;
}

void rp__inherit_none(void)
{
    for (int fd = 0, end = atomic_load_explicit(&top, memory_order_relaxed); fd < end; fd++)
        if (atomic_load_explicit(&ours[fd / 64], memory_order_relaxed) && rp__inherit_forget(fd))
            close(fd);
}
