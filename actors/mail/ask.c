/* SPDX-License-Identifier: MIT
 *
 * ask.c - many questions at once, in one wait.
 *
 * Each has a number of its own in the table of calls, and its reply goes into its rp_ask, wherever the asker is:
 * it may still wait for room to send the next question. The asker is woken when it is over; when the one it says that
 * it waits for (the first that is missing, of those in this process if there are any) is settled; and when none can be
 * spared any more: so that there is always a true edge.
 */
#include "actors/mail/ask.h"

#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/table/edge.h"
#include "actors/table/runtime.h"
#include "loop/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct many {
    rp_self *me;
    rp_ask *asks;
    unsigned n, enough, replied, failed;
    rp_ask *first; /* missing, and waited for */
    bool away;     /* none of those missing is in this process */
    int rc;        /* of the last failure */
};

/* An ask's opaque words: its number in the table, once it is on its way; the many it is one of, until it is settled; the
 * actor of this process that has it, or 0. */
enum { ID, OF, AT };

static struct many *many_of(const rp_ask *a)
{
    return (struct many *)(uintptr_t)a->opaque[OF];
}

static bool over(const struct many *w)
{
    return w->replied >= w->enough || w->failed > w->n - w->enough;
}

static bool none_to_spare(const struct many *w)
{
    return w->n - w->failed == w->enough;
}

static void settle(rp_ask *a, int rc, rp_msg *m, const char *blame, void *site)
{
    struct many *w = many_of(a);
    a->opaque[ID] = a->opaque[OF] = 0;
    a->reply = m;
    a->rc = rc;
    snprintf(a->blame, sizeof a->blame, "%.*s", (int)sizeof a->blame - 1, blame);
    a->blame_site = site;
    w->replied += rc == 0;
    w->failed += rc != 0;
    w->rc = rc != 0 ? rc : w->rc;
}

static bool leave_many(rp_self *me)
{
    (void)me;
    return true; /* the numbers are taken back when the stack runs again */
}

void rp__ask_settled(void *entry, int rc, rp_msg *m, const char *blame, void *site)
{
    rp_ask *a = (rp_ask *)(void *)((char *)entry - 1);
    struct many *w = many_of(a);
    settle(a, rc, m, blame, site);
    if (!over(w) && a != w->first && !(rc != 0 && none_to_spare(w)))
        return;
    if (w->me->state == RP__PARKED && w->me->cancel == leave_many)
        rp__wake(w->me, 0);
    else if (over(w))
        rp__interrupt(w->me, -EALREADY); /* it waits to send another, which is not needed any more */
}

/* ---- who waits for whom -------------------------------------------------------------------------- */

static bool waits(const struct many *w)
{
    return w->me->state == RP__PARKED && w->me->cancel == leave_many;
}

void rp__ask_has(void *entry, uint64_t who)
{
    rp_ask *a = (rp_ask *)(void *)((char *)entry - 1);
    struct many *w = many_of(a);
    if (a->opaque[AT] == 0 || a->opaque[AT] == who)
        return;
    a->opaque[AT] = who;
    if (waits(w) && a == w->first)
        w->me->waits_on = (const void *)(uintptr_t)who;
    if (waits(w) && rp__is_overdue(w->me))
        w->me->overdue(w->me);
}

unsigned rp__asks_missing(const rp_self *co, struct rp__missing *ret, unsigned room)
{
    void *entry = co->cancel == leave_many ? rp__id_find(&co->loop->actors->calls, (uint64_t)(uintptr_t)co->got) : 0;
    const struct many *w = entry ? many_of((const rp_ask *)(const void *)((char *)entry - 1)) : 0;
    unsigned found = 0;
    for (unsigned i = 0; w && i < w->n && found < room; i++)
        if (w->asks[i].opaque[ID] && w->asks[i].opaque[AT])
            ret[found++] = (struct rp__missing){w->asks[i].opaque[AT], w->asks[i].opaque[ID]};
    return found;
}

/* ---- asking -------------------------------------------------------------------------------------- */

