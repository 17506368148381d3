/* SPDX-License-Identifier: MIT
 *
 * What a peer that is known may make a node hold: a bounded number of bytes. Whoever goes beyond a bound loses the link, and
 * the node reports which one it was.
 */
#include "tests/cluster/by_hand.h"

#include <errno.h>

enum { FIRST = 1 << 20 }; /* what any link may cost */

static void is_down_for(struct stranger *s, const char *why)
{
    pass(s->node, 10 * RP_MS);
    check(!s->link || s->link->state == RP__L_DOWN);
    check_eq(s->node->reports, 1);
    check(strstr(s->node->report, why) != NULL, "%s", s->node->report);
}

TEST(bounds, pings_that_nobody_reads_the_answers_of)
{
    static const uint64_t stamp = 7;
    enum { AT_ONCE = 100000 };
    struct node n;
    struct stranger s;
    node_open(&n);
    know(&s, &n, 1000);
    s.deaf = true;
    for (unsigned i = 0; i < 50 && s.link && s.link->state == RP__L_UP; i++)
        say_frames(&s, AT_ONCE, RP__PING, 0, 0, &stamp, sizeof stamp);
    is_down_for(&s, "does not read");
    check(n.mem.most < RP__HELD_MOST + 3 * FIRST, "%zu bytes", n.mem.most);
    go(&s);
    node_close(&n);
}

static void call_teller(struct stranger *s, uint64_t call, uint64_t much)
{
    unsigned char p[64];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, s->node->teller);
    rp__put64(&w, 0);
    rp__put64(&w, call);
    rp__pack(&w, NUM, &(struct num){much, {0, 0}});
    say_frame(s, RP__CALL, 0, 0, p, w.n);
}

/* The asker hears of what is not kept for him; the actor that replies, and other askers, do not. */
TEST(bounds, replies_that_nobody_reads)
{
    enum { CALLS = 300 };
    struct node n;
    struct stranger s, other;
    node_open(&n);
    know(&s, &n, 1000);
    announce(&s, NUM, 0);
    s.deaf = true;
    for (uint64_t i = 1; i <= CALLS; i++)
        call_teller(&s, i, 1);
    pass(&n, 100 * RP_MS);
    check(s.link && s.link->state == RP__L_UP);
    check(n.mem.most < RP__HELD_HIGH + 3 * FIRST, "%zu bytes", n.mem.most);
    check(n.reports > 0 && strstr(n.report, "reads too slowly") != NULL, "%s", n.report);
    know(&other, &n, 2000);
    announce(&other, NUM, 0);
    size_t before = other.nsaid;
    call_teller(&other, 1, 0);
    pass(&n, 10 * RP_MS);
    check(other.nsaid > before);
    check_eq(no_reply(&other, 1), 0);
    go(&other);
    go(&s);
    node_close(&n);
}

/* He speaks all the time, and so lives; but what is sent to him he does not take. */
TEST(bounds, a_peer_that_takes_nothing)
{
    static const uint64_t stamp = 7;
    struct node n;
    struct stranger s;
    node_open(&n);
    know(&s, &n, 1000);
    s.deaf = true;
    unsigned seconds = 0;
    for (; seconds < 200 && s.link && s.link->state == RP__L_UP; seconds++) {
        say_frame(&s, RP__PONG, 0, 0, &stamp, sizeof stamp);
        pass(&n, RP_S);
    }
    check(seconds >= RP__UNREAD_MS / 1000 && seconds < RP__UNREAD_MS / 1000 + 10, "%u s", seconds);
    check(strstr(n.report, "has taken nothing") != NULL, "%s", n.report);
    go(&s);
    node_close(&n);
}

TEST(bounds, monitors)
{
    struct node n;
    struct stranger s;
    unsigned char p[16];
    node_open(&n);
    know(&s, &n, 1000);
    for (uint64_t i = 1; i <= RP__PEER_WATCHES + 1; i++) {
        check(s.link && s.link->state == RP__L_UP, "%llu", (unsigned long long)i);
        struct rp__w w = {p, 0, sizeof p};
        rp__put64(&w, n.sleeper);
        rp__put64(&w, i);
        say_frame(&s, RP__MONITOR, 0, 0, p, w.n);
    }
    is_down_for(&s, "65536 monitors");
    check_eq(last_bye(&s), RP__BYE_LIMIT);
    go(&s);
    node_close(&n);
}

/* Of actors that are no more any number may be asked for: nothing is kept. */
TEST(bounds, monitors_of_the_dead_are_none)
{
    struct node n;
    struct stranger s;
    unsigned char p[16];
    node_open(&n);
    know(&s, &n, 1000);
    for (uint64_t i = 1; i <= RP__PEER_WATCHES + 100; i++) {
        struct rp__w w = {p, 0, sizeof p};
        rp__put64(&w, n.sleeper ^ UINT64_C(1) << 30);
        rp__put64(&w, i);
        say_frame(&s, RP__MONITOR, 0, 0, p, w.n);
        s.nsaid = i % 1000 == 0 ? 0 : s.nsaid; /* he has read it */
    }
    pass(&n, 10 * RP_MS);
    check(s.link && s.link->state == RP__L_UP);
    check_eq(n.reports, 0);
    go(&s);
    node_close(&n);
}

