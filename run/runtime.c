/* SPDX-License-Identifier: MIT
 *
 * runtime.c - a system with actors in it: the root comes first and, when it has ended, all is over.
 */
#include "actors/cast/plan.h"
#include "actors/life/life.h"
#include "actors/mail/hands.h"
#include "actors/mail/letters.h"
#include "actors/mail/mail.h"
#include "actors/table/look.h"
#include "actors/table/meter.h"
#include "actors/table/post.h"
#include "actors/table/reports.h"
#include "actors/table/runtime.h"
#include "actors/table/talk.h"
#include "actors/table/where.h"
#include "actors/table/why.h"
#include "actors/wait/rights.h"
#include "loop/base/os.h"
#include "loop/visit.h"
#include "loop/watch/stall.h"
#include "observe/words.h"
#include "reparto/embed.h"

#include <errno.h>
#include <string.h>

/* ---- what a loop has of it ------------------------------------------------------------------------ */

static int open_actors(struct rp_loop *l)
{
    struct rp__actors *t = rp__alloc(l->sys, sizeof *t);
    if (!t)
        return -ENOMEM;
    memset(t, 0, sizeof *t);
    l->actors = t;
    l->types = &t->types;
    rp__runtime(l)->book.sys = l->sys;
    rp__types_open(&t->types, &rp__runtime(l)->book);
    t->free = RP__NOBODY;
    t->todo = RP__NOBODY;
    t->spread = l->index;
    t->sites = rp__runtime(l)->opts.sites;
    rp__list_init(&t->looks);
    rp__list_init(&t->held);
    t->calls.tag = t->timers.tag = l->index;
    t->where.at = t->where.few;
    t->where.size = RP__WHERE_BUCKETS;
    return rp__chunks_open(t) == 0 && rp__reserve_ready(l) ? 0 : -ENOMEM;
}

static void close_actors(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    if (!t)
        return;
    rp__reserve_fini(l);
    rp__looks_fini(l);
    rp__where_fini(l);
    rp__talk_close(l);
    rp__chunks_close(t);
    rp__free_mem(l->sys, t->lent, l->sys->nloops * sizeof *t->lent);
    rp__dead_free(l);
    rp__meter_free(l);
    rp__kinds_close(l);
    rp__ids_fini(&t->calls, &l->sys->mem);
    rp__ids_fini(&t->timers, &l->sys->mem);
    rp__free_mem(l->sys, t, sizeof *t);
    l->actors = 0;
}

static const struct rp__floor floor_of_actors = {
    open_actors, close_actors, rp__dispatch, rp__suspended, rp__discard, rp__name_of, rp__about, rp__expects,
    rp__say_waiting, rp__task_puts_down, rp__right_came, rp__overdue, rp__stalled_at, rp__overran, rp__ran,
};

/* ---- its end, and its begin ------------------------------------------------------------------------ */

static void unwatched(struct rp_loop *l)
{
    struct rp__runtime *rt = rp__runtime(l);
    if (rt->route)
        rt->route->closing(l);
    else
        rp__system_stop(l->sys);
}

static void root_ended(struct rp_loop *l, int reason)
{
    struct rp__runtime *rt = rp__runtime(l);
    rt->root_rc = reason;
    if (rt->endpoint)
        rp__endpoint_close(rt->endpoint, unwatched);
    else
        unwatched(l);
}

static void route_closed(struct rp_loop *l)
{
    rp__system_stop(l->sys);
}

static void start_root(struct rp__post *p, struct rp_loop *l)
{
    struct rp__runtime *rt = RP__OF(struct rp__runtime, start, p);
    int rc = rt->cluster_open ? rt->cluster_open(l) : 0; /* what fails in it is reported there */
    if (rc == 0 && (rc = rp__endpoint_open(l, rt->opts.inspect, rp__words, &rt->endpoint)) != 0)
        rp__report_opts(&rt->opts, rc, ".inspect", "is \"%s\": no socket can be opened there", rt->opts.inspect);
    if (rc == 0 && (rc = rp__spawn_root(l, &rt->root, rt->root_arg)) != 0)
        rp__report_opts(&rt->opts, rc, "The root", "could not be made, or its init has returned that");
    if (rc != 0)
        root_ended(l, rc);
}

