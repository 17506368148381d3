/* SPDX-License-Identifier: MIT
 *
 * Three times the calls that a server can answer, in virtual time: a call takes it a millisecond, its asker waits
 * fifty. What is answered must be nearly what it could answer alone, nothing may be begun that nobody waits for
 * any more, and when the load ends it must be itself again at once. With a line longer than its callers' patience,
 * served in the order of coming, each would be served when its time is just up: that answers next to nothing.
 */
#include "tests/support.h"

#include <errno.h>

enum { SERVICE_MS = 1, PATIENCE_MS = 50, OVERLOAD_MS = 2000, CALM_MS = 500 };

static const rp_time ms = 1000000;

struct desk {
    uint64_t served, late;
};
static struct desk desk; /* simulated: one thread */

static int serve(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    if (!rp_wants_reply(m))
        return rp_stash(me, m);
    desk.served++;
    desk.late += rp_deadline_of(m) <= rp_now(me);
    int rc = rp_sleep(me, rp_in_ms(me, SERVICE_MS));
    return rc != 0 ? rc : rp_reply(me, m, NUM, rp_body(m, NUM));
}
static const rp_actor server = {.name = "server", .handle = serve};

struct load {
    rp_ref server;
    uint64_t asked, answered, refused; /* refused: told before the time was up */
    rp_time slow;                      /* when the last began that was answered slowly, or not */
};

static int ask(rp_self *me, void *arg)
{
    struct load *l = arg;
    rp_msg *m;
    rp_time from = rp_now(me), until = rp_in_ms(me, PATIENCE_MS);
    l->asked++;
    int rc = rp_call(me, l->server, NUM, &(struct num){1, {0, 0}}, &m, until);
    if (rc != 0 || rp_now(me) - from > 20 * ms)
        l->slow = from;
    if (rc != 0) {
        check_eq(rc, -ETIMEDOUT);
        l->refused += rp_now(me) < until;
        return 0;
    }
    check(rp_now(me) <= until);
    l->answered++;
    rp_msg_drop(me, m);
    return 0;
}

static int go_ask(rp_self *me, rp_scope *s, struct load *l, unsigned n)
{
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = rp_go(me, s, ask, l, 0);
    return rc;
}

static int pour(rp_self *me, struct load *l, unsigned each_ms, unsigned every_ms, unsigned length_ms)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = 0;
    for (unsigned t = 0; t < length_ms && rc == 0; t += every_ms) {
        rc = go_ask(me, &s, l, each_ms);
        if (rc == 0)
            rc = rp_sleep(me, rp_in_ms(me, every_ms));
    }
    return rp_scope_close(me, &s, rc);
}

static int overload(rp_self *me, void *arg)
{
    struct load l = {.asked = 0};
    desk = (struct desk){0, 0};
    int rc = rp_spawn(me, &server, &(rp_spawn_opts){.mailbox = *(const uint32_t *)arg}, &l.server);
    if (rc == 0)
        rc = pour(me, &l, 3, 1, OVERLOAD_MS);
    check_eq(l.asked, 3 * OVERLOAD_MS);
    check(l.answered >= OVERLOAD_MS / SERVICE_MS * 9 / 10);
    check(l.answered <= OVERLOAD_MS / SERVICE_MS + PATIENCE_MS);
    check(desk.served <= l.answered + l.answered / 10); /* next to no work in vain */
    rp_time calm = rp_now(me);
    l.slow = 0;
    if (rc == 0)
        rc = pour(me, &l, 1, 2, CALM_MS);
    check_eq(l.asked, 3 * OVERLOAD_MS + CALM_MS / 2);
    check(l.slow < calm + PATIENCE_MS * ms);
    check_eq(desk.late, 0);
    return rc;
}

static void with_mailbox(uint32_t size)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        check_eq(run_with(overload, &size, &(rp_system_opts){.loops = 1 + seed % 2, .sim_seed = seed}), 0);
}

TEST(overload, a_short_line)
{
    with_mailbox(8);
}

TEST(overload, a_line_as_long_as_their_patience)
{
    with_mailbox(PATIENCE_MS);
}

TEST(overload, a_line_much_longer_than_their_patience)
{
    with_mailbox(4096);
}

enum { ASIDE = 200 };

/* What has been set aside does not stand in line: three that come behind two are served in five milliseconds. */
static int beside_a_stash(rp_self *me, void *arg)
{
    struct load l = {.asked = 0};
    (void)arg;
    int rc = rp_spawn(me, &server, &(rp_spawn_opts){.stash = ASIDE}, &l.server);
    for (unsigned i = 0; i < ASIDE && rc == 0; i++)
        rc = tell_num(me, l.server, i);
    for (unsigned i = 0; i < 20 && rc == 0; i++) {
        rp_scope s;
        rp_scope_open(me, &s, RP_FOREVER);
        rc = go_ask(me, &s, &l, 3);
        if (rc == 0)
            rc = rp_sleep(me, rp_in_ms(me, SERVICE_MS + 1));
        if (rc == 0)
            rc = go_ask(me, &s, &l, 3); /* these meet a line that moves */
        rc = rp_scope_close(me, &s, rc);
    }
    check_eq(l.asked, 20 * 6);
    check_eq(l.answered, l.asked);
    return rc;
}

TEST(overload, what_is_set_aside_is_not_in_line)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        check_eq(run_with(beside_a_stash, 0, &(rp_system_opts){.loops = 1 + seed % 2, .sim_seed = seed}), 0);
}
