/* SPDX-License-Identifier: MIT
 *
 * worker.c - parses what a stanza depends on and passes it on to the sink.
 */
#include "pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct worker {
    const struct options *o;
    rp_ref sink;
    uint64_t producer; /* its node, once it has been heard of */
    char lines[16384];
    size_t used;
    bool overflow;
};

struct worker_arg {
    const struct options *o;
    rp_ref sink;
};

static void add_line(void *ud, const char *name, size_t n)
{
    struct worker *w = ud;
    if (w->used + n + 1 > sizeof w->lines) {
        w->overflow = true;
        return;
    }
    memcpy(w->lines + w->used, name, n);
    w->lines[w->used + n] = '\n';
    w->used += n + 1;
}

static int parse(rp_self *me, struct worker *w, const struct stanza *s)
{
    w->used = 0;
    w->overflow = false;
    each_dependency(s->text.data, s->text.size, add_line, w);
    if (w->overflow)
        return -E2BIG;
    if (w->o->slow) {
        int rc = rp_sleep(me, rp_in_ms(me, 1));
        if (rc != 0)
            return rc;
    }
    struct names names = {s->id, {w->lines, w->used}};
    return rp_tell(me, w->sink, &names_type, &names); /* waits while the sink is behind */
}

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    struct worker *w = state;
    const struct stanza *s = rp_body(m, &stanza_type);
    const struct rp_node_down *down = rp_body(m, RP_NODE_DOWN);
    if (rp_body(m, &total_type))
        return RP_STOP;
    if (down) {
        fprintf(stderr, "worker: %s is lost\n", down->name);
        return -EHOSTUNREACH;
    }
    if (!s)
        return 0;
    if (!w->producer) {
        w->producer = rp_from(me, m).node;
        int rc = rp_node_monitor(me, (rp_node){w->producer});
        if (rc != 0)
            return rc;
    }
    return parse(me, w, s);
}

static int init(rp_self *me, void *state, void *arg)
{
    (void)me;
    struct worker *w = state;
    const struct worker_arg *a = arg;
    w->o = a->o;
    w->sink = a->sink;
    return 0;
}
static const rp_actor worker = {.name = "worker", .handle = handle, .init = init, .state_size = sizeof(struct worker)};

int worker_root(rp_self *me, void *options)
{
    struct worker_arg a = {.o = options};
    rp_node sink;
    int rc = rp_connect(me, a.o->sink, &sink, rp_in_ms(me, 10000));
    if (rc == 0)
        rc = rp_lookup(me, sink, "sink", &a.sink, rp_in_ms(me, 10000));
    if (rc != 0)
        fprintf(stderr, "pipeline: %s\n", rp_cause(me, rc)); /* with the names: right after the call */
    if (rc == 0)
        rc = rp_node_monitor(me, sink);
    for (int i = 0; i < ACTORS && rc == 0; i++) {
        char name[24];
        snprintf(name, sizeof name, "worker-%d", i);
        rc = rp_spawn(me, &worker, &(rp_spawn_opts){.arg = &a, .name = name, .on = RP_SPREAD, .monitor = true}, NULL);
    }
    for (int ended = 0; ended < ACTORS && rc == 0;) {
        rp_msg *m;
        rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            break;
        const struct rp_down *down = rp_body(m, RP_DOWN);
        const struct rp_node_down *lost = rp_body(m, RP_NODE_DOWN);
        ended += down != 0;
        rc = down ? down->reason : lost && lost->reason != 0 ? -EHOSTUNREACH : 0;
        rp_msg_drop(me, m);
    }
    return rc;
}
