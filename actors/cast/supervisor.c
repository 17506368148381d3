/* SPDX-License-Identifier: MIT
 *
 * supervisor.c - restarting by rules.
 *
 * A supervisor is a handler. It keeps, of each child, what it is and what is wanted of it; each message
 * changes one of the two, and step() does what brings them together: stops in reverse order, one at a
 * time, what is not wanted, and when nothing has to be waited for, starts in order what is.
 *
 *              rp__fell, restart                  due
 *      UP -----------------------------> DOWN -----------> UP
 *       |   halted or leaving                  ^    |
 *       +-----------> STOPPING --rp__fell------+    | leaving
 *                                                   +--> released, forgotten
 *
 * It traps: being stopped is a message too, and the children are stopped in order by the same step().
 */
#include "actors/cast/supervisor.h"

#include "actors/life/life.h"
#include "actors/mail/trace.h"
#include "actors/table/post.h"
#include "actors/table/reports.h"
#include "actors/table/why.h"
#include "loop/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RESTARTS = 3, WITHIN_MS = 5000, STOP_MS = 5000, LONGEST = 1000, RESTARTS_MAX = 100000 };

enum state { DOWN, UP, STOPPING };
enum phase { NEW, RUNNING, ENDING };

struct ward { /* one that is in our care */
    rp_child c;          /* what it points at is in our plan, or in */
    struct rp__sup_plan *plan; /* this, by which it was added */
    size_t number;       /* in the table, or in the order of adding */
    void *site;          /* where it was given to us */
    rp_ref ref;          /* none: not started yet */
    enum state state;
    bool halt;           /* to be down for the present round */
    bool leaving;        /* to be stopped for good */
    bool overtime;       /* has been reported as stuck */
    uint32_t failures;   /* in a row */
    uint32_t life;       /* which incarnation it has; from 1 */
    rp_time since, due, stop_by;
    rp_token remover;
};

struct sup {
    rp_supervisor spec;
    struct rp__sup_plan *plan; /* ours; NULL: a part of the plan of who supervises us */
    struct ward *ward;
    size_t n, room, added;
    rp_time *log;        /* when the last restarts were decided on: a ring of spec.restarts */
    size_t nlog, log_at;
    enum phase phase;
    int rc;              /* of the end */
    int stopped;         /* < 0: before its start */
    rp_token starter;
    rp_time now;         /* of the present step: what is due later has a tick */
    rp_timer tick;
    rp_time tick_at;     /* RP_FOREVER: not set */
};

struct tick {
    char nothing;
};
static const rp_type tick_type = {.name = "rp.sup.tick", .size = sizeof(struct tick)};

/* ---- what it says -------------------------------------------------------------------------------- */

static int answer(rp_self *me, rp_token *k, rp_ref child, int rc)
{
    if (k->call == 0)
        return 0;
    rc = rc != 0 ? rp_token_error(me, k, rc) : rp_token_reply(me, k, &rp__sup_answer_type, &(struct rp__sup_answer){child});
    if (rc != 0)
        rp_token_drop(me, k);
    return rc;
}

static const rp_supervised TOLD_TO_STOP = 0; /* beside the others: for a trace alone */

static void tell(rp_self *me, const struct sup *s, const struct ward *w, rp_supervised what, int reason,
                 const char *why, rp_time again)
{
    bool traced = rp__traces(me->loop, RP__T_SUPERVISE);
    if (!s->spec.event && !traced)
        return;
    rp_supervision e = {.what = what, .reason = reason, .why = why ? why : "", .again = again, .name = ""};
    if (w) {
        e.child = w->ref;
        e.failures = w->failures;
        e.name = w->c.actor ? w->c.actor->name : w->c.supervisor->name;
        e.name = e.name ? e.name : "";
    }
    if (traced)
        rp__trace_supervise(me->loop, me->actor, &e);
    if (!s->spec.event || what == TOLD_TO_STOP)
        return;
    me->nowait++;
    s->spec.event(me, s->spec.event_arg, &e);
    me->nowait--;
    if (me->scope)
        rp__returned_over_scope(me, "event");
}

