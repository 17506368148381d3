/* SPDX-License-Identifier: MIT
 *
 * Listening: where it needs a secret, what becomes of a socket's file, what is said of a URL that is wrong.
 */
#include "cluster/link/resolve.h"
#include "loop/process/claim.h"
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const carriers[] = {"", "uv+"};

static int nothing(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

/* What was reported last. */
static char said[512];

static void hear(const rp_report *r, void *ud)
{
    (void)ud;
    snprintf(said, sizeof said, "%s", r->text);
}

static int run_at(const char *url, const char *secret, root_fn *root)
{
    rp_system_opts o = {.loops = 1, .listen = url, .secret = secret, .on_report = hear};
    said[0] = 0;
    return rp_run(&(rp_actor){.name = "root", .run = root}, 0, &o);
}

/* ---- secrets ---------------------------------------------------------------------------------------- */

static int answer(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    static const char *const known[][2] = {
        {"localhost.lan", "192.0.2.1"}, {"localhost-prod", "192.0.2.1"}, {"127.lan", "192.0.2.1"}, {"here.test", "127.0.0.1"},
    };
    struct addrinfo numeric = *hints;
    if (hints->ai_flags & AI_NUMERICHOST)
        return getaddrinfo(host, port, hints, ret);
    numeric.ai_flags |= AI_NUMERICHOST;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i][0], host) == 0)
            return getaddrinfo(known[i][1], port, &numeric, ret);
    return EAI_NONAME;
}

TEST(listen, where_a_secret_is_needed)
{
    static const char *const open[] = {
        "tcp://0.0.0.0:0", "tcp://*:0", "tcp://:0", "tcp://[::]:0", "tcp://192.0.2.1:0", "tcp://[::ffff:192.0.2.1]:0", "tcp://[::ffff:0.0.0.0]:0",
        "tcp://[fe80::1%lo]:0", "tcp://[2001:db8::1]:0", "tcp://localhost.lan:0", "tcp://localhost-prod:0", "tcp://127.lan:0", "tcp://128.0.0.1:0",
        "tcp://[::127.0.0.1]:0",
    };
    static const char *const ours[] = {
        "tcp://127.0.0.1:0", "tcp://127.1:0", "tcp://127.9.8.7:0", "tcp://localhost:0", "tcp://LOCALHOST:0", "tcp://here.test:0",
    };
    char url[128];
    rp__getaddrinfo = answer;
    for (unsigned c = 0; c < 2; c++) {
        for (unsigned i = 0; i < sizeof open / sizeof *open; i++)
            for (unsigned empty = 0; empty < 2; empty++) { /* an empty one is none */
                snprintf(url, sizeof url, "%s%s", carriers[c], open[i]);
                int rc = run_at(url, empty ? "" : NULL, nothing);
                check(rc == -ENOKEY, "%s: %d", url, rc);
                check(strstr(said, url) && strstr(said, ".secret is missing"), "%s", said);
            }
        for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++) {
            snprintf(url, sizeof url, "%s%s", carriers[c], ours[i]);
            int rc = run_at(url, "", nothing);
            check(rc == 0 && !*said, "%s: %d, %s", url, rc, said);
        }
        snprintf(url, sizeof url, "%stcp://0.0.0.0:0", carriers[c]);
        check_eq(run_at(url, "s", nothing), 0);
    }
}

/* ---- what is wrong ---------------------------------------------------------------------------------- */

static int connect_at_once(rp_self *me, void *arg)
{
    rp_node node;
    return rp_connect(me, arg, &node, RP_FOREVER);
}

static void wrong(const char *url, int dialled, int listened)
{
    char full[256];
    for (unsigned c = 0; c < 2; c++) {
        snprintf(full, sizeof full, "%s%s", *url ? carriers[c] : "", url);
        if (dialled) {
            int rc = run_with(connect_at_once, full, &(rp_system_opts){.loops = 1});
            check(rc == dialled, "connect to \"%s\": %d", full, rc);
        }
        int rc = run_at(full, 0, nothing);
        check(rc == listened, "listen at \"%s\": %d", full, rc);
        check(strstr(said, full) && strstr(said, ".listen is"), "%s", said);
    }
}

