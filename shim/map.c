/* The map of the published table's file: made at first use, its descriptor closed at once; given up when the table says
 * that it is retired, and made anew for the one that takes its place. Looked after at most once a second. */
#include "lookup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 1000
#define MAPS_MAX 8     /* tables of different sizes that one process follows */
#define LIMIT_SHARE 16 /* of a limited address space a table may take this part */

static struct map maps[MAPS_MAX];
static struct map *_Atomic current;
static _Atomic uint64_t mapper, next_look_ms;
static _Atomic bool is_in_place; /* the current map's file was the one in the directory when last looked at */
static _Atomic bool is_stand_in; /* the current map is of the header alone, for lack of room */

static uint32_t read_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static bool is_live(const struct map *map) {
    return map && (uint32_t)map_u64(map->base + NW_HEADER_STATE) == NW_STATE_LIVE;
}

static uint64_t heartbeat(const struct map *map) {
    return map_u64(map->base + NW_HEADER_HEARTBEAT_MS);
}

/* Its times count from the same moment as ours: a heartbeat further ahead is of another clock. */
static bool has_our_clock(const struct map *map, uint64_t now) {
    return heartbeat(map) <= now + CLOCK_SLACK_MS;
}

static bool is_beating(const struct map *map, uint64_t now) {
    return heartbeat(map) + NW_HEARTBEAT_OLD_MS > now;
}

/* Times mean nothing across a boot. Where /proc is not there to say which one this is, there is no table. */
OWN_FRAME static bool is_this_boot(const uint8_t boot_id[NW_BOOT_ID_BYTES]) {
    uint8_t text[36];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    if (got != (ssize_t)sizeof text)
        return false;
    size_t digits = 0;
    for (size_t i = 0; i < sizeof text; i++) {
        if (text[i] == '-')
            continue;
        unsigned digit = text[i] <= '9' ? text[i] - (unsigned)'0' : (text[i] | 0x20) - (unsigned)'a' + 10;
        unsigned wanted = digits / 2 < NW_BOOT_ID_BYTES ? boot_id[digits / 2] : 0;
        if (digit > 15 || digit != (digits % 2 ? wanted & 15 : wanted >> 4))
            return false;
        digits++;
    }
    return digits == 2 * NW_BOOT_ID_BYTES;
}

/* A time namespace has a clock of its own, and then the table's times are of another one. Without such namespaces there
 * is no such file. */
OWN_FRAME static bool has_first_clock(void) {
    struct words words = {.fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC)};
    if (words.fd < 0)
        return errno == ENOENT;
    char word[WORD_BYTES];
    bool is_first = true, is_monotonic = false;
    while (next_word(&words, word)) {
        if (words.first)
            is_monotonic = strcmp(word, "monotonic") == 0;
        else if (is_monotonic && strcmp(word, "0") != 0)
            is_first = false;
    }
    close(words.fd);
    return is_first && !words.failed;
}

/* False for whatever is not a live table of our kind, whole. One without sets says whom the server asks, and no more.
 */
static bool read_header(int fd, uint64_t file_bytes, uint8_t header[NW_HEADER_UPSTREAMS]) {
    ssize_t got;
    do
        got = read(fd, header, NW_HEADER_UPSTREAMS);
    while (got < 0 && errno == EINTR);
    if (got != NW_HEADER_UPSTREAMS)
        return false;
    static const struct {
        uint8_t at;
        uint32_t value;
    } EXPECTED[] = {{NW_HEADER_MAGIC, NW_TABLE_MAGIC_LOW},
                    {NW_HEADER_MAGIC + 4, NW_TABLE_MAGIC_HIGH},
                    {NW_HEADER_LAYOUT_VERSION, NW_LAYOUT_VERSION},
                    {NW_HEADER_HEADER_BYTES, NW_HEADER_BYTES},
                    {NW_HEADER_SET_BYTES, NW_SET_BYTES},
                    {NW_HEADER_SLOT_BYTES, NW_SLOT_BYTES},
                    {NW_HEADER_WAYS, NW_WAYS},
                    {NW_HEADER_STATE, NW_STATE_LIVE}};
    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++)
        if (read_u32(header + EXPECTED[i].at) != EXPECTED[i].value)
            return false;
    uint32_t set_count = read_u32(header + NW_HEADER_SET_COUNT);
    return set_count <= NW_ENTRIES_MAX / NW_WAYS &&
           file_bytes >= NW_HEADER_BYTES + (uint64_t)set_count * NW_SET_BYTES &&
           is_this_boot(header + NW_HEADER_BOOT_ID) && has_first_clock();
}

/* Where the address space is limited, what we take the application cannot have. */
static bool leaves_room(size_t bytes) {
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 &&
           (limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur / LIMIT_SHARE);
}

/* A process that locks all its memory to come (mlockall) locks the map as well, out of an allowance that its own memory
 * is to come from: given back. Before anybody can look at it, or all of it would be read for the lock's sake. */
