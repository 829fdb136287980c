/* prelinked COMMAND...: runs it with the vDSO as x86-64 Linux before 3.15 and gVisor have it: all that it says of
 * addresses is said from 0xffffffffff700000 on. The kernel's own is changed in the process, before the loader runs. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINKED_AT 0xffffffffff700000u
#define PAGES_BYTES 8192

static void check(int good, const char *what) {
    if (good)
        return;
    perror(what);
    exit(2);
}

static uint64_t vdso_of(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/auxv", pid);
    int fd = open(path, O_RDONLY);
    check(fd >= 0, path);
    uint64_t pair[2] = {AT_NULL};
    while (read(fd, pair, sizeof pair) == sizeof pair && pair[0] != AT_SYSINFO_EHDR)
        ;
    close(fd);
    check(pair[0] == AT_SYSINFO_EHDR, "no vDSO");
    return pair[1];
}

static int is_address(int64_t tag) {
    return tag == DT_HASH || tag == DT_GNU_HASH || tag == DT_STRTAB || tag == DT_SYMTAB || tag == DT_VERDEF ||
           tag == DT_VERSYM;
}

static void link_at(uint8_t *vdso) {
    Elf64_Ehdr *header = (void *)vdso;
    Elf64_Phdr *segments = (void *)(vdso + header->e_phoff);
    Elf64_Dyn *dynamic = NULL;
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_DYNAMIC)
            dynamic = (void *)(vdso + segments[i].p_vaddr);
        segments[i].p_vaddr += LINKED_AT;
        segments[i].p_paddr += LINKED_AT;
    }
    Elf64_Sym *symbols = NULL;
    uint64_t strings_at = 0;
    for (Elf64_Dyn *entry = dynamic; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            symbols = (void *)(vdso + entry->d_un.d_ptr);
        else if (entry->d_tag == DT_STRTAB)
            strings_at = entry->d_un.d_ptr;
        if (is_address(entry->d_tag))
            entry->d_un.d_ptr += LINKED_AT;
    }
    for (Elf64_Sym *symbol = symbols; (uint8_t *)symbol < vdso + strings_at; symbol++)
        if (symbol->st_shndx != SHN_UNDEF)
            symbol->st_value += LINKED_AT;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        setenv("LD_PRELOAD", getenv("PRELOAD"), 1);
        execv(argv[1], argv + 1);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    check(WIFSTOPPED(status), "it does not stop at its start");
    static uint8_t vdso[PAGES_BYTES];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int memory = open(path, O_RDWR);
    check(memory >= 0, path);
    uint64_t at = vdso_of(pid);
    ssize_t bytes = pread(memory, vdso, sizeof vdso, (off_t)at); /* less where it is one page */
    check(bytes > 0, "cannot read the vDSO");
    link_at(vdso);
    check(pwrite(memory, vdso, (size_t)bytes, (off_t)at) == bytes, "cannot change the vDSO");
    ptrace(PTRACE_DETACH, pid, 0, 0);
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("killed by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
