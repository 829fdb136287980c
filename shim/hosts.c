/* The names of /etc/hosts as a set of hashes. A hit sends the call to libc, so a false hit costs a little time; a
 * missed name would be wrong, so a file with more names than the set takes sends every call to libc. */
#include "lookup.h"
#include <stdatomic.h>

#define NAMES_MAX (HOSTS_SLOTS / 2)

static const uint64_t SEED = 0x6a09e667f3bcc908u; /* the square root of 2 */

/* Of a name in lower case with its length before it and zeros to a multiple of 16 after it; never 0. */
uint64_t key_hash(const uint8_t *key) {
    uint64_t hash = mix(key, (key[0] + 1u + 15) & ~15u, SEED, ~SEED);
    return hash ? hash : 1;
}

/* Without regard to case and to a final dot. */
uint64_t name_hash(const char *name) {
    uint8_t key[KEY_BYTES] = {0};
    size_t length = 0;
    for (; name[length] && length < KEY_BYTES - 1; length++)
        key[1 + length] = (uint8_t)(name[length] >= 'A' && name[length] <= 'Z' ? name[length] | 0x20 : name[length]);
    if (length > 0 && key[length] == '.')
        key[length--] = 0;
    key[0] = (uint8_t)length;
    return key_hash(key);
}

void hosts_read(struct words *words, struct hosts *hosts) {
    for (size_t i = 0; i < HOSTS_SLOTS; i++)
        if (atomic_load_explicit(&hosts->hashes[i], memory_order_relaxed)) /* leaves untouched pages unallocated */
            atomic_store_explicit(&hosts->hashes[i], 0, memory_order_relaxed);
    words->hash_anywhere = true;
    size_t names = 0;
    char word[WORD_BYTES];
    while (names < NAMES_MAX && next_word(words, word)) {
        if (words->first)
            continue;
        uint64_t hash = name_hash(word);
        size_t slot = hash % HOSTS_SLOTS;
        uint64_t seen;
        while ((seen = atomic_load_explicit(&hosts->hashes[slot], memory_order_relaxed)) && seen != hash)
            slot = (slot + 1) % HOSTS_SLOTS;
        if (seen)
            continue;
        atomic_store_explicit(&hosts->hashes[slot], hash, memory_order_relaxed);
        names++;
    }
    atomic_store_explicit(&hosts->overflow, names == NAMES_MAX, memory_order_relaxed);
}

bool hosts_has(const struct hosts *hosts, uint64_t hash) {
    if (atomic_load_explicit(&hosts->overflow, memory_order_relaxed))
        return true;
    uint64_t seen;
    for (size_t slot = hash % HOSTS_SLOTS, probes = 0; probes < HOSTS_SLOTS;
         slot = (slot + 1) % HOSTS_SLOTS, probes++) {
        seen = atomic_load_explicit(&hosts->hashes[slot], memory_order_relaxed);
        if (!seen || seen == hash)
            return seen == hash;
    }
    return true;
}
