/* The published table (assembly/layout.ts draws it): mapped read-only at first use, its descriptor closed at once. A
 * look probes one set, copies the slot out and believes nothing but the copy: no lock, no waiting, no system call.
 * Whatever does not hold is a miss. */
#include "lookup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 1000
#define CLOCK_SLACK_MS 1000 /* a heartbeat further ahead is of another clock than ours: a time namespace's */
#define MAPS_MAX 8          /* tables of different sizes that one process follows */
#define TRIES 2

_Static_assert(NW_TAG_LINE_BYTES == NW_WAYS * NW_TAG_BYTES && NW_SLOT_BYTES % 8 == 0, "words of 64 bits, aligned");
_Static_assert(NW_TAG_LINE_BYTES + NW_WAYS * NW_SLOT_BYTES == NW_SET_BYTES, "a set is full");
_Static_assert(SMALL_REPLY_BYTES >= 2 * NW_SLOT_BYTES, "room for the copies of two slots");

/* A place in our address space is never given back, since another thread may be reading there: a table that is no more
 * used is covered by empty pages, or by the next table of the same size. So base, bytes and set count of a map that was
 * once in use never change, and no look can leave them. */
struct map {
    _Atomic bool taken;
    const uint8_t *base;
    size_t bytes;
    uint32_t set_count;
    _Atomic uint64_t seed_a, seed_b;
    _Atomic uint64_t device, inode;
};
static struct map maps[MAPS_MAX];
static struct map *_Atomic current;
static _Atomic uint64_t mapper, next_look_ms;
static _Atomic bool is_in_place; /* the current map's file was the one in the directory when last looked at */

static uint64_t load_u64(const uint8_t *at) {
    return atomic_load_explicit((const _Atomic uint64_t *)(const void *)at, memory_order_relaxed);
}

static uint32_t read_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static bool is_live(const struct map *map) {
    return map && (uint32_t)load_u64(map->base + NW_HEADER_STATE) == NW_STATE_LIVE;
}

static uint64_t heartbeat(const struct map *map) {
    return load_u64(map->base + NW_HEADER_HEARTBEAT_MS);
}

/* Its times count from the same moment as ours. */
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

/* The number of sets; 0 for whatever is not a live table of our kind, whole. */
static uint32_t read_header(int fd, uint64_t file_bytes, uint8_t header[NW_HEADER_UPSTREAMS]) {
    ssize_t got;
    do
        got = read(fd, header, NW_HEADER_UPSTREAMS);
    while (got < 0 && errno == EINTR);
    if (got != NW_HEADER_UPSTREAMS)
        return 0;
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
            return 0;
    uint32_t set_count = read_u32(header + NW_HEADER_SET_COUNT);
    if (set_count == 0 || set_count > NW_ENTRIES_MAX / NW_WAYS ||
        file_bytes < NW_HEADER_BYTES + (uint64_t)set_count * NW_SET_BYTES)
        return 0;
    return is_this_boot(header + NW_HEADER_BOOT_ID) ? set_count : 0;
}

