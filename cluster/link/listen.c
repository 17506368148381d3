/* SPDX-License-Identifier: MIT
 *
 * listen.c - where a process listens: at which address, whether it may without a secret, and what is wrong otherwise.
 */
#include "actors/table/reports.h"
#include "cluster/link/cluster.h"
#include "cluster/link/resolve.h"
#include "cluster/wire/url.h"
#include "loop/report.h"
#include "loop/world/sim.h"

#include <errno.h>
#include <string.h>

enum {
    PATIENCE_S = 5, /* for the name service, before the system begins */
    SAY_EVERY_S = 60
};

const struct rp__carrier *rp__carrier_of(const struct rp__cluster *c, const char *url, const struct rp__net_addr *at)
{
    bool plain = rp__url_is_uv(url) || (at && !rp__resolve_usual(at));
    return plain && c->plain ? c->plain : c->carrier;
}

static bool has_secret(const struct rp__cluster *c)
{
    const char *secret = c->rt->opts.secret;
    return secret && *secret;
}

/* Whoever can send to one of these addresses would be let in. */
static const struct rp__net_addr *too_open(const struct rp__cluster *c, const struct rp__addrs *a)
{
    for (unsigned i = 0; i < a->n && !has_secret(c); i++)
        if (!rp__net_is_loopback(&a->at[i]))
            return &a->at[i];
    return 0;
}

static int refuse(struct rp__cluster *c, int rc, const char *why)
{
    rp__report_opts(&c->rt->opts, rc, ".listen", "is \"%s\": %s", c->rt->opts.listen, why);
    return rc;
}

static const char *words_for(int rc)
{
    switch (rc) {
    case -EADDRINUSE:
        return "somebody listens there already, or there is a file that is no socket";
    case -EADDRNOTAVAIL:
        return "no such address of this machine";
    case -ENXIO:
        return "no address is known for that name";
    case -ETIMEDOUT:
        return "the name service does not answer";
    case -ENOENT:
        return "no such directory";
    case -ENAMETOOLONG:
        return "the path is too long: its directory has at most 95 bytes";
    default:
        return rp_strerror(rc);
    }
}

static int refuse_open(struct rp__cluster *c, const struct rp__net_addr *open)
{
    char text[RP__NET_TEXT];
    rp__report_opts(&c->rt->opts, -ENOKEY, ".secret", "is missing: other machines could link with a process that listens at "
                    "\"%s\", which is %s; set the same one in all of them, or listen at 127.0.0.1", c->rt->opts.listen,
                    rp__net_text(open, text));
    return -ENOKEY;
}

/* At the first address that can be had. One at which somebody listens is no reason to go to the next. */
static int listen_at_one(struct rp__cluster *c, const char *url, const struct rp__addrs *a)
{
    const struct rp__net_addr *open = too_open(c, a);
    if (open)
        return refuse_open(c, open);
    int rc = -EADDRNOTAVAIL;
    for (unsigned i = 0; i < a->n && (rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT); i++) {
        c->listens = rp__carrier_of(c, url, &a->at[i]);
        rc = c->listens->listen(c, url, &a->at[i], 0);
    }
    return rc;
}

static int listen_at_host(struct rp__cluster *c, const char *url)
{
    char host[RP__HOST];
    const char *port;
    struct rp__addrs *a = rp__alloc(c->rt->sys, sizeof *a); /* large for a stack */
    if (!a)
        return -ENOMEM;
    int rc = rp__url_split(url, host, &port);
    if (rc == 0)
        rc = rp__resolve_number(host, port, true, a);
    if (rc == 1)
        rc = rp__resolve_now(host, port, PATIENCE_S * RP_S, a);
    if (rc == 0)
        rc = listen_at_one(c, url, a);
    rp__free_mem(c->rt->sys, a, sizeof *a);
    return rc;
}

static int listen_in_path(struct rp__cluster *c, const char *url)
{
    int rc = rp__claim_begin(&c->claim, rp__url_path(url));
    if (rc != 0)
        return rc;
    rc = c->listens->listen(c, url, 0, c->claim.at);
    int named = rp__claim_end(&c->claim, rc == 0);
    if (rc != 0 || named == 0)
        return rc;
    c->listens->unlisten(c);
    return named;
}

int rp__cluster_listen(struct rp__cluster *c)
{
    const char *url = c->rt->opts.listen, *why;
    bool simulated = c->simulated;
    int rc = rp__url_check(url, true, simulated, &why);
    if (rc != 0)
        return refuse(c, rc, why);
    c->listens = rp__carrier_of(c, url, 0);
    if (simulated || rp__url_after(url, "abstract://")) /* abstract: the kernel says of whom a peer is */
        rc = c->listens->listen(c, url, 0, 0);
    else
        rc = rp__url_path(url) ? listen_in_path(c, url) : listen_at_host(c, url);
    return rc == 0 || rc == -ENOKEY ? rc : refuse(c, rc, words_for(rc));
}

void rp__cluster_unlisten(struct rp__cluster *c)
{
    if (c->listener)
        c->listens->unlisten(c);
    c->listener = 0;
    rp__claim_leave(&c->claim);
}

void rp__cluster_no_room(struct rp__cluster *c, int rc)
{
    rp_time now = c->home->now;
    if (c->said_no_room != 0 && now - c->said_no_room < SAY_EVERY_S * RP_S)
        return;
    c->said_no_room = now;
    rp_report about = {.kind = RP_REPORT_LINK, .err = rc};
    rp__report(c->rt->sys, &about, "a peer that wants to link cannot be taken in at %s: %s; it waits, and is tried again. Close "
               "what is not needed, or raise the limit (ulimit -n)", c->rt->opts.listen, rp_strerror(rc));
}
