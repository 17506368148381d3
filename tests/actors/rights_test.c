/* SPDX-License-Identifier: MIT
 *
 * Rings through calls that are not where they were sent: passed on, kept as a token, handed on; and what only looks so.
 *
 * Actors do what they are told, one thing a message. "a" is the one who asks first.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum what {
    WAIT,   /* ask `to` to do `then`; */
    ASK,    /* then answer with what is kept */
    ANSWER,
    KEEP,   /* the right to answer this, */
    GIVE,   /* or hand it on to `to`, or to `to` of what is kept, */
    TAKE,   /* who keeps it: */
    REPLY,  /* that is how it is used, after `ms` */
    DETACH, /* it is nobody's: put where `borrow` finds it */
    BORROW, /* answers with that, after `ms` */
    PASS,   /* the call itself, to `to`, who does `then` */
    EITHER, /* ask x to keep its question and `to` to do `then`, and wait for one of the two; */
    REFUSE, /* the answer to what is kept */
    BY_TASK, /* ask `to` to do `then`, while a task answers with what is kept; */
    TASK_ANSWERS, /* or this call */
    KEEP_WHOLE, /* the call, as it is; */
    PASS_WHOLE, /* that goes on to `to` */
    SET,        /* a timer for the right that is kept, in `ms`; it comes as TAKE */
};

struct act {
    uint32_t what, then, ms; /* ms: first sleeps */
    rp_ref to, on;           /* on: whom `to` is to ask in turn */
    rp_token right;
};
static const rp_field act_fields[] = {
    RP_FIELD(struct act, what, RP_U32), RP_FIELD(struct act, then, RP_U32), RP_FIELD(struct act, ms, RP_U32),
    RP_FIELD(struct act, to, RP_REF),   RP_FIELD(struct act, on, RP_REF),   RP_FIELD(struct act, right, RP_TOKEN),
};
static const rp_type act_type = RP_TYPE("rights.act", struct act, act_fields);
#define ACT (&act_type)

struct cast {
    rp_ref a, x, y, z;
    const char *ring[3]; /* as it may be told; none: nobody may be told */
    /* Counted by actors on any loop; the root waits for them. */
    _Atomic unsigned asked, kept, told;
    rp_token lent; /* written before BORROW is sent, read when that has come */
};

struct puppet {
    struct cast *c;
    rp_token kept;
    rp_msg *whole;
};

static void told(rp_self *me, struct cast *c)
{
    bool known = false;
    for (unsigned i = 0; i < 3 && c->ring[i]; i++)
        known |= strcmp(c->ring[i], rp_blame(me)) == 0;
    check(known, "told: %s", rp_blame(me));
    atomic_fetch_add(&c->told, 1);
}

static int answer_whole(rp_self *me, struct puppet *p)
{
    int rc = rp_reply(me, p->whole, ACT, &(struct act){0});
    rp_msg_drop(me, p->whole);
    p->whole = NULL;
    return rc;
}

static int pass_whole(rp_self *me, struct puppet *p, rp_ref to)
{
    int rc = rp_forward(me, p->whole, to);
    rp_msg_drop(me, p->whole);
    p->whole = NULL;
    return rc;
}

static int ask(rp_self *me, struct puppet *p, const struct act *b)
{
    rp_msg *m;
    atomic_fetch_add(&p->c->asked, 1); /* from here on it is busy */
    int rc = rp_call(me, b->to, ACT, &(struct act){.what = b->then, .to = b->on, .ms = b->ms}, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    if (rc == -EDEADLK)
        told(me, p->c);
    else
        check(rc == 0 || rc == -ECANCELED, "%d", rc);
    if (p->kept.call && b->what == ASK)
        rc = rp_token_reply(me, &p->kept, ACT, &(struct act){0});
    if (p->whole && b->what == ASK)
        rc = answer_whole(me, p);
    return rc == -EDEADLK ? 0 : rc;
}

static int ask_either(rp_self *me, struct puppet *p, const struct act *b)
{
    struct act keep = {.what = KEEP}, then = {.what = b->then, .to = b->on};
    rp_ask q[] = {{.to = p->c->x, .type = ACT, .body = &keep}, {.to = b->to, .type = ACT, .body = &then}};
    atomic_fetch_add(&p->c->asked, 1);
    int rc = rp_call_many(me, q, 2, 1, RP_FOREVER);
    rp_asks_drop(me, q, 2);
    if (rc == -EDEADLK)
        told(me, p->c);
    else
        check(rc == 0, "%d", rc);
    return 0;
}

struct task {
    struct puppet *p;
    const rp_msg *m; /* NULL: what is kept is answered */
};

static int answer_late(rp_self *me, void *arg)
{
    struct task *t = arg;
    int rc = rp_sleep(me, rp_in_ms(me, 250));
    if (rc != 0)
        return rc;
    return t->m ? rp_reply(me, t->m, ACT, &(struct act){0}) : rp_token_reply(me, &t->p->kept, ACT, &(struct act){0});
}

static int ask_beside_task(rp_self *me, struct puppet *p, const struct act *b, const rp_msg *m)
{
    rp_scope s;
    struct task t = {p, m};
    rp_msg *r;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, answer_late, &t, NULL), 0);
    int rc = rp_call(me, b->to, ACT, &(struct act){.what = b->then}, &r, RP_FOREVER);
    check(rc == 0, "%d: %s", rc, rp_blame(me));
    rp_msg_drop(me, r);
    return rp_scope_close(me, &s, 0);
}

