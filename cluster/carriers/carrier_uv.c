/* SPDX-License-Identifier: MIT
 *
 * carrier_uv.c - links over plain sockets that the home loop itself waits for: no thread stands between.
 *
 * The wire is the same as nng's, so that either end may be of either kind. A callback of libuv's only notes
 * what is ready and leaves a post, which the turn that follows at once finds: whatever is done with a link is
 * done in a turn. A loop writes by itself, whichever it is; what the kernel has no room for is the home loop's.
 *
 * A wire is freed when libuv has let go of its handle, and when no post of its is on its way. The handles are counted
 * with the loop's own: a host's loop is not left before.
 */
#include "cluster/link/cluster.h"
#include "cluster/wire/url.h"
#include "loop/process/net.h"
#include "loop/process/socket.h"
#include "loop/world/uv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { AT_ONCE = 16 /* strangers let in in one turn */, RETRY_MS = 100 };

struct wire {
    struct rp__link *k;
    struct rp__uv *uv;       /* the home loop's */
    const rp_alloc *mem;     /* outlives the link */
    uv_poll_t poll;
    int fd;                  /* < 0: none yet */
    int ready;               /* UV_READABLE, UV_WRITABLE: noted for `post` */
    bool held;               /* libuv has not let go of `poll` */
    bool dialling, closing;
    bool hurt;               /* libuv saw an error, and waits no more: read until it shows */
    bool posted;
    struct rp__post post;
    bool writing;            /* the batch is the home loop's */
    /* The batch, until it has gone: of whoever sends, on any loop, until it is handed over by `rest`; under the outbox's
     * `at_wire`. */
    struct iovec iov[3];
    unsigned niov;
    bool rest_posted;
    struct rp__post rest;
};

struct listener {
    struct rp__cluster *c;
    struct rp__uv *uv;
    uv_poll_t poll;
    int fd;
    bool ipc, closing, held, posted;
    struct rp__post post;
    struct rp__timer retry;  /* there was no descriptor left for somebody */
    char url[RP__URL];
};

/* ---- addresses ------------------------------------------------------------------------------------ */

/* 0: `to` is the Unix address that the URL names. 1: it names none. */
static int unix_address(const char *url, struct rp__net_addr *to)
{
    const char *path = rp__url_after(url, "ipc://"), *name = rp__url_after(url, "abstract://");
    if (name && strchr(name, '%'))
        return -EINVAL; /* nng reads it as a byte's number */
    return path || name ? rp__net_unix(to, path ? path : name, name != 0) : 1;
}

/* ---- what libuv holds ----------------------------------------------------------------------------- */

/* It does not keep a loop alive, which is the system's own business, but is waited for when that ends. */
static int watch(struct rp__uv *uv, uv_poll_t *poll, int fd)
{
    int rc = uv_poll_init(uv->loop, poll, fd);
    if (rc != 0)
        return rc;
    poll->data = uv;
    uv_unref((uv_handle_t *)poll);
    uv->handles++;
    return 0;
}

/* On the loop's own thread, out of a turn: the next finds it. */
static void leave_post(bool *posted, struct rp_loop *l, struct rp__post *p)
{
    if (*posted)
        return;
    *posted = true;
    rp__inbox_push_own(l, p);
}

static void free_when_done(struct wire *w)
{
    if (w->closing && !w->held && !w->posted && !w->rest_posted)
        w->mem->free(w->mem->ud, w, sizeof *w);
}

static void let_go(uv_handle_t *h)
{
    struct wire *w = RP__OF(struct wire, poll, h);
    struct rp__uv *uv = w->uv;
    w->held = false;
    free_when_done(w);
    rp__uv_closed(uv);
}

/* ---- both ways ------------------------------------------------------------------------------------ */