/* What nobody may be there to hear: that it ends, or cannot begin, because of a child. */
static void report(rp_self *me, const struct sup *s, const struct ward *w, int rc, const char *why, bool starting)
{
    const char *kind = w->c.actor ? w->c.actor->name : w->c.supervisor->name, *own = s->spec.name ? s->spec.name : "without a name";
    char name[64] = "", text[RP__WHY_TEXT], ref[RP__ADDR_TEXT];
    if (w->c.opts.name)
        snprintf(name, sizeof name, " \"%.55s\"", w->c.opts.name);
    if (starting)
        rp__report_of(me->loop, me->actor, RP_REPORT_FAILURE, rc, "(%s) cannot start its child %s%s: %d, %s. rp_supervise returns that",
                      own, kind ? kind : "without a name", name, rc, rp_strerror(rc));
    else
        rp__report_of(me->loop, me->actor, RP_REPORT_FAILURE, rc, "(%s) gives up and ends: its child %s%s %s ended with %d, %s%s. "
                      "More than %u restarts in %u ms", own, kind ? kind : "without a name", name, rp__addr_text(ref, w->ref.local), rc, rp_strerror(rc),
                      rp__why_text(text, why), s->spec.restarts, s->spec.within_ms);
}

/* ---- wards --------------------------------------------------------------------------------------- */

static int grow(struct rp_loop *l, struct sup *s)
{
    if (s->n < s->room)
        return 0;
    size_t room = s->room ? 2 * s->room : 8;
    struct ward *more = rp__pool_get(&l->pool, room * sizeof *more);
    if (!more)
        return -ENOMEM;
    if (s->n)
        memcpy(more, s->ward, s->n * sizeof *more);
    if (s->ward)
        rp__pool_free(&l->pool, s->ward, s->room * sizeof *more);
    s->ward = more;
    s->room = room;
    return 0;
}

static int take_in(struct rp_loop *l, struct sup *s, const rp_child *c, struct rp__sup_plan *plan, void *site)
{
    int rc = grow(l, s);
    if (rc != 0)
        return rc;
    struct ward *w = &s->ward[s->n];
    *w = (struct ward){.c = *c, .plan = plan, .number = s->added, .site = site};
    w->c.opts.monitor = false;
    s->n++;
    s->added++;
    return 0;
}

/* It has been let go of, or never was. */
static void forget(struct rp_loop *l, struct sup *s, size_t i)
{
    rp__sup_plan_let_go(l->sys, s->ward[i].plan);
    memmove(&s->ward[i], &s->ward[i + 1], (--s->n - i) * sizeof *s->ward);
}

/* ---- ending -------------------------------------------------------------------------------------- */

static void shut_down(struct sup *s, int rc)
{
    if (s->phase == ENDING)
        return;
    s->phase = ENDING;
    s->rc = rc;
    for (size_t i = 0; i < s->n; i++)
        s->ward[i].leaving = true;
}

static void let_go(rp_self *me, struct sup *s, size_t i, int reason)
{
    struct ward *w = &s->ward[i];
    if (!rp_ref_none(w->ref)) {
        rp__release(me, w->ref);
        tell(me, s, w, RP_CHILD_GONE, reason, 0, 0);
    }
    (void)answer(me, &w->remover, w->ref, 0); /* who cannot be told gets -EPIPE */
    forget(me->loop, s, i);
}

static void stop_one(rp_self *me, const struct sup *s, struct ward *w)
{
    int64_t ms = w->c.stop_ms ? w->c.stop_ms : STOP_MS;
    w->state = STOPPING;
    w->overtime = false;
    w->stop_by = ms < 0 ? RP_FOREVER : rp_in_ms(me, ms);
    struct rp__slot stop = rp__stop_slot(me->loop, w->ref.local, me->actor->addr, "its supervisor stops it", w->life, 0);
    rp__post_sure(me->loop, &stop);
    tell(me, s, w, TOLD_TO_STOP, 0, 0, w->stop_by);
}

/* In reverse order, each when the one after it has ended or has had its time; who alone is to go waits for
 * nobody. */
static void stop_unwanted(rp_self *me, struct sup *s)
{
    for (size_t i = s->n; i-- > 0;) {
        struct ward *w = &s->ward[i];
        if (!w->halt && !w->leaving)
            continue;
        if (w->state == UP)
            stop_one(me, s, w);
        if (w->state == STOPPING && !w->overtime && s->now >= w->stop_by) {
            w->overtime = true;
            tell(me, s, w, RP_CHILD_STUCK, -ETIMEDOUT, 0, 0);
        }
        if (w->state == STOPPING && !w->overtime && (w->halt || s->phase == ENDING))
            return;
        if (w->state == DOWN && w->leaving)
            let_go(me, s, i, -ECANCELED);
    }
}

/* ---- failing ------------------------------------------------------------------------------------- */

/* Notes a restart; false: there were too many. */
static bool within_intensity(rp_self *me, struct sup *s)
{
    rp_time now = rp_now(me);
    if (s->nlog == s->spec.restarts) {
        if (s->nlog == 0 || now - s->log[s->log_at] < s->spec.within_ms * RP_MS)
            return false;
    } else {
        s->nlog++;
    }
    s->log[s->log_at] = now;
    s->log_at = (s->log_at + 1) % s->spec.restarts;
    return true;
}

