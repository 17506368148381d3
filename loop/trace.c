/* SPDX-License-Identifier: MIT */
#include "loop/trace.h"

#include "loop/os.h"
#include "loop/system.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 512, STDERR = 2 };

static const char *const names[] = { /* by the bit's number */
    "spawn", "end", "send", "recv", "supervise", "link", "timer", "stall", "dead", "hook",
};
enum { NAMES = sizeof names / sizeof *names };

static uint32_t category_of(const char *name, size_t n)
{
    if (n == 3 && memcmp(name, "all", 3) == 0)
        return (1u << NAMES) - 1;
    for (unsigned i = 0; i < NAMES; i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            return 1u << i;
    return 0;
}

static void complain(const char *what, const char *name, size_t n)
{
    char line[200];
    int k = snprintf(line, sizeof line, "reparto: %s: %.*s\n", what, (int)(n < 100 ? n : 100), name);
    (void)!rp__os_write(STDERR, line, (size_t)k);
}

static uint32_t parse(const char *list)
{
    uint32_t mask = 0;
    for (const char *at = list; *at; at += *at == ',') {
        size_t n = strcspn(at, ",");
        uint32_t one = category_of(at, n);
        if (!one && n > 0)
            complain("RP_TRACE knows nothing of", at, n);
        mask |= one;
        at += n;
    }
    return mask;
}

void rp__trace_open(rp_system *sys)
{
    const char *list = rp__os_env("RP_TRACE"), *path = rp__os_env("RP_TRACE_FILE");
    sys->trace = list ? parse(list) : 0;
    sys->trace_fd = STDERR;
    if (!sys->trace || !path)
        return;
    sys->trace_fd = rp__os_append_to(path);
    if (sys->trace_fd < 0) {
        complain("cannot write to", path, strlen(path));
        sys->trace = 0;
    }
}

void rp__trace_close(rp_system *sys)
{
    if (sys->trace && sys->trace_fd != STDERR)
        rp__os_flag_close(sys->trace_fd);
}

void rp__trace(const struct rp_loop *l, unsigned category, const char *format, ...)
{
    char line[LINE];
    rp_time t = l->world->now(l) - l->sys->began;
    size_t n = (size_t)snprintf(line, sizeof line, "%5lld.%09lld %u %-9s ", (long long)(t / RP_S), (long long)(t % RP_S),
                                l->index, names[__builtin_ctz(category)]);
    va_list ap;
    va_start(ap, format);
    int k = vsnprintf(line + n, sizeof line - n, format, ap);
    va_end(ap);
    n += k > 0 ? (size_t)k : 0;
    n = n < sizeof line - 1 ? n : sizeof line - 1;
    line[n++] = '\n';
    (void)!rp__os_write(l->sys->trace_fd, line, n); /* where it cannot be said, nothing is */
}
