/* SPDX-License-Identifier: MIT
 *
 * limiter.c - rp_limiter, a token bucket. The first in line sleeps until its tokens are there, the others
 * stand behind it; who gives up has taken none.
 *
 * The level is counted in tokens times `per`, so that each ns adds exactly `rate` and nothing is rounded.
 */
#include "loop/fork.h"
#include "mailbox/sync/park.h"
#include "reparto/sync.h"

struct limiter {
    struct rp__latch latch;
    bool headed;         /* somebody is at the head, asleep until its tokens are there */
    struct rp__line line; /* those behind */
    uint64_t rate, per, full;
    uint64_t level;      /* at `last` */
    rp_time last;
};

enum { HEAD = 1 }; /* what one is told who has come to the head of the line */

struct want {
    struct rp__waiter w;
    rp_time now;
    uint64_t cost;
};

_Static_assert(sizeof(struct limiter) <= sizeof(rp_limiter), "the public struct holds it");

static struct limiter *limiter_of(rp_limiter *m)
{
    return (struct limiter *)(void *)m;
}

int rp_limiter_init(rp_limiter *limiter, uint64_t rate, rp_time per, uint64_t burst)
{
    if (!limiter || rate == 0 || per <= 0 || burst == 0 || burst > (UINT64_C(1) << 62) / (uint64_t)per)
        return -EINVAL;
    uint64_t full = burst * (uint64_t)per;
    *limiter_of(limiter) = (struct limiter){.rate = rate, .per = (uint64_t)per, .full = full, .level = full};
    return 0;
}

/* ---- under the latch ------------------------------------------------------------------------------ */

static void fill(struct limiter *m, rp_time now)
{
    if (now <= m->last)
        return;
    uint64_t ns = (uint64_t)(now - m->last), room = m->full - m->level;
    m->level = ns > room / m->rate ? m->full : m->level + ns * m->rate;
    m->last = now;
}

static bool pay(struct limiter *m, uint64_t cost, rp_time now)
{
    fill(m, now);
    if (m->level < cost)
        return false;
    m->level -= cost;
    return true;
}

static int try_tokens(void *object, struct rp__waiter *w)
{
    struct limiter *m = object;
    struct want *want = (struct want *)w;
    if (m->headed)
        return -EAGAIN;
    if (pay(m, want->cost, want->now))
        return 0;
    m->headed = true;
    return HEAD;
}

/* ---- at the head ---------------------------------------------------------------------------------- */

static void step_aside(struct limiter *m, struct rp_loop *here)
{
    rp__latch(&m->latch);
    struct rp__waiter *next = rp__line_pop(&m->line);
    m->headed = next != 0;
    rp__unlatch(&m->latch);
    if (next)
        rp__unpark(next, HEAD, here);
}

/* 0, paid; or when there will be enough. */
static rp_time pay_or_when(struct limiter *m, uint64_t cost, rp_time now)
{
    rp__latch(&m->latch);
    rp_time when = 0;
    if (!pay(m, cost, now)) {
        uint64_t lack = cost - m->level, ns = lack / m->rate + (lack % m->rate != 0);
        when = ns < (uint64_t)(RP_FOREVER - m->last) ? m->last + (rp_time)ns : RP_FOREVER;
    }
    rp__unlatch(&m->latch);
    return when;
}

static int at_head(rp_self *me, struct limiter *m, uint64_t cost, rp_time deadline)
{
    int rc = 0;
    for (rp_time when; rc == 0 && (when = pay_or_when(m, cost, rp_now(me))) != 0;) /* twice at most */
        rc = when > deadline ? -ETIMEDOUT : rp_sleep(me, when);
    step_aside(m, me->loop);
    return rc;
}

/* ---- for users ----------------------------------------------------------------------------------- */

static bool affordable(const struct limiter *m, uint64_t n)
{
    return n > 0 && n <= m->full / m->per;
}

int rp_limiter_acquire(rp_self *me, rp_limiter *limiter, uint64_t n, rp_time deadline)
{
    if (!limiter)
        return -EINVAL;
    struct limiter *m = limiter_of(limiter);
    if (!affordable(m, n))
        return -EINVAL;
    struct want want = {.cost = n * m->per, .now = rp_now(me)};
    int rc = rp__wait_for(me, &m->latch, &m->line, &want.w, try_tokens, m, "tokens", deadline);
    return rc == HEAD ? at_head(me, m, want.cost, deadline) : rc;
}

int rp_limiter_try(const rp_self *me, rp_limiter *limiter, uint64_t n)
{
    if (!limiter)
        return -EINVAL;
    struct limiter *m = limiter_of(limiter);
    if (!affordable(m, n))
        return -EINVAL;
    if (rp__forked(me->loop))
        return -EPERM;
    rp_time now = rp_now(me);
    rp__latch(&m->latch);
    bool paid = !m->headed && pay(m, n * m->per, now);
    rp__unlatch(&m->latch);
    return paid ? 0 : -EAGAIN;
}
