/* SPDX-License-Identifier: MIT
 *
 * cluster.h - actors in other processes.
 *
 * A process that has linked with another sends to its actors with the same calls as to its own: tell,
 * call, monitor, stop. What is promised over a link is what Erlang promises: for each pair of actors
 * the order of sending, no duplicates, and what arrives is a prefix of what was sent. When a link is
 * lost the rest may be lost, and every monitor of that node and of its actors learns of it, once.
 * A node is one run of a process: the same program started again is another node.
 *
 * Types that cross a link need fields, no drop function, and to be listed in rp_system_opts.types of
 * the process that receives them.
 *
 * URLs: "tcp://HOST:PORT", with an IPv6 address as "tcp://[::1]:7000"; "ipc:///run/x", "abstract://name". To listen,
 * the host may be empty or "*": every IPv4 address; "[::]": every address. The port may be 0 then.
 *
 * A HOST may be a name. rp_connect looks it up again in each round and tries its addresses one after the other, at most 16.
 * "localhost" is 127.0.0.1 and ::1, whatever the name service says. At most four lookups of a process's system run at
 * once, on threads of their own; nobody waits for one that hangs.
 *
 * To listen at an address that other machines reach, which is any but 127.0.0.0/8 and ::1, rp_system_opts.secret is
 * required; "" is none. It authenticates both ends; it does not encrypt. Without one every
 * user of the machine may come by "tcp:", and do what any peer may: also stop the root. "ipc:" and "abstract:" take only processes of
 * the own user and need none. An "ipc:" path is replaced only if it is a socket at which nobody listens any more; of
 * several processes that begin to listen there at once, one does.
 *
 * A link costs a node a bounded amount of memory, whatever its peer does (docs/contract.md, "Links"). While a handler holds
 * loop 0 a thread of the process says for it that it lives, for up to a minute.
 *
 * Links go over nng's streams. With "uv+" before it an URL means the same place over plain sockets, for which
 * the first loop waits by itself: no threads of nng's, and a call takes a third of the time. Each end chooses for itself.
 *
 * What rp_run returns when it cannot listen at rp_system_opts.listen; what is wrong is also reported (report.h):
 *   -EINVAL         no URL as above      -EADDRINUSE     somebody listens there, or the path is no socket
 *   -ENAMETOOLONG   or a path of more    -EADDRNOTAVAIL  no address of this machine
 *                   than 107 bytes       -ENOENT         the path's directory does not exist
 *   -ENOKEY         it needs a secret    -ENXIO          no address is known for the host's name
 *   -ETIMEDOUT      the name service was silent for five seconds
 */
#ifndef REPARTO_CLUSTER_H
#define REPARTO_CLUSTER_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rp_node {
    uint64_t id; /* its incarnation: the `node` of its actors' refs */
} rp_node;

/* Links with the process that listens at `url`; one link for each node, whoever asks. Suspends. Tries until `deadline`,
 * with growing pauses, whatever may pass: nobody listens there yet, there is no such name yet, no descriptor, port or route
 * at the moment, a peer that closes in the middle of the greeting. Each call tries at once, however short its deadline.
 * -ETIMEDOUT: nothing helped until then. -EACCES: the secrets differ. -EPROTO: whoever listens there is no reparto of
 * ours, or this process itself; -EPROTONOSUPPORT: of another version. -EINVAL, -ENAMETOOLONG: no URL as above. -ENOMEM.
 * Where a host has several addresses, an error other than -ETIMEDOUT is returned when all of them have been tried. */
RP_EXPORT RP_NODISCARD int rp_connect(rp_self *me, const char *url, rp_node *ret, rp_time deadline);

/* The actor registered at `node` under `name` (rp_spawn_opts.name), waiting for it to be registered: so
 * it does not matter who is started first. Suspends. -ETIMEDOUT: still none at `deadline`; 0 asks once:
 * -ESRCH. -EHOSTUNREACH: the link is lost. -ENOBUFS: 1,024 of this process wait there.
 * The own node's names too. */
RP_EXPORT RP_NODISCARD int rp_lookup(rp_self *me, rp_node node, const char *name, rp_ref *ret, rp_time deadline);

/* Asks for RP_NODE_DOWN when the link with `node` ends: once, after every message that came from it and
 * after the RP_DOWN of its actors; at once when there is no such link. */
RP_EXPORT RP_NODISCARD int rp_node_monitor(rp_self *me, rp_node node);

/* Takes the latest rp_node_monitor of `node` by this actor back; nothing, if there is none. An RP_NODE_DOWN that stands in
 * the mailbox still comes. */
RP_EXPORT RP_NODISCARD int rp_node_demonitor(rp_self *me, rp_node node);

struct rp_node_down {
    uint64_t node;
    int32_t reason; /* 0: it left; -EHOSTUNREACH: lost; -EPROTO: it broke the protocol */
    char name[20];  /* its name, cut off */
};
RP_EXPORT extern const rp_type rp_node_down_type;
#define RP_NODE_DOWN (&rp_node_down_type)

/* The URL this process listens at, with the port that port 0 became. -ENOTCONN: it does not listen. */
RP_EXPORT RP_NODISCARD int rp_listen_url(rp_self *me, char *to, size_t size);

RP_EXPORT rp_node rp_this_node(const rp_self *me);
RP_EXPORT int rp_node_name(rp_self *me, rp_node node, char *to, size_t size); /* -ESRCH */

#ifdef __cplusplus
}
#endif
#endif
