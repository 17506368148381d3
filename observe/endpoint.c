/* SPDX-License-Identifier: MIT */
#include "observe/endpoint.h"

#include "loop/base/os.h"
#include "loop/world/host.h"
#include "observe/places.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    ASK_MS = 5000,       /* a client has for its request, */
    ANSWER_MS = 60000,   /* and to read the answer */
    LOOK_MS = 200,       /* a loop that has not answered for so long is looked at, */
    FRESH_MS = 100,      /* and again when that was longer ago; */
    LOOKS_MS = 1000,     /* all of them at once take so long at most */
    PATIENCE_MS = 2000,  /* a loop of which nothing is seen counts as held after that */
    WATCH_MS = 300,      /* a loop that serves somebody is asked so often, */
    BREAK_MS = 5000,     /* and has so long to go on with an answer that it has begun */
    REST_MS = 200,       /* before it is tried again to accept */
    REFUSALS = 5,        /* by loops that answer, but have no memory for a client */
    MOST = 4 << 20,      /* bytes of an answer that the thread writes */
    SAME_PID = 16        /* systems of one process */
};

/* ---- loops --------------------------------------------------------------------------------------- */

static rp_time owes_since(const struct rp__asked *a)
{
    return atomic_load_explicit(&a->since, memory_order_relaxed);
}

static void ask(struct rp__asked *a, unsigned loop, rp_time now)
{
    if (a->gone || owes_since(a) != 0)
        return;
    atomic_store_explicit(&a->since, now, memory_order_relaxed);
    if (rp__inbox_push(a->e->sys->loops[loop], &a->post) == 0)
        return;
    a->gone = true;
    atomic_store_explicit(&a->since, 0, memory_order_relaxed);
}

static void ask_all(struct rp__endpoint *e, rp_time now)
{
    for (unsigned i = 0; i < e->sys->nloops; i++)
        ask(&e->loop[i], i, now);
}

/* Without the lock in between: the thread that is frozen may wait for it. */
static void look_at(struct rp__endpoint *e, unsigned loop)
{
    struct rp__asked *a = &e->loop[loop];
    struct rp__seen seen = {0};
    rp_time since = owes_since(a);
    pthread_mutex_unlock(&e->lock);
    enum rp__found found = e->sys->seats ? rp__freeze(e->sys, loop, &seen) : RP__FOUND_NOBODY;
    rp_time now = rp__os_now();
    pthread_mutex_lock(&e->lock);
    if (owes_since(a) != since)
        return; /* it has answered meanwhile */
    a->found = found;
    a->seen = seen;
    a->seen.is.held = now - (seen.round && seen.round < since ? seen.round : since);
    a->seen_at = now;
}

static void look_at_silent(struct rp__endpoint *e)
{
    rp_time end = rp__os_now() + LOOKS_MS * RP_MS;
    for (unsigned i = 0; i < e->sys->nloops; i++) {
        const struct rp__asked *a = &e->loop[i];
        rp_time now = rp__os_now();
        if (now < end && owes_since(a) != 0 && now - owes_since(a) >= LOOK_MS * RP_MS &&
            (a->seen_at == 0 || now - a->seen_at >= FRESH_MS * RP_MS))
            look_at(e, i);
    }
}

/* It does not answer, and if it did not for want of a processor there has been time enough. */
static bool is_held(const struct rp__asked *a, rp_time now)
{
    if (owes_since(a) == 0)
        return a->gone;
    bool seen = a->seen_at != 0 && a->found == RP__FOUND_RUNNING && !rp_ref_none(a->seen.is.actor);
    return seen || now - owes_since(a) >= PATIENCE_MS * RP_MS;
}

static bool all_held(const struct rp__endpoint *e, rp_time now)
{
    for (unsigned i = 0; i < e->sys->nloops; i++)
        if (!is_held(&e->loop[i], now))
            return false;
    return true;
}

rp_time rp__silence(const struct rp__endpoint *e, unsigned loop)
{
    rp_time since = e ? owes_since(&e->loop[loop]) : 0;
    return since ? rp__os_now() - since : 0;
}

