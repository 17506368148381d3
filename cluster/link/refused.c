/* SPDX-License-Identifier: MIT
 *
 * refused.c - what is reported of links: who was refused, and why; and of messages that cannot be made here.
 *
 * The one who listens and the one who dials each say it at their own end. Over the link a stranger is told a code alone.
 */
#include "cluster/link/cluster.h"

#include <errno.h>
#include <stdio.h>

enum { WHO = 160 };

/* Whatever is known: where we dialled, and what it says it is. */
static const char *peer_text(const struct rp__link *k, char to[WHO])
{
    const char *url = k->dialler && k->url ? k->url : "";
    if (k->peer == 0)
        snprintf(to, WHO, "%s", *url ? url : "a stranger");
    else if (*url)
        snprintf(to, WHO, "node \"%s\" (%llx) at %s", k->name, (unsigned long long)k->peer, url);
    else
        snprintf(to, WHO, "node \"%s\" (%llx)", k->name, (unsigned long long)k->peer);
    return to;
}

/* NULL: it is no refusal. Who dials tries again after the others, and its caller hears of it. */
static const char *why_refused(const struct rp__link *k, int reason)
{
    const struct rp__runtime *rt = k->c->rt;
    bool ends = k->c->closing || rp__draining(rt);
    switch (reason) {
    case -EACCES:
        return rt->opts.secret ? "the secrets differ, or it has none. Give both ends the same rp_system_opts.secret"
                               : "it has a secret, and this process has none. Give both ends the same rp_system_opts.secret";
    case -EPROTONOSUPPORT:
        return "it speaks another version of the protocol. Run the same version of reparto at both ends";
    case -EPROTO:
        return k->dialler ? "whoever listens there does not speak this protocol. Is it the right address?"
                          : "it does not speak this protocol. Somebody has tried this port";
    case -ETIMEDOUT:
        return k->dialler ? 0 : "it has not said who it is within 3 s";
    case -ECONNREFUSED:
        return k->dialler || ends ? 0 : "too many are here already that have not said who they are";
    default:
        return 0;
    }
}

void rp__link_refused(const struct rp__link *k, bool known, int reason)
{
    char who[WHO];
    rp_report about = {.kind = RP_REPORT_LINK, .err = reason};
    const char *why = known ? 0 : why_refused(k, reason);
    if (why)
        rp__report(k->c->rt->sys, &about, "no link with %s: %d, %s", peer_text(k, who), reason, why);
    else if (known && reason == -EPROTO)
        rp__report(k->c->rt->sys, &about, "the link with %s is cut: %d, it broke the protocol or went beyond a limit", peer_text(k, who), reason);
}

/* Each once for each type and link. */
void rp__message_refused(struct rp__link *k, struct rp__plan *p, int err)
{
    char who[WHO];
    rp_report about = {.kind = RP_REPORT_MESSAGE, .err = err};
    unsigned bit = err == -ENOTSUP ? 1 : 2;
    if (p->told & bit || (err != -ENOTSUP && err != -EMSGSIZE))
        return;
    p->told |= (uint8_t)bit;
    rp__report(k->c->rt->sys, &about, "a message of type \"%s\" from %s was dropped, as more of them will be without a word: %d, %s", p->name,
               peer_text(k, who), err, err == -ENOTSUP ? "this process does not know that type. List it in its rp_system_opts.types"
                                                       : "a text in it is longer than the array in this process's struct");
}
