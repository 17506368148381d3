/* SPDX-License-Identifier: MIT
 *
 * address.h - what an actor's address says by itself.
 *
 *   63       62        54 53                     24 23              0
 *   +--------+-----------+-------------------------+-----------------+
 *   | narrow | loop      | slot                    | generation      |
 *   +--------+-----------+-------------------------+-----------------+
 *
 * Whoever routes a message looks at the address alone. Narrow: its mailbox is smaller than the usual one, so that few
 * messages for it may be on their way (loop/window.h). Read as one number with the loop, it is a loop that no system has:
 * the short way of a message needs no question of its own to leave these to the long one.
 */
#ifndef RP__ADDRESS_H
#define RP__ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { RP__LOOP_MASK = 0x1ff, RP__SLOT_MASK = 0x3fffffff, RP__GENERATIONS = 0xffffff };

#define RP__NARROW (UINT64_C(1) << 63)

static inline uint32_t rp__loop_of(uint64_t addr)
{
    return (uint32_t)(addr >> 54) & RP__LOOP_MASK;
}

static inline uint32_t rp__slot_of(uint64_t addr)
{
    return (uint32_t)(addr >> 24) & RP__SLOT_MASK;
}

static inline uint64_t rp__loop_addr(unsigned loop) /* the loop itself: for what is not an actor's */
{
    return (uint64_t)loop << 54;
}

static inline bool rp__is_narrow(uint64_t addr)
{
    return addr >> 63;
}

/* As people read it, and write it to the tools: loop.slot.number, where the number has the narrow bit above the generation. */
static inline uint32_t rp__number_of(uint64_t addr)
{
    return (uint32_t)(addr & RP__GENERATIONS) | (uint32_t)(addr >> 63) << 24;
}

static inline uint64_t rp__address(unsigned loop, uint32_t slot, uint32_t number)
{
    return (uint64_t)(number >> 24 & 1) << 63 | rp__loop_addr(loop) | (uint64_t)(slot & RP__SLOT_MASK) << 24 | (number & RP__GENERATIONS);
}

enum { RP__ADDR_TEXT = sizeof "511.1073741823.33554431" };

static inline const char *rp__addr_text(char to[RP__ADDR_TEXT], uint64_t addr)
{
    snprintf(to, RP__ADDR_TEXT, "%u.%u.%u", rp__loop_of(addr), rp__slot_of(addr), rp__number_of(addr));
    return to;
}

#endif
