/* SPDX-License-Identifier: MIT
 *
 * support.h - running a piece of code as the root actor, in every world, and asking afterwards what
 * must be true of every run: the books balance, no memory is left, nobody's failure was lost.
 */
#ifndef RP_SUPPORT_H
#define RP_SUPPORT_H

#include "reparto/reparto.h"
#include "tests/test.h"

#include <pthread.h>

typedef int root_fn(rp_self *me, void *arg);

/* Runs `fn` as the root with the given options (NULL: defaults); its result. Checks the books; simulated, after
 * every step. */
int run_with(root_fn *fn, void *arg, const rp_system_opts *o);

/* As rp_run, but in a host: one that runs libuv, one that runs poll. */
typedef int run_fn(const rp_actor *root, void *arg, const rp_system_opts *o);
run_fn run_attached, run_ticked;

/* Runs `fn` on one loop, on three, on three under a chaotic scheduler, inside a host that runs libuv, ticked by
 * a host that runs poll, and simulated with several seeds. Each must return 0. */
void everywhere(root_fn *fn, void *arg);

/* What has been reported: rp_system_opts.on_report is `reported`, and report_ud one of these. From any thread. */
struct reports {
    pthread_mutex_t lock;
    unsigned n;         /* all of them; the first are kept */
    uint64_t skipped;
    rp_report r[64];
    char text[64][512];
};
void reports_init(struct reports *r);
void reported(const rp_report *r, void *ud);
void unreported(const rp_report *r, void *ud); /* for who fails on purpose: nothing is said */
const rp_report *report_with(struct reports *r, const char *part); /* the first whose text has that; NULL: none has */

/* Runs `fn` as the root of one loop, in a child. It must die of abort(), having said that on standard error. Under
 * AddressSanitizer that may be found earlier, and said otherwise. */
void dies_saying(root_fn *fn, void *arg, const char *part);

/* An allocator that counts, and fails the `fail_at`-th call (and all after it, if `from_then_on`). */
struct test_mem {
    rp_alloc alloc;
    _Atomic int64_t blocks, calls;
    int64_t fail_at; /* 0: none */
    bool from_then_on;
    size_t least; /* bytes: less than that is had all the same */
};
void test_mem_init(struct test_mem *m);

/* The usual message of tests. */
struct num {
    uint64_t n;
    rp_ref ref;
};
extern const rp_type num_type;
#define NUM (&num_type)

struct text { /* a body outside the slots */
    uint32_t id;
    rp_bytes text;
};
extern const rp_type text_type;
#define TEXT (&text_type)

int tell_num(rp_self *me, rp_ref to, uint64_t n);
int recv_num(rp_self *me, uint64_t *n); /* the next message must be a num */
int recv_down(rp_self *me, struct rp_down *d);

#endif
