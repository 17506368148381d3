/* SPDX-License-Identifier: MIT
 *
 * 05 pipeline - which packages are depended on most? Three processes find out.
 *
 *   producer ----- stanza -----> workers ----- names -----> sink
 *      |  reads the index          parse "Depends"            | counts, prints
 *      +------------------------- total --------------------->|
 *      |<------------------------- done ----------------------+
 *
 * Each stanza is a message. A slow worker makes the producer wait, a slow sink makes the workers wait:
 * nothing else paces them. When a process is lost, the sink says which, and how many stanzas are
 * unaccounted for: what the producer sent to it less what came from it.
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include <reparto/reparto.h>

enum { WORKERS_MAX = 16, ACTORS = 4 /* workers in a worker process */ };

struct stanza { /* producer to worker */
    uint64_t id;
    rp_bytes text;
};
struct names { /* worker to sink: what it depends on, a name a line */
    uint64_t id;
    rp_bytes lines;
};
struct total { /* producer to sink, and as the last word to each worker: so many there were */
    uint64_t stanzas;
};
struct lost { /* producer to sink: this node is gone, and had been sent so many */
    uint64_t node, sent;
    char name[64];
};
struct done { /* sink to producer */
    uint64_t stanzas;
};
extern const rp_type stanza_type, names_type, total_type, lost_type, done_type;
extern const rp_type *const pipeline_types[];

struct options {
    const char *role, *listen, *sink, *file;
    const char *workers[WORKERS_MAX]; /* URLs */
    int nworkers, loops, top;
    int64_t repeat; /* the input, so many times */
    bool verbose;   /* what became of each process's messages */
    bool slow;      /* workers take a millisecond for each stanza: time to be killed in */
};

int producer_root(rp_self *me, void *options);
int worker_root(rp_self *me, void *options);
int sink_root(rp_self *me, void *options);

/* Calls each(name) for every package named in the stanza's Depends field; how many. */
size_t each_dependency(const char *stanza, size_t size, void (*each)(void *ud, const char *name, size_t n), void *ud);

#endif
