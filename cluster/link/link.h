/* SPDX-License-Identifier: MIT
 *
 * link.h - the connection between two nodes.
 *
 *   any loop                                the carrier                     home loop (loop 0)
 *   --------                                -----------                     ------------------
 *   remote.h's files encode   --> control   what piled up, as one message:  bytes --> reader --> frames
 *             under the lock  --> bulk -->  at once by the loop itself; if  --> greet.c, link.c, remote.c
 *   at the round's end: outbox.c            there is no room, when there is     --> the actors' rings
 *
 * So a batch is what one round wrote, or what piled up while the last one waited for room. What must not wait
 * behind bulk (credit, ping, BYE) has a queue of its own that goes first.
 *
 * Life: a link is made and freed on its home loop. It is up when every loop of both nodes has it in its
 * table, which is what WELCOME says. It goes down once, on its home loop: `down` is set under the lock, whoever
 * waits on it is told, then every loop forgets it, in order with the messages that came before; it answers when
 * its coroutines that waited have been woken, because each wait holds the link. The last answer frees it.
 */
#ifndef RP__LINK_H
#define RP__LINK_H

#include "actors/table/runtime.h"
#include "actors/table/post.h"
#include "cluster/link/beat.h"
#include "cluster/link/outbox.h"
#include "cluster/wire/wire.h"
#include "loop/base/map.h"
#include "reparto/cluster.h"

#include <pthread.h>

struct rp__cluster;
struct rp__link;
struct rp__net_addr;

enum {
    RP__NODE_NAME = 64,
    RP__NONCE = 16,
    RP__WINDOW = 256 << 10,       /* bytes on their way to one actor */
    RP__QUEUE_HIGH = 1 << 20,     /* bytes in a link's queue: then senders wait */
    RP__QUEUE_LOW = 256 << 10,
    RP__HELD_HIGH = 64 << 20,     /* bytes that wait for a peer: then replies to it fail, */
    RP__HELD_MOST = 66 << 20,     /* and then it is taken for one that does not read, and lost */
    RP__PEER_WATCHES = 65536,     /* monitors that may stand at a node for one peer */
    RP__PEER_TYPES = 1 << 20,     /* bytes of TYPE in one direction */
    RP__GREETING_MS = 3000,
    RP__LINGER_MS = 1000,
    RP__STRANGERS = 128,          /* at a time, */
    RP__STRANGERS_EACH = 64,      /* and of one address */
    RP__SAYS_WHY = 2,             /* from this version on DOWN carries why */
    RP__CAUSE = 256               /* bytes of a text that says why a link did not come to be */
};

/* ---- carriers ------------------------------------------------------------------------------------ */

/* How bytes get there: nng's streams, plain sockets, or the simulation. The home loop calls all of these, but send is
 * called by any thread, one at a time. Each calls back as the comments say, on any thread. */
struct rp__carrier {
    /* Then rp__link_accepted, on the home loop. `at`: the address, of a URL that has a host; `path`: a name in the file
     * system where the socket is to be made, of one that has a path. */
    int  (*listen)(struct rp__cluster *c, const char *url, const struct rp__net_addr *at, const char *path);
    const char *(*url)(struct rp__cluster *c, int *port);   /* as it was given; the port it has: an error, or 0, none */
    void (*unlisten)(struct rp__cluster *c);
    /* Then rp__link_dialled, on the home loop. `to`: the address, of a URL that has a host. */
    int  (*dial)(struct rp__link *k, const char *url, const struct rp__net_addr *to);
    void (*begin)(struct rp__link *k);                      /* then rp__link_bytes, on the home loop */
    bool (*send)(struct rp__link *k);                       /* k->box.batch; true: it has gone, else rp__link_sent follows */
    void (*go_on)(struct rp__link *k);                      /* writes more of a batch that waits for the home loop; as send.
                                                             * NULL: it needs no loop for that */
    void (*close)(struct rp__link *k); /* nothing is called back once this has returned; NULL wire too */
};

