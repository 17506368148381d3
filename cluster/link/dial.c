/* SPDX-License-Identifier: MIT
 *
 * dial.c - links that somebody wants: each attempt a round through the addresses of the host, as they are at that time.
 *
 *   rp_connect --> asleep --> looked up --> address after address, each with a link of its own --> up: answered
 *                     ^                                          |
 *                     +---- nearly all errors: a growing pause --+--> the few that will not pass: answered
 *
 * A dial is for an URL, whoever waits for it, and lives on loop 0 while somebody does, and until what it has begun is
 * over: so a lookup that hangs is not begun again by the next that wants the same. An address has little time while
 * others follow, and twice as much in each round, so that one that swallows everything does not hide the next.
 */
#include "actors/table/cause.h"
#include "cluster/link/hole.h"
#include "cluster/link/resolve.h"
#include "cluster/wire/url.h"
#include "loop/rest.h"
#include "loop/scope.h"
#include "loop/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    BACKOFF_FIRST_MS = 20,
    BACKOFF_MOST_MS = 2000,
    PATIENCE_MS = 375,      /* with an address that others follow, in the first round */
};

struct rp__dial { /* an URL that somebody wants to be linked with */
    struct rp__hook all;
    struct rp__hook wanted; /* struct request, under the cluster's lock */
    struct rp__cluster *c;
    struct rp__link *link;  /* the present attempt, */
    struct rp__question *question; /* or what it asks first; neither: it waits for `again` */
    struct rp__timer again;
    rp_time began;          /* the present round, or the last */
    int64_t pause_ms, patience_ms;
    int final;              /* the first error of this round that will not pass; 0: none */
    struct rp__addrs addrs; /* a URL that is no host's counts as one address */
    unsigned next;          /* of them */
    char cause[RP__CAUSE];  /* why the last attempt came to nothing; under the cluster's lock */
    char url[];
};

struct request { /* on the stack of the coroutine that called rp_connect */
    struct rp__post post;
    struct rp__hook hook;
    rp_self *me;
    struct rp__cluster *c;
    const char *url;
    rp_node *ret;
    bool given_up;          /* before loop 0 had seen it; under the lock */
    struct rp__dial *dial;  /* while `hook` is in its list */
    char cause[RP__CAUSE];  /* of its dial, when it was over */
};

/* ---- those who wait ------------------------------------------------------------------------------- */

/* The answer to everybody who waits for it. */
static void answer(struct rp__dial *d, int rc, uint64_t node)
{
    pthread_mutex_lock(&d->c->lock);
    for (struct rp__hook *at; (at = rp__list_pop(&d->wanted));) {
        struct request *r = RP__OF(struct request, hook, at);
        if (rc == 0)
            r->ret->id = node;
        memcpy(r->cause, d->cause, sizeof r->cause);
        rp__wake_from_afar(r->me, rc);
    }
    pthread_mutex_unlock(&d->c->lock);
}

static bool nobody_waits(struct rp__dial *d)
{
    pthread_mutex_lock(&d->c->lock);
    bool nobody = rp__list_empty(&d->wanted);
    pthread_mutex_unlock(&d->c->lock);
    return nobody;
}

static void dial_free(struct rp__dial *d)
{
    rp__timer_stop(&d->c->home->wheel, &d->again);
    rp__unlink(&d->all);
    rp__resolve_forget(d->question);
    if (d->link)
        d->link->dial = 0;
    rp__free_mem(d->c->rt->sys, d, sizeof *d + strlen(d->url) + 1);
}

static void end(struct rp__dial *d, int rc, uint64_t node)
{
    answer(d, rc, node);
    dial_free(d);
}

/* ---- rounds --------------------------------------------------------------------------------------- */

static bool is_tcp(const struct rp__dial *d)
{
    return !d->c->simulated && !rp__url_is_unix(d->url);
}

/* What the next try meets too: another secret, no reparto, one of another version, no such service, no memory. All else
 * may pass: nobody listens there yet, there is no such name yet, no port, descriptor or way for the moment. */
static bool is_final(int rc)
{
    return rc == -EACCES || rc == -EPROTO || rc == -EPROTONOSUPPORT || rc == -EINVAL || rc == -ENOMEM || rc == -ENOSYS;
}

static const char *words_for(int rc)
{
    switch (rc) {
    case -EACCES:
        return "the secrets differ";
    case -EPROTO:
        return "whoever listens there is no reparto of ours, or this process itself";
    case -EPROTONOSUPPORT:
        return "whoever listens there is of another version";
    case -ECONNREFUSED:
        return "nobody listens there";
    case -ENOENT:
        return "there is no such socket";
    case -ECONNRESET:
    case -EHOSTUNREACH:
    case -EPIPE:
        return "there is no way there, or whoever listens there closed in the middle of the greeting";
    case -ETIMEDOUT:
        return "nobody answers there";
    default:
        return rp_strerror(rc);
    }
}

