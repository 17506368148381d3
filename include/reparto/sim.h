/* SPDX-License-Identifier: MIT
 *
 * sim.h - whole clusters in one thread, under virtual time, repeatable from a seed.
 *
 * The same actors, the same calls; the world beneath them is simulated: clocks, timers, the order in
 * which loops run, the network and its faults. A node is what rp_run would be a process for. Its
 * actors must take time, randomness and input from reparto alone (rp_now, rp_random, messages). What they
 * compute takes no time unless they say how much (rp_sim_busy).
 *
 *     rp_sim *s = rp_sim_new(seed);
 *     rp_sim_add(s, &server, NULL, &(rp_system_opts){.loops = 2, .listen = "sim://a"}, &a);
 *     rp_sim_add(s, &client, NULL, NULL, &b);
 *     rp_sim_run(s, 10 * RP_S);
 *     rp_sim_crash(s, a);
 *     rc = rp_sim_run(s, 60 * RP_S);
 *
 * What it cannot show: races between threads (the order of memory accesses), and what libuv and nng do.
 */
#ifndef REPARTO_SIM_H
#define REPARTO_SIM_H

#include "reparto/cluster.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rp_sim rp_sim;

RP_EXPORT rp_sim *rp_sim_new(uint64_t seed); /* NULL: out of memory */
RP_EXPORT void rp_sim_free(rp_sim *s);       /* NULL too; nodes that still run are crashed */

/* Adds a node; `o` may be NULL. It begins with the next rp_sim_run. 0, -ENOMEM, or what rp_run would return at once. */
RP_EXPORT RP_NODISCARD int rp_sim_add(rp_sim *s, const rp_actor *root, void *arg, const rp_system_opts *o, unsigned *node);

/* Goes on for so much virtual time, or until every node has ended (0). -ETIMEDOUT: the time has passed, or it is the end
 * of virtual time, after 146 years; -EDEADLK: nothing will ever happen any more; or it is called from within. */
RP_EXPORT RP_NODISCARD int rp_sim_run(rp_sim *s, rp_time span);

/* What the node's rp_run would have returned. -EBUSY: it runs still. */
RP_EXPORT RP_NODISCARD int rp_sim_result(rp_sim *s, unsigned node);

/* ---- what handlers take -------------------------------------------------------------------------- */

/* What `me` does here takes so much virtual time (at least; a few us more): without it a handler takes none. Its
 * loop is held meanwhile, as by one that computes: nothing else runs there and timers are late, while other loops go
 * on. It does not suspend, and may be called wherever code of an actor runs. Outside a simulation: nothing, so it may
 * stand beside the work that it stands for. */
RP_EXPORT void rp_sim_busy(rp_self *me, rp_time span);

/* ---- faults -------------------------------------------------------------------------------------- */

RP_EXPORT void rp_sim_crash(rp_sim *s, unsigned node); /* as kill -9: its peers see their links break */
RP_EXPORT void rp_sim_pause(rp_sim *s, unsigned node, rp_time span); /* as SIGSTOP; RP_FOREVER: for good */
RP_EXPORT void rp_sim_partition(rp_sim *s, unsigned a, unsigned b, bool apart); /* nothing passes, nothing breaks */
RP_EXPORT void rp_sim_cut(rp_sim *s, unsigned a, unsigned b); /* links between them break, both ends see it */
RP_EXPORT void rp_sim_latency(rp_sim *s, rp_time least, rp_time most); /* of each piece; 100 us to 2 ms at first */

RP_EXPORT rp_time  rp_sim_now(const rp_sim *s);
RP_EXPORT uint64_t rp_sim_random(rp_sim *s);
RP_EXPORT uint64_t rp_sim_hash(const rp_sim *s); /* over every step: equal for equal runs */

#ifdef __cplusplus
}
#endif
#endif