static void on_ready(uv_poll_t *h, int status, int events)
{
    struct wire *w = RP__OF(struct wire, poll, h);
    struct rp_loop *l = w->uv->l;
    if (l->sys->forked) {
        uv_poll_stop(h); /* the stream is the parent's */
        return;
    }
    w->hurt |= status != 0;
    w->ready |= status != 0 ? UV_READABLE | UV_WRITABLE : events;
    leave_post(&w->posted, l, &w->post);
}

static void read_some(struct wire *w)
{
    struct rp__link *k = w->k;
    ssize_t n = rp__socket_read(w->fd, k->c->scratch, RP__SCRATCH);
    if (n > 0) {
        rp__link_bytes(k, k->c->scratch, (size_t)n);
        if (k->wire == w && w->hurt) { /* else libuv tells when there is more */
            w->ready |= UV_READABLE;
            leave_post(&w->posted, w->uv->l, &w->post);
        }
    } else if (n != -EAGAIN || w->hurt) {
        rp__link_broken(k, n == -EAGAIN ? -ECONNRESET : (int)n);
    }
}

/* As much of the batch as there is room for. 0 or an error. */
static int write_some(struct wire *w)
{
    ssize_t n = w->niov > 0 ? rp__net_write(w->fd, w->iov, w->niov) : 0;
    if (n < 0)
        return n == -EAGAIN ? 0 : (int)n;
    size_t left = (size_t)n;
    atomic_fetch_add_explicit(&w->k->box.moved, 1, memory_order_relaxed);
    while (w->niov > 0 && left >= w->iov[0].iov_len) {
        left -= w->iov[0].iov_len;
        w->niov--;
        memmove(w->iov, w->iov + 1, w->niov * sizeof *w->iov);
    }
    if (w->niov > 0) {
        w->iov[0].iov_base = (char *)w->iov[0].iov_base + left;
        w->iov[0].iov_len -= left;
    }
    return 0;
}

static void write_rest(struct wire *w)
{
    struct rp__link *k = w->k;
    pthread_mutex_lock(&k->box.at_wire);
    int rc = write_some(w);
    bool left = w->niov > 0;
    pthread_mutex_unlock(&k->box.at_wire);
    if (rc == 0)
        rc = uv_poll_start(&w->poll, UV_READABLE | (left ? UV_WRITABLE : 0), on_ready);
    w->writing = rc == 0 && left;
    if (rc != 0)
        rp__link_broken(k, rc);
    else if (!w->writing)
        rp__link_sent(k, 0);
}

static void on_rest(struct rp__post *p, struct rp_loop *l)
{
    (void)l;
    struct wire *w = RP__OF(struct wire, rest, p);
    w->rest_posted = false;
    if (w->closing)
        free_when_done(w);
    else
        write_rest(w);
}

static bool wire_send(struct rp__link *k)
{
    struct wire *w = k->wire;
    struct rp__batch *b = &k->box.batch;
    w->niov = 0;
    w->iov[w->niov++] = (struct iovec){b->head, b->nhead};
    for (unsigned i = 0; i < 2; i++)
        if (b->buf[i])
            w->iov[w->niov++] = (struct iovec){b->buf[i]->data, b->buf[i]->n};
    if (write_some(w) == 0 && w->niov == 0)
        return true;
    w->rest_posted = true; /* the home loop meets the error again, if it was one */
    if (rp__inbox_push(k->home, &w->rest) != 0)
        w->rest_posted = false; /* it has ended */
    return false;
}

/* The home loop is held: it finds what is left, or the error, when it is not. */
static void wire_go_on(struct rp__link *k)
{
    (void)!write_some(k->wire);
}

/* ---- life ----------------------------------------------------------------------------------------- */

/* What the kernel says of an address may pass, also if by its number it is an error of the greeting. */
static int passing(int rc)
{
    return rc == -EACCES ? -EPERM : rc == -EINVAL ? -EADDRNOTAVAIL : rc == -EPROTO ? -ECONNRESET : rc;
}

