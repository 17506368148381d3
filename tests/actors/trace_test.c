/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A bit of everything that has a category. */

static int echo(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct num *b = rp_body(m, NUM);
    if (rp_wants_reply(m))
        return rp_reply(me, m, NUM, b);
    return b && b->n > 0 && !rp_ref_none(rp_from(me, m)) ? tell_num(me, rp_from(me, m), b->n - 1) : 0;
}
static const rp_actor echo_one = {.name = "echo", .handle = echo};

static int talk(rp_self *me, void *arg)
{
    rp_ref to = *(rp_ref *)arg;
    int rc = tell_num(me, to, 40);
    for (uint64_t n = 2; rc == 0 && n > 1;) {
        rc = recv_num(me, &n);
        if (rc == 0 && n > 0)
            rc = tell_num(me, to, n - 1);
    }
    return rc;
}
static const rp_actor talker = {.name = "talker", .run = talk};

static int fall(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_restarts(me) == 0 ? rp_fail(me, -EDOM, "for the test") : 0;
}
static const rp_actor falling = {.name = "falling", .handle = fall};

static int everything(rp_self *me, void *arg)
{
    rp_ref echoes, talks, top, child;
    rp_msg *m;
    struct rp_down d;
    (void)arg;
    check_eq(rp_spawn(me, &echo_one, &(rp_spawn_opts){.on = RP_SPREAD, .monitor = true}, &echoes), 0);
    for (unsigned i = 0; i < 3; i++) {
        check_eq(rp_spawn(me, &talker, &(rp_spawn_opts){.on = RP_SPREAD, .monitor = true, .arg = &echoes}, &talks), 0);
        check_eq(recv_down(me, &d), 0);
    }
    check_eq(rp_call(me, echoes, NUM, &(struct num){70}, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    check_eq(rp_timer_start(me, rp_in_ms(me, 2), TEXT, &(struct text){1, {"tick", 4}}, NULL), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    rp_child one = {.actor = &falling, .opts = {.on = RP_LOOP(rp_loop_count(me) - 1)}};
    rp_supervisor s = {.children = &one, .nchildren = 1};
    check_eq(rp_supervise(me, &s, NULL, &top), 0);
    check_eq(rp_supervise_child(me, top, 0, &child), 0);
    check_eq(tell_num(me, child, 1), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    check_eq(rp_stop(me, top, "done"), 0);
    check_eq(rp_stop(me, echoes, "enough of this"), 0);
    check_eq(recv_down(me, &d), 0);
    for (unsigned i = 0; i < 5; i++)
        check_eq(rp_tell(me, echoes, TEXT, &(struct text){i, {"too late", 8}}), 0);
    return rp_sleep(me, rp_in_ms(me, 2));
}
static int run_everything(rp_self *me, void *arg)
{
    return everything(me, arg);
}

static const char *path(unsigned i)
{
    static char at[4][64];
    snprintf(at[i], sizeof at[i], "/tmp/reparto-trace-%d-%u", (int)getpid(), i);
    return at[i];
}

static void trace_to(unsigned i, const char *what)
{
    if (!what) {
        unsetenv("RP_TRACE");
        return;
    }
    unlink(path(i));
    setenv("RP_TRACE", what, 1);
    setenv("RP_TRACE_FILE", path(i), 1);
}

static char *slurp(unsigned i)
{
    static char text[4][1 << 20];
    FILE *f = fopen(path(i), "r");
    check(f != NULL);
    size_t n = fread(text[i], 1, sizeof text[i] - 1, f);
    text[i][n] = 0;
    fclose(f);
    unlink(path(i));
    return text[i];
}

static unsigned lines_of(const char *text, const char *category, const char *piece)
{
    unsigned n = 0;
    for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
        char line[600], name[32];
        unsigned loop;
        long long s, ns;
        check(sscanf(at, "%599[^\n]", line) == 1 && sscanf(line, "%lld.%9lld %u %31s ", &s, &ns, &loop, name) == 4, "%.80s", at);
        check(loop < 3 && ns >= 0 && s >= 0);
        n += strcmp(name, category) == 0 && strstr(line, piece) != NULL;
    }
    return n;
}

static void check_lines(const char *text)
{
    check_eq(lines_of(text, "spawn", " talker#"), 3);
    check_eq(lines_of(text, "end", " echo#"), 1);
    check(lines_of(text, "end", " -125 enough of this") >= 1);
    check_eq(lines_of(text, "send", "talker#"), 3 * 21);
    check_eq(lines_of(text, "recv", "talker#"), 3 * 20);
    check(lines_of(text, "recv", " test.num{n=70 ref=<0.0>}") == 2); /* the call, and its answer */
    check_eq(lines_of(text, "timer", "is due test.text"), 1);
    check_eq(lines_of(text, "supervise", "falling#"), 3);
    check(lines_of(text, "supervise", "has fallen for the test") == 1);
    check_eq(lines_of(text, "dead", "test.text"), 3); /* of five the first, second and fourth */
}

static uint64_t simulate(uint64_t seed)
{
    rp_actor root = {.name = "root", .run = run_everything};
    unsigned node;
    rp_sim *s = rp_sim_new(seed);
    check(s != NULL);
    check_eq(rp_sim_add(s, &root, NULL, &(rp_system_opts){.loops = 3}, &node), 0);
    check_eq(rp_sim_run(s, 100 * RP_S), 0);
    check_eq(rp_sim_result(s, node), 0);
    uint64_t hash = rp_sim_hash(s);
    rp_sim_free(s);
    return hash;
}

/* The same seed gives the same lines, to the byte, and the same steps as when nobody looks. */
TEST(trace, a_simulation_repeats_it_and_is_not_changed_by_it)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < 5; i++, seed++) {
        trace_to(0, NULL);
        uint64_t quiet = simulate(seed);
        trace_to(0, "all");
        check(simulate(seed) == quiet, "seed %" PRIu64 " runs otherwise when traced", seed);
        trace_to(1, "all");
        check(simulate(seed) == quiet);
        check_lines(slurp(0));
        trace_to(2, "spawn,timer");
        check(simulate(seed) == quiet);
        check_eq(lines_of(slurp(2), "send", ""), 0);
    }
    trace_to(0, "all");
    simulate(seed);
    trace_to(1, "all");
    simulate(seed);
    check_str(slurp(0), slurp(1));
}

TEST(trace, on_threads)
{
    trace_to(0, "spawn,end,send,recv,supervise,timer,dead,nonsense");
    rp_system_opts o = {.loops = 3, .spin_us = -1};
    check_eq(run_with(run_everything, 0, &o), 0);
    check_lines(slurp(0));
}

TEST(trace, a_file_that_cannot_be_written_is_no_reason_to_fail)
{
    trace_to(0, "all");
    setenv("RP_TRACE_FILE", "/nowhere/at/all", 1);
    rp_system_opts o = {.loops = 2};
    check_eq(run_with(run_everything, 0, &o), 0);
}
