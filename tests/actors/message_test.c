/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* ---- bodies of every size ------------------------------------------------------------------------ */

enum { BLOB_SIZES = 11 }; /* on both sides of what fits a slot: with two words before it, with one, with none */
static const size_t blob_size[BLOB_SIZES] = {1, 24, 25, 32, 33, 40, 41, 104, 900, 976, 4000};
static char blob_name[BLOB_SIZES][24];
static rp_type blob_type[BLOB_SIZES];
static rp_field blob_field[BLOB_SIZES];

static void make_blobs(void)
{
    for (unsigned i = 0; i < BLOB_SIZES; i++) {
        blob_field[i] = (rp_field){"bytes", RP_RAW, 0, (uint32_t)blob_size[i]};
        snprintf(blob_name[i], sizeof blob_name[i], "test.blob%zu", blob_size[i]);
        blob_type[i] = (rp_type){blob_name[i], blob_size[i], &blob_field[i], 1, 0};
    }
}

static int echo_blob(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const rp_type *t = rp_type_of(m);
    int rc = rp_yield(me); /* the message stays where it is while we wait */
    if (rc == 0 && rp_wants_reply(m))
        return rp_reply(me, m, t, rp_body(m, t));
    return rc != 0 ? rc : rp_tell(me, rp_from(me, m), t, rp_body(m, t));
}
static const rp_actor echo = {.name = "echo", .handle = echo_blob};

static int sizes(rp_self *me, void *arg)
{
    (void)arg;
    static unsigned char out[4096];
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_spawn_opts o = {.on = RP_LOOP(on)};
        rp_ref r;
        check_eq(rp_spawn(me, &echo, &o, &r), 0);
        for (unsigned i = 0; i < 40 * BLOB_SIZES; i++) {
            const rp_type *t = &blob_type[i % BLOB_SIZES];
            memset(out, (int)(i + 1), t->size);
            check_eq(rp_tell(me, r, t, out), 0);
        }
        for (unsigned i = 0; i < 40 * BLOB_SIZES; i++) {
            const rp_type *t = &blob_type[i % BLOB_SIZES];
            rp_msg *m;
            check_eq(rp_recv(me, &m, RP_FOREVER), 0);
            const unsigned char *b = rp_body(m, t);
            check(b != 0, "message %u is not of %zu bytes", i, t->size);
            check(b[0] == (unsigned char)(i + 1) && b[t->size - 1] == b[0]);
            rp_msg_drop(me, m);
        }
        for (unsigned i = 0; i < 2 * BLOB_SIZES; i++) {
            rp_msg *m;
            const rp_type *t = &blob_type[i % BLOB_SIZES];
            for (size_t k = 0; k < t->size; k++)
                out[k] = (unsigned char)(k + i);
            check_eq(rp_call(me, r, t, out, &m, i < BLOB_SIZES ? RP_FOREVER : rp_in_ms(me, 60000)), 0);
            check(memcmp(rp_body(m, t), out, t->size) == 0);
            rp_msg_drop(me, m);
        }
    }
    return 0;
}

/* More calls at once than a ring has slots, and as many replies on the way back: each gets its own. */
static int ask_and_compare(rp_self *me, void *arg)
{
    const rp_ref *to = arg;
    uint64_t n = rp_random(me);
    rp_msg *m;
    int rc = rp_call(me, *to, NUM, &(struct num){.n = n}, &m, RP_FOREVER);
    check_eq(rc, 0);
    check_eq(((const struct num *)rp_body(m, NUM))->n, n);
    rp_msg_drop(me, m);
    return rc;
}

static int many_calls(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref r, nobody = {rp_self_ref(me).node, 0};
    rp_msg *m;
    rp_scope s;
    check_eq(rp_spawn(me, &echo, &(rp_spawn_opts){.on = RP_LOOP(1 % rp_loop_count(me))}, &r), 0);
    check_eq(rp_call(me, nobody, NUM, &(struct num){0}, &m, RP_FOREVER), -EINVAL);
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 1500; i++)
        check_eq(rp_go(me, &s, ask_and_compare, &r, NULL), 0);
    return rp_scope_close(me, &s, 0);
}

