/* SPDX-License-Identifier: MIT
 *
 * A link ends while coroutines wait for something of it, and one of them is stopped before it has heard: what it waited
 * in must still be there. Its loop is in the middle of a round, has the word that the link is gone and the stop behind
 * it, and looks into its inbox, where the wake-up lies, only after that.
 */
#include "tests/support.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Each block on pages of its own, which nobody can touch once it is freed. */
static void *page_alloc(void *ud, size_t n)
{
    (void)ud;
    void *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? 0 : p;
}

static void page_free(void *ud, void *p, size_t n)
{
    (void)ud;
    if (p)
        check(mprotect(p, n, PROT_NONE) == 0);
}

static const rp_alloc pages = {page_alloc, page_free, 0};

static const rp_type *const types[] = {&num_type, &text_type, NULL};

/* ---- the peer: takes one message, and never another ----------------------------------------------------- */

static int hang(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor sink = {.name = "sink", .handle = hang};

static int be_peer(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &sink, &(rp_spawn_opts){.name = "sink"}, NULL), 0);
    return rp_sleep(me, RP_FOREVER);
}

static pid_t start_peer(const char *url)
{
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a check fails */
        rp_system_opts o = {.loops = 1, .listen = url, .types = types};
        _exit(rp_run(&(rp_actor){.name = "peer", .run = be_peer}, NULL, &o) == 0 ? 0 : 1);
    }
    return pid;
}

/* ---- who waits ------------------------------------------------------------------------------------------- */

enum { FOR_ROOM, FOR_A_NAME };
enum { PASS, STAND, DAWDLE }; /* what a message to `busy` says */

struct plan {
    int waits_for;
    unsigned before; /* messages in front, by which the round is cut at another place */
    char url[64];
    pid_t peer;
    rp_ref far, busy, waiter;
    int said;        /* by the wait */
};

static atomic_bool stands, go_on, over; /* loop 1 does; it may go on; the waiter has ended */

static int wait_for_it(rp_self *me, void *arg)
{
    struct plan *p = arg;
    static const char much[4000];
    struct text t = {1, {much, sizeof much}};
    rp_ref r;
    if (p->waits_for == FOR_A_NAME)
        p->said = rp_lookup(me, (rp_node){p->far.node}, "nobody", &r, rp_in_ms(me, 60000));
    else
        while ((p->said = rp_tell(me, p->far, TEXT, &t)) == 0) /* bounded: its window */
            ;
    atomic_store(&over, true);
    return 0;
}
static const rp_actor waiter = {.name = "waiter", .run = wait_for_it};

static void spin_ms(int64_t ms)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    do
        clock_gettime(CLOCK_MONOTONIC, &b);
    while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

static int be_busy(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)me, (void)state;
    if (b && b->n == STAND)
        for (atomic_store(&stands, true); !atomic_load(&go_on);) /* bounded: the root sees it */
            ;
    if (b && b->n == DAWDLE) /* until loop 0 has had its answer, if it gets one */
        spin_ms(30);
    return 0;
}
static const rp_actor busy = {.name = "busy", .handle = be_busy, .flags = RP_NOWAIT};

static int tell_busy(rp_self *me, void *arg)
{
    struct plan *p = arg;
    for (unsigned i = 0; i < p->before; i++)
        check_eq(tell_num(me, p->busy, PASS), 0);
    return tell_num(me, p->busy, STAND);
}
static const rp_actor teller = {.name = "teller", .run = tell_busy};

static int be_client(rp_self *me, void *arg)
{
    struct plan *p = arg;
    rp_spawn_opts on1 = {.on = RP_LOOP(1), .arg = p};
    rp_node node;
    char name[64];
    check_eq(rp_connect(me, p->url, &node, RP_FOREVER), 0);
    check_eq(rp_lookup(me, node, "sink", &p->far, RP_FOREVER), 0);
    check_eq(rp_spawn(me, &busy, &on1, &p->busy), 0);
    check_eq(rp_spawn(me, &waiter, &on1, &p->waiter), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 50)), 0);
    check_eq(rp_spawn(me, &teller, &on1, NULL), 0);
    while (!atomic_load(&stands))
        check_eq(rp_yield(me), 0);
    kill(p->peer, SIGKILL);
    while (rp_node_name(me, node, name, sizeof name) == 0)
        check_eq(rp_yield(me), 0);
    for (unsigned i = 0; i < 6; i++)
        check_eq(tell_num(me, p->busy, PASS), 0);
    check_eq(tell_num(me, p->busy, DAWDLE), 0);
    check_eq(rp_stop(me, p->waiter, "enough"), 0);
    for (unsigned i = 0; i < 5; i++)
        check_eq(rp_yield(me), 0);
    atomic_store(&go_on, true);
    while (!atomic_load(&over)) /* loop 0 must not rest: it frees the link as soon as it has the answer */
        check_eq(rp_yield(me), 0);
    return 0;
}

static void end_link(struct plan *p)
{
    rp_system_opts o = {.loops = 2, .types = types, .spin_us = -1, .mem = &pages};
    stands = go_on = over = false;
    check_eq(rp_run(&(rp_actor){.name = "client", .run = be_client}, p, &o), 0);
    check(waitpid(p->peer, 0, 0) == p->peer);
    check(p->said == -EHOSTUNREACH || p->said == -ECANCELED, "the wait said %d", p->said);
}

/* All peers are forked before this process has had a thread: ThreadSanitizer follows no fork after that. */
TEST(cluster, a_waiter_that_is_stopped_after_its_link_went_down)
{
    enum { PLANS = 14 };
    struct plan plans[PLANS];
    for (unsigned i = 0; i < PLANS; i++) {
        struct plan *p = &plans[i];
        *p = (struct plan){.waits_for = i % 2 ? FOR_A_NAME : FOR_ROOM, .before = 18 + i / 2 * 6};
        snprintf(p->url, sizeof p->url, "uv+abstract://reparto-link-end-%d-%u", (int)getpid(), i);
        p->peer = start_peer(p->url);
    }
    for (unsigned i = 0; i < PLANS; i++)
        end_link(&plans[i]);
}
