/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- support ------------------------------------------------------------------------------------- */

static void passes(rp_self *me, int n)
{
    for (int i = 0; i < n; i++)
        check_eq(rp_yield(me), 0);
}

struct crew_actor {
    int (*fn)(rp_self *, void *);
    void *arg;
};

static int crew_main(rp_self *me, void *arg)
{
    struct crew_actor *c = arg;
    return c->fn(me, c->arg);
}
static const rp_actor crew_kind = {.name = "crew", .run = crew_main};

/* Runs `fn` as n actors on all loops, each with its element of `args`; none may fail. */
static void crew(rp_self *me, int (*fn)(rp_self *, void *), void *args, size_t size, unsigned n)
{
    struct crew_actor c[16];
    for (unsigned i = 0; i < n; i++) {
        c[i] = (struct crew_actor){fn, (char *)args + i * size};
        check_eq(rp_spawn(me, &crew_kind, &(rp_spawn_opts){.arg = &c[i], .on = RP_SPREAD, .monitor = true}, NULL), 0);
    }
    for (unsigned i = 0; i < n; i++) {
        struct rp_down d;
        check_eq(recv_down(me, &d), 0);
        check_eq(d.reason, 0);
    }
}

static rp_time some_deadline(rp_self *me)
{
    uint64_t r = rp_random(me);
    return r % 4 == 0 ? 0 : r % 4 == 1 ? rp_now(me) + (rp_time)(r / 4 % 200) * RP_US : RP_FOREVER;
}

static void in_50_simulations(root_fn *fn)
{
    uint64_t seed = test_seed();
    for (uint32_t i = 0; i < seeds(50); i++) {
        rp_system_opts sim = {.loops = 1 + i % 3, .sim_seed = seed + i};
        check_eq(run_with(fn, 0, &sim), 0);
    }
}

/* Two loops, as they come and always asleep; three unfair ones; 50 simulated systems. */
static void stress_everywhere(root_fn *fn)
{
    rp_system_opts two = {.loops = 2}, sleepy = {.loops = 2, .spin_us = -1}, chaos = {.loops = 3, .chaos_seed = 7};
    check_eq(run_with(fn, 0, &two), 0);
    check_eq(run_with(fn, 0, &sleepy), 0);
    check_eq(run_with(fn, 0, &chaos), 0);
    in_50_simulations(fn);
}

/* A task that may be cancelled by itself; nothing here depends on how fast the machine is. */
static rp_task *start(rp_self *me, rp_scope *s, rp_task_fn *fn, void *arg)
{
    rp_task *t;
    check_eq(rp_go(me, s, fn, arg, &t), 0);
    return t;
}

struct turn { /* one task in a line */
    void *on;
    int rc, order, *count;
    rp_time deadline;
    uint32_t n;
    rp_event *hold; /* it keeps what it got until this is set */
};

/* ---- lock ---------------------------------------------------------------------------------------- */

static int locks_in_turn(rp_self *me, void *arg)
{
    struct turn *t = arg;
    t->rc = rp_lock_acquire(me, t->on, t->deadline);
    t->order = ++*t->count;
    return t->rc == 0 ? rp_lock_release(me, t->on) : 0;
}

static int lock_rules(rp_self *me, void *arg)
{
    (void)arg;
    rp_lock k = {0};
    struct turn t[4];
    rp_task *task[4];
    int count = 0;
    check_eq(rp_lock_release(me, &k), -EPERM);
    check_eq(rp_lock_acquire(me, &k, 0), 0); /* need not wait */
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), -EDEADLK);
    check_eq(rp_lock_try(me, &k), -EDEADLK);
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 4; i++) { /* the second gives up */
        t[i] = (struct turn){.on = &k, .count = &count, .deadline = RP_FOREVER};
        task[i] = start(me, &s, locks_in_turn, &t[i]);
    }
    passes(me, 2);
    rp_task_cancel(task[1], "test");
    passes(me, 2);
    check_eq(count, 1);
    check_eq(rp_lock_acquire(me, &k, 0), -EDEADLK);
    check_eq(rp_lock_release(me, &k), 0);
    check_eq(rp_lock_try(me, &k), -EAGAIN); /* it went to who waited */
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(t[1].rc, -ECANCELED);
    check_eq(t[0].order, 2);
    check_eq(t[2].order, 3);
    check_eq(t[3].order, 4);
    rp_scope_open(me, &s, RP_FOREVER);
    rp_scope_cancel(&s, "test");
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), -ECANCELED);
    check_eq(rp_lock_try(me, &k), 0);
    check_eq(rp_lock_release(me, &k), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    return 0;
}

