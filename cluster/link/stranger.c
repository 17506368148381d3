/* SPDX-License-Identifier: MIT
 *
 * stranger.c - those that have come and are not through the handshake. They are bounded in number, for each address and
 * in all, and the next comer always gets in: for it goes the oldest that has said nothing, or else the oldest. So
 * whoever opens connections and is silent shuts nobody out, nor does one that is slow make others wait.
 */
#include "cluster/link/cluster.h"

static struct rp__link *stranger(struct rp__hook *at)
{
    return RP__OF(struct rp__link, strange, at);
}

/* NULL: of any address. */
static bool is_of(const struct rp__link *k, const uint64_t *from)
{
    return !from || k->comes_from == *from;
}

static unsigned count(const struct rp__cluster *c, const uint64_t *from)
{
    unsigned n = 0;
    for (struct rp__hook *at = c->strangers.next; at != &c->strangers; at = at->next)
        n += is_of(stranger(at), from);
    return n;
}

static struct rp__link *oldest(struct rp__cluster *c, const uint64_t *from)
{
    struct rp__link *first = 0;
    for (struct rp__hook *at = c->strangers.next; at != &c->strangers; at = at->next) {
        struct rp__link *k = stranger(at);
        if (!is_of(k, from))
            continue;
        if (k->state == RP__L_HELLO)
            return k;
        first = first ? first : k;
    }
    return first;
}

struct rp__link *rp__stranger_too_many(const struct rp__link *comer)
{
    struct rp__cluster *c = comer->c;
    if (count(c, &comer->comes_from) > RP__STRANGERS_EACH)
        return oldest(c, &comer->comes_from);
    return count(c, 0) > RP__STRANGERS ? oldest(c, 0) : 0;
}
