/* SPDX-License-Identifier: MIT
 *
 * meter.h - how long messages waited, and how long they were worked on, by type.
 *
 * A measured message (loop/sample.h) carries the time of its sending. When its actor begins with it, that
 * becomes its waiting time, and the moment is noted in its place; when it ends as handled, the time since
 * is its service time, with all that its actor waited for in the middle of it. Each loop has its own tables.
 */
#ifndef RP__METER_H
#define RP__METER_H

#include "actors/table/actor.h"
#include "loop/base/histogram.h"

enum { RP__METER_TYPES = 64, RP__METER_SLOTS = 2 * RP__METER_TYPES };

struct rp__timing {
    const rp_type *type; /* NULL: of all those there was no place for */
    struct rp__histogram wait, service;
};

struct rp__meter {
    unsigned count;
    /* By a hash of the type's address. Stored by the loop with release, loaded by readers with acquire:
     * they see it zeroed, and its type. Never taken out. */
    _Atomic(struct rp__timing *) at[RP__METER_SLOTS];
    struct rp__timing others;
};

void rp__meter_free(struct rp_loop *l);
void rp__meter_begun(struct rp_loop *l, struct rp__slot *s);
void rp__meter_done(struct rp_loop *l, struct rp__slot *s);
uint64_t rp__age_of(struct rp_loop *l, struct rp__slot *s); /* ns since it was sent; UINT64_MAX: not known */

/* Its actor begins with it. */
static inline void rp__begun(struct rp_loop *l, struct rp__slot *s)
{
    if (__builtin_expect((s->type & RP__STAMP) != 0, 0))
        rp__meter_begun(l, s);
}

/* And has done with it. */
static inline void rp__done(struct rp_loop *l, struct rp__slot *s)
{
    if (__builtin_expect((s->type & RP__STAMP) != 0, 0))
        rp__meter_done(l, s);
}

static inline void rp__unmeasure(struct rp__slot *s) /* what follows would say nothing */
{
    if (s->type & RP__STAMP)
        *rp__stamp_of(s) = rp__stamp(0, RP__VOID, 0);
}

#endif
