/* SPDX-License-Identifier: MIT
 *
 * storm.c - clusters under a storm of faults, from a seed: cuts, partitions, pauses, slow links, nodes
 * that are killed and started again; then the sky clears, and everything must be accounted for.
 *
 *     storm [SEEDS] [FIRST]      each seed twice; two processes
 *
 * Every node sends to every other, numbered, over a link that it makes again whenever it is lost. A flow
 * is what one sender sends over one link. Held to the contract of docs/contract.md, "Links":
 *   - what arrives of a flow is its beginning: no gap, no duplicate, no reordering;
 *   - a flow ends with a call that says all has arrived, or with exactly one RP_NODE_DOWN;
 *   - the books of every node balance, after every turn of every loop; the same seed gives the same run, hash
 *     for hash.
 */
#include "reparto/sim.h"
#include "tests/audit.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NODES = 4, FLOWS = 8192, LIVES = 64 };

static const rp_time STORM = 3 * RP_S, CALM = 16 * RP_S, OVER = 60 * RP_S;

static uint64_t seed_now;

void test_failed(const char *file, int line, const char *cond, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "    seed %" PRIu64 ": %s:%d: %s\n    ", seed_now, file, line, cond);
    vfprintf(stderr, format, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    _exit(1);
}

uint64_t test_seed(void)
{
    return seed_now;
}

/* ---- what is known from outside --------------------------------------------------------------------- */

struct life { /* one run of a node */
    unsigned node, handle;
    bool crashed;
    rp_ledger ledger;
    struct storm *storm;
};

struct flow {
    struct life *from;
    uint64_t sent, received;
    unsigned downs;
    bool watched, complete;
};

struct storm {
    rp_sim *sim;
    rp_time begin;
    unsigned nodes, nflows, nlives;
    struct flow flow[FLOWS];
    struct life life[LIVES];
    struct life *up[NODES];
    rp_time back[NODES]; /* when a node that is down is started again */
};

struct numbered {
    uint32_t flow, n;
};
static const rp_field numbered_fields[] = {
    RP_FIELD(struct numbered, flow, RP_U32),
    RP_FIELD(struct numbered, n, RP_U32),
};
static const rp_type numbered_type = RP_TYPE("storm.numbered", struct numbered, numbered_fields);
#define NUMBERED (&numbered_type)

static const rp_type *const types[] = {&numbered_type, &num_type, NULL};

/* ---- a node ----------------------------------------------------------------------------------------- */

static int receive(rp_self *me, void *state, const rp_msg *m)
{
    struct storm *st = *(struct storm **)state;
    const struct numbered *b = rp_body(m, NUMBERED);
    check(b && b->flow < st->nflows);
    struct flow *f = &st->flow[b->flow];
    if (rp_wants_reply(m)) {
        struct num r = {f->received, {0, 0}};
        int rc = rp_reply(me, m, NUM, &r);
        check(rc == 0 || rc == -EHOSTUNREACH, "%d", rc);
        return 0;
    }
    check(b->n == f->received, "flow %u: %u came, %llu was expected", b->flow, b->n, (unsigned long long)f->received);
    check(b->n < f->sent);
    f->received++;
    return rp_random(me) % 16 ? 0 : rp_sleep(me, rp_now(me) + (rp_time)(rp_random(me) % (3 * RP_MS)));
}

static int receive_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct storm **)state = ((struct life *)arg)->storm;
    return 0;
}
static const rp_actor receiver = {.name = "receiver", .handle = receive, .init = receive_init, .state_size = sizeof(void *)};

struct route {
    struct life *life;
    unsigned to;
};

/* RP_NODE_DOWN, if it has come by then. */
static bool down_came(rp_self *me, struct flow *f, rp_node node, rp_time by)
{
    rp_msg *m;
    int rc = rp_recv(me, &m, by);
    if (rc != 0) {
        check_eq(rc, -ETIMEDOUT);
        return false;
    }
    const struct rp_node_down *d = rp_body(m, RP_NODE_DOWN);
    check(d && d->node == node.id, "news of a node that is not watched");
    rp_msg_drop(me, m);
    f->downs++;
    return true;
}

