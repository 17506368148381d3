/* SPDX-License-Identifier: MIT
 *
 * mover.c - looks at all loops once a period, and moves a few actors.
 *
 * Talk first: of the pairs on different loops, the one that says most to each other, and of its two ways
 * together the one to the loop with less to do. Then load: when one loop has had much more than another for
 * some periods, the actor that comes nearest to half of the difference goes over.
 *
 * Nothing goes to and fro: who has been moved rests, who may not be moved is not asked again for long, a pair
 * is brought together only where there is room for it, and load must have been uneven for a while.
 */
#include "actors/life/life.h"
#include "actors/life/move.h"
#include "actors/table/look.h"
#include "actors/table/runtime.h"
#include "actors/table/talk.h"
#include "loop/system.h"
#include "reparto/mover.h"

#include <errno.h>
#include <string.h>

enum {
    FULL = 800,      /* of 1000: a loop that has so much to do gets nothing more for talk's sake */
    UNEVEN = 200,    /* so much more than another is to be evened out, */
    PATIENCE = 3,    /* when it has lasted so many periods */
    TALKS_MS = 2,    /* messages a ms that are worth a move */
    RESTING = 64, NEVER = 16 /* times the usual rest: who may not be moved */
};

struct resting {
    uint64_t who;
    uint64_t until; /* period */
};

struct heard { /* of a loop, in the last period */
    bool answered;
    int load;
    struct rp__talk talk;
};

struct mover {
    rp_mover o;
    unsigned n;
    uint64_t period;
    unsigned uneven; /* periods in a row */
    unsigned left;   /* moves, in this period */
    struct resting resting[RESTING];
    struct heard at[]; /* each loop */
};

/* ---- listening ----------------------------------------------------------------------------------- */

struct talk_look {
    struct rp__look look;
    rp_time until;
    int rc;
    struct rp__talk talk;
};

static void see(struct rp__look *k, struct rp_loop *l)
{
    struct talk_look *q = (struct talk_look *)k;
    if (l->actors->talk)
        q->talk = *l->actors->talk;
    if ((q->rc = rp__talk_open(l, q->until)) != 0)
        return;
    memset(l->actors->talk, 0, sizeof *l->actors->talk);
    l->actors->talk->until = q->until;
}

/* A loop that is held up does not answer in time, and is seen to be full. */
static int listen(rp_self *me, struct mover *v, unsigned loop)
{
    struct heard *h = &v->at[loop];
    rp_time period = (rp_time)v->o.period_ms * RP_MS;
    struct talk_look *q = rp__look_new(me, sizeof *q, see);
    h->answered = false;
    h->load = rp_loop_load(me, loop);
    if (!q)
        return 0; /* another time */
    q->until = rp_now(me) + 4 * period;
    struct rp__look *k = &q->look;
    int rc = rp__look(me, &k, loop, rp_now(me) + period);
    if (rc == 0 && q->rc == 0) {
        h->answered = true;
        h->talk = q->talk;
    }
    rp__look_free(me, k);
    return rc == -ECANCELED ? rc : 0;
}

/* How much of its loop's time an actor has, of 1000. */
static int share_of(const struct heard *h, uint64_t weight)
{
    return h->talk.time ? (int)(weight * (uint64_t)h->load / h->talk.time) : 0;
}

static int share(const struct heard *h, uint64_t who)
{
    for (unsigned i = 0; i < RP__TALKS; i++)
        if (h->talk.busy[i].who == who)
            return share_of(h, h->talk.busy[i].weight);
    return 0;
}

/* ---- moving -------------------------------------------------------------------------------------- */

static bool rests(const struct mover *v, uint64_t who)
{
    for (unsigned i = 0; i < RESTING; i++)
        if (v->resting[i].who == who && v->resting[i].until > v->period)
            return true;
    return false;
}

/* In the place of who has rested, or of who has the least left to rest. */
static void rest(struct mover *v, uint64_t who, uint64_t periods)
{
    struct resting *least = &v->resting[0];
    for (unsigned i = 0; i < RESTING && least->who != who; i++)
        if (v->resting[i].who == who || v->resting[i].until < least->until)
            least = &v->resting[i];
    *least = (struct resting){who, v->period + periods};
}

/* 1: it has moved. 0: not. -ECANCELED. It is not waited for longer than a period: it may be busy. */
static int attempt(rp_self *me, struct mover *v, uint64_t addr, unsigned to, rp_moved_for why)
{
    rp_ref who = rp__ref(me->loop, addr);
    unsigned from = rp__route_of(me->loop, addr);
    if (v->left == 0 || rests(v, addr) || from == to)
        return 0;
    int weighs = share(&v->at[from], addr);
    rp_scope s;
    rp_scope_open(me, &s, rp_in_ms(me, v->o.period_ms));
    int rc = rp__move(me, who, RP_LOOP(to), true);
    (void)!rp_scope_close(me, &s, 0);
    bool never = rc == -EPERM || rc == -ENOTSUP || rc == -ESRCH;
    rest(v, addr, v->o.rest * (never ? (uint64_t)NEVER : 1));
    if (rc != 0)
        return rp_scope_check(me);
    v->left--;
    v->at[from].load -= weighs;
    v->at[to].load += weighs;
    rp_mover_event e = {who, from, to, why};
    me->nowait++;
    if (v->o.event)
        v->o.event(me, v->o.arg, &e);
    me->nowait--;
    return 1;
}

