/* SPDX-License-Identifier: MIT */
#include "tests/graph.h"

#include <errno.h>
#include <stdatomic.h>

struct play;

struct member { /* of a play */
    struct play *p;
    const struct graph_node *g;
    unsigned i;
    rp_ref ref;
    rp_actor kind;
    char name[4];
    bool wanted[GRAPH_EDGES]; /* what others want of it */
    rp_lock lock;
    rp_rwlock read, write;
    rp_once once;
    int ring;                 /* it stands in the ring of this member, its lowest; -1: in none */
    _Atomic unsigned told;    /* of that ring; counted on any loop */
};

struct play {
    unsigned n;
    rp_ref between;
    rp_barrier begin;
    rp_event over;
    _Atomic unsigned told;
    struct member m[GRAPH_MOST];
};

/* ---- the model ----------------------------------------------------------------------------------- */

static int next_of(const struct play *p, int i)
{
    return i < 0 ? -1 : p->m[i].g->to;
}

static void find_rings(struct play *p)
{
    for (unsigned i = 0; i < p->n; i++)
        p->m[i].ring = -1;
    for (unsigned i = 0; i < p->n; i++) {
        int at = next_of(p, (int)i), low = (int)i;
        for (unsigned k = 0; k < p->n && at != (int)i; k++) {
            low = at >= 0 && at < low ? at : low;
            at = next_of(p, at);
        }
        if (at == (int)i)
            p->m[i].ring = low;
    }
}

static bool for_ever(const struct play *p, int ring)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->m[i].ring == ring && (p->m[i].g->patience_ms || p->m[i].g->task == TASK_BESIDE))
            return false;
    return true;
}

static bool beside_a_task(const struct play *p, int ring)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->m[i].ring == ring && p->m[i].g->task == TASK_BESIDE)
            return true;
    return false;
}

/* "a > b > a", as far as there is room. */
static void check_names(const struct member *m, const char *blame)
{
    char want[8 * GRAPH_MOST + 8] = "";
    int at = (int)m->i;
    do {
        strcat(strcat(want, m->p->m[at].name), " > ");
        at = next_of(m->p, at);
    } while (at != (int)m->i);
    strcat(want, m->name);
    want[59] = 0;
    check_str(blame, want);
}

/* ---- who passes calls on ------------------------------------------------------------------------- */

struct passed { /* a question for `to`; or to that one, the right to answer it */
    rp_ref to;
    rp_token right;
    uint64_t hand; /* enum */
};
enum { FORWARD, HAND, KEEP };
static const rp_field passed_fields[] = {RP_FIELD(struct passed, to, RP_REF), RP_FIELD(struct passed, right, RP_TOKEN),
                                         RP_FIELD(struct passed, hand, RP_U64)};
static const rp_type passed_type = RP_TYPE("graph.passed", struct passed, passed_fields);

static int pass_on(rp_self *me, void *state, const rp_msg *m)
{
    struct passed b = *(const struct passed *)rp_body(m, &passed_type);
    (void)state;
    if (b.hand == FORWARD)
        return rp_forward(me, m, b.to);
    check_eq(rp_take_token(me, m, &b.right), 0);
    return b.hand == KEEP ? 0 : rp_tell(me, b.to, &passed_type, &b);
}
static const rp_actor between = {.name = "between", .handle = pass_on};

static int call(rp_self *me, rp_ref to, const rp_type *t, const void *body, rp_time until)
{
    rp_msg *m = NULL;
    int rc = rp_call(me, to, t, body, &m, until);
    rp_msg_drop(me, m);
    return rc;
}

static int call_both(rp_self *me, struct member *on, rp_time until)
{
    struct passed keep = {.hand = KEEP};
    struct num n = {.n = 1};
    rp_ask a[] = {{.to = on->p->between, .type = &passed_type, .body = &keep}, {.to = on->ref, .type = NUM, .body = &n}};
    int rc = rp_call_many(me, a, 2, 0, until);
    rp_asks_drop(me, a, 2);
    return rc;
}

/* ---- a member ------------------------------------------------------------------------------------ */

