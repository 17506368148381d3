/* SPDX-License-Identifier: MIT */
#include "tests/cluster/by_hand.h"

#include <errno.h>
#include <mbedtls/md.h>
#include <stdlib.h>

/* ---- a node ----------------------------------------------------------------------------------------- */

static void *held_alloc(void *ud, size_t size)
{
    struct held *h = ud;
    h->now += size;
    h->most = h->now > h->most ? h->now : h->most;
    return malloc(size);
}

static void held_free(void *ud, void *p, size_t size)
{
    ((struct held *)ud)->now -= size;
    free(p);
}

static struct node *begun; /* the one whose root begins */

static int sleep_on(rp_self *me, void *state, const rp_msg *m)
{
    (void)state, (void)m;
    return rp_sleep(me, RP_FOREVER);
}
static const rp_actor sleeper = {.name = "sleeper", .handle = sleep_on};

rp_ref last_from;

static int take(rp_self *me, void *state, const rp_msg *m) /* a num that is a call it passes on */
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    if (b)
        last_from = rp_from(me, m);
    return b && rp_wants_reply(m) ? rp_forward(me, m, b->ref) : 0;
}
static const rp_actor taker = {.name = "taker", .handle = take};

static int tell_much(rp_self *me, void *state, const rp_msg *m) /* a million bytes for a num that is a call */
{
    static const char much[1000000];
    const struct num *b = rp_body(m, NUM);
    (void)state;
    return b && rp_wants_reply(m) ? rp_reply(me, m, TEXT, &(struct text){1, {much, b->n ? sizeof much : 0}}) : 0;
}
static const rp_actor teller = {.name = "teller", .handle = tell_much};

static int be_root(rp_self *me, void *arg)
{
    struct node *n = begun;
    rp_ref r;
    (void)arg;
    check_eq(rp_spawn(me, &sleeper, NULL, &r), 0);
    n->sleeper = r.local;
    check_eq(rp_spawn(me, &taker, NULL, &r), 0);
    n->taker = r.local;
    check_eq(rp_spawn(me, &teller, NULL, &r), 0);
    n->teller = r.local;
    if (n->also)
        check_eq(n->also(me, n), 0);
    check_eq(rp_sleep(me, RP_FOREVER), -ECANCELED);
    return 0;
}
static const rp_actor root = {.name = "root", .run = be_root};

static bool never(void *ud)
{
    return ((struct node *)ud)->in_sim.running == 0;
}

void pass(struct node *n, rp_time span)
{
    (void)!rp__sim_run(n->sim, never, n, rp__sim_now(n->sim) + span);
}

struct tag {
    char text[8];
};
static const rp_field tag_fields[] = {RP_FIELD(struct tag, text, RP_CHARS)};
static const rp_type tag_type = RP_TYPE("test.tag", struct tag, tag_fields);

static const rp_type *const types[] = {&num_type, &text_type, &tag_type, NULL};

static void hear_report(const rp_report *r, void *ud)
{
    struct node *n = ud;
    if (r->kind != RP_REPORT_LINK)
        return;
    n->reports++;
    snprintf(n->report, sizeof n->report, "%s", r->text);
}

void node_open(struct node *n)
{
    node_open_with(n, NULL);
}

void node_open_with(struct node *n, root_fn *also)
{
    memset(n, 0, sizeof *n);
    n->also = also;
    begun = n;
    n->mem.alloc = (rp_alloc){held_alloc, held_free, &n->mem};
    n->opts = (rp_system_opts){.loops = 1, .mem = &n->mem.alloc, .secret = "s", .types = types, .ledger = &n->ledger,
                               .on_report = hear_report, .report_ud = n};
    check_eq(rp__sim_new(test_seed(), &n->sim), 0);
    rp__sim_node_init(n->sim, &n->in_sim);
    check_eq(rp__runtime_new(&root, 0, &n->opts, &rp__world_sim, &n->in_sim, &n->rt), 0);
    n->rt->cluster_open = rp__cluster_open;
    rp__sim_node_add(&n->in_sim, n->rt->sys);
    pass(n, 10 * RP_MS);
}

void node_close(struct node *n)
{
    rp_quit(n->rt->sys, "enough");
    pass(n, 60 * RP_S);
    check_eq(n->in_sim.running, 0);
    rp_ledger *l = &n->ledger;
    check_eq(rp__runtime_result(n->rt), -ECANCELED);
    check_eq(l->sent + l->arrived, l->handled + l->left + l->dead + l->dropped + l->late + l->expired);
    rp__cluster_free(n->rt);
    rp__runtime_free(n->rt);
    rp__sim_node_remove(&n->in_sim);
    rp__sim_free(n->sim);
    check_eq(n->mem.now, 0);
}

