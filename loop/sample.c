/* SPDX-License-Identifier: MIT */
#include "loop/sample.h"

#include "loop/loop.h"
#include "loop/system.h"

static uint32_t below(struct rp__sampler *s, unsigned log) /* splitmix64: uniform below 2^log */
{
    uint64_t z = s->rng += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) & ((UINT64_C(1) << log) - 1));
}

uint32_t rp__draw(struct rp__sampler *s, struct rp__stream *t)
{
    if (s->off)
        return RP__NEVER;
    uint32_t place = below(s, s->log), gap = t->rest + place;
    t->rest = (1u << s->log) - 1 - place;
    t->log = s->log;
    return gap;
}

void rp__publish_gauges(struct rp_loop *l)
{
    uint64_t live = 0;
    for (unsigned c = 0; c < RP__STACK_CLASSES; c++)
        live += l->stacks.nlive[c];
    const uint64_t now[RP__GAUGES] = {
        [RP__G_STACKS] = live,
        [RP__G_STACK_BYTES] = l->stacks.bytes,
        [RP__G_POOL_BLOCKS] = (uint64_t)l->pool.live,
        [RP__G_POOL_BYTES] = l->pool.bytes,
    };
    for (unsigned i = 0; i < RP__GAUGES; i++)
        atomic_store_explicit(&l->gauge[i], now[i], memory_order_relaxed);
}

void rp__sampler_init(struct rp__sampler *s, uint64_t seed, rp_time now)
{
    enum { AT_FIRST = 6 };
    bool off = s->off;
    *s = (struct rp__sampler){.log = AT_FIRST, .off = off, .rng = seed, .looked = now, .look_at = now + RP__LOOK_EVERY};
    s->ahead = rp__draw(s, &s->far);
}

bool rp__choose_slowly(struct rp__sampler *s)
{
    if (s->off) {
        s->ahead = RP__NEVER;
        s->chosen = false;
        return false;
    }
    if (!s->chosen) {
        s->weight = s->far.log;
        s->ahead = rp__draw(s, &s->far);
    }
    s->chosen = false;
    if (s->odd && s->log < RP__BLOCK_LOG_MAX)
        s->log++; /* of blocks to come: those that have begun keep theirs */
    s->odd = !s->odd;
    return true;
}

/* The least k for which 2^k is no less than n. */
static uint32_t log_of(uint64_t n)
{
    uint32_t k = 0;
    while (k < RP__BLOCK_LOG_MAX && (UINT64_C(1) << k) < n)
        k++;
    return k;
}

static void begin_anew(struct rp__sampler *s, struct rp__stream *t, uint32_t *gap)
{
    t->rest = 0;
    *gap = rp__draw(s, t);
}

void rp__sampler_look(struct rp_loop *l, rp_time now)
{
    struct rp__sampler *s = &l->sampler;
    uint64_t sent = rp__sent(l), n = sent - s->sent;
    rp_time since = now - s->looked;
    s->sent = sent;
    s->looked = now;
    s->look_at = now + RP__LOOK_EVERY;
    rp__publish_gauges(l);
    if (s->off)
        return;
    s->log = log_of(n * RP__LOOK_EVERY / ((uint64_t)since * RP__CHOSEN_EACH_LOOK));
    s->odd = false;
    uint32_t gap;
    begin_anew(s, &s->far, &s->ahead);
    begin_anew(s, &l->events.stream, &gap);
    rp__events_sample_after(&l->events, gap);
    for (unsigned i = 0; i < l->sys->nloops; i++)
        if (l->out[i]) {
            begin_anew(s, &l->out[i]->stream, &gap);
            rp__ring_sample_after(l->out[i], gap);
        }
}
