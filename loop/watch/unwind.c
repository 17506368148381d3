/* SPDX-License-Identifier: MIT
 *
 * unwind.c - DWARF call frame information, as far as C compilers use it.
 *
 *   module  ->  .eh_frame_hdr: (address, FDE) sorted  ->  FDE: a function's  ->  CIE: what many have in common
 *
 * An FDE's program builds, instruction by instruction up to the address in question, a row: how to compute the
 * frame's base (CFA), and where each register of the caller was saved relative to it.
 */
#include "loop/watch/unwind.h"

#include <stdbool.h>
#include <string.h>

#if defined(RP__UCONTEXT)

unsigned rp__unwind(const struct rp__cx *cx, const void *low, const void *high, void **ret, unsigned n)
{
    (void)cx, (void)low, (void)high, (void)ret, (void)n;
    return 0;
}

#else

#include <link.h>
#include <stddef.h>

#if defined(RP_VALGRIND) /* it would complain: what stands there is what is asked */
#include <valgrind/memcheck.h>
#define DEFINED(p) ((void)VALGRIND_MAKE_MEM_DEFINED(p, sizeof *(p)))
#else
#define DEFINED(p) ((void)(p))
#endif

#if defined(__x86_64__)
enum { REGS = 17, SP = 7, FP = 6, RA_BITS = 64 };
#else
enum { REGS = 33, SP = 31, FP = 29, RA_BITS = 48 }; /* above them may stand a signature */
#endif

enum { KEPT_ROWS = 4 };

struct regs {
    uintptr_t v[REGS];
    uint64_t known; /* a bit each */
};

struct stack {
    uintptr_t low, high;
};

/* On a broken stack `at` is anything. Not instrumented: it reads what ASan thinks lies between variables. */
__attribute__((no_sanitize("address"))) static bool read_stack(const struct stack *s, uintptr_t at, uintptr_t *ret)
{
    if (at < s->low || at > s->high - sizeof *ret || at % sizeof *ret != 0)
        return false;
    *ret = *(const uintptr_t *)at;
    DEFINED(ret);
    return true;
}

/* ---- reading the tables -------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *at, *end;
};

static uint64_t fixed(struct cursor *c, unsigned bytes)
{
    uint64_t v = 0;
    if ((size_t)(c->end - c->at) < bytes) {
        c->at = c->end;
        return 0;
    }
    memcpy(&v, c->at, bytes); /* little-endian, both */
    c->at += bytes;
    return v;
}

static uint64_t leb(struct cursor *c, bool is_signed)
{
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t b = 0x80;
    while (b & 0x80 && c->at < c->end && shift < 64) {
        b = *c->at++;
        v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
    }
    if (is_signed && b & 0x40 && shift < 64)
        v |= ~UINT64_C(0) << shift;
    return v;
}

enum { ENC_PCREL = 0x10, ENC_DATAREL = 0x30 };

static uint64_t encoded(struct cursor *c, uint8_t enc, uintptr_t data)
{
    uintptr_t here = (uintptr_t)c->at;
    uint64_t v = 0;
    switch (enc & 0x0f) {
    case 0x00: v = fixed(c, sizeof(void *)); break;
    case 0x01: v = leb(c, false); break;
    case 0x02: v = fixed(c, 2); break;
    case 0x03: v = fixed(c, 4); break;
    case 0x04: v = fixed(c, 8); break;
    case 0x09: v = leb(c, true); break;
    case 0x0a: v = (uint64_t)(int16_t)fixed(c, 2); break;
    case 0x0b: v = (uint64_t)(int32_t)fixed(c, 4); break;
    case 0x0c: v = fixed(c, 8); break;
    default: c->at = c->end; break;
    }
    if ((enc & 0x70) == ENC_PCREL)
        v += here;
    else if ((enc & 0x70) == ENC_DATAREL)
        v += data;
    return v;
}

/* ---- from an address to its FDE ------------------------------------------------------------------ */

struct module {
    uintptr_t pc;
    const uint8_t *hdr; /* .eh_frame_hdr */
    size_t size;
};

static int look_for_module(struct dl_phdr_info *info, size_t size, void *ud)
{
    struct module *m = ud;
    const uint8_t *hdr = 0;
    size_t hdr_size = 0;
    bool ours = false;
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + p->p_vaddr;
        ours |= p->p_type == PT_LOAD && m->pc >= at && m->pc < at + p->p_memsz;
        if (p->p_type == PT_GNU_EH_FRAME) {
            hdr = (const uint8_t *)at;
            hdr_size = p->p_memsz;
        }
    }
    if (ours) {
        m->hdr = hdr;
        m->size = hdr_size;
    }
    return ours;
}

