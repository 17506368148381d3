/* SPDX-License-Identifier: MIT
 *
 * by_hand.h - a node, simulated, and strangers that speak to it by hand: each frame as the test likes. The node runs on
 * one loop, in virtual time that the test lets pass.
 */
#ifndef RP_BY_HAND_H
#define RP_BY_HAND_H

#include "cluster/link/cluster.h"
#include "loop/world/sim.h"
#include "tests/support.h"

struct held { /* its memory: a peer must not make it grow */
    rp_alloc alloc;
    size_t now, most;
};

enum { SAID = 1 << 22 };

struct stranger { /* one connection to it */
    struct node *node;
    struct rp__link *link;   /* NULL: the node has let go */
    bool deaf;               /* reads nothing */
    bool busy;               /* the node's batch waits for him to read */
    unsigned char *said;     /* by the node */
    size_t nsaid;
    uint64_t number;         /* his node's */
    uint64_t address;        /* he comes from */
};

struct node {
    struct rp__sim *sim;
    struct rp__sim_node in_sim;
    struct rp__runtime *rt;
    struct held mem;
    rp_ledger ledger;
    rp_system_opts opts;
    uint64_t sleeper, taker, teller; /* addresses of its actors */
    root_fn *also;
    uint64_t reports;        /* of links; the last one's text: */
    char report[512];
};

extern rp_ref last_from; /* who sent the last num to the taker */

void node_open(struct node *n);
void node_open_with(struct node *n, root_fn *also); /* what its root does first */
void node_close(struct node *n);
void pass(struct node *n, rp_time span);

/* ---- he comes and goes ------------------------------------------------------------------------------------ */

void come(struct stranger *s, struct node *n);
void come_from(struct stranger *s, struct node *n, uint64_t address);
void come_from_again(struct stranger *s, uint64_t address); /* if he has had to go */
void be_dialled(struct stranger *s, struct node *n);
void know(struct stranger *s, struct node *n, uint64_t number); /* the whole handshake: the link is up */
void go(struct stranger *s);

/* ---- what he says, and hears ---------------------------------------------------------------------------------- */

void read_one(struct stranger *s); /* deaf: he reads one batch nevertheless */
void say(struct stranger *s, const void *p, size_t n);
void say_sp(struct stranger *s);
void say_frame(struct stranger *s, uint8_t type, uint8_t flags, uint16_t number, const void *payload, size_t n);
void say_frames(struct stranger *s, unsigned count, uint8_t type, uint8_t flags, uint16_t number, const void *payload,
                       size_t n); /* so many alike, in one SP message */
void say_hello(struct stranger *s, uint16_t version);
void say_auth(struct stranger *s, const char *secret);
void say_auth_and(struct stranger *s, const char *secret, size_t more); /* with so many bytes behind it */
void announce(struct stranger *s, const rp_type *t, uint16_t number);

/* Goes over the frames that the node has said. False: that was all. */
struct walk {
    size_t at, end;
    uint8_t type;
    struct rp__in payload;
};

bool next_frame(const struct stranger *s, struct walk *w);
int last_bye(const struct stranger *s); /* the code of the BYE that the node has said last of all; -1: it has not */
int no_reply(const struct stranger *s, uint64_t call); /* what the node has said to it; 0: nothing */

#endif
