/* SPDX-License-Identifier: MIT
 *
 * inspect.h - what backtrace.c needs of inspect.c.
 */
#ifndef RP__INSPECT_H
#define RP__INSPECT_H

#include "actors/table/look.h"
#include "reparto/inspect.h"

enum { RP__REF_TEXT = 48 };
const char *rp__ref_text(char *to, const rp_self *me, rp_ref r); /* "loop.slot.generation"; "-": nobody */

/* Until when a loop is waited for: a while, from now on; or less, if it has been silent before. One that has been so
 * for longer is not asked: for as long as it is held, each question would stay with it. */
rp_time rp__look_until(rp_self *me, unsigned loop, int64_t patience_ms);

#endif
