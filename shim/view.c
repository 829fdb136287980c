/* What the container's files say, looked at again at most once a second. Views are written whole into a static region
 * that belongs to its writer alone, and then made the present one; a region that its writer was thrown out of by a
 * siglongjmp, or that was being written in the parent at a fork, is lost for good, since nobody can know that its
 * writer will not go on. A region's sequence number, odd while it is written, lets readers pass without a lock: who
 * reads a torn view, or none, goes to libc. */
#include "lookup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* One may be the present one, one be written, and two be lost. */
#define VIEWS 4

struct known {
    bool complete;
    struct identity identities[FILE_COUNT];
    uint64_t own_names[2]; /* hashes of the host name, whole and without its domain */
    struct facts facts;    /* but for named_here and view */
    _Alignas(8) struct nameservers nameservers;
};
#define KNOWN_WORDS ((sizeof(struct known) + 7) / 8)

static struct view {
    _Atomic bool taken;
    _Atomic uint32_t sequence;
    _Atomic uint64_t known[KNOWN_WORDS];
    struct hosts hosts;
    struct domains domains;
} views[VIEWS];

static _Atomic uint64_t looker;       /* keeps two from looking at once, which would be a waste and no harm */
static _Atomic uint64_t looked_at_ms; /* 0: never */
static _Atomic uint32_t present;      /* how many there have been, and the last one's place; 0: none */

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
    bool is_told = clock_read(CLOCK_REALTIME, &now);
    identity->known = true;
    identity->settled =
        is_told && (now.tv_sec > status.st_mtim.tv_sec + SETTLED_SECONDS || now.tv_sec < status.st_mtim.tv_sec);
    identity->device = status.st_dev;
    identity->inode = status.st_ino;
    identity->size = status.st_size;
    identity->modified = status.st_mtim;
    identity->changed = status.st_ctim;
    return true;
}

static void read_words(enum file file, struct words *words, off_t bytes, struct known *known, struct view *view) {
    struct switches switches = {.plain = true};
    switch (file) {
    case HOSTS:
        hosts_read(words, &view->hosts, bytes);
        return;
    case RESOLV_CONF:
        resolvconf_default(&known->facts.resolver);
        resolvconf_read(words, &known->facts.resolver, &known->nameservers, &view->domains);
        return;
    case NSSWITCH_CONF:
        nsswitch_read(words, &switches);
        known->facts.switches.local = switches.local;
        known->facts.switches.others_last = switches.others_last;
        known->facts.switches.local_addresses = switches.local_addresses;
        break;
    case HOST_CONF:
        hostconf_read(words, &switches);
        break;
    default:
        gaiconf_read(words, &switches);
        known->facts.switches.own_order = switches.own_order;
        return;
    }
    known->facts.switches.plain &= switches.plain;
}

/* An absent file is read as if it were empty. The identity is taken from the descriptor before the reading, so that a
 * later change shows. */
OWN_FRAME static bool read_file(enum file file, struct known *known, struct view *view) {
    struct identity opened = {.known = true, .absent = true};
    struct words words = {.fd = open(PATHS[file], O_RDONLY | O_CLOEXEC)};
    words.no_file = words.fd < 0;
    if (words.no_file && errno != ENOENT && errno != ENOTDIR)
        return false;
    bool good = words.no_file || identify(NULL, words.fd, &opened);
    if (good)
        read_words(file, &words, opened.size, known, view);
    if (!words.no_file)
        close(words.fd);
    if (!good || words.failed)
        return false;
    known->identities[file] = opened;
    return true;
}

/* This machine's name, whole and without its domain. Not by uname(), for which a filter may end the process. False
 * where it cannot be told now, for lack of a descriptor or of /proc, which says nothing against the one that is known.
 */
