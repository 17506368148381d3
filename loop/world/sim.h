/* SPDX-License-Identifier: MIT
 *
 * sim.h - the simulated world: all loops of all nodes in one thread, under one seeded order and a
 * clock that jumps to whatever comes next.
 *
 * One step takes one turn of one loop, chosen at random among those that have something to do, with a
 * small random budget. When none has, time goes on to the next timer or event. The same seed gives the
 * same run, down to the hash over every step.
 *
 * Within a turn time stands still, but for who says that it takes some (rp__sim_busy): then the turn stands in
 * the middle, the steps of other loops go on, and when the time has come a step takes the rest of it.
 */
#ifndef RP__SIM_H
#define RP__SIM_H

#include "loop/world.h"

struct rp__sim;

#define RP__SIM_END (RP_FOREVER / 2) /* virtual time ends here, so that it can be added to */

extern const struct rp__world rp__world_sim; /* its world_ud is a struct rp__sim_node */

struct rp__sim_node { /* one system of the simulation */
    struct rp__sim *sim;
    void *sim_net;        /* the cluster's */
    rp_system *sys;
    unsigned index;
    unsigned running;     /* loops that have not stopped */
    rp_time paused_until; /* takes no turn before */
    rp_alloc mem;         /* counts, so that a crashed node's memory can go at once */
    struct rp__sim_block *blocks;
    size_t nblocks;
    struct rp__sim_node *next;
};

struct rp__sim_event {
    rp_time at;
    uint64_t order; /* ties go by age */
    struct rp__sim_node *node; /* NULL: not a node's; else it goes with it */
    void (*fn)(void *arg);
    void *arg;
};

int  rp__sim_new(uint64_t seed, struct rp__sim **ret);
void rp__sim_free(struct rp__sim *s); /* its nodes have been removed */
void rp__sim_node_init(struct rp__sim *s, struct rp__sim_node *n); /* before its system is made */
void rp__sim_node_add(struct rp__sim_node *n, rp_system *sys);     /* its loops take part from now on */
void rp__sim_node_remove(struct rp__sim_node *n); /* also in the middle: its events go with it */
void rp__sim_node_wipe(struct rp__sim_node *n);   /* frees what it had allocated */

/* Runs until `goal` returns true (asked after each step), nothing can happen any more (-EDEADLK) or
 * virtual time reaches `until` (-ETIMEDOUT). */
int rp__sim_run(struct rp__sim *s, bool (*goal)(void *ud), void *ud, rp_time until);

/* `me`, which runs, takes so much time: its loop stands still meanwhile. For ever: the loop does nothing more. */
void rp__sim_busy(rp_self *me, rp_time span);

/* For tests: fn(ud, n) after each turn of a loop of n, when every loop of n stands between two rounds. */
void rp__sim_watch(struct rp__sim *s, void (*fn)(void *ud, struct rp__sim_node *n), void *ud);

/* fn(arg) at a time. 0 or -ENOMEM. */
int rp__sim_at(struct rp__sim *s, rp_time at, struct rp__sim_node *node, void (*fn)(void *), void *arg);

rp_time  rp__sim_now(const struct rp__sim *s);
uint64_t rp__sim_random(struct rp__sim *s);
uint64_t rp__sim_hash(const struct rp__sim *s);

#endif
