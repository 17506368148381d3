/* SPDX-License-Identifier: MIT
 *
 * names.c - a process's table of named actors. Behind a mutex: names are for finding each other once,
 * not for every message.
 */
#include "actors/table/cause.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "loop/here.h"

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

/* ---- watching ------------------------------------------------------------------------------------
 * A name may be taken on one loop and given back on another, and rings promise no order between those. So
 * each change is posted, under the lock, to the inbox of each watcher's loop: there they come in the order
 * of the lock. What will be said when a name goes is made when it is taken, so that it cannot fail.
 */
static const rp_field change_fields[] = {
    RP_FIELD(struct rp_name_change, ref, RP_REF),
    RP_FIELD(struct rp_name_change, name, RP_TEXT),
};
const rp_type rp_name_change_type = RP_TYPE("rp.name", struct rp_name_change, change_fields);

struct rp__name_watch {
    struct rp__hook all; /* of the process; behind the lock */
    struct rp__hook own; /* of the watcher: its loop's */
    uint64_t watcher, id;
    char text[];
};

struct rp__name_event { /* a message to one watcher, complete */
    struct rp__post post;
    struct rp__errand errand;
    struct rp__hook end; /* of the name it will end with; behind the lock */
    uint64_t id;         /* of the watch */
    struct rp_loop *to;
    struct rp__slot slot;
};

static size_t watch_size(const char *text)
{
    return sizeof(struct rp__name_watch) + strlen(text) + 1;
}

static void event_free(struct rp_loop *l, struct rp__name_event *e)
{
    if (!e)
        return;
    if (rp__flags(e->slot.type) & RP__F_BIG)
        rp__big_free(l, rp__big_of(&e->slot));
    rp__pool_free(&l->pool, e, sizeof *e);
}

static struct rp__name_watch *watch_of(const struct rp__actor *a, const char *text, uint64_t id)
{
    if (!a || !a->extra)
        return 0;
    for (struct rp__hook *at = a->extra->names.next; at != &a->extra->names; at = at->next) {
        struct rp__name_watch *w = RP__OF(struct rp__name_watch, own, at);
        if (text ? strcmp(w->text, text) == 0 : w->id == id)
            return w;
    }
    return 0;
}

/* Where the watcher lives. Who has unwatched meanwhile hears nothing. */
static void hear(struct rp__errand *errand, struct rp_loop *l)
{
    struct rp__name_event *e = RP__OF(struct rp__name_event, errand, errand);
    if (watch_of(rp__actor_find(l->actors, e->slot.to), 0, e->id)) {
        rp__tally(l, RP__SENT, 1);
        rp__post_sure(l, &e->slot);
        e->slot.type = 0; /* the body has gone with it */
    }
    event_free(l, e);
}

static void unheard(struct rp__errand *errand, struct rp_loop *l)
{
    event_free(l, RP__OF(struct rp__name_event, errand, errand));
}

/* Where it was born: always there first, so that the order stays whatever way it goes on. */
static void arrive(struct rp__post *p, struct rp_loop *l)
{
    struct rp__name_event *e = RP__OF(struct rp__name_event, post, p);
    e->errand = (struct rp__errand){hear, unheard};
    if (rp__route_of(l, e->slot.to) == l->index)
        hear(&e->errand, l);
    else
        rp__signal(l, e->slot.to, 0, RP__OP_RUN, (uintptr_t)&e->errand, 0);
}

static struct rp__name_event *event_new(struct rp_loop *l, const struct rp__name_watch *w, rp_ref ref)
{
    struct rp_name_change c = {ref, {w->text, strlen(w->text)}};
    struct rp__name_event *e = rp__pool_get(&l->pool, sizeof *e);
    struct rp__big *b = e ? rp__big_new(l, &rp_name_change_type, &c) : 0;
    if (!b) {
        if (e)
            rp__pool_free(&l->pool, e, sizeof *e);
        return 0;
    }
    *e = (struct rp__name_event){.post.fn = arrive, .id = w->id, .to = l->sys->loops[rp__loop_of(w->watcher)]};
    e->slot = (struct rp__slot){w->watcher, 0, rp__word(&rp_name_change_type, RP__F_BIG | RP__F_SURE), {(uintptr_t)b}};
    return e;
}

/* With the lock held: the order of these is the order of the changes. */
static void say(struct rp_loop *l, struct rp__name_event *e)
{
    if (rp__inbox_push(e->to, &e->post) != 0)
        event_free(l, e); /* that loop has ended, and so has the watcher */
}