/* In order with what the root's loop has for it. */
static void quit(struct rp__post *p, struct rp_loop *l)
{
    struct rp__runtime *rt = RP__OF(struct rp__runtime, quit, p);
    struct rp__slot s = rp__stop_slot(l, rt->root_addr, 0, rt->quit_why, 0, 0);
    atomic_store_explicit(&rt->quitting, false, memory_order_release);
    if (rt->root_addr)
        rp__post_sure(l, &s);
}

static void tell_to_quit(rp_system *sys, const char *why)
{
    struct rp__runtime *rt = sys->up;
    if (sys->forked || atomic_exchange_explicit(&rt->quitting, true, memory_order_acquire))
        return;
    rt->quit_why = rp__text_kept(sys, why ? why : "told to quit", rt->quit_text, sizeof rt->quit_text);
    (void)rp__inbox_push(sys->loops[0], &rt->quit); /* it has ended: so be it */
}

/* Safe in a signal handler: some atomics and a write, and errno is as it was. */
void rp_quit(rp_system *sys, const char *why)
{
    int before = errno;
    struct rp__door *d = rp__visit(sys);
    if (!d)
        return;
    tell_to_quit(sys, why);
    rp__visit_end(d);
    errno = before;
}

/* Whoever calls rp_run or its like gets a number alone. */
static int refuse_root(const rp_actor *root, const rp_system_opts *o)
{
    const char *wrong = !root ? "is NULL" : root->run ? "has both .run and .handle: exactly one is wanted"
                                                      : "has neither .run nor .handle: exactly one is wanted";
    rp__report_opts(o, -EINVAL, "The root's rp_actor", "%s", wrong);
    return -EINVAL;
}

static void report_refused(const rp_system_opts *o, int rc)
{
    if (rc == -EINVAL && o->loops > RP__LOOPS_MAX)
        rp__report_opts(o, rc, ".loops", "is %u: at most %d", o->loops, RP__LOOPS_MAX);
    else if (rc == -EINVAL || rc == -EBUSY)
        rp__report_opts(o, rc, ".stall_signal", "is %d: a real-time signal is wanted that nothing else has a handler for",
                        o->stall_signal);
    else
        rp__report_opts(o, rc, "The kernel", "has no memory, thread or descriptor for %u loops", o->loops);
}

