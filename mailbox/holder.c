/* SPDX-License-Identifier: MIT */
#include "mailbox/holder.h"

#include "mailbox/queue.h"

static const struct {
    const char *wait;
    uint32_t (*holders)(void *object, rp__see *see, void *arg);
} kinds[] = {
    {rp__for_lock, rp__lock_holders},      {rp__for_lock_again, rp__lock_holders},
    {rp__for_reading, rp__rwlock_holders}, {rp__for_writing, rp__rwlock_holders},
    {rp__for_first_run, rp__once_holders},
};

uint32_t rp__holders(const rp_self *co, rp__see *see, void *arg)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (co->waits == kinds[i].wait)
            return kinds[i].holders((void *)(uintptr_t)co->waits_on, see, arg);
    return 0;
}

const char *rp__object_name(const rp_self *co)
{
    bool queue = co->waits == rp__for_room || co->waits == rp__for_item || co->waits == rp__for_queue_done;
    return queue ? ((const rp_queue *)co->waits_on)->name : 0;
}
