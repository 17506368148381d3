/* SPDX-License-Identifier: MIT
 *
 * given.c - what a system was started with, copied: its caller's may be gone when the call has returned.
 *
 * What stays the caller's is what a pointer is for: the root's arg, the ledger that is filled in, the hooks' `ud`.
 */
#include "actors/table/runtime.h"

#include <errno.h>
#include <string.h>

static const char **texts(struct rp__runtime *rt, unsigned i) /* NULL: there are no more */
{
    const char **all[] = {&rt->root.name, &rt->opts.inspect, &rt->opts.listen, &rt->opts.node, &rt->opts.secret};
    return i < sizeof all / sizeof *all ? all[i] : 0;
}

static size_t ntypes(const rp_type *const *types) /* its NULL too */
{
    size_t n = 0;
    while (types && types[n])
        n++;
    return types ? n + 1 : 0;
}

int rp__given_keep(struct rp__runtime *rt, const rp_actor *root, const rp_system_opts *o, const rp_alloc *mem)
{
    rt->root = *root;
    rt->opts = *o;
    rt->opts.mem = 0; /* the system has a copy */
    size_t n = ntypes(o->types) * sizeof *o->types;
    rt->given_size = n;
    const char **text;
    for (unsigned i = 0; (text = texts(rt, i)); i++)
        rt->given_size += *text ? strlen(*text) + 1 : 0;
    if (rt->given_size == 0)
        return 0;
    char *at = rt->given = mem->alloc(mem->ud, rt->given_size);
    if (!at)
        return -ENOMEM;
    if (n > 0)
        rt->opts.types = memcpy(at, o->types, n);
    at += n;
    for (unsigned i = 0; (text = texts(rt, i)); i++) {
        if (!*text)
            continue;
        size_t size = strlen(*text) + 1;
        *text = memcpy(at, *text, size);
        at += size;
    }
    return 0;
}

void rp__given_free(struct rp__runtime *rt, const rp_alloc *mem)
{
    if (rt->given)
        mem->free(mem->ud, rt->given, rt->given_size);
}
