/* SPDX-License-Identifier: MIT
 *
 * Two to four nodes: in simulations with many seeds, and as real processes over nng.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const rp_type *const types[] = {&num_type, &text_type, NULL};

/* ---- a server that answers, and a client that tries everything ------------------------------------- */

struct server {
    rp_ref watcher;
    uint64_t next; /* in order: what was told must come as 0, 1, 2 ... */
};

enum { STOP_SERVER = 1000000, FAIL_SERVER, PASS_ON, NO_REPLY_PLEASE };

static int server_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct server *s = state;
    const struct text *t = rp_body(m, TEXT);
    if (t) {
        struct text r = {t->id + 1, t->text};
        return rp_wants_reply(m) ? rp_reply(me, m, TEXT, &r) : rp_tell(me, rp_from(me, m), TEXT, &r);
    }
    const struct num *b = rp_body(m, NUM);
    if (!b)
        return -EBADMSG;
    struct num r = {b->n * 2, rp_self_ref(me)};
    if (b->n == STOP_SERVER)
        return RP_STOP;
    if (b->n == FAIL_SERVER)
        return -EIO;
    if (b->n == NO_REPLY_PLEASE)
        return 0;
    if (b->n == PASS_ON && !rp_ref_eq(b->ref, rp_self_ref(me)))
        return rp_forward(me, m, b->ref);
    if (rp_wants_reply(m)) {
        r.n = s->next + b->n;
        return rp_reply(me, m, NUM, &r);
    }
    check_eq(b->n, s->next);
    s->next++;
    return s->next % 64 == 0 ? rp_yield(me) : 0;
}
static const rp_actor server = {.name = "server", .handle = server_handle, .state_size = sizeof(struct server)};

static int server_root(rp_self *me, void *arg)
{
    int *report = arg;
    rp_ref a, b;
    rp_spawn_opts o = {.name = "server", .monitor = true}, o2 = {.name = "far", .on = RP_LOOP(rp_loop_count(me) - 1)};
    check_eq(rp_spawn(me, &server, &o, &a), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0); /* whoever looks for it meanwhile waits */
    check_eq(rp_spawn(me, &server, &o2, &b), 0);
    if (report) { /* a real process: says where it listens */
        char url[128] = "";
        check_eq(rp_listen_url(me, url, sizeof url), 0);
        check(write(*report, url, sizeof url) == sizeof url);
    }
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    return d.reason;
}

static int call_num(rp_self *me, rp_ref to, uint64_t n, uint64_t *ret, rp_time deadline)
{
    struct num b = {n, {0, 0}};
    rp_msg *m;
    int rc = rp_call(me, to, NUM, &b, &m, deadline);
    if (rc == 0) {
        *ret = ((const struct num *)rp_body(m, NUM))->n;
        rp_msg_drop(me, m);
    }
    return rc;
}

static int find(rp_self *me, const char *url, const char *name, rp_node *node, rp_ref *ref)
{
    int rc = rp_connect(me, url, node, rp_in_ms(me, 20000));
    return rc != 0 ? rc : rp_lookup(me, *node, name, ref, rp_in_ms(me, 20000));
}

struct wide { /* longer than a text on the wire may be */
    char text[1 << 16];
};
static const rp_field wide_fields[] = {RP_FIELD(struct wide, text, RP_CHARS)};
static const rp_type wide_type = RP_TYPE("test.wide", struct wide, wide_fields);

static void ask_too_much(rp_self *me, rp_ref to)
{
    static struct wide wide;
    rp_msg *m;
    memset(wide.text, 'x', sizeof wide.text);
    check_eq(rp_tell(me, to, &wide_type, &wide), -EMSGSIZE);
    check_eq(rp_call(me, to, &wide_type, &wide, &m, RP_FOREVER), -EMSGSIZE);
    wide.text[sizeof wide.text - 1] = 0;
    check_eq(rp_call(me, to, &wide_type, &wide, &m, RP_FOREVER), -ENOTSUP); /* the type is ours alone */
}

enum { TOLD = 3000 };

