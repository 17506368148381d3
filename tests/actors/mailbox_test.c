/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>

/* ---- policies ------------------------------------------------------------------------------------ */

struct quote {
    uint32_t stock;
    uint32_t price;
};
static const rp_field quote_fields[] = {RP_FIELD(struct quote, stock, RP_U32), RP_FIELD(struct quote, price, RP_U32)};
static const rp_type quote_type = {"test.quote", sizeof(struct quote), quote_fields, 2, NULL, RP_CONFLATE, 1, 0};
static const rp_type lossy_type = {"test.lossy", sizeof(struct quote), quote_fields, 2, NULL, RP_DROP_NEW, 0, 0};
static const rp_type urgent_type = {"test.urgent", sizeof(struct quote), quote_fields, 2, NULL, RP_DEFAULT, 0, RP_URGENT};
static const rp_type plain_type = {"test.plain", sizeof(struct quote), quote_fields, 2, NULL, RP_DEFAULT, 0, 0};

/* Says what it gets, after a wait in the first one, so that all the others meet a busy actor. */
struct seen {
    rp_ref root;
    bool waited;
    rp_event *go; /* it is busy until this is set; NULL: for a while */
};

static int watch_init(rp_self *me, void *state, void *arg)
{
    ((struct seen *)state)->root = rp_parent(me);
    ((struct seen *)state)->go = arg;
    return 0;
}

static int watch(rp_self *me, void *state, const rp_msg *m)
{
    struct seen *s = state;
    if (!s->waited) {
        s->waited = true;
        return s->go ? rp_event_wait(me, s->go, RP_FOREVER) : rp_sleep(me, rp_in_ms(me, 20));
    }
    const rp_type *t = rp_type_of(m);
    return rp_tell(me, s->root, t, rp_body(m, t));
}
static const rp_actor watcher = {.name = "watcher", .handle = watch, .init = watch_init, .state_size = sizeof(struct seen)};

static struct quote next_quote(rp_self *me, const rp_type *t)
{
    rp_msg *m;
    check_eq(rp_recv(me, &m, rp_in_ms(me, 5000)), 0);
    check(rp_body(m, t) != 0, "it is a %s, not a %s", rp_type_of(m)->name, t->name);
    struct quote q = *(const struct quote *)rp_body(m, t);
    rp_msg_drop(me, m);
    return q;
}

static int tell_quote(rp_self *me, rp_ref to, const rp_type *t, uint32_t stock, uint32_t price)
{
    return rp_tell(me, to, t, &(struct quote){stock, price});
}

static int conflate(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref w;
    rp_ledger l;
    rp_event go = {0};
    rp_spawn_opts o = {.mailbox = 4, .on = RP_LOOP(rp_loop_count(me) - 1), .arg = &go};
    check_eq(rp_spawn(me, &watcher, &o, &w), 0);
    check_eq(tell_quote(me, w, &plain_type, 0, 0), 0); /* busies it */
    for (uint32_t i = 1; i <= 300; i++)
        check_eq(tell_quote(me, w, &quote_type, i % 3, i), 0);
    for (l.dropped = 0; l.dropped < 297; rp_ledger_read(me, &l)) /* until all have come */
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    rp_event_set(&go);
    for (uint32_t i = 1; i <= 3; i++) { /* one for each, the newest, in the order of the first ones */
        struct quote q = next_quote(me, &quote_type);
        check_eq(q.stock, i % 3);
        check_eq(q.price, 297 + i);
    }
    rp_ledger_read(me, &l);
    check_eq(l.dropped, 297);
    return 0;
}

TEST(mailbox, the_newest_takes_the_place_of_its_key)
{
    everywhere(conflate, 0);
}

/* ---- the bound in bytes --------------------------------------------------------------------------- */

struct note {
    uint32_t key;
    rp_bytes text;
};
static const rp_field note_fields[] = {RP_FIELD(struct note, key, RP_U32), RP_FIELD(struct note, text, RP_BYTES)};
static const rp_type old_type = {"test.old", sizeof(struct note), note_fields, 2, NULL, RP_DROP_OLD, 0, 0};
static const rp_type newest_type = {"test.newest", sizeof(struct note), note_fields, 2, NULL, RP_CONFLATE, 1, 0};

