/* SPDX-License-Identifier: MIT
 *
 * top.c - the table that refreshes, and the tree of who is whose child.
 */
#include "tools/tool.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* ---- sorting ------------------------------------------------------------------------------------- */

struct order {
    const char *name;
    char key;
    int (*compare)(const void *, const void *);
};

#define LESS(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_ref(const void *a, const void *b)
{
    const struct actor *x = a, *y = b;
    unsigned i[6];
    if (sscanf(x->ref, "%u.%u.%u", &i[0], &i[1], &i[2]) != 3 || sscanf(y->ref, "%u.%u.%u", &i[3], &i[4], &i[5]) != 3)
        return strcmp(x->ref, y->ref);
    for (int k = 0; k < 3; k++)
        if (i[k] != i[k + 3])
            return LESS(i[k], i[k + 3]);
    return LESS(x->task, y->task);
}

static int by_depth(const void *a, const void *b)
{
    const struct actor *x = a, *y = b;
    return x->depth != y->depth ? LESS(y->depth, x->depth) : by_ref(a, b);
}

static int by_oldest(const void *a, const void *b)
{
    const struct actor *x = a, *y = b;
    return x->oldest != y->oldest ? LESS(y->oldest, x->oldest) : by_ref(a, b);
}

static int by_wait(const void *a, const void *b)
{
    const struct actor *x = a, *y = b;
    return x->since != y->since ? LESS(y->since, x->since) : by_ref(a, b);
}

static int by_name(const void *a, const void *b)
{
    int by = strcmp(title(a), title(b));
    return by ? by : by_ref(a, b);
}

static int by_stack(const void *a, const void *b)
{
    const struct actor *x = a, *y = b;
    return x->used != y->used ? LESS(y->used, x->used) : by_ref(a, b);
}

static const struct order orders[] = {
    {"depth", 'd', by_depth}, {"oldest", 'o', by_oldest}, {"wait", 'w', by_wait},
    {"name", 'n', by_name},   {"ref", 'r', by_ref},       {"stack", 's', by_stack},
};
enum { ORDERS = sizeof orders / sizeof *orders };

/* ---- one picture --------------------------------------------------------------------------------- */

static void print_actor(const struct actor *a)
{
    char since[16] = "", oldest[16] = "", who[32];
    bool waits = strcmp(a->doing, "waiting") == 0;
    if (a->task)
        snprintf(who, sizeof who, "%.14s task %u", title(a), a->task);
    else
        snprintf(who, sizeof who, "%.22s", title(a));
    if (waits)
        duration(since, a->since);
    if (a->depth)
        duration(oldest, a->oldest);
    printf("%-14s %-22s %4u %-8s %-18s %-14s %8s %7u %8s %5u %5u\n", a->ref, who, a->loop, a->doing,
           waits ? a->waits : "", strcmp(a->on, "-") ? a->on : "", since, a->depth, oldest, a->tasks, a->restarts);
}

/* The most interesting ones first, and not more than fit. False: it does not answer. */
static bool print_once(struct target *t, const struct view *v, const struct order *o, int lines)
{
    struct actors a;
    char *loops = ask(t, "loops", "");
    if (!loops || !actors_read(t, &a)) {
        free(loops);
        return false;
    }
    int shown = 0;
    char *save = NULL;
    printf("process %d, by %s, %d actors and tasks%s%s\n", (int)t->pid, o->name, a.n, a.remark ? "  " : "",
           a.remark ? a.remark : "");
    for (char *line = strtok_r(loops, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines--) {
        char *w = NULL;
        for (char *at = strtok_r(line, " ", &w); at; at = strtok_r(NULL, " ", &w))
            printf("%8s", at);
        printf("\n");
    }
    printf("\n%-14s %-22s %4s %-8s %-18s %-14s %8s %7s %8s %5s %5s\n", "REF", "NAME", "LOOP", "DOING", "WAITS FOR", "OF",
           "SINCE", "DEPTH", "OLDEST", "TASKS", "AGAIN");
    qsort(a.at, (size_t)a.n, sizeof *a.at, o->compare);
    for (int i = 0; i < a.n && shown < lines; i++)
        if (v->tasks || a.at[i].task == 0) {
            print_actor(&a.at[i]);
            shown++;
        }
    free(loops);
    actors_free(&a);
    return true;
}

/* ---- again and again ----------------------------------------------------------------------------- */

static struct termios before;

static void put_back(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void raw_keys(void)
{
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    atexit(put_back);
}

static int height(void)
{
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 10 ? w.ws_row - 5 : 40;
}

/* Until the next picture is due, or a key says otherwise. False: to quit. */
static bool wait_for_key(const struct view *v, const struct order **o)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char key;
    if (poll(&p, 1, (int)(v->every * 1000)) <= 0)
        return true;
    if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q')
        return false;
    for (int i = 0; i < ORDERS; i++)
        if (orders[i].key == key)
            *o = &orders[i];
    return true;
}

int show_top(struct target *t, const struct view *v)
{
    const struct order *o = &orders[0];
    for (int i = 0; i < ORDERS; i++)
        if (v->sort && strcmp(orders[i].name, v->sort) == 0)
            o = &orders[i];
    if (v->sort && strcmp(o->name, v->sort) != 0) {
        fputs("reparto: sort by depth, oldest, wait, name, ref or stack\n", stderr);
        return 2;
    }
    if (v->once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
        return print_once(t, v, o, v->lines ? v->lines : 1 << 30) ? 0 : 1;
    raw_keys();
    do {
        printf("\033[H\033[J");
        if (!print_once(t, v, o, v->lines ? v->lines : height()))
            return 1;
        printf("sort: d(epth) o(ldest) w(ait) n(ame) r(ef) s(tack)   q(uit)");
        fflush(stdout);
    } while (wait_for_key(v, &o)); /* unbounded: until it is quit, or the process has ended */
    printf("\n");
    return 0;
}

/* ---- the tree ------------------------------------------------------------------------------------ */

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
    printf("  %s%s%s", a->doing, strcmp(a->waits, "-") ? " for " : "", strcmp(a->waits, "-") ? a->waits : "");
    if (a->depth)
        printf("  %u waiting", a->depth);
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
    if (a.remark)
        printf("%s\n", a.remark);
    actors_free(&a);
    return 0;
}
