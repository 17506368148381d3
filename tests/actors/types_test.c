/* SPDX-License-Identifier: MIT
 *
 * Types are known by what they describe, not by where that lies.
 */
#include "tests/actors/same_type.h"
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>

static char told_text[1024];
static unsigned reports;

static void note(const rp_report *r, void *ud)
{
    (void)ud;
    reports++;
    snprintf(told_text, sizeof told_text, "%s", r->text);
}

static int run_noted(root_fn *fn)
{
    reports = 0;
    told_text[0] = 0;
    return run_with(fn, 0, &(rp_system_opts){.loops = 1, .on_report = note});
}

/* ---- two files ----------------------------------------------------------------------------------- */

static int two_files(rp_self *me, void *arg)
{
    (void)arg;
    check(type_of_other_file != &same_type, "the compiler has folded them: nothing is tested");
    for (unsigned on = 0; on < rp_loop_count(me); on++) {
        rp_ref r;
        rp_msg *m;
        check_eq(rp_spawn(me, &other_file, &(rp_spawn_opts){.on = RP_LOOP(on)}, &r), 0);
        check_eq(rp_call(me, r, &same_type, &(struct same){7, "x"}, &m, RP_FOREVER), 0);
        const struct same *s = rp_body(m, &same_type);
        check(s && s->n == 8 && rp_body(m, type_of_other_file) == s);
        check_str(rp_type_of(m)->name, "test.same");
        rp_msg_drop(me, m);
        check_eq(rp_tell(me, rp_self_ref(me), type_of_other_file, &(struct same){1, "a"}), 0);
        check_eq(rp_tell(me, rp_self_ref(me), NUM, &(struct num){1, {0, 0}}), 0);
        check_eq(rp_tell(me, rp_self_ref(me), &same_type, &(struct same){2, "b"}), 0);
        for (uint64_t i = 1; i <= 2; i++) {
            check_eq(rp_recv_of(me, (const rp_type *const[]){i == 1 ? &same_type : type_of_other_file, NULL}, &m, RP_FOREVER), 0);
            check(rp_body(m, NUM) == NULL);
            check_eq(((const struct same *)rp_body(m, type_of_other_file))->n, i);
            rp_msg_drop(me, m);
        }
        check_eq(rp_timer_start(me, rp_in_ms(me, 1), type_of_other_file, &(struct same){3, "c"}, NULL), 0);
        check_eq(rp_recv_of(me, (const rp_type *const[]){&same_type, NULL}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
        uint64_t n;
        check_eq(recv_num(me, &n), 0);
    }
    return 0;
}

TEST(types, of_two_files_that_share_a_header_are_one)
{
    everywhere(two_files, 0);
}

/* ---- not constant -------------------------------------------------------------------------------- */

/* A description at one place, now this and now that. */
static struct moving {
    rp_type type;
    rp_field field[2];
    char name[16], first[16], second[16];
} *moving;

static const rp_type *describe(unsigned which)
{
    struct moving *t = moving;
    snprintf(t->name, sizeof t->name, "moving%u", which);
    snprintf(t->first, sizeof t->first, "n%u", which);
    snprintf(t->second, sizeof t->second, "who");
    t->field[0] = (rp_field){t->first, RP_U64, 0, 8};
    t->field[1] = (rp_field){t->second, RP_REF, 8 * which, 16};
    t->type = (rp_type){.name = t->name, .size = 8 * which + 16, .fields = t->field, .nfields = 2};
    return &t->type;
}

static int changing(rp_self *me, void *arg)
{
    (void)arg;
    uint64_t body[8] = {42};
    for (unsigned i = 1; i <= 4; i++)
        check_eq(rp_tell(me, rp_self_ref(me), describe(1 + (i & 1)), body), 0);
    memset(moving, 0xa5, sizeof *moving);
    for (unsigned i = 1; i <= 4; i++) {
        rp_msg *m;
        char text[80], want[16];
        check_eq(rp_recv(me, &m, RP_FOREVER), 0);
        snprintf(want, sizeof want, "moving%u{n%u=42", 1 + (i & 1), 1 + (i & 1));
        rp_type_print(text, sizeof text, rp_type_of(m), rp_body(m, rp_type_of(m)));
        check(strncmp(text, want, strlen(want)) == 0, "%s", text);
        check(rp_body(m, describe(1 + (i & 1))) != NULL);
        check(rp_body(m, describe(2 - (i & 1))) == NULL);
        rp_msg_drop(me, m);
    }
    return 0;
}

TEST(types, a_place_used_again_is_another_type)
{
    moving = malloc(sizeof *moving);
    everywhere(changing, 0);
    free(moving);
}

/* ---- mistakes ------------------------------------------------------------------------------------ */

static const rp_field other_fields[] = {RP_FIELD(struct same, n, RP_I64), RP_FIELD(struct same, text, RP_CHARS)};
static const rp_type differs_type = RP_TYPE("test.same", struct same, other_fields);

static int two_under_a_name(rp_self *me, void *arg)
{
    (void)arg;
    rp_msg *m;
    rp_ref self = rp_self_ref(me);
    struct same s = {1, "x"};
    check_eq(rp_tell(me, self, &same_type, &s), 0);
    for (unsigned i = 0; i < 2; i++) {
        check_eq(rp_tell(me, self, &differs_type, &s), -EINVAL);
        check_eq(rp_try_tell(me, self, &differs_type, &s), -EINVAL);
        check_eq(rp_call(me, self, &differs_type, &s, &m, 0), -EINVAL);
        check_eq(rp_timer_start(me, 0, &differs_type, &s, NULL), -EINVAL);
        check_eq(rp_recv_of(me, (const rp_type *const[]){&differs_type, NULL}, &m, 0), -EINVAL);
        check(rp_msg_new(me, &differs_type) == NULL);
    }
    check_eq(reports, 1);
    check(strstr(told_text, "\"test.same\"") && strstr(told_text, "\"n\", RP_U64") && strstr(told_text, "\"n\", RP_I64"), "%s", told_text);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check(rp_body(m, &differs_type) == NULL);
    rp_msg_drop(me, m);
    return 0;
}

TEST(types, two_under_one_name_are_an_error)
{
    check_eq(run_noted(two_under_a_name), 0);
}

static const rp_field wrong_fields[] = {RP_FIELD(struct same, n, RP_U32)};
static const rp_type wrong_type = RP_TYPE("test.wrong", struct same, wrong_fields);

static int unsound(rp_self *me, void *arg)
{
    (void)arg;
    struct same s = {1, "x"};
    for (unsigned i = 0; i < 2; i++) {
        check_eq(rp_tell(me, rp_self_ref(me), &wrong_type, &s), -EINVAL);
        check_eq(rp_tell(me, rp_self_ref(me), &(rp_type){.size = 8}, &s), -EINVAL);
    }
    check(reports >= 2 && reports <= 3, "%u", reports);
    return 0;
}

TEST(types, an_unsound_one_is_told_at_its_first_use)
{
    check_eq(run_noted(unsound), 0);
}

static int never(rp_self *me, void *arg)
{
    (void)me, (void)arg;
    return -EDOM;
}

static const rp_type no_fields_type = {.name = "test.none", .size = 8};

TEST(types, what_is_listed_is_looked_at_before_the_root)
{
    const rp_type *lists[][3] = {{NUM, &wrong_type}, {&no_fields_type}, {&same_type, &differs_type}};
    const char *want[] = {"type \"test.wrong\", field 0 \"n\" (RP_U32, 8 bytes at 0 of 16) is of another size", "\"test.none\"", "\"test.same\""};
    for (unsigned i = 0; i < 3; i++) {
        reports = 0;
        check_eq(rp_run(&(rp_actor){.run = never}, NULL, &(rp_system_opts){.loops = 1, .types = lists[i], .on_report = note}), -EINVAL);
        check_eq(reports, 1);
        check(strstr(told_text, want[i]), "%s", told_text);
    }
    const rp_type *good[] = {&same_type, type_of_other_file, NUM, NUM, NULL};
    check_eq(rp_run(&(rp_actor){.run = never}, NULL, &(rp_system_opts){.loops = 1, .types = good}), -EDOM);
}
