/* SPDX-License-Identifier: MIT
 *
 * skynet - a tree of actors six deep with ten branches each; a million leaves send their number up, their
 * parents add up. The ten subtrees of the root are spread over the loops.
 */
#include "bench.h"

enum { BRANCHES = 10 };

struct spec { /* what a node is to be */
    uint64_t first, size;
};
static const rp_field spec_fields[] = {RP_FIELD(struct spec, first, RP_U64), RP_FIELD(struct spec, size, RP_U64)};
static const rp_type spec_type = RP_TYPE("bench.spec", struct spec, spec_fields);

struct node {
    uint64_t sum;
    unsigned waiting;
};

static int handle(rp_self *me, void *state, const rp_msg *m);
static const rp_actor node = {.name = "node", .handle = handle, .state_size = sizeof(struct node)};

static int grow(rp_self *me, struct node *n, const struct spec *s, unsigned on)
{
    uint64_t size = s->size / BRANCHES;
    for (unsigned i = 0; i < BRANCHES; i++) {
        rp_ref child;
        struct spec c = {s->first + i * size, size};
        int rc = rp_spawn(me, &node, on ? &(rp_spawn_opts){.on = on} : NULL, &child);
        if (rc == 0)
            rc = rp_tell(me, child, &spec_type, &c);
        if (rc != 0)
            return rc;
    }
    n->waiting = BRANCHES;
    return 0;
}

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    struct node *n = state;
    const struct spec *s = rp_body(m, &spec_type);
    const struct num *b = rp_body(m, &num_type);
    if (s && s->size > 1)
        return grow(me, n, s, 0);
    n->sum += s ? s->first : b->n;
    if (!s && --n->waiting > 0)
        return 0;
    int rc = rp_tell(me, rp_parent(me), &num_type, &(struct num){n->sum});
    return rc != 0 ? rc : RP_STOP;
}

static int once(rp_self *me)
{
    struct node n = {0, 0};
    int rc = grow(me, &n, &(struct spec){0, 1000000}, RP_SPREAD);
    while (rc == 0 && n.waiting > 0) {
        rp_msg *m;
        if ((rc = rp_recv(me, &m, RP_FOREVER)) != 0)
            break;
        n.sum += ((const struct num *)rp_body(m, &num_type))->n;
        n.waiting--;
        rp_msg_drop(me, m);
    }
    return rc != 0 ? rc : check_that(n.sum == UINT64_C(499999500000), "the sum of the leaves");
}

static int root(rp_self *me, void *arg)
{
    (void)arg;
    int rc = once(me); /* warms up */
    double from = seconds();
    if (rc == 0)
        rc = once(me);
    say("skynet", seconds() - from, "s");
    return rc;
}

int main(int argc, char **argv)
{
    bench_run(root, NULL, &(rp_system_opts){.loops = argc > 1 ? (unsigned)atoi(argv[1]) : 2});
    return 0;
}
