/* SPDX-License-Identifier: MIT
 *
 * actors.h - actors: an address, a mailbox, private state.
 *
 * Two kinds behind one spawn. A handler is called for each message and owns a stack only while it
 * runs or waits: an idle one costs 128 bytes and its state. A coroutine is written as one function
 * that waits in rp_recv, and keeps its stack while it lives. Either may wait in the middle of a
 * message; what arrives meanwhile stands in its mailbox. An actor handles one message at a time.
 *
 * Order: the messages from one actor to another arrive in the order of sending, also between loops
 * and between processes. Nothing is promised about different senders.
 */
#ifndef REPARTO_ACTORS_H
#define REPARTO_ACTORS_H

#include "reparto/mailbox.h"
#include "reparto/report.h"
#include "reparto/stall.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RP_STOP = 1 }; /* what a handler returns to end normally */

/* Flags of an actor. RP_NOWAIT: its handler never waits; calls that would return -EAGAIN.
 * RP_TRAP: it is not stopped, but gets RP_EXIT_NOTICE, and ends when it sees fit: by who waits for its end it is
 * waited for. Out of memory it is stopped like any other. RP_MOVABLE: a mover (mover.h) may make it live on
 * another loop, between two messages: nothing in its state belongs to a loop. */
enum { RP_NOWAIT = 1, RP_TRAP = 2, RP_MOVABLE = 4 };

/* How an actor behaves; exactly one of run and handle. The library copies what it needs of it, `name` too: it may be on
 * the caller's stack.
 *
 * What run and handle return. 0: of `run` the end; a handler goes on with the next message. RP_STOP, or another number
 * above 0: it ends normally. A negative errno value: the actor has failed, and ends with that as its reason: its
 * supervisor, its monitors or the result of rp_run have it. So an error that a client has caused is no value to return:
 * answer it with rp_reply_error, and return 0.
 *
 * Some errors are never the handler's own, and it goes on when it returns one of them; the asker gets the error:
 *   -ETIMEDOUT      it is at a call that it has not answered, and its asker's time is up; or a wait for an answer has
 *                   failed on account of that time (see rp_call)
 *   -ESRCH, -EPIPE, -EHOSTUNREACH, -EDEADLK   of an rp_call to the one whose call it is at: that one is gone, or waits
 *   -EHOSTUNREACH   the process that the message came from is lost
 *   -EALREADY       it has replied to a message that is no call: reported (report.h)
 * Nothing of this holds for `run`: when it has returned there is nobody to go on. rp_fail always means a failure.
 *
 * An actor that ends gives back the messages that it still has, received, kept or made: an asker gets -EPIPE at once,
 * unless the actor has a `fini`, which may still answer; and a message's memory is gone after fini. */
typedef struct rp_actor {
    const char *name;     /* of the kind, for reports */
    int  (*run)(rp_self *me, void *arg);                       /* its return is the actor's end */
    int  (*handle)(rp_self *me, void *state, const rp_msg *m); /* m is the runtime's, until it returns */
    int  (*init)(rp_self *me, void *state, void *arg);         /* before the first message; < 0: no actor */
    void (*fini)(rp_self *me, void *state, int reason);        /* after the last; runs exactly once after init */
    void (*info)(const void *state, char *to, size_t size);    /* its state in a line of text, for who looks inside
                             (inspect.h). Called on its loop while it is idle, or suspended in the middle of a message,
                             never while its code runs. It reads, and cannot wait; `to` is "" */
    size_t state_size;    /* zeroed memory that lives as long as the actor */
    unsigned flags;
} rp_actor;

/* Where: the caller's own loop (RP_SAME, the default); each in turn (RP_SPREAD); the less loaded of two that
 * are drawn (RP_LEAST); loop i (RP_LOOP(i)); always the same one for the same key (RP_KEY(key): in every run with
 * as many loops); where another actor lives (rp_place_of). RP_NOWHERE and any other value: -EINVAL. */
enum { RP_SAME = 0, RP_SPREAD = 1, RP_LEAST = 2, RP_NOWHERE = 0xff };
#define RP_LOOP(i) (0x100u + (unsigned)(i))
#define RP_KEY(key) (0x80000000u | (unsigned)((uint64_t)(key) * UINT64_C(0x9e3779b97f4a7c15) >> 33))

