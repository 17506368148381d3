/* SPDX-License-Identifier: MIT
 *
 * overload [SECONDS] - a server that needs 50 us for a call, asked three times as often as it can answer, by
 * callers who wait 200 ms. How much of its peak does it still get done in time, does it ever begin what
 * nobody waits for any more, and how soon is it itself again?
 */
#include "bench.h"

enum { WORK_NS = 50000, PATIENCE_MS = 200 };

static _Atomic uint64_t begun_late;

static int serve(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    double end = seconds() + WORK_NS / 1e9;
    if (rp_deadline_of(m) <= rp_now(me))
        begun_late++;
    while (seconds() < end)
        ;
    return rp_reply(me, m, &num_type, rp_body(m, &num_type));
}
static const rp_actor server = {.name = "server", .handle = serve};

struct load {
    rp_ref server;
    uint64_t asked, answered;
    double until, worst; /* of those answered since it was last looked at, s */
    bool over;
};

static int ask(rp_self *me, void *arg)
{
    struct load *l = arg;
    rp_msg *m;
    double from = seconds();
    int rc = rp_call(me, l->server, &num_type, &(struct num){1}, &m, rp_in_ms(me, PATIENCE_MS));
    l->asked++;
    if (rc != 0)
        return rc == -ETIMEDOUT ? 0 : rc;
    rc = check_that(((const struct num *)rp_body(m, &num_type))->n == 1, "what came back");
    rp_msg_drop(me, m);
    l->answered++;
    double took = seconds() - from;
    l->worst = took > l->worst ? took : l->worst;
    return rc;
}

static int ask_on(rp_self *me, void *arg)
{
    struct load *l = arg;
    int rc = 0;
    while (rc == 0 && seconds() < l->until)
        rc = ask(me, arg);
    return rc;
}

/* 64 callers, each as fast as it is answered: the peak, a second. */
static int peak(rp_self *me, struct load *l, double *ret)
{
    rp_scope s;
    uint64_t before = l->answered;
    double from = seconds();
    l->until = from + 2;
    rp_scope_open(me, &s, RP_FOREVER);
    int rc = 0;
    for (int i = 0; i < 64 && rc == 0; i++)
        rc = rp_go(me, &s, ask_on, l, NULL);
    rc = rp_scope_close(me, &s, rc);
    *ret = (double)(l->answered - before) / (seconds() - from);
    return rc;
}

/* `rate` calls a second, answered or not. */
static int pour(rp_self *me, rp_scope *s, struct load *l, double rate, double duration, double *calm_after)
{
    double from = seconds(), now = from, sent = 0;
    int rc = 0;
    l->worst = 0;
    for (uint64_t tick = 0; rc == 0 && now < from + duration; now = seconds(), tick++) {
        for (; rc == 0 && sent < (now - from) * rate; sent++)
            rc = rp_go(me, s, ask, l, NULL);
        if (calm_after && tick % 20 == 19) { /* every 20 ms: was anybody kept waiting? */
            if (l->worst > 0.02)
                *calm_after = now - from;
            l->worst = 0;
        }
        if (rc == 0)
            rc = rp_sleep(me, rp_in_ms(me, 1));
    }
    return rc;
}

static int root(rp_self *me, void *arg)
{
    struct load l = {.asked = 0};
    double best = 0, seconds_of = *(double *)arg, calm = 0;
    rp_scope s;
    int rc = rp_spawn(me, &server, &(rp_spawn_opts){.on = RP_LOOP(1)}, &l.server);
    if (rc == 0)
        rc = peak(me, &l, &best);
    if (rc != 0)
        return rc;
    rp_scope_open(me, &s, RP_FOREVER);
    uint64_t before = l.answered;
    double from = seconds();
    rc = pour(me, &s, &l, 3 * best, seconds_of, NULL);
    say("overload_goodput", 100 * (double)(l.answered - before) / (seconds() - from) / best, "%");
    if (rc == 0)
        rc = pour(me, &s, &l, best / 2, 2, &calm);
    rc = rp_scope_close(me, &s, rc);
    say("overload_begun_late", (double)begun_late, "calls");
    say("overload_recovery", calm * 1e3, "ms");
    return rc;
}

int main(int argc, char **argv)
{
    double s = argc > 1 ? atof(argv[1]) : 20;
    bench_run(root, &s, &(rp_system_opts){.loops = 2});
    return 0;
}
