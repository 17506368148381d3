/* SPDX-License-Identifier: MIT
 *
 * Actors that go to live on other loops, and all that follows them.
 */
#include "actors/life/move.h"
#include "loop/system.h"
#include "reparto/sim.h"
#include "tests/audit.h"
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>

/* ---- an actor that does as it is told --------------------------------------------------------------- */

enum { WHERE = 1000, END, FAIL, SPAWN, WATCH, LINK, TIMER, TIMER_STOP, KEYED, EVERY, LISTEN, CALL, CALL_ON, NAP, GO, STASH, UNSTASH, SEEN, DOWNS, TICKS, NAMES };

struct doer {
    uint64_t seen, downs, ticks, names, exits;
    rp_timer timer;
    rp_ref child;
};
static _Atomic int64_t alive;

static int born(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    alive++;
    return 0;
}

static void gone(rp_self *me, void *state, int reason)
{
    (void)me, (void)state, (void)reason;
    alive--;
}

static int obey(rp_self *me, void *state, const rp_msg *m);
static const rp_actor doer = {.name = "doer", .init = born, .handle = obey, .fini = gone, .state_size = sizeof(struct doer)};

static const rp_actor trapping = {
    .name = "trapping", .init = born, .handle = obey, .fini = gone, .state_size = sizeof(struct doer), .flags = RP_TRAP,
};

static const rp_type tick_type = {.name = "test.tick", .size = sizeof(struct num)};

static int ask_num(rp_self *me, rp_ref to, uint64_t n, rp_ref about, struct num *ret, rp_time until)
{
    rp_msg *m;
    int rc = rp_call(me, to, NUM, &(struct num){n, about}, &m, until);
    if (rc != 0)
        return rc;
    *ret = *(const struct num *)rp_body(m, NUM);
    rp_msg_drop(me, m);
    return 0;
}

static int do_timers(rp_self *me, struct doer *d, uint64_t what, uint64_t ms)
{
    const struct num tick = {ms, {0, 0}};
    switch (what) {
    case TIMER:
        return rp_timer_start(me, rp_in_ms(me, (int64_t)ms), &tick_type, &tick, &d->timer);
    case EVERY:
        return rp_timer_every(me, rp_in_ms(me, (int64_t)ms), (rp_time)ms * RP_MS, &tick_type, &tick, &d->timer);
    case KEYED:
        return rp_timer_key(me, 7, rp_in_ms(me, (int64_t)ms), &tick_type, &tick);
    default:
        return rp_timer_stop(me, d->timer);
    }
}

static int act(rp_self *me, struct doer *d, const struct num *b, const rp_msg *m, struct num *r)
{
    uint64_t arg = b->ref.local;
    switch (b->n) {
    case WHERE:
        r->n = rp_loop_index(me);
        r->ref = rp_self_ref(me);
        return 0;
    case SPAWN:
        return rp_spawn(me, &doer, &(rp_spawn_opts){.on = (unsigned)arg, .monitor = true}, &r->ref);
    case WATCH:
        return rp_monitor(me, b->ref);
    case LINK:
        return rp_link(me, b->ref);
    case LISTEN:
        return rp_watch_name(me, "moved");
    case CALL: /* asks another, that takes too long */
        return ask_num(me, b->ref, NAP, (rp_ref){1, 200}, r, rp_in_ms(me, 2)) == -ETIMEDOUT ? 0 : -EBADMSG;
    case CALL_ON: /* and waits for it */
        return ask_num(me, b->ref, NAP, (rp_ref){1, 240}, r, RP_FOREVER);
    case NAP:
        r->n = arg;
        return rp_sleep(me, rp_in_ms(me, (int64_t)arg));
    case GO:
        return rp_move(me, rp_self_ref(me), (unsigned)arg);
    case UNSTASH:
        return rp_unstash(me);
    case SEEN:
        r->n = d->seen;
        return 0;
    case DOWNS:
        *r = (struct num){d->downs, {d->exits, 0}};
        return 0;
    case TICKS:
        r->n = d->ticks;
        return 0;
    case NAMES:
        r->n = d->names;
        return 0;
    default:
        (void)m;
        return do_timers(me, d, b->n, arg);
    }
}

static int obey(rp_self *me, void *state, const rp_msg *m)
{
    struct doer *d = state;
    const struct num *b = rp_body(m, NUM);
    d->downs += rp_body(m, RP_DOWN) != 0;
    d->exits += rp_body(m, RP_EXIT_NOTICE) != 0;
    d->ticks += rp_type_of(m) == &tick_type;
    d->names += rp_body(m, RP_NAME_CHANGE) != 0;
    if (!b)
        return 0;
    if (b->n < WHERE) {
        if (b->n == 999)
            return rp_stash(me, m);
        d->seen++;
        return 0;
    }
    if (b->n == END || b->n == FAIL)
        return b->n == END ? RP_STOP : -EIO;
    struct num r = {0, {0, 0}};
    int rc = act(me, d, b, m, &r);
    if (!rp_wants_reply(m))
        return rc;
    return rc < 0 ? rp_reply_error(me, m, rc) : rp_reply(me, m, NUM, &r);
}

/* What it answers; an error is a failure. */
static struct num ask_about(rp_self *me, rp_ref to, uint64_t what, rp_ref about)
{
    struct num r = {0, {0, 0}};
    check_eq(ask_num(me, to, what, about, &r, RP_FOREVER), 0);
    return r;
}

