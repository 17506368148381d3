/* SPDX-License-Identifier: MIT
 *
 * links.c - systems that come, link, say a word and go, thousands of times over real sockets: none hangs,
 * each end is told once to the one who stays, and nothing is left of them.
 */
#include "tests/stress/stress.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { AT_A_TIME = 4 }; /* as many as libuv has threads */

static const rp_type *const types[] = {&num_type, NULL};

/* ---- the one who stays: greets each and watches its node ---------------------------------------------- */

struct host {
    uint64_t greeted, gone;
};

static int host_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct host *h = state;
    if (rp_body(m, RP_NODE_DOWN)) {
        h->gone++;
        return 0;
    }
    rp_node node = {rp_from(me, m).node};
    if (node.id != rp_this_node(me).id) { /* the root asks too */
        h->greeted++;
        int rc = rp_node_monitor(me, node);
        if (rc != 0)
            return rc;
    }
    struct num r = {h->greeted - h->gone, {0, 0}};
    int rc = rp_reply(me, m, NUM, &r);
    return rc == -EHOSTUNREACH ? 0 : rc;
}
static const rp_actor host = {.name = "host", .handle = host_handle, .state_size = sizeof(struct host)};

/* ---- the guests: a system each, AT_A_TIME at once ------------------------------------ */

struct guests {
    const char *url;
    uint64_t times, seed;
    int failed;
};

static int visit(rp_self *me, void *arg)
{
    struct guests *g = arg;
    rp_node node;
    rp_ref to;
    uint64_t manner = rp_random(me) % 8;
    if (manner == 0) { /* leaves before it has been let in, perhaps */
        int rc = rp_connect(me, g->url, &node, rp_now(me) + (rp_time)(rp_random(me) % (2 * RP_MS)));
        return rc == -ETIMEDOUT ? 0 : rc;
    }
    int rc = rp_connect(me, g->url, &node, rp_in_ms(me, 30000));
    if (rc != 0 || manner == 1)
        return rc;
    rc = rp_lookup(me, node, "host", &to, rp_in_ms(me, 30000));
    if (rc != 0)
        return rc;
    struct num b = {1, {0, 0}};
    if (manner == 2) { /* leaves a question behind */
        rp_msg *m;
        rc = rp_call(me, to, NUM, &b, &m, rp_in_ms(me, 0) + 1);
        if (rc == 0)
            rp_msg_drop(me, m);
        return rc == -ETIMEDOUT ? 0 : rc;
    }
    rp_msg *m;
    rc = rp_call(me, to, NUM, &b, &m, rp_in_ms(me, 30000));
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

static int visit_all(void *arg)
{
    struct guests *g = arg;
    for (uint64_t i = 0; i < g->times; i++) {
        rp_system_opts o = {.on_report = unreported, .loops = 1, .types = types, .spin_us = -1};
        int rc = run_with(visit, g, &o);
        check(rc == 0, "guest %llu: %d (%s)", (unsigned long long)i, rc, rp_strerror(rc));
    }
    return 0;
}

static int send_guests(rp_self *me, void *arg)
{
    return rp_offload(me, visit_all, arg, RP_FOREVER);
}

static int some_at_a_time(rp_self *me, struct guests *g)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = 0;
    for (unsigned i = 0; i < AT_A_TIME && rc == 0; i++)
        rc = rp_go(me, &s, send_guests, g, NULL);
    return rp_scope_close(me, &s, rc);
}

static int all_gone(rp_self *me, rp_ref h)
{
    uint64_t left = 1;
    for (unsigned i = 0; i < 300 && left > 0; i++) {
        struct num b = {0, {0, 0}};
        rp_msg *m;
        check_eq(rp_call(me, h, NUM, &b, &m, RP_FOREVER), 0);
        left = ((const struct num *)rp_body(m, NUM))->n;
        rp_msg_drop(me, m);
        check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    }
    check_eq(left, 0);
    return 0;
}

static int host_run(rp_self *me, void *arg)
{
    struct guests *g = arg;
    rp_ref h;
    rp_spawn_opts o = {.name = "host", .on = RP_LOOP(1)};
    char url[128];
    check_eq(rp_spawn(me, &host, &o, &h), 0);
    check_eq(rp_listen_url(me, url, sizeof url), 0);
    g->url = url;
    uint64_t all = g->times;
    g->times = all / 10 + 1; /* until everything there is to allocate has been */
    check_eq(some_at_a_time(me, g), 0);
    check_eq(all_gone(me, h), 0);
    unsigned files = open_files();
    unsigned long rss = rss_kb();
    g->times = all - g->times;
    check_eq(some_at_a_time(me, g), 0);
    check_eq(all_gone(me, h), 0);
    check(open_files() <= files + 4, "%u descriptors, %u were open before", open_files(), files);
    check(rss_kb() <= rss + 16384, "%lu KiB, it was %lu", rss_kb(), rss);
    return 0;
}

unsigned stress_links(void)
{
    static const char *const urls[] = {
        "ipc:///tmp/reparto-links-%d", "tcp://127.0.0.1:0", "uv+ipc:///tmp/reparto-links-uv-%d", "uv+tcp://127.0.0.1:0",
    };
    uint64_t links = size_from("RP_LINKS", 3000);
    for (unsigned i = 0; i < 4; i++) {
        char url[64];
        snprintf(url, sizeof url, urls[i], (int)getpid());
        struct guests g = {.times = links / 2 / AT_A_TIME};
        rp_system_opts o = {.on_report = unreported, .loops = 2, .types = types, .listen = url, .spin_us = -1};
        check_eq(run_with(host_run, &g, &o), 0);
        printf("%.*s: %llu systems came and went\n", (int)strcspn(url, ":"), url, (unsigned long long)links / 2);
    }
    return 4;
}
