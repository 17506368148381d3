/* SPDX-License-Identifier: MIT */
#include "loop/stack.h"

#include "loop/loop.h"
#include "loop/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum {
    SLAB = 64 << 20, /* at least: a stack of the largest class takes more */
    GUARD = 64 << 10,
    TOP = 4096,      /* the self and its colour, and what is left of it for frames: no more than a page */
#if defined(RP__TSAN)
    CARVE = 4, /* a fiber takes ThreadSanitizer a millisecond */
#else
    CARVE = 32, /* stacks whose guards go in at once */
#endif
    COLOUR = 256,
    COLOURS = 8,
    KEEP = 64,             /* free stacks of a class that are never trimmed, */
    KEEP_BYTES = 64 << 20, /* if all they can hold is no more than this; else fewer */
    PROTECTED = 8192 /* stacks of this process with a guard by mprotect: a quarter of the maps that a process may
                        have by default. The program needs some too, and without one its malloc fails */
};

/* How many there are; of all systems. relaxed: it orders nothing. */
static _Atomic unsigned protected;

static const uint64_t CANARY = 0x7265706172746f21;

struct rp__slab_list {
    struct rp__slab_list *next;
    char *at;
    size_t size;
};

_Static_assert((sizeof(rp_self) + 63) / 64 * 64 + (COLOURS - 1) * COLOUR <= TOP, "what is usable lies below the top page");
_Static_assert((size_t)16384 << 2 * (RP__STACK_CLASSES - 1) == RP__STACK_MAX, "the largest class has the largest size");

size_t rp__stack_size(unsigned class)
{
    return (size_t)16384 << 2 * class;
}

static size_t spacing_of(unsigned class)
{
    return GUARD + rp__stack_size(class) + TOP;
}

static size_t slab_of(unsigned class)
{
    return spacing_of(class) > SLAB ? spacing_of(class) : SLAB;
}

unsigned rp__stack_class(size_t size)
{
    unsigned c = size == 0 ? RP__STACK_USUAL : 0;
    while (c + 1 < RP__STACK_CLASSES && rp__stack_size(c) < size)
        c++;
    return c;
}

void rp__stacks_init(struct rp__stacks *s, const rp_alloc *mem)
{
    memset(s, 0, sizeof *s);
    rp__fiber_users(1);
    s->mem = mem;
#if defined(RP_VALGRIND)
    s->guard = RP__GUARD_PROTECT; /* the only one it knows */
#endif
}

/* The self stands below the colour at the top of its stack. */
static rp_self *self_at(char *low, unsigned class, unsigned long nth)
{
    char *top = low + spacing_of(class) - nth % COLOURS * COLOUR;
    return (rp_self *)(((uintptr_t)top - sizeof(rp_self)) & ~(uintptr_t)63);
}

static char *page_of(const rp_self *self) /* the stack's topmost: all of the self lies there */
{
    return (char *)((uintptr_t)self & ~(uintptr_t)(TOP - 1));
}

static bool new_slab(struct rp__stacks *s, unsigned class)
{
    struct rp__slab_list *slab = s->mem->alloc(s->mem->ud, sizeof *slab);
    if (!slab)
        return false;
    slab->size = slab_of(class);
    slab->at = rp__os_map(slab->size, "reparto stacks");
    if (!slab->at) {
        s->mem->free(s->mem->ud, slab, sizeof *slab);
        return false;
    }
    slab->next = s->slabs;
    s->slabs = slab;
    s->cut[class] = slab->at;
    s->cut_end[class] = slab->at + slab->size;
    return true;
}

/* Guards the first of them, and says how many: all, where guards are free. */
static unsigned guard(struct rp__stacks *s, void *const *low, unsigned n)
{
    if (s->guard != RP__GUARD_PROTECT)
        return rp__os_guard(low, n, GUARD, &s->guard);
    unsigned before = atomic_fetch_add_explicit(&protected, n, memory_order_relaxed);
    unsigned left = before < PROTECTED ? PROTECTED - before : 0;
    unsigned done = rp__os_guard(low, n < left ? n : left, GUARD, &s->guard);
    atomic_fetch_sub_explicit(&protected, n - done, memory_order_relaxed);
    s->protected += done;
    return done;
}

/* Where their selves stand, the page of each. */
static void populate(const struct rp__stacks *s, unsigned class, void *const *low, unsigned n)
{
    struct iovec page[CARVE];
    for (unsigned i = 0; i < n; i++)
        page[i] = (struct iovec){page_of(self_at(low[i], class, s->carved + i)), TOP};
    rp__os_populate(page, n);
}

