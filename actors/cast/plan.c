/* SPDX-License-Identifier: MIT */
#include "actors/cast/plan.h"

#include "actors/table/runtime.h"

#include <errno.h>
#include <string.h>

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static const char *text_to(char **at, const char *s)
{
    size_t n = text_size(s);
    char *to = *at;
    *at += n;
    return s ? memcpy(to, s, n) : 0;
}

static bool sound(const rp_child *c)
{
    return (c->actor != 0) != (c->supervisor != 0) && c->restart <= RP_NEVER && c->mail <= RP_MAIL_DEAD;
}

static int size_of(const rp_supervisor *s, size_t *size)
{
    *size = sizeof(struct rp__sup_plan) + s->nchildren * sizeof(rp_child) + text_size(s->name);
    for (size_t i = 0; i < s->nchildren; i++) {
        const rp_child *c = &s->children[i];
        if (!sound(c))
            return -EINVAL;
        *size += text_size(c->opts.name) + (c->actor ? sizeof(rp_actor) + text_size(c->actor->name) : 0);
    }
    return 0;
}

/* One supervisor; those among its children are still the caller's. */
static int copy_one(rp_system *sys, const rp_supervisor *s, struct rp__sup_plan **ret)
{
    size_t size;
    int rc = (s->nchildren && !s->children) || (unsigned)s->strategy > RP_REST_FOR_ONE ? -EINVAL : size_of(s, &size);
    if (rc != 0)
        return rc;
    struct rp__sup_plan *p = rp__alloc(sys, size);
    if (!p)
        return -ENOMEM;
    memset(p, 0, sizeof *p);
    p->top = *s;
    p->top.children = p->child;
    p->size = size;
    atomic_init(&p->holders, 1);
    rp_actor *kind = (rp_actor *)(void *)(p->child + s->nchildren);
    for (size_t i = 0; i < s->nchildren; i++) {
        p->child[i] = s->children[i];
        if (s->children[i].actor)
            p->child[i].actor = memcpy(kind++, s->children[i].actor, sizeof *kind);
    }
    char *at = (char *)kind;
    p->top.name = text_to(&at, s->name);
    kind = (rp_actor *)(void *)(p->child + s->nchildren);
    for (size_t i = 0; i < s->nchildren; i++) {
        p->child[i].opts.name = text_to(&at, p->child[i].opts.name);
        if (p->child[i].actor) {
            kind->name = text_to(&at, kind->name);
            kind++;
        }
    }
    *ret = p;
    return 0;
}

int rp__sup_plan_new(rp_system *sys, const rp_supervisor *s, struct rp__sup_plan **ret)
{
    *ret = 0;
    int rc = copy_one(sys, s, ret);
    struct rp__sup_plan *last = *ret;
    unsigned n = 1;
    for (struct rp__sup_plan *p = *ret; p && rc == 0; p = p->next)
        for (size_t i = 0; i < p->top.nchildren && rc == 0; i++) {
            if (!p->child[i].supervisor)
                continue;
            struct rp__sup_plan *inner;
            rc = ++n > RP__TREE_MAX ? -EINVAL : copy_one(sys, p->child[i].supervisor, &inner);
            if (rc != 0)
                break;
            p->child[i].supervisor = &inner->top;
            last = last->next = inner;
        }
    if (rc != 0)
        rp__sup_plan_free(sys, *ret);
    return rc;
}

void rp__sup_plan_free(rp_system *sys, struct rp__sup_plan *p)
{
    for (struct rp__sup_plan *next; p; p = next) {
        next = p->next;
        rp__free_mem(sys, p, p->size);
    }
}

void rp__sup_plan_lend(rp_system *sys, struct rp__sup_plan *p)
{
    struct rp__runtime *rt = sys->up;
    atomic_store_explicit(&p->holders, 2, memory_order_relaxed); /* nobody else knows of it yet */
    pthread_mutex_lock(&rt->names_lock);
    rp__list_push(&rt->lent, &p->lent);
    pthread_mutex_unlock(&rt->names_lock);
}

void rp__sup_plan_let_go(rp_system *sys, struct rp__sup_plan *p)
{
    struct rp__runtime *rt = sys->up;
    if (!p || atomic_fetch_sub_explicit(&p->holders, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_lock(&rt->names_lock);
    rp__unlink(&p->lent);
    pthread_mutex_unlock(&rt->names_lock);
    rp__sup_plan_free(sys, p);
}

void rp__sup_plans_end(rp_system *sys)
{
    struct rp__runtime *rt = sys->up;
    for (struct rp__hook *at; (at = rp__list_pop(&rt->lent));)
        rp__sup_plan_free(sys, RP__OF(struct rp__sup_plan, lent, at));
}