enum { NOTES = 500, BOUND = 64 << 10, LARGE = 4096 };

static int wait_here(rp_self *me, void *state, const rp_msg *m)
{
    (void)m;
    return rp_event_wait(me, *(rp_event **)state, RP_FOREVER);
}
static int wait_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(rp_event **)state = arg;
    return 0;
}
static const rp_actor waits_here = {.name = "waits", .handle = wait_here, .init = wait_init, .state_size = sizeof(rp_event *)};

static rp_actor_info box_of(rp_self *me, rp_ref who)
{
    rp_inspection *i;
    rp_actor_info a, ret = {.depth = 0};
    check_eq(rp_inspect(me, 5000, &i), 0);
    while (rp_inspect_next(me, i, &a) > 0)
        if (rp_ref_eq(a.ref, who) && a.task == 0)
            ret = a;
    rp_inspect_end(me, i);
    return ret;
}

static int tell_note(rp_self *me, rp_ref to, const rp_type *t, uint32_t key, size_t size)
{
    static const char bytes[LARGE];
    return rp_tell(me, to, t, &(struct note){key, {bytes, size}});
}

/* Small ones fill it by their number; each large one that comes is worth fifty of them. */
static int large_after_small(rp_self *me, void *arg)
{
    const rp_type *t = arg;
    rp_ref w;
    rp_event go = {0};
    rp_spawn_opts o = {.mailbox = NOTES, .mailbox_bytes = BOUND, .on = RP_LOOP(rp_loop_count(me) - 1), .arg = &go, .monitor = true};
    check_eq(rp_spawn(me, &waits_here, &o, &w), 0);
    check_eq(tell_quote(me, w, &plain_type, 0, 0), 0);
    for (uint32_t i = 0; i < NOTES; i++)
        check_eq(tell_note(me, w, t, i, 1), 0);
    for (uint32_t i = 0; i < NOTES; i++)
        check_eq(tell_note(me, w, t, i, LARGE), 0);
    for (unsigned i = 0; i < 5; i++) {
        rp_actor_info a = box_of(me, w);
        check(a.bytes < BOUND + LARGE + 256, "%llu bytes in it", (unsigned long long)a.bytes);
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
    struct rp_down d;
    rp_event_set(&go);
    check_eq(rp_stop(me, w, "enough"), 0);
    check_eq(recv_down(me, &d), 0); /* it looks at `go` for as long as it lives */
    return 0;
}

TEST(mailbox, bytes_are_bounded_where_the_oldest_is_dropped)
{
    everywhere(large_after_small, (void *)(uintptr_t)&old_type);
}

TEST(mailbox, bytes_are_bounded_where_the_newest_replaces)
{
    everywhere(large_after_small, (void *)(uintptr_t)&newest_type);
}

static int per_type(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref w;
    rp_ledger l;
    check_eq(rp_spawn(me, &watcher, &(rp_spawn_opts){.mailbox = 4}, &w), 0);
    check_eq(tell_quote(me, w, &plain_type, 0, 0), 0);
    for (uint32_t i = 0; i < 4; i++)
        check_eq(tell_quote(me, w, &plain_type, 1, i), 0);
    for (uint32_t i = 0; i < 10; i++)
        check_eq(tell_quote(me, w, &lossy_type, 2, i), 0);
    check_eq(tell_quote(me, w, &plain_type, 1, 4), 0); /* waits, for this mailbox is full */
    for (uint32_t i = 0; i < 5; i++)
        check_eq(next_quote(me, &plain_type).price, i);
    rp_ledger_read(me, &l);
    check_eq(l.dropped, 10);
    return 0;
}

TEST(mailbox, a_type_has_its_own_policy)
{
    rp_system_opts one = {.loops = 1}, sim = {.loops = 1, .sim_seed = test_seed()};
    check_eq(run_with(per_type, 0, &one), 0);
    check_eq(run_with(per_type, 0, &sim), 0);
}

static int redirect(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref w;
    check_eq(rp_spawn(me, &watcher, &(rp_spawn_opts){.mailbox = 4, .overflow = RP_REDIRECT, .redirect = rp_self_ref(me),
                                                     .on = RP_LOOP(rp_loop_count(me) - 1)}, &w), 0);
    check_eq(tell_quote(me, w, &plain_type, 0, 0), 0);
    for (uint32_t i = 0; i < 50; i++)
        check_eq(tell_quote(me, w, &plain_type, 7, i), 0);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 50; i++)
        sum += next_quote(me, &plain_type).price;
    check_eq(sum, 49 * 50 / 2);
    rp_ledger l;
    rp_ledger_read(me, &l);
    check_eq(l.dropped, 0);
    return 0;
}

