/* SPDX-License-Identifier: MIT
 *
 * Who lives, though it says nothing for long: a node whose loop 0 is held, and one that stood still as its peer did. And
 * who does not.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const rp_type *const types[] = {&num_type, NULL};

/* ---- a loop that is held ----------------------------------------------------------------------------------- */

enum { HELD_MS = 6800 }; /* a silent peer is lost after 5,000 to 6,250 */

static int hold(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    struct timespec left = {.tv_sec = HELD_MS / 1000, .tv_nsec = HELD_MS % 1000 * 1000000};
    (void)state;
    while (b->n > 0 && nanosleep(&left, &left) != 0)
        ;
    return rp_reply(me, m, NUM, b);
}
static const rp_actor holder = {.name = "holder", .handle = hold};

static int be_server(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &holder, &(rp_spawn_opts){.name = "holder"}, NULL), 0);
    return rp_sleep(me, RP_FOREVER);
}

static pid_t start_server(const char *url)
{
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        rp_system_opts o = {.loops = 1, .listen = url, .types = types};
        _exit(rp_run(&(rp_actor){.name = "server", .run = be_server}, NULL, &o) == 0 ? 0 : 1);
    }
    return pid;
}

struct servers {
    char url[2][64]; /* one over each carrier */
};

static int call_holder(rp_self *me, void *arg)
{
    const char *url = arg;
    rp_node node;
    rp_ref r;
    rp_msg *m;
    check_eq(rp_connect(me, url, &node, rp_in_ms(me, 5000)), 0);
    check_eq(rp_lookup(me, node, "holder", &r, rp_in_ms(me, 5000)), 0);
    rp_time from = rp_now(me);
    int rc = rp_call(me, r, NUM, &(struct num){.n = 1}, &m, rp_in_ms(me, 30000));
    check(rc == 0, "%s: %d", url, rc);
    check(rp_now(me) - from >= HELD_MS * RP_MS);
    rp_msg_drop(me, m);
    check_eq(rp_call(me, r, NUM, &(struct num){.n = 0}, &m, rp_in_ms(me, 30000)), 0); /* by the same link */
    rp_msg_drop(me, m);
    return 0;
}

static int be_client(rp_self *me, void *arg)
{
    struct servers *s = arg;
    rp_scope scope;
    rp_scope_open(me, &scope, RP_FOREVER);
    for (unsigned i = 0; i < 2; i++)
        check_eq(rp_go(me, &scope, call_holder, s->url[i], NULL), 0);
    return rp_scope_close(me, &scope, 0);
}

TEST(beat, goes_on_while_loop_0_is_held)
{
    struct servers s;
    pid_t pid[2];
    for (unsigned i = 0; i < 2; i++) {
        snprintf(s.url[i], sizeof s.url[i], "%sabstract://reparto-beat-%d", i ? "uv+" : "", (int)getpid());
        if (i)
            snprintf(s.url[i], sizeof s.url[i], "uv+abstract://reparto-beat-uv-%d", (int)getpid());
        pid[i] = start_server(s.url[i]);
    }
    rp_system_opts o = {.loops = 1, .types = types};
    check_eq(rp_run(&(rp_actor){.name = "client", .run = be_client}, &s, &o), 0);
    for (unsigned i = 0; i < 2; i++) {
        kill(pid[i], SIGKILL);
        check(waitpid(pid[i], NULL, 0) == pid[i]);
    }
}

/* ---- those that stand still ------------------------------------------------------------------------------------- */

static int sleep_long(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER);
}

static rp_time lost_at; /* RP_NODE_DOWN came; 0: it has not */

static int watch_node(rp_self *me, void *arg)
{
    rp_node node;
    rp_msg *m;
    (void)arg;
    check_eq(rp_connect(me, "sim://beat", &node, RP_FOREVER), 0);
    check_eq(rp_node_monitor(me, node), 0);
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc == 0) {
        lost_at = rp_now(me);
        rp_msg_drop(me, m);
    }
    return 0;
}

