/* SPDX-License-Identifier: MIT */
#include "tests/client.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int dial(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval patient = {60, 0};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    check(fd >= 0);
    check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient) == 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    int rc = -errno;
    close(fd);
    return rc;
}

int ask_at(struct ask *a)
{
    int fd = dial(a->path);
    if (fd < 0)
        return fd;
    ssize_t n = send(fd, a->text, strlen(a->text), MSG_NOSIGNAL);
    if (n < 0 && errno != EPIPE)
        return -errno;
    a->n = 0;
    while ((n = read(fd, a->answer + a->n, sizeof a->answer - 1 - a->n)) > 0)
        a->n += (size_t)n;
    a->answer[a->n] = 0;
    close(fd);
    return 0;
}

const char *socket_path(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "/tmp/reparto-test-%d-%s", (int)getpid(), name);
    return path;
}
