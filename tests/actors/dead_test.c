/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>

static int quiet(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, rp_in_ms(me, 10000)); /* until it is stopped */
}
static const rp_actor quiet_one = {.name = "quiet", .handle = quiet};

/* The letters of the loop where `who` lives. */
static int letters(rp_self *me, rp_ref who, rp_dead_letter *ret, unsigned n)
{
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        int k = rp_dead_letters(me, i, RP_FOREVER, ret, n);
        check(k >= 0);
        for (int at = 0; at < k; at++)
            if (rp_ref_eq(ret[at].to, who))
                return k;
    }
    return 0;
}

static int spawn_and_end(rp_self *me, rp_ref *ret)
{
    struct rp_down d;
    check_eq(rp_spawn(me, &quiet_one, &(rp_spawn_opts){.on = RP_SPREAD, .monitor = true}, ret), 0);
    check_eq(rp_stop(me, *ret, "enough"), 0);
    return recv_down(me, &d);
}

static int to_the_dead(rp_self *me, void *arg)
{
    rp_ref who;
    rp_dead_letter d[4];
    (void)arg;
    check_eq(rp_dead_letters(me, rp_loop_count(me), RP_FOREVER, d, 4), -EINVAL);
    check_eq(spawn_and_end(me, &who), 0);
    for (unsigned i = 0; i < 3; i++)
        check_eq(tell_num(me, who, i), 0);
    check_eq(rp_tell(me, who, TEXT, &(struct text){1, {"x", 1}}), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(letters(me, who, d, 4), 2);
    check(d[0].end == RP_END_DEAD && d[0].type == TEXT && d[0].count == 1);
    check(d[1].end == RP_END_DEAD && d[1].type == NUM && d[1].count == 3);
    check(rp_ref_eq(d[1].from, rp_self_ref(me)) && rp_ref_eq(d[1].to, who));
    check(d[0].at <= rp_now(me) && d[1].at <= d[0].at);
    check_eq(letters(me, who, d, 1), 1);
    check(d[0].type == TEXT);
    return 0;
}

TEST(dead, letters_to_who_has_ended)
{
    everywhere(to_the_dead, 0);
}

/* One is at work, one stands in the mailbox, the third is dropped; the second dies with the actor. Low traffic
 * is measured, so their age is known. */
static int dropped_and_unread(rp_self *me, void *arg)
{
    rp_ref who;
    rp_dead_letter d[4];
    struct rp_down down;
    (void)arg;
    rp_spawn_opts o = {.mailbox = 1, .overflow = RP_DROP_NEW, .monitor = true, .on = RP_SPREAD};
    check_eq(rp_spawn(me, &quiet_one, &o, &who), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(tell_num(me, who, 1), 0);
    check_eq(tell_num(me, who, 2), 0);
    check_eq(rp_tell(me, who, TEXT, &(struct text){1, {"x", 1}}), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
    check_eq(rp_stop(me, who, "enough"), 0);
    check_eq(recv_down(me, &down), 0);
    check_eq(letters(me, who, d, 4), 2);
    check(d[1].end == RP_END_DROPPED && d[1].type == TEXT);
    check(d[0].end == RP_END_DEAD && d[0].type == NUM && d[0].count == 1);
    check(d[0].age >= 9 * RP_MS && d[0].age < RP_S, "%" PRId64, d[0].age);
    return 0;
}

TEST(dead, dropped_and_left_unread)
{
    everywhere(dropped_and_unread, 0);
}

/* The call's time is over before its turn comes; the answer to another comes when nobody waits any more. */
static int slow_answer(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    rp_token k;
    int rc = rp_take_token(me, m, &k);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 40));
    return rc != 0 ? rc : rp_token_reply(me, &k, NUM, &(struct num){1});
}
static const rp_actor slow_one = {.name = "slow", .handle = slow_answer};

static int ask(rp_self *me, void *arg)
{
    rp_msg *m;
    return rp_call(me, *(rp_ref *)arg, NUM, &(struct num){1}, &m, rp_in_ms(me, 15)) == -ETIMEDOUT ? 0 : -EPROTO;
}

static int late_and_expired(rp_self *me, void *arg)
{
    rp_ref who;
    rp_dead_letter d[4];
    rp_scope s;
    (void)arg;
    check_eq(rp_spawn(me, &slow_one, NULL, &who), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, ask, &who, NULL), 0);
    check_eq(rp_go(me, &s, ask, &who, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 60)), 0);
    int n = rp_dead_letters(me, rp_loop_index(me), RP_FOREVER, d, 4);
    check_eq(n, 2);
    bool late = d[0].end == RP_END_LATE || d[1].end == RP_END_LATE;
    bool expired = d[0].end == RP_END_EXPIRED || d[1].end == RP_END_EXPIRED;
    check(late && expired);
    return rp_stop(me, who, "done");
}