TEST(sync, lock_rules)
{
    everywhere(lock_rules, 0);
}

static int dies_holding(rp_self *me, void *arg)
{
    int rc = rp_lock_acquire(me, arg, RP_FOREVER);
    return rc == -EOWNERDEAD ? 0 : rc;
}

static int lock_death(rp_self *me, void *arg)
{
    (void)arg;
    rp_lock k[2] = {{{0}}, {{0}}};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, dies_holding, &k[0], NULL), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(rp_lock_acquire(me, &k[0], RP_FOREVER), -EOWNERDEAD); /* it owns it all the same, */
    check_eq(rp_lock_acquire(me, &k[0], RP_FOREVER), -EDEADLK);
    check_eq(rp_lock_release(me, &k[0]), 0);
    check_eq(rp_lock_acquire(me, &k[0], RP_FOREVER), 0); /* and is told once */
    struct turn t = {.on = &k[0], .deadline = RP_FOREVER, .count = &(int){0}};
    rp_scope_open(me, &s, RP_FOREVER); /* one that already waits */
    check_eq(rp_go(me, &s, dies_holding, &k[0], NULL), 0);
    check_eq(rp_go(me, &s, locks_in_turn, &t, NULL), 0);
    passes(me, 2);
    check_eq(rp_lock_release(me, &k[0]), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(t.rc, -EOWNERDEAD);
    check_eq(rp_lock_acquire(me, &k[0], RP_FOREVER), -EOWNERDEAD); /* it did not release it either */
    check_eq(rp_lock_acquire(me, &k[1], RP_FOREVER), 0);
    check_eq(rp_lock_release(me, &k[0]), 0); /* in any order */
    check_eq(rp_lock_release(me, &k[1]), 0);
    crew(me, dies_holding, k, sizeof *k, 2); /* actors, on any loop */
    check_eq(rp_lock_acquire(me, &k[1], RP_FOREVER), -EOWNERDEAD);
    check_eq(rp_lock_acquire(me, &k[0], RP_FOREVER), -EOWNERDEAD);
    check_eq(rp_lock_release(me, &k[0]), 0);
    check_eq(rp_lock_release(me, &k[1]), 0);
    return 0;
}

TEST(sync, lock_owner_death)
{
    everywhere(lock_death, 0);
}

static int keeps_for_ever(rp_self *me, void *arg)
{
    check_eq(rp_lock_acquire(me, arg, RP_FOREVER), 0);
    return rp_sleep(me, RP_FOREVER);
}

static const rp_actor keeper = {.name = "keeper", .run = keeps_for_ever};

static int lock_stopped(rp_self *me, void *arg)
{
    (void)arg;
    rp_lock k = {0};
    rp_ref r;
    check_eq(rp_spawn(me, &keeper, &(rp_spawn_opts){.arg = &k, .on = RP_SPREAD}, &r), 0);
    int rc;
    while ((rc = rp_lock_try(me, &k)) == 0) { /* until it has it */
        check_eq(rp_lock_release(me, &k), 0);
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    }
    check_eq(rc, -EAGAIN);
    check_eq(rp_lock_acquire(me, &k, rp_in_ms(me, 1)), -ETIMEDOUT);
    check_eq(rp_stop(me, r, "test"), 0);
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), -EOWNERDEAD);
    return rp_lock_release(me, &k);
}

TEST(sync, lock_of_a_stopped_actor)
{
    everywhere(lock_stopped, 0);
}

static int runs(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return 0;
}

static int makes_state(rp_self *me, void *state, void *arg)
{
    (void)me;
    *(void **)state = arg;
    return 0;
}

static void keeps_in_fini(rp_self *me, void *state, int reason)
{
    (void)reason;
    check_eq(rp_lock_acquire(me, *(void **)state, RP_FOREVER), 0);
}

static const rp_actor careless = {
    .name = "careless", .run = runs, .init = makes_state, .fini = keeps_in_fini, .state_size = sizeof(void *),
};

static int lock_in_fini(rp_self *me, void *arg)
{
    (void)arg;
    rp_lock k = {0};
    struct rp_down d;
    check_eq(rp_spawn(me, &careless, &(rp_spawn_opts){.arg = &k, .on = RP_SPREAD, .monitor = true}, NULL), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), -EOWNERDEAD);
    return rp_lock_release(me, &k);
}

