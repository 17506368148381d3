/* SPDX-License-Identifier: MIT
 *
 * What a caller passes may be gone when the call has returned: each test overwrites it then.
 */
#include "actors/table/actor.h"
#include "loop/system.h"
#include "reparto/embed.h"
#include "reparto/queue.h"
#include "reparto/supervisor.h"
#include "tests/support.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Memory that a caller has, and then has not. */
static struct heap {
    char *at[16];
    size_t size[16];
    unsigned n;
} heap;

static void *borrowed(struct heap *h, const void *from, size_t size)
{
    void *p = h->at[h->n] = malloc(size);
    h->size[h->n++] = size;
    return memcpy(p, from, size);
}

static char *text_of(struct heap *h, const char *format, ...)
{
    char text[64];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return borrowed(h, text, strlen(text) + 1);
}

static void give_back(struct heap *h)
{
    for (; h->n > 0; h->n--) {
        memset(h->at[h->n - 1], 0xa5, h->size[h->n - 1]);
        free(h->at[h->n - 1]);
    }
}

/* ---- an actor's description ---------------------------------------------------------------------- */

static int echo(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    ++*(uint64_t *)state;
    if (!b || b->n == 13)
        return -EDOM;
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, b) : 0;
}

static _Atomic unsigned finished;

static void count_end(rp_self *me, void *state, int reason)
{
    (void)me, (void)reason;
    finished += *(uint64_t *)state > 0;
}

static int spawn_borrowed(rp_self *me, const char *name, unsigned on, rp_ref *ret)
{
    struct heap h = {0};
    rp_actor a = {.name = text_of(&h, "%s", name), .handle = echo, .fini = count_end, .state_size = 8};
    rp_spawn_opts o = {.on = on, .name = text_of(&h, "reg-%s", name), .monitor = true};
    int rc = rp_spawn(me, borrowed(&h, &a, sizeof a), borrowed(&h, &o, sizeof o), ret);
    give_back(&h);
    return rc;
}

static int ask_and_end(rp_self *me, rp_ref to, const char *name)
{
    rp_msg *m;
    struct rp_down d;
    check_eq(rp_call(me, to, NUM, &(struct num){.n = 7}, &m, RP_FOREVER), 0);
    rp_msg_drop(me, m);
    check_eq(rp_call(me, to, NUM, &(struct num){.n = 13}, &m, RP_FOREVER), -EPIPE);
    check_str(rp_blame(me), name);
    check_eq(recv_down(me, &d), 0);
    check_str(d.name, name);
    return 0;
}

static int descriptions(rp_self *me, void *arg)
{
    (void)arg;
    finished = 0;
    unsigned n = 0;
    for (unsigned on = 0; on < rp_loop_count(me); on++)
        for (unsigned i = 0; i < 3; i++, n++) {
            char name[16];
            rp_ref r;
            snprintf(name, sizeof name, "kind%u", i);
            check_eq(spawn_borrowed(me, name, RP_LOOP(on), &r), 0);
            check_eq(rp_move(me, r, RP_LOOP((on + i) % rp_loop_count(me))), 0);
            ask_and_end(me, r, name);
        }
    check_eq(finished, n);
    return 0;
}

TEST(given, a_description_dies_with_the_call)
{
    everywhere(descriptions, 0);
}

/* ---- how many are kept --------------------------------------------------------------------------- */

static int many_names(rp_self *me, void *arg)
{
    (void)arg;
    struct rp__kind_table *t = &me->loop->actors->kinds;
    rp_ref r[50];
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 50; i++) {
            char name[32];
            snprintf(name, sizeof name, "w%u.%u", round, i);
            check_eq(spawn_borrowed(me, name, RP_SAME, &r[i]), 0);
        }
        check(t->n <= 3 * 50 + 64, "%u copies", t->n);
        for (unsigned i = 0; i < 50; i++) {
            struct rp_down d;
            check_eq(rp_stop(me, r[i], "enough"), 0);
            check_eq(recv_down(me, &d), 0);
        }
    }
    unsigned before = t->n;
    for (unsigned i = 0; i < 50; i++)
        check_eq(spawn_borrowed(me, "w39.7", RP_SAME, &r[0]), i == 0 ? 0 : -EEXIST);
    check_eq(t->n, before); /* one copy is enough for all that are alike */
    return 0;
}

