/* SPDX-License-Identifier: MIT
 *
 * big - Savina's: 120 actors on two loops, each with one ping under way to another at random. A pong brings back what
 * its ping said.
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

struct tally {
    uint64_t answered, changed; /* pongs that brought something else */
};
static const rp_field tally_fields[] = {RP_FIELD(struct tally, answered, RP_U64), RP_FIELD(struct tally, changed, RP_U64)};
static const rp_type tally_type = RP_TYPE("bench.tally", struct tally, tally_fields);

struct member {
    struct crowd c;
    uint64_t random, left;
    struct tally tally;
};

static int ping_somebody(rp_self *me, struct member *s)
{
    s->random = s->random * 16807 % 2147483647;
    uint64_t to = s->random % (ACTORS - 1);
    to += to >= s->c.index;
    return rp_tell(me, s->c.all[to], &num_type, &(struct num){s->random});
}

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    struct member *s = state;
    const struct num *b = rp_body(m, &num_type);
    if (b) {
        s->tally.answered++;
        return rp_tell(me, rp_from(me, m), &pong_type, &(struct num){b->n});
    }
    if ((b = rp_body(m, &pong_type))) {
        s->tally.changed += b->n != s->random;
        return --s->left > 0 ? ping_somebody(me, s) : rp_tell(me, s->c.root, &num_type, &(struct num){0});
    }
    const struct crowd *c = rp_body(m, &crowd_type);
    if (!c)
        return rp_reply(me, m, &tally_type, &s->tally);
    s->c = *c; /* others may have begun, and been answered, before */
    s->random = c->index + 1;
    s->left = c->pings;
    return ping_somebody(me, s);
}
static const rp_actor member = {.name = "member", .handle = handle, .state_size = sizeof(struct member), .flags = RP_NOWAIT};

static int root(rp_self *me, void *arg)
{
    static rp_ref all[ACTORS];
    uint64_t pings = *(uint64_t *)arg / 2 / ACTORS;
    struct tally sum = {0, 0};
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
            const struct tally *t = rp_body(m, &tally_type);
            sum.answered += t->answered;
            sum.changed += t->changed;
            rp_msg_drop(me, m);
        }
    if (rc == 0)
        rc = check_that(sum.answered == pings * ACTORS, "how many pings were answered");
    if (rc == 0)
        rc = check_that(sum.changed == 0, "what a pong brought back");
    say("big", (double)(2 * pings * ACTORS) / took, "msg/s");
    return rc;
}

int main(void)
{
    uint64_t n = scaled(20000000);
    bench_run(root, &n, &(rp_system_opts){.loops = 2});
    return 0;
}
