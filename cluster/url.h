/* SPDX-License-Identifier: MIT
 *
 * url.h - what URLs of links say: "tcp://host:port", "ipc://path", "abstract://name", "sim://name"; with "uv+" in front
 * the same over plain sockets.
 */
#ifndef RP__URL_H
#define RP__URL_H

#include <stdbool.h>

enum { RP__URL = 128 /* bytes, with the NUL */, RP__HOST = 100 };

bool rp__url_good(const char *url); /* NULL too: it is not */
bool rp__url_is_uv(const char *url);
bool rp__url_is_unix(const char *url);
bool rp__url_beyond_loopback(const char *url);

/* What stands behind "uv+", if it is there, and `scheme`. NULL: it is another's. */
const char *rp__url_after(const char *url, const char *scheme);

/* Of "tcp://host:port", "tcp://[host]:port": 0 or -EINVAL. */
int rp__url_split(const char *url, char host[RP__HOST], const char **port);

#endif
