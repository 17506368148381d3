/* SPDX-License-Identifier: MIT
 *
 * planted.c - a program full of actors that stand still, for look.sh to look at.
 *
 *     planted [N]      N parked coroutines beside; says "ready" and goes on until its input ends.
 *                      An 'h' in it makes a handler hold loop 1 for five seconds, an 'a' both loops, a 'b' one burn CPU
 *                      time on loop 1, another 'b' cease to.
 */
#include "reparto/reparto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

struct num {
    uint64_t n;
};
static const rp_field num_fields[] = {RP_FIELD(struct num, n, RP_U64)};
static const rp_type num_type = RP_TYPE("planted.num", struct num, num_fields);

static struct {
    rp_lock lock;
    rp_lock left;
    rp_rwlock right;
    rp_event never;
    rp_queue *orders;
    rp_ref slow, full, desk, clerk, ring[3];
} all;

static int tell(rp_self *me, rp_ref to, uint64_t n)
{
    return rp_tell(me, to, &num_type, &(struct num){n});
}

static int call(rp_self *me, rp_ref to, uint64_t n)
{
    rp_msg *m;
    int rc = rp_call(me, to, &num_type, &(struct num){n}, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

/* ---- those that stand still ---------------------------------------------------------------------- */

static int receive(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    return rp_recv(me, &m, RP_FOREVER);
}
static const rp_actor receiver = {.name = "receiver", .run = receive};
static const rp_actor parked = {.name = "parked", .run = receive};

static int take_time(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static void describe(const void *state, char *to, size_t size)
{
    (void)state;
    snprintf(to, size, "100%% asleep");
}
static const rp_actor slow = {.name = "sleeper", .handle = take_time, .info = describe};

/* Static and without frame pointers: named by the symbol table, found by the unwinding tables. */
__attribute__((noinline)) static int ask_deeply(rp_self *me, unsigned depth)
{
    volatile char room[100];
    room[depth] = 1;
    int rc = depth ? ask_deeply(me, depth - 1) : call(me, all.slow, 1);
    return room[depth] ? rc : 0;
}

static int ask(rp_self *me, void *arg)
{
    (void)arg;
    return ask_deeply(me, 3);
}
static const rp_actor asker = {.name = "asker", .run = ask};

/* The desk passes what it is asked on to a clerk, who asks another. */
static int pass_on(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_forward(me, m, all.clerk);
}
static const rp_actor desk = {.name = "desk", .handle = pass_on};

static int look_up(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return call(me, all.slow, 1);
}
static const rp_actor clerk = {.name = "clerk", .handle = look_up};

static int visit(rp_self *me, void *arg)
{
    (void)arg;
    return call(me, all.desk, 1);
}
static const rp_actor visitor = {.name = "visitor", .run = visit};

static int flood(rp_self *me, void *arg)
{
    (void)arg;
    int rc = 0;
    while (rc == 0)
        rc = tell(me, all.full, 0);
    return rc;
}
static const rp_actor flooder = {.name = "flooder", .run = flood};

static int hold(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_lock_acquire(me, &all.lock, RP_FOREVER);
    return rc != 0 ? rc : rp_event_wait(me, &all.never, RP_FOREVER);
}
static const rp_actor holder = {.name = "holder", .run = hold};

static int want(rp_self *me, void *arg)
{
    (void)arg;
    return rp_lock_acquire(me, &all.lock, RP_FOREVER);
}
static const rp_actor wanter = {.name = "wanter", .run = want};

static int idle(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, RP_FOREVER);
}

/* Three that call each other in a ring, each in one task of two, of which the other might go on: those waits nobody looks at
 * but people. */
static int call_next(rp_self *me, void *arg)
{
    return call(me, *(rp_ref *)arg, 0);
}

static int go_round(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t own = *(uint64_t *)state;
    rp_scope s;
    (void)m;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, call_next, &all.ring[(own + 1) % 3], NULL);
    rc = rc == 0 ? rp_go(me, &s, idle, NULL, NULL) : rc;
    return rp_scope_close(me, &s, rc);
}

static int take_number(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(uint64_t *)state = *(uint64_t *)arg;
    return 0;
}
static const rp_actor ringer = {.name = "ringer", .handle = go_round, .init = take_number, .state_size = sizeof(uint64_t)};

/* Two, each of whom holds what the other wants, in a task, as above; a reader beside; and one who waits for an item. */
static int cross_task(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_lock_acquire(me, &all.left, RP_FOREVER);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 20));
    return rc != 0 ? rc : rp_rwlock_write(me, &all.right, RP_FOREVER);
}

