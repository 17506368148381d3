/* SPDX-License-Identifier: MIT
 *
 * serve.c - the endpoint's part on a loop: takes clients that are offered, and answers each in a coroutine.
 */
#include "loop/base/os.h"
#include "loop/scope.h"
#include "observe/places.h"

#include <errno.h>

enum { ANSWER_MS = 60000 }; /* to read the answer */

/* The client is ours from the first byte on: the thread does not take it back then. */
static bool may_write(struct rp__serving *s)
{
    if (!s->begun) {
        pthread_mutex_lock(&s->e->lock);
        s->begun = s->place != 0;
        pthread_mutex_unlock(&s->e->lock);
    }
    return s->begun;
}

static int give_to_client(rp_self *me, struct rp__text *t)
{
    if (!may_write(RP__OF(struct rp__serving, text, t)))
        return -EPIPE;
    for (size_t done = 0; done < t->n;) { /* bounded: by time */
        ssize_t n = rp__socket_write(t->fd, t->at + done, t->n - done);
        int rc = n == -EAGAIN ? me->loop->world->wait_fd(me, t->fd, true, t->until) : n < 0 ? (int)n : 0;
        if (rc != 0)
            return rc;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void end(struct rp__serving *s)
{
    struct rp__endpoint *e = s->e;
    pthread_mutex_lock(&e->lock);
    rp__unlink(&s->all);
    if (s->place)
        s->place->state = RP__PLACE_FREE;
    e->live--;
    pthread_mutex_unlock(&e->lock);
    rp__socket_close(s->fd);
    rp__free_mem(e->sys, s, sizeof *s);
    rp__os_flag_raise(e->flag); /* it may wait for a place, or for the last of us; it closes this flag when all loops have */
}

static void serve(rp_self *me)
{
    struct rp__serving *s = me->arg;
    s->text = (struct rp__text){.at = s->block, .give = give_to_client, .fd = s->fd, .until = rp_in_ms(me, ANSWER_MS)};
    rp__request_answer(me, s->e->sys, s->e->words, &s->q, &s->text);
    rp__text_flush(me, &s->text); /* who has gone is told nothing */
    end(s);
}

/* Without memory it stays offered. */
static void take(struct rp__endpoint *e, struct rp__place *p, struct rp_loop *l)
{
    struct rp__serving *s = rp__alloc(e->sys, sizeof *s);
    rp_self *co = s ? rp__co_new(l, RP__STACK_USUAL, serve) : 0;
    if (!co) {
        rp__free_mem(e->sys, s, sizeof *s);
        p->refused++;
        return;
    }
    s->e = e;
    s->place = p;
    s->l = l;
    s->co = co;
    s->fd = p->fd;
    s->begun = false;
    s->q = p->q;
    rp__list_push(&e->servings, &s->all);
    e->live++;
    p->state = RP__PLACE_SERVED;
    p->by = s;
    p->next = 0;
    co->arg = s;
    rp__ready(co);
}

static void stop_all(struct rp__endpoint *e, const struct rp_loop *l)
{
    for (struct rp__hook *at = e->servings.next; at != &e->servings; at = at->next) {
        struct rp__serving *s = RP__OF(struct rp__serving, all, at);
        if (s->l == l)
            rp__stop_self(s->co, "its system ends");
    }
}

void rp__serve_offered(struct rp__post *p, struct rp_loop *l)
{
    struct rp__asked *a = RP__OF(struct rp__asked, post, p);
    struct rp__endpoint *e = a->e;
    pthread_mutex_lock(&e->lock);
    atomic_store_explicit(&a->since, 0, memory_order_relaxed);
    a->seen_at = 0;
    if (e->closing)
        stop_all(e, l);
    for (unsigned i = 0; i < RP__PLACES && !e->closing; i++)
        if (e->place[i].state == RP__PLACE_OFFERED)
            take(e, &e->place[i], l);
    pthread_mutex_unlock(&e->lock);
}
