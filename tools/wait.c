/* SPDX-License-Identifier: MIT
 *
 * wait.c - who waits for whom.
 *
 * Each record that waits for an actor is an edge. Under each actor that is waited for, and waits for nobody
 * itself, stand those who wait for it, and under those who waits for them: so the first line of each tree is
 * the one to look at. Where the edges lead in a ring there is no such line: the ring is named, and the tree
 * hangs from it.
 *
 * A task's wait is its actor's too: that one does not end before the task has.
 */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct graph {
    struct actors *a;
    int *node;   /* of a record: the actor's own */
    bool *shown; /* a record */
    char *mark;  /* an actor, of the search: '.' it is on the way, 'x' it is done */
    bool *ring;  /* an actor stands in one */
    int *way;    /* room for the searches: records */
};

/* What a record leads to; -1: nowhere, or to somebody who is not listed. */
static int leads_to(const struct graph *g, int record)
{
    return g->a->at[record].up;
}

static void build(struct graph *g)
{
    struct actors *a = g->a;
    size_t n = (size_t)a->n + 1;
    g->node = need(calloc(n, sizeof *g->node));
    g->shown = need(calloc(n, sizeof *g->shown));
    g->mark = need(calloc(n, 1));
    g->ring = need(calloc(n, sizeof *g->ring));
    g->way = need(calloc(n, sizeof *g->way));
    for (int i = 0, own = -1; i < a->n; i++) {
        if (a->at[i].task == 0)
            own = i;
        g->node[i] = own;
        a->at[i].up = actors_find(a, a->at[i].on);
    }
    for (int i = a->n; i-- > 0;) /* those who wait for an actor, as a list */
        if (leads_to(g, i) >= 0) {
            struct actor *on = &a->at[leads_to(g, i)];
            a->at[i].next = on->first;
            on->first = i;
        }
}

static void print_waiting(const struct actor *x)
{
    char since[16];
    printf("  waits for %s", x->waits);
    if (strcmp(x->called, "-") != 0)
        printf(" %s", x->called);
    printf(", %s", duration(since, x->since));
    if (x->holders > 1)
        printf("; %u have it", x->holders);
}

static void print_wait(const struct graph *g, int record, int depth)
{
    const struct actor *x = &g->a->at[record];
    printf("%*s%s %s", 4 * depth, "", title(x), x->ref);
    if (x->task)
        printf(" task %u", x->task);
    if (strcmp(x->doing, "waiting") == 0)
        print_waiting(x);
    else
        printf("  %s", x->doing);
    if (x->depth)
        printf("; %u in its mailbox", x->depth);
    printf("\n");
}

/* Who waits for the actor `root`, depth first; a record is shown once. */
static void print_waiters(const struct graph *g, int root)
{
    int *path = g->way, depth = 0;
    path[0] = g->a->at[root].first;
    while (depth >= 0) {
        int record = path[depth];
        if (record < 0) {
            depth--;
            continue;
        }
        path[depth] = g->a->at[record].next;
        if (g->shown[record])
            continue;
        g->shown[record] = true;
        print_wait(g, record, depth + 1);
        int under = g->a->at[g->node[record]].first;
        if (under >= 0 && depth + 1 < g->a->n)
            path[++depth] = under;
    }
}

/* ---- rings --------------------------------------------------------------------------------------- */

/* The last of the n records on the way leads to `on`, which the way has come through. */
static void name_ring(const struct graph *g, int n, int on)
{
    int from = n - 1;
    while (g->node[g->way[from]] != on)
        from--;
    printf("ring: ");
    for (int i = from; i < n; i++) {
        const struct actor *x = &g->a->at[g->way[i]];
        printf("%s %s > ", title(x), x->ref);
        g->ring[g->node[g->way[i]]] = true;
    }
    printf("%s\n", title(&g->a->at[on]));
}

static int next_record(const struct graph *g, int actor, int record)
{
    return record + 1 < g->a->n && g->node[record + 1] == actor ? record + 1 : -1;
}

