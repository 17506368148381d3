/* SPDX-License-Identifier: MIT
 *
 * error.c - what an error code says to a person.
 */
#include "reparto/loop.h"

#include <string.h>

const char *rp_strerror(int err)
{
    const char *text = strerrordesc_np(err < 0 ? -err : err);
    return text ? text : "unknown error";
}
