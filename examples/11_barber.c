/* SPDX-License-Identifier: MIT
 *
 * 11 barber - a barber, a waiting room with three chairs, and more customers than that. The waiting room is the
 * barber's mailbox; who finds it full goes away (RP_DROP_NEW answers a call with -EAGAIN).
 */
#include <errno.h>
#include <reparto/reparto.h>
#include <stdio.h>

enum { CUSTOMERS = 60, CHAIRS = 3 };

struct cut {
    int32_t ms;
};
static const rp_field cut_fields[] = {RP_FIELD(struct cut, ms, RP_I32)};
static const rp_type cut_type = RP_TYPE("example.cut", struct cut, cut_fields);

static int shave(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct cut *c = rp_body(m, &cut_type);
    int rc = rp_sleep(me, rp_in_ms(me, c->ms));
    return rc != 0 ? rc : rp_reply(me, m, &cut_type, c);
}
static const rp_actor barber = {.name = "barber", .handle = shave};

struct day {
    rp_ref shop;
    int served, left, other;
};

static int visit(rp_self *me, void *arg) /* a task: all of them share the day */
{
    struct day *d = arg;
    rp_msg *m;
    int rc = rp_sleep(me, rp_in_ms(me, (int64_t)(rp_random(me) % 60)));
    if (rc == 0)
        rc = rp_call(me, d->shop, &cut_type, &(struct cut){2}, &m, RP_FOREVER);
    if (rc == 0)
        rp_msg_drop(me, m);
    *(rc == 0 ? &d->served : rc == -EAGAIN ? &d->left : &d->other) += 1;
    return 0;
}

static int root(rp_self *me, void *arg)
{
    (void)arg;
    struct day d = {{0, 0}, 0, 0, 0};
    rp_scope s;
    int rc = rp_spawn(me, &barber, &(rp_spawn_opts){.mailbox = CHAIRS, .overflow = RP_DROP_NEW, .on = RP_SPREAD}, &d.shop);
    rp_scope_open(me, &s, RP_FOREVER);
    for (int i = 0; i < CUSTOMERS && rc == 0; i++)
        rc = rp_go(me, &s, visit, &d, NULL);
    rc = rp_scope_close(me, &s, rc);
    printf("%d customers, each served or gone: %s\n", d.served + d.left, d.other == 0 && d.served > CHAIRS ? "yes" : "no");
    return rc;
}

int main(void)
{
    return rp_run(&(rp_actor){.name = "root", .run = root}, NULL, &(rp_system_opts){.loops = 2}) != 0;
}
