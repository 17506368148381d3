/* SPDX-License-Identifier: MIT
 *
 * inspect [ACTORS] - lists that many parked coroutines on two loops, with rp_inspect and through the socket:
 * how long it takes, and for how long a loop was held meanwhile.
 *
 * On each loop an actor yields all the time and measures its thread's CPU time from one turn to the next:
 * the longest is what a loop's other actors wait at most, whatever else runs on the machine.
 */
#include "bench.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char path[64];
static _Atomic bool stop;

struct ticker {
    double longest;
    uint64_t turns;
};
static struct ticker tickers[2];

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int tick(rp_self *me, void *arg)
{
    struct ticker *t = arg;
    double before = thread_seconds();
    *t = (struct ticker){0, 0};
    while (!stop) {
        int rc = rp_yield(me);
        if (rc != 0)
            return rc;
        double now = thread_seconds();
        t->longest = now - before > t->longest ? now - before : t->longest;
        t->turns++;
        before = now;
    }
    return 0;
}
static const rp_actor ticker = {.name = "ticker", .run = tick};

static int park(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    return rp_recv(me, &m, RP_FOREVER);
}
static const rp_actor parked = {.name = "parked", .run = park};

/* ---- two ways of listing ------------------------------------------------------------------------- */

static int by_call(rp_self *me, uint64_t *ret)
{
    rp_inspection *i;
    rp_actor_info a;
    int rc = rp_inspect(me, 5000, &i);
    if (rc != 0)
        return rc;
    while ((rc = rp_inspect_next(me, i, &a)) > 0)
        *ret += strcmp(a.kind, "parked") == 0 && a.doing == RP_WAITING;
    rp_inspect_end(me, i);
    return rc;
}

static int by_metrics(rp_self *me, uint64_t *ret) /* how many messages each kind has in its mailboxes */
{
    static char text[1 << 16];
    int n = rp_metrics_text(me, text, sizeof text);
    const char *line = n > 0 ? strstr(text, "reparto_actors{kind=\"parked\"} ") : 0;
    *ret = line ? strtoull(strchr(line, ' '), NULL, 10) : 0;
    return n < 0 ? n : 0;
}

static int read_lines(void *arg) /* off the loop */
{
    uint64_t *lines = arg;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    static char text[1 << 16];
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0 || write(fd, "actors\n", 7) != 7)
        return -errno;
    for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            *lines += text[i] == '\n';
    close(fd);
    return 0;
}

static int by_socket(rp_self *me, uint64_t *ret)
{
    return rp_offload(me, read_lines, ret, RP_FOREVER);
}

static int measure(rp_self *me, const char *name, int (*list)(rp_self *, uint64_t *), uint64_t want)
{
    stop = false;
    int rc = 0;
    for (unsigned i = 0; i < 2 && rc == 0; i++)
        rc = rp_spawn(me, &ticker, &(rp_spawn_opts){.arg = &tickers[i], .on = RP_LOOP(i), .monitor = true}, NULL);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 50));
    uint64_t got = 0;
    double from = seconds();
    if (rc == 0 && list)
        rc = list(me, &got);
    else if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 300));
    double took = seconds() - from;
    stop = true;
    if (rc == 0)
        rc = await_downs(me, 2);
    if (rc == 0)
        rc = check_that(got >= want, "not everybody is listed");
    double longest = tickers[0].longest > tickers[1].longest ? tickers[0].longest : tickers[1].longest;
    char text[64];
    if (list)
        say(name, took * 1e3, "ms");
    snprintf(text, sizeof text, "%s_held", name);
    say(text, longest * 1e3, "ms");
    return rc;
}

static int root(rp_self *me, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    int rc = 0;
    for (uint64_t i = 0; i < n && rc == 0; i++)
        rc = rp_spawn(me, &parked, &(rp_spawn_opts){.on = RP_SPREAD, .stack = 8192}, NULL);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 200));
    if (rc == 0)
        rc = measure(me, "inspect_nothing", NULL, 0);
    if (rc == 0)
        rc = measure(me, "inspect_call", by_call, n);
    if (rc == 0)
        rc = measure(me, "inspect_socket", by_socket, n);
    return rc == 0 ? measure(me, "inspect_metrics", by_metrics, n) : rc;
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : scaled(100000);
    snprintf(path, sizeof path, "/tmp/reparto-bench-inspect-%d", (int)getpid());
    bench_run(root, &n, &(rp_system_opts){.loops = 2, .inspect = path});
    return 0;
}
