/* SPDX-License-Identifier: MIT
 *
 * 09 bank - a transfer locks two accounts; one that is locked stashes what others ask of it until it is free, or until
 * whoever has locked it is gone. What a client does wrong is answered, and never returned: the account lives on.
 */
#include <errno.h>
#include <reparto/reparto.h>
#include <stdio.h>

enum { ACCOUNTS = 5, TELLERS = 4, TRANSFERS = 250, RICH = 100000, LOCK = 1, ADD, FREE };

struct order {
    int64_t what, amount; /* in the answer: what is there */
};
static const rp_field order_fields[] = {RP_FIELD(struct order, what, RP_I64), RP_FIELD(struct order, amount, RP_I64)};
static const rp_type order_type = RP_TYPE("example.order", struct order, order_fields);

struct account {
    int64_t spent; /* of RICH */
    rp_ref holder;
};

static int let_others(rp_self *me, struct account *a)
{
    a->holder = (rp_ref){0, 0};
    return rp_unstash(me);
}

static int serve(rp_self *me, void *state, const rp_msg *m)
{
    struct account *a = state;
    const struct order *o = rp_body(m, &order_type);
    const struct rp_down *down = rp_body(m, RP_DOWN);
    rp_ref from = rp_from(me, m);
    if (down)
        return rp_ref_eq(down->who, a->holder) ? let_others(me, a) : 0;
    if (!o || !rp_wants_reply(m))
        return rp_wants_reply(m) ? rp_reply_error(me, m, -EINVAL) : 0;
    if (!rp_ref_none(a->holder) && !rp_ref_eq(a->holder, from))
        return rp_stash(me, m) == 0 ? 0 : rp_reply_error(me, m, -EAGAIN); /* its time will come; or there are too many */
    int rc = rp_ref_none(a->holder) && o->what == LOCK ? rp_monitor(me, from) : 0;
    if (rc != 0)
        return rp_reply_error(me, m, rc);
    bool held = !rp_ref_none(a->holder);
    a->holder = o->what == LOCK || held ? from : a->holder;
    a->spent -= o->what == ADD ? o->amount : 0;
    rc = rp_reply(me, m, &order_type, &(struct order){o->what, RICH - a->spent});
    if (rc != 0 || !held || o->what != FREE)
        return rc;
    (void)!rp_demonitor(me, from); /* if not, it hears of one who has left: no harm */
    return let_others(me, a);
}
static const rp_actor account = {.name = "account", .handle = serve, .state_size = sizeof(struct account)};

static int64_t ask(rp_self *me, rp_ref of, int what, int64_t amount) /* what is there, or an error */
{
    rp_msg *m = NULL;
    int rc = rp_call(me, of, &order_type, &(struct order){what, amount}, &m, RP_FOREVER);
    int64_t left = rc == 0 ? ((const struct order *)rp_body(m, &order_type))->amount : rc;
    rp_msg_drop(me, m);
    return left;
}

static int transfer(rp_self *me, void *arg)
{
    const rp_ref *at = arg;
    int64_t rc = 0;
    for (int i = 0; i < TRANSFERS && rc >= 0; i++) {
        unsigned low = (unsigned)(rp_random(me) % (ACCOUNTS - 1)), high = low + 1;
        int64_t amount = (int64_t)(rp_random(me) % 200) - 100; /* below 0: the other way */
        if ((rc = ask(me, at[low], LOCK, 0)) >= 0 && /* the lower one first: nobody waits in a circle */
            (rc = ask(me, at[high], LOCK, 0)) >= 0 && (rc = ask(me, at[low], ADD, -amount)) >= 0 &&
            (rc = ask(me, at[high], ADD, amount)) >= 0 && (rc = ask(me, at[low], FREE, 0)) >= 0)
            rc = ask(me, at[high], FREE, 0);
    }
    return rc < 0 ? (int)rc : rp_tell(me, rp_parent(me), &order_type, &(struct order){FREE, 0});
}
static const rp_actor teller = {.name = "teller", .run = transfer};

static int root(rp_self *me, void *arg)
{
    (void)arg;
    static rp_ref at[ACCOUNTS];
    rp_msg *done;
    int rc = 0, total = 0;
    for (int i = 0; i < ACCOUNTS + TELLERS && rc == 0; i++)
        rc = i < ACCOUNTS ? rp_spawn(me, &account, &(rp_spawn_opts){.on = RP_SPREAD, .stash = 8}, &at[i])
                          : rp_spawn(me, &teller, &(rp_spawn_opts){.on = RP_SPREAD, .arg = at}, NULL);
    for (int i = 0; i < TELLERS && rc == 0; i++)
        if ((rc = rp_recv(me, &done, RP_FOREVER)) == 0)
            rp_msg_drop(me, done);
    for (int i = 0; i < ACCOUNTS && rc == 0; i++)
        total += (int)ask(me, at[i], FREE, 0);
    printf("%d transfers, total %d\n", TELLERS * TRANSFERS, total);
    return rc;
}

int main(void)
{
    return rp_run(&(rp_actor){.name = "root", .run = root}, NULL, &(rp_system_opts){.loops = 2}) != 0;
}
