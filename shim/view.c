/* What the container's files say, kept in one static region, looked at again at most once a second. A sequence number,
 * odd while somebody writes, lets readers pass without a lock: who reads a torn view, or none, goes to libc. */
#include "lookup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 1000
#define TOO_OLD_MS 10000  /* whoever should have looked again was perhaps thrown out of it by a siglongjmp */
#define SETTLED_SECONDS 2 /* a file changed so recently may change once more within the same time stamp */

enum file { HOSTS, RESOLV_CONF, NSSWITCH_CONF, HOST_CONF, GAI_CONF, FILE_COUNT };
static const char *const PATHS[FILE_COUNT] = {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf",
                                              "/etc/gai.conf"};

struct identity {
    bool known, absent, settled;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

static struct {
    _Atomic uint64_t writer;
    _Atomic uint32_t sequence;
    _Atomic bool complete;
    _Atomic uint64_t looked_at_ms; /* 0: never */
    struct identity identities[FILE_COUNT];
    struct hosts hosts;
    struct domains domains;
    struct facts facts; /* but for named_here and view; each file writes its own part */
    struct switches by_file[FILE_COUNT];
    _Atomic uint64_t own_names[2]; /* hashes of the host name, whole and without its domain */
    char own_domain[sizeof(((struct utsname *)0)->nodename)];
} view;

static bool same(const struct identity *a, const struct identity *b) {
    if (!a->known || !b->known || a->absent != b->absent)
        return false;
    return a->absent || (a->settled && a->device == b->device && a->inode == b->inode && a->size == b->size &&
                         a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
                         a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec);
}

/* stat() is no symbol of glibc before 2.33; the system call fills the same structure. */
static bool identify(const char *path, int fd, struct identity *identity) {
    struct stat status;
    memset(identity, 0, sizeof *identity);
    if (syscall(SYS_newfstatat, path ? AT_FDCWD : fd, path ? path : "", &status, path ? 0 : AT_EMPTY_PATH) != 0) {
        identity->absent = identity->known = errno == ENOENT || errno == ENOTDIR;
        return identity->known;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    identity->known = true;
    identity->settled = now.tv_sec > status.st_mtim.tv_sec + SETTLED_SECONDS || now.tv_sec < status.st_mtim.tv_sec;
    identity->device = status.st_dev;
    identity->inode = status.st_ino;
    identity->size = status.st_size;
    identity->modified = status.st_mtim;
    identity->changed = status.st_ctim;
    return true;
}

static void parse(enum file file, struct words *words) {
    switch (file) {
    case HOSTS:
        hosts_read(words, &view.hosts);
        break;
    case RESOLV_CONF:
        resolvconf_default(&view.facts.resolver);
        resolvconf_read(words, &view.facts.resolver, &view.domains);
        resolvconf_finish(&view.facts.resolver, &view.domains, view.own_domain);
        break;
    default:
        view.by_file[file] = (struct switches){.plain = true};
        if (file == NSSWITCH_CONF)
            nsswitch_read(words, &view.by_file[file]);
        else if (file == HOST_CONF)
            hostconf_read(words, &view.by_file[file]);
        else
            gaiconf_read(words, &view.by_file[file]);
    }
}

/* Reads one file again; an absent one as if it were empty. The identity is taken from the descriptor before the
 * reading, so that a later change shows. */
OWN_FRAME static bool read_again(enum file file) {
    view.identities[file].known = false;
    struct identity opened = {.known = true, .absent = true};
    struct words words = {.fd = open(PATHS[file], O_RDONLY | O_CLOEXEC)};
    words.no_file = words.fd < 0;
    if (words.no_file && errno != ENOENT && errno != ENOTDIR)
        return false;
    bool good = words.no_file || identify(NULL, words.fd, &opened);
    if (good)
        parse(file, &words);
    if (!words.no_file)
        close(words.fd);
    if (!good || words.failed)
        return false;
    view.identities[file] = opened;
    return true;
}

/* This machine's name, whole and without its domain. */
OWN_FRAME static void read_own_names(uint64_t hashes[2]) {
    struct utsname machine;
    if (uname(&machine) != 0)
        machine.nodename[0] = '\0';
    char *dot = strchr(machine.nodename, '.');
    hashes[0] = name_hash(machine.nodename);
    memcpy(view.own_domain, dot ? dot + 1 : "", dot ? strlen(dot) : 1);
    if (dot)
        *dot = '\0';
    hashes[1] = name_hash(machine.nodename);
}

static void look_again(void) {
    bool stale[FILE_COUNT], complete = true, unchanged = true;
    for (int file = 0; file < FILE_COUNT; file++) {
        struct identity present;
        stale[file] = !identify(PATHS[file], -1, &present) || !same(&view.identities[file], &present);
        unchanged &= !stale[file];
    }
    uint64_t own_names[2];
    read_own_names(own_names);
    if (own_names[0] != atomic_load_explicit(&view.own_names[0], memory_order_relaxed))
        stale[RESOLV_CONF] = true, unchanged = false; /* the search list may be its domain */
    if (unchanged)
        return;
    uint32_t sequence = atomic_load_explicit(&view.sequence, memory_order_relaxed) | 1;
    atomic_store_explicit(&view.sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (int file = 0; file < FILE_COUNT; file++)
        if (stale[file] && !read_again(file))
            complete = false;
    view.facts.switches.plain = view.by_file[NSSWITCH_CONF].plain && view.by_file[HOST_CONF].plain;
    view.facts.switches.local = view.by_file[NSSWITCH_CONF].local;
    view.facts.switches.local_addresses = view.by_file[NSSWITCH_CONF].local_addresses;
    view.facts.switches.own_order = view.by_file[GAI_CONF].own_order;
    for (int i = 0; i < 2; i++)
        atomic_store_explicit(&view.own_names[i], own_names[i], memory_order_relaxed);
    atomic_store_explicit(&view.complete, complete, memory_order_relaxed);
    atomic_store_explicit(&view.sequence, sequence + 1, memory_order_release);
}

static void refresh(uint64_t now) {
    uint64_t looked_at = atomic_load_explicit(&view.looked_at_ms, memory_order_acquire);
    if (looked_at && (int64_t)(now - looked_at) < LOOK_AGAIN_MS)
        return;
    struct guard guard = guard_enter();
    enum claim claimed = claim(&view.writer);
    if (claimed != CLAIM_BUSY) {
        if (claimed == CLAIM_INHERITED) { /* what the parent's thread left half done */
            memset(view.identities, 0, sizeof view.identities);
            atomic_store_explicit(&view.own_names[0], 0, memory_order_relaxed);
        }
        look_again();
        atomic_store_explicit(&view.looked_at_ms, now ? now : 1, memory_order_release);
        release(&view.writer);
    }
    guard_leave(guard);
}

static bool look(uint64_t now, uint64_t hash, struct facts *facts) {
    if (now > atomic_load_explicit(&view.looked_at_ms, memory_order_acquire) + TOO_OLD_MS)
        return false;
    uint32_t before = atomic_load_explicit(&view.sequence, memory_order_acquire);
    if (before == 0 || before & 1 || !atomic_load_explicit(&view.complete, memory_order_relaxed))
        return false;
    *facts = view.facts;
    facts->view = before;
    facts->named_here = hosts_has(&view.hosts, hash);
    for (int i = 0; i < 2; i++)
        if (atomic_load_explicit(&view.own_names[i], memory_order_relaxed) == hash)
            facts->named_here = true;
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&view.sequence, memory_order_relaxed) == before;
}

/* What is true for a name or address of this hash. False: nobody knows just now. */
bool view_look(uint64_t hash, uint64_t now, struct facts *facts) {
    refresh(now);
    if (look(now, hash, facts))
        return true;
    struct guard guard = guard_enter();
    int waited_ms = 0;
    while (await_claimant(&view.writer, &waited_ms) && !look(now, hash, facts))
        ;
    guard_leave(guard);
    return look(now, hash, facts); /* the writer may have ended since */
}

/* A domain of the search list as it was in that view, without a final NUL; its length, or 0 when it does not fit or the
 * view has changed. */
size_t view_domain(uint32_t sequence, unsigned index, char *into, size_t room) {
    uint8_t packed[WORD_BYTES];
    size_t length = 0;
    for (size_t i = 0; i <= length / 8; i++) {
        uint64_t word = atomic_load_explicit(&view.domains.words[index][i], memory_order_relaxed);
        memcpy(packed + 8 * i, &word, sizeof word);
        length = packed[0];
    }
    atomic_thread_fence(memory_order_acquire);
    if (length > room || atomic_load_explicit(&view.sequence, memory_order_relaxed) != sequence)
        return 0;
    memcpy(into, packed + 1, length);
    return length;
}
