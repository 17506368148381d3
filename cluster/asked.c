/* SPDX-License-Identifier: MIT
 *
 * asked.c - what went over a link and is to be answered: calls, and tokens. The peer replies by the number that each
 * was given; one that has not been answered when the link ends is answered then.
 */
#include "cluster/remote.h"

#include <errno.h>

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

int rp__remote_no_reply(struct rp_loop *l, uint64_t link, uint64_t call, int err)
{
    struct rp__link *k = rp__link_by(l, link);
    unsigned char p[12];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, call);
    rp__put32(&w, (uint32_t)err);
    return k ? rp__link_emit(l, k, false, RP__NO_REPLY, 0, p, w.n) : -EHOSTUNREACH;
}

static void answer_error(struct rp_loop *l, const struct rp__asked *who, int err)
{
    if (who->via == 0)
        rp__signal(l, who->asker, 0, RP__OP_NO_REPLY, who->call, (uint64_t)(int64_t)err);
    else
        (void)!rp__remote_no_reply(l, who->via, who->call, err);
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
        answer_error(k->home, &who, err);
    return 0;
}

void rp__asked_end(struct rp__link *k)
{
    for (uint32_t i = 0; i < k->asked.size; i++)
        if (k->asked.at[i].p)
            answer_error(k->home, k->asked.at[i].p, -EHOSTUNREACH);
}

void rp__asked_free(struct rp__link *k)
{
    rp__ids_drop(&k->asked, &rp__link_sys(k)->mem, sizeof(struct rp__asked));
}
