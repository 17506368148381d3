/* SPDX-License-Identifier: MIT */
#include "mailbox/message.h"

#include <assert.h>
#include <string.h>

static struct rp__slot *slot_of(const rp_msg *m)
{
    return (struct rp__slot *)(uintptr_t)&m->slot; /* constness is for users; the slot is ours */
}

/* ---- bodies outside the slots -------------------------------------------------------------------- */

static size_t outside_bytes(const rp_type *t, const void *body)
{
    size_t n = 0;
    for (size_t i = 0; i < t->nfields; i++)
        if (rp__kind_outside(t->fields[i].kind)) {
            rp_bytes b;
            memcpy(&b, (const char *)body + t->fields[i].offset, sizeof b);
            n += b.size + 1;
        }
    return n;
}

struct rp__big *rp__big_new(struct rp_loop *l, const rp_type *t, const void *body)
{
    size_t size = sizeof(struct rp__big) + t->size + outside_bytes(t, body);
    struct rp__big *b = rp__pool_get(&l->pool, size);
    if (!b)
        return 0;
    b->size = size;
    atomic_init(&b->others, 0);
    b->packed = true;
    memcpy(b->body, body, t->size);
    char *at = b->body + t->size;
    for (size_t i = 0; i < t->nfields; i++) {
        if (!rp__kind_outside(t->fields[i].kind))
            continue;
        rp_bytes from;
        memcpy(&from, (const char *)body + t->fields[i].offset, sizeof from);
        rp_bytes to = {at, from.size};
        if (from.size)
            memcpy(at, from.data, from.size);
        at[from.size] = 0; /* so that a text is a C string too, if it holds no NUL itself */
        at += from.size + 1;
        memcpy(b->body + t->fields[i].offset, &to, sizeof to);
    }
    return b;
}

void rp__big_free(struct rp_loop *l, struct rp__big *b)
{
    if (rp__big_shared(b) && atomic_fetch_sub_explicit(&b->others, 1, memory_order_acq_rel) > 0)
        return; /* 0: the last of the others went in between */
    rp__pool_free(&l->pool, b, b->size);
}

/* ---- owning -------------------------------------------------------------------------------------- */

void rp__msg_release(struct rp_loop *l, struct rp__slot *s)
{
    unsigned f = rp__flags(s->type);
    if (!(f & RP__F_TAKEN)) {
        if (f & RP__F_DROP)
            rp__type(s->type)->drop(rp__body_of(s));
        if (f & RP__F_BIG)
            rp__big_free(l, rp__big_of(s));
    }
    if (f & RP__F_OWNED)
        rp__msg_shell_free(l, s);
}

void rp__msg_end(struct rp_loop *l, struct rp__slot *s, enum rp__tally how)
{
    if (!(rp__flags(s->type) & RP__F_TAKEN))
        rp__tally(l, how, 1);
    rp__msg_release(l, s);
}

/* ---- for users ----------------------------------------------------------------------------------- */

rp_msg *rp_msg_new(rp_self *me, const rp_type *t)
{
    struct rp_loop *l = me->loop;
    struct rp__shape shape;
    rp__shape_of(&shape, t);
    size_t size = (size_t)shape.slots * RP__SLOT;
    struct rp__slot *s = rp__pool_get(&l->pool, size);
    if (!s)
        return 0;
    memset(s, 0, size);
    s->type = shape.word | RP__FLAG(RP__F_OWNED);
    if (rp__flags(s->type) & RP__F_BIG) {
        struct rp__big *b = rp__pool_get(&l->pool, sizeof *b + t->size);
        if (!b) {
            rp__msg_shell_free(l, s);
            return 0;
        }
        b->size = sizeof *b + t->size;
        atomic_init(&b->others, 0);
        b->packed = false;
        memset(b->body, 0, t->size);
        s->body[0] = (uintptr_t)b;
    }
    rp__tally(l, RP__SENT, 1); /* it exists from here on, and ends once */
    return (rp_msg *)s;
}

void *rp_msg_fill(rp_msg *m)
{
    assert(!(rp__flags(m->slot.type) & RP__F_BIG && rp__big_shared(rp__big_of(slot_of(m)))) && "others read this body too");
    return rp__body_of(slot_of(m));
}

const void *rp_body(const rp_msg *m, const rp_type *t)
{
    return rp__type(m->slot.type) == t ? rp__body_of(slot_of(m)) : 0;
}

const rp_type *rp_type_of(const rp_msg *m)
{
    return rp__type(m->slot.type);
}

rp_time rp_deadline_of(const rp_msg *m)
{
    return rp__flags(m->slot.type) & RP__F_DEADLINE ? (rp_time)*rp__deadline_of(slot_of(m)) : RP_FOREVER;
}

bool rp_wants_reply(const rp_msg *m)
{
    return (rp__flags(m->slot.type) & (RP__F_CALL | RP__F_SPENT)) == RP__F_CALL;
}
