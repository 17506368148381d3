/* SPDX-License-Identifier: MIT
 *
 * dump.c - what inspect.c finds, as text: for people, and for the program `reparto`.
 */
#include "observe/dump.h"

#include "actors/table/runtime.h"
#include "loop/base/os.h"
#include "loop/system.h"
#include "loop/watch/freeze.h"
#include "loop/world/offload.h"
#include "observe/endpoint.h"
#include "observe/inspect.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 2000 };

static const char *const doing_names[] = {
    [RP_IDLE] = "idle", [RP_RUNNING] = "running", [RP_READY] = "ready",
    [RP_WAITING] = "waiting", [RP_ENDING] = "ending", [RP_FALLEN] = "fallen",
};

static const char *const placed_names[] = {
    [RP_PLACED_HERE] = "here", [RP_PLACED_SPREAD] = "spread", [RP_PLACED_LEAST] = "least", [RP_PLACED_KEY] = "key",
    [RP_PLACED_LOOP] = "loop", [RP_PLACED_MOVED] = "moved", [RP_PLACED_MOVER] = "mover",
};

const char *rp__ref_text(char *to, const rp_self *me, rp_ref r)
{
    if (rp_ref_none(r))
        return "-";
    size_t n = strlen(rp__addr_text(to, r.local));
    if (r.node != me->loop->node)
        snprintf(to + n, RP__REF_TEXT - n, "@%" PRIx64, r.node);
    return to;
}

static int64_t us(rp_time t)
{
    return t / RP_US;
}

/* ---- loops --------------------------------------------------------------------------------------- */

static void say_loop_heads(rp_self *me, struct rp__text *t)
{
    rp__say(me, t, "loop load%% turns wakeups actors ready queued inbound timers full stacks free blocks cpu_us own_us state\n");
}

static void say_loop_held(rp_self *me, struct rp__text *t, unsigned loop)
{
    rp__say(me, t, "%u - - - - - - - - - - - - - - held\n", loop);
}

void rp__say_held(rp_self *me, rp_system *sys, struct rp__text *t, unsigned loop)
{
    char line[RP__SEEN_TEXT];
    struct rp__runtime *rt = sys->up;
    rp__say(me, t, "# %s\n", rp__silence_text(rt->endpoint, loop, line, sizeof line));
}

static void say_loop(rp_self *me, struct rp__text *t, const rp_loop_info *i)
{
    rp__say(me, t,
            "%u %u.%u %" PRIu64 " %" PRIu64 " %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u %u %" PRId64 " %" PRId64 " %" PRId64 " ok\n",
            i->loop, i->load / 10, i->load % 10, i->turns, i->wakeups, i->actors, i->ready, i->queued, i->inbound,
            i->timers, i->full, i->stacks, i->stacks_free, i->pool_blocks, us(i->cpu), us(i->cpu_own));
}

int rp__say_loops(rp_self *me, struct rp__text *t, const char *rest)
{
    (void)rest;
    say_loop_heads(me, t);
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        rp_loop_info info;
        int rc = rp_inspect_loop(me, i, rp__look_until(me, i, PATIENCE_MS), &info);
        if (rc == 0)
            say_loop(me, t, &info);
        else if (rc == -ETIMEDOUT)
            say_loop_held(me, t, i);
        else
            return rc;
    }
    return t->rc;
}

int rp__say_loops_alone(rp_system *sys, struct rp__text *t, const char *rest)
{
    (void)rest;
    say_loop_heads(0, t);
    for (unsigned i = 0; i < sys->nloops; i++)
        say_loop_held(0, t, i);
    return t->rc;
}

/* ---- actors -------------------------------------------------------------------------------------- */

/* A line of text as one word, of which nothing is lost: %20 is a blank, %25 a per cent. */
static const char *as_word(char *to, size_t size, const char *from)
{
    size_t n = 0;
    for (; *from && n + 4 <= size; from++) {
        unsigned char c = (unsigned char)*from;
        if (c == ' ' || c == '%')
            n += (size_t)snprintf(to + n, 4, "%%%02X", c);
        else
            to[n++] = c > ' ' && c != 127 ? *from : '?';
    }
    to[n] = 0;
    return n > 0 ? to : "-";
}