/* NOBODY: it has not been looked at, either. */
static enum rp__found last_seen(struct rp__endpoint *e, unsigned loop, struct rp__seen *ret)
{
    if (!e)
        return RP__FOUND_NOBODY;
    pthread_mutex_lock(&e->lock);
    const struct rp__asked *a = &e->loop[loop];
    enum rp__found found = a->seen_at != 0 ? a->found : RP__FOUND_NOBODY;
    *ret = a->seen;
    pthread_mutex_unlock(&e->lock);
    ret->is.stack = ret->pc;
    return found;
}

bool rp__silence_seen(struct rp__endpoint *e, unsigned loop, struct rp__seen *ret)
{
    return last_seen(e, loop, ret) == RP__FOUND_RUNNING;
}

const char *rp__silence_text(struct rp__endpoint *e, unsigned loop, char *to, size_t size)
{
    struct rp__seen seen;
    enum rp__found found = last_seen(e, loop, &seen);
    if (found == RP__FOUND_RUNNING)
        (void)rp__seen_text(to, size, &seen.is);
    else if (found == RP__FOUND_AWAY)
        snprintf(to, size, "loop %u not %s for %lld ms", loop, rp__host_ticks(e->sys) ? "ticked" : "run by its host",
                 (long long)(seen.is.held / RP_MS));
    else
        snprintf(to, size, "loop %u is held: it does not answer", loop);
    return to;
}

/* ---- a client ------------------------------------------------------------------------------------ */

static void drop(struct rp__endpoint *e, struct rp__place *p)
{
    rp__socket_end(p->fd);
    rp__socket_close(p->fd);
    rp__free_mem(e->sys, p->out, p->room);
    p->out = 0;
    p->n = p->room = p->done = 0;
    p->state = RP__PLACE_FREE;
}

static void offer(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    look_at_silent(e); /* those that were silent before, as they are now: whoever serves will want to know */
    p->state = RP__PLACE_OFFERED;
    p->refused = 0;
    p->next = now;
    ask_all(e, now);
}

struct kept { /* text of the thread's own */
    struct rp__text text;
    rp_system *sys;
    struct rp__place *p;
};

static int make_room(rp_system *sys, struct rp__place *p, size_t n)
{
    size_t room = p->room ? p->room : RP__TEXT_ROOM;
    while (room - p->n < n) /* bounded by MOST */
        room *= 2;
    if (room == p->room)
        return 0;
    char *out = room <= MOST ? rp__alloc(sys, room) : 0;
    if (!out)
        return -ENOMEM;
    if (p->n > 0)
        memcpy(out, p->out, p->n);
    rp__free_mem(sys, p->out, p->room);
    p->out = out;
    p->room = room;
    return 0;
}

static int keep(rp_self *me, struct rp__text *t)
{
    struct kept *k = RP__OF(struct kept, text, t);
    (void)me;
    int rc = make_room(k->sys, k->p, t->n);
    if (rc != 0)
        return rc;
    memcpy(k->p->out + k->p->n, t->at, t->n);
    k->p->n += t->n;
    return 0;
}

static struct kept begin_answer(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    p->state = RP__PLACE_ANSWERS;
    p->next = now + ANSWER_MS * RP_MS;
    return (struct kept){.text = {.give = keep, .at = e->block}, .sys = e->sys, .p = p};
}

static void refuse(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    struct kept k = begin_answer(e, p, now);
    rp__say(0, &k.text, "error: longer than %zu bytes\n", sizeof p->q.text - 1);
    rp__text_flush(0, &k.text);
}

static void read_from(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    int rc = rp__request_read(&p->q, p->fd);
    if (rc > 0)
        offer(e, p, now);
    else if (rc == -E2BIG)
        refuse(e, p, now);
    else if (rc < 0 || now >= p->next)
        drop(e, p);
}

