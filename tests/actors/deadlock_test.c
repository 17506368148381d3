/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <string.h>


/* Each asks the next; the last one asks the first. */
struct link_state {
    rp_ref next;
};

static int ask_next(rp_self *me, void *state, const rp_msg *m)
{
    struct link_state *s = state;
    if (!rp_wants_reply(m)) { /* whom to ask */
        s->next = ((const struct num *)rp_body(m, NUM))->ref;
        return 0;
    }
    rp_msg *r;
    struct num n = *(const struct num *)rp_body(m, NUM);
    if (n.n == 0) /* once around */
        return rp_reply(me, m, NUM, &n);
    n.n--;
    int rc = rp_call(me, s->next, NUM, &n, &r, RP_FOREVER);
    if (rc == -ECANCELED || rc == -EPIPE) /* all is over: for it, or for who was asked */
        return -ECANCELED;
    check(rc == 0 || rc == -EDEADLK, "%d", rc);
    if (rc == 0) {
        n.n = ((const struct num *)rp_body(r, NUM))->n;
        rp_msg_drop(me, r);
    } else {
        check(strncmp(rp_blame(me), "asker > asker", 13) == 0, "%s", rp_blame(me));
        n.n = 1000;
    }
    return rp_reply(me, m, NUM, &n);
}
static const rp_actor asker = {.name = "asker", .handle = ask_next, .state_size = sizeof(struct link_state)};

static int ring_of(rp_self *me, unsigned n)
{
    rp_ref a[8];
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_spawn(me, &asker, &(rp_spawn_opts){.on = RP_LOOP(i % rp_loop_count(me))}, &a[i]), 0);
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_tell(me, a[i], NUM, &(struct num){.ref = a[(i + 1) % n]}), 0);
    rp_msg *m;
    for (unsigned i = 0; i < n; i++) { /* each knows its next: another's question could come before our word */
        check_eq(rp_call(me, a[i], NUM, &(struct num){.n = 0}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
    }
    check_eq(rp_call(me, a[0], NUM, &(struct num){.n = n}, &m, RP_FOREVER), 0);
    check_eq(((const struct num *)rp_body(m, NUM))->n, 1000); /* the ring was broken somewhere, and unwound */
    rp_msg_drop(me, m);
    return 0;
}

static int rings(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned n = 1; n <= 8; n++)
        check_eq(ring_of(me, n), 0);
    return 0;
}

TEST(deadlock, rings_of_calls_are_broken)
{
    everywhere(rings, 0);
}

/* The coroutine kind, and the names. */
static int co_asker(rp_self *me, void *arg)
{
    char *blame = arg;
    rp_msg *m, *r;
    rp_ref parent = rp_parent(me);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    int rc = rp_call(me, parent, NUM, &(struct num){.n = 1}, &r, RP_FOREVER);
    if (rc == -EDEADLK)
        strcpy(blame, rp_blame(me));
    if (rc == 0)
        rp_msg_drop(me, r);
    check_eq(rp_reply(me, m, NUM, &(struct num){.n = 7}), 0);
    rp_msg_drop(me, m);
    return 0;
}

static int two(rp_self *me, void *arg)
{
    (void)arg;
    char theirs[64] = "";
    rp_actor co = {.name = "co", .run = co_asker};
    rp_ref c;
    rp_msg *m;
    check_eq(rp_spawn(me, &co, &(rp_spawn_opts){.arg = theirs, .on = RP_LOOP(rp_loop_count(me) - 1), .monitor = true}, &c), 0);
    int rc = rp_call(me, c, NUM, &(struct num){.n = 1}, &m, RP_FOREVER);
    if (rc == -EDEADLK) {
        check(strcmp(rp_blame(me), "root > co > root") == 0, "%s", rp_blame(me));
        check_eq(rp_recv(me, &m, RP_FOREVER), 0); /* the other's call */
        check_eq(rp_reply(me, m, NUM, &(struct num){.n = 1}), 0);
        rp_msg_drop(me, m);
    } else {
        check_eq(rc, 0);
        check(strcmp(theirs, "co > root > co") == 0, "%s", theirs);
        rp_msg_drop(me, m);
        check_eq(rp_recv(me, &m, RP_FOREVER), 0); /* the call that was given up */
        rp_msg_drop(me, m);
    }
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    return d.reason;
}

TEST(deadlock, names_who_waits_for_whom)
{
    everywhere(two, 0);
}

/* Two whose mailboxes are full of each other's messages. */
static int flood(rp_self *me, void *state, const rp_msg *m)
{
    unsigned *left = state;
    const struct num *b = rp_body(m, NUM);
    if (b->n == 0)
        return RP_STOP;
    rp_ref to = b->ref;
    struct num n = {.n = 1, .ref = rp_self_ref(me)};
    for (; *left > 0; --*left) {
        int rc = rp_tell(me, to, NUM, &n);
        if (rc != 0)
            return rc == -EDEADLK ? RP_STOP : rc;
    }
    return 0;
}

static int flood_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(unsigned *)state = *(unsigned *)arg;
    return 0;
}
static const rp_actor flooder = {.name = "flooder", .handle = flood, .init = flood_init, .state_size = sizeof(unsigned)};

