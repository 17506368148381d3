/* SPDX-License-Identifier: MIT
 *
 * greet.c - how two nodes get to know each other.
 *
 *   dialler                              listener
 *   HELLO version node nonce name   -->
 *                                   <--  HELLO
 *   AUTH mac                        -->             over both nonces, both nodes and the role, so that
 *                                   <--  AUTH mac   nothing said to one can be said again to another
 *                                   <--  WELCOME    all its loops know the link
 *   WELCOME                         -->             and all of the dialler's: from now on actors' frames
 *
 * Until then a peer may make us hold one frame of 4 KiB, for three seconds.
 */
#include "cluster/link/cluster.h"

#include <errno.h>
#include <mbedtls/md.h>
#include <string.h>

enum { MAGIC = 0x31545052 /* "RPT1" */, LOWEST = 1, HIGHEST = 2, MAC = 32 };

static size_t hello_payload(struct rp__link *k, unsigned char *to, size_t size)
{
    struct rp__w w = {to, 0, size};
    size_t n = strlen(k->c->name);
    rp__put32(&w, MAGIC);
    rp__put16(&w, LOWEST); /* version that we speak, */
    rp__put16(&w, HIGHEST);
    rp__put64(&w, k->c->rt->sys->node);
    rp__put_bytes(&w, k->nonce, sizeof k->nonce);
    rp__put32(&w, RP__WINDOW);
    rp__put32(&w, RP__MAX_FRAME);
    rp__put32(&w, RP__HEARTBEAT_MS);
    rp__put8(&w, (uint8_t)n);
    rp__put_bytes(&w, k->c->name, n);
    return w.n;
}

static int say(struct rp__link *k, uint8_t type, const void *payload, size_t n)
{
    return rp__link_emit(k->home, k, true, type, 0, payload, n);
}

static int say_hello(struct rp__link *k)
{
    unsigned char payload[128 + RP__NODE_NAME];
    return say(k, RP__HELLO, payload, hello_payload(k, payload, sizeof payload));
}

int rp__greet(struct rp__link *k)
{
    return say_hello(k);
}

static int mac_of(struct rp__link *k, bool ours, unsigned char mac[MAC])
{
    const char *secret = k->c->rt->opts.secret ? k->c->rt->opts.secret : "";
    unsigned char text[9 + 2 * RP__NONCE + 16];
    struct rp__w w = {text, 0, sizeof text};
    rp__put_bytes(&w, "reparto1", 8);
    rp__put8(&w, ours == k->dialler ? 'D' : 'L');
    rp__put_bytes(&w, ours ? k->peer_nonce : k->nonce, RP__NONCE);
    rp__put_bytes(&w, ours ? k->nonce : k->peer_nonce, RP__NONCE);
    rp__put64(&w, ours ? k->c->rt->sys->node : k->peer);
    rp__put64(&w, ours ? k->peer : k->c->rt->sys->node);
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    return mbedtls_md_hmac(sha256, (const unsigned char *)secret, strlen(secret), text, w.n, mac) == 0 ? 0 : -ENOSYS;
}

static int say_auth(struct rp__link *k)
{
    unsigned char mac[MAC];
    int rc = mac_of(k, true, mac);
    return rc != 0 ? rc : say(k, RP__AUTH, mac, sizeof mac);
}

static int on_hello(struct rp__link *k, struct rp__in in)
{
    uint32_t magic = rp__get32(&in);
    uint16_t low = rp__get16(&in), high = rp__get16(&in);
    k->peer = rp__get64(&in);
    const void *nonce = rp__get_bytes(&in, RP__NONCE);
    k->peer_window = rp__get32(&in);
    rp__get32(&in); /* the largest frame it takes: ours are not larger than its least */
    rp__get32(&in); /* its heartbeat */
    size_t n = rp__get8(&in);
    const char *name = n < RP__NODE_NAME ? rp__get_bytes(&in, n) : 0;
    if (in.bad || !name || magic != MAGIC || k->peer == 0)
        return -EPROTO; /* what follows is a later version's */
    k->state = RP__L_AUTH; /* it is one of us, and may be told what is wrong */
    if (low > HIGHEST || high < LOWEST)
        return -EPROTONOSUPPORT;
    k->version = high < HIGHEST ? high : HIGHEST;
    if (k->peer_window < 1024 || k->peer == k->c->rt->sys->node)
        return -EPROTO;
    memcpy(k->peer_nonce, nonce, RP__NONCE);
    for (size_t i = 0; i < n; i++) /* it is shown to people: nothing in it may be more than text */
        k->name[i] = (unsigned char)name[i] < ' ' || name[i] == 127 ? '?' : name[i];
    k->name[n] = 0;
    return k->dialler ? say_auth(k) : say_hello(k);
}

static int on_auth(struct rp__link *k, struct rp__in in)
{
    unsigned char mac[MAC], differ = 0;
    const unsigned char *theirs = rp__get_bytes(&in, MAC);
    int rc = rp__get_end(&in) ? mac_of(k, false, mac) : -EPROTO;
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < MAC; i++) /* in constant time */
        differ |= mac[i] ^ theirs[i];
    if (differ)
        return -EACCES;
    if (rp__cluster_has_better(k))
        return -EALREADY;
    if (k->dialler)
        k->state = RP__L_WELCOME;
    else
        rp__link_join(k);
    return 0;
}

static int on_welcome(struct rp__link *k, struct rp__in in)
{
    if (!rp__get_end(&in))
        return -EPROTO;
    if (!k->dialler)
        rp__link_up(k);
    else if (rp__cluster_has_better(k))
        return -EALREADY;
    else
        rp__link_join(k);
    return 0;
}

int rp__on_joined(struct rp__link *k)
{
    int rc = k->dialler ? 0 : say_auth(k);
    if (rc == 0)
        rc = say(k, RP__WELCOME, 0, 0);
    if (rc != 0)
        return rc;
    if (k->dialler)
        rp__link_up(k);
    else
        k->state = RP__L_JOINED;
    return 0;
}

int rp__on_greeting(struct rp__link *k, const struct rp__frame *f)
{
    if (f->flags != 0 || f->number != 0)
        return -EPROTO;
    if (f->type == RP__HELLO && k->state == RP__L_HELLO)
        return on_hello(k, f->payload);
    if (f->type == RP__AUTH && k->state == RP__L_AUTH)
        return on_auth(k, f->payload);
    if (f->type == RP__WELCOME && k->state == (k->dialler ? RP__L_WELCOME : RP__L_JOINED))
        return on_welcome(k, f->payload);
    return -EPROTO;
}