static uint64_t ask(rp_self *me, rp_ref to, uint64_t what, uint64_t arg)
{
    return ask_about(me, to, what, (rp_ref){1, arg}).n;
}

static rp_ref start_with(rp_self *me, rp_spawn_opts o)
{
    rp_ref r = {0, 0};
    check_eq(rp_spawn(me, &doer, &o, &r), 0);
    return r;
}

static rp_ref start(rp_self *me, unsigned on)
{
    return start_with(me, (rp_spawn_opts){.on = RP_LOOP(on % rp_loop_count(me))});
}

static void move(rp_self *me, rp_ref who, unsigned to)
{
    to %= rp_loop_count(me);
    check_eq(rp_move(me, who, RP_LOOP(to)), 0);
    check_eq(rp_place_of(me, who), RP_LOOP(to));
    struct num r = ask_about(me, who, WHERE, (rp_ref){0, 0});
    check_eq(r.n, to);
    check(rp_ref_eq(r.ref, who));
}

static void end(rp_self *me, rp_ref who)
{
    struct rp_down d;
    check_eq(rp_monitor(me, who), 0);
    check_eq(rp_stop(me, who, "test"), 0);
    check_eq(recv_down(me, &d), 0);
    check(rp_ref_eq(d.who, who));
    check_eq(d.reason, -ECANCELED);
}

/* Where nobody lives elsewhere, nobody pays for it. */
static bool all_home(rp_self *me)
{
    return !(me->loop->slow & RP__SLOW_MOVED) && me->loop->actors->nmoving == 0;
}

static void until_home(rp_self *me)
{
    for (unsigned i = 0; i < 1000 && !all_home(me); i++)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check(all_home(me));
}

/* ---- there and back --------------------------------------------------------------------------------- */

static int there_and_back(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned birth = 0; birth < n; birth++) {
        rp_ref a = start(me, birth);
        for (unsigned i = 0; i < 3 * n; i++) {
            check_eq(tell_num(me, a, i), 0);
            move(me, a, birth + i * 2 + 1);
        }
        check_eq(ask(me, a, SEEN, 0), 3 * n);
        move(me, a, birth);
        until_home(me);
        move(me, a, birth + 1);
        end(me, a);
        struct rp_down d;
        check_eq(rp_monitor(me, a), 0);
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, -ESRCH);
        check_eq(rp_move(me, a, RP_LOOP(birth)), -ESRCH);
        until_home(me);
        check_eq(alive, 0);
    }
    return 0;
}

TEST(move, there_and_back)
{
    everywhere(there_and_back, 0);
}

/* Its old address reaches nobody else, whoever gets its slot. */
static int slots_come_back(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    (void)arg;
    rp_ref old[8];
    for (unsigned round = 0; round < 8; round++) {
        rp_ref a = start(me, 1);
        old[round] = a;
        if (n > 1)
            move(me, a, round);
        end(me, a);
        until_home(me);
        rp_ref b = start(me, 1);
        for (unsigned i = 0; i <= round; i++) {
            check(!rp_ref_eq(old[i], b));
            check_eq(tell_num(me, old[i], 1), 0);
        }
        check_eq(ask(me, b, SEEN, 0), 0);
        end(me, b);
    }
    uint32_t before = me->loop->sys->loops[1 % n]->actors->count;
    for (unsigned round = 0; round < 100; round++) {
        rp_ref a = start(me, 1);
        move(me, a, round);
        end(me, a);
    }
    until_home(me);
    check(me->loop->sys->loops[1 % n]->actors->count < before + 20, "its slots are not given back");
    return 0;
}

TEST(move, slots_come_back)
{
    rp_system_opts sim = {.loops = 3, .sim_seed = 5};
    check_eq(run_with(slots_come_back, 0, &sim), 0);
}

static int refused(rp_self *me, void *arg);
static int waits_for_end(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    return rc == -ECANCELED ? 0 : rc;
}
static const rp_actor coroutine = {.name = "coroutine", .run = waits_for_end};

static int refused(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    rp_ref c, a = start(me, 1);
    (void)arg;
    check_eq(rp_spawn(me, &coroutine, NULL, &c), 0);
    check_eq(rp_move(me, c, RP_LOOP(n - 1)), -ENOTSUP);
    check_eq(rp_move(me, rp_self_ref(me), RP_LOOP(n - 1)), -ENOTSUP);
    check_eq(rp_move(me, a, RP_LOOP(n)), -EINVAL);
    check_eq(rp_move(me, a, RP_NOWHERE), -EINVAL);
    check_eq(rp_move(me, (rp_ref){a.node + 2, a.local}, RP_SAME), -EINVAL);
    check_eq(rp_move(me, (rp_ref){a.node, UINT64_C(1000) << 54}, RP_SAME), -EINVAL);
    check_eq(rp_move(me, (rp_ref){0, 0}, RP_SAME), -EINVAL);
    check_eq(rp_move(me, a, RP_LOOP(1 % n)), 0);
    end(me, a);
    check_eq(rp_move(me, a, RP_SAME), -ESRCH);
    return 0;
}

TEST(move, refused)
{
    everywhere(refused, 0);
}

/* ---- who is busy ------------------------------------------------------------------------------------ */

struct request {
    rp_ref who;
    int rc;
};

