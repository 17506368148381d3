/* SPDX-License-Identifier: MIT
 *
 * os.h - the kernel, behind one door.
 *
 * Every system call that reparto itself makes (libuv's and nng's are theirs) goes through here, so
 * that a test can make the k-th one fail, and so that a clock or a random number is read in one place.
 */
#ifndef RP__OS_H
#define RP__OS_H

#include "reparto/loop.h"

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

/* Tests only: asked before each call, by name; what it returns other than 0 is that call's errno. */
extern int (*rp__os_fault)(const char *call);

static inline bool rp__os_faulty(const char *call) /* a test wants `call` to fail */
{
    return __builtin_expect(rp__os_fault != 0, 0) && rp__os_fault(call) != 0;
}

enum { RP__OS_PAGE = 4096 }; /* or a part of one, where they are larger: then calls about it are refused, which costs only time */

/* Zeroed memory that costs nothing until touched, never in huge pages. NULL: the kernel refused. */
void *rp__os_map(size_t size, const char *name);
void  rp__os_unmap(void *p, size_t size);
void  rp__os_fix(void *pages, size_t size, bool fixed); /* not to be written, or again. Where the kernel refuses, nothing changes */

/* How a stack's low end can be made to fault. */
enum rp__guard {
    RP__GUARD_INSTALL,  /* MADV_GUARD_INSTALL, Linux 6.13: no VMA of its own */
    RP__GUARD_PROTECT,  /* mprotect: two VMAs each, and the kernel allows 65,530 */
    RP__GUARD_NONE      /* neither worked: a canary is checked when the stack comes back */
};

/* Guards the `size` bytes at each p[i], in as few calls as the kernel allows: the first of them, and
 * returns how many; the rest are as they were. `*how` is the way to try, and what of it still works. */
unsigned rp__os_guard(void *const *p, unsigned n, size_t size, enum rp__guard *how);

struct iovec;

void rp__os_discard(const struct iovec *pages, unsigned n); /* give them back; keep the addresses */

/* All of these pages are about to be written: asks for them in one call, where each first touch would be a fault of its
 * own. Advice: where the kernel cannot (before Linux 5.14), or has no memory, they come as they are touched. */
void rp__os_populate(const struct iovec *pages, unsigned n);
void rp__os_populate_within(void *p, size_t size); /* the whole pages of that block */

rp_time  rp__os_now(void);     /* CLOCK_MONOTONIC */
int      rp__os_thread(pthread_t *ret, void *(*main)(void *), void *arg); /* 0 or a negative errno value */
int      rp__os_silent_thread(pthread_t *ret, void *(*main)(void *), void *arg); /* no signal comes to it: they are for the program's own */
void     rp__os_cond_init(pthread_cond_t *c); /* for rp__os_cond_until */
int      rp__os_cond_until(pthread_cond_t *c, pthread_mutex_t *lock, rp_time until); /* on rp__os_now's clock; 0, or -ETIMEDOUT */
unsigned rp__os_cpus(void);    /* that this process may run on */
uint64_t rp__os_entropy(void); /* from the kernel's pool; of the clock where that has none yet */
int      rp__os_random(void *to, size_t size); /* from the kernel's pool only, for which it waits; or -EIO */
int      rp__os_append_to(const char *path); /* a file, made if need be: a descriptor, or -errno */
ssize_t  rp__os_write(int fd, const void *from, size_t size); /* as write(2), but -errno; may block */
unsigned rp__os_pid(void);
const char *rp__os_env(const char *name); /* what the user has set; NULL: nothing, or no user of ours has (setuid) */
bool     rp__os_asked(const char *name); /* the user has set it to 1 */

/* From now on `signo` comes to the calling thread, which is not to block it, for each `every` ns of its CPU time, and
 * brings `arg`. 0; -ENOMEM: there is no timer to be had (RLIMIT_SIGPENDING); -errno. */
int  rp__os_ticks(timer_t *ret, int signo, void *arg, rp_time every);
void rp__os_ticks_set(timer_t ticks, rp_time every); /* 0: no more. In a signal handler too */
void rp__os_ticks_end(timer_t ticks);

void rp__os_doze(uint32_t ns); /* the calling thread sleeps for about so long, below a second */
void rp__os_yield(void); /* the processor, to another thread */

static inline void rp__os_pause(void) /* between two looks at what another thread will write */
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* That cache line will be written soon: it is taken from the other core now, where a store would wait for it, and all
 * later stores behind that one. (__builtin_prefetch(p, 1) fetches it to be read, unless gcc may use newer instructions.) */
static inline void rp__os_claim(const void *p)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
    __builtin_prefetch(p, 1);
#endif
}

bool rp__os_room(unsigned descriptors); /* so many more can be opened, at this moment; up to eight */

struct pollfd;

/* Until one of them is ready, or the time has come. How many are; a negative errno value. */
int rp__os_poll(struct pollfd *fds, unsigned n, rp_time until);

/* An eventfd: made, not readable; a negative errno value when there is none to be had. */
int  rp__os_flag_open(void);
void rp__os_flag_raise(int fd); /* readable from now on */
void rp__os_flag_lower(int fd);
int  rp__os_flag_edge(int fd, int poller); /* in that epoll, told once for each raise from now on: 0, or -errno */
void rp__os_flag_close(int fd);

#endif
