/* In place of libc.c and real.c, and of the process's own loader and environment: what client.so would find there. */
#include "doctor.h"
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define BESIDE "client.so"

_Atomic int libc_found = LIBC_GLIBC;

enum libc libc_find(void) {
    return LIBC_GLIBC;
}

bool libc_is_there(void) {
    return true;
}

/* An old one reads two rare options in another way. */
bool glibc_since(int minor) {
    (void)minor;
    return on_glibc();
}

bool libc_is_next(void) {
    return true;
}

void *in_libc(const char *name) {
    (void)name;
    return NULL;
}

static const char *from_own(const char *name) {
    size_t length = strlen(name);
    for (char **entry = own_environment; *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

/* That it is off is found elsewhere; the rest is to be looked at all the same. */
char *getenv(const char *name) {
    if (strcmp(name, "DNS_CACHE_OFF") == 0)
        return NULL;
    const char *value = target.is_readable ? variable_of(&target, name) : from_own(name);
    return (char *)(uintptr_t)value;
}

/* The one that it preloads, or would. */
static const char *preloaded(void) {
    static char path[PATH_BYTES];
    const char *list = getenv("LD_PRELOAD");
    while (list && *list) {
        size_t length = strcspn(list, ": ");
        if (length < sizeof path && list[0] == '/' && is_client_name(list, length)) {
            memcpy(path, list, length);
            path[length] = '\0';
            return path;
        }
        list += length + (list[length] != '\0');
    }
    return NULL;
}

/* Where one should lie: in the directory that is named, else beside the doctor. */
static const char *expected(void) {
    static char path[2 * PATH_BYTES];
    const char *folder = getenv("DNS_CACHE_DIR"), *own = own_path(), *slash = strrchr(own, '/');
    size_t length = folder ? strlen(folder) : 0;
    if (length > 0 && length < PATH_BYTES) {
        memcpy(path, folder, length);
        path[length++] = '/';
    } else if (slash) {
        length = (size_t)(slash - own) + 1;
        memcpy(path, own, length);
    } else {
        return "/dns_cache/" BESIDE;
    }
    memcpy(path + length, BESIDE, sizeof BESIDE);
    return path;
}

const char *client_path(void) {
    const char *named = target.has_client ? target.client : preloaded();
    return named ? named : expected();
}

/* Asked by settings.c: which object are we in? The process's client.so. */
int dl_iterate_phdr(int (*each)(struct dl_phdr_info *, size_t, void *), void *argument) {
    struct dl_phdr_info info = {.dlpi_name = client_path(),
                                .dlpi_phdr = (const ElfW(Phdr) *)getauxval(AT_PHDR),
                                .dlpi_phnum = (ElfW(Half))getauxval(AT_PHNUM)};
    return each(&info, sizeof info, argument);
}

static bool is_there(const char *path) {
    struct stat status;
    return file_status(path, &status);
}

void stand_in(void) {
    bool is_musl = target.has_libc ? target.libc == LIBC_MUSL
                                   : is_there("/lib/ld-musl-x86_64.so.1") || is_there("/lib/ld-musl-aarch64.so.1");
    bool is_glibc =
        target.has_libc ? !is_musl : is_there("/lib64/ld-linux-x86-64.so.2") || is_there("/lib/ld-linux-aarch64.so.1");
    libc_found = is_musl && !is_glibc ? LIBC_MUSL : LIBC_GLIBC;
    folder_look();
}

const char *directory(void) {
    static char path[SOCKET_PATH_BYTES];
    const char *socket_path = folder()->socket_path;
    size_t length = strlen(socket_path);
    if (length == 0)
        return "";
    memcpy(path, socket_path, length + 1);
    char *end = strrchr(path, '/');
    *(end > path ? end : end + 1) = '\0';
    return path;
}

const char *in_directory(const char *name) {
    static char path[SOCKET_PATH_BYTES + 32];
    const char *folder = directory();
    size_t length = strlen(folder);
    memcpy(path, folder, length);
    path[length] = '/';
    memcpy(path + length + 1, name, strlen(name) + 1);
    return path;
}
