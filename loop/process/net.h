/* SPDX-License-Identifier: MIT
 *
 * net.h - streams to other processes, over TCP and Unix sockets: what socket.h has not. Descriptors are
 * non-blocking, are closed by exec, and send small messages at once.
 */
#ifndef RP__NET_H
#define RP__NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct rp__net_addr {
    struct sockaddr_storage at;
    socklen_t n;
};

enum { RP__NET_TEXT = 80 }; /* bytes, with the NUL */

/* "127.0.0.1:7000", "[fe80::1%eth0]:7000"; of another kind of address "". Returns `to`. */
const char *rp__net_text(const struct rp__net_addr *a, char to[RP__NET_TEXT]);

/* Only this machine reaches it: 127.0.0.0/8 or ::1, also as an IPv4 address within IPv6. "Any address" is not that. */
bool rp__net_is_loopback(const struct rp__net_addr *a);

/* A Unix address: a path, or a name in the kernel's own space. 0 or -ENAMETOOLONG. */
int rp__net_unix(struct rp__net_addr *to, const char *name, bool abstract);

/* Not for paths: rp__socket_listen knows what becomes of those. A descriptor; -EADDRINUSE, -EACCES, ... */
int rp__net_listen(const struct rp__net_addr *at);
int rp__net_accept(int fd);    /* a descriptor; -EAGAIN: nobody wants in */

/* A descriptor that can be written to when it is known what became of it, by rp__net_dialled; or an error. */
int rp__net_dial(const struct rp__net_addr *to);
int rp__net_dialled(int fd);   /* 0, -ECONNREFUSED, ... */

/* TCP has connected the socket with itself: the kernel chose, as its own port, the one that it was to reach and at which
 * nobody listens. */
bool rp__net_is_self(int fd);

int  rp__net_port(int fd);     /* that a TCP socket is bound to; or an error */

/* The address of the other end as a number, by which one that comes again is known: of IPv6 its network, of which one
 * machine may have every address. 0: a Unix socket's. */
uint64_t rp__net_from(int fd);
uint64_t rp__net_number4(const void *address);
uint64_t rp__net_number6(const void *address);

bool rp__net_is_ours(int fd);  /* a Unix socket's other end belongs to our own user */

ssize_t rp__net_write(int fd, const struct iovec *v, unsigned n); /* never a SIGPIPE; -EAGAIN */

#endif
