/* SPDX-License-Identifier: MIT
 *
 * link WHAT URL - between two processes. WHAT: rtt (p50 of one call at a time), calls64 (64 at a time),
 * oneway. Messages have 64 bytes. The other process is this program again.
 */
#include "bench.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct blob {
    uint64_t n;
    unsigned char rest[56];
};
static const rp_field blob_fields[] = {RP_FIELD(struct blob, n, RP_U64), RP_FIELD(struct blob, rest, RP_RAW)};
static const rp_type blob_type = RP_TYPE("bench.blob", struct blob, blob_fields);
static const rp_type *const types[] = {&blob_type, NULL};

/* ---- the far side -------------------------------------------------------------------------------- */

struct far {
    uint64_t count;
    double from;
};

/* Calls are echoed; the last one-way message (n == 0) is answered with the rate, in thousands a second. The others
 * come as 1, 2, 3, ... */
static int far_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct far *f = state;
    const struct blob *b = rp_body(m, &blob_type);
    if (rp_wants_reply(m) && b->n != 0)
        return rp_reply(me, m, &blob_type, b);
    if (f->count++ == 0)
        f->from = seconds();
    if (b->n != 0)
        return b->n == f->count ? 0 : check_that(false, "a message was lost, or came twice");
    struct blob r = {(uint64_t)((double)f->count / (seconds() - f->from) / 1e3), {0}};
    return rp_reply(me, m, &blob_type, &r);
}
static const rp_actor far_actor = {.name = "far", .handle = far_handle, .state_size = sizeof(struct far)};

static int far_root(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_spawn(me, &far_actor, &(rp_spawn_opts){.name = "far"}, NULL);
    return rc != 0 ? rc : rp_sleep(me, RP_FOREVER);
}

/* ---- the near side ------------------------------------------------------------------------------- */

struct question {
    const char *what, *url;
    rp_ref far;
    uint64_t n, left;
    char name[64];
};

static int one_call(rp_self *me, struct question *q, uint64_t n, uint64_t *ret)
{
    rp_msg *m;
    int rc = rp_call(me, q->far, &blob_type, &(struct blob){n, {0}}, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    uint64_t got = ((const struct blob *)rp_body(m, &blob_type))->n;
    rp_msg_drop(me, m);
    if (ret)
        *ret = got;
    return n != 0 ? check_that(got == n, "an answer to another question") : 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int rtt(rp_self *me, struct question *q)
{
    uint64_t n = scaled(30000);
    double *t = calloc(n, sizeof *t);
    int rc = t ? 0 : -ENOMEM;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        double from = seconds();
        rc = one_call(me, q, i + 1, NULL);
        t[i] = seconds() - from;
    }
    if (rc == 0) {
        qsort(t, n, sizeof *t, by_size);
        say(q->name, t[n / 2] * 1e6, "us");
    }
    free(t);
    return rc;
}

static int caller(rp_self *me, void *arg)
{
    struct question *q = arg;
    int rc = 0;
    while (rc == 0 && q->left > 0) {
        uint64_t n = q->left--;
        rc = one_call(me, q, n, NULL);
    }
    return rc;
}

static int calls64(rp_self *me, struct question *q)
{
    q->n = q->left = scaled(1000000);
    rp_scope s;
    double from = seconds();
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = 0;
    for (int i = 0; i < 64 && rc == 0; i++)
        rc = rp_go(me, &s, caller, q, NULL);
    rc = rp_scope_close(me, &s, rc);
    if (rc == 0)
        say(q->name, (double)q->n / (seconds() - from), "calls/s");
    return rc;
}

static int oneway(rp_self *me, struct question *q)
{
    uint64_t n = scaled(8000000), rate = 0;
    int rc = 0;
    for (uint64_t i = 1; i < n && rc == 0; i++)
        rc = rp_tell(me, q->far, &blob_type, &(struct blob){i, {0}});
    if (rc == 0)
        rc = one_call(me, q, 0, &rate);
    if (rc == 0)
        say(q->name, (double)rate * 1e3, "msg/s");
    return rc;
}

static int near_root(rp_self *me, void *arg)
{
    struct question *q = arg;
    rp_node node;
    int rc = rp_connect(me, q->url, &node, rp_in_ms(me, 5000));
    if (rc == 0)
        rc = rp_lookup(me, node, "far", &q->far, rp_in_ms(me, 5000));
    if (rc != 0)
        return rc;
    return strcmp(q->what, "rtt") == 0 ? rtt(me, q) : strcmp(q->what, "oneway") == 0 ? oneway(me, q) : calls64(me, q);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    rp_system_opts o = {.loops = 1, .types = types};
    if (strcmp(argv[1], "far") == 0) {
        o.listen = argv[2];
        bench_run(far_root, NULL, &o);
        return 0;
    }
    pid_t far;
    char *as_far[] = {argv[0], (char *)(uintptr_t) "far", argv[2], NULL};
    if (posix_spawn(&far, "/proc/self/exe", NULL, NULL, as_far, environ) != 0)
        return 1;
    struct question q = {.what = argv[1], .url = argv[2]};
    const char *kind = strstr(argv[2], "tcp") ? "tcp" : "ipc";
    snprintf(q.name, sizeof q.name, "link_%s_%s%s", argv[1], kind, strncmp(argv[2], "uv+", 3) == 0 ? "_uv" : "");
    bench_run(near_root, &q, &o);
    kill(far, SIGKILL);
    waitpid(far, NULL, 0);
    const char *path = strstr(argv[2], "ipc://");
    if (path)
        unlink(path + 6);
    return 0;
}
