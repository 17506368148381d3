/* SPDX-License-Identifier: MIT */
#include "actors/table/edge.h"

const char rp__for_message[] = "message", rp__for_message_of[] = "message of a type", rp__for_name[] = "name";

int rp__park_on(rp_self *me, enum rp__edge edge, const char *what, rp_ref on, bool (*cancel)(rp_self *), rp_time deadline)
{
    int rc = rp__keep_stack(me); /* first: from here on a handler has a stack to be found by */
    if (rc != 0) {
        cancel(me);
        return rc;
    }
    rp__edge_begin(me, edge, on);
    rc = rp__park(me, what, (void *)(uintptr_t)on.local, cancel, deadline);
    rp__edge_end(me);
    return rc;
}

const char *rp_blame(const rp_self *me)
{
    return me->blame;
}

void *rp_blame_site(const rp_self *me)
{
    return me->blame_wait == me->wait ? me->blame_site : 0;
}