static int client_everything(rp_self *me, void *arg)
{
    const char *url = arg;
    rp_node node, again;
    rp_ref near, far, nobody;
    uint64_t n = 0;
    check_eq(find(me, url, "server", &node, &near), 0);
    check_eq(find(me, url, "far", &again, &far), 0);
    check(node.id == again.id, "two links with one node");
    check_eq(rp_lookup(me, node, "nobody", &nobody, 0), -ESRCH);
    check_eq(rp_lookup(me, node, "nobody", &nobody, rp_in_ms(me, 5)), -ETIMEDOUT);
    check_eq(rp_lookup(me, rp_this_node(me), "nobody", &nobody, 0), -ESRCH);
    char name[32];
    check_eq(rp_node_name(me, node, name, sizeof name), 0);
    check_str(name, "the-server");

    for (uint64_t i = 0; i < TOLD; i++) {
        check_eq(tell_num(me, near, i), 0);
        check_eq(tell_num(me, far, i), 0);
    }
    check_eq(call_num(me, near, 7, &n, RP_FOREVER), 0);
    check_eq(n, TOLD + 7);
    check_eq(call_num(me, far, 8, &n, rp_in_ms(me, 60000)), 0);
    check_eq(n, TOLD + 8);
    check_eq(call_num(me, far, NO_REPLY_PLEASE, &n, RP_FOREVER), -EPIPE);
    rp_ref ghost = far;
    ghost.local ^= 0xffff;
    check_eq(call_num(me, ghost, 1, &n, RP_FOREVER), -ESRCH);

    static char text[1 << 16];
    check(rp_metrics_text(me, text, sizeof text) > 0);
    const char *credit = strstr(text, "reparto_link_credit_used_bytes{link=\"");
    unsigned long long bytes = ~0ull;
    check(credit && sscanf(credit, "%*[^}]} %llu", &bytes) == 1 && bytes <= 2 * 256 * 1024, "%llu", bytes);
    check(strstr(text, ",peer=\"the-server\"} "));

    ask_too_much(me, far);
    char big[5000];
    memset(big, 'x', sizeof big);
    struct text t = {1, {big, sizeof big}};
    rp_msg *m;
    check_eq(rp_call(me, far, TEXT, &t, &m, RP_FOREVER), 0);
    const struct text *r = rp_body(m, TEXT);
    check(r->id == 2 && r->text.size == sizeof big && memcmp(r->text.data, big, sizeof big) == 0);
    check(rp_ref_eq(rp_from(me, m), far));
    rp_msg_drop(me, m);
    check_eq(rp_tell(me, near, TEXT, &t), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check(rp_ref_eq(rp_from(me, m), near));
    rp_msg_drop(me, m);

    struct num pass = {PASS_ON, far}; /* near passes it on to far, which replies to us */
    check_eq(rp_call(me, near, NUM, &pass, &m, rp_in_ms(me, 60000)), 0);
    check_eq(((const struct num *)rp_body(m, NUM))->n, TOLD + PASS_ON);
    check(rp_ref_eq(rp_from(me, m), far));
    rp_msg_drop(me, m);
    return 0;
}

struct watch_arg {
    const char *url;
    int want;
};

/* Monitors an actor and the node, has the server fail, and sees both go in order. */
static int client_watches(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref near, far;
    struct rp_down d;
    check_eq(find(me, arg, "server", &node, &near), 0);
    check_eq(find(me, arg, "far", &node, &far), 0);
    check_eq(rp_monitor(me, near), 0);
    check_eq(rp_node_monitor(me, node), 0);
    rp_ref ghost = near;
    ghost.local ^= 1 << 30;
    check_eq(rp_monitor(me, ghost), 0);
    check_eq(recv_down(me, &d), 0);
    check(rp_ref_eq(d.who, ghost) && d.reason == -ESRCH);
    check_eq(tell_num(me, near, FAIL_SERVER), 0);
    check_eq(recv_down(me, &d), 0);
    check(rp_ref_eq(d.who, near));
    check_eq(d.reason, -EIO);
    check_str(d.name, "server");
    rp_msg *m;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    const struct rp_node_down *nd = rp_body(m, RP_NODE_DOWN);
    check(nd && nd->node == node.id && nd->reason == 0, "the node left in peace");
    check_str(nd->name, "the-server");
    rp_msg_drop(me, m);
    check_eq(tell_num(me, far, 1), -EHOSTUNREACH);
    uint64_t n;
    check_eq(call_num(me, far, 1, &n, RP_FOREVER), -EHOSTUNREACH);
    check_eq(rp_monitor(me, far), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -EHOSTUNREACH);
    check_eq(rp_node_monitor(me, node), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check(rp_body(m, RP_NODE_DOWN) != 0);
    rp_msg_drop(me, m);
    return 0;
}

/* ---- simulated ------------------------------------------------------------------------------------ */

struct sim_run {
    uint64_t hash;
    int server, client;
};

static struct sim_run simulate(uint64_t seed, root_fn *client)
{
    rp_sim *s = rp_sim_new(seed);
    unsigned a, b;
    rp_ledger la, lb;
    rp_actor sr = {.name = "server-root", .run = server_root}, cr = {.name = "client", .run = client};
    rp_system_opts so = {.loops = 1 + (unsigned)(seed % 3), .listen = "sim://server", .node = "the-server", .types = types, .ledger = &la};
    rp_system_opts co = {.loops = 1 + (unsigned)(seed / 3 % 3), .types = types, .ledger = &lb};
    memset(&la, 0, sizeof la);
    memset(&lb, 0, sizeof lb);
    check_eq(rp_sim_add(s, &cr, (void *)(uintptr_t) "sim://server", &co, &b), 0);
    check_eq(rp_sim_add(s, &sr, NULL, &so, &a), 0);
    int rc = rp_sim_run(s, 100 * RP_S);
    if (rc != 0 && rp_sim_result(s, b) != -EBUSY) {
        rp_sim_crash(s, a); /* the client is done, the server waits for ever */
        rc = rp_sim_run(s, RP_S);
    }
    check(rc == 0, "seed %llu: %d", (unsigned long long)seed, rc);
    struct sim_run r = {rp_sim_hash(s), rp_sim_result(s, a), rp_sim_result(s, b)};
    rp_sim_free(s);
    check_eq(lb.sent + lb.arrived, lb.handled + lb.left + lb.dead + lb.dropped + lb.late + lb.expired);
    if (r.server != -EOWNERDEAD)
        check_eq(la.sent + la.arrived, la.handled + la.left + la.dead + la.dropped + la.late + la.expired);
    return r;
}

TEST(cluster, everything_simulated)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(20); i++)
        check_eq(simulate(seed + i, client_everything).client, 0);
}

