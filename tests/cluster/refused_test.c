/* SPDX-License-Identifier: MIT
 *
 * Links that are refused, and messages that cannot be made: each end says why, in words, once.
 */
#include "tests/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const rp_field odd_fields[] = {RP_FIELD(struct num, n, RP_U64)};
static const rp_type odd_type = RP_TYPE("test.odd", struct num, odd_fields); /* the server does not list it */

struct label {
    char text[40];
};
struct short_label {
    char text[8];
};
static const rp_field label_fields[] = {RP_FIELD(struct label, text, RP_CHARS)}, short_fields[] = {RP_FIELD(struct short_label, text, RP_CHARS)};
static const rp_type label_type = RP_TYPE("test.label", struct label, label_fields);
static const rp_type short_type = RP_TYPE("test.label", struct short_label, short_fields);

static const rp_type *const types[] = {&num_type, &short_type, NULL};

struct pair { /* two nodes of a simulation */
    struct reports server, client;
    const char *their_secret, *our_secret;
    int rc; /* of rp_connect */
};

static int take(rp_self *me, void *state, const rp_msg *m)
{
    (void)me, (void)state, (void)m;
    return 0;
}
static const rp_actor taker = {.name = "taker", .handle = take};

static int serve(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref r;
    check_eq(rp_spawn(me, &taker, &(rp_spawn_opts){.name = "taker"}, &r), 0);
    return rp_sleep(me, rp_in_ms(me, 5000));
}

static int ask(rp_self *me, void *arg)
{
    struct pair *p = arg;
    rp_node node;
    rp_ref r;
    check_eq(rp_connect(me, "nonsense", &node, rp_in_ms(me, 2000)), -EINVAL);
    check(strstr(rp_cause(me, -EINVAL), "\"nonsense\": it must begin with") != NULL, "%s", rp_cause(me, -EINVAL));
    p->rc = rp_connect(me, "sim://server", &node, rp_in_ms(me, 2000));
    if (p->rc != 0) {
        check(strstr(rp_cause(me, p->rc), "no link with sim://server: the secrets differ") != NULL, "%s", rp_cause(me, p->rc));
        return 0;
    }
    check_eq(rp_lookup(me, node, "taker", &r, rp_in_ms(me, 1000)), 0);
    for (unsigned i = 0; i < 3; i++) {
        check_eq(rp_tell(me, r, &odd_type, &(struct num){i}), 0);
        check_eq(rp_tell(me, r, &label_type, &(struct label){"longer than eight bytes"}), 0);
    }
    return rp_sleep(me, rp_in_ms(me, 1000));
}

static void run_pair(struct pair *p)
{
    const rp_actor server = {.name = "server", .run = serve}, client = {.name = "client", .run = ask};
    unsigned a, b;
    rp_sim *s = rp_sim_new(test_seed());
    reports_init(&p->server);
    reports_init(&p->client);
    rp_system_opts so = {.loops = 1, .listen = "sim://server", .node = "s\x1b[1m", .secret = p->their_secret, .types = types,
                         .on_report = reported, .report_ud = &p->server};
    rp_system_opts co = {.loops = 1, .node = "c", .secret = p->our_secret, .on_report = reported, .report_ud = &p->client};
    check_eq(rp_sim_add(s, &server, p, &so, &a), 0);
    check_eq(rp_sim_add(s, &client, p, &co, &b), 0);
    check_eq(rp_sim_run(s, 60 * RP_S), 0);
    check_eq(rp_sim_result(s, a), 0);
    check_eq(rp_sim_result(s, b), 0);
    rp_sim_free(s);
}

static void secrets(const char *theirs, const char *ours, const char *at_server, const char *at_client)
{
    struct pair p = {.their_secret = theirs, .our_secret = ours};
    run_pair(&p);
    check_eq(p.rc, -EACCES);
    const rp_report *r = report_with(&p.server, at_server);
    check(r && p.server.n == 1, "%u \"%s\", not \"%s\"", p.server.n, p.server.text[0], at_server);
    check(r->kind == RP_REPORT_LINK && r->err == -EACCES && strstr(r->text, "node \"c\""), "%s", r->text);
    r = report_with(&p.client, at_client);
    check(r && p.client.n == 1, "%u \"%s\", not \"%s\"", p.client.n, p.client.text[0], at_client);
    check(strstr(r->text, "sim://server") && strstr(r->text, "s?[1m"), "%s", r->text);
}

