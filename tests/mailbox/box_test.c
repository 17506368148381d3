/* SPDX-License-Identifier: MIT
 *
 * Two mailboxes become one, as when an actor has moved: what stands in them, and what is known of it.
 */
#include "mailbox/mailbox.h"
#include "tests/support.h"

static const rp_field pair_fields[] = {RP_FIELD(struct num, n, RP_U64), RP_FIELD(struct num, ref, RP_REF)};
static const rp_type newest_type = {"test.newest", sizeof(struct num), pair_fields, 2, NULL, RP_CONFLATE, 1, 0};

static rp_msg *made(rp_self *me, const rp_type *t, uint64_t key, uint64_t value)
{
    rp_msg *m = rp_msg_new(me, t);
    check(m != 0);
    *(struct num *)rp_msg_fill(m) = (struct num){key, {value, 0}};
    return m;
}

static void put(rp_self *me, struct rp__mailbox *b, uint64_t key, uint64_t value)
{
    bool keyed = true;
    rp_msg *m = made(me, &newest_type, key, value), *old = rp__mailbox_replace(me->loop, b, m);
    if (old)
        rp_msg_drop(me, old);
    else
        check_eq(rp__mailbox_put(me->loop, b, m, keyed), 0);
}

static void expect(rp_self *me, struct rp__mailbox *b, uint64_t key, uint64_t value)
{
    rp_msg *m = rp__mailbox_take_next(me->loop, b);
    check(m != 0);
    const struct num *n = rp_body(m, &newest_type);
    check_eq(n->n, key);
    check_eq(n->ref.node, value);
    rp_msg_drop(me, m);
}

static void join(rp_self *me, struct rp__mailbox *a, struct rp__mailbox *b)
{
    rp_dropped why;
    for (rp_msg *m; (m = rp__mailbox_join(me->loop, a, b, &why)); rp_msg_drop(me, m))
        check_eq(why, RP_DROPPED_REPLACED);
}

/* One of each key, the newest, where the first stood; and those that come afterwards replace them. */
static int newest_over_two(rp_self *me, void *arg)
{
    struct rp_loop *l = me->loop;
    struct rp__mailbox *a = rp__mailbox_new(l, 1), *b = rp__mailbox_new(l, 1);
    (void)arg;
    put(me, a, 1, 10);
    put(me, a, 2, 20);
    put(me, b, 2, 21);
    put(me, b, 3, 30);
    join(me, a, b);
    check_eq(a->count, 3);
    put(me, a, 3, 31);
    put(me, a, 1, 11);
    check_eq(a->count, 3);
    expect(me, a, 1, 11);
    expect(me, a, 2, 21);
    expect(me, a, 3, 31);
    check(a->count == 0 && a->bytes == 0 && b->count == 0 && b->bytes == 0);
    rp__mailbox_free(l, a);
    rp__mailbox_free(l, b);
    return 0;
}

TEST(box, newest_over_two)
{
    everywhere(newest_over_two, 0);
}

static void plain(rp_self *me, struct rp__mailbox *b)
{
    check_eq(rp__mailbox_put(me->loop, b, made(me, NUM, 0, 0), false), 0);
}

static void taken(rp_self *me, struct rp__mailbox *b)
{
    rp_msg *m = rp__mailbox_take_next(me->loop, b);
    check(m != 0);
    rp_msg_drop(me, m);
}

/* The age is one that none is older than, but for what was known to be there before. */
static int ages_over_two(rp_self *me, void *arg)
{
    struct rp_loop *l = me->loop;
    (void)arg;
    for (unsigned left = 0; left < 2; left++) { /* in the first, when they are joined: its marked one has been taken */
        struct rp__mailbox *a = rp__mailbox_new(l, 1), *b = rp__mailbox_new(l, 1);
        for (unsigned i = 0; i < 1 + left; i++)
            plain(me, a);
        taken(me, a);
        check_eq(rp_sleep(me, rp_in_ms(me, 50)), 0);
        rp_time from = l->now;
        plain(me, b);
        plain(me, b);
        check_eq(rp_sleep(me, rp_in_ms(me, 10)), 0);
        join(me, a, b);
        for (unsigned i = 0; i < left; i++) {
            rp_time age = rp__mailbox_age(a, l->now);
            check(age <= l->now - from + 52 * RP_MS);
            taken(me, a);
        }
        rp_time age = rp__mailbox_age(a, l->now);
        check(age > 5 * RP_MS && age <= l->now - from + 2 * RP_MS, "%lld ms", (long long)(age / RP_MS));
        taken(me, a);
        taken(me, a);
        rp__mailbox_free(l, a);
        rp__mailbox_free(l, b);
    }
    return 0;
}

TEST(box, ages_over_two)
{
    for (uint64_t i = 0; i < 3; i++)
        check_eq(run_with(ages_over_two, 0, &(rp_system_opts){.loops = 1, .sim_seed = test_seed() + i}), 0);
}
