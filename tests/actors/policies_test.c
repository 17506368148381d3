/* SPDX-License-Identifier: MIT
 *
 * What mailboxes promise, against a model, while the actors are moved from loop to loop. Senders on all loops tell,
 * ask and publish by chance; receivers of every policy handle, wait in the middle, set aside and bring back, receive
 * by type, take the next one, or keep theirs for a while, by chance; movers move them and the group.
 *
 * Each message says who sent it, as its how manieth, and to whom. Held to: from one sender, in order for what stays in
 * order; each once where nothing may be dropped, at most once elsewhere; what was set aside comes back in order and
 * before all others; of each key the last one comes; all members see the group's messages in one order; and what
 * nobody has seen is what the ledger says was dropped.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SENDERS = 4, EACH = 150, MOVERS = 2, KEYS = 4, STASH = 4, TYPES = 8 };

enum { BOARD, WAITS, WAITS_TOO, DROPS_OLD, DROPS_NEW, CONFLATES, REDIRECTS, SINK, FAILS, RECEIVERS };
enum { NO_GROUP = RECEIVERS, MEMBERS = REDIRECTS - WAITS + 1 };

struct item {
    uint32_t key, to; /* NO_GROUP + 1: the group */
    uint32_t from, n; /* its n-th */
    rp_bytes text;
    void *owns;
};
static const rp_field key_field[] = {RP_FIELD(struct item, key, RP_U32)};

static _Atomic int owned;
static void let_go(void *body)
{
    free(((struct item *)body)->owns);
    owned--;
}

static const rp_type join_type = {.name = "test.join", .size = sizeof(struct item), .overflow = RP_WAIT};
static const rp_type end_type = {.name = "test.end", .size = sizeof(struct item), .overflow = RP_WAIT};

static const rp_field text_field[] = {RP_FIELD(struct item, text, RP_BYTES)};
static const rp_type types[TYPES] = {
    {.name = "plain", .size = sizeof(struct item)},
    {.name = "text", .size = sizeof(struct item), .fields = text_field, .nfields = 1},
    {.name = "owning", .size = sizeof(struct item), .drop = let_go},
    {.name = "wanted", .size = sizeof(struct item)},
    {.name = "urgent", .size = sizeof(struct item), .flags = RP_URGENT},
    {.name = "lossy", .size = sizeof(struct item), .overflow = RP_DROP_NEW},
    {.name = "keyed", .size = sizeof(struct item), .fields = key_field, .nfields = 1, .overflow = RP_CONFLATE, .key = 1},
    {.name = "ask", .size = sizeof(struct item), .overflow = RP_WAIT},
};
enum { PLAIN, BYTES, OWNING, WANTED, URGENT, LOSSY, KEYED, ASK };

static unsigned kind_of(const rp_msg *m)
{
    const rp_type *t = rp_type_of(m);
    check(t >= types && t < types + TYPES, "it is a %s", t->name);
    return (unsigned)(t - types);
}

struct id { /* of a message */
    uint32_t from, n, kind;
};

struct line { /* of messages set aside, or brought back */
    struct id at[128];
    unsigned n;
};

struct receiver { /* what the model knows of one */
    unsigned i;
    uint32_t last[SENDERS][2][TYPES];  /* of a sender, told or published, of each type: 1 + the last that came */
    uint32_t key[SENDERS * KEYS];      /* the last of that key */
    unsigned published;
    struct line aside, back;
    rp_msg *kept;
};

static struct run {
    rp_ref who[RECEIVERS], group;
    struct receiver r[RECEIVERS];
    _Atomic uint8_t seen[SENDERS][EACH];
    uint8_t due[SENDERS][EACH];        /* how many are to see it */
    bool sure[SENDERS][EACH];          /* and none of them may lose it */
    uint32_t key[SENDERS * KEYS];      /* the last that was sent to the board */
    struct id order[SENDERS * EACH];   /* in which the group was heard */
    _Atomic unsigned heard;            /* of these */
    _Atomic unsigned lost;             /* seen, set aside, brought back, and dropped */
    _Atomic bool over;
} *run;

