/* SPDX-License-Identifier: MIT */
#include "loop/endpoint.h"

#include "loop/os.h"
#include "loop/scope.h"
#include "loop/socket.h"
#include "loop/system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    CLIENTS = 8,
    REQUEST = 4096,  /* bytes, with an HTTP client's headers */
    ASK_MS = 5000,   /* for the request, */
    ANSWER_MS = 60000, /* and for reading the answer */
    SAME_PID = 16    /* systems of one process */
};

struct client {
    rp_self *co; /* NULL: the place is free */
    int fd;
};

struct rp__endpoint {
    struct rp_loop *l;
    const struct rp__word *words;
    rp_self *acceptor; /* NULL: it has ended */
    bool crowded;      /* it waits for a place */
    unsigned live;     /* coroutines */
    struct client client[CLIENTS];
    void (*closed)(struct rp_loop *l); /* it is to close */
    int fd;            /* < 0: closed */
    char path[RP__SOCKET_PATH];
};

static int wait_for(rp_self *me, int fd, bool write, rp_time until)
{
    return me->loop->world->wait_fd(me, fd, write, until);
}

static void one_less(struct rp__endpoint *e)
{
    if (--e->live == 0 && e->closed)
        e->closed(e->l);
}

/* ---- a client ------------------------------------------------------------------------------------ */

struct request {
    char text[REQUEST];
    char *word, *rest;
    bool http;
};

/* Is it there? An HTTP request ends with an empty line. */
static bool complete(const char *text)
{
    if (strncmp(text, "GET ", 4) == 0)
        return strstr(text, "\n\r\n") || strstr(text, "\n\n");
    return strchr(text, '\n') != 0;
}

static int read_request(rp_self *me, int fd, struct request *q)
{
    rp_time until = rp_in_ms(me, ASK_MS);
    size_t n = 0;
    for (;;) { /* bounded: by bytes and by time */
        q->text[n] = 0;
        if (complete(q->text))
            return 0;
        if (n + 1 == sizeof q->text)
            return -E2BIG;
        ssize_t got = rp__socket_read(fd, q->text + n, sizeof q->text - 1 - n);
        if (got == 0)
            return -EPIPE;
        int rc = got == -EAGAIN ? wait_for(me, fd, false, until) : got < 0 ? (int)got : 0;
        if (rc != 0)
            return rc;
        n += got > 0 ? (size_t)got : 0;
    }
}

/* "word rest", or "GET /word?rest HTTP/1.1". */
static void parse(struct request *q)
{
    q->http = strncmp(q->text, "GET ", 4) == 0;
    q->word = q->text + (q->http ? 4 : 0);
    q->word[strcspn(q->word, "\r\n")] = 0;
    if (q->http) {
        q->word += q->word[0] == '/';
        q->word[strcspn(q->word, " ")] = 0;
    }
    q->rest = q->word + strcspn(q->word, " ?");
    if (*q->rest)
        *q->rest++ = 0;
}

