/* SPDX-License-Identifier: MIT
 *
 * What no call can return is reported: to the hook, a line each, no flood, and the last are kept.
 */
#include "loop/report.h"
#include "loop/system.h"
#include "tests/support.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- failures ------------------------------------------------------------------------------------ */

static int fails(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    return b && b->n == 0 ? rp_fail(me, -EPROTO, "no such order") : -EIO;
}
static const rp_actor shop = {.name = "shop", .handle = fails};

static int nobody_takes(rp_self *me, void *arg)
{
    rp_ref r;
    struct reports *got = arg;
    unsigned before = got->n;
    check_eq(rp_spawn(me, &shop, &(rp_spawn_opts){.on = RP_SPREAD}, &r), 0);
    check_eq(tell_num(me, r, 0), 0);
    check_eq(rp_monitor(me, r), 0); /* too late or not: whose it is then is one of the two */
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    check(got->n == before + (d.reason == -ESRCH));
    return 0;
}

static int told(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref r;
    check_eq(rp_spawn(me, &shop, NULL, &r), 0);
    check_eq(tell_num(me, r, 0), 0);
    return rp_sleep(me, rp_in_ms(me, 5));
}

TEST(report, a_failure_that_nobody_took)
{
    struct reports got;
    for (unsigned sim = 0; sim < 2; sim++) {
        reports_init(&got);
        rp_system_opts o = {.loops = 1, .on_report = reported, .report_ud = &got, .sites = true, .sim_seed = sim};
        check_eq(run_with(told, 0, &o), -EPROTO);
        const rp_report *r = report_with(&got, "actor shop 0.1.1 (spawned at ");
        check(r && got.n == 1, "%u", got.n);
        check_eq(r->kind, RP_REPORT_FAILURE);
        check_eq(r->err, -EPROTO);
        check_str(r->name, "shop");
        check(r->site != NULL && !rp_ref_none(r->actor));
        check(strstr(r->text, "failed: -71, ") && strstr(r->text, "why: no such order") && strstr(r->text, "monitors"), "%s", r->text);
    }
    reports_init(&got);
    rp_system_opts two = {.loops = 2, .on_report = reported, .report_ud = &got};
    int rc = run_with(nobody_takes, &got, &two);
    check(rc == (got.n ? -EPROTO : 0), "%d, %u", rc, got.n);
}

/* A small mailbox stands in the address: a report has it as the tools read it, all of it. */
static int of_small_mailbox(rp_self *me, void *arg)
{
    char *ref = arg, text[4096] = "", word[66];
    FILE *dump = tmpfile();
    rp_ref r;
    check_eq(rp_spawn(me, &shop, &(rp_spawn_opts){.name = "till", .mailbox = 2}, &r), 0);
    int rc = rp_spawn(me, &shop, &(rp_spawn_opts){.name = "till"}, NULL);
    check(rc == -EEXIST && sscanf(rp_cause(me, rc), "the name \"till\" is taken by %63[0-9.]", ref) == 1, "%s", rp_cause(me, rc));
    check_eq(rp_dump(me, fileno(dump)), 0);
    snprintf(word, sizeof word, "\n%s ", ref);
    check(pread(fileno(dump), text, sizeof text - 1, 0) > 0 && strstr(text, word), "no %s in:\n%s", ref, text);
    fclose(dump);
    check_eq(tell_num(me, r, 0), 0);
    return rp_sleep(me, rp_in_ms(me, 5));
}

TEST(report, of_an_actor_with_a_small_mailbox)
{
    struct reports got;
    char ref[64], line[128];
    reports_init(&got);
    rp_system_opts o = {.loops = 1, .on_report = reported, .report_ud = &got};
    check_eq(run_with(of_small_mailbox, ref, &o), -EPROTO);
    snprintf(line, sizeof line, "actor shop %s failed", ref);
    check(report_with(&got, line) != NULL, "no report says \"%s\"", line);
}

/* Who is monitored, linked, supervised, stopped, or fails in init, is somebody's. */
static int unborn_init(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    return -EIO;
}