TEST(sync, lock_taken_in_fini)
{
    everywhere(lock_in_fini, 0);
}

enum { ROUNDS = 300, MEMBERS = 6 };

struct shared {
    rp_lock lock;
    rp_rwlock rw;
    rp_cond not_empty, not_full;
    int inside, sum, full; /* plain: the lock guards them */
    int deaths;
    _Atomic int told, died, readers;
    rp_sem sem;
    _Atomic int units;
};

struct member {
    struct shared *s;
    int id;
};

static void members(rp_self *me, struct shared *s, int (*fn)(rp_self *, void *))
{
    struct member m[MEMBERS];
    for (int i = 0; i < MEMBERS; i++)
        m[i] = (struct member){s, i};
    crew(me, fn, m, sizeof *m, MEMBERS);
}

static int one_critical(rp_self *me, void *arg)
{
    struct shared *s = arg;
    int rc = rp_lock_acquire(me, &s->lock, some_deadline(me));
    if (rc != 0 && rc != -EOWNERDEAD)
        return 0;
    s->told += rc == -EOWNERDEAD;
    check_eq(s->inside++, 0);
    if (rp_random(me) % 4 == 0)
        (void)!rp_yield(me); /* perhaps cancelled: no matter */
    check_eq(--s->inside, 0);
    s->sum++;
    if (rp_random(me) % 8 == 0) {
        s->died++;
        return 1; /* holding it */
    }
    return rp_lock_release(me, &s->lock);
}

static int criticals(rp_self *me, void *arg)
{
    struct member *m = arg;
    for (int i = 0; i < ROUNDS; i++) {
        rp_scope s;
        rp_scope_open(me, &s, RP_FOREVER);
        int rc = rp_go(me, &s, one_critical, m->s, NULL);
        if (rp_random(me) % 4 == 0) {
            passes(me, (int)(rp_random(me) % 3));
            rp_scope_cancel(&s, "test");
        }
        check_eq(rp_scope_close(me, &s, rc), 0);
    }
    return 0;
}

static int lock_stress(rp_self *me, void *arg)
{
    (void)arg;
    struct shared s = {.sum = 0};
    members(me, &s, criticals);
    check(s.sum > ROUNDS, "%d", s.sum);
    int rc = rp_lock_try(me, &s.lock);
    s.told += rc == -EOWNERDEAD;
    check(rc == 0 || rc == -EOWNERDEAD, "%d: nobody holds it", rc);
    check_eq(rp_lock_release(me, &s.lock), 0);
    check_eq(s.told, s.died); /* each death was told, once */
    return 0;
}

TEST(sync, lock_stress)
{
    stress_everywhere(lock_stress);
}

/* ---- readers and writers -------------------------------------------------------------------------- */

static int reads_in_turn(rp_self *me, void *arg)
{
    struct turn *t = arg;
    t->rc = t->n ? rp_rwlock_write(me, t->on, t->deadline) : rp_rwlock_read(me, t->on, t->deadline);
    t->order = ++*t->count;
    if (t->rc != 0)
        return 0;
    if (t->hold && rp_event_wait(me, t->hold, RP_FOREVER) != 0)
        return -EIO;
    return rp_rwlock_release(me, t->on);
}

static int rwlock_rules(rp_self *me, void *arg)
{
    (void)arg;
    rp_rwlock k = {0};
    rp_event go = {0};
    int count = 0;
    struct turn t[5];
    check_eq(rp_rwlock_release(me, &k), -EPERM);
    check_eq(rp_rwlock_read(me, &k, RP_FOREVER), 0);
    check_eq(rp_rwlock_read(me, &k, RP_FOREVER), -EDEADLK);
    check_eq(rp_rwlock_write(me, &k, RP_FOREVER), -EDEADLK);
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 5; i++) { /* a reader, a writer, two readers, a writer */
        t[i] = (struct turn){.on = &k, .count = &count, .deadline = RP_FOREVER, .n = i == 1 || i == 4, .hold = &go};
        check_eq(rp_go(me, &s, reads_in_turn, &t[i], NULL), 0);
    }
    passes(me, 2);
    check_eq(count, 1); /* the reader came in beside us; those behind the writer do not pass it */
    rp_event_set(&go);
    check_eq(rp_rwlock_release(me, &k), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    for (int i = 0; i < 5; i++)
        check_eq(t[i].order, i + 1);
    check_eq(rp_rwlock_read(me, &k, RP_FOREVER), 0); /* a writer that gives up holds up nobody */
    rp_scope_open(me, &s, RP_FOREVER);
    t[0] = (struct turn){.on = &k, .count = &count, .deadline = RP_FOREVER, .n = 1};
    t[1] = t[2] = (struct turn){.on = &k, .count = &count, .deadline = RP_FOREVER};
    rp_task *task[3];
    for (int i = 0; i < 3; i++)
        task[i] = start(me, &s, reads_in_turn, &t[i]);
    passes(me, 2);
    check_eq(count, 5);
    rp_task_cancel(task[0], "test");
    check_eq(rp_scope_close(me, &s, 0), 0); /* while we still read */
    check_eq(t[0].rc, -ECANCELED);
    check_eq(t[1].rc | t[2].rc, 0);
    return rp_rwlock_release(me, &k);
}

