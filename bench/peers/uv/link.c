/* SPDX-License-Identifier: MIT
 *
 * link.c - two processes, one libuv stream (uv_tcp_t or uv_pipe_t) on one loop each.
 *
 *     link serve QUESTION WHERE    WHERE: a port (0: any) or the path of a pipe; prints it
 *     link ask   QUESTION WHERE    prints the figure
 *
 * Messages are 64 bytes behind a 4-byte length. The fast way in libuv: read callbacks parse a fixed
 * 64 KiB buffer in place; what one read brought is answered by one write; small writes go by
 * uv_try_write, which spares the request and the extra turn of the loop that uv_write's callback
 * costs; the one-way sender, since libuv gathers nothing itself, keeps two 64 KiB buffers of
 * messages in flight and refills each in its write callback.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { PAYLOAD = 64, WINDOW = 64, LAPS = 1 << 20, ROOM = 64 * 1024 };
#define RUN_NS 1000000000ull

struct frame {
    uint32_t len;
    char body[PAYLOAD]; /* begins with the message's number */
};

static uv_loop_t *loop;
static uv_tcp_t tcp_listener, tcp_stream;
static uv_pipe_t pipe_listener, pipe_stream;
static uv_stream_t *stream;
static const char *question;
static uint64_t asked, seen, first, began, last;
static size_t have, laps;
static uint32_t lap[LAPS];
static char in[ROOM];

struct batch {
    uv_write_t request;
    struct frame frame[ROOM / sizeof(struct frame)];
};

static void check(int code, const char *what)
{
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(code));
        exit(1);
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void fill(struct frame *f, size_t n)
{
    for (size_t i = 0; i < n; i++, asked++) {
        f[i].len = PAYLOAD;
        memcpy(f[i].body, &asked, sizeof asked);
    }
}

static void sent_rest(uv_write_t *w, int status)
{
    check(status, "write");
    free(w);
}

/* Sends now what the kernel takes, and leaves the rest, rare, to the loop. */
static void send_bytes(const char *data, size_t len)
{
    uv_buf_t b = uv_buf_init((char *)data, (unsigned)len);
    int n = uv_try_write(stream, &b, 1);
    if (n == UV_EAGAIN)
        n = 0;
    check(n, "write");
    if ((size_t)n == len)
        return;
    uv_write_t *w = malloc(sizeof *w + len - (size_t)n);
    b = uv_buf_init(memcpy(w + 1, data + n, len - (size_t)n), (unsigned)(len - (size_t)n));
    check(uv_write(w, stream, &b, 1, sent_rest), "write");
}

static void send_batch(uv_write_t *w, int status)
{
    struct batch *batch = (struct batch *)w;
    uv_buf_t b = uv_buf_init((char *)batch->frame, sizeof batch->frame);
    check(status, "write");
    fill(batch->frame, ROOM / sizeof *batch->frame);
    check(uv_write(w, stream, &b, 1, send_batch), "write");
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
    (void)h, (void)hint;
    *b = uv_buf_init(in + have, (unsigned)(sizeof in - have));
}

/* The length of the whole frames in `in`; drops them from `have`. */
static size_t whole_frames(ssize_t nread)
{
    size_t at = 0;
    uint32_t len;
    check((int)nread, "read");
    have += (size_t)nread;
    for (; have - at >= sizeof len; at += sizeof len + len) {
        memcpy(&len, in + at, sizeof len);
        if (have - at < sizeof len + len)
            break;
        if (len != PAYLOAD)
            check(UV_EPROTO, "length");
    }
    have -= at;
    return at;
}

static void on_request(uv_stream_t *s, ssize_t nread, const uv_buf_t *b)
{
    (void)s, (void)b;
    if (nread == UV_EOF)
        exit(0);
    size_t whole = whole_frames(nread);
    if (whole)
        send_bytes(in, whole);
    memmove(in, in + whole, have);
}

static void finish(double figure, const char *format)
{
    printf(format, figure);
    exit(0);
}