static void finish_dial(struct wire *w)
{
    int rc = passing(rp__net_dialled(w->fd));
    if (rc == 0 && rp__net_is_self(w->fd))
        rc = -ECONNREFUSED; /* which it would have been with another port of our own */
    w->dialling = false;
    w->hurt = false;
    rp__link_dialled(w->k, rc);
}

static void on_post(struct rp__post *p, struct rp_loop *l)
{
    (void)l;
    struct wire *w = RP__OF(struct wire, post, p);
    w->posted = false;
    if (w->closing) {
        free_when_done(w);
        return;
    }
    struct rp__link *k = w->k;
    int ready = w->ready;
    w->ready = 0;
    if (w->dialling) {
        finish_dial(w);
        return;
    }
    if (ready & UV_WRITABLE && w->writing)
        write_rest(w);
    if (ready & UV_READABLE && k->wire == w)
        read_some(w);
}

static int wire_new(struct rp__link *k, struct wire **ret)
{
    const rp_alloc *mem = &k->c->rt->sys->mem;
    if (!k->c->scratch && !(k->c->scratch = mem->alloc(mem->ud, RP__SCRATCH)))
        return -ENOMEM;
    struct wire *w = mem->alloc(mem->ud, sizeof *w);
    if (!w)
        return -ENOMEM;
    memset(w, 0, sizeof *w);
    w->k = k;
    w->uv = rp__uv_of(k->home);
    w->mem = mem;
    w->fd = -1;
    w->post.fn = on_post;
    w->rest.fn = on_rest;
    k->wire = *ret = w;
    return 0;
}

/* The descriptor is the wire's from here on, also when that fails. */
static int take_fd(struct wire *w, int fd)
{
    w->fd = fd;
    int rc = watch(w->uv, &w->poll, fd);
    w->held = rc == 0;
    return rc;
}

static void wire_close(struct rp__link *k)
{
    struct wire *w = k->wire;
    if (!w)
        return;
    k->wire = 0;
    w->closing = true;
    if (w->held)
        uv_close((uv_handle_t *)&w->poll, let_go);
    if (w->fd >= 0)
        rp__socket_close(w->fd);
    free_when_done(w);
}

static void wire_begin(struct rp__link *k)
{
    struct wire *w = k->wire;
    if (uv_poll_start(&w->poll, UV_READABLE, on_ready) != 0) { /* out of memory: as if it had been hurt */
        w->hurt = true;
        w->ready = UV_READABLE;
        leave_post(&w->posted, w->uv->l, &w->post);
    }
}

/* ---- dialling ------------------------------------------------------------------------------------- */

static int wire_dial(struct rp__link *k, const char *url, const struct rp__net_addr *to)
{
    struct wire *w;
    struct rp__net_addr at;
    int rc = wire_new(k, &w);
    if (rc != 0)
        return rc;
    w->dialling = true;
    rc = unix_address(url, &at);
    if (rc < 0)
        return rc;
    int fd = rp__net_dial(rc == 1 ? to : &at);
    if (fd < 0)
        return passing(fd);
    rc = take_fd(w, fd);
    return rc != 0 ? rc : uv_poll_start(&w->poll, UV_WRITABLE, on_ready);
}

/* ---- listening ------------------------------------------------------------------------------------ */

static void take_in(struct listener *ln, int fd)
{
    struct rp__link *k;
    struct wire *w;
    if ((ln->ipc && !rp__net_is_ours(fd)) || rp__link_new(ln->c, &rp__carrier_uv, false, ln->ipc, &k) != 0) {
        rp__socket_close(fd);
        return;
    }
    k->comes_from = ln->ipc ? 0 : rp__net_from(fd);
    int rc = wire_new(k, &w);
    if (rc != 0)
        rp__socket_close(fd);
    else
        rc = take_fd(w, fd);
    if (rc == 0)
        rp__link_accepted(k);
    else
        rp__link_broken(k, rc);
}

static void on_comers(uv_poll_t *h, int status, int events);

