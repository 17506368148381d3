/* SPDX-License-Identifier: MIT
 *
 * ask.h - who waits for a reply, in a loop's table of calls: a coroutine (rp_self), or one question of several
 * (rp_ask), told apart by the lowest bit.
 */
#ifndef RP__ASK_H
#define RP__ASK_H

#include "actors/table/actor.h"

enum { RP__BLAME = 24 }; /* bytes of a name that an error carries */

static inline void *rp__entry_of_ask(rp_ask *a)
{
    return (char *)a + 1;
}

static inline bool rp__entry_is_ask(const void *entry)
{
    return (uintptr_t)entry & 1;
}

/* Its number is out of the table already. `m` is the asker's now. */
void rp__ask_settled(void *entry, int rc, rp_msg *m, const char *blame, void *site);

/* That actor of this process has it to answer. */
void rp__ask_has(void *entry, uint64_t who);

struct rp__missing { /* a question without an answer */
    uint64_t at, call; /* who has it, and its number */
};

/* Of a coroutine that waits for the answers to many: those that are with actors of this process, up to `room`. How many;
 * 0: it waits for something else. */
unsigned rp__asks_missing(const rp_self *co, struct rp__missing *ret, unsigned room);

rp_time rp__earliest(const rp_self *me, rp_time deadline);    /* of that and its scopes' */

/* ---- served.c -------------------------------------------------------------------------------------- */

/* The deadline of a wait for an answer: in a handler that has still to answer a call, and its tasks, no later than its
 * asker's. */
rp_time rp__while_asked(const rp_self *me, rp_time deadline);

/* What was asked of `to` failed. It is noted if that is due to who has asked the handler: the wait was `cut` to that one's
 * deadline, or `to` is that one. */
void rp__not_its_own(rp_self *me, rp_ref to, int err, bool cut);

/* The handler at `s` has returned rc, below 0: that; or 0, if the error is not its own: the asker has it. */
int rp__judge(rp_self *me, struct rp__actor *a, struct rp__slot *s, int rc);

#endif
