/* SPDX-License-Identifier: MIT
 *
 * client.h - one who asks at a system's socket, on a thread that is no loop's.
 */
#ifndef RP_CLIENT_H
#define RP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct ask {
    const char *path, *text;
    char answer[16384];
    size_t n;
};

int dial(const char *path); /* a descriptor, or a negative errno value */
int ask_at(struct ask *a);  /* 0: what was answered, to its end; blocks, a minute at most */
const char *socket_path(const char *name); /* of this process; until the next call */

#endif
