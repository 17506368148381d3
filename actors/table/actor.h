/* SPDX-License-Identifier: MIT
 *
 * actor.h - the 128 bytes of an actor, and a loop's tables of them.
 *
 * An address (address.h) has the loop, a slot there, and a generation. Actors stand in chunks that are never unmapped;
 * a slot's generation grows with each use, so an old address finds nobody. A slot whose generations
 * are used up is not used again (128 bytes lost every 16 million ends).
 *
 * All of this belongs to the actor's loop. Other loops, and other processes, ask by messages.
 */
#ifndef RP__ACTOR_H
#define RP__ACTOR_H

#include "actors/table/kind.h"
#include "loop/base/address.h"
#include "loop/base/ids.h"
#include "loop/base/map.h"
#include "loop/stack.h"
#include "mailbox/mailbox.h"
#include "reparto/inspect.h"
#include "reparto/supervisor.h"

enum {
    RP__A_BUSY = 1,       /* in the middle of a message: others go to its mailbox */
    RP__A_RECV = 2,       /* its stack is parked in rp_recv: the next message goes straight there */
    RP__A_COROUTINE = 4,  /* has `run` */
    RP__A_NOWAIT = 8,
    RP__A_STOPPED = 16,   /* told to end */
    RP__A_ENDING = 32,    /* has ended; its children have not yet */
    RP__A_WATCHED = 64,   /* somebody monitors it, or did until the link went: its failure is theirs */
    RP__A_TOLD = 128,     /* its children know */
    RP__A_INIT = 256,     /* init has run, so fini will */
    RP__A_DRAINS = 512,   /* its mailbox holds what comes before all else: what an idle handler has unstashed, or all that has come for
                             one that is demoted, idle or in rp_recv. RP__OP_DRAIN is on its way */
    RP__A_KEPT = 1024,    /* under a supervisor: an end is an incarnation's, until it is released */
    RP__A_DOWN = 2048,    /* kept, and its incarnation has ended: its supervisor decides */
    RP__A_TRAP = 4096,    /* to be stopped is a message to it */
    RP__A_DUE = 8192,     /* timers of it are due, and wait for it to have time */
    RP__A_MOVING = 16384, /* on its way to another loop, or the shell it goes to: busy without a stack (move.h) */
    RP__A_GUEST = 32768,  /* was born on another loop */
    RP__A_LEAVES = 65536, /* is to move when it has done with its message */
    RP__A_TRACED = 131072, /* a line for each message it begins with (trace.h) */
    RP__A_DEMOTED = 262144, /* others' messages go before its own (demote.c) */
    RP__A_UNFIT = 524288, /* its loop's stack may be too small for its handler (dispatch.c) */
    RP__A_PLACED = 24,      /* from this bit on: rp_placed */
    RP__A_PLACED_MASK = 7 << RP__A_PLACED,
    RP__A_STACK = 27,       /* and from this on: the class of the stack that its handler needs; 0: the usual one will do */
    RP__A_STACK_MASK = 7 << RP__A_STACK
};

enum { RP__NOBODY = UINT32_MAX };

struct rp__shed { /* of a mailbox that is kept short (shed.c) */
    rp_time target; /* 0: it is not */
    rp_time each;   /* message, as the last that was marked found it; 0: not known yet */
    rp_time since;  /* the line is longer than that; 0: it is not */
};

struct rp__extra { /* what few actors have */
    struct rp__hook watches; /* struct rp__watch, of those who monitor it */
    struct rp__hook kids;    /* struct rp__kid, its children on other loops */
    struct rp__hook timers;  /* struct rp__delayed */
    struct rp__hook due;     /* those whose time came while it was busy */
    struct rp__map keyed;    /* those with a key */
    struct rp__map tokens;   /* struct rp__right, that it holds (token.h) */
    struct rp__map has;      /* rp_msg, by their addresses (hands.h) */
    struct rp__hook bonds;   /* struct rp__bond, its half of each link */
    struct rp__hook names;   /* struct rp__name_watch */
    struct rp__kept *kept;   /* under a supervisor */
    struct rp__request *leave; /* it is to move */
    rp_time demoted_until;   /* RP__A_DEMOTED, on its loop's clock */
    uint32_t ticks;          /* timers taken in a row while messages wait */
    uint32_t brought;        /* timers of it that were started on another loop; those that have ended too */
    char *name, *why;        /* it is registered under; it ends for, unless that is constant (why.h) */
    rp_ref redirect;         /* where RP_REDIRECT sends */
    uint32_t stash_limit;
    struct rp__shed shed;
};

struct rp__actor {
    uint64_t addr; /* 0: free */
    int (*handle)(rp_self *me, void *state, const rp_msg *m);
    void *state;
    rp_self *co;   /* the stack it has at present, or NULL */
    struct rp__mailbox *box;
    uint32_t flags;
    uint32_t limit; /* messages in its mailbox */
    const rp_actor *kind;
    struct rp__extra *extra;

