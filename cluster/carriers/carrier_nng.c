/* SPDX-License-Identifier: MIT
 *
 * carrier_nng.c - links over nng's streams: the only file that knows nng.
 *
 * Streams, not sockets: nng 1.5.2's PAIR1 wedges when peers are killed, its streams do not, and they
 * are twice as fast. Its rules, each of which has cost somebody:
 *   - nothing of nng is touched before the first listen or dial: it starts thirteen threads;
 *   - a callback runs on one of those, may submit its own aio again, and must not stop or free it;
 *   - after nng_aio_stop a submission does nothing, not even call back;
 *   - the order of closing: stream_close, aio_stop, stream_free, aio_free;
 *   - TCP_NODELAY is off for streams until it is set.
 */
#include "cluster/link/cluster.h"
#include "cluster/wire/url.h"
#include "loop/process/net.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/transport/ipc/ipc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RX = 262144, RETRY_MS = 100 };

struct wire {
    struct rp__link *k;
    const rp_alloc *mem;      /* outlives the link */
    nng_stream *stream;
    nng_stream_dialer *dialer;
    nng_aio *at_once, *tx, *rx, *dial;
    nng_iov iov[3];           /* what is left of the batch */
    unsigned niov;
    pthread_mutex_t lock;     /* between nng's callbacks and the home loop */
    unsigned char *buf;       /* nng's while a receive is out, else the home loop's */
    size_t n;                 /* bytes in it, to be read */
    bool closing;
    bool posted;              /* `post` stands in the home loop's inbox: who closes leaves the freeing to it */
    int error;                /* the stream has ended; 1: in peace */
    struct rp__post post;     /* bytes, or the end */
    struct rp__round_end again;
};

struct listener {
    struct rp__cluster *c;
    nng_stream_listener *l;
    nng_aio *aio;
    pthread_mutex_t lock;
    nng_stream *come;         /* accepted, not yet taken by the home loop */
    int error;                /* or why there is none */
    bool posted, closing, ipc;
    struct rp__post post;
    struct rp__timer retry;   /* there was no descriptor left for somebody */
    char url[RP__URL];
};

static int error_of(int nng)
{
    switch (nng) {
    case 0:
        return 0;
    case NNG_ENOMEM:
        return -ENOMEM;
    case NNG_ECONNREFUSED:
        return -ECONNREFUSED;
    case NNG_ETIMEDOUT:
        return -ETIMEDOUT;
    case NNG_EADDRINUSE:
        return -EADDRINUSE;
    case NNG_EPERM:
        return -EPERM;
    case NNG_ENOENT:
        return -ENOENT;
    case NNG_EADDRINVAL: /* the kernel has no such address, or no port; that a URL is one of ours has been seen to */
        return -EADDRNOTAVAIL;
    case NNG_EINVAL:
    case NNG_ENOTSUP:
        return -EINVAL;
    case NNG_EUNREACHABLE:
        return -ENETUNREACH;
    case NNG_ENOFILES:
        return -EMFILE;
    default:
        return -ECONNRESET;
    }
}

/* Of a dial: what nng says of an address may pass. */
static int passing(int rc)
{
    return rc == -EINVAL ? -EADDRNOTAVAIL : rc == -ENOMEM ? -ENOBUFS : rc;
}

static void wire_free(struct wire *w);

/* nng has threads that need the cores that our loops would spin on. */
static void no_spinning(struct rp__cluster *c)
{
    atomic_store_explicit(&c->rt->sys->spin, 0, memory_order_relaxed);
}

/* ---- receiving ------------------------------------------------------------------------------------ */

/* The lock is held, and let go of before the home loop is woken, which would run into it. A home loop that has ended
 * reads nothing: then who closes frees it, once nng_aio_stop says that this has returned. */
static void unlock_and_post(struct wire *w)
{
    bool first = !w->posted && !w->closing;
    w->posted |= first;
    pthread_mutex_unlock(&w->lock);
    if (!first || rp__inbox_push(w->k->home, &w->post) == 0)
        return;
    pthread_mutex_lock(&w->lock);
    w->posted = false;
    pthread_mutex_unlock(&w->lock);
}

