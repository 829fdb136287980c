/* A lookup in a process whose list of loaded objects begins with two that nobody has relocated:
 *   objects linked      a vDSO as gVisor's and Linux's before 3.15: linked at an address that nothing lies at
 *   objects nowhere     its segments are loaded elsewhere than its dynamic section says */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LINKED_AT 0xffffffffff700000u

static struct image {
    ElfW(Dyn) dynamic[4];
    ElfW(Sym) symbols[1];
    uint32_t hash[5]; /* one bucket, one symbol, of which the first is none */
    char strings[8];
} image = {.hash = {1, 1}};
static int seen;

int dl_iterate_phdr(int (*callback)(struct dl_phdr_info *, size_t, void *), void *argument) {
    int (*next)(int (*)(struct dl_phdr_info *, size_t, void *), void *) = dlsym(RTLD_NEXT, "dl_iterate_phdr");
    static const struct {
        size_t tag, at;
    } ENTRIES[] = {{DT_SYMTAB, offsetof(struct image, symbols)},
                   {DT_STRTAB, offsetof(struct image, strings)},
                   {DT_HASH, offsetof(struct image, hash)}};
    for (int i = 0; i < 3; i++)
        image.dynamic[i] = (ElfW(Dyn)){.d_tag = (ElfW(Sxword))ENTRIES[i].tag, .d_un.d_ptr = LINKED_AT + ENTRIES[i].at};
    extern int is_linked(void);
    uintptr_t vaddr = is_linked() ? LINKED_AT : 0;
    ElfW(Phdr) segments[] = {{.p_type = PT_LOAD, .p_vaddr = vaddr, .p_memsz = sizeof image},
                             {.p_type = PT_DYNAMIC, .p_vaddr = vaddr, .p_memsz = sizeof image.dynamic}};
    struct dl_phdr_info unrelocated = {.dlpi_addr = (uintptr_t)&image - vaddr,
                                       .dlpi_name = "",
                                       .dlpi_phdr = segments,
                                       .dlpi_phnum = sizeof segments / sizeof *segments};
    seen++;
    int result = callback(&unrelocated, sizeof unrelocated, argument);
    return result ? result : next(callback, argument);
}

static int linked = -1;
int is_linked(void) { /* asked before main: by the library's constructor */
    if (linked < 0) {
        char command[64] = "";
        FILE *file = fopen("/proc/self/cmdline", "r");
        size_t got = file ? fread(command, 1, sizeof command - 1, file) : 0;
        if (file)
            fclose(file);
        linked = got && memmem(command, got, "linked", 6) != NULL;
    }
    return linked;
}

int main(void) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int error = getaddrinfo("localhost", "80", &hints, &list);
    printf("%s, %d\n", seen ? "seen" : "unseen", error);
    return 0;
}