static int taken(rp_self *me, void *arg)
{
    static const rp_actor unborn = {.name = "unborn", .handle = fails, .init = unborn_init};
    static const rp_child child = {.actor = &shop, .opts = {.name = "shop"}};
    static const rp_supervisor sup = {.children = &child, .nchildren = 1};
    rp_ref r, s;
    struct rp_down d;
    (void)arg;
    check_eq(rp_spawn(me, &shop, &(rp_spawn_opts){.monitor = true}, &r), 0);
    check_eq(tell_num(me, r, 0), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -EPROTO);
    check_eq(rp_spawn(me, &unborn, NULL, &r), -EIO);
    check_eq(rp_spawn(me, &shop, NULL, &r), 0);
    check_eq(rp_stop(me, r, "enough"), 0);
    check_eq(rp_supervise(me, &sup, NULL, &s), 0);
    check_eq(rp_whereis(me, "shop", &r), 0);
    check_eq(tell_num(me, r, 1), 0);
    return rp_sleep(me, rp_in_ms(me, 20));
}

TEST(report, not_a_failure_that_is_somebodys)
{
    struct reports got;
    reports_init(&got);
    rp_system_opts o = {.loops = 1, .on_report = reported, .report_ud = &got};
    check_eq(run_with(taken, 0, &o), 0);
    check(got.n == 0, "%s", got.text[0]);
}

static int links_and_falls(rp_self *me, void *arg)
{
    int rc = rp_link(me, *(rp_ref *)arg);
    return rc != 0 ? rc : rp_fail(me, -ERANGE, "both");
}
static const rp_actor linked = {.name = "linked", .run = links_and_falls};

static int of_two(rp_self *me, void *arg)
{
    rp_ref r, other;
    (void)arg;
    check_eq(rp_spawn(me, &shop, NULL, &r), 0);
    check_eq(rp_spawn(me, &linked, &(rp_spawn_opts){.arg = &r}, &other), 0);
    return rp_sleep(me, rp_in_ms(me, 5));
}

TEST(report, of_linked_actors_the_last)
{
    struct reports got;
    reports_init(&got);
    rp_system_opts o = {.loops = 1, .on_report = reported, .report_ud = &got};
    check_eq(run_with(of_two, 0, &o), -ERANGE);
    const rp_report *r = report_with(&got, "actor shop 0.1.1 failed: -34, ");
    check(r && got.n == 1 && strstr(r->text, "why: both"), "%u %s", got.n, got.text[0]);
}

static int root_fails(rp_self *me, void *arg)
{
    (void)arg;
    return rp_fail(me, -ENOENT, "nothing to do");
}

TEST(report, the_roots_failure)
{
    struct reports got;
    reports_init(&got);
    rp_system_opts o = {.loops = 1, .on_report = reported, .report_ud = &got};
    check_eq(run_with(root_fails, 0, &o), -ENOENT);
    const rp_report *r = report_with(&got, "actor root 0.0.1 failed: -2, there is none; why: nothing to do. It is the root");
    check(r && got.n == 1, "%u %s", got.n, got.text[0]);
}

/* ---- whoever monitors hears why ------------------------------------------------------------------ */

static int falls_when_told(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    return b && b->n == 0 ? rp_fail(me, -EPROTO, "an order of more than a thousand pieces, and there are none left, nor will there be") : RP_STOP;
}
static const rp_actor teller = {.name = "teller", .handle = falls_when_told};

static int hear_why(rp_self *me, void *arg)
{
    struct rp_down d;
    (void)arg;
    for (unsigned i = 0; i < 3 * rp_loop_count(me); i++) {
        rp_ref r;
        check_eq(rp_spawn(me, &teller, &(rp_spawn_opts){.on = RP_LOOP(i / 3), .monitor = true}, &r), 0);
        check_eq(i % 3 == 2 ? rp_stop(me, r, "enough") : tell_num(me, r, i % 3), 0);
        check_eq(recv_down(me, &d), 0);
        check(rp_ref_eq(d.who, r));
        check_str(d.name, "teller");
        check_str(d.why, i % 3 == 2 ? "enough" : i % 3 == 1 ? "" : "an order of more than a thousand pieces, and there are none lef");
        check_eq(d.reason, i % 3 == 2 ? -ECANCELED : i % 3 == 1 ? 0 : -EPROTO);
    }
    return 0;
}

TEST(report, down_says_why)
{
    everywhere(hear_why, 0);
}

