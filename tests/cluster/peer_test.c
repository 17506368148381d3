/* SPDX-License-Identifier: MIT
 *
 * A node and a peer that is written after docs/wire.md alone, in python (peer.py): each dials the other. Where there is no
 * python3 there is nothing to test.
 */
#include "tests/support.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const rp_type *const types[] = {&num_type, NULL};

static const char secret[] = "sesame";

/* The script, from the tree's top or a build directory in it. NULL: it is not there, or no python3. */
static char *script(void)
{
    static char at[2][32] = {"tests/cluster/peer.py", "../tests/cluster/peer.py"};
    if (system("python3 -c 'import socket; socket.create_server' >/dev/null 2>&1") != 0)
        return NULL;
    return access(at[0], R_OK) == 0 ? at[0] : access(at[1], R_OK) == 0 ? at[1] : NULL;
}

/* Begins python; what it prints can be read from *out. */
static pid_t begin(char *const argv[], int *out)
{
    int fd[2];
    pid_t pid;
    posix_spawn_file_actions_t a;
    check(pipe(fd) == 0);
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_adddup2(&a, fd[1], 1);
    posix_spawn_file_actions_addclose(&a, fd[0]);
    check(posix_spawnp(&pid, "python3", &a, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&a);
    close(fd[1]);
    *out = fd[0];
    return pid;
}

static int await(void *arg)
{
    int status;
    check(waitpid(*(pid_t *)arg, &status, 0) == *(pid_t *)arg);
    return status;
}

static int echo(rp_self *me, void *state, const rp_msg *m)
{
    const struct num *b = rp_body(m, NUM);
    (void)state;
    return b->n == 0 ? RP_STOP : rp_reply(me, m, NUM, b);
}
static const rp_actor echoes = {.name = "echo", .handle = echo};

static int be_dialled(rp_self *me, void *arg)
{
    char url[128], program[] = "python3", word[] = "dial", say[sizeof secret];
    pid_t pid;
    int out;
    (void)arg;
    check_eq(rp_spawn(me, &echoes, &(rp_spawn_opts){.name = "echo"}, NULL), 0);
    check_eq(rp_listen_url(me, url, sizeof url), 0);
    memcpy(say, secret, sizeof say);
    pid = begin((char *[]){program, script(), word, strrchr(url, ':') + 1, say, NULL}, &out);
    check_eq(rp_offload(me, await, &pid, RP_FOREVER), 0);
    close(out);
    return 0;
}

static int be_dialler(rp_self *me, void *arg)
{
    char url[64] = "uv+tcp://127.0.0.1:", program[] = "python3", word[] = "listen", say[sizeof secret];
    int out;
    rp_node node;
    rp_ref r;
    rp_msg *m;
    pid_t pid;
    memcpy(say, secret, sizeof say);
    pid = begin((char *[]){program, script(), word, say, NULL}, &out);
    size_t at = strlen(url);
    while (at < sizeof url - 1 && read(out, url + at, 1) == 1 && url[at] != '\n') /* a line may come in pieces */
        at++;
    check(url[at] == '\n', "it said no port: %s", url);
    url[at] = 0;
    check_eq(rp_connect(me, url, &node, rp_in_ms(me, 30000)), 0);
    check_eq(rp_lookup(me, node, "py", &r, rp_in_ms(me, 30000)), 0);
    for (uint64_t i = 1; i <= 3; i++) {
        check_eq(rp_call(me, r, NUM, &(struct num){.n = i}, &m, rp_in_ms(me, 30000)), 0);
        check_eq(((const struct num *)rp_body(m, NUM))->n, i + 1);
        rp_msg_drop(me, m);
    }
    *(pid_t *)arg = pid;
    return 0;
}


TEST(peer, written_after_the_page_dials)
{
    rp_system_opts o = {.loops = 2, .listen = "uv+tcp://127.0.0.1:0", .secret = secret, .types = types};
    if (script())
        check_eq(rp_run(&(rp_actor){.name = "root", .run = be_dialled}, NULL, &o), 0);
}

TEST(peer, written_after_the_page_is_dialled)
{
    rp_system_opts o = {.loops = 2, .secret = secret, .types = types};
    pid_t pid;
    if (!script())
        return;
    check_eq(rp_run(&(rp_actor){.name = "root", .run = be_dialler}, &pid, &o), 0);
    check_eq(await(&pid), 0);
}
