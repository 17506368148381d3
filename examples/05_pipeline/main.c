/* SPDX-License-Identifier: MIT
 *
 * main.c - starts the processes, or is one of them.
 *
 *   05_pipeline [FILE]                                     all of it, on this machine
 *   05_pipeline sink --listen URL
 *   05_pipeline worker --listen URL --sink URL
 *   05_pipeline producer --sink URL --worker URL ... [FILE]
 *
 * FILE is a Debian Packages index or a dpkg status file; by default this machine's own. The table goes to standard
 * output, how it went to standard error; with --verbose each process adds what became of its messages.
 */
#include "pipeline.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int usage(void)
{
    fprintf(stderr, "usage: 05_pipeline [FILE] [--workers N] [--loops N] [--top N] [--repeat N] [--tcp PORT] [--slow] [--verbose]\n"
                    "       05_pipeline sink --listen URL\n"
                    "       05_pipeline worker --listen URL --sink URL\n"
                    "       05_pipeline producer --sink URL --worker URL [--worker URL ...] [FILE]\n");
    return 2;
}

/* ---- one process --------------------------------------------------------------------------------- */

/* The sink has said what was computed, and how fast. */
static void report(const char *role, int rc, const rp_ledger *l, double seconds, bool verbose)
{
    uint64_t n = l->sent + l->arrived;
    if (rc != 0 && !verbose)
        fprintf(stderr, "%s: %s\n", role, rp_strerror(rc));
    if (!verbose)
        return;
    fprintf(stderr, "%-8s %s: %llu messages in %.2f s (%.0f/s), mailbox at most %llu; sent %llu + arrived %llu = "
                    "handled %llu + left %llu + dead %llu + dropped %llu + late %llu + expired %llu\n",
            role, rc == 0 ? "done" : rp_strerror(rc), (unsigned long long)n, seconds, seconds > 0 ? (double)n / seconds : 0,
            (unsigned long long)l->high_water, (unsigned long long)l->sent, (unsigned long long)l->arrived,
            (unsigned long long)l->handled, (unsigned long long)l->left, (unsigned long long)l->dead,
            (unsigned long long)l->dropped, (unsigned long long)l->late, (unsigned long long)l->expired);
}

