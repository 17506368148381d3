/* SPDX-License-Identifier: MIT */
#include "observe/text.h"

#include "loop/base/format.h"

#include <errno.h>

int rp__text_open(rp_self *me, struct rp__text *t)
{
    t->n = 0;
    t->rc = 0;
    t->at = rp__pool_get(&me->loop->pool, RP__TEXT_ROOM);
    return t->at ? 0 : -ENOMEM;
}

void rp__text_flush(rp_self *me, struct rp__text *t)
{
    if (t->rc == 0 && t->n > 0)
        t->rc = t->give(me, t);
    t->n = 0;
}

int rp__text_begin(rp_self *me, struct rp__text *t)
{
    if (t->rc == 0)
        t->rc = t->give(me, t);
    t->n = 0;
    return t->rc;
}

int rp__text_close(rp_self *me, struct rp__text *t)
{
    rp__text_flush(me, t);
    rp__pool_free(&me->loop->pool, t->at, RP__TEXT_ROOM);
    return t->rc;
}

void rp__say(rp_self *me, struct rp__text *t, const char *format, ...)
{
    for (int i = 0; i < 2 && t->rc == 0; i++) {
        va_list ap;
        va_start(ap, format);
        size_t room = RP__TEXT_ROOM - t->n;
        int n = rp__vformat(t->at + t->n, room, format, ap);
        va_end(ap);
        if (n < 0)
            return;
        bool fits = (size_t)n < room;
        if (fits || t->n == 0) { /* or never will */
            t->n += fits ? (size_t)n : room - 1;
            return;
        }
        rp__text_flush(me, t);
    }
}

static const char *shown(char *to, size_t size, const char *from, char least)
{
    size_t n = 0;
    for (; from && from[n] && n + 1 < size; n++) {
        unsigned char c = (unsigned char)from[n];
        to[n] = c >= (unsigned char)least && c != 127 ? from[n] : '?';
    }
    to[n] = 0;
    return n > 0 ? to : "-";
}

const char *rp__word_of(char *to, size_t size, const char *from)
{
    return shown(to, size, from, '!');
}

const char *rp__plain(char *to, size_t size, const char *from)
{
    return shown(to, size, from, ' ');
}