TEST(given, names_without_end_take_no_memory)
{
    check_eq(run_with(many_names, 0, &(rp_system_opts){.loops = 1}), 0);
}

/* Of a copy that is too large for the pool, each is a block of its own: the run ends with none. */
static int long_names(rp_self *me, void *arg)
{
    (void)arg;
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        char name[RP__POOL_MAX + 1];
        memset(name, 'a', sizeof name - 1);
        name[sizeof name - 1] = 0;
        rp_actor a = {.name = name, .handle = echo, .state_size = 8};
        rp_ref r;
        check_eq(rp_spawn(me, &a, &(rp_spawn_opts){.on = RP_LOOP(on)}, &r), 0);
    }
    return 0;
}

TEST(given, a_long_name_takes_no_memory_at_the_end)
{
    everywhere(long_names, 0);
}

static int same_place(rp_self *me, void *arg)
{
    (void)arg;
    static rp_actor a;
    static char name[16];
    rp_ref r[2];
    for (unsigned i = 0; i < 2; i++) { /* one address, one name pointer, two kinds */
        snprintf(name, sizeof name, "kind%u", i);
        a = (rp_actor){.name = name, .handle = echo, .state_size = 8};
        check_eq(rp_spawn(me, &a, &(rp_spawn_opts){.monitor = true}, &r[i]), 0);
    }
    a = (rp_actor){0};
    ask_and_end(me, r[0], "kind0");
    return ask_and_end(me, r[1], "kind1");
}

TEST(given, a_place_used_again_is_another_kind)
{
    everywhere(same_place, 0);
}

static int bad_flags(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &(rp_actor){.handle = echo, .flags = 1u << 31}, NULL, NULL), -EINVAL);
    return 0;
}

TEST(given, a_flag_that_is_none_is_an_error)
{
    check_eq(run_with(bad_flags, 0, NULL), 0);
}

/* ---- reasons ------------------------------------------------------------------------------------- */

#define LONG_WHY "order 17 has no customer, address"

static char told[4][64];

static int stopped(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, RP_FOREVER);
    snprintf(told[(uintptr_t)arg], sizeof told[0], "%s", rp_why(me));
    return rc;
}

static int traps(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    int rc = rp_recv(me, &m, RP_FOREVER);
    const struct rp_exit_notice *e = rc == 0 ? rp_body(m, RP_EXIT_NOTICE) : 0;
    snprintf(told[1], sizeof told[1], "%s", e ? e->why : "?");
    rp_msg_drop(me, m);
    return 0;
}

static int fails(rp_self *me, void *arg)
{
    (void)arg;
    struct heap h = {0};
    int rc = rp_fail(me, -EPROTO, text_of(&h, LONG_WHY));
    give_back(&h);
    snprintf(told[2], sizeof told[2], "%s", rp_why(me));
    return rc;
}

static int follows(rp_self *me, void *arg)
{
    int rc = rp_link(me, *(rp_ref *)arg);
    return rc == 0 ? stopped(me, (void *)3) : rc;
}

static int end_of(rp_self *me, const rp_actor *kind, void *arg, unsigned on, const char *why, unsigned i, const char *want)
{
    struct heap h = {0};
    struct rp_down d;
    rp_ref r;
    check_eq(rp_spawn(me, kind, &(rp_spawn_opts){.on = on, .arg = arg, .monitor = true}, &r), 0);
    if (why) {
        check_eq(rp_stop(me, r, text_of(&h, "%s", why)), 0);
        give_back(&h);
    }
    check_eq(recv_down(me, &d), 0);
    check(strcmp(told[i], want) == 0, "told %u is \"%s\", not \"%s\"", i, told[i], want);
    return d.reason;
}

