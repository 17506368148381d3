/* SPDX-License-Identifier: MIT */
#include "loop/base/os.h"

#include "loop/base/times.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef sigev_notify_thread_id /* glibc does not name it before 2.38 */
#define sigev_notify_thread_id _sigev_un._tid
#endif
#define PIDFD_SELF_GROUP (-10001) /* PIDFD_SELF_THREAD_GROUP, Linux 6.14 */

enum { BATCH = 64 }; /* ranges that go to the kernel in one process_madvise */

int (*rp__os_fault)(const char *call);

void *rp__os_map(size_t size, const char *name)
{
    if (rp__os_faulty("mmap"))
        return 0;
    void *p = mmap(0, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (p == MAP_FAILED)
        return 0;
    /* with huge pages a first touch costs 135 us and two megabytes; both calls may fail harmlessly */
    madvise(p, size, MADV_NOHUGEPAGE);
    prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, size, name);
    return p;
}

void rp__os_unmap(void *p, size_t size)
{
    munmap(p, size);
}

void rp__os_fix(void *pages, size_t size, bool fixed)
{
    (void)mprotect(pages, size, fixed ? PROT_READ : PROT_READ | PROT_WRITE);
}

/* Advises up to BATCH ranges at once; one by one where the kernel lacks the call. Returns how many. */
static unsigned advise(const struct iovec *v, unsigned n, int advice)
{
    long bytes = rp__os_faulty("process_madvise") ? -1 : syscall(SYS_process_madvise, PIDFD_SELF_GROUP, v, n, advice, 0);
    unsigned done = 0;
    for (; done < n && bytes >= (long)v[done].iov_len; done++)
        bytes -= (long)v[done].iov_len;
    while (done < n && !rp__os_faulty("madvise") && madvise(v[done].iov_base, v[done].iov_len, advice) == 0)
        done++;
    return done;
}

unsigned rp__os_guard(void *const *p, unsigned n, size_t size, enum rp__guard *how)
{
    unsigned done = 0;
    while (*how == RP__GUARD_INSTALL && done < n) {
        struct iovec v[BATCH];
        unsigned k = n - done < BATCH ? n - done : BATCH;
        for (unsigned i = 0; i < k; i++)
            v[i] = (struct iovec){p[done + i], size};
        unsigned installed = advise(v, k, MADV_GUARD_INSTALL);
        done += installed;
        if (installed < k)
            *how = RP__GUARD_PROTECT;
    }
    while (*how == RP__GUARD_PROTECT && done < n) {
        if (!rp__os_faulty("mprotect") && mprotect(p[done], size, PROT_NONE) == 0)
            done++;
        else
            *how = RP__GUARD_NONE;
    }
    return done;
}

/* Failing costs memory or time, and loses nothing. */
static void advise_all(const struct iovec *v, unsigned n, int advice)
{
    for (unsigned at = 0; at < n; at += BATCH)
        advise(v + at, n - at < BATCH ? n - at : BATCH, advice);
}

void rp__os_discard(const struct iovec *pages, unsigned n)
{
    advise_all(pages, n, MADV_DONTNEED);
}

void rp__os_populate(const struct iovec *pages, unsigned n)
{
    advise_all(pages, n, MADV_POPULATE_WRITE);
}

void rp__os_populate_within(void *p, size_t size)
{
    uintptr_t from = ((uintptr_t)p + RP__OS_PAGE - 1) & ~(uintptr_t)(RP__OS_PAGE - 1), to = ((uintptr_t)p + size) & ~(uintptr_t)(RP__OS_PAGE - 1);
    if (from < to)
        rp__os_populate(&(struct iovec){(void *)from, to - from}, 1);
}

rp_time rp__os_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (rp_time)ts.tv_sec * RP_S + ts.tv_nsec;
}

int rp__os_thread(pthread_t *ret, void *(*main)(void *), void *arg)
{
    return rp__os_faulty("pthread_create") ? -EAGAIN : -pthread_create(ret, 0, main, arg);
}

int rp__os_silent_thread(pthread_t *ret, void *(*main)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* it inherits them */
    int rc = rp__os_thread(ret, main, arg);
    pthread_sigmask(SIG_SETMASK, &before, 0);
    return rc;
}

void rp__os_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(c, &a);
    pthread_condattr_destroy(&a);
}

