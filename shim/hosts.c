/* The names of /etc/hosts as a set of hashes. A hit sends the call to libc, so a false hit costs a little time; a
 * missed name would be wrong, so a file with more names than the set takes sends every call to libc. */
#include "lookup.h"
#include <stdatomic.h>

#define NAMES_MAX (HOSTS_SLOTS / 2)

/* FNV-1a, without regard to case and to a final dot; never 0. */
uint64_t name_hash(const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name && !(name[0] == '.' && name[1] == '\0'); name++) {
        unsigned char byte = (unsigned char)*name;
        hash = (hash ^ (byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte)) * 0x100000001b3u;
    }
    hash ^= hash >> 32;
    return hash ? hash : 1;
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