/* ---- his wire ----------------------------------------------------------------------------------------- */

static void hears(struct stranger *s, const void *p, size_t n)
{
    check(s->nsaid + n <= SAID);
    memcpy(s->said + s->nsaid, p, n);
    s->nsaid += n;
}

static void hears_batch(struct stranger *s, const struct rp__batch *b)
{
    hears(s, b->head, b->nhead);
    for (unsigned i = 0; i < 2; i++)
        if (b->buf[i])
            hears(s, b->buf[i]->data, b->buf[i]->n);
}

static bool wire_send(struct rp__link *k)
{
    struct stranger *s = k->wire;
    s->busy = s->deaf;
    if (!s->deaf)
        hears_batch(s, &k->box.batch);
    return !s->deaf;
}

static void wire_close(struct rp__link *k)
{
    struct stranger *s = k->wire;
    if (s)
        s->link = 0;
    k->wire = 0;
}

static void wire_begin(struct rp__link *k)
{
    (void)k;
}

static const struct rp__carrier by_hand = {.begin = wire_begin, .send = wire_send, .close = wire_close};

struct act { /* something done on the node's loop */
    struct rp__post post;
    struct stranger *s;
    const void *p;
    size_t n;
};

static void do_come(struct rp__post *p, struct rp_loop *l)
{
    struct stranger *s = RP__OF(struct act, post, p)->s;
    check_eq(rp__link_new(rp__cluster_of(l), &by_hand, false, false, &s->link), 0);
    s->link->wire = s;
    s->link->comes_from = s->address;
    rp__link_accepted(s->link);
}

static void do_answer_dial(struct rp__post *p, struct rp_loop *l)
{
    struct stranger *s = RP__OF(struct act, post, p)->s;
    check_eq(rp__link_new(rp__cluster_of(l), &by_hand, true, false, &s->link), 0);
    s->link->wire = s;
    rp__link_dialled(s->link, 0);
}

static void do_say(struct rp__post *p, struct rp_loop *l)
{
    struct act *a = RP__OF(struct act, post, p);
    (void)l;
    if (a->s->link)
        rp__link_bytes(a->s->link, a->p, a->n);
}

static void do_leave(struct rp__post *p, struct rp_loop *l)
{
    struct stranger *s = RP__OF(struct act, post, p)->s;
    (void)l;
    if (s->link)
        rp__link_broken(s->link, 0);
}

static void do_read(struct rp__post *p, struct rp_loop *l)
{
    struct stranger *s = RP__OF(struct act, post, p)->s;
    (void)l;
    if (!s->link || !s->busy)
        return;
    hears_batch(s, &s->link->box.batch);
    s->busy = false;
    rp__link_sent(s->link, 0);
}

static void act(struct stranger *s, void (*fn)(struct rp__post *, struct rp_loop *), const void *p, size_t n)
{
    struct act a = {.post.fn = fn, .s = s, .p = p, .n = n};
    check_eq(rp__inbox_push(s->node->rt->sys->loops[0], &a.post), 0);
    pass(s->node, 20 * RP_US);
}

void come_from(struct stranger *s, struct node *n, uint64_t address)
{
    *s = (struct stranger){.node = n, .said = malloc(SAID), .number = 1000, .address = address};
    check(s->said != 0);
    act(s, do_come, 0, 0);
    check(s->link != 0);
}

void be_dialled(struct stranger *s, struct node *n)
{
    *s = (struct stranger){.node = n, .said = malloc(SAID), .number = 1000};
    check(s->said != 0);
    act(s, do_answer_dial, 0, 0);
    check(s->link != 0);
}

void come(struct stranger *s, struct node *n)
{
    come_from(s, n, 0);
}

void come_from_again(struct stranger *s, uint64_t address) /* if he has had to go */
{
    if (s->link)
        return;
    s->address = address;
    act(s, do_come, 0, 0);
}

void go(struct stranger *s)
{
    act(s, do_leave, 0, 0);
    pass(s->node, 10 * RP_MS);
    check(!s->link);
    free(s->said);
}

void read_one(struct stranger *s)
{
    act(s, do_read, 0, 0);
}

void say(struct stranger *s, const void *p, size_t n)
{
    act(s, do_say, p, n);
}

/* ---- what he says --------------------------------------------------------------------------------------- */

void say_sp(struct stranger *s)
{
    unsigned char sp[RP__SP_HEADER];
    rp__put_sp(sp);
    say(s, sp, sizeof sp);
}

