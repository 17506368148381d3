/* SPDX-License-Identifier: MIT
 *
 * sink.c - counts the names, and tells whether everything has come.
 */
#include "pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct count {
    struct count *next;
    uint64_t n;
    size_t size;
    char name[];
};

enum { BUCKETS = 65536, NODES = WORKERS_MAX };

struct sink {
    const struct options *o;
    struct count *bucket[BUCKETS];
    size_t names;
    uint64_t got, total;
    bool know_total, failed, tty;
    rp_time first;  /* when the first stanza came */
    rp_ref producer;
    struct {
        uint64_t node, got;
    } from[NODES]; /* the worker processes */
    int nfrom;
};

/* ---- counting ------------------------------------------------------------------------------------ */

static int add(struct sink *s, const char *name, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
    struct count **at = &s->bucket[h % BUCKETS];
    while (*at && ((*at)->size != n || memcmp((*at)->name, name, n) != 0))
        at = &(*at)->next;
    if (!*at) {
        if (!(*at = calloc(1, sizeof **at + n)))
            return -ENOMEM;
        (*at)->size = n;
        memcpy((*at)->name, name, n);
        s->names++;
    }
    (*at)->n++;
    return 0;
}

static int add_lines(struct sink *s, rp_bytes lines)
{
    int rc = 0;
    const char *p = lines.data, *end = p + lines.size;
    while (p < end && rc == 0) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        rc = add(s, p, (size_t)(stop - p));
        p = stop + 1;
    }
    return rc;
}

static int most_first(const void *a, const void *b)
{
    const struct count *x = *(struct count *const *)a, *y = *(struct count *const *)b;
    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    size_t n = x->size < y->size ? x->size : y->size;
    int c = memcmp(x->name, y->name, n);
    return c != 0 ? c : (x->size > y->size) - (x->size < y->size);
}

static void print_top(struct sink *s)
{
    struct count **all = malloc((s->names + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; all && i < BUCKETS; i++)
        for (struct count *c = s->bucket[i]; c; c = c->next)
            all[n++] = c;
    if (n)
        qsort(all, n, sizeof *all, most_first);
    printf("%llu stanzas, %zu packages depended on; the most:\n", (unsigned long long)s->got, s->names);
    for (size_t i = 0; i < n && i < (size_t)s->o->top; i++)
        printf("%8llu %.*s\n", (unsigned long long)all[i]->n, (int)all[i]->size, all[i]->name);
    free(all);
}

static void say_how(rp_self *me, const struct sink *s)
{
    double seconds = (double)(rp_now(me) - s->first) / (double)RP_S;
    fprintf(stderr, "%llu stanzas went from the producer through %d worker process%s to the sink in %.1f ms, %.0f a second. "
                    "All came, none was lost.\n", (unsigned long long)s->got, s->nfrom, s->nfrom == 1 ? "" : "es",
            1e3 * seconds, seconds > 0 ? (double)s->got / seconds : 0);
}

/* ---- the message loop ---------------------------------------------------------------------------- */

/* The worker processes are known by what comes from them. */
static uint64_t *got_from(rp_self *me, struct sink *s, uint64_t node)
{
    for (int i = 0; i < s->nfrom; i++)
        if (s->from[i].node == node)
            return &s->from[i].got;
    if (s->nfrom == NODES || rp_node_monitor(me, (rp_node){node}) != 0)
        return NULL;
    s->from[s->nfrom].node = node;
    return &s->from[s->nfrom++].got;
}

static int on_lost(rp_self *me, struct sink *s, const struct lost *l)
{
    uint64_t *got = got_from(me, s, l->node);
    uint64_t back = got ? *got : 0;
    fprintf(stderr, "sink: node %s is lost; %llu stanzas were sent to it, %llu came back: %llu unaccounted for\n",
            l->name, (unsigned long long)l->sent, (unsigned long long)back, (unsigned long long)(l->sent - back));
    s->failed = true;
    return -EHOSTUNREACH;
}

static int on_message(rp_self *me, struct sink *s, const rp_msg *m)
{
    const struct names *names = rp_body(m, &names_type);
    const struct total *total = rp_body(m, &total_type);
    const struct lost *lost = rp_body(m, &lost_type);
    const struct rp_node_down *down = rp_body(m, RP_NODE_DOWN);
    if (names) {
        uint64_t *got = got_from(me, s, rp_from(me, m).node);
        if (s->got++ == 0) {
            s->first = rp_now(me);
            if (s->o->verbose)
                fprintf(stderr, "sink: the first stanza has come\n");
        }
        if (got)
            ++*got;
        return got ? add_lines(s, names->lines) : -ENOSPC;
    }
    if (total) {
        s->total = total->stanzas;
        s->know_total = true;
        s->producer = rp_from(me, m);
        return rp_node_monitor(me, (rp_node){s->producer.node});
    }
    if (lost)
        return on_lost(me, s, lost);
    if (down && down->node == s->producer.node) {
        fprintf(stderr, "sink: the producer %s is lost; %llu of %llu stanzas came\n", down->name,
                (unsigned long long)s->got, (unsigned long long)s->total);
        return -EHOSTUNREACH;
    }
    return 0; /* a worker has gone: finished, or the producer will say how much is missing */
}

static int run(rp_self *me, void *options)
{
    struct sink *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->o = options;
    s->tty = isatty(STDERR_FILENO);
    int rc = 0;
    rp_time shown = rp_now(me);
    while (rc == 0 && !(s->know_total && s->got == s->total)) {
        rp_msg *m;
        rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            break;
        rc = on_message(me, s, m);
        rp_msg_drop(me, m);
        if (s->tty && s->got % 64 == 0 && rp_now(me) - shown > 200 * RP_MS) {
            shown = rp_now(me);
            fprintf(stderr, "\r%llu stanzas ", (unsigned long long)s->got);
        }
    }
    if (s->tty)
        fprintf(stderr, "\r                         \r");
    if (rc == 0) {
        print_top(s);
        fflush(stdout);
        say_how(me, s);
        rc = rp_tell(me, s->producer, &done_type, &(struct done){s->got});
    }
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct count *c = s->bucket[i], *next; c; c = next) {
            next = c->next;
            free(c);
        }
    free(s);
    return rc;
}
static const rp_actor sink = {.name = "sink", .run = run};

int sink_root(rp_self *me, void *options)
{
    rp_msg *m;
    int rc = rp_spawn(me, &sink, &(rp_spawn_opts){.arg = options, .name = "sink", .monitor = true, .on = RP_LOOP(rp_loop_count(me) - 1)}, NULL);
    if (rc == 0)
        rc = rp_recv(me, &m, RP_FOREVER);
    if (rc != 0)
        return rc;
    rc = ((const struct rp_down *)rp_body(m, RP_DOWN))->reason;
    rp_msg_drop(me, m);
    return rc;
}
