/* Where the server's files may be: in DNS_CACHE_DIR, or where that is not set beside our own file or in /run/namewell,
 * since a directory that can be written to in a container's start is often one from which nothing can be executed. */
#include "lookup.h"
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define ABOVE_ELSEWHERE "/run"
#define ELSEWHERE ABOVE_ELSEWHERE "/namewell"
#define UNMAPPED_ID 65534 /* root's of the machine, to a user namespace that has not mapped it */
#define TABLE_NAME "/cache.table"

_Static_assert(SOCKET_PATH_BYTES == sizeof(((struct sockaddr_un *)0)->sun_path), "sun_path");
_Static_assert(sizeof(((struct folder *)0)->table_path) == SOCKET_PATH_BYTES - sizeof SOCKET_NAME + sizeof TABLE_NAME,
               "whatever directory fits the one fits the other");

static int own_object(struct dl_phdr_info *info, size_t size, void *path) {
    (void)size;
    uintptr_t here = (uintptr_t)&own_object;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && here - info->dlpi_addr - segment->p_vaddr < segment->p_memsz) {
            *(const char **)path = info->dlpi_name;
            return 1;
        }
    }
    return 0;
}

/* Puts `directory`, made absolute, and the socket's name in `into`; leaves it empty when that does not fit. */
static void place_socket(char *into, size_t size, const char *directory, size_t length) {
    size_t at = 0;
    if (length == 0 || directory[0] != '/') {
        if (!getcwd(into, size) || into[0] != '/')
            goto too_long;
        at = strlen(into);
        if (at + 1 >= size)
            goto too_long;
        into[at++] = '/';
    }
    if (at + length + sizeof SOCKET_NAME > size)
        goto too_long;
    memcpy(into + at, directory, length);
    memcpy(into + at + length, SOCKET_NAME, sizeof SOCKET_NAME);
    return;
too_long:
    into[0] = '\0';
}

/* dns.sock beside our own file; empty if that cannot be told. Asked for first by the constructor, while the process has
 * one thread and is still where it was started. */
const char *own_socket(void) {
    static char path[SOCKET_PATH_BYTES];
    if (!path[0]) {
        const char *object = NULL;
        dl_iterate_phdr(own_object, &object);
        const char *slash = object ? strrchr(object, '/') : NULL;
        if (slash)
            place_socket(path, sizeof path, object, (size_t)(slash - object));
    }
    return path;
}

/* Beside a socket's name the table's. False where there is none. */
static bool folder_set(struct folder *folder, const char *socket_path) {
    if (!socket_path[0])
        return false;
    size_t length = strlen(socket_path) - strlen(SOCKET_NAME);
    memcpy(folder->socket_path, socket_path, length + sizeof SOCKET_NAME);
    memcpy(folder->table_path, socket_path, length);
    memcpy(folder->table_path + length, TABLE_NAME, sizeof TABLE_NAME);
    return true;
}

bool folders_find(struct settings *into, const char *directory) {
    if (directory && directory[0]) {
        char path[SOCKET_PATH_BYTES];
        place_socket(path, sizeof path, directory, strlen(directory));
        into->folder_count = folder_set(&into->folders[0], path);
        return into->folder_count > 0;
    }
    into->folder_count = folder_set(&into->folders[0], own_socket());
    folder_set(&into->folders[into->folder_count++], ELSEWHERE SOCKET_NAME);
    return true;
}

/* Nobody has named /run/namewell to us, and where others may write in /run (a container's, or that of a root that the
 * process has changed to) anybody can have made it: unless it is a mount, which only an administrator makes. */
bool is_elsewhere_safe(void) {
    struct stat above, folder;
    if (syscall(SYS_newfstatat, AT_FDCWD, ABOVE_ELSEWHERE, &above, 0) != 0)
        return false;
    bool is_roots = above.st_uid == 0 || above.st_uid == UNMAPPED_ID;
    bool is_closed = !(above.st_mode & S_IWOTH) && (!(above.st_mode & S_IWGRP) || above.st_gid == 0);
    if (is_roots && is_closed)
        return true;
    return syscall(SYS_newfstatat, AT_FDCWD, ELSEWHERE, &folder, AT_SYMLINK_NOFOLLOW) == 0 &&
           folder.st_dev != above.st_dev;
}
