/* SPDX-License-Identifier: MIT
 *
 * Who speaks to a node by hand, and says what no node says, or all of it too often, or at a pace of his own. It must cost
 * him his link, and nobody else anything.
 */
#include "tests/cluster/by_hand.h"

#include <errno.h>
#include <stdlib.h>

/* ---- before anything is known of him --------------------------------------------------------------------- */

/* He hears nothing before he has said a sound HELLO, whatever he says; and nothing of his is kept. */
TEST(stranger, learns_nothing)
{
    static const uint8_t kinds[] = {RP__AUTH, RP__WELCOME, RP__BYE, RP__PING, RP__PONG, RP__CREDIT, RP__SEND, RP__LOOKUP, 64, 40};
    static const unsigned char zeros[64];
    struct node n;
    struct stranger s;
    node_open(&n);
    for (unsigned i = 0; i < sizeof kinds; i++) {
        come(&s, &n);
        say_sp(&s);
        say_frame(&s, kinds[i], 0, 0, zeros, kinds[i] == RP__PING || kinds[i] == RP__PONG ? 8 : 32);
        pass(&n, 100 * RP_MS);
        check(s.nsaid == 0, "it answered a frame of type %u", kinds[i]);
        check(!s.link, "type %u", kinds[i]);
        go(&s);
    }
    come(&s, &n);
    say(&s, "GET / HTTP/1.0\r\n\r\n", 18);
    pass(&n, 100 * RP_MS);
    check(s.nsaid == 0 && !s.link);
    go(&s);
    come(&s, &n);
    say_sp(&s);
    say_frame(&s, RP__HELLO, 0, 0, zeros, 64);
    pass(&n, 100 * RP_MS);
    check(s.nsaid == 0 && !s.link);
    go(&s);
    node_close(&n);
}

TEST(stranger, makes_nothing_grow)
{
    static const uint64_t stamp = 7;
    struct node n;
    struct stranger s;
    node_open(&n);
    come(&s, &n);
    s.deaf = true;
    say_sp(&s);
    size_t before = n.mem.most = n.mem.now;
    for (unsigned i = 0; i < 10 && s.link; i++)
        say_frames(&s, 10000, RP__PING, 0, 0, &stamp, sizeof stamp);
    check(n.mem.most - before < 8192, "%zu bytes", n.mem.most - before);
    go(&s);
    node_close(&n);
}

TEST(stranger, of_another_version_or_secret_is_told)
{
    struct node n;
    struct stranger s;
    node_open(&n);
    come(&s, &n);
    say_sp(&s);
    say_hello(&s, 3);
    pass(&n, 100 * RP_MS);
    check(!s.link);
    check_eq(last_bye(&s), RP__BYE_VERSION);
    go(&s);
    come(&s, &n);
    say_sp(&s);
    say_hello(&s, 1);
    say_auth(&s, "t");
    pass(&n, 100 * RP_MS);
    check(!s.link);
    check_eq(last_bye(&s), RP__BYE_AUTH);
    go(&s);
    node_close(&n);
}

TEST(stranger, says_more_than_belongs_to_a_greeting)
{
    struct node n;
    struct stranger s;
    node_open(&n);
    for (unsigned in_auth = 0; in_auth < 2; in_auth++) {
        come(&s, &n);
        say_sp(&s);
        say_hello(&s, 1);
        say_auth_and(&s, "s", in_auth);
        pass(&n, RP_MS);
        say_frame(&s, RP__WELCOME, 0, 0, "!", 1 - in_auth);
        pass(&n, 100 * RP_MS);
        check(!s.link || s.link->state == RP__L_DOWN);
        check_eq(last_bye(&s), RP__BYE_PROTO);
        go(&s);
    }
    node_close(&n);
}

/* ---- there are many ------------------------------------------------------------------------------------------- */

