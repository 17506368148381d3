/* SPDX-License-Identifier: MIT
 *
 * endpoint.h - a Unix socket where a running program answers questions about itself.
 *
 *   ask     a connection, a line "word rest\n"
 *   answer  lines of text, then "ok\n" or "error: why\n", then the end of the connection
 *
 * Or an HTTP request, "GET /word?rest HTTP/1.1": the text is its body, and without the last line.
 * `printf 'help\n' | nc -U SOCKET` and `curl --unix-socket SOCKET http://x/help` do.
 *
 * It lives on loop 0 as coroutines: one that accepts, one for each client. There is no thread, and while
 * nobody asks it does nothing. What it takes is bounded: so many clients at once (the next ones stand in the
 * kernel's line), so long a request, so much time for all of it; a slow client makes its coroutine wait and
 * nobody else.
 */
#ifndef RP__ENDPOINT_H
#define RP__ENDPOINT_H

#include "loop/text.h"

struct rp__word {
    const char *word, *help;
    /* Writes the answer. Runs on loop 0, in a coroutine that is no actor's (me->actor is NULL); may suspend,
     * and should give up when its waits are cancelled. `rest` is what came after the word, "" if nothing.
     * Negative: the answer ends with this error. */
    int (*say)(rp_self *me, struct rp__text *to, const char *rest);
};

struct rp__endpoint;

/* On loop 0. At `path`; NULL: as the user has set RP_INSPECT, a directory, for this run of the program. Words
 * until one that is NULL; they stay where they are. `*ret` is NULL where there is nothing to open.
 * 0, -ENOTSUP in a simulation, -ENOMEM, -EADDRINUSE, ... */
int  rp__endpoint_open(struct rp_loop *l, const char *path, const struct rp__word *words, struct rp__endpoint **ret);

/* On loop 0, once: lets go of everybody, removes the socket; then calls `closed`, which may come before this
 * returns. While it lasts, all loops must go on. */
void rp__endpoint_close(struct rp__endpoint *e, void (*closed)(struct rp_loop *l));
void rp__endpoint_free(struct rp__endpoint *e, const rp_alloc *mem); /* every loop has been closed; NULL too */

#endif