static void on_rx(void *arg)
{
    struct wire *w = arg;
    int rc = nng_aio_result(w->rx);
    pthread_mutex_lock(&w->lock);
    w->n = rc == 0 ? nng_aio_count(w->rx) : 0;
    if (w->n == 0 && !w->error)
        w->error = rc == 0 || rc == NNG_ECLOSED ? 1 : error_of(rc);
    unlock_and_post(w);
}

/* The home loop receives again at the end of its round, behind the answers to what it has read: to arm nng's
 * poller costs more than to write, and what comes meanwhile is taken without waiting for it. */
static void receive(struct rp__round_end *e, struct rp_loop *l)
{
    (void)l;
    struct wire *w = RP__OF(struct wire, again, e);
    nng_aio_set_iov(w->rx, 1, &(nng_iov){w->buf, RX});
    nng_stream_recv(w->stream, w->rx);
}

/* On the home loop. */
static void on_bytes(struct rp__post *p, struct rp_loop *l)
{
    struct wire *w = RP__OF(struct wire, post, p);
    if (w->closing) {
        wire_free(w);
        return;
    }
    struct rp__link *k = w->k;
    pthread_mutex_lock(&w->lock);
    w->posted = false;
    size_t n = w->n;
    int error = w->error;
    w->n = 0;
    pthread_mutex_unlock(&w->lock);
    if (n > 0) {
        rp__at_round_end(l, &w->again); /* before what reading adds there: the last that came goes first */
        rp__link_bytes(k, w->buf, n);
    }
    if (error && k->wire == w) /* not closed meanwhile, and perhaps freed */
        rp__link_broken(k, error > 0 ? 0 : error);
}

/* ---- sending -------------------------------------------------------------------------------------- */

static void wrote(struct wire *w, size_t n)
{
    while (w->niov > 0 && n >= w->iov[0].iov_len) {
        n -= w->iov[0].iov_len;
        w->niov--;
        memmove(w->iov, w->iov + 1, w->niov * sizeof *w->iov);
    }
    if (w->niov > 0) {
        w->iov[0].iov_buf = (char *)w->iov[0].iov_buf + n;
        w->iov[0].iov_len -= n;
    }
}

static void send_rest(struct wire *w)
{
    nng_aio_set_iov(w->tx, w->niov, w->iov);
    nng_stream_send(w->stream, w->tx);
}

/* An operation that completes at once costs no thread of nng's, if its aio has no callback. One that does not
 * is taken back, which leaves it done or not begun: then with a callback. */
static bool wire_send(struct rp__link *k)
{
    struct wire *w = k->wire;
    struct rp__batch *b = &k->box.batch;
    w->niov = 0;
    w->iov[w->niov++] = (nng_iov){b->head, b->nhead};
    for (unsigned i = 0; i < 2; i++)
        if (b->buf[i])
            w->iov[w->niov++] = (nng_iov){b->buf[i]->data, b->buf[i]->n};
    nng_aio_set_iov(w->at_once, w->niov, w->iov);
    nng_stream_send(w->stream, w->at_once);
    nng_aio_cancel(w->at_once);
    nng_aio_wait(w->at_once);
    if (nng_aio_result(w->at_once) == 0)
        wrote(w, nng_aio_count(w->at_once));
    if (w->niov == 0)
        return true;
    send_rest(w);
    return false;
}

static void on_tx(void *arg)
{
    struct wire *w = arg;
    int rc = nng_aio_result(w->tx);
    size_t n = nng_aio_count(w->tx);
    if (rc != 0) {
        pthread_mutex_lock(&w->lock);
        w->error = w->error ? w->error : error_of(rc);
        unlock_and_post(w);
        rp__link_sent(w->k, -ECONNRESET);
        return;
    }
    wrote(w, n);
    atomic_fetch_add_explicit(&w->k->box.moved, 1, memory_order_relaxed);
    if (w->niov == 0)
        rp__link_sent(w->k, 0);
    else
        send_rest(w);
}