/* A place for a table of that many sets: one that was used for another before, or a new one. */
static struct map *map_file(int fd, uint32_t set_count) {
    size_t bytes = NW_HEADER_BYTES + (size_t)set_count * NW_SET_BYTES;
    const struct map *used = atomic_load_explicit(&current, memory_order_relaxed);
    for (int i = 0; i < MAPS_MAX; i++) {
        struct map *map = &maps[i];
        if (map != used && map->base && map->bytes == bytes)
            return mmap((void *)(uintptr_t)map->base, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED
                       ? NULL
                       : map;
        if (map->base || atomic_exchange(&map->taken, true))
            continue;
        void *base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED) {
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
    if (old && old != map) /* lets the old file's memory go */
        mmap((void *)(uintptr_t)old->base, old->bytes, PROT_READ,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

/* fstat() is no symbol of glibc before 2.33. */
static bool identify(int fd, const char *path, struct stat *status) {
    return syscall(SYS_newfstatat, fd, path, status, path[0] ? 0 : AT_EMPTY_PATH) == 0;
}

OWN_FRAME static void map_anew(const char *path) {
    struct stat status;
    uint8_t header[NW_HEADER_UPSTREAMS];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    uint32_t set_count = identify(fd, "", &status) && S_ISREG(status.st_mode) && status.st_size > 0
                             ? read_header(fd, (uint64_t)status.st_size, header)
                             : 0;
    struct map *map = set_count ? map_file(fd, set_count) : NULL;
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
    use(map);
}

/* What lies at the path now: the file that is mapped already, another one, or none that can be seen from here (the
 * process may have changed its root). Only a table that says so itself is given up. */
OWN_FRAME static void look_at_path(void) {
    const struct map *map = atomic_load_explicit(&current, memory_order_acquire);
    const char *path = settings()->table_path;
    struct stat status;
    bool is_there = identify(AT_FDCWD, path, &status);
    bool is_mapped = is_there && map && atomic_load_explicit(&map->device, memory_order_relaxed) == status.st_dev &&
                     atomic_load_explicit(&map->inode, memory_order_relaxed) == status.st_ino;
    atomic_store_explicit(&is_in_place, is_mapped, memory_order_relaxed);
    if (map && !is_live(map))
        use(NULL);
    if (is_there && !is_mapped)
        map_anew(path);
}

static const struct map *if_usable(const struct map *map, uint64_t now) {
    return is_live(map) && has_our_clock(map, now) ? map : NULL;
}

/* At most once a second, by one thread; the others go on with what there is. */
OWN_FRAME static const struct map *follow(uint64_t now) {
    uint64_t next = atomic_load_explicit(&next_look_ms, memory_order_relaxed);
    if (now >= next && atomic_compare_exchange_strong(&next_look_ms, &next, now + LOOK_AGAIN_MS)) {
        struct guard guard = guard_enter();
        if (claim(&mapper) != CLAIM_BUSY) {
            look_at_path();
            release(&mapper);
        }
        guard_leave(guard);
    }
    return if_usable(atomic_load_explicit(&current, memory_order_acquire), now);
}

static const struct map *find_map(uint64_t now) {
    const struct map *map = if_usable(atomic_load_explicit(&current, memory_order_acquire), now);
    return map && is_beating(map, now) ? map : follow(now);
}

/* Only what a slot says it holds. It may be written at this moment, so the copy is what is judged; the fence keeps the
 * compiler from reading the slot again behind our back. */
static size_t copy_slot(const uint8_t *slot, uint8_t *copy) {
    size_t length = load_u64(slot + (NW_RECORD_LENGTH & ~7)) >> NW_RECORD_LENGTH % 8 * 8 & 0xffff;
    if (length < NW_RECORD_HEADER_BYTES || length > NW_SLOT_BYTES || length % 8)
        return 0;
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = load_u64(slot + i);
        memcpy(copy + i, &word, sizeof word);
    }
    atomic_signal_fence(memory_order_seq_cst);
    return length;
}

static bool is_published(const struct answer *answer) {
    return answer->outcome == NW_OUTCOME_DATA || answer->outcome == NW_OUTCOME_NO_DATA ||
           answer->outcome == NW_OUTCOME_NO_NAME;
}

#define NO_SLOT UINT32_MAX

/* The number of the slot with a fresh answer, or NO_SLOT. */
static uint32_t look(const struct map *map, const struct question *question, uint16_t type, uint8_t *copy,
                     struct answer *answer) {
    size_t key_bytes = (question->length + 1u + 15) & ~15u;
    uint64_t hash = mix(&question->length, key_bytes, atomic_load_explicit(&map->seed_a, memory_order_relaxed) ^ type,
                        atomic_load_explicit(&map->seed_b, memory_order_relaxed));
    if (hash == 0)
        hash = 1;
    uint32_t index = (uint32_t)((hash >> 32) * map->set_count >> 32);
    const uint8_t *set = map->base + NW_HEADER_BYTES + (size_t)index * NW_SET_BYTES;
    for (uint32_t way = 0; way < NW_WAYS; way++) {
        if (load_u64(set + way * NW_TAG_BYTES) != hash)
            continue;
        const uint8_t *slot = set + NW_TAG_LINE_BYTES + way * NW_SLOT_BYTES;
        for (int tries = 0; tries < TRIES; tries++) {
            size_t length = copy_slot(slot, copy);
            if (length && answer_read(copy, length, question->name, question->length, type, answer) == length)
                return is_published(answer) && answer->expires_ms > question->now ? index * NW_WAYS + way : NO_SLOT;
        }
    }
    return NO_SLOT;
}

static void note(const struct map *map, const struct question *question, uint32_t slot, const struct answer *answer) {
    usage_note(map->base + NW_HEADER_EPOCH, slot, answer->generation, answer->refresh_ms <= question->now,
               question->now);
}

/* True: the reply holds a fresh answer for each family. */
bool table_find(const struct question *question, uint8_t families, struct reply *reply) {
    reply->large = NULL;
    reply->a.outcome = reply->aaaa.outcome = NW_OUTCOME_EMPTY;
    const struct map *map = find_map(question->now);
    if (!map)
        return false;
    uint32_t a = NO_SLOT, aaaa = NO_SLOT;
    if (families & NW_FAMILY_A && (a = look(map, question, NW_TYPE_A, reply->small, &reply->a)) == NO_SLOT)
        return false;
    if (families & NW_FAMILY_AAAA &&
        (aaaa = look(map, question, NW_TYPE_AAAA, reply->small + NW_SLOT_BYTES, &reply->aaaa)) == NO_SLOT)
        return false;
    if (a != NO_SLOT)
        note(map, question, a, &reply->a);
    if (aaaa != NO_SLOT)
        note(map, question, aaaa, &reply->aaaa);
    return true;
}

/* What the heartbeat says of the server. Where its file is not the one in the directory any more, it says nothing. */
enum server table_server(uint64_t *heartbeat_ms) {
    uint64_t now = tick_ms();
    const struct map *map = if_usable(atomic_load_explicit(&current, memory_order_acquire), now);
    if (!map)
        return SERVER_UNKNOWN;
    *heartbeat_ms = heartbeat(map);
    if (is_beating(map, now))
        return SERVER_ALIVE;
    return atomic_load_explicit(&is_in_place, memory_order_relaxed) ? SERVER_GONE : SERVER_UNKNOWN;
}
