/* SPDX-License-Identifier: MIT
 *
 * carrier_sim.h - the network of a simulation, and its faults.
 */
#ifndef RP__CARRIER_SIM_H
#define RP__CARRIER_SIM_H

#include "loop/world/sim.h"

struct rp__net;

struct rp__net *rp__net_new(struct rp__sim *sim); /* NULL: no memory */
void rp__net_free(struct rp__net *net);           /* every node has gone */
void rp__net_latency(struct rp__net *net, rp_time least, rp_time most);
void rp__net_partition(struct rp__net *net, unsigned a, unsigned b, bool apart);
void rp__net_cut(struct rp__net *net, unsigned a, unsigned b);
void rp__net_gone(struct rp__net *net, struct rp__sim_node *node); /* it has crashed or ended */

#endif
