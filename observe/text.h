/* SPDX-License-Identifier: MIT
 *
 * text.h - text on its way out: gathered in a block, and given on when that is full.
 *
 * An error is kept and ends it: who writes need not look at each line.
 */
#ifndef RP__TEXT_H
#define RP__TEXT_H

#include "loop/loop.h"

enum { RP__TEXT_ROOM = 8192 }; /* bytes of the block; what one rp__say writes must fit into it, or is cut off */

struct rp__text {
    char *at;
    size_t n;
    int rc; /* 0, or why no more comes through */
    /* Gives on what stands in [at, at + n); nothing, where that has only to begin. May suspend. 0 or an error. */
    int (*give)(rp_self *me, struct rp__text *t);
    int fd;
    rp_time until; /* for all of it */
};

/* `give`, fd and until are set. 0 or -ENOMEM. */
int  rp__text_open(rp_self *me, struct rp__text *t);
int  rp__text_close(rp_self *me, struct rp__text *t); /* gives on the rest; suspends. What became of it all */

/* Gives on what is there, of text whose block is the caller's own too: {.give, .at} is such a one. Suspends as `give`. */
void rp__text_flush(rp_self *me, struct rp__text *t);

/* From here on its reader is nobody else's to answer, also where this takes long: for what is to be done once. Suspends
 * as `give`. */
int rp__text_begin(rp_self *me, struct rp__text *t);

/* Suspends when the block is full. */
void rp__say(rp_self *me, struct rp__text *t, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As a word of a line: what could break it (blanks, control characters) is shown as '?'; nothing as "-". */
const char *rp__word_of(char *to, size_t size, const char *from);
const char *rp__plain(char *to, size_t size, const char *from); /* the same for people: blanks stay */

#endif
