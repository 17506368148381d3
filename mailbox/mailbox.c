/* SPDX-License-Identifier: MIT */
#include "mailbox/mailbox.h"

#include "loop/system.h"

#include <errno.h>
#include <string.h>

enum { URGENT_IN_A_ROW = 7 };

static size_t size_of(struct rp_loop *l)
{
    return sizeof(struct rp__mailbox) + (l->sys->nloops + 63) / 64 * sizeof(uint64_t);
}

struct rp__mailbox *rp__mailbox_new(struct rp_loop *l, uint64_t owner)
{
    struct rp__mailbox *b = rp__pool_get(&l->pool, size_of(l));
    if (!b)
        return 0;
    memset(b, 0, size_of(l));
    b->owner = owner;
    return b;
}

void rp__mailbox_free(struct rp_loop *l, struct rp__mailbox *b)
{
    if (b && b->index)
        rp__index_free(l, b->index);
    if (b)
        rp__pool_free(&l->pool, b, size_of(l));
}

/* ---- lines --------------------------------------------------------------------------------------- */

static struct rp__slot *after(const struct rp__slot *s)
{
    return (struct rp__slot *)(uintptr_t)s->to;
}

static void append(struct rp__fifo *line, struct rp__slot *s)
{
    s->to = 0;
    if (line->first)
        line->last->to = (uintptr_t)s;
    else
        line->first = s;
    line->last = s;
}

static struct rp__slot *pop(struct rp__fifo *line)
{
    struct rp__slot *s = line->first;
    if (s) {
        line->first = after(s);
        __builtin_prefetch(line->first); /* it was written long ago */
    }
    return s;
}

static struct rp__slot *remove_after(struct rp__fifo *line, struct rp__slot *before)
{
    struct rp__slot *s = before ? after(before) : line->first;
    if (!before)
        return pop(line);
    before->to = s->to;
    if (line->last == s)
        line->last = before;
    return s;
}

/* ---- counting ------------------------------------------------------------------------------------ */

static void entered(struct rp_loop *l, struct rp__mailbox *b, struct rp__slot *s)
{
    b->bytes += rp__weight(s);
    b->count++;
    b->newest_at = rp__coarse(l->now);
    if (!b->marked) {
        b->marked = s;
        b->marked_at = b->newest_at;
        b->taken_before = b->taken;
    }
    if (b->count > atomic_load_explicit(&l->tally[RP__HIGH_WATER], memory_order_relaxed))
        atomic_store_explicit(&l->tally[RP__HIGH_WATER], b->count, memory_order_relaxed);
}

static void unmark(struct rp__mailbox *b, const struct rp__slot *s)
{
    if (s != b->marked)
        return;
    b->marked = 0;
    b->marked_at = b->newest_at;
}

static rp_msg *left(struct rp__mailbox *b, struct rp__slot *s)
{
    if (!s)
        return 0;
    unmark(b, s);
    b->count--;
    b->bytes -= rp__weight(s);
    s->to = b->owner;
    return (rp_msg *)s;
}

/* It goes to its actor. */
static rp_msg *taken(struct rp_loop *l, struct rp__mailbox *b, struct rp__slot *s)
{
    if (!s)
        return 0;
    b->taken++;
    if (s == b->marked) {
        b->stood_for = rp__coarse(l->now) - b->marked_at;
        b->transit = b->taken - b->taken_before;
    }
    return left(b, s);
}

/* ---- in and out ---------------------------------------------------------------------------------- */

int rp__mailbox_put(struct rp_loop *l, struct rp__mailbox *b, rp_msg *m, bool keyed)
{
    struct rp__slot *s = &m->slot;
    int rc = keyed ? rp__mailbox_by_type(l, b) : 0;
    if (rc == 0 && b->index)
        rc = rp__index_put(l, b->index, s, false, keyed);
    else if (rc == 0)
        append(&b->lane[rp__lane_of(s)], s);
    if (rc == 0)
        entered(l, b, s);
    return rc;
}

static bool lane_empty(const struct rp__mailbox *b, enum rp__lane i)
{
    return b->index ? rp__list_empty(&b->index->lane[i]) : b->lane[i].first == 0;
}

/* Whose turn it is. */
static enum rp__lane lane_in_turn(struct rp__mailbox *b)
{
    bool urgent = !lane_empty(b, RP__LANE_URGENT);
    if (urgent && (b->streak < URGENT_IN_A_ROW || lane_empty(b, RP__LANE_NORMAL))) {
        b->streak++;
        return RP__LANE_URGENT;
    }
    b->streak = 0;
    return RP__LANE_NORMAL;
}

