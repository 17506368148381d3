/* SPDX-License-Identifier: MIT */
#include "loop/trace.h"

#include "loop/base/format.h"
#include "loop/base/os.h"
#include "loop/process/socket.h"
#include "loop/system.h"

#include <errno.h>
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

uint32_t rp__trace_categories(const char *list, void (*unknown)(const char *name, size_t n, void *ud), void *ud)
{
    uint32_t mask = 0;
    for (const char *at = list; *at; at += *at == ',') {
        size_t n = strcspn(at, ",");
        uint32_t one = category_of(at, n);
        if (!one && n > 0)
            unknown(at, n, ud);
        mask |= one;
        at += n;
    }
    return mask;
}

static void ignored(const char *name, size_t n, void *ud)
{
    (void)ud;
    complain("RP_TRACE knows nothing of", name, n);
}

void rp__trace_open(rp_system *sys)
{
    const char *list = rp__os_env("RP_TRACE"), *path = rp__os_env("RP_TRACE_FILE");
    sys->trace = list ? rp__trace_categories(list, ignored, 0) : 0;
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

void rp__trace_set(struct rp_loop *l, struct rp__tracer *t)
{
    l->tracer = t;
    l->trace = l->sys->trace | (t ? t->categories : 0);
    l->slow = (l->slow & ~(uint32_t)RP__SLOW_TRACE) | (l->trace & RP__T_SEND ? RP__SLOW_TRACE : 0);
}

static size_t compose(char *line, const struct rp_loop *l, unsigned category, const char *format, va_list ap)
{
    rp_time t = l->world->now(l) - l->sys->began;
    size_t n = (size_t)snprintf(line, LINE, "%5lld.%09lld %u %-9s ", (long long)(t / RP_S), (long long)(t % RP_S),
                                l->index, names[__builtin_ctz(category)]);
    int k = rp__vformat(line + n, LINE - n, format, ap);
    n += k > 0 ? (size_t)k : 0;
    n = n < LINE - 1 ? n : LINE - 1;
    line[n++] = '\n';
    return n;
}

/* Nobody waits for him. */
static void show(struct rp__tracer *t, const char *line, size_t n)
{
    ssize_t done = rp__socket_write(t->fd, line, n);
    if (done < 0 && done != -EAGAIN)
        atomic_store_explicit(&t->gone, true, memory_order_relaxed);
    else if (done != (ssize_t)n)
        atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
}

void rp__trace(const struct rp_loop *l, unsigned category, const char *format, ...)
{
    char line[LINE];
    va_list ap;
    va_start(ap, format);
    size_t n = compose(line, l, category, format, ap);
    va_end(ap);
    if (l->sys->trace & category)
        (void)!rp__os_write(l->sys->trace_fd, line, n); /* where it cannot be said, nothing is */
    if (l->tracer && l->tracer->categories & category)
        show(l->tracer, line, n);
}

__attribute__((format(printf, 4, 5))) static size_t compose_outside(char *line, const struct rp_loop *l, unsigned category,
                                                                    const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    size_t n = compose(line, l, category, format, ap);
    va_end(ap);
    return n;
}

bool rp__traced_outside(const struct rp_loop *l, unsigned category, const char *what)
{
    char line[LINE];
    if (!(l->sys->trace & category))
        return false;
    size_t n = compose_outside(line, l, category, "%s", what);
    (void)!rp__os_write(l->sys->trace_fd, line, n);
    return true;
}
