/* SPDX-License-Identifier: MIT */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- Prometheus' text, read back ------------------------------------------------------------------- */

struct sample {
    char name[128], labels[256]; /* labels without `le` */
    double le, value;
};

static bool name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (!first && c >= '0' && c <= '9');
}

static const char *read_name(const char *at, char *to, size_t size)
{
    size_t n = 0;
    while (name_char(*at, n == 0) && n + 1 < size)
        to[n++] = *at++;
    to[n] = 0;
    check(n > 0, "no name at: %.40s", at);
    return at;
}

/* name="value", with its escapes; the value as it stands. */
static const char *read_label(const char *at, char *name, char *value, size_t size)
{
    at = read_name(at, name, 64);
    check(at[0] == '=' && at[1] == '"', "%.40s", at);
    size_t n = 0;
    for (at += 2; *at != '"'; at++) {
        check(*at && *at != '\n', "a label that does not end");
        if (*at == '\\') {
            check(at[1] == '\\' || at[1] == '"' || at[1] == 'n', "a wrong escape: %.4s", at);
            at++;
        }
        check(n + 1 < size);
        value[n++] = *at;
    }
    value[n] = 0;
    return at + 1;
}

static const char *read_sample(const char *at, struct sample *s)
{
    at = read_name(at, s->name, sizeof s->name);
    s->labels[0] = 0;
    s->le = -1;
    if (*at == '{') {
        do {
            char name[64], value[128];
            at = read_label(at + 1, name, value, sizeof value);
            if (strcmp(name, "le") == 0) {
                char *end;
                s->le = strcmp(value, "+Inf") == 0 ? 1e300 : strtod(value, &end);
                continue;
            }
            size_t n = strlen(s->labels);
            snprintf(s->labels + n, sizeof s->labels - n, "%s=%s;", name, value);
        } while (*at == ',');
        check(*at++ == '}');
    }
    check(*at++ == ' ');
    char *end;
    s->value = strtod(at, &end);
    check(end != at && *end == '\n', "no number at: %.40s", at);
    return end + 1;
}

struct reading { /* what has been seen so far */
    char family[128], kind[16];
    char seen[64][128]; /* families, each once */
    unsigned families;
    char series[256][256]; /* of the family, each once */
    unsigned nseries;
    struct sample last; /* bucket */
    bool in_buckets;
    double inf;
};

static const char *read_head(const char *at, struct reading *r)
{
    char family[128], help[256];
    int n = 0;
    check(sscanf(at, "# HELP %127s %255[^\n]%n", family, help, &n) == 2 && at[n] == '\n', "%.60s", at);
    at += n + 1;
    check(sscanf(at, "# TYPE %127s %15s%n", r->family, r->kind, &n) == 2 && at[n] == '\n', "%.60s", at);
    check_str(r->family, family);
    check(!strcmp(r->kind, "counter") || !strcmp(r->kind, "gauge") || !strcmp(r->kind, "histogram"));
    for (unsigned i = 0; i < r->families; i++)
        check(strcmp(r->seen[i], family) != 0, "%s twice", family);
    check(r->families < 64);
    strcpy(r->seen[r->families++], family);
    r->nseries = 0;
    return at + n + 1;
}

static void take_bucket(struct reading *r, const struct sample *s)
{
    if (r->in_buckets) {
        check_str(s->labels, r->last.labels);
        check(s->le > r->last.le && s->value >= r->last.value, "buckets that do not grow: %s", s->labels);
    }
    r->last = *s;
    r->in_buckets = s->le < 1e300;
    r->inf = s->value;
}

static void take_once(struct reading *r, const struct sample *s)
{
    for (unsigned i = 0; i < r->nseries; i++)
        check(strcmp(r->series[i], s->labels) != 0, "%s{%s} twice", s->name, s->labels);
    check(r->nseries < 256);
    strcpy(r->series[r->nseries++], s->labels);
}

static void take(struct reading *r, const struct sample *s)
{
    size_t n = strlen(r->family);
    check(strncmp(s->name, r->family, n) == 0, "%s in %s", s->name, r->family);
    check(s->value >= 0);
    if (strcmp(r->kind, "histogram") != 0) {
        check_str(s->name, r->family);
        take_once(r, s);
        check(strcmp(r->kind, "counter") != 0 || strcmp(s->name + n - 6, "_total") == 0, "%s", s->name);
    } else if (strcmp(s->name + n, "_bucket") == 0) {
        take_bucket(r, s);
    } else if (strcmp(s->name + n, "_count") == 0) {
        check(!r->in_buckets && s->value == r->inf, "%s: +Inf %g, count %g", s->labels, r->inf, s->value);
        take_once(r, s);
    } else {
        check_str(s->name + n, "_sum");
    }
}

