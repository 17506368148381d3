/* SPDX-License-Identifier: MIT
 *
 * depends.c - the Depends field of a Debian control stanza:
 *     Depends: libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0, python3:any
 * A line that begins with a space goes on with the field before it.
 */
#include "pipeline.h"

#include <string.h>
#include <strings.h>

static bool in_name(char c)
{
    return c && !strchr(" \t\n,|(:[<", c);
}

/* The names in a field's value: each stands at the beginning, or behind a comma or a bar. */
static size_t names_in(const char *p, const char *end, void (*each)(void *, const char *, size_t), void *ud)
{
    size_t found = 0;
    while (p < end) {
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\n'))
            p++;
        const char *name = p;
        while (p < end && in_name(*p))
            p++;
        if (p > name) {
            each(ud, name, (size_t)(p - name));
            found++;
        }
        while (p < end && *p != ',' && *p != '|')
            p++;
        p += p < end;
    }
    return found;
}

size_t each_dependency(const char *stanza, size_t size, void (*each)(void *ud, const char *name, size_t n), void *ud)
{
    static const char field[] = "Depends:";
    const char *end = stanza + size;
    for (const char *line = stanza; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        while (stop && stop + 1 < end && (stop[1] == ' ' || stop[1] == '\t')) /* goes on */
            stop = memchr(stop + 1, '\n', (size_t)(end - stop - 1));
        stop = stop ? stop : end;
        if ((size_t)(stop - line) >= sizeof field - 1 && strncasecmp(line, field, sizeof field - 1) == 0)
            return names_in(line + sizeof field - 1, stop, each, ud);
        line = stop + 1;
    }
    return 0;
}
