/* SPDX-License-Identifier: MIT
 *
 * floors.c - what bare C and the kernel cost here: `floors QUESTION` prints `QUESTION VALUE UNIT`.
 *
 *     switch_ns         one switch of stacks, half of a there and back, the compiler saving what is alive
 *     spsc_msgs         a ring of 64-byte slots, one producer, one consumer
 *     spsc_rtt_ns       there and back through two such rings, both sides polling without a pause
 *     eventfd_rt        there and back between two threads that block in read() of an eventfd
 *     epoll_eventfd_rt  the same, each blocking in epoll_wait() first
 *     malloc_free_ns    64 bytes, taken and given back at once
 *
 * Threads that poll are pinned, each to a CPU of its own: on one they would only wait for each other's time
 * slice. Threads that sleep are not, as nobody's loops are: the kernel puts both on one CPU, or pays an
 * interrupt to wake the other, and a virtual machine pays that dearly. Expect two figures, far apart.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RUN_NS 500000000ull

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* run(arg, n) does the work n times, which should last a millisecond or less. Returns the ns of one time, as
 * the median over all such blocks within RUN_NS: a block that lost its CPU to somebody else is no floor. */
static double each_ns(void (*run)(void *, uint64_t), void *arg, uint64_t n)
{
    enum { BLOCKS = 1 << 16 };
    static double block[BLOCKS];
    size_t blocks = 0;
    for (uint64_t t = now(), u, end = t + RUN_NS; t < end && blocks < BLOCKS; t = u) {
        run(arg, n);
        u = now();
        block[blocks++] = (double)(u - t) / (double)n;
    }
    qsort(block, blocks, sizeof *block, by_value);
    return block[blocks / 2];
}

static void in_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    errno = pthread_create(thread, NULL, run, arg);
    check(!errno, "thread");
}

static int cpus[2]; /* the first two that this process may use */

static void find_cpus(void)
{
    cpu_set_t all;
    int n = 0;
    check(!sched_getaffinity(0, sizeof all, &all), "affinity");
    for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
        if (CPU_ISSET(cpu, &all))
            cpus[n++] = cpu;
    errno = ENODEV;
    check(n == 2, "threads that poll need two CPUs");
}

static void pin(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    errno = pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    check(!errno, "affinity");
}

/* ---- the switch ---- */

struct context {
    void *sp, *pc, *fp;
};

static struct context here, there;
static uint64_t visits;

/* Keeps sp, pc and the frame pointer by hand and calls every other register of this build lost, so that the
 * compiler saves around it what it still needs. Nothing is pushed: the red zone survives. */
