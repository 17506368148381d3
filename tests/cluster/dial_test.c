/* SPDX-License-Identifier: MIT
 *
 * Dialling: hosts by name, which a name service of the test's own knows, over both carriers; what passes and is tried
 * again, and what does not.
 */
#include "cluster/link/resolve.h"
#include "loop/process/net.h"
#include "reparto/sim.h"
#include "tests/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LONG_MS = 60000 }; /* longer than anything here takes */

static const char *const carriers[] = {"", "uv+"};

/* ---- a name service --------------------------------------------------------------------------------- */

static struct {
    const char *hosts[3][4];  /* what the first, the second, any later question is answered; none: there is no such name */
    atomic_uint asked;
    bool silent;              /* each question waits for `end` */
    sem_t end;
    atomic_int now, most;     /* questions at once */
} service;

static int add_host(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo ***last)
{
    struct addrinfo numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    int rc = getaddrinfo(host, port, &numeric, *last);
    while (rc == 0 && **last)
        *last = &(**last)->ai_next;
    return rc;
}

static int answer(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    if (hints->ai_flags & AI_NUMERICHOST)
        return getaddrinfo(host, port, hints, ret);
    unsigned n = atomic_fetch_add(&service.asked, 1);
    int now = atomic_fetch_add(&service.now, 1) + 1;
    if (now > atomic_load(&service.most))
        atomic_store(&service.most, now);
    while (service.silent && sem_wait(&service.end) != 0)
        ;
    atomic_fetch_sub(&service.now, 1);
    const char *const *hosts = service.hosts[n < 2 ? n : 2];
    struct addrinfo **last = ret;
    *ret = 0;
    for (unsigned i = 0; i < 4 && hosts[i]; i++)
        check_eq(add_host(hosts[i], port, hints, &last), 0);
    return *ret ? 0 : EAI_NONAME;
}

static void begin_service(void)
{
    memset(&service, 0, sizeof service);
    sem_init(&service.end, 0, 0);
    rp__getaddrinfo = answer;
}

static void always(const char *a, const char *b)
{
    for (unsigned i = 0; i < 3; i++) {
        service.hosts[i][0] = a;
        service.hosts[i][1] = b;
    }
}

/* ---- servers ---------------------------------------------------------------------------------------- */

static int serve(rp_self *me, void *arg)
{
    char url[128] = "";
    check_eq(rp_listen_url(me, url, sizeof url), 0);
    check(write(*(int *)arg, url, sizeof url) == sizeof url);
    return rp_sleep(me, RP_FOREVER);
}