TEST(mailbox, a_full_one_redirects)
{
    everywhere(redirect, 0);
}

/* ---- lanes --------------------------------------------------------------------------------------- */

static int urgent(rp_self *me, void *arg)
{
    (void)arg;
    enum { N = 100 };
    rp_ref w;
    check_eq(rp_spawn(me, &watcher, NULL, &w), 0);
    check_eq(tell_quote(me, w, &plain_type, 0, 0), 0);
    for (uint32_t i = 0; i < N; i++)
        check_eq(tell_quote(me, w, &plain_type, 1, i), 0);
    for (uint32_t i = 0; i < N; i++)
        check_eq(tell_quote(me, w, &urgent_type, 2, i), 0);
    uint32_t next[2] = {0, 0}, row = 0;
    for (uint32_t i = 0; i < 2 * N; i++) {
        rp_msg *m;
        check_eq(rp_recv(me, &m, rp_in_ms(me, 5000)), 0);
        bool is_urgent = rp_type_of(m) == &urgent_type;
        const struct quote *q = rp_body(m, rp_type_of(m));
        check_eq(q->price, next[is_urgent]++);
        row = is_urgent ? row + 1 : 0;
        check(row <= 7, "%u urgent ones in a row, and others wait", row);
        check(i >= 7 || is_urgent, "a plain one was %u-th", i);
        rp_msg_drop(me, m);
    }
    return 0;
}

TEST(mailbox, urgent_first_and_others_do_not_starve)
{
    rp_system_opts one = {.loops = 1};
    check_eq(run_with(urgent, 0, &one), 0);
}

/* ---- by type ------------------------------------------------------------------------------------- */

static int fill(rp_self *me, void *arg)
{
    rp_ref to = *(rp_ref *)arg;
    int rc = 0;
    for (uint32_t i = 0; i < 1000 && rc == 0; i++)
        rc = tell_quote(me, to, i % 10 == 9 ? &lossy_type : &plain_type, i, i);
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 5));
    return rc == 0 ? tell_quote(me, to, &urgent_type, 1, 1) : rc;
}
static const rp_actor filler = {.name = "filler", .run = fill};

static int selective(rp_self *me, void *arg)
{
    (void)arg;
    const rp_type *const none[] = {NUM, NULL}, *const lossy[] = {&lossy_type, NULL}, *const late[] = {&urgent_type, NULL};
    rp_ref self = rp_self_ref(me);
    rp_msg *m;
    check_eq(rp_recv_of(me, none, &m, rp_in_ms(me, 1)), -ETIMEDOUT);
    check_eq(rp_spawn(me, &filler, &(rp_spawn_opts){.arg = &self, .on = RP_LOOP(rp_loop_count(me) - 1)}, NULL), 0);
    check_eq(rp_recv_of(me, late, &m, rp_in_ms(me, 5000)), 0); /* past a thousand others */
    rp_msg_drop(me, m);
    for (uint32_t i = 9; i < 1000; i += 10) {
        check_eq(rp_recv_of(me, lossy, &m, rp_in_ms(me, 5000)), 0);
        check_eq(((const struct quote *)rp_body(m, &lossy_type))->stock, i);
        rp_msg_drop(me, m);
    }
    check_eq(rp_recv_of(me, lossy, &m, rp_in_ms(me, 1)), -ETIMEDOUT);
    for (uint32_t i = 0; i < 1000; i++)
        if (i % 10 != 9)
            check_eq(next_quote(me, &plain_type).stock, i);
    return 0;
}

