/* SPDX-License-Identifier: MIT */
#include "cluster/link/cluster.h"
#include "loop/base/os.h"
#include "loop/report.h"

#include <errno.h>

/* ---- the home loop's beat ------------------------------------------------------------------------- */

/* Has the peer taken nothing of what waits for it, in all the beats that it may? The lock is held. */
static bool takes_nothing(struct rp__link *k)
{
    uint64_t moved = atomic_load_explicit(&k->box.moved, memory_order_relaxed);
    struct rp__beat *b = &k->beat;
    b->unread = k->box.sending && moved == b->moved ? b->unread + 1 : 0;
    b->moved = moved;
    return b->unread > RP__UNREAD_MS / RP__BEAT_MS;
}

int rp__beat(struct rp__link *k)
{
    struct rp__beat *b = &k->beat;
    b->quiet = b->heard ? 0 : b->quiet + 1;
    b->heard = false;
    pthread_mutex_lock(&k->lock);
    b->beaten = true;
    bool stuck = takes_nothing(k);
    size_t waits = k->box.held;
    pthread_mutex_unlock(&k->lock);
    if (b->quiet >= RP__HEARTBEAT_MS / RP__BEAT_MS)
        return -EHOSTUNREACH;
    if (stuck) {
        rp__report(rp__link_sys(k), &(rp_report){.kind = RP_REPORT_LINK, .err = -EHOSTUNREACH, .name = k->name},
                   "the link with node %llx \"%s\" is given up: it has taken nothing for %d s of the %zu bytes that wait for it",
                   (unsigned long long)k->peer, k->name, RP__UNREAD_MS / 1000, waits);
        return -EHOSTUNREACH;
    }
    if (k->state == RP__L_JOINING) /* the peer does not know us before our loops do */
        return 0;
    uint64_t stamp = (uint64_t)k->home->now;
    (void)!rp__link_emit(k->home, k, true, RP__PING, 0, &stamp, sizeof stamp);
    return 0;
}

/* ---- the pulse ------------------------------------------------------------------------------------ */

static void look(struct rp__link *k)
{
    struct rp__beat *b = &k->beat;
    pthread_mutex_lock(&k->lock);
    b->held = b->beaten ? 0 : b->held + 1;
    b->beaten = false;
    pthread_mutex_unlock(&k->lock);
    if (b->held > 1 && b->held < RP__HELD_MS / RP__BEAT_MS) /* once may be between two beats */
        rp__link_pulse(k);
}

static void *pulse(void *arg)
{
    struct rp__pulse *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->over) {
        rp_time until = rp__os_now() + RP__BEAT_MS * RP_MS;
        if (rp__os_cond_until(&p->changed, &p->lock, until) == -ETIMEDOUT)
            for (struct rp__hook *in = p->links.next; in != &p->links; in = in->next)
                look(RP__OF(struct rp__link, beat.in, in));
    }
    pthread_mutex_unlock(&p->lock);
    return 0;
}

void rp__pulse_open(struct rp__cluster *c)
{
    struct rp__pulse *p = &c->pulse;
    pthread_mutex_init(&p->lock, 0);
    rp__os_cond_init(&p->changed);
    rp__list_init(&p->links);
}

void rp__pulse_close(struct rp__cluster *c)
{
    struct rp__pulse *p = &c->pulse;
    if (c->rt->sys->forked)
        return; /* in a forked child there is no such thread */
    if (p->runs) {
        pthread_mutex_lock(&p->lock);
        p->over = true;
        pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, 0);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
}

/* The first link that is up starts the thread; where it cannot, nobody speaks for a loop that is held. In a simulation
 * no thread is. */
void rp__pulse_add(struct rp__link *k)
{
    struct rp__pulse *p = &k->c->pulse;
    if (!rp__link_sys(k)->world->real)
        return;
    pthread_mutex_lock(&p->lock);
    rp__list_push(&p->links, &k->beat.in);
    if (!p->runs)
        p->runs = rp__os_silent_thread(&p->thread, pulse, p) == 0;
    pthread_mutex_unlock(&p->lock);
}

void rp__pulse_remove(struct rp__link *k)
{
    if (!rp__linked(&k->beat.in)) /* only the home loop adds and removes */
        return;
    pthread_mutex_lock(&k->c->pulse.lock);
    rp__unlink(&k->beat.in);
    pthread_mutex_unlock(&k->c->pulse.lock);
}
