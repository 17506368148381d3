/* SPDX-License-Identifier: MIT
 *
 * group.c - a message for each member.
 *
 *                            +--> members on its loop
 *   publisher ---> group ----+
 *                            +--> hub on another loop ---> members there, sharing the hub's copy
 *
 * The group and its hubs, its children, are the same handler. A loop gets a hub with its first member. Joining
 * and leaving take the way of the messages, so a member sees all from its joining on, and all members see the
 * same order. A handler that waits keeps what comes meanwhile in its mailbox: so no set of members changes
 * under the loop that goes through it, and a member that has to be waited for holds up the group, the group's
 * mailbox its publishers, all by what mailboxes do anyway.
 */
#include "actors/life/life.h"
#include "actors/mail/mail.h"
#include "actors/table/runtime.h"
#include "loop/base/map.h"
#include "reparto/group.h"

#include <errno.h>
#include <string.h>

struct group {
    rp_ref *hub;       /* by loop; none: no member there yet, or it is this one. NULL: this is a hub */
    rp_ref *member;
    uint32_t n, room;
    struct rp__map at; /* address -> 2 + index; 1: it has left, and is still monitored */
    unsigned home;     /* whose members stand here, wherever it has moved to */
    uint32_t mailbox;
    size_t mailbox_bytes;
};

struct nothing {
    char none;
};
static const rp_type join_type = {.name = "rp.group.join", .size = sizeof(struct nothing), .overflow = RP_WAIT};
static const rp_type leave_type = {.name = "rp.group.leave", .size = sizeof(struct nothing), .overflow = RP_WAIT};
static const rp_type list_type = {.name = "rp.group.list", .size = sizeof(struct nothing), .overflow = RP_WAIT};
static const rp_type done_type = {.name = "rp.group.done", .size = sizeof(struct nothing)};

struct members {
    rp_bytes refs;
};
static const rp_field members_fields[] = {RP_FIELD(struct members, refs, RP_BYTES)};
static const rp_type members_type = RP_TYPE("rp.group.members", struct members, members_fields);

/* ---- members ------------------------------------------------------------------------------------- */

static int grow(struct rp_loop *l, struct group *g, uint32_t n)
{
    uint32_t room = g->room ? g->room : 8;
    while (room < n)
        room *= 2;
    if (room == g->room)
        return 0;
    rp_ref *more = rp__pool_get(&l->pool, room * sizeof *more);
    if (!more)
        return -ENOMEM;
    if (g->n)
        memcpy(more, g->member, g->n * sizeof *more);
    if (g->member)
        rp__pool_free(&l->pool, g->member, g->room * sizeof *more);
    g->member = more;
    g->room = room;
    return 0;
}

static int set_place(struct rp_loop *l, struct group *g, uint64_t addr, uintptr_t place)
{
    rp__map_remove(&g->at, addr);
    return place ? rp__map_put(&g->at, &l->sys->mem, addr, (void *)place) : 0;
}

static int join(rp_self *me, struct group *g, rp_ref who)
{
    struct rp_loop *l = me->loop;
    uintptr_t at = (uintptr_t)rp__map_find(&g->at, who.local);
    if (at > 1)
        return 0;
    int rc = grow(l, g, g->n + 1);
    if (rc == 0 && at == 0 && (rc = set_place(l, g, who.local, 1)) == 0 && (rc = rp_monitor(me, who)) != 0)
        (void)set_place(l, g, who.local, 0);
    if (rc != 0)
        return rc;
    (void)set_place(l, g, who.local, 2 + g->n); /* in the room of the one before: it cannot fail */
    g->member[g->n++] = who;
    return 0;
}

/* `then`: the place it has in the map from now on. */
static int leave(rp_self *me, struct group *g, rp_ref who, uintptr_t then)
{
    struct rp_loop *l = me->loop;
    uintptr_t at = (uintptr_t)rp__map_find(&g->at, who.local);
    if (at == 0)
        return -ESRCH;
    (void)set_place(l, g, who.local, then);
    if (at == 1)
        return -ESRCH;
    rp_ref last = g->member[--g->n];
    if (at - 2 != g->n) {
        g->member[at - 2] = last;
        (void)set_place(l, g, last.local, at);
    }
    return 0;
}

/* ---- publishing ---------------------------------------------------------------------------------- */

