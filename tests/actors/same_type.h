/* SPDX-License-Identifier: MIT
 *
 * same_type.h - one type, described in a header that two files include, as one does.
 */
#ifndef RP_SAME_TYPE_H
#define RP_SAME_TYPE_H

#include "reparto/reparto.h"

struct same {
    uint64_t n;
    char text[8];
};
static const rp_field same_fields[] = {RP_FIELD(struct same, n, RP_U64), RP_FIELD(struct same, text, RP_CHARS)};
static const rp_type same_type = RP_TYPE("test.same", struct same, same_fields);

extern const rp_actor other_file; /* answers a `same` with one that has its n plus 1 */
extern const rp_type *const type_of_other_file;

#endif