static unsigned chance(rp_self *me, unsigned n)
{
    return (unsigned)(rp_random(me) >> 20) % n;
}

/* ---- the model of a receiver ------------------------------------------------------------------------ */

static bool loses(const struct receiver *r)
{
    return r->i == DROPS_OLD || r->i == CONFLATES;
}

static void push(struct line *l, struct id id)
{
    check(l->n < sizeof l->at / sizeof *l->at);
    l->at[l->n++] = id;
}

static void take_out(struct line *l, unsigned i)
{
    memmove(&l->at[i], &l->at[i + 1], (--l->n - i) * sizeof *l->at);
}

/* One that was set aside and is back: none that stood before it may have been passed over. `selected`: by type. */
static bool was_back(struct receiver *r, struct id id, bool selected)
{
    struct line *l = &r->back;
    unsigned i = 0;
    while (i < l->n && (l->at[i].from != id.from || l->at[i].n != id.n))
        i++;
    bool there = i < l->n;
    for (unsigned k = there ? i : l->n; k-- > 0;) {
        if (id.kind == URGENT || (selected && l->at[k].kind != id.kind))
            continue;
        check(loses(r), "%u was set aside by %u, and passed over by %u", l->at[k].n, r->i, id.n);
        take_out(l, k);
        run->lost++;
        i -= there;
    }
    if (there)
        take_out(l, i);
    return there;
}

/* In which order with others of its sender: those before it cannot come after it. */
static void in_order(struct receiver *r, const struct item *b, unsigned kind, bool published)
{
    uint32_t *last = r->last[b->from][published];
    for (unsigned k = 0; k < TYPES; k++) {
        bool alone = r->i == CONFLATES || kind == URGENT || k == URGENT || kind == KEYED || k == KEYED;
        if (k != kind && (alone || k == WANTED))
            continue; /* taken out of turn */
        if (kind != KEYED)
            check(b->n >= last[k], "to %u from %u: %u (%s) came behind %u (%s)", r->i, b->from, b->n, types[kind].name,
                  last[k] - 1, types[k].name);
    }
    last[kind] = b->n + 1;
    if (kind == KEYED) {
        check(r->key[b->key] == 0 || b->n > r->key[b->key] - 1, "of key %u %u came behind %u", b->key, b->n, r->key[b->key] - 1);
        r->key[b->key] = b->n + 1;
    }
}

/* The first to hear of it says which is the n-th; all that lose nothing hear it as that. */
static void same_for_all(struct receiver *r, struct id id)
{
    static atomic_flag lock = ATOMIC_FLAG_INIT;
    unsigned n = r->published++;
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
        continue;
    if (n == run->heard)
        run->order[run->heard++] = id;
    struct id o = run->order[n];
    atomic_flag_clear_explicit(&lock, memory_order_release);
    check(o.from == id.from && o.n == id.n, "the group's %u-th is %u of %u to one, %u of %u to another", n, o.n, o.from, id.n, id.from);
}

static void see(struct receiver *r, const rp_msg *m, bool selected)
{
    unsigned kind = kind_of(m);
    const struct item *b = rp_body(m, &types[kind]);
    struct id id = {b->from, b->n, kind};
    bool published = b->to > NO_GROUP;
    check(b->from < SENDERS && b->n < EACH);
    check(b->text.size == 0 || *(const char *)b->text.data == 't');
    if (was_back(r, id, selected))
        return;
    check(++run->seen[b->from][b->n] <= run->due[b->from][b->n], "%u of %u came again, to %u", b->n, b->from, r->i);
    if (r->i == SINK && b->to != SINK)
        return; /* redirected: where the one it came by is moving, in no order */
    in_order(r, b, kind, published);
    if (published && (r->i == WAITS || r->i == WAITS_TOO))
        same_for_all(r, id);
}

/* ---- receivers -------------------------------------------------------------------------------------- */

