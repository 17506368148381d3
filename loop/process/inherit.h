/* SPDX-License-Identifier: MIT
 *
 * inherit.h - sockets that a child of fork() does not keep. As long as it held them, a peer would not see its
 * parent's end, and nobody else could listen at its parent's address.
 *
 * They are noted where they come to be (socket.c, net.c), in words that are read and written without a lock: the
 * child has only the thread that forked, and must not wait for one that it has not. A socket that another thread
 * opens or closes at the very moment of the fork may stay.
 *
 * What the child keeps, and why: its parent's eventfds (events and queues of its parent's, which are memory, may
 * still be set), libuv's own descriptors, the trace file, descriptors of queues (the user's); and nng's sockets,
 * which are out of reach. All of them are closed by exec.
 */
#ifndef RP__INHERIT_H
#define RP__INHERIT_H

#include <stdbool.h>

void rp__inherit_not(int fd);      /* it has been opened; < 0: nothing */
bool rp__inherit_forget(int fd);   /* it is about to be closed. False: a child, which has done that already */
void rp__inherit_none(void);       /* in the child: closes them */

#endif