/* Without the lock in between, which words take. */
static void answer_alone(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    struct kept k = begin_answer(e, p, now);
    pthread_mutex_unlock(&e->lock);
    rp__request_answer(0, e->sys, e->words, &p->q, &k.text);
    rp__text_flush(0, &k.text);
    pthread_mutex_lock(&e->lock);
}

/* Nobody has taken it yet. */
static void press(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    look_at_silent(e);
    if (p->state != RP__PLACE_OFFERED)
        return; /* now somebody has */
    p->next = now + LOOK_MS * RP_MS;
    if (all_held(e, now))
        answer_alone(e, p, now);
    else if (p->refused >= REFUSALS)
        drop(e, p);
    else
        ask_all(e, now);
}

/* The loop that serves it is held: perhaps another one answers. */
static void take_back(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    struct rp__serving *s = p->by;
    int fd = s->begun ? -EPIPE : rp__socket_again(s->fd);
    s->place = 0;
    if (fd < 0)
        rp__socket_end(s->fd); /* the answer breaks off */
    p->state = fd < 0 ? RP__PLACE_FREE : RP__PLACE_READS;
    p->fd = fd;
    if (fd >= 0)
        offer(e, p, now);
}

static void watch_over(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    bool first = p->next == 0; /* it has just been taken */
    look_at_silent(e);
    if (p->state != RP__PLACE_SERVED)
        return; /* it has been answered meanwhile */
    unsigned loop = p->by->l->index;
    struct rp__asked *a = &e->loop[loop];
    rp_time since = owes_since(a);
    p->next = now + WATCH_MS * RP_MS;
    if (since != 0 && (p->by->begun ? now - since >= BREAK_MS * RP_MS : is_held(a, now)))
        take_back(e, p, now);
    else if (!first)
        ask(a, loop, now);
}

static void write_to(struct rp__endpoint *e, struct rp__place *p, rp_time now)
{
    ssize_t n = 0;
    while (p->done < p->n && (n = rp__socket_write(p->fd, p->out + p->done, p->n - p->done)) > 0)
        p->done += (size_t)n;
    if (p->done == p->n || (n < 0 && n != -EAGAIN) || now >= p->next)
        drop(e, p);
}

/* `ready`: it may be read or written. */
static void tend(struct rp__endpoint *e, struct rp__place *p, bool ready)
{
    rp_time now = rp__os_now();
    bool due = now >= p->next;
    if (p->state == RP__PLACE_READS && (ready || due))
        read_from(e, p, now);
    if (p->state == RP__PLACE_SERVED && due)
        watch_over(e, p, now);
    if (p->state == RP__PLACE_OFFERED && now >= p->next)
        press(e, p, now);
    if (p->state == RP__PLACE_ANSWERS)
        write_to(e, p, now);
}

static struct rp__place *free_place(struct rp__endpoint *e)
{
    for (unsigned i = 0; i < RP__PLACES; i++)
        if (e->place[i].state == RP__PLACE_FREE)
            return &e->place[i];
    return 0;
}

static void accept_some(struct rp__endpoint *e)
{
    for (struct rp__place *p; (p = free_place(e));) { /* bounded by the places */
        int fd = rp__socket_accept(e->fd);
        rp_time now = rp__os_now();
        if (fd < 0) {
            if (fd != -EAGAIN && fd != -ECONNABORTED && fd != -EINTR)
                e->rest = now + REST_MS * RP_MS; /* the kernel has no more to give */
            return;
        }
        p->state = RP__PLACE_READS;
        p->fd = fd;
        p->q.n = 0;
        p->next = now + ASK_MS * RP_MS;
    }
}

/* ---- the thread ---------------------------------------------------------------------------------- */