static int move_task(rp_self *me, void *arg)
{
    struct request *r = arg;
    r->rc = rp_move(me, r->who, RP_LOOP(rp_loop_count(me) - 1));
    return 0;
}

static int busy(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    rp_ref a = start(me, 0);
    struct request first = {a, 1}, second = {a, 1};
    rp_scope s;
    (void)arg;
    check_eq(rp_tell(me, a, NUM, &(struct num){NAP, {1, 5}}), 0);
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, move_task, &first, NULL), 0);
    check_eq(rp_go(me, &s, move_task, &second, NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(first.rc, 0);
    check_eq(second.rc, n == 1 ? 0 : -EALREADY);
    check_eq(ask(me, a, WHERE, 0), n - 1);
    /* whose patience ends first: it stays */
    move(me, a, 0);
    check_eq(rp_tell(me, a, NUM, &(struct num){NAP, {1, 300}}), 0);
    rp_scope_open(me, &s, rp_in_ms(me, 2));
    int rc = rp_move(me, a, RP_LOOP(n - 1));
    check_eq(rc, n == 1 ? 0 : -ECANCELED);
    check_eq(rp_scope_close(me, &s, 0), n == 1 ? 0 : -ETIMEDOUT);
    check_eq(ask(me, a, WHERE, 0), 0);
    /* and who ends instead of moving */
    check_eq(rp_tell(me, a, NUM, &(struct num){NAP, {1, 3}}), 0);
    check_eq(tell_num(me, a, END), 0);
    rc = rp_move(me, a, RP_LOOP(n - 1));
    check(rc == 0 || rc == -ESRCH, "rc is %d", rc);
    return 0;
}

TEST(move, busy)
{
    everywhere(busy, 0);
}

/* Whose line never ends, and who waits in each message: it is gone with the end of the present one. */
enum { NAPS = 60 };
static _Atomic uint64_t naps;

static int nap_in_order(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    check_eq(((const struct num *)rp_body(m, NUM))->n, naps);
    int rc = rp_sleep(me, rp_in_ms(me, 1));
    naps++;
    return rc;
}

static int never_idle(rp_self *me, void *arg)
{
    static const rp_actor napper = {.name = "napper", .handle = nap_in_order};
    unsigned n = rp_loop_count(me);
    rp_ref a;
    (void)arg;
    naps = 0;
    check_eq(rp_spawn(me, &napper, NULL, &a), 0);
    for (uint64_t i = 0; i < NAPS; i++)
        check_eq(tell_num(me, a, i), 0);
    while (naps == 0)
        check_eq(rp_yield(me), 0);
    for (unsigned i = 1; i <= 3; i++) {
        check_eq(rp_move(me, a, RP_LOOP(i % n)), 0);
        check(naps < NAPS, "it has gone when it had nothing more to do");
    }
    while (naps < NAPS)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    end(me, a);
    return 0;
}

TEST(move, never_idle)
{
    everywhere(never_idle, 0);
}

static int by_itself(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    rp_ref a = start(me, 0);
    (void)arg;
    for (unsigned i = 0; i < 2 * n; i++) {
        unsigned to = (i + 1) % n;
        check_eq(ask(me, a, GO, RP_LOOP(to)), 0);
        while (ask(me, a, WHERE, 0) != to)
            check_eq(rp_yield(me), 0);
    }
    end(me, a);
    return 0;
}

TEST(move, by_itself)
{
    everywhere(by_itself, 0);
}

/* ---- order ------------------------------------------------------------------------------------------ */

enum { SENDERS = 8, EACH = 3000 };

struct sink {
    uint64_t next[SENDERS];
    unsigned every; /* it waits in each so many-th message; 0: never */
};
static _Atomic uint64_t wrong, got;

static int sink_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct sink *s = state;
    const struct num *b = rp_body(m, NUM);
    const struct text *t = rp_body(m, TEXT);
    uint64_t n = b ? b->n : t ? t->id : 0;
    uint64_t from = n >> 24, i = n & 0xffffff;
    if (i != s->next[from]++)
        wrong++;
    got++;
    return s->every && i % s->every == 0 ? rp_yield(me) : 0;
}

static int sink_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct sink *)state)->every = arg ? *(unsigned *)arg : 0;
    return 0;
}
static const rp_actor sink_actor = {.name = "sink", .init = sink_init, .handle = sink_handle, .state_size = sizeof(struct sink)};

struct source {
    rp_ref to;
    uint64_t from;
};

static int send_all(rp_self *me, void *arg)
{
    struct source s = *(struct source *)arg;
    char bytes[700];
    memset(bytes, 'b', sizeof bytes);
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t n = s.from << 24 | i;
        int rc = i % 16 == 15 ? rp_tell(me, s.to, TEXT, &(struct text){(uint32_t)n, {bytes, sizeof bytes}}) : tell_num(me, s.to, n);
        if (rc == 0 && i % 37 == 0)
            rc = rp_yield(me);
        if (rc != 0)
            return rc;
    }
    return 0;
}
static const rp_actor source_actor = {.name = "source", .run = send_all};