static int cross_back_task(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_rwlock_read(me, &all.right, RP_FOREVER);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 20));
    return rc != 0 ? rc : rp_lock_acquire(me, &all.left, RP_FOREVER);
}

static int in_a_task(rp_self *me, int (*run)(rp_self *, void *))
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, run, NULL, NULL);
    rc = rc == 0 ? rp_go(me, &s, idle, NULL, NULL) : rc;
    return rp_scope_close(me, &s, rc);
}

static int cross(rp_self *me, void *arg)
{
    (void)arg;
    return in_a_task(me, cross_task);
}
static const rp_actor crosser = {.name = "crosser", .run = cross};

static int cross_back(rp_self *me, void *arg)
{
    (void)arg;
    return in_a_task(me, cross_back_task);
}
static const rp_actor backer = {.name = "backer", .run = cross_back};

static int read_only(rp_self *me, void *arg)
{
    (void)arg;
    int rc = rp_rwlock_read(me, &all.right, RP_FOREVER);
    return rc != 0 ? rc : rp_sleep(me, RP_FOREVER);
}
static const rp_actor reader = {.name = "reader", .run = read_only};

static int take_item(rp_self *me, void *arg)
{
    int item;
    (void)arg;
    return rp_queue_get(me, all.orders, &item, RP_FOREVER);
}
static const rp_actor taker = {.name = "taker", .run = take_item};

/* Falls once, then stands still. */
static int fall_once(rp_self *me, void *arg)
{
    (void)arg;
    return rp_restarts(me) == 0 ? -EIO : rp_sleep(me, RP_FOREVER);
}
static const rp_actor clumsy = {.name = "clumsy", .run = fall_once};

/* Holds its loop. */
static int hog_it(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    for (int i = 0; i < 500; i++) /* a signal may end each of them */
        usleep(10000);
    return 0;
}
static const rp_actor hog = {.name = "hog", .handle = hog_it};

/* A millisecond or so of work, again and again. */
static int burn(rp_self *me, void *state, const rp_msg *m)
{
    bool *burns = state;
    if (((const struct num *)rp_body(m, &num_type))->n)
        *burns = !*burns;
    for (volatile int i = 0; i < 1000000 && *burns; i++)
        ;
    return *burns ? tell(me, rp_self_ref(me), 0) : 0;
}
static const rp_actor burner = {.name = "burner", .handle = burn, .state_size = sizeof(bool)};

/* ---- planting ------------------------------------------------------------------------------------ */

static int plant_ring(rp_self *me)
{
    int rc = 0;
    for (uint64_t i = 0; i < 3 && rc == 0; i++)
        rc = rp_spawn(me, &ringer, &(rp_spawn_opts){.arg = &i, .on = RP_SPREAD}, &all.ring[i]);
    return rc == 0 ? tell(me, all.ring[0], 0) : rc;
}

static int plant_locks(rp_self *me)
{
    rp_ref r;
    int rc = rp_queue_new(sizeof(int), 1, &(rp_queue_opts){.name = "orders"}, &all.orders);
    if (rc == 0)
        rc = rp_spawn(me, &reader, NULL, &r);
    if (rc == 0)
        rc = rp_yield(me); /* it is in first: the last that came in is named */
    if (rc == 0)
        rc = rp_spawn(me, &backer, NULL, &r);
    if (rc == 0)
        rc = rp_spawn(me, &crosser, &(rp_spawn_opts){.on = RP_LOOP(1)}, &r);
    return rc != 0 ? rc : rp_spawn(me, &taker, NULL, &r);
}

