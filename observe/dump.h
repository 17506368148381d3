/* SPDX-License-Identifier: MIT
 *
 * dump.h - the words of the endpoint that show actors and loops.
 */
#ifndef RP__DUMP_H
#define RP__DUMP_H

#include "reparto/mailbox.h"

#include "observe/text.h"

/* "REF|NAME [TASK]"; `*task` is 0 without one. Any thread. 0, -EINVAL, -ESRCH: nobody has that name. */
int rp__whom(rp_system *sys, const char *rest, rp_ref *ret, unsigned *task);

/* Tables: a line that names the columns, then a line for each; words with blanks between. For programs. */
int rp__say_loops(rp_self *me, struct rp__text *t, const char *rest);
int rp__say_actors(rp_self *me, struct rp__text *t, const char *rest);

int rp__say_stack(rp_self *me, struct rp__text *t, const char *rest); /* rest: a ref or a name, and a task */
int rp__say_dump(rp_self *me, struct rp__text *t, const char *rest);  /* what rp_dump writes */

/* A line, "# loop 1 held for ...": it has not answered. `me` NULL: as below. */
void rp__say_held(rp_self *me, rp_system *sys, struct rp__text *t, unsigned loop);

/* The same when no loop answers (observe/endpoint.h): what holds each. */
int rp__say_loops_alone(rp_system *sys, struct rp__text *t, const char *rest);
int rp__say_actors_alone(rp_system *sys, struct rp__text *t, const char *rest);
int rp__say_stack_alone(rp_system *sys, struct rp__text *t, const char *rest); /* of the one who holds its loop */
int rp__say_dump_alone(rp_system *sys, struct rp__text *t, const char *rest);

#endif