/* The pair of which most is heard on different loops, of those that are not yet dealt with. */
static struct rp__pairing *loudest(rp_self *me, struct mover *v)
{
    struct rp__pairing *best = 0;
    for (unsigned l = 0; l < v->n; l++)
        for (unsigned i = 0; v->at[l].answered && i < RP__TALKS; i++) {
            struct rp__pairing *p = &v->at[l].talk.pair[i];
            bool apart = p->weight && rp__route_of(me->loop, p->from) != rp__route_of(me->loop, p->to);
            if (apart && (!best || p->weight > best->weight))
                best = p;
        }
    return best && best->weight >= (uint64_t)TALKS_MS * v->o.period_ms ? best : 0;
}

static bool has_room(const struct mover *v, uint64_t who, unsigned from, unsigned to)
{
    return v->at[to].load + share(&v->at[from], who) <= FULL;
}

static int bring_together(rp_self *me, struct mover *v)
{
    struct rp__pairing *p;
    int rc = 0;
    while (rc >= 0 && v->left > 0 && (p = loudest(me, v))) { /* bounded: each is looked at once */
        unsigned a = rp__route_of(me->loop, p->from), b = rp__route_of(me->loop, p->to);
        bool to_a = v->at[a].load < v->at[b].load;
        rc = 0;
        p->weight = 0;
        for (unsigned way = 0; way < 2 && rc == 0; way++, to_a = !to_a) {
            uint64_t who = to_a ? p->to : p->from;
            if (has_room(v, who, to_a ? b : a, to_a ? a : b))
                rc = attempt(me, v, who, to_a ? a : b, RP_FOR_TALK);
        }
    }
    return rc < 0 ? rc : 0;
}

/* Who of that loop comes nearest to `half` of 1000; not more than half as much again, or the two would change places. */
static uint64_t nearest(const struct mover *v, unsigned loop, int half)
{
    uint64_t best = 0;
    int miss = half;
    for (unsigned i = 0; i < RP__TALKS; i++) {
        const struct rp__speaker *s = &v->at[loop].talk.busy[i];
        int d = share_of(&v->at[loop], s->weight) - half;
        if (s->weight == 0 || rests(v, s->who) || (d < 0 ? -d : 2 * d) >= miss)
            continue;
        best = s->who;
        miss = d < 0 ? -d : 2 * d;
    }
    return best;
}

static int even_out(rp_self *me, struct mover *v)
{
    int rc = 0;
    while (rc >= 0 && v->left > 0) { /* bounded: who has been tried rests */
        unsigned most = 0, least = 0;
        for (unsigned i = 1; i < v->n; i++) {
            most = v->at[i].load > v->at[most].load ? i : most;
            least = v->at[i].load < v->at[least].load ? i : least;
        }
        int gap = v->at[most].load - v->at[least].load;
        if (gap < UNEVEN) {
            v->uneven = 0;
            return 0;
        }
        v->uneven += v->left == v->o.moves; /* once a period */
        uint64_t who = v->uneven >= PATIENCE && v->at[most].answered ? nearest(v, most, gap / 2) : 0;
        if (!who)
            return 0;
        rc = attempt(me, v, who, least, RP_FOR_LOAD);
    }
    return rc < 0 ? rc : 0;
}

/* ---- the actor ----------------------------------------------------------------------------------- */

static int work(rp_self *me, struct mover *v)
{
    int rc = 0;
    while (rc == 0) {
        for (unsigned i = 0; i < v->n && rc == 0; i++)
            rc = listen(me, v, i);
        v->period++;
        v->left = v->o.moves;
        if (rc == 0)
            rc = bring_together(me, v);
        if (rc == 0)
            rc = even_out(me, v);
        if (rc == 0)
            rc = rp_sleep(me, rp_in_ms(me, v->o.period_ms));
    }
    return rc;
}

static int init(rp_self *me, void *state, void *arg)
{
    rp_mover *o = state;
    (void)me;
    if (arg)
        *o = *(const rp_mover *)arg;
    o->period_ms = o->period_ms ? o->period_ms : 100;
    o->moves = o->moves ? o->moves : 4;
    o->rest = o->rest ? o->rest : 20;
    return 0;
}

static int run(rp_self *me, void *arg)
{
    unsigned n = rp_loop_count(me);
    size_t size = sizeof(struct mover) + n * sizeof(struct heard);
    struct mover *v = rp__alloc(me->loop->sys, size);
    (void)arg;
    if (!v)
        return -ENOMEM;
    memset(v, 0, size);
    v->o = *(const rp_mover *)rp_state(me);
    v->n = n;
    int rc = work(me, v);
    rp__free_mem(me->loop->sys, v, size);
    return rc;
}

static const rp_actor mover_actor = {.name = "mover", .init = init, .run = run, .state_size = sizeof(rp_mover)};

RP__NOIPA int rp_mover_start(rp_self *me, const rp_mover *m, const rp_spawn_opts *given, rp_ref *ret)
{
    rp_spawn_opts o = given ? *given : (rp_spawn_opts){0};
    o.arg = (void *)(uintptr_t)m; /* init copies it */
    return rp__spawn_from(me, &mover_actor, &o, __builtin_return_address(0), ret);
}
