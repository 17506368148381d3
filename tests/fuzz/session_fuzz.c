/* SPDX-License-Identifier: MIT
 *
 * session_fuzz.c - a whole node and a stranger that says what the input says: the handshake, the life of
 * a link, every frame that may come over it, while actors here talk to the stranger's.
 *
 * The carrier is this program. The input is a list of steps: raw bytes, or a frame with a sound outside
 * and anything inside, or one that is right (an AUTH needs the secret, which no fuzzer guesses), or time,
 * or something that an actor here does. In the end the node must come to rest, its books must balance
 * and its memory must be back.
 */
#include "cluster/link/cluster.h"
#include "loop/world/sim.h"

#include <assert.h>
#include <errno.h>
#include <mbedtls/md.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 200, LARGEST = 1 << 21 };

struct note {
    uint64_t n;
    rp_ref ref;
};
static const rp_field note_fields[] = {RP_FIELD(struct note, n, RP_U64), RP_FIELD(struct note, ref, RP_REF)};
static const rp_type note_type = RP_TYPE("note", struct note, note_fields);

struct text {
    uint32_t id;
    rp_bytes text;
};
static const rp_field text_fields[] = {RP_FIELD(struct text, id, RP_U32), RP_FIELD(struct text, text, RP_TEXT)};
static const rp_type text_type = RP_TYPE("text", struct text, text_fields);

static const rp_type *const types[] = {&note_type, &text_type, NULL};

/* ---- the input --------------------------------------------------------------------------------------- */

struct input {
    const uint8_t *p;
    size_t n;
};

static uint8_t byte(struct input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

static const uint8_t *bytes(struct input *in, size_t *n)
{
    const uint8_t *p = in->p;
    *n = *n < in->n ? *n : in->n;
    in->p += *n;
    in->n -= *n;
    return p;
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static int64_t blocks;

static void *get(void *ud, size_t size)
{
    (void)ud;
    assert(size <= LARGEST); /* nothing is allocated by what the stranger claims */
    blocks++;
    return malloc(size);
}

static void put(void *ud, void *p, size_t size)
{
    (void)ud, (void)size;
    blocks--;
    free(p);
}

static const rp_alloc mem = {get, put, 0};

/* ---- the session ------------------------------------------------------------------------------------- */

struct session {
    struct rp__sim *sim;
    struct rp__sim_node node;
    struct rp__runtime *rt;
    struct rp__link *link;    /* NULL: none */
    uint64_t root, server;    /* their addresses */
    bool sp_said, sending, at_once, over;
    struct input in;
    struct rp__post post;
    bool posted;
    unsigned drained;
};

static struct session *now; /* a fuzzer has one */

static bool fuzz_send(struct rp__link *k)
{
    (void)k;
    now->sending = !now->at_once; /* until a step says that it has gone */
    return now->at_once;
}

static void fuzz_close(struct rp__link *k)
{
    k->wire = 0;
    now->link = 0;
    now->sending = false;
}

static void fuzz_begin(struct rp__link *k)
{
    (void)k;
}

static int fuzz_dial(struct rp__link *k, const char *url, const struct rp__net_addr *to)
{
    (void)k, (void)url, (void)to;
    return -ECONNREFUSED;
}

static void fuzz_unlisten(struct rp__cluster *c)
{
    (void)c;
}

static const struct rp__carrier carrier = {
    .unlisten = fuzz_unlisten, .dial = fuzz_dial, .begin = fuzz_begin, .send = fuzz_send, .close = fuzz_close,
};

static int open_cluster(struct rp_loop *l)
{
    int rc = rp__cluster_open(l);
    if (rc == 0)
        rp__cluster_of(l)->carrier = &carrier;
    return rc;
}

/* ---- what the stranger says --------------------------------------------------------------------------- */

static void hear(const void *p, size_t n)
{
    uint8_t *copy = malloc(n); /* so that one byte too far is seen */
    memcpy(copy, p, n);
    if (now->link)
        rp__link_bytes(now->link, copy, n);
    free(copy);
}

static void hear_frame(uint8_t type, uint8_t flags, uint16_t number, const void *payload, size_t n)
{
    unsigned char to[64 + 4096], head[13];
    struct rp__w w = {to, 0, sizeof to};
    if (!now->sp_said) {
        rp__put_sp(to);
        w.n = RP__SP_HEADER;
        now->sp_said = true;
    }
    size_t nhead = rp__put_sp_message(head, false, RP__FRAME_HEADER + n);
    rp__put_bytes(&w, head, nhead);
    rp__put_frame(&w, type, flags, number, n);
    rp__put_bytes(&w, payload, n);
    hear(to, w.n);
}

static void hello(struct input *in)
{
    unsigned char p[128];
    struct rp__w w = {p, 0, sizeof p};
    rp__put32(&w, 0x31545052);
    rp__put16(&w, 1);
    rp__put16(&w, (uint16_t)(1 + byte(in) % 2));
    rp__put64(&w, 1000 + byte(in) % 2);
    rp__put_bytes(&w, "0123456789abcdef", RP__NONCE);
    rp__put32(&w, 1024u << byte(in) % 9);
    rp__put32(&w, RP__MAX_FRAME);
    rp__put32(&w, 5000);
    rp__put8(&w, 3);
    rp__put_bytes(&w, "who", 3);
    hear_frame(RP__HELLO, 0, 0, p, w.n);
}

static void auth(void)
{
    struct rp__link *k = now->link;
    unsigned char text[64], mac[32];
    struct rp__w w = {text, 0, sizeof text};
    if (!k)
        return;
    rp__put_bytes(&w, "reparto1", 8);
    rp__put8(&w, k->dialler ? 'L' : 'D');
    rp__put_bytes(&w, k->nonce, RP__NONCE);
    rp__put_bytes(&w, k->peer_nonce, RP__NONCE);
    rp__put64(&w, k->peer);
    rp__put64(&w, now->rt->sys->node);
    mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)"s", 1, text, w.n, mac);
    hear_frame(RP__AUTH, 0, 0, mac, sizeof mac);
}

