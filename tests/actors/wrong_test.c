/* SPDX-License-Identifier: MIT
 *
 * What a program does wrong, and what ends it then: a line that says who, what and what to do, in every build.
 */
#include "tests/support.h"

#include <errno.h>
#include <pthread.h>

/* ---- scopes that are left open ------------------------------------------------------------------- */

static int naps(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, rp_in_ms(me, 1));
}

static __attribute__((noinline)) void leave_open(rp_self *me)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    __asm__ volatile("" : : "r"(&s) : "memory"); /* not a tail call: `s` would be the caller's stack */
}

static int careless_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    leave_open(me);
    return 0;
}
static const rp_actor careless = {.name = "careless", .handle = careless_handle};

static int over_handler(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref r;
    check_eq(rp_spawn(me, &careless, NULL, &r), 0);
    check_eq(tell_num(me, r, 1), 0);
    return rp_sleep(me, rp_in_ms(me, 1000));
}

static int waits_and_leaves(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    int rc = rp_sleep(me, rp_in_ms(me, 1)); /* the stack is its own now */
    leave_open(me);
    return rc;
}
static const rp_actor waiter = {.name = "waiter", .handle = waits_and_leaves};

static int over_handler_that_waited(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref r;
    check_eq(rp_spawn(me, &waiter, NULL, &r), 0);
    check_eq(tell_num(me, r, 1), 0);
    return rp_sleep(me, rp_in_ms(me, 1000));
}

static int over_run(rp_self *me, void *arg)
{
    (void)arg;
    leave_open(me);
    return 0;
}

static int leaves(rp_self *me, void *arg)
{
    (void)arg;
    leave_open(me);
    return 0;
}

static int over_task(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    return rp_scope_close(me, &s, rp_go(me, &s, leaves, NULL, NULL));
}

static int idle_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}

static int leaving_init(rp_self *me, void *state, void *arg)
{
    (void)state, (void)arg;
    leave_open(me);
    return 0;
}

static void leaving_fini(rp_self *me, void *state, int reason)
{
    (void)state, (void)reason;
    leave_open(me);
}
static const rp_actor opens_in_init = {.name = "beginner", .handle = idle_handle, .init = leaving_init};
static const rp_actor opens_in_fini = {.name = "ender", .handle = idle_handle, .fini = leaving_fini};

static int over_hook(rp_self *me, void *arg)
{
    rp_ref r;
    check_eq(rp_spawn(me, arg, NULL, &r), 0);
    return rp_stop(me, r, "enough");
}

TEST(wrong, a_function_that_returns_over_an_open_scope)
{
    dies_saying(over_handler, 0, "actor careless 0.1.1 returned from its handler over an open scope");
    dies_saying(over_handler_that_waited, 0, "actor waiter 0.1.1 returned from its handler over an open scope");
    dies_saying(over_run, 0, "actor root 0.0.1 returned from its run over an open scope");
    dies_saying(over_task, 0, "a task of actor root 0.0.1 returned from its function over an open scope");
    dies_saying(over_hook, (void *)(uintptr_t)&opens_in_init, "actor beginner 0.1.1 returned from its init over an open scope");
    dies_saying(over_hook, (void *)(uintptr_t)&opens_in_fini, "actor ender 0.1.1 returned from its fini over an open scope");
}

/* A helper forgets to close on its error path: the next wait, or scope, from above finds it. */
static int next_waits(rp_self *me, void *arg)
{
    (void)arg;
    leave_open(me);
    return rp_sleep(me, rp_in_ms(me, 1));
}

static __attribute__((noinline)) int deep(rp_self *me, int n)
{
    volatile char room[2048];
    room[0] = (char)n;
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 'B';
    int rc = rp_sleep(me, rp_in_ms(me, 1));
    return rc == 0 && room[0] == 'B' ? rc : rc - 1;
}

static int others_use_its_memory(rp_self *me, void *arg)
{
    (void)arg;
    leave_open(me);
    return deep(me, 0);
}

static int twice(rp_self *me, void *arg)
{
    (void)arg;
    leave_open(me);
    leave_open(me);
    return 0;
}

static int opened_twice(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    rp_scope_open(me, &s, RP_FOREVER);
    return rp_scope_close(me, &s, 0);
}

