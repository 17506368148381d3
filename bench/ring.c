/* SPDX-License-Identifier: MIT
 *
 * ring N [coroutines] - a token goes round a ring of N actors on one loop.
 */
#include "bench.h"

struct member {
    rp_ref next;
    uint64_t passed;
};
static const rp_type home_type = RP_TYPE("bench.home", struct num, num_fields); /* the token has come to its end */
static const rp_type count_type = RP_TYPE("bench.count", struct num, num_fields);

static int prepare(rp_self *me, struct member *self, const rp_msg *m)
{
    const struct link_to *next = rp_body(m, &link_to_type);
    if (!next)
        return rp_reply(me, m, &num_type, &(struct num){self->passed});
    self->next = next->ref;
    return 0;
}

static int pass(rp_self *me, void *state, const rp_msg *m)
{
    struct member *self = state;
    const struct num *b = rp_body(m, &num_type);
    if (!b)
        return prepare(me, self, m);
    self->passed++;
    if (b->n == 0)
        return rp_tell(me, rp_parent(me), &home_type, b);
    return rp_tell(me, self->next, &num_type, &(struct num){b->n - 1});
}
static const rp_actor handler = {.name = "member", .handle = pass, .state_size = sizeof(struct member)};

static int pass_run(rp_self *me, void *arg)
{
    (void)arg;
    struct member self = {{0, 0}, 0};
    for (;;) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc == -ECANCELED ? 0 : rc;
        rc = pass(me, &self, m);
        rp_msg_drop(me, m);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
}
static const rp_actor coroutine = {.name = "member", .run = pass_run};

struct question {
    const rp_actor *kind;
    char name[64];
    unsigned size;
    uint64_t hops;
};

/* Each must have had the token as often as its place says. */
static int check_ring(rp_self *me, const struct question *q, const rp_ref *r)
{
    int rc = 0;
    for (unsigned i = 0; i < q->size && rc == 0; i++) {
        rp_msg *m;
        uint64_t want = q->hops / q->size + (i <= q->hops % q->size);
        if ((rc = rp_call(me, r[i], &count_type, &(struct num){0}, &m, RP_FOREVER)) != 0)
            break;
        rc = check_that(((const struct num *)rp_body(m, &num_type))->n == want, "who had the token, and how often");
        rp_msg_drop(me, m);
    }
    return rc;
}

static int root(rp_self *me, void *arg)
{
    struct question *q = arg;
    rp_ref *r = calloc(q->size, sizeof *r);
    int rc = r ? 0 : -ENOMEM;
    for (unsigned i = 0; i < q->size && rc == 0; i++)
        rc = rp_spawn(me, q->kind, NULL, &r[i]);
    for (unsigned i = 0; i < q->size && rc == 0; i++)
        rc = rp_tell(me, r[i], &link_to_type, &(struct link_to){r[(i + 1) % q->size], 0});
    if (rc == 0)
        rc = rp_sleep(me, rp_in_ms(me, 50));
    double from = seconds();
    rp_msg *home = NULL;
    if (rc == 0)
        rc = rp_tell(me, r[0], &num_type, &(struct num){q->hops});
    if (rc == 0)
        rc = rp_recv(me, &home, RP_FOREVER);
    say(q->name, (double)q->hops / (seconds() - from), "hops/s");
    if (rc == 0)
        rc = check_that(rp_body(home, &home_type), "something else than the token");
    if (rc == 0)
        rc = check_ring(me, q, r);
    rp_msg_drop(me, home);
    free(r);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    bool co = argc > 2 && strcmp(argv[2], "coroutines") == 0;
    struct question q = {.kind = co ? &coroutine : &handler, .size = (unsigned)atoi(argv[1])};
    q.hops = scaled(q.size > 10000 ? 20000000 : 40000000);
    snprintf(q.name, sizeof q.name, "ring_%s%s", q.size == 100000 ? "100k" : argv[1], co ? "_coroutines" : "");
    bench_run(root, &q, &(rp_system_opts){.loops = 1});
    return 0;
}