static void send_while_it_hops(rp_self *me, rp_spawn_opts o)
{
    rp_ref a = {0, 0};
    struct source s[SENDERS];
    unsigned n = rp_loop_count(me), down = 0;
    rp_msg *m;
    wrong = got = 0;
    check_eq(rp_spawn(me, &sink_actor, &o, &a), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        s[i] = (struct source){a, i};
        check_eq(rp_spawn(me, &source_actor, &(rp_spawn_opts){.on = RP_LOOP(i % n), .arg = &s[i], .monitor = true}, NULL), 0);
    }
    while (down < SENDERS) {
        check_eq(rp_move(me, a, RP_LOOP(rp_random(me) % n)), 0);
        int rc = rp_recv(me, &m, rp_in_ms(me, 0));
        if (rc != 0)
            continue;
        const struct rp_down *d = rp_body(m, RP_DOWN);
        check(d && d->reason == 0, "%s ended with %d", d ? d->name : "?", d ? d->reason : 0);
        rp_msg_drop(me, m);
        down++;
    }
    while (got < SENDERS * EACH)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(wrong, 0);
    check_eq(got, SENDERS * EACH);
    check_eq(rp_stop(me, a, "test"), 0);
}

static int in_order(rp_self *me, void *arg)
{
    if (!me->loop->world->real)
        audit_every_step(me, 0);
    send_while_it_hops(me, (rp_spawn_opts){.arg = arg});
    return 0;
}

TEST(move, in_order)
{
    everywhere(in_order, 0);
}

TEST(move, in_order_when_it_waits)
{
    unsigned every = 50;
    everywhere(in_order, &every);
}

static int through_a_small_mailbox(rp_self *me, void *arg)
{
    unsigned every = 3;
    (void)arg;
    send_while_it_hops(me, (rp_spawn_opts){.arg = &every, .mailbox = 16});
    return 0;
}

TEST(move, through_a_small_mailbox)
{
    everywhere(through_a_small_mailbox, 0);
}

/* ---- kin -------------------------------------------------------------------------------------------- */

static int kin(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned way = 0; way < 6; way++) {
        rp_ref parent = start(me, 0), kid[9];
        for (unsigned i = 0; i < 6; i++)
            kid[i] = ask_about(me, parent, SPAWN, (rp_ref){1, i < 3 ? RP_SAME : RP_LOOP(i % n)}).ref;
        if (way & 1)
            move(me, parent, 1);
        if (way & 2)
            for (unsigned i = 1; i < 6; i += 2)
                move(me, kid[i], 2 + i);
        if (way & 4)
            move(me, parent, 2);
        for (unsigned i = 6; i < 9; i++) /* and those of a guest */
            kid[i] = ask_about(me, parent, SPAWN, (rp_ref){1, i < 8 ? RP_SAME : RP_LOOP(1 % n)}).ref;
        if (way == 5) {
            move(me, parent, 0);
            move(me, kid[6], 1);
        }
        check_eq(alive, 10);
        for (unsigned i = 0; i < 9; i += 2)
            end(me, kid[i]);
        while (ask(me, parent, DOWNS, 0) < 5)
            check_eq(rp_yield(me), 0);
        check_eq(alive, 5);
        end(me, parent); /* with its children before it */
        check_eq(alive, 0);
    }
    return 0;
}

TEST(move, kin)
{
    everywhere(kin, 0);
}

/* A parent ends while its child is on its way, and a child while its parent is. */
static int kin_in_the_middle(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned i = 0; i < 40; i++) {
        rp_ref parent = start(me, i), kid = ask_about(me, parent, SPAWN, (rp_ref){1, i % 3 ? RP_SAME : RP_LOOP(i % n)}).ref;
        rp_ref mover = start(me, i / 2), moved = i % 2 ? kid : parent, ended = i % 4 < 2 ? kid : parent;
        struct rp_down d;
        check_eq(rp_monitor(me, parent), 0);
        check_eq(rp_tell(me, moved, NUM, &(struct num){GO, {1, RP_LOOP((i + 1) % n)}}), 0);
        for (unsigned k = 0; k < i / 4; k++)
            check_eq(rp_yield(me), 0);
        check_eq(rp_stop(me, ended, "test"), 0);
        if (!rp_ref_eq(ended, parent)) {
            while (ask(me, parent, DOWNS, 0) < 1)
                check_eq(rp_yield(me), 0);
            check_eq(rp_stop(me, parent, "test"), 0);
        }
        check_eq(recv_down(me, &d), 0);
        check(rp_ref_eq(d.who, parent));
        end(me, mover);
        check_eq(alive, 0);
    }
    return 0;
}

TEST(move, kin_in_the_middle)
{
    everywhere(kin_in_the_middle, 0);
}

/* ---- who ended -------------------------------------------------------------------------------------- */

static int monitors(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 12; i++) {
        rp_ref a = start(me, i), watcher = start(me, i / 2), trapper;
        check_eq(rp_spawn(me, &trapping, &(rp_spawn_opts){.on = RP_LOOP(i / 3 % rp_loop_count(me))}, &trapper), 0);
        ask_about(me, watcher, WATCH, a);
        ask_about(me, trapper, LINK, a);
        check_eq(rp_monitor(me, a), 0);
        if (i % 4 != 0)
            move(me, a, i + 1);
        if (i % 4 != 1) {
            move(me, watcher, i / 2 + 1);
            move(me, trapper, i / 3 + 1);
        }
        if (i % 4 == 3)
            ask_about(me, watcher, WATCH, a);
        struct rp_down d;
        check_eq(tell_num(me, a, FAIL), 0);
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, -EIO);
        while (ask(me, watcher, DOWNS, 0) < (i % 4 == 3 ? 2u : 1u))
            check_eq(rp_yield(me), 0);
        while (ask_about(me, trapper, DOWNS, (rp_ref){0, 0}).ref.node < 1)
            check_eq(rp_yield(me), 0);
        end(me, watcher);
        check_eq(tell_num(me, trapper, END), 0);
    }
    return 0;
}