TEST(cluster, watching_simulated)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(20); i++) {
        struct sim_run r = simulate(seed + i, client_watches);
        check_eq(r.client, 0);
        check_eq(r.server, -EIO);
    }
}

/* Both ends' lines stand in one file; each event is one of them. */
TEST(cluster, links_are_lines_of_the_trace)
{
    char path[64], line[512];
    unsigned up = 0, down = 0, ghost = 0, monitors = 0, nodes = 0, ended = 0, node_ended = 0, lost = 0, node_lost = 0;
    snprintf(path, sizeof path, "/tmp/reparto-links-%d", (int)getpid());
    unlink(path);
    setenv("RP_TRACE", "link", 1);
    setenv("RP_TRACE_FILE", path, 1);
    check_eq(simulate(test_seed(), client_watches).client, 0);
    unsetenv("RP_TRACE");
    FILE *f = fopen(path, "r");
    check(f != NULL);
    while (fgets(line, sizeof line, f)) {
        bool there = strstr(line, "\"the-server\"");
        up += there && strstr(line, " is up\n");
        down += there && strstr(line, " is down, 0\n");
        monitors += strstr(line, "@") && strstr(line, " monitors #");
        nodes += strstr(line, " monitors node ") != 0;
        ghost += strstr(line, "@") && strstr(line, " is down, -3: told to #0.0.1\n");
        ended += strstr(line, "@") && strstr(line, " is down, -5: told to #0.0.1\n");
        lost += strstr(line, "@") && strstr(line, " is down, -113: told to #0.0.1\n");
        node_ended += strstr(line, " node ") && strstr(line, " is down, 0: told to #0.0.1\n");
        node_lost += strstr(line, " node ") && strstr(line, " is down, -113: told to #0.0.1\n");
    }
    fclose(f);
    unlink(path);
    check(up == 1 && down == 1, "%u %u", up, down);
    check(monitors == 2 && ghost == 1 && ended == 1 && lost == 1, "%u %u %u %u", monitors, ghost, ended, lost);
    check(nodes == 1 && node_ended == 1 && node_lost == 1, "%u %u %u", nodes, node_ended, node_lost);
}