TEST(sync, rwlock_rules)
{
    everywhere(rwlock_rules, 0);
}

static int dies_writing(rp_self *me, void *arg)
{
    return rp_rwlock_write(me, arg, RP_FOREVER);
}

static int dies_reading(rp_self *me, void *arg)
{
    return rp_rwlock_read(me, arg, RP_FOREVER);
}

static int rwlock_death(rp_self *me, void *arg)
{
    (void)arg;
    rp_rwlock k = {0};
    crew(me, dies_writing, &k, sizeof k, 1);
    check_eq(rp_rwlock_read(me, &k, RP_FOREVER), -EOWNERDEAD);
    check_eq(rp_rwlock_release(me, &k), 0);
    check_eq(rp_rwlock_read(me, &k, RP_FOREVER), 0);
    check_eq(rp_rwlock_release(me, &k), 0);
    crew(me, dies_reading, &k, sizeof k, 1);
    check_eq(rp_rwlock_write(me, &k, RP_FOREVER), -EOWNERDEAD);
    return rp_rwlock_release(me, &k);
}

TEST(sync, rwlock_owner_death)
{
    everywhere(rwlock_death, 0);
}

static int one_reading(rp_self *me, void *arg)
{
    struct shared *s = arg;
    bool write = rp_random(me) % 3 == 0;
    int rc = write ? rp_rwlock_write(me, &s->rw, some_deadline(me)) : rp_rwlock_read(me, &s->rw, some_deadline(me));
    if (rc != 0 && rc != -EOWNERDEAD)
        return 0;
    s->told += rc == -EOWNERDEAD;
    if (write) {
        check_eq(s->readers, 0);
        check_eq(s->inside++, 0);
        s->sum++;
    } else {
        s->readers++;
        check_eq(s->inside, 0);
    }
    if (rp_random(me) % 2 == 0)
        (void)!rp_yield(me);
    if (write)
        check_eq(--s->inside, 0);
    else
        s->readers--;
    if (rp_random(me) % 16 == 0) {
        s->died++;
        return 1;
    }
    return rp_rwlock_release(me, &s->rw);
}

static int readings(rp_self *me, void *arg)
{
    struct member *m = arg;
    for (int i = 0; i < ROUNDS; i++) {
        rp_scope s;
        rp_scope_open(me, &s, RP_FOREVER);
        int rc = rp_go(me, &s, one_reading, m->s, NULL);
        if (rp_random(me) % 4 == 0) {
            passes(me, (int)(rp_random(me) % 3));
            rp_scope_cancel(&s, "test");
        }
        check_eq(rp_scope_close(me, &s, rc), 0);
    }
    return 0;
}

static int rwlock_stress(rp_self *me, void *arg)
{
    (void)arg;
    struct shared s = {.sum = 0};
    members(me, &s, readings);
    int rc = rp_rwlock_write(me, &s.rw, 0);
    check(rc == 0 || rc == -EOWNERDEAD, "%d: nobody is in", rc);
    check_eq(rp_rwlock_release(me, &s.rw), 0);
    check(s.told <= s.died && s.died - s.told <= MEMBERS * ROUNDS / 4, "%d of %d", s.told, s.died);
    check(s.sum > 0);
    return 0;
}

TEST(sync, rwlock_stress)
{
    stress_everywhere(rwlock_stress);
}

/* ---- condition ------------------------------------------------------------------------------------ */

struct waits {
    rp_lock *k;
    rp_cond *c;
    rp_time deadline;
    int rc, order, *count;
};