int rp__os_cond_until(pthread_cond_t *c, pthread_mutex_t *lock, rp_time until)
{
    return -pthread_cond_timedwait(c, lock, &(struct timespec){until / RP_S, until % RP_S});
}

int rp__os_ticks(timer_t *ret, int signo, void *arg, rp_time every)
{
    struct sigevent e;
    sigset_t only;
    memset(&e, 0, sizeof e);
    e.sigev_notify = SIGEV_THREAD_ID;
    e.sigev_signo = signo;
    e.sigev_value.sival_ptr = arg;
    e.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    if (rp__os_faulty("timer_create"))
        return -ENOMEM;
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &e, ret) != 0)
        return errno == EAGAIN ? -ENOMEM : -errno;
    sigemptyset(&only);
    sigaddset(&only, signo);
    pthread_sigmask(SIG_UNBLOCK, &only, 0);
    rp__os_ticks_set(*ret, every);
    return 0;
}

void rp__os_ticks_set(timer_t ticks, rp_time every)
{
    struct timespec span = {every / RP_S, every % RP_S};
    timer_settime(ticks, 0, &(struct itimerspec){span, span}, 0); /* of a timer that there is, it cannot fail */
}

void rp__os_ticks_end(timer_t ticks)
{
    timer_delete(ticks);
}

unsigned rp__os_cpus(void)
{
    cpu_set_t set;
    if (rp__os_faulty("sched_getaffinity") || sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

void rp__os_doze(uint32_t ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, 0); /* the caller looks again, whatever it says */
}

void rp__os_yield(void)
{
    sched_yield();
}

int rp__os_poll(struct pollfd *fds, unsigned n, rp_time until)
{
    rp_time left = rp__until(until, rp__os_now());
    int ms = left == RP_FOREVER ? -1 : left <= 0 ? 0 : left / RP_MS >= INT_MAX ? INT_MAX : (int)(left / RP_MS) + 1;
    int rc = rp__os_faulty("poll") ? (errno = ENOMEM, -1) : poll(fds, n, ms);
    return rc >= 0 ? rc : -errno;
}

int rp__os_flag_open(void)
{
    if (rp__os_faulty("eventfd"))
        return -EMFILE;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd >= 0 ? fd : -EMFILE;
}

void rp__os_flag_raise(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof one) < 0)
        return; /* it is full, so it is readable already */
}

void rp__os_flag_lower(int fd)
{
    uint64_t n;
    if (read(fd, &n, sizeof n) < 0)
        return; /* it was not readable */
}

int rp__os_flag_edge(int fd, int poller)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    return !rp__os_faulty("epoll_ctl") && epoll_ctl(poller, EPOLL_CTL_MOD, fd, &e) == 0 ? 0 : -ENOSYS;
}

void rp__os_flag_close(int fd)
{
    close(fd);
}

uint64_t rp__os_entropy(void)
{
    uint64_t x = 0;
    if (rp__os_faulty("getrandom") || getrandom(&x, sizeof x, GRND_NONBLOCK) != sizeof x)
        x = (uint64_t)rp__os_now() * 0x9e3779b97f4a7c15u ^ (uintptr_t)&x;
    return x;
}

bool rp__os_room(unsigned descriptors)
{
    int fd[8];
    unsigned n = 0;
    while (n < descriptors && n < 8 && (fd[n] = rp__os_flag_open()) >= 0)
        n++;
    bool room = n == descriptors;
    while (n > 0)
        close(fd[--n]);
    return room;
}

int rp__os_random(void *to, size_t size)
{
    ssize_t n; /* up to 256 bytes come at once, or none */
    do
        n = rp__os_faulty("getrandom") ? -1 : getrandom(to, size, 0);
    while (n < 0 && !rp__os_fault && errno == EINTR);
    return n == (ssize_t)size ? 0 : -EIO;
}

unsigned rp__os_pid(void)
{
    return (unsigned)getpid();
}

const char *rp__os_env(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : 0;
}

bool rp__os_asked(const char *name)
{
    const char *value = rp__os_env(name);
    return value && strcmp(value, "1") == 0;
}

int rp__os_append_to(const char *path)
{
    int fd = rp__os_faulty("open") ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 ? fd : -EIO;
}

ssize_t rp__os_write(int fd, const void *from, size_t size)
{
    ssize_t n = rp__os_faulty("write") ? (errno = EIO, -1) : write(fd, from, size);
    return n >= 0 ? n : -errno;
}