/* 0: it is on its way, or settled, or there is no room; < 0: why nothing more can be asked. */
static int ask(struct many *w, rp_ask *a, rp_time until, bool wait, rp_time deadline)
{
    rp_self *me = w->me;
    struct rp__ids *calls = &me->loop->actors->calls;
    uint64_t id = rp__id_new(calls, &me->loop->sys->mem, rp__entry_of_ask(a));
    if (!id) {
        settle(a, -ENOMEM, 0, "", 0);
        return 0;
    }
    a->opaque[ID] = id;
    int rc = rp__send_call(me, a->to, a->type, a->body, id, until, wait, deadline);
    if (rc == 0)
        return 0;
    rp__id_free(calls, id);
    a->opaque[ID] = 0;
    if (rc == -ECANCELED || rc == -ETIMEDOUT || rc == -EPERM)
        return rc;
    if (rc != -EALREADY && (wait || rc != -EAGAIN))
        settle(a, rc, 0, "", 0);
    return 0;
}

/* First those that have room, so that one that is full delays nobody; then the rest. */
static int ask_all(struct many *w, rp_time until, rp_time deadline)
{
    int rc = 0;
    for (unsigned i = 0; i < w->n && rc == 0 && !over(w); i++)
        rc = ask(w, &w->asks[i], until, false, deadline);
    for (unsigned i = 0; i < w->n && rc == 0 && !over(w); i++)
        if (w->asks[i].opaque[OF] && !w->asks[i].opaque[ID])
            rc = ask(w, &w->asks[i], until, true, deadline);
    return rc;
}

static rp_ask *first_missing(struct many *w)
{
    for (unsigned i = w->first ? (unsigned)(w->first - w->asks) : 0; i < w->n; i++)
        if (w->asks[i].opaque[ID] && (w->away || w->asks[i].opaque[AT]))
            return &w->asks[i];
    if (w->away)
        return 0; /* not while it is not over: every one is settled or on its way */
    w->away = true;
    w->first = 0;
    return first_missing(w);
}

static int await(struct many *w, rp_time deadline)
{
    int rc = 0;
    while (rc == 0 && !over(w)) {
        w->first = first_missing(w);
        w->me->got = (void *)(uintptr_t)w->first->opaque[ID];
        rp_ref on = w->away ? w->first->to : rp__ref(w->me->loop, w->first->opaque[AT]);
        rc = rp__park_on(w->me, none_to_spare(w) ? RP__EDGE_CALL : RP__EDGE_NONE, "replies", on, leave_many, deadline);
    }
    return rc;
}

/* Nobody waits for those that are missing any more. */
static void give_up(struct many *w, int rc)
{
    struct rp__ids *calls = &w->me->loop->actors->calls;
    for (unsigned i = 0; i < w->n; i++) {
        rp_ask *a = &w->asks[i];
        if (a->opaque[ID])
            rp__id_free(calls, a->opaque[ID]);
        if (a->opaque[OF])
            a->rc = rc;
        a->opaque[ID] = a->opaque[OF] = 0;
    }
}

int rp_call_many(rp_self *me, rp_ask *asks, unsigned n, unsigned enough, rp_time deadline)
{
    if (!asks)
        return -EINVAL;
    struct many w = {.me = me, .asks = asks, .n = n, .enough = enough ? enough : n};
    int rc = n == 0 || enough > n || !me->actor ? -EINVAL : rp__may_park(me, RP_FOREVER);
    if (rc == 0)
        rc = rp__make_room(me, n + 1); /* more than hands */
    for (unsigned i = 0; i < n; i++) {
        asks[i].reply = 0;
        asks[i].rc = rc;
        asks[i].blame[0] = 0;
        asks[i].opaque[ID] = 0;
        asks[i].opaque[OF] = (uint64_t)(uintptr_t)&w;
        asks[i].opaque[AT] = asks[i].to.node == me->loop->node ? asks[i].to.local : 0;
    }
    if (rc != 0)
        return rc;
    rp_time given = deadline;
    deadline = rp__while_asked(me, given);
    rc = ask_all(&w, rp__earliest(me, deadline), deadline);
    if (rc == 0)
        rc = await(&w, deadline);
    if (w.replied >= w.enough)
        rc = 0;
    else if (rc == 0)
        rc = w.rc;
    give_up(&w, rc != 0 && !over(&w) ? rc : -ECANCELED);
    for (unsigned i = 0; i < n; i++) {
        if (asks[i].reply)
            rp__put_by(me, asks[i].reply);
        if (rc != 0 && asks[i].rc == rc)
            rp__not_its_own(me, asks[i].to, rc, deadline < given);
    }
    return rc;
}

void rp_asks_drop(rp_self *me, rp_ask *asks, unsigned n)
{
    for (unsigned i = 0; asks && i < n; i++) {
        rp_msg_drop(me, asks[i].reply);
        asks[i].reply = 0;
    }
}
