/* SPDX-License-Identifier: MIT */
#include "loop/rest.h"

#include "loop/fork.h"

void rp__rest_now(rp_self *me)
{
    struct rp__stint *s = &me->loop->stint;
    if (rp__forked(me->loop))
        return; /* whose loop does not run any more */
    if (rp__stint_goes_on(s))
        s->left--;
    else if (!me->nowait && rp__keep_stack(me) == 0)
        rp__yield_sure(me); /* that it goes on counts as one thing */
}
