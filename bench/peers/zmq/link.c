/* SPDX-License-Identifier: MIT
 *
 * link.c - two processes over libzmq: PUSH to PULL one way, DEALER to ROUTER for requests.
 *
 *     link serve QUESTION ENDPOINT    binds, prints the endpoint it got
 *     link ask   QUESTION ENDPOINT    prints the figure
 *
 * The fast way in zmq: plain blocking sockets, one application thread and the one I/O thread of the
 * context, which gathers messages into 8 KiB writes by itself; the router sends the very zmq_msg_t
 * it received, without a copy; room for more messages in the pipe than the default 1000 keeps the
 * sender from sleeping too often.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum { PAYLOAD = 64, WINDOW = 64, LAPS = 1 << 20, HIGH_WATER = 100000 };
#define RUN_NS 1000000000ull

static uint32_t lap[LAPS];

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void send_number(void *s, uint64_t number)
{
    char body[PAYLOAD] = {0};
    memcpy(body, &number, sizeof number);
    check(zmq_send(s, body, sizeof body, 0) == PAYLOAD, "send");
}

static void take_number(void *s, uint64_t number)
{
    char body[PAYLOAD];
    check(zmq_recv(s, body, sizeof body, 0) == PAYLOAD, "recv");
    check(!memcmp(body, &number, sizeof number), "message out of order");
}

static void serve(void *s, int oneway)
{
    if (oneway)
        for (uint64_t seq = 0;; seq++)
            send_number(s, seq);
    zmq_msg_t who, what;
    zmq_msg_init(&who);
    zmq_msg_init(&what);
    while (zmq_msg_recv(&who, s, 0) >= 0 && zmq_msg_recv(&what, s, 0) >= 0) {
        check(zmq_msg_send(&who, s, ZMQ_SNDMORE) >= 0, "send");
        check(zmq_msg_send(&what, s, 0) >= 0, "send");
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void ask_rtt(void *s)
{
    size_t n = 0;
    uint64_t t = now(), end = t + RUN_NS;
    for (; n < LAPS && t < end; n++) {
        send_number(s, n);
        take_number(s, n);
        uint64_t u = now();
        lap[n] = (uint32_t)(u - t);
        t = u;
    }
    qsort(lap, n, sizeof *lap, by_value);
    printf("%.2f\n", lap[n / 2] / 1e3);
}

/* Messages a second, with `window` requests in flight: 0 is one way. */
static void ask_rate(void *s, uint64_t window)
{
    uint64_t seq = 0, t, u;
    for (; seq < window; seq++)
        send_number(s, seq);
    take_number(s, 0);
    t = now();
    for (seq = 1;; seq++) {
        if (window)
            send_number(s, seq - 1 + window);
        take_number(s, seq);
        if (seq % 64 == 0 && (u = now()) > t + RUN_NS)
            break;
    }
    printf("%.0f\n", (double)seq * 1e9 / (double)(u - t));
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const char *question = argv[2], *where = argv[3];
    int oneway = !!strstr(question, "oneway"), high = HIGH_WATER, off = 0;
    int serving = !strcmp(argv[1], "serve");
    void *s = zmq_socket(zmq_ctx_new(), serving ? oneway ? ZMQ_PUSH : ZMQ_ROUTER
                                        : oneway ? ZMQ_PULL : ZMQ_DEALER);
    check(s != NULL, "socket");
    zmq_setsockopt(s, ZMQ_SNDHWM, &high, sizeof high);
    zmq_setsockopt(s, ZMQ_RCVHWM, &high, sizeof high);
    zmq_setsockopt(s, ZMQ_LINGER, &off, sizeof off);
    if (serving) {
        char bound[256];
        check(!zmq_bind(s, where), where);
        check(!zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, bound, &(size_t){sizeof bound}), "endpoint");
        puts(bound);
        fflush(stdout);
        serve(s, oneway);
    }
    check(!zmq_connect(s, where), where);
    if (strstr(question, "rtt"))
        ask_rtt(s);
    else
        ask_rate(s, oneway ? 0 : WINDOW);
    fflush(stdout);
    _Exit(0);
}
