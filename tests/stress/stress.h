/* SPDX-License-Identifier: MIT
 *
 * stress.h - programs that take longer than a test may: each a part of `./dev test`, by its name.
 *
 * A failed check ends the program; a part that hangs is killed by its alarm. Sizes come from the
 * environment, so that CI and a long night run the same code.
 */
#ifndef RP_STRESS_H
#define RP_STRESS_H

#include "tests/support.h"

#include <stdlib.h>

/* $name, or what stands here. */
static inline uint64_t size_from(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    return given ? strtoull(given, 0, 0) : otherwise;
}

unsigned open_files(void); /* of this process */
unsigned long rss_kb(void);

/* Each says what it has done, and returns how many things it has checked. */
unsigned stress_mesh(void);
unsigned stress_races(void);
unsigned stress_cancel(void);
unsigned stress_kills(void);
unsigned stress_links(void);
unsigned stress_rings(void);
unsigned stress_tokens(void);
unsigned stress_kin(void);
unsigned stress_move(void);
unsigned stress_ends(void);

#endif
