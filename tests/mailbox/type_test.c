/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>

struct all {
    bool b;
    int8_t i8;
    uint16_t u16;
    float f32;
    double f64;
    char name[8];
    rp_ref ref;
    rp_bytes note;
};

static const rp_field all_fields[] = {
    RP_FIELD(struct all, b, RP_BOOL),      RP_FIELD(struct all, i8, RP_I8),
    RP_FIELD(struct all, u16, RP_U16),     RP_FIELD(struct all, f32, RP_F32),
    RP_FIELD(struct all, f64, RP_F64),     RP_FIELD(struct all, name, RP_CHARS),
    RP_FIELD(struct all, ref, RP_REF),     RP_FIELD(struct all, note, RP_TEXT),
};
static const rp_type all_type = RP_TYPE("test.all", struct all, all_fields);

TEST(type, prints_every_kind)
{
    struct all a = {true, -3, 65535, 0.5f, -2.25, "abc", {0x1f, 0x20}, {"say \"hi\"\n", 9}};
    char to[256];
    int n = rp_type_print(to, sizeof to, &all_type, &a);
    check_str(to, "test.all{b=true i8=-3 u16=65535 f32=0.5 f64=-2.25 name=\"abc\" ref=<1f.20> "
                  "note=\"say \\x22hi\\x22\\x0a\"}");
    check_eq(n, (int)strlen(to));
    char small[10];
    check_eq(rp_type_print(small, sizeof small, &all_type, &a), n);
    check_str(small, "test.all{");
}

TEST(type, check_finds_what_is_wrong)
{
    check_eq(rp_type_check(&all_type), 0);
    check_eq(rp_type_check(NUM), 0);
    check_eq(rp_type_check(RP_DOWN), 0);
    rp_field wrong[2] = {RP_FIELD(struct all, u16, RP_U16), RP_FIELD(struct all, f64, RP_F64)};
    rp_type t = RP_TYPE("test.wrong", struct all, wrong);
    check_eq(rp_type_check(&t), 0);
    wrong[0].kind = RP_U32; /* two bytes are not enough */
    check_eq(rp_type_check(&t), -EINVAL);
    wrong[0] = wrong[1]; /* overlaps, and the name is taken */
    check_eq(rp_type_check(&t), -EINVAL);
    wrong[0] = (rp_field){"beyond", RP_U8, sizeof(struct all), 1};
    check_eq(rp_type_check(&t), -EINVAL);
    wrong[0] = (rp_field){"far", RP_U8, UINT32_MAX, 1};
    check_eq(rp_type_check(&t), -EINVAL);
    wrong[0] = (rp_field){"", RP_U8, 0, 1};
    check_eq(rp_type_check(&t), -EINVAL);
    t.name = "";
    check_eq(rp_type_check(&t), -EINVAL);
}