/* In the name of who published it. */
static struct rp__out out_of(const rp_msg *m)
{
    struct rp__slot *s = (struct rp__slot *)(uintptr_t)&m->slot;
    struct rp__out o = {.from = s->from, .type = rp__type(s->type), .body = rp__body_of(s)};
    if (rp__flags(s->type) & RP__F_NODE) {
        o.flags = RP__F_NODE | RP__F_PAID; /* that credit has gone back: it was taken here */
        o.node = *rp__node_of(s);
        o.via = *rp__via_of(s);
    }
    return o;
}

/* Who cannot take it goes without: it has ended, or fails when full. */
static int pass_on(rp_self *me, struct rp__out *o, rp_ref to)
{
    o->to = to;
    int rc = rp__send(me, o, true, RP_FOREVER);
    return rc == -ECANCELED ? rc : 0;
}

static int publish(rp_self *me, struct group *g, const rp_msg *m)
{
    struct rp_loop *l = me->loop;
    struct rp__slot *s = (struct rp__slot *)(uintptr_t)&m->slot;
    struct rp__out o = out_of(m);
    struct rp__big *own = 0;
    int rc = 0;
    if (!rp__type_copies(o.type))
        return 0;
    for (unsigned i = 0; g->hub && i < l->sys->nloops && rc == 0; i++)
        if (!rp_ref_none(g->hub[i]))
            rc = pass_on(me, &o, g->hub[i]);
    bool big = rp__flags(s->type) & RP__F_BIG;
    if (big && !RP__MOVES_COPY)
        o.share = rp__big_of(s);
    else if ((big || rp__slots(s->type) > 1) && g->n > 1)
        o.share = own = rp__big_new_shared(l, o.type, o.body); /* without memory each gets a copy, or none */
    for (uint32_t i = 0; i < g->n && rc == 0; i++)
        rc = pass_on(me, &o, g->member[i]);
    if (own)
        rp__big_free(l, own);
    return rc;
}

/* ---- the group and its hubs ---------------------------------------------------------------------- */

extern const rp_actor rp__hub_actor;

/* Who cannot be answered gets -EPIPE; only being stopped ends a group. */
static int answered(int rc, int replied)
{
    return rc == -ECANCELED || replied == -ECANCELED ? -ECANCELED : 0;
}

/* Where the members on that loop are kept: none, here. */
static int hub_for(rp_self *me, struct group *g, unsigned loop, rp_ref *ret)
{
    *ret = (rp_ref){0, 0};
    if (loop == g->home)
        return 0;
    if (!g->hub || loop >= me->loop->sys->nloops)
        return -EINVAL;
    rp_spawn_opts o = {.on = RP_LOOP(loop), .mailbox = g->mailbox, .mailbox_bytes = g->mailbox_bytes};
    int rc = rp_ref_none(g->hub[loop]) ? rp__spawn_from(me, &rp__hub_actor, &o, rp__site_of(me->loop, me->actor), &g->hub[loop]) : 0;
    *ret = g->hub[loop];
    return rc;
}

static int on_member(rp_self *me, struct group *g, const rp_msg *m, bool joins)
{
    rp_ref who = rp_from(me, m), hub;
    int rc = who.node == me->loop->node ? hub_for(me, g, rp__loop_of(who.local), &hub) : -EINVAL;
    if (rc == 0 && !rp_ref_none(hub) && (rc = rp_forward(me, m, hub)) == 0)
        return 0;
    if (rc == 0)
        rc = joins ? join(me, g, who) : leave(me, g, who, 1);
    return answered(rc, rc != 0 ? rp_reply_error(me, m, rc) : rp_reply(me, m, &done_type, &(struct nothing){0}));
}

/* Adds what a hub has to what is in the list. */
static int append(rp_self *me, rp_ref hub, rp_time until, rp_ref **list, size_t *n)
{
    struct rp_loop *l = me->loop;
    rp_msg *m;
    int rc = rp_call(me, hub, &list_type, &(struct nothing){0}, &m, until);
    if (rc != 0)
        return rc;
    rp_bytes b = ((const struct members *)rp_body(m, &members_type))->refs;
    rp_ref *more = rp__pool_get(&l->pool, *n * sizeof *more + b.size + 1);
    if (more) {
        if (*n)
            memcpy(more, *list, *n * sizeof *more);
        if (b.size)
            memcpy(more + *n, b.data, b.size);
        if (*list)
            rp__pool_free(&l->pool, *list, *n * sizeof *more + 1);
        *list = more;
        *n += b.size / sizeof *more;
    }
    rp_msg_drop(me, m);
    return more ? 0 : -ENOMEM;
}

