/* SPDX-License-Identifier: MIT
 *
 * why.h - the reason that a user gives for an end, on its way and where it stays.
 *
 * A constant text goes by its address. Of any other the first 31 bytes are copied, into the slot that carries it and
 * then to the actor: so its giver may do with it what it likes when its call has returned.
 */
#ifndef RP__WHY_H
#define RP__WHY_H

#include "actors/table/actor.h"
#include "loop/constant.h"

enum { RP__WHY_WORDS = RP__WHY / 8 };

void rp__why_write(const struct rp_loop *l, uint64_t *words, unsigned n, const char *why); /* into n of them: 8 * n - 1 bytes */
const char *rp__why_read(const uint64_t *words, unsigned n); /* valid while they are */

/* The actor keeps it, as its `why`, until it ends. Without memory for a copy it is "". */
void rp__why_keep(struct rp_loop *l, struct rp__actor *a, const char *why);
void rp__why_free(struct rp_loop *l, struct rp__actor *a);

/* RP__OP_STOP. `life`: the incarnation that is meant, 0: any, RP__FOR_GOOD: and its supervisor lets go of it. `err`: what
 * it has failed with, or 0. */
#define RP__FOR_GOOD UINT32_MAX
struct rp__slot rp__stop_slot(const struct rp_loop *l, uint64_t to, uint64_t from, const char *why, uint32_t life, int err);

#endif