TEST(move, monitors_and_links)
{
    everywhere(monitors, 0);
}

/* ---- names ------------------------------------------------------------------------------------------ */

static int names(rp_self *me, void *arg)
{
    rp_ref watcher = start(me, 1), found;
    uint64_t heard = 1;
    (void)arg;
    ask(me, watcher, LISTEN, 0);
    for (unsigned i = 0; i < 6; i++) {
        rp_ref a = start_with(me, (rp_spawn_opts){.name = "moved"});
        move(me, a, i);
        move(me, watcher, i / 2);
        check_eq(rp_whereis(me, "moved", &found), 0);
        check(rp_ref_eq(a, found));
        check_eq(tell_num(me, watcher, GO), 0); /* no such loop: it stays */
        end(me, a);
        check_eq(rp_whereis(me, "moved", &found), -ESRCH);
        heard += 2;
        while (ask(me, watcher, NAMES, 0) < heard)
            check_eq(rp_yield(me), 0);
        check_eq(ask(me, watcher, NAMES, 0), heard);
    }
    return 0;
}

TEST(move, names)
{
    everywhere(names, 0);
}

/* ---- timers ----------------------------------------------------------------------------------------- */

static void await_ticks(rp_self *me, rp_ref a, uint64_t n)
{
    while (ask(me, a, TICKS, 0) < n)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
}

static int timers(rp_self *me, void *arg)
{
    rp_ref a = start(me, 0);
    uint64_t ticks = 0;
    (void)arg;
    for (unsigned i = 0; i < 6; i++) {
        ask(me, a, TIMER, 3);
        move(me, a, i + 1);
        await_ticks(me, a, ++ticks);
        ask(me, a, KEYED, 5); /* the second replaces the first, on whatever loop */
        move(me, a, i / 2);
        ask(me, a, KEYED, 2);
        move(me, a, i + 1);
        await_ticks(me, a, ++ticks);
        ask(me, a, TIMER, 200); /* a handle is good on another loop; once it has been used it is not */
        move(me, a, i);
        ask(me, a, TIMER_STOP, 0);
        struct num r;
        check_eq(ask_num(me, a, TIMER_STOP, (rp_ref){0, 0}, &r, RP_FOREVER), -ESRCH);
        ask(me, a, EVERY, 1);
        await_ticks(me, a, ticks + 2);
        move(me, a, i + 2);
        await_ticks(me, a, ticks + 4);
        ask(me, a, TIMER_STOP, 0);
        ticks = ask(me, a, TICKS, 0);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 210)), 0);
    check_eq(ask(me, a, TICKS, 0), ticks); /* none of those that were stopped */
    ask(me, a, TIMER, 2); /* due while it has no time, and then it moves */
    check_eq(rp_tell(me, a, NUM, &(struct num){NAP, {1, 5}}), 0);
    move(me, a, 1);
    await_ticks(me, a, ticks + 1);
    ask(me, a, TIMER, 1000000);
    move(me, a, 2);
    end(me, a);
    return 0;
}

TEST(move, timers)
{
    everywhere(timers, 0);
}

/* Two loops give the same numbers otherwise: whose is it? */
static int handles(rp_self *me, void *arg)
{
    rp_ref a = start(me, 1), b = start(me, 2);
    (void)arg;
    for (unsigned i = 0; i < 4; i++) {
        ask(me, a, TIMER, 50);
        ask(me, b, TIMER, 50);
        move(me, a, 2 + i);
        ask(me, a, TIMER_STOP, 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 60)), 0);
        check_eq(ask(me, a, TICKS, 0), 0);
        check_eq(ask(me, b, TICKS, 0), i + 1);
        move(me, a, 1);
    }
    return 0;
}

TEST(move, handles_of_timers)
{
    rp_system_opts sim = {.loops = 3, .sim_seed = 3};
    check_eq(run_with(handles, 0, &sim), 0);
}

/* ---- calls ------------------------------------------------------------------------------------------ */

/* What comes too late on the loop where it asked is not taken for the answer to what it asks on another. */
static int late_replies(rp_self *me, void *arg)
{
    rp_ref a = start(me, 0), slow = start(me, 1);
    (void)arg;
    for (unsigned i = 0; i < 6; i++) {
        ask_about(me, a, CALL, slow);
        move(me, a, i + 1);
        ask_about(me, a, CALL, slow);
    }
    check_eq(rp_sleep(me, rp_in_ms(me, 400)), 0);
    rp_ledger l;
    rp_ledger_read(me, &l);
    check_eq(l.late + l.expired, 12);
    return 0;
}

TEST(move, late_replies)
{
    everywhere(late_replies, 0);
}

/* The first call that loop 1 has seen, and the first that loop 2 has: the reply to one comes while the other waits. */
static int numbers_of_calls(rp_self *me, void *arg)
{
    rp_ref a = start(me, 1), slow = start(me, 0), slower = start(me, 0);
    (void)arg;
    ask_about(me, a, CALL, slow); /* which takes 200 ms */
    move(me, a, 2);
    check_eq(ask_about(me, a, CALL_ON, slower).n, 240);
    return 0;
}

