/* SPDX-License-Identifier: MIT
 *
 * bench.h - what the benchmarks share: a clock, a message, a line of output.
 *
 * Each program answers one question, in a fresh process, and prints `name value unit`. bench/run takes the
 * median of several. Times are wall clock around the work itself; results are checked, so that the work
 * cannot have been left out.
 */
#ifndef RP_BENCH_H
#define RP_BENCH_H

#include <reparto/reparto.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((cold, noinline, unused)) static int wrong(const char *what)
{
    fprintf(stderr, "bench: wrong answer: %s\n", what);
    return -EBADMSG;
}

/* 0; or -EBADMSG, and a line on stderr. */
static inline int check_that(bool right, const char *what)
{
    return right ? 0 : wrong(what);
}

static inline double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void say(const char *name, double value, const char *unit)
{
    printf("%s %.6g %s\n", name, value, unit);
    fflush(stdout);
}

static inline double rss_bytes(void)
{
    long pages = 0, skip;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &skip, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * 4096;
}

struct num {
    uint64_t n;
};
static const rp_field num_fields[] = {RP_FIELD(struct num, n, RP_U64)};
static const rp_type num_type = RP_TYPE("bench.num", struct num, num_fields);

struct link_to { /* whom to send to */
    rp_ref ref;
    uint64_t n;
};
static const rp_field link_to_fields[] = {RP_FIELD(struct link_to, ref, RP_REF), RP_FIELD(struct link_to, n, RP_U64)};
static const rp_type link_to_type = RP_TYPE("bench.link_to", struct link_to, link_to_fields);

/* Runs root; dies with a message when that fails. */
static inline void bench_run(int (*root)(rp_self *, void *), void *arg, const rp_system_opts *o)
{
    rp_actor a = {.name = "bench", .run = root};
    int rc = rp_run(&a, arg, o);
    if (rc != 0) {
        fprintf(stderr, "bench: %s\n", rp_strerror(rc));
        exit(1);
    }
}

/* Waits until n monitored actors have ended, each without an error. */
static inline int await_downs(rp_self *me, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        const struct rp_down *d = rp_body(m, RP_DOWN);
        rc = d ? d->reason : -EBADMSG;
        rp_msg_drop(me, m);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static inline uint64_t scaled(uint64_t n) /* RP_BENCH_SCALE=0.01 for a quick look, or for callgrind */
{
    const char *s = getenv("RP_BENCH_SCALE");
    double f = s ? atof(s) : 1;
    return (uint64_t)((double)n * f) + 1;
}

#endif