static pid_t begin_child(void) /* ends with this process, at the latest */
{
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

/* A process that listens; before anything of nng has been touched in this one. */
static pid_t start(const char *listen, const char *secret, char url[128])
{
    int fd[2];
    check(pipe(fd) == 0);
    pid_t pid = begin_child();
    if (pid == 0) {
        close(fd[0]);
        rp_system_opts o = {.loops = 1, .listen = listen, .secret = secret};
        _exit(rp_run(&(rp_actor){.name = "server", .run = serve}, &fd[1], &o) == 0 ? 0 : 1);
    }
    close(fd[1]);
    check(read(fd[0], url, 128) == 128, "the server did not start");
    close(fd[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    check(waitpid(pid, 0, 0) == pid);
}

static int port_of(const char *url)
{
    return atoi(strrchr(url, ':') + 1);
}

static struct sockaddr_in at(const char *host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    check(inet_pton(AF_INET, host, &a.sin_addr) == 1);
    return a;
}

static int listen_raw(const char *host, int port, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in a = at(host, port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    check(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, backlog) == 0, "%s", strerror(errno));
    return fd;
}

/* ---- clients ---------------------------------------------------------------------------------------- */

struct dial {
    const char *url, *secret;
    int ms;
    rp_time took;
};

static int connect_once(rp_self *me, void *arg)
{
    struct dial *d = arg;
    rp_node node;
    rp_time from = rp_now(me);
    int rc = rp_connect(me, d->url, &node, rp_in_ms(me, d->ms ? d->ms : LONG_MS));
    d->took = rp_now(me) - from;
    return rc;
}

static int dial(struct dial *d)
{
    return run_with(connect_once, d, &(rp_system_opts){.loops = 2, .secret = d->secret});
}

/* By `host` to that port, over each carrier. */
static void dial_both(const char *host, int port, const char *secret, int want)
{
    for (unsigned i = 0; i < 2; i++) {
        char url[128];
        snprintf(url, sizeof url, "%stcp://%s:%d", carriers[i], host, port);
        atomic_store(&service.asked, 0);
        check_eq(dial(&(struct dial){.url = url, .secret = secret}), want);
    }
}

/* ---- names ------------------------------------------------------------------------------------------ */

TEST(dial, each_address_of_a_host)
{
    char url[128];
    pid_t pid = start("uv+tcp://127.0.0.1:0", 0, url);
    begin_service();
    always("127.0.0.9", "127.0.0.1");
    dial_both("several.test", port_of(url), 0, 0);
    dial_both("LocalHost", port_of(url), 0, 0);
    check_eq(service.asked, 0); /* for localhost nobody is asked */
    end(pid);
}

TEST(dial, localhost_is_both_families)
{
    char url[128];
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof in6) == 0;
    close(fd);
    if (!has)
        return; /* a machine without ::1 */
    pid_t pid = start("tcp://[::1]:0", 0, url);
    dial_both("localhost", port_of(url), 0, 0);
    end(pid);
}

TEST(dial, an_address_that_swallows_does_not_hide_the_next)
{
    char url[128];
    pid_t pid = start("uv+tcp://127.0.0.1:0", 0, url);
    begin_service();
    always("127.0.0.9", "127.0.0.1");
    int ln = listen_raw("127.0.0.9", port_of(url), 0), fill[4];
    struct sockaddr_in a = at("127.0.0.9", port_of(url));
    for (unsigned i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        check(connect(fill[i], (struct sockaddr *)&a, sizeof a) == 0 || errno == EINPROGRESS);
    }
    dial_both("several.test", port_of(url), 0, 0);
    for (unsigned i = 0; i < 4; i++)
        close(fill[i]);
    close(ln);
    end(pid);
}

TEST(dial, a_name_that_comes_and_moves)
{
    char url[128];
    pid_t pid = start("tcp://127.0.0.1:0", 0, url);
    begin_service();
    service.hosts[1][0] = "127.0.0.9"; /* at first there is no such name, then nobody is there */
    service.hosts[2][0] = "127.0.0.1";
    for (unsigned i = 0; i < 2; i++) {
        dial_both("later.test", port_of(url), 0, 0);
        check_eq(service.asked, 3);
    }
    end(pid);
}

TEST(dial, no_such_name_is_waited_for)
{
    begin_service();
    for (unsigned i = 0; i < 2; i++) {
        struct dial d = {.url = i ? "uv+tcp://nobody.test:7000" : "tcp://nobody.test:7000", .ms = 100};
        check_eq(dial(&d), -ETIMEDOUT);
        check(d.took >= 100 * RP_MS);
    }
    check(service.asked >= 4, "asked %u times", service.asked);
    check_eq(dial(&(struct dial){.url = "tcp://127.0.0.1:no-such-service"}), -EINVAL);
    check_eq(dial(&(struct dial){.url = "uv+tcp://nobody.test:no-such-service"}), -EINVAL);
}

static int hears_why(rp_self *me, void *arg)
{
    rp_node node;
    (void)arg;
    int rc = rp_connect(me, "uv+tcp://several.test:1", &node, rp_in_ms(me, 100));
    check_eq(rc, -ETIMEDOUT);
    check(strstr(rp_cause(me, rc), "several.test:1 (127.0.0.") && strstr(rp_cause(me, rc), "nobody listens there"), "%s", rp_cause(me, rc));
    rc = rp_connect(me, "gopher://x", &node, RP_FOREVER);
    check_eq(rc, -EINVAL);
    check(strstr(rp_cause(me, rc), "gopher") && strstr(rp_cause(me, rc), "it must begin with"), "%s", rp_cause(me, rc));
    return 0;
}

TEST(dial, the_last_cause_is_told)
{
    begin_service();
    always("127.0.0.9", "127.0.0.8");
    check_eq(run_with(hears_why, 0, &(rp_system_opts){.loops = 2}), 0);
}

enum { NAMES = 7 };

static int ask_for_many(rp_self *me, void *arg)
{
    static char urls[NAMES][64];
    static struct dial d[NAMES];
    rp_scope s;
    rp_node node;
    int rc = 0;
    (void)me;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < NAMES && rc == 0; i++) {
        snprintf(urls[i], sizeof urls[i], "%stcp://silent%d.test:7000", carriers[i % 2], i);
        d[i] = (struct dial){.url = urls[i]};
        rc = rp_go(me, &s, connect_once, &d[i], NULL);
    }
    while (atomic_load(&service.now) < RP__LOOKUPS && rc == 0) /* until the alarm */
        rc = rp_sleep(me, rp_in_ms(me, 1));
    check_eq(rp_connect(me, arg, &node, rp_in_ms(me, LONG_MS)), 0); /* a number is not behind them */
    rp_scope_cancel(&s, "enough");
    return rp_scope_close(me, &s, rc);
}

TEST(dial, a_silent_name_service_keeps_nobody)
{
    char url[128];
    pid_t pid = start("tcp://127.0.0.1:0", 0, url);
    begin_service();
    service.silent = true;
    check_eq(run_with(ask_for_many, url, &(rp_system_opts){.loops = 2}), 0);
    check_eq(service.now, RP__LOOKUPS); /* they ask still, and the system has ended */
    check_eq(service.most, RP__LOOKUPS);
    for (unsigned i = 0; i < NAMES; i++)
        sem_post(&service.end);
    while (atomic_load(&service.now) > 0)
        sched_yield();
    end(pid);
}

static int ask_again(rp_self *me, void *arg)
{
    rp_node node;
    for (unsigned i = 0; i < 5; i++)
        check_eq(rp_connect(me, "tcp://silent.test:7000", &node, rp_in_ms(me, 10)), -ETIMEDOUT);
    check_eq(service.asked, 1);
    service.hosts[0][0] = "127.0.0.1";
    char url[128];
    snprintf(url, sizeof url, "tcp://silent.test:%d", port_of(arg));
    sem_post(&service.end);
    sem_post(&service.end);
    return rp_connect(me, url, &node, rp_in_ms(me, LONG_MS));
}

TEST(dial, a_lookup_that_hangs_is_not_begun_again)
{
    char url[128];
    pid_t pid = start("tcp://127.0.0.1:0", 0, url);
    begin_service();
    always("127.0.0.1", 0);
    service.silent = true;
    check_eq(run_with(ask_again, url, &(rp_system_opts){.loops = 1}), 0);
    end(pid);
}

static int held[2];

static int hold(void *arg)
{
    char c;
    (void)arg;
    return read(held[0], &c, 1) >= 0 ? 0 : -errno;
}

static int held_reader(rp_self *me, void *arg)
{
    (void)arg;
    return rp_offload(me, hold, NULL, RP_FOREVER);
}

static int ask_behind_offloads(rp_self *me, void *arg)
{
    rp_scope s;
    rp_node node;
    int rc = 0;
    rp_scope_open(me, &s, RP_FOREVER);
    for (unsigned i = 0; i < 8 && rc == 0; i++)
        rc = rp_go(me, &s, held_reader, 0, NULL);
    check_eq(rp_yield(me), 0);
    int got = rp_connect(me, arg, &node, rp_in_ms(me, LONG_MS));
    close(held[1]);
    rc = rp_scope_close(me, &s, rc);
    return got != 0 ? got : rc;
}

TEST(dial, a_name_is_not_behind_offloads)
{
    char url[128], by_name[128];
    pid_t pid = start("tcp://127.0.0.1:0", 0, url);
    begin_service();
    always("127.0.0.1", 0);
    for (unsigned i = 0; i < 2; i++) {
        check(pipe2(held, O_CLOEXEC) == 0);
        snprintf(by_name, sizeof by_name, "%stcp://some.test:%d", carriers[i], port_of(url));
        check_eq(run_with(ask_behind_offloads, by_name, &(rp_system_opts){.loops = 1}), 0);
        close(held[0]);
    }
    end(pid);
}

/* ---- what passes, and what does not --------------------------------------------------------------- */

/* A process that takes in `n` comers at `fd` and lets go of each at once; then it is `pid` that listens there. */
static pid_t close_on(int fd, unsigned n, const char *url)
{
    pid_t pid = begin_child();
    if (pid != 0) {
        close(fd);
        return pid;
    }
    for (unsigned i = 0; i < n; i++)
        close(accept(fd, 0, 0));
    close(fd);
    const char *path = strstr(url, "ipc://");
    if (path)
        unlink(path + 6);
    int nobody = open("/dev/null", O_WRONLY);
    _exit(rp_run(&(rp_actor){.name = "server", .run = serve}, &nobody, &(rp_system_opts){.loops = 1, .listen = url}) == 0);
}

static int listen_unix(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(un.sun_path, path);
    unlink(path);
    check(bind(fd, (struct sockaddr *)&un, sizeof un) == 0 && listen(fd, 9) == 0);
    return fd;
}

static void let_go_of(const char *carrier, bool local)
{
    char url[128], path[64];
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    snprintf(path, sizeof path, "/tmp/reparto-dial-%d", (int)getpid());
    int fd = local ? listen_unix(path) : listen_raw("127.0.0.1", 0, 9);
    check(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    if (local)
        snprintf(url, sizeof url, "%sipc://%s", carrier, path);
    else
        snprintf(url, sizeof url, "%stcp://127.0.0.1:%d", carrier, ntohs(a.sin_port));
    pid_t pid = close_on(fd, 3, url);
    check_eq(dial(&(struct dial){.url = url}), 0);
    end(pid);
    unlink(path);
}

TEST(dial, one_that_lets_go_is_tried_again_tcp)
{
    let_go_of("", false);
}

TEST(dial, one_that_lets_go_is_tried_again_ipc)
{
    let_go_of("", true);
}

TEST(dial, one_that_lets_go_is_tried_again_uv_tcp)
{
    let_go_of("uv+", false);
}

TEST(dial, one_that_lets_go_is_tried_again_uv_ipc)
{
    let_go_of("uv+", true);
}

/* Says to each comer what is no greeting. */
static pid_t chat(const char *host, int port)
{
    int fd = listen_raw(host, port, 9);
    pid_t pid = begin_child();
    if (pid != 0) {
        close(fd);
        return pid;
    }
    for (;;) {
        int got = accept(fd, 0, 0);
        (void)!write(got, "220 mail.example ESMTP, what do you want?\r\n", 43);
    }
}

TEST(dial, a_stranger_at_one_address_is_no_end)
{
    char url[128];
    pid_t pid = start("uv+tcp://127.0.0.1:0", "open sesame", url), other = chat("127.0.0.9", port_of(url));
    begin_service();
    always("127.0.0.9", "127.0.0.1");
    dial_both("several.test", port_of(url), "open sesame", 0);
    always("127.0.0.9", "127.0.0.8"); /* where nobody is */
    dial_both("several.test", port_of(url), "open sesame", -EPROTO);
    always("127.0.0.1", "127.0.0.9");
    dial_both("several.test", port_of(url), "open barley", -EACCES); /* the first that will not pass */
    end(pid);
    end(other);
}

/* In a network of its own, where the kernel has one port to choose: as root only. */
static bool own_network(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (unshare(CLONE_NEWNET) != 0)
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    close(fd);
    FILE *f = up ? fopen("/proc/sys/net/ipv4/ip_local_port_range", "w") : 0;
    if (!f)
        return false;
    fprintf(f, "40002 40002");
    return fclose(f) == 0;
}

static void connect_with_itself(const char *url)
{
    if (own_network())
        check_eq(dial(&(struct dial){.url = url, .ms = 300}), -ETIMEDOUT);
}

TEST(dial, connected_with_itself_is_not_connected_nng)
{
    connect_with_itself("tcp://127.0.0.1:40002");
}

TEST(dial, connected_with_itself_is_not_connected_uv)
{
    connect_with_itself("uv+tcp://127.0.0.1:40002");
}

static void without_a_port(const char *dialled)
{
    char url[128];
    if (!own_network())
        return;
    pid_t pid = start("uv+tcp://127.0.0.1:7180", 0, url);
    int fd = listen_raw("127.0.0.1", 40002, 1);
    check_eq(dial(&(struct dial){.url = dialled, .ms = 200}), -ETIMEDOUT);
    close(fd);
    check_eq(dial(&(struct dial){.url = dialled}), 0);
    end(pid);
}

TEST(dial, no_port_is_waited_for_nng)
{
    without_a_port("tcp://127.0.0.1:7180");
}

TEST(dial, no_port_is_waited_for_uv)
{
    without_a_port("uv+tcp://127.0.0.1:7180");
}

TEST(dial, a_socket_knows_itself)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at("127.0.0.1", 0);
    socklen_t n = sizeof a;
    check(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    check(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    check(rp__net_is_self(fd));
    close(fd);
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    check(!rp__net_is_self(pair[0]));
    close(pair[0]);
    close(pair[1]);
}

/* ---- those with little time ------------------------------------------------------------------------- */

static int in_time(rp_self *me, void *arg)
{
    rp_node node;
    (void)arg;
    check_eq(rp_connect(me, "sim://later", &node, rp_in_ms(me, 20000)), -ETIMEDOUT);
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    return rp_connect(me, "sim://later", &node, rp_in_ms(me, 100)); /* and the other pauses for up to two seconds */
}

static int impatient(rp_self *me, void *arg)
{
    rp_scope s;
    struct dial other = {.url = "sim://later", .ms = 30000};
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, connect_once, &other, NULL);
    if (rc == 0)
        rc = in_time(me, arg);
    return rp_scope_close(me, &s, rc);
}

static int sleeps(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, rp_in_ms(me, 5000));
}

static void with_little_time(root_fn *client, uint64_t seed)
{
    rp_sim *s = rp_sim_new(seed);
    unsigned a, b;
    rp_actor ca = {.name = "client", .run = client}, sa = {.name = "server", .run = sleeps};
    rp_system_opts co = {.loops = 2}, o = {.loops = 1, .listen = "sim://later"};
    check_eq(rp_sim_add(s, &ca, 0, &co, &a), 0);
    check_eq(rp_sim_run(s, 20 * RP_S + 10 * RP_MS), -ETIMEDOUT);
    check_eq(rp_sim_add(s, &sa, 0, &o, &b), 0);
    check_eq(rp_sim_run(s, 60 * RP_S), 0);
    check_eq(rp_sim_result(s, a), 0);
    rp_sim_free(s);
}

TEST(dial, a_short_deadline_tries_at_once)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        with_little_time(in_time, seed);
        with_little_time(impatient, seed);
    }
}