TEST(wrong, a_helper_that_returned_over_an_open_scope)
{
    dies_saying(next_waits, 0, "actor root 0.0.1 has a scope that was left open");
    dies_saying(others_use_its_memory, 0, "actor root 0.0.1 has a scope that was left open");
    dies_saying(twice, 0, "actor root 0.0.1 opens a scope where one is open already");
    dies_saying(opened_twice, 0, "actor root 0.0.1 opens a scope where one is open already");
}

static int crosswise(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope outer, inner;
    rp_scope_open(me, &outer, RP_FOREVER);
    rp_scope_open(me, &inner, RP_FOREVER);
    return rp_scope_close(me, &outer, 0) | rp_scope_close(me, &inner, 0);
}

static int closes_twice(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    return rp_scope_close(me, &s, 0) | rp_scope_close(me, &s, 0);
}

static int cancels_closed(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_scope_close(me, &s, 0);
    rp_scope_cancel(&s, "too late");
    return rc;
}

static int goes_in_closed(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_scope_close(me, &s, 0);
    return rc | rp_go(me, &s, naps, NULL, NULL);
}

static int closes_anothers(rp_self *me, void *arg)
{
    return rp_scope_close(me, arg, 0);
}

static int closed_by_task(rp_self *me, void *arg)
{
    (void)arg;
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    return rp_scope_close(me, &s, rp_go(me, &s, closes_anothers, &s, NULL));
}

TEST(wrong, scopes_out_of_order)
{
    dies_saying(crosswise, 0, "closes a scope while one is open that it opened later");
    dies_saying(closes_twice, 0, "rp_scope_close of an rp_scope that is not open");
    dies_saying(cancels_closed, 0, "rp_scope_cancel of an rp_scope that is not open");
    dies_saying(goes_in_closed, 0, "rp_go of an rp_scope that is not open");
    dies_saying(closed_by_task, 0, "a task of actor root 0.0.1 closes a scope that another coroutine has opened");
}

/* ---- messages that are gone ---------------------------------------------------------------------- */