TEST(cluster, a_hundred_seeds_twice_have_equal_hashes)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(100); i++) {
        root_fn *client = i % 2 ? client_watches : client_everything;
        struct sim_run first = simulate(seed + i, client), second = simulate(seed + i, client);
        check(first.hash == second.hash, "seed %llu runs two ways", (unsigned long long)(seed + i));
    }
}

/* A name is looked for again and again, each time for a moment: what was given up is forgotten at the other end too. */
static int client_looks_again(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref r;
    check_eq(find(me, arg, "server", &node, &r), 0);
    for (unsigned i = 0; i < 1500; i++)
        check_eq(rp_lookup(me, node, "nobody", &r, rp_in_ms(me, 2)), -ETIMEDOUT);
    return 0;
}

TEST(cluster, looking_again_and_again)
{
    check_eq(simulate(test_seed(), client_looks_again).client, 0);
}

/* ---- faults, simulated ---------------------------------------------------------------------------- */

static int client_sees_loss(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref near, far;
    check_eq(find(me, arg, "server", &node, &near), 0);
    check_eq(find(me, arg, "far", &node, &far), 0);
    check_eq(rp_monitor(me, near), 0);
    check_eq(rp_node_monitor(me, node), 0);
    check_eq(rp_monitor(me, far), 0);
    uint64_t i = 0;
    int rc;
    while ((rc = tell_num(me, far, i)) == 0) { /* until the link goes */
        i++;
        if (i % 50 == 0 && (rc = rp_sleep(me, rp_in_ms(me, 5))) != 0)
            return rc;
    }
    check_eq(rc, -EHOSTUNREACH);
    int downs = 0;
    for (;;) {
        rp_msg *m;
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
        const struct rp_down *d = rp_body(m, RP_DOWN);
        if (d) {
            check_eq(d->reason, -EHOSTUNREACH);
            downs++;
        }
        bool node_down = rp_body(m, RP_NODE_DOWN) != 0;
        rp_msg_drop(me, m);
        if (node_down)
            break;
    }
    check_eq(downs, 2); /* the actors' before the node's */
    rp_msg *m;
    check_eq(rp_recv(me, &m, rp_in_ms(me, 100)), -ETIMEDOUT); /* and each once */
    return 0;
}

static void simulate_loss(uint64_t seed, int how)
{
    rp_sim *s = rp_sim_new(seed);
    unsigned a, b;
    rp_actor sr = {.name = "server-root", .run = server_root}, cr = {.name = "client", .run = client_sees_loss};
    rp_system_opts so = {.listen = "sim://server", .types = types}, co = {.types = types};
    check_eq(rp_sim_add(s, &sr, NULL, &so, &a), 0);
    check_eq(rp_sim_add(s, &cr, (void *)(uintptr_t) "sim://server", &co, &b), 0);
    check_eq(rp_sim_run(s, RP_S + (rp_time)(rp_sim_random(s) % (uint64_t)RP_S)), -ETIMEDOUT);
    if (how == 0)
        rp_sim_crash(s, a);
    else if (how == 1)
        rp_sim_partition(s, a, b, true); /* nothing comes, nothing breaks: the heartbeat finds out */
    else if (how == 2)
        rp_sim_cut(s, a, b);
    else
        rp_sim_pause(s, a, 100 * RP_S);
    int rc = rp_sim_run(s, 30 * RP_S);
    check(rc == 0 || rc == -ETIMEDOUT || rc == -EDEADLK, "%d", rc);
    check(rp_sim_result(s, b) == 0, "seed %llu, fault %d: %d", (unsigned long long)seed, how, rp_sim_result(s, b));
    rp_sim_free(s);
}

TEST(cluster, a_lost_node_is_told_once_and_last)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(40); i++)
        simulate_loss(seed + i, (int)(i % 4));
}

/* ---- real processes, over nng and over plain sockets ---------------------------------------------------------------------- */

