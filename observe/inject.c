/* SPDX-License-Identifier: MIT
 *
 * inject.c - the word `send`: a message from outside, made out of text.
 *
 * Its type is found by name, among all that this system has met: those that may come from other processes, and those
 * that somebody here has sent.
 */
#include "actors/mail/mail.h"
#include "actors/table/runtime.h"
#include "loop/system.h"
#include "observe/dump.h"
#include "observe/words.h"

#include <errno.h>
#include <string.h>

enum { WAIT_MS = 1000, NAME_ROOM = 64 };

/* ---- its type ------------------------------------------------------------------------------------ */

static int find_type(rp_self *me, const char *text, const rp_type **ret)
{
    char name[NAME_ROOM];
    size_t n = strcspn(text, "{");
    if (!text[n])
        return -EINVAL;
    if (n >= sizeof name)
        return -ENOENT;
    memcpy(name, text, n);
    name[n] = 0;
    *ret = rp__type_named(&rp__runtime(me->loop)->book, name);
    return *ret ? 0 : -ENOENT;
}

/* What the runtime's own messages say it takes as true. A body that owns something, or is described by nothing, cannot
 * be made out of text. */
static int may_be_made(const rp_type *t)
{
    if (strncmp(t->name, "rp.", 3) == 0)
        return -EPERM;
    return t->drop || (t->size > 0 && t->nfields == 0) ? -ENOTSUP : 0;
}

/* ---- sending ------------------------------------------------------------------------------------- */

/* The client is claimed first: else, where our loop is held while we wait, another one takes it and sends once more. */
static int send_body(rp_self *me, struct rp__text *t, rp_ref to, const rp_type *type, const void *body)
{
    struct rp__out o = {.to = to, .type = type, .body = body};
    int rc = rp__text_begin(me, t);
    return rc != 0 ? rc : rp__send(me, &o, true, rp_in_ms(me, WAIT_MS));
}

static int send_text(rp_self *me, struct rp__text *t, rp_ref to, const rp_type *type, const char *text)
{
    size_t n = strlen(text), size = type->size + n;
    char *body = rp__alloc(me->loop->sys, size);
    if (!body)
        return -ENOMEM;
    int rc = rp_type_scan(text, type, body, body + type->size, n);
    if (rc == 0)
        rc = send_body(me, t, to, type, body);
    rp__free_mem(me->loop->sys, body, size);
    return rc;
}

static int find_target(rp_self *me, const char *rest, size_t n, rp_ref *ret)
{
    char who[RP__NAME_MAX + 1];
    unsigned task;
    if (n >= sizeof who)
        return -ESRCH;
    memcpy(who, rest, n);
    who[n] = 0;
    return rp__whom(me->loop->sys, who, ret, &task);
}

int rp__inject(rp_self *me, struct rp__text *t, const char *rest)
{
    rp_ref to;
    const rp_type *type;
    size_t n = strcspn(rest, " ");
    const char *text = rest + n + strspn(rest + n, " ");
    int rc = find_target(me, rest, n, &to);
    if (rc == 0)
        rc = find_type(me, text, &type);
    if (rc == 0)
        rc = may_be_made(type);
    return rc != 0 ? rc : send_text(me, t, to, type, text);
}
