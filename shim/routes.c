/* What was learned of this machine's routes, kept for a second: the key of each destination, which depends on the port
 * too where somebody routes by it, and the families that AI_ADDRCONFIG asks for.
 *
 * Nobody waits or locks: a thread, a signal handler or a child forked in the midst of a writer reads whatever is there.
 * The checksum covers all words and, unwritten, the family and the port; what does not match it is not known. */
#include "lookup.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define KEPT_MS 1000
#define SETS 256
#define WAYS 4

struct route {
    _Atomic uint64_t address[2];
    _Atomic uint64_t learned; /* when, above KEY_BITS of key: the time comes round after 34 years */
    _Atomic uint64_t checksum;
};
_Static_assert(sizeof(struct route) * WAYS == 128, "a set is two cache lines");

static _Alignas(128) struct route routes[SETS][WAYS];
static _Atomic uint64_t families; /* when, above three bits: known, v4, v6 */

static uint64_t load(_Atomic uint64_t *word) {
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value) {
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Of a word with its time above so many bits; immense for a time that is still to come. */
static uint64_t age_ms(uint64_t word, unsigned bits, uint64_t now_ms) {
    return (now_ms - (word >> bits)) << bits >> bits;
}

/* As is_waiting() has it, for a time that comes round. */
static bool is_fresh(uint64_t word, unsigned bits, uint64_t now_ms) {
    return age_ms(word, bits, now_ms + CLOCK_SLACK_MS) < KEPT_MS + CLOCK_SLACK_MS;
}

static uint64_t checksum_of(const struct destination *destination, const uint64_t address[2], uint64_t learned) {
    const uint64_t words[4] = {address[0], address[1], learned,
                               (uint64_t)destination->family << 16 | destination->port};
    return mix((const uint8_t *)words, sizeof words, 0x526f757465732061, 0x6b65707420666f72);
}

static struct route *set_of(const uint64_t address[2]) {
    uint64_t hash = (address[0] ^ (address[1] << 29 | address[1] >> 35)) * 0x9e3779b97f4a7c15;
    return routes[hash >> 56];
}
_Static_assert(SETS == 1 << 8, "the hash's upper 8 bits");

/* Fills the key in, or leaves it 0. */
void route_find(struct destination *destination, uint64_t now_ms) {
    uint64_t address[2];
    memcpy(address, destination->address, sizeof address);
    struct route *set = set_of(address);
    for (int way = 0; way < WAYS; way++) {
        if (load(&set[way].address[0]) != address[0] || load(&set[way].address[1]) != address[1])
            continue;
        uint64_t learned = load(&set[way].learned);
        if (!is_fresh(learned, KEY_BITS, now_ms) ||
            load(&set[way].checksum) != checksum_of(destination, address, learned))
            continue;
        destination->key = learned & ((1u << KEY_BITS) - 1);
        return;
    }
}

void route_keep(const struct destination *destination, uint64_t now_ms) {
    if (now_ms == 0)
        return;
    uint64_t address[2], learned = now_ms << KEY_BITS | destination->key;
    memcpy(address, destination->address, sizeof address);
    struct route *set = set_of(address), *oldest = set;
    for (struct route *route = set; route < set + WAYS; route++)
        if (age_ms(load(&route->learned), KEY_BITS, now_ms) > age_ms(load(&oldest->learned), KEY_BITS, now_ms))
            oldest = route;
    store(&oldest->address[0], address[0]);
    store(&oldest->address[1], address[1]);
    store(&oldest->learned, learned);
    store(&oldest->checksum, checksum_of(destination, address, learned));
}

bool families_find(bool *v4, bool *v6, uint64_t now_ms) {
    uint64_t word = load(&families);
    *v4 = word & 2, *v6 = word & 1;
    return word & 4 && is_fresh(word, 3, now_ms);
}

void families_keep(bool v4, bool v6, uint64_t now_ms) {
    if (now_ms != 0)
        store(&families, now_ms << 3 | 4 | (unsigned)v4 << 1 | v6);
}

/* Does this failure tell of the machine, as "no route" does? A lack of descriptors or memory tells of a moment, and
 * whatever else there is may. */
bool is_lasting(int error) {
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL: /* a link-local address, which names no link here; a route to a black hole */
    case EACCES:
    case EPERM:
        return true;
    default:
        return false;
    }
}
