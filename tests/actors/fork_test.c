/* SPDX-License-Identifier: MIT
 *
 * A child of fork() that calls into its parent's system is told no by every call; its parent goes on.
 */
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int silent(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor kind = {.name = "silent", .handle = silent};

static int no_task(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

static int no_work(void *arg)
{
    (void)arg;
    return 0;
}

static void no_post(void *arg)
{
    (void)arg;
}

/* What an actor holds when it forks. */
struct held {
    rp_ref other, far;
    rp_timer timer;
    const rp_msg *call;
    rp_token token;
    rp_scope *scope;
    rp_msg *own;
    rp_queue *queue; /* of ints, with one in it and room */
};

static void child_waits(rp_self *me, struct held *h)
{
    rp_msg *m;
    rp_node node;
    rp_ref r;
    struct num b = {1, {0, 0}};
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), -EPERM);
    check_eq(rp_yield(me), -EPERM);
    check_eq(rp_recv(me, &m, RP_FOREVER), -EPERM);
    check_eq(rp_call(me, h->other, NUM, &b, &m, RP_FOREVER), -EPERM);
    check_eq(rp_offload(me, no_work, 0, RP_FOREVER), -EPERM);
    check_eq(rp_connect(me, "tcp://127.0.0.1:1", &node, RP_FOREVER), -EPERM);
    check_eq(rp_lookup(me, rp_this_node(me), "x", &r, RP_FOREVER), -EPERM);
}

static void child_calls(rp_self *me, struct held *h)
{
    rp_ref r;
    rp_timer t;
    rp_token k;
    struct num b = {1, {0, 0}};
    char url[64];
    check_eq(rp_spawn(me, &kind, NULL, &r), -EPERM);
    check_eq(rp_spawn(me, &kind, &(rp_spawn_opts){.on = RP_LOOP(1)}, &r), -EPERM);
    check_eq(rp_stop(me, h->other, "no"), -EPERM);
    check_eq(rp_tell(me, h->other, NUM, &b), -EPERM);
    check_eq(rp_try_tell(me, h->far, NUM, &b), -EPERM);
    check_eq(rp_send(me, h->other, &h->own), -EPERM);
    check_eq(rp_reply(me, h->call, NUM, &b), -EPERM);
    check_eq(rp_reply_error(me, h->call, -EIO), -EPERM);
    check_eq(rp_take_token(me, h->call, &k), -EPERM);
    check_eq(rp_token_reply(me, &h->token, NUM, &b), -EPERM);
    check_eq(rp_token_error(me, &h->token, -EIO), -EPERM);
    check_eq(rp_forward(me, h->call, h->other), -EPERM);
    check_eq(rp_timer_start(me, rp_in_ms(me, 1), NUM, &b, &t), -EPERM);
    check_eq(rp_timer_stop(me, h->timer), -EPERM);
    check_eq(rp_monitor(me, h->other), -EPERM);
    check_eq(rp_whereis(me, "x", &r), -EPERM);
    check_eq(rp_watch_name(me, "x"), -EPERM);
    check_eq(rp_unwatch_name(me, "x"), -EPERM);
    check_eq(rp_link(me, h->other), -EPERM);
    check_eq(rp_move(me, h->other, RP_LOOP(1)), -EPERM);
    check_eq(rp_timer_every(me, rp_in_ms(me, 1), RP_MS, NUM, &b, &t), -EPERM);
    check_eq(rp_timer_key(me, 1, rp_in_ms(me, 1), NUM, &b), -EPERM);
    check_eq(rp_timer_key_stop(me, 1), -EPERM);
    check_eq(rp_node_monitor(me, (rp_node){1}), -EPERM);
    check_eq(rp_listen_url(me, url, sizeof url), -EPERM);
    check_eq(rp_post(rp_system_of(me), 0, no_post, 0), -EPERM);
    check_eq(rp_go(me, h->scope, no_task, 0, NULL), -EPERM);
    check_eq(rp_scope_close(me, h->scope, 0), -EPERM);
    int n = 7;
    rp_lock lock = {0};
    rp_limiter limiter;
    check_eq(rp_queue_try_put(h->queue, &n), -EPERM);
    check_eq(rp_queue_try_get(h->queue, &n), -EPERM);
    check_eq(n, 7);
    check_eq(rp_lock_try(me, &lock), -EPERM);
    check_eq(rp_limiter_init(&limiter, 1, RP_S, 1), 0);
    check_eq(rp_limiter_try(me, &limiter, 1), -EPERM);
    rp_token_drop(me, &h->token);
    check(rp_now(me) > 0 && rp_loop_count(me) == 2);
}

