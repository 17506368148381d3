/* SPDX-License-Identifier: MIT
 *
 * chameneos - Savina's: a hundred creatures come to a mall, where two at a time are sent to each other; they
 * meet, and both change their colour. What they say and what they hear must be the same. They live with the
 * mall: all that they do is talk to it.
 * chameneos two - the same with the mall on another loop.
 */
#include "bench.h"

enum { CREATURES = 100 };

struct meet {
    rp_ref other; /* the mall's: whom to meet */
    uint32_t colour;
};
static const rp_field meet_fields[] = {RP_FIELD(struct meet, other, RP_REF), RP_FIELD(struct meet, colour, RP_U32)};
static const rp_type come_type = RP_TYPE("bench.come", struct meet, meet_fields);     /* creature to mall */
static const rp_type meet_type = RP_TYPE("bench.meet", struct meet, meet_fields);     /* mall to the first */
static const rp_type change_type = RP_TYPE("bench.change", struct meet, meet_fields); /* the first to the second */

/* Sums of what stood in the messages that were sent, and in those that came. */
struct talk {
    uint64_t said, heard;
};
static const rp_field talk_fields[] = {RP_FIELD(struct talk, said, RP_U64), RP_FIELD(struct talk, heard, RP_U64)};
static const rp_type talk_type = RP_TYPE("bench.talk", struct talk, talk_fields);

static uint64_t sum_of(const struct meet *b)
{
    return b->other.local + b->colour;
}

static inline int tell(rp_self *me, struct talk *t, rp_ref to, const rp_type *type, rp_ref other, uint32_t colour)
{
    struct meet b = {other, colour};
    t->said += sum_of(&b);
    return rp_tell(me, to, type, &b);
}

struct creature {
    rp_ref mall;
    uint32_t colour;
    uint64_t met;
    struct talk talk;
};

static int come(rp_self *me, struct creature *c)
{
    return tell(me, &c->talk, c->mall, &come_type, (rp_ref){0, 0}, c->colour);
}

static int live(rp_self *me, void *state, const rp_msg *m)
{
    struct creature *c = state;
    const struct meet *b;
    if (rp_body(m, &num_type)) /* the end; or, from the root, the beginning */
        return rp_wants_reply(m) ? rp_reply(me, m, &num_type, &(struct num){c->met}) : come(me, c);
    if ((b = rp_body(m, &meet_type))) {
        if (c->colour != b->colour)
            c->colour = 3 - c->colour - b->colour;
        int rc = tell(me, &c->talk, b->other, &change_type, (rp_ref){0, 0}, c->colour);
        if (rc != 0)
            return rc;
    } else if ((b = rp_body(m, &change_type))) {
        c->colour = b->colour;
    } else {
        return rp_reply(me, m, &talk_type, &c->talk);
    }
    c->talk.heard += sum_of(b);
    c->met++;
    return come(me, c);
}

static int born(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(struct creature *)state = *(const struct creature *)arg;
    return 0;
}
static const rp_actor creature = {.name = "creature", .handle = live, .init = born, .state_size = sizeof(struct creature), .flags = RP_NOWAIT};

struct mall {
    uint64_t left, waiting;
    rp_ref root, first;
    struct talk talk;
};

static int meet_at(rp_self *me, void *state, const rp_msg *m)
{
    struct mall *s = state;
    const struct meet *b = rp_body(m, &come_type);
    if (!b) /* the end: what was said? */
        return rp_reply(me, m, &talk_type, &s->talk);
    s->talk.heard += sum_of(b);
    if (s->left == 0) /* closed: who comes now stays; the root counts them */
        return rp_tell(me, s->root, &num_type, &(struct num){1});
    if (!s->waiting++) {
        s->first = rp_from(me, m);
        return 0;
    }
    s->waiting = 0;
    s->left--;
    return tell(me, &s->talk, s->first, &meet_type, rp_from(me, m), b->colour);
}

static int mall_init(rp_self *me, void *state, void *arg)
{
    struct mall *s = state;
    s->left = *(uint64_t *)arg;
    s->root = rp_parent(me);
    return 0;
}
static const rp_actor mall = {.name = "mall", .handle = meet_at, .init = mall_init, .state_size = sizeof(struct mall), .flags = RP_NOWAIT};

/* What everybody has said must have been heard. */
static int check_talk(rp_self *me, rp_ref at, const rp_ref *all)
{
    struct talk sum = {0, 0};
    for (unsigned i = 0; i <= CREATURES; i++) {
        rp_msg *m;
        int rc = rp_call(me, i < CREATURES ? all[i] : at, &talk_type, &sum, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        const struct talk *t = rp_body(m, &talk_type);
        sum.said += t->said;
        sum.heard += t->heard;
        rp_msg_drop(me, m);
    }
    return check_that(sum.said == sum.heard, "what was said");
}

struct question {
    const char *name;
    uint64_t meetings;
    bool apart;
};

static int root(rp_self *me, void *arg)
{
    static rp_ref all[CREATURES];
    struct creature c = {.met = 0};
    const struct question *q = arg;
    uint64_t n = q->meetings, sum = 0;
    int rc = rp_spawn(me, &mall, &(rp_spawn_opts){.arg = &n, .on = RP_LOOP(0)}, &c.mall);
    double from = seconds();
    for (unsigned i = 0; i < CREATURES && rc == 0; i++) {
        c.colour = i % 3;
        rc = rp_spawn(me, &creature, &(rp_spawn_opts){.arg = &c, .on = RP_LOOP(q->apart)}, &all[i]);
    }
    for (unsigned i = 0; i < CREATURES && rc == 0; i++)
        rc = rp_tell(me, all[i], &num_type, &(struct num){0});
    rp_msg *m;
    for (unsigned i = 0; i < CREATURES && rc == 0; i++)
        if ((rc = rp_recv(me, &m, RP_FOREVER)) == 0)
            rp_msg_drop(me, m);
    double took = seconds() - from;
    for (unsigned i = 0; i < CREATURES && rc == 0; i++)
        if ((rc = rp_call(me, all[i], &num_type, &(struct num){0}, &m, RP_FOREVER)) == 0) {
            sum += ((const struct num *)rp_body(m, &num_type))->n;
            rp_msg_drop(me, m);
        }
    if (rc == 0)
        rc = check_that(sum == 2 * n, "how many have met");
    if (rc == 0)
        rc = check_talk(me, c.mall, all);
    say(q->name, (double)n / took, "meetings/s");
    return rc;
}

int main(int argc, char **argv)
{
    bool apart = argc > 1 && strcmp(argv[1], "two") == 0;
    struct question q = {apart ? "chameneos_two" : "chameneos", scaled(3000000), apart};
    bench_run(root, &q, &(rp_system_opts){.loops = 2});
    return 0;
}