/* ---- a supervisor -------------------------------------------------------------------------------- */

static int always_falls(rp_self *me, void *arg)
{
    (void)arg;
    return rp_fail(me, -EIO, "broken");
}
static const rp_actor falls = {.name = "faller", .run = always_falls};

static int gives_up(rp_self *me, void *arg)
{
    static const rp_child child = {.actor = &falls};
    static const rp_supervisor sup = {.name = "boss", .children = &child, .nchildren = 1, .restarts = 2, .within_ms = 60000};
    struct rp_down d;
    rp_ref s;
    (void)arg;
    check_eq(rp_supervise(me, &sup, &(rp_spawn_opts){.monitor = true}, &s), 0);
    check_eq(recv_down(me, &d), 0);
    return d.reason == -EIO ? 0 : -1;
}

static int taken_name(rp_self *me, void *arg)
{
    static const rp_child child[] = {{.actor = &shop, .opts = {.name = "till"}}};
    static const rp_supervisor sup = {.children = child, .nchildren = 1};
    rp_ref r;
    (void)arg;
    check_eq(rp_spawn(me, &shop, &(rp_spawn_opts){.name = "till"}, &r), 0);
    check_eq(rp_supervise(me, &sup, NULL, &r), -EEXIST);
    return 0;
}

TEST(report, a_supervisor_that_gives_up)
{
    struct reports got;
    reports_init(&got);
    rp_system_opts o = {.loops = 1, .on_report = reported, .report_ud = &got};
    check_eq(run_with(gives_up, 0, &o), 0);
    const rp_report *r = report_with(&got, "gives up");
    check(r && got.n == 1 && strstr(r->text, "faller 0.2.1") && strstr(r->text, "why: broken"), "%u %s", got.n, got.text[0]);
    check_eq(r->err, -EIO);
    reports_init(&got);
    check_eq(run_with(taken_name, 0, &o), 0);
    r = report_with(&got, "cannot start its child shop \"till\": -17, the name is taken");
    check(r && got.n == 1, "%u %s", got.n, got.text[0]);
}

/* ---- no flood, and the last are kept ------------------------------------------------------------- */

enum { MANY = 100 };

static unsigned kept(rp_system *sys, struct rp__report_kept *last)
{
    unsigned n = 0;
    for (uint64_t i = 0; rp__reports_next(sys, &i, &last[n]); i++)
        check(++n <= RP__REPORT_LAST);
    return n;
}

static int flood(rp_self *me, void *arg)
{
    static struct rp__report_kept last[RP__REPORT_LAST + 1];
    rp_system *sys = rp_system_of(me);
    (void)arg;
    check_eq(kept(sys, last), 0);
    for (unsigned i = 0; i < MANY; i++)
        rp__report(sys, &(rp_report){.kind = RP_REPORT_LINK, .err = -EPROTO}, "number %u\nof \x1b[1mmany", i);
    rp__report(sys, &(rp_report){.kind = RP_REPORT_MESSAGE}, "another kind");
    check_eq(kept(sys, last), RP__REPORT_LAST);
    check_str(last[RP__REPORT_LAST - 1].text, "another kind");
    check_str(last[RP__REPORT_LAST - 2].text, "number 99?of ?[1mmany");
    check_str(last[0].text, "number 37?of ?[1mmany");
    check_eq(last[0].kind, RP_REPORT_LINK);
    check_eq(rp_sleep(me, rp_in_ms(me, 1500)), 0);
    rp__report(sys, &(rp_report){.kind = RP_REPORT_LINK, .err = -EPROTO}, "later");
    return 0;
}

TEST(report, no_flood)
{
    struct reports got;
    reports_init(&got);
    rp_system_opts o = {.sim_seed = 1, .loops = 1, .on_report = reported, .report_ud = &got};
    check_eq(run_with(flood, 0, &o), 0);
    check_eq(got.n, RP__REPORTS_A_SECOND + 2);
    check_eq(got.skipped, MANY - RP__REPORTS_A_SECOND);
    const rp_report *r = report_with(&got, "later");
    check(r && r->skipped == MANY - RP__REPORTS_A_SECOND);
}

