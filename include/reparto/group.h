/* SPDX-License-Identifier: MIT
 *
 * group.h - one message to many.
 *
 * A group is an actor: what it is told it passes on to each of its members, the sender's address with it. So
 * publishing is sending, with all that this has: the publisher waits, or gets -EAGAIN, by the group's own
 * mailbox and policy; a group may be named, monitored, stopped, and a member of another group.
 *
 *     rp_group_start(me, &(rp_spawn_opts){.name = "room"}, &room);
 *     rp_group_join(me, room);
 *     rp_publish(me, room, &line_type, &line);
 *
 * Order: every member gets a group's messages in the same order. Nothing is promised between those and what
 * the publisher sends to a member directly.
 *
 * A slow member: its own mailbox's policy rules. RP_WAIT makes the group wait for it, and so, when the group's
 * mailboxes are full too, the publishers: choose it where every member has to see everything, and not for a
 * member that publishes to the group itself, which could come to wait for its own reading. RP_DROP_OLD and the
 * like concern that member alone.
 *
 * Cost: each other loop that has members gets one message and one copy of the body; the members of a loop share
 * it. A member may keep it and pass it on like any message, but not write to it.
 *
 * Only actors of this process are members. A call to a group ends with -EPIPE: nobody is the one to answer.
 */
#ifndef REPARTO_GROUP_H
#define REPARTO_GROUP_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Starts a group as a child of the caller; `o` and `ret` may be NULL. As rp_spawn, and suspends as that; o->arg is not
 * used. */
RP_EXPORT RP_NODISCARD int rp_group_start(rp_self *me, const rp_spawn_opts *o, rp_ref *ret);

/* The caller is a member when it returns 0; again: nothing changes. It ceases to be one when it ends; a restart
 * under a supervisor is no end. Suspends. What rp_call returns; -ENOMEM. */
RP_EXPORT RP_NODISCARD int rp_group_join(rp_self *me, rp_ref group);

/* Nothing comes after it but what is in the mailbox. Suspends. -ESRCH: it was none. */
RP_EXPORT int rp_group_leave(rp_self *me, rp_ref group);

/* rp_tell(me, group, t, body), and suspends as that; but for -EINVAL: what a type with drop, or with tokens, owns has one owner.
 * (Told to a group all the same, such a message ends there.) */
RP_EXPORT RP_NODISCARD int rp_publish(rp_self *me, rp_ref group, const rp_type *t, const void *body);

/* How many members there are, and the first n of them in `to` (NULL when n is 0), in no order. Suspends: it takes its turn behind
 * what was published before. */
RP_EXPORT RP_NODISCARD int rp_group_members(rp_self *me, rp_ref group, rp_ref *to, size_t n);

#ifdef __cplusplus
}
#endif
#endif