/* What it waits for, and until when. */
static rp_time gather(struct rp__endpoint *e, struct pollfd *fds)
{
    bool rests = e->rest > rp__os_now();
    bool accepts = !e->closing && free_place(e) != 0;
    rp_time until = accepts && rests ? e->rest : RP_FOREVER;
    fds[0] = (struct pollfd){.fd = e->flag, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = accepts && !rests ? e->fd : -1, .events = POLLIN};
    for (unsigned i = 0; i < RP__PLACES; i++) {
        const struct rp__place *p = &e->place[i];
        bool ours = p->state == RP__PLACE_READS || p->state == RP__PLACE_ANSWERS;
        fds[2 + i] = (struct pollfd){.fd = ours ? p->fd : -1, .events = p->state == RP__PLACE_READS ? POLLIN : POLLOUT};
        if (p->state != RP__PLACE_FREE && p->next < until)
            until = p->next;
    }
    return until;
}

/* Waits, without the lock. */
static void wait_for_any(struct rp__endpoint *e, struct pollfd *fds)
{
    enum { DOZE = 20000000 };
    rp_time until = gather(e, fds);
    pthread_mutex_unlock(&e->lock);
    int rc = rp__os_poll(fds, 2 + RP__PLACES, until);
    if (rc < 0) { /* any of them may be: all is tried after a while */
        rp__os_doze(DOZE);
        for (unsigned i = 0; i < 2 + RP__PLACES; i++)
            fds[i].revents = fds[i].events;
    }
    if (fds[0].revents)
        rp__os_flag_lower(e->flag);
    pthread_mutex_lock(&e->lock);
}

/* Nothing more is accepted or read; who is served is told to stop, by its loop. */
static void shut(struct rp__endpoint *e)
{
    e->shut = true;
    for (unsigned i = 0; i < RP__PLACES; i++)
        if (e->place[i].state != RP__PLACE_FREE && e->place[i].state != RP__PLACE_SERVED)
            drop(e, &e->place[i]);
    rp__socket_close(e->fd);
    e->fd = -1;
    rp__socket_remove(e->path);
    for (struct rp__hook *at = e->servings.next; at != &e->servings; at = at->next) {
        unsigned loop = RP__OF(struct rp__serving, all, at)->l->index;
        ask(&e->loop[loop], loop, rp__os_now());
    }
}

static bool over(struct rp__endpoint *e)
{
    if (e->closing && !e->shut)
        shut(e);
    return e->abandoned || (e->closing && e->live == 0);
}

static void *endpoint_main(void *arg)
{
    struct rp__endpoint *e = arg;
    struct pollfd fds[2 + RP__PLACES];
    pthread_mutex_lock(&e->lock);
    while (!over(e)) { /* unbounded: while the system lives */
        wait_for_any(e, fds);
        if (fds[1].revents && !e->closing)
            accept_some(e);
        for (unsigned i = 0; i < RP__PLACES && !e->closing; i++)
            tend(e, &e->place[i], fds[2 + i].revents != 0);
    }
    bool in_order = e->closing;
    pthread_mutex_unlock(&e->lock);
    if (in_order)
        (void)rp__inbox_push(e->sys->loops[0], &e->over); /* it has ended: nobody waits for us */
    return 0;
}

static void tell_closed(struct rp__post *p, struct rp_loop *l)
{
    RP__OF(struct rp__endpoint, over, p)->closed(l);
}

/* ---- life ---------------------------------------------------------------------------------------- */

static int listen_at(struct rp__endpoint *e, const char *path)
{
    if (snprintf(e->path, sizeof e->path, "%s", path) >= (int)sizeof e->path)
        return -ENAMETOOLONG;
    return rp__socket_listen(e->path);
}

/* DIR/reparto.PID; and .1, .2 for other systems of this process. */
static int listen_in(struct rp__endpoint *e, const char *dir)
{
    int fd = -EADDRINUSE;
    for (unsigned i = 0; i < SAME_PID && fd == -EADDRINUSE; i++) {
        char path[RP__SOCKET_PATH];
        int n = snprintf(path, sizeof path, i ? "%s/reparto.%u.%u" : "%s/reparto.%u", dir, rp__os_pid(), i);
        fd = n >= (int)sizeof path ? -ENAMETOOLONG : listen_at(e, path);
    }
    return fd;
}

