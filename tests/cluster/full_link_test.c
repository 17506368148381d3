/* SPDX-License-Identifier: MIT
 *
 * A link that is full of data: control goes beside it. Most mailboxes that are written to are full for all of the
 * test, to others bulk goes in bursts, and while the peer stands still both ends' queues fill; replies, RP_DOWN and
 * heartbeats come all the same, in time, and nobody takes the node for lost. (RabbitMQ's aten lost peers so, Akka
 * has three lanes for it.)
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

enum { JAMMED = 24, SINKS = 8, BURST = 64, TELLERS = 2 * JAMMED, PROBES = 200, IN_TIME_MS = 50 };

struct blob {
    uint64_t n;
    char bytes[4000];
};
static const rp_field blob_fields[] = {RP_FIELD(struct blob, n, RP_U64), RP_FIELD(struct blob, bytes, RP_RAW)};
static const rp_type blob_type = RP_TYPE("full.blob", struct blob, blob_fields);
static const rp_type *const types[] = {&num_type, &blob_type, NULL};

/* ---- the server ----------------------------------------------------------------------------------- */

static int jam(rp_self *me, void *state, const rp_msg *m) /* one in 100 ms: its window is always full */
{
    (void)state;
    (void)m;
    return rp_sleep(me, rp_in_ms(me, 100));
}
static int sink(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor takes_all = {.name = "sink", .handle = sink};
static const rp_actor jammed = {.name = "jammed", .handle = jam};

static int echo(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    return b->n == 0 ? RP_STOP : rp_reply(me, m, NUM, b);
}
static const rp_actor quick = {.name = "quick", .handle = echo};

static void name_of(char to[8], char kind, unsigned i)
{
    snprintf(to, 8, "%c%u", kind, i);
}

static int serve(rp_self *me, void *arg)
{
    rp_ref r;
    char name[8];
    (void)arg;
    for (unsigned i = 0; i < JAMMED; i++) {
        name_of(name, 'j', i);
        rp_spawn_opts o = {.name = name, .on = RP_SPREAD, .mailbox_bytes = 1 << 20};
        check_eq(rp_spawn(me, &jammed, &o, &r), 0);
    }
    for (unsigned i = 0; i < SINKS; i++) {
        name_of(name, 's', i);
        check_eq(rp_spawn(me, &takes_all, &(rp_spawn_opts){.name = name, .on = RP_SPREAD}, &r), 0);
    }
    for (unsigned i = 0; i < PROBES / 20 + 1; i++) {
        name_of(name, 'q', i);
        check_eq(rp_spawn(me, &quick, &(rp_spawn_opts){.name = name, .on = RP_SPREAD}, &r), 0);
    }
    return rp_sleep(me, RP_FOREVER);
}

/* ---- the client ----------------------------------------------------------------------------------- */

static int tell_for_ever(rp_self *me, void *arg)
{
    const rp_ref *to = arg;
    for (struct blob b = {.n = 1};; b.n++) {
        int rc = rp_tell(me, *to, &blob_type, &b);
        if (rc != 0)
            return rc == -ECANCELED ? 0 : rc;
    }
}
static const rp_actor teller = {.name = "teller", .run = tell_for_ever};

static int tell_in_bursts(rp_self *me, void *arg)
{
    const rp_ref *to = arg;
    struct blob b = {.n = 1};
    for (unsigned i = 1;; i++) {
        int rc = rp_tell(me, *to, &blob_type, &b);
        if (rc == 0 && i % BURST == 0)
            rc = rp_sleep(me, rp_in_ms(me, 100));
        if (rc != 0)
            return rc == -ECANCELED ? 0 : rc;
    }
}
static const rp_actor burster = {.name = "burster", .run = tell_in_bursts};

static rp_ref find(rp_self *me, rp_node node, char kind, unsigned i)
{
    char name[8];
    rp_ref r = {0, 0};
    name_of(name, kind, i);
    check_eq(rp_lookup(me, node, name, &r, RP_FOREVER), 0);
    return r;
}

struct plan {
    rp_time frozen_ms; /* the peer stands still for so long, in the middle */
};

/* Its reply comes in time; but for those that went out while the peer stood still, or just before. */
static void probe(rp_self *me, rp_ref to, const struct plan *p)
{
    rp_msg *m;
    rp_time from = rp_now(me);
    check_eq(rp_call(me, to, NUM, &(struct num){.n = 1}, &m, RP_FOREVER), 0);
    rp_time took = rp_now(me) - from;
    check(took <= (IN_TIME_MS + p->frozen_ms) * RP_MS, "a reply took %lld us", (long long)(took / RP_US));
    rp_msg_drop(me, m);
}

static int load_and_probe(rp_self *me, void *arg)
{
    const struct plan *p = arg;
    rp_node node;
    static rp_ref to[JAMMED + SINKS];
    struct rp_down d;
    check_eq(rp_connect(me, "sim://full", &node, RP_FOREVER), 0);
    check_eq(rp_node_monitor(me, node), 0);
    for (unsigned i = 0; i < JAMMED; i++)
        to[i] = find(me, node, 'j', i);
    rp_ref fast = find(me, node, 'q', 0);
    for (unsigned i = 0; i < TELLERS; i++)
        check_eq(rp_spawn(me, &teller, &(rp_spawn_opts){.arg = &to[i % JAMMED], .on = RP_SPREAD}, NULL), 0);
    for (unsigned i = JAMMED; i < JAMMED + SINKS; i++) {
        to[i] = find(me, node, 's', i - JAMMED);
        check_eq(rp_spawn(me, &burster, &(rp_spawn_opts){.arg = &to[i], .on = RP_SPREAD}, NULL), 0);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 500)), 0); /* all windows are full by now */
    unsigned slow = 0;
    for (unsigned i = 0; i < PROBES; i++) { /* 20 s: four times what makes a silent peer a lost one */
        rp_time from = rp_now(me);
        probe(me, fast, p);
        slow += rp_now(me) - from > IN_TIME_MS * RP_MS;
        check_eq(rp_sleep(me, from + 100 * RP_MS > rp_now(me) ? from + 100 * RP_MS : rp_now(me)), 0);
        if (i % 20 != 19)
            continue;
        rp_ref ends = find(me, node, 'q', 1 + i / 20);
        check_eq(rp_monitor(me, ends), 0);
        check_eq(rp_tell(me, ends, NUM, &(struct num){.n = 0}), 0);
        from = rp_now(me);
        check_eq(recv_down(me, &d), 0); /* and no RP_NODE_DOWN */
        check(rp_ref_eq(d.who, ends));
        check_eq(d.reason, 0);
        slow += rp_now(me) - from > IN_TIME_MS * RP_MS;
    }
    check(slow <= (p->frozen_ms ? 2 : 0), "%u came too late", slow);
    return 0;
}