TEST(dead, late_answers_and_expired_calls)
{
    everywhere(late_and_expired, 0);
}

/* More than are kept: the last remain, the rest is in the ledger. */
static int more_than_kept(rp_self *me, void *arg)
{
    static rp_dead_letter d[2 * RP_DEAD_LETTERS];
    rp_ref a, b;
    rp_metrics m;
    (void)arg;
    check_eq(spawn_and_end(me, &a), 0);
    for (b = a; rp_loop_count(me) > 0;) { /* two on one loop */
        check_eq(spawn_and_end(me, &b), 0);
        if (b.local >> 54 == a.local >> 54)
            break;
    }
    for (unsigned i = 0; i < 300; i++) {
        check_eq(tell_num(me, a, i), 0);
        check_eq(tell_num(me, b, i), 0);
    }
    do
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    while (rp_metrics_read(me, RP_ALL_LOOPS, &m) == 0 && m.messages.dead < 600);
    int n = letters(me, b, d, 2 * RP_DEAD_LETTERS);
    check_eq(n, RP_DEAD_LETTERS);
    for (int i = 0; i < n; i++)
        check(rp_ref_eq(d[i].to, i % 2 ? a : b) && d[i].count == 1, "%d", i);
    return 0;
}

TEST(dead, the_last_are_kept)
{
    everywhere(more_than_kept, 0);
}

/* ---- those that come back -------------------------------------------------------------------------- */

static int recv_bounce(rp_self *me, struct rp_bounce *b)
{
    rp_msg *m;
    int rc = rp_recv(me, &m, rp_in_ms(me, 2000));
    if (rc != 0)
        return rc;
    const struct rp_bounce *got = rp_body(m, RP_BOUNCE);
    if (got)
        *b = *got;
    rp_msg_drop(me, m);
    return got ? 0 : -EBADMSG;
}

static int pass_on(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct num *n = rp_body(m, NUM);
    return n ? rp_forward(me, m, n->ref) : 0;
}
static const rp_actor passing = {.name = "passing", .handle = pass_on};

static int come_back(rp_self *me, void *arg)
{
    rp_ref dead, full, by;
    struct rp_bounce b;
    rp_msg *m;
    (void)arg;
    check_eq(spawn_and_end(me, &dead), 0);
    check_eq(rp_tell_bounce(me, dead, TEXT, &(struct text){1, {"x", 1}}, 77), 0);
    check_eq(recv_bounce(me, &b), 0);
    check(rp_ref_eq(b.whom, dead) && b.cookie == 77 && b.type == TEXT && b.reason == -ESRCH);

    rp_spawn_opts o = {.mailbox = 1, .overflow = RP_DROP_NEW, .on = RP_SPREAD};
    check_eq(rp_spawn(me, &quiet_one, &o, &full), 0);
    for (uint64_t i = 0; i < 3; i++) /* read, unread at its end, dropped */
        check_eq(rp_tell_bounce(me, full, NUM, &(struct num){i}, i), 0);
    check_eq(recv_bounce(me, &b), 0);
    check(b.cookie == 2 && b.reason == -EAGAIN);
    check_eq(rp_stop(me, full, "enough"), 0);
    check_eq(recv_bounce(me, &b), 0);
    check(b.cookie == 1 && b.reason == -ESRCH && rp_ref_eq(b.whom, full));

    check_eq(rp_spawn(me, &passing, &(rp_spawn_opts){.on = RP_SPREAD}, &by), 0);
    check_eq(rp_tell_bounce(me, by, NUM, &(struct num){1, dead}, 5), 0);
    check_eq(recv_bounce(me, &b), 0);
    check(b.cookie == 5 && rp_ref_eq(b.whom, dead));
    check_eq(rp_tell_bounce(me, by, TEXT, &(struct text){1, {"x", 1}}, 6), 0); /* is read */
    check_eq(rp_recv(me, &m, rp_in_ms(me, 20)), -ETIMEDOUT);
    check_eq(rp_tell_bounce(me, (rp_ref){1, 2}, NUM, &(struct num){1}, 6), -EINVAL);
    return rp_stop(me, by, "done");
}

TEST(dead, messages_that_come_back)
{
    everywhere(come_back, 0);
}