static int reports_too(rp_self *me, void *arg)
{
    for (unsigned i = 0; i < MANY; i++)
        rp__report(rp_system_of(me), &(rp_report){.kind = *(rp_report_kind *)arg}, "from %u", rp_loop_index(me));
    return 0;
}
static const rp_actor reporter = {.name = "reporter", .run = reports_too};

static int from_all_loops(rp_self *me, void *arg)
{
    static const rp_report_kind kinds[] = {RP_REPORT_FAILURE, RP_REPORT_MESSAGE, RP_REPORT_LINK, RP_REPORT_MISUSE};
    struct rp_down d;
    (void)arg;
    for (unsigned i = 0; i < 4; i++)
        check_eq(rp_spawn(me, &reporter, &(rp_spawn_opts){.on = RP_LOOP(i), .arg = (void *)(uintptr_t)&kinds[i], .monitor = true}, NULL), 0);
    for (unsigned i = 0; i < 4; i++)
        check_eq(recv_down(me, &d), 0);
    static struct rp__report_kept last[RP__REPORT_LAST + 1];
    check_eq(kept(rp_system_of(me), last), RP__REPORT_LAST);
    for (unsigned i = 0; i < RP__REPORT_LAST; i++)
        check(strncmp(last[i].text, "from ", 5) == 0, "%s", last[i].text);
    return 0;
}

TEST(report, from_several_threads)
{
    struct reports got;
    reports_init(&got);
    rp_system_opts o = {.loops = 4, .on_report = reported, .report_ud = &got};
    check_eq(run_with(from_all_loops, 0, &o), 0);
    check(got.n >= 4 * RP__REPORTS_A_SECOND && got.n <= 4 * MANY, "%u", got.n); /* a slow machine takes seconds */
}

/* ---- before there is a system -------------------------------------------------------------------- */

