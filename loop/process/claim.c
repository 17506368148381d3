/* SPDX-License-Identifier: MIT */
#include "loop/process/claim.h"

#include "loop/base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The length of the part of a path that names its directory, with the slash. */
static size_t directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

enum { TRIES = 200, PAUSE_NS = 5000000 }; /* a second: those who need the lock for a claim need it for some system calls */

static int lock_file(int fd)
{
    int rc = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        if ((rc = rp__os_faulty("flock") ? -ENOLCK : flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno) != -EAGAIN)
            return rc;
        rp__os_doze(PAUSE_NS);
    }
    return rc;
}

/* A descriptor that holds the lock; -EACCES: the directory cannot be read; -EAGAIN: somebody keeps the lock; or an error. */
static int lock(const char *path)
{
    char name[RP__SOCKET_PATH];
    size_t n = directory(path);
    snprintf(name, sizeof name, "%.*s", n > 0 ? (int)n : 1, n > 0 ? path : ".");
    int fd = rp__os_faulty("open") ? (errno = EMFILE, -1) : open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = lock_file(fd);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

static void unlock(struct rp__claim *c)
{
    if (c->lock >= 0)
        close(c->lock);
    c->lock = -1;
}

/* Nobody listens at the socket any more. Not when that cannot be found out. */
static bool is_left_over(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    int fd = rp__os_faulty("socket") ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)&at, sizeof at) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int make_room(const struct rp__claim *c)
{
    struct stat st;
    if (lstat(c->path, &st) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode) || c->lock < 0 || !is_left_over(c->path)) /* to connect to a plain file is refused too */
        return -EADDRINUSE;
    return unlink(c->path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* A name in the same directory that nobody else uses. */
static int choose_name(struct rp__claim *c)
{
    int n = snprintf(c->at, sizeof c->at, "%.*s.rp%08" PRIx32, (int)directory(c->path), c->path, (uint32_t)rp__os_entropy());
    return (size_t)n < sizeof c->at ? 0 : -ENAMETOOLONG;
}

int rp__claim_begin(struct rp__claim *c, const char *path)
{
    if (path[0] == 0)
        return -EINVAL;
    if (strlen(path) >= sizeof c->path)
        return -ENAMETOOLONG;
    strcpy(c->path, path);
    int rc = choose_name(c);
    if (rc == 0 && (c->lock = lock(path)) < 0 && c->lock != -EACCES)
        rc = c->lock;
    if (rc == 0 && (rc = make_room(c)) != 0)
        unlock(c);
    if (rc != 0)
        c->path[0] = 0;
    return rc;
}

int rp__claim_end(struct rp__claim *c, bool bound)
{
    struct stat st;
    int rc = 0;
    if (bound && (rp__os_faulty("link") ? (errno = ENOSPC, -1) : link(c->at, c->path)) != 0)
        rc = errno == EEXIST ? -EADDRINUSE : -errno;
    unlink(c->at); /* it may be there also if it is not bound: who bound it could not listen */
    if (bound && rc == 0 && lstat(c->path, &st) == 0) {
        c->dev = st.st_dev;
        c->ino = st.st_ino;
    }
    if (!bound || rc != 0)
        c->path[0] = 0;
    unlock(c);
    return rc;
}

/* Somebody may have taken the file away and listen there now. */
void rp__claim_leave(struct rp__claim *c)
{
    struct stat st;
    if (c->path[0] == 0)
        return;
    c->lock = lock(c->path);
    if (lstat(c->path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino)
        unlink(c->path);
    unlock(c);
    c->path[0] = 0;
}