TEST(call, more_at_once_than_fit_a_ring)
{
    everywhere(many_calls, 0);
}

TEST(message, every_size_every_loop_in_order)
{
    make_blobs();
    everywhere(sizes, 0);
}

static int upper(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct text *t = rp_body(m, TEXT);
    char copy[300];
    check(t->text.size < sizeof copy);
    for (size_t i = 0; i <= t->text.size; i++) {
        char c = ((const char *)t->text.data)[i];
        copy[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    struct text r = {t->id + 1, {copy, t->text.size}};
    return rp_reply(me, m, TEXT, &r);
}
static const rp_actor shouter = {.name = "shouter", .handle = upper};

static int texts(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_spawn_opts o = {.on = RP_LOOP(on)};
        rp_ref r;
        check_eq(rp_spawn(me, &shouter, &o, &r), 0);
        struct text t = {7, {"so it goes", 10}};
        rp_msg *m;
        check_eq(rp_call(me, r, TEXT, &t, &m, RP_FOREVER), 0);
        const struct text *b = rp_body(m, TEXT);
        check_eq(b->id, 8);
        check_str((const char *)b->text.data, "SO IT GOES");
        check(!rp_body(m, NUM));
        rp_msg_drop(me, m);

        char mine[] = "filled in";
        rp_msg *own = rp_msg_new(me, TEXT); /* filled in place; its text is copied when it is sent */
        struct text *fill = rp_msg_fill(own);
        check_eq(fill->id, 0);
        fill->text = (rp_bytes){mine, 9};
        check_eq(rp_send(me, rp_self_ref(me), &own), 0);
        check(own == 0);
        memset(mine, 'x', sizeof mine);
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
        b = rp_body(m, TEXT);
        check_str((const char *)b->text.data, "filled in");
        check_eq(rp_send(me, rp_self_ref(me), &m), 0); /* passed on as it is */
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
        check_str((const char *)((const struct text *)rp_body(m, TEXT))->text.data, "filled in");
        rp_msg_drop(me, m);
    }
    return 0;
}

TEST(message, text_travels_with_its_struct)
{
    everywhere(texts, 0);
}

/* ---- what a body owns ---------------------------------------------------------------------------- */

static _Atomic int owned;

struct box {
    void *p;
};

static void box_drop(void *body)
{
    free(((struct box *)body)->p);
    atomic_fetch_sub(&owned, 1);
}
static const rp_type box_type = {"test.box", sizeof(struct box), NULL, 0, box_drop};

static struct box box_new(void)
{
    atomic_fetch_add(&owned, 1);
    return (struct box){malloc(10)};
}

static int ignore(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state;
    return rp_body(m, NUM) ? RP_STOP : 0;
}
static const rp_actor ignorer = {.name = "ignorer", .handle = ignore};

static int drops(rp_self *me, void *arg)
{
    (void)arg;
    atomic_store(&owned, 0);
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_spawn_opts o = {.on = RP_LOOP(on), .monitor = true};
        rp_ref r;
        check_eq(rp_spawn(me, &ignorer, &o, &r), 0);
        for (int i = 0; i < 20; i++) { /* half of them are handled, half find it ended */
            struct box b = box_new();
            check_eq(rp_tell(me, r, &box_type, &b), 0);
            if (i == 10)
                check_eq(tell_num(me, r, 0), 0);
        }
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        struct box never = box_new();
        check_eq(rp_tell(me, (rp_ref){0, 0}, &box_type, &never), -EINVAL);
        box_drop(&never); /* on an error it is still ours */
        struct box self = box_new();
        check_eq(rp_tell(me, rp_self_ref(me), &box_type, &self), 0);
        rp_msg *m;
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
    }
    struct box unread = box_new();
    return rp_tell(me, rp_self_ref(me), &box_type, &unread);
}

TEST(message, drop_runs_exactly_once)
{
    everywhere(drops, 0);
    check_eq(atomic_load(&owned), 0);
}

/* ---- calls --------------------------------------------------------------------------------------- */

struct keeper {
    rp_msg *kept;
    rp_token token;
    rp_ref helper;
};

