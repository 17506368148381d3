/* SPDX-License-Identifier: MIT */
#include "loop/switch/state.h"

/* The C++ runtime's, where the program has one: libstdc++ or libc++abi, linked or loaded before this. */
struct rp__exceptions *__cxa_get_globals(void) __attribute__((weak));

static struct rp__exceptions take_exceptions(const struct rp__usual *u)
{
    struct rp__exceptions had = {0};
    if (u->exceptions) {
        had = *u->exceptions;
        *u->exceptions = (struct rp__exceptions){0};
    }
    return had;
}

static void set_fpu(const struct rp__fpu *to)
{
    struct rp__fpu now = rp__fpu_read();
    if (!rp__fpu_same(&now, to))
        rp__fpu_write(to);
}

void rp__state_begin(struct rp__usual *u, struct rp__own *outside)
{
    u->exceptions = __cxa_get_globals ? __cxa_get_globals() : 0;
    u->fpu = rp__fpu_read();
    outside->fpu = u->fpu;
    outside->exceptions = take_exceptions(u);
}

void rp__own_take(const struct rp__usual *u, struct rp__own *ret)
{
    ret->fpu = rp__fpu_read();
    ret->exceptions = take_exceptions(u);
    set_fpu(&u->fpu);
}

void rp__own_give(const struct rp__usual *u, const struct rp__own *own)
{
    set_fpu(&own->fpu);
    if (u->exceptions)
        *u->exceptions = own->exceptions;
}