static void run_full(uint64_t seed, rp_time frozen_ms)
{
    struct plan p = {frozen_ms};
    rp_actor server = {.name = "server", .run = serve}, client = {.name = "client", .run = load_and_probe};
    rp_system_opts os = {.loops = 2, .listen = "sim://full", .types = types}, oc = {.loops = 1 + (unsigned)(seed % 2), .types = types};
    unsigned s, c;
    rp_sim *sim = rp_sim_new(seed);
    check_eq(rp_sim_add(sim, &server, NULL, &os, &s), 0);
    check_eq(rp_sim_add(sim, &client, &p, &oc, &c), 0);
    check_eq(rp_sim_run(sim, 8 * RP_S), -ETIMEDOUT);
    if (frozen_ms)
        rp_sim_pause(sim, s, frozen_ms * RP_MS);
    (void)!rp_sim_run(sim, 40 * RP_S);
    check(rp_sim_result(sim, c) == 0, "seed %llu: %d", (unsigned long long)seed, rp_sim_result(sim, c));
    rp_sim_free(sim);
}

TEST(cluster, control_goes_beside_full_links)
{
    for (unsigned i = 0; i < seeds(3); i++)
        run_full(test_seed() + i, 0);
}

TEST(cluster, a_full_link_to_one_that_stood_still_is_not_lost)
{
    for (unsigned i = 0; i < seeds(3); i++)
        run_full(test_seed() + i, 4000); /* a fifth less than makes it a lost one; a megabyte waits for it */
}