static void *map_new(int fd, size_t bytes) {
    void *base = leaves_room(bytes) ? mmap(NULL, bytes, PROT_NONE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (base == MAP_FAILED)
        return NULL;
    munlock(base, bytes);
    if (mprotect(base, bytes, PROT_READ) == 0)
        return base;
    munmap(base, bytes);
    return NULL;
}

/* A place for a table of that many sets: one that was used for another before, or a new one. */
static struct map *map_file(int fd, uint32_t set_count) {
    size_t bytes = NW_HEADER_BYTES + (size_t)set_count * NW_SET_BYTES;
    const struct map *used = atomic_load_explicit(&current, memory_order_relaxed);
    for (int i = 0; i < MAPS_MAX; i++) {
        struct map *map = &maps[i];
        if (map != used && map->base && map->bytes == bytes) {
            void *base = (void *)(uintptr_t)map->base;
            if (mmap(base, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == base) {
                munlock(base, bytes);
                return map;
            }
            map->bytes = 0; /* it may be a hole by now, and somebody else's: never used again */
            return NULL;
        }
        if (map->base || atomic_exchange(&map->taken, true))
            continue;
        void *base = map_new(fd, bytes);
        if (!base) {
            atomic_store(&map->taken, false);
            return NULL;
        }
        map->bytes = bytes;
        map->set_count = set_count;
        map->base = base;
        return map;
    }
    return NULL;
}

static void use(struct map *map) {
    struct map *old = atomic_exchange(&current, map);
    if (!old || old == map)
        return;
    void *base = (void *)(uintptr_t)old->base; /* lets the old file's memory go */
    mmap(base, old->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    munlock(base, old->bytes);
}

/* fstat() is no symbol of glibc before 2.33. */
static bool identify(int fd, const char *path, struct stat *status) {
    return syscall(SYS_newfstatat, fd, path, status, path[0] ? 0 : AT_EMPTY_PATH) == 0;
}

OWN_FRAME static void map_anew(const char *path, bool has_header) {
    struct stat status;
    uint8_t header[NW_HEADER_UPSTREAMS];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    struct map *map = NULL;
    if (identify(fd, "", &status) && S_ISREG(status.st_mode) && status.st_size > 0 &&
        read_header(fd, (uint64_t)status.st_size, header)) {
        map = map_file(fd, read_u32(header + NW_HEADER_SET_COUNT));
        if (!map && !has_header) /* no room for the table */
            map = map_file(fd, 0);
    }
    close(fd);
    if (!map)
        return;
    uint64_t seed;
    memcpy(&seed, header + NW_HEADER_SEED_A, sizeof seed);
    atomic_store_explicit(&map->seed_a, seed, memory_order_relaxed);
    memcpy(&seed, header + NW_HEADER_SEED_B, sizeof seed);
    atomic_store_explicit(&map->seed_b, seed, memory_order_relaxed);
    atomic_store_explicit(&map->device, status.st_dev, memory_order_relaxed);
    atomic_store_explicit(&map->inode, status.st_ino, memory_order_relaxed);
    atomic_store_explicit(&is_in_place, true, memory_order_relaxed);
    atomic_store_explicit(&is_stand_in, map->set_count != read_u32(header + NW_HEADER_SET_COUNT), memory_order_relaxed);
    use(map);
}

/* What lies at the path now: the file that is mapped already, another one, or none that can be seen from here (the
 * process may have changed its root). Only a table that says so itself is given up. */
OWN_FRAME static void look_at_path(void) {
    const struct map *map = atomic_load_explicit(&current, memory_order_acquire);
    folder_look();
    const char *path = folder()->table_path;
    struct stat status;
    bool is_there = identify(AT_FDCWD, path, &status);
    bool is_mapped = is_there && map && atomic_load_explicit(&map->device, memory_order_relaxed) == status.st_dev &&
                     atomic_load_explicit(&map->inode, memory_order_relaxed) == status.st_ino;
    atomic_store_explicit(&is_in_place, is_mapped, memory_order_relaxed);
    if (map && !is_live(map))
        use(NULL);
    if (is_there && (!is_mapped || atomic_load_explicit(&is_stand_in, memory_order_relaxed)))
        map_anew(path, is_mapped);
}

static const struct map *if_usable(const struct map *map, uint64_t now) {
    return is_live(map) && has_our_clock(map, now) ? map : NULL;
}

/* At most once a second, by one thread; the others go on with what there is. */
OWN_FRAME static const struct map *follow(uint64_t now) {
    uint64_t next = atomic_load_explicit(&next_look_ms, memory_order_relaxed);
    if (!is_waiting(now, next, LOOK_AGAIN_MS)) {
        struct guard guard = guard_enter();
        if (claim(&mapper) != CLAIM_BUSY) {
            if (atomic_compare_exchange_strong(&next_look_ms, &next, now + LOOK_AGAIN_MS)) {
                if (next > now) /* the clock has gone back: it may be another one, and then the table's times are not */
                    use(NULL);
                look_at_path();
            }
            release(&mapper);
        }
        guard_leave(guard);
    }
    return if_usable(atomic_load_explicit(&current, memory_order_acquire), now);
}

const struct map *map_find(uint64_t now) {
    const struct map *map = if_usable(atomic_load_explicit(&current, memory_order_acquire), now);
    return map && is_beating(map, now) ? map : follow(now);
}

/* For a lookup that has found a map without sets: there may be room for them by now. */
void map_retry(uint64_t now) {
    if (atomic_load_explicit(&is_stand_in, memory_order_relaxed))
        follow(now);
}

/* What the heartbeat says of the server. Where its file is not the one in the directory any more, it says nothing. */
enum server map_server(uint64_t *heartbeat_ms) {
    uint64_t now = tick_ms();
    const struct map *map = if_usable(atomic_load_explicit(&current, memory_order_acquire), now);
    if (!map)
        return SERVER_UNKNOWN;
    *heartbeat_ms = heartbeat(map);
    if (is_beating(map, now))
        return SERVER_ALIVE;
    return atomic_load_explicit(&is_in_place, memory_order_relaxed) ? SERVER_GONE : SERVER_UNKNOWN;
}