static int waits_for_signal(rp_self *me, void *arg)
{
    struct waits *w = arg;
    check_eq(rp_lock_acquire(me, w->k, RP_FOREVER), 0);
    w->rc = rp_cond_wait(me, w->c, w->k, w->deadline);
    w->order = ++*w->count;
    return rp_lock_release(me, w->k); /* it owns it, whatever happened */
}

static int cond_rules(rp_self *me, void *arg)
{
    (void)arg;
    rp_lock k = {0};
    rp_cond c = {0};
    int count = 0;
    struct waits w[5];
    rp_task *task[5];
    check_eq(rp_cond_wait(me, &c, &k, RP_FOREVER), -EPERM);
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), 0);
    check_eq(rp_cond_wait(me, &c, &k, 0), -ETIMEDOUT);
    check_eq(rp_lock_release(me, &k), 0);
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 5; i++) {
        w[i] = (struct waits){&k, &c, RP_FOREVER, -1, 0, &count};
        task[i] = start(me, &s, waits_for_signal, &w[i]);
    }
    passes(me, 4);
    rp_task_cancel(task[0], "test");
    passes(me, 4);
    check_eq(count, 1);
    check_eq(w[0].rc, -ECANCELED);
    rp_cond_signal(&c); /* goes to who still waits */
    passes(me, 4);
    check_eq(count, 2);
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), 0);
    rp_cond_broadcast(&c);
    passes(me, 4);
    check_eq(count, 2); /* the lock is ours */
    check_eq(rp_lock_release(me, &k), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    for (int i = 1; i < 5; i++) {
        check_eq(w[i].rc, 0);
        check_eq(w[i].order, i + 1);
    }
    return 0;
}

TEST(sync, cond_rules)
{
    everywhere(cond_rules, 0);
}

static int cond_cancel(rp_self *me, void *arg)
{
    (void)arg;
    rp_lock k = {0};
    rp_cond c = {0};
    int count = 0;
    struct waits w = {&k, &c, RP_FOREVER, -1, 0, &count};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_go(me, &s, waits_for_signal, &w, NULL), 0);
    passes(me, 2);
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), 0);
    rp_scope_cancel(&s, "test");
    check_eq(rp_scope_check(me), -ECANCELED);
    check_eq(count, 0); /* cancelled, but it waits for the lock */
    check_eq(rp_lock_release(me, &k), 0);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(w.rc, -ECANCELED);
    check_eq(rp_lock_acquire(me, &k, RP_FOREVER), 0); /* the dead leave a word here too */
    rp_scope_open(me, &s, RP_FOREVER);
    check_eq(rp_lock_release(me, &k), 0);
    w.rc = -1;
    check_eq(rp_go(me, &s, waits_for_signal, &w, NULL), 0);
    passes(me, 2);
    check_eq(rp_go(me, &s, dies_holding, &k, NULL), 0);
    passes(me, 2);
    rp_cond_signal(&c);
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(w.rc, -EOWNERDEAD);
    return 0;
}

TEST(sync, cond_cancelled)
{
    everywhere(cond_cancel, 0);
}

/* A bounded buffer by hand: half the members put, half get; waits time out at random. */
static int buffer_by_hand(rp_self *me, void *arg)
{
    struct member *m = arg;
    struct shared *s = m->s;
    for (int i = 0; i < ROUNDS; i++) {
        bool put = m->id % 2;
        check_eq(rp_lock_acquire(me, &s->lock, RP_FOREVER), 0);
        while (put ? s->full == 2 : s->full == 0) {
            int rc = rp_cond_wait(me, put ? &s->not_full : &s->not_empty, &s->lock, some_deadline(me));
            check(rc == 0 || rc == -ETIMEDOUT, "%d", rc);
            check_eq(s->inside, 0);
            if (rc != 0) { /* the deadline may be 0: let others in */
                check_eq(rp_lock_release(me, &s->lock), 0);
                check_eq(rp_yield(me), 0);
                check_eq(rp_lock_acquire(me, &s->lock, RP_FOREVER), 0);
            }
        }
        s->inside++;
        s->full += put ? 1 : -1;
        check(s->full >= 0 && s->full <= 2);
        s->inside--;
        check_eq(rp_lock_release(me, &s->lock), 0);
        if (i % 8 == 0)
            rp_cond_broadcast(put ? &s->not_empty : &s->not_full);
        else
            rp_cond_signal(put ? &s->not_empty : &s->not_full);
    }
    return 0;
}

static int cond_stress(rp_self *me, void *arg)
{
    (void)arg;
    struct shared s = {.sum = 0};
    members(me, &s, buffer_by_hand);
    check_eq(s.full, 0);
    return 0;
}

