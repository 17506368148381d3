/* SPDX-License-Identifier: MIT
 *
 * graph.h - actors that wait for each other as they are told: a graph, known beforehand, of who waits for whom.
 *
 * Each holds what those who wait for it want; when all do, each begins to wait. What must come of it follows from the
 * graph: of every ring one member is told -EDEADLK with the ring's names, and nobody else is.
 */
#ifndef RP_TEST_GRAPH_H
#define RP_TEST_GRAPH_H

#include "tests/support.h"

enum { GRAPH_MOST = 24 };

enum graph_edge {
    BY_LOCK,
    BY_WRITE,  /* who waits wants to write what the other reads, */
    BY_READ,   /* or to read what it writes */
    BY_ONCE,
    BY_CALL,
    BY_FORWARD, /* to another, who passes it on; */
    BY_HANDED,  /* or takes the right to answer, and sends that */
    BY_MANY,    /* and another's, who does not answer */
    BY_ROOM,   /* in its mailbox */
    GRAPH_EDGES
};

struct graph_node {
    int to;              /* -1: it waits for nobody, and ends when all rings are broken */
    enum graph_edge by;
    bool handler;        /* else a coroutine */
    enum graph_task { NO_TASK, ONE_TASK, TASK_BESIDE } task; /* it waits in a task; beside another, which ends at the end:
                                                                no ring is told through it before */
    unsigned loop;
    unsigned delay_ms;   /* before it waits */
    unsigned patience_ms; /* 0: for ever */
};

/* Plays it. Checks that each ring of waits without end is told once, others at most once, and all else not. */
void graph_play(rp_self *me, const struct graph_node *node, unsigned n);

/* A graph of up to n nodes, by chance. How many. */
unsigned graph_random(rp_self *me, struct graph_node *node, unsigned n);

#endif
