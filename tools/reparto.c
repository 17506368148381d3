/* SPDX-License-Identifier: MIT
 *
 * reparto.c - the command line of `reparto`.
 */
#include "tools/tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "reparto COMMAND [OPTIONS] WHERE [...]     looks inside a running program\n"
    "\n"
    "  top WHERE               loops and actors, again and again\n"
    "        -1                once; so it is too when there is no terminal\n"
    "        -s KEY            sorted by depth (default), oldest, wait, cpu, name, ref or stack\n"
    "        -n LINES          not more actors than that\n"
    "        -d SECONDS        between two pictures: 1\n"
    "        -t                tasks too (also for tree)\n"
    "        -q                no CPU time: while that is sampled, the program is sent signals\n"
    "  tree WHERE              who is whose child\n"
    "  wait WHERE              who waits for whom; rings\n"
    "  stack WHERE REF|NAME [TASK]   where a suspended actor stands\n"
    "        -l                with source lines, by addr2line\n"
    "  trace WHERE CATEGORY,... [MS]   what happens, as it happens, for 10,000 ms\n"
    "  stop WHERE REF|NAME     ends an actor, as rp_stop does\n"
    "  send WHERE REF|NAME 'TYPE{FIELD=VALUE ...}'   a message to an actor, written as traces print it\n"
    "  failures WHERE          the last reports: what failed and nobody took, who was refused, what was done wrong\n"
    "  dump WHERE              all of it, as the program itself would write it\n"
    "  ask WHERE WORD [...]    whatever it answers; `ask WHERE help` says what\n"
    "\n"
    "WHERE is the process's number, if it was started with RP_INSPECT=DIRECTORY in its environment; or the\n"
    "path of the socket that it opens.\n";

static int bad_usage(void)
{
    fputs(usage, stderr);
    return 2;
}

static bool read_options(int argc, char **argv, struct view *v)
{
    for (int o; (o = getopt(argc, argv, "1s:n:d:tlq")) != -1;) {
        switch (o) {
        case '1': v->once = true; break;
        case 's': v->sort = optarg; break;
        case 'n': v->lines = atoi(optarg); break;
        case 'd': v->every = atof(optarg); break;
        case 't': v->tasks = true; break;
        case 'q': v->quiet = true; break;
        case 'l': v->source_lines = true; break;
        default: return false;
        }
    }
    return v->every > 0 && v->lines >= 0;
}

/* The words from `i` on, as one line. False: it is longer than any that can be asked. */
static bool join(char *to, size_t size, int argc, char **argv, int i)
{
    size_t n = 0;
    *to = 0;
    for (; i < argc && n < size; i++)
        n += (size_t)snprintf(to + n, size - n, "%s%s", n ? " " : "", argv[i]);
    if (n >= size)
        fprintf(stderr, "reparto: longer than %zu bytes\n", size - 1);
    return n < size;
}

static int print_answer(struct target *t, const char *word, const char *rest)
{
    char *text = ask(t, word, rest);
    if (!text)
        return 1;
    fputs(text, stdout);
    free(text);
    return 0;
}

int main(int argc, char **argv)
{
    struct view v = {.every = 1};
    struct target t;
    static char rest[ASK_MOST];
    if (argc < 2)
        return bad_usage();
    const char *command = argv[1];
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    argc--, argv++;
    if (!read_options(argc, argv, &v) || optind >= argc)
        return bad_usage();
    signal(SIGPIPE, SIG_IGN);
    target_find(&t, argv[optind]);
    if (!join(rest, sizeof rest, argc, argv, optind + 1))
        return 1;
    if (strcmp(command, "top") == 0)
        return show_top(&t, &v);
    if (strcmp(command, "tree") == 0)
        return show_tree(&t, &v);
    if (strcmp(command, "wait") == 0)
        return show_wait(&t);
    if (strcmp(command, "stack") == 0 && *rest)
        return show_stack(&t, &v, rest);
    if (strcmp(command, "stop") == 0 && *rest)
        return print_answer(&t, "stop", rest);
    if (strcmp(command, "trace") == 0 && *rest)
        return read_along(&t, rest);
    if (strcmp(command, "send") == 0 && *rest)
        return print_answer(&t, "send", rest);
    if (strcmp(command, "failures") == 0)
        return print_answer(&t, "failures", "");
    if (strcmp(command, "dump") == 0)
        return print_answer(&t, "dump", "");
    if (strcmp(command, "ask") == 0 && *rest) {
        char *more = strchr(rest, ' ');
        if (more)
            *more++ = 0;
        return print_answer(&t, rest, more ? more : "");
    }
    return bad_usage();
}
