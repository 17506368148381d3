/* SPDX-License-Identifier: MIT
 *
 * mailbox.h - where messages stand while their actor is busy: first in, first out, bounded, in two lanes.
 *
 * An actor that is idle has none: its messages go from the ring to its handler. The bound holds here,
 * where a message meets a busy actor; what is on its way in the rings comes on top of it, at most
 * a window for each loop where it is small or they are large (loop/window.h); else what a ring holds, and a
 * burst for each sender on this loop (docs/contract.md).
 *
 * Messages of urgent types are taken before the others, but of eight in a row one is a normal one. What
 * an actor has stashed is out of line until it is unstashed, and counts toward the bound all the time.
 */
#ifndef RP__MAILBOX_H
#define RP__MAILBOX_H

#include "mailbox/index.h"
#include "mailbox/pace.h"

struct rp__fifo { /* messages linked through `to`, which is the owner's address again when taken */
    struct rp__slot *first, *last;
};

struct rp__mailbox {
    struct rp__fifo lane[RP__LANES]; /* not used once there is an index */
    struct rp__fifo stash;
    struct rp__index *index;
    uint64_t owner;
    uint32_t count;                  /* the stashed included */
    uint32_t stashed;
    uint32_t streak;                 /* urgent ones taken in a row */
    uint32_t told;                   /* loops that know it is full */
    size_t bytes;
    const rp_type *const *wanted;    /* by `waiter`, who receives by type: NULL-terminated */
    rp_self *waiter;
    /* How long has the oldest been here? One message is marked, with its time; when it is taken, what is left is
     * at least as old as the last one that came; the next to come is marked. So it is always a bound from below,
     * and exact where the first one stands still. Times in units of 2^20 ns, modulo 2^32. */
    const struct rp__slot *marked;
    uint32_t marked_at, newest_at;
    uint32_t taken, taken_before;    /* messages, but for those that are dropped; when that one came */
    uint32_t stood_for, transit;     /* the last one that was marked; how many were taken while it stood, and it. 0: seen */
    struct rp__pace pace;
    uint64_t told_set[];             /* a bit for each loop */
};

static inline uint32_t rp__coarse(rp_time t)
{
    return (uint32_t)((uint64_t)t >> 20);
}

static inline rp_time rp__mailbox_age(const struct rp__mailbox *b, rp_time now) /* see `marked`; 0: it is empty */
{
    return b->count == 0 ? 0 : (rp_time)(rp__coarse(now) - b->marked_at) << 20;
}

static inline rp_time rp__mailbox_stood(const struct rp__mailbox *b) /* b->transit > 0 */
{
    return (rp_time)b->stood_for << 20;
}

struct rp__mailbox *rp__mailbox_new(struct rp_loop *l, uint64_t owner);   /* NULL: no memory */
void rp__mailbox_free(struct rp_loop *l, struct rp__mailbox *b);          /* empty; NULL too */

/* Takes m. `keyed`: a later one with its key may replace it. 0, or -ENOMEM, then m is still the caller's. */
int rp__mailbox_put(struct rp_loop *l, struct rp__mailbox *b, rp_msg *m, bool keyed);

rp_msg *rp__mailbox_take_next(struct rp_loop *l, struct rp__mailbox *b); /* the next in turn; NULL: none but stashed */
rp_msg *rp__mailbox_take_of(struct rp_loop *l, struct rp__mailbox *b, const rp_type *const *types); /* the oldest of them */
/* The oldest that may be dropped, other than `but` (NULL: any); NULL: none. */
rp_msg *rp__mailbox_take_oldest(struct rp_loop *l, struct rp__mailbox *b, const rp_msg *but);

/* m stands where the queued one with its type and key stood, and that one is the caller's; NULL: there is none,
 * and m is still the caller's. */
rp_msg *rp__mailbox_replace(struct rp_loop *l, struct rp__mailbox *b, rp_msg *m);

int  rp__mailbox_by_type(struct rp_loop *l, struct rp__mailbox *b); /* from now on it has an index: 0, -ENOMEM */
void rp__mailbox_stash(struct rp_loop *l, struct rp__mailbox *b, rp_msg *m);
int  rp__mailbox_unstash(struct rp_loop *l, struct rp__mailbox *b); /* to the front, in order: 0, -ENOMEM */
rp_msg *rp__mailbox_take_stashed(struct rp__mailbox *b);

/* All of `from`, which has no stash, goes behind what is in b; and who knows that it is full knows it of b. NULL:
 * done. Else one that finds no place, and is the caller's: again. Why: a newer one with its key has taken it, or an
 * index has to be kept and memory is out. */
rp_msg *rp__mailbox_join(struct rp_loop *l, struct rp__mailbox *b, struct rp__mailbox *from, rp_dropped *why);
void rp__mailbox_untold(struct rp_loop *l, struct rp__mailbox *b); /* nobody knows that it is full */

/* The first that `is` says yes to, stashed or not; it stays. NULL: none. */
struct rp__slot *rp__mailbox_find(const struct rp__mailbox *b, bool (*is)(struct rp__slot *s, const void *arg), const void *arg);

static inline bool rp__box_told(const struct rp__mailbox *b, unsigned loop) /* that loop knows it is full */
{
    return b->told_set[loop / 64] >> loop % 64 & 1;
}

static inline bool rp__mailbox_waiting(const struct rp__mailbox *b) /* something to take */
{
    return b->count > b->stashed;
}

#endif