/* Cuts up to CARVE stacks, lowest first out, and guards them in one call. */
static bool carve(struct rp_loop *l, unsigned class)
{
    struct rp__stacks *s = &l->stacks;
    size_t spacing = spacing_of(class);
    if ((size_t)(s->cut_end[class] - s->cut[class]) < spacing && !new_slab(s, class))
        return false;
    void *low[CARVE];
    unsigned room = (unsigned)((size_t)(s->cut_end[class] - s->cut[class]) / spacing);
    unsigned n = room < CARVE ? room : CARVE;
    for (unsigned i = 0; i < n; i++)
        low[i] = s->cut[class] + i * spacing;
    s->cut[class] += n * spacing;
    unsigned guarded = guard(s, low, n);
    populate(s, class, low, n);
    for (unsigned i = n; i-- > 0;) {
        rp_self *self = self_at(low[i], class, s->carved + i);
        self->low = low[i];
        self->class = (uint8_t)class;
        self->loop = l;
        self->canary = i >= guarded;
        if (self->canary)
            *(uint64_t *)low[i] = CANARY;
        rp__fiber_init(&self->fiber, (char *)low[i] + GUARD, (size_t)((char *)self - (char *)low[i]) - GUARD);
        self->next_free = s->free[class];
        self->state = RP__TRIMMED; /* but for its self it has no pages yet */
        s->free[class] = self;
    }
    s->carved += n;
    s->bytes += n * spacing;
    s->nfree[class] += n;
    return true;
}

rp_self *rp__stack_get(struct rp_loop *l, unsigned class)
{
    struct rp__stacks *s = &l->stacks;
    if (!s->free[class] && !carve(l, class))
        return 0;
    rp_self *self = s->free[class];
    s->free[class] = self->next_free;
    s->nfree[class]--;
    s->warm[class] -= self->state != RP__TRIMMED;
    if (++s->nlive[class] > s->peak[class])
        s->peak[class] = s->nlive[class];
    rp__fiber_reuse(&self->fiber);
    /* from `loop` to `main`: what a coroutine's life leaves behind; stack, class and fiber stay */
    size_t from = offsetof(rp_self, actor), to = offsetof(rp_self, low);
    uint8_t keep = self->class;
    memset((char *)self + from, 0, to - from);
    self->class = keep;
    return self;
}

static void overflowed(struct rp_loop *l, const rp_self *self)
{
    fprintf(stderr, "reparto: actor %s overflowed its %zu" RP__STACK_ADVICE "\n", l->sys->floor->name(self),
            rp__stack_size(self->class));
    abort();
}

void rp__stack_put(struct rp_loop *l, rp_self *self)
{
    struct rp__stacks *s = &l->stacks;
    if (self->canary && *(uint64_t *)(void *)self->low != CANARY)
        overflowed(l, self);
    self->next_free = s->free[self->class];
    s->free[self->class] = self;
    s->nfree[self->class]++;
    s->warm[self->class]++;
    s->nlive[self->class]--;
}

static unsigned to_keep(const struct rp__stacks *s, unsigned class)
{
    unsigned most = (unsigned)(KEEP_BYTES / rp__stack_size(class)), keep = KEEP < most ? KEEP : most;
    return s->peak[class] / 10 > keep ? s->peak[class] / 10 : keep;
}

bool rp__stacks_excess(const struct rp__stacks *s)
{
    for (unsigned c = 0; c < RP__STACK_CLASSES; c++)
        if (s->warm[c] > to_keep(s, c))
            return true;
    return false;
}

/* Keeps the free stacks that were used last; the others give back all but their topmost page. The list
 * is last in first out, so below the first trimmed one all are. */
void rp__stacks_trim(struct rp__stacks *s)
{
    for (unsigned c = 0; c < RP__STACK_CLASSES; c++) {
        unsigned keep = to_keep(s, c);
        if (s->warm[c] <= keep)
            continue;
        s->warm[c] = keep;
        rp_self *at = s->free[c];
        for (unsigned i = 0; i < keep; i++)
            at = at->next_free;
        struct iovec below[CARVE];
        unsigned n = 0;
        for (; at && at->state != RP__TRIMMED; at = at->next_free) {
            char *low = at->low + GUARD;
            below[n] = (struct iovec){low, (size_t)(page_of(at) - low)};
            at->state = RP__TRIMMED;
            if (++n == CARVE) {
                rp__os_discard(below, n);
                n = 0;
            }
        }
        rp__os_discard(below, n);
        s->peak[c] = s->nlive[c];
    }
}

/* What has been cut from a slab: stacks that are in use to the end, the scheduler's, are in no free list. */
static size_t cut_from(const struct rp__stacks *s, const struct rp__slab_list *slab)
{
    for (unsigned c = 0; c < RP__STACK_CLASSES; c++)
        if (s->cut[c] >= slab->at && s->cut[c] <= slab->at + slab->size)
            return (size_t)(s->cut[c] - slab->at);
    return slab->size;
}

void rp__stacks_fini(struct rp__stacks *s)
{
    for (unsigned c = 0; c < RP__STACK_CLASSES; c++)
        for (rp_self *self = s->free[c]; self; self = self->next_free)
            rp__fiber_fini(&self->fiber);
    rp__fiber_users(-1);
    for (struct rp__slab_list *slab = s->slabs, *next; slab; slab = next) {
        next = slab->next;
        rp__fiber_forget(slab->at, cut_from(s, slab));
        rp__os_unmap(slab->at, slab->size);
        s->mem->free(s->mem->ud, slab, sizeof *slab);
    }
    atomic_fetch_sub_explicit(&protected, s->protected, memory_order_relaxed);
    memset(s, 0, sizeof *s);
}