OWN_FRAME static bool read_own_names(struct known *known) {
    struct words words = {.fd = open("/proc/sys/kernel/hostname", O_RDONLY | O_CLOEXEC)};
    words.no_file = words.fd < 0;
    char name[WORD_BYTES] = "";
    next_word(&words, name);
    if (!words.no_file)
        close(words.fd);
    known->own_names[0] = name_hash(name);
    name[strcspn(name, ".")] = '\0';
    known->own_names[1] = name_hash(name);
    return !words.no_file && !words.failed;
}

static void store(struct view *view, const struct known *known) {
    uint64_t words[KNOWN_WORDS] = {0};
    memcpy(words, known, sizeof *known);
    for (size_t i = 0; i < KNOWN_WORDS; i++)
        atomic_store_explicit(&view->known[i], words[i], memory_order_relaxed);
}

/* Copies so many bytes of what is known, from an offset that is a multiple of 8. */
static void load(const struct view *view, size_t offset, void *into, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 8) {
        uint64_t word = atomic_load_explicit(&view->known[(offset + at) / 8], memory_order_relaxed);
        memcpy((uint8_t *)into + at, &word, bytes - at < 8 ? bytes - at : 8);
    }
}
_Static_assert(offsetof(struct known, identities) % 8 == 0 && offsetof(struct known, own_names) % 8 == 0 &&
                   offsetof(struct known, facts) % 8 == 0 && offsetof(struct known, nameservers) % 8 == 0,
               "whole words are copied");

/* The present view, as of a sequence number; NULL where there is none, or it is being written over. */
static const struct view *begin(uint32_t *number, uint32_t *sequence) {
    *number = atomic_load_explicit(&present, memory_order_acquire);
    const struct view *view = &views[*number % VIEWS];
    *sequence = atomic_load_explicit(&view->sequence, memory_order_acquire);
    return *number == 0 || *sequence & 1 ? NULL : view;
}

static bool is_whole(const struct view *view, uint32_t sequence) {
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&view->sequence, memory_order_relaxed) == sequence;
}

/* Is everything as the present view has it? Names that are not given are. */
OWN_FRAME static bool is_unchanged(const uint64_t own_names[2]) {
    uint32_t number, sequence;
    const struct view *view = begin(&number, &sequence);
    if (!view)
        return false;
    uint64_t names_then[2] = {0};
    load(view, offsetof(struct known, own_names), names_then, sizeof names_then);
    bool unchanged = !own_names || names_then[0] == own_names[0];
    for (size_t file = 0; file < FILE_COUNT && unchanged; file++) {
        struct identity now, then = {.known = false};
        load(view, offsetof(struct known, identities) + file * sizeof then, &then, sizeof then);
        unchanged = identify(PATHS[file], -1, &now) && same(&then, &now);
    }
    return unchanged && is_whole(view, sequence);
}
_Static_assert(sizeof(struct identity) % 8 == 0, "whole words are copied");

static struct view *take_free(uint32_t number) {
    for (uint32_t i = 0; i < VIEWS; i++)
        if (!(number && i == number % VIEWS) && !atomic_exchange(&views[i].taken, true))
            return &views[i];
    return NULL;
}

OWN_FRAME static bool read_all(struct view *view, struct known *known) {
    bool complete = true;
    known->facts.switches.plain = true;
    for (enum file file = 0; file < FILE_COUNT; file++)
        complete &= read_file(file, known, view);
    resolvconf_finish(&known->facts.resolver, &view->domains);
    return complete;
}

