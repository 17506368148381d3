/* SPDX-License-Identifier: MIT
 *
 * world.h - what a loop asks of the world outside: the time, to be woken, to be run.
 *
 * Two of them: world_uv.c is the real one, a thread and a uv_loop_t per loop; world_sim.c is one
 * seeded event heap that steps all loops of all nodes in one thread under virtual time. Nothing else
 * in reparto reads a clock, a random number or an address to decide anything, which is what makes a
 * simulated run repeatable from its seed.
 */
#ifndef RP__WORLD_H
#define RP__WORLD_H

#include "reparto/loop.h"

struct rp_loop;

struct rp__world {
    bool    real;                        /* its clock, its threads and its descriptors are the kernel's */
    int     (*open)(struct rp_loop *l);  /* 0, -ENOMEM, ... */
    void    (*close)(struct rp_loop *l); /* after run; harmless when open failed */
    int     (*run)(rp_system *sys);      /* runs every loop until each has stopped */
    rp_time (*now)(const struct rp_loop *l);
    void    (*wake)(struct rp_loop *l);  /* any thread: the loop takes a turn soon */
    uint64_t (*seed)(rp_system *sys);    /* for this system's random numbers */
    int     (*offload)(rp_self *me, int (*fn)(void *), void *arg, rp_time deadline);
    /* Suspends until `fd` can be read, or written. NULL: this world has no descriptors. */
    int     (*wait_fd)(rp_self *me, int fd, bool write, rp_time deadline);
    bool    (*hosted)(const rp_system *sys); /* its host goes on with loop 0 by itself, in a forked child too. NULL: no */
    void    (*end_child)(void); /* in a forked child that ends by exit(), once. NULL: nothing to do */
};

#endif