    uint64_t parent;    /* address; 0: the root. Free: the next generation */
    struct rp__kid *kid; /* its parent's record of it, on the parent's loop */
    uint32_t first_child, next, prev; /* slots of children, and of siblings, on this loop; prev of a guest: its own */
    uint32_t nchildren; /* on all loops */
    uint32_t limit_bytes;
    int32_t reason;
    union {
        const char *why;
        struct rp__move *move; /* RP__A_MOVING */
    };
    rp_overflow overflow;
    uint32_t next_todo; /* among those that are to end (end.c) */
    struct rp__spill *farewell; /* to a parent on another loop */
};

_Static_assert(sizeof(struct rp__actor) == 128, "two cache lines");

enum { RP__CHUNK_ACTORS = 16384, RP__CHUNKS = 65536 };

/* Of the actor in each slot, behind those of its chunk: in pages that nobody touches while nobody asks. Written by a
 * signal handler on the loop's own thread, read on that thread; relaxed. */
struct rp__cpu {
    _Atomic uint64_t who; /* it is this one's; another's is worth nothing */
    _Atomic rp_time ns;
};

/* Behind those: where it was spawned. Written by its loop for each that comes to it, while rp__actors.sites. */
struct rp__site {
    void *pc;
};

enum { RP__FULL_BUCKETS = 64, RP__WHERE_BUCKETS = 16 };

struct rp__where_table {
    struct rp__where **at;
    uint32_t size, used; /* size: a power of two */
    struct rp__where *few[RP__WHERE_BUCKETS];
};

struct rp__last_error { /* why the last call on a loop failed (cause.c) */
    const rp_self *whose; /* NULL: nobody's; only compared */
    uint32_t wait;        /* its waits by then */
    int rc;
    char text[224];
};

struct rp__actors {
    struct rp__actor **chunk; /* RP__CHUNKS pointers, touched as needed */
    uint32_t count;           /* slots ever used */
    uint32_t free;            /* RP__NOBODY: none */
    uint32_t live;
    uint32_t spread;          /* next loop for RP_SPREAD */
    bool sites;               /* each remembers where it was spawned (site.c) */
    struct rp__load *lent;    /* by loop: what RP_LEAST has sent there lately, and its load does not show yet */
    struct rp__types types;
    struct rp__kind_table kinds;
    struct rp__ids calls;     /* rp_self, of those who wait for a reply */
    struct rp__ids timers;    /* struct rp__delayed */
    struct rp__full *full[RP__FULL_BUCKETS]; /* targets on any loop that are known to be full */
    uint32_t nfull;
    _Atomic(struct rp__meter *) meter; /* meter.h; made on first use */
    struct rp__dead *dead;    /* dead.c; made on first use */
    struct rp__hook reserve;  /* struct rp__spill: for what must be sent when memory is out */
    uint32_t nreserve;
    uint32_t first;           /* of the sources that dispatch goes through, the next time */
    uint32_t nheld;
    struct rp__hook held;     /* struct rp__spill, of the reserve: what is to be delivered again (again.c) */
    struct rp__timer again;
    struct rp__talk *talk;    /* a mover listens; NULL: none does */
    struct rp__where_table where; /* those that do not live where they were born */
    uint32_t nmoving;         /* on their way from here or to here */
    uint64_t numbers;         /* given out by rp__new_number */
    uint32_t todo;            /* actors that are to end; RP__NOBODY: none */
    bool ending;              /* somebody is at that list */
    const char *hook;         /* that runs at present (hooks.h); NULL: none */
    const struct rp__actor *hooked; /* whose it is */
    struct rp__hook looks;    /* struct rp__look, that are out */
    struct rp__last_error cause;
};

/* For a link, a watch of a name, a token, a request to move: no two in a system have the same. Never 0 or 1. */
static inline uint64_t rp__new_number(struct rp_loop *l)
{
    return ++l->actors->numbers << 10 | l->index;
}

/* ---- addresses ----------------------------------------------------------------------------------- */

static inline struct rp__actor *rp__actor_at(struct rp__actors *t, uint32_t slot)
{
    return &t->chunk[slot / RP__CHUNK_ACTORS][slot % RP__CHUNK_ACTORS];
}

static inline struct rp__cpu *rp__cpu_at(const struct rp__actors *t, uint32_t slot)
{
    struct rp__actor *chunk = t->chunk[slot / RP__CHUNK_ACTORS];
    return (struct rp__cpu *)(void *)(chunk + RP__CHUNK_ACTORS) + slot % RP__CHUNK_ACTORS;
}

static inline struct rp__site *rp__site_at(const struct rp__actors *t, uint32_t slot)
{
    struct rp__actor *chunk = t->chunk[slot / RP__CHUNK_ACTORS];
    struct rp__cpu *cpu = (struct rp__cpu *)(void *)(chunk + RP__CHUNK_ACTORS);
    return (struct rp__site *)(void *)(cpu + RP__CHUNK_ACTORS) + slot % RP__CHUNK_ACTORS;
}

struct rp__actor *rp__guest_find(const struct rp__actors *t, uint64_t addr);

