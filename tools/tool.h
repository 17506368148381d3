/* SPDX-License-Identifier: MIT
 *
 * tool.h - the program `reparto`: asks a running program what its actors do, and shows it.
 *
 *   ask.c      finds the socket, asks, reads tables
 *   top.c      `top`
 *   cpu.c      what changes from one picture of `top` to the next: shares of a core
 *   tree.c     `tree`
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

enum { WHY = 300, ASK_MOST = 4096 }; /* of an error; of a question: a program takes none that is longer */
char *try_to_ask(struct target *t, const char *word, const char *rest, char *why); /* NULL: `why` is to be said */

int read_along(struct target *t, const char *rest); /* `trace`: lines as they come; the exit status */

struct actor {
    const char *ref, *parent, *kind, *name, *doing, *waits, *on, *object, *called, *info, *site;
    unsigned task, loop, depth, tasks, restarts, holders;
    int64_t since, left, oldest; /* us; left < 0: no deadline */
    uint64_t bytes, stack, used;
    int64_t cpu;  /* us, while somebody has asked for it */
    double share; /* of a core, in per cent, since the last picture (cpu.c); < 0: not known */
    const char *flags, *placed;
    /* of the graph in wait.c, and the tree in top.c: -1: nobody */
    int up, first, next;
};

struct actors {
    char *text; /* what the strings point into */
    struct actor *at;
    int n;
    char *remarks; /* loops that do not answer: lines; "" */
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
    bool once, tasks, source_lines, quiet;
};

/* ---- CPU time (cpu.c) -------------------------------------------------------------------------------- */

enum { MOST_LOOPS = 1024 };

struct reading { /* of all loops and actors */
    struct actors actors;
    char *loops;            /* the answer */
    int64_t at, loops_at;   /* us, of our own clock */
    int64_t cpu[MOST_LOOPS], own[MOST_LOOPS]; /* us; < 0: not known */
};

/* Asks that it be sampled for some time more than `every` s. False: it cannot be, and `why`. */
bool cpu_wanted(struct target *t, double every, char *why);

struct reading *reading_take(struct target *t); /* NULL: it has been said why */
void reading_free(struct reading *r);           /* NULL too */
void reading_compare(struct reading *now, struct reading *before); /* each actor's share */

/* Its loops, a line each; cpu_us and own_us are shares. `before` NULL: not known. */
void print_loops(struct reading *now, const struct reading *before);

/* ------------------------------------------------------------------------------------------------------ */

int show_top(struct target *t, const struct view *v);
int show_tree(struct target *t, const struct view *v);
int show_wait(struct target *t);
int show_stack(struct target *t, const struct view *v, const char *who);

void *need(void *memory); /* it, or the program ends: out of memory */

#endif
