/* SPDX-License-Identifier: MIT */
#include "cluster/link/room.h"

enum { RP__TURN = 16384 };

static struct rp__turn *turn_of(struct rp__hook *at)
{
    return RP__OF(rp_self, queue, at)->got;
}

static void pay(struct rp__link *k, struct rp__credit *c, struct rp__turn *t)
{
    c->out += t->bytes;
    k->out += t->bytes;
    t->paid = true;
}

static bool is_full(const struct rp__outbox *o)
{
    return o->queued + o->promised >= RP__QUEUE_HIGH;
}

static bool goes_on(struct rp__outbox *o, const rp_self *me, const struct rp__turn *t)
{
    if (o->writes != me || o->may_write < t->bytes)
        return false;
    o->may_write -= t->bytes;
    return true;
}

bool rp__room_ask(struct rp__link *k, struct rp__credit *c, struct rp__turn *t, const rp_self *me)
{
    struct rp__outbox *o = &k->box;
    t->list = 0;
    if (c->out >= k->peer_window || !rp__list_empty(&c->waiters))
        t->list = &c->waiters;
    else if (is_full(o) || ((o->promised > 0 || !rp__list_empty(&o->room)) && !goes_on(o, me, t)))
        t->list = &o->room;
    return t->list == 0;
}

void rp__room_wait(struct rp__link *k, struct rp__credit *c, struct rp__turn *t, rp_self *me)
{
    t->link = k->id;
    if (t->list == &k->box.room)
        pay(k, c, t);
    me->got = t;
    rp__list_push(t->list, &me->queue);
}

void rp__room_in_credit(struct rp__link *k, struct rp__credit *c)
{
    while (c->out < k->peer_window && !rp__list_empty(&c->waiters)) {
        struct rp__hook *at = rp__list_pop(&c->waiters);
        pay(k, c, turn_of(at));
        rp__list_push(&k->box.room, at);
    }
    if (k->box.promised == 0)
        rp__room_in_queue(k, RP__QUEUE_HIGH);
    if (c->out == 0)
        rp__credit_drop(k, c);
}

void rp__room_in_queue(struct rp__link *k, size_t below)
{
    struct rp__outbox *o = &k->box;
    if (o->queued + o->promised >= below)
        return;
    while (!is_full(o) && !rp__list_empty(&o->room)) {
        struct rp__hook *at = rp__list_pop(&o->room);
        struct rp__turn *t = turn_of(at);
        t->promised = true;
        o->promised += t->bytes;
        rp__wake_from_afar(RP__OF(rp_self, queue, at), 0);
    }
}

bool rp__room_take(struct rp__link *k, struct rp__turn *t, const rp_self *me)
{
    struct rp__outbox *o = &k->box;
    bool mine = t->promised && t->link == k->id;
    t->promised = false;
    if (!mine)
        return false;
    o->promised -= t->bytes;
    o->writes = me;
    o->may_write = RP__TURN;
    return true;
}

void rp__room_refund(struct rp__link *k, struct rp__turn *t, uint64_t target)
{
    struct rp__credit *c = t->paid ? rp__map_find(&k->credits, target) : 0;
    t->paid = false;
    if (!c)
        return;
    uint64_t back = t->bytes < c->out ? t->bytes : c->out; /* the peer may have said that it has had what it has not */
    c->out -= back;
    k->out -= back;
    rp__room_in_credit(k, c);
}
