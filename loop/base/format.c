/* SPDX-License-Identifier: MIT */
#include "loop/base/format.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t plain(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0); /* a constant of the C library: nothing to free */
}

int rp__vformat(char *to, size_t size, const char *format, va_list ap)
{
    locale_t before = uselocale(plain());
    int n = vsnprintf(to, size, format, ap);
    uselocale(before);
    return n;
}

int rp__format(char *to, size_t size, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = rp__vformat(to, size, format, ap);
    va_end(ap);
    return n;
}

double rp__to_double(const char *from, char **end)
{
    return strtod_l(from, end, plain());
}

float rp__to_float(const char *from, char **end)
{
    return strtof_l(from, end, plain());
}