TEST(refused, secrets_that_differ)
{
    secrets("one", "another", "the secrets differ", "the secrets differ");
    secrets("one", NULL, "the secrets differ, or it has none", "this process has none");
    secrets(NULL, "one", "this process has none", "the secrets differ, or it has none");
}

TEST(refused, messages_that_cannot_be_made)
{
    struct pair p = {0};
    run_pair(&p);
    check_eq(p.rc, 0);
    check_eq(p.client.n, 0);
    const rp_report *r = report_with(&p.server, "a message of type \"test.odd\" from node \"c\"");
    check(r && r->kind == RP_REPORT_MESSAGE && r->err == -ENOTSUP && strstr(r->text, "rp_system_opts.types"), "%s", p.server.text[0]);
    r = report_with(&p.server, "a message of type \"test.label\" from node \"c\"");
    check(r && r->kind == RP_REPORT_MESSAGE && r->err == -EMSGSIZE, "%s", p.server.text[1]);
    check_eq(p.server.n, 2); /* each once */
}

/* ---- whoever monitors over a link hears why too -------------------------------------------------- */

static int fall(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_fail(me, -ERANGE, "no such order");
}
static const rp_actor faller = {.name = "faller", .handle = fall};

static int serve_faller(rp_self *me, void *arg)
{
    (void)arg;
    check_eq(rp_spawn(me, &faller, &(rp_spawn_opts){.name = "faller"}, NULL), 0);
    return rp_sleep(me, rp_in_ms(me, 3000));
}

static int watch_faller(rp_self *me, void *arg)
{
    rp_node node;
    rp_ref r;
    struct rp_down d;
    (void)arg;
    check_eq(rp_connect(me, "sim://server", &node, rp_in_ms(me, 1000)), 0);
    check_eq(rp_lookup(me, node, "faller", &r, rp_in_ms(me, 1000)), 0);
    check_eq(rp_monitor(me, r), 0);
    check_eq(tell_num(me, r, 1), 0);
    check_eq(recv_down(me, &d), 0);
    check_eq(d.reason, -ERANGE);
    check_str(d.name, "faller");
    check_str(d.why, "no such order");
    return 0;
}

TEST(refused, down_says_why)
{
    const rp_actor server = {.name = "server", .run = serve_faller}, client = {.name = "client", .run = watch_faller};
    unsigned a, b;
    rp_sim *s = rp_sim_new(test_seed());
    rp_system_opts so = {.loops = 2, .listen = "sim://server", .types = types};
    check_eq(rp_sim_add(s, &server, NULL, &so, &a), 0);
    check_eq(rp_sim_add(s, &client, NULL, NULL, &b), 0);
    check_eq(rp_sim_run(s, 60 * RP_S), 0);
    check_eq(rp_sim_result(s, a), 0); /* somebody monitored it */
    check_eq(rp_sim_result(s, b), 0);
    rp_sim_free(s);
}

/* ---- strangers ----------------------------------------------------------------------------------- */

static int speak_http(void *arg)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t) * (int *)arg), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char hello[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char got[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool said = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0 && send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL) > 0;
    while (said && read(fd, got, sizeof got) > 0)
        ; /* until the other side lets go */
    close(fd);
    return said ? 0 : -EIO;
}

static int met_by_http(rp_self *me, void *arg)
{
    char url[128];
    (void)arg;
    check_eq(rp_listen_url(me, url, sizeof url), 0);
    int port = atoi(strrchr(url, ':') + 1);
    return rp_offload(me, speak_http, &port, RP_FOREVER);
}

TEST(refused, a_stranger_who_speaks_something_else)
{
    struct reports got;
    reports_init(&got);
    rp_system_opts o = {.loops = 1, .listen = "uv+tcp://127.0.0.1:0", .on_report = reported, .report_ud = &got};
    check_eq(run_with(met_by_http, 0, &o), 0);
    const rp_report *r = report_with(&got, "no link with a stranger: -71, it does not speak this protocol");
    check(r && got.n == 1 && r->kind == RP_REPORT_LINK, "%u %s", got.n, got.text[0]);
}