TEST(listen, urls_that_are_wrong)
{
    static const char *const none[] = {
        "", "foo", "http://127.0.0.1:80", "ws://127.0.0.1:80", "sim://here", "127.0.0.1:7000", "tcp:/127.0.0.1:7000", "tcp://", "tcp://127.0.0.1",
        "tcp://127.0.0.1:", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:-1", "tcp://127.0.0.1:1/", "tcp://a@127.0.0.1:1",
        "tcp://[::1:80", "tcp://::1]:80", "tcp://[::1]", "tcp://127.0.0.1:no-such-service", "ipc://", "abstract://",
    };
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
        wrong(none[i], -EINVAL, -EINVAL);
    char path[200] = "ipc:///tmp/";
    memset(path + strlen(path), 'x', 108 - 5);
    wrong(path, -ENAMETOOLONG, -ENAMETOOLONG);
    memset(path, 'x', 150);
    memcpy(path, "tcp://", 6);
    check_eq(run_with(connect_at_once, path, &(rp_system_opts){.loops = 1}), -EINVAL);
    check_eq(run_with(connect_at_once, (char[]){"tcp://127.0.0.1:0"}, &(rp_system_opts){.loops = 1}), -EINVAL); /* nobody is there */
    check_eq(run_with(connect_at_once, (char[]){"uv+tcp://*:80"}, &(rp_system_opts){.loops = 1}), -EINVAL);
    check_eq(run_with(connect_at_once, 0, &(rp_system_opts){.loops = 1}), -EINVAL);
    wrong("ipc:///no/such/place", 0, -ENOENT);
    rp__getaddrinfo = answer;
    wrong("tcp://nobody.test:0", 0, -ENXIO);
}

TEST(listen, an_address_that_is_not_ours)
{
    for (unsigned c = 0; c < 2; c++) {
        char url[64];
        snprintf(url, sizeof url, "%stcp://192.0.2.77:0", carriers[c]);
        check_eq(run_at(url, "s", nothing), -EADDRNOTAVAIL);
        check(strstr(said, "no such address"), "%s", said);
    }
}

/* ---- paths ------------------------------------------------------------------------------------------ */

struct place {
    char dir[64], path[80], url[96];
};

static void make_place(struct place *p, const char *carrier)
{
    snprintf(p->dir, sizeof p->dir, "/tmp/reparto-listen-XXXXXX");
    check(mkdtemp(p->dir) != 0);
    snprintf(p->path, sizeof p->path, "%s/s", p->dir);
    snprintf(p->url, sizeof p->url, "%sipc://%s", carrier, p->path);
}

static void leave_place(struct place *p) /* and nothing else is left there */
{
    unlink(p->path);
    check(rmdir(p->dir) == 0, "%s: %s", p->dir, strerror(errno));
}

static int bind_raw(const char *path, bool listens)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(un.sun_path, path);
    check(fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof un) == 0 && (!listens || listen(fd, 9) == 0));
    return fd;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

TEST(listen, what_is_no_socket_stays)
{
    for (unsigned c = 0; c < 2; c++) {
        struct place p;
        make_place(&p, carriers[c]);
        check(mkdir(p.path, 0700) == 0);
        check_eq(run_at(p.url, 0, nothing), -EADDRINUSE);
        check(rmdir(p.path) == 0);
        check(symlink("/nowhere", p.path) == 0);
        check_eq(run_at(p.url, 0, nothing), -EADDRINUSE);
        check(unlink(p.path) == 0);
        int fd = open(p.path, O_CREAT | O_RDWR, 0600);
        check(fd >= 0 && write(fd, "mine", 4) == 4);
        close(fd);
        check_eq(run_at(p.url, 0, nothing), -EADDRINUSE);
        check(strstr(said, "no socket"), "%s", said);
        check(is_there(p.path));
        leave_place(&p);
    }
}

TEST(listen, a_socket_that_is_left_over_is_replaced)
{
    for (unsigned c = 0; c < 2; c++) {
        struct place p;
        make_place(&p, carriers[c]);
        int fd = bind_raw(p.path, true);
        check_eq(run_at(p.url, 0, nothing), -EADDRINUSE); /* somebody listens */
        check(is_there(p.path));
        close(fd);
        check_eq(run_at(p.url, 0, nothing), 0);
        check(!is_there(p.path)); /* it is gone at the end */
        check_eq(run_at(p.url, 0, nothing), 0);
        leave_place(&p);
    }
}

static struct place *taken;

static int taken_away(rp_self *me, void *arg)
{
    struct stat st;
    (void)me, (void)arg;
    check(stat(taken->path, &st) == 0 && (st.st_mode & 0777) == 0600, "%o", st.st_mode);
    check(unlink(taken->path) == 0);
    return bind_raw(taken->path, true) >= 0 ? 0 : -EIO; /* stays open until the process ends */
}

TEST(listen, anothers_socket_stays)
{
    for (unsigned c = 0; c < 2; c++) {
        struct place p;
        taken = &p;
        make_place(&p, carriers[c]);
        check_eq(run_at(p.url, 0, taken_away), 0);
        check(is_there(p.path), "the other one's is gone");
        leave_place(&p);
    }
}