static pid_t start_server(const char *listen, const char *secret, char url[128])
{
    int fd[2];
    check(pipe(fd) == 0);
    pid_t pid = fork(); /* before anything of nng has been touched in this process */
    check(pid >= 0);
    if (pid == 0) {
        close(fd[0]);
        rp_actor sr = {.name = "server-root", .run = server_root};
        rp_system_opts o = {.loops = 2, .listen = listen, .node = "the-server", .types = types, .secret = secret};
        _exit(rp_run(&sr, &fd[1], &o) == 0 ? 0 : 1);
    }
    close(fd[1]);
    check(read(fd[0], url, 128) == 128, "the server did not start");
    close(fd[0]);
    return pid;
}

static int run_client(root_fn *fn, char *url, const char *secret)
{
    rp_system_opts o = {.loops = 2, .types = types, .secret = secret};
    return run_with(fn, url, &o);
}

static const char *transports[] = {
    "tcp://127.0.0.1:0", "ipc:///tmp/reparto-test-%d", "abstract://reparto-test-%d",
    "uv+tcp://127.0.0.1:0", "uv+ipc:///tmp/reparto-test-uv-%d", "uv+abstract://reparto-test-uv-%d",
};

/* The same URL, over the other carrier. */
static void change_carrier(char url[128])
{
    char other[128];
    if (strncmp(url, "uv+", 3) == 0)
        memmove(url, url + 3, 125);
    else if (snprintf(other, sizeof other, "uv+%s", url) > 0)
        memcpy(url, other, sizeof other);
}

static pid_t start_over(unsigned transport, char url[128])
{
    char listen[64];
    snprintf(listen, sizeof listen, transports[transport], (int)getpid());
    return start_server(listen, 0, url);
}

static void end_server(pid_t pid, const char *url)
{
    kill(pid, SIGKILL);
    check(waitpid(pid, 0, 0) == pid);
    const char *path = strstr(url, "ipc://");
    if (path)
        unlink(path + 6);
}

static void with_server(unsigned transport, root_fn *client, int client_rc, int server_status)
{
    char url[128];
    pid_t pid = start_over(transport, url);
    check_eq(run_client(client, url, 0), client_rc);
    if (server_status < 0) {
        end_server(pid, url);
        return;
    }
    int status;
    check(waitpid(pid, &status, 0) == pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) == server_status, "the server ended with %x", status);
}

TEST(nng, everything_over_tcp)
{
    with_server(0, client_everything, 0, -1);
}

TEST(nng, everything_over_ipc)
{
    with_server(1, client_everything, 0, -1);
}

TEST(nng, everything_over_abstract)
{
    with_server(2, client_everything, 0, -1);
}

TEST(nng, watching_over_tcp)
{
    with_server(0, client_watches, 0, 1);
}

TEST(uv, everything_over_tcp)
{
    with_server(3, client_everything, 0, -1);
}

TEST(uv, everything_over_ipc)
{
    with_server(4, client_everything, 0, -1);
}

TEST(uv, everything_over_abstract)
{
    with_server(5, client_everything, 0, -1);
}

TEST(uv, watching_over_tcp)
{
    with_server(3, client_watches, 0, 1);
}

TEST(uv, watching_over_ipc)
{
    with_server(4, client_watches, 0, 1);
}

/* Either end may be of either kind: the wire is one. */
TEST(uv, links_with_nng)
{
    static const unsigned over[] = {0, 1, 3, 4, 5};
    char url[5][128];
    pid_t pid[5];
    for (unsigned i = 0; i < 5; i++) /* all before this process has threads */
        pid[i] = start_over(over[i], url[i]);
    for (unsigned i = 0; i < 5; i++) {
        change_carrier(url[i]);
        check_eq(run_client(client_everything, url[i], 0), 0);
        end_server(pid[i], url[i]);
    }
}

static int client_kills(rp_self *me, void *arg)
{
    struct { char *url; pid_t pid; } *a = arg;
    rp_node node;
    rp_ref near;
    check_eq(find(me, a->url, "server", &node, &near), 0);
    check_eq(rp_node_monitor(me, node), 0);
    for (uint64_t i = 0; i < 2000; i++)
        check_eq(tell_num(me, near, i), 0);
    kill(a->pid, SIGKILL);
    rp_msg *m;
    check_eq(rp_recv(me, &m, rp_in_ms(me, 20000)), 0);
    check(rp_body(m, RP_NODE_DOWN) != 0);
    rp_msg_drop(me, m);
    return 0;
}