static void say_actor(rp_self *me, struct rp__text *t, const rp_actor_info *a)
{
    char ref[RP__REF_TEXT], up[RP__REF_TEXT], on[RP__REF_TEXT], kind[32], name[48], waits[32];
    char object[32], info[3 * RP_INFO], site[RP__SITE_TEXT];
    rp_time now = rp_now(me);
    bool w = a->doing == RP_WAITING;
    for (size_t i = 0; i == 0 || waits[i - 1]; i++) /* a literal, of words with blanks between */
        waits[i] = a->waits[i] == ' ' ? '_' : i + 1 == sizeof waits ? 0 : a->waits[i];
    rp__say(me, t, "%s %u %s %u %s %s %s %s %s %" PRIxPTR " %" PRId64 " %" PRId64, rp__ref_text(ref, me, a->ref),
            a->task, rp__ref_text(up, me, a->parent), a->loop, rp__word_of(kind, sizeof kind, a->kind),
            rp__word_of(name, sizeof name, a->name), doing_names[a->doing], w && *waits ? waits : "-",
            rp__ref_text(on, me, a->on), (uintptr_t)a->object, w ? us(now - a->since) : 0,
            w && a->until != RP_FOREVER ? us(a->until - now) : -1);
    rp__say(me, t, " %u %u %u %" PRIu64 " %" PRId64 " %u %u %u %s%s%s%s %zu %zu %u %s %" PRId64 " %s %s %s\n", a->depth,
            a->stashed, a->limit, a->bytes, us(a->oldest), a->tasks, a->children, a->restarts, a->supervised ? "s" : "", a->stopping ? "e" : "",
            a->demoted ? "d" : "", a->supervised || a->stopping || a->demoted ? "" : "-", a->stack, a->stack_used, a->holders,
            rp__word_of(object, sizeof object, a->object_name), us(a->cpu), placed_names[a->placed],
            rp__word_of(site, sizeof site, rp__site_text(site, a->site)), as_word(info, sizeof info, a->info));
}

/* Gives each record to `say`. */
static int each_actor(rp_self *me, struct rp__text *t, void (*say)(rp_self *, struct rp__text *, const rp_actor_info *))
{
    rp_inspection *i;
    rp_actor_info a;
    int rc = rp_inspect(me, PATIENCE_MS, &i);
    if (rc != 0)
        return rc;
    while (t->rc == 0 && ((rc = rp_inspect_next(me, i, &a)) > 0 || rc == -ETIMEDOUT)) {
        if (rc > 0)
            say(me, t, &a);
        else
            rp__say_held(me, me->loop->sys, t, a.loop);
    }
    rp_inspect_end(me, i);
    return rc < 0 ? rc : t->rc;
}

static void say_actor_heads(rp_self *me, struct rp__text *t)
{
    rp__say(me, t, "ref task parent loop kind name doing waits on object since_us left_us depth stashed limit bytes "
            "oldest_us tasks children restarts flags stack used holders called cpu_us placed site info\n");
}

int rp__say_actors(rp_self *me, struct rp__text *t, const char *rest)
{
    (void)rest;
    say_actor_heads(me, t);
    return each_actor(me, t, say_actor);
}

static int say_all_held(rp_system *sys, struct rp__text *t)
{
    for (unsigned i = 0; i < sys->nloops; i++)
        rp__say_held(0, sys, t, i);
    return t->rc;
}

int rp__say_actors_alone(rp_system *sys, struct rp__text *t, const char *rest)
{
    (void)rest;
    say_actor_heads(0, t);
    return say_all_held(sys, t);
}

/* ---- a stack ------------------------------------------------------------------------------------- */

static bool parse_ref(rp_system *sys, const char *text, rp_ref *ret)
{
    unsigned loop, slot, number;
    char more;
    if (sscanf(text, "%u.%u.%u%c", &loop, &slot, &number, &more) != 3 || loop >= sys->nloops)
        return false;
    *ret = rp__ref(sys->loops[0], rp__address(loop, slot, number));
    return true;
}

/* module+offset is what addr2line wants, symbol+offset what the dynamic linker knows. */
static void say_frame(rp_self *me, struct rp__text *t, unsigned n, void *pc)
{
    Dl_info d = {0};
    bool known = dladdr(pc, &d) != 0;
    rp__say(me, t, "#%-2u %p %s+0x%" PRIxPTR, n, pc, known && d.dli_fname ? d.dli_fname : "?",
            (uintptr_t)pc - (uintptr_t)(known ? d.dli_fbase : 0));
    if (d.dli_sname)
        rp__say(me, t, " %s+0x%" PRIxPTR, d.dli_sname, (uintptr_t)pc - (uintptr_t)d.dli_saddr);
    rp__say(me, t, "\n");
}

int rp__whom(rp_system *sys, const char *rest, rp_ref *ret, unsigned *task)
{
    char who[256];
    *task = 0;
    if (sscanf(rest, "%255s %u", who, task) < 1)
        return -EINVAL;
    return parse_ref(sys, who, ret) ? 0 : rp__name_find(sys->up, who, ret, NULL);
}