/* False when it came to nothing. Whoever was stopped in here while others went on finds that they did. */
OWN_FRAME static bool look_again(void) {
    struct known known = {.complete = false};
    uint32_t number = atomic_load_explicit(&present, memory_order_acquire);
    bool is_told = read_own_names(&known);
    if (is_unchanged(is_told ? known.own_names : NULL))
        return true;
    struct view *view = take_free(number);
    if (!view)
        return false;
    uint32_t sequence = atomic_load_explicit(&view->sequence, memory_order_relaxed) | 1;
    atomic_store_explicit(&view->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    known.complete = read_all(view, &known);
    store(view, &known);
    atomic_store_explicit(&view->sequence, sequence + 1, memory_order_release);
    uint32_t own = (number / VIEWS + 1) * VIEWS + (uint32_t)(view - views);
    bool is_present = atomic_compare_exchange_strong(&present, &number, own);
    struct view *unused = is_present ? &views[number % VIEWS] : view;
    if (!is_present || number)
        atomic_store_explicit(&unused->taken, false, memory_order_release);
    return is_present;
}

/* Has nobody looked for so long? */
static bool is_due(uint64_t now, uint64_t ms) {
    return !is_waiting(now, atomic_load_explicit(&looked_at_ms, memory_order_acquire) + ms, ms);
}

static void refresh(uint64_t now) {
    uint64_t looked_at = atomic_load_explicit(&looked_at_ms, memory_order_acquire);
    if (claim(&looker) == CLAIM_BUSY)
        return;
    if (look_again())
        while (!is_waiting(now, looked_at, 0)) /* back only where the clock has gone back */
            if (atomic_compare_exchange_strong(&looked_at_ms, &looked_at, now))
                break;
    release(&looker);
}

static bool look(uint64_t hash, struct facts *facts) {
    uint32_t number, sequence;
    const struct view *view = begin(&number, &sequence);
    if (!view)
        return false;
    bool complete;
    uint64_t own_names[2] = {0};
    load(view, offsetof(struct known, complete), &complete, sizeof complete);
    load(view, offsetof(struct known, own_names), own_names, sizeof own_names);
    load(view, offsetof(struct known, facts), facts, sizeof *facts);
    facts->view = number;
    facts->named_here = hosts_has(&view->hosts, hash) || own_names[0] == hash || own_names[1] == hash;
    return is_whole(view, sequence) && complete;
}

OWN_FRAME static bool look_anew(uint64_t hash, uint64_t now, struct facts *facts) {
    struct guard guard = guard_enter();
    if (is_due(now, LOOK_AGAIN_MS) || atomic_load_explicit(&looked_at_ms, memory_order_relaxed) == 0)
        refresh(now);
    bool known = false;
    int waited_ms = 0;
    do
        known = !is_due(now, TOO_OLD_MS) && look(hash, facts);
    while (!known && await_claimant(&looker, &waited_ms));
    guard_leave(guard);
    return known || (!is_due(now, TOO_OLD_MS) && look(hash, facts)); /* the writer may have ended since */
}

/* What is true for a name or address of this hash. False: nobody knows just now. */
bool view_look(uint64_t hash, uint64_t now, struct facts *facts) {
    if (now == 0)
        return false;
    return (!is_due(now, LOOK_AGAIN_MS) && look(hash, facts)) || look_anew(hash, now, facts);
}

/* False when another view is the present one by now. */
bool view_nameserver(uint32_t number, unsigned index, uint8_t address[16]) {
    load(&views[number % VIEWS], offsetof(struct known, nameservers) + index * 16, address, 16);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&present, memory_order_relaxed) == number;
}

/* A domain of the search list as it was in that view, without a final NUL; its length, or 0 when it does not fit or
 * another view is the present one by now. */
size_t view_domain(uint32_t number, unsigned index, char *into, size_t room) {
    const struct domains *domains = &views[number % VIEWS].domains;
    uint8_t packed[WORD_BYTES];
    size_t length = 0;
    for (size_t i = 0; i <= length / 8; i++) {
        uint64_t word = atomic_load_explicit(&domains->words[index][i], memory_order_relaxed);
        memcpy(packed + 8 * i, &word, sizeof word);
        length = packed[0];
    }
    atomic_thread_fence(memory_order_acquire);
    if (length > room || atomic_load_explicit(&present, memory_order_relaxed) != number)
        return 0;
    memcpy(into, packed + 1, length);
    return length;
}
