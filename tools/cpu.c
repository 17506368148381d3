/* SPDX-License-Identifier: MIT
 *
 * cpu.c - shares of a core: what CPU time has grown by from one reading to the next, of the time between them.
 */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLUMNS = 40, WIDTH = 8 };

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

bool cpu_wanted(struct target *t, double every, char *why)
{
    char ms[32];
    snprintf(ms, sizeof ms, "%.0f", 3000 * every + 2000); /* it ends by itself when nobody looks any more */
    char *text = try_to_ask(t, "profile", ms, why);
    free(text);
    return text != NULL;
}

/* In per cent; -1: nobody knows. The kernel looks at its clock's tick only, so it may be a little too much. */
static double share(int64_t now, int64_t before, int64_t span)
{
    if (now < 0 || before < 0 || now < before || span <= 0)
        return -1;
    double s = 100.0 * (double)(now - before) / (double)span;
    return s < 100 ? s : 100;
}

void reading_compare(struct reading *now, struct reading *before)
{
    int64_t span = now->at - before->at;
    for (int i = 0; i < now->actors.n; i++) {
        struct actor *a = &now->actors.at[i];
        if (a->task)
            continue;
        int was = actors_find(&before->actors, a->ref);
        bool new = was < 0 && a->cpu <= span; /* else it was not listed when it moved */
        a->share = new ? share(a->cpu, 0, span) : was < 0 ? -1 : share(a->cpu, before->actors.at[was].cpu, span);
    }
}

/* ---- loops --------------------------------------------------------------------------------------- */

static int split(char *line, char **word)
{
    int n = 0;
    char *save;
    for (char *at = strtok_r(line, " ", &save); at && n < COLUMNS; at = strtok_r(NULL, " ", &save))
        word[n++] = at;
    return n;
}

/* Those of a loop that does not answer are not known. */
static int64_t *place(struct reading *r, const char *column, unsigned loop)
{
    if (loop >= MOST_LOOPS)
        return NULL;
    return strcmp(column, "cpu_us") == 0 ? &r->cpu[loop] : strcmp(column, "own_us") == 0 ? &r->own[loop] : NULL;
}

/* Gives each cell of the table to `see`, lines and words in order; then NULL for the end of the line. */
static void each_cell(struct reading *r, void (*see)(struct reading *r, const char *column, const char *cell, unsigned loop, void *arg),
                      void *arg)
{
    char *text = need(strdup(r->loops)), *save, *heads[COLUMNS], *word[COLUMNS];
    char *line = strtok_r(text, "\n", &save);
    int n = line ? split(line, heads) : 0;
    for (int i = 0; i < n; i++)
        see(r, heads[i], NULL, 0, arg);
    see(r, NULL, NULL, 0, arg);
    while ((line = strtok_r(NULL, "\n", &save))) {
        int k = split(line, word);
        unsigned loop = k > 0 ? (unsigned)strtoul(word[0], NULL, 10) : 0;
        for (int i = 0; i < k && i < n; i++)
            see(r, heads[i], word[i], loop, arg);
        see(r, NULL, NULL, 0, arg);
    }
    free(text);
}

static void note(struct reading *r, const char *column, const char *cell, unsigned loop, void *arg)
{
    int64_t *to = column && cell ? place(r, column, loop) : NULL;
    (void)arg;
    if (to && strcmp(cell, "-") != 0)
        *to = strtoll(cell, NULL, 10);
}

static void print_cell(struct reading *r, const char *column, const char *cell, unsigned loop, void *arg)
{
    struct reading *before = arg;
    const int64_t *now = column ? place(r, column, loop) : NULL;
    char text[16];
    if (!column) {
        printf("\n");
    } else if (!cell) {
        printf("%*s", WIDTH, strcmp(column, "cpu_us") == 0 ? "cpu%" : strcmp(column, "own_us") == 0 ? "own%" : column);
    } else if (now) {
        double s = before ? share(*now, *place(before, column, loop), r->loops_at - before->loops_at) : -1;
        snprintf(text, sizeof text, "%.1f", s);
        printf("%*s", WIDTH, s < 0 ? "-" : text);
    } else {
        printf("%*s", WIDTH, cell);
    }
}

void print_loops(struct reading *now, const struct reading *before)
{
    each_cell(now, print_cell, (void *)(uintptr_t)before);
}

/* ---- readings ------------------------------------------------------------------------------------ */

struct reading *reading_take(struct target *t)
{
    struct reading *r = need(malloc(sizeof *r));
    for (int i = 0; i < MOST_LOOPS; i++)
        r->cpu[i] = r->own[i] = -1;
    r->loops = ask(t, "loops", "");
    r->loops_at = now_us();
    if (!r->loops || !actors_read(t, &r->actors)) {
        free(r->loops);
        free(r);
        return NULL;
    }
    r->at = now_us();
    each_cell(r, note, NULL);
    return r;
}

void reading_free(struct reading *r)
{
    if (!r)
        return;
    free(r->loops);
    actors_free(&r->actors);
    free(r);
}