/* Checks all of it; the value of name{labels}, or -1. */
static double in_text(const char *text, const char *name, const char *labels)
{
    static struct reading r;
    double found = -1;
    memset(&r, 0, sizeof r);
    for (const char *at = text; *at;) {
        if (*at == '#') {
            at = read_head(at, &r);
            continue;
        }
        struct sample s;
        at = read_sample(at, &s);
        take(&r, &s);
        if (strcmp(s.name, name) == 0 && strcmp(s.labels, labels) == 0 && s.le < 0)
            found = s.value;
    }
    return found;
}

/* ---- times ----------------------------------------------------------------------------------------- */

static const rp_field odd_fields[] = {RP_FIELD(struct num, n, RP_U64)};
static const rp_type odd_type = RP_TYPE("a \"name\"\nof\\ two lines", struct num, odd_fields);

static int slow(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, rp_in_ms(me, 20));
}
static const rp_actor slow_one = {.name = "slow", .handle = slow};

/* Low traffic is measured to the last message: the first waits for nobody, the second for the first. */
static int low_traffic(rp_self *me, void *arg)
{
    rp_ref who;
    rp_times wait, service;
    (void)arg;
    check_eq(rp_times_read(me, NUM, &wait, &service), -ENOENT);
    check_eq(rp_spawn(me, &slow_one, &(rp_spawn_opts){.on = RP_SPREAD}, &who), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(rp_tell(me, who, NUM, &(struct num){1}), 0);
    check_eq(rp_tell(me, who, NUM, &(struct num){2}), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 60)), 0);
    check_eq(rp_times_read(me, NUM, &wait, &service), 0);
    check_eq(wait.count, 2);
    check_eq(service.count, 2);
    check(wait.p50 < 15 * RP_MS || wait.p50 >= 17 * RP_MS, "%" PRId64, wait.p50);
    check(wait.max >= 17 * RP_MS, "the second has waited %" PRId64, wait.max);
    check(service.p50 >= 17 * RP_MS && service.mean >= 20 * RP_MS, "%" PRId64, service.mean);
    static char text[1 << 18];
    check(rp_metrics_text(me, text, sizeof text) > 0);
    double waited = in_text(text, "reparto_message_wait_seconds_sum", "type=test.num;") - 2 * (double)wait.mean / RP_S;
    double served = in_text(text, "reparto_message_service_seconds_sum", "type=test.num;") - 2 * (double)service.mean / RP_S;
    check(waited > -1e-8 && waited < 1e-8 && served > -1e-8 && served < 1e-8, "%g and %g off", waited, served);
    return rp_stop(me, who, "done");
}

TEST(metrics, waiting_and_service_of_a_slow_actor)
{
    everywhere(low_traffic, 0);
}

static int sink(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    return rp_wants_reply(m) ? rp_reply(me, m, NUM, &(struct num){0}) : 0;
}
static const rp_actor sink_one = {.name = "sink", .handle = sink};

static int talker(rp_self *me, void *arg)
{
    rp_msg *m;
    rp_ref to = *(rp_ref *)arg;
    for (;;) {
        int rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            return rc;
        rp_msg_drop(me, m);
        (void)!rp_tell(me, to, NUM, &(struct num){1});
    }
}
static const rp_actor talker_one = {.name = "talker", .run = talker};

