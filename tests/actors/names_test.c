/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>

static int until_told(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state;
    const struct num *b = rp_body(m, NUM);
    return b->n == 0 ? RP_STOP : -EIO;
}
static const rp_actor holder = {.name = "holder", .handle = until_told};

/* The next RP_NAME_CHANGE is about `name`, and this. */
static rp_ref heard(rp_self *me, const char *name)
{
    rp_msg *m;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    const struct rp_name_change *c = rp_body(m, RP_NAME_CHANGE);
    check(c && strcmp(c->name.data, name) == 0);
    rp_ref ref = c->ref;
    check(rp_ref_none(rp_from(me, m)));
    rp_msg_drop(me, m);
    return ref;
}

static int changes(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref r[8];
    rp_msg *m;
    check_eq(rp_watch_name(me, ""), -EINVAL);
    check_eq(rp_unwatch_name(me, "x"), -ESRCH);
    check_eq(rp_watch_name(me, "x"), 0);
    check_eq(rp_watch_name(me, "x"), -EALREADY);
    check_eq(rp_watch_name(me, "y"), 0);
    check(rp_ref_none(heard(me, "x"))); /* the present state first */
    check(rp_ref_none(heard(me, "y")));
    for (unsigned i = 0; i < 8; i++) { /* from loop to loop, faster than we look */
        rp_spawn_opts o = {.on = RP_SPREAD, .name = "x"};
        while (rp_spawn(me, &holder, &o, &r[i]) == -EEXIST) /* its predecessor is about to end */
            check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        check_eq(tell_num(me, r[i], 0), 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        check(rp_ref_eq(heard(me, "x"), r[i]));
        check(rp_ref_none(heard(me, "x")));
    }
    check_eq(rp_recv(me, &m, rp_in_ms(me, 2)), -ETIMEDOUT);
    rp_spawn_opts o = {.on = RP_SPREAD, .name = "y"};
    check_eq(rp_spawn(me, &holder, &o, &r[0]), 0);
    check(rp_ref_eq(heard(me, "y"), r[0]));
    check_eq(rp_unwatch_name(me, "y"), 0);
    check_eq(rp_watch_name(me, "y"), 0); /* anew, while it is taken */
    check(rp_ref_eq(heard(me, "y"), r[0]));
    check_eq(tell_num(me, r[0], 0), 0);
    check(rp_ref_none(heard(me, "y")));
    check_eq(rp_unwatch_name(me, "y"), 0);
    check_eq(rp_spawn(me, &holder, &o, &r[0]), 0);
    check_eq(rp_recv(me, &m, rp_in_ms(me, 2)), -ETIMEDOUT);
    return 0;
}

TEST(names, each_change_once_and_in_order)
{
    everywhere(changes, 0);
}

static int no_restart(rp_self *me, void *arg)
{
    (void)arg;
    rp_child c = {.actor = &holder, .opts = {.name = "kept", .on = RP_SPREAD}, .restart = RP_ON_FAILURE};
    rp_supervisor s = {.children = &c, .nchildren = 1};
    rp_ref sup, r;
    rp_msg *m;
    check_eq(rp_watch_name(me, "kept"), 0);
    check(rp_ref_none(heard(me, "kept")));
    check_eq(rp_supervise(me, &s, NULL, &sup), 0);
    r = heard(me, "kept");
    check_eq(tell_num(me, r, 1), 0); /* it fails and is restarted: its name stays */
    check_eq(rp_recv(me, &m, rp_in_ms(me, 3)), -ETIMEDOUT);
    check_eq(tell_num(me, r, 0), 0);
    check(rp_ref_none(heard(me, "kept")));
    return 0;
}

TEST(names, a_restart_is_no_change)
{
    everywhere(no_restart, 0);
}

/* Watchers that end while names come and go all around them. */
static int watcher_run(rp_self *me, void *arg)
{
    (void)arg;
    char name[8];
    rp_msg *m;
    int rc = 0, seen[4] = {0};
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "n%d", i);
        if ((rc = rp_watch_name(me, name)) != 0)
            return rc;
    }
    for (int i = 0; i < 30 && (rc = rp_recv(me, &m, RP_FOREVER)) == 0; i++) {
        const struct rp_name_change *c = rp_body(m, RP_NAME_CHANGE);
        int n = ((const char *)c->name.data)[1] - '0';
        bool on = !rp_ref_none(c->ref);
        check(seen[n] == 0 || seen[n] == 1 + !on, "the same twice"); /* it alternates */
        seen[n] = 1 + on;
        rp_msg_drop(me, m);
    }
    return 0;
}
static const rp_actor watcher = {.name = "watcher", .run = watcher_run};

static int bustle(rp_self *me, void *arg)
{
    (void)arg;
    for (int round = 0; round < 40; round++) {
        char name[8];
        rp_ref r;
        snprintf(name, sizeof name, "n%d", (int)(rp_random(me) % 4));
        rp_spawn_opts o = {.on = RP_SPREAD, .name = name}, w = {.on = RP_SPREAD};
        int rc = rp_spawn(me, &holder, &o, &r);
        check(rc == 0 || rc == -EEXIST);
        if (rc == 0 && rp_random(me) % 2)
            check_eq(rp_stop(me, r, "test"), 0);
        else if (rc == 0)
            check_eq(tell_num(me, r, 0), 0);
        check_eq(rp_spawn(me, &watcher, &w, &r), 0);
        if (rp_random(me) % 4 == 0)
            check_eq(rp_stop(me, r, "test"), 0);
    }
    return rp_sleep(me, rp_in_ms(me, 2));
}

TEST(names, watchers_come_and_go)
{
    everywhere(bustle, 0);
    for (uint64_t seed = 1; seed <= seeds(40); seed++)
        check_eq(run_with(bustle, 0, &(rp_system_opts){.loops = 3, .sim_seed = seed}), 0);
}
