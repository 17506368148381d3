/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
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

static int stay(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    if (!rp_body(m, RP_EXIT_NOTICE))
        return 0;
    rp_time until = rp_now(me) + 20 * RP_MS;
    while (rp_now(me) < until) /* longer than its supervisor likes */
        (void)!rp_sleep(me, until);
    return RP_STOP;
}
static const rp_actor staying = {.name = "staying", .handle = stay, .flags = RP_TRAP};

static int fail(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_fail(me, -EDOM, "again");
}
static const rp_actor failing = {.name = "failing", .handle = fail};

/* One that stays after its time, and one that fails too often: it is given up, and the other stopped. */
static void supervised(rp_self *me)
{
    rp_child both[2] = {{.actor = &staying, .stop_ms = 5}, {.actor = &failing, .opts = {.on = RP_SPREAD}}};
    rp_supervisor s = {.children = both, .nchildren = 2, .restarts = 1, .within_ms = 10000, .backoff_ms = 4};
    rp_ref top, child;
    struct rp_down d;
    check_eq(rp_supervise(me, &s, &(rp_spawn_opts){.monitor = true}, &top), 0);
    check_eq(rp_supervise_child(me, top, 1, &child), 0);
    check_eq(tell_num(me, child, 1), 0);
    check_eq(tell_num(me, child, 1), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -EDOM);
}

/* Two that are linked, of which one ends; the other is monitored. */
static int is_linked(rp_self *me, void *arg)
{
    rp_msg *m;
    check_eq(rp_link(me, *(rp_ref *)arg), 0);
    return rp_recv(me, &m, RP_FOREVER);
}
static const rp_actor linked = {.name = "linked", .run = is_linked};

static void tied(rp_self *me)
{
    rp_ref a, b;
    struct rp_down d;
    check_eq(rp_spawn(me, &failing, &(rp_spawn_opts){.on = RP_SPREAD}, &a), 0);
    check_eq(rp_spawn(me, &linked, &(rp_spawn_opts){.on = RP_SPREAD, .arg = &a, .monitor = true}, &b), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(tell_num(me, a, 1), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -EDOM);
    check_eq(rp_monitor(me, b), 0); /* it is no more */
    check_eq(recv_down(me, &d), 0);
}

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
    supervised(me);
    tied(me);
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

/* Each decision of the supervisors is one line, and there are no others. */
static void check_decisions(const char *text)
{
    check_eq(lines_of(text, "supervise", "falling#"), 6);
    check_eq(lines_of(text, "supervise", " starts"), 3 + 2);
    check_eq(lines_of(text, "supervise", " fell -33 for the test, failure 1 in a row, again in "), 1);
    check_eq(lines_of(text, "supervise", " starts again, failure 1 in a row"), 2);
    check_eq(lines_of(text, "supervise", " is told to stop, has "), 2);
    check_eq(lines_of(text, "supervise", " stopped -125 its supervisor"), 1);
    check_eq(lines_of(text, "supervise", "failing#"), 6);
    check_eq(lines_of(text, "supervise", " fell -33 again, failure 1 in a row, again in "), 1);
    check_eq(lines_of(text, "supervise", " fell -33 again, failure 2 in a row"), 1);
    check_eq(lines_of(text, "supervise", " is given up -33 again"), 1);
    check_eq(lines_of(text, "supervise", "staying#"), 5);
    check_eq(lines_of(text, "supervise", " is stuck -110"), 1);
    check_eq(lines_of(text, "supervise", " is gone -125"), 3);
    check_eq(lines_of(text, "supervise", ""), 6 + 6 + 5);
}

/* Who has to do with whom, and who is told of an end. */
static void check_ties(const char *text)
{
    check_eq(lines_of(text, "link", " is linked with #"), 1);
    check_eq(lines_of(text, "link", " is down, -33: told to #"), 1 + 2); /* a supervisor; one by a link, one who monitors it */
    check_eq(lines_of(text, "link", " is down, -3: told to #0.0.1"), 1);
    check_eq(lines_of(text, "link", "#0.0.1 monitors #"), 1 + 3 + 1 + 1);
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
    check_decisions(text);
    check_ties(text);
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
    trace_to(0, "spawn,end,send,recv,supervise,link,timer,dead,nonsense");
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

/* What messages say is nobody else's to read, and a link that somebody has laid in the way is not followed. */
TEST(trace, a_file_is_its_owners)
{
    struct stat is;
    rp_system_opts o = {.loops = 2};
    umask(0);
    trace_to(0, "spawn");
    check_eq(run_with(run_everything, 0, &o), 0);
    check(stat(path(0), &is) == 0 && is.st_size > 0);
    check_eq(is.st_mode & 0777, 0600);
    unlink(path(0));
    unlink(path(1));
    check(symlink(path(1), path(0)) == 0);
    check_eq(run_with(run_everything, 0, &o), 0);
    check(stat(path(1), &is) != 0);
    unlink(path(0));
}
