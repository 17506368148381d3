/* SPDX-License-Identifier: MIT
 *
 * A program that follows its user's locale, where a decimal point is a comma: numbers for machines stay as they are.
 */
#include "tests/support.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What localedef reads: seven bits, and a comma. Nothing of the system's own, which a minimal one lacks. */
static void write_sources(void)
{
    FILE *map = fopen("map", "w"), *src = fopen("src", "w");
    check(map && src);
    fprintf(map, "<code_set_name> PLAIN\n<comment_char> %%\n<escape_char> /\n<mb_cur_min> 1\n<mb_cur_max> 1\nCHARMAP\n");
    for (unsigned c = 0; c < 128; c++)
        fprintf(map, "<U%04X> /x%02x c\n", c, c);
    fprintf(map, "END CHARMAP\n");
    fprintf(src, "comment_char %%\nescape_char /\nLC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3;3\nEND LC_NUMERIC\n");
    check_eq(fclose(map), 0);
    check_eq(fclose(src), 0);
}

static void set_comma(void)
{
    char dir[] = "/tmp/reparto-locale-XXXXXX", text[64];
    check(mkdtemp(dir) != 0);
    check_eq(chdir(dir), 0);
    write_sources();
    (void)!system("localedef -c --no-archive -f ./map -i src ./comma >out 2>&1"); /* it warns of all that is not there */
    setenv("LOCPATH", dir, 1);
    check(setlocale(LC_NUMERIC, "comma") != 0, "localedef made no locale in %s", dir);
    check_eq(chdir("/"), 0);
    snprintf(text, sizeof text, "rm -r %s", dir);
    check_eq(system(text), 0);
    snprintf(text, sizeof text, "%g", 1.5);
    check(!strcmp(text, "1,5"), "%s", text);
}

struct real {
    double d;
    float f;
};
static const rp_field real_fields[] = {RP_FIELD(struct real, d, RP_F64), RP_FIELD(struct real, f, RP_F32)};
static const rp_type real_type = RP_TYPE("t.real", struct real, real_fields);

TEST(locale, bodies_are_printed_and_read_with_a_point)
{
    struct real r = {1.5, -0.25f}, back;
    char text[64], room[64];
    set_comma();
    rp_type_print(text, sizeof text, &real_type, &r);
    check(!strcmp(text, "t.real{d=1.5 f=-0.25}"), "%s", text);
    check_eq(rp_type_scan(text, &real_type, &back, room, sizeof room), 0);
    check(back.d == r.d && back.f == r.f);
    check_eq(rp_type_scan("t.real{d=1,5}", &real_type, &back, room, sizeof room), -EINVAL);
}

static int measured(rp_self *me, void *arg)
{
    (void)arg;
    enum { ROOM = 1 << 18 };
    char *text = malloc(ROOM);
    check(text != 0);
    for (uint64_t i = 0, n; i < 3000; i++) { /* one in some hundred is measured */
        check_eq(tell_num(me, rp_self_ref(me), i), 0);
        check_eq(recv_num(me, &n), 0);
    }
    check(rp_metrics_text(me, text, ROOM) > 0);
    unsigned rows = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(0, "\n")) {
        const char *le = strstr(line, "le=\"");
        if (le && le[4] != '+') {
            rows++;
            check(le[5] == '.' || strspn(le + 4, "0123456789e+-.") == strcspn(le + 4, "\""), "%s", line);
        }
        if (line[0] != '#') {
            const char *value = strrchr(line, ' ');
            check(value && !strchr(value, ','), "%s", line);
        }
    }
    check(rows > 0);
    free(text);
    return 0;
}

TEST(locale, metrics_are_written_with_a_point)
{
    set_comma();
    check_eq(run_with(measured, 0, 0), 0);
}
