/* SPDX-License-Identifier: MIT
 *
 * 10 philosophers - five, tasks, think, eat, and share five forks, actors. A fork answers who takes it when it is
 * free: it keeps the right to reply of the one who waits. Everybody takes the fork with the lower number first.
 */
#include <reparto/reparto.h>
#include <stdio.h>

enum { SEATS = 5, MEALS = 200 };

struct word {
    bool take; /* or put back */
};
static const rp_field word_fields[] = {RP_FIELD(struct word, take, RP_BOOL)};
static const rp_type word_type = RP_TYPE("example.word", struct word, word_fields);

struct fork {
    bool taken;
    rp_token next; /* who waits for it; it lies between two */
};

static int lend(rp_self *me, void *state, const rp_msg *m)
{
    struct fork *f = state;
    const struct word *w = rp_body(m, &word_type);
    if (w->take && f->taken)
        return rp_take_token(me, m, &f->next);
    f->taken = w->take || f->next.call != 0;
    return w->take ? rp_reply(me, m, &word_type, w) : f->taken ? rp_token_reply(me, &f->next, &word_type, w) : 0;
}
static const rp_actor fork_actor = {.name = "fork", .handle = lend, .state_size = sizeof(struct fork)};

struct seat {
    rp_ref low, high;
    int number;
};

static int take(rp_self *me, rp_ref fork)
{
    rp_msg *m;
    int rc = rp_call(me, fork, &word_type, &(struct word){true}, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    return rc;
}

static int live(rp_self *me, void *arg)
{
    const struct seat *s = arg;
    int meals = 0, rc = 0;
    for (; rc == 0 && meals < MEALS; meals++)
        if ((rc = take(me, s->low)) == 0 && (rc = take(me, s->high)) == 0 &&
            (rc = rp_tell(me, s->low, &word_type, &(struct word){false})) == 0)
            rc = rp_tell(me, s->high, &word_type, &(struct word){false});
    return rc != 0 ? rc : printf("philosopher %d ate %d times\n", s->number, meals) < 0;
}

static int root(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref fork[SEATS];
    struct seat seat[SEATS];
    rp_scope table;
    int rc = 0;
    for (int i = 0; i < SEATS && rc == 0; i++)
        rc = rp_spawn(me, &fork_actor, &(rp_spawn_opts){.on = RP_SPREAD}, &fork[i]);
    rp_scope_open(me, &table, RP_FOREVER);
    for (int i = 0; i < SEATS && rc == 0; i++) {
        seat[i] = (struct seat){fork[i < SEATS - 1 ? i : 0], fork[i < SEATS - 1 ? i + 1 : i], i};
        rc = rp_go(me, &table, live, &seat[i], NULL);
    }
    return rp_scope_close(me, &table, rc);
}

int main(void)
{
    return rp_run(&(rp_actor){.name = "root", .run = root}, NULL, &(rp_system_opts){.loops = 2}) != 0;
}
