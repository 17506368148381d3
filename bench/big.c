/* SPDX-License-Identifier: MIT
 *
 * big - Savina's: 120 actors on two loops, each with one ping under way to another at random.
 */
#include "bench.h"

enum { ACTORS = 120 };

struct crowd { /* before it begins: everybody is told of everybody */
    const rp_ref *all;
    rp_ref root;
    uint64_t pings, index;
};
static const rp_type crowd_type = {"bench.crowd", sizeof(struct crowd), NULL, 0, NULL, RP_DEFAULT, 0, 0};
static const rp_type pong_type = RP_TYPE("bench.pong", struct num, num_fields);

struct member {
    struct crowd c;
    uint64_t random, left, answered;
};

static int ping_somebody(rp_self *me, struct member *s)
{
    s->random = s->random * 16807 % 2147483647;
    uint64_t to = s->random % (ACTORS - 1);
    to += to >= s->c.index;
    return rp_tell(me, s->c.all[to], &num_type, &(struct num){1});
}

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    struct member *s = state;
    if (rp_body(m, &num_type)) {
        s->answered++;
        return rp_tell(me, rp_from(me, m), &pong_type, &(struct num){1});
    }
    if (rp_body(m, &pong_type))
        return --s->left > 0 ? ping_somebody(me, s) : rp_tell(me, s->c.root, &num_type, &(struct num){0});
    const struct crowd *c = rp_body(m, &crowd_type);
    if (!c)
        return rp_reply(me, m, &num_type, &(struct num){s->answered});
    s->c = *c; /* others may have begun, and been answered, before */
    s->random = c->index + 1;
    s->left = c->pings;
    return ping_somebody(me, s);
}
static const rp_actor member = {.name = "member", .handle = handle, .state_size = sizeof(struct member), .flags = RP_NOWAIT};

static int root(rp_self *me, void *arg)
{
    static rp_ref all[ACTORS];
    uint64_t pings = *(uint64_t *)arg / 2 / ACTORS, sum = 0;
    int rc = 0;
    for (unsigned i = 0; i < ACTORS && rc == 0; i++)
        rc = rp_spawn(me, &member, &(rp_spawn_opts){.on = RP_SPREAD}, &all[i]);
    double from = seconds();
    for (unsigned i = 0; i < ACTORS && rc == 0; i++)
        rc = rp_tell(me, all[i], &crowd_type, &(struct crowd){all, rp_self_ref(me), pings, i});
    rp_msg *m;
    for (unsigned i = 0; i < ACTORS && rc == 0; i++)
        if ((rc = rp_recv(me, &m, RP_FOREVER)) == 0)
            rp_msg_drop(me, m);
    double took = seconds() - from;
    for (unsigned i = 0; i < ACTORS && rc == 0; i++)
        if ((rc = rp_call(me, all[i], &link_to_type, &(struct link_to){all[0], 0}, &m, RP_FOREVER)) == 0) {
            sum += ((const struct num *)rp_body(m, &num_type))->n;
            rp_msg_drop(me, m);
        }
    if (rc == 0)
        rc = check_that(sum == pings * ACTORS, "how many pings were answered");
    say("big", (double)(2 * pings * ACTORS) / took, "msg/s");
    return rc;
}

int main(void)
{
    uint64_t n = scaled(20000000);
    bench_run(root, &n, &(rp_system_opts){.loops = 2});
    return 0;
}