static rp_msg *received(rp_self *me)
{
    rp_msg *m = NULL;
    check_eq(tell_num(me, rp_self_ref(me), 1), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    return m;
}

static int drops_twice(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m = received(me);
    rp_msg_drop(me, m);
    rp_msg_drop(me, m);
    return 0;
}

static int reads_dropped(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m = received(me);
    rp_msg_drop(me, m);
    return rp_body(m, NUM) != NULL;
}

static int sends_dropped(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m = received(me);
    rp_msg_drop(me, m);
    return rp_send(me, rp_self_ref(me), &m);
}

static int forwards_dropped(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m = received(me);
    rp_msg_drop(me, m);
    return rp_forward(me, m, rp_self_ref(me));
}

static int replies_to_dropped(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m = received(me);
    rp_msg_drop(me, m);
    return rp_reply(me, m, NUM, &(struct num){1});
}

static int sent_and_dropped(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m = rp_msg_new(me, NUM), *again = m;
    check_eq(rp_send(me, rp_self_ref(me), &m), 0);
    rp_msg_drop(me, again);
    return 0;
}

static int drops_its_own(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    rp_msg_drop(me, (rp_msg *)(uintptr_t)m);
    return 0;
}
static const rp_actor dropper = {.name = "dropper", .handle = drops_its_own};

static int handlers_message_dropped(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref r;
    check_eq(rp_spawn(me, &dropper, NULL, &r), 0);
    check_eq(tell_num(me, r, 1), 0);
    return rp_sleep(me, rp_in_ms(me, 1000));
}

TEST(wrong, a_message_that_is_gone)
{
    dies_saying(drops_twice, 0, "actor root 0.0.1 calls rp_msg_drop (test.num) of a message that it has dropped or sent");
    dies_saying(reads_dropped, 0, "rp_body (test.num) of a message that it has dropped or sent");
    dies_saying(sends_dropped, 0, "actor root 0.0.1 calls rp_send (test.num)");
    dies_saying(forwards_dropped, 0, "actor root 0.0.1 calls rp_forward (test.num)");
    dies_saying(replies_to_dropped, 0, "actor root 0.0.1 calls rp_reply (test.num)");
    dies_saying(sent_and_dropped, 0, "actor root 0.0.1 calls rp_msg_drop (test.num)");
    dies_saying(handlers_message_dropped, 0, "actor dropper 0.1.1 drops the message that its handler was called with (test.num)");
}

/* ---- threads ------------------------------------------------------------------------------------- */

struct strayed {
    rp_self *me;
    rp_scope *scope;
    rp_task *task;
    void (*call)(struct strayed *s);
};

static void spawns(struct strayed *s)
{
    (void)!rp_spawn(s->me, &careless, NULL, NULL);
}

static void opens(struct strayed *s)
{
    rp_scope scope;
    rp_scope_open(s->me, &scope, RP_FOREVER);
}

static void goes(struct strayed *s)
{
    (void)!rp_go(s->me, s->scope, naps, NULL, NULL);
}

static void cancels(struct strayed *s)
{
    rp_scope_cancel(s->scope, "from a thread");
}

static void cancels_task(struct strayed *s)
{
    rp_task_cancel(s->task, "from a thread");
}

static void sleeps(struct strayed *s)
{
    (void)!rp_sleep(s->me, RP_FOREVER);
}

static void calls(struct strayed *s)
{
    rp_msg *m;
    (void)!rp_call(s->me, rp_self_ref(s->me), NUM, &(struct num){1}, &m, RP_FOREVER);
}

static void starts_timer(struct strayed *s)
{
    (void)!rp_timer_start(s->me, 0, NUM, &(struct num){1}, NULL);
}

static void stops(struct strayed *s)
{
    (void)rp_stop(s->me, rp_self_ref(s->me), "from a thread");
}

static void monitors(struct strayed *s)
{
    (void)!rp_monitor(s->me, rp_self_ref(s->me));
}

static void demonitors(struct strayed *s)
{
    (void)!rp_demonitor(s->me, rp_self_ref(s->me));
}

static void watches_name(struct strayed *s)
{
    (void)!rp_watch_name(s->me, "shop");
}

static void moves(struct strayed *s)
{
    (void)!rp_move(s->me, rp_self_ref(s->me), RP_LOOP(0));
}

static void unlinks(struct strayed *s)
{
    rp_unlink(s->me, rp_self_ref(s->me));
}

static void tells(struct strayed *s)
{
    for (unsigned i = 0; i < 100000; i++) /* in a release build some of these ask */
        (void)!tell_num(s->me, rp_self_ref(s->me), i);
}

static int strays(void *arg)
{
    struct strayed *s = arg;
    s->call(s);
    return 0;
}

static int on_another_thread(rp_self *me, void *arg)
{
    rp_scope s;
    struct strayed st = {.me = me, .scope = &s};
    memcpy(&st.call, arg, sizeof st.call);
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, naps, NULL, &st.task);
    if (rc == 0)
        rc = rp_offload(me, strays, &st, RP_FOREVER);
    return rp_scope_close(me, &s, rc);
}

TEST(wrong, me_on_another_thread)
{
    void (*all[])(struct strayed *) = {spawns, opens, goes, cancels, cancels_task, sleeps, calls, starts_timer, stops, monitors, demonitors, watches_name,
                                       moves, unlinks, tells};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        dies_saying(on_another_thread, &all[i], "actor root 0.0.1 has its `me` used on another thread");
}

static int offloaded(void *arg)
{
    (void)arg;
    return 7;
}

/* What is allowed to run on several threads, one after the other, is no mistake. */
static int plain(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_offload(me, offloaded, NULL, RP_FOREVER), 7);
    return rp_sleep(me, rp_in_ms(me, 1));
}

static void *goes_on(void *arg)
{
    check_eq(rp_sim_run(arg, 10 * RP_S), 0);
    return 0;
}

static int sleeps_long(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, rp_in_ms(me, 2000));
}

#if defined(__SANITIZE_THREAD__) /* its fibers belong to the thread that made them: it ends with a check of its own */
enum { FIBERS_MAY_MOVE = false };
#else
enum { FIBERS_MAY_MOVE = true };
#endif

TEST(wrong, not_a_simulation_that_another_thread_goes_on_with)
{
    everywhere(plain, 0);
    if (!FIBERS_MAY_MOVE)
        return;
    pthread_t t;
    unsigned node;
    rp_actor root = {.name = "root", .run = sleeps_long};
    rp_sim *s = rp_sim_new(1);
    check_eq(rp_sim_add(s, &root, NULL, NULL, &node), 0);
    check_eq(rp_sim_run(s, RP_S), -ETIMEDOUT);
    check_eq(pthread_create(&t, NULL, goes_on, s), 0);
    check_eq(pthread_join(t, NULL), 0);
    check_eq(rp_sim_result(s, node), 0);
    rp_sim_free(s);
}