/* NULL: has ended, or never was, or lives elsewhere. */
static inline struct rp__actor *rp__actor_find(struct rp__actors *t, uint64_t addr)
{
    uint32_t slot = rp__slot_of(addr);
    if (__builtin_expect(slot < t->count, 1)) {
        struct rp__actor *a = rp__actor_at(t, slot);
        if (__builtin_expect(a->addr == addr, 1))
            return a;
    }
    return t->where.used ? rp__guest_find(t, addr) : 0;
}

/* The class of the stack that its code, and its tasks', runs on. */
static inline unsigned rp__stack_of(const struct rp__actor *a)
{
    unsigned class = a->flags >> RP__A_STACK & 7;
    return class ? class : RP__STACK_USUAL;
}

static inline uint32_t rp__slot_here(const struct rp__actor *a)
{
    return a->flags & RP__A_GUEST ? a->prev : rp__slot_of(a->addr);
}

unsigned rp__where_of(const struct rp_loop *l, uint64_t addr);

/* The loop that what is for `addr` goes to. */
static inline unsigned rp__route_of(const struct rp_loop *l, uint64_t addr)
{
    return __builtin_expect(l->slow & RP__SLOW_MOVED, 0) ? rp__where_of(l, addr) : rp__loop_of(addr);
}

/* Who acts; 0: a task of no actor's. */
static inline uint64_t rp__addr_of(const rp_self *me)
{
    return me->actor ? me->actor->addr : 0;
}

static inline rp_ref rp__ref(const struct rp_loop *l, uint64_t addr)
{
    return (rp_ref){addr ? l->node : 0, addr};
}

int  rp__chunks_open(struct rp__actors *t); /* 0, -ENOMEM */
void rp__chunks_close(struct rp__actors *t);
struct rp__actor *rp__actor_new(struct rp_loop *l); /* zeroed but for its address; NULL: no memory */
void rp__actor_free(struct rp_loop *l, struct rp__actor *a);
struct rp__extra *rp__extra(struct rp_loop *l, struct rp__actor *a); /* made on first use; NULL: no memory */
const char *rp__name_of(const rp_self *me);
void rp__stalled_at(const rp_self *me, struct rp_stall *ret);

/* ---- CPU time (cpu.c) ------------------------------------------------------------------------- */

const struct rp__actor *rp__at_work(const rp_self *me); /* whose code runs there, of a thread that stands still; NULL: nobody's */
bool rp__ran(const rp_self *me, rp_time ns);            /* struct rp__floor's */
rp_time rp__cpu_of(const struct rp_loop *l, const struct rp__actor *a);
void rp__cpu_brought(struct rp_loop *l, const struct rp__actor *a, rp_time ns); /* it has come, and had so much elsewhere */

/* ---- where it was spawned (site.c) ------------------------------------------------------------------ */

void *rp__site_of(const struct rp_loop *l, const struct rp__actor *a); /* of one that lives here; NULL: not known, nor of NULL */
void rp__site_put(struct rp_loop *l, const struct rp__actor *a, void *site);

static inline void rp__site_note(struct rp_loop *l, const struct rp__actor *a, void *site) /* before anybody can ask */
{
    if (__builtin_expect(l->actors->sites, 0))
        rp__site_put(l, a, site);
}

/* module+0xoffset; NULL: "-". `to`, or a literal. */
enum { RP__SITE_TEXT = 300 };
const char *rp__site_text(char *to, const void *site);
const char *rp__site_plain(char *to, const void *site); /* for people: the module without its directory */

/* ---- places (place.c) ------------------------------------------------------------------------------ */

/* Which loop `on` means. 0, -EINVAL. */
int  rp__place(struct rp_loop *l, unsigned on, unsigned *ret);
rp_placed rp__placed_by(unsigned on);

static inline void rp__placed(struct rp__actor *a, rp_placed why)
{
    a->flags = (a->flags & ~(uint32_t)RP__A_PLACED_MASK) | (uint32_t)why << RP__A_PLACED;
}

/* ---- what others keep of it -------------------------------------------------------------------------- */

struct rp__watch { /* the RP_DOWN that will be sent, ready but for the reason */
    struct rp__hook link; /* in its actor's list */
    struct rp__hook peer; /* in its watcher's link's list, on this loop */
    uint64_t via;         /* the link its watcher is behind; 0: this process */
    uint64_t id;          /* the watcher's number for it */
    struct rp__spill *down;
};

struct rp__kept { /* of an actor under a supervisor: what its incarnations have in common */
    void *arg;
    size_t stack;
    rp_msg *left;           /* by the last one to the next */
    struct rp__spill *fell; /* to the supervisor, ready but for the reason */
    uint32_t restarts;
    rp_mail mail;
};

static inline rp_mail rp__mail_of(const struct rp__actor *a) /* what becomes of messages to one that has ended */
{
    return a->flags & RP__A_KEPT ? a->extra->kept->mail : RP_MAIL_DEAD;
}

#endif