/* Those that say nothing shut nobody out: neither one of their own address nor another, and both may take their time. */
TEST(stranger, in_crowds_shuts_nobody_out)
{
    enum { SILENT = 3 * RP__STRANGERS };
    struct node n;
    struct stranger slow, crowd[SILENT], honest;
    node_open(&n);
    come_from(&slow, &n, 7);
    slow.number = 3000;
    say_sp(&slow);
    say_hello(&slow, 1);
    for (unsigned i = 0; i < SILENT; i++)
        come_from(&crowd[i], &n, 7);
    unsigned held = 0;
    for (unsigned i = 0; i < SILENT; i++)
        held += crowd[i].link != 0;
    check_eq(held, RP__STRANGERS_EACH - 1);
    check(crowd[SILENT - 1].link && !crowd[0].link);
    say_auth(&slow, "s"); /* he has said who he is: those that have said nothing go first */
    pass(&n, RP_MS);
    say_frame(&slow, RP__WELCOME, 0, 0, 0, 0);
    check(slow.link && slow.link->state == RP__L_UP);
    know(&honest, &n, 1000);
    go(&honest);
    pass(&n, 4 * RP_S); /* nor may they stay */
    for (unsigned i = 0; i < SILENT; i++) {
        check(!crowd[i].link);
        free(crowd[i].said);
    }
    go(&slow);
    node_close(&n);
}

TEST(stranger, of_one_address_leave_the_others_their_places)
{
    enum { SILENT = 2 * RP__STRANGERS };
    struct node n;
    struct stranger other, crowd[SILENT];
    node_open(&n);
    come_from(&other, &n, 8); /* silent too, and the oldest */
    for (unsigned i = 0; i < SILENT; i++)
        come_from(&crowd[i], &n, 7);
    check(other.link && other.link->state == RP__L_HELLO);
    for (unsigned i = 0; i < SILENT; i++)
        come_from_again(&crowd[i], 100 + i); /* each of another address */
    check(!other.link);
    for (unsigned i = 0; i < SILENT; i++)
        go(&crowd[i]);
    free(other.said);
    node_close(&n);
}

/* Who only says that he is a node has not proved it: he does not stand in that one's way. */
TEST(stranger, in_the_name_of_a_peer_keeps_it_from_nothing)
{
    struct node n;
    struct stranger liar, s;
    node_open(&n);
    come(&liar, &n);
    liar.number = 1; /* the smallest: a link that it dials is the one that stays of two */
    say_sp(&liar);
    say_hello(&liar, 1);
    check(liar.link && liar.link->state == RP__L_AUTH);
    be_dialled(&s, &n);
    s.number = 1;
    say_sp(&s);
    say_hello(&s, 1);
    say_auth(&s, "s");
    say_frame(&s, RP__WELCOME, 0, 0, 0, 0);
    pass(&n, RP_MS);
    check(s.link && s.link->state == RP__L_UP);
    go(&s);
    go(&liar);
    node_close(&n);
}

/* ---- a node that is known ------------------------------------------------------------------------------------ */

/* A megabyte may take longer than a heartbeat on a slow line: who sends it is not silent. */
TEST(stranger, may_take_time_over_a_large_frame)
{
    enum { WHOLE = RP__MAX_FRAME, STEPS = 40 };
    struct node n;
    struct stranger s;
    unsigned char head[13 + RP__FRAME_HEADER];
    static const unsigned char zeros[WHOLE / STEPS];
    node_open(&n);
    know(&s, &n, 1000);
    struct rp__w w = {head, 0, sizeof head};
    w.n = rp__put_sp_message(head, false, RP__FRAME_HEADER + STEPS * sizeof zeros);
    rp__put_frame(&w, 200, 0, 0, STEPS * sizeof zeros);
    say(&s, head, w.n);
    for (unsigned i = 0; i < STEPS && s.link; i++) {
        pass(&n, RP_S);
        say(&s, zeros, sizeof zeros);
    }
    check(s.link && s.link->state == RP__L_UP);
    pass(&n, 4 * RP_S);
    check(s.link && s.link->state == RP__L_UP);
    pass(&n, 4 * RP_S); /* now he is */
    check(!s.link || s.link->state == RP__L_DOWN);
    go(&s);
    node_close(&n);
}