/* ---- life ----------------------------------------------------------------------------------------- */

static void on_dial(void *arg);

static void wire_free(struct wire *w)
{
    const rp_alloc *mem = w->mem;
    if (w->stream)
        nng_stream_free(w->stream);
    if (w->dialer)
        nng_stream_dialer_free(w->dialer);
    nng_aio *aio[] = {w->at_once, w->tx, w->rx, w->dial};
    for (unsigned i = 0; i < 4; i++)
        if (aio[i])
            nng_aio_free(aio[i]);
    pthread_mutex_destroy(&w->lock);
    if (w->buf)
        mem->free(mem->ud, w->buf, RX);
    mem->free(mem->ud, w, sizeof *w);
}

static int wire_new(struct rp__link *k, struct wire **ret)
{
    const rp_alloc *mem = &k->c->rt->sys->mem;
    no_spinning(k->c);
    struct wire *w = mem->alloc(mem->ud, sizeof *w);
    if (!w)
        return -ENOMEM;
    memset(w, 0, sizeof *w);
    w->k = k;
    w->mem = mem;
    w->post.fn = on_bytes;
    w->again.fn = receive;
    pthread_mutex_init(&w->lock, 0);
    int rc = nng_aio_alloc(&w->at_once, 0, 0); /* the first in a process begins nng, which may want for descriptors too */
    if (rc == 0)
        rc = nng_aio_alloc(&w->tx, on_tx, w);
    if (rc == 0)
        rc = nng_aio_alloc(&w->rx, on_rx, w);
    if (rc == 0)
        rc = nng_aio_alloc(&w->dial, on_dial, w);
    if (rc == 0 && !(w->buf = mem->alloc(mem->ud, RX)))
        rc = NNG_ENOMEM;
    if (rc != 0) {
        wire_free(w);
        return error_of(rc);
    }
    *ret = w;
    return 0;
}

static void wire_begin(struct rp__link *k)
{
    struct wire *w = k->wire;
    receive(&w->again, k->home);
}

static void wire_close(struct rp__link *k)
{
    struct wire *w = k->wire;
    if (!w)
        return;
    rp__round_end_forget(k->home, &w->again);
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_mutex_unlock(&w->lock);
    if (w->dialer)
        nng_stream_dialer_close(w->dialer);
    if (w->stream)
        nng_stream_close(w->stream);
    nng_aio_stop(w->dial); /* each waits for a callback that runs */
    nng_aio_stop(w->tx);
    nng_aio_stop(w->rx);
    k->wire = 0;
    if (!w->posted)
        wire_free(w);
}

/* ---- dialling ------------------------------------------------------------------------------------- */