static void say_all(struct rp_loop *l, struct rp__hook *events)
{
    for (struct rp__hook *at; (at = rp__list_pop(events));)
        say(l, RP__OF(struct rp__name_event, end, at));
}

static void free_all(struct rp_loop *l, struct rp__hook *events)
{
    for (struct rp__hook *at; (at = rp__list_pop(events));)
        event_free(l, RP__OF(struct rp__name_event, end, at));
}

/* What its watchers will hear now, and when it goes; the lock is held. False: memory is out, nothing is made. */
static bool make_events(struct rp_loop *l, struct rp__name *n, struct rp__hook *now)
{
    struct rp__runtime *rt = rp__runtime(l);
    for (struct rp__hook *at = rt->name_watches.next; at != &rt->name_watches; at = at->next) {
        struct rp__name_watch *w = RP__OF(struct rp__name_watch, all, at);
        if (strcmp(w->text, n->text) != 0)
            continue;
        struct rp__name_event *e = event_new(l, w, n->ref), *later = event_new(l, w, (rp_ref){0, 0});
        if (e)
            rp__list_push(now, &e->end);
        if (later)
            rp__list_push(&n->ends, &later->end);
        if (!e || !later) {
            free_all(l, now);
            free_all(l, &n->ends);
            return false;
        }
    }
    return true;
}

/* Its watch is in no list any more; what was made for it goes too. */
static void unwatch(struct rp_loop *l, struct rp__name_watch *w)
{
    struct rp__runtime *rt = rp__runtime(l);
    struct rp__name_event *found = 0;
    pthread_mutex_lock(&rt->names_lock);
    rp__unlink(&w->all);
    struct rp__name *n = *find(rt, w->text);
    for (struct rp__hook *at = n ? n->ends.next : 0; n && at != &n->ends && !found; at = at->next)
        if (RP__OF(struct rp__name_event, end, at)->id == w->id)
            found = RP__OF(struct rp__name_event, end, at);
    if (found)
        rp__unlink(&found->end);
    pthread_mutex_unlock(&rt->names_lock);
    rp__unlink(&w->own);
    event_free(l, found);
    rp__pool_free(&l->pool, w, watch_size(w->text));
}

int rp_watch_name(rp_self *me, const char *name)
{
    struct rp_loop *l = me->loop;
    struct rp__actor *a = me->actor;
    struct rp__runtime *rt = rp__runtime(l);
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    if (!a || !name || !*name || strlen(name) > RP__NAME_MAX)
        return -EINVAL;
    if (watch_of(a, name, 0))
        return -EALREADY;
    struct rp__extra *x = rp__extra(l, a);
    struct rp__name_watch *w = x ? rp__pool_get(&l->pool, watch_size(name)) : 0;
    if (!w)
        return -ENOMEM;
    *w = (struct rp__name_watch){.watcher = a->addr, .id = rp__new_number(l)};
    memcpy(w->text, name, strlen(name) + 1);
    struct rp__name_event *now = event_new(l, w, (rp_ref){0, 0}), *later = event_new(l, w, (rp_ref){0, 0});
    if (!now || !later) {
        event_free(l, now);
        event_free(l, later);
        rp__pool_free(&l->pool, w, watch_size(name));
        return -ENOMEM;
    }
    rp__list_push(&x->names, &w->own);
    pthread_mutex_lock(&rt->names_lock);
    rp__list_push(&rt->name_watches, &w->all);
    struct rp__name *n = *find(rt, name);
    if (n) {
        ((struct rp_name_change *)rp__body_of(&now->slot))->ref = n->ref;
        rp__list_push(&n->ends, &later->end);
        later = 0;
    }
    say(l, now);
    pthread_mutex_unlock(&rt->names_lock);
    event_free(l, later);
    return 0;
}

int rp_unwatch_name(rp_self *me, const char *name)
{
    rp__must_be_here(me);
    if (!me->actor || !name)
        return -EINVAL;
    if (rp__forked(me->loop))
        return -EPERM;
    struct rp__name_watch *w = watch_of(me->actor, name, 0);
    if (!w)
        return -ESRCH;
    unwatch(me->loop, w);
    return 0;
}

void rp__name_watches_end(struct rp_loop *l, struct rp__actor *a)
{
    for (struct rp__hook *at; (at = a->extra->names.next) != &a->extra->names;)
        unwatch(l, RP__OF(struct rp__name_watch, own, at));
}

/* ---- the table ----------------------------------------------------------------------------------- */