/* What a num asks for. */
enum { ECHO, IGNORE, ERROR, KEEP, REPLY_KEPT, TAKE, USE_TAKEN, DROP_TAKEN, FORWARD, END, TWICE };

static int keeper_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct keeper *k = state;
    const struct num *b = rp_body(m, NUM);
    struct num r = {b->n + 100, rp_from(me, m)};
    switch (b->n) {
    case ECHO:
        return rp_reply(me, m, NUM, &r);
    case IGNORE:
        return 0;
    case ERROR:
        return rp_reply_error(me, m, -EDOM);
    case KEEP:
        check_eq(rp_keep(me, m, &k->kept), 0);
        rp_msg *second;
        check_eq(rp_keep(me, m, &second), -EALREADY);
        check_eq(rp_reply(me, m, NUM, &r), -EALREADY);
        return 0;
    case REPLY_KEPT: {
        int rc = rp_reply(me, k->kept, NUM, &r);
        rp_msg_drop(me, k->kept);
        return rc;
    }
    case TAKE:
        check_eq(rp_take_token(me, m, &k->token), 0);
        check(!rp_wants_reply(m));
        return 0;
    case USE_TAKEN:
        check_eq(rp_token_reply(me, &k->token, NUM, &r), 0);
        return rp_token_reply(me, &k->token, NUM, &r) == -EALREADY ? 0 : -EIO;
    case DROP_TAKEN:
        rp_token_drop(me, &k->token);
        return 0;
    case FORWARD:
        return rp_forward(me, m, k->helper);
    case TWICE:
        check_eq(rp_reply(me, m, NUM, &r), 0);
        return rp_reply(me, m, NUM, &r) == -EALREADY ? 0 : -EIO;
    default:
        return RP_STOP;
    }
}

static int helper_handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    struct num r = {1000, rp_from(me, m)};
    return rp_reply(me, m, NUM, &r);
}
static const rp_actor helper = {.name = "helper", .handle = helper_handle};

static int keeper_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct keeper *)state)->helper = *(rp_ref *)arg;
    return 0;
}
static const rp_actor keeper = {.name = "keeper", .handle = keeper_handle, .init = keeper_init, .state_size = sizeof(struct keeper)};

struct ask {
    rp_ref to;
    uint64_t n;
    int want;
    uint64_t reply;
};

static int ask(rp_self *me, void *arg)
{
    struct ask *a = arg;
    struct num b = {a->n, {0, 0}};
    rp_msg *m = 0;
    int rc = rp_call(me, a->to, NUM, &b, &m, rp_in_ms(me, 60000));
    check_eq(rc, a->want);
    if (rc == 0) {
        const struct num *r = rp_body(m, NUM);
        check_eq(r->n, a->reply);
        check(rp_ref_eq(r->ref, rp_self_ref(me)), "the callee saw another asker");
        rp_msg_drop(me, m);
    }
    return 0;
}

/* Calls with `n` in a task, then sends `then`. */
static int ask_then(rp_self *me, rp_ref to, uint64_t n, uint64_t then, int want, uint64_t reply)
{
    struct ask a = {to, n, want, reply};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, ask, &a, NULL), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(tell_num(me, to, then), 0);
    return rp_scope_close(me, &s, 0);
}

static int calls(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_spawn_opts o = {.on = RP_LOOP(on)};
        rp_ref h, k;
        check_eq(rp_spawn(me, &helper, NULL, &h), 0);
        o.arg = &h;
        check_eq(rp_spawn(me, &keeper, &o, &k), 0);
        check_eq(ask(me, &(struct ask){k, ECHO, 0, 100}), 0);
        check_eq(ask(me, &(struct ask){k, IGNORE, -EPIPE, 0}), 0);
        check_eq(ask(me, &(struct ask){k, ERROR, -EDOM, 0}), 0);
        check_eq(ask(me, &(struct ask){k, TWICE, 0, 100 + TWICE}), 0);
        check_eq(ask(me, &(struct ask){k, FORWARD, 0, 1000}), 0);
        check_eq(ask_then(me, k, TAKE, USE_TAKEN, 0, 100 + USE_TAKEN), 0);
        check_eq(ask_then(me, k, TAKE, DROP_TAKEN, -EPIPE, 0), 0);
        check_eq(ask(me, &(struct ask){k, END, -EPIPE, 0}), 0);
        check_eq(ask(me, &(struct ask){k, ECHO, -ESRCH, 0}), 0);
    }
    return 0;
}