/* One call: true when the link is fine afterwards, as far as one can know. */
static bool count(rp_self *me, struct flow *f, unsigned flow, rp_ref to, rp_time deadline)
{
    struct numbered b = {flow, 0};
    rp_msg *m;
    uint64_t sent = f->sent;
    int rc = rp_call(me, to, NUMBERED, &b, &m, deadline);
    if (rc == 0) {
        check_eq(((const struct num *)rp_body(m, NUM))->n, sent);
        f->complete = f->sent == sent;
        rp_msg_drop(me, m);
    }
    check(rc == 0 || rc == -ETIMEDOUT || rc == -EHOSTUNREACH || rc == -ESRCH || rc == -EPIPE, "%d", rc);
    return rc == 0 || rc == -ETIMEDOUT;
}

/* Sends over a link until it is lost or all is over. */
static void run_flow(rp_self *me, struct storm *st, unsigned id, rp_node node, rp_ref to)
{
    struct flow *f = &st->flow[id];
    check_eq(rp_node_monitor(me, node), 0);
    f->watched = true;
    while (rp_now(me) < st->begin + CALM) {
        bool stormy = rp_now(me) < st->begin + STORM;
        for (uint64_t burst = rp_random(me) % 24; burst > 0; burst--) {
            struct numbered b = {id, (uint32_t)f->sent};
            f->sent++; /* before: it may be read before this actor runs again */
            int rc = rp_tell(me, to, NUMBERED, &b);
            f->sent -= rc != 0;
            f->complete = false;
            check(rc == 0 || rc == -EHOSTUNREACH, "%d", rc);
        }
        if (rp_random(me) % 8 == 0)
            count(me, f, id, to, rp_in_ms(me, (int64_t)(rp_random(me) % 100)));
        rp_time pause = (rp_time)(rp_random(me) % (uint64_t)(stormy ? 40 * RP_MS : 800 * RP_MS));
        if (down_came(me, f, node, rp_now(me) + pause))
            return;
    }
    if (!count(me, f, id, to, RP_FOREVER) || !f->complete)
        check(down_came(me, f, node, rp_in_ms(me, 20000)), "flow %u: neither complete nor reported", id);
}

static int send_run(rp_self *me, void *arg)
{
    struct route *r = arg;
    struct storm *st = r->life->storm;
    char url[32];
    snprintf(url, sizeof url, "sim://%u", r->to);
    while (rp_now(me) < st->begin + CALM) {
        rp_node node;
        rp_ref to;
        int rc = rp_connect(me, url, &node, rp_in_ms(me, 3000));
        if (rc == 0)
            rc = rp_lookup(me, node, "receiver", &to, rp_in_ms(me, 3000));
        check(rc == 0 || rc == -ETIMEDOUT || rc == -EHOSTUNREACH || rc == -EPROTO, "%d", rc);
        if (rc != 0) {
            check_eq(rp_sleep(me, rp_in_ms(me, 30)), 0);
            continue;
        }
        check(st->nflows < FLOWS);
        unsigned id = st->nflows++;
        st->flow[id] = (struct flow){.from = r->life};
        run_flow(me, st, id, node, to);
    }
    return 0;
}
static const rp_actor sender = {.name = "sender", .run = send_run};