static int full_both(rp_self *me, void *arg)
{
    (void)arg;
    unsigned n = 50000;
    rp_ref a[2];
    for (unsigned i = 0; i < 2; i++)
        check_eq(rp_spawn(me, &flooder, &(rp_spawn_opts){.arg = &n, .mailbox = 8, .monitor = true, .on = RP_LOOP(i % rp_loop_count(me))}, &a[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        check_eq(rp_tell(me, a[i], NUM, &(struct num){.n = 1, .ref = a[1 - i]}), 0);
    struct rp_down d;
    check_eq(recv_down(me, &d), 0); /* one is told, and ends; the other goes on */
    check_eq(d.reason, 0);
    return 0;
}

TEST(deadlock, full_mailboxes_too)
{
    everywhere(full_both, 0);
}

/* ---- what a call's error says, and its deadline --------------------------------------------------- */

static int forget(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor forgetful = {.name = "forgetful", .handle = forget};

static int nest(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    rp_msg *r;
    const struct num *b = rp_body(m, NUM);
    check_eq(rp_call(me, b->ref, NUM, b, &r, RP_FOREVER), -ETIMEDOUT); /* its asker waits no longer */
    return RP_STOP;
}
static const rp_actor nester = {.name = "nester", .handle = nest};

static int sleepy(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor sleeper = {.name = "sleeper", .handle = sleepy};

static int errors(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref f, n, s;
    rp_msg *m;
    rp_spawn_opts far = {.on = RP_LOOP(rp_loop_count(me) - 1), .monitor = true};
    check_eq(rp_spawn(me, &forgetful, &(rp_spawn_opts){.on = far.on}, &f), 0);
    check_eq(rp_call(me, f, NUM, &(struct num){.n = 1}, &m, RP_FOREVER), -EPIPE);
    check(strcmp(rp_blame(me), "forgetful") == 0, "%s", rp_blame(me));
    check_eq(rp_spawn(me, &sleeper, NULL, &s), 0);
    check_eq(rp_spawn(me, &nester, &far, &n), 0);
    check_eq(rp_call(me, n, NUM, &(struct num){.ref = s}, &m, rp_in_ms(me, 20)), -ETIMEDOUT);
    struct rp_down d;
    check_eq(recv_down(me, &d), 0);
    return d.reason;
}

TEST(call, errors_name_the_culprit_and_deadlines_are_inherited)
{
    everywhere(errors, 0);
}

/* ---- no ring ----------------------------------------------------------------------------------------
 * A asks R, which gives the right to reply to C and asks A in turn; that is answered when C has replied. B, on
 * another loop, stands in R's line with a question of the same number as A's: it is another's all the same.
 */
struct relay {
    rp_token token;
};
static const rp_field relay_fields[] = {RP_FIELD(struct relay, token, RP_TOKEN)};
static const rp_type relay_type = RP_TYPE("deadlock.relay", struct relay, relay_fields);

static int reply_late(rp_self *me, void *state, const rp_msg *m)
{
    const struct relay *b = rp_body(m, &relay_type);
    rp_token k;
    (void)state;
    check_eq(rp_token_from(me, m, &b->token, &k), 0);
    int rc = rp_sleep(me, rp_in_ms(me, 150)); /* longer than it takes to be suspected */
    return rc != 0 ? rc : rp_token_reply(me, &k, NUM, &(struct num){.n = 1});
}
static const rp_actor late_actor = {.name = "late", .handle = reply_late};

static int give_away(rp_self *me, void *state, const rp_msg *m)
{
    struct num n = *(const struct num *)rp_body(m, NUM);
    struct relay b;
    rp_msg *r;
    (void)state;
    if (n.n == 2)
        return rp_reply(me, m, NUM, &n);
    rp_ref who = rp_from(me, m);
    check_eq(rp_take_token(me, m, &b.token), 0);
    check_eq(rp_tell(me, n.ref, &relay_type, &b), 0);
    int rc = rp_call(me, who, NUM, &n, &r, RP_FOREVER);
    check(rc == 0, "%d: %s", rc, rp_blame(me));
    rp_msg_drop(me, r);
    return 0;
}
static const rp_actor giver = {.name = "giver", .handle = give_away};

struct question {
    rp_ref to, late;
    uint64_t n;
};

static int ask_once(rp_self *me, void *arg)
{
    struct question *q = arg;
    rp_msg *m;
    int rc = rp_call(me, q->to, NUM, &(struct num){q->n, q->late}, &m, RP_FOREVER);
    check(rc == 0, "%d: %s", rc, rp_blame(me));
    rp_msg_drop(me, m);
    if (q->n == 2)
        return 0;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check_eq(rp_reply(me, m, NUM, &(struct num){.n = 1}), 0);
    rp_msg_drop(me, m);
    return 0;
}
static const rp_actor asks_once = {.name = "once", .run = ask_once};

static int same_number(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    struct question a = {.n = 1}, b = {.n = 2};
    struct rp_down d;
    (void)arg;
    check_eq(rp_spawn(me, &giver, &(rp_spawn_opts){.on = RP_LOOP(n - 1)}, &a.to), 0);
    check_eq(rp_spawn(me, &late_actor, &(rp_spawn_opts){.on = RP_LOOP(n - 1)}, &a.late), 0);
    b.to = a.to;
    check_eq(rp_spawn(me, &asks_once, &(rp_spawn_opts){.arg = &a, .monitor = true}, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(rp_spawn(me, &asks_once, &(rp_spawn_opts){.arg = &b, .monitor = true, .on = RP_LOOP(n / 2)}, NULL), 0);
    for (int i = 0; i < 2; i++) {
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return 0;
}

TEST(deadlock, a_call_is_known_by_whose_it_is)
{
    everywhere(same_number, 0);
}
