/* SPDX-License-Identifier: MIT
 *
 * A system that is run or ticked by code of an actor: refused where it would stand still, or run into itself.
 */
#include "reparto/embed.h"
#include "reparto/sim.h"
#include "tests/support.h"

#include <errno.h>

static int naps(rp_self *me, void *arg)
{
    (void)arg;
    return rp_sleep(me, rp_in_ms(me, 1));
}
static const rp_actor inner = {.name = "inner", .run = naps};

/* ---- rp_run ----------------------------------------------------------------------------------------- */

struct heard {
    unsigned n;
    int err;
    char text[256];
};

static void hear(const rp_report *r, void *ud)
{
    struct heard *h = ud;
    check_eq(r->kind, RP_REPORT_MISUSE);
    h->n++;
    h->err = r->err;
    snprintf(h->text, sizeof h->text, "%s", r->text);
}

static int runs(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_run(&inner, NULL, &(rp_system_opts){.loops = 1}), -EDEADLK);
    check_eq(rp_run(&inner, NULL, &(rp_system_opts){.sim_seed = 1}), -EDEADLK);
    return rp_yield(me);
}

TEST(within, run_is_refused_and_says_why)
{
    static const rp_actor outer = {.name = "outer", .run = runs};
    static const uint64_t seed[] = {0, 7};
    for (unsigned i = 0; i < 2; i++) {
        struct heard h = {.n = 0};
        rp_system_opts o = {.loops = 1, .sim_seed = seed[i], .on_report = hear, .report_ud = &h};
        check_eq(rp_run(&outer, NULL, &o), 0);
        check_eq(h.n, 2);
        check_eq(h.err, -EDEADLK);
        check(strstr(h.text, "rp_run") && strstr(h.text, "outer") && strstr(h.text, "rp_offload"), "%s", h.text);
    }
}

static int run_one(void *arg)
{
    (void)arg;
    return rp_run(&inner, NULL, &(rp_system_opts){.loops = 1});
}

static int offloads(rp_self *me, void *arg)
{
    (void)arg;
    return rp_offload(me, run_one, NULL, RP_FOREVER);
}

TEST(within, run_off_the_loop)
{
    check_eq(run_with(offloads, NULL, &(rp_system_opts){.loops = 1}), 0);
}

/* ---- rp_system_tick ---------------------------------------------------------------------------------------- */

static rp_system *own;

static int ticks_itself(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_system_tick(own, RP_MS), -EDEADLK);
    check_eq(rp_system_close(own), -EDEADLK);
    check_eq(rp_scope_check(me), 0); /* it has not been told to end */
    return naps(me, NULL);
}

TEST(within, its_own_tick_is_refused)
{
    static const rp_actor outer = {.name = "outer", .run = ticks_itself};
    int rc;
    check_eq(rp_system_open(&outer, NULL, NULL, &own), 0);
    while ((rc = rp_system_tick(own, RP_MS)) >= 0) /* bounded: it ends after a nap */
        ;
    check_eq(rc, -ESHUTDOWN);
    check_eq(rp_system_close(own), 0);
}

/* Another one is ticked by an actor, and that one's actor ticks the first. */
static int ticks_around(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_system_tick(own, 0), -EDEADLK);
    return naps(me, NULL);
}

static int ticks_another(rp_self *me, void *arg)
{
    static const rp_actor other = {.name = "other", .run = ticks_around};
    rp_system *sys;
    int rc;
    (void)arg;
    check_eq(rp_system_open(&other, NULL, NULL, &sys), 0);
    while ((rc = rp_system_tick(sys, RP_MS)) >= 0)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rc, -ESHUTDOWN);
    return rp_system_close(sys);
}

TEST(within, another_one_may_be_ticked)
{
    static const rp_actor outer = {.name = "outer", .run = ticks_another};
    int rc;
    check_eq(rp_system_open(&outer, NULL, NULL, &own), 0);
    while ((rc = rp_system_tick(own, RP_MS)) >= 0)
        ;
    check_eq(rc, -ESHUTDOWN);
    check_eq(rp_system_close(own), 0);
}

/* ---- rp_sim_run ------------------------------------------------------------------------------------- */

static int runs_its_simulation(rp_self *me, void *arg)
{
    check_eq(rp_sim_run(*(rp_sim **)arg, RP_S), -EDEADLK);
    return naps(me, NULL);
}

TEST(within, a_simulation_does_not_run_itself)
{
    static const rp_actor outer = {.name = "outer", .run = runs_its_simulation};
    rp_sim *s = rp_sim_new(3);
    unsigned node;
    check_eq(rp_sim_add(s, &outer, &s, &(rp_system_opts){.loops = 1}, &node), 0);
    check_eq(rp_sim_run(s, RP_S), 0);
    rp_sim_free(s);
}