static void on_answer(uv_stream_t *s, ssize_t nread, const uv_buf_t *b)
{
    static struct frame out[WINDOW];
    (void)s, (void)b;
    size_t whole = whole_frames(nread), n = whole / sizeof *out;
    for (size_t i = 0; i < n; i++, seen++) {
        uint64_t number;
        memcpy(&number, in + i * sizeof *out + sizeof out->len, sizeof number);
        if (number != seen)
            check(UV_EPROTO, "message out of order");
    }
    memmove(in, in + whole, have);
    if (!n)
        return;

    uint64_t t = uv_hrtime();
    if (!first) { /* the measure begins behind the first answers */
        first = seen;
        began = last = t;
    }
    lap[laps] = (uint32_t)(t - last);
    last = t;
    if (strstr(question, "rtt")) {
        if (++laps == LAPS || t - began > RUN_NS) {
            qsort(lap, laps, sizeof *lap, by_value);
            finish(lap[laps / 2] / 1e3, "%.2f\n");
        }
    } else if (t - began > RUN_NS) {
        finish((double)(seen - first) * 1e9 / (double)(t - began), "%.0f\n");
    }
    if (!strstr(question, "oneway")) {
        fill(out, n);
        send_bytes((char *)out, n * sizeof *out);
    }
}

static void on_connect(uv_connect_t *c, int status)
{
    static struct frame out[WINDOW];
    check(status, "connect");
    stream = c->handle;
    if (stream->type == UV_TCP)
        check(uv_tcp_nodelay(&tcp_stream, 1), "nodelay");
    check(uv_read_start(stream, on_alloc, on_answer), "read");
    if (!strstr(question, "oneway")) {
        size_t n = strstr(question, "rtt") ? 1 : WINDOW;
        fill(out, n);
        send_bytes((char *)out, n * sizeof *out);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    static struct batch batch[2];
    check(status, "connection");
    check(uv_accept(listener, stream), "accept");
    if (stream->type == UV_TCP)
        check(uv_tcp_nodelay(&tcp_stream, 1), "nodelay");
    if (strstr(question, "oneway")) {
        send_batch(&batch[0].request, 0);
        send_batch(&batch[1].request, 0);
    } else {
        check(uv_read_start(stream, on_alloc, on_request), "read");
    }
}

int main(int argc, char **argv)
{
    static uv_connect_t connecting;
    struct sockaddr_in addr;
    if (argc != 4)
        return 2;
    question = argv[2];
    const char *where = argv[3];
    int is_pipe = where[0] == '/';
    uv_stream_t *listener = is_pipe ? (uv_stream_t *)&pipe_listener : (uv_stream_t *)&tcp_listener;
    loop = uv_default_loop();
    stream = is_pipe ? (uv_stream_t *)&pipe_stream : (uv_stream_t *)&tcp_stream;
    uv_tcp_init(loop, &tcp_listener);
    uv_tcp_init(loop, &tcp_stream);
    uv_pipe_init(loop, &pipe_listener, 0);
    uv_pipe_init(loop, &pipe_stream, 0);
    uv_ip4_addr("127.0.0.1", atoi(where), &addr);

    if (!strcmp(argv[1], "ask")) {
        if (is_pipe)
            uv_pipe_connect(&connecting, &pipe_stream, where, on_connect);
        else
            check(uv_tcp_connect(&connecting, &tcp_stream, (struct sockaddr *)&addr, on_connect),
                  "connect");
    } else {
        if (is_pipe)
            check(uv_pipe_bind(&pipe_listener, where), "bind");
        else
            check(uv_tcp_bind(&tcp_listener, (struct sockaddr *)&addr, 0), "bind");
        check(uv_listen(listener, 1, on_connection), "listen");
        if (is_pipe) {
            puts(where);
        } else {
            uv_tcp_getsockname(&tcp_listener, (struct sockaddr *)&addr, &(int){sizeof addr});
            printf("%d\n", ntohs(addr.sin_port));
        }
        fflush(stdout);
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