static struct rp__slot *take_entry(struct rp_loop *l, struct rp__mailbox *b, struct rp__entry *e)
{
    return e ? rp__index_remove(l, b->index, e) : 0;
}

static struct rp__entry *entry_at(struct rp__hook *at)
{
    return RP__OF(struct rp__entry, all, at);
}

rp_msg *rp__mailbox_take_next(struct rp_loop *l, struct rp__mailbox *b)
{
    if (!rp__mailbox_waiting(b))
        return 0;
    enum rp__lane i = lane_in_turn(b);
    if (!b->index)
        return taken(l, b, pop(&b->lane[i]));
    return taken(l, b, take_entry(l, b, entry_at(b->index->lane[i].next)));
}

rp_msg *rp__mailbox_take_of(struct rp_loop *l, struct rp__mailbox *b, const rp_type *const *types)
{
    for (; *types; types++) {
        struct rp__entry *e = rp__index_of_type(b->index, rp__type(rp__shape(l->types, *types)->word));
        if (e)
            return taken(l, b, take_entry(l, b, e));
    }
    return 0;
}

static bool stays(const struct rp__slot *s, const rp_msg *but)
{
    return rp__flags(s->type) & RP__F_SURE || (const rp_msg *)s == but;
}

rp_msg *rp__mailbox_take_oldest(struct rp_loop *l, struct rp__mailbox *b, const rp_msg *but)
{
    for (enum rp__lane i = RP__LANES; i-- > 0;) { /* the normal ones first */
        if (b->index) {
            struct rp__hook *head = &b->index->lane[i], *at = head->next;
            while (at != head && stays(entry_at(at)->slot, but))
                at = at->next;
            if (at != head)
                return left(b, take_entry(l, b, entry_at(at)));
            continue;
        }
        struct rp__slot *before = 0, *s = b->lane[i].first;
        for (; s && stays(s, but); s = after(s))
            before = s;
        if (s)
            return left(b, remove_after(&b->lane[i], before));
    }
    return 0;
}

rp_msg *rp__mailbox_replace(struct rp_loop *l, struct rp__mailbox *b, rp_msg *m)
{
    (void)l;
    struct rp__entry *e = b->index ? rp__index_of_key(b->index, &m->slot) : 0;
    if (!e)
        return 0;
    struct rp__slot *old = e->slot;
    unmark(b, old);
    e->slot = &m->slot;
    b->bytes += rp__weight(&m->slot) - rp__weight(old);
    old->to = b->owner;
    return (rp_msg *)old;
}

static struct rp__slot *find_in_line(const struct rp__fifo *line, bool (*is)(struct rp__slot *, const void *), const void *arg)
{
    struct rp__slot *s = line->first;
    while (s && !is(s, arg))
        s = after(s);
    return s;
}

struct rp__slot *rp__mailbox_find(const struct rp__mailbox *b, bool (*is)(struct rp__slot *s, const void *arg), const void *arg)
{
    struct rp__slot *s = find_in_line(&b->stash, is, arg);
    for (unsigned i = 0; i < RP__LANES && !s; i++) {
        if (!b->index) {
            s = find_in_line(&b->lane[i], is, arg);
            continue;
        }
        for (struct rp__hook *at = b->index->lane[i].next; at != &b->index->lane[i] && !s; at = at->next)
            s = is(entry_at(at)->slot, arg) ? entry_at(at)->slot : 0;
    }
    return s;
}

/* ---- by type ------------------------------------------------------------------------------------- */

/* Each queued message gets its entry; where memory runs out, the lines stand as they were. */
static int fill(struct rp_loop *l, struct rp__mailbox *b, struct rp__index *x)
{
    for (unsigned i = 0; i < RP__LANES; i++)
        for (struct rp__slot *s = b->lane[i].first; s; s = after(s))
            if (rp__index_put(l, x, s, false, false) != 0)
                return -ENOMEM;
    return 0;
}

int rp__mailbox_by_type(struct rp_loop *l, struct rp__mailbox *b)
{
    if (b->index)
        return 0;
    struct rp__index *x = rp__index_new(l);
    if (!x)
        return -ENOMEM;
    if (fill(l, b, x) != 0) {
        for (unsigned i = 0; i < RP__LANES; i++)
            while (!rp__list_empty(&x->lane[i]))
                rp__index_remove(l, x, entry_at(x->lane[i].next));
        rp__index_free(l, x);
        return -ENOMEM;
    }
    b->index = x;
    memset(b->lane, 0, sizeof b->lane);
    return 0;
}

/* ---- the stash ----------------------------------------------------------------------------------- */

