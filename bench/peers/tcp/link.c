/* SPDX-License-Identifier: MIT
 *
 * link.c - the floor: two processes, one blocking stream socket (TCP or unix), no library at all.
 *
 *     link serve QUESTION WHERE    WHERE: a port (0: any) or the path of a unix socket; prints it
 *     link ask   QUESTION WHERE    prints the figure
 *
 * Messages are 64 raw bytes that begin with their number, so there is no framing to pay for. The
 * server echoes bytes, or sends without end: one write a message (oneway) or 64 KiB a write
 * (batched). The asker reads up to 64 KiB at a time; with 64 in flight it answers all that one read
 * brought with one write. Blocking calls cost no poll, so nothing that goes through the kernel and lets its
 * threads sleep has a shorter round trip, or can send one message a write faster; what gathering messages
 * gains is the distance from oneway to batched.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 1024, WINDOW = 64, LAPS = 1 << 20 };
#define RUN_NS 1000000000ull

struct msg {
    uint64_t seq;
    char rest[56];
};

static struct msg in[BATCH], out[BATCH];
static uint32_t lap[LAPS];

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int open_socket(const char *where, int serve)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(where))};
    struct sockaddr_un ipc = {.sun_family = AF_UNIX};
    int is_ipc = where[0] == '/', one = 1;
    struct sockaddr *addr = is_ipc ? (struct sockaddr *)&ipc : (struct sockaddr *)&tcp;
    socklen_t len = is_ipc ? sizeof ipc : sizeof tcp;
    tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(ipc.sun_path, sizeof ipc.sun_path, "%s", where);

    int fd = socket(addr->sa_family, SOCK_STREAM, 0);
    check(fd >= 0, "socket");
    if (serve) {
        int listener = fd;
        check(!bind(listener, addr, len) && !listen(listener, 1), "listen");
        getsockname(listener, (struct sockaddr *)&tcp, &(socklen_t){sizeof tcp});
        if (is_ipc)
            puts(where);
        else
            printf("%d\n", ntohs(tcp.sin_port));
        fflush(stdout);
        fd = accept(listener, NULL, NULL);
        check(fd >= 0, "accept");
    } else {
        check(!connect(fd, addr, len), "connect");
    }
    if (!is_ipc)
        check(!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "TCP_NODELAY");
    return fd;
}

static void write_all(int fd, const void *data, size_t len)
{
    check(write(fd, data, len) == (ssize_t)len, "write"); /* a blocking socket takes all of it */
}

static void serve(int fd, int per_write)
{
    uint64_t seq = 0;
    ssize_t n;
    if (!per_write)
        while ((n = read(fd, in, sizeof in)) > 0)
            write_all(fd, in, (size_t)n);
    else
        for (;;) {
            for (int i = 0; i < per_write; i++)
                out[i].seq = seq++;
            write_all(fd, out, (size_t)per_write * sizeof *out);
        }
}

/* Reads once into `in`, behind the `*have` bytes there, and checks every whole message. */
static size_t take(int fd, size_t *have, uint64_t *seq)
{
    ssize_t n = read(fd, (char *)in + *have, sizeof in - *have);
    check(n > 0, "read");
    *have += (size_t)n;
    size_t whole = *have / sizeof *in;
    for (size_t i = 0; i < whole; i++)
        check(in[i].seq == (*seq)++, "message out of order");
    *have %= sizeof *in;
    memmove(in, in + whole, *have);
    return whole;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void ask_rtt(int fd)
{
    size_t n = 0, have = 0;
    uint64_t seq = 0, t = now(), end = t + RUN_NS;
    for (; n < LAPS && t < end; n++) {
        out->seq = seq;
        write_all(fd, out, sizeof *out);
        while (!take(fd, &have, &seq))
            ;
        uint64_t u = now();
        lap[n] = (uint32_t)(u - t);
        t = u;
    }
    qsort(lap, n, sizeof *lap, by_value);
    printf("%.2f\n", lap[n / 2] / 1e3);
}

static void ask_calls(int fd)
{
    size_t have = 0, n = WINDOW;
    uint64_t asked = 0, seq = 0, t = now(), u;
    do {
        for (size_t i = 0; i < n; i++)
            out[i].seq = asked++;
        if (n)
            write_all(fd, out, n * sizeof *out);
        n = take(fd, &have, &seq);
        u = now();
    } while (u < t + RUN_NS);
    printf("%.0f\n", (double)seq * 1e9 / (double)(u - t));
}

static void ask_oneway(int fd)
{
    size_t have = 0;
    uint64_t seq = 0, first, t, u;
    while (!take(fd, &have, &seq))
        ;
    first = seq;
    t = now();
    do {
        take(fd, &have, &seq);
        u = now();
    } while (u < t + RUN_NS);
    printf("%.0f\n", (double)(seq - first) * 1e9 / (double)(u - t));
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const char *question = argv[2];
    int serving = !strcmp(argv[1], "serve"), fd = open_socket(argv[3], serving);
    int per_write = strstr(question, "oneway") ? 1 : strstr(question, "batched") ? BATCH : 0;
    if (serving)
        serve(fd, per_write);
    else if (per_write)
        ask_oneway(fd);
    else if (strstr(question, "rtt"))
        ask_rtt(fd);
    else
        ask_calls(fd);
    return 0;
}