/* ---- descriptors ------------------------------------------------------------------------------------ */

/* A process with so few: a system that listens and connects, or an error. Never an abort; and what is open at the end
 * is what libuv and nng keep, not more each time. */
static int few_left(const char *listen, const char *url, rlim_t limit)
{
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        check(setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit, limit}) == 0);
        struct dial d = {.url = url, .ms = 50};
        char inspect[64];
        snprintf(inspect, sizeof inspect, "/tmp/reparto-few-%d.inspect", (int)getpid());
        rp_system_opts o = {.loops = 1 + (unsigned)(limit % 3), .listen = listen, .inspect = limit % 2 ? inspect : NULL, .stall_ms = limit % 4 ? 0 : 1000};
        int rc = rp_run(&(rp_actor){.name = "few", .run = connect_once}, &d, &o);
        _exit(rc == 0 ? 0 : rc == -EMFILE || rc == -ETIMEDOUT || rc == -ENOMEM ? 1 : 2);
    }
    int status;
    check(waitpid(pid, &status, 0) == pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) < 2, "%s, %d descriptors: status %x", listen, (int)limit, status);
    return WEXITSTATUS(status);
}

TEST(dial, few_descriptors)
{
    static const char *const listens[] = {"tcp://127.0.0.1:0", "uv+tcp://127.0.0.1:0", "ipc:///tmp/reparto-few-%d", "uv+ipc:///tmp/reparto-few-%d"};
    char url[128], here[64], dialled[128];
    pid_t pid = start("uv+tcp://127.0.0.1:0", 0, url);
    check(freopen("/dev/null", "w", stderr) != 0); /* what they say */
    for (unsigned i = 0; i < 4; i++) {
        snprintf(here, sizeof here, listens[i], (int)getpid());
        snprintf(dialled, sizeof dialled, "%s", i % 2 ? url : url + 3);
        rlim_t limit = 3;
        while (few_left(here, dialled, limit) != 0)
            check(++limit < 100, "not enough");
    }
    end(pid);
}

