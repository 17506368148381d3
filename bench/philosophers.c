/* SPDX-License-Identifier: MIT
 *
 * philosophers - Savina's: twenty at a table, on two loops. A waiter gives both forks at once, so that nobody
 * holds one and waits for the other; who has to wait is served when a neighbour is done.
 */
#include "bench.h"

enum { SEATS = 20 };

static const rp_type hungry_type = RP_TYPE("bench.hungry", struct num, num_fields);
static const rp_type eat_type = RP_TYPE("bench.eat", struct num, num_fields);
static const rp_type done_type = RP_TYPE("bench.done", struct num, num_fields);

struct table {
    bool fork[SEATS]; /* in somebody's hand: right of seat i, left of i + 1 */
    bool waiting[SEATS];
    rp_ref who[SEATS];
    uint64_t meals;
};

static int serve(rp_self *me, struct table *t, uint64_t i)
{
    bool *left = &t->fork[(i + SEATS - 1) % SEATS], *right = &t->fork[i];
    t->waiting[i] = *left || *right;
    if (t->waiting[i])
        return 0;
    *left = *right = true;
    return rp_tell(me, t->who[i], &eat_type, &(struct num){i});
}

static int wait_on(rp_self *me, void *state, const rp_msg *m)
{
    struct table *t = state;
    const struct num *b = rp_body(m, &hungry_type);
    if (b) {
        t->who[b->n] = rp_from(me, m);
        return serve(me, t, b->n);
    }
    if (!(b = rp_body(m, &done_type)))
        return rp_reply(me, m, &num_type, &(struct num){t->meals});
    uint64_t i = b->n, before = (i + SEATS - 1) % SEATS, after = (i + 1) % SEATS;
    if (!t->fork[before] || !t->fork[i])
        return check_that(false, "somebody ate without forks");
    t->fork[before] = t->fork[i] = false;
    t->meals++;
    int rc = t->waiting[before] ? serve(me, t, before) : 0;
    return rc == 0 && t->waiting[after] ? serve(me, t, after) : rc;
}
static const rp_actor waiter = {.name = "waiter", .handle = wait_on, .state_size = sizeof(struct table), .flags = RP_NOWAIT};

struct seat {
    rp_ref waiter;
    uint64_t i, left;
};

static int live(rp_self *me, void *state, const rp_msg *m)
{
    struct seat *s = state;
    if (rp_body(m, &eat_type)) {
        int rc = rp_tell(me, s->waiter, &done_type, &(struct num){s->i});
        if (rc != 0 || --s->left == 0)
            return rc != 0 ? rc : RP_STOP;
    }
    return rp_tell(me, s->waiter, &hungry_type, &(struct num){s->i});
}

static int born(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct seat *)state = *(const struct seat *)arg;
    return 0;
}
static const rp_actor philosopher = {.name = "philosopher", .handle = live, .init = born, .state_size = sizeof(struct seat), .flags = RP_NOWAIT};

static int root(rp_self *me, void *arg)
{
    uint64_t each = *(uint64_t *)arg / SEATS, meals = 0;
    struct seat s = {.left = each};
    rp_msg *m;
    int rc = rp_spawn(me, &waiter, &(rp_spawn_opts){.on = RP_LOOP(1), .monitor = true}, &s.waiter);
    double from = seconds();
    for (; s.i < SEATS && rc == 0; s.i++) {
        rp_ref one;
        rc = rp_spawn(me, &philosopher, &(rp_spawn_opts){.arg = &s, .monitor = true}, &one);
        if (rc == 0)
            rc = rp_tell(me, one, &num_type, &(struct num){0});
    }
    if (rc == 0)
        rc = await_downs(me, SEATS);
    double took = seconds() - from;
    if (rc == 0 && (rc = rp_call(me, s.waiter, &num_type, &(struct num){0}, &m, RP_FOREVER)) == 0) {
        meals = ((const struct num *)rp_body(m, &num_type))->n;
        rp_msg_drop(me, m);
    }
    say("philosophers", (double)meals / took, "meals/s");
    return rc != 0 ? rc : check_that(meals == each * SEATS, "how many meals");
}

int main(void)
{
    uint64_t n = scaled(4000000);
    bench_run(root, &n, &(rp_system_opts){.loops = 2});
    return 0;
}