TEST(move, numbers_of_calls)
{
    for (uint64_t seed = 1; seed < 5; seed++)
        check_eq(run_with(numbers_of_calls, 0, &(rp_system_opts){.loops = 3, .sim_seed = seed}), 0);
}

/* ---- mailboxes -------------------------------------------------------------------------------------- */

static int stash(rp_self *me, void *arg)
{
    rp_ref a = start_with(me, (rp_spawn_opts){.stash = 10});
    (void)arg;
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 5; k++)
            check_eq(tell_num(me, a, 999), 0);
        ask(me, a, WHERE, 0);
        move(me, a, i + 1);
        ask(me, a, UNSTASH, 0); /* they come again, and are set aside again */
        ask(me, a, GO, RP_LOOP(i % rp_loop_count(me)));
        ask(me, a, WHERE, 0);
        end(me, a);
        a = start_with(me, (rp_spawn_opts){.stash = 10});
    }
    return 0;
}

TEST(move, stash)
{
    everywhere(stash, 0);
}

/* A mailbox that is full, and whose senders wait, goes along; those who fail fail there too. */
static int full(rp_self *me, void *arg)
{
    static const rp_overflow policies[] = {RP_WAIT, RP_FAIL, RP_DROP_NEW, RP_DROP_OLD, RP_CONFLATE, RP_REDIRECT};
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned p = 0; p < sizeof policies / sizeof *policies; p++) {
        rp_ref other = start(me, 2);
        rp_ref a = start_with(me, (rp_spawn_opts){.mailbox = 4, .overflow = policies[p], .redirect = other, .on = RP_LOOP(n - 1)});
        check_eq(rp_tell(me, a, NUM, &(struct num){NAP, {1, 3}}), 0);
        uint64_t sent = 0;
        for (unsigned i = 0; i < 40; i++) {
            int rc = policies[p] == RP_WAIT ? tell_num(me, a, 1) : rp_try_tell(me, a, NUM, &(struct num){1, {0, 0}});
            check(rc == 0 || rc == -EAGAIN, "rc is %d", rc);
            sent += rc == 0;
            if (i == 20)
                check_eq(rp_move(me, a, RP_LOOP(0)), 0);
            if (i % 8 == 7)
                check_eq(rp_yield(me), 0);
        }
        for (;;) {
            struct num r;
            int rc = ask_num(me, a, SEEN, (rp_ref){0, 0}, &r, RP_FOREVER);
            if (rc == 0) {
                check(policies[p] == RP_WAIT ? r.n == sent : r.n <= sent, "of %u %u were seen", (unsigned)sent, (unsigned)r.n);
                break;
            }
            check(rc == -EAGAIN || rc == -EPIPE, "rc is %d", rc);
            check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        }
        end(me, a);
        end(me, other);
    }
    return 0;
}

TEST(move, full_mailboxes)
{
    everywhere(full, 0);
}

/* ---- supervision ------------------------------------------------------------------------------------ */

static int supervised(rp_self *me, void *arg)
{
    const rp_child children[] = {{.actor = &doer, .opts = {.on = RP_SPREAD}}, {.actor = &doer, .opts = {.on = RP_SPREAD}}};
    const rp_supervisor s = {.children = children, .nchildren = 2, .restarts = 1000, .within_ms = 1};
    rp_ref sup, kid[2];
    (void)arg;
    check_eq(rp_supervise(me, &s, NULL, &sup), 0);
    for (size_t i = 0; i < 2; i++)
        check_eq(rp_supervise_child(me, sup, i, &kid[i]), 0);
    for (unsigned i = 0; i < 12; i++) {
        rp_ref k = kid[i % 2];
        move(me, k, i);
        if (i % 3 == 0) {
            int rc = rp_move(me, sup, RP_LOOP(i / 3 % rp_loop_count(me)));
            check_eq(rc, 0);
        }
        check_eq(tell_num(me, k, 1), 0);
        check_eq(tell_num(me, k, FAIL), 0);
        check_eq(tell_num(me, k, 1), 0);
        int rc = rp_move(me, k, RP_LOOP((i + 1) % rp_loop_count(me))); /* now it may be down, or up again */
        check(rc == 0 || rc == -EBUSY, "rc is %d", rc);
        check_eq(ask(me, k, SEEN, 0), 1); /* of the next incarnation: what came after the fall */
    }
    check_eq(rp_supervise_remove(me, sup, kid[0]), 0);
    end(me, sup);
    check_eq(alive, 0);
    return 0;
}

TEST(move, supervised)
{
    everywhere(supervised, 0);
}

/* ---- groups ----------------------------------------------------------------------------------------- */

static _Atomic uint64_t heard;
static int member_handle(rp_self *me, void *state, const rp_msg *m)
{
    rp_ref *group = state;
    const struct num *b = rp_body(m, NUM);
    const struct text *t = rp_body(m, TEXT);
    if (b && b->n == GO) {
        *group = b->ref;
        return rp_group_join(me, *group);
    }
    if (b && b->n == END) {
        int rc = rp_group_leave(me, *group);
        return rc == 0 ? RP_STOP : rc;
    }
    check(t && t->text.size == 3000 && ((const char *)t->text.data)[2999] == 'g');
    heard++;
    return 0;
}
static const rp_actor member = {.name = "member", .handle = member_handle, .state_size = sizeof(rp_ref)};