static int reasons(rp_self *me, void *arg)
{
    (void)arg;
    const char cut[] = "order 17 has no customer, addre";
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        memset(told, 0, sizeof told);
        check_eq(end_of(me, &(rp_actor){.run = stopped}, 0, RP_LOOP(i), LONG_WHY, 0, cut), -ECANCELED);
        check_eq(end_of(me, &(rp_actor){.run = traps, .flags = RP_TRAP}, 0, RP_LOOP(i), LONG_WHY, 1, "order 17 has no cus"), 0);
        check_eq(end_of(me, &(rp_actor){.run = fails}, 0, RP_LOOP(i), NULL, 2, cut), -EPROTO);
    }
    return 0;
}

TEST(given, a_reason_dies_with_the_call)
{
    everywhere(reasons, 0);
}

static int linked(rp_self *me, void *arg)
{
    (void)arg;
    struct heap h = {0};
    struct rp_down d;
    rp_ref first, other;
    check_eq(rp_spawn(me, &(rp_actor){.run = stopped}, NULL, &first), 0);
    check_eq(rp_spawn(me, &(rp_actor){.run = follows}, &(rp_spawn_opts){.on = RP_SPREAD, .arg = &first, .monitor = true}, &other), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 2)), 0);
    check_eq(rp_stop(me, first, text_of(&h, "short")), 0);
    give_back(&h);
    check_eq(recv_down(me, &d), 0);
    check_str(told[3], "short");
    return 0;
}

TEST(given, a_reason_goes_along_a_link)
{
    everywhere(linked, 0);
}

static int wait_for_ever(rp_self *me, void *arg)
{
    int rc = rp_sleep(me, RP_FOREVER);
    snprintf(arg, sizeof told[0], "%s", rp_why(me));
    return rc;
}

static int scopes(rp_self *me, void *arg)
{
    (void)arg;
    struct heap h = {0};
    rp_scope s;
    rp_task *t;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, wait_for_ever, told[0], NULL), 0);
    check_eq(rp_go(me, &s, wait_for_ever, told[1], &t), 0);
    check_eq(rp_yield(me), 0);
    rp_task_cancel(t, text_of(&h, "task %d", 1));
    give_back(&h);
    rp_task_cancel(t, "again");
    check_eq(rp_join(me, t, NULL, RP_FOREVER) == 0 || rp_scope_check(me) != 0, 1);
    rp_scope_cancel(&s, "enough");
    (void)!rp_scope_close(me, &s, 0); /* what a cancelled task makes of its scope is not asked here */
    check_str(told[1], "task 1");
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, wait_for_ever, told[0], NULL), 0);
    check_eq(rp_yield(me), 0);
    rp_scope_cancel(&s, text_of(&h, "scope %d", 2));
    give_back(&h);
    rp_scope_cancel(&s, "again");
    check_str(rp_why(me), "scope 2");
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_str(told[0], "scope 2");
    return 0;
}

TEST(given, a_reason_of_a_scope)
{
    everywhere(scopes, 0);
}

/* ---- options ------------------------------------------------------------------------------------- */

static int look(rp_self *me, void *arg)
{
    char url[64], name[32];
    int rc = rp_listen_url(me, url, sizeof url);
    check_eq(rc, 0);
    check(strncmp(url, "tcp://127.0.0.1:", 16) == 0, "%s", url);
    check_eq(rp_node_name(me, rp_this_node(me), name, sizeof name), 0);
    check_str(name, "somebody");
    return stopped(me, arg);
}

static void tick_to_the_end(rp_system *sys, int turns)
{
    for (int i = 0; i < turns; i++)
        check(rp_system_tick(sys, 0) >= 0);
}