TEST(mailbox, receives_by_type_and_the_rest_in_order)
{
    everywhere(selective, 0);
}

/* What is waited for can never come in: that is said, not waited for. */
static int no_room(rp_self *me, void *arg)
{
    (void)arg;
    const rp_type *const wanted[] = {NUM, NULL};
    rp_ref self = rp_self_ref(me);
    rp_msg *m;
    for (uint32_t i = 0; i < 1024; i++) /* the root's mailbox */
        check_eq(tell_quote(me, self, &plain_type, i, i), 0);
    check_eq(rp_recv_of(me, wanted, &m, rp_in_ms(me, 5000)), -ENOBUFS);
    for (uint32_t i = 0; i < 1024; i++)
        check_eq(next_quote(me, &plain_type).stock, i);
    return 0;
}

TEST(mailbox, full_of_others_is_an_error)
{
    everywhere(no_room, 0);
}

/* ---- the stash ----------------------------------------------------------------------------------- */

/* Sets aside what comes before NUM, then says all in order. */
struct keeper {
    rp_ref root;
    bool open;
};

static int keep(rp_self *me, void *state, const rp_msg *m)
{
    struct keeper *k = state;
    if (rp_body(m, NUM)) {
        k->open = true;
        return rp_unstash(me);
    }
    if (!k->open)
        return rp_stash(me, m);
    return rp_tell(me, k->root, &plain_type, rp_body(m, &plain_type));
}

static int keeper_init(rp_self *me, void *state, void *arg)
{
    (void)arg;
    ((struct keeper *)state)->root = rp_parent(me);
    return 0;
}
static const rp_actor keeper = {.name = "keeper", .handle = keep, .init = keeper_init, .state_size = sizeof(struct keeper)};

static int stash(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref k;
    struct rp_down d;
    check_eq(rp_spawn(me, &keeper, &(rp_spawn_opts){.stash = 50, .on = RP_LOOP(rp_loop_count(me) - 1)}, &k), 0);
    for (uint32_t i = 0; i < 50; i++)
        check_eq(tell_quote(me, k, &plain_type, 1, i), 0);
    check_eq(tell_num(me, k, 0), 0);
    for (uint32_t i = 50; i < 90; i++)
        check_eq(tell_quote(me, k, &plain_type, 1, i), 0);
    for (uint32_t i = 0; i < 90; i++)
        check_eq(next_quote(me, &plain_type).price, i);
    check_eq(rp_spawn(me, &keeper, &(rp_spawn_opts){.stash = 5, .monitor = true}, &k), 0);
    for (uint32_t i = 0; i < 6; i++) /* one too many */
        check_eq(tell_quote(me, k, &plain_type, 1, i), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -ENOBUFS);
    return 0;
}

TEST(mailbox, a_handler_stashes_and_goes_on_in_order)
{
    everywhere(stash, 0);
}

static int stash_here(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref self = rp_self_ref(me);
    const rp_type *const plain[] = {&plain_type, NULL};
    rp_msg *m;
    for (uint32_t i = 0; i < 10; i++)
        check_eq(tell_quote(me, self, &plain_type, 1, i), 0);
    for (uint32_t i = 0; i < 8; i++) {
        check_eq(i % 2 ? rp_recv(me, &m, RP_FOREVER) : rp_recv_of(me, plain, &m, RP_FOREVER), 0);
        check_eq(rp_stash(me, m), 0);
    }
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check_eq(rp_stash(me, m), -ENOBUFS); /* still ours */
    check_eq(((const struct quote *)rp_body(m, &plain_type))->price, 8);
    rp_msg_drop(me, m);
    check_eq(rp_unstash(me), 0);
    for (uint32_t i = 0; i < 8; i++) {
        check_eq(i % 2 ? rp_recv(me, &m, RP_FOREVER) : rp_recv_of(me, plain, &m, RP_FOREVER), 0);
        check_eq(((const struct quote *)rp_body(m, &plain_type))->price, i);
        rp_msg_drop(me, m);
    }
    check_eq(next_quote(me, &plain_type).price, 9);
    check_eq(rp_recv(me, &m, rp_in_ms(me, 1)), -ETIMEDOUT);
    return 0;
}
static int stash_actor(rp_self *me, void *arg)
{
    return stash_here(me, arg);
}