/* A frame about an actor: the first word of its payload is one of ours, if the input wants. */
static void any_frame(struct input *in)
{
    static const uint8_t kinds[] = {RP__BYE, RP__PING, RP__PONG, RP__CREDIT, RP__TYPE, RP__SEND, RP__CALL, RP__REPLY,
                                    RP__NO_REPLY, RP__MONITOR, RP__DOWN, RP__STOP_ACTOR, RP__LOOKUP, RP__FOUND, 64, 40};
    unsigned char p[512];
    struct rp__w w = {p, 0, sizeof p};
    uint8_t type = kinds[byte(in) % sizeof kinds], flags = byte(in) % 8, number = byte(in) % 4, first = byte(in);
    size_t n = byte(in);
    if (first % 4 == 1)
        rp__put64(&w, now->server);
    if (first % 4 == 2)
        rp__put64(&w, now->root);
    if (first % 4 == 3)
        rp__put64(&w, (uint64_t)1 << 32 | (first / 4 + 1)); /* an id of a table of ours */
    const uint8_t *rest = bytes(in, &n);
    rp__put_bytes(&w, rest, n);
    hear_frame(type, flags, number, p, w.n);
}

static void announce(const rp_type *t, uint16_t number)
{
    unsigned char p[512];
    struct rp__w w = {p, 0, sizeof p};
    rp__announce(&w, t);
    hear_frame(RP__TYPE, 0, number, p, w.n);
}

/* ---- the node ----------------------------------------------------------------------------------------- */

