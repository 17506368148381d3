/* SPDX-License-Identifier: MIT
 *
 * Rings through one who has received several calls, and answered none: "c" has those of "a" and of "z". And through one who
 * waits to pass a call on.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum how { FIRST, LAST, HANDLER, PASSED, SET_ASIDE }; /* how c has a's call; the last two: it has passed it on to y */

struct several {
    enum how how;
    rp_ref c, y;
    _Atomic unsigned got, told; /* counted on any loop */
    _Atomic bool begun;         /* the handler knows of this */
};

static int answer(rp_self *me, rp_msg *m)
{
    int rc = rp_reply(me, m, NUM, &(struct num){.n = 1});
    rp_msg_drop(me, m);
    return rc;
}

static int ask(rp_self *me, struct several *s, rp_ref to, const char *ring)
{
    rp_msg *m = NULL;
    int rc = rp_call(me, to, NUM, &(struct num){.n = 1}, &m, RP_FOREVER);
    rp_msg_drop(me, m);
    if (rc == -EDEADLK) {
        check(s->how < PASSED, "told: %s", rp_blame(me));
        check_str(rp_blame(me), ring);
        atomic_fetch_add(&s->told, 1);
        return 0;
    }
    return rc;
}

static int be_a(rp_self *me, void *arg)
{
    struct several *s = arg;
    rp_msg *m;
    check_eq(ask(me, s, s->c, "a > c > a"), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0); /* c's */
    return answer(me, m);
}
static const rp_actor a_kind = {.name = "a", .run = be_a};

static int be_z(rp_self *me, void *arg)
{
    struct several *s = arg;
    return ask(me, s, s->c, "");
}
static const rp_actor z_kind = {.name = "z", .run = be_z};

static int answer_late(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    int rc = rp_sleep(me, rp_in_ms(me, 200)); /* longer than it takes to be suspected */
    return rc != 0 ? rc : rp_reply(me, m, NUM, &(struct num){.n = 1});
}
static const rp_actor y_kind = {.name = "y", .handle = answer_late};

static rp_msg *next(rp_self *me, struct several *s)
{
    rp_msg *m;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    atomic_fetch_add(&s->got, 1);
    return m;
}

static int be_c(rp_self *me, struct several *s)
{
    rp_msg *of[2] = {next(me, s)};
    if (s->how == SET_ASIDE)
        check_eq(rp_stash(me, of[0]), 0);
    of[1] = next(me, s);
    if (s->how == SET_ASIDE) {
        check_eq(rp_unstash(me), 0);
        of[0] = next(me, s);
    }
    rp_ref a = rp_from(me, of[s->how == LAST]);
    if (s->how >= PASSED) {
        check_eq(rp_forward(me, of[0], s->y), 0);
        rp_msg_drop(me, of[0]);
    }
    check_eq(ask(me, s, a, "c > a > c"), 0);
    for (unsigned i = s->how >= PASSED; i < 2; i++)
        check_eq(answer(me, of[i]), 0);
    return 0;
}

static int run_c(rp_self *me, void *arg)
{
    return be_c(me, arg);
}

static int handle_c(rp_self *me, void *state, const rp_msg *m)
{
    struct several *s;
    (void)state;
    memcpy(&s, &((const struct num *)rp_body(m, NUM))->n, sizeof s);
    atomic_store(&s->begun, true);
    int rc = be_c(me, s);
    return rc != 0 ? rc : RP_STOP;
}

static void spawn_as(rp_self *me, const rp_actor *kind, struct several *s, unsigned loop, rp_ref *ret)
{
    rp_spawn_opts o = {.arg = s, .on = RP_LOOP(loop % rp_loop_count(me)), .monitor = ret != &s->y, .stash = 1};
    check_eq(rp_spawn(me, kind, &o, ret), 0);
}

static void until_got(rp_self *me, struct several *s, unsigned n)
{
    while (atomic_load(&s->got) < n)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
}

