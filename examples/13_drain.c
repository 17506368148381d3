/* SPDX-License-Identifier: MIT
 *
 * 13 drain - a service is told to end (SIGTERM) while it has work: it finishes what it has begun, says who has not
 * finished in time, and ends in order.
 */
#include <errno.h>
#include <reparto/reparto.h>
#include <signal.h>
#include <stdio.h>

struct job {
    uint64_t ms;
};
static const rp_field job_fields[] = {RP_FIELD(struct job, ms, RP_U64)};
static const rp_type job_type = RP_TYPE("example.job", struct job, job_fields);

static rp_system *_Atomic service;

static void on_term(int signo)
{
    (void)signo;
    rp_quit(service, "SIGTERM"); /* all that a signal handler may do */
}

static int work(rp_self *me, void *state, const rp_msg *m)
{
    int *done = state;
    int rc = rp_sleep(me, rp_in_ms(me, (int64_t)((const struct job *)rp_body(m, &job_type))->ms));
    *done += rc == 0;
    return rc;
}

static void worker_ends(rp_self *me, void *state, int reason)
{
    (void)me, (void)reason;
    printf("%d jobs done\n", *(int *)state);
}

static int start(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state, (void)arg;
    return 0;
}
static const rp_actor worker = {.name = "worker", .init = start, .handle = work, .fini = worker_ends, .state_size = sizeof(int)};

static int finish(rp_self *me)
{
    rp_undone left[8];
    unsigned n = 8;
    int rc = rp_drain(me, rp_in_ms(me, 300), left, &n);
    for (unsigned i = 0; rc == -ETIMEDOUT && i < n && i < 8; i++)
        printf("%s has %u messages left, and waits for: %s\n", left[i].name, left[i].messages, left[i].waits);
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int root(rp_self *me, void *arg)
{
    rp_ref quick, slow;
    rp_msg *m;
    (void)arg;
    service = rp_system_of(me);
    signal(SIGTERM, on_term);
    int rc = rp_spawn(me, &worker, &(rp_spawn_opts){.name = "quick"}, &quick);
    if (rc == 0)
        rc = rp_spawn(me, &worker, &(rp_spawn_opts){.name = "slow"}, &slow);
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = rp_tell(me, quick, &job_type, &(struct job){1});
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = rp_tell(me, slow, &job_type, &(struct job){3600000});
    raise(SIGTERM); /* as if from outside */
    if (rc == 0)
        rc = rp_recv(me, &m, RP_FOREVER); /* RP_EXIT_NOTICE, because of RP_TRAP */
    if (rc == 0) {
        rp_msg_drop(me, m);
        rc = finish(me);
    }
    signal(SIGTERM, SIG_DFL); /* the system is about to be gone */
    return rc;
}

int main(void)
{
    return rp_run(&(rp_actor){.name = "root", .run = root, .flags = RP_TRAP}, NULL, &(rp_system_opts){.loops = 1}) != 0;
}