extern const struct rp__carrier rp__carrier_nng, rp__carrier_uv, rp__carrier_sim;

/* What the frames of a link mean to actors: from above, so that a link knows nothing of them. */
struct rp__frames {
    int  (*read)(struct rp__link *k, const struct rp__frame *f); /* one from a link that is up. 0; an error ends the link */
    void (*end)(struct rp__link *k, int reason);                 /* under no lock; `down` is set */
    void (*free)(struct rp__link *k);
};

/* ---- links --------------------------------------------------------------------------------------- */

enum rp__link_state {
    RP__L_DIALLING,
    RP__L_HELLO,   /* the peer's is awaited */
    RP__L_AUTH,
    RP__L_WELCOME,
    RP__L_JOINING, /* the loops are being told; the peer says nothing meanwhile */
    RP__L_JOINED,  /* the listener's: the dialler's WELCOME is awaited */
    RP__L_UP,
    RP__L_DOWN     /* the loops are being told, or the last bytes are on their way */
};

enum rp__bye {
    RP__BYE_NORMAL, RP__BYE_PROTO, RP__BYE_AUTH, RP__BYE_FLOW, RP__BYE_DUP, RP__BYE_VERSION, RP__BYE_LIMIT
};

struct rp__link_loop { /* what a loop has of a link */
    struct rp__errand errand;         /* comes to it, goes back to the home loop, */
    struct rp__post behind;           /* at the end behind the wake-ups of those that waited for something of the link */
    struct rp__round_end round_end;   /* it has written to the link in this round */
    struct rp__hook watches;          /* struct rp__watch on this loop whose watcher is behind the link */
    struct rp__link *k;
};

enum { RP__TELLERS = 8 };

struct rp__tellers { /* actors, each once; of more than so many the others are not known */
    unsigned n;
    uint64_t who[RP__TELLERS];
};

struct rp__credit { /* toward one actor of the peer */
    uint64_t target, out;    /* bytes sent and not yet reported as taken */
    struct rp__hook waiters; /* rp_self, by `queue` */
    struct rp__tellers by;   /* whose messages are among those */
};

struct rp__inflow { /* from the peer toward one actor here: does it keep to its window? */
    uint64_t target;
    uint64_t came;          /* bytes; the home loop's */
    /* Added to by any loop, before the peer is told. Read by the home loop when more comes, and what the peer sent
     * because it was told comes after that: the way there and back orders, so both are relaxed. */
    _Atomic uint64_t taken;
};

struct rp__asked { /* a call, or a token, that went over the link: who is to have the reply */
    uint64_t asker, call;
    uint64_t via; /* another link, whose peer asked, and by its number; 0: an actor of this process */
};

struct rp__watching { /* an actor or, at 0, the node itself is monitored from here */
    uint64_t watcher, target;
    uint32_t nth; /* of all monitors by this link */
};

struct rp__link {
    struct rp__cluster *c;
    struct rp_loop *home;
    uint64_t id;             /* never used again in this process */
    const struct rp__carrier *carrier;
    void *wire;              /* the carrier's */
    struct rp__hook all;     /* in its cluster's list */
    struct rp__hook strange; /* in its list of those that are not known yet */
    uint64_t comes_from;     /* its address as a number, see rp__net_from; 0: by a Unix socket, or dialled */
    struct rp__dial *dial;   /* on whose behalf; NULL: the peer dialled, or it is no longer needed */
    char *url;               /* dialled */

