/* The functions that we stand in front of. dlsym finds them; a glibc program from before 2.34 without libdl has no
 * dlsym, and then, or when it hands us our own function, we look into the loaded objects' symbol tables ourselves. */
#include "lookup.h"
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

extern const char *gnu_get_libc_version(void);

static const char *const NAMES[REAL_COUNT] = {
    [REAL_GETADDRINFO] = "getaddrinfo",         [REAL_FREEADDRINFO] = "freeaddrinfo",
    [REAL_GETHOSTBYNAME] = "gethostbyname",     [REAL_GETHOSTBYNAME2] = "gethostbyname2",
    [REAL_GETHOSTBYNAME_R] = "gethostbyname_r", [REAL_GETHOSTBYNAME2_R] = "gethostbyname2_r",
    [REAL_GETHOSTBYADDR] = "gethostbyaddr",     [REAL_GETHOSTBYADDR_R] = "gethostbyaddr_r",
    [REAL_GETNAMEINFO] = "getnameinfo",         [REAL_DLOPEN] = "dlopen",
};

struct table {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash, *sysv_hash;
    const ElfW(Half) * versions;
};

static bool is_found(const struct table *table, uint32_t index, const char *name) {
    const ElfW(Sym) *symbol = &table->symbols[index];
    bool hidden = table->versions && table->versions[index] & 0x8000;
    return symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && !hidden &&
           strcmp(table->strings + symbol->st_name, name) == 0;
}

static void *find_by_gnu_hash(const struct table *table, const char *name) {
    uint32_t hash = 5381;
    for (const unsigned char *at = (const unsigned char *)name; *at; at++)
        hash = hash * 33 + *at;
    const uint32_t *head = table->gnu_hash; /* bucket count, first symbol, bloom words (64 bits each), bloom shift */
    const uint32_t *buckets = head + 4 + 2 * head[2], *chains = buckets + head[0];
    uint32_t index = head[0] ? buckets[hash % head[0]] : 0;
    if (index == 0 || index < head[1])
        return NULL;
    for (;; index++) {
        uint32_t chained = chains[index - head[1]];
        if ((chained | 1) == (hash | 1) && is_found(table, index, name))
            return (void *)(table->base + table->symbols[index].st_value);
        if (chained & 1)
            return NULL;
    }
}

static void *find_by_sysv_hash(const struct table *table, const char *name) {
    uint32_t symbol_count = table->sysv_hash[1];
    for (uint32_t index = 1; index < symbol_count; index++)
        if (is_found(table, index, name))
            return (void *)(table->base + table->symbols[index].st_value);
    return NULL;
}

static bool holds(const struct dl_phdr_info *info, uintptr_t address) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && address - info->dlpi_addr - segment->p_vaddr < segment->p_memsz)
            return true;
    }
    return false;
}

/* glibc writes addresses into a loaded dynamic section, musl leaves offsets there, and nobody relocates that of a vDSO,
 * which may be linked at an address that nothing lies at (gVisor, Linux before 3.15). NULL for what leads nowhere. */
static const void *pointer_in(const struct dl_phdr_info *info, uintptr_t value) {
    uintptr_t moved = info->dlpi_addr + value;
    return (const void *)(holds(info, value) ? value : holds(info, moved) ? moved : 0);
}

static void *find_in_object(const struct dl_phdr_info *info, const char *name) {
    struct table table = {.base = info->dlpi_addr};
    const ElfW(Dyn) *dynamic = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC && holds(info, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr))
            dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB)
            table.symbols = pointer_in(info, dynamic->d_un.d_ptr);
        else if (dynamic->d_tag == DT_STRTAB)
            table.strings = pointer_in(info, dynamic->d_un.d_ptr);
        else if (dynamic->d_tag == DT_GNU_HASH)
            table.gnu_hash = pointer_in(info, dynamic->d_un.d_ptr);
        else if (dynamic->d_tag == DT_HASH)
            table.sysv_hash = pointer_in(info, dynamic->d_un.d_ptr);
        else if (dynamic->d_tag == DT_VERSYM)
            table.versions = pointer_in(info, dynamic->d_un.d_ptr);
    }
    if (!table.symbols || !table.strings)
        return NULL;
    return table.gnu_hash ? find_by_gnu_hash(&table, name) : table.sysv_hash ? find_by_sysv_hash(&table, name) : NULL;
}

struct search {
    const char *name;
    bool passed_ourselves;
    void *found;
};

static int search_object(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    struct search *search = argument;
    if (holds(info, (uintptr_t)NAMES))
        search->passed_ourselves = true;
    else if (search->passed_ourselves)
        search->found = find_in_object(info, search->name);
    return search->found != NULL;
}

