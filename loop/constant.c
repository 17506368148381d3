/* SPDX-License-Identifier: MIT */
#include "loop/constant.h"

#include "loop/base/os.h"
#include "loop/system.h"

#include <errno.h>
#include <link.h>
#include <string.h>

/* The parts of a module that nobody writes to: its read-only segments, and what the loader has sealed. */
static bool sealed(const ElfW(Phdr) *p)
{
    return (p->p_type == PT_LOAD && !(p->p_flags & PF_W)) || p->p_type == PT_GNU_RELRO;
}

static int note(struct dl_phdr_info *info, size_t size, void *ud)
{
    struct rp__constants *k = ud;
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + p->p_vaddr, to = from + p->p_memsz;
        if (!sealed(p))
            continue;
        if (p->p_type == PT_GNU_RELRO)
            to &= ~(uintptr_t)(RP__OS_PAGE - 1); /* the loader seals whole pages */
        if (to > from && k->n < k->room)
            k->at[k->n] = (struct rp__span){from, to};
        k->n += to > from;
    }
    return 0;
}

int rp__constants_open(struct rp__constants *k, const rp_alloc *mem)
{
    struct rp__constants count = {0};
    dl_iterate_phdr(note, &count);
    k->at = mem->alloc(mem->ud, count.n * sizeof *k->at);
    if (!k->at)
        return -ENOMEM;
    k->room = count.n;
    dl_iterate_phdr(note, k);
    k->n = k->n < k->room ? k->n : k->room; /* what was loaded in between is not known */
    return 0;
}

void rp__constants_close(struct rp__constants *k, const rp_alloc *mem)
{
    if (k->at)
        mem->free(mem->ud, k->at, k->room * sizeof *k->at);
    k->at = 0;
}

bool rp__constant(const rp_system *sys, const void *p, size_t size)
{
    const struct rp__constants *k = &sys->constants;
    for (unsigned i = 0; i < k->n; i++)
        if ((uintptr_t)p - k->at[i].from < k->at[i].to - k->at[i].from)
            return size <= k->at[i].to - (uintptr_t)p;
    return false;
}

const char *rp__text_kept(const rp_system *sys, const char *text, char *to, size_t size)
{
    if (rp__constant(sys, text, 1))
        return text;
    size_t n = strnlen(text, size - 1);
    memcpy(to, text, n);
    to[n] = 0;
    return to;
}
