/* SPDX-License-Identifier: MIT
 *
 * 02 ping-pong - two actors on two loops pass a ball; the same code would do on one.
 */
#include <reparto/reparto.h>
#include <stdio.h>
#include <stdlib.h>

struct ball {
    uint32_t bounces_left;
    rp_ref partner; /* set in the first: whom to play with */
};
static const rp_field ball_fields[] = {
    RP_FIELD(struct ball, bounces_left, RP_U32),
    RP_FIELD(struct ball, partner, RP_REF),
};
static const rp_type ball_type = RP_TYPE("example.ball", struct ball, ball_fields);

static int play(rp_self *me, void *state, const rp_msg *m)
{
    unsigned *bounced = state;
    const struct ball *b = rp_body(m, &ball_type);
    if (!b)
        return 0;
    ++*bounced;
    rp_ref to = rp_ref_none(b->partner) ? rp_from(me, m) : b->partner;
    struct ball back = {b->bounces_left - 1, {0, 0}};
    if (b->bounces_left == 0) /* the last one: both end */
        return RP_STOP;
    int rc = rp_tell(me, to, &ball_type, &back);
    return rc != 0 ? rc : back.bounces_left == 0 ? RP_STOP : 0;
}

static void over(rp_self *me, void *state, int reason)
{
    (void)reason;
    printf("loop %u: %u bounces\n", rp_loop_index(me), *(unsigned *)state);
}
static const rp_actor player = {.name = "player", .handle = play, .fini = over, .state_size = sizeof(unsigned)};

static int root(rp_self *me, void *arg)
{
    rp_ref ping, pong = {0};
    rp_spawn_opts here = {.monitor = true}, there = {.monitor = true, .on = RP_LOOP(rp_loop_count(me) - 1)};
    int rc = rp_spawn(me, &player, &here, &ping);
    if (rc == 0)
        rc = rp_spawn(me, &player, &there, &pong);
    struct ball first = {*(uint32_t *)arg, pong};
    if (rc == 0)
        rc = rp_tell(me, ping, &ball_type, &first);
    for (int ended = 0; rc == 0 && ended < 2; ended++) {
        rp_msg *down;
        if ((rc = rp_recv(me, &down, rp_in_ms(me, 60000))) == 0)
            rp_msg_drop(me, down);
    }
    return rc;
}

int main(int argc, char **argv)
{
    uint32_t bounces = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000;
    rp_system_opts o = {.loops = 2};
    int rc = rp_run(&(rp_actor){.name = "root", .run = root}, &bounces, &o);
    if (rc != 0)
        fprintf(stderr, "ping-pong: %s\n", rp_strerror(rc));
    return rc != 0;
}
