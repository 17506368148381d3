/* SPDX-License-Identifier: MIT
 *
 * What a turn may last, and who has a part in it.
 */
#include "reparto/sim.h"
#include "tests/support.h"

#include "loop/loop.h"

static int keep_arg(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}

/* ---- coroutines that are always ready, more of them than a turn has room for, and a message -------- */

enum { SIM_MANY = 100, MANY = 4500, SEEDS = 10 };

static bool came;
static unsigned steps; /* of all of them, without a message: more are no matter of patience */

static int always_ready(rp_self *me, void *arg)
{
    const unsigned *n = arg;
    int rc = 0;
    while (!came && rc == 0) {
        check(++steps < 1000 * *n, "no message in %u steps", steps);
        rc = rp_yield(me);
    }
    return rc;
}

static int arrive(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    came = true;
    return RP_STOP;
}
static const rp_actor target = {.name = "target", .handle = arrive};

static int crowded(rp_self *me, void *arg)
{
    unsigned n = *(unsigned *)arg;
    rp_scope s;
    rp_ref r;
    came = false;
    steps = 0;
    rp_scope_open(me, &s, rp_in_ms(me, 10000));
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = rp_go(me, &s, always_ready, arg, NULL);
    if (rc == 0)
        rc = rp_yield(me);
    if (rc == 0)
        rc = rp_spawn(me, &target, NULL, &r);
    if (rc == 0)
        rc = tell_num(me, r, 1);
    while (!came && rc == 0)
        rc = rp_yield(me);
    return rp_scope_close(me, &s, rc);
}

TEST(fair, messages_have_their_share_beside_those_that_are_ready)
{
    unsigned n = SIM_MANY;
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++) { /* turns of at most 64 steps, by chance */
        rp_system_opts sim = {.loops = 1, .sim_seed = seed + i}, chaos = {.loops = 1, .chaos_seed = seed + i};
        check_eq(run_with(crowded, &n, &sim), 0);
        check_eq(run_with(crowded, &n, &chaos), 0);
    }
#if !defined(__SANITIZE_THREAD__) /* which needs a millisecond for each stack */
    rp_system_opts one = {.loops = 1};
    n = MANY;
    check_eq(run_with(crowded, &n, &one), 0);
#endif
}

/* ---- one coroutine that is always ready, and slow: what its pace is, is not the messages' ------------ */

enum { CROWD = 1000 };

static int count_it(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)m;
    ++**(unsigned **)state;
    return 0;
}

/* Takes ten turns' time at once. By the clock: simulated, each turn has a share that is drawn. */
static int always_slow(rp_self *me, void *arg)
{
    unsigned *n = arg;
    int rc = 0;
    for (; rc == 0; ++*n, rc = rp_yield(me))
        for (rp_time until = rp_now(me) + 10 * RP__TURN_NS; rp_now(me) < until;)
            ;
    return 0;
}

static int beside_a_slow_one(rp_self *me, void *arg)
{
    static const rp_actor counts = {.name = "counts", .handle = count_it, .init = keep_arg, .state_size = sizeof(void *)};
    static const rp_actor slow = {.name = "slow", .run = always_slow};
    static unsigned n;
    unsigned come = 0;
    rp_ref r;
    (void)arg;
    n = 0;
    check_eq(rp_spawn(me, &slow, &(rp_spawn_opts){.arg = &n}, NULL), 0);
    check_eq(rp_spawn(me, &counts, &(rp_spawn_opts){.arg = &come}, &r), 0);
    while (n < 10)
        check_eq(rp_yield(me), 0);
    for (unsigned i = 0; i < CROWD; i++)
        check_eq(tell_num(me, r, i), 0);
    for (n = 0; come < CROWD;)
        check_eq(rp_yield(me), 0);
    check(n < CROWD / 10, "%u messages waited for %u slow steps", CROWD, n);
    return 0;
}

TEST(fair, messages_have_a_slice_beside_one_that_is_slow)
{
    check_eq(run_with(beside_a_slow_one, NULL, &(rp_system_opts){.loops = 1}), 0);
}

/* ---- handlers that are slow ------------------------------------------------------------------------ */

enum { SLOW = 50 * RP_US, CIRCLES = 8, MS = 40, UNHEARD = 25 * MS * (RP_MS / SLOW) };

struct slow {
    uint64_t turn, n;
    rp_time begun, most; /* the turn's first; the latest that one began, after that */
    bool over;
};

/* Its own queue is never empty. */
static int slow_circle(rp_self *me, void *state, const rp_msg *m)
{
    enum { UNTIL_KNOWN = 64 };
    struct slow *s = *(struct slow **)state;
    uint64_t turn = atomic_load_explicit(&me->loop->turns, memory_order_relaxed);
    rp_time now = rp_now(me);
    (void)m;
    if (s->turn != turn)
        s->begun = now;
    s->turn = turn;
    check(s->n < UNHEARD, "nothing else was heard beside %llu slow handlers", (unsigned long long)s->n);
    if (++s->n > UNTIL_KNOWN && now - s->begun > s->most)
        s->most = now - s->begun;
    rp_sim_busy(me, SLOW);
    return s->over ? RP_STOP : tell_num(me, rp_self_ref(me), 1);
}

static const rp_actor circle = {.name = "circle", .handle = slow_circle, .init = keep_arg, .state_size = sizeof(void *)};

static void start_circles(rp_self *me, struct slow *s, unsigned loop)
{
    for (unsigned i = 0; i < CIRCLES; i++) {
        rp_ref r;
        check_eq(rp_spawn(me, &circle, &(rp_spawn_opts){.on = RP_LOOP(loop), .arg = s}, &r), 0);
        check_eq(tell_num(me, r, 1), 0);
    }
}