/* ---- his questions -------------------------------------------------------------------------------------------- */

static void ask(struct stranger *s, uint64_t id, const char *name, size_t n)
{
    unsigned char p[64];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, id);
    rp__put8(&w, (uint8_t)n);
    rp__put_bytes(&w, name, n);
    say_frame(s, RP__LOOKUP, RP__W_WAIT, 0, p, w.n);
}

/* How often the node has said FOUND with this. */
static unsigned found(const struct stranger *s, int rc)
{
    unsigned count = 0;
    for (struct walk w = {0, 0, 0, {0, 0, false}}; next_frame(s, &w);)
        if (w.type == RP__FOUND) {
            rp__get64(&w.payload);
            count += (int32_t)rp__get32(&w.payload) == rc;
        }
    return count;
}

TEST(stranger, asks_no_more_than_his_share)
{
    enum { MOST = 1024, MORE = 100 };
    struct node n;
    struct stranger s, other;
    node_open(&n);
    know(&s, &n, 1000);
    for (uint64_t i = 0; i < MOST + MORE; i++)
        ask(&s, i + 1, "nobody", 6);
    check_eq(found(&s, -ENOBUFS), MORE);
    know(&other, &n, 2000);
    ask(&other, 1, "nobody", 6); /* he has a share of his own */
    check_eq(found(&other, -ENOBUFS), 0);
    static const uint64_t seventh = 7;
    say_frame(&s, RP__FORGET, 0, 0, &seventh, sizeof seventh);
    ask(&s, MOST + MORE + 1, "nobody", 6);
    check_eq(found(&s, -ENOBUFS), MORE);
    ask(&s, MOST + MORE + 2, "nobody", 6);
    check_eq(found(&s, -ENOBUFS), MORE + 1);
    go(&s);
    go(&other);
    node_close(&n);
}

TEST(stranger, asks_for_no_name)
{
    struct node n;
    struct stranger s;
    node_open(&n);
    for (unsigned i = 0; i < 2; i++) {
        know(&s, &n, 1000);
        ask(&s, 1, "a\0b", i == 0 ? 0 : 3);
        check_eq(last_bye(&s), RP__BYE_PROTO);
        go(&s);
    }
    node_close(&n);
}

/* His numbers are never 0, which stands for none. */
TEST(stranger, numbers_nothing_0)
{
    static const unsigned char zeros[64];
    static const struct {
        uint8_t type;
        size_t n;
    } frames[] = {{RP__LOOKUP, 10}, {RP__MONITOR, 16}, {RP__CALL, 24 + 8 + 16}};
    struct node n;
    struct stranger s;
    node_open(&n);
    for (unsigned i = 0; i < sizeof frames / sizeof *frames; i++) {
        unsigned char p[64];
        memcpy(p, zeros, sizeof p);
        know(&s, &n, 1000);
        announce(&s, NUM, 0);
        if (frames[i].type == RP__LOOKUP)
            p[8] = 1, p[9] = 'a';
        say_frame(&s, frames[i].type, 0, 0, p, frames[i].n);
        check(last_bye(&s) == RP__BYE_PROTO, "type %u", frames[i].type);
        go(&s);
    }
    node_close(&n);
}

/* ---- his window ------------------------------------------------------------------------------------------------- */

enum { TEXT_BYTES = 4000, WIRE_BYTES = TEXT_BYTES + 4 + 4 + 16, IN_WINDOW = (RP__WINDOW + WIRE_BYTES - 1) / WIRE_BYTES };

static void send_texts(struct stranger *s, uint64_t to, unsigned count)
{
    static const char much[TEXT_BYTES];
    struct text t = {1, {much, sizeof much}};
    unsigned char p[TEXT_BYTES + 64];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, to);
    rp__put64(&w, 0);
    rp__pack(&w, TEXT, &t);
    check_eq(w.n, WIRE_BYTES);
    for (unsigned i = 0; i < count; i++)
        say_frame(s, RP__SEND, 0, 0, p, w.n);
}