static int nothing(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

/* Until there is no room; or, when that one has ended, to the end. Slowly: it is to learn that there is none. */
static int send_many(rp_self *me, struct member *to)
{
    int rc = 0;
    for (unsigned k = 0; k < 4096 && rc == 0 && !rp_event_is_set(&to->p->over); k++) {
        rc = tell_num(me, to->ref, k);
        if (rc == 0 && k % 16 == 15)
            rc = rp_sleep(me, rp_in_ms(me, 1));
    }
    return rc;
}

static int wait_by(rp_self *me, enum graph_edge by, struct member *on, rp_time until)
{
    int rc = 0;
    switch (by) {
    case BY_LOCK:
        rc = rp_lock_acquire(me, &on->lock, until);
        check_eq(rp_lock_release(me, &on->lock), rc == 0 || rc == -EOWNERDEAD ? 0 : -EPERM);
        return rc;
    case BY_WRITE:
    case BY_READ: {
        rp_rwlock *k = by == BY_WRITE ? &on->read : &on->write;
        rc = by == BY_WRITE ? rp_rwlock_write(me, k, until) : rp_rwlock_read(me, k, until);
        check_eq(rp_rwlock_release(me, k), rc == 0 || rc == -EOWNERDEAD ? 0 : -EPERM);
        return rc;
    }
    case BY_ONCE:
        return rp_once_run(me, &on->once, nothing, NULL, until);
    case BY_CALL:
        return call(me, on->ref, NUM, &(struct num){.n = 1}, until);
    case BY_FORWARD:
    case BY_HANDED:
        return call(me, on->p->between, &passed_type, &(struct passed){.to = on->ref, .hand = by == BY_HANDED ? HAND : FORWARD}, until);
    case BY_MANY:
        return call_both(me, on, until);
    case BY_ROOM:
        return send_many(me, on);
    case GRAPH_EDGES:
        break;
    }
    return -EINVAL;
}

struct wait {
    struct member *m;
    rp_time until;
    int rc;
    char blame[64];
};

static int wait_now(rp_self *me, void *arg)
{
    struct wait *w = arg;
    w->rc = wait_by(me, w->m->g->by, &w->m->p->m[w->m->g->to], w->until);
    if (w->rc == -EDEADLK)
        strcpy(w->blame, rp_blame(me));
    return 0;
}

static int until_over(rp_self *me, void *arg)
{
    struct play *p = arg;
    return rp_event_wait(me, &p->over, RP_FOREVER);
}

static int wait_in_task(rp_self *me, struct wait *w)
{
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = rp_go(me, &s, wait_now, w, NULL);
    if (rc == 0 && w->m->g->task == TASK_BESIDE)
        rc = rp_go(me, &s, until_over, w->m->p, NULL);
    return rp_scope_close(me, &s, rc);
}

static int begin_to_wait(rp_self *me, void *arg)
{
    struct member *m = arg;
    struct play *p = m->p;
    check(rp_barrier_wait(me, &p->begin, RP_FOREVER) >= 0);
    if (m->g->delay_ms)
        check_eq(rp_sleep(me, rp_in_ms(me, m->g->delay_ms)), 0);
    if (m->g->to < 0) {
        check_eq(rp_event_wait(me, &p->over, RP_FOREVER), 0);
        return 0;
    }
    struct wait w = {.m = m, .until = m->g->patience_ms ? rp_in_ms(me, m->g->patience_ms) : RP_FOREVER};
    check_eq(m->g->task ? wait_in_task(me, &w) : wait_now(me, &w), 0);
    int rc = w.rc;
    if (rc == -EDEADLK) {
        check(m->ring >= 0, "%s stands in no ring, and is told %s", m->name, w.blame);
        check(rp_event_is_set(&p->over) || !beside_a_task(p, m->ring), "a task might end the ring %s", w.blame);
        check_names(m, w.blame);
        atomic_fetch_add(&p->m[m->ring].told, 1);
        atomic_fetch_add(&p->told, 1);
    } else {
        check(rc == 0 || rc == -EPIPE || rc == -ESRCH || rc == -EOWNERDEAD || (rc == -ETIMEDOUT && m->g->patience_ms), "%d", rc);
    }
    return 0;
}

static int be_member(rp_self *me, struct member *m)
{
    int rc;
    if (m->wanted[BY_LOCK])
        check_eq(rp_lock_acquire(me, &m->lock, RP_FOREVER), 0);
    if (m->wanted[BY_WRITE])
        check_eq(rp_rwlock_read(me, &m->read, RP_FOREVER), 0);
    if (m->wanted[BY_READ])
        check_eq(rp_rwlock_write(me, &m->write, RP_FOREVER), 0);
    rc = m->wanted[BY_ONCE] ? rp_once_run(me, &m->once, begin_to_wait, m, RP_FOREVER) : begin_to_wait(me, m);
    if (m->wanted[BY_LOCK] && m->i % 2)
        check_eq(rp_lock_release(me, &m->lock), 0); /* the others by their end */
    return rc;
}

static int run_member(rp_self *me, void *arg)
{
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    rp_msg_drop(me, m);
    return be_member(me, arg);
}

static int init_member(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct member **)state = arg;
    return 0;
}

