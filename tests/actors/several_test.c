/* SPDX-License-Identifier: MIT
 *
 * Rings through one who has received several calls, and answered none: "c" has those of "a" and of "z".
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
