/* SPDX-License-Identifier: MIT
 *
 * rests.c - tests/structure.py finds the function that suspends and is missing here.
 */
#include "tests/actors/rests.h"

#include "reparto/dead.h"
#include "reparto/drain.h"
#include "reparto/group.h"
#include "reparto/inspect.h"
#include "reparto/metrics.h"
#include "reparto/mover.h"
#include "reparto/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int r_sleep(rp_self *me, struct scene *s)
{
    (void)s;
    return rp_sleep(me, 0);
}

static int r_yield(rp_self *me, struct scene *s)
{
    (void)s;
    return rp_yield(me);
}

static int r_scope_close(rp_self *me, struct scene *s)
{
    rp_scope none;
    (void)s;
    rp_scope_open(me, &none, RP_FOREVER);
    return rp_scope_close(me, &none, 0);
}

static int r_join(rp_self *me, struct scene *s)
{
    return rp_join(me, s->ended, NULL, RP_FOREVER);
}

static int r_join_past(rp_self *me, struct scene *s)
{
    return rp_join(me, s->running, NULL, 0);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int r_offload(rp_self *me, struct scene *s)
{
    (void)s;
    return rp_offload(me, nothing, NULL, RP_FOREVER);
}

static int r_offload_past(rp_self *me, struct scene *s)
{
    (void)s;
    return rp_offload(me, nothing, NULL, 0);
}

static int ignore(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &(struct num){1, {0, 0}}) : 0;
}
const rp_actor rest_sink = {.name = "sink", .handle = ignore};

static int r_spawn(rp_self *me, struct scene *s)
{
    (void)s;
    return rp_spawn(me, &rest_sink, NULL, NULL);
}

static int r_move(rp_self *me, struct scene *s)
{
    return rp_move(me, s->sink, RP_LOOP(0));
}

static int r_mover_start(rp_self *me, struct scene *s)
{
    rp_ref r;
    int rc = rp_mover_start(me, NULL, NULL, &r);
    (void)s;
    return rc != 0 ? rc : rp_stop(me, r, "enough");
}

