/* SPDX-License-Identifier: MIT */
#include "observe/request.h"

#include "loop/process/socket.h"

#include <errno.h>
#include <string.h>

/* Is it there? An HTTP request ends with an empty line. */
static bool complete(const char *text)
{
    if (strncmp(text, "GET ", 4) == 0)
        return strstr(text, "\n\r\n") || strstr(text, "\n\n");
    return strchr(text, '\n') != 0;
}

int rp__request_read(struct rp__request *q, int fd)
{
    for (;;) { /* bounded: by bytes */
        if (q->n + 1 == sizeof q->text)
            return -E2BIG;
        ssize_t got = rp__socket_read(fd, q->text + q->n, sizeof q->text - 1 - q->n);
        if (got <= 0)
            return got == -EAGAIN || got == -EINTR ? 0 : got == 0 ? -EPIPE : (int)got;
        q->n += (size_t)got;
        q->text[q->n] = 0;
        if (complete(q->text))
            return 1;
    }
}

struct parsed {
    char *word, *rest;
    bool http;
};

/* "word rest", or "GET /word?rest HTTP/1.1". */
static struct parsed parse(struct rp__request *q)
{
    struct parsed p = {.http = strncmp(q->text, "GET ", 4) == 0};
    p.word = q->text + (p.http ? 4 : 0);
    p.word[strcspn(p.word, "\r\n")] = 0;
    if (p.http) {
        p.word += p.word[0] == '/';
        p.word[strcspn(p.word, " ")] = 0;
    }
    p.rest = p.word + strcspn(p.word, " ?");
    if (*p.rest)
        *p.rest++ = 0;
    return p;
}

static const struct rp__word *find(const struct rp__word *words, const char *word)
{
    for (const struct rp__word *w = words; w->word; w++)
        if (strcmp(w->word, word) == 0)
            return w;
    return 0;
}

static int help(rp_self *me, const struct rp__word *words, struct rp__text *t)
{
    for (const struct rp__word *w = words; w->word; w++)
        rp__say(me, t, "%-10s %s\n", w->word, w->help);
    return 0;
}

void rp__request_answer(rp_self *me, rp_system *sys, const struct rp__word *words, struct rp__request *q,
                        struct rp__text *t)
{
    struct parsed p = parse(q);
    const struct rp__word *w = find(words, p.word);
    bool known = w || strcmp(p.word, "help") == 0;
    bool can = known && (me || !w || w->alone);
    if (p.http)
        rp__say(me, t, "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n",
                can ? "200 OK" : known ? "503 Service Unavailable" : "404 Not Found");
    int rc = !can ? -ENOENT : !w ? help(me, words, t) : me ? w->say(me, t, p.rest) : w->alone(sys, t, p.rest);
    if (rc < 0)
        rp__say(me, t, "%serror: %s\n", p.http ? "# " : "",
                can ? rp_strerror(rc) : known ? "no loop answers, and this needs one; ask for dump" : "no such word; ask for help");
    else if (!p.http)
        rp__say(me, t, "ok\n");
}