static int node_run(rp_self *me, void *arg)
{
    struct life *life = arg;
    struct storm *st = life->storm;
    struct route r[NODES];
    audit_every_step(me, 0); /* nobody here keeps a message over a wait */
    rp_spawn_opts o = {.name = "receiver", .arg = life, .on = RP_SPREAD};
    o.mailbox = 1 + (uint32_t)(rp_random(me) % 64);
    check_eq(rp_spawn(me, &receiver, &o, NULL), 0);
    for (unsigned i = 0; i < st->nodes; i++) {
        r[i] = (struct route){life, i};
        rp_spawn_opts os = {.arg = &r[i], .on = RP_SPREAD, .monitor = true};
        if (i != life->node)
            check_eq(rp_spawn(me, &sender, &os, NULL), 0);
    }
    for (unsigned i = 1; i < st->nodes; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return rp_sleep(me, st->begin + OVER); /* the others may still be counting */
}
static const rp_actor node_root = {.name = "node", .run = node_run};

/* ---- the weather ------------------------------------------------------------------------------------ */

static void start_node(struct storm *st, unsigned n)
{
    static char urls[NODES][20];
    check(st->nlives < LIVES);
    struct life *life = &st->life[st->nlives++];
    *life = (struct life){.node = n, .storm = st};
    snprintf(urls[n], sizeof urls[n], "sim://%u", n);
    rp_system_opts o = {.on_report = unreported, .loops = 1 + (unsigned)(rp_sim_random(st->sim) % 3), .listen = urls[n], .types = types,
                        .ledger = &life->ledger};
    check_eq(rp_sim_add(st->sim, &node_root, life, &o, &life->handle), 0);
    st->up[n] = life;
}

static void crash(struct storm *st, unsigned n)
{
    if (!st->up[n])
        return;
    st->up[n]->crashed = true;
    rp_sim_crash(st->sim, st->up[n]->handle);
    st->up[n] = NULL;
    st->back[n] = rp_sim_now(st->sim) + (rp_time)(rp_sim_random(st->sim) % (uint64_t)(500 * RP_MS));
}

static void one_fault(struct storm *st)
{
    rp_sim *s = st->sim;
    unsigned a = (unsigned)(rp_sim_random(s) % st->nodes), b = (unsigned)(rp_sim_random(s) % st->nodes);
    uint64_t dice = rp_sim_random(s) % 16;
    struct life *la = st->up[a], *lb = st->up[b];
    if (dice == 0) {
        crash(st, a);
    } else if (dice < 6 && la && lb && a != b) {
        rp_sim_cut(s, la->handle, lb->handle);
        rp_sim_cut(s, lb->handle, la->handle);
    } else if (dice < 10 && la && lb && a != b) {
        rp_sim_partition(s, la->handle, lb->handle, rp_sim_random(s) % 2);
    } else if (dice == 10 && la) {
        rp_sim_pause(s, la->handle, (rp_time)(rp_sim_random(s) % (uint64_t)(rp_sim_random(s) % 4 ? RP_S : 8 * RP_S)));
    } else if (dice < 13) {
        rp_sim_latency(s, 10 * RP_US, RP_MS + (rp_time)(rp_sim_random(s) % (uint64_t)(200 * RP_MS)));
    }
}

static void bring_back(struct storm *st, bool all)
{
    for (unsigned i = 0; i < st->nodes; i++)
        if (!st->up[i] && (all || st->back[i] <= rp_sim_now(st->sim)))
            start_node(st, i);
}

static void clear_up(struct storm *st)
{
    for (unsigned i = 0; i < st->nlives; i++)
        for (unsigned k = 0; k < st->nlives; k++)
            rp_sim_partition(st->sim, st->life[i].handle, st->life[k].handle, false);
    rp_sim_latency(st->sim, 100 * RP_US, 2 * RP_MS);
    bring_back(st, true);
}

/* ---- the reckoning ---------------------------------------------------------------------------------- */

static void account(const struct storm *st)
{
    for (unsigned i = 0; i < st->nlives; i++) {
        const rp_ledger *l = &st->life[i].ledger;
        if (st->life[i].crashed)
            continue;
        check_eq(rp_sim_result(st->sim, st->life[i].handle), 0);
        check_eq(l->sent + l->arrived, l->handled + l->left + l->dead + l->dropped + l->late + l->expired);
        check_eq(l->dropped + l->lost_signals, 0);
    }
    for (unsigned i = 0; i < st->nflows; i++) {
        const struct flow *f = &st->flow[i];
        if (f->from->crashed || !f->watched)
            continue;
        check(f->downs == (f->complete && f->downs == 0 ? 0u : 1u), "flow %u was reported %u times", i, f->downs);
        check(f->downs == 1 || f->received == f->sent, "flow %u: %llu of %llu", i, (unsigned long long)f->received,
              (unsigned long long)f->sent);
    }
}

struct outcome {
    uint64_t hash, flows, messages, crashes, losses;
};

static struct outcome run_seed(uint64_t seed)
{
    static struct storm st;
    memset(&st, 0, sizeof st);
    seed_now = seed;
    st.sim = rp_sim_new(seed);
    st.begin = rp_sim_now(st.sim);
    st.nodes = 2 + (unsigned)(rp_sim_random(st.sim) % (NODES - 1));
    bring_back(&st, true);
    while (rp_sim_now(st.sim) < st.begin + STORM) {
        int rc = rp_sim_run(st.sim, 5 * RP_MS + (rp_time)(rp_sim_random(st.sim) % (uint64_t)(200 * RP_MS)));
        check(rc == 0 || rc == -ETIMEDOUT, "%d", rc);
        one_fault(&st);
        bring_back(&st, rc == 0); /* 0: all are dead, and time stands still */
    }
    clear_up(&st);
    int rc = rp_sim_run(st.sim, 200 * RP_S);
    check(rc == 0, "the run does not end: %d", rc);
    account(&st);
    struct outcome o = {.hash = rp_sim_hash(st.sim), .flows = st.nflows};
    for (unsigned i = 0; i < st.nflows; i++) {
        o.messages += st.flow[i].received;
        o.losses += st.flow[i].downs;
    }
    for (unsigned i = 0; i < st.nlives; i++)
        o.crashes += st.life[i].crashed;
    rp_sim_free(st.sim);
    return o;
}

static void died(int signo)
{
    dprintf(STDERR_FILENO, "    seed %" PRIu64 ": %s\n", seed_now, strsignal(signo)); /* it is the end anyway */
    signal(signo, SIG_DFL);
    raise(signo);
}

/* Every other seed from `first` on, each twice; what has come to pass to `to`. */
static void run_half(uint64_t first, uint64_t seeds, int to)
{
    struct outcome all = {0};
    signal(SIGALRM, died);
    signal(SIGABRT, died);
    for (uint64_t i = 0; i < seeds; i += 2) {
        alarm(20);
        struct outcome one = run_seed(first + i), again = run_seed(first + i);
        check(memcmp(&one, &again, sizeof one) == 0, "it runs two ways: %016" PRIx64 ", %016" PRIx64, one.hash, again.hash);
        all.hash++;
        all.flows += one.flows;
        all.messages += one.messages;
        all.crashes += one.crashes;
        all.losses += one.losses;
    }
    check(write(to, &all, sizeof all) == sizeof all);
    exit(0);
}

int main(int argc, char **argv)
{
    uint64_t seeds = argc > 1 ? strtoull(argv[1], 0, 0) : 1000, first = argc > 2 ? strtoull(argv[2], 0, 0) : 1;
    int fd[2];
    pid_t pid[2];
    struct outcome all = {0}, one;
    check(pipe(fd) == 0);
    for (unsigned i = 0; i < 2; i++)
        if ((pid[i] = fork()) == 0)
            run_half(first + i, seeds > i ? seeds - i : 0, fd[1]);
    close(fd[1]);
    while (read(fd[0], &one, sizeof one) == sizeof one) {
        all.hash += one.hash;
        all.flows += one.flows;
        all.messages += one.messages;
        all.crashes += one.crashes;
        all.losses += one.losses;
    }
    bool failed = false;
    for (unsigned i = 0; i < 2; i++) {
        int status;
        failed |= waitpid(pid[i], &status, 0) != pid[i] || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    printf("%" PRIu64 " seeds twice: %" PRIu64 " flows, %" PRIu64 " messages, %" PRIu64 " losses reported, %" PRIu64
           " nodes killed\n", all.hash, all.flows, all.messages, all.losses, all.crashes);
    printf("%d passed, %d failed\n", failed ? 0 : (int)all.hash, failed);
    return failed;
}
