/* SPDX-License-Identifier: MIT
 *
 * kills.c - a busy peer process is killed, again and again: each time its loss is told, once, to who
 * monitors it, its actors' first; what came of its messages is the beginning of what it sent; and this
 * process keeps no descriptor and no memory of it.
 */
#include "tests/stress/stress.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const rp_type *const types[] = {&num_type, &text_type, NULL};

/* ---- the peer: a process that talks as fast as it can ------------------------------------------------- */

static int babble(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    if (!rp_wants_reply(m))
        return 0;
    struct num r = {0, rp_self_ref(me)};
    int rc = rp_reply(me, m, NUM, &r);
    for (uint64_t n = 0; rc == 0; n++) {
        struct num b = {n, {0, 0}};
        rc = rp_tell(me, rp_from(me, m), NUM, &b);
    }
    return rc;
}
static const rp_actor babbler = {.name = "babbler", .handle = babble};

static int peer_run(rp_self *me, void *arg)
{
    rp_spawn_opts o = {.name = "babbler", .on = RP_SPREAD};
    (void)arg;
    check_eq(rp_spawn(me, &babbler, &o, NULL), 0);
    return rp_sleep(me, RP_FOREVER);
}

static int peer_main(const char *url)
{
    rp_actor root = {.name = "peer", .run = peer_run};
    rp_system_opts o = {.on_report = unreported, .loops = 1, .listen = url, .types = types, .spin_us = -1};
    return rp_run(&root, 0, &o);
}

/* ---- this process ------------------------------------------------------------------------------------ */

struct killing {
    int orders, pids; /* pipes: to and from who forks peers; nng does not live through a fork */
    const char *url;
    uint64_t times, came;
    unsigned files;
    unsigned long rss;
};

static pid_t order_peer(struct killing *k)
{
    pid_t pid;
    check(write(k->orders, "p", 1) == 1);
    check(read(k->pids, &pid, sizeof pid) == sizeof pid);
    return pid;
}

/* Listens to the babble until everything there is to hear of the peer's end has been heard. */
static void hear_it_die(rp_self *me, rp_node node, rp_ref who, pid_t pid, struct killing *k)
{
    uint64_t next = 0, kill_at = rp_random(me) % 3000;
    unsigned downs = 0;
    for (bool node_down = false; !node_down;) {
        rp_msg *m;
        check_eq(rp_recv(me, &m, rp_in_ms(me, 30000)), 0);
        const struct num *b = rp_body(m, NUM);
        const struct rp_down *d = rp_body(m, RP_DOWN);
        const struct rp_node_down *nd = rp_body(m, RP_NODE_DOWN);
        if (b) {
            check(b->n == next && downs == 0, "%llu came, %llu was expected", (unsigned long long)b->n, (unsigned long long)next);
            if (next++ == kill_at)
                check(kill(pid, SIGKILL) == 0);
        } else if (d) {
            check(rp_ref_eq(d->who, who) && d->reason == -EHOSTUNREACH && downs++ == 0);
        } else {
            check(nd && nd->node == node.id && downs == 1);
            node_down = true;
        }
        rp_msg_drop(me, m);
    }
    k->came += next;
}

static int kill_peers(rp_self *me, void *arg)
{
    struct killing *k = arg;
    for (uint64_t i = 0; i < k->times; i++) {
        pid_t pid = order_peer(k);
        rp_node node;
        rp_ref who;
        rp_msg *m;
        struct num b = {0, {0, 0}};
        check_eq(rp_connect(me, k->url, &node, rp_in_ms(me, 30000)), 0);
        check_eq(rp_lookup(me, node, "babbler", &who, rp_in_ms(me, 30000)), 0);
        check_eq(rp_monitor(me, who), 0);
        check_eq(rp_node_monitor(me, node), 0);
        check_eq(rp_call(me, who, NUM, &b, &m, rp_in_ms(me, 30000)), 0);
        rp_msg_drop(me, m);
        hear_it_die(me, node, who, pid, k);
        check_eq(rp_recv(me, &m, rp_in_ms(me, 2)), -ETIMEDOUT); /* and nothing more */
        if (i == k->times / 4) {
            k->files = open_files();
            k->rss = rss_kb();
        }
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 200)), 0);
    check(open_files() <= k->files + 4, "%u descriptors, %u were open before", open_files(), k->files);
    check(rss_kb() <= k->rss + 8192, "%lu KiB, it was %lu", rss_kb(), k->rss);
    return 0;
}

/* Forks a peer for each byte that comes, and waits for the one before. */
static void serve_forks(int orders, int pids, const char *url)
{
    char c;
    pid_t pid = 0;
    while (read(orders, &c, 1) == 1) {
        if (pid)
            waitpid(pid, 0, 0);
        unlink(strstr(url, "://") + 3);
        if ((pid = fork()) == 0)
            _exit(peer_main(url) != 0);
        if (write(pids, &pid, sizeof pid) != sizeof pid)
            break;
    }
    if (pid) {
        kill(pid, SIGKILL);
        waitpid(pid, 0, 0);
    }
    _exit(0);
}

struct forker { /* forks the peers of one carrier: made before this process has any thread */
    const char *scheme;
    char url[64];
    int orders, pids;
    pid_t pid;
};

static void forker_start(struct forker *f, const char *scheme, const struct forker *before)
{
    int orders[2], pids[2];
    f->scheme = scheme;
    snprintf(f->url, sizeof f->url, "%s:///tmp/reparto-kills-%d", scheme, (int)getpid());
    check(pipe(orders) == 0 && pipe(pids) == 0);
    f->pid = fork();
    check(f->pid >= 0);
    if (f->pid == 0) {
        close(orders[1]);
        close(pids[0]);
        if (before) { /* or that one would never see the end of its orders */
            close(before->orders);
            close(before->pids);
        }
        serve_forks(orders[0], pids[1], f->url);
    }
    close(orders[0]);
    close(pids[1]);
    f->orders = orders[1];
    f->pids = pids[0];
}

static void kills_over(struct forker *f)
{
    struct killing k = {.orders = f->orders, .pids = f->pids, .url = f->url, .times = size_from("RP_KILLS", 200)};
    rp_system_opts o = {.on_report = unreported, .loops = 2, .types = types, .spin_us = -1};
    check_eq(run_with(kill_peers, &k, &o), 0);
    close(f->orders);
    close(f->pids);
    waitpid(f->pid, 0, 0);
    unlink(strstr(f->url, "://") + 3);
    printf("%s: %llu peers killed, %llu messages came from them\n", f->scheme, (unsigned long long)k.times,
           (unsigned long long)k.came);
}

unsigned stress_kills(void)
{
    struct forker f[2];
    forker_start(&f[1], "ipc", 0);
    forker_start(&f[0], "uv+ipc", &f[1]);
    for (unsigned i = 0; i < 2; i++)
        kills_over(&f[i]);
    return 2;
}
