/* SPDX-License-Identifier: MIT
 *
 * top.c - the table that refreshes.
 */
#include "tools/tool.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
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

static int by_cpu(const void *a, const void *b)
{
    const struct actor *x = a, *y = b;
    return x->share != y->share ? LESS(y->share, x->share) : by_ref(a, b);
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
    {"depth", 'd', by_depth}, {"oldest", 'o', by_oldest}, {"wait", 'w', by_wait},   {"cpu", 'c', by_cpu},
    {"name", 'n', by_name},   {"ref", 'r', by_ref},       {"stack", 's', by_stack},
};
enum { ORDERS = sizeof orders / sizeof *orders };

/* ---- one picture --------------------------------------------------------------------------------- */

static void print_actor(const struct actor *a)
{
    char since[16] = "", oldest[16] = "", who[32], cpu[16] = "-";
    bool waits = strcmp(a->doing, "waiting") == 0;
    if (a->task)
        snprintf(who, sizeof who, "%.14s task %u", title(a), a->task);
    else
        snprintf(who, sizeof who, "%.22s", title(a));
    if (a->share >= 0)
        snprintf(cpu, sizeof cpu, "%.1f", a->share);
    if (waits)
        duration(since, a->since);
    if (a->depth)
        duration(oldest, a->oldest);
    printf("%-14s %-22s %4u %-6s %5s %-8s %-18s %-14s %8s %7u %8s %5u %5u\n", a->ref, who, a->loop, a->task ? "" : a->placed, cpu, a->doing,
           waits ? a->waits : strchr(a->flags, 'd') ? "its turn" : "", strcmp(a->on, "-") ? a->on : "", since, a->depth, oldest, a->tasks, a->restarts);
}

/* The most interesting ones first, and not more than fit. `note`: what else there is to say; "". */
static void print_picture(const struct target *t, const struct view *v, const struct order *o, struct reading *now,
                          struct reading *before, int lines, const char *note)
{
    struct actors *a = &now->actors;
    int shown = 0;
    printf("process %d, by %s, %d actors and tasks%s%s\n%s", (int)t->pid, o->name, a->n, *note ? "  " : "", note, a->remarks);
    print_loops(now, before);
    printf("\n%-14s %-22s %4s %-6s %5s %-8s %-18s %-14s %8s %7s %8s %5s %5s\n", "REF", "NAME", "LOOP", "BY", "CPU%", "DOING", "WAITS FOR",
           "OF", "SINCE", "DEPTH", "OLDEST", "TASKS", "AGAIN");
    if (before)
        reading_compare(now, before);
    qsort(a->at, (size_t)a->n, sizeof *a->at, o->compare);
    for (int i = 0; i < a->n && shown < lines; i++)
        if (v->tasks || a->at[i].task == 0) {
            print_actor(&a->at[i]);
            shown++;
        }
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

static int refresh(struct target *t, const struct view *v, const struct order *o)
{
    struct reading *last = NULL;
    char why[WHY], note[WHY + 20];
    for (bool on = true; on; on = wait_for_key(v, &o)) { /* unbounded: until it is quit, or the process has ended */
        bool sampled = !v->quiet && cpu_wanted(t, v->every, why);
        struct reading *now = reading_take(t);
        if (!now) {
            reading_free(last);
            return 1;
        }
        snprintf(note, sizeof note, "%s%s", sampled || v->quiet ? "" : "no CPU time: ", sampled || v->quiet ? "" : why);
        printf("\033[H\033[J");
        print_picture(t, v, o, now, sampled ? last : NULL, v->lines ? v->lines : height(), note);
        printf("sort: c(pu) d(epth) o(ldest) w(ait) n(ame) r(ef) s(tack)   q(uit)");
        fflush(stdout);
        bool soon = last && (double)(now->at - last->at) < v->every * 5e5; /* a key: too short for the next one's shares */
        reading_free(soon ? now : last);
        last = soon ? last : now;
    }
    reading_free(last);
    printf("\n");
    return 0;
}

/* The first of two readings, a while ago. NULL: it has been said why not. */
static struct reading *first_reading(struct target *t, const struct view *v)
{
    char why[WHY];
    if (!cpu_wanted(t, v->every, why)) {
        fprintf(stderr, "reparto: no CPU time: %s\n", why);
        return NULL;
    }
    struct reading *r = reading_take(t);
    time_t s = (time_t)v->every;
    if (r)
        nanosleep(&(struct timespec){s, (long)((v->every - (double)s) * 1e9)}, NULL);
    return r;
}

/* Sorted by CPU time, it takes as long as there is between two pictures. */
static int once(struct target *t, const struct view *v, const struct order *o)
{
    bool twice = o->compare == by_cpu && !v->quiet;
    struct reading *first = twice ? first_reading(t, v) : NULL;
    struct reading *now = twice && !first ? NULL : reading_take(t);
    if (now)
        print_picture(t, v, o, now, first, v->lines ? v->lines : 1 << 30, "");
    reading_free(first);
    reading_free(now);
    return now ? 0 : 1;
}

int show_top(struct target *t, const struct view *v)
{
    const struct order *o = &orders[0];
    for (int i = 0; i < ORDERS; i++)
        if (v->sort && strcmp(orders[i].name, v->sort) == 0)
            o = &orders[i];
    if (v->sort && strcmp(o->name, v->sort) != 0) {
        fputs("reparto: sort by depth, oldest, wait, cpu, name, ref or stack\n", stderr);
        return 2;
    }
    if (v->once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
        return once(t, v, o);
    raw_keys();
    return refresh(t, v, o);
}