static int plant_office(rp_self *me)
{
    rp_ref r;
    int rc = rp_spawn(me, &desk, NULL, &all.desk);
    if (rc == 0)
        rc = rp_spawn(me, &clerk, &(rp_spawn_opts){.on = RP_LOOP(1)}, &all.clerk);
    return rc != 0 ? rc : rp_spawn(me, &visitor, NULL, &r);
}

static int plant(rp_self *me)
{
    static const rp_child child = {.actor = &clumsy};
    static const rp_supervisor sup = {.children = &child, .nchildren = 1, .backoff_ms = 1};
    rp_ref r;
    int rc = rp_spawn(me, &receiver, &(rp_spawn_opts){.name = "post-office"}, &r);
    if (rc == 0)
        rc = rp_spawn(me, &slow, &(rp_spawn_opts){.name = "slow", .on = RP_LOOP(1)}, &all.slow);
    if (rc == 0)
        rc = rp_spawn(me, &asker, NULL, &r);
    if (rc == 0)
        rc = rp_spawn(me, &slow, &(rp_spawn_opts){.name = "full", .mailbox = 10}, &all.full);
    if (rc == 0)
        rc = rp_spawn(me, &flooder, NULL, &r);
    if (rc == 0)
        rc = rp_spawn(me, &holder, &(rp_spawn_opts){.on = RP_LOOP(1)}, &r);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 20));
    if (rc == 0)
        rc = rp_spawn(me, &wanter, NULL, &r);
    if (rc == 0)
        rc = rp_supervise(me, &sup, &(rp_spawn_opts){.name = "nurse"}, &r);
    if (rc == 0)
        rc = plant_ring(me);
    if (rc == 0)
        rc = plant_locks(me);
    return rc == 0 ? plant_office(me) : rc;
}

static int read_one(void *arg) /* off the loop: 1, or 0 at the end */
{
    return read(STDIN_FILENO, arg, 1) > 0;
}

static int lose(rp_self *me, void *arg)
{
    (void)arg;
    return rp_fail(me, -EPROTO, "as planted");
}
static const rp_actor loser = {.name = "loser", .run = lose};

static int obey(rp_self *me)
{
    rp_ref h[2], b, lost;
    char c;
    int rc = rp_spawn(me, &hog, &(rp_spawn_opts){.on = RP_LOOP(0)}, &h[0]);
    if (rc == 0)
        rc = rp_spawn(me, &hog, &(rp_spawn_opts){.on = RP_LOOP(1)}, &h[1]);
    if (rc == 0)
        rc = rp_spawn(me, &burner, &(rp_spawn_opts){.on = RP_LOOP(1)}, &b);
    while (rc == 0 && (rc = rp_offload(me, read_one, &c, RP_FOREVER)) > 0) {
        rc = c == 'f' ? rp_spawn(me, &loser, NULL, &lost) : c == 'h' || c == 'a' ? tell(me, h[1], 0) : c == 'b' ? tell(me, b, 1) : 0;
        if (rc == 0)
            rc = rp_yield(me); /* before our own loop is held it has gone out */
        if (rc == 0 && c == 'a')
            rc = tell(me, h[0], 0);
    }
    return rc;
}

static int root(rp_self *me, void *arg)
{
    long n = *(long *)arg;
    int rc = plant(me);
    for (long i = 0; i < n && rc == 0; i++)
        rc = rp_spawn(me, &parked, &(rp_spawn_opts){.on = RP_SPREAD, .stack = 8192}, NULL);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 150)); /* longer than any wait is looked at for a ring */
    printf("%s\n", rc == 0 ? "ready" : rp_strerror(rc));
    fflush(stdout);
    if (rc == 0)
        rc = obey(me);
    _exit(rc == 0 ? 0 : 1); /* nothing here ends by itself */
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 0;
    static const rp_actor a = {.name = "root", .run = root};
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* gdb may come */
    int rc = rp_run(&a, &n, &(rp_system_opts){.loops = 2});
    fprintf(stderr, "planted: %s\n", rp_strerror(rc));
    return 1;
}