static uint64_t credit_said(const struct stranger *s, uint64_t to)
{
    uint64_t sum = 0;
    for (struct walk w = {0, 0, 0, {0, 0, false}}; next_frame(s, &w);)
        if (w.type == RP__CREDIT && rp__get64(&w.payload) == to)
            sum += rp__get64(&w.payload);
    return sum;
}

/* To an actor that is busy he may send as much as his window, and the message that goes beyond it. */
TEST(stranger, sends_no_more_than_his_window)
{
    struct node n;
    struct stranger s;
    node_open(&n);
    know(&s, &n, 1000);
    announce(&s, TEXT, 0);
    send_texts(&s, n.sleeper, 1); /* it begins with this one, and never ends */
    pass(&n, 100 * RP_MS);
    send_texts(&s, n.sleeper, IN_WINDOW - 1);
    send_texts(&s, n.taker, IN_WINDOW); /* the others are not concerned */
    pass(&n, 100 * RP_MS);
    check(s.link && s.link->state == RP__L_UP);
    check_eq(credit_said(&s, n.sleeper), 0);
    check_eq(credit_said(&s, n.taker), (uint64_t)IN_WINDOW * WIRE_BYTES);
    send_texts(&s, n.sleeper, 1);
    check_eq(last_bye(&s), RP__BYE_FLOW);
    go(&s);
    node_close(&n);
}

/* What was taken he may send again, for as long as he likes; of actors that are no more nothing is kept. */
TEST(stranger, sends_on_for_ever)
{
    struct node n;
    struct stranger s;
    node_open(&n);
    know(&s, &n, 1000);
    announce(&s, TEXT, 0);
    for (uint64_t sent = 0; sent < 10 * IN_WINDOW; sent += IN_WINDOW) {
        send_texts(&s, n.taker, IN_WINDOW);
        pass(&n, 60 * RP_MS);
        check_eq(credit_said(&s, n.taker), (sent + IN_WINDOW) * WIRE_BYTES);
    }
    size_t before = 0;
    for (uint64_t i = 1; i <= 4000; i++) {
        send_texts(&s, n.taker ^ i << 32, 1);
        if (i % 1000 == 0)
            pass(&n, 60 * RP_MS);
        if (i == 1000)
            before = n.mem.now;
    }
    check(s.link && s.link->state == RP__L_UP);
    check(n.mem.now < before + 20000, "%zu bytes more", n.mem.now - before);
    go(&s);
    node_close(&n);
}

/* ---- his texts ------------------------------------------------------------------------------------------------ */

struct long_tag { /* as he knows it: the node's has room for less */
    char text[32];
};
static const rp_field long_tag_fields[] = {RP_FIELD(struct long_tag, text, RP_CHARS)};
static const rp_type long_tag_type = RP_TYPE("test.tag", struct long_tag, long_tag_fields);

static void send_tag(struct stranger *s, uint64_t to, const char *text, uint64_t call) /* 0: no call */
{
    struct long_tag t = {{0}};
    unsigned char p[128];
    struct rp__w w = {p, 0, sizeof p};
    strcpy(t.text, text);
    rp__put64(&w, to);
    rp__put64(&w, 0);
    if (call)
        rp__put64(&w, call);
    rp__pack(&w, &long_tag_type, &t);
    say_frame(s, call ? RP__CALL : RP__SEND, 0, 0, p, w.n);
}