static int stash_root(rp_self *me, void *arg)
{
    (void)arg;
    struct rp_down d;
    rp_actor a = {.name = "stasher", .run = stash_actor};
    check_eq(rp_spawn(me, &a, &(rp_spawn_opts){.stash = 8, .monitor = true}, NULL), 0);
    check_eq(recv_down(me, &d), 0);
    return d.reason;
}

TEST(mailbox, a_coroutine_stashes_too)
{
    everywhere(stash_root, 0);
}

/* What is set aside fills more than half of the mailbox, or all of it: who waits for room goes on when the rest has
 * been taken, and brings what opens it again. */
enum { PILE = 6, OPENS = 40 };

static int pile(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t *done = state, n = ((const struct num *)rp_body(m, NUM))->n;
    if (rp_wants_reply(m))
        return rp_reply(me, m, NUM, &(struct num){*done, {0, 0}});
    if (n > 0 && n <= PILE && *done < OPENS - PILE)
        return rp_stash(me, m);
    ++*done;
    if (n == OPENS)
        return rp_unstash(me);
    return n == 0 ? rp_sleep(me, rp_in_ms(me, 20)) : 0; /* and who sends meets a full one */
}
static const rp_actor piler = {.name = "piler", .handle = pile, .state_size = sizeof(uint64_t)};

static int sends_on(rp_self *me, void *arg)
{
    rp_ref p;
    rp_msg *m;
    rp_spawn_opts o = {.mailbox = *(uint32_t *)arg, .stash = PILE, .on = RP_LOOP(rp_loop_count(me) - 1)};
    check_eq(rp_spawn(me, &piler, &o, &p), 0);
    for (uint64_t i = 0; i <= OPENS; i++) {
        check_eq(tell_num(me, p, i), 0);
        if (i < PILE + 3)
            check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0); /* it learns of it before it has sent all */
    }
    check_eq(rp_call(me, p, NUM, &(struct num){0, {0, 0}}, &m, RP_FOREVER), 0);
    check_eq(((const struct num *)rp_body(m, NUM))->n, OPENS + 1);
    rp_msg_drop(me, m);
    return 0;
}

TEST(mailbox, what_is_set_aside_holds_nobody_up)
{
    for (uint32_t limit = PILE; limit < 2 * PILE; limit += 2)
        everywhere(sends_on, &limit);
}

/* ---- a handler that unstashes, and then receives ---------------------------------------------------- */

/* 1 is set aside; 2 takes it back, rests, and waits for two more: the one that was back, and one that comes. */
static int unstash_and_receive(rp_self *me, void *state, const rp_msg *m)
{
    uint64_t n = ((const struct num *)rp_body(m, NUM))->n;
    (void)state;
    if (n == 1)
        return rp_stash(me, m);
    if (n != 2)
        return -EPROTO;
    check_eq(rp_unstash(me), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    for (uint64_t want = 1; want <= 3; want += 2) {
        rp_msg *next;
        check_eq(rp_recv(me, &next, rp_in_ms(me, 10000)), 0);
        check_eq(((const struct num *)rp_body(next, NUM))->n, want);
        rp_msg_drop(me, next);
    }
    return RP_STOP;
}

static int back_and_more(rp_self *me, void *arg)
{
    static const rp_actor kind = {.name = "kind", .handle = unstash_and_receive};
    struct rp_down d;
    rp_ref r;
    (void)arg;
    check_eq(rp_spawn(me, &kind, &(rp_spawn_opts){.stash = 4, .monitor = true}, &r), 0);
    check_eq(tell_num(me, r, 1), 0);
    check_eq(tell_num(me, r, 2), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 20)), 0);
    check_eq(tell_num(me, r, 3), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, 0);
    return 0;
}

TEST(mailbox, who_takes_back_and_receives_gets_what_comes)
{
    everywhere(back_and_more, NULL);
}