static int on_list(rp_self *me, struct group *g, const rp_msg *m)
{
    struct rp_loop *l = me->loop;
    size_t n = g->n;
    rp_ref *list = rp__pool_get(&l->pool, n * sizeof *list + 1);
    int rc = list ? 0 : -ENOMEM;
    if (list && n)
        memcpy(list, g->member, n * sizeof *list);
    for (unsigned i = 0; g->hub && i < l->sys->nloops && rc == 0; i++)
        if (!rp_ref_none(g->hub[i]))
            rc = append(me, g->hub[i], rp_deadline_of(m), &list, &n);
    struct members b = {{list, n * sizeof *list}};
    int replied = rc != 0 ? rp_reply_error(me, m, rc) : rp_reply(me, m, &members_type, &b);
    if (list)
        rp__pool_free(&l->pool, list, n * sizeof *list + 1);
    return answered(rc, replied);
}

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    struct group *g = state;
    const rp_type *t = rp_type_of(m);
    if (t == &join_type || t == &leave_type)
        return on_member(me, g, m, t == &join_type);
    if (t == &list_type)
        return on_list(me, g, m);
    const struct rp_down *down = rp_body(m, RP_DOWN);
    if (down && rp__map_find(&g->at, down->who.local)) {
        (void)leave(me, g, down->who, 0); /* it may have left before */
        return 0;
    }
    return publish(me, g, m);
}

static int init(rp_self *me, void *state, void *arg)
{
    struct rp_loop *l = me->loop;
    struct group *g = state;
    const rp_spawn_opts *o = arg;
    g->home = l->index;
    if (!o) /* a hub */
        return 0;
    size_t size = l->sys->nloops * sizeof *g->hub;
    g->mailbox = o->mailbox;
    g->mailbox_bytes = o->mailbox_bytes;
    g->hub = rp__pool_get(&l->pool, size);
    if (!g->hub)
        return -ENOMEM;
    memset(g->hub, 0, size);
    return 0;
}

static void fini(rp_self *me, void *state, int reason)
{
    struct rp_loop *l = me->loop;
    struct group *g = state;
    (void)reason;
    if (g->hub)
        rp__pool_free(&l->pool, g->hub, l->sys->nloops * sizeof *g->hub);
    if (g->member)
        rp__pool_free(&l->pool, g->member, g->room * sizeof *g->member);
    rp__map_fini(&g->at, &l->sys->mem);
}

static const rp_actor group_actor = {
    .name = "group", .handle = handle, .init = init, .fini = fini, .state_size = sizeof(struct group),
};
const rp_actor rp__hub_actor = {
    .name = "group hub", .handle = handle, .init = init, .fini = fini, .state_size = sizeof(struct group),
};

/* ---- for users ----------------------------------------------------------------------------------- */

RP__NOIPA int rp_group_start(rp_self *me, const rp_spawn_opts *given, rp_ref *ret)
{
    rp_spawn_opts o = given ? *given : (rp_spawn_opts){0};
    o.arg = &o; /* init reads it before rp_spawn returns */
    return rp__spawn_from(me, &group_actor, &o, __builtin_return_address(0), ret);
}

static int ask(rp_self *me, rp_ref group, const rp_type *t)
{
    rp_msg *m;
    int rc = group.node == me->loop->node ? rp_call(me, group, t, &(struct nothing){0}, &m, RP_FOREVER) : -EINVAL;
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

int rp_group_join(rp_self *me, rp_ref group)
{
    return ask(me, group, &join_type);
}

int rp_group_leave(rp_self *me, rp_ref group)
{
    return ask(me, group, &leave_type);
}

int rp_publish(rp_self *me, rp_ref group, const rp_type *t, const void *body)
{
    return !t || !rp__type_copies(t) ? -EINVAL : rp_tell(me, group, t, body);
}

int rp_group_members(rp_self *me, rp_ref group, rp_ref *to, size_t n)
{
    rp_msg *m;
    if (group.node != me->loop->node || (!to && n > 0))
        return -EINVAL;
    int rc = rp_call(me, group, &list_type, &(struct nothing){0}, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    const struct members *b = rp_body(m, &members_type);
    size_t all = b ? b->refs.size / sizeof *to : 0;
    if (b && n && all)
        memcpy(to, b->refs.data, (all < n ? all : n) * sizeof *to);
    rp_msg_drop(me, m);
    return b ? (int)all : -EBADMSG;
}