/* A text that the node has no room for costs him that message. */
TEST(stranger, sends_a_text_that_is_too_long)
{
    struct node n;
    struct stranger s;
    node_open(&n);
    know(&s, &n, 1000);
    announce(&s, &long_tag_type, 0);
    send_tag(&s, n.taker, "seven c", 1); /* just fits, with its NUL */
    send_tag(&s, n.taker, "eight ch", 2);
    send_tag(&s, n.taker, "eight ch", 0);
    pass(&n, 100 * RP_MS);
    check(s.link && s.link->state == RP__L_UP);
    check_eq(no_reply(&s, 1), -EPIPE); /* it was taken, and nobody replied */
    check_eq(no_reply(&s, 2), -EMSGSIZE);
    check_eq(credit_said(&s, n.taker), 7 + 8 + 8 + 3 * 18);
    go(&s);
    node_close(&n);
    check_eq(n.ledger.dropped, 2);
}

/* ---- his name ------------------------------------------------------------------------------------------------- */

static void send_from(struct stranger *s, uint64_t node, uint64_t from)
{
    unsigned char p[64];
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, s->node->taker);
    rp__put64(&w, from);
    if (node)
        rp__put64(&w, node);
    rp__pack(&w, NUM, &(struct num){1, {0, 0}});
    say_frame(s, RP__SEND, node ? RP__W_NODE : 0, 0, p, w.n);
    pass(s->node, 10 * RP_MS);
}

/* He may pass on what others have sent, but not in the name of the node that he speaks to. */
TEST(stranger, speaks_for_nobody_of_the_node)
{
    struct node n;
    struct stranger s;
    node_open(&n);
    know(&s, &n, 1000);
    announce(&s, NUM, 0);
    send_from(&s, 0, 5);
    check(last_from.node == 1000 && last_from.local == 5);
    send_from(&s, 0, 0); /* no actor's */
    check(rp_ref_none(last_from));
    send_from(&s, 2000, 6);
    check(last_from.node == 2000 && last_from.local == 6);
    send_from(&s, n.rt->sys->node, n.sleeper);
    check(rp_ref_none(last_from));
    check(s.link && s.link->state == RP__L_UP);
    go(&s);
    node_close(&n);
}

/* ---- a reply that goes through the node ------------------------------------------------------------------------- */

struct unknown { /* no type of the node's */
    rp_token token;
};
static const rp_field unknown_fields[] = {RP_FIELD(struct unknown, token, RP_TOKEN)};
static const rp_type unknown_type = RP_TYPE("test.unknown", struct unknown, unknown_fields);

static uint64_t passed_on(const struct stranger *s) /* the number of the call that the node has passed on to him */
{
    for (struct walk w = {0, 0, 0, {0, 0, false}}; next_frame(s, &w);)
        if (w.type == RP__CALL) {
            rp__get_bytes(&w.payload, 24); /* to whom, from whom, of which node */
            return rp__get64(&w.payload);
        }
    return 0;
}

/* What the node cannot pass on ends there: who asked hears of it, and who waits for the right to reply in it. */
TEST(stranger, replies_with_what_cannot_be_passed_on)
{
    enum { ASKED = 5, LENT = 99 };
    struct node n;
    struct stranger asker, replier;
    unsigned char p[128];
    node_open(&n);
    know(&asker, &n, 1000);
    know(&replier, &n, 2000);
    announce(&asker, NUM, 0);
    announce(&replier, &unknown_type, 0);
    struct rp__w w = {p, 0, sizeof p};
    rp__put64(&w, n.taker);
    rp__put64(&w, 0);
    rp__put64(&w, ASKED);
    rp__pack(&w, NUM, &(struct num){1, {2000, 77}});
    say_frame(&asker, RP__CALL, 0, 0, p, w.n);
    pass(&n, 100 * RP_MS);
    w.n = 0;
    rp__put64(&w, 0);
    rp__put64(&w, 77);
    rp__put64(&w, passed_on(&replier));
    rp__put64(&w, LENT);
    say_frame(&replier, RP__REPLY, 0, 0, p, w.n);
    pass(&n, 100 * RP_MS);
    check_eq(no_reply(&asker, ASKED), -ENOTSUP);
    check_eq(no_reply(&replier, LENT), -EPIPE);
    go(&asker);
    go(&replier);
    node_close(&n);
}
