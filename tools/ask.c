/* SPDX-License-Identifier: MIT */
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

void *need(void *memory)
{
    if (!memory) {
        fputs("reparto: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* ---- where it answers ---------------------------------------------------------------------------- */

/* RP_INSPECT as the process has it. */
static bool from_environment(const char *pid, char *ret, size_t size)
{
    char path[64], *text = NULL;
    size_t room = 0;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
    FILE *f = fopen(path, "r");
    while (f && !found && getdelim(&text, &room, 0, f) > 0)
        found = strncmp(text, "RP_INSPECT=", 11) == 0 && text[11] && (size_t)snprintf(ret, size, "%s", text + 11) < size;
    if (f)
        fclose(f);
    free(text);
    return found;
}

void target_find(struct target *t, const char *what)
{
    char dir[100], pid[24];
    t->pid = 0;
    if (strchr(what, '/')) {
        if ((size_t)snprintf(t->path, sizeof t->path, "%s", what) < sizeof t->path)
            return;
        fprintf(stderr, "reparto: %s: too long for the path of a socket\n", what);
        exit(2);
    }
    size_t digits = strspn(what, "0123456789");
    snprintf(pid, sizeof pid, "%.*s", digits < 20 ? (int)digits : 20, what);
    const char *ours = getenv("RP_INSPECT");
    bool known = from_environment(pid, dir, sizeof dir);
    if (!known && ours && *ours) {
        snprintf(dir, sizeof dir, "%s", ours);
    } else if (!known) {
        fprintf(stderr, "reparto: process %s was not started with RP_INSPECT=DIRECTORY, or is not yours.\n"
                "If the program opens a socket itself, give its path instead.\n", what);
        exit(2);
    }
    if ((size_t)snprintf(t->path, sizeof t->path, "%s/reparto.%s", dir, what) >= sizeof t->path) {
        fprintf(stderr, "reparto: %s: too long for the path of a socket\n", dir);
        exit(2);
    }
}

/* ---- asking -------------------------------------------------------------------------------------- */

enum { PATIENCE_S = 10 };

static int dial(struct target *t, char *why)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval patient = {PATIENCE_S, 0};
    struct ucred peer;
    socklen_t size = sizeof peer;
    strcpy(at.sun_path, t->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient) != 0 ||
        connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        snprintf(why, WHY, "%s: %s", t->path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        t->pid = peer.pid;
    return fd;
}

/* `late`: it has said nothing for too long. */
static char *read_all(int fd, bool *late)
{
    size_t n = 0, room = 65536;
    char *text = need(malloc(room));
    ssize_t got;
    while ((got = read(fd, text + n, room - 1 - n)) > 0) {
        n += (size_t)got;
        if (n + 1 == room)
            text = need(realloc(text, room *= 2));
    }
    *late = got < 0 && errno == EAGAIN;
    text[n] = 0;
    return text;
}

/* The last line says how it went. */
static bool take_end(const struct target *t, char *text, bool late, char *why)
{
    size_t n = strlen(text);
    char *last = n > 0 ? memrchr(text, '\n', n - 1) : NULL;
    last = last ? last + 1 : text;
    if (strcmp(last, "ok\n") == 0) {
        *last = 0;
        return true;
    }
    if (strncmp(last, "error: ", 7) == 0)
        snprintf(why, WHY, "%.*s", (int)strcspn(last, "\n"), last);
    else if (late)
        snprintf(why, WHY, "%s: no answer for %d s; gdb -p %d shows where its threads are",
                 t->path, PATIENCE_S, (int)t->pid);
    else
        snprintf(why, WHY, "%s: the answer broke off", t->path);
    return false;
}

/* A descriptor to read the answer from; < 0: `why`. */
static int put_question(struct target *t, const char *word, const char *rest, char *why)
{
    static char line[ASK_MOST + 64];
    int fd = dial(t, why);
    if (fd < 0)
        return fd;
    int n = snprintf(line, sizeof line, "%s%s%s\n", word, *rest ? " " : "", rest);
    if (n < (int)sizeof line && send(fd, line, (size_t)n, MSG_NOSIGNAL) == n)
        return fd;
    snprintf(why, WHY, "%s: could not ask", t->path);
    close(fd);
    return -1;
}

char *try_to_ask(struct target *t, const char *word, const char *rest, char *why)
{
    bool late = false;
    int fd = put_question(t, word, rest, why);
    if (fd < 0)
        return NULL;
    char *text = read_all(fd, &late);
    close(fd);
    if (text && !take_end(t, text, late, why)) {
        free(text);
        text = NULL;
    }
    return text;
}

char *ask(struct target *t, const char *word, const char *rest)
{
    char why[WHY];
    char *text = try_to_ask(t, word, rest, why);
    if (!text)
        fprintf(stderr, "reparto: %s\n", why);
    return text;
}

/* Shows the lines as they come, but for the last. True: that was "ok". */
static bool show_lines(FILE *from, char *why)
{
    char *line = NULL;
    size_t room = 0;
    bool ok = false;
    while (!ok && getline(&line, &room, from) > 0) {
        ok = strcmp(line, "ok\n") == 0;
        if (strncmp(line, "error: ", 7) == 0) {
            snprintf(why, WHY, "%.*s", (int)strcspn(line, "\n"), line);
            break;
        }
        if (!ok && (fputs(line, stdout) < 0 || fflush(stdout) != 0))
            break;
    }
    free(line);
    return ok;
}

int read_along(struct target *t, const char *rest)
{
    char why[WHY];
    struct timeval any = {0, 0}; /* it may be long before there is a line */
    int fd = put_question(t, "trace", rest, why);
    FILE *from = fd >= 0 ? fdopen(fd, "r") : NULL;
    bool ok = false;
    if (from && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &any, sizeof any) == 0) {
        snprintf(why, WHY, "%s: the answer broke off", t->path);
        ok = show_lines(from, why);
    }
    if (!ok)
        fprintf(stderr, "reparto: %s\n", why);
    if (from)
        fclose(from);
    return ok ? 0 : 1;
}

/* ---- the table of actors ------------------------------------------------------------------------- */

enum { COLUMNS = 40 };

struct heads {
    char *name[COLUMNS];
    int n;
};

static int split(char *line, char **word, int most)
{
    int n = 0;
    for (char *at = strtok(line, " "); at && n < most; at = strtok(NULL, " "))
        word[n++] = at;
    return n;
}

static const char *cell(const struct heads *h, char *const *word, int n, const char *name)
{
    for (int i = 0; i < h->n && i < n; i++)
        if (strcmp(h->name[i], name) == 0)
            return word[i];
    return "-";
}

static int64_t number(const struct heads *h, char *const *word, int n, const char *name)
{
    return strtoll(cell(h, word, n, name), NULL, 10);
}

/* A line of text came as one word: %20 is a blank, %25 a per cent. In place. */
static void to_text(char *word)
{
    char *to = word;
    for (; *word; word++) {
        bool blank = strncmp(word, "%20", 3) == 0;
        *to++ = blank ? ' ' : *word;
        word += blank || strncmp(word, "%25", 3) == 0 ? 2 : 0;
    }
    *to = 0;
}

static void fill(struct actor *a, const struct heads *h, char *const *w, int n)
{
    *a = (struct actor){
        .ref = cell(h, w, n, "ref"), .parent = cell(h, w, n, "parent"), .kind = cell(h, w, n, "kind"),
        .name = cell(h, w, n, "name"), .doing = cell(h, w, n, "doing"), .waits = cell(h, w, n, "waits"),
        .on = cell(h, w, n, "on"), .object = cell(h, w, n, "object"), .called = cell(h, w, n, "called"), .info = cell(h, w, n, "info"), .site = cell(h, w, n, "site"), .flags = cell(h, w, n, "flags"),
        .placed = cell(h, w, n, "placed"),
        .task = (unsigned)number(h, w, n, "task"), .loop = (unsigned)number(h, w, n, "loop"),
        .depth = (unsigned)number(h, w, n, "depth"), .tasks = (unsigned)number(h, w, n, "tasks"),
        .holders = (unsigned)number(h, w, n, "holders"),
        .restarts = (unsigned)number(h, w, n, "restarts"), .since = number(h, w, n, "since_us"),
        .left = number(h, w, n, "left_us"), .oldest = number(h, w, n, "oldest_us"),
        .bytes = (uint64_t)number(h, w, n, "bytes"), .stack = (uint64_t)number(h, w, n, "stack"),
        .used = (uint64_t)number(h, w, n, "used"), .cpu = number(h, w, n, "cpu_us"), .share = -1, .up = -1, .first = -1, .next = -1,
    };
    for (char *c = (char *)(uintptr_t)a->waits; *c; c++)
        if (*c == '_')
            *c = ' ';
    if (strchr(a->info, '%'))
        to_text((char *)(uintptr_t)a->info);
}

static void add_remark(struct actors *a, const char *line)
{
    size_t n = strlen(a->remarks), k = strlen(line);
    a->remarks = need(realloc(a->remarks, n + k + 2));
    memcpy(a->remarks + n, line, k);
    memcpy(a->remarks + n + k, "\n", 2);
}

bool actors_read(struct target *t, struct actors *ret)
{
    struct heads h;
    char *save = NULL, *w[COLUMNS];
    *ret = (struct actors){.text = ask(t, "actors", "")};
    if (!ret->text)
        return false;
    ret->remarks = need(calloc(1, 1));
    int room = 0;
    char *line = strtok_r(ret->text, "\n", &save);
    h.n = line ? split(line, h.name, COLUMNS) : 0;
    while ((line = strtok_r(NULL, "\n", &save))) {
        if (*line == '#') {
            add_remark(ret, line);
            continue;
        }
        if (ret->n == room)
            ret->at = need(realloc(ret->at, (size_t)(room = 2 * room + 256) * sizeof *ret->at));
        int n = split(line, w, COLUMNS);
        fill(&ret->at[ret->n++], &h, w, n);
    }
    return true;
}

void actors_free(struct actors *a)
{
    free(a->text);
    free(a->remarks);
    free(a->at);
    free(a->index);
}

static int compare_refs(const void *x, const void *y, void *arg)
{
    const struct actor *at = arg, *p = &at[*(const int *)x], *q = &at[*(const int *)y];
    int by = strcmp(p->ref, q->ref);
    return by ? by : p->task < q->task ? -1 : p->task > q->task;
}

static void make_index(struct actors *a)
{
    a->index = need(calloc((size_t)a->n + 1, sizeof *a->index));
    for (int i = 0; i < a->n; i++)
        a->index[i] = i;
    qsort_r(a->index, (size_t)a->n, sizeof *a->index, compare_refs, a->at);
}

int actors_find(struct actors *a, const char *ref)
{
    int low = 0, high = a->n; /* the first that is not less: the actor itself stands before its tasks */
    if (!a->index)
        make_index(a);
    while (low < high) {
        int mid = low + (high - low) / 2;
        if (strcmp(a->at[a->index[mid]].ref, ref) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    const struct actor *found = low < a->n ? &a->at[a->index[low]] : NULL;
    return found && strcmp(found->ref, ref) == 0 && found->task == 0 ? a->index[low] : -1;
}

const char *title(const struct actor *a)
{
    return strcmp(a->name, "-") != 0 ? a->name : a->kind;
}

const char *duration(char *to, int64_t us)
{
    if (us < 10000)
        snprintf(to, 16, "%.1fms", (double)us / 1e3);
    else if (us < 1000000)
        snprintf(to, 16, "%dms", (int)(us / 1000));
    else if (us < 100 * (int64_t)1000000)
        snprintf(to, 16, "%.1fs", (double)us / 1e6);
    else
        snprintf(to, 16, "%llds", (long long)(us / 1000000));
    return to;
}