static rp_time backoff(rp_self *me, const struct sup *s, uint32_t failures)
{
    rp_time wait = s->spec.backoff_ms * RP_MS, most = s->spec.backoff_max_ms * RP_MS;
    for (uint32_t i = 1; i < failures && wait < most; i++)
        wait *= 2;
    wait = wait < most ? wait : most;
    return wait > 1 ? wait - (rp_time)(rp_random(me) % (uint64_t)(wait / 2)) : 0;
}

/* Who is restarted with the one at i. */
static void begin_round(struct sup *s, size_t i)
{
    size_t from = s->spec.strategy == RP_ONE_FOR_ALL ? 0 : i + 1;
    for (size_t k = s->spec.strategy == RP_ONE_FOR_ONE ? s->n : from; k < s->n; k++) {
        s->ward[k].halt = k != i && s->ward[k].state != DOWN;
        s->ward[k].leaving |= k != i && s->ward[k].c.restart == RP_NEVER;
    }
}

static void failed(rp_self *me, struct sup *s, size_t i, int reason, const char *why)
{
    struct ward *w = &s->ward[i];
    rp_time now = rp_now(me);
    if (now - w->since > s->spec.backoff_max_ms * RP_MS)
        w->failures = 0;
    w->failures++;
    if (!within_intensity(me, s)) {
        tell(me, s, w, RP_CHILD_FELL, reason, why, 0);
        tell(me, s, w, RP_GAVE_UP, reason, why, 0);
        report(me, s, w, reason, why, false);
        shut_down(s, reason < 0 ? reason : -ECONNABORTED);
        return;
    }
    w->due = now + backoff(me, s, w->failures);
    tell(me, s, w, RP_CHILD_FELL, reason, why, w->due);
    begin_round(s, i);
}

static void on_fell(rp_self *me, struct sup *s, const struct rp__fell *f)
{
    size_t i = 0;
    while (i < s->n && !rp_ref_eq(s->ward[i].ref, f->who))
        i++;
    if (i == s->n)
        return;
    struct ward *w = &s->ward[i];
    bool asked = w->state == STOPPING;
    w->state = DOWN;
    if (asked || w->halt || w->leaving) {
        tell(me, s, w, RP_CHILD_STOPPED, f->reason, f->why, 0);
        return; /* step() knows what for */
    }
    bool failure = f->reason < 0 && f->reason != -ECANCELED;
    if (w->c.restart == RP_ALWAYS || (w->c.restart == RP_ON_FAILURE && failure)) {
        failed(me, s, i, f->reason, f->why);
        return;
    }
    tell(me, s, w, RP_CHILD_FELL, f->reason, f->why, 0);
    bool significant = w->c.significant;
    let_go(me, s, i, f->reason);
    if (significant)
        shut_down(s, failure ? f->reason : 0);
}

/* ---- starting ------------------------------------------------------------------------------------ */

static int start_one(rp_self *me, struct sup *s, struct ward *w)
{
    bool first = rp_ref_none(w->ref);
    int rc;
    if (!first) {
        rc = rp__revive(me, w->ref);
    } else {
        rp_spawn_opts o = w->c.opts;
        o.arg = w->c.supervisor ? (void *)(uintptr_t)w->c.supervisor : o.arg;
        rc = rp__spawn_kept(me, w->c.supervisor ? &rp__supervisor_actor : w->c.actor, &o, w->c.mail, w->site, &w->ref);
    }
    if (rc < 0)
        return rc;
    w->state = UP;
    w->life++;
    w->halt = false;
    w->since = rp_now(me);
    tell(me, s, w, first ? RP_CHILD_STARTED : RP_CHILD_RESTARTED, 0, 0, 0);
    if (!w->c.supervisor || rc == RP__FALLEN)
        return 0; /* who has fallen in its init would answer in its next life, which is ours to begin */
    rc = rp__sup_start(me, w->ref, false);
    if (rc < 0 && first) /* then we end too; it may not have been asked, and would wait for that */
        (void)!rp_try_tell(me, w->ref, &rp__sup_start_type, &(struct rp__sup_start){.given_up = true});
    return first ? rc : 0; /* later on its end tells the same */
}