static int give(rp_self *me, struct puppet *p, const struct act *b, const rp_msg *m)
{
    struct act on = {.what = TAKE, .right = p->kept};
    if (rp_wants_reply(m))
        check_eq(rp_take_token(me, m, &on.right), 0);
    p->kept.call = 0;
    return rp_tell(me, b->to, ACT, &on);
}

/* Into its state. */
static int keep(struct puppet *p, int rc)
{
    atomic_fetch_add(&p->c->kept, 1);
    return rc;
}

static int set(rp_self *me, struct puppet *p, unsigned ms)
{
    struct act later = {.what = TAKE, .right = p->kept};
    p->kept.call = 0;
    return keep(p, rp_timer_start(me, rp_in_ms(me, ms), ACT, &later, NULL));
}

static int act(rp_self *me, void *state, const rp_msg *m)
{
    struct puppet *p = state;
    const struct act *b = rp_body(m, ACT);
    int rc = b->ms && b->what > ASK && b->what != SET ? rp_sleep(me, rp_in_ms(me, b->ms)) : 0;
    if (rc != 0)
        return rc;
    switch ((enum what)b->what) {
    case WAIT:
    case ASK: return ask(me, p, b);
    case ANSWER: return rp_reply(me, m, ACT, b);
    case KEEP: return keep(p, rp_take_token(me, m, &p->kept));
    case GIVE: return give(me, p, b, m);
    case TAKE: return keep(p, rp_token_from(me, m, &b->right, &p->kept));
    case REPLY: return p->whole ? answer_whole(me, p) : !p->kept.call ? 0 : rp_token_reply(me, &p->kept, ACT, b);
    case DETACH:
        check_eq(rp_token_detach(me, &p->kept), 0);
        p->c->lent = p->kept;
        return rp_tell(me, b->to, ACT, &(struct act){.what = BORROW, .ms = 250});
    case BORROW: return rp_token_reply(me, &p->c->lent, ACT, b);
    case PASS: /* it comes to who is `to` as well */
        return rp_ref_eq(b->to, rp_self_ref(me)) ? rp_reply(me, m, ACT, b) : rp_forward(me, m, b->to);
    case EITHER: return ask_either(me, p, b);
    case REFUSE: return rp_token_error(me, &p->kept, -EACCES);
    case BY_TASK: return ask_beside_task(me, p, b, 0);
    case KEEP_WHOLE: return keep(p, rp_keep(me, m, &p->whole));
    case PASS_WHOLE: return pass_whole(me, p, b->to);
    case SET: return set(me, p, b->ms);
    case TASK_ANSWERS: return ask_beside_task(me, p, &(struct act){.to = rp_from(me, m), .then = ANSWER}, m);
    }
    return -EINVAL;
}

static int begin(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct puppet *)state)->c = arg;
    return 0;
}
static const rp_actor kind[] = {
    {.name = "a", .handle = act, .init = begin, .state_size = sizeof(struct puppet)},
    {.name = "x", .handle = act, .init = begin, .state_size = sizeof(struct puppet)},
    {.name = "y", .handle = act, .init = begin, .state_size = sizeof(struct puppet)},
    {.name = "z", .handle = act, .init = begin, .state_size = sizeof(struct puppet)},
};

static void raise_curtain(rp_self *me, struct cast *c)
{
    rp_ref *who[] = {&c->a, &c->x, &c->y, &c->z};
    for (unsigned i = 0; i < 4; i++) {
        rp_spawn_opts o = {.arg = c, .on = RP_LOOP((unsigned)rp_random(me) % rp_loop_count(me))};
        check_eq(rp_spawn(me, &kind[i], &o, who[i]), 0);
    }
}

static void say(rp_self *me, rp_ref to, struct act b)
{
    check_eq(rp_tell(me, to, ACT, &b), 0);
}