static int serve(rp_self *me, void *state, const rp_msg *m)
{
    static const struct note r = {1, {0, 0}};
    rp_msg **kept = state;
    const struct note *b = rp_body(m, &note_type);
    if (b && b->n % 8 == 3)
        return rp_sleep(me, rp_in_ms(me, 20));
    if (b && b->n % 8 == 4 && !*kept)
        return rp_keep(me, m, kept);
    if (b && b->n % 8 == 5)
        (void)!rp_forward(me, m, b->ref);
    else if (rp_wants_reply(m))
        (void)!rp_reply(me, m, &note_type, &r);
    else
        (void)!rp_tell(me, rp_from(me, m), &note_type, &r);
    return 0;
}

static void stop_serving(rp_self *me, void *state, int reason)
{
    (void)reason;
    if (*(rp_msg **)state)
        rp_msg_drop(me, *(rp_msg **)state);
}
static const rp_actor server = {.name = "server", .handle = serve, .fini = stop_serving, .state_size = sizeof(rp_msg *)};

static void act(rp_self *me, uint64_t what)
{
    rp_node peer = {1000 + what / 16 % 2};
    rp_ref to = {peer.id, what / 32 % 4 + 1};
    struct note b = {what, rp_self_ref(me)};
    static char much[3000];
    struct text t = {1, {much, sizeof much}};
    rp_msg *m;
    rp_ref r;
    rp_time soon = what < 128 ? rp_in_ms(me, 10) : RP_FOREVER; /* then only the link's end ends it */
    rp_scope s;
    rp_scope_open(me, &s, what < 128 ? rp_in_ms(me, 30) : RP_FOREVER);
    if (what % 8 == 0)
        (void)!rp_tell(me, to, &note_type, &b);
    if (what % 8 == 1)
        (void)!rp_tell(me, to, &text_type, &t);
    if (what % 8 == 2 && rp_call(me, to, &note_type, &b, &m, soon) == 0)
        rp_msg_drop(me, m);
    if (what % 8 == 3)
        (void)!rp_monitor(me, to);
    if (what % 8 == 4)
        (void)!rp_node_monitor(me, peer);
    if (what % 8 == 5)
        (void)!rp_lookup(me, peer, "x", &r, soon);
    if (what % 8 == 6)
        (void)!rp_stop(me, to, "x");
    (void)!rp_scope_close(me, &s, 0);
}

static int root_run(rp_self *me, void *arg)
{
    rp_ref r;
    (void)arg;
    int rc = rp_spawn(me, &server, &(rp_spawn_opts){.name = "server", .mailbox = 8}, &r);
    now->server = r.local;
    now->root = rp_self_ref(me).local;
    while (rc == 0 && !now->over) {
        rp_msg *m;
        rc = rp_recv(me, &m, RP_FOREVER);
        if (rc != 0)
            break;
        const struct note *b = rp_body(m, &note_type);
        uint64_t what = b && rp_ref_none(rp_from(me, m)) ? b->n : 7;
        rp_msg_drop(me, m);
        act(me, what);
    }
    return 0;
}
static const rp_actor root = {.name = "root", .run = root_run};

static void tell_root(struct rp_loop *l, uint64_t what)
{
    struct rp__slot s = {now->root, 0, rp__word(&note_type, 0), {what}};
    rp__tally(l, RP__SENT, 1);
    int rc = rp__post_slots(l, 0, &s, 1);
    assert(rc == 0);
    (void)rc;
}

/* ---- steps -------------------------------------------------------------------------------------------- */

static void new_link(struct input *in)
{
    uint8_t kind = byte(in);
    if (now->link || rp__link_new(now->rt->cluster, &carrier, kind % 2, false, &now->link) != 0)
        return;
    now->at_once = kind / 2 % 2;
    now->sp_said = now->sending = false;
    struct rp__link *k = now->link;
    k->wire = now;
    if (k->dialler)
        rp__link_dialled(k, 0);
    else
        rp__link_accepted(k);
}