static int set_aside(rp_self *me, struct receiver *r, const rp_msg *m)
{
    unsigned kind = kind_of(m);
    const struct item *b = rp_body(m, &types[kind]);
    struct id id = {b->from, b->n, kind};
    int rc = rp_stash(me, m);
    check_eq(rc, r->aside.n < STASH ? 0 : -ENOBUFS);
    if (rc == 0)
        push(&r->aside, id);
    return rc;
}

/* Those set aside stand before those that are back. */
static void bring_back(rp_self *me, struct receiver *r)
{
    check_eq(rp_unstash(me), 0);
    for (unsigned i = 0; i < r->back.n; i++)
        push(&r->aside, r->back.at[i]);
    r->back = r->aside;
    r->aside.n = 0;
}

static void another(rp_self *me, struct receiver *r, bool by_type)
{
    static const rp_type *const wanted[] = {&types[WANTED], NULL};
    rp_msg *m;
    rp_time until = rp_now(me) + 200 * RP_US;
    int rc = by_type ? rp_recv_of(me, wanted, &m, until) : rp_recv(me, &m, until);
    if (rc != 0) {
        check(rc == -ETIMEDOUT || (by_type && rc == -ENOBUFS), "%d", rc);
        return;
    }
    if (rp_type_of(m) == &end_type) {
        check_eq(rp_reply(me, m, NUM, &(struct num){0, {0, 0}}), 0);
        rp_msg_drop(me, m);
        return; /* and it is asked again */
    }
    check(!by_type || kind_of(m) == WANTED);
    see(r, m, by_type);
    if (rp_wants_reply(m))
        check_eq(rp_reply(me, m, NUM, &(struct num){0, {0, 0}}), 0);
    else if (!run->over && kind_of(m) != URGENT && chance(me, 3) == 0 && set_aside(me, r, m) == 0)
        return;
    rp_msg_drop(me, m);
}

static void let_kept_go(rp_self *me, struct receiver *r)
{
    rp_msg_drop(me, r->kept);
    r->kept = 0;
}

/* From the root. False: it is not. */
static bool order(rp_self *me, struct receiver *r, const rp_msg *m)
{
    bool joins = rp_type_of(m) == &join_type;
    if (!joins && rp_type_of(m) != &end_type)
        return false;
    if (joins) {
        check_eq(rp_group_join(me, run->group), 0);
    } else {
        let_kept_go(me, r);
        check(r->back.n == 0 || loses(r), "%u has not seen all again", r->i);
        run->lost += r->back.n;
        r->back.n = 0;
        bring_back(me, r);
    }
    check_eq(rp_reply(me, m, NUM, &(struct num){0, {0, 0}}), 0);
    return true;
}

static int receive(rp_self *me, void *state, const rp_msg *m)
{
    struct receiver *r = *(struct receiver **)state;
    if (order(me, r, m))
        return 0;
    see(r, m, false);
    if (rp_wants_reply(m))
        return rp_reply(me, m, NUM, &(struct num){0, {0, 0}});
    unsigned what = chance(me, 40), loop = chance(me, rp_loop_count(me));
    bool aside = what < 8 && !run->over && kind_of(m) != URGENT;
    if (aside && set_aside(me, r, m) == 0)
        return 0;
    if (what < 4 && !r->kept)
        return rp_keep(me, m, &r->kept);
    if (what < 8)
        let_kept_go(me, r);
    else if (what < 11)
        bring_back(me, r);
    else if (what < 15 && !run->over)
        another(me, r, what < 13);
    else if (what < 18)
        rp_sim_busy(me, 50 * RP_US);
    else if (what < 23)
        return rp_yield(me);
    else if (what < 25)
        return rp_sleep(me, rp_now(me) + 100 * RP_US);
    else if (what < 26)
        (void)!rp_move(me, rp_self_ref(me), RP_LOOP(loop));
    return 0;
}

static int receiver_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct receiver **)state = arg;
    return 0;
}

static void receiver_fini(rp_self *me, void *state, int reason)
{
    (void)reason;
    let_kept_go(me, *(struct receiver **)state);
}
static const rp_actor receiver = {.name = "receiver", .init = receiver_init, .handle = receive, .fini = receiver_fini,
                                  .state_size = sizeof(struct receiver *)};

