/* SPDX-License-Identifier: MIT
 *
 * format.h - printf whose numbers are always written as C writes them.
 *
 * A host may have called setlocale (GTK and Qt do), and in many locales a decimal point is a comma. What programs read
 * (metrics, printed bodies, traces) follows no locale. Both switch this thread's locale for the call alone, which glibc
 * and musl do without memory.
 */
#ifndef RP__FORMAT_H
#define RP__FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* As vsnprintf and snprintf, in the C locale. */
int rp__vformat(char *to, size_t size, const char *format, va_list ap) __attribute__((format(printf, 3, 0)));
int rp__format(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As strtod and strtof, in the C locale. */
double rp__to_double(const char *from, char **end);
float  rp__to_float(const char *from, char **end);

#endif
