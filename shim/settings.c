/* The client's settings: DNS_CACHE_OFF=1, DNS_CACHE_DIR, DNS_CACHE_BYPASS, DNS_CACHE_CLEAR_DEEPBIND,
 * DNS_CACHE_EXPLAIN=1. As they stood when the process was started, since daemons empty their environment before their
 * first lookup (php-fpm's workers, nginx, sshd); where no constructor runs, as they stand at the first lookup or dlopen
 * with RTLD_DEEPBIND. */
#include "lookup.h"
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "/dns.sock"
#define TABLE_NAME "/cache.table"

_Static_assert(SOCKET_PATH_BYTES == sizeof(((struct sockaddr_un *)0)->sun_path), "sun_path");
_Static_assert(sizeof(((struct settings *)0)->table_path) == SOCKET_PATH_BYTES - sizeof SOCKET_NAME + sizeof TABLE_NAME,
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

void settings_read(struct settings *into, const char *(*get)(const char *), bool secure) {
    memset(into, 0, sizeof *into);
    const char *off = get("DNS_CACHE_OFF"), *bypass = get("DNS_CACHE_BYPASS"), *directory = get("DNS_CACHE_DIR");
    const char *explained = get("DNS_CACHE_EXPLAIN");
    bool is_socket;
    into->off_why = WHY_OFF;
    if (!secure && explained && strcmp(explained, "1") == 0)
        into->explain = descriptor_identify(STDERR_FILENO, &into->stderr_device, &into->stderr_inode, &is_socket);
    if (secure || (off && strcmp(off, "1") == 0)) {
        into->off = true;
        return;
    }
    into->off_why = WHY_BAD_SETTINGS;
    if (!libc_is_next()) {
        into->off = true;
        into->off_why = WHY_OTHER_PRELOAD;
    }
    const char *clear = get("DNS_CACHE_CLEAR_DEEPBIND");
    if (clear && (strcmp(clear, "0") == 0 || strcmp(clear, "1") == 0))
        into->clear_deepbind = clear[0] == '1' ? ALWAYS : NEVER;
    if (bypass) {
        size_t length = strlen(bypass);
        if (length >= sizeof into->bypass)
            into->off = true;
        else
            memcpy(into->bypass, bypass, length + 1);
    }
    if (directory && directory[0]) {
        place_socket(into->socket_path, sizeof into->socket_path, directory, strlen(directory));
    } else {
        memcpy(into->socket_path, own_socket(), sizeof into->socket_path);
    }
    if (!into->socket_path[0]) {
        into->off = true;
        return;
    }
    size_t length_of_directory = strlen(into->socket_path) - strlen(SOCKET_NAME);
    memcpy(into->table_path, into->socket_path, length_of_directory);
    memcpy(into->table_path + length_of_directory, TABLE_NAME, sizeof TABLE_NAME);
}

/* Each writer has a place of its own: whoever was stopped in the midst of it may go on when another has taken his claim
 * over, or is left behind in the parent of a fork. */
#define PLACES 3
static struct settings places[PLACES];
static const struct settings *_Atomic the_settings;
_Atomic bool may_explain = true; /* until the settings are read */

/* False where all are taken, which a process comes to only by throwing its readers out with siglongjmp. */
static bool read_into_free_place(const char *(*get)(const char *)) {
    static _Atomic uint32_t taken;
    uint32_t place = atomic_fetch_add(&taken, 1);
    if (place >= PLACES) {
        atomic_store(&taken, PLACES);
        return false;
    }
    const struct settings *none = NULL;
    settings_read(&places[place], get, getauxval(AT_SECURE) != 0);
    if (atomic_compare_exchange_strong(&the_settings, &none, &places[place]))
        atomic_store_explicit(&may_explain, places[place].explain, memory_order_relaxed);
    return true;
}

typedef char *variable_reader(const char *);
static variable_reader *_Atomic libcs_own;

static variable_reader *variable_find(void) {
    variable_reader *found = (variable_reader *)in_libc("getenv");
    found = found ? found : getenv;
    atomic_store_explicit(&libcs_own, found, memory_order_relaxed);
    return found;
}

/* By libc's own getenv(), as libc's resolver has it. A program may have another, which is not to be called before its
 * main(), or looks names up itself. */
const char *variable(const char *name) {
    variable_reader *found = atomic_load_explicit(&libcs_own, memory_order_relaxed);
    return (found ? found : variable_find())(name);
}

static char **given; /* by the loader */

static const char *from_loader(const char *name) {
    size_t length = strlen(name);
    for (char **entry = given; entry && *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

/* While the process has one thread. glibc's own variables may not be made yet, since we do not name it as a library
 * that we need and so may come first; but its loader gives the environment to constructors. musl's gives nothing, and
 * has made its variables before. */
void settings_begin(char **environment) {
    given = environment;
    read_into_free_place(on_glibc() ? from_loader : variable);
    given = NULL;
    variable_find(); /* for later */
}

/* False when another thread does not come to an end with it, or this one itself, which a signal has interrupted at it.
 */
OWN_FRAME static bool read_once(void) {
    static _Atomic uint64_t reader;
    for (int waited_ms = 0; claim(&reader) == CLAIM_BUSY;) {
        bool may_wait = await_claimant(&reader, &waited_ms);
        if (atomic_load_explicit(&the_settings, memory_order_acquire))
            return true;
        if (!may_wait)
            return false;
    }
    bool is_read = atomic_load_explicit(&the_settings, memory_order_acquire) || read_into_free_place(variable);
    release(&reader);
    return is_read;
}

/* NULL when they are not there yet: that call goes to libc. */
const struct settings *settings(void) {
    const struct settings *known = atomic_load_explicit(&the_settings, memory_order_acquire);
    if (known)
        return known;
    struct guard guard = guard_enter();
    bool is_read = read_once();
    guard_leave(guard);
    return is_read ? atomic_load_explicit(&the_settings, memory_order_acquire) : NULL;
}
