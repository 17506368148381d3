/* SPDX-License-Identifier: MIT
 *
 * socket.h - a Unix socket of our own, behind the same door as the other system calls (os.h). Descriptors
 * are non-blocking and are closed by exec.
 */
#ifndef RP__SOCKET_H
#define RP__SOCKET_H

#include <stddef.h>
#include <sys/types.h>

enum { RP__SOCKET_PATH = 108 }; /* bytes of a path, with its end */

/* Listens at `path`; only its owner may connect (0600). A socket that nobody listens at any more is
 * replaced. A descriptor, or -EADDRINUSE: somebody listens there, or it is no socket; -ENAMETOOLONG; ... */
int rp__socket_listen(const char *path);
int rp__socket_bind(const char *path);   /* the same at a name that the caller has from a claim (claim.h) */
int rp__socket_accept(int fd);           /* a descriptor; -EAGAIN: nobody wants in */
ssize_t rp__socket_read(int fd, void *to, size_t size);            /* 0: the peer has said all; -EAGAIN */
ssize_t rp__socket_write(int fd, const void *from, size_t size);   /* never a SIGPIPE; -EAGAIN */
int rp__socket_again(int fd);            /* another descriptor of the same; or -EMFILE */
void rp__socket_end(int fd);             /* the peer hears nothing more by it, nor by others of the same */
void rp__socket_close(int fd);
void rp__socket_remove(const char *path);

#endif
