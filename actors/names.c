/* SPDX-License-Identifier: MIT
 *
 * names.c - a process's table of named actors. Behind a mutex: names are for finding each other once,
 * not for every message.
 */
#include "actors/runtime.h"

#include <errno.h>
#include <string.h>

static struct rp__name **find(struct rp__runtime *rt, const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *c = text; *c; c++)
        h = (h ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    struct rp__name **at = &rt->names[h % RP__NAME_BUCKETS];
    while (*at && strcmp((*at)->text, text) != 0)
        at = &(*at)->next;
    return at;
}

static size_t size_of(const char *text)
{
    return sizeof(struct rp__name) + strlen(text) + 1;
}

/* Moves those who wait for `text` to `to`; the lock is held. */
static void take_waits(struct rp__runtime *rt, const char *text, struct rp__hook *to)
{
    for (struct rp__hook *at = rt->name_waits.next, *next; at != &rt->name_waits; at = next) {
        next = at->next;
        if (strcmp(RP__OF(struct rp__name_wait, all, at)->text, text) != 0)
            continue;
        rp__unlink(at);
        rp__list_push(to, at);
        rt->nname_waits--;
    }
}

int rp__name_add(struct rp_loop *l, const char *text, rp_ref ref)
{
    struct rp__runtime *rt = rp__runtime(l);
    struct rp__hook waits;
    rp__list_init(&waits);
    struct rp__name *n = rp__alloc(rt->sys, size_of(text));
    if (!n)
        return -ENOMEM;
    n->next = 0;
    n->ref = ref;
    memcpy(n->text, text, strlen(text) + 1);
    pthread_mutex_lock(&rt->names_lock);
    struct rp__name **at = find(rt, text);
    bool taken = *at != 0;
    if (!taken) {
        *at = n;
        take_waits(rt, text, &waits);
    }
    pthread_mutex_unlock(&rt->names_lock);
    if (taken)
        rp__free_mem(rt->sys, n, size_of(text));
    for (struct rp__hook *w; (w = rp__list_pop(&waits));)
        RP__OF(struct rp__name_wait, all, w)->found(RP__OF(struct rp__name_wait, all, w), l, ref);
    return taken ? -EEXIST : 0;
}

void rp__name_remove(struct rp__runtime *rt, const char *text, rp_ref ref)
{
    pthread_mutex_lock(&rt->names_lock);
    struct rp__name **at = find(rt, text), *n = *at;
    if (n && rp_ref_eq(n->ref, ref))
        *at = n->next;
    else
        n = 0;
    pthread_mutex_unlock(&rt->names_lock);
    if (n)
        rp__free_mem(rt->sys, n, size_of(text));
}

int rp__name_find(struct rp__runtime *rt, const char *text, rp_ref *ret, struct rp__name_wait *wait)
{
    enum { WAITS_MAX = 4096 };
    pthread_mutex_lock(&rt->names_lock);
    struct rp__name *n = *find(rt, text);
    int rc = n ? 0 : !wait ? -ESRCH : rt->nname_waits < WAITS_MAX ? 1 : -ENOBUFS;
    if (rc == 0)
        *ret = n->ref;
    if (rc == 1) {
        rp__list_push(&rt->name_waits, &wait->all);
        rt->nname_waits++;
    }
    pthread_mutex_unlock(&rt->names_lock);
    return rc;
}

bool rp__name_unwait(struct rp__runtime *rt, struct rp__name_wait *w)
{
    pthread_mutex_lock(&rt->names_lock);
    bool waiting = rp__linked(&w->all);
    rp__unlink(&w->all);
    rt->nname_waits -= waiting;
    pthread_mutex_unlock(&rt->names_lock);
    return waiting;
}

struct rp__name_wait *rp__name_unwait_link(struct rp__runtime *rt, uint64_t link)
{
    struct rp__name_wait *found = 0;
    pthread_mutex_lock(&rt->names_lock);
    for (struct rp__hook *at = rt->name_waits.next; at != &rt->name_waits && !found; at = at->next)
        if (RP__OF(struct rp__name_wait, all, at)->link == link)
            found = RP__OF(struct rp__name_wait, all, at);
    if (found) {
        rp__unlink(&found->all);
        rt->nname_waits--;
    }
    pthread_mutex_unlock(&rt->names_lock);
    return found;
}

int rp_whereis(rp_self *me, const char *name, rp_ref *ret)
{
    return rp__forked(me->loop) ? -EPERM : rp__name_find(rp__runtime(me->loop), name, ret, 0);
}