static int nothing(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

static void refused(const rp_actor *root, rp_system_opts o, run_fn *run, int rc, const char *part)
{
    struct reports got;
    reports_init(&got);
    o.on_report = reported;
    o.report_ud = &got;
    check_eq(run(root, NULL, &o), rc);
    check(got.n == 1 && report_with(&got, part), "%u: \"%s\", not \"%s\"", got.n, got.text[0], part);
    check_eq(got.r[0].err, rc);
}

static int open_only(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    rp_system *sys;
    return rp_system_open(root, arg, o, &sys);
}

static int attach_nowhere(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    rp_system *sys;
    return rp_attach(NULL, root, arg, o, NULL, NULL, &sys);
}

static int add_only(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    unsigned node;
    rp_sim *s = rp_sim_new(1);
    int rc = rp_sim_add(s, root, arg, o, &node);
    rp_sim_free(s);
    return rc;
}

TEST(report, which_option_is_wrong)
{
    const rp_actor good = {.name = "root", .run = nothing}, both = {.name = "both", .run = nothing, .handle = fails}, neither = {.name = "neither"};
    const rp_type nameless = {.size = 4};
    run_fn *ways[] = {rp_run, open_only, add_only};
    for (unsigned i = 0; i < 3; i++) {
        refused(NULL, (rp_system_opts){.loops = 1}, ways[i], -EINVAL, "The root's rp_actor is NULL");
        refused(&both, (rp_system_opts){.loops = 1}, ways[i], -EINVAL, "has both .run and .handle");
        refused(&neither, (rp_system_opts){.loops = 1}, ways[i], -EINVAL, "has neither .run nor .handle");
        refused(&good, (rp_system_opts){.loops = 5000}, ways[i], -EINVAL, ".loops is 5000");
    }
    refused(&good, (rp_system_opts){.stall_ms = 100, .stall_signal = 1000}, rp_run, -EINVAL, ".stall_signal is 1000");
    refused(&good, (rp_system_opts){.sim_seed = 1}, open_only, -EINVAL, ".sim_seed");
    refused(&good, (rp_system_opts){.loops = 1}, attach_nowhere, -EINVAL, "The uv_loop_t is NULL");
    refused(&good, (rp_system_opts){.listen = "foo"}, rp_run, -EINVAL, ".listen is \"foo\"");
    refused(&good, (rp_system_opts){.listen = "tcp://0.0.0.0:0"}, rp_run, -ENOKEY, ".secret is missing");
    refused(&good, (rp_system_opts){.listen = "uv+ipc:///nonexistent/x"}, rp_run, -ENOENT, ".listen is \"uv+ipc:///nonexistent/x\"");
    refused(&good, (rp_system_opts){.types = (const rp_type *const[]){&nameless, NULL}}, rp_run, -EINVAL, ".types");
    refused(&good, (rp_system_opts){.inspect = "/nonexistent/x"}, rp_run, -ENOENT, ".inspect is \"/nonexistent/x\"");
}

/* The words are ours, not those of files and sockets; a code that we do not know has the C library's. */
TEST(report, errors_in_words)
{
    const int misleading[] = {-EHOSTUNREACH, -EPIPE, -EACCES, -ESRCH, -EDEADLK, -EOWNERDEAD, -ENOENT, -EPROTO, -ENOTSUP};
    for (unsigned i = 0; i < sizeof misleading / sizeof *misleading; i++) {
        check(strcmp(rp_strerror(misleading[i]), strerror(-misleading[i])) != 0, "%s", rp_strerror(misleading[i]));
        check_str(rp_strerror(misleading[i]), rp_strerror(-misleading[i]));
    }
    check(strstr(rp_strerror(-EHOSTUNREACH), "link") && strstr(rp_strerror(-EPIPE), "no reply") && strstr(rp_strerror(-ESRCH), "actor"));
    check_str(rp_strerror(0), "success");
    check_str(rp_strerror(-EXDEV), strerror(EXDEV));
    check_str(rp_strerror(-100000), "unknown error");
    check_str(rp_strerror(INT_MIN), "unknown error");
}

/* ---- RP_DEBUG=1: nothing can wake it ------------------------------------------------------------- */

struct asleep {
    struct reports got;
    rp_system *_Atomic sys;
};

static int waits_for_nobody(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    return rp_recv(me, &m, RP_FOREVER);
}
static const rp_actor lonely = {.name = "lonely", .run = waits_for_nobody};

static int sleeps_for_ever(rp_self *me, void *arg)
{
    struct asleep *a = arg;
    rp_event never = {0};
    check_eq(rp_spawn(me, &lonely, &(rp_spawn_opts){.on = RP_LOOP(1)}, NULL), 0);
    a->sys = rp_system_of(me);
    return rp_event_wait(me, &never, RP_FOREVER);
}

static void *ends_what_sleeps(void *arg)
{
    struct asleep *a = arg;
    while (!report_with(&a->got, "actor lonely 1.0.1 waits for message"))
        usleep(1000); /* the runner's alarm bounds it */
    rp_quit(a->sys, "it has been said");
    return 0;
}

TEST(report, nothing_can_wake_it)
{
    struct asleep a = {0};
    pthread_t t;
    reports_init(&a.got);
    setenv("RP_DEBUG", "1", 1);
    check_eq(pthread_create(&t, NULL, ends_what_sleeps, &a), 0);
    rp_system_opts o = {.loops = 2, .on_report = reported, .report_ud = &a.got};
    check_eq(run_with(sleeps_for_ever, &a, &o), -ECANCELED);
    check_eq(pthread_join(t, NULL), 0);
    check(report_with(&a.got, "nothing inside this program can wake it") && report_with(&a.got, "actor root 0.0.1 waits for an event"));
    check_eq(a.got.n, 3);
}

static int dawdles(void *arg)
{
    (void)arg;
    usleep(20000);
    return 0;
}

static int has_something_to_come(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    check_eq(rp_spawn(me, &lonely, &(rp_spawn_opts){.on = RP_LOOP(1)}, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    check_eq(rp_offload(me, dawdles, NULL, RP_FOREVER), 0);
    check_eq(rp_timer_start(me, rp_in_ms(me, 20), NUM, &(struct num){1}, NULL), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    return 0;
}

TEST(report, not_where_something_can)
{
    struct reports got;
    reports_init(&got);
    setenv("RP_DEBUG", "1", 1);
    rp_system_opts o = {.loops = 3, .spin_us = -1, .on_report = reported, .report_ud = &got};
    check_eq(run_with(has_something_to_come, 0, &o), 0);
    check(got.n == 0, "%s", got.text[0]);
    rp_system_opts listens = o;
    listens.listen = "uv+tcp://127.0.0.1:0";
    check_eq(run_with(has_something_to_come, 0, &listens), 0);
    check(got.n == 0, "%s", got.text[0]);
}

/* ---- why a call has failed ----------------------------------------------------------------------- */

static int ends_it(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor deaf = {.name = "deaf", .handle = ends_it};

static int asks_why(rp_self *me, void *arg)
{
    rp_ref r, other;
    rp_msg *m;
    char part[100];
    (void)arg;
    check_eq(rp_spawn(me, &deaf, &(rp_spawn_opts){.name = "one"}, &r), 0);
    int rc = rp_call(me, r, NUM, &(struct num){1}, &m, RP_FOREVER);
    check_eq(rc, -EPIPE);
    check(strncmp(rp_cause(me, rc), "deaf, spawned at ", 17) == 0, "%s", rp_cause(me, rc));
    rc = rp_spawn(me, &deaf, &(rp_spawn_opts){.name = "one", .on = RP_LOOP(rp_loop_count(me) - 1)}, &other);
    check_eq(rc, -EEXIST);
    snprintf(part, sizeof part, "the name \"one\" is taken by %u.", (unsigned)(r.local >> 54));
    check(strncmp(rp_cause(me, rc), part, strlen(part)) == 0, "%s", rp_cause(me, rc));
    rc = rp_whereis(me, "two", &other);
    check_str(rp_cause(me, rc), "nobody is registered in this process as \"two\"");
    check_str(rp_cause(me, -EBUSY), rp_strerror(-EBUSY)); /* of that nothing is known */
    check_eq(rp_yield(me), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_str(rp_cause(me, -ETIMEDOUT), rp_strerror(-ETIMEDOUT));
    rc = rp_spawn(me, &(rp_actor){.name = "neither"}, NULL, &other);
    check_str(rp_cause(me, rc), "an rp_actor has exactly one of .run and .handle");
    rc = rp_spawn(me, &deaf, &(rp_spawn_opts){.on = RP_LOOP(9)}, &other);
    snprintf(part, sizeof part, "rp_spawn_opts.on is RP_LOOP(9): the last of this system's loops is %u", rp_loop_count(me) - 1);
    check(rc == -EINVAL && strcmp(rp_cause(me, rc), part) == 0, "%d: %s", rc, rp_cause(me, rc));
    rc = rp_spawn(me, &deaf, &(rp_spawn_opts){.on = 5}, &other);
    check_str(rp_cause(me, rc), "rp_spawn_opts.on is 5, which is no place: RP_LOOP(5) is a loop");
    rc = rp_spawn(me, &deaf, &(rp_spawn_opts){.name = ""}, &other);
    check_str(rp_cause(me, rc), "a name has 1 to 255 bytes, and rp_spawn_opts.name has 0");
    check_eq(rp_whereis(me, NULL, &other), -EINVAL);
    return 0;
}

TEST(report, an_allocator_is_whole)
{
    struct reports got;
    reports_init(&got);
    rp_alloc none = {0};
    rp_system_opts o = {.loops = 1, .mem = &none, .on_report = reported, .report_ud = &got};
    check_eq(run_with(asks_why, 0, &o), -EINVAL);
    check(got.n == 1 && strstr(got.text[0], ".mem lacks .alloc or .free"), "%s", got.text[0]);
}

TEST(report, the_cause_of_a_failed_call)
{
    rp_system_opts one = {.loops = 1, .sites = true}, two = {.loops = 2, .sites = true}, sim = {.loops = 2, .sites = true, .sim_seed = 1};
    check_eq(run_with(asks_why, 0, &one), 0);
    check_eq(run_with(asks_why, 0, &two), 0);
    check_eq(run_with(asks_why, 0, &sim), 0);
}

/* Without a hook it is a line on standard error. */
TEST(report, a_line_on_standard_error)
{
    char line[1024];
    int ends[2], before = dup(STDERR_FILENO);
    check(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    int rc = rp_run(NULL, NULL, NULL);
    dup2(before, STDERR_FILENO);
    ssize_t n = read(ends[0], line, sizeof line - 1);
    check(rc == -EINVAL && n > 0);
    line[n] = 0;
    check(strncmp(line, "reparto: the system cannot begin: -22, ", 39) == 0 && line[n - 1] == '\n', "%s", line);
}