/* In order. Only when nobody of the round has still to end. True: one could not be, and all are to be looked at again. */
static bool start_wanted(rp_self *me, struct sup *s)
{
    bool together = s->spec.strategy != RP_ONE_FOR_ONE;
    for (size_t i = 0; together && i < s->n; i++)
        if (s->ward[i].halt && s->ward[i].state != DOWN)
            return false;
    for (size_t i = 0; i < s->n && s->phase == RUNNING; i++) {
        struct ward *w = &s->ward[i];
        if (w->state != DOWN || w->leaving)
            continue;
        if (w->due > s->now) {
            if (together)
                return false;
            continue;
        }
        bool first = rp_ref_none(w->ref);
        int rc = start_one(me, s, w);
        if (rc == 0)
            continue;
        if (first && s->starter.call != 0 && w->c.actor && rc != -ECANCELED)
            report(me, s, w, rc, 0, true); /* a supervisor has said so itself */
        if (first && s->starter.call != 0)
            shut_down(s, rc);
        else
            failed(me, s, i, rc, "it cannot be started");
        return true;
    }
    return false;
}

/* ---- time ---------------------------------------------------------------------------------------- */

static rp_time next_time(const struct sup *s)
{
    rp_time at = RP_FOREVER;
    for (size_t i = 0; i < s->n; i++) {
        const struct ward *w = &s->ward[i];
        rp_time then = w->state == STOPPING ? w->stop_by : w->state == DOWN ? w->due : 0;
        if (then > s->now && then < at)
            at = then;
    }
    return at;
}

static int set_tick(rp_self *me, struct sup *s)
{
    rp_time at = next_time(s);
    if (at == s->tick_at)
        return 0;
    if (s->tick_at != RP_FOREVER)
        (void)rp_timer_stop(me, s->tick);
    s->tick_at = RP_FOREVER;
    int rc = at == RP_FOREVER ? 0 : rp_timer_start(me, at, &tick_type, &(struct tick){0}, &s->tick);
    if (rc == 0)
        s->tick_at = at;
    return rc;
}

/* Does what can be done now. What its handler returns. */
static int step(rp_self *me, struct sup *s)
{
    bool again;
    do { /* bounded by the intensity: each start that fails is counted */
        s->now = rp_now(me);
        stop_unwanted(me, s);
        again = s->phase == RUNNING && start_wanted(me, s);
    } while (again);
    if (s->phase == ENDING && s->n == 0) {
        bool taken = s->starter.call != 0 && !(me->actor->flags & RP__A_KEPT); /* by who started it: see fini */
        return s->rc == 0 || taken ? RP_STOP : s->rc;
    }
    return set_tick(me, s); /* without a clock it cannot do its work: then it has failed */
}

/* ---- messages ------------------------------------------------------------------------------------
 * Who cannot be answered for want of memory gets -EPIPE; no supervisor ends of that.
 */

/* Under another supervisor: who starts it waits for the answer, so it does not end before it has been asked. What
 * comes before, for the incarnation that was or for this one, waits for that too. */
static int before_start(rp_self *me, struct sup *s, const rp_msg *m)
{
    const struct rp_exit_notice *e = rp_body(m, RP_EXIT_NOTICE);
    if (e)
        s->stopped = s->stopped ? s->stopped : e->reason;
    else
        (void)!rp_stash(me, m); /* without memory for it: who has asked gets -EPIPE */
    return 0;
}

static int on_start(rp_self *me, struct sup *s, const struct rp__sup_start *b, const rp_msg *m)
{
    if (b->given_up)
        return s->phase == NEW ? RP_STOP : 0;
    if (s->phase != NEW)
        return rp_reply_error(me, m, -EALREADY);
    int rc = rp_take_token(me, m, &s->starter);
    if (rc != 0)
        return rc;
    s->phase = RUNNING;
    if (s->stopped != 0)
        shut_down(s, s->stopped);
    (void)!rp_unstash(me);
    rp_ref asker = rp_from(me, m);
    bool watch = b->watch;
    if ((rc = step(me, s)) != 0 || s->phase != RUNNING)
        return rc;
    if (watch && (rc = rp__watch_new(me->loop, me->actor, asker.local, 0, 0)) != 0) {
        shut_down(s, rc);
        return step(me, s);
    }
    (void)answer(me, &s->starter, rp_self_ref(me), 0);
    return 0;
}

static void on_add(rp_self *me, struct sup *s, const struct rp__sup_add *b, const rp_msg *m)
{
    b->plan->taken = true;
    int rc = s->phase == RUNNING ? take_in(me->loop, s, b->plan->child, b->plan, b->site) : -ECANCELED;
    if (rc != 0)
        rp__sup_plan_let_go(me->loop->sys, b->plan);
    else if ((rc = start_one(me, s, &s->ward[s->n - 1])) != 0)
        let_go(me, s, s->n - 1, rc);
    (void)!(rc != 0 ? rp_reply_error(me, m, rc)
                    : rp_reply(me, m, &rp__sup_answer_type, &(struct rp__sup_answer){s->ward[s->n - 1].ref}));
}

