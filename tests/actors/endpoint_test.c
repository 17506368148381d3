/* SPDX-License-Identifier: MIT */
#include "tests/client.h"
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- a client, off the loop ---------------------------------------------------------------------- */

static int ask_blocking(void *arg)
{
    struct ask *a = arg;
    return ask_at(a);
}

static const char *ask(rp_self *me, struct ask *a, const char *path, const char *text)
{
    a->path = path;
    a->text = text;
    check_eq(rp_offload(me, ask_blocking, a, RP_FOREVER), 0);
    return a->answer;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* ---- asking -------------------------------------------------------------------------------------- */

static int asks(rp_self *me, void *arg)
{
    const char *path = arg;
    struct ask a;
    struct stat st;
    check_eq(stat(path, &st), 0);
    check_eq(st.st_mode & 0777, 0600);
    check(strstr(ask(me, &a, path, "help\n"), "ledger"));
    check(ends_with(a.answer, "\nok\n"), "%s", a.answer);
    check_eq(tell_num(me, rp_self_ref(me), 1), 0);
    check(strncmp(ask(me, &a, path, "ledger\r\n"), "sent 1\n", 7) == 0, "%s", a.answer);
    check_str(ask(me, &a, path, "nonsense here\n"), "error: no such word; ask for help\n");
    check_str(ask(me, &a, path, "\n"), "error: no such word; ask for help\n");
    return 0;
}

TEST(endpoint, answers_questions)
{
    const char *path = socket_path("a");
    rp_system_opts one = {.loops = 1, .inspect = path}, three = {.loops = 3, .inspect = path};
    check_eq(run_with(asks, (void *)(uintptr_t)path, &one), 0);
    check_eq(access(path, F_OK), -1);
    check_eq(run_with(asks, (void *)(uintptr_t)path, &three), 0);
    check_eq(access(path, F_OK), -1);
}

TEST(endpoint, answers_within_hosts)
{
    const char *path = socket_path("host");
    rp_system_opts o = {.loops = 2, .inspect = path};
    const rp_actor root = {.name = "root", .run = asks};
    check_eq(run_attached(&root, (void *)(uintptr_t)path, &o), 0);
    check_eq(access(path, F_OK), -1);
    check_eq(run_ticked(&root, (void *)(uintptr_t)path, &o), 0);
    check_eq(access(path, F_OK), -1);
}

static int fails(rp_self *me, void *arg)
{
    (void)arg;
    return rp_fail(me, -EPROTO, "no such order");
}

static int asks_who_failed(rp_self *me, void *arg)
{
    static const rp_actor shop = {.name = "shop", .run = fails};
    struct ask a;
    check_str(ask(me, &a, arg, "failures\n"), "ago_ms kind report\nok\n");
    check_eq(rp_spawn(me, &shop, NULL, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    ask(me, &a, arg, "failures\n");
    const char *line = strstr(a.answer, " failure actor shop ");
    check(line && strstr(line, "failed: -71, ") && strstr(line, "why: no such order") && ends_with(a.answer, "\nok\n"), "%s", a.answer);
    return 0;
}

TEST(endpoint, says_who_failed)
{
    const char *path = socket_path("failed");
    rp_system_opts o = {.loops = 1, .inspect = path, .on_report = unreported};
    check_eq(run_with(asks_who_failed, (void *)(uintptr_t)path, &o), -EPROTO);
}

static int asks_by_http(rp_self *me, void *arg)
{
    struct ask a;
    ask(me, &a, arg, "GET /ledger HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n");
    check(strncmp(a.answer, "HTTP/1.0 200 OK\r\n", 17) == 0, "%s", a.answer);
    check(strstr(a.answer, "\r\n\r\nsent 0\n") && ends_with(a.answer, "lost_signals 0\n"), "%s", a.answer);
    ask(me, &a, arg, "GET /no?x=1 HTTP/1.1\r\n\r\n");
    check(strncmp(a.answer, "HTTP/1.0 404 ", 13) == 0, "%s", a.answer);
    return 0;
}

TEST(endpoint, speaks_http)
{
    const char *path = socket_path("http");
    rp_system_opts o = {.loops = 2, .inspect = path};
    check_eq(run_with(asks_by_http, (void *)(uintptr_t)path, &o), 0);
}

/* ---- clients that are slow, many, or rude -------------------------------------------------------- */

static int is_patient(rp_self *me, void *arg)
{
    struct ask a;
    int silent[3], rude = dial(arg);
    char much[8192];
    memset(much, 'x', sizeof much);
    for (unsigned i = 0; i < 3; i++)
        check((silent[i] = dial(arg)) >= 0);
    check(write(silent[0], "led", 3) == 3);
    check(send(rude, much, sizeof much, MSG_NOSIGNAL) > 0); /* no line ends in it */
    check(ends_with(ask(me, &a, arg, "ledger\n"), "ok\n"), "%s", a.answer);
    ssize_t n = read(rude, much, sizeof much);
    check(n > 0 && strncmp(much, "error: longer than 4095 bytes\n", (size_t)n) == 0);
    check(read(rude, much, sizeof much) <= 0); /* it has been let go of */
    close(rude);
    close(silent[1]);
    return 0; /* two are connected still: the system ends all the same */
}

TEST(endpoint, waits_for_nobody)
{
    const char *path = socket_path("slow");
    rp_system_opts o = {.loops = 2, .inspect = path};
    check_eq(run_with(is_patient, (void *)(uintptr_t)path, &o), 0);
}

static int nothing(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor idler = {.name = "idler", .handle = nothing};

/* It asks for more than the kernel keeps for it, and does not read: its coroutine waits when the system ends. */
static int ends_while_one_is_served(rp_self *me, void *arg)
{
    enum { MANY = 20000 };
    for (unsigned i = 0; i < MANY; i++)
        check_eq(rp_spawn(me, &idler, NULL, NULL), 0);
    int fd = dial(arg);
    check(fd >= 0 && send(fd, "actors\n", 7, MSG_NOSIGNAL) == 7);
    return rp_sleep(me, rp_in_ms(me, 300));
}

TEST(endpoint, ends_while_a_client_is_served)
{
    const char *path = socket_path("served");
    rp_system_opts o = {.loops = 2, .inspect = path};
    time_t began = time(0);
    check_eq(run_with(ends_while_one_is_served, (void *)(uintptr_t)path, &o), 0);
    check(time(0) - began < 20, "it has waited for the client");
}

enum { CROWD = 30 };

static int one_of_many(rp_self *me, void *arg)
{
    struct ask a;
    check(ends_with(ask(me, &a, arg, "ledger\n"), "ok\n"), "%s", a.answer);
    return 0;
}

static int meets_a_crowd(rp_self *me, void *arg)
{
    int silent[7];
    for (unsigned i = 0; i < 7; i++) /* all places but one */
        check((silent[i] = dial(arg)) >= 0);
    rp_scope s;
    rp_scope_open(me, &s, rp_in_ms(me, 20000));
    int rc = 0;
    for (unsigned i = 0; i < CROWD && rc == 0; i++)
        rc = rp_go(me, &s, one_of_many, arg, NULL);
    rc = rp_scope_close(me, &s, rc);
    for (unsigned i = 0; i < 7; i++)
        close(silent[i]);
    return rc;
}

TEST(endpoint, lets_a_crowd_in_one_after_the_other)
{
    const char *path = socket_path("crowd");
    rp_system_opts o = {.loops = 1, .inspect = path};
    check_eq(run_with(meets_a_crowd, (void *)(uintptr_t)path, &o), 0);
}

/* ---- messages from outside ----------------------------------------------------------------------- */

static int to_parent(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    check(rp_ref_none(rp_from(me, m)));
    return rp_forward(me, m, rp_parent(me));
}
static const rp_actor clerk = {.name = "clerk", .handle = to_parent};

static void check_text(rp_self *me, uint32_t id, const char *text)
{
    rp_msg *m;
    check_eq(rp_recv(me, &m, rp_in_ms(me, 10000)), 0);
    const struct text *t = rp_body(m, TEXT);
    check(t && t->id == id && t->text.size == strlen(text) && memcmp(t->text.data, text, strlen(text)) == 0);
    rp_msg_drop(me, m);
}

static int is_sent_to(rp_self *me, void *arg)
{
    struct ask a;
    char line[100];
    uint64_t n, own = rp_self_ref(me).local;
    check_eq(rp_spawn(me, &clerk, &(rp_spawn_opts){.name = "clerk", .on = RP_SPREAD}, NULL), 0);
    check_str(ask(me, &a, arg, "send clerk test.text{id=7 text=\"say \\x22hi\\x22\"}\n"), "ok\n");
    check_text(me, 7, "say \"hi\"");
    check_str(ask(me, &a, arg, "send clerk   test.text{}\r\n"), "ok\n");
    check_text(me, 0, "");
    check_str(ask(me, &a, arg, "send clerk test.num{n=3}\n"), "error: there is none\n");
    check_eq(tell_num(me, rp_self_ref(me), 1), 0); /* now some loop knows it */
    check_eq(recv_num(me, &n), 0);
    snprintf(line, sizeof line, "send %u.%u.%u test.num{n=3 ref=<1.2>}\n", (unsigned)(own >> 54), (unsigned)(own >> 24) & 0x3fffffff,
             (unsigned)own & 0xffffff);
    check_str(ask(me, &a, arg, line), "ok\n");
    check_eq(recv_num(me, &n), 0);
    check_eq(n, 3);
    return 0;
}

static const rp_type *const texts[] = {TEXT, NULL};

/* More types than a loop remembers at once: the first is known all the same. */
static int sends_many_types(rp_self *me, void *arg)
{
    enum { MANY = 300 };
    struct ask a;
    for (unsigned i = 0; i < MANY; i++) {
        char name[32];
        rp_type t = *NUM;
        snprintf(name, sizeof name, "test.many%u", i);
        t.name = name;
        check_eq(rp_tell(me, rp_self_ref(me), &t, &(struct num){.n = i}), 0);
        rp_msg *m;
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
    }
    check_eq(rp_spawn(me, &clerk, &(rp_spawn_opts){.name = "clerk"}, NULL), 0);
    for (unsigned i = 0; i < MANY; i++) {
        char line[64];
        snprintf(line, sizeof line, "send clerk test.many%u{n=1}\n", i);
        check_str(ask(me, &a, arg, line), "ok\n");
    }
    return 0;
}

TEST(endpoint, sends_each_type_that_was_met)
{
    const char *path = socket_path("many");
    check_eq(run_with(sends_many_types, (void *)(uintptr_t)path, &(rp_system_opts){.loops = 2, .inspect = path}), 0);
}

TEST(endpoint, sends_what_it_is_told)
{
    const char *path = socket_path("send");
    rp_system_opts one = {.loops = 1, .inspect = path, .types = texts}, three = {.loops = 3, .inspect = path, .types = texts};
    check_eq(run_with(is_sent_to, (void *)(uintptr_t)path, &one), 0);
    check_eq(run_with(is_sent_to, (void *)(uintptr_t)path, &three), 0);
}

static void drop_it(void *body)
{
    (void)body;
}
static const rp_field owner_fields[] = {RP_FIELD(struct num, n, RP_U64)};
static const rp_type owner_type = {.name = "test.owner", .size = sizeof(struct num), .fields = owner_fields, .nfields = 1, .drop = drop_it};
static const rp_type blank_type = {.name = "test.blank", .size = sizeof(struct num)};

static void make_known(rp_self *me, const rp_type *t)
{
    rp_msg *m;
    check_eq(rp_tell(me, rp_self_ref(me), t, &(struct rp_down){.reason = 0}), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
}

static int is_told_nonsense(rp_self *me, void *arg)
{
    static const char *const asked[][2] = {
        {"send\n", "an argument or option is wrong"}, {"send clerk\n", "an argument or option is wrong"}, {"send clerk \n", "an argument or option is wrong"},
        {"send nobody test.text{}\n", "no such actor: it has ended, or nobody has that name"}, {"send 9.1.1 test.text{}\n", "no such actor: it has ended, or nobody has that name"},
        {"send clerk test.text\n", "an argument or option is wrong"}, {"send clerk test.text{\n", "an argument or option is wrong"},
        {"send clerk test.text{id=x}\n", "an argument or option is wrong"}, {"send clerk test.text{id=1} x\n", "an argument or option is wrong"},
        {"send clerk test.text{no=1}\n", "an argument or option is wrong"}, {"send clerk test.text{id=4294967296}\n", "a number is too large for its field"},
        {"send clerk test.nothing{}\n", "there is none"}, {"send clerk {}\n", "there is none"},
        {"send clerk test.owner{n=1}\n", "not supported for this type, actor or system"}, {"send clerk test.blank{}\n", "not supported for this type, actor or system"},
        {"send clerk rp.down{}\n", "not allowed: not the caller's to do, or a forked child's call into its parent's system"},
    };
    struct ask a;
    char want[100];
    make_known(me, &owner_type);
    make_known(me, &blank_type);
    make_known(me, RP_DOWN);
    check_eq(rp_spawn(me, &clerk, &(rp_spawn_opts){.name = "clerk"}, NULL), 0);
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
        snprintf(want, sizeof want, "error: %s\n", asked[i][1]);
        check(strcmp(ask(me, &a, arg, asked[i][0]), want) == 0, "%s%s", asked[i][0], a.answer);
    }
    return 0;
}

TEST(endpoint, sends_no_nonsense)
{
    const char *path = socket_path("nonsense");
    rp_system_opts o = {.loops = 2, .inspect = path, .types = texts};
    check_eq(run_with(is_told_nonsense, (void *)(uintptr_t)path, &o), 0);
}

static int sleep_long(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor sleeper = {.name = "sleeper", .handle = sleep_long};

static void spawn_full(rp_self *me, const char *name, rp_overflow overflow)
{
    rp_ref who;
    int rc = rp_spawn(me, &sleeper, &(rp_spawn_opts){.name = name, .mailbox = 2, .overflow = overflow}, &who);
    while (rc == 0) {
        rc = rp_try_tell(me, who, NUM, &(struct num){1, {0}});
        rc = rc == 0 ? rp_yield(me) : rc;
    }
    check_eq(rc, -EAGAIN);
}

static int is_full(rp_self *me, void *arg)
{
    struct ask a;
    spawn_full(me, "patient", RP_WAIT);
    spawn_full(me, "hasty", RP_FAIL);
    rp_time began = rp_now(me);
    check_str(ask(me, &a, arg, "send hasty test.num{}\n"), "error: it would have to wait, and may not\n");
    check_str(ask(me, &a, arg, "send patient test.num{}\n"), "error: the deadline has passed\n");
    check(rp_now(me) - began >= RP_S);
    int fd = dial(arg);
    check(fd >= 0 && send(fd, "send patient test.num{}\n", 24, MSG_NOSIGNAL) == 24);
    return rp_sleep(me, rp_in_ms(me, 200)); /* it waits still: the system ends all the same */
}

TEST(endpoint, sends_to_a_full_mailbox_for_a_second)
{
    const char *path = socket_path("full");
    rp_system_opts o = {.loops = 1, .inspect = path};
    check_eq(run_with(is_full, (void *)(uintptr_t)path, &o), 0);
}

static int read_answer(void *arg)
{
    struct ask *a = arg;
    ssize_t n = read((int)a->n, a->answer, sizeof a->answer - 1);
    a->answer[n > 0 ? n : 0] = 0;
    return 0;
}

/* The loop that waits for room is held so long that the thread sees it: nobody else may begin anew. */
static int holds_who_sends(rp_self *me, void *arg)
{
    struct ask a;
    int fd = dial(arg);
    spawn_full(me, "patient", RP_WAIT);
    check(fd >= 0 && send(fd, "send patient test.num{}\n", 24, MSG_NOSIGNAL) == 24);
    check_eq(rp_sleep(me, rp_in_ms(me, 300)), 0);
    for (unsigned i = 0; i < 100; i++) /* a signal may end each of them */
        usleep(20000);
    a.n = (size_t)fd;
    check_eq(rp_offload(me, read_answer, &a, RP_FOREVER), 0);
    check_str(a.answer, "error: the deadline has passed\n");
    close(fd);
    return 0;
}

TEST(endpoint, sends_once)
{
    const char *path = socket_path("once");
    rp_system_opts o = {.loops = 1, .inspect = path};
    check_eq(run_with(holds_who_sends, (void *)(uintptr_t)path, &o), 0);
}

/* ---- where it opens ------------------------------------------------------------------------------ */

static int says(rp_self *me, void *arg)
{
    (void)me;
    return *(int *)arg;
}

TEST(endpoint, opens_where_nobody_listens)
{
    const char *path = socket_path("taken");
    rp_system_opts o = {.loops = 1, .inspect = path};
    int result = -EXDEV;

    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    check_eq(bind(other, (struct sockaddr *)&at, sizeof at), 0);
    check_eq(listen(other, 1), 0);
    check_eq(run_with(says, &result, &o), -EADDRINUSE); /* it is alive */
    close(other);
    check_eq(run_with(says, &result, &o), -EXDEV);           /* it has left its socket behind */
    check_eq(access(path, F_OK), -1);

    int file = open(path, O_CREAT | O_WRONLY, 0600);
    check(file >= 0 && write(file, "precious", 8) == 8);
    close(file);
    check_eq(run_with(says, &result, &o), -EADDRINUSE);
    struct stat st;
    check(stat(path, &st) == 0 && st.st_size == 8);
    unlink(path);

    o.inspect = "/nonexistent/x";
    check_eq(run_with(says, &result, &o), -ENOENT);
    char far[200];
    memset(far, 'x', sizeof far);
    far[sizeof far - 1] = 0;
    o.inspect = far;
    check_eq(run_with(says, &result, &o), -ENAMETOOLONG);
}

TEST(endpoint, is_refused_in_a_simulation)
{
    int result = -EXDEV;
    rp_system_opts o = {.loops = 2, .sim_seed = 1, .inspect = socket_path("sim")};
    check_eq(run_with(says, &result, &o), -ENOTSUP);
}

/* ---- RP_INSPECT ---------------------------------------------------------------------------------- */

struct within {
    char dir[64];
    unsigned depth;
};

/* Inside it runs another system of this process, which gets a socket of its own. */
static int by_environment(rp_self *me, void *arg);

static int run_another(void *arg)
{
    struct within *w = arg;
    w->depth++;
    rp_system_opts o = {.loops = 1};
    return run_with(by_environment, w, &o);
}

static int by_environment(rp_self *me, void *arg)
{
    struct within *w = arg;
    struct ask a;
    char path[100];
    snprintf(path, sizeof path, w->depth ? "%s/reparto.%d.1" : "%s/reparto.%d", w->dir, (int)getpid());
    check(ends_with(ask(me, &a, path, "help\n"), "ok\n"));
    return w->depth ? 0 : rp_offload(me, run_another, w, RP_FOREVER);
}

TEST(endpoint, opens_where_the_user_says)
{
    struct within w = {.dir = "/tmp/reparto-test-XXXXXX"};
    check(mkdtemp(w.dir) != 0);
    setenv("RP_INSPECT", w.dir, 1);
    rp_system_opts o = {.loops = 2};
    check_eq(run_with(by_environment, &w, &o), 0);
    check_eq(rmdir(w.dir), 0); /* nothing is left in it */
    int result = -EXDEV; /* the program does not know of it: it goes on without */
    check_eq(run_with(says, &result, &o), -EXDEV);
    o.sim_seed = 1;
    check_eq(run_with(says, &result, &o), -EXDEV);
    unsetenv("RP_INSPECT");
}

/* ---- reading along ------------------------------------------------------------------------------- */

struct trace {
    const char *path;
    struct ask a;
    _Atomic bool over;
};

static int read_along(void *arg)
{
    struct trace *t = arg;
    t->a.path = t->path;
    int rc = ask_at(&t->a);
    atomic_store(&t->over, true);
    return rc;
}

static int read_in_a_task(rp_self *me, void *arg)
{
    return rp_offload(me, read_along, arg, RP_FOREVER);
}

static int traced_meanwhile(rp_self *me, struct trace *t, const char *text, rp_ref who)
{
    rp_scope s;
    unsigned n = 0;
    t->a.text = text;
    atomic_store(&t->over, false);
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, read_in_a_task, t, NULL);
    while (rc == 0 && !atomic_load(&t->over)) {
        rc = tell_num(me, who, n++);
        if (rc == 0)
            rc = rp_sleep(me, rp_in_ms(me, 4));
    }
    return rp_scope_close(me, &s, rc);
}

/* Many more actors than are marked in one go, and one on another loop that was there before. */
static int is_read_along(rp_self *me, void *arg)
{
    enum { MANY = 10000 };
    static struct trace t;
    rp_ref far, last;
    struct ask a;
    t.path = arg;
    check_eq(rp_spawn(me, &idler, &(rp_spawn_opts){.on = RP_LOOP(rp_loop_count(me) - 1)}, &far), 0);
    for (unsigned i = 0; i < MANY; i++)
        check_eq(rp_spawn(me, &idler, NULL, &last), 0);
    check_eq(traced_meanwhile(me, &t, "trace recv 300\n", far), 0);
    check(strncmp(t.a.answer, "# for 300 ms\n", 13) == 0, "%s", t.a.answer);
    check(strstr(t.a.answer, " recv      idler#") && !strstr(t.a.answer, " send "), "%s", t.a.answer);
    check(strstr(t.a.answer, "test.num{n="), "%s", t.a.answer);
    check(ends_with(t.a.answer, "# 0 lines lost\nok\n"), "%s", t.a.answer);
    check_eq(traced_meanwhile(me, &t, "trace send,recv 100\n", last), 0);
    check(strstr(t.a.answer, " send ") && strstr(t.a.answer, " recv "), "%s", t.a.answer);
    check_str(ask(me, &a, arg, "trace spawn 50\n"), "# for 50 ms\n# 0 lines lost\nok\n"); /* and nothing of before */
    check_str(ask(me, &a, arg, "trace spawn,nonsense\n"), "error: an argument or option is wrong\n");
    check_str(ask(me, &a, arg, "trace recv 0\n"), "error: an argument or option is wrong\n");
    check_str(ask(me, &a, arg, "trace recv 100000\n"), "error: an argument or option is wrong\n");
    check_str(ask(me, &a, arg, "trace\n"), "error: an argument or option is wrong\n");
    return 0;
}

TEST(endpoint, somebody_reads_along)
{
    const char *path = socket_path("trace");
    rp_system_opts one = {.loops = 1, .inspect = path}, three = {.loops = 3, .inspect = path};
    check_eq(run_with(is_read_along, (void *)(uintptr_t)path, &one), 0);
    check_eq(run_with(is_read_along, (void *)(uintptr_t)path, &three), 0);
}

/* One at a time; who goes ends it, and so does the system, with somebody who reads along. */
static int readers_come_and_go(rp_self *me, void *arg)
{
    struct ask a;
    char some[64];
    int first = dial(arg), last;
    rp_time begun = rp_now(me);
    check(first >= 0 && send(first, "trace all 40000\n", 16, MSG_NOSIGNAL) == 16);
    check_eq(rp_sleep(me, rp_in_ms(me, 100)), 0);
    check(read(first, some, sizeof some) > 0);
    check_str(ask(me, &a, arg, "trace recv 50\n"), "error: busy: somebody else is at it\n");
    close(first);
    while (strstr(ask(me, &a, arg, "trace recv 50\n"), "error"))
        check(rp_now(me) - begun < 20 * RP_S, "it is busy for ever");
    last = dial(arg);
    check(last >= 0 && send(last, "trace all 40000\n", 16, MSG_NOSIGNAL) == 16);
    return rp_sleep(me, rp_in_ms(me, 200));
}

TEST(endpoint, readers_come_and_go)
{
    const char *path = socket_path("readers");
    rp_system_opts o = {.loops = 2, .inspect = path};
    check_eq(run_with(readers_come_and_go, (void *)(uintptr_t)path, &o), 0);
}
