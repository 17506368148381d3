/* SPDX-License-Identifier: MIT
 *
 * metrics.c - what the loops have counted and measured, added up and written down.
 */
#include "reparto/metrics.h"

#include "actors/table/meter.h"
#include "actors/table/runtime.h"
#include "loop/system.h"
#include "loop/watch/stall.h"
#include "observe/census.h"
#include "observe/words.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

_Static_assert(sizeof(rp_time) == sizeof(uint64_t), "figures of a kind are all eight bytes");

/* ---- counters ------------------------------------------------------------------------------------ */

static uint64_t counted(const _Atomic uint64_t *of)
{
    return atomic_load_explicit(of, memory_order_relaxed);
}

static void add_loop(rp_metrics *m, const struct rp_loop *l)
{
    rp__ledger_add(&m->messages, l);
    for (unsigned i = 0; i < RP_DROPPED_WHYS; i++)
        m->dropped[i] += counted(&l->tally[RP__DROPPED_WHY + i]);
    m->turns += counted(&l->turns);
    m->wakeups += counted(&l->wakeups);
    m->spawned += counted(&l->tally[RP__SPAWNED]);
    m->ended += counted(&l->tally[RP__ENDED]);
    m->failed += counted(&l->tally[RP__FAILED]);
    m->restarted += counted(&l->tally[RP__RESTARTED]);
    m->demoted += counted(&l->tally[RP__DEMOTED]);
    m->stalls += rp__stalls_of(l);
    m->stacks += counted(&l->gauge[RP__G_STACKS]);
    m->stack_bytes += counted(&l->gauge[RP__G_STACK_BYTES]);
    m->pool_blocks += counted(&l->gauge[RP__G_POOL_BLOCKS]);
    m->pool_bytes += counted(&l->gauge[RP__G_POOL_BYTES]);
}

static int read_counters(const rp_system *sys, unsigned loop, rp_metrics *ret)
{
    if (loop >= sys->nloops && loop != RP_ALL_LOOPS)
        return -EINVAL;
    *ret = (rp_metrics){0};
    for (unsigned i = 0; i < sys->nloops; i++)
        if (i == loop || loop == RP_ALL_LOOPS)
            add_loop(ret, sys->loops[i]);
    return 0;
}

int rp_metrics_read(const rp_self *me, unsigned loop, rp_metrics *ret)
{
    if (!ret)
        return -EINVAL;
    return read_counters(me->loop->sys, loop, ret);
}

/* ---- times --------------------------------------------------------------------------------------- */

enum { PLACES = RP__METER_SLOTS + 1 }; /* of a loop's timings; the last is that of the others */

static const struct rp__timing *timing_at(const rp_system *sys, unsigned i)
{
    struct rp__meter *m = atomic_load_explicit(&sys->loops[i / PLACES]->actors->meter, memory_order_acquire);
    unsigned at = i % PLACES;
    if (!m)
        return 0;
    return at < RP__METER_SLOTS ? atomic_load_explicit(&m->at[at], memory_order_acquire) : &m->others;
}

static const char *name_of(const struct rp__timing *g)
{
    return g->type ? g->type->name : "(others)";
}

/* Over all loops, of types of that name. */
static void sum(const rp_system *sys, const char *name, bool service, struct rp__counts *ret)
{
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; i < sys->nloops * PLACES; i++) {
        const struct rp__timing *g = timing_at(sys, i);
        if (g && strcmp(name_of(g), name) == 0)
            rp__counts_add(ret, service ? &g->service : &g->wait);
    }
}

static uint64_t times_of(const rp_system *sys, const rp_type *t, bool service, rp_times *ret)
{
    struct rp__counts c;
    sum(sys, t->name, service, &c);
    if (ret)
        *ret = (rp_times){
            .count = c.total,
            .mean = c.total ? (rp_time)(c.sum / c.total) : 0,
            .p50 = (rp_time)rp__counts_at(&c, 0.5),
            .p99 = (rp_time)rp__counts_at(&c, 0.99),
            .p999 = (rp_time)rp__counts_at(&c, 0.999),
            .max = (rp_time)rp__counts_at(&c, 1),
        };
    return c.total;
}