static void on_removal(rp_self *me, struct sup *s, const struct rp__sup_removal *b, const rp_msg *m)
{
    for (size_t i = 0; i < s->n; i++)
        if (rp_ref_eq(s->ward[i].ref, b->child) && s->ward[i].remover.call == 0) {
            s->ward[i].leaving = true;
            (void)!rp_take_token(me, m, &s->ward[i].remover);
            return;
        }
    (void)!rp_reply_error(me, m, -ESRCH);
}

static void on_which(rp_self *me, struct sup *s, const struct rp__sup_which *b, const rp_msg *m)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->ward[i].number == b->number && !rp_ref_none(s->ward[i].ref)) {
            (void)!rp_reply(me, m, &rp__sup_answer_type, &(struct rp__sup_answer){s->ward[i].ref});
            return;
        }
    (void)!rp_reply_error(me, m, -ENOENT);
}

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    struct sup *s = state;
    const void *b;
    if ((b = rp_body(m, &rp__sup_start_type)))
        return on_start(me, s, b, m);
    if (s->phase == NEW && me->actor->flags & RP__A_KEPT)
        return before_start(me, s, m);
    if ((b = rp_body(m, &rp__fell_type)))
        on_fell(me, s, b);
    else if (rp_body(m, &tick_type))
        s->tick_at = RP_FOREVER;
    else if ((b = rp_body(m, &rp__sup_add_type)))
        on_add(me, s, b, m);
    else if ((b = rp_body(m, &rp__sup_removal_type)))
        on_removal(me, s, b, m);
    else if ((b = rp_body(m, &rp__sup_which_type)))
        on_which(me, s, b, m);
    else if ((b = rp_body(m, RP_EXIT_NOTICE)) && ((const struct rp_exit_notice *)b)->reason != 0)
        shut_down(s, ((const struct rp_exit_notice *)b)->reason);
    return step(me, s);
}

static void fini(rp_self *me, void *state, int reason)
{
    struct rp_loop *l = me->loop;
    struct sup *s = state;
    for (size_t i = 0; i < s->n; i++) {
        rp_token_drop(me, &s->ward[i].remover);
        rp__sup_plan_let_go(l->sys, s->ward[i].plan);
    }
    (void)answer(me, &s->starter, (rp_ref){0, 0}, s->rc < 0 ? s->rc : reason < 0 ? reason : -ECANCELED);
    if (s->ward)
        rp__pool_free(&l->pool, s->ward, s->room * sizeof *s->ward);
    if (s->log)
        rp__pool_free(&l->pool, s->log, (s->spec.restarts + 1) * sizeof *s->log);
    rp__sup_plan_free(l->sys, s->plan);
}

static int init(rp_self *me, void *state, void *arg)
{
    struct rp_loop *l = me->loop;
    struct sup *s = state;
    s->spec = *(const rp_supervisor *)arg;
    s->tick_at = RP_FOREVER;
    if (s->spec.within_ms == 0) {
        s->spec.restarts = s->spec.restarts ? s->spec.restarts : RESTARTS;
        s->spec.within_ms = WITHIN_MS;
    }
    if (s->spec.backoff_max_ms == 0)
        s->spec.backoff_max_ms = s->spec.backoff_ms < UINT32_MAX / LONGEST ? LONGEST * s->spec.backoff_ms : UINT32_MAX;
    if (s->spec.strategy > RP_REST_FOR_ONE || s->spec.restarts > RESTARTS_MAX)
        return -EINVAL;
    if (me->actor->flags & RP__A_KEPT)
        me->actor->extra->stash_limit = UINT32_MAX; /* its mailbox has a bound */
    s->log = rp__pool_get(&l->pool, (s->spec.restarts + 1) * sizeof *s->log);
    int rc = s->log ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < s->spec.nchildren; i++)
        rc = take_in(l, s, &s->spec.children[i], 0, rp__site_of(l, me->actor));
    if (rc != 0)
        fini(me, s, rc); /* which is for those that were born */
    else if (!(me->actor->flags & RP__A_KEPT))
        s->plan = arg;
    return rc;
}

const rp_actor rp__supervisor_actor = {
    .name = "supervisor", .handle = handle, .init = init, .fini = fini, .state_size = sizeof(struct sup), .flags = RP_TRAP,
};
