/* SPDX-License-Identifier: MIT */
#include "actors/table/why.h"

#include "actors/table/post.h"
#include "loop/system.h"

#include <string.h>

enum { BY_ADDRESS = 1 }; /* the last byte then; of a text that was copied it is 0 */

void rp__why_write(const struct rp_loop *l, uint64_t *words, unsigned n, const char *why)
{
    char *to = memset(words, 0, 8 * n);
    if (rp__text_kept(l->sys, why, to, 8 * n) != why)
        return;
    words[0] = (uintptr_t)why;
    to[8 * n - 1] = BY_ADDRESS;
}

const char *rp__why_read(const uint64_t *words, unsigned n)
{
    const char *text = (const char *)words;
    return text[8 * n - 1] == BY_ADDRESS ? (const char *)(uintptr_t)words[0] : text;
}

void rp__why_keep(struct rp_loop *l, struct rp__actor *a, const char *why)
{
    a->why = why;
    if (rp__constant(l->sys, why, 1))
        return;
    struct rp__extra *x = rp__extra(l, a);
    if (x && !x->why)
        x->why = rp__pool_get(&l->pool, RP__WHY);
    a->why = x && x->why ? rp__text_kept(l->sys, why, x->why, RP__WHY) : "";
}

void rp__why_free(struct rp_loop *l, struct rp__actor *a)
{
    a->why = 0;
    if (a->extra->why)
        rp__pool_free(&l->pool, a->extra->why, RP__WHY);
    a->extra->why = 0;
}

struct rp__slot rp__stop_slot(const struct rp_loop *l, uint64_t to, uint64_t from, const char *why, uint32_t life, int err)
{
    struct rp__slot s = {to, from, rp__op_word(RP__OP_STOP), {(uint64_t)life << 32 | (uint32_t)err}};
    rp__why_write(l, s.body + 1, RP__WHY_WORDS, why);
    return s;
}
