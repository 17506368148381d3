/* SPDX-License-Identifier: MIT */
#include "cluster/link/resolve.h"

#include "cluster/wire/url.h"
#include "loop/base/list.h"
#include "loop/base/os.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

rp__getaddrinfo_fn *rp__getaddrinfo = getaddrinfo;

enum state { WAITS, ASKED, ANSWERED };

/* Memory of the C library: it may outlive the system's. */
struct rp__question {
    struct rp__hook all;        /* waits for a thread, or is with one */
    struct rp__resolver *r;
    struct rp_loop *home;       /* NULL: somebody waits for it in rp__resolve_now */
    struct rp__post post;       /* the answer, to home */
    rp__found_fn *found;
    void *ud;
    enum state state;
    bool forgotten;
    bool passive;
    int rc;
    const char *why;
    struct rp__addrs addrs;
    char host[RP__HOST], port[RP__HOST];
};

struct rp__resolver {
    pthread_mutex_t lock;       /* of all that follows, and of the questions' state */
    pthread_cond_t answered;    /* one without a home */
    struct rp__hook questions;  /* the oldest first */
    unsigned threads;
    bool closed;
};

/* ---- numbers -------------------------------------------------------------------------------------- */

static int error_of(int eai)
{
    switch (eai) {
    case 0:
        return 0;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SERVICE:
        return -EINVAL;
    case EAI_SYSTEM:
        return errno == EMFILE || errno == ENFILE ? -errno : -ENXIO;
    default:
        return -ENXIO;
    }
}

static void add(struct rp__addrs *to, const struct addrinfo *from)
{
    for (; from && to->n < RP__ADDRESSES; from = from->ai_next) {
        struct rp__net_addr *a = &to->at[to->n];
        memset(a, 0, sizeof *a);
        memcpy(&a->at, from->ai_addr, from->ai_addrlen);
        a->n = from->ai_addrlen;
        to->n++;
    }
}

static int look_up(const char *host, const char *port, int flags, struct rp__addrs *to, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *found = 0;
    int eai = rp__os_faulty("getaddrinfo") ? EAI_AGAIN : rp__getaddrinfo(host, port, &hints, &found);
    int rc = error_of(eai);
    *why = rc == 0 ? "" : gai_strerror(eai);
    if (rc != 0)
        return rc;
    add(to, found);
    freeaddrinfo(found);
    return to->n > 0 ? 0 : -ENXIO;
}

/* Not what the name service says, which may know one of the two, or another machine. */
static int local(const char *port, struct rp__addrs *to)
{
    const char *why;
    int rc = look_up("127.0.0.1", port, AI_NUMERICHOST, to, &why);
    return rc != 0 ? rc : look_up("::1", port, AI_NUMERICHOST, to, &why);
}

int rp__resolve_number(const char *host, const char *port, bool passive, struct rp__addrs *to)
{
    const char *why;
    to->n = 0;
    if (passive && (host[0] == 0 || strcmp(host, "*") == 0))
        host = 0;
    else if (strcasecmp(host, "localhost") == 0)
        return local(port, to);
    int rc = look_up(host, port, AI_NUMERICHOST | (passive ? AI_PASSIVE : 0), to, &why);
    return rc == -ENXIO ? 1 : rc;
}

