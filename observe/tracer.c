/* SPDX-License-Identifier: MIT
 *
 * tracer.c - somebody outside reads along for a while: the lines of RP_TRACE, to who asks at the endpoint.
 *
 * Each loop writes its own lines to the client's socket, and waits for nobody: what finds no room there is counted as
 * lost. To begin and to end it each loop gets a post, and marks its actors, or unmarks them, some thousands at a time. The
 * tracer belongs to all who have a post of it out, and to who serves the client; the last of them lets go of the socket. So
 * a loop that is held, and comes to its post long after, still finds it.
 */
#include "actors/mail/trace.h"
#include "actors/table/runtime.h"
#include "loop/base/os.h"
#include "loop/process/socket.h"
#include "loop/system.h"
#include "observe/words.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    STEPS = 4096,     /* actors that are marked in one go */
    USUAL_MS = 10000,
    MOST_MS = 50000,  /* a client has a minute for its answer */
    LOOK_MS = 50,     /* so often it is seen whether the reader is there still; */
    SETTLE_MS = 1000  /* and so long a loop may take to hear that it is over, if the last line is to be the last */
};

struct session;

struct mark { /* goes to a loop, and again until it has been at all actors */
    struct rp__post post;
    struct session *s;
    uint32_t slot;
};

struct session {
    struct rp__tracer t;
    rp_system *sys;
    /* Who has a part in it. acq_rel where it goes down: whoever ends it sees what the others have done with it. */
    _Atomic uint32_t parts;
    struct mark mark[]; /* for each loop one to begin, then for each one to end */
};

static size_t size_of(const rp_system *sys)
{
    return sizeof(struct session) + 2 * sys->nloops * sizeof(struct mark);
}

static void let_go(struct session *s)
{
    if (atomic_fetch_sub_explicit(&s->parts, 1, memory_order_acq_rel) > 1)
        return;
    rp__socket_close(s->t.fd);
    rp__free_mem(s->sys, s, size_of(s->sys));
}

/* ---- on each loop -------------------------------------------------------------------------------- */

static void mark_some(struct rp__post *p, struct rp_loop *l)
{
    struct mark *m = RP__OF(struct mark, post, p);
    struct rp__actors *t = l->actors;
    for (int steps = STEPS; steps > 0 && m->slot < t->count; steps--) {
        struct rp__actor *a = rp__actor_at(t, m->slot++);
        if (a->addr != 0)
            rp__trace_actor(l, a);
    }
    p->fn = mark_some;
    if (m->slot >= t->count || rp__inbox_push(l, p) != 0)
        let_go(m->s);
}

static void set(struct rp_loop *l, struct mark *m, struct rp__tracer *t)
{
    bool marks = m->s->t.categories & RP__T_RECV;
    rp__trace_set(l, t);
    m->slot = marks ? 0 : UINT32_MAX;
    mark_some(&m->post, l);
}

static void begin(struct rp__post *p, struct rp_loop *l)
{
    struct mark *m = RP__OF(struct mark, post, p);
    set(l, m, &m->s->t);
}

static void end(struct rp__post *p, struct rp_loop *l)
{
    set(l, RP__OF(struct mark, post, p), 0);
}

static void tell_all(struct session *s, void (*fn)(struct rp__post *, struct rp_loop *), struct mark *marks)
{
    for (unsigned i = 0; i < s->sys->nloops; i++) {
        marks[i] = (struct mark){.post.fn = fn, .s = s};
        atomic_fetch_add_explicit(&s->parts, 1, memory_order_relaxed);
        if (rp__inbox_push(s->sys->loops[i], &marks[i].post) != 0)
            let_go(s); /* that one has ended */
    }
}

/* ---- who serves ---------------------------------------------------------------------------------- */

static bool alone(const struct session *s)
{
    return atomic_load_explicit(&s->parts, memory_order_relaxed) == 1;
}

static struct session *session_new(rp_self *me, int fd, uint32_t categories)
{
    rp_system *sys = me->loop->sys;
    struct session *s = rp__alloc(sys, size_of(sys));
    if (!s)
        return 0;
    *s = (struct session){.t = {.categories = categories}, .sys = sys};
    atomic_init(&s->parts, 1);
    s->t.fd = rp__socket_again(fd);
    if (s->t.fd >= 0)
        return s;
    rp__free_mem(sys, s, size_of(sys));
    return 0;
}

/* It may have shut its own half only, and read on. */
static bool reader_gone(const struct session *s)
{
    struct pollfd p = {.fd = s->t.fd};
    return atomic_load_explicit(&s->t.gone, memory_order_relaxed) || (rp__os_poll(&p, 1, 0) > 0 && p.revents & POLLHUP);
}

static void read_along(rp_self *me, struct session *s, int64_t ms)
{
    int rc = 0;
    tell_all(s, begin, s->mark);
    for (rp_time until = rp_in_ms(me, ms); rc == 0 && rp_now(me) < until;) {
        rp_time next = rp_in_ms(me, LOOK_MS);
        rc = reader_gone(s) ? -EPIPE : rp_sleep(me, next < until ? next : until);
    }
    tell_all(s, end, s->mark + s->sys->nloops);
    for (rp_time until = rp_in_ms(me, SETTLE_MS); rc == 0 && !alone(s) && rp_now(me) < until;)
        rc = rp_sleep(me, rp_in_ms(me, 1));
}

static int trace(rp_self *me, struct rp__text *t, uint32_t categories, int64_t ms)
{
    rp__say(me, t, "# for %" PRId64 " ms\n", ms);
    rp__text_flush(me, t); /* before the first line of a loop */
    struct session *s = t->rc == 0 ? session_new(me, t->fd, categories) : 0;
    if (!s)
        return t->rc != 0 ? t->rc : -ENOMEM;
    read_along(me, s, ms);
    rp__say(me, t, "# %" PRIu64 " lines lost\n", atomic_load_explicit(&s->t.lost, memory_order_relaxed));
    let_go(s);
    return t->rc;
}

static void unknown(const char *name, size_t n, void *ud)
{
    (void)name, (void)n;
    *(bool *)ud = true;
}

static int parse(const char *rest, uint32_t *categories, int64_t *ms)
{
    char list[128];
    bool wrong = false;
    int n = sscanf(rest, "%127s %" SCNd64, list, ms);
    *categories = n >= 1 ? rp__trace_categories(list, unknown, &wrong) : 0;
    return wrong || *categories == 0 || *ms <= 0 || *ms > MOST_MS ? -EINVAL : 0;
}

int rp__say_trace(rp_self *me, struct rp__text *t, const char *rest)
{
    struct rp__runtime *rt = rp__runtime(me->loop);
    uint32_t categories;
    int64_t ms = USUAL_MS;
    bool nobody = false;
    int rc = parse(rest, &categories, &ms);
    if (rc != 0)
        return rc;
    if (!atomic_compare_exchange_strong_explicit(&rt->read_along, &nobody, true, memory_order_acquire, memory_order_relaxed))
        return -EBUSY;
    rc = trace(me, t, categories, ms);
    atomic_store_explicit(&rt->read_along, false, memory_order_release);
    return rc;
}