/* All ways of sending at full speed: what the chosen stand for is what was sent. */
static int high_traffic(rp_self *me, void *arg)
{
    enum { EACH = 60000 };
    rp_ref there, by;
    bool off = *(bool *)arg;
    check_eq(rp_spawn(me, &sink_one, &(rp_spawn_opts){.on = RP_SPREAD}, &there), 0);
    check_eq(rp_spawn(me, &talker_one, &(rp_spawn_opts){.arg = &there, .mailbox = 4096}, &by), 0);
    for (unsigned i = 0; i < EACH; i++) {
        check_eq(rp_tell(me, there, NUM, &(struct num){i}), 0);
        check_eq(rp_tell(me, by, &odd_type, &(struct num){i}), 0);
        if (i % 64 == 0) {
            rp_msg *m;
            check_eq(rp_call(me, there, TEXT, &(struct text){1, {"what", 4}}, &m, RP_FOREVER), 0);
            rp_msg_drop(me, m);
        }
    }
    for (rp_metrics m = {0}; m.messages.handled + 10 < EACH * 3;) {
        check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
        check_eq(rp_metrics_read(me, RP_ALL_LOOPS, &m), 0);
    }
    rp_times num = {0}, odd = {0}, text = {0}, service = {0};
    if (off) {
        check_eq(rp_times_read(me, NUM, &num, &service), -ENOENT);
    } else {
        check_eq(rp_times_read(me, NUM, &num, &service), 0);
        check_eq(rp_times_read(me, &odd_type, &odd, NULL), 0);
        (void)!rp_times_read(me, TEXT, &text, NULL); /* of so few none may be chosen */
        double n = (double)(num.count + odd.count + text.count) / (3.0 * EACH);
        check(n > 0.6 && n < 1.5, "they stand for %g of what was sent", n);
        check(service.count > 0 && service.max >= service.p999 && service.p999 >= service.p99 && service.p99 >= service.p50);
    }
    check_eq(rp_stop(me, by, "done"), 0);
    return rp_stop(me, there, "done");
}

TEST(metrics, what_is_chosen_stands_for_all)
{
    bool off = false;
    everywhere(high_traffic, &off);
}

TEST(metrics, unmeasured_if_one_says_so)
{
    bool off = true;
    rp_system_opts o = {.loops = 2, .unmeasured = true};
    check_eq(run_with(high_traffic, &off, &o), 0);
}

/* ---- over the socket ------------------------------------------------------------------------------- */

struct page {
    const char *path;
    char text[65536];
};

static int get(void *arg)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    struct page *p = arg;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", p->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    check(write(fd, request, sizeof request - 1) == sizeof request - 1);
    size_t n = 0;
    for (ssize_t k; (k = read(fd, p->text + n, sizeof p->text - 1 - n)) > 0;)
        n += (size_t)k;
    p->text[n] = 0;
    close(fd);
    return 0;
}

static int scraped(rp_self *me, void *arg)
{
    static struct page p;
    p.path = arg;
    check_eq(rp_offload(me, get, &p, RP_FOREVER), 0);
    check(strncmp(p.text, "HTTP/1.0 200 ", 13) == 0, "%.40s", p.text);
    const char *body = strstr(p.text, "\r\n\r\n");
    check(body != 0);
    check_eq(in_text(body + 4, "reparto_actors_spawned_total", "loop=0;"), 1);
    return 0;
}

TEST(metrics, over_the_socket)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/reparto-metrics-%d", (int)getpid());
    rp_system_opts o = {.loops = 2, .inspect = path};
    check_eq(run_with(scraped, path, &o), 0);
}

/* ---- counters and the text ------------------------------------------------------------------------- */

static int fail(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return -EDOM;
}
static const rp_actor failing = {.name = "failing", .handle = fail};

/* Messages of one type are handled on every loop. */
static void ask_everywhere(rp_self *me)
{
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        rp_ref who;
        rp_msg *m;
        check_eq(rp_spawn(me, &sink_one, &(rp_spawn_opts){.on = RP_LOOP(i)}, &who), 0);
        for (unsigned k = 0; k < 3; k++) {
            check_eq(rp_call(me, who, NUM, &(struct num){i}, &m, RP_FOREVER), 0);
            rp_msg_drop(me, m);
        }
    }
}

