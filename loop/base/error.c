/* SPDX-License-Identifier: MIT
 *
 * error.c - what an error code says to a person.
 *
 * The C library's words are those of files and sockets: "No route to host" for a process that was killed. So each code
 * that reparto returns has words of its own here, and a row in docs/errors.md. A program may use a code for something of
 * its own: so the words say what the code is, before what it mostly means here.
 */
#include "reparto/loop.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const struct {
    int err;
    const char *text;
} words[] = {
    {0, "success"},
    {EPERM, "not allowed: not the caller's to do, or a forked child's call into its parent's system"},
    {ENOENT, "there is none"},
    {ESRCH, "no such actor: it has ended, or nobody has that name"},
    {EINTR, "interrupted by a signal"},
    {EIO, "input or output failed"},
    {E2BIG, "too long"},
    {EAGAIN, "it would have to wait, and may not"},
    {ENOMEM, "out of memory"},
    {EACCES, "refused: the secrets differ or one is missing, or the system permits no access"},
    {EBUSY, "busy: somebody else is at it"},
    {EEXIST, "the name is taken"},
    {EINVAL, "an argument or option is wrong"},
    {EMFILE, "no file descriptor is left"},
    {ENOSPC, "too small a buffer, or no space is left"},
    {EPIPE, "no reply: whoever was to reply has ended, or has ended the message; of a queue: it is closed"},
    {ERANGE, "a number is too large for its field"},
    {EDEADLK, "actors wait for each other in a ring"},
    {ENAMETOOLONG, "the path is too long for a socket"},
    {ENOSYS, "this system cannot do that"},
    {EBADMSG, "an answer of an unexpected type"},
    {EPROTO, "protocol error: what came is not what was to come"},
    {EOVERFLOW, "more than the limit"},
    {EMSGSIZE, "the message, or a text in it, is too long"},
    {EPROTONOSUPPORT, "the other side speaks another version of the protocol"},
    {ENOTSUP, "not supported for this type, actor or system"},
    {ENOKEY, "a secret is needed"},
    {ENXIO, "no address is known for that name"},
    {EADDRINUSE, "the address is in use"},
    {EADDRNOTAVAIL, "this machine has no such address"},
    {ENETUNREACH, "no way to that network"},
    {ECONNABORTED, "given up: a child ended too often"},
    {ECONNRESET, "the connection broke off"},
    {ENOBUFS, "no room left"},
    {ENOTCONN, "this process does not listen"},
    {ESHUTDOWN, "the system is ending, or drains, and takes in nothing new"},
    {ETIMEDOUT, "the deadline has passed"},
    {ECONNREFUSED, "nobody listens there, or it takes in nobody"},
    {EHOSTUNREACH, "the link to that process is lost, or there is none"},
    {EALREADY, "it has been done already"},
    {ECANCELED, "cancelled: it did not happen"},
    {EOWNERDEAD, "the owner before has ended while it had this"},
};

const char *rp_strerror(int err)
{
    err = err < 0 && err != INT_MIN ? -err : err;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].err == err)
            return words[i].text;
    const char *text = err > 0 ? strerrordesc_np(err) : 0;
    return text ? text : "unknown error";
}
