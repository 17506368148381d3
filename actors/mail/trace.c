/* SPDX-License-Identifier: MIT */
#include "actors/mail/trace.h"

#include "actors/mail/mail.h"
#include "loop/base/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WHO = 64, BODY = 256 };

static const char *address(char *to, uint64_t addr)
{
    if (addr == 0)
        return "-";
    to[0] = '#';
    rp__addr_text(to + 1, addr);
    return to;
}

static const char *who(char *to, const struct rp__actor *a)
{
    if (!a)
        return "-";
    int n = snprintf(to, WHO, "%.31s", a->kind && a->kind->name ? a->kind->name : "?");
    address(to + n, a->addr);
    return to;
}

static const char *where(char *to, const struct rp_loop *l, rp_ref r)
{
    if (r.node == l->node)
        return address(to, r.local);
    size_t n = r.local ? strlen(address(to, r.local)) : 0;
    snprintf(to + n, WHO - n, "%s%" PRIx64, n ? "@" : "node ", r.node);
    return to;
}

void rp__trace_of(struct rp_loop *l, unsigned category, const struct rp__actor *a, const char *what, const char *about)
{
    char name[WHO];
    rp__trace(l, category, "%s %s%s%s", who(name, a), what, about ? " " : "", about ? about : "");
}

void rp__trace_spawn(struct rp_loop *l, const struct rp__actor *a)
{
    char name[WHO], parent[WHO];
    rp__trace(l, RP__T_SPAWN, "%s by %s", who(name, a), address(parent, a->parent));
}

void rp__trace_end(struct rp_loop *l, const struct rp__actor *a)
{
    char name[WHO];
    rp__trace(l, RP__T_END, "%s %d%s%s", who(name, a), a->reason, a->why ? " " : "", a->why ? a->why : "");
}

void rp__trace_send(struct rp_loop *l, const struct rp__out *o, bool gone)
{
    char name[WHO], to[WHO], body[BODY];
    const char *from = who(name, l->running->actor);
    if (gone)
        snprintf(body, sizeof body, "%s", o->type->name);
    else
        rp_type_print(body, sizeof body, o->type, o->body);
    rp__trace(l, RP__T_SEND, "%s -> %s %s", from, where(to, l, o->to), body);
}

void rp__trace_recv(struct rp_loop *l, const struct rp__actor *a, struct rp__slot *s)
{
    char name[WHO], from[WHO], body[BODY];
    rp_type_print(body, sizeof body, rp__type(s->type), rp__body_of(s));
    bool far = rp__flags(s->type) & RP__F_NODE;
    rp__trace(l, RP__T_RECV, "%s <- %s %s", who(name, a),
              where(from, l, (rp_ref){far ? *rp__node_of(s) : l->node, s->from}), body);
}

void rp__trace_dead(struct rp_loop *l, struct rp__slot *s, const char *end, uint64_t count)
{
    char from[WHO], to[WHO];
    rp__trace(l, RP__T_DEAD, "%s %s -> %s %s, %" PRIu64, end, address(from, s->from), address(to, s->to),
              rp__type(s->type)->name, count);
}

static void trace_blame(struct rp_loop *l, const char *format, rp_ref asker, const struct rp__actor *by)
{
    char to[WHO], name[WHO], site[RP__SITE_TEXT], line[BODY];
    void *pc = rp__site_of(l, by);
    snprintf(line, sizeof line, format, where(to, l, asker), who(name, by));
    rp__trace(l, RP__T_DEAD, "%s%s%s", line, pc ? " spawned at " : "", pc ? rp__site_plain(site, pc) : "");
}

void rp__trace_unanswered(struct rp_loop *l, rp_ref asker, const struct rp__actor *by)
{
    trace_blame(l, "call of %s dropped unanswered by %s", asker, by);
}

void rp__trace_refused(struct rp_loop *l, rp_ref asker, const struct rp__actor *by)
{
    trace_blame(l, "call of %s answered once more, in vain, by %s", asker, by);
}

void rp__trace_late(struct rp_loop *l, uint64_t asker, const struct rp__actor *by)
{
    trace_blame(l, "call of %s answered too late by %s", rp__ref(l, asker), by);
}

void rp__trace_hook(struct rp_loop *l, const struct rp__actor *a, const char *hook, rp_time took)
{
    char name[WHO];
    rp__trace(l, RP__T_HOOK, "%s %s %.3f ms", who(name, a), hook, (double)took / RP_MS);
}

void rp__trace_demoted(struct rp_loop *l, const struct rp__actor *a, rp_time took)
{
    char name[WHO];
    rp__trace(l, RP__T_STALL, "%s is demoted: %.3f ms", who(name, a), (double)took / RP_MS);
}

void rp__trace_supervise(struct rp_loop *l, const struct rp__actor *a, const rp_supervision *e)
{
    static const char *const what[] = {"is told to stop", "starts", "fell", "starts again", "stopped", "is stuck", "is gone", "is given up"};
    char name[WHO], child[WHO], end[BODY] = "", count[WHO] = "", time[WHO] = "";
    if (e->what != RP_CHILD_STARTED && e->what != RP_CHILD_RESTARTED && e->reason != 0)
        snprintf(end, sizeof end, " %d%s%.100s", e->reason, *e->why ? " " : "", e->why);
    if (e->what == RP_CHILD_FELL || e->what == RP_CHILD_RESTARTED)
        snprintf(count, sizeof count, ", failure %" PRIu32 " in a row", e->failures);
    if (e->again > 0 && e->again != RP_FOREVER)
        rp__format(time, sizeof time, ", %s %.3f ms", e->what ? "again in" : "has", (double)(e->again - l->now) / RP_MS);
    rp__trace(l, RP__T_SUPERVISE, "%s: %.31s%s %s%s%s%s", who(name, a), e->name, address(child, e->child.local), what[e->what],
              end, count, time);
}

void rp__trace_tie(struct rp_loop *l, uint64_t one, const char *what, rp_ref other)
{
    char from[WHO], to[WHO];
    rp__trace(l, RP__T_LINK, "%s %s %s", one ? address(from, one) : "another node", what, where(to, l, other));
}

void rp__trace_down(struct rp_loop *l, rp_ref which, int reason, uint64_t told)
{
    char name[WHO], to[WHO];
    rp__trace(l, RP__T_LINK, "%s is down, %d: told to %s", where(name, l, which), reason, told ? address(to, told) : "another node");
}
