/* SPDX-License-Identifier: MIT */
#include "cluster/wire/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool rp__url_is_uv(const char *url)
{
    return strncmp(url, "uv+", 3) == 0;
}

const char *rp__url_after(const char *url, const char *scheme)
{
    const char *at = rp__url_is_uv(url) ? url + 3 : url;
    size_t n = strlen(scheme);
    return strncmp(at, scheme, n) == 0 ? at + n : 0;
}

bool rp__url_is_unix(const char *url)
{
    return rp__url_after(url, "ipc://") || rp__url_after(url, "abstract://");
}

/* A number of sixteen bits (the C library takes any, and goes on with what is left of it), or the name of a service. */
static bool good_port(const char *port)
{
    size_t n = strspn(port, "0123456789");
    if (n == 0)
        return (*port | 32) >= 'a' && (*port | 32) <= 'z';
    return port[n] == 0 && n <= 5 && atoi(port) <= 65535;
}

int rp__url_split(const char *url, char host[RP__HOST], const char **port)
{
    const char *from = rp__url_after(url, "tcp://"), *colon = from ? strrchr(from, ':') : 0;
    if (!colon || !good_port(colon + 1))
        return -EINVAL;
    size_t n = (size_t)(colon - from);
    if (n >= 2 && from[0] == '[' && from[n - 1] == ']') {
        from++;
        n -= 2;
    }
    if (n >= RP__HOST)
        return -EINVAL;
    memcpy(host, from, n);
    host[n] = 0;
    if (strpbrk(host, "[]/@?# \t\r\n"))
        return -EINVAL;
    *port = colon + 1;
    return 0;
}

const char *rp__url_path(const char *url)
{
    return rp__url_after(url, "ipc://");
}

static const char *fault_of_tcp(const char *url, bool listens)
{
    char host[RP__HOST];
    const char *port;
    if (rp__url_split(url, host, &port) != 0)
        return "what follows tcp:// must be HOST:PORT or [IPv6]:PORT, the port a number to 65535 or a service's name";
    if (listens)
        return 0;
    if (host[0] == 0 || strcmp(host, "*") == 0)
        return "there is no host to connect to";
    return port[strspn(port, "0")] == 0 ? "nobody listens at port 0" : 0;
}

static const char *fault_of_unix(const char *url)
{
    const char *path = rp__url_path(url), *name = rp__url_after(url, "abstract://");
    if (path)
        return *path ? 0 : "what follows ipc:// must be a path";
    if (!*name)
        return "what follows abstract:// must be a name";
    /* nng reads it as a byte's number */
    return rp__url_is_uv(url) && strchr(name, '%') ? "a name after uv+abstract:// has no %" : 0;
}

static bool too_long(const char *url)
{
    const char *path = rp__url_path(url), *name = rp__url_after(url, "abstract://");
    return strlen(url) >= RP__URL || (path && strlen(path) >= RP__UNIX) || (name && strlen(name) >= RP__UNIX - 1);
}

int rp__url_check(const char *url, bool listens, bool simulated, const char **why)
{
    *why = 0;
    if (!url || !*url)
        *why = "it is empty";
    else if (rp__url_after(url, "tcp://"))
        *why = fault_of_tcp(url, listens);
    else if (rp__url_is_unix(url))
        *why = fault_of_unix(url);
    else if (!simulated || !rp__url_after(url, "sim://"))
        *why = "it must begin with tcp://, ipc:// or abstract://, or one of these after uv+";
    if (*why)
        return -EINVAL;
    if (!too_long(url))
        return 0;
    *why = "a URL has at most 127 bytes, a path 107, a name 106";
    return -ENAMETOOLONG;
}