static void sent(struct input *in)
{
    int rc = byte(in) == 255 ? -ECONNRESET : 0;
    if (!now->link || !now->sending)
        return;
    now->sending = false;
    rp__link_sent(now->link, rc);
}

static void step(struct rp__post *p, struct rp_loop *l)
{
    struct input *in = &now->in;
    (void)p;
    now->posted = false;
    size_t n;
    switch (byte(in) % 12) {
    case 0:
        n = byte(in);
        const uint8_t *raw = bytes(in, &n);
        hear(raw, n);
        return;
    case 1:
        hello(in);
        return;
    case 2:
        auth();
        return;
    case 3:
        hear_frame(RP__WELCOME, 0, 0, 0, 0);
        return;
    case 4:
    case 5:
        any_frame(in);
        return;
    case 6:
        tell_root(l, byte(in));
        return;
    case 7:
        if (now->link && byte(in) % 4 == 0)
            rp__link_broken(now->link, 0);
        return;
    case 8:
        new_link(in);
        return;
    case 9:
        sent(in);
        return;
    case 10:
        announce(byte(in) % 2 ? &note_type : &text_type, byte(in) % 4);
        return;
    default:
        return; /* time passes: see run_for */
    }
}

static bool ended(void *ud)
{
    return ((struct session *)ud)->node.running == 0;
}

static void run_for(struct session *s, rp_time span)
{
    int rc = rp__sim_run(s->sim, ended, s, rp__sim_now(s->sim) + span);
    (void)rc;
}

static void post(struct session *s, void (*fn)(struct rp__post *, struct rp_loop *))
{
    s->post.fn = fn;
    s->posted = rp__inbox_push(s->rt->sys->loops[0], &s->post) == 0;
}

static void finish(struct rp__post *p, struct rp_loop *l)
{
    (void)p;
    now->over = true;
    tell_root(l, 7);
}

/* What the peer never took is taken, so that the last bytes go; in the end it goes itself. */
static void drain(struct rp__post *p, struct rp_loop *l)
{
    (void)p, (void)l;
    now->posted = false;
    if (++now->drained > 50 && now->link) {
        rp__link_broken(now->link, 0);
        return;
    }
    if (now->link && now->sending) {
        now->sending = false;
        rp__link_sent(now->link, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session s;
    rp_ledger l;
    memset(&s, 0, sizeof s);
    now = &s;
    s.in = (struct input){data, size};
    rp_system_opts o = {.loops = 1, .mem = &mem, .secret = "s", .types = types, .ledger = &l};
    if (rp__sim_new(1, &s.sim) != 0)
        abort();
    rp__sim_node_init(s.sim, &s.node);
    if (rp__runtime_new(&root, 0, &o, &rp__world_sim, &s.node, &s.rt) != 0)
        abort();
    s.rt->cluster_open = open_cluster;
    rp__sim_node_add(&s.node, s.rt->sys);
    run_for(&s, RP_MS);
    for (unsigned i = 0; i < STEPS && s.in.n > 0; i++) {
        bool waits = *s.in.p % 12 == 11;
        post(&s, step);
        run_for(&s, waits ? 700 * RP_MS : 50 * RP_US);
        assert(!s.posted);
    }
    post(&s, finish);
    for (unsigned i = 0; i < 400 && s.node.running > 0; i++) {
        run_for(&s, 20 * RP_MS);
        if (s.node.running > 0 && !s.posted)
            post(&s, drain);
    }
    assert(s.node.running == 0); /* it comes to rest */
    int rc = rp__runtime_result(s.rt);
    assert(rc <= 0);
    (void)rc;
    assert(l.sent + l.arrived == l.handled + l.left + l.dead + l.dropped + l.late + l.expired);
    rp__cluster_free(s.rt);
    rp__runtime_free(s.rt);
    rp__sim_node_remove(&s.node);
    rp__sim_free(s.sim);
    assert(blocks == 0);
    return 0;
}
