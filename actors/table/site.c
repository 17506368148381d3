/* SPDX-License-Identifier: MIT
 *
 * site.c - where in the code an actor was spawned: the return address of rp_spawn, if rp_system_opts.sites.
 *
 * What the library spawns for a user has the place of his call; what it spawns by itself, as a supervisor its
 * children, that of who does so.
 */
#include "actors/table/runtime.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void *rp__site_of(const struct rp_loop *l, const struct rp__actor *a)
{
    return a && l->actors->sites ? rp__site_at(l->actors, rp__slot_here(a))->pc : 0;
}

void rp__site_put(struct rp_loop *l, const struct rp__actor *a, void *site)
{
    rp__site_at(l->actors, rp__slot_here(a))->pc = site;
}

/* ---- as text ------------------------------------------------------------------------------------- */

static const char *text_of(char *to, const void *site, bool whole)
{
    Dl_info d = {0};
    bool known = site && dladdr(site, &d) != 0 && d.dli_fname;
    const char *name = known ? d.dli_fname : "?", *slash = strrchr(name, '/');
    if (!site)
        return "-";
    snprintf(to, RP__SITE_TEXT, "%.255s+0x%" PRIxPTR, slash && !whole ? slash + 1 : name,
             (uintptr_t)site - (uintptr_t)(known ? d.dli_fbase : 0));
    return to;
}

const char *rp__site_text(char *to, const void *site)
{
    return text_of(to, site, true);
}

const char *rp__site_plain(char *to, const void *site)
{
    return text_of(to, site, false);
}
