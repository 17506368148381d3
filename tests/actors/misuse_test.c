/* SPDX-License-Identifier: MIT
 *
 * Reading what is not one's own any more: under AddressSanitizer the program ends at that line. In other builds
 * there is nothing to be seen, and these do not run.
 */
#include "tests/support.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)

static volatile uint64_t sink;

/* Runs it in a child, with nothing said. True: it came to its end. */
static bool survives(root_fn *fn)
{
    pid_t pid = fork();
    if (pid == 0) {
        close(STDERR_FILENO);
        rp_actor root = {.name = "root", .run = fn};
        rp_system_opts o = {.loops = 1};
        _exit(rp_run(&root, NULL, &o) == 0 ? 0 : 1);
    }
    int status = 0;
    check(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const struct num *held;

static int hold(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    held = rp_body(m, NUM);
    sink = held->n;
    return held->n == 2 ? rp_sleep(me, rp_in_ms(me, 1)) : 0;
}
static const rp_actor holder = {.name = "holder", .handle = hold};

static int hand_over(rp_self *me, uint64_t n, bool look)
{
    rp_ref h;
    check_eq(rp_spawn(me, &holder, NULL, &h), 0);
    check_eq(tell_num(me, h, n), 0);
    check_eq(rp_sleep(me, rp_in_ms(me, 5)), 0);
    if (look)
        sink = held->n;
    return 0;
}

static int after_return(rp_self *me, void *arg)
{
    (void)arg;
    return hand_over(me, 1, true);
}

static int after_wait(rp_self *me, void *arg)
{
    (void)arg;
    return hand_over(me, 2, true);
}

static int within(rp_self *me, void *arg)
{
    (void)arg;
    return hand_over(me, 1, false) | hand_over(me, 2, false);
}

TEST(misuse, of_a_message_whose_handler_has_returned)
{
    check(survives(within));
    check(!survives(after_return));
    check(!survives(after_wait));
}

static int send_text(rp_self *me, bool look)
{
    rp_msg *m = rp_msg_new(me, TEXT);
    check(m != NULL);
    struct text *t = rp_msg_fill(m);
    t->text = (rp_bytes){"what it owns", 12};
    check_eq(rp_send(me, rp_self_ref(me), &m), 0); /* it is packed now: the next move would take it as it is */
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    const struct text *before = rp_body(m, TEXT);
    check_eq(rp_send(me, rp_self_ref(me), &m), 0);
    if (look)
        sink = before->id;
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    check_eq(((const struct text *)rp_body(m, TEXT))->text.size, 12);
    rp_msg_drop(me, m);
    return 0;
}

static int sent(rp_self *me, void *arg)
{
    (void)arg;
    return send_text(me, true);
}

static int sent_only(rp_self *me, void *arg)
{
    (void)arg;
    return send_text(me, false);
}

static int dropped(rp_self *me, void *arg)
{
    rp_msg *m;
    (void)arg;
    check_eq(tell_num(me, rp_self_ref(me), 1), 0);
    check_eq(rp_recv(me, &m, RP_FOREVER), 0);
    const struct num *b = rp_body(m, NUM);
    rp_msg_drop(me, m);
    sink = b->n;
    return 0;
}

TEST(misuse, of_a_body_that_was_sent_or_dropped)
{
    check(survives(sent_only));
    check(!survives(sent));
    check(!survives(dropped));
}

/* ---- what several read --------------------------------------------------------------------------- */

struct long_note {
    char said[200]; /* more than a slot holds */
};
static const rp_field note_fields[] = {RP_FIELD(struct long_note, said, RP_CHARS)};
static const rp_type note_type = RP_TYPE("test.long_note", struct long_note, note_fields);

static rp_ref group;
static bool scribbles;

/* Joins when it is asked to. */
static int reader(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct long_note *n = rp_body(m, &note_type);
    if (!n) {
        int rc = rp_group_join(me, group);
        return rc != 0 ? rc : rp_reply(me, m, NUM, rp_body(m, NUM));
    }
    if (scribbles)
        ((struct long_note *)(uintptr_t)n)->said[0] = 'x';
    sink = (uint64_t)n->said[0];
    return 0;
}
static const rp_actor reads = {.name = "reader", .handle = reader};

static int publish_note(rp_self *me, bool scribble)
{
    rp_ref member;
    rp_msg *joined;
    scribbles = scribble;
    check_eq(rp_group_start(me, NULL, &group), 0);
    for (unsigned i = 0; i < 2; i++) {
        check_eq(rp_spawn(me, &reads, NULL, &member), 0);
        check_eq(rp_call(me, member, NUM, &(struct num){1}, &joined, RP_FOREVER), 0);
        rp_msg_drop(me, joined);
    }
    check_eq(rp_publish(me, group, &note_type, &(struct long_note){"for both"}), 0);
    return rp_sleep(me, rp_in_ms(me, 5));
}

static int read_only(rp_self *me, void *arg)
{
    (void)arg;
    return publish_note(me, false);
}

static int scribble(rp_self *me, void *arg)
{
    (void)arg;
    return publish_note(me, true);
}

TEST(misuse, of_a_body_that_others_read)
{
    check(survives(read_only));
    check(!survives(scribble));
}

#endif