TEST(given, options_die_with_the_call)
{
    struct heap *h = &heap;
    rp_system *sys;
    rp_actor root = {.name = text_of(h, "root"), .run = look};
    const rp_type *types[] = {NUM, TEXT, NULL};
    rp_alloc mem = {0};
    struct test_mem counted;
    test_mem_init(&counted);
    mem = counted.alloc;
    rp_system_opts o = {.listen = text_of(h, "tcp://127.0.0.1:%d", 0), .node = text_of(h, "somebody"), .secret = text_of(h, "none"),
                        .types = borrowed(h, types, sizeof types), .mem = borrowed(h, &mem, sizeof mem)};
    check_eq(rp_system_open(borrowed(h, &root, sizeof root), NULL, borrowed(h, &o, sizeof o), &sys), 0);
    give_back(h);
    tick_to_the_end(sys, 100);
    rp_quit(sys, text_of(h, "told %d", 1));
    give_back(h);
    check_eq(rp_system_close(sys), -ECANCELED);
    check_str(told[0], "told 1");
    check_eq(counted.blocks, 0);
}

TEST(given, a_queues_name)
{
    struct heap h = {0};
    rp_queue *q;
    check_eq(rp_queue_new(8, 1, &(rp_queue_opts){.name = text_of(&h, "jobs")}, &q), 0);
    give_back(&h);
    rp_queue_free(q);
}

/* ---- supervisors --------------------------------------------------------------------------------- */

static _Atomic unsigned begun;

static int begins(rp_self *me, void *state, void *arg)
{
    (void)me, (void)state;
    begun += (unsigned)(uintptr_t)arg;
    return 0;
}

static int supervise_borrowed(rp_self *me, rp_ref *ret)
{
    struct heap h = {0};
    rp_actor kind = {.name = text_of(&h, "leaf"), .handle = echo, .init = begins, .state_size = 8};
    rp_child leaf = {.actor = borrowed(&h, &kind, sizeof kind), .opts = {.name = text_of(&h, "leaf"), .arg = (void *)1}};
    rp_supervisor inner = {.name = text_of(&h, "inner"), .children = borrowed(&h, &leaf, sizeof leaf), .nchildren = 1, .within_ms = 60000};
    rp_child both[] = {{.supervisor = borrowed(&h, &inner, sizeof inner), .opts = {.name = text_of(&h, "in")}},
                       {.actor = leaf.actor, .opts = {.name = text_of(&h, "beside"), .arg = (void *)100}}};
    rp_supervisor outer = {.children = borrowed(&h, both, sizeof both), .nchildren = 2, .restarts = 100, .within_ms = 60000};
    int rc = rp_supervise(me, borrowed(&h, &outer, sizeof outer), &(rp_spawn_opts){.monitor = true}, ret);
    rp_child more = {.actor = leaf.actor, .opts = {.name = text_of(&h, "more"), .arg = (void *)10000}};
    rp_ref added;
    if (rc == 0)
        rc = rp_supervise_add(me, *ret, borrowed(&h, &more, sizeof more), &added);
    give_back(&h);
    return rc;
}

static void fall(rp_self *me, const char *name, unsigned want)
{
    rp_ref r;
    check_eq(rp_whereis(me, name, &r), 0);
    check_eq(tell_num(me, r, 13), 0);
    while (begun != want)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
}

static int supervised(rp_self *me, void *arg)
{
    (void)arg;
    struct rp_down d;
    rp_ref sup;
    begun = 0;
    check_eq(supervise_borrowed(me, &sup), 0);
    check_eq(begun, 10101);
    fall(me, "leaf", 10102); /* the inner one gives up at the first failure, and begins again */
    fall(me, "beside", 10202);
    fall(me, "more", 20202);
    fall(me, "leaf", 20203);
    check_eq(rp_stop(me, sup, "enough"), 0);
    return recv_down(me, &d);
}

TEST(given, a_supervisors_tables_die_with_the_call)
{
    everywhere(supervised, 0);
}

static int endless(rp_self *me, void *arg)
{
    (void)arg;
    rp_child self = {0};
    rp_supervisor s = {.children = &self, .nchildren = 1};
    self.supervisor = &s;
    check_eq(rp_supervise(me, &s, NULL, NULL), -EINVAL);
    return 0;
}

TEST(given, a_table_in_itself_is_refused)
{
    check_eq(run_with(endless, 0, &(rp_system_opts){.loops = 1}), 0);
}
