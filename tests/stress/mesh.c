/* SPDX-License-Identifier: MIT
 *
 * mesh.c - everybody sends to everybody: none lost, none twice, in order for each pair, on two loops, on
 * more loops than cores, and under a scheduler that is unfair on purpose.
 */
#include "tests/audit.h"
#include "tests/stress/stress.h"

#include <errno.h>

enum { NODES = 16 };

struct cargo {
    uint32_t from, seq;
    uint64_t magic;
};
static const rp_field cargo_fields[] = {
    RP_FIELD(struct cargo, from, RP_U32),
    RP_FIELD(struct cargo, seq, RP_U32),
    RP_FIELD(struct cargo, magic, RP_U64),
};
static const rp_type cargo_type = RP_TYPE("mesh.cargo", struct cargo, cargo_fields);
#define CARGO (&cargo_type)

struct wide { /* of several slots, so that rings pad */
    struct cargo c;
    unsigned char raw[150];
};
static const rp_field wide_fields[] = {
    RP_FIELD(struct wide, c, RP_RAW),
    RP_FIELD(struct wide, raw, RP_RAW),
};
static const rp_type wide_type = RP_TYPE("mesh.wide", struct wide, wide_fields);

struct mesh {
    uint32_t each; /* messages from every source to every sink */
    bool rests;    /* sinks wait now and then, so that mailboxes fill */
    rp_ref sink[NODES];
};

struct sink {
    struct mesh *mesh;
    uint64_t seen;
    uint32_t next[NODES];
};

static uint64_t magic_of(uint32_t from, uint32_t seq)
{
    uint64_t x = (uint64_t)from << 32 | seq;
    return test_random(&x);
}

static int take(rp_self *me, void *state, const rp_msg *m)
{
    struct sink *s = state;
    const struct wide *w = rp_body(m, &wide_type);
    const struct cargo *c = w ? &w->c : rp_body(m, CARGO);
    check(c && c->from < NODES);
    check(c->seq == s->next[c->from], "from %u: %u came, %u was expected", c->from, c->seq, s->next[c->from]);
    check(c->magic == magic_of(c->from, c->seq));
    if (w)
        check(w->raw[0] == (unsigned char)c->seq && w->raw[149] == (unsigned char)c->seq);
    s->next[c->from]++;
    if (++s->seen == (uint64_t)s->mesh->each * NODES)
        return RP_STOP;
    return s->mesh->rests && c->magic % 4096 == 0 ? rp_sleep(me, rp_in_ms(me, 1)) : 0;
}

static int take_init(rp_self *me, void *state, void *arg)
{
    (void)me;
    ((struct sink *)state)->mesh = arg;
    return 0;
}
static const rp_actor sink = {.name = "sink", .handle = take, .init = take_init, .state_size = sizeof(struct sink)};

struct source {
    struct mesh *mesh;
    uint32_t id;
};

static int give(rp_self *me, void *arg)
{
    struct source *s = arg;
    for (uint32_t seq = 0; seq < s->mesh->each; seq++)
        for (uint32_t k = 0; k < NODES; k++) {
            rp_ref to = s->mesh->sink[(k + s->id) % NODES];
            struct wide w = {.c = {s->id, seq, magic_of(s->id, seq)}};
            bool wide = w.c.magic % 32 == 0;
            memset(w.raw, (int)seq, wide ? sizeof w.raw : 0);
            int rc = wide ? rp_tell(me, to, &wide_type, &w) : rp_tell(me, to, CARGO, &w.c);
            if (rc != 0)
                return rc;
        }
    return 0;
}
static const rp_actor source = {.name = "source", .run = give};

static int run_mesh(rp_self *me, void *arg)
{
    struct mesh *mesh = arg;
    struct source sources[NODES];
    check_eq(rp_spawn(me, &auditor, NULL, NULL), 0);
    for (uint32_t i = 0; i < NODES; i++) {
        rp_spawn_opts o = {.on = RP_SPREAD, .monitor = true, .arg = mesh, .mailbox = mesh->rests ? 64 : 0};
        check_eq(rp_spawn(me, &sink, &o, &mesh->sink[i]), 0);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        sources[i] = (struct source){mesh, i};
        rp_spawn_opts o = {.on = RP_SPREAD, .monitor = true, .arg = &sources[i]};
        check_eq(rp_spawn(me, &source, &o, NULL), 0);
    }
    for (unsigned i = 0; i < 2 * NODES; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
    return 0; /* the auditor with it */
}

unsigned stress_mesh(void)
{
    uint64_t total = size_from("RP_MESH", 10000000);
    struct {
        const char *name;
        rp_system_opts o;
        bool rests;
        uint64_t share; /* of the total, in percent */
    } all[] = {
        {"2 loops", {.loops = 2}, false, 100},
        {"5 loops, no spinning, small mailboxes", {.loops = 5, .spin_us = -1}, true, 20},
        {"3 loops, chaos", {.loops = 3, .chaos_seed = test_seed()}, false, 100},
        {"3 loops, chaos, small mailboxes", {.loops = 3, .chaos_seed = test_seed() + 1}, true, 20},
    };
    enum { N = sizeof all / sizeof *all };
    for (unsigned i = 0; i < N; i++) {
        uint64_t audits = audit_steps();
        struct mesh mesh = {.each = (uint32_t)(total * all[i].share / 100 / NODES / NODES + 1), .rests = all[i].rests};
        check_eq(run_with(run_mesh, &mesh, &all[i].o), 0);
        printf("%s: %llu messages, audited %llu times\n", all[i].name, (unsigned long long)mesh.each * NODES * NODES,
               (unsigned long long)(audit_steps() - audits));
        check(audit_steps() > audits);
        fflush(stdout);
    }
    return N;
}
