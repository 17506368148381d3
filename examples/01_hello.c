/* SPDX-License-Identifier: MIT
 *
 * 01 hello - one actor, one message, one reply.
 */
#include <reparto/reparto.h>
#include <stdio.h>

struct hello {
    char who[32];
};
static const rp_field hello_fields[] = {RP_FIELD(struct hello, who, RP_CHARS)};
static const rp_type hello_type = RP_TYPE("example.hello", struct hello, hello_fields);

static int greet(rp_self *me, void *state, const rp_msg *m)
{
    (void)state;
    const struct hello *h = rp_body(m, &hello_type);
    struct hello answer = {""};
    snprintf(answer.who, sizeof answer.who, "Hello, %.20s.", h ? h->who : "whoever you are");
    return rp_reply(me, m, &hello_type, &answer);
}
static const rp_actor greeter = {.name = "greeter", .handle = greet};

static int root(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref g;
    rp_msg *reply;
    struct hello ask = {"world"};
    int rc = rp_spawn(me, &greeter, NULL, &g);
    if (rc == 0)
        rc = rp_call(me, g, &hello_type, &ask, &reply, rp_in_ms(me, 1000));
    if (rc != 0)
        return rc;
    printf("%s\n", ((const struct hello *)rp_body(reply, &hello_type))->who);
    rp_msg_drop(me, reply);
    return 0;
}

int main(void)
{
    int rc = rp_run(&(rp_actor){.name = "root", .run = root}, NULL, NULL);
    if (rc != 0)
        fprintf(stderr, "hello: %s\n", rp_strerror(rc));
    return rc != 0;
}
