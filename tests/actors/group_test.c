/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>

enum { MEMBERS = 24, ROUNDS = 60 };

struct wide { /* more than a slot, less than a block */
    uint64_t n;
    char fill[300];
};
static const rp_field wide_fields[] = {RP_FIELD(struct wide, n, RP_U64), RP_FIELD(struct wide, fill, RP_CHARS)};
static const rp_type wide_type = RP_TYPE("test.wide", struct wide, wide_fields);

static _Atomic uint64_t got, wrong, sum;
static const void *_Atomic where[8][ROUNDS]; /* the body of each, by loop */
static _Atomic uint64_t copies;

/* Its number, whatever its type; the text says the same. */
static uint64_t number(const rp_msg *m)
{
    const struct num *n = rp_body(m, NUM);
    const struct wide *w = rp_body(m, &wide_type);
    const struct text *t = rp_body(m, TEXT);
    if (n)
        return n->n;
    if (w)
        return w->fill[299] == 0 && w->fill[298] == 'x' ? w->n : UINT64_MAX;
    return t && t->text.size == 5000 && ((const char *)t->text.data)[4999] == (char)t->id ? t->id : UINT64_MAX;
}

static int publish(rp_self *me, rp_ref group, uint64_t n)
{
    struct wide w = {.n = n};
    char bytes[5000];
    memset(w.fill, 'x', 299);
    memset(bytes, (int)(n & 0xff), sizeof bytes);
    struct num b = {n, {0, 0}};
    struct text t = {(uint32_t)n, {bytes, sizeof bytes}};
    switch (n % 3) {
    case 0:
        return rp_publish(me, group, NUM, &b);
    case 1:
        return rp_publish(me, group, &wide_type, &w);
    default:
        return rp_publish(me, group, TEXT, &t);
    }
}

struct member {
    rp_ref group, home;
    uint64_t leave_at; /* the number after which it ends, or 0 */
};

static int member_run(rp_self *me, void *arg)
{
    struct member a = *(struct member *)arg;
    uint64_t last = 0;
    rp_msg *m;
    int rc = rp_group_join(me, a.group);
    if (rc == 0)
        rc = rp_group_join(me, a.group); /* once is enough */
    if (rc == 0)
        rc = tell_num(me, a.home, 0);
    while (rc == 0 && (rc = rp_recv(me, &m, RP_FOREVER)) == 0) {
        uint64_t n = number(m);
        const void *body = n % 3 ? rp_type_of(m) == TEXT ? rp_body(m, TEXT) : rp_body(m, &wide_type) : 0, *none = 0;
        if (body && !atomic_compare_exchange_strong(&where[rp_loop_index(me)][n - 1], &none, body) && none != body)
            atomic_fetch_add(&copies, 1);
        atomic_fetch_add(&wrong, n != last + 1 || !rp_ref_eq(rp_from(me, m), a.home));
        atomic_fetch_add(&got, 1);
        last = n;
        if (n == ROUNDS)
            rc = rp_send(me, a.home, &m); /* to another loop: its own copy then */
        else if (n % 7 == 0)
            rc = rp_forward(me, m, a.home);
        rp_msg_drop(me, m);
        if (n == a.leave_at)
            return n % 2 ? 0 : -ECANCELED;
    }
    return rc;
}
static const rp_actor member = {.name = "member", .run = member_run};

static int counted(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref group, r, list[MEMBERS];
    uint64_t n = 0;
    struct rp_ledger before;
    atomic_store(&got, 0), atomic_store(&wrong, 0), atomic_store(&copies, 0);
    for (unsigned l = 0; l < 8; l++)
        for (unsigned i = 0; i < ROUNDS; i++)
            atomic_store(&where[l][i], 0);
    check_eq(rp_group_start(me, &(rp_spawn_opts){.on = RP_SPREAD, .name = "room"}, &group), 0);
    check_eq(rp_whereis(me, "room", &r), 0);
    check_eq(publish(me, group, 3), 0); /* to nobody */
    check_eq(rp_group_members(me, group, 0, 0), 0);
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct member a = {group, rp_self_ref(me), i % 4 == 1 ? 10 + i : 0};
        check_eq(rp_spawn(me, &member, &(rp_spawn_opts){.arg = &a, .on = RP_SPREAD, .mailbox = 4}, NULL), 0);
        check_eq(recv_num(me, &n), 0);
    }
    check_eq(rp_group_members(me, group, list, 10), MEMBERS);
    check(!rp_ref_none(list[9]));
    rp_ledger_read(me, &before);
    uint64_t expect = 0, echoes = 0;
    for (uint64_t k = 1; k <= ROUNDS; k++)
        for (unsigned i = 0; i < MEMBERS; i++)
            if (i % 4 != 1 || k <= 10 + i) {
                expect++;
                echoes += k == ROUNDS || k % 7 == 0;
            }
    for (uint64_t k = 1; k <= ROUNDS; k++)
        check_eq(publish(me, group, k), 0);
    for (uint64_t k = 0; k < echoes; k++) {
        rp_msg *m;
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
        check(number(m) == ROUNDS || number(m) % 7 == 0);
        rp_msg_drop(me, m);
    }
    check_eq(atomic_load(&got), expect);
    check_eq(atomic_load(&wrong), 0);
    check_eq(atomic_load(&copies), 0); /* the members of a loop read one body */
    for (int i = 0; i < 500 && rp_group_members(me, group, list, MEMBERS) != MEMBERS * 3 / 4; i++)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rp_group_members(me, group, list, MEMBERS), MEMBERS * 3 / 4);
    return 0;
}

