/* SPDX-License-Identifier: MIT */
#include "cluster/url.h"

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
    *port = colon + 1;
    return 0;
}

bool rp__url_good(const char *url)
{
    char host[RP__HOST];
    const char *port;
    if (!url || strlen(url) >= RP__URL)
        return false;
    if (rp__url_after(url, "tcp://"))
        return rp__url_split(url, host, &port) == 0;
    return rp__url_is_unix(url) || rp__url_after(url, "sim://");
}

bool rp__url_beyond_loopback(const char *url)
{
    const char *at = rp__url_after(url, "tcp://");
    return at && strncmp(at, "127.", 4) != 0 && strncmp(at, "[::1]", 5) != 0 && strncmp(at, "localhost", 9) != 0;
}
