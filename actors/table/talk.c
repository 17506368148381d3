/* SPDX-License-Identifier: MIT */
#include "actors/table/talk.h"

#include "loop/system.h"

#include <errno.h>
#include <string.h>

int rp__talk_open(struct rp_loop *l, rp_time until)
{
    struct rp__talk **t = &l->actors->talk;
    if (!*t && (*t = rp__alloc(l->sys, sizeof **t)))
        memset(*t, 0, sizeof **t);
    if (!*t)
        return -ENOMEM;
    (*t)->until = until;
    return 0;
}

void rp__talk_close(struct rp_loop *l)
{
    rp__free_mem(l->sys, l->actors->talk, sizeof *l->actors->talk);
    l->actors->talk = 0;
}

static unsigned place(uint64_t key)
{
    return (unsigned)(key * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

_Static_assert(RP__TALKS == 64, "six bits of the hash");

/* The one at this place loses to the other what that weighs. True: it has lost all, and its place is free; `w` is
 * what the other has left. */
static bool loses(uint64_t *weight, uint64_t *w)
{
    bool all = *weight <= *w;
    uint64_t taken = all ? *weight : *w;
    *weight -= taken;
    *w -= taken;
    return all;
}

void rp__talk_time(struct rp__talk *t, uint64_t who, uint64_t weight)
{
    struct rp__speaker *s = &t->busy[place(who)];
    t->time += weight;
    if (s->who == who)
        s->weight += weight;
    else if (loses(&s->weight, &weight))
        *s = (struct rp__speaker){who, weight};
}

void rp__talk_pair(struct rp__talk *t, uint64_t from, uint64_t to, uint64_t weight)
{
    struct rp__pairing *p = &t->pair[place(from * 31 + to)];
    if (p->from == from && p->to == to)
        p->weight += weight;
    else if (loses(&p->weight, &weight))
        *p = (struct rp__pairing){from, to, weight};
}