TEST(group, published_counted_shared_in_order)
{
    everywhere(counted, 0);
}

/* ---- coming and going ----------------------------------------------------------------------------- */

static int in_and_out(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref group, elsewhere;
    rp_msg *m;
    uint64_t n = 0;
    check_eq(rp_group_start(me, NULL, &group), 0);
    check_eq(rp_group_start(me, &(rp_spawn_opts){.on = RP_SPREAD}, &elsewhere), 0);
    check_eq(rp_group_leave(me, group), -ESRCH);
    for (uint64_t i = 0; i < 50; i++) {
        check_eq(rp_group_join(me, elsewhere), 0);
        check_eq(tell_num(me, elsewhere, i), 0); /* publishing is telling */
        check_eq(rp_group_leave(me, elsewhere), 0);
        check_eq(tell_num(me, elsewhere, 1000), 0);
        check_eq(rp_group_leave(me, elsewhere), -ESRCH);
    }
    for (uint64_t i = 0; i < 50; i++) {
        check_eq(recv_num(me, &n), 0);
        check_eq(n, i);
    }
    check_eq(rp_recv(me, &m, rp_in_ms(me, 2)), -ETIMEDOUT);
    static const rp_type dropping = {.name = "test.dropping", .size = 8, .drop = (void (*)(void *))1};
    check_eq(rp_publish(me, group, &dropping, &n), -EINVAL);
    struct num b = {1, {0, 0}};
    check_eq(rp_call(me, group, NUM, &b, &m, RP_FOREVER), -EPIPE);
    check_eq(rp_group_join(me, group), 0);
    check_eq(rp_stop(me, group, "test"), 0);
    check_eq(rp_group_join(me, group), -ESRCH);
    check_eq(rp_group_members(me, (rp_ref){12345, 1}, 0, 0), -EINVAL);
    return 0;
}

TEST(group, joins_and_leaves)
{
    everywhere(in_and_out, 0);
}

/* ---- slow members --------------------------------------------------------------------------------- */

struct slow {
    rp_ref group, home;
    int64_t ms;
};

static int slow_run(rp_self *me, void *arg)
{
    struct slow a = *(struct slow *)arg;
    uint64_t n = 0, seen = 0;
    int rc = rp_group_join(me, a.group);
    if (rc == 0)
        rc = tell_num(me, a.home, 0);
    while (rc == 0 && n < 300 && (rc = recv_num(me, &n)) == 0) {
        seen++;
        if (a.ms)
            rc = rp_sleep(me, rp_in_ms(me, a.ms));
    }
    return rc != 0 ? rc : tell_num(me, a.home, seen);
}
static const rp_actor slow = {.name = "slow", .run = slow_run};

static int slow_members(rp_self *me, void *arg)
{
    rp_overflow policy = *(rp_overflow *)arg;
    rp_ref group;
    uint64_t n, fast = 0, late = 0;
    check_eq(rp_group_start(me, &(rp_spawn_opts){.mailbox = 8, .on = RP_SPREAD}, &group), 0);
    for (unsigned i = 0; i < 2 * rp_loop_count(me); i++) {
        struct slow a = {group, rp_self_ref(me), i % 2};
        rp_spawn_opts o = {.arg = &a, .on = RP_LOOP(i / 2), .mailbox = 8, .overflow = i % 2 ? policy : RP_WAIT};
        check_eq(rp_spawn(me, &slow, &o, NULL), 0);
        check_eq(recv_num(me, &n), 0);
    }
    rp_time from = rp_now(me);
    for (uint64_t i = 1; i <= 300; i++)
        check_eq(tell_num(me, group, i), 0);
    for (unsigned i = 0; i < rp_loop_count(me); i++) { /* the fast ones are first when nobody waits */
        check_eq(recv_num(me, &n), 0);
        fast += n;
    }
    rp_time fast_time = rp_now(me) - from;
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        check_eq(recv_num(me, &n), 0);
        late += n;
    }
    check_eq(policy == RP_WAIT ? fast + late : fast, (policy == RP_WAIT ? 600 : 300) * rp_loop_count(me));
    if (policy == RP_WAIT) /* everybody has all, at the pace of the slowest */
        check(fast_time >= 100 * RP_MS, "%d ms", (int)(fast_time / RP_MS));
    else /* nobody is held up, the slow ones miss some */
        check(fast_time < 100 * RP_MS && late < 200 * rp_loop_count(me), "%d ms, %d", (int)(fast_time / RP_MS), (int)late);
    return 0;
}

