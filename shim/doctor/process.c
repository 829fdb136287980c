/* One process, as /proc tells of it. What cannot be read is left as it is at first. */
#include "doctor.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENVIRONMENT_BYTES (1u << 20) /* more of it is not looked at */

struct process target;

static char *put_text(char *at, const char *text) {
    size_t length = strlen(text);
    memcpy(at, text, length + 1);
    return at + length;
}

/* /proc/<pid>/<name> */
void proc_path(int pid, const char *name, char path[64]) {
    char digits[12], *digit = digits + sizeof digits;
    *--digit = '\0';
    unsigned left = (unsigned)pid;
    do
        *--digit = (char)('0' + left % 10);
    while (left /= 10);
    put_text(put_text(put_text(put_text(path, "/proc/"), digit), "/"), name);
}

int proc_open(int pid, const char *name) {
    char path[64];
    proc_path(pid, name, path);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool link_of(int pid, const char *name, char *into, size_t room) {
    char path[64];
    proc_path(pid, name, path);
    ssize_t length = readlink(path, into, room - 1);
    into[length > 0 ? length : 0] = '\0';
    return length > 0;
}

size_t read_whole(int fd, void *into, size_t room) {
    size_t length = 0;
    for (ssize_t got; length < room; length += (size_t)got) {
        got = read(fd, (char *)into + length, room - length);
        if (got < 0 && errno == EINTR)
            got = 0;
        else if (got <= 0)
            break;
    }
    return length;
}

bool has_proc(void) {
    int fd = proc_open(getpid(), "status");
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool read_environment(struct process *process) {
    static char buffer[ENVIRONMENT_BYTES];
    int fd = proc_open(process->pid, "environ");
    if (fd < 0)
        return false;
    process->environment = buffer;
    process->environment_bytes = read_whole(fd, buffer, sizeof buffer - 1);
    buffer[process->environment_bytes] = '\0';
    close(fd);
    return true;
}

static bool is_secure_by_vector(int pid, bool *is_known) {
    unsigned long pairs[128] = {0};
    int fd = proc_open(pid, "auxv");
    size_t bytes = fd >= 0 ? read_whole(fd, pairs, sizeof pairs) : 0;
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i + 1 < bytes / sizeof *pairs && pairs[i] != AT_NULL; i += 2)
        if (pairs[i] == AT_SECURE) {
            *is_known = true;
            return pairs[i + 1] != 0;
        }
    return false;
}

/* Of a set-uid program nobody else may read the vector: its real user and the effective one differ. */
static bool has_two_users(int pid) {
    struct words words = {.fd = proc_open(pid, "status")};
    char word[WORD_BYTES], first[WORD_BYTES] = "";
    enum { OTHER, REAL, EFFECTIVE } next = OTHER;
    bool differ = false;
    if (words.fd < 0)
        return false;
    while (next_word(&words, word)) {
        if (words.first) {
            next = strcmp(word, "Uid:") == 0 || strcmp(word, "Gid:") == 0 ? REAL : OTHER;
        } else if (next == REAL) {
            put_text(first, word);
            next = EFFECTIVE;
        } else if (next == EFFECTIVE) {
            differ |= strcmp(first, word) != 0;
            next = OTHER;
        }
    }
    close(words.fd);
    return differ;
}

static bool is_other_than_ours(int pid, const char *name) {
    static char own[PATH_BYTES], its[PATH_BYTES];
    return link_of(getpid(), name, own, sizeof own) && link_of(pid, name, its, sizeof its) && strcmp(own, its) != 0;
}

static bool is_elsewhere(int pid) {
    return is_other_than_ours(pid, "ns/mnt") || is_other_than_ours(pid, "root");
}

void process_read(int pid, struct process *process) {
    memset(process, 0, sizeof *process);
    process->pid = pid;
    int fd = proc_open(pid, "status");
    process->is_there = fd >= 0;
    if (fd < 0)
        return;
    close(fd);
    bool is_known = false;
    process->is_readable = maps_read(process) && read_environment(process);
    process->is_secure = is_secure_by_vector(pid, &is_known);
    if (!is_known)
        process->is_secure = has_two_users(pid);
    process->is_elsewhere = is_elsewhere(pid);
    link_of(pid, "exe", process->program, sizeof process->program);
}

const char *variable_of(const struct process *process, const char *name) {
    size_t length = strlen(name);
    for (size_t at = 0; at < process->environment_bytes; at += strlen(process->environment + at) + 1) {
        const char *entry = process->environment + at;
        if (strncmp(entry, name, length) == 0 && entry[length] == '=')
            return entry + length + 1;
    }
    return NULL;
}

/* Where all processes are seen, the kernel's come behind process 1. */
bool is_machine(void) {
    struct words words = {.fd = proc_open(2, "status")};
    char word[WORD_BYTES] = "";
    if (words.fd < 0)
        return false;
    bool is_kernels = next_word(&words, word) && next_word(&words, word) && strcmp(word, "kthreadd") == 0;
    close(words.fd);
    return is_kernels;
}

/* The first process besides that one that has client.so, or 0. */
int other_with_client(int pid) {
    static struct process other;
    static _Alignas(8) char entries[1 << 15];
    int found = 0, fd = open("/proc", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    for (long got; fd >= 0 && !found && (got = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0;)
        for (long at = 0; at < got && !found;) {
            const char *name = entries + at + 19; /* linux_dirent64: u64 inode, u64 offset, u16 length, u8 type */
            uint16_t length;
            memcpy(&length, entries + at + 16, sizeof length);
            at += length;
            int number = 0;
            for (; *name >= '0' && *name <= '9'; name++)
                number = number * 10 + *name - '0';
            if (*name || number == 0 || number == pid)
                continue;
            memset(&other, 0, sizeof other);
            other.pid = number;
            if (maps_read(&other) && other.has_client)
                found = number;
        }
    if (fd >= 0)
        close(fd);
    return found;
}