void rp__mailbox_stash(struct rp_loop *l, struct rp__mailbox *b, rp_msg *m)
{
    append(&b->stash, &m->slot);
    b->stashed++;
    entered(l, b, &m->slot);
}

rp_msg *rp__mailbox_take_stashed(struct rp__mailbox *b)
{
    struct rp__slot *s = pop(&b->stash);
    b->stashed -= s != 0;
    return left(b, s);
}

/* The whole stash before what stands in line, the order kept. */
static void unstash_lines(struct rp__mailbox *b)
{
    struct rp__fifo front[RP__LANES] = {{0, 0}, {0, 0}};
    for (struct rp__slot *s; (s = pop(&b->stash));)
        append(&front[rp__lane_of(s)], s);
    for (unsigned i = 0; i < RP__LANES; i++) {
        if (!front[i].first)
            continue;
        front[i].last->to = (uintptr_t)b->lane[i].first;
        if (!b->lane[i].first)
            b->lane[i].last = front[i].last;
        b->lane[i].first = front[i].first;
    }
    b->stashed = 0;
}

int rp__mailbox_unstash(struct rp_loop *l, struct rp__mailbox *b)
{
    if (!b->index) {
        unstash_lines(b);
        return 0;
    }
    struct rp__fifo turned = {0, 0}; /* the last one goes to the front first */
    for (struct rp__slot *s; (s = pop(&b->stash));) {
        s->to = (uintptr_t)turned.first;
        turned.first = s;
    }
    while (turned.first && rp__index_put(l, b->index, turned.first, true, false) == 0) {
        pop(&turned);
        b->stashed--;
    }
    if (!turned.first)
        return 0;
    for (struct rp__slot *s; (s = pop(&turned));) { /* the oldest stay where they were */
        s->to = (uintptr_t)b->stash.first;
        if (!b->stash.first)
            b->stash.last = s;
        b->stash.first = s;
    }
    return -ENOMEM;
}

/* ---- two into one -------------------------------------------------------------------------------- */

/* Whatever is marked in b is older than all of `from`; else what was known of that is a bound for both. */
static void join_ages(struct rp__mailbox *b, const struct rp__mailbox *from)
{
    if (!b->marked) {
        b->marked = from->marked;
        b->marked_at = from->marked_at;
    }
    b->newest_at = from->newest_at;
}

static void join_lines(struct rp__mailbox *b, struct rp__mailbox *from)
{
    for (unsigned i = 0; i < RP__LANES; i++) {
        struct rp__fifo *to = &b->lane[i], *line = &from->lane[i];
        if (!line->first)
            continue;
        if (to->first)
            to->last->to = (uintptr_t)line->first;
        else
            to->first = line->first;
        to->last = line->last;
        line->first = 0;
    }
    if (from->count > 0)
        join_ages(b, from);
    b->count += from->count;
    b->bytes += from->bytes;
    from->count = 0;
    from->bytes = 0;
}

/* The next of `from` goes into b. NULL: it has; else as rp__mailbox_join. */
static rp_msg *join_next(struct rp_loop *l, struct rp__mailbox *b, struct rp__mailbox *from, rp_dropped *why)
{
    enum rp__lane i = lane_in_turn(from);
    struct rp__entry *e = from->index ? entry_at(from->index->lane[i].next) : 0;
    bool keyed = e && e->key;
    rp_msg *m = left(from, e ? take_entry(l, from, e) : pop(&from->lane[i]));
    rp_msg *old = keyed ? rp__mailbox_replace(l, b, m) : 0;
    *why = RP_DROPPED_REPLACED;
    if (old)
        return old;
    *why = RP_DROPPED_MEMORY;
    return rp__mailbox_put(l, b, m, keyed) == 0 ? 0 : m;
}

rp_msg *rp__mailbox_join(struct rp_loop *l, struct rp__mailbox *b, struct rp__mailbox *from, rp_dropped *why)
{
    for (unsigned w = 0; w < (l->sys->nloops + 63) / 64; w++)
        b->told_set[w] |= from->told_set[w];
    b->told += from->told; /* nobody is told by both: see move.c */
    from->told = 0;
    if (!b->index && !from->index) {
        join_lines(b, from);
        return 0;
    }
    rp_msg *m = 0;
    while (!m && rp__mailbox_waiting(from))
        m = join_next(l, b, from, why);
    return m;
}

void rp__mailbox_untold(struct rp_loop *l, struct rp__mailbox *b)
{
    memset(b->told_set, 0, (l->sys->nloops + 63) / 64 * sizeof *b->told_set);
    b->told = 0;
}