TEST(listen, a_directory_that_somebody_keeps_locked)
{
    struct place p;
    struct rp__claim c;
    make_place(&p, "");
    check_eq(rp__claim_begin(&c, p.path), 0);
    struct rp__claim other;
    check_eq(rp__claim_begin(&other, p.path), -EAGAIN); /* and not for ever */
    check_eq(rp__claim_end(&c, false), 0);
    check_eq(rp__claim_begin(&other, p.path), 0);
    check_eq(rp__claim_end(&other, false), 0);
    rp__claim_leave(&other);
    leave_place(&p);
}

TEST(listen, somebody_without_a_lock_is_not_overwritten)
{
    struct place p;
    struct rp__claim c;
    make_place(&p, "");
    check_eq(rp__claim_begin(&c, p.path), 0);
    int fd = bind_raw(c.at, true), other = bind_raw(p.path, true);
    check_eq(rp__claim_end(&c, true), -EADDRINUSE);
    rp__claim_leave(&c);
    check(is_there(p.path) && !is_there(c.at));
    close(fd);
    close(other);
    leave_place(&p);
}

/* ---- several at once -------------------------------------------------------------------------------- */

enum { AT_ONCE = 4, ROUNDS = 10 };

struct crowd {
    int said[2], go[2];
};
static struct crowd crowd;

static void tell(char what)
{
    check(write(crowd.said[1], &what, 1) == 1);
}

static int is_up(rp_self *me, void *arg)
{
    char c;
    (void)me, (void)arg;
    tell('+');
    return read(crowd.go[0], &c, 1) == 0 ? 0 : -EIO; /* until all have said what became of them */
}

static unsigned how_many_are_up(const struct place *p)
{
    unsigned up = 0;
    check(pipe(crowd.said) == 0 && pipe(crowd.go) == 0);
    for (unsigned i = 0; i < AT_ONCE; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(crowd.go[1]);
            int rc = run_at(p->url, 0, is_up);
            if (rc != 0)
                tell(rc == -EADDRINUSE ? '-' : '?');
            _exit(0);
        }
    for (unsigned i = 0; i < AT_ONCE; i++) {
        char c;
        check(read(crowd.said[0], &c, 1) == 1 && c != '?');
        up += c == '+';
    }
    close(crowd.go[1]);
    while (wait(0) > 0)
        ;
    close(crowd.go[0]);
    close(crowd.said[0]);
    close(crowd.said[1]);
    return up;
}

TEST(listen, one_of_those_that_come_at_once)
{
    for (unsigned c = 0; c < 2; c++) {
        struct place p;
        make_place(&p, carriers[c]);
        for (unsigned i = 0; i < ROUNDS; i++) {
            if (i % 2)
                close(bind_raw(p.path, true)); /* left over */
            check_eq(how_many_are_up(&p), 1);
        }
        leave_place(&p);
    }
}

/* ---- descriptors ------------------------------------------------------------------------------------ */

static unsigned descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    check(d != 0);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static _Atomic int port; /* 0: nobody listens */
static atomic_bool over;
static atomic_uint came;

static void *come(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int p = atomic_load(&port), fd = p ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
        a.sin_port = htons((uint16_t)p);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
            usleep(200);
        else
            atomic_fetch_add(&came, 1);
        close(fd);
    }
    return 0;
}

static int be_come_to(rp_self *me, void *arg)
{
    char url[128];
    (void)arg;
    unsigned n = atomic_load(&came);
    check_eq(rp_listen_url(me, url, sizeof url), 0);
    atomic_store(&port, atoi(strrchr(url, ':') + 1));
    while (atomic_load(&came) < n + 3)
        check_eq(rp_sleep(me, rp_now(me) + RP_MS / 4), 0);
    return 0;
}

static void keep_none(const char *url)
{
    pthread_t t[2];
    unsigned at_first = 0;
    for (unsigned i = 0; i < 2; i++)
        check(pthread_create(&t[i], 0, come, 0) == 0);
    for (unsigned i = 0; i < 40; i++) {
        check_eq(run_at(url, 0, be_come_to), 0);
        atomic_store(&port, 0);
        if (i == 10)
            at_first = descriptors();
    }
    atomic_store(&over, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(t[i], 0);
    unsigned n = descriptors();
    for (unsigned i = 0; n > at_first && i < 200; i++, n = descriptors())
        usleep(10000); /* nng's threads close what was closed */
    check(n <= at_first + 2, "%u descriptors at first, %u at the end", at_first, n);
}

TEST(listen, strangers_at_the_end_are_let_go_nng)
{
    keep_none("tcp://127.0.0.1:0");
}

TEST(listen, strangers_at_the_end_are_let_go_uv)
{
    keep_none("uv+tcp://127.0.0.1:0");
}