static void note(struct rp__dial *d, int rc, const char *why)
{
    char text[RP__NET_TEXT] = "";
    if (d->next > 0 && is_tcp(d))
        rp__net_text(&d->addrs.at[d->next - 1], text);
    pthread_mutex_lock(&d->c->lock);
    snprintf(d->cause, sizeof d->cause, "%s%s%s%s: %s", d->url, *text ? " (" : "", text, *text ? ")" : "",
             why ? why : words_for(rc));
    pthread_mutex_unlock(&d->c->lock);
    if (rp__traces(d->c->home, RP__T_LINK))
        rp__trace(d->c->home, RP__T_LINK, "no link to %s", d->cause);
}

static void wait_for(struct rp__dial *d, rp_time time)
{
    rp__timer_stop(&d->c->home->wheel, &d->again);
    rp__timer_start(&d->c->home->wheel, &d->again, time);
}

static int64_t doubled(int64_t ms, int64_t most)
{
    return ms * 2 < most ? ms * 2 : most;
}

static void pause_dial(struct rp__dial *d)
{
    uint64_t r = rp__random_of(d->c->home);
    rp_time pause = d->pause_ms * RP_MS / 2 + (rp_time)(r % (uint64_t)(d->pause_ms * RP_MS / 2));
    d->pause_ms = doubled(d->pause_ms, BACKOFF_MOST_MS);
    wait_for(d, d->c->home->now + pause);
}

/* The present attempt has come to nothing. */
static void failed(struct rp__dial *d, int rc, const char *why)
{
    note(d, rc, why);
    if (is_final(rc) && d->final == 0)
        d->final = rc;
    if (d->next < d->addrs.n)
        wait_for(d, d->c->home->now);
    else if (d->final != 0)
        end(d, d->final, 0);
    else if (nobody_waits(d))
        dial_free(d);
    else
        pause_dial(d);
}

static void try_address(struct rp__dial *d)
{
    struct rp__link *k;
    const struct rp__net_addr *to = is_tcp(d) ? &d->addrs.at[d->next] : 0;
    d->next++;
    int rc = rp__link_new(d->c, rp__carrier_of(d->c, d->url, to), true, rp__url_is_unix(d->url), &k);
    if (rc != 0) {
        failed(d, rc, 0);
        return;
    }
    size_t n = strlen(d->url) + 1;
    k->url = rp__alloc(d->c->rt->sys, n);
    if (k->url)
        memcpy(k->url, d->url, n);
    d->link = k;
    k->dial = d;
    if (d->next < d->addrs.n)
        rp__link_hurry(k, d->patience_ms);
    rc = k->url ? k->carrier->dial(k, d->url, to) : -ENOMEM;
    if (rc != 0)
        rp__link_dialled(k, rc);
}

static void on_found(void *ud, int rc, const struct rp__addrs *found, const char *why)
{
    struct rp__dial *d = ud;
    d->question = 0;
    if (rc != 0) {
        failed(d, rc, why);
        return;
    }
    d->addrs = *found;
    if (nobody_waits(d)) /* any more: it may have taken long */
        dial_free(d);
    else
        try_address(d);
}

static int ask(struct rp__dial *d, const char *host, const char *port)
{
    struct rp__cluster *c = d->c;
    if (!c->resolver && !(c->resolver = rp__resolver_new()))
        return -ENOMEM;
    return rp__resolve(c->resolver, host, port, c->home, on_found, d, &d->question);
}

static void begin_round(struct rp__dial *d)
{
    char host[RP__HOST];
    const char *port;
    d->began = d->c->home->now;
    d->patience_ms = d->patience_ms == 0 ? PATIENCE_MS : doubled(d->patience_ms, RP__GREETING_MS);
    d->final = 0;
    d->next = 0;
    d->addrs.n = 1;
    int rc = is_tcp(d) ? rp__url_split(d->url, host, &port) : 0;
    if (rc == 0 && is_tcp(d))
        rc = rp__resolve_number(host, port, false, &d->addrs);
    if (rc == 0) {
        try_address(d);
        return;
    }
    d->addrs.n = 0;
    if (rc == 1)
        rc = ask(d, host, port);
    if (rc != 0)
        failed(d, rc, 0);
}

static void dial_again(struct rp__timer *t, struct rp__wheel *w)
{
    struct rp__dial *d = RP__OF(struct rp__dial, again, t);
    (void)w;
    if (nobody_waits(d))
        dial_free(d);
    else if (d->next < d->addrs.n)
        try_address(d);
    else
        begin_round(d);
}

void rp__dial_settled(struct rp__link *k, int rc)
{
    struct rp__dial *d = k->dial;
    if (!d)
        return;
    k->dial = 0;
    d->link = 0;
    if (rc == -EALREADY) { /* there is another link with that node */
        struct rp__link *other = rp__link_to(d->c->home, k->peer);
        if (other && other->state == RP__L_UP) {
            k = other;
            rc = 0;
        } else {
            rc = -EAGAIN; /* it is not up yet: look again soon */
        }
    }
    if (rc == 0)
        end(d, 0, k->peer);
    else if (d->c->closing)
        end(d, rc, 0);
    else
        failed(d, rc, 0);
}