extern const char __ehdr_start[], _end[]; /* by the linker, around all that is ours */

/* The loader may take us for the next after ourselves: where another library's dlsym asks for us, say. */
static bool is_own(const void *function) {
    return (uintptr_t)function >= (uintptr_t)__ehdr_start && (uintptr_t)function < (uintptr_t)_end;
}

static void *find_next(const char *name) {
#ifndef NAMEWELL_WITHOUT_DLSYM /* a test build, to prove the other way */
    void *next = dlsym ? dlsym(RTLD_NEXT, name) : NULL;
    if (next && !is_own(next))
        return next;
#endif
    if (!libc_is_whole())
        return NULL;
    struct search search = {.name = name};
    dl_iterate_phdr(search_object, &search);
    return search.found && !is_own(search.found) ? search.found : in_libc(name); /* behind us, or before: opened late */
}

/* NULL when this process has no such function. */
void *real(enum real function) {
    static void *_Atomic found[REAL_COUNT];
    void *address = atomic_load_explicit(&found[function], memory_order_acquire);
    if (!address) {
        address = find_next(NAMES[function]);
        atomic_store_explicit(&found[function], address, memory_order_release);
    }
    return address;
}

/* The libc is the object that has the resolver and what nobody else exports: not a sanitizer's runtime, which has hooks
 * of its own, nor a library that imitates glibc's names on musl. musl's EAI_NODATA came with 1.2.4, the release that
 * took the symbol open64 away. */
static bool is_libc(const struct dl_phdr_info *info) {
    return find_in_object(info, "getaddrinfo") && find_in_object(info, "getauxval");
}

static int search_libc(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    if (!is_libc(info))
        return 0;
    *(enum libc *)argument = find_in_object(info, "gnu_get_libc_version") ? LIBC_GLIBC
                             : find_in_object(info, "open64")             ? LIBC_MUSL
                                                                          : LIBC_MUSL_WITH_NO_DATA;
    return 1;
}

_Atomic int libc_found;

enum libc libc_find(void) {
    enum libc found = LIBC_UNKNOWN;
    if (!libc_is_there())
        found = LIBC_NONE;
    else
        dl_iterate_phdr(search_libc, &found);
    if (found == LIBC_UNKNOWN)
        found = gnu_get_libc_version ? LIBC_GLIBC : LIBC_MUSL;
    atomic_store_explicit(&libc_found, found, memory_order_relaxed);
    return found;
}

/* glibc 2.minor or later. */
bool glibc_since(int minor) {
    if (!on_glibc() || !gnu_get_libc_version)
        return false;
    const char *version = gnu_get_libc_version();
    if (strncmp(version, "2.", 2) != 0)
        return true;
    int own = 0;
    for (const char *digit = version + 2; *digit >= '0' && *digit <= '9' && own < 1000; digit++)
        own = own * 10 + (*digit - '0');
    return own >= minor;
}

static int search_in_libc(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    struct search *search = argument;
    if (!is_libc(info))
        return 0;
    search->found = find_in_object(info, search->name);
    return 1;
}

/* libc's own function of that name, whoever stands in front of it; NULL where there is none. */
void *in_libc(const char *name) {
    struct search search = {.name = name};
    dl_iterate_phdr(search_in_libc, &search);
    return search.found;
}

struct gap {
    bool passed_ourselves, is_filled;
};

static int search_gap(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    struct gap *gap = argument;
    if (holds(info, (uintptr_t)NAMES)) {
        gap->passed_ourselves = true;
        return 0;
    }
    if (!gap->passed_ourselves || find_in_object(info, "__sanitizer_print_stack_trace")) /* it only watches */
        return 0;
    if (find_in_object(info, "getauxval"))
        return 1;
    for (enum real function = 0; function < REAL_COUNT; function++)
        if (function != REAL_DLOPEN && find_in_object(info, NAMES[function]))
            gap->is_filled = true;
    return gap->is_filled;
}

/* Another preloaded library between ourselves and libc has answers of its own: nss_wrapper's hosts, the addresses that
 * proxychains and torsocks make up. */
bool libc_is_next(void) {
    enum { ASK, IS_NEXT, IS_NOT };
    static _Atomic int known;
    int which = atomic_load_explicit(&known, memory_order_relaxed);
    if (which == ASK) {
        struct gap gap = {false, false};
        dl_iterate_phdr(search_gap, &gap);
        which = gap.is_filled ? IS_NOT : IS_NEXT;
        atomic_store_explicit(&known, which, memory_order_relaxed);
    }
    return which == IS_NEXT;
}
