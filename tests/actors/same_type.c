/* SPDX-License-Identifier: MIT */
#include "tests/actors/same_type.h"

#include <errno.h>

static int handle(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct same *s = rp_body(m, &same_type);
    if (!s || rp_body(m, rp_type_of(m)) != s)
        return -EBADMSG;
    struct same r = *s;
    r.n++;
    return rp_wants_reply(m) ? rp_reply(me, m, &same_type, &r) : 0;
}
const rp_actor other_file = {.name = "other", .handle = handle};
const rp_type *const type_of_other_file = &same_type;
