/* The client's settings: DNS_CACHE_OFF=1, DNS_CACHE_DIR, DNS_CACHE_BYPASS, DNS_CACHE_CLEAR_DEEPBIND,
 * DNS_CACHE_EXPLAIN=1. As they stood when the process was started, since daemons empty their environment before their
 * first lookup (php-fpm's workers, nginx, sshd); where no constructor runs, as they stand at the first lookup or dlopen
 * with RTLD_DEEPBIND. */
#include "lookup.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
    if (!folders_find(into, directory))
        into->off = true;
}

/* Each writer has one of its own: whoever was stopped in the midst of it may go on when another has taken his claim
 * over, or is left behind in the parent of a fork. */
#define COPIES 3
static struct settings copies[COPIES];
static const struct settings *_Atomic the_settings;
_Atomic bool may_explain = true; /* until the settings are read */

/* False where all are taken, which a process comes to only by throwing its readers out with siglongjmp. */
static bool read_into_free_copy(const char *(*get)(const char *)) {
    static _Atomic uint32_t taken;
    uint32_t copy = atomic_fetch_add(&taken, 1);
    if (copy >= COPIES) {
        atomic_store(&taken, COPIES);
        return false;
    }
    const struct settings *none = NULL;
    settings_read(&copies[copy], get, getauxval(AT_SECURE) != 0);
    if (atomic_compare_exchange_strong(&the_settings, &none, &copies[copy]))
        atomic_store_explicit(&may_explain, copies[copy].explain, memory_order_relaxed);
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
    read_into_free_copy(on_glibc() ? from_loader : variable);
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
    bool is_read = atomic_load_explicit(&the_settings, memory_order_acquire) || read_into_free_copy(variable);
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

/* In the second folder, since nothing of the server's stands in the first. */
static _Atomic bool is_elsewhere;

static bool is_there(const char *path) {
    struct stat status;
    return syscall(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool holds_any(const struct folder *folder) {
    return is_there(folder->table_path) || is_there(folder->socket_path);
}

void folder_look(void) {
    const struct settings *known = settings();
    if (!known || known->folder_count < 2)
        return;
    bool is_in_second = !holds_any(&known->folders[0]) && holds_any(&known->folders[1]) && is_elsewhere_safe();
    atomic_store_explicit(&is_elsewhere, is_in_second, memory_order_relaxed);
}

const struct folder *folder(void) {
    const struct settings *known =
        atomic_load_explicit(&the_settings, memory_order_acquire); /* whoever asks has read it */
    return &known->folders[atomic_load_explicit(&is_elsewhere, memory_order_relaxed)];
}