TEST(sync, cond_stress)
{
    stress_everywhere(cond_stress);
}

/* ---- event ---------------------------------------------------------------------------------------- */

static int waits_for_event(rp_self *me, void *arg)
{
    struct turn *t = arg;
    t->rc = rp_event_wait(me, t->on, t->deadline);
    ++*t->count;
    return 0;
}

static int event_rules(rp_self *me, void *arg)
{
    (void)arg;
    rp_event e = {0};
    int count = 0;
    struct turn t[4];
    rp_task *task[4];
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 4; i++) {
        t[i] = (struct turn){.on = &e, .count = &count, .deadline = RP_FOREVER};
        task[i] = start(me, &s, waits_for_event, &t[i]);
    }
    check_eq(rp_event_wait(me, &e, 0), -ETIMEDOUT);
    check_eq(rp_event_wait(me, &e, rp_in_ms(me, 1)), -ETIMEDOUT);
    rp_task_cancel(task[0], "test");
    passes(me, 2);
    check_eq(count, 1);
    rp_event_set(&e);
    rp_event_clear(&e); /* who waited goes on all the same */
    check(!rp_event_is_set(&e));
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(t[0].rc, -ECANCELED);
    check_eq(t[1].rc | t[2].rc | t[3].rc, 0);
    rp_event_set(&e);
    check(rp_event_is_set(&e));
    return rp_event_wait(me, &e, 0);
}

TEST(sync, event_rules)
{
    everywhere(event_rules, 0);
}

static void *sets(void *arg)
{
    rp_event_set(arg);
    return 0;
}

static int event_from_a_thread(rp_self *me, void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        rp_event e = {0};
        pthread_t t;
        check_eq(pthread_create(&t, 0, sets, &e), 0);
        check_eq(rp_event_wait(me, &e, RP_FOREVER), 0);
        pthread_join(t, 0);
    }
    return 0;
}

TEST(sync, event_from_a_thread)
{
    check_eq(run_with(event_from_a_thread, 0, 0), 0);
}

/* ---- semaphore ------------------------------------------------------------------------------------ */

static int takes_units(rp_self *me, void *arg)
{
    struct turn *t = arg;
    t->rc = rp_sem_acquire(me, t->on, t->n, t->deadline);
    t->order = ++*t->count;
    return 0;
}

static int sem_rules(rp_self *me, void *arg)
{
    (void)arg;
    rp_sem k;
    int count = 0;
    struct turn t[4];
    rp_task *task[4];
    check_eq(rp_sem_init(&k, 5, 4), -EINVAL);
    check_eq(rp_sem_init(&k, 2, 4), 0);
    check_eq(rp_sem_acquire(me, &k, 5, RP_FOREVER), -EINVAL);
    check_eq(rp_sem_acquire(me, &k, 0, RP_FOREVER), -EINVAL);
    check_eq(rp_sem_release(&k, 3), -EOVERFLOW);
    check_eq(rp_sem_acquire(me, &k, 3, 0), -ETIMEDOUT);
    const uint32_t want[] = {4, 1, 2, 1};
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 4; i++) {
        t[i] = (struct turn){.on = &k, .n = want[i], .count = &count, .deadline = RP_FOREVER};
        task[i] = start(me, &s, takes_units, &t[i]);
    }
    passes(me, 2);
    check_eq(count, 0); /* there would be enough for the second, but the first was first */
    check_eq(rp_sem_try(&k, 1), -EAGAIN);
    check_eq(rp_sem_release(&k, 2), 0);
    passes(me, 3);
    check_eq(t[0].order, 1);
    check_eq(rp_sem_release(&k, 1), 0);
    passes(me, 3);
    check_eq(t[1].order, 2);
    check_eq(rp_sem_release(&k, 1), 0); /* not enough for the third, */
    passes(me, 3);
    check_eq(count, 2);
    rp_task_cancel(task[2], "test");    /* which gives up */
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(t[2].rc, -ECANCELED);
    check_eq(t[3].rc, 0); /* and so the fourth has its turn */
    check_eq(rp_sem_release(&k, 4), 0);
    check_eq(rp_sem_try(&k, 4), 0);
    return 0;
}

TEST(sync, sem_rules)
{
    everywhere(sem_rules, 0);
}

enum { UNITS = 5 };

