/* Which files a process has mapped: client.so, a libc, PHP. */
#include "doctor.h"
#include <string.h>
#include <unistd.h>

static bool ends_in(const char *text, const char *end) {
    size_t length = strlen(text), bytes = strlen(end);
    return length >= bytes && strcmp(text + length - bytes, end) == 0;
}

/* client.so, or one of dist/. */
bool is_client_name(const char *path, size_t length) {
    size_t at = length;
    while (at > 0 && path[at - 1] != '/')
        at--;
    return length - at >= 9 && strncmp(path + at, "client", 6) == 0 && strncmp(path + length - 3, ".so", 3) == 0;
}

static unsigned long read_hex(const char **at) {
    unsigned long value = 0;
    for (;; ++*at) {
        unsigned char byte = (unsigned char)**at;
        unsigned digit = byte >= '0' && byte <= '9' ? byte - 48u : byte >= 'a' && byte <= 'f' ? byte - 87u : 16u;
        if (digit > 15)
            return value;
        value = value << 4 | digit;
    }
}

/* Where glibc may not map its code, as on a noexec volume, the rest of it stays mapped all the same. */
static void see_client(struct process *process, unsigned long from, unsigned long to, const char *path, bool is_deleted,
                       bool is_code) {
    if (!process->client[0]) {
        process->is_client_deleted = is_deleted;
        process->client_from = from;
        memcpy(process->client, path, strlen(path) + 1);
    }
    if (strcmp(path, process->client) == 0) {
        process->client_to = to;
        process->has_client |= is_code;
    }
}

/* "from-to rights offset device inode      path" */
static void see_map(struct process *process, char *line) {
    static const char DELETED[] = " (deleted)";
    const char *at = line;
    unsigned long from = read_hex(&at), to = at++[0] == '-' ? read_hex(&at) : from;
    const char *rights = at + 1;
    char *path = strchr(line, '/');
    if (!path || strlen(rights) < 4)
        return;
    size_t length = strlen(path);
    bool is_deleted = ends_in(path, DELETED);
    if (is_deleted)
        path[length -= sizeof DELETED - 1] = '\0';
    const char *name = strrchr(path, '/') + 1;
    if (strncmp(name, "libc.so.", 8) == 0 || (strncmp(name, "libc-2.", 7) == 0 && ends_in(name, ".so"))) {
        process->has_libc = true;
        process->libc = LIBC_GLIBC;
    } else if (strncmp(name, "ld-musl-", 8) == 0 || strncmp(name, "libc.musl-", 10) == 0 ||
               strcmp(path, "/lib/libc.so") == 0 || ends_in(path, "-linux-musl/libc.so")) {
        process->has_libc = true;
        process->libc = LIBC_MUSL;
    } else if (strncmp(name, "libphp", 6) == 0) {
        process->has_php = true;
    } else if (is_client_name(path, length)) {
        see_client(process, from, to, path, is_deleted, rights[2] == 'x');
    }
}

bool maps_read(struct process *process) {
    static char buffer[1 << 16];
    int fd = proc_open(process->pid, "maps");
    if (fd < 0)
        return false;
    size_t held = 0, got;
    while ((got = read_whole(fd, buffer + held, sizeof buffer - 1 - held)) > 0) {
        char *line = buffer, *end;
        held += got;
        buffer[held] = '\0';
        while ((end = strchr(line, '\n'))) {
            *end = '\0';
            if (end - line < PATH_BYTES)
                see_map(process, line);
            line = end + 1;
        }
        held -= (size_t)(line - buffer);
        for (size_t i = 0; i < held; i++)
            buffer[i] = line[i];
        if (held == sizeof buffer - 1)
            break;
    }
    close(fd);
    return true;
}
