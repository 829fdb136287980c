/* The names and addresses of /etc/hosts as a set of hashes. A hit sends the call to libc, so a false hit costs a little
 * time; a missed one would be wrong, so a file with more of them than the set takes sends every call to libc. */
#include "lookup.h"
#include <arpa/inet.h>
#include <stdatomic.h>
#include <string.h>

#define SLOTS_MIN 512 /* a page */

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

/* Of an IPv6 address, or an IPv4 one mapped. */
uint64_t address_hash(const uint8_t address[16]) {
    uint64_t hash = mix(address, 16, ~SEED, SEED);
    return hash ? hash : 1;
}

void map_v4(const uint8_t v4[4], uint8_t address[16]) {
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    memcpy(address + 12, v4, 4);
}

/* Reads at least what either libc does: musl knows scopes, and addresses as inet_aton has them. */
static bool read_address(char *word, uint8_t address[16]) {
    struct in_addr v4;
    char *scope = strchr(word, '%');
    if (scope)
        *scope = '\0';
    if (inet_pton(AF_INET6, word, address) == 1)
        return true;
    if (!inet_aton(word, &v4))
        return false;
    map_v4((const uint8_t *)&v4, address);
    return true;
}

/* As many slots as the file has bytes are twice what it can name; more would spread over more of the process's memory.
 * A file that does not tell its size, or grows meanwhile, may have more entries than that: libc's, as are too many. */
void hosts_read(struct words *words, struct hosts *hosts, off_t file_bytes) {
    uint32_t slots = SLOTS_MIN;
    while (slots < HOSTS_SLOTS && slots < file_bytes)
        slots *= 2;
    atomic_store_explicit(&hosts->slots, slots, memory_order_relaxed);
    for (size_t i = 0; i < HOSTS_SLOTS; i++)
        if (atomic_load_explicit(&hosts->hashes[i], memory_order_relaxed)) /* leaves untouched pages unallocated */
            atomic_store_explicit(&hosts->hashes[i], 0, memory_order_relaxed);
    words->hash_anywhere = true;
    size_t entries = 0;
    char word[WORD_BYTES];
    while (entries < slots / 2 && next_word(words, word)) {
        uint8_t address[16];
        if (words->first && !read_address(word, address))
            continue;
        uint64_t hash = words->first ? address_hash(address) : name_hash(word);
        size_t slot = hash & (slots - 1);
        uint64_t seen;
        while ((seen = atomic_load_explicit(&hosts->hashes[slot], memory_order_relaxed)) && seen != hash)
            slot = (slot + 1) & (slots - 1);
        if (seen)
            continue;
        atomic_store_explicit(&hosts->hashes[slot], hash, memory_order_relaxed);
        entries++;
    }
    atomic_store_explicit(&hosts->overflow, entries == slots / 2, memory_order_relaxed);
}

bool hosts_has(const struct hosts *hosts, uint64_t hash) {
    if (atomic_load_explicit(&hosts->overflow, memory_order_relaxed))
        return true;
    uint32_t slots = atomic_load_explicit(&hosts->slots, memory_order_relaxed);
    uint64_t seen;
    for (size_t slot = hash & (slots - 1), probes = 0; probes < slots; slot = (slot + 1) & (slots - 1), probes++) {
        seen = atomic_load_explicit(&hosts->hashes[slot], memory_order_relaxed);
        if (!seen || seen == hash)
            return seen == hash;
    }
    return true;
}