/* So many alike, in one SP message. */
void say_frames(struct stranger *s, unsigned count, uint8_t type, uint8_t flags, uint16_t number, const void *payload,
                       size_t n)
{
    size_t whole = RP__FRAME_HEADER + n;
    unsigned char *to = malloc(13 + count * whole), head[13];
    struct rp__w w = {to, 0, 13 + count * whole};
    rp__put_bytes(&w, head, rp__put_sp_message(head, false, count * whole));
    for (unsigned i = 0; i < count; i++) {
        rp__put_frame(&w, type, flags, number, n);
        rp__put_bytes(&w, payload, n);
    }
    say(s, to, w.n);
    free(to);
}

void say_frame(struct stranger *s, uint8_t type, uint8_t flags, uint16_t number, const void *payload, size_t n)
{
    say_frames(s, 1, type, flags, number, payload, n);
}

void say_hello(struct stranger *s, uint16_t version)
{
    unsigned char p[128];
    struct rp__w w = {p, 0, sizeof p};
    rp__put32(&w, 0x31545052);
    rp__put16(&w, version);
    rp__put16(&w, version);
    rp__put64(&w, s->number);
    rp__put_bytes(&w, "0123456789abcdef", RP__NONCE);
    rp__put32(&w, RP__WINDOW);
    rp__put32(&w, RP__MAX_FRAME);
    rp__put32(&w, 5000);
    rp__put8(&w, 3);
    rp__put_bytes(&w, "who", 3);
    say_frame(s, RP__HELLO, 0, 0, p, w.n);
}

/* With so many bytes behind it. */
void say_auth_and(struct stranger *s, const char *secret, size_t more)
{
    struct rp__link *k = s->link;
    unsigned char text[64], mac[32 + 8] = {0};
    struct rp__w w = {text, 0, sizeof text};
    rp__put_bytes(&w, "reparto1", 8);
    rp__put8(&w, k->dialler ? 'L' : 'D');
    rp__put_bytes(&w, k->nonce, RP__NONCE);
    rp__put_bytes(&w, k->peer_nonce, RP__NONCE);
    rp__put64(&w, k->peer);
    rp__put64(&w, s->node->rt->sys->node);
    mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)secret, strlen(secret), text, w.n, mac);
    say_frame(s, RP__AUTH, 0, 0, mac, 32 + more);
}

void say_auth(struct stranger *s, const char *secret)
{
    say_auth_and(s, secret, 0);
}

/* The whole handshake: the link is up. */
void know(struct stranger *s, struct node *n, uint64_t number)
{
    come(s, n);
    s->number = number;
    say_sp(s);
    say_hello(s, 1);
    say_auth(s, "s");
    pass(n, RP_MS);
    say_frame(s, RP__WELCOME, 0, 0, 0, 0);
    check(s->link && s->link->state == RP__L_UP);
}

bool next_frame(const struct stranger *s, struct walk *w)
{
    if (w->at == w->end) {
        w->at = w->end == 0 ? RP__SP_HEADER : w->end;
        if (w->at >= s->nsaid)
            return false;
        const unsigned char *p = s->said + w->at + 4; /* of the length; it is below 4 GiB */
        w->end = w->at + 8 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
        w->at += 12;
    }
    struct rp__in in = {s->said + w->at, s->said + w->end, false};
    size_t n = rp__get32(&in);
    w->type = rp__get8(&in);
    w->at += RP__FRAME_HEADER;
    w->payload = (struct rp__in){s->said + w->at, s->said + w->at + n, false};
    w->at += n;
    return true;
}

/* The code of the BYE that the node has said last of all; -1: it has not. */
int last_bye(const struct stranger *s)
{
    int code = -1;
    for (struct walk w = {0, 0, 0, {0, 0, false}}; next_frame(s, &w);)
        code = w.type == RP__BYE ? rp__get16(&w.payload) : -1;
    return code;
}

void announce(struct stranger *s, const rp_type *t, uint16_t number)
{
    unsigned char p[256];
    struct rp__w w = {p, 0, sizeof p};
    rp__announce(&w, t);
    say_frame(s, RP__TYPE, 0, number, p, w.n);
}

int no_reply(const struct stranger *s, uint64_t call) /* what the node has said to it; 0: nothing */
{
    for (struct walk w = {0, 0, 0, {0, 0, false}}; next_frame(s, &w);)
        if (w.type == RP__NO_REPLY && rp__get64(&w.payload) == call)
            return (int32_t)rp__get32(&w.payload);
    return 0;
}