void rp__dials_end(struct rp__cluster *c)
{
    while (!rp__list_empty(&c->dials))
        end(RP__OF(struct rp__dial, all, c->dials.next), -ESHUTDOWN, 0);
}

/* ---- requests ------------------------------------------------------------------------------------- */

static struct rp__link *link_to(struct rp__cluster *c, const char *url)
{
    for (struct rp__hook *at = c->links.next; at != &c->links; at = at->next) {
        struct rp__link *k = RP__OF(struct rp__link, all, at);
        if (k->state == RP__L_UP && k->url && strcmp(k->url, url) == 0)
            return k;
    }
    return 0;
}

static struct rp__dial *dial_new(struct rp__cluster *c, const char *url)
{
    size_t n = strlen(url) + 1;
    struct rp__dial *d = rp__alloc(c->rt->sys, sizeof *d + n);
    if (!d)
        return 0;
    memset(d, 0, sizeof *d);
    d->c = c;
    d->pause_ms = BACKOFF_FIRST_MS;
    d->again.fire = dial_again;
    rp__list_init(&d->wanted);
    memcpy(d->url, url, n);
    rp__list_push(&c->dials, &d->all);
    wait_for(d, c->home->now); /* when it has somebody who waits */
    return d;
}

/* One that pauses goes on at once for somebody who has just come, and perhaps has little time. */
static struct rp__dial *dial_to(struct rp__cluster *c, const char *url)
{
    for (struct rp__hook *at = c->dials.next; at != &c->dials; at = at->next) {
        struct rp__dial *d = RP__OF(struct rp__dial, all, at);
        if (strcmp(d->url, url) != 0)
            continue;
        rp_time soon = d->began + BACKOFF_FIRST_MS * RP_MS;
        if (!d->link && !d->question && d->next >= d->addrs.n && d->began != 0) {
            d->pause_ms = BACKOFF_FIRST_MS;
            wait_for(d, soon > c->home->now ? soon : c->home->now);
        }
        return d;
    }
    return dial_new(c, url);
}

/* On loop 0. */
static void on_request(struct rp__post *p, struct rp_loop *l)
{
    struct request *r = RP__OF(struct request, post, p);
    struct rp__cluster *c = r->c;
    struct rp__link *k = link_to(c, r->url);
    struct rp__dial *d = k || c->closing ? 0 : dial_to(c, r->url);
    (void)l;
    pthread_mutex_lock(&c->lock);
    int rc = r->given_up ? r->me->rc : k ? 0 : c->closing ? -ESHUTDOWN : d ? 1 : -ENOMEM;
    if (rc == 1) {
        rp__list_push(&d->wanted, &r->hook);
        r->dial = d;
    } else if (rc == 0) {
        r->ret->id = k->peer;
    }
    if (rc <= 0)
        rp__wake_from_afar(r->me, rc);
    pthread_mutex_unlock(&c->lock);
}

static bool give_up(rp_self *me)
{
    struct request *r = me->got;
    pthread_mutex_lock(&r->c->lock);
    bool was_waiting = rp__linked(&r->hook);
    if (was_waiting)
        memcpy(r->cause, r->dial->cause, sizeof r->cause);
    rp__unlink(&r->hook);
    r->given_up = true;
    pthread_mutex_unlock(&r->c->lock);
    return was_waiting; /* else it is on its way to loop 0, or back: wait for it */
}

int rp_connect(rp_self *me, const char *url, rp_node *ret, rp_time deadline)
{
    struct rp__cluster *c = rp__cluster_of(me->loop);
    const char *why;
    if (!ret)
        return rp__cause_is(me, -EINVAL, "rp_connect has no rp_node to write to: it is NULL");
    int rc = rp__url_check(url, false, c->simulated, &why);
    if (rc != 0)
        return rp__rested(me, rp__cause_is(me, rc, "\"%s\": %s", url ? url : "", why));
    rc = rp__may_park(me, deadline);
    if (rc != 0)
        return rc;
    struct request r = {.post.fn = on_request, .me = me, .c = c, .url = url, .ret = ret};
    me->got = &r;
    rc = rp__inbox_push(c->home, &r.post);
    if (rc == 0)
        rc = rp__park(me, "connection", url, give_up, deadline);
    if (rc == 0 && me->actor) /* what it tells from here on it tells by the link it has asked for */
        rp__hole_told(me->loop, ret->id, 0, me->actor->addr);
    if (r.cause[0])
        return rp__cause_is(me, rc, "no link with %s", r.cause);
    return rp__cause_is(me, rc, "no link with %s: %s", url, rp_strerror(rc));
}
