/* SPDX-License-Identifier: MIT
 *
 * tree.c - who is whose child.
 */
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

static void link_children(struct actors *a)
{
    for (int i = a->n; i-- > 0;) {
        struct actor *c = &a->at[i];
        c->up = actors_find(a, c->task ? c->ref : c->parent);
        if (c->up >= 0) {
            c->next = a->at[c->up].first;
            a->at[c->up].first = i;
        }
    }
}

static void print_node(const struct actor *a, int depth)
{
    if (a->task)
        printf("%*stask %u", 4 * depth, "", a->task);
    else
        printf("%*s%s", 4 * depth, "", title(a));
    if (strcmp(a->name, "-") != 0 && !a->task)
        printf(" (%s)", a->kind);
    printf("  %s", a->task ? "" : a->ref);
    if (strchr(a->flags, 's'))
        printf("  supervised, %u restarts", a->restarts);
    if (strchr(a->flags, 'd') && !a->task)
        printf("  demoted");
    printf("  %s%s%s", a->doing, strcmp(a->waits, "-") ? " for " : "", strcmp(a->waits, "-") ? a->waits : "");
    if (a->depth)
        printf("  %u waiting", a->depth);
    if (strcmp(a->site, "-") != 0)
        printf("  spawned at %s", strrchr(a->site, '/') ? strrchr(a->site, '/') + 1 : a->site);
    if (strcmp(a->info, "-") != 0)
        printf("  - %s", a->info);
    printf("\n");
}

static void print_tree(const struct actors *a, const struct view *v, int root)
{
    int at = root, depth = 0;
    while (at >= 0) {
        const struct actor *x = &a->at[at];
        if (v->tasks || !x->task)
            print_node(x, depth);
        if (x->first >= 0) {
            at = x->first;
            depth++;
            continue;
        }
        while (at != root && a->at[at].next < 0) {
            at = a->at[at].up;
            depth--;
        }
        at = at == root ? -1 : a->at[at].next;
    }
}

int show_tree(struct target *t, const struct view *v)
{
    struct actors a;
    if (!actors_read(t, &a))
        return 1;
    link_children(&a);
    for (int i = 0; i < a.n; i++)
        if (a.at[i].up < 0) /* the root; and one whose parent had ended, or was not yet there, when it was its turn */
            print_tree(&a, v, i);
    fputs(a.remarks, stdout);
    actors_free(&a);
    return 0;
}