static int several(rp_self *me, void *arg)
{
    struct several s = {.how = *(enum how *)arg}, *at = &s;
    rp_actor c = {.name = "c"};
    rp_ref r;
    if (s.how == HANDLER)
        c.handle = handle_c;
    else
        c.run = run_c;
    spawn_as(me, &y_kind, &s, 0, &s.y);
    spawn_as(me, &c, &s, 1, &s.c);
    if (s.how == HANDLER) {
        uint64_t n;
        memcpy(&n, &at, sizeof n);
        check_eq(tell_num(me, s.c, n), 0);
        while (!atomic_load(&s.begun)) /* else a's call may be there before it */
            check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
    const rp_actor *who[] = {s.how == LAST ? &z_kind : &a_kind, s.how == LAST ? &a_kind : &z_kind};
    for (unsigned i = 0; i < 2; i++) {
        spawn_as(me, who[i], &s, 2 + i, &r);
        until_got(me, &s, i + 1);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    check_eq(s.told, s.how < PASSED);
    return rp_stop(me, s.y, "over");
}

TEST(deadlock, of_several_calls_each_is_one_to_answer)
{
    everywhere(several, &(enum how){FIRST});
    everywhere(several, &(enum how){LAST});
    everywhere(several, &(enum how){HANDLER});
}

TEST(deadlock, none_where_one_of_several_has_been_passed_on)
{
    everywhere(several, &(enum how){PASSED});
    everywhere(several, &(enum how){SET_ASIDE});
}

/* ---- who passes a call on, and waits for room to -------------------------------------------------- */

struct passing { /* a asks x, a coroutine, which passes that on to y, whose mailbox is full; y asks a, or has only slept */
    bool ring;
    rp_ref a, x, y;
    rp_event full;
    _Atomic unsigned told; /* counted on any loop */
};

static void told(rp_self *me, struct passing *p)
{
    const char *b = rp_blame(me);
    check(p->ring, "told: %s", b);
    check(strcmp(b, "a > x > y > a") == 0 || strcmp(b, "x > y > a > x") == 0 || strcmp(b, "y > a > x > y") == 0, "%s", b);
    atomic_fetch_add(&p->told, 1);
}

static int ask_once(rp_self *me, struct passing *p, rp_ref to)
{
    rp_msg *m = NULL;
    int rc = rp_call(me, to, NUM, &(struct num){.n = 1}, &m, RP_FOREVER);
    rp_msg_drop(me, m);
    if (rc == -EDEADLK)
        told(me, p);
    return rc == -EDEADLK ? 0 : rc;
}

static int asks_x(rp_self *me, void *arg)
{
    struct passing *p = arg;
    rp_msg *m;
    check_eq(ask_once(me, p, p->x), 0);
    if (!p->ring)
        return 0;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0); /* y's, perhaps given up */
    return answer(me, m);
}

static int passes_on(rp_self *me, void *arg)
{
    struct passing *p = arg;
    rp_msg *m;
    int rc;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    while ((rc = rp_try_tell(me, p->y, NUM, &(struct num){.n = 0})) == 0)
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0); /* so that it is the mailbox that is full, and not the way there */
    check_eq(rc, -EAGAIN);
    rp_event_set(&p->full);
    rc = rp_forward(me, m, p->y);
    if (rc == -EDEADLK) {
        told(me, p);
        return answer(me, m);
    }
    check_eq(rc, 0);
    rp_msg_drop(me, m);
    return 0;
}

static int is_full(rp_self *me, void *arg)
{
    struct passing *p = arg;
    rp_msg *m;
    check_eq(rp_event_wait(me, &p->full, RP_FOREVER), 0);
    check_eq(p->ring ? ask_once(me, p, p->a) : rp_sleep(me, rp_in_ms(me, 200)), 0);
    while (rp_recv(me, &m, rp_in_ms(me, 20)) == 0) {
        if (rp_wants_reply(m))
            check_eq(rp_reply(me, m, NUM, &(struct num){.n = 1}), 0);
        rp_msg_drop(me, m);
    }
    return 0;
}

static int passing(rp_self *me, void *arg)
{
    static const rp_actor kind[] = {{.name = "y", .run = is_full}, {.name = "x", .run = passes_on}, {.name = "a", .run = asks_x}};
    struct passing p = {.ring = *(bool *)arg};
    rp_ref *who[] = {&p.y, &p.x, &p.a};
    for (unsigned i = 0; i < 3; i++) {
        rp_spawn_opts o = {.arg = &p, .on = RP_LOOP(i % rp_loop_count(me)), .monitor = true, .mailbox = i ? 0 : 1};
        check_eq(rp_spawn(me, &kind[i], &o, who[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    check_eq(p.told, p.ring);
    return 0;
}

TEST(deadlock, who_waits_to_pass_a_call_on_has_it)
{
    everywhere(passing, &(bool){true});
    everywhere(passing, &(bool){false});
}