static void notice_killed_peer(const char *listen)
{
    char url[128];
    struct { char *url; pid_t pid; } a = {url, start_server(listen, 0, url)};
    rp_system_opts o = {.loops = 2, .types = types};
    check_eq(run_with(client_kills, &a, &o), 0);
    waitpid(a.pid, 0, 0);
}

TEST(nng, a_killed_peer_is_noticed)
{
    notice_killed_peer("tcp://127.0.0.1:0");
}

TEST(uv, a_killed_peer_is_noticed)
{
    notice_killed_peer("uv+tcp://127.0.0.1:0");
}

static int client_refused(rp_self *me, void *arg)
{
    rp_node node;
    return rp_connect(me, arg, &node, rp_in_ms(me, 20000));
}

TEST(nng, secrets_must_agree)
{
    char url[128];
    pid_t pid = start_server("tcp://127.0.0.1:0", "open sesame", url);
    check_eq(run_client(client_refused, url, "open barley"), -EACCES);
    check_eq(run_client(client_refused, url, 0), -EACCES);
    check_eq(run_client(client_refused, url, "open sesame"), 0);
    kill(pid, SIGKILL);
    waitpid(pid, 0, 0);
}

static int nothing(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

TEST(nng, listening_beyond_loopback_needs_a_secret)
{
    rp_system_opts o = {.loops = 1, .listen = "tcp://0.0.0.0:0"};
    check_eq(run_with(nothing, 0, &o), -ENOKEY);
    o.listen = "uv+tcp://0.0.0.0:0";
    check_eq(run_with(nothing, 0, &o), -ENOKEY);
    o.secret = "s";
    check_eq(run_with(nothing, 0, &o), 0);
    o.listen = "smtp://x";
    check_eq(run_with(nothing, 0, &o), -EINVAL);
}

static int client_patience(rp_self *me, void *arg)
{
    (void)arg;
    rp_node node;
    rp_time from = rp_now(me);
    check_eq(rp_connect(me, "tcp://127.0.0.1:1", &node, rp_in_ms(me, 150)), -ETIMEDOUT);
    check(rp_now(me) - from >= 150 * RP_MS);
    check_eq(rp_connect(me, "gopher://x", &node, RP_FOREVER), -EINVAL);
    return 0;
}

TEST(nng, connecting_to_nobody_times_out)
{
    check_eq(run_with(client_patience, 0, 0), 0);
}

/* Where nobody answers at all: a line of comers that is full, and is not served. */
static int full_line(char url[128], const char *scheme)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int ln = socket(AF_INET, SOCK_STREAM, 0);
    check(ln >= 0 && bind(ln, (struct sockaddr *)&at, sizeof at) == 0 && listen(ln, 0) == 0);
    check(getsockname(ln, (struct sockaddr *)&at, &n) == 0);
    for (unsigned i = 0; i < 4; i++) { /* they stay until this process ends */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        check(fd >= 0 && (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS));
    }
    snprintf(url, 128, "%s://127.0.0.1:%u", scheme, ntohs(at.sin_port));
    return ln;
}

static int client_leaves_dialling(rp_self *me, void *arg)
{
    rp_node node;
    check_eq(rp_connect(me, arg, &node, rp_in_ms(me, 20)), -ETIMEDOUT);
    return 0;
}

TEST(nng, ends_while_it_dials)
{
    char url[128];
    int ln = full_line(url, "tcp");
    check_eq(run_client(client_leaves_dialling, url, 0), 0);
    close(ln);
}

TEST(uv, ends_while_it_dials)
{
    char url[128];
    int ln = full_line(url, "uv+tcp");
    check_eq(run_client(client_leaves_dialling, url, 0), 0);
    close(ln);
}

static rp_time cpu_time(void)
{
    struct rusage r;
    check(getrusage(RUSAGE_SELF, &r) == 0);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * RP_S + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * RP_US;
}