static int be(struct options *o, int (*root)(rp_self *, void *))
{
    char node[64];
    rp_ledger ledger = {0};
    struct timespec a, b;
    snprintf(node, sizeof node, "%s-%d", o->role, (int)getpid());
    rp_system_opts so = {.loops = (unsigned)o->loops, .listen = o->listen, .node = node, .types = pipeline_types,
                         .secret = getenv("PIPELINE_SECRET"), .ledger = &ledger};
    clock_gettime(CLOCK_MONOTONIC, &a);
    int rc = rp_run(&(rp_actor){.name = o->role, .run = root}, o, &so);
    clock_gettime(CLOCK_MONOTONIC, &b);
    report(o->role, rc, &ledger, (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9, o->verbose);
    return rc != 0;
}

/* ---- all of them --------------------------------------------------------------------------------- */

struct url {
    char text[108];
};

static struct url url_of(int tcp, const char *dir, const char *who, int i)
{
    struct url u;
    if (tcp)
        snprintf(u.text, sizeof u.text, "tcp://127.0.0.1:%d", tcp + i);
    else
        snprintf(u.text, sizeof u.text, "ipc://%.80s/%s-%d", dir, who, i);
    return u;
}

static pid_t start(const char *self, const char *const *argv)
{
    pid_t pid; /* fork and exec: nng forbids a plain fork */
    int rc = posix_spawn(&pid, self, NULL, NULL, (char *const *)(uintptr_t)argv, environ);
    if (rc != 0)
        fprintf(stderr, "pipeline: cannot start %s: %s\n", argv[1], strerror(rc));
    return rc == 0 ? pid : -1;
}

/* Waits for all; once one has failed the others get a few seconds. The worst exit status. */
static int wait_for(pid_t *pid, int n)
{
    int worst = 0, left = n, patience = -1;
    while (left > 0) {
        int status;
        pid_t who = waitpid(-1, &status, WNOHANG);
        if (who <= 0) {
            struct timespec tick = {0, 20000000};
            nanosleep(&tick, NULL);
            if (patience > 0 && --patience == 0)
                for (int i = 0; i < n; i++)
                    if (pid[i] > 0)
                        kill(pid[i], SIGKILL);
            continue;
        }
        left--;
        for (int i = 0; i < n; i++)
            pid[i] = pid[i] == who ? 0 : pid[i];
        int rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        worst = rc > worst ? rc : worst;
        if (rc != 0 && patience < 0)
            patience = 150; /* three seconds */
    }
    return worst;
}

struct all {
    char self[512], dir[64], loops[16], top[16], repeat[24];
    struct url sink, worker[WORKERS_MAX];
    pid_t pid[WORKERS_MAX + 2];
    int n, failed;
};

static void add(struct all *a, const char *const *argv)
{
    pid_t pid = start(a->self, argv);
    if (pid > 0)
        a->pid[a->n++] = pid;
    a->failed |= pid <= 0;
}

static void start_three(struct all *a, const struct options *o, int workers, int tcp)
{
    a->sink = url_of(tcp, a->dir, "sink", 0);
    const char *sink[] = {a->self, "sink", "--listen", a->sink.text, "--loops", a->loops, "--top", a->top,
                          o->verbose ? "--verbose" : NULL, NULL};
    const char *producer[14 + 2 * WORKERS_MAX] = {a->self, "producer", "--sink", a->sink.text, "--loops", a->loops, "--repeat", a->repeat};
    int args = 8;
    if (o->verbose)
        producer[args++] = "--verbose";
    add(a, sink);
    for (int i = 0; i < workers; i++) {
        a->worker[i] = url_of(tcp, a->dir, "worker", i + 1);
        const char *worker[] = {a->self, "worker", "--listen", a->worker[i].text, "--sink", a->sink.text,
                                "--loops", a->loops, NULL, NULL, NULL};
        int more = 8;
        if (o->slow)
            worker[more++] = "--slow";
        if (o->verbose)
            worker[more] = "--verbose";
        add(a, worker);
        producer[args++] = "--worker";
        producer[args++] = a->worker[i].text;
    }
    producer[args] = o->file;
    add(a, producer);
}

static int start_all(const struct options *o, int workers, int tcp)
{
    static struct all a = {.dir = "/tmp/reparto-pipeline-XXXXXX"};
    ssize_t len = readlink("/proc/self/exe", a.self, sizeof a.self - 1);
    if (len < 0 || !mkdtemp(a.dir)) {
        fprintf(stderr, "pipeline: %s\n", strerror(errno));
        return 1;
    }
    snprintf(a.loops, sizeof a.loops, "%d", o->loops);
    snprintf(a.top, sizeof a.top, "%d", o->top);
    snprintf(a.repeat, sizeof a.repeat, "%lld", (long long)o->repeat);
    start_three(&a, o, workers, tcp);
    for (int i = 0; i < a.n && a.failed; i++)
        kill(a.pid[i], SIGKILL);
    int worst = wait_for(a.pid, a.n);
    for (int i = 0; i <= workers; i++) { /* what a killed process left behind */
        const char *url = i == 0 ? a.sink.text : a.worker[i - 1].text;
        if (strncmp(url, "ipc://", 6) == 0)
            unlink(url + 6);
    }
    rmdir(a.dir);
    return worst;
}

/* ---- the command line ---------------------------------------------------------------------------- */

struct number {
    const char *name;
    int *to;
};

/* Reads argv[*i], and the next where it wants one. False: not understood. */
static bool option(struct options *o, const struct number *numbers, int argc, char **argv, int *i)
{
    const char *a = argv[*i], *next = *i + 1 < argc ? argv[*i + 1] : NULL;
    if (*i == 1 && (!strcmp(a, "sink") || !strcmp(a, "worker") || !strcmp(a, "producer")))
        return (o->role = a) != NULL;
    if (!strcmp(a, "--slow"))
        return o->slow = true;
    if (!strcmp(a, "--verbose"))
        return o->verbose = true;
    if (a[0] != '-')
        return (o->file = a) != NULL;
    if (!next)
        return false;
    ++*i;
    if (!strcmp(a, "--listen"))
        return (o->listen = next) != NULL;
    if (!strcmp(a, "--sink"))
        return (o->sink = next) != NULL;
    if (!strcmp(a, "--worker") && o->nworkers < WORKERS_MAX)
        return (o->workers[o->nworkers++] = next) != NULL;
    if (!strcmp(a, "--repeat"))
        return (o->repeat = atoll(next)) > 0;
    for (; numbers->name; numbers++)
        if (!strcmp(a, numbers->name))
            return (*numbers->to = atoi(next)) > 0;
    return false;
}

int main(int argc, char **argv)
{
    struct options o = {.loops = 2, .top = 10, .repeat = 1};
    int workers = 1, tcp = 0;
    const struct number numbers[] = {{"--workers", &workers}, {"--loops", &o.loops}, {"--top", &o.top}, {"--tcp", &tcp}, {0}};
    for (int i = 1; i < argc; i++)
        if (!option(&o, numbers, argc, argv, &i))
            return usage();
    if (workers > WORKERS_MAX)
        return usage();
    o.file = o.file ? o.file : "/var/lib/dpkg/status";
    if (!o.role)
        return start_all(&o, workers, tcp);
    if (!strcmp(o.role, "sink"))
        return o.listen ? be(&o, sink_root) : usage();
    if (!strcmp(o.role, "worker"))
        return o.listen && o.sink ? be(&o, worker_root) : usage();
    return o.sink && o.nworkers ? be(&o, producer_root) : usage();
}
