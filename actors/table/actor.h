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

/* ---- CPU time (profile.c) ------------------------------------------------------------------------- */

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

/* ---- demotion (demote.c) --------------------------------------------------------------------------- */

void rp__overran(struct rp_loop *l, rp_time took); /* struct rp__floor's */
bool rp__still_demoted(struct rp_loop *l, struct rp__actor *a);
void rp__stand_behind(rp_self *me); /* suspends, if it may wait, until what is in the loop's queue has had its turn */

static inline bool rp__is_demoted(struct rp_loop *l, struct rp__actor *a)
{
    return __builtin_expect(a->flags & RP__A_DEMOTED, 0) && rp__still_demoted(l, a);
}

/* ---- what one loop asks of another (signal.c) ----------------------------------------------------- */

enum rp__op {            /* body[] */
    RP__OP_STOP = 1,     /* see rp__stop_slot (why.h) */
    RP__OP_MONITOR,      /* the link the watcher is behind, or 0; its number for the watch; 1: it is taken back */
    RP__OP_FULL,         /* the full target's address, its policy */
    RP__OP_ROOM,         /* the target's address, how many may go on */
    RP__OP_MORE,         /* (to the target) others still wait */
    RP__OP_SPAWN,        /* struct rp__birth *; or (to the actor) of a kept one's next incarnation */
    RP__OP_BORN,         /* struct rp__birth * */
    RP__OP_CHILD_ENDED,  /* struct rp__kid * */
    RP__OP_NO_REPLY,     /* call id, error, who is to blame; `from` is no address, but where that one was spawned */
    RP__OP_LATE,         /* (to who replied, from the asker) nobody waited any more: while sites are kept */
    RP__OP_HAS,          /* (to the asker) call id: the sender has it to answer */
    RP__OP_DRAIN,        /* */
    RP__OP_LINK,         /* struct rp__bond *, the target's half; its number */
    RP__OP_UNLINK,       /* the numbers it is known by: the sender's, the target's */
    RP__OP_EXIT,         /* (to who is linked) reason, above it whether somebody knows of the failure; kind; why */
    RP__OP_MOVE,         /* struct rp__request * */
    RP__OP_STAY,         /* the request's number: it is withdrawn */
    RP__OP_FORGET,       /* the address of a guest that has ended */
    RP__OP_RUN           /* a struct rp__errand *: somebody's own business, in order with messages */
};

static inline uint64_t rp__op_word(enum rp__op op)
{
    return RP__FLAG(RP__F_SYSTEM) | (uint64_t)op << 1;
}

static inline enum rp__op rp__op_of(uint64_t word)
{
    return (enum rp__op)((word & RP__LOW_MASK) >> 1);
}

struct rp__errand { /* one of these is called, once, by whoever has it then */
    void (*fn)(struct rp__errand *e, struct rp_loop *l);
    void (*undone)(struct rp__errand *e, struct rp_loop *l); /* its system has ended before: frees it, and sends nothing.
                                              NULL: it is part of what is not let go before it has run */
};

/* Never fails: what can be sent at no other time. Takes from the reserve when memory is out; dispatch
 * stops taking messages while the reserve is short. */
void rp__signal(struct rp_loop *l, uint64_t to, uint64_t from, enum rp__op op, uint64_t a, uint64_t b);
enum { RP__SURE_SLOTS = 2 }; /* of what may not be lost, RP__F_SURE, at most */
void rp__post_sure(struct rp_loop *l, const struct rp__slot *s); /* of so many slots, to where `to` is */
void rp__post_made(struct rp_loop *l, struct rp__spill *s);       /* the same, made before: it never fails */
struct rp__spill *rp__spill_new(struct rp_loop *l); /* of one slot, for later; NULL: no memory */
bool rp__reserve_ready(struct rp_loop *l);
struct rp__spill *rp__reserve_take(struct rp_loop *l); /* NULL: it is spent, and a signal lost */
void rp__reserve_fini(struct rp_loop *l);
bool rp__hold_over(struct rp_loop *l, struct rp__slot *s); /* a message nobody may lose, and no memory: later. False: it is lost */
bool rp__held_take(struct rp_loop *l, struct rp__slot ret[RP__SURE_SLOTS]); /* the next of those; false: none */
void rp__on_signal(struct rp_loop *l, struct rp__slot *s);

/* ---- messages ------------------------------------------------------------------------------------ */

