/* SPDX-License-Identifier: MIT
 *
 * forever.c - who waits, of a program that nothing inside can wake (loop/stuck.h).
 */
#include "actors/table/reports.h"
#include "actors/table/runtime.h"

bool rp__expects(struct rp_loop *l)
{
    struct rp__runtime *rt = rp__runtime(l);
    struct rp__link_figures one;
    return rt->opts.listen || (rt->route && rt->route->figures(l, &one, 1) > 0);
}

unsigned rp__say_waiting(struct rp_loop *l, unsigned most)
{
    struct rp__actors *t = l->actors;
    unsigned n = 0;
    for (uint32_t i = 0; i < t->count && n < most; i++) {
        struct rp__actor *a = rp__actor_at(t, i);
        const rp_self *co = a->addr ? a->co : 0;
        if (!co || co->state != RP__PARKED || !co->waits)
            continue;
        rp__report_of(l, a, RP_REPORT_FAILURE, -EDEADLK, "waits for %s", co->waits);
        n++;
    }
    return n;
}
