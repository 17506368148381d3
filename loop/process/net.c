/* SPDX-License-Identifier: MIT */
#include "loop/process/net.h"

#include "loop/base/os.h"
#include "loop/process/inherit.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

int rp__net_unix(struct rp__net_addr *to, const char *name, bool abstract)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof un.sun_path)
        return -ENAMETOOLONG;
    memcpy(un.sun_path + abstract, name, n); /* an abstract one begins with a zero, and has no end of its own */
    memcpy(&to->at, &un, sizeof un);
    to->n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return 0;
}

const char *rp__net_text(const struct rp__net_addr *a, char to[RP__NET_TEXT])
{
    char host[RP__NET_TEXT - 10], port[8];
    const struct sockaddr *at = (const struct sockaddr *)&a->at;
    to[0] = 0;
    if ((at->sa_family == AF_INET || at->sa_family == AF_INET6) &&
        getnameinfo(at, a->n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(to, RP__NET_TEXT, at->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return to;
}

bool rp__net_is_loopback(const struct rp__net_addr *a)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (a->at.ss_family == AF_INET) {
        memcpy(&in, &a->at, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    if (a->at.ss_family != AF_INET6)
        return false;
    memcpy(&in6, &a->at, sizeof in6);
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) && in6.sin6_addr.s6_addr[12] == 127);
}

static void set(int fd, int level, int option)
{
    int on = 1;
    setsockopt(fd, level, option, &on, sizeof on); /* a kind of socket that has no such option needs none */
}

static int open_socket(const struct rp__net_addr *a)
{
    int fd = rp__os_faulty("socket") ? (errno = EMFILE, -1) : socket(a->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    set(fd, IPPROTO_TCP, TCP_NODELAY);
    return fd;
}

int rp__net_listen(const struct rp__net_addr *a)
{
    int fd = open_socket(a);
    if (fd < 0)
        return fd;
    set(fd, SOL_SOCKET, SO_REUSEADDR);
    int rc = 0;
    if (rp__os_faulty("bind") || rp__os_faulty("listen"))
        rc = -ENOBUFS;
    else if (bind(fd, (const struct sockaddr *)&a->at, a->n) != 0 || listen(fd, BACKLOG) != 0)
        rc = -errno;
    if (rc == 0) {
        rp__inherit_not(fd);
        return fd;
    }
    close(fd);
    return rc;
}

int rp__net_accept(int fd)
{
    int got = rp__os_faulty("accept4") ? (errno = EMFILE, -1) : accept4(fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (got < 0)
        return -errno;
    set(got, IPPROTO_TCP, TCP_NODELAY);
    rp__inherit_not(got);
    return got;
}

int rp__net_dial(const struct rp__net_addr *to)
{
    int fd = open_socket(to);
    if (fd < 0)
        return fd;
    int rc = rp__os_faulty("connect") ? (errno = ENETUNREACH, -1) : connect(fd, (const struct sockaddr *)&to->at, to->n);
    if (rc == 0 || errno == EINPROGRESS) {
        rp__inherit_not(fd);
        return fd;
    }
    rc = -errno;
    close(fd);
    return rc;
}

int rp__net_dialled(int fd)
{
    int rc;
    socklen_t n = sizeof rc;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &n) == 0 ? -rc : -errno;
}

union tcp_addr {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

uint64_t rp__net_number4(const void *address)
{
    uint32_t n;
    memcpy(&n, address, sizeof n);
    return UINT64_C(1) << 32 | n;
}

uint64_t rp__net_number6(const void *address)
{
    struct in6_addr a;
    uint64_t network;
    memcpy(&a, address, sizeof a);
    memcpy(&network, address, sizeof network);
    return IN6_IS_ADDR_V4MAPPED(&a) ? rp__net_number4(a.s6_addr + 12) : network ? network : 1;
}

uint64_t rp__net_from(int fd)
{
    union tcp_addr a;
    socklen_t n = sizeof a;
    if (getpeername(fd, &a.any, &n) != 0)
        return 0;
    return a.any.sa_family == AF_INET    ? rp__net_number4(&a.in.sin_addr)
           : a.any.sa_family == AF_INET6 ? rp__net_number6(&a.in6.sin6_addr)
                                         : 0;
}

bool rp__net_is_self(int fd)
{
    struct sockaddr_storage here, there;
    socklen_t n = sizeof here, m = sizeof there;
    memset(&here, 0, sizeof here);
    memset(&there, 0, sizeof there);
    return getsockname(fd, (struct sockaddr *)&here, &n) == 0 && getpeername(fd, (struct sockaddr *)&there, &m) == 0 &&
           (here.ss_family == AF_INET || here.ss_family == AF_INET6) && n == m && memcmp(&here, &there, n) == 0;
}

int rp__net_port(int fd)
{
    union tcp_addr a;
    socklen_t n = sizeof a;
    if (getsockname(fd, &a.any, &n) != 0)
        return -errno;
    return ntohs(a.any.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

bool rp__net_is_ours(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}

ssize_t rp__net_write(int fd, const struct iovec *v, unsigned n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = n};
    ssize_t wrote = rp__os_faulty("sendmsg") ? (errno = ECONNRESET, -1) : sendmsg(fd, &m, MSG_NOSIGNAL);
    return wrote >= 0 ? wrote : -errno;
}