/* The loop where `who` lives now, as far as the caller's loop knows. RP_NOWHERE: not an address of this process. */
RP_EXPORT unsigned rp_place_of(const rp_self *me, rp_ref who);

/* How much of its time a loop has lately been at work: 0 to 1000. It forgets by half in 67 ms. -EINVAL: no such. */
RP_EXPORT int rp_loop_load(const rp_self *me, unsigned loop);

typedef struct rp_spawn_opts { /* all zero: the defaults. Copied, with the name */
    void       *arg;      /* to init, or to run when there is no init: the pointer */
    const char *name;     /* registers it in this process; 1 to 255 bytes. NULL: no name */
    unsigned    on;
    uint32_t    mailbox;  /* messages that may wait for it; 0: 1024. Where it is less, at most 64 more are on their way from each loop */
    size_t      mailbox_bytes; /* and their bytes; 0: 1 MiB */
    rp_overflow overflow; /* what happens when it is full */
    rp_ref      redirect; /* RP_REDIRECT: to whom */
    uint32_t    shed_ms;  /* not 0: when for 20 times as long the mailbox has had more than can be handled in that time, it
                             is kept to what can be in twice that, and the oldest are dropped; until it has had less. Of
                             a burst nothing is. Not with a stash: how long that stands says nothing */
    uint32_t    stash;    /* messages it may set aside (rp_stash); they count as standing in the mailbox */
    size_t      stack;    /* usable bytes for `run`, for `handle` and for its tasks; 0: 64 KiB. It is rounded up to 16, 64 or
                             256 KiB, 1, 4, 16 or 64 MiB; more is -EINVAL. Memory is used only where the stack is. A handler that
                             asks for more than 64 KiB makes the stack on which all handlers of its loop run so large.
                             `init` and `fini` run on the stack of whoever starts or ends it */
    bool        monitor;  /* the spawner gets RP_DOWN: no end can be missed between spawn and rp_monitor */
} rp_spawn_opts;

/* Starts an actor, a child of the caller: it ends when its parent ends. `o` and `ret` may be NULL.
 * On another loop: suspends until its init has run there. Returns what init returned when that is
 * negative; -EEXIST: the name is taken; -ENOMEM; -ECANCELED: the caller is itself to end. */
RP_EXPORT RP_NODISCARD int rp_spawn(rp_self *me, const rp_actor *a, const rp_spawn_opts *o, rp_ref *ret);

/* Makes `who` live on another loop. Its address stays, and the order of each sender's messages, its timers, its
 * monitors and all else; its state is not copied. Only a handler can move, and between two messages: suspends
 * until it has moved, which waits for the message that it is at (it may wait for the caller: then in a ring);
 * cancelled, it will not have moved. To move oneself returns at once, and happens with the end of the present
 * message, or not, when there is no memory then. It must not hold what belongs to a loop (libuv's handles).
 * 0: also when it lives there already. -ENOTSUP: a coroutine, or the root. -ESRCH: it has ended. -EALREADY: it is
 * about to move. -EBUSY: its supervisor is about to start it again. -EINVAL: no such loop, or no actor of this
 * process. -ENOMEM: it is where it was. -EAGAIN: the caller may not wait. */
RP_EXPORT RP_NODISCARD int rp_move(rp_self *me, rp_ref who, unsigned on);

RP_EXPORT void *rp_state(const rp_self *me);   /* its own; a task's: its actor's */
RP_EXPORT rp_ref rp_self_ref(const rp_self *me);
RP_EXPORT rp_ref rp_parent(const rp_self *me); /* none: the root */

/* Ends an actor: its waits return -ECANCELED until it returns; an idle handler ends at once. What is
 * still in its mailbox is dead. 0, also for one that has ended already. `why` is copied, cut off at 31 bytes unless it is
 * a literal; NULL: "stopped". */
RP_EXPORT int rp_stop(rp_self *me, rp_ref who, const char *why);

/* The caller's actor has failed with `err` (< 0) and ends so, whatever it returns; `why` as for rp_stop.
 * For a condition found broken deep below: `return rp_fail(me, -EPROTO, "no such order");`. A stack cannot
 * be taken from under a C function, so it goes on until it returns; from here on its waits are cancelled,
 * those of its tasks too. In init and fini it does nothing but return `err`. Returns `err`. */