static int groups(rp_self *me, void *arg)
{
    enum { MEMBERS = 9 };
    unsigned n = rp_loop_count(me);
    char bytes[3000];
    rp_ref group, m[MEMBERS];
    (void)arg;
    heard = 0;
    memset(bytes, 'g', sizeof bytes);
    check_eq(rp_group_start(me, NULL, &group), 0);
    for (unsigned i = 0; i < MEMBERS; i++) {
        check_eq(rp_spawn(me, &member, &(rp_spawn_opts){.on = RP_LOOP(i % n)}, &m[i]), 0);
        check_eq(rp_tell(me, m[i], NUM, &(struct num){GO, group}), 0);
    }
    rp_ref list[MEMBERS];
    while (rp_group_members(me, group, list, MEMBERS) < MEMBERS)
        check_eq(rp_yield(me), 0);
    for (unsigned i = 0; i < 30; i++) {
        check_eq(rp_publish(me, group, TEXT, &(struct text){i, {bytes, sizeof bytes}}), 0);
        check_eq(rp_move(me, m[i % MEMBERS], RP_LOOP((i + i / 9) % n)), 0);
        if (i % 10 == 5)
            check_eq(rp_move(me, group, RP_LOOP(i / 10 % n)), 0);
    }
    while (heard < 30 * MEMBERS)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    for (unsigned i = 0; i < MEMBERS; i++)
        check_eq(tell_num(me, m[i], END), 0);
    while (rp_group_members(me, group, list, MEMBERS) > 0)
        check_eq(rp_yield(me), 0);
    check_eq(heard, 30 * MEMBERS);
    end(me, group);
    return 0;
}

TEST(move, groups)
{
    everywhere(groups, 0);
}

/* ---- ends in the middle ----------------------------------------------------------------------------- */

static int stopped_on_the_way(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned i = 0; i < 60; i++) {
        rp_ref a = start(me, i);
        struct rp_down d;
        check_eq(rp_monitor(me, a), 0);
        check_eq(rp_tell(me, a, NUM, &(struct num){GO, {1, RP_LOOP((i + 1 + i / 7 % 2) % n)}}), 0);
        for (unsigned k = 0; k < i / 4; k++)
            check_eq(rp_yield(me), 0);
        if (i % 3 == 0)
            check_eq(rp_stop(me, a, "test"), 0);
        else
            check_eq(tell_num(me, a, i % 3 == 1 ? END : FAIL), 0);
        check_eq(rp_monitor(me, a), 0);
        check_eq(recv_down(me, &d), 0);
        check_eq(recv_down(me, &d), 0);
        check(rp_ref_eq(d.who, a));
    }
    check_eq(alive, 0);
    until_home(me);
    return 0;
}

TEST(move, stopped_on_the_way)
{
    everywhere(stopped_on_the_way, 0);
}

/* The root ends while actors are on their way. */
static int over(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    (void)arg;
    for (unsigned i = 0; i < 8; i++) {
        rp_ref a = start(me, i);
        for (unsigned k = 0; k < i; k++)
            check_eq(rp_tell(me, a, NUM, &(struct num){GO, {1, RP_LOOP((i + k) % n)}}), 0);
    }
    return 0;
}

TEST(move, system_ends_meanwhile)
{
    for (unsigned i = 0; i < 20; i++)
        everywhere(over, 0);
    check_eq(alive, 0);
}

/* ---- what it keeps ---------------------------------------------------------------------------------- */

struct hoard { /* a call, a text and a message of its own making, kept over a move */
    rp_msg *call, *text, *own;
    bool forgets;
};

static int hoard_handle(rp_self *me, void *state, const rp_msg *m)
{
    struct hoard *h = state;
    const struct num *b = rp_body(m, NUM);
    if (!b)
        return rp_keep(me, m, &h->text);
    if (!h->call) {
        h->own = rp_msg_new(me, NUM);
        return h->own ? rp_keep(me, m, &h->call) : -ENOMEM;
    }
    const struct text *t = rp_body(h->text, TEXT);
    check(t->text.size == 5000 && ((const char *)t->text.data)[4999] == 'x');
    struct num *own = rp_msg_fill(h->own);
    *own = *b;
    int rc = h->forgets ? 0 : rp_reply(me, h->call, NUM, b);
    rp_msg_drop(me, h->call);
    rp_msg_drop(me, h->text);
    return rc != 0 ? rc : rp_send(me, b->ref, &h->own);
}

static int hoard_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct hoard *)state)->forgets = arg != 0;
    return 0;
}
static const rp_actor hoarder = {.name = "hoarder", .handle = hoard_handle, .init = hoard_init, .state_size = sizeof(struct hoard)};

struct hoard_ask {
    rp_ref to;
    int rc;
};

static int ask_hoarder(rp_self *me, void *arg)
{
    struct hoard_ask *a = arg;
    struct num r = {0};
    a->rc = ask_num(me, a->to, 1, (rp_ref){0, 0}, &r, RP_FOREVER);
    check(a->rc != 0 || r.n == 2);
    return 0;
}