__attribute__((always_inline)) static inline void swap(struct context *from, struct context *to)
{
#if defined(__x86_64__)
    __asm__ volatile("leaq 0f(%%rip), %%rcx\n\t"
                     "movq %%rsp, (%0)\n\t"
                     "movq %%rcx, 8(%0)\n\t"
                     "movq %%rbp, 16(%0)\n\t"
                     "movq (%1), %%rsp\n\t"
                     "movq 16(%1), %%rbp\n\t"
                     "jmp *8(%1)\n"
                     "0:"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
#elif defined(__aarch64__)
    register struct context *f __asm__("x0") = from, *t __asm__("x1") = to;
    __asm__ volatile("mov x2, sp\n\t"
                     "adr x3, 0f\n\t"
                     "stp x2, x3, [x0]\n\t"
                     "str x29, [x0, #16]\n\t"
                     "ldp x2, x3, [x1]\n\t"
                     "ldr x29, [x1, #16]\n\t"
                     "mov sp, x2\n\t"
                     "br x3\n"
                     "0:"
                     : "+r"(f), "+r"(t)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                       "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
                       "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9",
                       "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21",
                       "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "cc",
                       "memory");
#else
#error "no switch for this machine"
#endif
}

/* The first frame of the other stack: nobody calls it and it never returns. */
__attribute__((noipa, noreturn)) static void other_side(void)
{
    for (;;) {
        visits++;
        swap(&there, &here);
    }
}

__attribute__((noipa)) static void visit(void *arg, uint64_t n)
{
    (void)arg;
    uint64_t until = visits + n;
    for (uint64_t i = 0; i < n; i++)
        swap(&here, &there);
    errno = EINVAL;
    check(visits == until, "visits");
}

static double switch_ns(void)
{
    static _Alignas(16) char stack[64 * 1024];
    void **top = (void **)(stack + sizeof stack) - 2;
    *--top = NULL; /* where a call leaves the return address; the stack is then aligned as behind a call */
#if defined(__aarch64__)
    top++;
#endif
    there = (struct context){top, (void *)(uintptr_t)other_side, NULL};
    return each_ns(visit, NULL, 1 << 17) / 2;
}

/* ---- the ring ---- */

enum { SLOTS = 256, BATCH = 64 }; /* 16 KiB: half of the smallest first-level cache */

struct slot {
    _Alignas(64) uint64_t word[8];
};

/* Invariant: head <= tail <= head + SLOTS. Each side owns one line: its public index, its private one that
 * runs ahead of it by less than BATCH, and the other's index as last seen. */
struct ring {
    _Alignas(64) atomic_uint_fast64_t tail; /* slots written; release: pairs with the consumer's acquire and
                                               hands over the slots; no later load depends on it */
    uint64_t written, head_seen;
    _Alignas(64) atomic_uint_fast64_t head; /* slots free again; release: pairs with the producer's acquire,
                                               so that reading a slot comes before its next use */
    uint64_t taken, tail_seen;
    struct slot slot[SLOTS];
};

static void publish(struct ring *r)
{
    atomic_store_explicit(&r->tail, r->written, memory_order_release);
}

/* Waits for a free slot, fills it; others see it at the next publish. */
static void put(struct ring *r, uint64_t number)
{
    if (r->written - r->head_seen == SLOTS) {
        publish(r);
        while (r->written - (r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire)) == SLOTS)
            ;
    }
    struct slot *s = &r->slot[r->written % SLOTS];
    for (int i = 0; i < 8; i++)
        s->word[i] = number + (uint64_t)i;
    r->written++;
}

/* Waits for a message, returns the sum of its words; the producer sees the slots free by batches. */
static uint64_t take(struct ring *r)
{
    if (r->taken == r->tail_seen)
        while (r->taken == (r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire)))
            ;
    const struct slot *s = &r->slot[r->taken % SLOTS];
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++)
        sum += s->word[i];
    if (++r->taken % BATCH == 0)
        atomic_store_explicit(&r->head, r->taken, memory_order_release);
    return sum;
}

static uint64_t sum_of(uint64_t number)
{
    return 8 * number + 28;
}

/* A number that no stream reaches: its receiver ends. */
#define STOP (UINT64_MAX / 16)

static struct ring to, back;

static void *produce(void *stop)
{
    pin(cpus[1]);
    for (uint64_t n = 0; !atomic_load_explicit((atomic_int *)stop, memory_order_relaxed);) { /* only a flag */
        for (int i = 0; i < BATCH; i++)
            put(&to, n++);
        publish(&to);
    }
    put(&to, STOP);
    publish(&to);
    return NULL;
}

static void consume(void *arg, uint64_t n)
{
    uint64_t *next = arg;
    errno = EPROTO;
    for (; n > 0; n--)
        check(take(&to) == sum_of((*next)++), "message");
}

static double spsc_msgs(void)
{
    static atomic_int stop;
    uint64_t next = 0;
    pthread_t thread;
    find_cpus();
    in_thread(&thread, produce, &stop);
    pin(cpus[0]);
    double ns = each_ns(consume, &next, 1 << 14);
    atomic_store_explicit(&stop, 1, memory_order_relaxed);
    while (take(&to) != sum_of(STOP))
        ;
    pthread_join(thread, NULL);
    return 1e9 / ns;
}