static int beside_slow_ones(rp_self *me, void *arg)
{
    static struct slow s; /* who still runs when this ends looks at it */
    rp_time late = 0;
    (void)arg;
    s = (struct slow){.turn = 0};
    start_circles(me, &s, 0);
    for (unsigned i = 0; i < MS; i++) {
        rp_time at = rp_in_ms(me, 1);
        check_eq(rp_sleep(me, at), 0);
        if (i > MS / 4 && rp_now(me) - at > late)
            late = rp_now(me) - at;
    }
    s.over = true;
    check(s.n > MS * 10, "%llu have run", (unsigned long long)s.n);
    check(s.most < RP__TURN_NS, "a handler began %lld ns after its turn", (long long)s.most);
    check(late < RP__TURN_NS + 2 * SLOW, "a timer was %lld ns late", (long long)late);
    return 0;
}

TEST(fair, a_turn_is_over_when_its_time_is)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++) {
        rp_system_opts sim = {.loops = 1, .sim_seed = seed + i};
        check_eq(run_with(beside_slow_ones, NULL, &sim), 0);
    }
}

/* A turn has time for two of them, and its loop's own queue for all of it: others have theirs all the same. */
static int slow_count(rp_self *me, void *state, const rp_msg *m)
{
    rp_sim_busy(me, SLOW);
    ++**(uint64_t **)state;
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &(struct num){1, {0, 0}}) : 0;
}
static const rp_actor asked = {.name = "asked", .handle = slow_count, .init = keep_arg, .state_size = sizeof(void *)};

static int tick_init(rp_self *me, void *state, void *arg)
{
    *(void **)state = arg;
    return rp_timer_every(me, rp_in_ms(me, 1), RP_MS, NUM, &(struct num){0, {0, 0}}, NULL);
}
static const rp_actor ticked = {.name = "ticked", .handle = slow_count, .init = tick_init, .state_size = sizeof(void *)};

static int many_sources(rp_self *me, void *arg)
{
    static struct slow s; /* these too */
    static uint64_t ticks, calls;
    rp_ref r;
    (void)arg;
    s = (struct slow){.turn = 0};
    ticks = calls = 0;
    check_eq(rp_spawn(me, &asked, &(rp_spawn_opts){.on = RP_LOOP(1), .arg = &calls}, &r), 0);
    check_eq(rp_spawn(me, &ticked, &(rp_spawn_opts){.on = RP_LOOP(1), .arg = &ticks}, NULL), 0);
    start_circles(me, &s, 1);
    for (rp_time until = rp_in_ms(me, MS); rp_now(me) < until;) {
        rp_msg *m;
        check_eq(rp_call(me, r, NUM, &(struct num){1, {0, 0}}, &m, rp_in_ms(me, MS)), 0);
        rp_msg_drop(me, m);
    }
    s.over = true;
    check(ticks >= MS / 2 && calls >= MS, "%llu ticks, %llu calls", (unsigned long long)ticks, (unsigned long long)calls);
    return 0;
}

TEST(fair, every_source_has_its_turn)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++) {
        rp_system_opts sim = {.loops = 2, .sim_seed = seed + i};
        check_eq(run_with(many_sources, NULL, &sim), 0);
    }
}

/* ---- coroutines that find their mailbox full ------------------------------------------------------- */

enum {
    STOOD = 400,
    GAP = 2200, /* ns, at most, by which a simulation goes on when a turn or a busy span ends */
    LONGEST = RP__TURN_NS + SLOW + 2 * GAP /* a turn: its last read begins before its time is over */
};

struct reader {
    bool by_type;
    uint64_t n;
};

static int read_all(rp_self *me, void *arg)
{
    static const rp_type *const nums[] = {NUM, NULL};
    struct reader *r = arg;
    int rc = rp_sleep(me, rp_in_ms(me, 1)); /* all come meanwhile */
    while (rc == 0 && r->n < STOOD) {
        rp_msg *m;
        rc = r->by_type ? rp_recv_of(me, nums, &m, RP_FOREVER) : rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            break;
        check_eq(((const struct num *)rp_body(m, NUM))->n, r->n++);
        rp_msg_drop(me, m);
        rp_sim_busy(me, SLOW);
    }
    return rc;
}
static const rp_actor reads = {.name = "reads", .run = read_all};

static int beside_a_reader(rp_self *me, void *arg)
{
    struct reader r = {*(bool *)arg, 0};
    rp_ref who;
    rp_time late = 0;
    check_eq(rp_spawn(me, &reads, &(rp_spawn_opts){.arg = &r}, &who), 0);
    for (unsigned i = 0; i < STOOD; i++)
        check_eq(tell_num(me, who, i), 0);
    while (r.n < STOOD) {
        rp_time at = rp_in_ms(me, 1);
        check_eq(rp_sleep(me, at), 0);
        if (rp_now(me) - at > late)
            late = rp_now(me) - at;
    }
    check(late < 2 * LONGEST, "a timer was %lld ns late", (long long)late); /* due in a turn, and in the next behind the reader */
    return 0;
}

TEST(fair, who_has_a_full_mailbox_lets_others_run)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < seeds(SEEDS); i++) {
        bool by_type = i % 2;
        rp_system_opts sim = {.loops = 1, .sim_seed = seed + i};
        check_eq(run_with(beside_a_reader, &by_type, &sim), 0);
    }
}
