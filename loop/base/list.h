/* SPDX-License-Identifier: MIT
 *
 * list.h - intrusive lists: a ring through a head. Everything that waits stands in one of these, so
 * giving up a wait is two stores. A hook that is in no list has next == NULL.
 */
#ifndef RP__LIST_H
#define RP__LIST_H

#include <stdbool.h>
#include <stddef.h>

struct rp__hook {
    struct rp__hook *next, *prev;
};

#define RP__OF(type, member, link) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void rp__list_init(struct rp__hook *head)
{
    head->next = head->prev = head;
}

static inline bool rp__list_empty(const struct rp__hook *head)
{
    return head->next == head;
}

static inline bool rp__linked(const struct rp__hook *l)
{
    return l->next != 0;
}

static inline void rp__list_push(struct rp__hook *head, struct rp__hook *l) /* at the end */
{
    l->next = head;
    l->prev = head->prev;
    head->prev->next = l;
    head->prev = l;
}

static inline void rp__unlink(struct rp__hook *l) /* harmless when it is in no list */
{
    if (!l->next)
        return;
    l->next->prev = l->prev;
    l->prev->next = l->next;
    l->next = 0;
}

static inline struct rp__hook *rp__list_pop(struct rp__hook *head) /* the first; NULL: empty */
{
    struct rp__hook *l = head->next;
    if (l == head)
        return 0;
    rp__unlink(l);
    return l;
}

/* Moves all of `from` to the end of `to`. */
static inline void rp__list_splice(struct rp__hook *to, struct rp__hook *from)
{
    if (rp__list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    rp__list_init(from);
}

#endif