static int written(rp_self *me, void *arg)
{
    rp_ref who;
    rp_metrics m, one;
    struct rp_down d;
    char *text;
    (void)arg;
    check_eq(rp_spawn(me, &failing, &(rp_spawn_opts){.monitor = true, .on = RP_SPREAD}, &who), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(rp_tell(me, who, &odd_type, &(struct num){1}), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    check_eq(rp_metrics_read(me, RP_ALL_LOOPS, &m), 0);
    check_eq(rp_metrics_read(me, 0, &one), 0);
    check_eq(rp_metrics_read(me, rp_loop_count(me), &one), -EINVAL);
    check_eq(m.spawned, 2);
    check_eq(m.ended, 1);
    check_eq(m.failed, 1);
    check(m.turns > 0 && m.stacks > 0 && m.stack_bytes > 0);
    check(m.messages.sent >= one.messages.sent);
    ask_everywhere(me);
    int n = rp_metrics_text(me, NULL, 0);
    check(n > 0 && (text = malloc(2 * (size_t)n)) != 0);
    n = rp_metrics_text(me, text, 2 * (size_t)n);
    check_eq(strlen(text), n);
    check(in_text(text, "reparto_actors_failed_total", "loop=0;") >= 0);
    check_eq(in_text(text, "reparto_message_wait_seconds_count", "type=a \"name\"nof\\ two lines;"), 1);
    double took = in_text(text, "reparto_message_service_seconds_sum", "type=a \"name\"nof\\ two lines;");
    check(took >= 0 && took < 10, "%g", took);
    char cut[100];
    check(rp_metrics_text(me, cut, sizeof cut) > (int)sizeof cut && strlen(cut) == sizeof cut - 1);
    free(text);
    return 0;
}

TEST(metrics, text_that_prometheus_reads)
{
    everywhere(written, 0);
}

/* ---- mailboxes by kind, drops by why --------------------------------------------------------------- */

static double now_says(rp_self *me, const char *name, const char *labels)
{
    static char text[1 << 18];
    int n = rp_metrics_text(me, text, sizeof text);
    check(n > 0 && n < (int)sizeof text, "%d", n);
    return in_text(text, name, labels);
}

static int hangs(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor hanging = {.name = "a \"hanging\" one", .handle = hangs};
static const rp_actor hanging_too = {.name = "a \"hanging\" one", .handle = hangs}; /* one kind to who reads it */

static void fill(rp_self *me, rp_ref who, const rp_type *t, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        check_eq(rp_tell(me, who, t, &(struct num){i}), 0);
}

static int mailboxes(rp_self *me, void *arg)
{
    static const rp_field key_fields[] = {RP_FIELD(struct num, n, RP_U64)};
    static const rp_type latest = {.name = "test.latest", .size = sizeof(struct num), .fields = key_fields, .nfields = 1,
                                   .overflow = RP_CONFLATE};
    rp_ref a, b, drops_new, drops_old;
    const char *kind = "kind=a \"hanging\" one;";
    (void)arg;
    check_eq(rp_spawn(me, &hanging, &(rp_spawn_opts){.on = RP_SPREAD}, &a), 0);
    check_eq(rp_spawn(me, &hanging_too, &(rp_spawn_opts){.on = RP_SPREAD}, &b), 0);
    check_eq(rp_spawn(me, &hanging, &(rp_spawn_opts){.on = RP_SPREAD, .mailbox = 2, .overflow = RP_DROP_NEW}, &drops_new), 0);
    check_eq(rp_spawn(me, &hanging, &(rp_spawn_opts){.on = RP_SPREAD, .mailbox = 2, .overflow = RP_DROP_OLD}, &drops_old), 0);
    check_eq(now_says(me, "reparto_actors", kind), 4);
    check_eq(now_says(me, "reparto_mailbox_messages", kind), 0);
    fill(me, a, NUM, 6); /* one is at work */
    fill(me, b, NUM, 11);
    fill(me, drops_new, NUM, 6);
    fill(me, drops_old, NUM, 7);
    while (now_says(me, "reparto_mailbox_messages", kind) < 5 + 10 + 2 + 2)
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 30)), 0);
    check_eq(now_says(me, "reparto_mailbox_messages", kind), 5 + 10 + 2 + 2);
    check_eq(now_says(me, "reparto_mailbox_messages_max", kind), 10);
    check(now_says(me, "reparto_mailbox_bytes", kind) >= 19 * 8);
    double oldest = now_says(me, "reparto_mailbox_oldest_seconds", kind);
    check(oldest >= 0.025 && oldest < 30, "%g", oldest);
    check_eq(now_says(me, "reparto_loops_held", ""), 0);
    fill(me, a, &latest, 4); /* each but the first takes the place of the one before */
    rp_metrics m;
    do {
        check_eq(rp_sleep(me, rp_in_ms(me, 1)), 0);
        check_eq(rp_metrics_read(me, RP_ALL_LOOPS, &m), 0);
    } while (m.messages.dropped < 3 + 4 + 3);
    check_eq(m.dropped[RP_DROPPED_NEW], 3);
    check_eq(m.dropped[RP_DROPPED_OLD], 4);
    check_eq(m.dropped[RP_DROPPED_REPLACED], 3);
    check_eq(m.messages.dropped, 10);
    double in_lines = 0;
    for (unsigned i = 0; i < rp_loop_count(me); i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "loop=%u;why=replaced;", i);
        in_lines += now_says(me, "reparto_messages_dropped_total", labels);
    }
    check_eq(in_lines, 3);
    check_eq(rp_stop(me, a, "enough"), 0);
    return 0;
}

