/* SPDX-License-Identifier: MIT
 *
 * inspect.h - what backtrace.c needs of inspect.c.
 */
#ifndef RP__INSPECT_H
#define RP__INSPECT_H

#include "actors/look.h"
#include "reparto/inspect.h"

/* The tasks of an actor whose own coroutine is `root`, each once, without recursion. */
rp_self *rp__task_first(const rp_self *root);
rp_self *rp__task_next(const rp_self *root, const rp_self *task); /* NULL: that was the last */

enum { RP__REF_TEXT = 48 };
const char *rp__ref_text(char *to, const rp_self *me, rp_ref r); /* "loop.slot.generation"; "-": nobody */

#endif
