/* SPDX-License-Identifier: MIT */
#include "loop/visit.h"

#include "loop/base/os.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { DOORS = 64 };

struct rp__door {
    /* Whose it is; NULL: nobody's. Taken by a compare-and-swap, which orders nothing that is not ordered by how the
     * caller came by the address; left at F1, looked at in V2. */
    _Atomic(const rp_system *) sys;
    /* Who is in, or has come to look: V1 and F2. Down with release: what a visitor has read was read before it is freed. */
    _Atomic uint32_t visitors;
};

struct doors {
    struct rp__door at[DOORS];
    _Atomic(struct doors *) next; /* published with release, followed with acquire: its doors are closed ones */
};

static struct doors first; /* what comes behind it is never freed: a signal handler may be at it */

static struct doors *next_of(struct doors *d)
{
    return atomic_load_explicit(&d->next, memory_order_acquire);
}

/* More doors behind d. NULL: no memory. */
static struct doors *more(struct doors *d)
{
    struct doors *fresh = calloc(1, sizeof *fresh), *other = 0;
    if (!fresh)
        return 0;
    if (atomic_compare_exchange_strong_explicit(&d->next, &other, fresh, memory_order_acq_rel, memory_order_acquire))
        return fresh;
    free(fresh); /* another thread was first */
    return other;
}

int rp__visit_open(rp_system *sys)
{
    for (struct doors *d = &first, *next; d; d = next) {
        for (unsigned i = 0; i < DOORS; i++) {
            const rp_system *nobody = 0;
            if (atomic_compare_exchange_strong_explicit(&d->at[i].sys, &nobody, sys, memory_order_seq_cst, memory_order_relaxed))
                return 0;
        }
        next = next_of(d);
        next = next ? next : more(d);
    }
    return -ENOMEM;
}

static struct rp__door *door_of(const rp_system *sys)
{
    for (struct doors *d = &first; d; d = next_of(d))
        for (unsigned i = 0; i < DOORS; i++)
            if (atomic_load_explicit(&d->at[i].sys, memory_order_seq_cst) == sys)
                return &d->at[i];
    return 0;
}

void rp__visit_close(rp_system *sys)
{
    struct rp__door *d = door_of(sys);
    if (!d)
        return;
    atomic_store_explicit(&d->sys, 0, memory_order_seq_cst);
    while (atomic_load_explicit(&d->visitors, memory_order_seq_cst) > 0)
        rp__os_yield(); /* bounded: a post or a wake-up, and then it goes */
}

struct rp__door *rp__visit(const rp_system *sys)
{
    struct rp__door *d = sys ? door_of(sys) : 0;
    if (!d)
        return 0;
    atomic_fetch_add_explicit(&d->visitors, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&d->sys, memory_order_seq_cst) == sys)
        return d;
    rp__visit_end(d);
    return 0;
}

void rp__visit_end(struct rp__door *d)
{
    atomic_fetch_sub_explicit(&d->visitors, 1, memory_order_release);
}

void rp__visits_forget(void)
{
    for (struct doors *d = &first; d; d = next_of(d))
        for (unsigned i = 0; i < DOORS; i++)
            atomic_store_explicit(&d->at[i].visitors, 0, memory_order_relaxed); /* one thread */
}
