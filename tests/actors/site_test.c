/* SPDX-License-Identifier: MIT
 *
 * Where an actor was spawned is told of it wherever it lives, and of whoever fails an asker.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { DROP = 1, SILENT, QUIT, TWICE, TWICE_BY_TOKEN, SLOW };

struct clerk {
    rp_token token;
};

/* What it does with a call. */
static int clerk_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct clerk *s = state;
    const struct num *b = rp_body(m, NUM);
    uint64_t what = b ? b->n : 0;
    if (!rp_wants_reply(m))
        return 0;
    if (what == SLOW)
        check_eq(rp_sleep(me, rp_in_ms(me, 30)), 0);
    if (what == TWICE || what == SLOW) {
        check_eq(rp_reply(me, m, NUM, b), 0);
        if (what == TWICE)
            check_eq(rp_reply(me, m, NUM, b), -EALREADY);
        return 0;
    }
    if (what == SILENT)
        return 0;
    check_eq(rp_take_token(me, m, &s->token), 0);
    if (what == TWICE_BY_TOKEN) {
        check_eq(rp_token_reply(me, &s->token, NUM, b), 0);
        check_eq(rp_token_reply(me, &s->token, NUM, b), -EALREADY);
    }
    if (what == DROP)
        rp_token_drop(me, &s->token);
    return what == QUIT ? RP_STOP : 0;
}
static const rp_actor clerk = {.name = "clerk", .handle = clerk_handle, .state_size = sizeof(struct clerk)};

/* Two places; what comes after the call keeps it from being a jump. */
__attribute__((noinline)) static rp_ref spawn_one(rp_self *me, unsigned loop)
{
    rp_ref r;
    check_eq(rp_spawn(me, &clerk, &(rp_spawn_opts){.on = RP_LOOP(loop % rp_loop_count(me)), .monitor = true}, &r), 0);
    return r;
}

__attribute__((noinline)) static rp_ref spawn_other(rp_self *me, unsigned loop)
{
    rp_ref r;
    check_eq(rp_spawn(me, &clerk, &(rp_spawn_opts){.on = RP_LOOP(loop % rp_loop_count(me)), .monitor = true}, &r), 0);
    return r;
}

typedef rp_ref spawn_fn(rp_self *me, unsigned loop);

static bool within(const void *site, spawn_fn *fn)
{
    return (const char *)site > (const char *)(uintptr_t)fn && (const char *)site < (const char *)(uintptr_t)fn + 1000;
}

/* In whichever of the two it is; they may be near each other. */
static bool is_at(const void *site, spawn_fn *fn)
{
    spawn_fn *other = fn == spawn_one ? spawn_other : spawn_one;
    bool behind = (uintptr_t)other > (uintptr_t)fn && (const char *)site > (const char *)(uintptr_t)other;
    return within(site, fn) && !behind;
}

static void *site_of(rp_self *me, rp_ref who)
{
    rp_inspection *i;
    rp_actor_info a;
    void *site = NULL;
    bool found = false;
    check_eq(rp_inspect(me, 5000, &i), 0);
    while (rp_inspect_next(me, i, &a) > 0)
        if (rp_ref_eq(a.ref, who) && a.task == 0)
            site = a.site, found = true;
    rp_inspect_end(me, i);
    check(found);
    return site;
}

static void end_it(rp_self *me, rp_ref who)
{
    struct rp_down d;
    check_eq(rp_stop(me, who, "done"), 0);
    check_eq(recv_down(me, &d), 0);
}

/* ---- of the actor --------------------------------------------------------------------------------- */

static int spawned(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 6; i++) { /* slots are used again */
        rp_ref a = spawn_one(me, i), b = spawn_other(me, i);
        check(is_at(site_of(me, a), spawn_one));
        check(is_at(site_of(me, b), spawn_other));
        end_it(me, i % 2 ? a : b);
        rp_ref c = (i % 2 ? spawn_other : spawn_one)(me, i);
        check(is_at(site_of(me, c), i % 2 ? spawn_other : spawn_one));
        end_it(me, i % 2 ? b : a);
        end_it(me, c);
    }
    check(site_of(me, rp_self_ref(me)) == NULL, "of the root");
    return 0;
}

TEST(site, is_where_rp_spawn_was_called)
{
    setenv("RP_SITES", "1", 1);
    everywhere(spawned, NULL);
    unsetenv("RP_SITES");
    check_eq(run_with(spawned, NULL, &(rp_system_opts){.loops = 2, .sites = true}), 0);
}