TEST(bounds, types)
{
    enum { FIELDS = 255 };
    struct node n;
    struct stranger s;
    unsigned char p[4096];
    struct rp__w w = {p, 0, sizeof p};
    node_open(&n);
    know(&s, &n, 1000);
    rp__put8(&w, 4);
    rp__put_bytes(&w, "many", 4);
    rp__put8(&w, FIELDS);
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[4];
        rp__put8(&w, RP_U64);
        rp__put32(&w, 0);
        rp__put8(&w, 3);
        snprintf(name, sizeof name, "%03u", i);
        rp__put_bytes(&w, name, 3);
    }
    unsigned may = (unsigned)(RP__PEER_TYPES / w.n);
    for (unsigned i = 0; i <= may; i++) {
        check(s.link && s.link->state == RP__L_UP, "%u", i);
        say_frame(&s, RP__TYPE, 0, (uint16_t)i, p, w.n);
    }
    is_down_for(&s, "bytes of types");
    check_eq(last_bye(&s), RP__BYE_LIMIT);
    check(n.mem.most < 8 * FIRST, "%zu bytes", n.mem.most);
    go(&s);
    node_close(&n);
}

/* ---- the line for room on a link ------------------------------------------------------------------------------- */

enum { TELLERS = 12, CALLED = 7, FIRST_TOLD = 100 };

static int tell_for_ever(rp_self *me, void *arg)
{
    static const char much[4000];
    rp_ref to = {1000, FIRST_TOLD + (uintptr_t)arg};
    int rc = rp_sleep(me, rp_in_ms(me, 100)); /* until he has come */
    while (rc == 0)
        rc = rp_tell(me, to, TEXT, &(struct text){1, {much, sizeof much}});
    return rc == -ECANCELED || rc == -EHOSTUNREACH ? 0 : rc;
}
static const rp_actor tells_for_ever = {.name = "tells", .run = tell_for_ever};

static int call_once(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    int rc = rp_sleep(me, rp_in_ms(me, 300)); /* until the link is full */
    rc = rc == 0 ? rp_call(me, (rp_ref){1000, CALLED}, NUM, &(struct num){1, {0, 0}}, &m, RP_FOREVER) : rc;
    check(rc == -ECANCELED || rc == -EHOSTUNREACH, "%d", rc);
    return 0;
}
static const rp_actor calls_once = {.name = "calls", .run = call_once};

static int many_tell(rp_self *me, void *arg)
{
    (void)arg;
    for (uintptr_t i = 0; i < TELLERS; i++)
        check_eq(rp_spawn(me, &tells_for_ever, &(rp_spawn_opts){.arg = (void *)i}, NULL), 0);
    return rp_spawn(me, &calls_once, NULL, NULL);
}

/* He has read what came, says so, and has it no more: true if there was a call. */
static bool has_taken_a_call(struct stranger *s)
{
    bool called = false;
    uint64_t taken[TELLERS] = {0};
    for (struct walk w = {0, 0, 0, {0, 0, false}}; next_frame(s, &w);) {
        uint64_t n = (uint64_t)(w.payload.end - w.payload.at), to = w.type == RP__SEND ? rp__get64(&w.payload) : 0;
        called |= w.type == RP__CALL;
        if (to >= FIRST_TOLD && to < FIRST_TOLD + TELLERS)
            taken[to - FIRST_TOLD] += n; /* its body and 16 bytes */
    }
    for (unsigned i = 0; i < TELLERS; i++) {
        unsigned char p[16];
        struct rp__w w = {p, 0, sizeof p};
        rp__put64(&w, FIRST_TOLD + i);
        rp__put64(&w, taken[i]);
        if (taken[i])
            say_frame(s, RP__CREDIT, 0, 0, p, w.n);
    }
    s->nsaid = RP__SP_HEADER;
    return called;
}

/* Who comes to a link that is full is served after those that stood there, and before any of them has another turn:
 * what stands in the queue, and 16 KiB of each, go before it. */
TEST(bounds, a_line_is_served_in_order)
{
    enum { BATCHES = (RP__QUEUE_HIGH + TELLERS * 16384) / RP__BATCH + 2 };
    struct node n;
    struct stranger s;
    node_open_with(&n, many_tell);
    know(&s, &n, 1000);
    s.deaf = true;
    pass(&n, 500 * RP_MS);
    unsigned read = 0;
    for (bool called = false; !called; read++) {
        check(read < BATCHES, "%u batches, and no call", read);
        read_one(&s);
        called = has_taken_a_call(&s);
    }
    check(read >= RP__QUEUE_LOW / RP__BATCH, "%u batches", read); /* there was a queue */
    go(&s);
    node_close(&n);
}