static int r_call(rp_self *me, struct scene *s)
{
    rp_msg *m;
    int rc = rp_call(me, s->sink, NUM, &(struct num){1, {0, 0}}, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

static int r_call_past(rp_self *me, struct scene *s)
{
    rp_msg *m;
    return rp_call(me, s->sink, NUM, &(struct num){1, {0, 0}}, &m, 0);
}

static int r_call_many(rp_self *me, struct scene *s)
{
    struct num b = {1, {0, 0}};
    rp_ask asks[] = {{.to = s->sink, .type = NUM, .body = &b}, {.to = s->sink, .type = NUM, .body = &b}};
    int rc = rp_call_many(me, asks, 2, 2, RP_FOREVER);
    rp_asks_drop(me, asks, 2);
    return rc;
}

static int r_tell(rp_self *me, struct scene *s)
{
    return tell_num(me, s->sink, 1);
}

static int r_tell_nowhere(rp_self *me, struct scene *s)
{
    (void)s;
    return tell_num(me, (rp_ref){rp_this_node(me).id + 2, 1}, 1);
}

static int r_tell_bounce(rp_self *me, struct scene *s)
{
    return rp_tell_bounce(me, s->sink, NUM, &(struct num){1, {0, 0}}, 1);
}

static int r_send(rp_self *me, struct scene *s)
{
    rp_msg *m = rp_msg_new(me, NUM);
    check(m != NULL);
    ((struct num *)rp_msg_fill(m))->n = 1;
    int rc = rp_send(me, s->sink, &m);
    if (rc != 0)
        rp_msg_drop(me, m);
    return rc;
}

static int tell_self(rp_self *me)
{
    return rp_try_tell(me, rp_self_ref(me), NUM, &(struct num){1, {0, 0}});
}

static int r_recv(rp_self *me, struct scene *s)
{
    rp_msg *m;
    int told = tell_self(me), rc = rp_recv(me, &m, RP_FOREVER);
    (void)s;
    check(told == 0 || told == -EAGAIN);
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

static int r_recv_past(rp_self *me, struct scene *s)
{
    rp_msg *m;
    (void)s;
    return rp_recv(me, &m, 0);
}

static int r_recv_of(rp_self *me, struct scene *s)
{
    static const rp_type *const types[] = {NUM, NULL};
    rp_msg *m;
    int told = tell_self(me), rc = rp_recv_of(me, types, &m, RP_FOREVER);
    (void)s;
    check(told == 0 || told == -EAGAIN);
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

static int r_forward(rp_self *me, struct scene *s)
{
    rp_msg *m;
    int rc = tell_self(me);
    if (rc == 0 && (rc = rp_recv(me, &m, RP_FOREVER)) == 0) {
        rc = rp_forward(me, m, s->sink);
        rp_msg_drop(me, m);
    }
    return rc;
}

static int r_connect(rp_self *me, struct scene *s)
{
    rp_node node;
    int rc = rp_connect(me, "sim://far", &node, RP_FOREVER);
    (void)s;
    return rc == -EINVAL ? rp_scope_check(me) : rc; /* not simulated: there is no such carrier */
}

static int r_connect_past(rp_self *me, struct scene *s)
{
    rp_node node;
    (void)s;
    return rp_connect(me, "uv+tcp://127.0.0.1:1", &node, 0);
}

static int r_lookup(rp_self *me, struct scene *s)
{
    rp_ref r;
    (void)s;
    return rp_lookup(me, rp_this_node(me), "sink", &r, RP_FOREVER);
}

static int r_lookup_none(rp_self *me, struct scene *s)
{
    rp_ref r;
    (void)s;
    return rp_lookup(me, rp_this_node(me), "nobody", &r, 0);
}

static int r_dead_letters(rp_self *me, struct scene *s)
{
    (void)s;
    int rc = rp_dead_letters(me, 0, RP_FOREVER, NULL, 0);
    return rc < 0 ? rc : 0;
}

static int r_drain(rp_self *me, struct scene *s)
{
    (void)s;
    return rp_drain(me, 0, NULL, NULL);
}

static int r_group_start(rp_self *me, struct scene *s)
{
    (void)s;
    return rp_group_start(me, NULL, NULL);
}

static int r_group_join(rp_self *me, struct scene *s)
{
    return rp_group_join(me, s->group);
}

static int r_group_leave(rp_self *me, struct scene *s)
{
    return rp_group_leave(me, s->group);
}

static int r_group_members(rp_self *me, struct scene *s)
{
    int n = rp_group_members(me, s->group, NULL, 0);
    return n < 0 ? n : 0;
}

static int r_publish(rp_self *me, struct scene *s)
{
    return rp_publish(me, s->group, NUM, &(struct num){1, {0, 0}});
}

static int r_inspect_next(rp_self *me, struct scene *s)
{
    rp_inspection *i;
    rp_actor_info a;
    int rc;
    (void)s;
    check_eq(rp_inspect(me, 1000, &i), 0);
    while ((rc = rp_inspect_next(me, i, &a)) > 0)
        ;
    rp_inspect_end(me, i);
    return rc;
}

static int r_inspect_loop(rp_self *me, struct scene *s)
{
    rp_loop_info l;
    (void)s;
    return rp_inspect_loop(me, 0, RP_FOREVER, &l);
}

static int r_profile(rp_self *me, struct scene *s)
{
    (void)s;
    return rp_profile(me, 1);
}

static int r_backtrace(rp_self *me, struct scene *s)
{
    void *pc[4];
    int n = rp_backtrace(me, s->sink, 0, pc, 4);
    return n < 0 ? n : 0;
}

static int r_dump(rp_self *me, struct scene *s)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int rc = rp_dump(me, fd);
    (void)s;
    close(fd);
    return rc;
}

static int r_metrics_text(rp_self *me, struct scene *s)
{
    char text[64];
    int n = rp_metrics_text(me, text, sizeof text);
    (void)s;
    return n < 0 ? n : 0;
}

int rest_supervise(rp_self *me, rp_ref *ret)
{
    static const rp_child child = {.actor = &rest_sink};
    return rp_supervise(me, &(rp_supervisor){.children = &child, .nchildren = 1}, NULL, ret);
}

static int r_supervise(rp_self *me, struct scene *s)
{
    rp_ref r;
    int rc = rest_supervise(me, &r);
    (void)s;
    return rc != 0 ? rc : rp_stop(me, r, "enough");
}

static int r_supervise_child(rp_self *me, struct scene *s)
{
    rp_ref r;
    return rp_supervise_child(me, s->supervisor, 0, &r);
}

static int r_supervise_add(rp_self *me, struct scene *s)
{
    return rp_supervise_add(me, s->supervisor, &(rp_child){.actor = &rest_sink}, NULL);
}

static int r_supervise_remove(rp_self *me, struct scene *s)
{
    return rp_supervise_remove(me, s->supervisor, s->sink);
}

static int r_put_get(rp_self *me, struct scene *s)
{
    int item = 1, rc = rp_queue_put(me, s->queue, &item, RP_FOREVER);
    return rc != 0 ? rc : rp_queue_get(me, s->queue, &item, RP_FOREVER);
}

static int r_get_past(rp_self *me, struct scene *s)
{
    int item;
    return rp_queue_get(me, s->queue, &item, 0);
}

static int r_take(rp_self *me, struct scene *s)
{
    rp_lease lease = {0};
    int item = 1, rc = rp_queue_put(me, s->queue, &item, RP_FOREVER);
    if (rc == 0)
        rc = rp_queue_take(me, s->queue, &item, &lease, RP_FOREVER);
    return rc != 0 ? rc : rp_lease_done(me, &lease);
}

static int r_queue_join(rp_self *me, struct scene *s)
{
    return rp_queue_join(me, s->queue, RP_FOREVER);
}

static int r_lock(rp_self *me, struct scene *s)
{
    int rc = rp_lock_acquire(me, &s->lock, RP_FOREVER);
    return rc != 0 ? rc : rp_lock_release(me, &s->lock);
}

static int r_lock_past(rp_self *me, struct scene *s)
{
    return rp_lock_acquire(me, &s->held, 0);
}

static int r_read(rp_self *me, struct scene *s)
{
    int rc = rp_rwlock_read(me, &s->rwlock, RP_FOREVER);
    return rc != 0 ? rc : rp_rwlock_release(me, &s->rwlock);
}

static int r_write(rp_self *me, struct scene *s)
{
    int rc = rp_rwlock_write(me, &s->rwlock, RP_FOREVER);
    return rc != 0 ? rc : rp_rwlock_release(me, &s->rwlock);
}

static int r_cond_past(rp_self *me, struct scene *s)
{
    int rc = rp_lock_try(me, &s->lock);
    check_eq(rc, 0);
    rc = rp_cond_wait(me, &s->cond, &s->lock, 0);
    check_eq(rp_lock_release(me, &s->lock), 0);
    return rc;
}

static int r_event(rp_self *me, struct scene *s)
{
    return rp_event_wait(me, &s->event, RP_FOREVER);
}

static int r_sem(rp_self *me, struct scene *s)
{
    int rc = rp_sem_acquire(me, &s->sem, 1, RP_FOREVER);
    return rc != 0 ? rc : rp_sem_release(&s->sem, 1);
}

static int r_limiter(rp_self *me, struct scene *s)
{
    return rp_limiter_acquire(me, &s->limiter, 1, RP_FOREVER);
}

static int r_barrier(rp_self *me, struct scene *s)
{
    int rc = rp_barrier_wait(me, &s->barrier, RP_FOREVER);
    return rc == 1 ? 0 : rc;
}

int rest_nothing(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

static int r_once(rp_self *me, struct scene *s)
{
    return rp_once_run(me, &s->once, rest_nothing, NULL, RP_FOREVER);
}

const struct rest rests[] = {
    {"rp_sleep", r_sleep},
    {"rp_yield", r_yield},
    {"rp_scope_close", r_scope_close},
    {"rp_join", r_join},
    {"rp_join, past", r_join_past},
    {"rp_offload", r_offload},
    {"rp_offload, past", r_offload_past},
    {"rp_spawn", r_spawn},
    {"rp_move", r_move},
    {"rp_mover_start", r_mover_start},
    {"rp_call", r_call},
    {"rp_call, past", r_call_past},
    {"rp_call_many", r_call_many},
    {"rp_tell", r_tell},
    {"rp_tell, nowhere", r_tell_nowhere},
    {"rp_tell_bounce", r_tell_bounce},
    {"rp_send", r_send},
    {"rp_recv", r_recv},
    {"rp_recv, past", r_recv_past},
    {"rp_recv_of", r_recv_of},
    {"rp_forward", r_forward},
    {"rp_connect", r_connect},
    {"rp_connect, past", r_connect_past},
    {"rp_lookup", r_lookup},
    {"rp_lookup, none", r_lookup_none},
    {"rp_dead_letters", r_dead_letters},
    {"rp_drain", r_drain},
    {"rp_group_start", r_group_start},
    {"rp_group_join", r_group_join},
    {"rp_group_leave", r_group_leave},
    {"rp_group_members", r_group_members},
    {"rp_publish", r_publish},
    {"rp_inspect_next", r_inspect_next},
    {"rp_inspect_loop", r_inspect_loop},
    {"rp_profile", r_profile},
    {"rp_backtrace", r_backtrace},
    {"rp_dump", r_dump},
    {"rp_metrics_text", r_metrics_text},
    {"rp_supervise", r_supervise},
    {"rp_supervise_child", r_supervise_child},
    {"rp_supervise_add", r_supervise_add},
    {"rp_supervise_remove", r_supervise_remove},
    {"rp_queue_put", r_put_get},
    {"rp_queue_get", r_put_get},
    {"rp_queue_get, past", r_get_past},
    {"rp_queue_take", r_take},
    {"rp_queue_join", r_queue_join},
    {"rp_lock_acquire", r_lock},
    {"rp_lock_acquire, past", r_lock_past},
    {"rp_rwlock_read", r_read},
    {"rp_rwlock_write", r_write},
    {"rp_cond_wait", r_cond_past},
    {"rp_event_wait", r_event},
    {"rp_sem_acquire", r_sem},
    {"rp_limiter_acquire", r_limiter},
    {"rp_barrier_wait", r_barrier},
    {"rp_once_run", r_once},
    {.name = NULL},
};
