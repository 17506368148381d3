/* SPDX-License-Identifier: MIT
 *
 *     stress mesh|races|cancel|kills|links|rings|tokens|kin|move|ends
 */
#include "tests/stress/stress.h"

#include <dirent.h>
#include <stdarg.h>
#include <unistd.h>

enum { LIMIT_S = 600 };

void test_failed(const char *file, int line, const char *cond, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "    %s:%d: %s\n    ", file, line, cond);
    vfprintf(stderr, format, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    printf("0 passed, 1 failed\n");
    fflush(stdout);
    _exit(1);
}

unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

unsigned long rss_kb(void)
{
#if defined(__SANITIZE_THREAD__)
    return 0; /* most of it is TSan's, which forgets nothing */
#endif
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    check(f && fscanf(f, "%*u %lu", &pages) == 1);
    fclose(f);
    return pages * 4;
}

uint64_t test_seed(void)
{
    return size_from("RP_SEED", 1);
}

/* nng is not instrumented: what it orders by its own reference counts looks like races in it. And libuv closes by a raw
 * system call, which TSan does not see: a descriptor's number that is used again looks like a race of the two loops that made it. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:nni_\nrace:nng_\nrace:^rp__loop_open$\n";
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned (*run)(void);
    } parts[] = {{"mesh", stress_mesh}, {"races", stress_races}, {"cancel", stress_cancel}, {"kills", stress_kills}, {"links", stress_links},
      {"rings", stress_rings}, {"tokens", stress_tokens}, {"kin", stress_kin}, {"move", stress_move}, {"ends", stress_ends}};
    for (unsigned i = 0; argc == 2 && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(argv[1], parts[i].name) == 0) {
            alarm((unsigned)size_from("RP_LIMIT", LIMIT_S));
            setvbuf(stdout, 0, _IOLBF, 0);
            unsigned passed = parts[i].run();
            printf("%u passed, 0 failed\n", passed);
            return 0;
        }
    fprintf(stderr, "stress mesh|races|cancel|kills|links|rings|tokens|kin|move|ends\n");
    return 2;
}
