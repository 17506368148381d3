/* SPDX-License-Identifier: MIT */
#include "mailbox/message.h"

#include "loop/base/os.h"
#include "loop/report.h"
#include "loop/system.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
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

static size_t packed_size(const rp_type *t, const void *body)
{
    return sizeof(struct rp__big) + t->size + outside_bytes(t, body);
}

static struct rp__big *pack(struct rp__big *b, size_t size, const rp_type *t, const void *body)
{
    rp__big_init(b, size, true);
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

struct rp__big *rp__big_new(struct rp_loop *l, const rp_type *t, const void *body)
{
    size_t size = packed_size(t, body);
    struct rp__big *b = rp__pool_get(&l->pool, size);
    return b ? pack(b, size, t, body) : 0;
}

_Static_assert(offsetof(struct rp__big, body) == sizeof(struct rp__big), "the body begins where the head ends");

/* A fixed one has its head at the end of a page, and its body in those behind. */
static char *first_page(struct rp__big *b)
{
    return b->body - RP__OS_PAGE;
}

static size_t body_pages(const struct rp__big *b)
{
    return (b->size - sizeof *b + RP__OS_PAGE - 1) & ~(size_t)(RP__OS_PAGE - 1);
}

static size_t fixed_size(size_t size) /* of all its pages */
{
    return 2 * RP__OS_PAGE + size;
}

struct rp__big *rp__big_new_shared(struct rp_loop *l, const rp_type *t, const void *body)
{
    if (!RP__MOVES_COPY)
        return rp__big_new(l, t, body);
    size_t size = packed_size(t, body);
    char *at = rp__os_map(fixed_size(size), "reparto: shared");
    if (!at)
        return 0;
    struct rp__big *b = pack((struct rp__big *)(at + RP__OS_PAGE - sizeof *b), size, t, body);
    b->fixed = true;
    rp__os_fix(b->body, body_pages(b), true);
    return b;
}

void rp__big_free(struct rp_loop *l, struct rp__big *b)
{
    if (rp__big_shared(b) && atomic_fetch_sub_explicit(&b->others, 1, memory_order_acq_rel) > 0)
        return; /* 0: the last of the others went in between */
    if (b->fixed)
        rp__os_unmap(first_page(b), fixed_size(b->size));
    else
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

/* ---- what is no message any more ----------------------------------------------------------------- */

const rp_type rp__gone_type = {.name = "rp.gone", .size = SIZE_MAX}; /* no type has that: rp_body */

static const char *type_name(const rp_msg *m)
{
    const rp_type *t = rp__type(rp__msg_gone(m) ? m->slot.from : m->slot.type);
    return t && t->name ? t->name : "?";
}

void rp__used_gone(const rp_self *me, const rp_msg *m, const char *call)
{
    static const char what[] = "of a message that it has dropped or sent before: whoever gives it away must not touch it again";
    if (me)
        rp__misuse(me, "calls %s (%s) %s", call, type_name(m), what);
    rp__report_fatal(0, &(rp_report){.kind = RP_REPORT_MISUSE}, "an actor calls %s (%s) %s", call, type_name(m), what);
}

void rp__not_to_drop(const rp_self *me, const rp_msg *m)
{
    rp__must_live(me, m, "rp_msg_drop");
    rp__misuse(me, "drops the message that its handler was called with (%s): that one is the runtime's, and ends when the handler returns. "
               "rp_keep makes it the actor's", type_name(m));
}

rp_msg *rp__msg_blank(struct rp_loop *l, const rp_type *t)
{
    struct rp__shape shape = *rp__shape(l->types, t);
    if (rp__shape_rc(&shape) != 0)
        return 0;
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
        rp__big_init(b, sizeof *b + t->size, false);
        memset(b->body, 0, t->size);
        s->body[0] = (uintptr_t)b;
    }
    rp__tally(l, RP__SENT, 1); /* it exists from here on, and ends once */
    return (rp_msg *)s;
}

/* ---- for users ----------------------------------------------------------------------------------- */

void *rp_msg_fill(rp_msg *m)
{
    if (!m)
        return 0;
    rp__must_live(0, m, "rp_msg_fill");
    struct rp__big *b = rp__flags(m->slot.type) & RP__F_BIG ? rp__big_of(slot_of(m)) : 0;
    assert(!(b && rp__big_shared(b)) && "others read this body too");
    if (b && b->fixed)
        rp__os_fix(b->body, body_pages(b), false); /* nobody does any more */
    return rp__body_of(slot_of(m));
}

enum { MISSES = 256 };

/* A receiver that asks by another description than the sender's gets nothing, and is told once in a process: no system is
 * known here. Of descriptions of one size always, of others only among the first MISSES: a receiver that looks for one
 * type after the other misses often. */
static void tell_differs(const rp_type *type, const rp_type *t)
{
    static atomic_flag told = ATOMIC_FLAG_INIT; /* relaxed: it orders nothing */
    char why[200];
    if (atomic_flag_test_and_set_explicit(&told, memory_order_relaxed))
        return;
    rp__type_difference(type, t, why, sizeof why);
    rp__report(0, &(rp_report){.kind = RP_REPORT_MISUSE, .err = -EINVAL},
               "rp_body: a message of type \"%s\" is asked for by another description of that name: %s; describe it once for both",
               t->name, why);
}

/* A miss is looked at if the XOR of both sizes, less 1, is so much: always at first; later if they are equal, or the message
 * is gone. So what a miss usually costs is one comparison. */
static _Atomic size_t looked_at; /* relaxed: near enough */

__attribute__((noinline)) static const void *body_by(const rp_msg *m, const rp_type *t)
{
    static _Atomic unsigned misses; /* relaxed: near enough */
    rp__must_live(0, m, "rp_body");
    const rp_type *type = rp__type(m->slot.type);
    if (!t)
        return 0;
    if (type->size != t->size && atomic_fetch_add_explicit(&misses, 1, memory_order_relaxed) + 1 == MISSES)
        atomic_store_explicit(&looked_at, 2 * RP__TYPE_MOST, memory_order_relaxed);
    if (!t->name || strcmp(type->name, t->name) != 0)
        return 0;
    if (rp__type_same(type, t))
        return rp__body_of(slot_of(m));
    tell_differs(type, t);
    return 0;
}

const void *rp_body(const rp_msg *m, const rp_type *t)
{
    if (__builtin_expect(!m, 0))
        return 0;
    const rp_type *type = rp__type(m->slot.type);
    if (__builtin_expect(type == t, 1))
        return rp__body_of(slot_of(m));
    if (__builtin_expect(!t || (type->size ^ t->size) - 1 >= atomic_load_explicit(&looked_at, memory_order_relaxed), 0))
        return body_by(m, t);
    return 0;
}

const rp_type *rp_type_of(const rp_msg *m)
{
    return m ? rp__type(m->slot.type) : 0;
}

rp_time rp_deadline_of(const rp_msg *m)
{
    return m && rp__flags(m->slot.type) & RP__F_DEADLINE ? (rp_time)*rp__deadline_of(slot_of(m)) : RP_FOREVER;
}

bool rp_wants_reply(const rp_msg *m)
{
    return m && (rp__flags(m->slot.type) & (RP__F_CALL | RP__F_SPENT)) == RP__F_CALL;
}