TEST(call, every_way_it_can_end)
{
    everywhere(calls, 0);
}

static int never(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    int rc = rp_sleep(me, rp_in_ms(me, 20));
    if (rc != 0)
        return rc;
    struct num r = {1, {0, 0}};
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &r) : 0; /* too late */
}
static const rp_actor slow = {.name = "slow", .handle = never};

static int late(rp_self *me, void *arg)
{
    (void)arg;
    rp_spawn_opts o = {.on = RP_SPREAD};
    rp_ref r;
    rp_msg *m;
    struct num b = {1, {0, 0}};
    check_eq(rp_spawn(me, &slow, &o, &r), 0);
    check_eq(rp_call(me, r, NUM, &b, &m, rp_in_ms(me, 2)), -ETIMEDOUT);
    rp_scope s;
    rp_scope_open(me, &s, rp_in_ms(me, 2));
    check_eq(rp_call(me, r, NUM, &b, &m, RP_FOREVER), -ECANCELED);
    check_eq(rp_scope_close(me, &s, 0), -ETIMEDOUT);
    check_eq(rp_call(me, r, NUM, &b, &m, RP_FOREVER), 0); /* its own reply, not a late one */
    rp_msg_drop(me, m);
    check_eq(rp_recv(me, &m, rp_in_ms(me, 30)), -ETIMEDOUT); /* late ones reach nobody */
    rp_ledger l;
    rp_ledger_read(me, &l);
    check_eq(l.late + l.expired, 2);
    return 0;
}

TEST(call, late_replies_are_counted_and_dropped)
{
    everywhere(late, 0);
}

/* ---- timers -------------------------------------------------------------------------------------- */

static int timers(rp_self *me, void *arg)
{
    (void)arg;
    struct num b = {1, {0, 0}};
    rp_timer first, second, third;
    rp_time now = rp_now(me);
    check_eq(rp_timer_start(me, now + 3 * RP_MS, NUM, &b, &first), 0);
    b.n = 2;
    check_eq(rp_timer_start(me, now + 1 * RP_MS, NUM, &b, &second), 0);
    b.n = 3;
    check_eq(rp_timer_start(me, now + 2 * RP_MS, NUM, &b, &third), 0);
    check_eq(rp_timer_stop(me, third), 0);
    check_eq(rp_timer_stop(me, third), -ESRCH);
    uint64_t n = 0;
    check_eq(recv_num(me, &n), 0);
    check_eq(n, 2);
    check_eq(recv_num(me, &n), 0);
    check_eq(n, 1);
    check(rp_now(me) - now >= 3 * RP_MS);
    check_eq(rp_timer_stop(me, first), -ESRCH);
    struct text t = {1, {"later", 5}};
    check_eq(rp_timer_start(me, rp_now(me) + RP_S, TEXT, &t, NULL), 0); /* ends with us */
    rp_msg *m;
    check_eq(rp_recv(me, &m, rp_in_ms(me, 3)), -ETIMEDOUT);
    return 0;
}

/* More of them at one moment than a turn has budget for: the rest must not wait for the next event. */
static int burst_of_timers(rp_self *me, void *arg)
{
    (void)arg;
    enum { N = 10000 };
    rp_time when = rp_in_ms(me, 20);
    for (uint64_t i = 0; i < N; i++)
        check_eq(rp_timer_start(me, when, NUM, &(struct num){.n = i}, NULL), 0);
    for (uint64_t i = 0, n; i < N; i++) {
        rp_msg *m;
        check_eq(rp_recv(me, &m, when + RP_S), 0);
        n = ((const struct num *)rp_body(m, NUM))->n;
        check_eq(n, i);
        rp_msg_drop(me, m);
    }
    return 0;
}

TEST(timer, a_burst_beyond_the_budget_comes_at_once)
{
    everywhere(burst_of_timers, 0);
}

TEST(timer, fires_in_order_and_not_once_stopped)
{
    everywhere(timers, 0);
}