static void *echo(void *arg)
{
    (void)arg;
    pin(cpus[1]);
    uint64_t sum;
    do {
        sum = take(&to);
        put(&back, sum);
        publish(&back);
    } while (sum != sum_of(STOP));
    return NULL;
}

static void trip(void *arg, uint64_t n)
{
    (void)arg;
    errno = EPROTO;
    for (; n > 0; n--) {
        put(&to, n);
        publish(&to);
        check(take(&back) == sum_of(sum_of(n)), "answer");
    }
}

static double spsc_rtt_ns(void)
{
    pthread_t thread;
    find_cpus();
    in_thread(&thread, echo, NULL);
    pin(cpus[0]);
    double ns = each_ns(trip, NULL, 1 << 11);
    put(&to, STOP);
    publish(&to);
    pthread_join(thread, NULL);
    return ns;
}

/* ---- two threads that sleep ---- */

struct bell {
    int fd, poller; /* -1: read() itself blocks */
};

static struct bell ping, pong;

static struct bell new_bell(int polled)
{
    struct bell b = {eventfd(0, polled ? EFD_NONBLOCK : 0), -1};
    check(b.fd >= 0, "eventfd");
    if (polled) {
        struct epoll_event e = {.events = EPOLLIN};
        b.poller = epoll_create1(0);
        check(b.poller >= 0 && !epoll_ctl(b.poller, EPOLL_CTL_ADD, b.fd, &e), "epoll");
    }
    return b;
}

static void ring_bell(struct bell *b, uint64_t value)
{
    check(write(b->fd, &value, sizeof value) == sizeof value, "write");
}

static uint64_t await_bell(struct bell *b)
{
    struct epoll_event e;
    uint64_t value;
    if (b->poller >= 0)
        check(epoll_wait(b->poller, &e, 1, -1) == 1, "epoll_wait");
    check(read(b->fd, &value, sizeof value) == sizeof value, "read");
    return value;
}

static void *answer(void *arg)
{
    (void)arg;
    uint64_t value;
    do {
        value = await_bell(&ping);
        ring_bell(&pong, value);
    } while (value == 1); /* 2: the end */
    return NULL;
}

static void wake(void *arg, uint64_t n)
{
    (void)arg;
    for (; n > 0; n--) {
        ring_bell(&ping, 1);
        check(await_bell(&pong) == 1, "answer");
    }
}

static double bell_rt(int polled)
{
    pthread_t thread;
    ping = new_bell(polled);
    pong = new_bell(polled);
    in_thread(&thread, answer, NULL);
    double ns = each_ns(wake, NULL, 1 << 5);
    ring_bell(&ping, 2);
    pthread_join(thread, NULL);
    return 1e9 / ns;
}

/* ---- the allocator ---- */

static void take_and_give(void *arg, uint64_t n)
{
    (void)arg;
    for (; n > 0; n--) {
        void *p = malloc(64);
        __asm__ volatile("" : "+r"(p) : : "memory"); /* or the compiler takes away both */
        check(p != NULL, "malloc");
        free(p);
    }
}

int main(int argc, char **argv)
{
    const char *q = argc == 2 ? argv[1] : "";
    if (!strcmp(q, "switch_ns"))
        printf("%s %.3g ns\n", q, switch_ns());
    else if (!strcmp(q, "spsc_msgs"))
        printf("%s %.0f msg/s\n", q, spsc_msgs());
    else if (!strcmp(q, "spsc_rtt_ns"))
        printf("%s %.4g ns\n", q, spsc_rtt_ns());
    else if (!strcmp(q, "eventfd_rt"))
        printf("%s %.0f rt/s\n", q, bell_rt(0));
    else if (!strcmp(q, "epoll_eventfd_rt"))
        printf("%s %.0f rt/s\n", q, bell_rt(1));
    else if (!strcmp(q, "malloc_free_ns"))
        printf("%s %.3g ns\n", q, each_ns(take_and_give, NULL, 1 << 15));
    else
        return fprintf(stderr, "usage: floors QUESTION\n"), 2;
    return 0;
}
