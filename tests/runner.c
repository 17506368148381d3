/* SPDX-License-Identifier: MIT
 *
 * runner.c - our own small runner: each test in a process of its own, with a time limit.
 *
 *     runner [--list] [--here] [SUITE[/NAME]]...    --here: in this process, for gdb and valgrind
 *
 * What takes a second or more is printed with its seconds, and those of a processor among them.
 */
#include "tests/test.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void test_failed(const char *file, int line, const char *cond, const char *format, ...)
{
    fprintf(stderr, "    %s:%d: %s\n    ", file, line, cond);
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    _exit(1);
}

/* nng is not instrumented: what it orders by its own reference counts looks like races in it. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:nni_\nrace:nng_\n";
}

uint64_t test_seed(void)
{
    static uint64_t seed;
    const char *given = getenv("RP_SEED");
    if (!seed)
        seed = given ? strtoull(given, 0, 0) : (uint64_t)time(0) * 1000003u + (uint64_t)getpid();
    fprintf(stderr, "    seed: RP_SEED=%" PRIu64 "\n", seed);
    return seed;
}

#if !defined(RP_CRITERION)

enum { LIMIT_S = 120 };

static struct test_case *tests;

void test_add(struct test_case *t)
{
    struct test_case **at = &tests;
    while (*at && (strcmp((*at)->suite, t->suite) < 0 ||
                   (strcmp((*at)->suite, t->suite) == 0 && strcmp((*at)->name, t->name) < 0)))
        at = &(*at)->next;
    t->next = *at;
    *at = t;
}

static bool wanted(const struct test_case *t, int n, char **patterns)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s", t->suite, t->name);
    int asked = 0;
    for (int i = 0; i < n; i++) {
        if (patterns[i][0] == '-')
            continue;
        asked++;
        if (strstr(full, patterns[i]))
            return true;
    }
    return asked == 0;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double in_s(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static bool passes(const struct test_case *t, bool here)
{
    double begun = now_s();
    fflush(stdout);
    if (here) {
        t->fn();
        return true;
    }
    pid_t pid = fork();
    if (pid == 0) {
        alarm(LIMIT_S);
        t->fn();
        exit(0); /* not _exit: sanitizers report at exit */
    }
    int status = 0;
    struct rusage used;
    wait4(pid, &status, 0, &used);
    if (now_s() - begun >= 1)
        printf("    %.1f s, %.1f s of CPU\n", now_s() - begun, in_s(used.ru_utime) + in_s(used.ru_stime));
    if (WIFSIGNALED(status) && WTERMSIG(status) != t->signo)
        fprintf(stderr, "    killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (t->signo)
        return WIFSIGNALED(status) && WTERMSIG(status) == t->signo;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    bool here = false, list = false;
    for (int i = 1; i < argc; i++) {
        here |= strcmp(argv[i], "--here") == 0;
        list |= strcmp(argv[i], "--list") == 0;
    }
    unsigned passed = 0, failed = 0;
    for (struct test_case *t = tests; t; t = t->next) {
        if (!wanted(t, argc - 1, argv + 1))
            continue;
        printf("%s/%s\n", t->suite, t->name);
        if (list)
            continue;
        bool ok = passes(t, here);
        passed += ok;
        failed += !ok;
        if (!ok)
            printf("FAILED %s/%s\n", t->suite, t->name);
    }
    if (!list)
        printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}

#endif
