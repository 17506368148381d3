/* SPDX-License-Identifier: MIT
 *
 * claim.h - the right to listen at a path, for one listener at a time.
 *
 * A socket's file outlives a process that was killed, so whoever comes next has to take it away; and two that come at
 * once must not take away each other's. All of that is done under a lock on the directory, and the socket gets its name
 * when it already listens:
 *
 *   begin   locks the directory; a file that is there goes if it is a socket at which nobody listens
 *   (the caller binds a socket to `at`, a name that nobody else uses, and listens)
 *   end     gives it the name `path`, which fails if somebody else has that name; unlocks
 *   leave   takes the file away, if it is still this one
 *
 * Where the directory cannot be read there is no lock, and nothing that is there is taken away.
 */
#ifndef RP__CLAIM_H
#define RP__CLAIM_H

#include "loop/process/socket.h"

#include <stdbool.h>
#include <stdint.h>

struct rp__claim {
    char path[RP__SOCKET_PATH]; /* empty: nothing is claimed */
    char at[RP__SOCKET_PATH];   /* where to bind */
    int lock;                   /* < 0: none */
    uint64_t dev, ino;          /* the file that is ours */
};

/* 0, and rp__claim_end must follow; -EADDRINUSE: somebody listens there, or it is no socket; -ENAMETOOLONG, for the path
 * or for `at` beside it; -ENOENT: no such directory; ... */
int  rp__claim_begin(struct rp__claim *c, const char *path);
int  rp__claim_end(struct rp__claim *c, bool bound); /* 0, or why it did not get its name; then nothing is claimed */
void rp__claim_leave(struct rp__claim *c);           /* one of zeroes too */

#endif