TEST(metrics, mailboxes_by_kind_and_drops_by_why)
{
    everywhere(mailboxes, 0);
}

#if !defined(__SANITIZE_THREAD__) /* it holds signals back: nobody is seen at work */
static int burn(rp_self *me, void *state, const rp_msg *m)
{
    clock_t end = clock() + CLOCKS_PER_SEC / 20;
    (void)state;
    while (clock() < end)
        ;
    return rp_reply(me, m, NUM, &(struct num){0});
}
static const rp_actor burning = {.name = "burning", .handle = burn};

/* Not before somebody has asked for it; then with all that there is. */
static int cpu_time(rp_self *me, void *arg)
{
    rp_ref who;
    rp_msg *m;
    char labels[32];
    unsigned last = rp_loop_count(me) - 1;
    (void)arg;
    snprintf(labels, sizeof labels, "loop=%u;", last);
    check_eq(now_says(me, "reparto_loop_cpu_seconds_total", labels), -1);
    check_eq(now_says(me, "reparto_actors_cpu_seconds", "kind=burning;"), -1);
    check_eq(rp_profile(me, 60000), 0);
    check_eq(rp_spawn(me, &burning, &(rp_spawn_opts){.on = RP_LOOP(last)}, &who), 0);
    double of_kind;
    do { /* the kernel looks seldom on a crowded machine */
        check_eq(rp_call(me, who, NUM, &(struct num){1}, &m, RP_FOREVER), 0);
        rp_msg_drop(me, m);
        of_kind = now_says(me, "reparto_actors_cpu_seconds", "kind=burning;");
    } while (of_kind <= 0.01);
    double all = now_says(me, "reparto_loop_cpu_seconds_total", labels), own = now_says(me, "reparto_loop_own_cpu_seconds_total", labels);
    check(own >= 0 && all + 1e-9 >= of_kind && all < 60, "%g of %g, %g nobody's", of_kind, all, own);
    char path[] = "/tmp/reparto-metrics-XXXXXX", text[4096] = "";
    int fd = mkstemp(path);
    check(fd >= 0 && unlink(path) == 0);
    check_eq(rp_dump(me, fd), 0);
    check(pread(fd, text, sizeof text - 1, 0) > 0);
    const char *line = strstr(text, " burning ");
    double seconds = 0;
    check(line && sscanf(line, " burning %*[a-z ]; %lf s of CPU time", &seconds) == 1 && seconds >= of_kind - 0.001, "%s", text);
    close(fd);
    return 0;
}

TEST(metrics, cpu_time_when_somebody_has_asked)
{
    check_eq(run_with(cpu_time, 0, &(rp_system_opts){.loops = 1}), 0);
    check_eq(run_with(cpu_time, 0, &(rp_system_opts){.loops = 2}), 0);
}
#endif

/* However many kinds a program makes, the text is bounded, and nobody is missing. */
static int many_kinds(rp_self *me, void *arg)
{
    enum { N = 200 };
    static char name[N][16];
    static rp_actor kind[N];
    (void)arg;
    for (unsigned i = 0; i < N; i++) {
        snprintf(name[i], sizeof name[i], "kind %u", i);
        kind[i] = (rp_actor){.name = name[i], .handle = hangs};
        check_eq(rp_spawn(me, &kind[i], &(rp_spawn_opts){.on = RP_SPREAD}, NULL), 0);
    }
    double n = now_says(me, "reparto_actors", "kind=(others);");
    check(n >= N - 64, "%g", n);
    for (unsigned i = 0; i < N; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "kind=kind %u;", i);
        double one = now_says(me, "reparto_actors", labels);
        n += one > 0 ? one : 0;
    }
    check_eq(n, N);
    return 0;
}

TEST(metrics, kinds_beyond_a_number_are_others)
{
    check_eq(run_with(many_kinds, 0, &(rp_system_opts){.loops = 2}), 0);
}