struct rp__out { /* one on its way out */
    rp_ref to;
    uint64_t from;
    const rp_type *type;
    const void *body;
    rp_msg *msg;      /* the body is this message's: what it owns moves. The shell stays the caller's */
    struct rp__big *share; /* the body stands here, for others of this loop too; NULL: it is copied */
    unsigned flags;   /* RP__F_CALL, RP__F_REPLY, RP__F_DEADLINE, RP__F_NODE */
    uint64_t call;
    uint64_t node;    /* of `from`, with RP__F_NODE */
    uint64_t via;     /* and the link it came by */
    rp_time deadline; /* of the call */
    bool bounce;      /* tell the sender if it ends unread, */
    uint64_t cookie;  /* with this */
};

/* Sends it; where it must wait, `wait` says whether it may and `until` how long. Counts it as sent
 * unless it is a message that moves. */
int  rp__send(rp_self *me, struct rp__out *o, bool wait, rp_time until);

/* The same of a call that has this number, and for its asker this end. */
int  rp__send_call(rp_self *me, rp_ref to, const rp_type *t, const void *body, uint64_t id, rp_time deadline, bool wait, rp_time until);

/* Passes a message on; it is an empty shell then. */
int  rp__forward(rp_self *me, struct rp__slot *s, rp_ref to, bool wait);

/* Sends without waiting and beyond every bound. `by`: whose doing it is; NULL: no actor's. 0 or -ENOMEM. An asker in a
 * lost process has nobody to tell. */
int  rp__send_reply(struct rp_loop *l, const rp_token *k, const struct rp__actor *by, const rp_type *t, const void *body);

rp_msg *rp__msg_of(struct rp_loop *l, const struct rp__out *o); /* a block of its own; not counted. NULL: no memory */

/* It waits in rp_recv: m is what its wait brings. It is still to be resumed. */
static inline void rp__give(struct rp__actor *a, rp_msg *m)
{
    a->flags &= ~(uint32_t)RP__A_RECV;
    a->co->hand[0] = m; /* which is free: it waits for one */
    a->co->rc = 0;
}

void rp__dispatch(struct rp_loop *l);
void rp__suspended(rp_self *me);
void rp__discard(struct rp_loop *l, struct rp__slot *s);

/* Ends a message whose reader is done with it, or has ended: settles its right to reply. */
void rp__finish(struct rp_loop *l, struct rp__slot *s, enum rp__tally how);

static inline void rp__drop(struct rp_loop *l, struct rp__slot *s, rp_dropped why)
{
    rp__tally(l, RP__DROPPED_WHY + why, 1);
    rp__finish(l, s, RP__DROPPED);
}

static inline void rp__no_memory(struct rp_loop *l, struct rp__slot *s)
{
    if (!rp__hold_over(l, s))
        rp__drop(l, s, RP_DROPPED_MEMORY);
}

void rp__pay(struct rp_loop *l, struct rp__slot *s);

void rp__no_reply(struct rp_loop *l, struct rp__slot *call, int err);
rp_msg *rp__next_in_box(struct rp_loop *l, struct rp__actor *a); /* NULL: empty */
bool rp__taken(struct rp_loop *l, struct rp__actor *a, rp_msg *m); /* out of its mailbox; false: it had expired, and has ended */

/* After an actor has taken a message out of its mailbox: senders may go on. */
void rp__box_taken(struct rp_loop *l, struct rp__actor *a);
void rp__shed(struct rp_loop *l, struct rp__actor *a); /* one has been taken, of a mailbox that is kept short */
void rp__box_full(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, rp_overflow policy);
bool rp__has_mail(const struct rp__actor *a); /* to be taken: a message in its mailbox, or a timer that is due */
void rp__drain(struct rp_loop *l, struct rp__actor *a); /* an idle handler gets what stands in its mailbox, before what comes now */
bool rp__box_is_full(const struct rp__actor *a);
void rp__box_tell(struct rp__actor *a, struct rp__slot *s); /* whoever receives by type: s has come */
void rp__box_put(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, bool owned);
void rp__box_gone(struct rp_loop *l, struct rp__actor *a);