RP_EXPORT int rp_fail(rp_self *me, int err, const char *why);

/* ---- messages ------------------------------------------------------------------------------------
 * A message accepted (0) for a live actor is delivered; for one that has ended it is dead, and
 * counted: who must know monitors, or calls. A full mailbox: see rp_overflow. */

/* Sends a copy of `body`; NULL: only of a type of size 0, here and wherever a body is sent. What the body owns (rp_type.drop) goes with it on success.
 * Suspends while the target's mailbox or the way there is full; only then -ECANCELED: who has been
 * cancelled may still say goodbye. -ENOMEM.
 * -EAGAIN: full, and may not wait. -EHOSTUNREACH: its process is gone. -EINVAL: no such address. */
RP_EXPORT RP_NODISCARD int rp_tell(rp_self *me, rp_ref to, const rp_type *t, const void *body);

/* The same, but never waits: -EAGAIN. */
RP_EXPORT RP_NODISCARD int rp_try_tell(rp_self *me, rp_ref to, const rp_type *t, const void *body);

/* Sends a message of one's own and nulls *m; on error it is still yours. Suspends as rp_tell. */
RP_EXPORT RP_NODISCARD int rp_send(rp_self *me, rp_ref to, rp_msg **m);

/* The next message; in a coroutine actor, and in a handler that wants to see the next before it
 * returns. Yours to drop or send on; what you still have when the actor ends is dropped then. Suspends. -EINVAL in a task:
 * only the actor itself receives. -ENOMEM: it has others in hand, and there is no memory to note one more; nothing was taken. */
RP_EXPORT RP_NODISCARD int rp_recv(rp_self *me, rp_msg **ret, rp_time deadline);

/* The same, but only one of the given types (NULL-terminated), the first given first; the others stay,
 * in order. Suspends. Costs the same however many of them there are. A mailbox full of others would leave no
 * room for what is waited for: -ENOBUFS. */
RP_EXPORT RP_NODISCARD int rp_recv_of(rp_self *me, const rp_type *const *types, rp_msg **ret, rp_time deadline);

/* Sets a message aside, until rp_unstash puts all of them back in line before the others, in order.
 * The message is the stash's then. -ENOBUFS: it holds rp_spawn_opts.stash already. Only the actor itself. */
RP_EXPORT RP_NODISCARD int rp_stash(rp_self *me, const rp_msg *m);
RP_EXPORT RP_NODISCARD int rp_unstash(rp_self *me); /* -ENOMEM: the rest stays set aside */

/* A handler keeps its message beyond its return, to drop or send on. Once; -EALREADY. -ENOMEM: it is not kept. */
RP_EXPORT RP_NODISCARD int rp_keep(rp_self *me, const rp_msg *m, rp_msg **ret);

/* Sends `body` and waits for the reply, which is yours. Suspends. -ETIMEDOUT after `deadline`, and the reply,
 * if it comes, is counted as late; and at once, when the line before the target moves so slowly that its turn
 * would come too late: then it has not run. -ESRCH: no such actor. -EPIPE: it ended, or ended the message,
 * without replying. -EDEADLK: whoever should reply waits for the caller, by whatever way; see rp_blame.
 * -EHOSTUNREACH: the connection to its process was lost, the call may have run. Or whatever the callee gave rp_reply_error.
 *
 * How long a handler waits. While it has still to answer a call with a deadline, a wait for an answer ends at the latest
 * when its asker stops waiting, in its tasks too: rp_call, rp_call_many, rp_lookup, and what asks an actor inside
 * (rp_supervise and its kin, rp_group_join and its kin). All other waits take the deadlines that they are given, and their
 * scopes', and nothing else: rp_sleep, queues, locks, room in a mailbox, rp_spawn. A coroutine inherits nothing: it passes
 * rp_deadline_of(m). */
RP_EXPORT RP_NODISCARD int rp_call(rp_self *me, rp_ref to, const rp_type *t, const void *body, rp_msg **ret,
                                   rp_time deadline);

typedef struct rp_ask { /* one question of several */
    rp_ref to;
    const rp_type *type;
    const void *body;
    rp_msg *reply;      /* comes back: the caller's, see rp_asks_drop; NULL: none */
    int rc;             /* 0: it replied; else why not, as of rp_call. -ECANCELED: enough others had replied */
    char blame[24];     /* after -EPIPE or -ESRCH: the kind of actor that was to reply, */
    void *blame_site;   /* and where it was spawned, as of rp_blame_site */
    uint64_t opaque[3]; /* must stay where it is during the call */
} rp_ask;

