/* SPDX-License-Identifier: MIT */
#include "mailbox/sync/holder.h"

#include "loop/system.h"
#include "mailbox/sync/queue.h"

static const struct kind {
    const char *wait;
    uint32_t (*holders)(void *object, rp__see *see, void *arg);
} kinds[] = {
    {rp__for_lock, rp__lock_holders},      {rp__for_lock_again, rp__lock_holders},
    {rp__for_reading, rp__rwlock_holders}, {rp__for_writing, rp__rwlock_holders},
    {rp__for_first_run, rp__once_holders}, {rp__for_signal, rp__lock_holders},
};

static const struct kind *kind_of(const rp_self *co)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (co->waits == kinds[i].wait)
            return &kinds[i];
    return 0;
}

/* What it waits for, and of which kind; NULL: nothing that is held, or it has been given it. */
static void *object_of(const rp_self *co, const struct kind **kind)
{
    struct rp__waiter *w = co->got;
    void *object = (void *)(uintptr_t)co->waits_on;
    if (!(*kind = kind_of(co)))
        return 0;
    if (co->waits == rp__for_signal && !(object = rp__signalled_lock(co, &w)))
        return 0;
    rp__latch(w->latch);
    bool in_line = rp__in_line(w);
    rp__unlatch(w->latch);
    return in_line ? object : 0;
}

uint32_t rp__holders(const rp_self *co, rp__see *see, void *arg)
{
    const struct kind *kind;
    void *object = object_of(co, &kind);
    return object ? kind->holders(object, see, arg) : 0;
}

const void *rp__waits_for_held(const rp_self *co)
{
    const struct kind *kind;
    return object_of(co, &kind);
}

const char *rp__object_name(const rp_self *co)
{
    bool queue = co->waits == rp__for_room || co->waits == rp__for_item || co->waits == rp__for_queue_done;
    const char *name = queue ? ((const rp_queue *)co->waits_on)->name : "";
    return *name ? name : 0;
}
