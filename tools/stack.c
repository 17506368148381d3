/* SPDX-License-Identifier: MIT
 *
 * stack.c - names for the addresses on a stack.
 *
 * The program itself knows the names of what it exports. A static function's is in the symbol table of its
 * file, which is read here.
 */
#include "tools/tool.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct image {
    const char *at;
    size_t size;
};

static bool map_file(const char *path, struct image *ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof(Elf64_Ehdr);
    void *p = ok ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (p == MAP_FAILED)
        return false;
    *ret = (struct image){p, (size_t)st.st_size};
    const Elf64_Ehdr *e = p;
    if (memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 && e->e_ident[EI_CLASS] == ELFCLASS64)
        return true;
    munmap(p, ret->size);
    return false;
}

/* [off, off + size) of the file; NULL: it has no such part. */
static const void *part(const struct image *f, uint64_t off, uint64_t size)
{
    return off <= f->size && size <= f->size - off ? f->at + off : NULL;
}

/* Where the file wants to be loaded: 0 but for programs that are not position-independent. */
static uint64_t lowest(const struct image *f)
{
    const Elf64_Ehdr *e = (const void *)f->at;
    const Elf64_Phdr *p = part(f, e->e_phoff, (uint64_t)e->e_phnum * sizeof *p);
    uint64_t low = UINT64_MAX;
    for (unsigned i = 0; p && i < e->e_phnum; i++)
        if (p[i].p_type == PT_LOAD && p[i].p_vaddr < low)
            low = p[i].p_vaddr & ~(uint64_t)4095;
    return low == UINT64_MAX ? 0 : low;
}

static bool search(const struct image *f, const Elf64_Shdr *table, const Elf64_Shdr *names, uint64_t addr, char *to, size_t size)
{
    const Elf64_Sym *s = part(f, table->sh_offset, table->sh_size);
    const char *text = part(f, names->sh_offset, names->sh_size);
    for (uint64_t i = 0; s && text && i < table->sh_size / sizeof *s; i++) {
        if (ELF64_ST_TYPE(s[i].st_info) != STT_FUNC || addr < s[i].st_value || addr - s[i].st_value >= s[i].st_size ||
            s[i].st_name >= names->sh_size)
            continue;
        int most = (int)(names->sh_size - s[i].st_name < size ? names->sh_size - s[i].st_name : size);
        snprintf(to, size, "%.*s+0x%llx", most, text + s[i].st_name, (unsigned long long)(addr - s[i].st_value));
        return true;
    }
    return false;
}

/* `off` from where the file begins in memory. */
static bool name_of(const char *path, uint64_t off, char *to, size_t size)
{
    struct image f;
    bool found = false;
    if (!map_file(path, &f))
        return false;
    const Elf64_Ehdr *e = (const void *)f.at;
    const Elf64_Shdr *s = part(&f, e->e_shoff, (uint64_t)e->e_shnum * sizeof *s);
    for (unsigned i = 0; s && i < e->e_shnum && !found; i++)
        if ((s[i].sh_type == SHT_SYMTAB || s[i].sh_type == SHT_DYNSYM) && s[i].sh_link < e->e_shnum)
            found = search(&f, &s[i], &s[s[i].sh_link], off + lowest(&f), to, size);
    munmap((void *)(uintptr_t)f.at, f.size);
    return found;
}

/* As the process sees it: its own name may be relative, or gone. */
static void file_of(const struct target *t, const char *module, char *to, size_t size)
{
    if (*module == '/' && access(module, R_OK) == 0)
        snprintf(to, size, "%s", module);
    else
        snprintf(to, size, "/proc/%d/exe", (int)t->pid);
}

static void print_source(const char *file, uint64_t off)
{
    char where[32];
    snprintf(where, sizeof where, "0x%llx", (unsigned long long)off);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("addr2line", "addr2line", "-p", "-s", "-i", "-e", file, where, (char *)NULL);
        puts("        (addr2line is not installed)");
        fflush(stdout);
        _exit(1);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

/* "#0  0x7f12 /usr/bin/x+0x12 symbol+0x2" */
static void print_frame(const struct target *t, const struct view *v, char *line)
{
    char n[16], pc[32], module[512], symbol[256] = "", file[600], found[256];
    if (sscanf(line, "%15s %31s %511s %255s", n, pc, module, symbol) < 3) {
        puts(line);
        return;
    }
    char *plus = strrchr(module, '+');
    uint64_t off = plus ? strtoull(plus + 1, NULL, 16) : 0;
    if (plus)
        *plus = 0;
    file_of(t, module, file, sizeof file);
    uint64_t call = off - (strcmp(n, "#0") != 0); /* a return address may stand behind the end of its function */
    bool known = name_of(file, call, found, sizeof found);
    const char *base = strrchr(module, '/') ? strrchr(module, '/') + 1 : module;
    printf("%-4s%s %-36s %s+0x%llx\n", n, pc, known ? found : *symbol ? symbol : "?", base, (unsigned long long)off);
    if (v->source_lines) {
        printf("        ");
        print_source(file, call);
    }
}

int show_stack(struct target *t, const struct view *v, const char *who)
{
    char *save = NULL, *text = ask(t, "stack", who);
    if (!text)
        return 1;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        print_frame(t, v, line);
    free(text);
    return 0;
}