int rp__runtime_new(const rp_actor *root, void *arg, const rp_system_opts *o, const struct rp__world *world,
                    void *world_ud, struct rp__runtime **ret)
{
    if (!root || (root->run != 0) == (root->handle != 0))
        return refuse_root(root, o);
    if (o->mem && (!o->mem->alloc || !o->mem->free)) {
        rp__report_opts(o, -EINVAL, ".mem", "lacks .alloc or .free: give both, or leave .mem NULL for malloc");
        return -EINVAL;
    }
    if (o->stack > RP__STACK_MAX) {
        rp__report_opts(o, -EINVAL, ".stack", "is %zu: at most %d (64 MiB)", o->stack, RP__STACK_MAX);
        return -EINVAL;
    }
    struct rp__system_opts so = {
        .loops = o->loops,
        .mem = o->mem,
        .world = world,
        .world_ud = world_ud,
        .floor = &floor_of_actors,
        .lookout = &rp__lookout,
        .spin = o->spin_us < 0 ? 0 : rp__times(o->spin_us ? o->spin_us : 50, RP_US),
        .chaos = o->chaos_seed,
        .in_host = world_ud && world->real,
        .unmeasured = o->unmeasured,
        .budget = o->demote_ms * RP_MS,
        .frozen = o->inspect || rp__os_env("RP_INSPECT"),
        .freeze_signo = o->stall_signal,
        .stall = {o->stall_ms * RP_MS, o->on_stall, o->stall_ud},
        .on_report = o->on_report,
        .report_ud = o->report_ud,
    };
    const rp_alloc *mem = o->mem ? o->mem : &rp__libc_alloc;
    struct rp__runtime *rt = mem->alloc(mem->ud, sizeof *rt);
    if (!rt)
        return -ENOMEM;
    memset(rt, 0, sizeof *rt);
    rp__typebook_open(&rt->book, mem);
    int rc = rp__given_keep(rt, root, o, mem);
    rt->opts.sites = o->sites || rp__os_asked("RP_SITES");
    rt->root_arg = arg;
    rt->start.fn = start_root;
    rt->quit.fn = quit;
    rt->root_ended = root_ended;
    rt->closed = route_closed;
    so.up = rt;
    if (rc == 0 && (rc = rp__system_new(&so, &rt->sys)) != 0)
        report_refused(o, rc);
    else if (rc == 0 && (rc = rp__types_meet(&rt->book, (const rp_type **)(uintptr_t)rt->opts.types)) != 0) /* says why */
        rp__system_free(rt->sys);
    if (rc != 0) {
        rp__typebook_close(&rt->book);
        rp__given_free(rt, mem);
        mem->free(mem->ud, rt, sizeof *rt);
        return rc;
    }
    pthread_mutex_init(&rt->names_lock, 0);
    rp__list_init(&rt->name_waits);
    rp__list_init(&rt->name_watches);
    rp__list_init(&rt->lent);
    rp__inbox_push(rt->sys->loops[0], &rt->start);
    *ret = rt;
    return 0;
}

/* What no loop will read any more. Every actor has ended, so these are dead letters. */
static void sweep(rp_system *sys)
{
    for (unsigned i = 0; i < sys->nloops; i++) {
        struct rp_loop *l = sys->loops[i];
        for (struct rp__slot *s; (s = rp__events_peek(&l->events));) {
            rp__events_pop(&l->events, rp__slots(s->type));
            s->type &= ~RP__FLAG(RP__F_HEAVY);
            rp__discard(l, s);
        }
        for (unsigned k = 0; k < sys->nloops; k++) {
            struct rp__ring *r = atomic_load_explicit(&l->in[k], memory_order_acquire);
            for (unsigned n; r && r->chead != r->ptail; rp__ring_done(r, n)) {
                struct rp__slot *s = rp__ring_at(r);
                n = s->type == RP__PAD ? (unsigned)s->to : rp__slots(s->type);
                s->type &= ~RP__FLAG(RP__F_HEAVY);
                if (s->type != RP__PAD)
                    rp__discard(l, s);
            }
        }
        for (struct rp__slot s[RP__SURE_SLOTS]; rp__held_take(l, s);)
            rp__discard(l, s);
        for (struct rp__spill *s; (s = rp__spill_take(l));) {
            rp__discard(l, s->slot);
            rp__spill_free(l, s);
        }
    }
}

int rp__runtime_result(struct rp__runtime *rt)
{
    int orphan = atomic_load_explicit(&rt->orphan_rc, memory_order_relaxed);
    sweep(rt->sys);
    if (rt->opts.ledger)
        rp__ledger_sum(rt->sys, rt->opts.ledger);
    return rt->root_rc != 0 ? rt->root_rc : orphan;
}

void rp__runtime_free(struct rp__runtime *rt)
{
    if (!rt)
        return;
    rp_alloc mem = rt->sys->mem;
    rp__endpoint_join(rt->endpoint);
    rp__sup_plans_end(rt->sys);
    rp__system_free(rt->sys);
    rp__typebook_close(&rt->book);
    rp__endpoint_free(rt->endpoint, &mem);
    rp__given_free(rt, &mem);
    pthread_mutex_destroy(&rt->names_lock);
    mem.free(mem.ud, rt, sizeof *rt);
}

void rp_ledger_read(rp_self *me, rp_ledger *ret)
{
    if (ret)
        rp__ledger_sum(me->loop->sys, ret);
}