static int32_t entry(const uint8_t *table, size_t i, unsigned which)
{
    int32_t v;
    memcpy(&v, table + 8 * i + 4 * which, sizeof v);
    return v;
}

/* The last FDE that begins at or before pc; NULL: there is none, or the index is of an unusual kind. */
static const uint8_t *fde_for(uintptr_t pc)
{
    struct module m = {.pc = pc};
    if (!dl_iterate_phdr(look_for_module, &m) || !m.hdr || m.size < 12)
        return 0;
    struct cursor c = {m.hdr + 4, m.hdr + m.size};
    uintptr_t data = (uintptr_t)m.hdr;
    (void)encoded(&c, m.hdr[1], data);
    uint64_t n = encoded(&c, m.hdr[2], data);
    if (m.hdr[0] != 1 || m.hdr[3] != (ENC_DATAREL | 0x0b) || n == 0 || n > (uint64_t)(c.end - c.at) / 8)
        return 0;
    size_t low = 0, high = n; /* entry(low) <= pc < entry(high) */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (data + (intptr_t)entry(c.at, mid, 0) <= pc)
            low = mid;
        else
            high = mid;
    }
    return data + (intptr_t)entry(c.at, low, 0) <= pc ? m.hdr + entry(c.at, low, 1) : 0;
}

struct cie {
    uint64_t code_align;
    int64_t data_align;
    uint64_t ra;      /* the register that holds the return address */
    uint8_t enc;
    bool sized;       /* 'z': FDEs have augmentation data */
    struct cursor program;
};

struct fde {
    struct cie cie;
    uintptr_t begin;
    struct cursor program;
};

static bool sized_record(const uint8_t *at, struct cursor *c)
{
    uint32_t size;
    memcpy(&size, at, 4);
    *c = (struct cursor){at + 4, at + 4 + size};
    return size != 0 && size != UINT32_MAX;
}

static bool read_cie(const uint8_t *at, struct cie *ret)
{
    struct cursor c;
    if (!sized_record(at, &c) || fixed(&c, 4) != 0)
        return false;
    uint64_t version = fixed(&c, 1);
    const char *aug = (const char *)c.at;
    c.at += strlen(aug) + 1;
    ret->code_align = leb(&c, false);
    ret->data_align = (int64_t)leb(&c, true);
    ret->ra = version == 1 ? fixed(&c, 1) : leb(&c, false);
    ret->enc = 0;
    ret->sized = *aug == 'z';
    if (ret->sized) {
        uint64_t size = leb(&c, false);
        struct cursor d = {c.at, c.at + size};
        c.at += size;
        for (const char *a = aug + 1; *a; a++) {
            if (*a == 'R')
                ret->enc = (uint8_t)fixed(&d, 1);
            else if (*a == 'L')
                (void)fixed(&d, 1);
            else if (*a == 'P')
                (void)encoded(&d, (uint8_t)fixed(&d, 1), 0);
        }
    }
    ret->program = c;
    return (version == 1 || version == 3) && (ret->sized || *aug == 0) && ret->ra < REGS && c.at <= c.end;
}

static bool read_fde(uintptr_t pc, struct fde *ret)
{
    struct cursor c;
    const uint8_t *at = fde_for(pc);
    if (!at || !sized_record(at, &c))
        return false;
    const uint8_t *back = c.at;
    if (!read_cie(back - fixed(&c, 4), &ret->cie))
        return false;
    ret->begin = encoded(&c, ret->cie.enc, 0);
    uint64_t length = encoded(&c, ret->cie.enc & 0x0f, 0);
    if (ret->cie.sized) {
        uint64_t size = leb(&c, false);
        c.at += size;
    }
    ret->program = c;
    return pc >= ret->begin && pc - ret->begin < length && c.at <= c.end;
}

/* ---- the program --------------------------------------------------------------------------------- */

enum where { SAME, UNDEFINED, AT_CFA /* saved at CFA + n */, IS_CFA /* is CFA + n */, IN_REG, ODD /* by an expression */ };

struct rule {
    int32_t word; /* n << 4 | where: there are six rows of them on the stack, and it may be a coroutine's */
};

