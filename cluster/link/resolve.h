/* SPDX-License-Identifier: MIT
 *
 * resolve.h - the addresses of a host: the one way for both carriers, which are given numbers only.
 *
 * A number and "localhost" need no question. For any other name a thread asks the C library, which may take as long as
 * the resolver's own timeouts and cannot be stopped. So the threads are ours, apart from those of rp_offload; at most
 * RP__LOOKUPS of a system ask at once; and nobody waits for them: a lookup that is given up ends by itself, and what it
 * needs outlives the system and its allocator.
 */
#ifndef RP__RESOLVE_H
#define RP__RESOLVE_H

#include "loop/inbox.h"
#include "loop/process/net.h"
#include "reparto/loop.h"

struct addrinfo;

enum {
    RP__ADDRESSES = 16, /* of a host; more are left out */
    RP__LOOKUPS = 4     /* at once */
};

struct rp__addrs {
    unsigned n;
    struct rp__net_addr at[RP__ADDRESSES];
};

/* The addresses of `host`, if that takes no question: 0; 1: it is a name to be asked for; -EINVAL: no such port.
 * `passive`: to listen at; then no host, and "*", is any address. */
int rp__resolve_number(const char *host, const char *port, bool passive, struct rp__addrs *to);

struct rp__resolver; /* a cluster's */
struct rp__question;

/* `rc`: 0, -ENXIO: no such name, or nobody knows now; -EINVAL, no such port; -EMFILE, -ENOMEM, ... `why`: in words. */
typedef void rp__found_fn(void *ud, int rc, const struct rp__addrs *found, const char *why);

struct rp__resolver *rp__resolver_new(void); /* NULL: no memory */
void rp__resolver_close(struct rp__resolver *r); /* every question has been forgotten. NULL too */

/* Asks; `found` is called on the loop `home`. 0 or an error, and then it is not called. */
int  rp__resolve(struct rp__resolver *r, const char *host, const char *port, struct rp_loop *home, rp__found_fn *found,
                 void *ud, struct rp__question **ret);
void rp__resolve_forget(struct rp__question *q); /* on its loop: `found` is not called any more. NULL too */

/* The same here and now, for at most `most`: -ETIMEDOUT. To listen at. */
int rp__resolve_now(const char *host, const char *port, rp_time most, struct rp__addrs *to);

/* The C library takes that address also with AI_ADDRCONFIG: the machine has one of its family that is not loopback. */
bool rp__resolve_usual(const struct rp__net_addr *a);

/* Tests replace it. */
typedef int rp__getaddrinfo_fn(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret);
extern rp__getaddrinfo_fn *rp__getaddrinfo;

#endif