int rp_times_read(const rp_self *me, const rp_type *t, rp_times *wait, rp_times *service)
{
    if (!t || !t->name)
        return -EINVAL;
    const rp_system *sys = me->loop->sys;
    uint64_t n = times_of(sys, t, false, wait);
    return (times_of(sys, t, true, service) | n) == 0 ? -ENOENT : 0;
}

/* ---- Prometheus ---------------------------------------------------------------------------------- */

struct row {
    const char *name, *kind, *help;
    size_t offset; /* in rp_metrics */
};

#define ROW(name, kind, member, help) {name, kind, help, offsetof(rp_metrics, member)}
static const struct row of_loop[] = {
    ROW("turns_total", "counter", turns, "Turns taken."),
    ROW("wakeups_total", "counter", wakeups, "Times the loop woke after it had blocked."),
    ROW("actors_spawned_total", "counter", spawned, "Actors that came to life."),
    ROW("actors_ended_total", "counter", ended, "Actors that have ended."),
    ROW("actors_failed_total", "counter", failed, "Incarnations of actors that ended with an error."),
    ROW("actors_restarted_total", "counter", restarted, "Incarnations begun by supervisors."),
    ROW("actors_demoted_total", "counter", demoted, "Actors that held the loop for too long with a message."),
    ROW("stalls_total", "counter", stalls, "Reports that the loop was held."),
    ROW("mailbox_high_water", "gauge", messages.high_water, "Messages in the longest mailbox there has been."),
    ROW("lost_signals_total", "counter", messages.lost_signals, "Signals lost because memory and its reserve were spent."),
    ROW("stacks", "gauge", stacks, "Stacks in use."),
    ROW("stack_bytes", "gauge", stack_bytes, "Address space carved into stacks."),
};
static const struct row of_system[] = {
    ROW("pool_blocks", "gauge", pool_blocks, "Pool blocks in use."),
    ROW("pool_bytes", "gauge", pool_bytes, "Bytes that the pools have taken from the allocator."),
};
static const char *const whys[RP_DROPPED_WHYS] = {
    [RP_DROPPED_NEW] = "new", [RP_DROPPED_OLD] = "old", [RP_DROPPED_REPLACED] = "replaced",
    [RP_DROPPED_RESTART] = "restart", [RP_DROPPED_MEMORY] = "memory", [RP_DROPPED_REFUSED] = "refused",
    [RP_DROPPED_SHED] = "shed",
};
static const struct row of_messages[] = { /* by what became of them */
    ROW("sent", "", messages.sent, ""),
    ROW("arrived", "", messages.arrived, ""),
    ROW("handled", "", messages.handled, ""),
    ROW("left", "", messages.left, ""),
    ROW("dead", "", messages.dead, ""),
    ROW("dropped", "", messages.dropped, ""),
    ROW("late", "", messages.late, ""),
    ROW("expired", "", messages.expired, ""),
};

enum { ROWS_OF_LOOP = sizeof of_loop / sizeof *of_loop, ROWS_OF_SYSTEM = sizeof of_system / sizeof *of_system,
       ROWS_OF_MESSAGES = sizeof of_messages / sizeof *of_messages };

static uint64_t value(const rp_metrics *m, const struct row *r)
{
    uint64_t v;
    memcpy(&v, (const char *)m + r->offset, sizeof v);
    return v;
}

static void head(rp_self *me, struct rp__text *t, const char *name, const char *kind, const char *help)
{
    rp__say(me, t, "# HELP reparto_%s %s\n# TYPE reparto_%s %s\n", name, help, name, kind);
}

