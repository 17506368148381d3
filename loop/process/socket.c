/* SPDX-License-Identifier: MIT */
#include "loop/process/socket.h"

#include "loop/base/os.h"
#include "loop/process/claim.h"
#include "loop/process/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static int open_socket(void)
{
    int fd = rp__os_faulty("socket") ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 ? fd : -EMFILE;
}

static int bind_to(int fd, const struct sockaddr_un *at)
{
    if (rp__os_faulty("bind"))
        return -ENOSPC;
    return bind(fd, (const struct sockaddr *)at, sizeof *at) == 0 ? 0 : -errno;
}

int rp__socket_bind(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    _Static_assert(sizeof at.sun_path == RP__SOCKET_PATH, "what the kernel takes");
    strcpy(at.sun_path, path);
    int fd = open_socket();
    if (fd < 0)
        return fd;
    /* before it is bound: what appears has this mode from the first instant, whatever the umask allows */
    int rc = rp__os_faulty("fchmod") || fchmod(fd, 0600) != 0 ? -EPERM : bind_to(fd, &at);
    if (rc == 0 && (rp__os_faulty("listen") || listen(fd, BACKLOG) != 0))
        rc = -ENOBUFS;
    if (rc == 0) {
        rp__inherit_not(fd);
        return fd;
    }
    close(fd);
    return rc;
}

int rp__socket_listen(const char *path)
{
    struct rp__claim claim;
    int rc = rp__claim_begin(&claim, path);
    if (rc != 0)
        return rc;
    int fd = rp__socket_bind(claim.at);
    rc = rp__claim_end(&claim, fd >= 0);
    if (fd >= 0 && rc != 0)
        rp__socket_close(fd);
    return rc != 0 ? rc : fd;
}

int rp__socket_accept(int fd)
{
    if (rp__os_faulty("accept4"))
        return -EMFILE;
    int got = accept4(fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int rc = got >= 0 ? got : -errno;
    rp__inherit_not(got);
    return rc;
}

ssize_t rp__socket_read(int fd, void *to, size_t size)
{
    ssize_t n = rp__os_faulty("recv") ? (errno = ECONNRESET, -1) : recv(fd, to, size, 0);
    return n >= 0 ? n : -errno;
}

ssize_t rp__socket_write(int fd, const void *from, size_t size)
{
    ssize_t n = rp__os_faulty("send") ? (errno = ECONNRESET, -1) : send(fd, from, size, MSG_NOSIGNAL);
    return n >= 0 ? n : -errno;
}

int rp__socket_again(int fd)
{
    int got = rp__os_faulty("fcntl") ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    rp__inherit_not(got);
    return got >= 0 ? got : -EMFILE;
}

void rp__socket_end(int fd)
{
    shutdown(fd, SHUT_RDWR);
}

void rp__socket_close(int fd)
{
    if (rp__inherit_forget(fd))
        close(fd);
}

void rp__socket_remove(const char *path)
{
    unlink(path);
}