static int not_kept(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    rp_ref a = spawn_one(me, 1);
    check(site_of(me, a) == NULL);
    check_eq(rp_move(me, a, RP_LOOP(0)), 0);
    check(site_of(me, a) == NULL);
    check_eq(rp_call(me, a, NUM, &(struct num){.n = DROP}, &m, RP_FOREVER), -EPIPE);
    check(rp_blame_site(me) == NULL);
    return 0;
}

TEST(site, is_not_kept_unless_asked_for)
{
    everywhere(not_kept, NULL);
    setenv("RP_SITES", "0", 1);
    everywhere(not_kept, NULL);
}

static int moves(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref a = spawn_one(me, 1);
    for (unsigned on = 2; on != 4; on++) { /* a guest of two loops, where others have been */
        end_it(me, spawn_other(me, on));
        check_eq(rp_move(me, a, RP_LOOP(on % 3)), 0);
        check(is_at(site_of(me, a), spawn_one));
        rp_ref b = spawn_other(me, on);
        check(is_at(site_of(me, b), spawn_other));
        check(is_at(site_of(me, a), spawn_one));
    }
    check_eq(rp_move(me, a, RP_LOOP(1)), 0);
    check(is_at(site_of(me, a), spawn_one));
    return 0;
}

TEST(site, goes_with_who_moves)
{
    check_eq(run_with(moves, NULL, &(rp_system_opts){.loops = 3, .sites = true}), 0);
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < seeds(20); i++)
        check_eq(run_with(moves, NULL, &(rp_system_opts){.loops = 3, .sites = true, .sim_seed = seed + i}), 0);
}

/* ---- of what the library spawns for a user -------------------------------------------------------- */

static int falls(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_body(m, NUM) ? rp_fail(me, -EDOM, "for the test") : 0;
}
static const rp_actor falling = {.name = "falling", .handle = falls};

__attribute__((noinline)) static rp_ref start_tree(rp_self *me, unsigned loop)
{
    rp_child c = {.actor = &falling, .opts = {.on = RP_LOOP(loop)}};
    rp_supervisor s = {.children = &c, .nchildren = 1, .restarts = 9, .within_ms = 5000};
    rp_ref r;
    check_eq(rp_supervise(me, &s, NULL, &r), 0);
    return r;
}

static rp_ref supervisor;

__attribute__((noinline)) static rp_ref add_child(rp_self *me, unsigned loop)
{
    rp_child c = {.actor = &falling, .opts = {.on = RP_LOOP(loop)}};
    rp_ref r;
    check_eq(rp_supervise_add(me, supervisor, &c, &r), 0);
    return r;
}

__attribute__((noinline)) static rp_ref start_group(rp_self *me, unsigned loop)
{
    rp_ref r;
    check_eq(rp_group_start(me, &(rp_spawn_opts){.on = RP_LOOP(loop)}, &r), 0);
    return r;
}

static int for_users(rp_self *me, void *arg)
{
    rp_ref first;
    (void)arg;
    supervisor = start_tree(me, 1);
    check_eq(rp_supervise_child(me, supervisor, 0, &first), 0);
    rp_ref added = add_child(me, 1);
    for (unsigned i = 0; i < 2; i++) {
        check(within(site_of(me, supervisor), start_tree));
        check(within(site_of(me, first), start_tree));
        check(within(site_of(me, added), add_child));
        check_eq(tell_num(me, first, 1), 0); /* its next incarnation has it too */
        check_eq(tell_num(me, added, 1), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    }
    check(within(site_of(me, start_group(me, 0)), start_group));
    return 0;
}

TEST(site, of_children_is_where_their_supervisor_got_them)
{
    check_eq(run_with(for_users, NULL, &(rp_system_opts){.loops = 2, .sites = true}), 0);
}

/* ---- blame ---------------------------------------------------------------------------------------- */

static void ask(rp_self *me, rp_ref who, uint64_t what, int rc, spawn_fn *fn)
{
    rp_msg *m = NULL;
    check_eq(rp_call(me, who, NUM, &(struct num){.n = what}, &m, RP_FOREVER), rc);
    check(rc == 0 || strcmp(rp_blame(me), "clerk") == 0, "\"%s\"", rp_blame(me));
    check(rc == 0 ? rp_blame_site(me) == NULL : is_at(rp_blame_site(me), fn), "%d", (int)what);
    rp_msg_drop(me, m);
}

static int blamed(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 4; i++) {
        spawn_fn *fn = i % 2 ? spawn_other : spawn_one;
        rp_ref who = fn(me, i);
        struct rp_down d;
        ask(me, who, DROP, -EPIPE, fn);
        ask(me, who, TWICE, 0, fn); /* the blame is the last wait's */
        ask(me, who, SILENT, -EPIPE, fn);
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        check(rp_blame_site(me) == NULL);
        rp_ask q = {.to = who, .type = NUM, .body = &(struct num){.n = DROP}};
        check_eq(rp_call_many(me, &q, 1, 1, RP_FOREVER), -EPIPE);
        check(is_at(q.blame_site, fn));
        q.body = &(struct num){.n = TWICE};
        check_eq(rp_call_many(me, &q, 1, 1, RP_FOREVER), 0);
        check(q.blame_site == NULL);
        rp_asks_drop(me, &q, 1);
        ask(me, who, QUIT, -EPIPE, fn);
        check_eq(recv_down(me, &d), 0);
    }
    return 0;
}