static void put_loops(rp_self *me, const rp_system *sys, struct rp__text *t)
{
    rp_metrics m;
    head(me, t, "messages_total", "counter", "Messages by what became of them; sent and arrived are those that came to be.");
    for (unsigned i = 0; read_counters(sys, i, &m) == 0; i++)
        for (unsigned k = 0; k < ROWS_OF_MESSAGES; k++)
            rp__say(me, t, "reparto_messages_total{loop=\"%u\",event=\"%s\"} %" PRIu64 "\n", i, of_messages[k].name,
                    value(&m, &of_messages[k]));
    head(me, t, "messages_dropped_total", "counter", "Messages that were dropped, by why.");
    for (unsigned i = 0; read_counters(sys, i, &m) == 0; i++)
        for (unsigned k = 0; k < RP_DROPPED_WHYS; k++)
            rp__say(me, t, "reparto_messages_dropped_total{loop=\"%u\",why=\"%s\"} %" PRIu64 "\n", i, whys[k],
                    m.dropped[k]);
    for (unsigned k = 0; k < ROWS_OF_LOOP; k++) {
        head(me, t, of_loop[k].name, of_loop[k].kind, of_loop[k].help);
        for (unsigned i = 0; read_counters(sys, i, &m) == 0; i++)
            rp__say(me, t, "reparto_%s{loop=\"%u\"} %" PRIu64 "\n", of_loop[k].name, i, value(&m, &of_loop[k]));
    }
}

static bool profiled(const rp_system *sys)
{
    bool yes = false;
    for (unsigned i = 0; i < sys->nloops; i++)
        yes |= rp__profiled(sys->loops[i]);
    return yes;
}

/* From the first time that somebody asks for it. */
static void put_cpu(rp_self *me, const rp_system *sys, struct rp__text *t)
{
    if (!profiled(sys))
        return;
    head(me, t, "loop_cpu_seconds_total", "counter", "CPU time of the loop's thread, while somebody asked for it (rp_profile).");
    for (unsigned i = 0; i < sys->nloops; i++)
        rp__say(me, t, "reparto_loop_cpu_seconds_total{loop=\"%u\"} %.9g\n", i,
                (double)atomic_load_explicit(&sys->loops[i]->profile.all, memory_order_relaxed) / RP_S);
    head(me, t, "loop_own_cpu_seconds_total", "counter", "What of that was no actor's.");
    for (unsigned i = 0; i < sys->nloops; i++)
        rp__say(me, t, "reparto_loop_own_cpu_seconds_total{loop=\"%u\"} %.9g\n", i,
                (double)atomic_load_explicit(&sys->loops[i]->profile.own, memory_order_relaxed) / RP_S);
}

static void put_system(rp_self *me, const rp_system *sys, struct rp__text *t)
{
    rp_metrics m;
    (void)read_counters(sys, RP_ALL_LOOPS, &m); /* there is always that */
    for (unsigned k = 0; k < ROWS_OF_SYSTEM; k++) {
        head(me, t, of_system[k].name, of_system[k].kind, of_system[k].help);
        rp__say(me, t, "reparto_%s %" PRId64 "\n", of_system[k].name, (int64_t)value(&m, &of_system[k]));
    }
    head(me, t, "messages_in_flight", "gauge", "Messages that have come to be and not ended, in rings, mailboxes and hands.");
    const rp_ledger *l = &m.messages;
    rp__say(me, t, "reparto_messages_in_flight %" PRId64 "\n",
            (int64_t)(l->sent + l->arrived - l->handled - l->left - l->dead - l->dropped - l->late - l->expired));
}

/* A label's value: backslash, quote and line feed are escaped. */
static void put_label(rp_self *me, struct rp__text *t, const char *s)
{
    for (; *s; s++) {
        if (*s == '\\' || *s == '"')
            rp__say(me, t, "\\%c", *s);
        else if (*s == '\n')
            rp__say(me, t, "\\n");
        else
            rp__say(me, t, "%c", *s);
    }
}

static void put_series(rp_self *me, struct rp__text *t, const char *name, const char *suffix, const char *type)
{
    rp__say(me, t, "reparto_%s_%s{type=\"", name, suffix);
    put_label(me, t, type);
    rp__say(me, t, "\"");
}