/* Somebody comes when there is no descriptor left for him: it is tried again after a while, and not in between. */
static int out_of_descriptors(rp_self *me, void *arg)
{
    char url[128];
    (void)arg;
    check_eq(rp_listen_url(me, url, sizeof url), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), last = fd;
    struct rlimit few;
    check(getrlimit(RLIMIT_NOFILE, &few) == 0);
    few.rlim_cur = (rlim_t)fd + 20;
    check(setrlimit(RLIMIT_NOFILE, &few) == 0);
    for (int got; (got = dup(fd)) >= 0;)
        last = got;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    check(connect(fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS);
    rp_time from = cpu_time();
    check_eq(rp_sleep(me, rp_in_ms(me, 500)), 0);
    check(cpu_time() - from < 100 * RP_MS, "%lld ms of work", (long long)((cpu_time() - from) / RP_MS));
    for (int i = fd; i <= last; i++)
        close(i);
    rp_node node;
    check_eq(rp_connect(me, url, &node, rp_in_ms(me, 20000)), -EPROTO); /* itself: it answers */
    return 0;
}

TEST(nng, out_of_descriptors)
{
    check_eq(run_with(out_of_descriptors, 0, &(rp_system_opts){.loops = 1, .listen = "tcp://127.0.0.1:0"}), 0);
}

TEST(uv, out_of_descriptors)
{
    check_eq(run_with(out_of_descriptors, 0, &(rp_system_opts){.loops = 1, .listen = "uv+tcp://127.0.0.1:0"}), 0);
}

/* Each of these is its own way to end a dial or a listener over plain sockets. */
static int client_misdials(rp_self *me, void *arg)
{
    (void)arg;
    rp_node node;
    check_eq(rp_connect(me, "uv+tcp://127.0.0.1:1", &node, rp_in_ms(me, 150)), -ETIMEDOUT);
    check_eq(rp_connect(me, "uv+tcp://localhost:1", &node, rp_in_ms(me, 150)), -ETIMEDOUT);
    int rc = rp_connect(me, "uv+tcp://no.such.host.invalid:1", &node, rp_in_ms(me, 200));
    check(rc == -EINVAL || rc == -ETIMEDOUT, "%d", rc); /* where nobody answers such questions it is asked again */
    check_eq(rp_connect(me, "uv+ipc:///tmp/reparto-nobody", &node, rp_in_ms(me, 50)), -ETIMEDOUT);
    check_eq(rp_connect(me, "uv+abstract://100%", &node, RP_FOREVER), -EINVAL);
    check_eq(rp_connect(me, "uv+tcp://127.0.0.1", &node, RP_FOREVER), -EINVAL);
    check_eq(rp_connect(me, "uv+tcp://127.0.0.1:", &node, RP_FOREVER), -EINVAL);
    check_eq(rp_connect(me, "uv+tcp://[::1:80", &node, RP_FOREVER), -EINVAL);
    check_eq(rp_connect(me, "uv+gopher://x", &node, RP_FOREVER), -EINVAL);
    static const char *const none[] = {"65536", "131073", "4294967297", "18446744073709551617", "-1", "+1", " 1", "1x"};
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++) /* 65536 + n is not n */
        for (unsigned uv = 0; uv < 2; uv++) {
            char url[64];
            snprintf(url, sizeof url, "%stcp://127.0.0.1:%s", uv ? "uv+" : "", none[i]);
            check_eq(rp_connect(me, url, &node, rp_in_ms(me, 100)), -EINVAL);
        }
    return 0;
}

TEST(uv, what_cannot_be_dialled)
{
    check_eq(run_with(client_misdials, 0, 0), 0);
}

TEST(uv, what_cannot_be_listened_at)
{
    char url[128];
    pid_t pid = start_server("uv+tcp://127.0.0.1:0", 0, url);
    rp_system_opts o = {.loops = 1, .listen = "uv+ipc:///no/such/place"};
    check_eq(run_with(nothing, 0, &o), -ENOENT);
    o.listen = "uv+tcp://127.0.0.1";
    check_eq(run_with(nothing, 0, &o), -EINVAL);
    o.listen = "uv+tcp://127.0.0.1:65536";
    check_eq(run_with(nothing, 0, &o), -EINVAL);
    o.listen = "tcp://127.0.0.1:65536";
    check_eq(run_with(nothing, 0, &o), -EINVAL);
    o.listen = "uv+abstract://%00";
    check_eq(run_with(nothing, 0, &o), -EINVAL);
    o.listen = url;
    check_eq(run_with(nothing, 0, &o), -EADDRINUSE);
    kill(pid, SIGKILL);
    waitpid(pid, 0, 0);
}