/* Without any for a while, from before the first of nng's threads: then with. */
static void *let_some_go(void *arg)
{
    int *fd = arg;
    usleep(100000); /* some attempts later */
    for (int i = fd[0]; i <= fd[1]; i++)
        close(i);
    return 0;
}

static int none_for_a_while(rp_self *me, void *arg)
{
    rp_node node;
    struct rlimit few;
    int fd[2], got = 0;
    fd[0] = fd[1] = dup(2);
    check(getrlimit(RLIMIT_NOFILE, &few) == 0);
    few.rlim_cur = (rlim_t)fd[0] + 20;
    check(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while ((got = dup(2)) >= 0)
        fd[1] = got;
    pthread_t t;
    check(pthread_create(&t, 0, let_some_go, fd) == 0);
    int rc = rp_connect(me, arg, &node, rp_in_ms(me, LONG_MS));
    pthread_join(t, 0);
    return rc;
}

static void none_left(const char *carrier)
{
    char url[128], full[160];
    pid_t pid = start("uv+tcp://127.0.0.1:0", 0, url);
    snprintf(full, sizeof full, "%s%s", carrier, url + 3);
    check_eq(run_with(none_for_a_while, full, &(rp_system_opts){.loops = 1}), 0);
    end(pid);
}

TEST(dial, no_descriptors_for_a_while_nng)
{
    none_left("");
}

TEST(dial, no_descriptors_for_a_while_uv)
{
    none_left("uv+");
}