    /* the home loop's */
    enum rp__link_state state;
    bool dialler, ipc, closed;
    bool peer_left;          /* its BYE has come: it says nothing more */
    uint64_t peer;           /* its incarnation */
    char name[RP__NODE_NAME];
    unsigned char nonce[RP__NONCE], peer_nonce[RP__NONCE];
    uint32_t peer_window;    /* what the peer grants */
    uint16_t version;        /* the highest that both speak. Set before the link is up, and then read by any */
    struct rp__reader reader;
    struct rp__plan **plans; /* by the peer's numbers */
    uint32_t nplans, plans_size;
    uint32_t announced;      /* bytes of the peer's TYPEs */
    /* Monitors that the peer has here. One more by the home loop, one less by whichever loop says DOWN; only a bound: relaxed. */
    _Atomic uint32_t watched;
    struct rp__timer timer;      /* the end of its patience, its beat, its end */
    struct rp__beat beat;
    rp_time lost_at;
    struct rp__map inflows;  /* target -> struct rp__inflow: changed with the lock held, so that others may look with it */
    struct rp__inflow *inflow; /* the last that was wanted; NULL: none */
    uint32_t many_inflows;   /* when there are so many, those of which all has been taken go */
    uint64_t culprit_of;     /* the call of the NO_REPLY that comes next: */
    char culprit[RP__NODE_NAME]; /* whose doing it is */
    int reason;              /* it is down */
    unsigned unanswered;     /* loops */
    struct rp__link_loop *loops;

    /* under the lock */
    pthread_mutex_t lock;
    bool down;                   /* actors' frames are refused: not up yet, or not any more */
    int losing;                  /* not 0: `lose` is on its way to the home loop, with this error, */
    struct rp__post lose;
    bool lost;                   /* or has been there (the home loop's) */
    struct rp__outbox box;
    struct rp__map numbers;      /* rp_type -> number + 1 */
    uint32_t next_number;
    uint32_t announces;          /* bytes of our TYPEs */
    struct rp__map credits;      /* target -> struct rp__credit */
    uint64_t out;                /* the sum of theirs */
    uint64_t holes;              /* in what was told by links before this one: a bit for some targets each; from joining on */
    struct rp__ids asked;        /* struct rp__asked */
    struct rp__ids watching;     /* struct rp__watching, */
    uint32_t nwatching;          /* so many of actors, */
    uint32_t watched_times;      /* and so many there have been */
    struct rp__ids lookups;      /* struct rp__search, of those who wait */
};

/* ---- the home loop ------------------------------------------------------------------------------- */

int  rp__link_new(struct rp__cluster *c, const struct rp__carrier *carrier, bool dialler, bool ipc, struct rp__link **ret);
void rp__link_accepted(struct rp__link *k);              /* with its wire set */
void rp__link_dialled(struct rp__link *k, int rc);
void rp__link_hurry(struct rp__link *k, int64_t ms);     /* it has so long to be dialled */
void rp__link_bytes(struct rp__link *k, const void *p, size_t n);
void rp__link_broken(struct rp__link *k, int rc);        /* the carrier has lost it; 0: the peer closed */
void rp__link_leave(struct rp__link *k, int reason, enum rp__bye code, const char *text); /* says BYE, goes down */
void rp__link_free(struct rp__link *k);
void rp__link_join(struct rp__link *k);                  /* the peer is who it says: tell the loops */
void rp__link_up(struct rp__link *k);                    /* both know that all loops know */

/* greet.c: the frames of the handshake. 0, or what ends the link. */
int  rp__greet(struct rp__link *k);                      /* the first word, of a dialler */
int  rp__on_greeting(struct rp__link *k, const struct rp__frame *f);
int  rp__on_joined(struct rp__link *k);                  /* every loop has it in its table */

/* remote.c: the frames that concern actors. 0, or -EPROTO. */

/* refused.c: what is reported. It goes down before it is up, or (`known`) when it was. */
void rp__link_refused(const struct rp__link *k, bool known, int reason);
void rp__message_refused(struct rp__link *k, struct rp__plan *p, int err); /* it cannot be made here */

/* Gives the link up: something that must not be lost could not be said, for want of memory, or because so much waits that the
 * peer does not read (-ENOBUFS). Any thread. */
void rp__link_lose(struct rp__link *k, int rc);

/* The peer has gone beyond a limit of ours: reports it. Returns -ENOBUFS, which ends the link. */
int  rp__link_limit(struct rp__link *k, const char *what, unsigned most);

#endif
