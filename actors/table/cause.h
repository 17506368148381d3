/* SPDX-License-Identifier: MIT */
#ifndef RP__CAUSE_H
#define RP__CAUSE_H

#include "actors/table/actor.h"

/* For rp_cause: a call of the actor whose code runs returns `rc`, because of that. Returns rc; if it is no error, nothing is
 * noted. */
int rp__cause_is(rp_self *me, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