static void pause_ms(rp_self *me, unsigned ms)
{
    check_eq(rp_sleep(me, rp_in_ms(me, ms)), 0);
}

static void until(rp_self *me, _Atomic unsigned *count, unsigned n)
{
    while (atomic_load(count) < n) /* else the test's time is up */
        pause_ms(me, 1);
}

/* All that was told them is done. */
static void curtain(rp_self *me, struct cast *c)
{
    rp_ref who[] = {c->a, c->x, c->y, c->z};
    for (unsigned i = 0; i < 4; i++) {
        rp_msg *m;
        check_eq(rp_call(me, who[i], ACT, &(struct act){.what = ANSWER}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
    }
    for (unsigned i = 0; i < 4; i++) {
        check_eq(rp_monitor(me, who[i]), 0);
        check_eq(rp_stop(me, who[i], "over"), 0);
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
    }
    check_eq(atomic_load(&c->told), c->ring[0] != NULL);
}

/* ---- rings --------------------------------------------------------------------------------------- */

/* x has a's call in its state. */
static int in_state(rp_self *me, void *arg)
{
    struct cast c = {.ring = {"a > x > a", "x > a > x"}};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = KEEP});
    until(me, &c.kept, 1);
    say(me, c.x, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    curtain(me, &c);
    return 0;
}

TEST(deadlock, a_token_kept_is_a_call_to_answer)
{
    everywhere(in_state, 0);
}

/* x has handed it on to y: before y waits, and after. */
static int handed(rp_self *me, void *arg)
{
    unsigned ms = *(unsigned *)arg;
    struct cast c = {.ring = {"a > y > a", "y > a > y"}};
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = GIVE, .on = c.y, .ms = ms});
    until(me, &c.asked, 1);
    say(me, c.y, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    until(me, &c.kept, 1);
    say(me, c.y, (struct act){.what = REPLY}); /* if it got it only after it had been told */
    curtain(me, &c);
    return 0;
}

TEST(deadlock, a_token_handed_on_is_a_call_to_answer)
{
    everywhere(handed, &(unsigned){0});
    everywhere(handed, &(unsigned){120});
}

/* So long afterwards that no wait is looked into any more. */
TEST(deadlock, a_call_that_comes_late_to_who_waits)
{
    rp_system_opts sim = {.loops = 3, .sim_seed = test_seed()};
    check_eq(run_with(handed, &(unsigned){30000}, &sim), 0);
}

/* x has kept a's call as it came. */
static int whole(rp_self *me, void *arg)
{
    struct cast c = {.ring = {"a > x > a", "x > a > x"}};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = KEEP_WHOLE});
    until(me, &c.kept, 1);
    say(me, c.x, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    curtain(me, &c);
    return 0;
}

TEST(deadlock, a_call_kept_is_one_to_answer)
{
    everywhere(whole, 0);
}

/* x will have it by a timer, and waits until then for a. */
static int in_a_timer(rp_self *me, void *arg)
{
    struct cast c = {.ring = {"a > x > a", "x > a > x"}};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = KEEP});
    until(me, &c.kept, 1);
    say(me, c.x, (struct act){.what = SET, .ms = 150});
    until(me, &c.kept, 2);
    say(me, c.x, (struct act){.what = WAIT, .to = c.a, .then = ANSWER});
    until(me, &c.kept, 3);
    say(me, c.x, (struct act){.what = REPLY});
    curtain(me, &c);
    return 0;
}

TEST(deadlock, a_token_that_a_timer_will_bring)
{
    everywhere(in_a_timer, 0);
}

static int passed(rp_self *me, void *arg)
{
    unsigned ms = *(unsigned *)arg;
    struct cast c = {.ring = {"a > y > a", "y > a > y"}};
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = PASS, .on = c.y, .ms = ms});
    until(me, &c.asked, 1);
    say(me, c.y, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    curtain(me, &c);
    return 0;
}

TEST(deadlock, a_call_passed_on_waits_for_who_has_it)
{
    everywhere(passed, &(unsigned){60});
}

/* z's question comes back to it. */
static int to_itself(rp_self *me, void *arg)
{
    struct cast c = {.ring = {"z > z"}};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.z, (struct act){.what = ASK, .to = c.x, .then = PASS, .on = c.z});
    curtain(me, &c);
    return 0;
}

TEST(deadlock, a_call_passed_on_to_who_asked)
{
    everywhere(to_itself, 0);
}

/* a waits for x or y, and y for a: there is no ring before x has refused. */
static int none_to_spare(rp_self *me, void *arg)
{
    struct cast c = {.ring = {"a > y > a", "y > a > y"}};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = EITHER, .to = c.y, .then = KEEP});
    until(me, &c.kept, 2);
    say(me, c.y, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    until(me, &c.asked, 2);
    pause_ms(me, 250);
    check_eq(atomic_load(&c.told), 0);
    say(me, c.x, (struct act){.what = REFUSE});
    curtain(me, &c);
    return 0;
}