/* Follows every edge from `start`; names each ring it closes. How many. An actor's records begin with its own. */
static int search(const struct graph *g, int start)
{
    int rings = 0, n = 0, record = start;
    g->mark[start] = '.';
    while (record >= 0) {
        int on = leads_to(g, record), actor = g->node[record];
        if (on >= 0 && g->mark[on] != 'x')
            g->way[n++] = record;
        if (on >= 0 && g->mark[on] == 0) {
            g->mark[on] = '.';
            record = on;
            continue;
        }
        if (on >= 0 && g->mark[on] == '.') {
            name_ring(g, n, on);
            rings++;
            n--;
        }
        record = next_record(g, actor, record);
        while (record < 0 && n > 0) { /* this actor is done: back to who led here */
            int back = g->way[--n];
            g->mark[actor] = 'x';
            actor = g->node[back];
            record = next_record(g, actor, back);
        }
    }
    g->mark[start] = 'x';
    return rings;
}

/* ---- objects ------------------------------------------------------------------------------------- */

static int by_object(const void *a, const void *b)
{
    return strcmp((*(struct actor *const *)a)->object, (*(struct actor *const *)b)->object);
}

/* Something that others may share: not one's own tasks, nor a function that runs elsewhere. */
static bool waits_for_object(const struct actor *x)
{
    return strcmp(x->doing, "waiting") == 0 && strcmp(x->object, "0") != 0 && strcmp(x->on, "-") == 0 &&
           strcmp(x->waits, "scope") != 0 && strcmp(x->waits, "offload") != 0;
}

/* Locks whose owner is no actor, queues, events: by what is waited for. */
static void print_objects(const struct graph *g)
{
    struct actor **all = need(calloc((size_t)g->a->n + 1, sizeof *all));
    size_t n = 0;
    for (int i = 0; i < g->a->n; i++)
        if (waits_for_object(&g->a->at[i]))
            all[n++] = &g->a->at[i];
    qsort(all, n, sizeof *all, by_object);
    for (size_t i = 0; i < n; i++) {
        bool named = strcmp(all[i]->called, "-") != 0;
        if (i == 0 || strcmp(all[i]->object, all[i - 1]->object) != 0)
            printf("0x%s%s%s\n", all[i]->object, named ? " " : "", named ? all[i]->called : "");
        printf("    %s %s", title(all[i]), all[i]->ref);
        if (all[i]->task)
            printf(" task %u", all[i]->task);
        print_waiting(all[i]);
        printf("\n");
    }
    free(all);
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static bool has_unshown(const struct graph *g, int actor)
{
    int r = g->a->at[actor].first;
    while (r >= 0 && g->shown[r])
        r = g->a->at[r].next;
    return r >= 0;
}

static bool waits_for_some_actor(const struct graph *g, int actor)
{
    bool waits = false;
    for (int r = actor; r >= 0; r = next_record(g, actor, r))
        waits |= leads_to(g, r) >= 0;
    return waits;
}

/* Under whoever is to blame, those who wait. */
static void print_trees(const struct graph *g)
{
    for (int i = 0; i < g->a->n; i++) {
        const struct actor *x = &g->a->at[i];
        if (x->task == 0 && has_unshown(g, i) && (g->ring[i] || !waits_for_some_actor(g, i))) {
            print_wait(g, i, 0);
            print_waiters(g, i);
        }
    }
}

static void print_unlisted(const struct graph *g)
{
    for (int i = 0; i < g->a->n; i++) {
        const struct actor *x = &g->a->at[i];
        char since[16];
        if (strcmp(x->on, "-") != 0 && leads_to(g, i) < 0)
            printf("%s %s  waits for %s of %s, who is not listed, %s\n", title(x), x->ref, x->waits, x->on,
                   duration(since, x->since));
    }
}

int show_wait(struct target *t)
{
    struct actors a;
    if (!actors_read(t, &a)) /* who has a call that was passed on tells its asker, when somebody looks: */
        return 1;
    actors_free(&a);
    if (!actors_read(t, &a)) /* now they know */
        return 1;
    struct graph g = {.a = &a};
    build(&g);
    int rings = 0;
    for (int i = 0; i < a.n; i++)
        if (a.at[i].task == 0 && g.mark[i] == 0)
            rings += search(&g, i);
    print_trees(&g);
    print_unlisted(&g);
    print_objects(&g);
    fputs(a.remarks, stdout);
    printf("%d ring%s\n", rings, rings == 1 ? "" : "s");
    free(g.node);
    free(g.shown);
    free(g.mark);
    free(g.ring);
    free(g.way);
    actors_free(&a);
    return 0;
}