/* Where it has gone they may be read, replied to, sent and dropped; their memory goes home from there. */
static int keeps(rp_self *me, void *arg)
{
    static char big[5000];
    unsigned n = rp_loop_count(me);
    (void)arg;
    memset(big, 'x', sizeof big);
    for (unsigned i = 0; i < 4; i++) {
        struct hoard_ask a = {.rc = 1};
        rp_scope s;
        uint64_t back;
        void *forgets = i % 2 ? &a : NULL;
        check_eq(rp_spawn(me, &hoarder, &(rp_spawn_opts){.on = RP_LOOP(i % n), .arg = forgets}, &a.to), 0);
        check_eq(rp_tell(me, a.to, TEXT, &(struct text){1, {big, sizeof big}}), 0);
        rp_scope_open(me, &s, RP_FOREVER);
        check_eq(rp_go(me, &s, ask_hoarder, &a, NULL), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0); /* it has been asked */
        check_eq(rp_move(me, a.to, RP_LOOP((i + 1) % n)), 0);
        check_eq(rp_tell(me, a.to, NUM, &(struct num){2, rp_self_ref(me)}), 0);
        check_eq(recv_num(me, &back), 0);
        check_eq(back, 2);
        check_eq(rp_scope_close(me, &s, 0), 0);
        check_eq(a.rc, i % 2 ? -EPIPE : 0);
        end(me, a.to);
    }
    return 0;
}

TEST(move, keeps_its_messages)
{
    everywhere(keeps, 0);
}

/* ---- other processes -------------------------------------------------------------------------------- */

static int hopping_server(rp_self *me, void *arg)
{
    rp_ref a = start_with(me, (rp_spawn_opts){.name = "server", .monitor = true});
    unsigned n = rp_loop_count(me);
    rp_msg *m;
    (void)arg;
    for (unsigned i = 1;; i++) {
        int rc = rp_move(me, a, RP_LOOP(i % n));
        check(rc == 0 || rc == -ESRCH, "rc is %d", rc);
        if (rp_recv(me, &m, rp_in_ms(me, 1)) == 0)
            break;
    }
    rp_msg_drop(me, m);
    return 0;
}

static int far_client(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref a;
    struct rp_down d;
    check_eq(rp_connect(me, arg, &node, rp_in_ms(me, 5000)), 0);
    check_eq(rp_lookup(me, node, "server", &a, rp_in_ms(me, 5000)), 0);
    check_eq(rp_monitor(me, a), 0);
    for (uint64_t i = 0; i < 300; i++) {
        for (unsigned k = 0; k < 10; k++)
            check_eq(tell_num(me, a, 1), 0);
        check_eq(ask(me, a, SEEN, 0), 10 * (i + 1));
    }
    check_eq(tell_num(me, a, END), 0);
    check_eq(recv_down(me, &d), 0);
    check(rp_ref_eq(d.who, a));
    check_eq(d.reason, 0);
    return 0;
}

TEST(move, seen_from_another_process)
{
    static const rp_type *const types[] = {&num_type, NULL};
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(6); i++) {
        rp_sim *s = rp_sim_new(seed + i);
        unsigned server, client;
        rp_ledger l = {0};
        rp_system_opts so = {.loops = 1 + (unsigned)(i % 3), .listen = "sim://a", .types = types, .ledger = &l};
        rp_system_opts co = {.loops = 2, .types = types};
        rp_actor sr = {.name = "server", .run = hopping_server}, cr = {.name = "client", .run = far_client};
        check_eq(rp_sim_add(s, &sr, NULL, &so, &server), 0);
        check_eq(rp_sim_add(s, &cr, (void *)(uintptr_t) "sim://a", &co, &client), 0);
        check_eq(rp_sim_run(s, 600 * RP_S), 0);
        check_eq(rp_sim_result(s, server), 0);
        check_eq(rp_sim_result(s, client), 0);
        rp_sim_free(s);
    }
}

/* ---- deadlock --------------------------------------------------------------------------------------- */

static int ring_handle(rp_self *me, void *state, const rp_msg *m)
{
    rp_ref *next = state;
    const struct num *b = rp_body(m, NUM);
    struct num r = {0, {0, 0}};
    if (!rp_wants_reply(m)) {
        *next = b->ref;
        return 0;
    }
    int rc = ask_num(me, *next, 1, (rp_ref){0, 0}, &r, RP_FOREVER);
    return rc < 0 ? rp_reply_error(me, m, rc) : rp_reply(me, m, NUM, &r);
}
static const rp_actor ringer = {.name = "ringer", .handle = ring_handle, .state_size = sizeof(rp_ref)};

static int deadlock(rp_self *me, void *arg)
{
    rp_ref a[3];
    struct num r;
    (void)arg;
    for (unsigned i = 0; i < 3; i++)
        check_eq(rp_spawn(me, &ringer, &(rp_spawn_opts){.on = RP_LOOP(i % rp_loop_count(me))}, &a[i]), 0);
    for (unsigned i = 0; i < 3; i++) {
        check_eq(rp_tell(me, a[i], NUM, &(struct num){0, a[(i + 1) % 3]}), 0);
        check_eq(rp_move(me, a[i], RP_LOOP((i + 1) % rp_loop_count(me))), 0);
    }
    check_eq(ask_num(me, a[0], 1, (rp_ref){0, 0}, &r, RP_FOREVER), -EDEADLK);
    return 0;
}

TEST(move, deadlock_among_the_moved)
{
    everywhere(deadlock, 0);
}