static int one_loan(rp_self *me, void *arg)
{
    struct shared *s = arg;
    uint32_t n = 1 + (uint32_t)(rp_random(me) % UNITS);
    int rc = rp_sem_acquire(me, &s->sem, n, some_deadline(me));
    if (rc != 0)
        return 0;
    check(atomic_fetch_add(&s->units, (int)n) + (int)n <= UNITS);
    if (rp_random(me) % 2)
        (void)!rp_yield(me);
    atomic_fetch_sub(&s->units, (int)n);
    return rp_sem_release(&s->sem, n);
}

static int loans(rp_self *me, void *arg)
{
    struct member *m = arg;
    for (int i = 0; i < ROUNDS; i++) {
        rp_scope s;
        rp_scope_open(me, &s, RP_FOREVER);
        int rc = rp_go(me, &s, one_loan, m->s, NULL);
        if (rp_random(me) % 4 == 0) {
            passes(me, (int)(rp_random(me) % 3));
            rp_scope_cancel(&s, "test");
        }
        check_eq(rp_scope_close(me, &s, rc), 0);
    }
    return 0;
}

static int sem_stress(rp_self *me, void *arg)
{
    (void)arg;
    struct shared s = {.sum = 0};
    check_eq(rp_sem_init(&s.sem, UNITS, UNITS), 0);
    members(me, &s, loans);
    check_eq(rp_sem_try(&s.sem, UNITS), 0); /* all are back */
    return 0;
}

TEST(sync, sem_stress)
{
    stress_everywhere(sem_stress);
}

/* ---- limiter -------------------------------------------------------------------------------------- */

static int takes_tokens(rp_self *me, void *arg)
{
    struct turn *t = arg;
    t->rc = rp_limiter_acquire(me, t->on, t->n, t->deadline);
    t->order = ++*t->count;
    return 0;
}

static int limiter_rules(rp_self *me, void *arg)
{
    (void)arg;
    rp_limiter m;
    check_eq(rp_limiter_init(&m, 0, RP_S, 1), -EINVAL);
    check_eq(rp_limiter_init(&m, 1, RP_S, UINT64_MAX / 4), -EINVAL);
    check_eq(rp_limiter_init(&m, 3, 10 * RP_MS, 4), 0); /* a third of a token is no rounded thing */
    check_eq(rp_limiter_acquire(me, &m, 5, RP_FOREVER), -EINVAL);
    rp_time from = rp_now(me);
    for (int i = 0; i < 4; i++)
        check_eq(rp_limiter_acquire(me, &m, 1, 0), 0); /* the burst */
    check_eq(rp_limiter_try(me, &m, 4), -EAGAIN);
    check_eq(rp_limiter_acquire(me, &m, 4, rp_in_ms(me, 5)), -ETIMEDOUT);
    check(rp_now(me) - from < RP_MS, "it was known at once");
    int count = 0;
    struct turn t[3];
    rp_scope s;
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < 3; i++) { /* the second gives up while the first sleeps */
        t[i] = (struct turn){.on = &m, .n = 3, .count = &count, .deadline = i == 1 ? rp_in_ms(me, 2) : RP_FOREVER};
        check_eq(rp_go(me, &s, takes_tokens, &t[i], NULL), 0);
    }
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(t[1].rc, -ETIMEDOUT);
    check_eq(t[1].order, 1);
    check_eq(t[0].order, 2);
    check_eq(t[2].order, 3);
    rp_time took = rp_now(me) - from;
    check(took >= 20 * RP_MS - 1, "6 tokens after the burst took %lld us", (long long)(took / RP_US));
    check(took < 22 * RP_MS, "6 tokens after the burst took %lld us", (long long)(took / RP_US));
    rp_scope_open(me, &s, RP_FOREVER); /* the one at the head is cancelled: it has taken nothing */
    t[0] = (struct turn){.on = &m, .n = 4, .count = &count, .deadline = RP_FOREVER};
    check_eq(rp_go(me, &s, takes_tokens, &t[0], NULL), 0);
    passes(me, 2);
    rp_scope_cancel(&s, "test");
    check_eq(rp_scope_close(me, &s, 0), 0);
    check_eq(t[0].rc, -ECANCELED);
    from = rp_now(me);
    check_eq(rp_limiter_acquire(me, &m, 1, RP_FOREVER), 0);
    check(rp_now(me) - from < 5 * RP_MS);
    return 0;
}

TEST(sync, limiter_rules)
{
    in_50_simulations(limiter_rules); /* to the microsecond: not on a real machine */
}

