/* SPDX-License-Identifier: MIT
 *
 * link.c - two processes over bare nng: PAIR1 sockets, REQ/REP contexts, and nng_stream.
 *
 *     link serve QUESTION URL    listens, prints the URL it got
 *     link ask   QUESTION URL    prints the figure
 *
 * The fast way in nng: no thread of ours waits inside a request. Every answer comes as the callback
 * of an aio; the send beside it has no callback, so it costs no hop to a task thread; the echoing
 * side sends the message it received. The stream echo posts its next receive before it sends, so
 * arming the poller is off the critical path: measured a third faster than receive after send, and
 * than either with callbacks on both.
 */
#include <nng/nng.h>
#include <nng/protocol/pair1/pair.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 64, WINDOW = 64, LAPS = 1 << 20, QUEUE = 4096 };
#define RUN_NS 1000000000ull

static uint32_t lap[LAPS];
static size_t laps;
static uint64_t began, last;
static int timing;
static atomic_ullong answers;

static void check(int code, const char *what)
{
    if (code) {
        fprintf(stderr, "%s: %s\n", what, nng_strerror(code));
        _Exit(1);
    }
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static nng_aio *new_aio(void (*done)(void *), void *arg)
{
    nng_aio *aio;
    check(nng_aio_alloc(&aio, done, arg), "aio");
    return aio;
}

/* Ends without closing anything: sockets of nng 1.5 can hang in close. */
static void finish(const char *format, double figure)
{
    printf(format, figure);
    fflush(stdout);
    _Exit(0);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void end_lap(void)
{
    uint64_t t = now();
    lap[laps++] = (uint32_t)(t - last);
    last = t;
    if (t - began < RUN_NS && laps < LAPS)
        return;
    qsort(lap, laps, sizeof *lap, by_value);
    finish("%.2f\n", lap[laps / 2] / 1e3);
}

static void started(const char *url, int port)
{
    if (port)
        printf("tcp://127.0.0.1:%d\n", port);
    else
        puts(url);
    fflush(stdout);
}

/* ---- REQ and REP, a context for each request in flight ---- */

struct call {
    nng_ctx ctx;
    nng_aio *send, *recv;
    uint64_t number;
};

static void ask(struct call *c, nng_msg *m)
{
    memcpy(nng_msg_body(m), &c->number, sizeof c->number);
    nng_aio_wait(c->send);
    nng_aio_set_msg(c->send, m);
    nng_ctx_send(c->ctx, c->send);
    nng_ctx_recv(c->ctx, c->recv);
}

static void on_answer(void *arg)
{
    struct call *c = arg;
    check(nng_aio_result(c->recv), "answer");
    nng_msg *m = nng_aio_get_msg(c->recv);
    if (nng_msg_len(m) != PAYLOAD || memcmp(nng_msg_body(m), &c->number, sizeof c->number))
        check(NNG_EPROTO, "wrong answer");
    if (timing)
        end_lap();
    atomic_fetch_add_explicit(&answers, 1, memory_order_relaxed);
    c->number += WINDOW;
    ask(c, m);
}

static void on_request(void *arg)
{
    struct call *c = arg;
    check(nng_aio_result(c->recv), "request");
    nng_aio_wait(c->send);
    nng_aio_set_msg(c->send, nng_aio_get_msg(c->recv));
    nng_ctx_send(c->ctx, c->send);
    nng_ctx_recv(c->ctx, c->recv);
}

static void calls(nng_socket s, int serving, int window)
{
    static struct call call[WINDOW];
    began = last = now();
    for (int i = 0; i < window; i++) {
        struct call *c = &call[i];
        nng_msg *m;
        c->number = (uint64_t)i;
        c->send = new_aio(NULL, NULL);
        c->recv = new_aio(serving ? on_request : on_answer, c);
        check(nng_ctx_open(&c->ctx, s), "context");
        check(nng_msg_alloc(&m, PAYLOAD), "message");
        if (serving)
            nng_ctx_recv(c->ctx, c->recv);
        else
            ask(c, m);
    }
    if (serving || timing)
        for (;;)
            pause();
    uint64_t before = atomic_load(&answers), t = now();
    nng_msleep(RUN_NS / 1000000);
    finish("%.0f\n", (double)(atomic_load(&answers) - before) * 1e9 / (double)(now() - t));
}

/* ---- PAIR1, one way: one aio on each side, its callback starts it again, so the order stays ---- */

static nng_socket pair;
static nng_aio *way;
static uint64_t sequence;

static void on_sent(void *arg)
{
    nng_msg *m;
    (void)arg;
    check(nng_aio_result(way), "send");
    check(nng_msg_alloc(&m, PAYLOAD), "message");
    memcpy(nng_msg_body(m), &sequence, sizeof sequence);
    sequence++;
    nng_aio_set_msg(way, m);
    nng_send_aio(pair, way);
}

static void on_message(void *arg)
{
    (void)arg;
    check(nng_aio_result(way), "recv");
    nng_msg *m = nng_aio_get_msg(way);
    if (nng_msg_len(m) != PAYLOAD || memcmp(nng_msg_body(m), &sequence, sizeof sequence))
        check(NNG_EPROTO, "message out of order");
    nng_msg_free(m);
    uint64_t t = now();
    if (!sequence)
        began = t;
    if (t - began > RUN_NS)
        finish("%.0f\n", (double)sequence * 1e9 / (double)(t - began));
    sequence++;
    nng_recv_aio(pair, way);
}

static void oneway(nng_socket s, int serving)
{
    pair = s;
    way = new_aio(serving ? on_sent : on_message, NULL);
    if (serving)
        on_sent(NULL); /* the aio is fresh: its result is 0 */
    else
        nng_recv_aio(pair, way);
    for (;;)
        pause();
}

static void sockets(const char *question, const char *url, int serving)
{
    nng_socket s;
    nng_listener l;
    int is_oneway = !!strstr(question, "oneway"), port = 0;
    check(is_oneway ? nng_pair1_open(&s) : serving ? nng_rep0_open(&s) : nng_req0_open(&s), "open");
    if (is_oneway) {
        check(nng_socket_set_int(s, NNG_OPT_SENDBUF, QUEUE), "buffer");
        check(nng_socket_set_int(s, NNG_OPT_RECVBUF, QUEUE), "buffer");
    }
    if (serving) {
        check(nng_listen(s, url, &l, 0), url);
        nng_listener_get_int(l, NNG_OPT_TCP_BOUND_PORT, &port);
        started(url, port);
    } else {
        check(nng_dial(s, url, NULL, 0), url);
    }
    timing = !serving && strstr(question, "rtt");
    if (is_oneway)
        oneway(s, serving);
    calls(s, serving, timing ? 1 : WINDOW);
}

/* ---- nng_stream: raw bytes ---- */

static nng_stream *stream;
static nng_aio *to, *from;
static uint64_t in[PAYLOAD / 8], out[PAYLOAD / 8]; /* the number comes first */

static void post(nng_aio *aio, uint64_t *bytes, void (*op)(nng_stream *, nng_aio *))
{
    nng_aio_set_iov(aio, 1, &(nng_iov){bytes, PAYLOAD});
    op(stream, aio);
}

static void on_bytes(void *arg)
{
    int asking = *(int *)arg, code = nng_aio_result(from);
    if (code == NNG_ECLOSED || code == NNG_ECONNSHUT)
        _Exit(0);
    check(code ? code : nng_aio_count(from) == PAYLOAD ? 0 : NNG_EPROTO, "receive");
    nng_aio_wait(to);
    if (asking) {
        check(in[0] == out[0] ? 0 : NNG_EPROTO, "wrong answer");
        end_lap();
        out[0]++;
    } else {
        memcpy(out, in, sizeof out);
    }
    post(from, in, nng_stream_recv);
    post(to, out, nng_stream_send);
}

static void stream_rtt(const char *url, int serving)
{
    int asking = !serving, port = 0;
    nng_aio *opened = new_aio(NULL, NULL);
    if (serving) {
        nng_stream_listener *l;
        check(nng_stream_listener_alloc(&l, url), url);
        if (!strncmp(url, "tcp", 3))
            check(nng_stream_listener_set_bool(l, NNG_OPT_TCP_NODELAY, true), "nodelay");
        check(nng_stream_listener_listen(l), url);
        nng_stream_listener_get_int(l, NNG_OPT_TCP_BOUND_PORT, &port);
        started(url, port);
        nng_stream_listener_accept(l, opened);
    } else {
        nng_stream_dialer *d;
        check(nng_stream_dialer_alloc(&d, url), url);
        if (!strncmp(url, "tcp", 3))
            check(nng_stream_dialer_set_bool(d, NNG_OPT_TCP_NODELAY, true), "nodelay");
        nng_stream_dialer_dial(d, opened);
    }
    nng_aio_wait(opened);
    check(nng_aio_result(opened), url);
    stream = nng_aio_get_output(opened, 0);
    to = new_aio(NULL, NULL);
    from = new_aio(on_bytes, &asking);
    began = last = now();
    post(from, in, nng_stream_recv);
    if (asking)
        post(to, out, nng_stream_send);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int serving = !strcmp(argv[1], "serve");
    if (strstr(argv[2], "stream"))
        stream_rtt(argv[3], serving);
    sockets(argv[2], argv[3], serving);
}
