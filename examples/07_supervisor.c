/* SPDX-License-Identifier: MIT
 *
 * 07 supervisor - a counter that fails now and then: its supervisor starts it again, its messages wait for
 * it meanwhile, and what it knew is handed over. Who sends to it notices nothing.
 */
#include <errno.h>
#include <reparto/reparto.h>
#include <stdio.h>

struct num {
    uint64_t n;
};
static const rp_field num_fields[] = {RP_FIELD(struct num, n, RP_U64)};
static const rp_type num_type = RP_TYPE("example.num", struct num, num_fields);

static int init(rp_self *me, void *state, void *arg)
{
    (void)arg;
    rp_msg *left;
    if (rp_inherit(me, &left) == 0) {
        *(struct num *)state = *(const struct num *)rp_body(left, &num_type);
        rp_msg_drop(me, left);
    }
    return 0;
}

static int count(rp_self *me, void *state, const rp_msg *m)
{
    struct num *sum = state;
    uint64_t n = ((const struct num *)rp_body(m, &num_type))->n;
    if (n % 10 == 7)
        return rp_fail(me, -EDOM, "no sevens, please");
    sum->n += n;
    return rp_wants_reply(m) ? rp_reply(me, m, &num_type, sum) : 0;
}

static void fini(rp_self *me, void *state, int reason)
{
    (void)reason;
    (void)!rp_bequeath(me, &num_type, state); /* without memory the next one begins at 0 */
}

static void info(const void *state, char *to, size_t size) /* for `reparto tree` and the like */
{
    snprintf(to, size, "the sum is %d", (int)((const struct num *)state)->n);
}
static const rp_actor counter = {
    .name = "counter", .init = init, .handle = count, .fini = fini, .info = info, .state_size = sizeof(struct num),
};

static void event(rp_self *me, void *arg, const rp_supervision *e)
{
    (void)me, (void)arg;
    if (e->what == RP_CHILD_FELL)
        printf("%s fell: %s\n", e->name, e->why);
}

static int look(rp_self *me)
{
    rp_inspection *i;
    rp_actor_info a;
    int rc = rp_inspect(me, 1000, &i);
    if (rc != 0)
        return rc;
    while ((rc = rp_inspect_next(me, i, &a)) > 0)
        if (a.info[0])
            printf("%s, begun anew %u times, says: %s\n", a.name, a.restarts, a.info);
    rp_inspect_end(me, i);
    return rc;
}

static int root(rp_self *me, void *arg)
{
    (void)arg;
    const rp_child children[] = {{.actor = &counter, .opts = {.name = "counter", .on = RP_SPREAD}}};
    const rp_supervisor s = {.children = children, .nchildren = 1, .restarts = 5, .within_ms = 1000, .event = event};
    rp_ref supervisor, to;
    rp_msg *sum;
    int rc = rp_supervise(me, &s, NULL, &supervisor);
    if (rc == 0)
        rc = rp_whereis(me, "counter", &to);
    for (uint64_t n = 1; n <= 30 && rc == 0; n++)
        rc = rp_tell(me, to, &num_type, &(struct num){n});
    if (rc == 0)
        rc = rp_call(me, to, &num_type, &(struct num){0}, &sum, RP_FOREVER);
    if (rc != 0)
        return rc;
    printf("the sum without sevens: %d\n", (int)((const struct num *)rp_body(sum, &num_type))->n);
    rp_msg_drop(me, sum);
    return look(me);
}

int main(void)
{
    return rp_run(&(rp_actor){.name = "root", .run = root}, NULL, &(rp_system_opts){.loops = 2}) != 0;
}
