/* SPDX-License-Identifier: MIT
 *
 * table.c - a loop's actors, by slot.
 */
#include "actors/table/runtime.h"
#include "loop/base/os.h"
#include "loop/system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { AHEAD = 512, FEW = 4096 }; /* records whose memory is asked for at once; not for the first few */
enum { CHUNK_BYTES = RP__CHUNK_ACTORS * (sizeof(struct rp__actor) + sizeof(struct rp__cpu) + sizeof(struct rp__site)), INDEX_BYTES = RP__CHUNKS * sizeof(void *) };

int rp__chunks_open(struct rp__actors *t)
{
    t->chunk = rp__os_map(INDEX_BYTES, "reparto actors");
    return t->chunk ? 0 : -ENOMEM;
}

void rp__chunks_close(struct rp__actors *t)
{
    if (!t->chunk)
        return;
    for (unsigned i = 0; i < RP__CHUNKS && t->chunk[i]; i++)
        rp__os_unmap(t->chunk[i], CHUNK_BYTES);
    rp__os_unmap(t->chunk, INDEX_BYTES);
}

static struct rp__actor *fresh_slot(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    uint32_t slot = t->count;
    if (slot == (uint32_t)RP__CHUNKS * RP__CHUNK_ACTORS)
        return 0;
    if (slot % RP__CHUNK_ACTORS == 0) {
        struct rp__actor *chunk = rp__os_map(CHUNK_BYTES, "reparto actors");
        if (!chunk)
            return 0;
        t->chunk[slot / RP__CHUNK_ACTORS] = chunk;
    }
    t->count++;
    struct rp__actor *a = rp__actor_at(t, slot);
    if (slot >= FEW && slot % AHEAD == 0)
        rp__os_populate_within(a, AHEAD * sizeof *a);
    a->addr = rp__loop_addr(l->index) | (uint64_t)slot << 24 | 1;
    return a;
}

struct rp__actor *rp__actor_new(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    struct rp__actor *a;
    if (t->free != RP__NOBODY) {
        a = rp__actor_at(t, t->free);
        t->free = a->next;
        uint64_t addr = a->parent;
        memset(a, 0, sizeof *a);
        a->addr = addr;
    } else if (!(a = fresh_slot(l))) {
        return 0;
    }
    a->first_child = a->next = a->prev = RP__NOBODY;
    t->live++;
    rp__tally(l, RP__SPAWNED, 1);
    return a;
}

void rp__actor_free(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__actors *t = l->actors;
    uint64_t addr = a->addr;
    rp__kind_leave(a->kind);
    t->live--;
    rp__tally(l, RP__ENDED, 1);
    a->addr = 0;
    a->flags = 0;
    if ((addr & RP__GENERATIONS) == RP__GENERATIONS)
        return; /* its generations are used up */
    a->parent = (addr & ~RP__NARROW) + 1;
    a->next = t->free;
    t->free = rp__slot_of(addr);
}

struct rp__extra *rp__extra(struct rp_loop *l, struct rp__actor *a)
{
    if (!a->extra && (a->extra = rp__pool_get(&l->pool, sizeof *a->extra))) {
        *a->extra = (struct rp__extra){0};
        rp__list_init(&a->extra->watches);
        rp__list_init(&a->extra->kids);
        rp__list_init(&a->extra->timers);
        rp__list_init(&a->extra->due);
        rp__list_init(&a->extra->bonds);
        rp__list_init(&a->extra->names);
    }
    return a->extra;
}

const char *rp__name_of(const rp_self *me)
{
    return me->actor ? me->actor->kind->name : "(none)";
}

void rp__stalled_at(const rp_self *me, struct rp_stall *ret)
{
    const struct rp__actors *t = me->loop->actors;
    const struct rp__actor *a = rp__at_work(me);
    if (!a)
        return;
    ret->actor = rp__ref(me->loop, a->addr);
    snprintf(ret->name, sizeof ret->name, "%s", a->kind && a->kind->name ? a->kind->name : "");
    if (t->hook)
        ret->hook = t->hook;
    else if (a->handle && !me->home && me->msg)
        snprintf(ret->type, sizeof ret->type, "%s", rp__type(me->msg->type)->name);
}

rp_ref rp_self_ref(const rp_self *me)
{
    return rp__ref(me->loop, rp__addr_of(me));
}

rp_ref rp_parent(const rp_self *me)
{
    return rp__ref(me->loop, me->actor ? me->actor->parent : 0);
}

rp_ref rp_from(const rp_self *me, const rp_msg *m)
{
    if (!m)
        return (rp_ref){0, 0};
    struct rp__slot *s = (struct rp__slot *)(uintptr_t)&m->slot;
    if (rp__flags(s->type) & RP__F_NODE)
        return (rp_ref){*rp__node_of(s), s->from};
    return rp__ref(me->loop, s->from);
}

void *rp_state(const rp_self *me)
{
    return me->actor ? me->actor->state : 0;
}