/* Sender's side. */
struct rp__full *rp__full_find(struct rp_loop *l, uint64_t target);
int  rp__full_wait(rp_self *me, struct rp__full *f, rp_time until); /* after 0, and having sent or not: rp__full_sent */
void rp__full_sent(struct rp_loop *l, uint64_t target);
rp_overflow rp__full_policy(const struct rp__full *f);
void rp__on_full(struct rp_loop *l, uint64_t target, rp_overflow policy);
void rp__on_room(struct rp_loop *l, uint64_t target, uint64_t n);
void rp__full_moved(struct rp_loop *l, uint64_t target); /* who waits asks its new loop */
void rp__on_more(struct rp_loop *l, uint64_t target, unsigned loop);

/* ---- life ---------------------------------------------------------------------------------------- */

struct rp__kid { /* a parent's record of a child on another loop */
    struct rp__hook link;
    uint64_t child, parent;
    struct rp__spill *stop; /* what is sent when the parent ends */
};

struct rp__watch { /* the RP_DOWN that will be sent, ready but for the reason */
    struct rp__hook link; /* in its actor's list */
    struct rp__hook peer; /* in its watcher's link's list, on this loop */
    uint64_t via;         /* the link its watcher is behind; 0: this process */
    uint64_t id;          /* the watcher's number for it */
    struct rp__spill *down;
};

/* Which loop `on` means. 0, -EINVAL. */
int  rp__place(struct rp_loop *l, unsigned on, unsigned *ret);
rp_placed rp__placed_by(unsigned on);

static inline void rp__placed(struct rp__actor *a, rp_placed why)
{
    a->flags = (a->flags & ~(uint32_t)RP__A_PLACED_MASK) | (uint32_t)why << RP__A_PLACED;
}

struct rp__birth;
void rp__on_spawn(struct rp_loop *l, struct rp__birth *b);
void rp__on_born(struct rp_loop *l, struct rp__birth *b);
int  rp__spawn_from(rp_self *me, const rp_actor *kind, const rp_spawn_opts *o, void *site, rp_ref *ret); /* as rp_spawn, called there */
int  rp__spawn_root(struct rp_loop *l, const rp_actor *kind, void *arg);

void rp__actor_stop(struct rp_loop *l, struct rp__actor *a, uint64_t who, int reason, const char *why);
void rp__actor_fail(struct rp_loop *l, struct rp__actor *a, int reason, const char *why); /* whether it traps or not */
void rp__actor_release(struct rp_loop *l, struct rp__actor *a, uint64_t who, const char *why); /* and for good */
void rp__actor_end(struct rp_loop *l, struct rp__actor *a, int reason); /* it will handle nothing more */
void rp__siblings_leave(struct rp_loop *l, struct rp__actor *parent, struct rp__actor *a); /* out of the list of those on this loop */
void rp__actor_empty(struct rp_loop *l, struct rp__actor *a, enum rp__tally how); /* its mailbox */
void rp__actor_unname(struct rp_loop *l, struct rp__actor *a);
void rp__actor_remains(struct rp_loop *l, struct rp__actor *a);         /* frees what it had */
void rp__on_child_ended(struct rp_loop *l, struct rp__kid *kid);
void rp__kid_gone(struct rp_loop *l, struct rp__kid *k);
struct rp__kid *rp__kid_new(struct rp_loop *l, struct rp__actor *parent); /* NULL: no memory */
void rp__kid_free(struct rp_loop *l, struct rp__kid *k);
void rp__kid_born(const struct rp_loop *l, struct rp__kid *k, uint64_t child);
struct rp__spill *rp__farewell_new(struct rp_loop *l, uint64_t parent, uint64_t child, struct rp__kid *k); /* NULL: no memory */
/* `via` 0: the watcher is an actor of this process; else it is behind that link, which knows it as `id`. */
int  rp__watch_new(struct rp_loop *l, struct rp__actor *a, uint64_t watcher, uint64_t via, uint64_t id); /* 0, -ENOMEM: nobody hears of it */
void rp__watch_add(struct rp_loop *l, uint64_t target, uint64_t watcher, uint64_t via, uint64_t id); /* what fails is an RP_DOWN */
void rp__watch_undo(struct rp_loop *l, uint64_t target, uint64_t watcher, uint64_t via, uint64_t id);
void rp__watch_free(struct rp_loop *l, struct rp__watch *w);
void rp__watch_forget_first(struct rp_loop *l, struct rp__actor *a);
void rp__watches_fire(struct rp_loop *l, struct rp__actor *a);
void rp__down_now(struct rp_loop *l, uint64_t watcher, const struct rp_down *d);