/* Asks all `n` at once and waits until `enough` of them have replied; 0: all. Suspends. Who has not replied by
 * then is not waited for: a reply that still comes is counted as late. 0: enough are there. As soon as there
 * cannot be enough any more: the error of the one by whose failure that came. -ETIMEDOUT after `deadline`, and
 * the other errors of rp_call; a question that was not sent by then never is. Each ask says what became of it,
 * always, and replies that have come stay there, whatever is returned. A ring of waiting actors (-EDEADLK) is
 * looked for only while none of those missing can be spared, and along 16 of them. */
RP_EXPORT RP_NODISCARD int rp_call_many(rp_self *me, rp_ask *asks, unsigned n, unsigned enough, rp_time deadline);
RP_EXPORT void rp_asks_drop(rp_self *me, rp_ask *asks, unsigned n); /* the replies that are still there */

/* After -EPIPE or -ESRCH of rp_call: the kind of actor that was to reply. After -EDEADLK, which a call, a wait for
 * room or one for a lock returns when actors of this process wait for each other in a ring: their names,
 * "a > b > a". Else "". Until the next wait. */
RP_EXPORT const char *rp_blame(const rp_self *me);

/* After a call has failed with `rc`: why, in one sentence with the names: whose reply is missing, which name is taken, which
 * URL cannot be linked with. rp_strerror(rc) where no more is known. Valid until the caller's next call; does not suspend. */
RP_EXPORT const char *rp_cause(rp_self *me, int rc);

/* After -EPIPE or -ESRCH of rp_call: where that actor was spawned. NULL: it is not known: without rp_system_opts.sites, of
 * the root, of one of another process. Until the next wait. */
RP_EXPORT void *rp_blame_site(const rp_self *me);

/* Replies to a call, once. Never waits: a reply has room reserved for it. 0 also when nobody waits any more, or the asker's
 * process is lost: it counts as late. -EALREADY: replied, or not a call. A call to one's own parent and the like may be answered any time while the message lives. Its asker waits for who
 * received it: by a way that the runtime does not see, as a queue, a call goes to another as a detached token only. */
RP_EXPORT RP_NODISCARD int rp_reply(rp_self *me, const rp_msg *m, const rp_type *t, const void *body);
RP_EXPORT RP_NODISCARD int rp_reply_error(rp_self *me, const rp_msg *m, int err);

/* The right to reply, taken out of its message: store it, send it on, use it once. It is linear: the actor that
 * took it holds it, and copies of the struct are the same one token. If that actor ends, or an incarnation of it,
 * the asker gets -EPIPE and its name at once; dropping it before is rp_token_drop. It goes to another actor, or
 * process, in an RP_TOKEN field: when the message has been sent the token is the message's, and breaks if that
 * ends and nobody has taken it out. A send with one that is not the sender's is -EINVAL. A link
 * that is lost ends the calls of all tokens that went over it: their askers get -EHOSTUNREACH, and what is replied with
 * one of them is late, as if they had stopped waiting. -EALREADY: used, given away, or not a call. -ENOMEM: the message still has it. None of these
 * waits. (Erlang's From, made linear.) Whoever holds one is waited for by the asker: if it waits for that one in turn, by
 * whatever way, one of the two gets -EDEADLK, unless a task of the holder might use it meanwhile. */
RP_EXPORT RP_NODISCARD int rp_take_token(rp_self *me, const rp_msg *m, rp_token *ret);
/* Out of a received message: `field` is an RP_TOKEN field of m's body, empty from then on. -EINVAL: it is none. */
RP_EXPORT RP_NODISCARD int rp_token_from(rp_self *me, const rp_msg *m, const rp_token *field, rp_token *ret);
/* For ways that the runtime does not see, as a queue: from here on nobody answers for it, and whoever gets it can
 * use it, or hold it again. -EALREADY: not this actor's; or somebody's. -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_token_detach(rp_self *me, rp_token *k);
RP_EXPORT RP_NODISCARD int rp_token_attach(rp_self *me, rp_token *k);
RP_EXPORT RP_NODISCARD int rp_token_reply(rp_self *me, rp_token *k, const rp_type *t, const void *body);
RP_EXPORT RP_NODISCARD int rp_token_error(rp_self *me, rp_token *k, int err);
RP_EXPORT void rp_token_drop(rp_self *me, rp_token *k);

/* Passes a message on unchanged: sender and right to reply go with it. Suspends as rp_tell. */
RP_EXPORT RP_NODISCARD int rp_forward(rp_self *me, const rp_msg *m, rp_ref to);

