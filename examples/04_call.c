/* SPDX-License-Identifier: MIT
 *
 * 04 call - two calls at the same time in a scope with a deadline: one answers, one is too slow.
 */
#include <errno.h>
#include <reparto/reparto.h>
#include <stdio.h>

struct job {
    int32_t ms; /* how long the answer takes */
};
static const rp_field job_fields[] = {RP_FIELD(struct job, ms, RP_I32)};
static const rp_type job_type = RP_TYPE("example.job", struct job, job_fields);

static int work(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct job *j = rp_body(m, &job_type);
    int rc = rp_sleep(me, rp_in_ms(me, j->ms)); /* a handler may wait: others run meanwhile */
    return rc != 0 ? rc : rp_wants_reply(m) ? rp_reply(me, m, &job_type, j) : 0;
}
static const rp_actor worker = {.name = "worker", .handle = work};

struct question {
    rp_ref worker;
    int32_t ms;
    int rc;
};

static int ask(rp_self *me, void *arg)
{
    struct question *q = arg;
    rp_msg *reply;
    q->rc = rp_call(me, q->worker, &job_type, &(struct job){q->ms}, &reply, RP_FOREVER);
    if (q->rc == 0)
        rp_msg_drop(me, reply);
    return 0; /* a failed question is an answer here, not a reason to cancel the other */
}

static int root(rp_self *me, void *arg)
{
    (void)arg;
    struct question q[2] = {{.ms = 10}, {.ms = 5000}};
    rp_scope s;
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = rp_spawn(me, &worker, &(rp_spawn_opts){.on = RP_SPREAD}, &q[i].worker);
    if (rc != 0)
        return rc;
    rp_scope_open(me, &s, rp_in_ms(me, 100));
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = rp_go(me, &s, ask, &q[i], NULL);
    rc = rp_scope_close(me, &s, rc); /* both tasks have ended: q may be looked at */
    for (int i = 0; i < 2; i++)
        printf("an answer in %d ms: %s\n", (int)q[i].ms, q[i].rc == 0 ? "came" : rp_strerror(q[i].rc));
    printf("the scope: %s\n", rp_strerror(rc));
    return rc == -ETIMEDOUT ? 0 : rc;
}

int main(void)
{
    int rc = rp_run(&(rp_actor){.name = "root", .run = root}, NULL, NULL);
    if (rc != 0)
        fprintf(stderr, "call: %s\n", rp_strerror(rc));
    return rc != 0;
}