static void dial_done(struct rp__post *p, struct rp_loop *l)
{
    (void)l;
    struct wire *w = RP__OF(struct wire, post, p);
    if (w->closing) {
        wire_free(w);
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->posted = false;
    w->post.fn = on_bytes;
    int rc = w->error;
    w->error = 0;
    pthread_mutex_unlock(&w->lock);
    rp__link_dialled(w->k, rc);
}

static bool address(nng_stream *s, const char *option, nng_sockaddr *to)
{
    memset(to, 0, sizeof *to);
    return nng_stream_get_addr(s, option, to) == 0;
}

/* As rp__net_is_self. */
static bool is_self(nng_stream *s)
{
    nng_sockaddr a, b;
    if (!address(s, NNG_OPT_LOCADDR, &a) || !address(s, NNG_OPT_REMADDR, &b) || a.s_family != b.s_family)
        return false;
    if (a.s_family == NNG_AF_INET)
        return a.s_in.sa_port == b.s_in.sa_port && a.s_in.sa_addr == b.s_in.sa_addr;
    return a.s_family == NNG_AF_INET6 && a.s_in6.sa_port == b.s_in6.sa_port &&
           memcmp(a.s_in6.sa_addr, b.s_in6.sa_addr, sizeof a.s_in6.sa_addr) == 0;
}

static void on_dial(void *arg)
{
    struct wire *w = arg;
    int rc = nng_aio_result(w->dial);
    nng_stream *s = rc == 0 ? nng_aio_get_output(w->dial, 0) : 0;
    if (s && is_self(s)) {
        nng_stream_free(s);
        s = 0;
        rc = NNG_ECONNREFUSED; /* which it would have been with another port of our own */
    }
    pthread_mutex_lock(&w->lock);
    w->stream = s;
    if (rc != 0)
        w->error = passing(error_of(rc));
    w->post.fn = dial_done;
    unlock_and_post(w);
}

/* The URL with the address in the place of the host: nng asks for none. */
static const char *numeric(const char *url, const struct rp__net_addr *at, char to[RP__URL])
{
    char text[RP__NET_TEXT];
    if (!at)
        return url;
    snprintf(to, RP__URL, "tcp://%s", rp__net_text(at, text));
    return to;
}

static int wire_dial(struct rp__link *k, const char *url, const struct rp__net_addr *to)
{
    struct wire *w;
    char text[RP__URL];
    int rc = wire_new(k, &w);
    if (rc != 0)
        return rc;
    k->wire = w;
    rc = error_of(nng_stream_dialer_alloc(&w->dialer, numeric(url, to, text)));
    if (rc != 0)
        return rc;
    nng_stream_dialer_set_bool(w->dialer, NNG_OPT_TCP_NODELAY, true); /* not ipc's: harmless */
    nng_aio_set_timeout(w->dial, RP__GREETING_MS);
    nng_stream_dialer_dial(w->dialer, w->dial);
    return 0;
}

/* ---- listening ------------------------------------------------------------------------------------ */

/* Over ipc only our own user may come: the socket file's mode says so, and the kernel who it is. */
static bool may_come(nng_stream *s, bool ipc)
{
    uint64_t uid;
    return !ipc || (nng_stream_get_uint64(s, NNG_OPT_IPC_PEER_UID, &uid) == 0 && uid == geteuid());
}

static uint64_t comes_from(nng_stream *s)
{
    nng_sockaddr a;
    if (nng_stream_get_addr(s, NNG_OPT_REMADDR, &a) != 0)
        return 0;
    return a.s_family == NNG_AF_INET    ? rp__net_number4(&a.s_in.sa_addr)
           : a.s_family == NNG_AF_INET6 ? rp__net_number6(a.s_in6.sa_addr)
                                        : 0;
}

static void take_in(struct listener *ln, nng_stream *s)
{
    struct rp__link *k;
    struct wire *w;
    if (!may_come(s, ln->ipc) || rp__link_new(ln->c, &rp__carrier_nng, false, ln->ipc, &k) != 0) {
        nng_stream_free(s);
        return;
    }
    if (wire_new(k, &w) != 0) {
        nng_stream_free(s);
        rp__link_broken(k, -ENOMEM);
        return;
    }
    w->stream = s;
    k->wire = w;
    k->comes_from = comes_from(s);
    rp__link_accepted(k);
}

static void on_come(struct rp__post *p, struct rp_loop *l)
{
    struct listener *ln = RP__OF(struct listener, post, p);
    pthread_mutex_lock(&ln->lock);
    ln->posted = false;
    nng_stream *s = ln->come;
    ln->come = 0;
    int error = ln->error;
    bool closing = ln->closing;
    pthread_mutex_unlock(&ln->lock);
    if (closing) {
        if (s)
            nng_stream_free(s);
        pthread_mutex_destroy(&ln->lock);
        rp__free_mem(ln->c->rt->sys, ln, sizeof *ln);
        return;
    }
    if (!s) { /* at once, nng would say the same again and again */
        if (error == -EMFILE || error == -ENOMEM)
            rp__cluster_no_room(ln->c, error);
        rp__timer_start(&l->wheel, &ln->retry, l->now + RETRY_MS * RP_MS);
        return;
    }
    take_in(ln, s);
    nng_stream_listener_accept(ln->l, ln->aio);
}

static void try_again(struct rp__timer *t, struct rp__wheel *w)
{
    (void)w;
    struct listener *ln = RP__OF(struct listener, retry, t);
    nng_stream_listener_accept(ln->l, ln->aio);
}

static void on_accept(void *arg)
{
    struct listener *ln = arg;
    int rc = nng_aio_result(ln->aio);
    if (rc == NNG_ECLOSED || rc == NNG_ECANCELED)
        return;
    pthread_mutex_lock(&ln->lock);
    ln->come = rc == 0 ? nng_aio_get_output(ln->aio, 0) : 0;
    ln->error = error_of(rc);
    if (!ln->closing && !ln->posted)
        ln->posted = rp__inbox_push(ln->c->home, &ln->post) == 0; /* it has ended: who closes frees all */
    pthread_mutex_unlock(&ln->lock);
}

static void wire_unlisten(struct rp__cluster *c)
{
    struct listener *ln = c->listener;
    if (!ln)
        return;
    rp__timer_stop(&c->home->wheel, &ln->retry);
    pthread_mutex_lock(&ln->lock);
    ln->closing = true;
    pthread_mutex_unlock(&ln->lock);
    if (ln->l)
        nng_stream_listener_close(ln->l);
    if (ln->aio) {
        nng_aio_stop(ln->aio); /* a callback that runs may still take one in */
        nng_aio_free(ln->aio);
    }
    if (ln->come && !ln->posted)
        nng_stream_free(ln->come); /* nobody comes for it any more */
    if (ln->l)
        nng_stream_listener_free(ln->l);
    c->listener = 0;
    if (ln->posted)
        return; /* its post frees it; only that still looks at the lock */
    pthread_mutex_destroy(&ln->lock);
    rp__free_mem(c->rt->sys, ln, sizeof *ln);
}

static const char *in_path(const char *path, char to[RP__URL])
{
    snprintf(to, RP__URL, "ipc://%s", path);
    return to;
}

static int wire_listen(struct rp__cluster *c, const char *url, const struct rp__net_addr *at, const char *path)
{
    no_spinning(c);
    struct listener *ln = rp__alloc(c->rt->sys, sizeof *ln);
    if (!ln)
        return -ENOMEM;
    memset(ln, 0, sizeof *ln);
    ln->c = c;
    ln->post.fn = on_come;
    ln->retry.fire = try_again;
    ln->ipc = !at;
    snprintf(ln->url, sizeof ln->url, "%s", url);
    char text[RP__URL];
    c->listener = ln;
    pthread_mutex_init(&ln->lock, 0);
    int rc = nng_aio_alloc(&ln->aio, on_accept, ln);
    if (rc == 0)
        rc = nng_stream_listener_alloc(&ln->l, path ? in_path(path, text) : numeric(url, at, text));
    if (rc == 0) {
        nng_stream_listener_set_bool(ln->l, NNG_OPT_TCP_NODELAY, true); /* each is for one kind only: */
        nng_stream_listener_set_int(ln->l, NNG_OPT_IPC_PERMISSIONS, 0600); /* harmless for the other */
        rc = nng_stream_listener_listen(ln->l);
    }
    if (rc != 0) {
        wire_unlisten(c);
        return error_of(rc);
    }
    nng_stream_listener_accept(ln->l, ln->aio);
    return 0;
}

/* The port that port 0 has become goes behind the last colon. */
static const char *wire_url(struct rp__cluster *c, int *port)
{
    struct listener *ln = c->listener;
    if (ln->ipc || nng_stream_listener_get_int(ln->l, NNG_OPT_TCP_BOUND_PORT, port) != 0)
        *port = 0;
    return ln->url;
}

const struct rp__carrier rp__carrier_nng = {
    .listen = wire_listen,
    .url = wire_url,
    .unlisten = wire_unlisten,
    .dial = wire_dial,
    .begin = wire_begin,
    .send = wire_send,
    .close = wire_close,
};
