/* SPDX-License-Identifier: MIT
 *
 * tool.h - the program `reparto`: asks a running program what its actors do, and shows it.
 *
 *   ask.c      finds the socket, asks, reads tables
 *   top.c      `top`, `tree`
 *   wait.c     `wait`: who waits for whom
 *   stack.c    `stack`: names for addresses
 *
 * It knows nothing of the library but the words of the endpoint and the names of their columns, so it serves
 * programs of other versions too.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target {
    char path[108];
    pid_t pid; /* who answers there; known once it has been asked */
};

/* "1234" (a process that has RP_INSPECT, or whose asker has it), "1234.1", or a path. Ends the program when
 * there is none. */
void target_find(struct target *t, const char *what);

/* The answer, to be freed; NULL: it was an error, which has been said. */
char *ask(struct target *t, const char *word, const char *rest);

struct actor {
    const char *ref, *parent, *kind, *name, *doing, *waits, *on, *object, *called, *info;
    unsigned task, loop, depth, tasks, restarts, holders;
    int64_t since, left, oldest; /* us; left < 0: no deadline */
    uint64_t bytes, stack, used;
    const char *flags;
    /* of the graph in wait.c, and the tree in top.c: -1: nobody */
    int up, first, next;
};

struct actors {
    char *text; /* what the strings point into */
    struct actor *at;
    int n;
    const char *remark; /* a loop that does not answer; NULL */
    int *index;         /* by ref; actors_find makes it */
};

bool actors_read(struct target *t, struct actors *ret); /* false: it has been said why */
void actors_free(struct actors *a);
int  actors_find(struct actors *a, const char *ref); /* the actor itself, no task; -1: it is not listed */

const char *title(const struct actor *a); /* its name, or kind */
const char *duration(char *to, int64_t us); /* "3.2s"; at least 16 bytes */

struct view { /* what the command line says */
    const char *sort;
    double every; /* s */
    int lines;
    bool once, tasks, source_lines;
};

int show_top(struct target *t, const struct view *v);
int show_tree(struct target *t, const struct view *v);
int show_wait(struct target *t);
int show_stack(struct target *t, const struct view *v, const char *who);

void *need(void *memory); /* it, or the program ends: out of memory */

#endif
