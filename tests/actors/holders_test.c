/* SPDX-License-Identifier: MIT
 *
 * Who waits for what others have: is one of them named, and how many they are?
 */
#include "tests/support.h"

#include <errno.h>
#include <stdio.h>

struct shared {
    rp_rwlock rw;
    rp_once once;
    rp_event go;
    rp_queue *q;
};

/* The record of `who` when it waits for `what`. */
static rp_actor_info when_waits(rp_self *me, rp_ref who, const char *what)
{
    for (;;) {
        rp_inspection *i;
        rp_actor_info a, found = {.waits = ""};
        check_eq(rp_inspect(me, 5000, &i), 0);
        while (rp_inspect_next(me, i, &a) > 0)
            if (rp_ref_eq(a.ref, who) && a.task == 0 && a.doing == RP_WAITING)
                found = a;
        rp_inspect_end(me, i);
        if (strcmp(found.waits, what) == 0)
            return found;
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
}

static rp_ref spawn(rp_self *me, const rp_actor *a, struct shared *s)
{
    rp_ref r;
    check_eq(rp_spawn(me, a, &(rp_spawn_opts){.on = RP_SPREAD, .arg = s, .monitor = true}, &r), 0);
    return r;
}

static void all_ended(rp_self *me, unsigned n)
{
    struct rp_down d;
    while (n-- > 0) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
}

/* ---- readers and writers ------------------------------------------------------------------------- */

static int reads(rp_self *me, void *arg)
{
    struct shared *s = arg;
    check_eq(rp_rwlock_read(me, &s->rw, RP_FOREVER), 0);
    int rc = rp_event_wait(me, &s->go, RP_FOREVER);
    check_eq(rp_rwlock_release(me, &s->rw), 0);
    return rc;
}
static const rp_actor reader = {.name = "reader", .run = reads};

static int writes(rp_self *me, void *arg)
{
    struct shared *s = arg;
    int rc = rp_rwlock_write(me, &s->rw, RP_FOREVER);
    check(rc == 0 || rc == -EOWNERDEAD);
    check_eq(rp_event_wait(me, &s->go, RP_FOREVER), 0);
    return rp_rwlock_release(me, &s->rw);
}
static const rp_actor writer = {.name = "writer", .run = writes};

static int forgets(rp_self *me, void *arg) /* to give it back */
{
    struct shared *s = arg;
    check_eq(rp_rwlock_read(me, &s->rw, RP_FOREVER), 0);
    return rp_event_wait(me, &s->go, RP_FOREVER);
}
static const rp_actor forgetful = {.name = "forgetful", .run = forgets};

static int readers_and_writers(rp_self *me, void *arg)
{
    struct shared s = {0};
    rp_ref r[3], w, late;
    (void)arg;
    for (unsigned i = 0; i < 3; i++)
        when_waits(me, r[i] = spawn(me, &reader, &s), "an event");
    rp_actor_info i = when_waits(me, w = spawn(me, &writer, &s), "a lock, to write");
    check(i.object == &s.rw);
    check_eq(i.holders, 3);
    check(rp_ref_eq(i.on, r[0]) || rp_ref_eq(i.on, r[1]) || rp_ref_eq(i.on, r[2]));
    i = when_waits(me, late = spawn(me, &reader, &s), "a lock, to read"); /* behind the writer, for the same three */
    check_eq(i.holders, 3);
    check_eq(rp_stop(me, r[1], "enough"), 0); /* its wait fails: it gives back */
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    rp_event_set(&s.go);
    all_ended(me, 4);
    return 0;
}

static int writer_first(rp_self *me, void *arg)
{
    struct shared s = {0};
    rp_ref w, r;
    (void)arg;
    when_waits(me, w = spawn(me, &writer, &s), "an event");
    rp_actor_info i = when_waits(me, r = spawn(me, &reader, &s), "a lock, to read");
    check_eq(i.holders, 1);
    check(rp_ref_eq(i.on, w));
    rp_event_set(&s.go);
    all_ended(me, 2);
    return 0;
}

/* In from the line, several at once, and out in any order: the list of holders is right at each step. */
static int one_after_another(rp_self *me, void *arg)
{
    struct shared s = {0};
    struct rp_down d;
    (void)arg;
    check_eq(rp_rwlock_write(me, &s.rw, RP_FOREVER), 0);
    rp_ref r[3];
    for (unsigned i = 0; i < 3; i++) {
        rp_actor_info a = when_waits(me, r[i] = spawn(me, i == 1 ? &forgetful : &reader, &s), "a lock, to read");
        check(rp_ref_eq(a.on, rp_self_ref(me)) && a.holders == 1);
    }
    check_eq(rp_rwlock_release(me, &s.rw), 0);
    for (unsigned i = 0; i < 3; i++)
        when_waits(me, r[i], "an event");
    rp_ref w = spawn(me, &writer, &s);
    for (unsigned i = 0; i < 3; i++) { /* the middle one first: it has not given it back, and yet has not got it */
        rp_actor_info a = when_waits(me, w, "a lock, to write");
        check_eq(a.holders, 3 - i);
        check(!rp_ref_none(a.on) && !rp_ref_eq(a.on, w));
        check_eq(rp_stop(me, r[(i + 1) % 3], "enough"), 0);
        check_eq(recv_down(me, &d), 0);
    }
    rp_event_set(&s.go);
    check_eq(recv_down(me, &d), 0);
    return 0;
}

TEST(holders, readers_and_writers)
{
    everywhere(readers_and_writers, 0);
    everywhere(writer_first, 0);
    everywhere(one_after_another, 0);
}

/* ---- once, queues, and what nobody has ----------------------------------------------------------- */

static int run_once(rp_self *me, void *arg)
{
    struct shared *s = arg;
    return rp_event_wait(me, &s->go, RP_FOREVER);
}

static int run_first(rp_self *me, void *arg)
{
    struct shared *s = arg;
    return rp_once_run(me, &s->once, run_once, s, RP_FOREVER);
}
static const rp_actor runner = {.name = "runner", .run = run_first};

static int gets(rp_self *me, void *arg)
{
    struct shared *s = arg;
    int item;
    return rp_queue_get(me, s->q, &item, RP_FOREVER);
}
static const rp_actor getter = {.name = "getter", .run = gets};

static int puts_two(rp_self *me, void *arg)
{
    struct shared *s = arg;
    int item = 1, rc = rp_queue_put(me, s->q, &item, RP_FOREVER);
    return rc != 0 ? rc : rp_queue_put(me, s->q, &item, RP_FOREVER);
}
static const rp_actor putter = {.name = "putter", .run = puts_two};

static int others(rp_self *me, void *arg)
{
    struct shared s = {0};
    int item;
    (void)arg;
    check_eq(rp_queue_new(sizeof item, 1, &(rp_queue_opts){.name = "orders"}, &s.q), 0);
    rp_ref first, second;
    when_waits(me, first = spawn(me, &runner, &s), "an event");
    rp_actor_info i = when_waits(me, second = spawn(me, &runner, &s), "its first run");
    check(rp_ref_eq(i.on, first) && i.holders == 1);
    check_str(i.object_name, "");

    i = when_waits(me, spawn(me, &getter, &s), "an item");
    check_str(i.object_name, "orders");
    check(i.object == s.q && rp_ref_none(i.on) && i.holders == 0);
    item = 5;
    check_eq(rp_queue_put(me, s.q, &item, RP_FOREVER), 0);
    i = when_waits(me, spawn(me, &putter, &s), "room in a queue");
    check_str(i.object_name, "orders");
    check_eq(rp_queue_get(me, s.q, &item, RP_FOREVER), 0);
    check_eq(rp_queue_get(me, s.q, &item, RP_FOREVER), 0);

    rp_event_set(&s.go);
    all_ended(me, 4);
    rp_queue_free(s.q);
    return 0;
}

TEST(holders, first_runs_and_queues)
{
    everywhere(others, 0);
}