enum { FARTHEST = (1 << 27) - 1 };

static int32_t n_of(struct rule r)
{
    return r.word >> 4;
}

static enum where where_of(struct rule r)
{
    return (enum where)(r.word & 15);
}

struct row {
    uint64_t cfa_reg;
    int64_t cfa_off;
    struct cursor expr; /* .at NULL: the CFA is cfa_reg + cfa_off */
    struct rule reg[REGS];
};

struct machine {
    const struct cie *cie;
    struct row row;
    struct row first; /* as the CIE leaves it */
    struct row kept[KEPT_ROWS];
    unsigned nkept;
    bool bad;
};

static void set(struct machine *m, uint64_t reg, enum where where, int64_t n)
{
    if (n < -FARTHEST || n > FARTHEST)
        m->bad = true;
    else if (reg < REGS)
        m->row.reg[reg] = (struct rule){(int32_t)n * 16 + (int32_t)where};
}

static struct cursor block(struct cursor *c)
{
    uint64_t size = leb(c, false);
    struct cursor b = {c->at, c->at + size};
    c->at = size <= (uint64_t)(c->end - c->at) ? b.end : c->end;
    return b;
}

static void keep_row(struct machine *m, bool restore)
{
    if (restore && m->nkept > 0)
        m->row = m->kept[--m->nkept];
    else if (!restore && m->nkept < KEPT_ROWS)
        m->kept[m->nkept++] = m->row;
    else
        m->bad = true;
}

static void define_cfa(struct machine *m, uint64_t reg, int64_t off)
{
    m->row.cfa_reg = reg;
    m->row.cfa_off = off;
    m->row.expr.at = 0;
}

/* One that is not an advance. long: a list of the opcodes. */
static void rule_op(struct machine *m, struct cursor *c, uint8_t op)
{
    int64_t align = m->cie->data_align;
    uint64_t r;
    switch (op) {
    case 0x00: /* nop */ break;
    case 0x05: /* offset_extended */ r = leb(c, false), set(m, r, AT_CFA, (int64_t)leb(c, false) * align); break;
    case 0x06: /* restore_extended */
        r = leb(c, false);
        if (r < REGS)
            m->row.reg[r] = m->first.reg[r];
        break;
    case 0x07: /* undefined */ set(m, leb(c, false), UNDEFINED, 0); break;
    case 0x08: /* same_value */ set(m, leb(c, false), SAME, 0); break;
    case 0x09: /* register */ r = leb(c, false), set(m, r, IN_REG, (int64_t)leb(c, false)); break;
    case 0x0a: /* remember_state */ keep_row(m, false); break;
    case 0x0b: /* restore_state */ keep_row(m, true); break;
    case 0x0c: /* def_cfa */ r = leb(c, false), define_cfa(m, r, (int64_t)leb(c, false)); break;
    case 0x0d: /* def_cfa_register */ m->row.cfa_reg = leb(c, false); break;
    case 0x0e: /* def_cfa_offset */ m->row.cfa_off = (int64_t)leb(c, false); break;
    case 0x0f: /* def_cfa_expression */ m->row.expr = block(c); break;
    case 0x10: /* expression */
    case 0x16: /* val_expression */ r = leb(c, false), block(c), set(m, r, ODD, 0); break;
    case 0x11: /* offset_extended_sf */ r = leb(c, false), set(m, r, AT_CFA, (int64_t)leb(c, true) * align); break;
    case 0x12: /* def_cfa_sf */ r = leb(c, false), define_cfa(m, r, (int64_t)leb(c, true) * align); break;
    case 0x13: /* def_cfa_offset_sf */ m->row.cfa_off = (int64_t)leb(c, true) * align; break;
    case 0x14: /* val_offset */ r = leb(c, false), set(m, r, IS_CFA, (int64_t)leb(c, false) * align); break;
    case 0x2d: /* aarch64: the return address is signed from here on, or no more */ break;
    case 0x2e: /* GNU_args_size */ (void)leb(c, false); break;
    default: m->bad = true; break;
    }
}

