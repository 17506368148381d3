/* SPDX-License-Identifier: MIT
 *
 * request.h - what a client of the endpoint asks, and what it is answered.
 */
#ifndef RP__REQUEST_H
#define RP__REQUEST_H

#include "observe/endpoint.h"

struct rp__request {
    size_t n;
    char text[4096]; /* with an HTTP client's headers */
};

int rp__request_read(struct rp__request *q, int fd); /* 1: it is there; 0: not yet; -EPIPE, -E2BIG, ... */

/* Writes the answer to what has been read, and is read no more after that. `me` NULL: on a thread that is no
 * loop's, because no loop answers. */
void rp__request_answer(rp_self *me, rp_system *sys, const struct rp__word *words, struct rp__request *q,
                        struct rp__text *t);

#endif
