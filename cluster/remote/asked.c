/* SPDX-License-Identifier: MIT
 *
 * asked.c - what went over a link and is to be answered: calls, and tokens. The peer replies by the number that each
 * was given; one that has not been answered when the link ends is answered then.
 */
#include "actors/mail/ask.h"
#include "actors/table/post.h"
#include "cluster/remote/remote.h"

#include <errno.h>
#include <string.h>

uint64_t rp__asked_new(struct rp__link *k, uint64_t asker, uint64_t call, uint64_t via)
{
    struct rp__asked a = {asker, call, via};
    return rp__id_add(&k->asked, &rp__link_sys(k)->mem, &a, sizeof a);
}

bool rp__asked_take(struct rp__link *k, uint64_t id, struct rp__asked *ret)
{
    return rp__id_take(&k->asked, &rp__link_sys(k)->mem, id, ret, sizeof *ret);
}

int rp__asked_by(struct rp__link *k, uint64_t id, struct rp__asked *ret)
{
    pthread_mutex_lock(&k->lock);
    int rc = rp__asked_take(k, id, ret) ? 1 : rp__id_past(&k->asked, id) ? 0 : -EPROTO;
    pthread_mutex_unlock(&k->lock);
    return rc;
}

/* CULPRIT, when there is one to name, and NO_REPLY: together, so that nothing comes between. The lock is held. */
static bool write_no_reply(struct rp__link *k, uint64_t call, int err, const char *blame)
{
    size_t n = blame ? strnlen(blame, RP__BLAME - 1) : 0;
    unsigned char *to = n > 0 ? rp__link_frame(k, false, RP__CULPRIT, 0, 0, 9 + n) : 0;
    if (to) {
        struct rp__w w = {to, 0, 9 + n};
        rp__put64(&w, call);
        rp__put8(&w, (uint8_t)n);
        rp__put_bytes(&w, blame, n);
    }
    if (!(to = rp__link_frame(k, false, RP__NO_REPLY, 0, 0, 12)))
        return false;
    struct rp__w w = {to, 0, 12};
    rp__put64(&w, call);
    rp__put32(&w, (uint32_t)err);
    return true;
}

int rp__remote_no_reply(struct rp_loop *l, uint64_t link, uint64_t call, int err, const char *blame)
{
    struct rp__link *k = rp__link_by(l, link);
    if (!k)
        return -EHOSTUNREACH;
    pthread_mutex_lock(&k->lock);
    int rc = k->box.cut || k->down ? -EHOSTUNREACH : write_no_reply(k, call, err, blame) ? 0 : -ENOMEM;
    pthread_mutex_unlock(&k->lock);
    if (rc == 0)
        rp__link_touch(l, k);
    return rc;
}

void rp__remote_unanswered(struct rp_loop *l, uint64_t link, uint64_t call, int err, const char *blame)
{
    if (rp__remote_no_reply(l, link, call, err, blame) == -ENOMEM)
        rp__link_lose(rp__link_by(l, link), -ENOMEM);
}

static void answer_error(struct rp_loop *l, const struct rp__asked *who, int err, const char *blame)
{
    if (who->via != 0) {
        rp__remote_unanswered(l, who->via, who->call, err, blame);
        return;
    }
    struct rp__slot s = {who->asker, 0, rp__op_word(RP__OP_NO_REPLY), {who->call, (uint64_t)(int64_t)err}};
    memcpy(&s.body[2], blame, strnlen(blame, RP__BLAME));
    rp__post_sure(l, &s);
}

int rp__read_culprit(struct rp__link *k, struct rp__in in)
{
    uint64_t id = rp__get64(&in);
    size_t n = rp__get8(&in);
    const char *name = rp__get_bytes(&in, n);
    if (!name || !rp__get_end(&in))
        return -EPROTO;
    n = n < sizeof k->culprit - 1 ? n : sizeof k->culprit - 1;
    memcpy(k->culprit, name, n);
    k->culprit[n] = 0;
    k->culprit_of = id;
    return 0;
}

int rp__read_no_reply(struct rp__link *k, struct rp__in in)
{
    struct rp__asked who;
    uint64_t id = rp__get64(&in);
    int32_t err = (int32_t)rp__get32(&in);
    int rc = !rp__get_end(&in) || err >= 0 || err < -4095 ? -EPROTO : rp__asked_by(k, id, &who);
    if (rc < 0)
        return rc;
    if (rc > 0)
        answer_error(k->home, &who, err, k->culprit_of == id ? k->culprit : "");
    return 0;
}

void rp__asked_end(struct rp__link *k)
{
    for (uint32_t i = 0; i < k->asked.size; i++)
        if (k->asked.at[i].p)
            answer_error(k->home, k->asked.at[i].p, -EHOSTUNREACH, "");
}

void rp__asked_free(struct rp__link *k)
{
    rp__ids_drop(&k->asked, &rp__link_sys(k)->mem, sizeof(struct rp__asked));
}