/* Its loop does not answer: does it hold it? */
static int say_stack_of_holder(rp_self *me, rp_system *sys, struct rp__text *t, rp_ref who)
{
    struct rp__runtime *rt = sys->up;
    struct rp__seen seen;
    for (unsigned i = 0; i < sys->nloops; i++) {
        if (!rp__silence_seen(rt->endpoint, i, &seen) || !rp_ref_eq(seen.is.actor, who))
            continue;
        for (unsigned k = 0; k < seen.is.depth; k++)
            say_frame(me, t, k, seen.pc[k]);
        return t->rc;
    }
    return -ETIMEDOUT;
}

int rp__say_stack(rp_self *me, struct rp__text *t, const char *rest)
{
    enum { FRAMES = 64 };
    unsigned task;
    rp_ref ref;
    void *pc[FRAMES];
    int rc = rp__whom(me->loop->sys, rest, &ref, &task);
    if (rc != 0)
        return rc;
    int n = rp_backtrace(me, ref, task, pc, FRAMES);
    for (int i = 0; i < n; i++)
        say_frame(me, t, (unsigned)i, pc[i]);
    return n == -ETIMEDOUT ? say_stack_of_holder(me, me->loop->sys, t, ref) : n < 0 ? n : t->rc;
}

int rp__say_stack_alone(rp_system *sys, struct rp__text *t, const char *rest)
{
    unsigned task;
    rp_ref ref;
    int rc = rp__whom(sys, rest, &ref, &task);
    return rc != 0 ? rc : say_stack_of_holder(0, sys, t, ref);
}

/* ---- for people ---------------------------------------------------------------------------------- */

static void say_for_people(rp_self *me, struct rp__text *t, const rp_actor_info *a)
{
    char ref[RP__REF_TEXT], on[RP__REF_TEXT], name[48], info[RP_INFO], site[RP__SITE_TEXT];
    rp_time now = rp_now(me);
    if (a->task)
        rp__say(me, t, "%14s task %-15u %-8s", "", a->task, doing_names[a->doing]);
    else
        rp__say(me, t, "%-14s %-20s %-8s", rp__ref_text(ref, me, a->ref), rp__plain(name, sizeof name, a->name[0] ? a->name : a->kind), doing_names[a->doing]);
    if (a->depth)
        rp__say(me, t, " %u in its mailbox, the oldest %.3f s;", a->depth, (double)a->oldest / RP_S);
    if (a->doing == RP_WAITING)
        rp__say(me, t, " for %s", a->waits);
    if (!rp_ref_none(a->on))
        rp__say(me, t, " of %s", rp__ref_text(on, me, a->on));
    else if (a->object_name[0])
        rp__say(me, t, " %s", rp__plain(name, sizeof name, a->object_name));
    else if (a->object)
        rp__say(me, t, " %p", a->object);
    if (a->doing == RP_WAITING)
        rp__say(me, t, "%s, %.3f s", a->holders > 1 ? " and others" : "", (double)(now - a->since) / RP_S);
    if (a->cpu)
        rp__say(me, t, "; %.3f s of CPU time", (double)a->cpu / RP_S);
    if (a->site)
        rp__say(me, t, "; spawned at %s", rp__plain(site, sizeof site, rp__site_plain(site, a->site)));
    if (a->info[0])
        rp__say(me, t, " - %s", rp__plain(info, sizeof info, a->info));
    rp__say(me, t, "\n");
}

int rp__say_dump(rp_self *me, struct rp__text *t, const char *rest)
{
    int rc = rp__say_loops(me, t, rest);
    if (rc != 0)
        return rc;
    rp__say(me, t, "\n");
    return each_actor(me, t, say_for_people);
}

int rp__say_dump_alone(rp_system *sys, struct rp__text *t, const char *rest)
{
    rp__say_loops_alone(sys, t, rest);
    rp__say(0, t, "\n");
    return say_all_held(sys, t);
}

static int write_all(void *arg) /* off the loop */
{
    const struct rp__text *t = arg;
    for (size_t done = 0; done < t->n;) {
        ssize_t n = rp__os_write(t->fd, t->at + done, t->n - done);
        if (n < 0 && n != -EINTR)
            return (int)n;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int give_to_fd(rp_self *me, struct rp__text *t)
{
    return rp__offload_apart(me, write_all, t);
}

int rp_dump(rp_self *me, int fd)
{
    struct rp__text t = {.give = give_to_fd, .fd = fd};
    int rc = rp__text_open(me, &t);
    if (rc != 0)
        return rc;
    rc = rp__say_dump(me, &t, "");
    int end = rp__text_close(me, &t);
    return rc != 0 ? rc : end;
}