TEST(group, a_slow_member_by_its_own_policy)
{
    rp_overflow policies[] = {RP_WAIT, RP_DROP_OLD};
    for (unsigned p = 0; p < 2; p++)
        for (uint64_t seed = 1; seed < 6; seed++)
            check_eq(run_with(slow_members, &policies[p], &(rp_system_opts){.loops = (unsigned)(1 + seed % 3), .sim_seed = seed}), 0);
    check_eq(run_with(slow_members, &policies[0], &(rp_system_opts){.loops = 2, .spin_us = -1}), 0);
}

/* ---- many ----------------------------------------------------------------------------------------- */

static int many_init(rp_self *me, void *state, void *arg)
{
    (void)state;
    struct num b = {0, *(rp_ref *)arg};
    return rp_tell(me, rp_self_ref(me), NUM, &b);
}

static int many_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct num *b = rp_body(m, NUM);
    if (b && b->n == 0)
        return rp_group_join(me, b->ref);
    atomic_fetch_add(&sum, rp_body(m, TEXT) ? 1 : 1000000);
    return 0;
}
static const rp_actor many_actor = {.name = "many", .handle = many_handle, .init = many_init};

static int many(rp_self *me, void *arg)
{
    enum { N = 3000 };
    (void)arg;
    rp_ref group;
    static char bytes[60000];
    struct text t = {1, {bytes, sizeof bytes}};
    atomic_store(&sum, 0);
    check_eq(rp_group_start(me, NULL, &group), 0);
    for (unsigned i = 0; i < N; i++)
        check_eq(rp_spawn(me, &many_actor, &(rp_spawn_opts){.arg = &group, .on = RP_SPREAD}, NULL), 0);
    while (rp_group_members(me, group, 0, 0) < N)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    for (int i = 0; i < 10; i++)
        check_eq(rp_publish(me, group, TEXT, &t), 0);
    while (atomic_load(&sum) < 10 * N)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(atomic_load(&sum), 10 * N);
    return 0;
}

TEST(group, three_thousand_members)
{
    check_eq(run_with(many, 0, &(rp_system_opts){.loops = 2, .spin_us = -1}), 0);
    check_eq(run_with(many, 0, &(rp_system_opts){.loops = 3, .sim_seed = 3}), 0);
}

/* ---- who passes messages on is held up by a full mailbox like any sender --------------------------- */

static int forwarder_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct num *b = rp_body(m, NUM);
    return rp_forward(me, m, b->ref);
}
static const rp_actor forwarder = {.name = "forwarder", .handle = forwarder_handle};

static int sink_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct num *b = rp_body(m, NUM);
    if (b->n == 20000)
        return tell_num(me, rp_from(me, m), 1);
    return b->n % 100 == 0 ? rp_sleep(me, rp_in_ms(me, 1)) : 0;
}
static const rp_actor sink = {.name = "sink", .handle = sink_handle};

static int passed_on(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref f, s;
    uint64_t n = 0;
    check_eq(rp_spawn(me, &forwarder, &(rp_spawn_opts){.on = RP_LOOP(1), .mailbox = 16}, &f), 0);
    check_eq(rp_spawn(me, &sink, &(rp_spawn_opts){.on = RP_LOOP(2), .mailbox = 16}, &s), 0);
    for (uint64_t i = 1; i <= 20000; i++) {
        struct num b = {i, s};
        check_eq(rp_tell(me, f, NUM, &b), 0);
    }
    check_eq(recv_num(me, &n), 0);
    rp_ledger l;
    rp_ledger_read(me, &l);
    check(l.high_water < 16 + 2 * 2048 + 320, "%d", (int)l.high_water);
    return 0;
}

TEST(flow, passing_on_is_bounded_too)
{
    for (uint64_t seed = 1; seed < 6; seed++)
        check_eq(run_with(passed_on, 0, &(rp_system_opts){.loops = 3, .sim_seed = seed}), 0);
    check_eq(run_with(passed_on, 0, &(rp_system_opts){.loops = 3, .spin_us = -1}), 0);
}
