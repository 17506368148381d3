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
 * It has a thread of its own, which accepts and reads, and sleeps while nobody asks. When a question is there it asks
 * all loops, and the first that answers takes the client and serves it in a coroutine. If none does, because each is
 * held, the thread answers itself what can be said then: what runs on each loop, for how long, and where
 * (freeze.h). It does the same where the loop that has taken a client is held before it has said a word.
 *
 * What it takes is bounded: so many clients at once (the next ones stand in the kernel's line), so long a request, so
 * much time for all of it; a slow client makes its coroutine wait and nobody else. Files: endpoint.c is the
 * thread, serve.c what happens on a loop, request.c a question and its answer, places.h what they share.
 */
#ifndef RP__ENDPOINT_H
#define RP__ENDPOINT_H

#include "observe/text.h"

struct rp__word {
    const char *word, *help;
    /* Writes the answer. Runs on some loop, in a coroutine that is no actor's (me->actor is NULL); may suspend,
     * and should give up when its waits are cancelled. `rest` is what came after the word, "" if nothing.
     * Negative: the answer ends with this error. */
    int (*say)(rp_self *me, struct rp__text *to, const char *rest);
    /* The same when no loop answers: on a thread that is no loop's, for which rp__say's `me` is NULL. May wait for
     * nothing, and read only what any thread may. NULL: nothing can be said. */
    int (*alone)(rp_system *sys, struct rp__text *to, const char *rest);
};

struct rp__endpoint;

/* On loop 0. At `path`; NULL: as the user has set RP_INSPECT, a directory, for this run of the program. Words
 * until one that is NULL; they stay where they are. `*ret` is NULL where there is nothing to open.
 * 0, -ENOTSUP in a simulation, -ENOMEM, -EADDRINUSE, ... */
int  rp__endpoint_open(struct rp_loop *l, const char *path, const struct rp__word *words, struct rp__endpoint **ret);

/* Once, by loop 0: lets go of everybody, removes the socket; then `closed` is called there. While it lasts, all
 * loops must go on. */
void rp__endpoint_close(struct rp__endpoint *e, void (*closed)(struct rp_loop *l));
void rp__endpoint_join(struct rp__endpoint *e); /* no loop runs, all are there still: its thread ends. NULL too */
void rp__endpoint_free(struct rp__endpoint *e, const rp_alloc *mem); /* every loop has been closed; NULL too */

/* For how long a loop has not answered the thread, which has asked it; 0: it owes no answer. NULL: 0. Any thread. */
rp_time rp__silence(const struct rp__endpoint *e, unsigned loop);

struct rp__seen;

/* What runs on a loop that owes an answer, as it was lately seen. False: not known. Any thread. */
bool rp__silence_seen(struct rp__endpoint *e, unsigned loop, struct rp__seen *ret);

/* "loop 1 held for 312 ms by worker#1.3.1 in shop.order handle+0x1c ...", as far as that is known; "loop 0 not ticked
 * for 312 ms" if its host does not. It owes an answer. Any thread. */
const char *rp__silence_text(struct rp__endpoint *e, unsigned loop, char *to, size_t size);

#endif
