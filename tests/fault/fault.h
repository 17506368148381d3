/* SPDX-License-Identifier: MIT
 *
 * fault.h - small programs that use every public function and give up decently when something fails.
 *
 * Each is a root that returns 0 when all went well and a negative errno as soon as something did not.
 * fault.c runs it again and again, each time with another allocation or system call failing.
 */
#ifndef RP_FAULT_H
#define RP_FAULT_H

#include "tests/support.h"

enum world {
    SIM_1, SIM_3,   /* simulated, on so many loops: the k-th call is the same one each time */
    UV_2,           /* real threads */
    ATTACHED, TICKED, /* in a host's main loop, with one thread more or none */
    CLIENT, SERVER, /* two simulated nodes; this one has the faults */
    REAL_CLIENT,    /* over ipc to a process that has none */
    REAL_SERVER,    /* two systems in one process; the one that listens has them */
    UV_CLIENT,      /* as REAL_CLIENT, over plain sockets; */
    UV_SERVER       /* as REAL_SERVER */
};

struct scenario {
    const char *name;
    enum world world;
    root_fn *root; /* CLIENT, SERVER: the client's */
};

extern const struct scenario scenarios[];
extern const unsigned nscenarios;

/* The server's root in the clustered ones, and its types. */
struct fault_server {
    bool arm;           /* the faults are its own */
    int64_t ms;         /* it ends after so long, */
    bool (*done)(void); /* or when this says so; NULL: never */
    int url_to;         /* a pipe's end: says where it listens; 0: to nobody */
};
int fault_server(rp_self *me, void *arg);
extern int fault_patience_ms;
extern const rp_type *const fault_types[];

/* From here on faults are counted; the first thing a root does. */
void fault_arm(void);
void fault_arm_server(void);
const rp_alloc *fault_mem(void); /* what fails */
const char *fault_endpoint(void); /* a path for a socket, of this process */

#endif
