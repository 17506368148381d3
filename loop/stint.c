/* SPDX-License-Identifier: MIT */
#include "loop/stint.h"

#include "loop/system.h"

/* What it was given. */
static int32_t given(const struct rp__stint *s)
{
    return s->size < s->turn ? s->size : s->turn;
}

void rp__stint_init(struct rp__stint *s, rp_time budget)
{
    *s = (struct rp__stint){.size = RP__STINT_FIRST, .slice = RP__TURN_NS, .budget = budget};
}

void rp__stint_turn(struct rp__stint *s, int32_t budget)
{
    struct rp_loop *l = RP__OF(struct rp_loop, stint, s);
    if (s->size > RP__STINT_FIRST)
        s->size = RP__STINT_FIRST;
    s->end = l->now + s->slice;
    s->turn = budget;
    s->left = given(s);
}

/* So many things have taken so long. */
static void learn(struct rp__stint *s, int32_t done, rp_time took)
{
    rp_time slow = s->slice / RP__STINT_PART;
    if (took > slow) {
        int32_t fit = (int32_t)(done * slow / took);
        s->size = fit > 1 ? fit : 1;
    } else if (done >= s->size && s->size < RP__STINT_MOST) {
        s->size *= RP__STINT_GROWTH;
    }
}

/* Of several things in a stint one was too long: then each of the next is one of its own, and it is seen whose it is. */
static void look_whose(struct rp_loop *l, int32_t done, rp_time took)
{
    struct rp__stint *s = &l->stint;
    if (took > s->budget)
        s->alone = RP__STINT_ALONE;
    else
        s->alone--;
    s->size = 1;
    if (took > s->budget && done == 1)
        l->sys->floor->overran(l, took);
}

RP__NOIPA bool rp__stint_next(struct rp__stint *s)
{
    struct rp_loop *l = RP__OF(struct rp_loop, stint, s);
    if (s->turn <= 0)
        return false;
    int32_t done = given(s) - s->left;
    rp_time now = l->world->now(l), took = now - l->now;
    learn(s, done, took);
    if (__builtin_expect(took > s->budget || s->alone > 0, 0))
        look_whose(l, done, took);
    l->now = now;
    s->turn = now < s->end ? s->turn - done : 0;
    s->left = given(s);
    return s->left > 0;
}

void rp__stint_share(struct rp__stint *s, int32_t most)
{
    struct rp_loop *l = RP__OF(struct rp_loop, stint, s);
    l->now = l->world->now(l);
    s->end = l->now + s->slice;
    s->turn = most;
    s->left = given(s);
}