TEST(deadlock, one_of_many_that_cannot_be_spared)
{
    everywhere(none_to_spare, 0);
}

/* ---- none ---------------------------------------------------------------------------------------- */

/* y has a's call, and waits with it for so long that it is known; then hands it on, and only then asks a. */
static int known_and_gone(rp_self *me, void *arg)
{
    struct cast c = {0};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = GIVE, .on = c.y});
    until(me, &c.kept, 1);
    say(me, c.y, (struct act){.what = WAIT, .to = c.z, .then = ANSWER, .ms = 120});
    say(me, c.y, (struct act){.what = GIVE, .to = c.z});
    say(me, c.y, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    until(me, &c.asked, 3);
    pause_ms(me, 250);
    until(me, &c.kept, 2);
    say(me, c.z, (struct act){.what = REPLY});
    curtain(me, &c);
    return 0;
}

/* It is lent by a way that is not seen. */
static int lent(rp_self *me, void *arg)
{
    struct cast c = {0};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = KEEP});
    until(me, &c.kept, 1);
    say(me, c.x, (struct act){.what = DETACH, .to = c.z});
    say(me, c.x, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    curtain(me, &c);
    return 0;
}

/* x had a's call, as it came, and has passed it on. */
static int whole_and_gone(rp_self *me, void *arg)
{
    struct cast c = {0};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = KEEP_WHOLE});
    until(me, &c.kept, 1);
    say(me, c.x, (struct act){.what = PASS_WHOLE, .to = c.z});
    say(me, c.x, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    until(me, &c.kept, 2);
    pause_ms(me, 250);
    say(me, c.z, (struct act){.what = REPLY});
    curtain(me, &c);
    return 0;
}

/* A timer has brought it to x, who has handed it on. */
static int timed_and_gone(rp_self *me, void *arg)
{
    struct cast c = {0};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = KEEP});
    until(me, &c.kept, 1);
    say(me, c.x, (struct act){.what = SET, .ms = 20});
    until(me, &c.kept, 3);
    say(me, c.x, (struct act){.what = GIVE, .to = c.z});
    say(me, c.x, (struct act){.what = ASK, .to = c.a, .then = ANSWER});
    until(me, &c.kept, 4);
    pause_ms(me, 250);
    say(me, c.z, (struct act){.what = REPLY});
    curtain(me, &c);
    return 0;
}

/* A task of x has it. */
static int by_task(rp_self *me, void *arg)
{
    struct cast c = {0};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = KEEP});
    until(me, &c.kept, 1);
    say(me, c.x, (struct act){.what = BY_TASK, .to = c.a, .then = ANSWER});
    say(me, c.z, (struct act){.what = ASK, .to = c.y, .then = TASK_ANSWERS});
    curtain(me, &c);
    return 0;
}

TEST(deadlock, none_where_another_will_answer)
{
    everywhere(known_and_gone, 0);
    everywhere(lent, 0);
    everywhere(whole_and_gone, 0);
    everywhere(timed_and_gone, 0);
    everywhere(by_task, 0);
}

/* ---- seen from outside --------------------------------------------------------------------------- */

/* Whom `who` waits for, as it is seen now. */
static rp_ref waits_for(rp_self *me, rp_ref who)
{
    rp_inspection *i;
    rp_actor_info a;
    rp_ref on = {0, 0};
    check_eq(rp_inspect(me, 5000, &i), 0);
    while (rp_inspect_next(me, i, &a) > 0)
        if (rp_ref_eq(a.ref, who))
            on = a.on;
    rp_inspect_end(me, i);
    return on;
}

/* y has it, and waits for nobody: who looks is told all the same. */
static int looked_at(rp_self *me, void *arg)
{
    struct cast c = {0};
    rp_ref on = {0, 0};
    (void)arg;
    raise_curtain(me, &c);
    say(me, c.a, (struct act){.what = ASK, .to = c.x, .then = GIVE, .on = c.y});
    until(me, &c.kept, 1);
    for (unsigned i = 0; i < 1000 && !rp_ref_eq(on = waits_for(me, c.a), c.y); i++)
        pause_ms(me, 1);
    check(rp_ref_eq(on, c.y), "it waits for another");
    say(me, c.y, (struct act){.what = REPLY});
    curtain(me, &c);
    return 0;
}

TEST(deadlock, who_has_a_call_is_seen_at_once)
{
    everywhere(looked_at, 0);
}