void rp__failure_noted(struct rp_loop *l, int reason); /* nobody asked to hear of it */
void rp__on_link(struct rp_loop *l, struct rp__slot *s);
void rp__link_undone(struct rp_loop *l, struct rp__slot *s);
void rp__on_unlink(struct rp_loop *l, struct rp__slot *s);
void rp__on_exit(struct rp_loop *l, struct rp__slot *s);
void rp__bonds_end(struct rp_loop *l, struct rp__actor *a, bool known);

/* ---- moving (move.c) ----------------------------------------------------------------------------- */

void rp__on_move(struct rp_loop *l, struct rp__slot *s);
void rp__on_stay(struct rp_loop *l, struct rp__slot *s);
void rp__move_undone(struct rp_loop *l, struct rp__slot *s);
void rp__on_forget(struct rp_loop *l, uint64_t addr);
bool rp__move_hold(struct rp_loop *l, struct rp__actor *a, const struct rp__slot *s); /* a signal to one that moves: false, it is not for later */
void rp__leave(struct rp_loop *l, struct rp__actor *a);              /* it has done with its message: it moves */
void rp__leave_not(struct rp_loop *l, struct rp__actor *a, int err); /* it will not move */
int  rp__move_unasked(struct rp_loop *l, uint64_t addr, unsigned to); /* nobody waits for it: 0, -ENOMEM */
void rp__guest_gone(struct rp_loop *l, struct rp__actor *a);         /* it has ended: its slot is as any other */

/* ---- incarnations (kept.c) ----------------------------------------------------------------------- */

struct rp__kept { /* of an actor under a supervisor: what its incarnations have in common */
    void *arg;
    size_t stack;
    rp_msg *left;           /* by the last one to the next */
    struct rp__spill *fell; /* to the supervisor, ready but for the reason */
    uint32_t restarts;
    rp_mail mail;
};

struct rp__fell { /* to the supervisor: an incarnation has ended, its children before it */
    rp_ref who;
    int32_t reason;
    char why[20];
};
extern const rp_type rp__fell_type;

/* As rp_spawn, of an actor that is kept. Its supervisor gets one rp__fell for each incarnation that has
 * begun, and answers each with rp__revive or rp__release. */
int  rp__spawn_kept(rp_self *me, const rp_actor *kind, const rp_spawn_opts *o, rp_mail mail, void *site, rp_ref *ret);
enum { RP__FALLEN = 1 };
int  rp__revive(rp_self *me, rp_ref who); /* suspends. RP__FALLEN: its init has failed, and an rp__fell comes */
void rp__release(rp_self *me, rp_ref who); /* ends it for good */

int  rp__kept_new(struct rp_loop *l, struct rp__actor *a, const rp_spawn_opts *o, rp_mail mail);
int  rp__kept_ready(struct rp_loop *l, struct rp__actor *a); /* to fall again; 0 or -ENOMEM */
void rp__kept_free(struct rp_loop *l, struct rp__actor *a);
void rp__kept_fall(struct rp_loop *l, struct rp__actor *a);

static inline rp_mail rp__mail_of(const struct rp__actor *a) /* what becomes of messages to one that has ended */
{
    return a->flags & RP__A_KEPT ? a->extra->kept->mail : RP_MAIL_DEAD;
}

void rp__on_no_reply(struct rp_loop *l, uint64_t call, int err, const char *blame, void *site);
void rp__on_has(struct rp_loop *l, uint64_t call, uint64_t who); /* whoever waits for the reply waits for that one */
rp_self *rp__on_reply(struct rp_loop *l, struct rp__slot *s); /* who waited for it, and is to run now; NULL: nobody is */

struct rp__delayed *rp__timer_due(struct rp_loop *l); /* the next whose time has come; NULL: none */
rp_msg *rp__timer_take(struct rp_loop *l, struct rp__delayed *d); /* NULL: its actor is busy, or memory is out */
/* The next that came while it was busy, of these types (NULL: any); NULL: none. */
rp_msg *rp__timer_of(struct rp_loop *l, struct rp__actor *a, const rp_type *const *types);
void rp__timers_end(struct rp_loop *l, struct rp__actor *a);
bool rp__timers_find(const struct rp__actor *a, bool (*is)(struct rp__slot *s, const void *arg), const void *arg); /* among the messages they will bring */
void rp__timers_pack(struct rp_loop *l, struct rp__actor *a);
void rp__timers_unpack(struct rp_loop *l, struct rp__actor *a);

#endif