static struct rp__endpoint *endpoint_new(rp_system *sys, const struct rp__word *words)
{
    size_t size = sizeof(struct rp__endpoint) + sys->nloops * sizeof(struct rp__asked);
    struct rp__endpoint *e = rp__alloc(sys, size);
    if (!e)
        return 0;
    memset(e, 0, size);
    e->size = size;
    e->sys = sys;
    e->words = words;
    e->fd = e->flag = -1;
    e->over.fn = tell_closed;
    rp__list_init(&e->servings);
    pthread_mutex_init(&e->lock, 0);
    for (unsigned i = 0; i < sys->nloops; i++) {
        e->loop[i].e = e;
        e->loop[i].post.fn = rp__serve_offered;
    }
    return e;
}

/* `*ret` is set before there is a thread: what it makes loops do may look there. */
static int open_at(rp_system *sys, const char *path, const char *dir, const struct rp__word *words,
                   struct rp__endpoint **ret)
{
    struct rp__endpoint *e = endpoint_new(sys, words);
    if (!e)
        return -ENOMEM;
    *ret = e;
    int rc = e->flag = rp__os_flag_open();
    if (rc >= 0)
        rc = e->fd = path ? listen_at(e, path) : listen_in(e, dir);
    if (rc >= 0)
        rc = rp__os_silent_thread(&e->thread, endpoint_main, e);
    if (rc == 0)
        return 0;
    *ret = 0;
    rp__endpoint_free(e, &sys->mem);
    return rc;
}

int rp__endpoint_open(struct rp_loop *l, const char *path, const struct rp__word *words, struct rp__endpoint **ret)
{
    *ret = 0;
    if (!l->world->wait_fd)
        return path ? -ENOTSUP : 0;
    const char *dir = path ? 0 : rp__os_env("RP_INSPECT");
    if (!path && !dir)
        return 0;
    int rc = open_at(l->sys, path, dir, words, ret);
    if (rc == 0 || path)
        return rc;
    /* who has set it wants to know; the program knows nothing of it, and goes on */
    rp__report(l->sys, &(rp_report){.kind = RP_REPORT_FAILURE, .err = rc}, "RP_INSPECT=%s: %s", dir, rp_strerror(rc));
    return 0;
}

static void tell_thread(struct rp__endpoint *e, void (*closed)(struct rp_loop *l))
{
    pthread_mutex_lock(&e->lock);
    e->closed = closed;
    e->closing |= closed != 0;
    e->abandoned |= closed == 0;
    pthread_mutex_unlock(&e->lock);
    rp__os_flag_raise(e->flag);
}

void rp__endpoint_close(struct rp__endpoint *e, void (*closed)(struct rp_loop *l))
{
    tell_thread(e, closed);
}

void rp__endpoint_join(struct rp__endpoint *e)
{
    if (!e || e->sys->forked)
        return; /* in a forked child there is no such thread */
    tell_thread(e, 0);
    pthread_join(e->thread, 0);
}

/* After a system that did not end in peace there may be clients left. */
void rp__endpoint_free(struct rp__endpoint *e, const rp_alloc *mem)
{
    if (!e)
        return;
    for (struct rp__hook *at; (at = rp__list_pop(&e->servings));) {
        struct rp__serving *s = RP__OF(struct rp__serving, all, at);
        rp__socket_close(s->fd);
        mem->free(mem->ud, s, sizeof *s);
    }
    for (struct rp__place *p = e->place; p < e->place + RP__PLACES; p++) {
        if (p->state != RP__PLACE_FREE && p->state != RP__PLACE_SERVED)
            rp__socket_close(p->fd);
        if (p->out)
            mem->free(mem->ud, p->out, p->room);
    }
    if (e->fd >= 0) {
        rp__socket_close(e->fd);
        rp__socket_remove(e->path);
    }
    if (e->flag >= 0)
        rp__os_flag_close(e->flag);
    pthread_mutex_destroy(&e->lock);
    mem->free(mem->ud, e, e->size);
}
