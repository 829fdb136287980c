/* Whether this container's nameservers are among those that the cache asks, as the header of its table names them.
 * Where they are not (Podman's at the gateway's address, LXD's, a VPN's), they may know names that the cache's do not.
 */
#include "lookup.h"
#include <string.h>

/* The last judgement: the view's number, the upper bits of the table's epoch, and in the lowest whether it was yes. */
static _Atomic uint64_t judgement;

static bool is_asked(const struct map *map, const uint8_t address[16]) {
    uint32_t count = (uint32_t)(map_u64(map->base + (NW_HEADER_SERVER_COUNT & ~7)) >> NW_HEADER_SERVER_COUNT % 8 * 8);
    const uint8_t *server = map->base + NW_HEADER_SERVERS;
    for (uint32_t i = 0; i < count && i < NW_SERVERS_MAX; i++, server += NW_SERVER_BYTES) {
        uint64_t words[2] = {map_u64(server), map_u64(server + 8)};
        if (memcmp(words, address, sizeof words) == 0)
            return true;
    }
    return false;
}
_Static_assert(NW_SERVER_BYTES == 16 && NW_HEADER_SERVERS % 8 == 0, "two words each");
_Static_assert(NW_HEADER_SERVERS + NW_SERVERS_MAX * NW_SERVER_BYTES <= NW_HEADER_BYTES, "within the page");

static uint64_t key_of(const struct map *map, const struct facts *facts) {
    return (uint64_t)facts->view << 32 | (map_u64(map->base + NW_HEADER_EPOCH) >> 33 << 1);
}

OWN_FRAME static bool judge(const struct map *map, const struct facts *facts, uint64_t key) {
    uint8_t address[16];
    bool is_same = true;
    for (unsigned i = 0; i < facts->resolver.nameserver_count && is_same; i++) {
        if (!view_nameserver(facts->view, i, address))
            return false;
        is_same = is_asked(map, address);
    }
    atomic_thread_fence(memory_order_acquire); /* the page may have been taken away meanwhile, and read as zeros */
    if (key_of(map, facts) == key)
        atomic_store_explicit(&judgement, key | is_same, memory_order_relaxed);
    return is_same;
}

/* True also where the server's user says so. A loopback nameserver is never the same, whatever its address. */
bool asks_the_same(const struct map *map, const struct facts *facts) {
    if (!map || facts->resolver.has_loopback)
        return false;
    if (map_u64(map->base + NW_HEADER_FLAGS) & NW_HEADER_FLAG_DENIALS_FINAL)
        return true;
    uint64_t key = key_of(map, facts), last = atomic_load_explicit(&judgement, memory_order_relaxed);
    return (last & ~1ull) == key ? last & 1 : judge(map, facts, key);
}
_Static_assert(NW_HEADER_FLAGS % 8 == 0 && NW_HEADER_EPOCH % 8 == 0, "words");