bool rp__resolve_usual(const struct rp__net_addr *a)
{
    char host[RP__NET_TEXT], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_ADDRCONFIG}, *found = 0;
    if (getnameinfo((const struct sockaddr *)&a->at, a->n, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0 || getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

/* ---- threads -------------------------------------------------------------------------------------- */

static void resolver_free(struct rp__resolver *r)
{
    pthread_cond_destroy(&r->answered);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* The lock is held. */
static struct rp__question *next(struct rp__resolver *r)
{
    for (struct rp__hook *at = r->questions.next; at != &r->questions; at = at->next) {
        struct rp__question *q = RP__OF(struct rp__question, all, at);
        if (q->state == WAITS)
            return q;
    }
    return 0;
}

/* The lock is held: as long as a question is not forgotten its loop lives. */
static void deliver(struct rp__question *q)
{
    q->state = ANSWERED;
    rp__unlink(&q->all);
    if (q->forgotten)
        free(q);
    else if (!q->home)
        pthread_cond_broadcast(&q->r->answered);
    else
        (void)!rp__inbox_push(q->home, &q->post); /* a loop that has ended has forgotten all of its questions */
}

/* Ends when there is nothing to ask. */
static void *ask_all(void *arg)
{
    struct rp__resolver *r = arg;
    struct rp__question *q;
    pthread_mutex_lock(&r->lock);
    while ((q = next(r))) {
        q->state = ASKED;
        pthread_mutex_unlock(&r->lock);
        q->rc = look_up(q->host, q->port, q->passive ? AI_PASSIVE : 0, &q->addrs, &q->why);
        pthread_mutex_lock(&r->lock);
        deliver(q);
    }
    bool last = --r->threads == 0 && r->closed;
    pthread_mutex_unlock(&r->lock);
    if (last)
        resolver_free(r);
    return 0;
}

/* The lock is held. */
static int start_thread(struct rp__resolver *r)
{
    pthread_t t;
    int rc = rp__os_silent_thread(&t, ask_all, r);
    if (rc != 0)
        return rc;
    pthread_detach(t);
    r->threads++;
    return 0;
}

/* ---- questions ------------------------------------------------------------------------------------ */

static void on_answer(struct rp__post *p, struct rp_loop *l)
{
    struct rp__question *q = RP__OF(struct rp__question, post, p);
    (void)l;
    if (!q->forgotten)
        q->found(q->ud, q->rc, &q->addrs, q->why);
    free(q);
}

static struct rp__question *question_new(struct rp__resolver *r, const char *host, const char *port)
{
    struct rp__question *q = strlen(host) < RP__HOST && strlen(port) < RP__HOST ? calloc(1, sizeof *q) : 0;
    if (!q)
        return 0;
    q->r = r;
    q->post.fn = on_answer;
    strcpy(q->host, host);
    strcpy(q->port, port);
    return q;
}

/* The lock is held. */
static int ask(struct rp__resolver *r, struct rp__question *q)
{
    int rc = r->threads < RP__LOOKUPS ? start_thread(r) : 0;
    if (rc != 0 && r->threads == 0)
        return rc;
    rp__list_push(&r->questions, &q->all); /* a thread that has just begun waits for the lock */
    return 0;
}

int rp__resolve(struct rp__resolver *r, const char *host, const char *port, struct rp_loop *home, rp__found_fn *found,
                void *ud, struct rp__question **ret)
{
    struct rp__question *q = question_new(r, host, port);
    if (!q)
        return -ENOMEM;
    q->home = home;
    q->found = found;
    q->ud = ud;
    pthread_mutex_lock(&r->lock);
    int rc = ask(r, q);
    pthread_mutex_unlock(&r->lock);
    if (rc == 0)
        *ret = q;
    else
        free(q);
    return rc;
}

void rp__resolve_forget(struct rp__question *q)
{
    if (!q)
        return;
    struct rp__resolver *r = q->r;
    pthread_mutex_lock(&r->lock);
    q->forgotten = true;
    if (q->state == WAITS) {
        rp__unlink(&q->all);
        free(q);
    }
    pthread_mutex_unlock(&r->lock);
}

/* ---- now ------------------------------------------------------------------------------------------ */

/* The lock is held. */
static int wait_for(struct rp__question *q, rp_time most, struct rp__addrs *to)
{
    rp_time end = rp__os_now() + most;
    int rc = 0;
    while (q->state != ANSWERED && rc == 0)
        rc = rp__os_cond_until(&q->r->answered, &q->r->lock, end);
    if (q->state == ANSWERED) {
        rc = q->rc;
        *to = q->addrs;
        free(q);
        return rc;
    }
    q->forgotten = true;
    if (q->state == WAITS) {
        rp__unlink(&q->all);
        free(q);
    }
    return rc;
}

int rp__resolve_now(const char *host, const char *port, rp_time most, struct rp__addrs *to)
{
    struct rp__resolver *r = rp__resolver_new();
    if (!r)
        return -ENOMEM;
    pthread_mutex_lock(&r->lock);
    struct rp__question *q = question_new(r, host, port);
    int rc = q ? ask(r, q) : -ENOMEM;
    if (rc == 0) {
        q->passive = true;
        rc = wait_for(q, most, to);
    } else {
        free(q);
    }
    pthread_mutex_unlock(&r->lock);
    rp__resolver_close(r);
    return rc;
}

/* ---- life ----------------------------------------------------------------------------------------- */

struct rp__resolver *rp__resolver_new(void)
{
    struct rp__resolver *r = calloc(1, sizeof *r);
    if (!r)
        return 0;
    pthread_mutex_init(&r->lock, 0);
    rp__os_cond_init(&r->answered);
    rp__list_init(&r->questions);
    return r;
}

void rp__resolver_close(struct rp__resolver *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->closed = true;
    bool unused = r->threads == 0;
    pthread_mutex_unlock(&r->lock);
    if (unused)
        resolver_free(r);
}