/* ---- senders and movers ----------------------------------------------------------------------------- */

/* Which may be told to whom: one with a key may have the oldest dropped to make room. */
static unsigned some_kind(rp_self *me, unsigned to)
{
    if (to > NO_GROUP)
        return chance(me, 2) ? PLAIN : BYTES;
    if (to == BOARD)
        return KEYED;
    unsigned kind = chance(me, TYPES);
    return kind == KEYED && to != DROPS_OLD && to != CONFLATES ? PLAIN : kind;
}

static int ask(rp_self *me, rp_ref to, const struct item *b)
{
    rp_msg *m;
    int rc = rp_call(me, to, &types[ASK], b, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc == -EAGAIN ? 0 : rc; /* it was there, and dropped */
}

/* -EAGAIN: it was not taken. */
static int send(rp_self *me, struct item *b, unsigned kind)
{
    static const char text[3000] = "t";
    rp_ref to = b->to > NO_GROUP ? run->group : run->who[b->to];
    if (kind == BYTES)
        b->text = (rp_bytes){text, 1 + chance(me, sizeof text)};
    if (kind == ASK)
        return ask(me, to, b);
    if (kind == OWNING) {
        b->owns = malloc(1);
        owned++;
    }
    int rc = chance(me, 8) ? rp_tell(me, to, &types[kind], b) : rp_try_tell(me, to, &types[kind], b);
    if (rc != 0 && kind == OWNING)
        let_go(b);
    return rc;
}

static int sender_run(rp_self *me, void *arg)
{
    uint32_t from = (uint32_t)(uintptr_t)arg;
    for (uint32_t n = 0; n < EACH; n++) {
        uint32_t to = chance(me, RECEIVERS + 2);
        to = to > NO_GROUP ? NO_GROUP + 1 : to == NO_GROUP ? BOARD : to;
        unsigned kind = some_kind(me, to);
        struct item b = {from * KEYS + chance(me, KEYS), to, from, n, {0, 0}, 0};
        run->due[from][n] = to > NO_GROUP ? MEMBERS : 1;
        run->sure[from][n] = (to == WAITS || to == WAITS_TOO || to == REDIRECTS || to == SINK) && kind != LOSSY;
        if (to == REDIRECTS && kind == BYTES)
            run->sure[from][n] = false; /* a redirected one may not wait: a body of more than 1 KiB may find its way full, and is dropped */
        int rc = send(me, &b, kind);
        if (rc == -EAGAIN)
            run->due[from][n] = 0;
        else if (rc != 0)
            return rc;
        else if (to == BOARD)
            run->key[b.key] = n + 1;
        if (chance(me, 16) == 0)
            check_eq(rp_sleep(me, rp_now(me) + chance(me, 300) * RP_US), 0);
    }
    return 0;
}
static const rp_actor sender = {.name = "sender", .run = sender_run};

static int mover_run(rp_self *me, void *arg)
{
    int rc = 0;
    (void)arg;
    while (rc == 0) {
        unsigned who = chance(me, RECEIVERS + 1);
        rc = rp_move(me, who < RECEIVERS ? run->who[who] : run->group, RP_LOOP(chance(me, rp_loop_count(me))));
        check(rc == 0 || rc == -EALREADY || rc == -ECANCELED, "%d", rc);
        rc = rc == -ECANCELED ? rc : rp_sleep(me, rp_now(me) + chance(me, 200) * RP_US);
    }
    return 0;
}
static const rp_actor mover = {.name = "mover", .run = mover_run};

/* ---- a run ------------------------------------------------------------------------------------------ */

static void start_all(rp_self *me)
{
    static const rp_overflow policy[RECEIVERS] = {RP_WAIT, RP_WAIT, RP_DEFAULT, RP_DROP_OLD, RP_DROP_NEW, RP_CONFLATE, RP_REDIRECT,
                                                  RP_WAIT, RP_FAIL};
    static const uint32_t box[RECEIVERS] = {64, 8, 4, 8, 8, 8, 2, 4096, 8};
    check_eq(rp_group_start(me, &(rp_spawn_opts){.mailbox = 4}, &run->group), 0);
    for (unsigned k = RECEIVERS; k-- > 0;) { /* the sink before who redirects to it */
        rp_spawn_opts o = {.arg = &run->r[k], .on = RP_SPREAD, .mailbox = box[k], .overflow = policy[k], .stash = STASH};
        o.redirect = k == REDIRECTS ? run->who[SINK] : (rp_ref){0, 0};
        run->r[k].i = k;
        check_eq(rp_spawn(me, &receiver, &o, &run->who[k]), 0);
    }
}

static void tell_all(rp_self *me, const rp_type *t, unsigned first, unsigned last)
{
    for (unsigned k = first; k <= last; k++) {
        rp_msg *m;
        check_eq(rp_call(me, run->who[k], t, &(struct item){0}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
    }
}

/* What should have been seen and was not. */
static uint64_t unseen(unsigned *sure)
{
    uint64_t n = 0;
    *sure = 0;
    for (unsigned s = 0; s < SENDERS; s++)
        for (unsigned i = 0; i < EACH; i++) {
            unsigned lacks = (unsigned)(run->due[s][i] - run->seen[s][i]);
            n += lacks;
            *sure += run->sure[s][i] ? lacks : 0;
        }
    return n;
}

/* The senders have done: all comes to rest. */
static void settle(rp_self *me)
{
    rp_ledger l;
    unsigned sure, published = 0;
    uint64_t lacks;
    run->over = true;
    rp_time until = rp_in_ms(me, 20000);
    do {
        check_eq(rp_group_members(me, run->group, NULL, 0), MEMBERS);
        tell_all(me, &end_type, 0, RECEIVERS - 1);
        lacks = unseen(&sure);
        rp_ledger_read(me, &l);
        check(rp_now(me) < until, "%d were not seen, %d dropped", (int)lacks, (int)l.dropped);
    } while (lacks + run->lost != l.dropped);
    tell_all(me, &end_type, 0, RECEIVERS - 1); /* behind what has just been brought back */
    check_eq(lacks + run->lost, l.dropped);
    check_eq(sure, 0);
    for (unsigned s = 0; s < SENDERS; s++)
        for (unsigned i = 0; i < EACH; i++)
            published += run->due[s][i] == MEMBERS;
    check_eq(run->heard, published);
    check_eq(run->r[WAITS].published, published);
    check_eq(run->r[WAITS_TOO].published, published);
    for (unsigned k = 0; k < SENDERS * KEYS; k++)
        check_eq(run->r[BOARD].key[k], run->key[k]);
}

static void end_all(rp_self *me, const rp_ref *who, unsigned n)
{
    struct rp_down d;
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_monitor(me, who[i]), 0);
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_stop(me, who[i], "test"), 0);
    for (unsigned i = 0; i < n; i++)
        check_eq(recv_down(me, &d), 0);
}

static int by_chance(rp_self *me, void *arg)
{
    rp_ref movers[MOVERS];
    (void)arg;
    run = calloc(1, sizeof *run);
    check(run != NULL);
    start_all(me);
    tell_all(me, &join_type, WAITS, REDIRECTS);
    for (unsigned i = 0; i < MOVERS; i++)
        check_eq(rp_spawn(me, &mover, &(rp_spawn_opts){.on = RP_SPREAD}, &movers[i]), 0);
    for (uint32_t i = 0; i < SENDERS; i++)
        check_eq(rp_spawn(me, &sender, &(rp_spawn_opts){.on = RP_SPREAD, .arg = (void *)(uintptr_t)i, .monitor = true}, NULL), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    settle(me);
    end_all(me, movers, MOVERS);
    end_all(me, run->who, RECEIVERS);
    free(run);
    check_eq(owned, 0);
    return 0;
}

TEST(policies, hold_while_actors_move)
{
    everywhere(by_chance, 0);
}

TEST(policies, hold_in_many_seeds)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(40); i++)
                check_eq(run_with(by_chance, 0, &(rp_system_opts){.loops = 1 + (unsigned)(i % 4), .sim_seed = seed + i}), 0);
}