static int give_to_client(rp_self *me, struct rp__text *t)
{
    for (size_t done = 0; done < t->n;) { /* bounded: by time */
        ssize_t n = rp__socket_write(t->fd, t->at + done, t->n - done);
        int rc = n == -EAGAIN ? wait_for(me, t->fd, true, t->until) : n < 0 ? (int)n : 0;
        if (rc != 0)
            return rc;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static const struct rp__word *find(const struct rp__endpoint *e, const char *word)
{
    for (const struct rp__word *w = e->words; w->word; w++)
        if (strcmp(w->word, word) == 0)
            return w;
    return 0;
}

static int help(rp_self *me, const struct rp__endpoint *e, struct rp__text *t)
{
    for (const struct rp__word *w = e->words; w->word; w++)
        rp__say(me, t, "%-10s %s\n", w->word, w->help);
    return 0;
}

static void answer(rp_self *me, const struct rp__endpoint *e, struct request *q, struct rp__text *t)
{
    const struct rp__word *w = find(e, q->word);
    bool known = w || strcmp(q->word, "help") == 0;
    if (q->http)
        rp__say(me, t, "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n",
                known ? "200 OK" : "404 Not Found");
    int rc = w ? w->say(me, t, q->rest) : known ? help(me, e, t) : -ENOENT;
    if (rc < 0)
        rp__say(me, t, "%serror: %s\n", q->http ? "# " : "", known ? rp_strerror(rc) : "no such word; ask for help");
    else if (!q->http)
        rp__say(me, t, "ok\n");
}

static void client_main(rp_self *me)
{
    struct rp__endpoint *e = me->arg;
    struct client *c = e->client;
    while (c->co != me)
        c++;
    struct request *q = rp__pool_get(&me->loop->pool, sizeof *q);
    struct rp__text t = {.give = give_to_client, .fd = c->fd, .until = rp_in_ms(me, ANSWER_MS)};
    if (q && read_request(me, c->fd, q) == 0 && rp__text_open(me, &t) == 0) {
        parse(q);
        answer(me, e, q, &t);
        (void)rp__text_close(me, &t); /* who has gone is told nothing */
    }
    if (q)
        rp__pool_free(&me->loop->pool, q, sizeof *q);
    rp__socket_close(c->fd);
    c->co = 0;
    if (e->crowded)
        rp__interrupt(e->acceptor, 0);
    one_less(e);
}

/* ---- accepting ----------------------------------------------------------------------------------- */

static bool start(struct rp__endpoint *e, void (*main)(rp_self *), rp_self **where)
{
    rp_self *co = rp__co_new(e->l, rp__stack_class(0), main);
    if (!co)
        return false;
    co->arg = e;
    *where = co;
    e->live++;
    rp__ready(co);
    return true;
}

static bool leave_crowd(rp_self *me)
{
    ((struct rp__endpoint *)me->arg)->crowded = false;
    return true;
}

static struct client *free_place(rp_self *me, struct rp__endpoint *e)
{
    for (;;) { /* unbounded: until one of them has ended, or is made to */
        for (unsigned i = 0; i < CLIENTS; i++)
            if (!e->client[i].co)
                return &e->client[i];
        e->crowded = true;
        if (rp__park(me, "a place", e, leave_crowd, RP_FOREVER) != 0)
            return 0;
    }
}

/* 0, or an error that is not the client's: the kernel has no more to give. */
static int accept_one(struct rp__endpoint *e, struct client *c)
{
    int fd = rp__socket_accept(e->fd);
    if (fd == -ECONNABORTED || fd == -EINTR)
        return 0;
    if (fd < 0)
        return fd;
    c->fd = fd;
    if (start(e, client_main, &c->co))
        return 0;
    rp__socket_close(fd);
    return -ENOMEM;
}

static void acceptor_main(rp_self *me)
{
    enum { REST_MS = 200 };
    struct rp__endpoint *e = me->arg;
    while (rp_check(me) == 0) { /* unbounded: while the system lives */
        struct client *c = free_place(me, e);
        int rc = c ? accept_one(e, c) : 0;
        if (rc == -EAGAIN)
            rc = wait_for(me, e->fd, false, RP_FOREVER);
        if (rc != 0 && rp_check(me) == 0)
            (void)!rp_sleep(me, rp_in_ms(me, REST_MS));
    }
    rp__socket_close(e->fd);
    e->fd = -1;
    rp__socket_remove(e->path);
    e->acceptor = 0;
    one_less(e);
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

static int open_at(struct rp_loop *l, const char *path, const char *dir, const struct rp__word *words,
                   struct rp__endpoint **ret)
{
    struct rp__endpoint *e = rp__alloc(l->sys, sizeof *e);
    if (!e)
        return -ENOMEM;
    memset(e, 0, sizeof *e);
    e->l = l;
    e->words = words;
    e->fd = path ? listen_at(e, path) : listen_in(e, dir);
    int rc = e->fd < 0 ? e->fd : start(e, acceptor_main, &e->acceptor) ? 0 : -ENOMEM;
    if (rc == 0)
        *ret = e;
    else
        rp__endpoint_free(e, &l->sys->mem);
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
    int rc = open_at(l, path, dir, words, ret);
    if (rc == 0 || path)
        return rc;
    /* who has set it wants to know; the program knows nothing of it, and goes on */
    fprintf(stderr, "reparto: RP_INSPECT=%s: %s\n", dir, rp_strerror(rc));
    return 0;
}

void rp__endpoint_close(struct rp__endpoint *e, void (*closed)(struct rp_loop *l))
{
    e->closed = closed;
    e->live++; /* not before all have been told */
    rp__stop_self(e->acceptor, "its system ends");
    for (unsigned i = 0; i < CLIENTS; i++)
        if (e->client[i].co)
            rp__stop_self(e->client[i].co, "its system ends");
    one_less(e);
}

/* After a system that did not end in peace there may be descriptors left. */
void rp__endpoint_free(struct rp__endpoint *e, const rp_alloc *mem)
{
    if (!e)
        return;
    for (unsigned i = 0; i < CLIENTS; i++)
        if (e->client[i].co)
            rp__socket_close(e->client[i].fd);
    if (e->fd >= 0) {
        rp__socket_close(e->fd);
        rp__socket_remove(e->path);
    }
    mem->free(mem->ud, e, sizeof *e);
}