static void put_times(rp_self *me, const rp_system *sys, struct rp__text *t, const char *name, const char *type, bool service)
{
    enum { FROM = 7, TO = 35 }; /* 128 ns to 34 s, by powers of two */
    struct rp__counts c;
    sum(sys, type, service, &c);
    if (c.total == 0)
        return;
    for (unsigned log = FROM; log <= TO; log++) {
        put_series(me, t, name, "bucket", type);
        rp__say(me, t, ",le=\"%.9g\"} %" PRIu64 "\n", (double)(UINT64_C(1) << log) / 1e9, rp__counts_below(&c, log));
    }
    put_series(me, t, name, "bucket", type);
    rp__say(me, t, ",le=\"+Inf\"} %" PRIu64 "\n", c.total);
    put_series(me, t, name, "sum", type);
    rp__say(me, t, "} %.9f\n", (double)c.sum / 1e9);
    put_series(me, t, name, "count", type);
    rp__say(me, t, "} %" PRIu64 "\n", c.total);
}

static bool first_of_name(const rp_system *sys, unsigned i, const char *name)
{
    for (unsigned k = 0; k < i; k++) {
        const struct rp__timing *g = timing_at(sys, k);
        if (g && strcmp(name_of(g), name) == 0)
            return false;
    }
    return true;
}

static void put_histograms(rp_self *me, const rp_system *sys, struct rp__text *t, const char *name, const char *help,
                           bool service)
{
    head(me, t, name, "histogram", help);
    for (unsigned i = 0; i < sys->nloops * PLACES; i++) {
        const struct rp__timing *g = timing_at(sys, i);
        if (g && first_of_name(sys, i, name_of(g)))
            put_times(me, sys, t, name, name_of(g), service);
    }
}

/* ---- what has to be counted ------------------------------------------------------------------------ */

static void put_kind(rp_self *me, struct rp__text *t, const char *name, const struct rp__kind *k, double value)
{
    rp__say(me, t, "reparto_%s{kind=\"", name);
    put_label(me, t, k->name);
    rp__say(me, t, "\"} %.15g\n", value);
}

static const struct kind_row {
    const char *name, *help;
    size_t offset; /* in struct rp__kind */
    double unit;
} of_kind[] = {
    {"actors", "Actors that live.", offsetof(struct rp__kind, actors), 1},
    {"mailbox_messages", "Messages that stand in mailboxes.", offsetof(struct rp__kind, messages), 1},
    {"mailbox_messages_max", "Messages in the longest mailbox.", offsetof(struct rp__kind, most), 1},
    {"mailbox_bytes", "Bytes of the messages in mailboxes.", offsetof(struct rp__kind, bytes), 1},
    {"mailbox_oldest_seconds", "For how long, at least, the oldest message has stood in a mailbox.",
     offsetof(struct rp__kind, oldest), 1e9},
    {"actors_cpu_seconds", "CPU time of the actors that live, while somebody asked for it (rp_profile).",
     offsetof(struct rp__kind, cpu), 1e9}, /* the last: only where it is known */
};

static void put_held(rp_self *me, struct rp__text *t, unsigned n)
{
    head(me, t, "loops_held", "gauge", "Loops that did not say what their actors have; those are missing above.");
    rp__say(me, t, "reparto_loops_held %u\n", n);
}

static int put_kinds(rp_self *me, struct rp__text *t)
{
    struct rp__kinds *k;
    int rc = rp__census_kinds(me, &k);
    if (rc != 0)
        return rc;
    struct rp__kind *others = &k->of[RP__KINDS];
    strcpy(others->name, "(others)");
    for (unsigned r = 0; r < sizeof of_kind / sizeof *of_kind - !profiled(me->loop->sys); r++) {
        uint64_t v;
        head(me, t, of_kind[r].name, "gauge", of_kind[r].help);
        for (unsigned i = 0; i <= RP__KINDS; i++) {
            memcpy(&v, (const char *)&k->of[i] + of_kind[r].offset, sizeof v);
            if (i < k->n || (i == RP__KINDS && others->actors > 0))
                put_kind(me, t, of_kind[r].name, &k->of[i], (double)v / of_kind[r].unit);
        }
    }
    put_held(me, t, k->held);
    rp__free_mem(me->loop->sys, k, sizeof *k);
    return 0;
}