/* A message to oneself at a time. `ret` may be NULL. The timer ends with the actor. */
typedef struct rp_timer {
    uint64_t id;
} rp_timer;

RP_EXPORT RP_NODISCARD int rp_timer_start(rp_self *me, rp_time when, const rp_type *t, const void *body,
                                          rp_timer *ret);
/* After it the message does not come any more, even if it was due. -ESRCH: it has come; or is another actor's. */
RP_EXPORT int rp_timer_stop(rp_self *me, rp_timer t);

/* The same under a name of the actor's own: a second one under `key` replaces the first, which does not come
 * any more. On error the first one stands. */
RP_EXPORT RP_NODISCARD int rp_timer_key(rp_self *me, uint64_t key, rp_time when, const rp_type *t, const void *body);
RP_EXPORT int rp_timer_key_stop(rp_self *me, uint64_t key); /* -ESRCH */

/* A copy of `body` at `first` and every `period` after it (`ret` may be NULL), measured from `first` and not from when the last one
 * was taken: it does not drift. Who is late skips those that have passed; at most one waits. Until it is stopped,
 * which rp_timer_stop does. -EINVAL: less than 1 ms, or a type with drop or tokens. */
RP_EXPORT RP_NODISCARD int rp_timer_every(rp_self *me, rp_time first, rp_time period, const rp_type *t,
                                          const void *body, rp_timer *ret);

/* ---- who ended ----------------------------------------------------------------------------------- */

/* Asks for RP_DOWN when `who` ends: exactly one for each rp_monitor, after the last message from it,
 * at once when there is no such actor. It needs no room in the mailbox. -ENOBUFS: 65,536 monitors of this process stand
 * at that node already. */
RP_EXPORT RP_NODISCARD int rp_monitor(rp_self *me, rp_ref who);

/* Takes the latest rp_monitor of `who` by this actor back; nothing, if there is none. An RP_DOWN that had been sent by then,
 * or stands in the mailbox, still comes. When nobody monitors `who` any more its failure is the run's again, as if
 * nobody ever had. */
RP_EXPORT RP_NODISCARD int rp_demonitor(rp_self *me, rp_ref who);

struct rp_down {
    rp_ref who;
    int32_t reason; /* 0: ended normally; its error; -ECANCELED: was stopped; -ESRCH: there was none;
                       -EHOSTUNREACH: its node is lost */
    char name[20];  /* of its kind, cut off */
    char why[64];   /* what rp_fail, rp_stop, or the end of whom it was linked with has said, cut off. "": nothing */
};
RP_EXPORT extern const rp_type rp_down_type;
#define RP_DOWN (&rp_down_type)

/* Links the caller and `who`, an actor of this process: when one of them ends, other than normally, the other
 * is stopped and ends with the same reason; who has RP_TRAP gets RP_EXIT_NOTICE instead, at a normal end too. Once,
 * however often it is asked for; either may do so. `who` has ended: as if it ended now, with -ESRCH.
 * Does not suspend. -EINVAL: no actor of this process. -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_link(rp_self *me, rp_ref who);

/* Undoes it: after this, nothing of the other's end reaches the caller but an RP_EXIT_NOTICE that was here already. */
RP_EXPORT void rp_unlink(rp_self *me, rp_ref who);

struct rp_exit_notice { /* to an actor with RP_TRAP; needs no room in its mailbox */
    rp_ref who;     /* wants its end, or has ended and was linked */
    int32_t reason; /* -ECANCELED: it is asked to end; else what the linked one ended with */
    char why[20];   /* cut off */
};
RP_EXPORT extern const rp_type rp_exit_notice_type;
#define RP_EXIT_NOTICE (&rp_exit_notice_type)

/* ---- names --------------------------------------------------------------------------------------- */

