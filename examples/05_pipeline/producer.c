/* SPDX-License-Identifier: MIT
 *
 * producer.c - reads the index and shares its stanzas out among the workers.
 */
#include "pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct target { /* a worker process */
    rp_node node;
    char name[64];
    rp_ref actor[ACTORS];
    uint64_t sent;
};

struct producer {
    const struct options *o;
    FILE *in;
    char *text; /* what has been read and not yet sent */
    size_t size, used;
    bool eof;
    struct target target[WORKERS_MAX];
    rp_node sink_node;
    rp_ref sink;
    uint64_t stanzas;
};

/* ---- reading: off the loop, since a file may be slow --------------------------------------------- */

static int read_more(void *arg)
{
    struct producer *p = arg;
    if (p->size - p->used < 65536) {
        char *text = realloc(p->text, p->size + 262144);
        if (!text)
            return -ENOMEM;
        p->text = text;
        p->size += 262144;
    }
    size_t n = fread(p->text + p->used, 1, p->size - p->used, p->in);
    p->used += n;
    p->eof = n == 0;
    return ferror(p->in) ? -EIO : 0;
}

/* The length of the first stanza, its blank line included; 0: it is not there whole. */
static size_t stanza_length(const struct producer *p, size_t from)
{
    const char *at = p->text + from, *end = p->text + p->used;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        if (++at < end && *at == '\n')
            return (size_t)(at + 1 - (p->text + from));
    }
    return p->eof ? p->used - from : 0;
}

/* ---- sending ------------------------------------------------------------------------------------- */

static int lose(rp_self *me, struct producer *p, uint64_t node)
{
    for (int i = 0; i < p->o->nworkers; i++) {
        const struct target *t = &p->target[i];
        if (t->node.id != node)
            continue;
        struct lost lost = {.node = node, .sent = t->sent};
        snprintf(lost.name, sizeof lost.name, "%s", t->name);
        (void)!rp_tell(me, p->sink, &lost_type, &lost);
        return -EHOSTUNREACH;
    }
    fprintf(stderr, "producer: the sink is lost\n");
    return -EHOSTUNREACH;
}

static int send_stanza(rp_self *me, struct producer *p, const char *text, size_t size)
{
    struct target *t = &p->target[p->stanzas % (uint64_t)p->o->nworkers];
    rp_ref to = t->actor[p->stanzas / (uint64_t)p->o->nworkers % ACTORS];
    struct stanza s = {p->stanzas, {text, size}};
    int rc = rp_tell(me, to, &stanza_type, &s); /* waits while the worker is behind */
    if (rc == -EHOSTUNREACH)
        return lose(me, p, t->node.id);
    p->stanzas += rc == 0;
    t->sent += rc == 0;
    return rc;
}

static int send_file(rp_self *me, struct producer *p)
{
    p->used = 0;
    p->eof = false;
    while (!p->eof) {
        int rc = rp_offload(me, read_more, p, RP_FOREVER);
        size_t at = 0, n;
        while (rc == 0 && (n = stanza_length(p, at)) > 0) {
            if (n > 2)
                rc = send_stanza(me, p, p->text + at, n);
            at += n;
        }
        if (rc != 0)
            return rc;
        memmove(p->text, p->text + at, p->used - at);
        p->used -= at;
    }
    return 0;
}

/* ---- the others ---------------------------------------------------------------------------------- */

static int meet(rp_self *me, struct producer *p)
{
    const struct options *o = p->o;
    int rc = rp_connect(me, o->sink, &p->sink_node, rp_in_ms(me, 10000));
    if (rc == 0)
        rc = rp_lookup(me, p->sink_node, "sink", &p->sink, rp_in_ms(me, 10000));
    if (rc != 0)
        fprintf(stderr, "pipeline: %s\n", rp_cause(me, rc)); /* with the names: right after the call */
    if (rc == 0)
        rc = rp_node_monitor(me, p->sink_node);
    for (int i = 0; i < o->nworkers && rc == 0; i++) {
        struct target *t = &p->target[i];
        rc = rp_connect(me, o->workers[i], &t->node, rp_in_ms(me, 10000));
        for (int k = 0; k < ACTORS && rc == 0; k++) {
            char name[24];
            snprintf(name, sizeof name, "worker-%d", k);
            rc = rp_lookup(me, t->node, name, &t->actor[k], rp_in_ms(me, 10000));
        }
        if (rc == 0)
            rc = rp_node_monitor(me, t->node);
        if (rc == 0)
            rc = rp_node_name(me, t->node, t->name, sizeof t->name);
    }
    return rc;
}

static int say_total(rp_self *me, struct producer *p)
{
    struct total total = {p->stanzas};
    int rc = rp_tell(me, p->sink, &total_type, &total);
    for (int i = 0; i < p->o->nworkers; i++)
        for (int k = 0; k < ACTORS && rc == 0; k++)
            rc = rp_tell(me, p->target[i].actor[k], &total_type, &total);
    return rc == -EHOSTUNREACH ? 0 : rc; /* the news of who is lost comes next */
}

/* Until the sink has everything, or somebody is lost who has not simply finished. */
static int wait_for_done(rp_self *me, struct producer *p)
{
    for (;;) {
        rp_msg *m;
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        const struct rp_node_down *down = rp_body(m, RP_NODE_DOWN);
        bool over = rp_body(m, &done_type) != 0;
        if (down && down->reason != 0)
            rc = lose(me, p, down->node);
        rp_msg_drop(me, m);
        if (over || rc != 0)
            return rc;
    }
}

int producer_root(rp_self *me, void *options)
{
    struct producer *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->o = options;
    p->in = fopen(p->o->file, "r");
    int rc = p->in ? meet(me, p) : -ENOENT;
    if (!p->in)
        fprintf(stderr, "producer: cannot read %s\n", p->o->file);
    for (int64_t i = 0; i < p->o->repeat && rc == 0; i++) {
        rewind(p->in);
        rc = send_file(me, p);
    }
    if (rc == 0)
        rc = say_total(me, p);
    if (rc == 0)
        rc = wait_for_done(me, p);
    if (p->in)
        fclose(p->in);
    free(p->text);
    free(p);
    return rc;
}