TEST(site, of_who_fails_an_asker_is_told)
{
    setenv("RP_SITES", "1", 1);
    everywhere(blamed, NULL);
}

/* ---- as it happens -------------------------------------------------------------------------------- */

static char *traced(root_fn *fn, void *arg, const rp_system_opts *o)
{
    static char text[1 << 16];
    char path[64];
    snprintf(path, sizeof path, "/tmp/reparto-site-%d", (int)getpid());
    unlink(path);
    setenv("RP_TRACE", "dead", 1);
    setenv("RP_TRACE_FILE", path, 1);
    check_eq(run_with(fn, arg, o), 0);
    FILE *f = fopen(path, "r");
    check(f != NULL);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    unlink(path);
    return text;
}

static unsigned lines_with(const char *text, const char *piece, const char *then)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, piece)); at++) {
        const char *end = strchr(at, '\n'), *has = strstr(at, then);
        n += has && has < end;
    }
    return n;
}

static int fails(rp_self *me, void *arg)
{
    static const uint64_t how[] = {DROP, SILENT, QUIT, TWICE, TWICE_BY_TOKEN};
    rp_msg *m;
    (void)arg;
    for (unsigned i = 0; i < sizeof how / sizeof *how; i++) {
        int rc = rp_call(me, spawn_one(me, i), NUM, &(struct num){.n = how[i]}, &m, RP_FOREVER);
        check_eq(rc, how[i] < TWICE ? -EPIPE : 0);
        if (rc == 0)
            rp_msg_drop(me, m);
    }
    for (unsigned i = 0; i < 2; i++)
        check_eq(rp_call(me, spawn_one(me, i), NUM, &(struct num){.n = SLOW}, &m, rp_in_ms(me, 5)), -ETIMEDOUT);
    return rp_sleep(me, rp_in_ms(me, 100));
}

/* On threads a call that is to be answered too late may expire unread. */
TEST(site, who_breaks_the_rule_of_one_reply_is_traced)
{
    rp_system_opts o = {.loops = 2, .sites = true};
    for (unsigned i = 0; i < 2; i++, o.sim_seed = test_seed()) {
        const char *text = traced(fails, NULL, &o);
        check_eq(lines_with(text, "call of #0.0.1 dropped unanswered by clerk#", " spawned at "), 3);
        check_eq(lines_with(text, "call of #0.0.1 answered once more, in vain, by clerk#", " spawned at "), 2);
        unsigned late = lines_with(text, "call of #0.0.1 answered too late by clerk#", " spawned at ");
        check(i ? late == 2 : late <= 2, "%u", late);
    }
    o.sites = false;
    const char *text = traced(fails, NULL, &o);
    check_eq(lines_with(text, "call of #0.0.1 dropped unanswered by clerk#", ""), 3);
    check_eq(lines_with(text, "call of #0.0.1 answered once more, in vain, by clerk#", ""), 2);
    check_eq(lines_with(text, "spawned at", ""), 0);
    check_eq(lines_with(text, "late #", "test.num"), 2);
}

/* Tracing changes nothing, with sites neither. */
TEST(site, a_traced_run_is_the_same)
{
    uint64_t hash[2];
    for (unsigned i = 0; i < 2; i++) {
        rp_actor root = {.name = "root", .run = fails};
        unsigned node;
        rp_sim *s = rp_sim_new(7);
        if (i)
            setenv("RP_TRACE", "dead", 1);
        setenv("RP_TRACE_FILE", "/dev/null", 1);
        check(s != NULL);
        check_eq(rp_sim_add(s, &root, NULL, &(rp_system_opts){.loops = 3, .sites = true}, &node), 0);
        check_eq(rp_sim_run(s, 100 * RP_S), 0);
        hash[i] = rp_sim_hash(s);
        rp_sim_free(s);
    }
    check(hash[0] == hash[1]);
}
