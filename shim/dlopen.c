/* dlopen without RTLD_DEEPBIND, in PHP, whatever its program is called. Up to 8.4 it loads its extensions with that bit
 * on glibc, and then the libraries that they bring along (libcurl, libpq) bind to libc's lookups past any preload. */
#include "lookup.h"
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef RTLD_DEEPBIND /* musl has none, and ignores glibc's */
#define RTLD_DEEPBIND 8
#endif

#define PATH_BYTES 1024

static void *open_nothing(const char *file, int flags) {
    (void)file, (void)flags;
    return NULL;
}

OWN_FRAME static bool runs_php(void) {
    char path[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    if (length > 0 && (size_t)length < sizeof path) {
        path[length] = '\0';
        return is_php(path);
    }
    const char *started = (const char *)getauxval(AT_EXECFN);
    return started && is_php(started);
}

/* Decided once: threads that do so at the same time come to the same. */
static bool clears_deepbind(void) {
    static _Atomic enum { UNDECIDED, CLEARS, KEEPS } decision;
    if (atomic_load_explicit(&decision, memory_order_relaxed) == UNDECIDED) {
        const struct settings *known = settings();
        if (!known)
            return false;
        bool clears = !known->off && on_glibc() &&
                      (known->clear_deepbind == BY_PROGRAM ? runs_php() : known->clear_deepbind == ALWAYS);
        atomic_store_explicit(&decision, clears ? CLEARS : KEEPS, memory_order_relaxed);
    }
    return atomic_load_explicit(&decision, memory_order_relaxed) == CLEARS;
}

/* Where a call goes on, and with which flags. In two registers. */
struct way {
    void *(*function)(const char *, int);
    long flags;
};

__attribute__((used)) static struct way dlopen_way(const char *file, int flags) {
    (void)file;
    bool is_whole = libc_is_whole();
    struct guard guard = {0};
    if (is_whole)
        guard = guard_enter();
    struct way way = {(void *(*)(const char *, int))real(REAL_DLOPEN), flags};
    if (!way.function) /* a glibc program from before 2.34 without libdl: it had a weak reference at most */
        way.function = open_nothing;
    else if (is_whole && (flags & RTLD_DEEPBIND) && clears_deepbind())
        way.flags = flags & ~RTLD_DEEPBIND;
    if (is_whole)
        guard_leave(guard);
    return way;
}

/* A jump and not a call: libc takes its caller for the one that opens, and searches by that one's RUNPATH, in that
 * one's namespace. */
#ifdef __x86_64__
__asm__(".pushsection .text\n"
        ".p2align 4\n"
        ".globl dlopen\n"
        ".type dlopen, @function\n"
        "dlopen:\n"
        ".cfi_startproc\n"
        "    endbr64\n"
        "    push %rdi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    sub $16, %rsp\n"
        "    .cfi_adjust_cfa_offset 16\n"
        "    call dlopen_way\n"
        "    add $16, %rsp\n"
        "    .cfi_adjust_cfa_offset -16\n"
        "    pop %rdi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    mov %edx, %esi\n"
        "    jmp *%rax\n"
        ".cfi_endproc\n"
        ".size dlopen, . - dlopen\n"
        ".popsection\n");
#elif defined __aarch64__
__asm__(".pushsection .text\n"
        ".p2align 4\n"
        ".globl dlopen\n"
        ".type dlopen, @function\n"
        "dlopen:\n"
        ".cfi_startproc\n"
        "    hint #34\n" /* bti c, which assemblers for older processors do not know */
        "    stp x29, x30, [sp, #-32]!\n"
        "    .cfi_def_cfa_offset 32\n"
        "    .cfi_offset x29, -32\n"
        "    .cfi_offset x30, -24\n"
        "    mov x29, sp\n"
        "    str x0, [sp, #16]\n"
        "    bl dlopen_way\n"
        "    mov x16, x0\n" /* from this register a jump may go to a function's start, with BTI on */
        "    ldr x0, [sp, #16]\n"
        "    ldp x29, x30, [sp], #32\n"
        "    .cfi_restore x30\n"
        "    .cfi_restore x29\n"
        "    .cfi_def_cfa_offset 0\n"
        "    br x16\n"
        ".cfi_endproc\n"
        ".size dlopen, . - dlopen\n"
        ".popsection\n");
#endif
