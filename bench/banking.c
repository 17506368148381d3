/* SPDX-License-Identifier: MIT
 *
 * banking - Savina's: transfers between a thousand accounts on two loops. The account that pays asks the
 * other one to credit the sum, and does nothing else until it has.
 */
#include "bench.h"

enum { ACCOUNTS = 1000, ROUND = 50000 };

struct transfer {
    rp_ref to; /* whom to credit; nobody: the receiver itself */
    int64_t amount;
};
static const rp_field transfer_fields[] = {RP_FIELD(struct transfer, to, RP_REF), RP_FIELD(struct transfer, amount, RP_I64)};
static const rp_type transfer_type = RP_TYPE("bench.transfer", struct transfer, transfer_fields);

static int account(rp_self *me, void *state, const rp_msg *m)
{
    int64_t *balance = state;
    const struct transfer *t = rp_body(m, &transfer_type);
    if (!t) /* the end: what have you got? */
        return rp_reply(me, m, &num_type, &(struct num){(uint64_t)*balance});
    if (rp_ref_none(t->to)) {
        *balance += t->amount;
        return rp_reply(me, m, &num_type, &(struct num){1});
    }
    rp_msg *done;
    *balance -= t->amount;
    int rc = rp_call(me, t->to, &transfer_type, &(struct transfer){{0, 0}, t->amount}, &done, RP_FOREVER);
    if (rc != 0)
        return rc;
    rp_msg_drop(me, done);
    return rp_tell(me, rp_from(me, m), &num_type, &(struct num){1});
}
static const rp_actor kind = {.name = "account", .handle = account, .state_size = sizeof(int64_t)};

static uint64_t random_of(uint64_t *x, uint64_t n)
{
    *x = *x * 16807 % 2147483647;
    return *x % n;
}

struct order {
    uint64_t from, to;
    int64_t amount;
};

static struct order next_order(uint64_t *x) /* always upwards: no circle of waiting accounts */
{
    struct order o = {.from = random_of(x, ACCOUNTS / 10 * 8)};
    o.to = o.from + 1 + random_of(x, ACCOUNTS - o.from - 1);
    o.amount = 1 + (int64_t)random_of(x, 1000);
    return o;
}

static int teller(rp_self *me, const rp_ref *all, uint64_t n)
{
    uint64_t x = 1;
    int rc = 0;
    for (uint64_t done = 0; done < n && rc == 0; done += ROUND) {
        for (unsigned i = 0; i < ROUND && rc == 0; i++) {
            struct order o = next_order(&x);
            rc = rp_tell(me, all[o.from], &transfer_type, &(struct transfer){all[o.to], o.amount});
        }
        rp_msg *m;
        for (unsigned i = 0; i < ROUND && rc == 0; i++)
            if ((rc = rp_recv(me, &m, RP_FOREVER)) == 0)
                rp_msg_drop(me, m);
    }
    return rc;
}

/* What the same transfers come to. */
static void reckon(int64_t *balance, uint64_t n)
{
    uint64_t x = 1;
    for (uint64_t i = 0; i < n; i++) {
        struct order o = next_order(&x);
        balance[o.from] -= o.amount;
        balance[o.to] += o.amount;
    }
}

static int check_balances(rp_self *me, const rp_ref *all, uint64_t n)
{
    static int64_t want[ACCOUNTS];
    int rc = 0;
    reckon(want, n);
    for (unsigned i = 0; i < ACCOUNTS && rc == 0; i++) {
        rp_msg *m;
        if ((rc = rp_call(me, all[i], &num_type, &(struct num){0}, &m, RP_FOREVER)) != 0)
            break;
        rc = check_that((int64_t)((const struct num *)rp_body(m, &num_type))->n == want[i], "a balance");
        rp_msg_drop(me, m);
    }
    return rc;
}

static int run(rp_self *me, void *arg)
{
    static rp_ref all[ACCOUNTS];
    uint64_t n = *(uint64_t *)arg, rounds = (n + ROUND - 1) / ROUND;
    int rc = 0;
    for (unsigned i = 0; i < ACCOUNTS && rc == 0; i++)
        rc = rp_spawn(me, &kind, &(rp_spawn_opts){.on = RP_SPREAD}, &all[i]);
    double from = seconds();
    if (rc == 0)
        rc = teller(me, all, n);
    double took = seconds() - from;
    if (rc == 0)
        rc = check_balances(me, all, rounds * ROUND);
    say("banking", (double)(rounds * ROUND) / took, "transactions/s");
    return rc;
}

static int root(rp_self *me, void *arg)
{
    static const rp_actor bank = {.name = "bank", .run = run};
    int rc = rp_spawn(me, &bank, &(rp_spawn_opts){.arg = arg, .mailbox = 2 * ROUND, .mailbox_bytes = 64 * 2 * ROUND, .monitor = true}, NULL);
    return rc == 0 ? await_downs(me, 1) : rc;
}

int main(void)
{
    uint64_t n = scaled(5000000);
    bench_run(root, &n, &(rp_system_opts){.loops = 2});
    return 0;
}