static int own_root(rp_self *me, void *arg)
{
    (void)arg;
    rp_queue *q;
    int n = 7;
    check_eq(rp_queue_new(sizeof n, 1, NULL, &q), 0);
    check_eq(rp_queue_try_put(q, &n), 0);
    check_eq(rp_queue_try_get(q, &n), 0);
    rp_queue_free(q);
    return rp_sleep(me, rp_in_ms(me, 1));
}

static int wait_for(void *pid)
{
    int status;
    return waitpid(*(pid_t *)pid, &status, 0) == *(pid_t *)pid && WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

/* Asked twice: the first question's token and the second's message are what it holds when it forks. */
static int forks(rp_self *me, void *state, const rp_msg *m)
{
    rp_token *first = state;
    if (first->call == 0)
        return rp_take_token(me, m, first);
    struct held h = {.call = m, .token = *first};
    struct num b = {0, {0, 0}};
    rp_scope s;
    check_eq(rp_spawn(me, &kind, &(rp_spawn_opts){.on = RP_LOOP(0)}, &h.other), 0);
    check_eq(rp_spawn(me, &kind, &(rp_spawn_opts){.on = RP_LOOP(1)}, &h.far), 0);
    check_eq(rp_timer_start(me, rp_in_ms(me, 100000), NUM, &b, &h.timer), 0);
    check((h.own = rp_msg_new(me, NUM)) != NULL);
    check_eq(rp_queue_new(sizeof(int), 2, NULL, &h.queue), 0);
    check_eq(rp_queue_try_put(h.queue, &(int){1}), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    h.scope = &s;
    check_eq(rp_go(me, &s, no_task, 0, NULL), 0);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        child_waits(me, &h);
        child_calls(me, &h);
        rp_actor own = {.name = "own", .run = own_root};
        check_eq(rp_run(&own, 0, &(rp_system_opts){.sim_seed = 1}), 0); /* one of its own is another matter */
        _exit(0);
    }
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(rp_offload(me, wait_for, &pid, RP_FOREVER), 0);
    rp_msg_drop(me, h.own);
    check_eq(rp_queue_try_put(h.queue, &(int){2}), 0);
    rp_queue_free(h.queue);
    check_eq(rp_token_reply(me, first, NUM, &b), 0);
    return rp_reply(me, m, NUM, &b);
}
static const rp_actor forker = {.name = "forker", .handle = forks, .state_size = sizeof(rp_token)};

static int ask(rp_self *me, void *arg)
{
    rp_msg *m;
    struct num b = {0, {0, 0}};
    int rc = rp_call(me, *(rp_ref *)arg, NUM, &b, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

static int has_forker(rp_self *me, void *arg)
{
    rp_ref f;
    rp_scope s;
    (void)arg;
    check_eq(rp_spawn(me, &forker, &(rp_spawn_opts){.on = RP_SPREAD}, &f), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, ask, &f, NULL), 0);
    check_eq(rp_go(me, &s, ask, &f, NULL), 0);
    return rp_scope_close(me, &s, 0);
}

TEST(fork, a_child_is_told_no_by_every_call)
{
    rp_system_opts real = {.loops = 2}, sim = {.loops = 2, .sim_seed = test_seed()};
    check_eq(run_with(has_forker, 0, &real), 0);
    check_eq(run_with(has_forker, 0, &sim), 0);
}

static int strays(rp_self *me, void *arg)
{
    int *told = arg;
    pid_t pid = fork();
    (void)me;
    if (pid == 0) {
        close(STDERR_FILENO);
        return 0; /* into the scheduler */
    }
    int status;
    check(waitpid(pid, &status, 0) == pid);
    *told = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return 0;
}

TEST(fork, a_child_that_returns_is_ended)
{
    int told = 0;
    check_eq(run_with(strays, &told, &(rp_system_opts){.loops = 2}), 0);
    check_eq(told, SIGABRT);
}

/* ---- its end -------------------------------------------------------------------------------------- */

static int ended_at; /* a pipe */

static void note_end(void)
{
    (void)!write(ended_at, "x", 1);
}

static int idles(void *arg)
{
    (void)arg;
    return 0;
}

/* A child that exits in the middle of an actor runs what is to run at its end, and ends. */
static int child_exits(rp_self *me, void *arg)
{
    int fd[2], status;
    char c;
    if (arg)
        check_eq(rp_offload(me, idles, 0, RP_FOREVER), 0); /* libuv has threads now, and the child none */
    check(pipe(fd) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        ended_at = fd[1];
        exit(atexit(note_end) == 0 ? 3 : 4);
    }
    close(fd[1]);
    check(waitpid(pid, &status, 0) == pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 3, "status %x", status);
    check(read(fd[0], &c, 1) == 1);
    close(fd[0]);
    return rp_sleep(me, rp_in_ms(me, 1));
}

TEST(fork, a_child_may_exit)
{
    static char yes;
#if defined(__SANITIZE_ADDRESS__) /* its allocator's locks stay locked in the child, if another thread had them (gcc 12) */
    rp_system_opts opts = {.loops = 1};
#else
    rp_system_opts opts = {.loops = 2, .listen = "tcp://127.0.0.1:0"};
#endif
    check_eq(run_with(child_exits, 0, &opts), 0);
#if !defined(__SANITIZE_THREAD__) /* there a child that is to start a thread is ended */
    check_eq(run_with(child_exits, &yes, &opts), 0);
    check_eq(run_ticked(&(rp_actor){.name = "root", .run = child_exits}, &yes, NULL), 0);
#else
    (void)yes;
#endif
}

/* ---- what it inherits ------------------------------------------------------------------------------ */

/* A client of the socket at `inspect`, and a stranger at the address where links come in. */
struct doors {
    char path[64], url[128];
    int client, stranger;
    pid_t child;
    int stay; /* the child lives until this pipe ends */
};

static unsigned sockets(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    check(d != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        char to[64];
        ssize_t k = readlinkat(dirfd(d), e->d_name, to, sizeof to - 1);
        to[k > 0 ? k : 0] = 0;
        n += strncmp(to, "socket:", 7) == 0;
    }
    closedir(d);
    return n;
}

static int dial_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0, "%s", path);
    return fd;
}