struct limited {
    rp_limiter *m;
    uint64_t got;
};

static int takes_many(rp_self *me, void *arg)
{
    struct limited *l = arg;
    for (int i = 0; i < 100; i++) {
        uint64_t n = 1 + rp_random(me) % 4;
        int rc = rp_limiter_acquire(me, l->m, n, rp_random(me) % 3 ? RP_FOREVER : rp_now(me) + 100 * RP_US);
        check(rc == 0 || rc == -ETIMEDOUT, "%d", rc);
        l->got += rc == 0 ? n : 0;
    }
    return 0;
}

static int limiter_stress(rp_self *me, void *arg)
{
    (void)arg;
    rp_limiter m;
    check_eq(rp_limiter_init(&m, 100, RP_MS, 8), 0);
    struct limited l[4] = {{&m, 0}, {&m, 0}, {&m, 0}, {&m, 0}};
    rp_time from = rp_now(me);
    crew(me, takes_many, l, sizeof *l, 4);
    uint64_t got = l[0].got + l[1].got + l[2].got + l[3].got;
    rp_time took = rp_now(me) - from;
    check(got <= 8 + (uint64_t)(took * 100 / RP_MS), "%d tokens in %d us", (int)got, (int)(took / RP_US));
    check(got > 400);
    return 0;
}

TEST(sync, limiter_stress)
{
    stress_everywhere(limiter_stress);
}

/* ---- barrier -------------------------------------------------------------------------------------- */

struct meeting {
    rp_barrier b;
    _Atomic int at[MEMBERS], lasts, none;
};

struct attendant {
    struct meeting *m;
    int id;
};

static int meets(rp_self *me, void *arg)
{
    struct attendant *a = arg;
    for (int round = 1; round <= 50; round++) {
        a->m->at[a->id] = round;
        int rc;
        while ((rc = rp_barrier_wait(me, &a->m->b, some_deadline(me))) == -ETIMEDOUT) /* who gives up comes again */
            check_eq(rp_yield(me), 0);
        check(rc == 0 || rc == 1, "%d", rc);
        a->m->lasts += rc;
        for (int i = 0; i < MEMBERS; i++)
            check(a->m->at[i] >= round, "passed before all had come");
    }
    return 0;
}

static int barrier_stress(rp_self *me, void *arg)
{
    (void)arg;
    struct meeting m = {.lasts = 0};
    struct attendant a[MEMBERS];
    check_eq(rp_barrier_init(&m.b, 0), -EINVAL);
    check_eq(rp_barrier_init(&m.b, MEMBERS), 0);
    check_eq(rp_barrier_wait(me, &m.b, rp_in_ms(me, 1)), -ETIMEDOUT); /* and so it has not come */
    for (int i = 0; i < MEMBERS; i++)
        a[i] = (struct attendant){&m, i};
    crew(me, meets, a, sizeof *a, MEMBERS);
    check_eq(m.lasts, 50); /* one in each round is told */
    return 0;
}

TEST(sync, barrier_stress)
{
    stress_everywhere(barrier_stress);
}

/* ---- once ----------------------------------------------------------------------------------------- */

struct first {
    rp_once once;
    int runs, value; /* plain: once orders them */
};

static int makes_value(rp_self *me, void *arg)
{
    struct first *f = arg;
    check_eq(rp_once_run(me, &f->once, makes_value, f, RP_FOREVER), -EDEADLK);
    int rc = rp_sleep(me, rp_in_ms(me, 1));
    if (++f->runs < 3)
        return -EAGAIN; /* a value that wait loops must not take for their own */
    f->value = 42;
    return rc;
}

static int wants_value(rp_self *me, void *arg)
{
    struct first *f = *(struct first **)arg;
    int rc = rp_once_run(me, &f->once, makes_value, f, RP_FOREVER);
    check(rc == 0 || rc == -EAGAIN, "%d", rc);
    if (rc == 0)
        check_eq(f->value, 42);
    return 0;
}

static int once_rules(rp_self *me, void *arg)
{
    (void)arg;
    struct first f = {.runs = 0};
    struct first *p[MEMBERS];
    for (int i = 0; i < MEMBERS; i++)
        p[i] = &f;
    crew(me, wants_value, p, sizeof *p, MEMBERS);
    check_eq(f.runs, 3);
    return rp_once_run(me, &f.once, makes_value, &f, 0);
}

TEST(sync, once_rules)
{
    everywhere(once_rules, 0);
    in_50_simulations(once_rules);
}