/* The actor registered in this process under `name`. -ESRCH. Does not suspend. */
RP_EXPORT RP_NODISCARD int rp_whereis(rp_self *me, const char *name, rp_ref *ret);

struct rp_name_change {
    rp_ref ref; /* who has it now; none: nobody */
    rp_bytes name;
};
RP_EXPORT extern const rp_type rp_name_change_type;
#define RP_NAME_CHANGE (&rp_name_change_type)

/* Asks for RP_NAME_CHANGE: at once with the present state, then for each change of it, once and in order, until
 * rp_unwatch_name. A restart under a supervisor is no change. It needs no room in the mailbox. Does not suspend.
 * -EALREADY: it is watched. -EINVAL: no name. -ENOMEM. A name is not registered (-ENOMEM) when there is no
 * memory to tell those who watch it. */
RP_EXPORT RP_NODISCARD int rp_watch_name(rp_self *me, const char *name);
RP_EXPORT int rp_unwatch_name(rp_self *me, const char *name); /* -ESRCH. What is in the mailbox already stays */

/* ---- the system ---------------------------------------------------------------------------------- */

typedef struct rp_system_opts { /* all zero: the defaults. Copied, with all texts and the list of types */
    unsigned loops;       /* 0: one per core. At most 511 */
    const rp_alloc *mem;  /* NULL: malloc and free. For all that reparto allocates, not libuv or nng */
    int64_t spin_us;      /* longest wait for work before a loop blocks; 0: 50; < 0: none */
    uint64_t sim_seed;    /* not 0: one thread, virtual time, repeatable; see sim.h */
    uint64_t chaos_seed;  /* not 0: schedules unfairly on purpose, for tests */
    rp_ledger *ledger;    /* filled in at the end: must live until then */
    const char *inspect;  /* path of a Unix socket where the program answers questions about itself; see inspect.h.
                             NULL: where the user's RP_INSPECT says, if it does. In a simulation -ENOTSUP */
    uint32_t stall_ms;    /* not 0: a loop that is held for so long is reported while it is; see stall.h */
    int stall_signal;     /* the real-time signal for that; 0: SIGRTMAX - 3. -EBUSY: something else has a handler for it */
    void (*on_stall)(const rp_stall *s, void *ud); /* on a thread that is no loop's; NULL: a line on standard error */
    void *stall_ud;
    rp_report_fn *on_report; /* what went wrong and is nobody's result; see report.h. NULL: a line on standard error */
    void *report_ud;
    uint32_t demote_ms;   /* not 0: an actor that holds its loop for longer with a message is demoted: its next ones come one at a
                             time, when everybody else's that were there have been handled. Until it has not for a second */
    bool sites;           /* each actor remembers where it was spawned: the return address of rp_spawn, rp_supervise and so
                             on (where the call is a function's last, the compiler may have made it a jump: that function's
                             own). For rp_blame_site, inspect.h, RP_TRACE=dead. RP_SITES=1 in the environment does the same */
    bool unmeasured;      /* no message carries its time: see metrics.h */
    size_t stack;         /* the root's, as rp_spawn_opts.stack */
    /* cluster; see cluster.h */
    const char *listen;   /* "tcp://127.0.0.1:7000", "uv+ipc:///run/x" (cluster.h); NULL: this process does not listen */
    const char *node;     /* this process's name in the cluster, for reports */
    const char *secret;   /* both ends must have the same; NULL, "": none. Needed to listen where other machines reach (cluster.h) */
    const rp_type *const *types; /* NULL-terminated: what may come from other processes */
} rp_system_opts;

/* Runs `root` with `arg` as the first actor (`o` may be NULL), on this thread and as many more as needed, until it and
 * so every actor has ended. Returns the root's result; when that is 0, the first failure of an actor
 * that nobody monitored; or -EHOSTUNREACH: another node did not read all that had been told to it within a second of
 * the end (a report says which). -EDEADLK: it is called by code of an actor, whose loop would stand still meanwhile;
 * there rp_offload may call it. */
RP_EXPORT RP_NODISCARD int rp_run(const rp_actor *root, void *arg, const rp_system_opts *o);

/* The sum over all loops, a moment ago each: balanced only when nothing moves. */
RP_EXPORT void rp_ledger_read(rp_self *me, rp_ledger *ret);

#ifdef __cplusplus
}
#endif
#endif