static void try_again(struct rp__timer *t, struct rp__wheel *w)
{
    (void)w;
    struct listener *ln = RP__OF(struct listener, retry, t);
    (void)!uv_poll_start(&ln->poll, UV_READABLE, on_comers); /* it was started before: it cannot fail */
}

static void listener_done(struct listener *ln)
{
    if (ln->closing && !ln->held && !ln->posted)
        rp__free_mem(ln->c->rt->sys, ln, sizeof *ln);
}

static void on_come(struct rp__post *p, struct rp_loop *l)
{
    struct listener *ln = RP__OF(struct listener, post, p);
    ln->posted = false;
    if (ln->closing) {
        listener_done(ln);
        return;
    }
    for (unsigned i = 0; i < AT_ONCE; i++) {
        int fd = rp__net_accept(ln->fd);
        if (fd >= 0) {
            take_in(ln, fd);
        } else if (fd != -ECONNABORTED) {
            if (fd == -EAGAIN)
                return;
            rp__cluster_no_room(ln->c, fd);
            uv_poll_stop(&ln->poll); /* or it would say the same again and again */
            rp__timer_start(&l->wheel, &ln->retry, l->now + RETRY_MS * RP_MS);
            return;
        }
    }
}

static void on_comers(uv_poll_t *h, int status, int events)
{
    struct listener *ln = RP__OF(struct listener, poll, h);
    (void)status, (void)events;
    if (ln->uv->l->sys->forked)
        uv_poll_stop(h);
    else
        leave_post(&ln->posted, ln->uv->l, &ln->post);
}

static void listener_let_go(uv_handle_t *h)
{
    struct listener *ln = RP__OF(struct listener, poll, h);
    struct rp__uv *uv = ln->uv;
    ln->held = false;
    listener_done(ln);
    rp__uv_closed(uv);
}

static void wire_unlisten(struct rp__cluster *c)
{
    struct listener *ln = c->listener;
    if (!ln)
        return;
    c->listener = 0;
    ln->closing = true;
    rp__timer_stop(&c->home->wheel, &ln->retry);
    if (ln->held)
        uv_close((uv_handle_t *)&ln->poll, listener_let_go);
    if (ln->fd >= 0)
        rp__socket_close(ln->fd);
    listener_done(ln);
}

static int open_listener(struct listener *ln, const struct rp__net_addr *at, const char *path)
{
    struct rp__net_addr named;
    if (path)
        return rp__socket_bind(path);
    if (at)
        return rp__net_listen(at);
    int rc = unix_address(ln->url, &named);
    return rc == 0 ? rp__net_listen(&named) : -EINVAL;
}

static int wire_listen(struct rp__cluster *c, const char *url, const struct rp__net_addr *at, const char *path)
{
    struct listener *ln = rp__alloc(c->rt->sys, sizeof *ln);
    if (!ln)
        return -ENOMEM;
    memset(ln, 0, sizeof *ln);
    ln->c = c;
    ln->uv = rp__uv_of(c->home);
    ln->post.fn = on_come;
    ln->retry.fire = try_again;
    snprintf(ln->url, sizeof ln->url, "%s", url);
    c->listener = ln;
    ln->ipc = !at;
    int rc = ln->fd = open_listener(ln, at, path);
    if (rc >= 0 && (rc = watch(ln->uv, &ln->poll, ln->fd)) == 0) {
        ln->held = true;
        rc = uv_poll_start(&ln->poll, UV_READABLE, on_comers);
    }
    if (rc != 0)
        wire_unlisten(c);
    return rc;
}

static const char *wire_url(struct rp__cluster *c, int *port)
{
    struct listener *ln = c->listener;
    *port = ln->ipc ? 0 : rp__net_port(ln->fd);
    return ln->url;
}

const struct rp__carrier rp__carrier_uv = {
    .listen = wire_listen,
    .url = wire_url,
    .unlisten = wire_unlisten,
    .dial = wire_dial,
    .begin = wire_begin,
    .send = wire_send,
    .go_on = wire_go_on,
    .close = wire_close,
};