/* Up to where `pc` is. */
static void run(struct machine *m, struct cursor c, uintptr_t loc, uintptr_t pc)
{
    while (c.at < c.end && !m->bad) {
        uint8_t op = *c.at++, low = op & 0x3f;
        uint64_t step = 0;
        if (op >> 6 == 1)
            step = low;
        else if (op >= 0x02 && op <= 0x04)
            step = fixed(&c, 1u << (op - 2));
        else if (op >> 6 == 2)
            set(m, low, AT_CFA, (int64_t)leb(&c, false) * m->cie->data_align);
        else if (op >> 6 == 3 && low < REGS)
            m->row.reg[low] = m->first.reg[low];
        else
            rule_op(m, &c, op);
        loc += step * m->cie->code_align;
        if (loc > pc)
            return;
    }
}

/* ---- one frame ----------------------------------------------------------------------------------- */

/* What functions need that align their stack: a register plus a constant, read once or not. */
static bool expression(const struct stack *s, const struct regs *r, struct cursor c, uintptr_t *ret)
{
    uint8_t op = (uint8_t)fixed(&c, 1);
    unsigned reg = op - 0x70u; /* breg0 */
    if (reg >= REGS || !(r->known >> reg & 1))
        return false;
    uintptr_t v = r->v[reg] + leb(&c, true);
    if (c.at < c.end && *c.at == 0x06) { /* deref */
        c.at++;
        if (!read_stack(s, v, &v))
            return false;
    }
    *ret = v;
    return c.at == c.end;
}

static bool find_cfa(const struct stack *s, const struct regs *r, const struct row *row, uintptr_t *ret)
{
    if (row->expr.at)
        return expression(s, r, row->expr, ret);
    if (row->cfa_reg >= REGS || !(r->known >> row->cfa_reg & 1))
        return false;
    *ret = r->v[row->cfa_reg] + (uintptr_t)row->cfa_off;
    return true;
}

static bool restore(const struct stack *s, const struct regs *r, struct rule rule, unsigned reg, uintptr_t cfa, uintptr_t *ret)
{
    int32_t n = n_of(rule);
    switch (where_of(rule)) {
    case SAME:
        *ret = r->v[reg];
        return r->known >> reg & 1;
    case AT_CFA:
        return read_stack(s, cfa + (uintptr_t)n, ret);
    case IS_CFA:
        *ret = cfa + (uintptr_t)n;
        return true;
    case IN_REG:
        *ret = n >= 0 && n < REGS ? r->v[n] : 0;
        return n >= 0 && n < REGS && r->known >> n & 1;
    case UNDEFINED:
    case ODD:
        break;
    }
    return false;
}

/* From a frame whose code stands at `pc` to its caller's. False: this was the last, or the tables do not say. */
static bool step(const struct stack *s, struct regs *r, uintptr_t pc, uintptr_t *ra, struct machine *m)
{
    struct fde f;
    uintptr_t cfa;
    if (!read_fde(pc, &f))
        return false;
    memset(m, 0, offsetof(struct machine, kept));
    m->nkept = 0;
    m->bad = false;
    m->cie = &f.cie;
    run(m, f.cie.program, 0, UINTPTR_MAX);
    m->first = m->row;
    run(m, f.program, f.begin, pc);
    if (m->bad || !find_cfa(s, r, &m->row, &cfa) || cfa <= r->v[SP] || cfa > s->high)
        return false;
    struct regs up = {.known = 0};
    for (unsigned i = 0; i < REGS; i++)
        if (restore(s, r, m->row.reg[i], i, cfa, &up.v[i]))
            up.known |= UINT64_C(1) << i;
    if (!(up.known >> f.cie.ra & 1))
        return false;
    *ra = up.v[f.cie.ra] << (64 - RA_BITS) >> (64 - RA_BITS);
    up.v[SP] = cfa;
    up.known |= UINT64_C(1) << SP;
    *r = up;
    return *ra != 0;
}

unsigned rp__unwind(const struct rp__cx *cx, const void *low, const void *high, void **ret, unsigned n)
{
    struct stack s = {(uintptr_t)low, (uintptr_t)high};
    struct regs r = {.known = UINT64_C(1) << SP | UINT64_C(1) << FP};
    uintptr_t pc = (uintptr_t)cx->ip;
    unsigned got = 0;
    r.v[SP] = (uintptr_t)cx->sp;
    r.v[FP] = (uintptr_t)cx->bp;
    if (r.v[SP] < s.low || r.v[SP] >= s.high)
        return 0;
    while (got < n) {
        ret[got] = (void *)pc;
        struct machine m;
        /* a return address stands behind its call, perhaps behind the end of the function */
        if (!step(&s, &r, got++ > 0 ? pc - 1 : pc, &pc, &m))
            break;
    }
    return got;
}

#endif
