/* SPDX-License-Identifier: MIT
 *
 * reparto - actors, event loops and messaging in C. Include this; read the headers from the top.
 */
#ifndef REPARTO_H
#define REPARTO_H

#include "reparto/actors.h"
#include "reparto/cluster.h"
#include "reparto/dead.h"
#include "reparto/drain.h"
#include "reparto/embed.h"
#include "reparto/group.h"
#include "reparto/inspect.h"
#include "reparto/loop.h"
#include "reparto/mailbox.h"
#include "reparto/metrics.h"
#include "reparto/mover.h"
#include "reparto/queue.h"
#include "reparto/report.h"
#include "reparto/sim.h"
#include "reparto/stall.h"
#include "reparto/supervisor.h"
#include "reparto/sync.h"

#endif