static int handle_member(rp_self *me, void *state, const rp_msg *m)
{
    (void)m;
    int rc = be_member(me, *(struct member **)state);
    return rc != 0 ? rc : RP_STOP;
}

/* ---- a play -------------------------------------------------------------------------------------- */

static void raise_curtain(rp_self *me, struct play *p, const struct graph_node *node)
{
    check_eq(rp_barrier_init(&p->begin, p->n), 0);
    check_eq(rp_spawn(me, &between, &(rp_spawn_opts){.on = RP_LOOP(node->loop % rp_loop_count(me))}, &p->between), 0);
    for (unsigned i = 0; i < p->n; i++) {
        struct member *m = &p->m[i];
        m->p = p;
        m->g = &node[i];
        m->i = i;
        memcpy(m->name, (char[]){'n', (char)('a' + i), 0}, 3);
        m->kind = (rp_actor){.name = m->name, .state_size = sizeof m};
        if (m->g->handler)
            m->kind.handle = handle_member, m->kind.init = init_member;
        else
            m->kind.run = run_member;
        if (m->g->to >= 0)
            p->m[m->g->to].wanted[m->g->by] = true;
        rp_spawn_opts o = {.arg = m, .mailbox = 2 * GRAPH_MOST, .monitor = true, .on = RP_LOOP(m->g->loop % rp_loop_count(me))};
        check_eq(rp_spawn(me, &m->kind, &o, &m->ref), 0);
    }
    find_rings(p);
    for (unsigned i = 0; i < p->n; i++)
        check_eq(tell_num(me, p->m[i].ref, 0), 0);
}

static unsigned rings_for_ever(const struct play *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n; i++)
        n += p->m[i].ring == (int)i && for_ever(p, (int)i);
    return n;
}

static unsigned told_for_ever(struct play *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n; i++)
        n += p->m[i].ring == (int)i && for_ever(p, (int)i) && atomic_load(&p->m[i].told) > 0;
    return n;
}

void graph_play(rp_self *me, const struct graph_node *node, unsigned n)
{
    static struct play plays[1]; /* too large for a stack; one at a time */
    struct play *p = plays;
    memset(p, 0, sizeof *p);
    p->n = n;
    raise_curtain(me, p, node);
    for (unsigned i = 0; i < 4000 && told_for_ever(p) < rings_for_ever(p); i++)
        check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 120)), 0); /* time to be told wrongly */
    rp_event_set(&p->over);
    for (unsigned i = 0; i < n; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    check_eq(rp_stop(me, p->between, "over"), 0);
    for (unsigned i = 0; i < n; i++)
        if (p->m[i].ring == (int)i) {
            check(atomic_load(&p->m[i].told) <= 1, "the ring of %s is told %u times", p->m[i].name, atomic_load(&p->m[i].told));
            check(!for_ever(p, (int)i) || atomic_load(&p->m[i].told) == 1, "the ring of %s is not told", p->m[i].name);
        }
}

unsigned graph_random(rp_self *me, struct graph_node *node, unsigned n)
{
    unsigned count = 1 + (unsigned)(rp_random(me) % n), roots = (unsigned)(rp_random(me) % 4), mix = (unsigned)(rp_random(me) % 3);
    for (unsigned i = 0; i < count; i++) {
        struct graph_node *g = &node[i];
        *g = (struct graph_node){.to = rp_random(me) % 8 < roots ? -1 : (int)(rp_random(me) % count)};
        g->by = mix == 0 ? BY_LOCK : (enum graph_edge)(rp_random(me) % GRAPH_EDGES);
        if (g->to == (int)i && (g->by < BY_CALL || g->by == BY_ROOM))
            g->to = -1; /* what one has already, one is told at once */
        g->handler = rp_random(me) % 2;
        g->task = rp_random(me) % 4 ? NO_TASK : rp_random(me) % 4 ? ONE_TASK : TASK_BESIDE;
        g->loop = (unsigned)rp_random(me);
        g->delay_ms = rp_random(me) % 2 ? (unsigned)(rp_random(me) % 70) : 0;
        if (mix == 2 && g->by != BY_ROOM && rp_random(me) % 6 == 0)
            g->patience_ms = (unsigned)(1 + rp_random(me) % 150);
    }
    for (unsigned i = 0; i < count; i++) /* who passes on would have to wait for room itself */
        for (unsigned k = 0; k < count; k++)
            if (node[i].to == node[k].to && node[i].by == BY_ROOM && (node[k].by == BY_FORWARD || node[k].by == BY_HANDED))
                node[k].by = BY_CALL;
    return count;
}
