/* SPDX-License-Identifier: MIT
 *
 * life.h - the door of this room: how actors begin, end, are watched, linked, moved and begun again.
 */
#ifndef RP__LIFE_H
#define RP__LIFE_H

#include "actors/table/post.h"

struct rp__kid { /* a parent's record of a child on another loop */
    struct rp__hook link;
    uint64_t child, parent;
    struct rp__spill *stop; /* what is sent when the parent ends */
};

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
bool rp__move_hold(struct rp_loop *l, struct rp__actor *a, const struct rp__slot *s); /* a signal to one that moves: false, it is not for later */
void rp__leave(struct rp_loop *l, struct rp__actor *a);              /* it has done with its message: it moves */
void rp__leave_not(struct rp_loop *l, struct rp__actor *a, int err); /* it will not move */
int  rp__move_unasked(struct rp_loop *l, uint64_t addr, unsigned to); /* nobody waits for it: 0, -ENOMEM */

/* ---- incarnations (kept.c) ----------------------------------------------------------------------- */

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

#endif