static int knock(void *arg)
{
    struct doors *o = arg;
    o->client = dial_unix(o->path);
    o->stranger = dial_unix(o->url + strlen("uv+ipc://"));
    return 0;
}

static int forks_with_doors(rp_self *me, void *arg)
{
    struct doors *o = arg;
    unsigned before = sockets();
    check_eq(rp_listen_url(me, o->url, sizeof o->url), 0);
    check_eq(rp_offload(me, knock, o, RP_FOREVER), 0);
    while (sockets() < before + 4) /* both ends of both: ours are taken in */
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    int ends[2];
    check(pipe(ends) == 0);
    o->child = fork();
    check(o->child >= 0);
    if (o->child == 0) {
        char c;
        close(ends[1]);
        unsigned n = sockets();
        bool mine = fcntl(o->client, F_GETFD) >= 0 && fcntl(o->stranger, F_GETFD) >= 0;
        while (read(ends[0], &c, 1) > 0)
            ;
        _exit(mine ? (int)n : 100);
    }
    close(ends[0]);
    o->stay = ends[1];
    check(sockets() == before + 4);
    check(write(o->client, "ledger\n", 7) == 7); /* it goes on as before */
    return rp_sleep(me, rp_in_ms(me, 50));
}

/* It holds none of its parent's sockets: who was connected sees its parent's end while the child lives. */
TEST(fork, a_child_inherits_no_socket)
{
    struct doors o = {0};
    char listen[96], got[4096];
    int status;
    snprintf(o.path, sizeof o.path, "/tmp/reparto-fork-%d", (int)getpid());
    snprintf(listen, sizeof listen, "uv+ipc:///tmp/reparto-fork-link-%d", (int)getpid());
    unsigned before = sockets();
    rp_system_opts opts = {.loops = 2, .inspect = o.path, .listen = listen};
    check_eq(run_with(forks_with_doors, &o, &opts), 0);
    check_eq(waitpid(o.child, &status, WNOHANG), 0);
    size_t n = 0;
    for (ssize_t k; (k = read(o.client, got + n, sizeof got - 1 - n)) > 0;) /* to its end */
        n += (size_t)k;
    got[n] = 0;
    check(strstr(got, "\nok\n"), "%s", got);
    while (read(o.stranger, got, sizeof got) > 0)
        ;
    close(o.stay);
    check(waitpid(o.child, &status, 0) == o.child && WIFEXITED(status));
    check_eq(WEXITSTATUS(status), before + 2); /* the test's own */
    close(o.client);
    close(o.stranger);
}