static const struct row of_link[] = {
    {"link_queued_bytes", "gauge", "Bytes that wait to go out.", offsetof(struct rp__link_figures, queued)},
    {"link_credit_used_bytes", "gauge", "Bytes sent to the peer's actors that they have not taken yet.",
     offsetof(struct rp__link_figures, credit)},
    {"link_targets", "gauge", "Actors of the peer that have such bytes.", offsetof(struct rp__link_figures, targets)},
};

static int put_links(rp_self *me, struct rp__text *t)
{
    struct rp__links *k;
    int rc = rp__census_links(me, &k);
    for (unsigned r = 0; rc == 0 && k && r < sizeof of_link / sizeof *of_link; r++) {
        uint64_t v;
        head(me, t, of_link[r].name, of_link[r].kind, of_link[r].help);
        for (unsigned i = 0; i < k->n; i++) {
            memcpy(&v, (const char *)&k->of[i] + of_link[r].offset, sizeof v);
            rp__say(me, t, "reparto_%s{link=\"%" PRIu64 "\",peer=\"", of_link[r].name, k->of[i].id);
            put_label(me, t, k->of[i].peer);
            rp__say(me, t, "\"} %" PRIu64 "\n", v);
        }
    }
    if (rc == 0)
        rp__free_mem(me->loop->sys, k, sizeof *k);
    return rc;
}

static void put_all_times(rp_self *me, const rp_system *sys, struct rp__text *t)
{
    put_histograms(me, sys, t, "message_wait_seconds", "From being sent to its actor beginning with it.", false);
    put_histograms(me, sys, t, "message_service_seconds", "From there to its actor having done with it.", true);
}

int rp__say_metrics(rp_self *me, struct rp__text *t, const char *rest)
{
    (void)rest;
    put_loops(me, me->loop->sys, t);
    put_cpu(me, me->loop->sys, t);
    put_system(me, me->loop->sys, t);
    int rc = put_kinds(me, t);
    if (rc == 0)
        rc = put_links(me, t);
    if (rc != 0)
        return rc;
    put_all_times(me, me->loop->sys, t);
    return t->rc;
}

int rp__say_metrics_alone(rp_system *sys, struct rp__text *t, const char *rest)
{
    (void)rest;
    put_loops(0, sys, t);
    put_cpu(0, sys, t);
    put_system(0, sys, t);
    put_held(0, t, sys->nloops);
    put_all_times(0, sys, t);
    return t->rc;
}

struct into { /* memory of a fixed size */
    struct rp__text text;
    char *to;
    size_t size, n;
};

static int keep(rp_self *me, struct rp__text *t)
{
    struct into *m = RP__OF(struct into, text, t);
    size_t room = m->n < m->size ? m->size - m->n : 0, n = t->n < room ? t->n : room;
    (void)me;
    if (n > 0)
        memcpy(m->to + m->n, t->at, n);
    m->n += t->n;
    return 0;
}

int rp_metrics_text(rp_self *me, char *to, size_t size)
{
    if (!to && size > 0)
        return -EINVAL;
    struct into m = {.text.give = keep, .to = to, .size = size};
    int rc = rp__text_open(me, &m.text);
    if (rc != 0)
        return rc;
    rc = rp__say_metrics(me, &m.text, "");
    int end = rp__text_close(me, &m.text);
    rc = rc != 0 ? rc : end;
    if (size > 0)
        to[m.n < size ? m.n : size - 1] = 0;
    return rc != 0 ? rc : m.n < INT_MAX ? (int)m.n : INT_MAX;
}
