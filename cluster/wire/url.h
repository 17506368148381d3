/* SPDX-License-Identifier: MIT
 *
 * url.h - what URLs of links say: "tcp://host:port", "ipc://path", "abstract://name", "sim://name"; with "uv+" in front
 * the same over plain sockets.
 */
#ifndef RP__URL_H
#define RP__URL_H

#include <stdbool.h>

enum { RP__URL = 128 /* bytes, with the NUL */, RP__HOST = 100, RP__UNIX = 108 };

/* 0: it can be dialled, or listened at. -EINVAL: no URL of ours; -ENAMETOOLONG. `why`: in words, for a person. `simulated`:
 * any of these forms is only a name, and "sim://name" is one of them. */
int rp__url_check(const char *url, bool listens, bool simulated, const char **why);

bool rp__url_is_uv(const char *url);
bool rp__url_is_unix(const char *url);

/* What stands behind "uv+", if it is there, and `scheme`. NULL: it is another's. */
const char *rp__url_after(const char *url, const char *scheme);

/* Of "ipc://path" the path; NULL: it is another's. */
const char *rp__url_path(const char *url);

/* Of "tcp://host:port", "tcp://[host]:port": 0 or -EINVAL. The host may be empty. */
int rp__url_split(const char *url, char host[RP__HOST], const char **port);

#endif