static void stand_still(uint64_t seed, bool both)
{
    rp_actor server = {.name = "server", .run = sleep_long}, client = {.name = "client", .run = watch_node};
    rp_system_opts os = {.loops = 1, .listen = "sim://beat", .types = types}, oc = {.loops = 1, .types = types};
    unsigned s, c;
    rp_sim *sim = rp_sim_new(seed);
    check_eq(rp_sim_add(sim, &server, NULL, &os, &s), 0);
    check_eq(rp_sim_add(sim, &client, NULL, &oc, &c), 0);
    lost_at = 0;
    check_eq(rp_sim_run(sim, RP_S + (rp_time)(seed % 7) * 300 * RP_MS), -ETIMEDOUT);
    rp_time from = rp_sim_now(sim);
    rp_sim_pause(sim, s, 12 * RP_S);
    if (both)
        rp_sim_pause(sim, c, 12 * RP_S);
    (void)!rp_sim_run(sim, 40 * RP_S);
    if (both)
        check(lost_at == 0, "lost after %lld ms", (long long)((lost_at - from) / RP_MS));
    else
        check(lost_at - from > 3700 * RP_MS && lost_at - from < 6500 * RP_MS, "lost after %lld ms",
              (long long)((lost_at - from) / RP_MS));
    rp_sim_free(sim);
}

TEST(beat, two_that_stood_still_keep_their_link)
{
    for (unsigned i = 0; i < seeds(7); i++)
        stand_still(test_seed() + i, true);
}

TEST(beat, one_that_stands_still_is_lost_in_time)
{
    for (unsigned i = 0; i < seeds(7); i++)
        stand_still(test_seed() + i, false);
}

/* ---- one that ends while the other stands still ------------------------------------------------------------------- */

static int take(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor taker = {.name = "taker", .handle = take};

static int serve_taker(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &taker, &(rp_spawn_opts){.name = "taker"}, NULL), 0);
    return rp_sleep(me, RP_FOREVER);
}

static int tell_and_end(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref r;
    (void)arg;
    check_eq(rp_connect(me, "sim://end", &node, RP_FOREVER), 0);
    check_eq(rp_lookup(me, node, "taker", &r, RP_FOREVER), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 2000)), 0);
    for (unsigned i = 0; i < 10; i++)
        check_eq(tell_num(me, r, i), 0);
    return 0;
}

static unsigned reports;

static void hear(const rp_report *r, void *ud)
{
    (void)ud;
    reports += r->kind == RP_REPORT_LINK && strstr(r->text, "may be lost") != NULL;
}

static int tell_one_that_stands(uint64_t seed, bool stands)
{
    rp_actor server = {.name = "server", .run = serve_taker}, client = {.name = "client", .run = tell_and_end};
    rp_system_opts os = {.loops = 1, .listen = "sim://end", .types = types};
    rp_system_opts oc = {.loops = 1, .types = types, .on_report = hear};
    unsigned s, c;
    rp_sim *sim = rp_sim_new(seed);
    check_eq(rp_sim_add(sim, &server, NULL, &os, &s), 0);
    check_eq(rp_sim_add(sim, &client, NULL, &oc, &c), 0);
    check_eq(rp_sim_run(sim, 1500 * RP_MS), -ETIMEDOUT);
    if (stands)
        rp_sim_pause(sim, s, 3 * RP_S);
    (void)!rp_sim_run(sim, 10 * RP_S);
    int rc = rp_sim_result(sim, c);
    rp_sim_free(sim);
    return rc;
}

TEST(beat, what_was_told_at_the_end_and_not_read_is_an_error)
{
    for (unsigned i = 0; i < seeds(5); i++) {
        reports = 0;
        check_eq(tell_one_that_stands(test_seed() + i, false), 0);
        check_eq(reports, 0);
        check_eq(tell_one_that_stands(test_seed() + i, true), -EHOSTUNREACH);
        check_eq(reports, 1);
    }
}