/* Moves those who wait for `text` to `to`; the lock is held. */
static void take_waits(struct rp__runtime *rt, const char *text, struct rp__hook *to)
{
    for (struct rp__hook *at = rt->name_waits.next, *next; at != &rt->name_waits; at = next) {
        next = at->next;
        if (strcmp(RP__OF(struct rp__name_wait, all, at)->text, text) != 0)
            continue;
        rp__unlink(at);
        rp__list_push(to, at);
    }
}

int rp__name_add(struct rp_loop *l, const char *text, rp_ref ref)
{
    struct rp__runtime *rt = rp__runtime(l);
    struct rp__hook waits, events;
    rp__list_init(&waits);
    rp__list_init(&events);
    struct rp__name *n = rp__alloc(rt->sys, size_of(text));
    if (!n)
        return -ENOMEM;
    n->next = 0;
    n->ref = ref;
    rp__list_init(&n->ends);
    memcpy(n->text, text, strlen(text) + 1);
    pthread_mutex_lock(&rt->names_lock);
    struct rp__name **at = find(rt, text);
    int rc = *at ? -EEXIST : make_events(l, n, &events) ? 0 : -ENOMEM;
    if (rc == 0) {
        *at = n;
        take_waits(rt, text, &waits);
        say_all(l, &events);
    }
    pthread_mutex_unlock(&rt->names_lock);
    if (rc != 0)
        rp__free_mem(rt->sys, n, size_of(text));
    for (struct rp__hook *w; (w = rp__list_pop(&waits));)
        RP__OF(struct rp__name_wait, all, w)->found(RP__OF(struct rp__name_wait, all, w), l, ref);
    return rc;
}

void rp__name_remove(struct rp_loop *l, const char *text, rp_ref ref)
{
    struct rp__runtime *rt = rp__runtime(l);
    pthread_mutex_lock(&rt->names_lock);
    struct rp__name **at = find(rt, text), *n = *at;
    if (n && rp_ref_eq(n->ref, ref))
        *at = n->next;
    else
        n = 0;
    if (n)
        say_all(l, &n->ends);
    pthread_mutex_unlock(&rt->names_lock);
    if (n)
        rp__free_mem(rt->sys, n, size_of(text));
}

/* A peer may have so many questions here: what it asks for may never come, and must not be all that can be asked. */
static bool may_ask(struct rp__runtime *rt, uint64_t link)
{
    enum { QUESTIONS = 1024 };
    unsigned n = 0;
    for (struct rp__hook *at = rt->name_waits.next; link && at != &rt->name_waits; at = at->next)
        n += RP__OF(struct rp__name_wait, all, at)->link == link;
    return n < QUESTIONS;
}

int rp__name_find(struct rp__runtime *rt, const char *text, rp_ref *ret, struct rp__name_wait *wait)
{
    pthread_mutex_lock(&rt->names_lock);
    struct rp__name *n = *find(rt, text);
    int rc = n ? 0 : !wait ? -ESRCH : may_ask(rt, wait->link) ? 1 : -ENOBUFS;
    if (rc == 0)
        *ret = n->ref;
    if (rc == 1)
        rp__list_push(&rt->name_waits, &wait->all);
    pthread_mutex_unlock(&rt->names_lock);
    return rc;
}

bool rp__name_unwait(struct rp__runtime *rt, struct rp__name_wait *w)
{
    pthread_mutex_lock(&rt->names_lock);
    bool waiting = rp__linked(&w->all);
    rp__unlink(&w->all);
    pthread_mutex_unlock(&rt->names_lock);
    return waiting;
}

struct rp__name_wait *rp__name_unwait_of(struct rp__runtime *rt, uint64_t link, uint64_t id)
{
    struct rp__name_wait *found = 0;
    pthread_mutex_lock(&rt->names_lock);
    for (struct rp__hook *at = rt->name_waits.next; at != &rt->name_waits && !found; at = at->next) {
        struct rp__name_wait *w = RP__OF(struct rp__name_wait, all, at);
        found = w->link == link && (id == 0 || w->id == id) ? w : 0;
    }
    if (found)
        rp__unlink(&found->all);
    pthread_mutex_unlock(&rt->names_lock);
    return found;
}

int rp_whereis(rp_self *me, const char *name, rp_ref *ret)
{
    if (!name || !ret)
        return -EINVAL;
    int rc = rp__forked(me->loop) ? -EPERM : rp__name_find(rp__runtime(me->loop), name, ret, 0);
    return rc == -ESRCH ? rp__cause_is(me, rc, "nobody is registered in this process as \"%s\"", name) : rc;
}
