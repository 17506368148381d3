/* SPDX-License-Identifier: MIT */
#include "actors/table/look.h"

#include "actors/table/runtime.h"
#include "loop/fork.h"
#include "loop/system.h"

#include <errno.h>
#include <string.h>

void *rp__look_new(rp_self *me, size_t size, void (*see)(struct rp__look *k, struct rp_loop *l))
{
    struct rp__look *k = rp__alloc(me->loop->sys, size);
    if (!k)
        return 0;
    memset(k, 0, size);
    k->home = me->loop;
    k->size = size;
    k->see = see;
    return k;
}

void rp__look_free(rp_self *me, struct rp__look *k)
{
    if (k)
        rp__free_mem(me->loop->sys, k, k->size);
}

static void come_home(struct rp__post *p, struct rp_loop *l)
{
    struct rp__look *k = RP__OF(struct rp__look, post, p);
    rp__unlink(&k->out);
    if (k->who)
        rp__wake(k->who, 0);
    else
        rp__free_mem(l->sys, k, k->size);
}

static void arrive(struct rp__post *p, struct rp_loop *l)
{
    struct rp__look *k = RP__OF(struct rp__look, post, p);
    k->see(k, l);
    k->post.fn = come_home;
    (void)rp__inbox_push(k->home, &k->post); /* its home has ended: rp__looks_fini finds it */
}

static bool give_up(rp_self *me)
{
    struct rp__look *k = me->got;
    k->who = 0;
    return true;
}

static int look_here(rp_self *me, struct rp__look *k)
{
    int rc = rp_yield(me); /* who asks again and again holds this loop no longer than any other */
    if (rc == 0)
        k->see(k, me->loop);
    return rc;
}

static int look_there(rp_self *me, struct rp__look **k, struct rp_loop *to, rp_time deadline)
{
    int rc = rp__may_park(me, deadline);
    if (rc != 0)
        return rc;
    struct rp__look *out = *k;
    out->who = me;
    out->post.fn = arrive;
    rp__list_push(&me->loop->actors->looks, &out->out);
    rc = rp__inbox_push(to, &out->post);
    if (rc != 0) {
        rp__unlink(&out->out);
        return rc;
    }
    me->got = out;
    rc = rp__park(me, "a loop's answer", to, give_up, deadline);
    if (rc != 0)
        *k = 0; /* out still */
    return rc;
}

int rp__look(rp_self *me, struct rp__look **k, unsigned loop, rp_time deadline)
{
    struct rp_loop *to = me->loop->sys->loops[loop];
    int rc = rp__forked(me->loop) ? -EPERM : to == me->loop ? look_here(me, *k) : look_there(me, k, to, deadline);
    if (rc != 0) {
        rp__look_free(me, *k);
        *k = 0;
    }
    return rc;
}

void rp__looks_fini(struct rp_loop *l)
{
    struct rp__hook *all = &l->actors->looks;
    for (struct rp__hook *at; all->next && (at = rp__list_pop(all));) {
        struct rp__look *k = RP__OF(struct rp__look, out, at);
        rp__free_mem(l->sys, k, k->size);
    }
}
