/* A look into the published table (assembly/layout.ts draws it): one set is probed, the slot copied out (answer.c), and
 * nothing but the copy believed. No lock, no waiting, no system call; whatever does not hold is a miss. */
#include "lookup.h"
#include <stdatomic.h>

#define TRIES 2

_Static_assert(NW_TAG_LINE_BYTES == NW_WAYS * NW_TAG_BYTES && NW_SLOT_BYTES % 8 == 0, "words of 64 bits, aligned");
_Static_assert(NW_TAG_LINE_BYTES + NW_WAYS * NW_SLOT_BYTES == NW_SET_BYTES, "a set is full");
_Static_assert(SMALL_REPLY_BYTES >= 2 * NW_SLOT_BYTES, "room for the copies of two slots");

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
    for (uint32_t way = 0; way < NW_WAYS; way++) /* all at once, for the tags themselves may have to come from memory */
        __builtin_prefetch(set + NW_TAG_LINE_BYTES + way * NW_SLOT_BYTES + NW_RECORD_NAMES);
    for (uint32_t way = 0; way < NW_WAYS; way++) {
        if (map_u64(set + way * NW_TAG_BYTES) != hash)
            continue;
        const uint8_t *slot = set + NW_TAG_LINE_BYTES + way * NW_SLOT_BYTES;
        for (int tries = 0; tries < TRIES; tries++)
            if (answer_read(slot, NW_SLOT_BYTES, copy, &question->length, type, answer))
                return is_published(answer) && answer->expires_ms > question->now ? index * NW_WAYS + way : NO_SLOT;
    }
    return NO_SLOT;
}

static void note(const struct map *map, const struct question *question, uint32_t slot, const struct answer *answer) {
    usage_note(map->base + NW_HEADER_EPOCH, slot, answer->nonce, answer->refresh_ms <= question->now, question->now);
}

/* Whoever may know more than the server's upstreams is asked by libc, and then the table has not been of use. */
static bool is_of_no_use(const struct question *question, uint8_t families, const struct reply *reply) {
    for (unsigned left = families; left; left &= left - 1)
        if (reply->answers[__builtin_ctz(left)].outcome == NW_OUTCOME_DATA)
            return false;
    return !question->negative_is_final;
}

/* True: the reply holds a fresh answer for each family, of which there are two at most. */
bool table_find(const struct question *question, uint8_t families, struct reply *reply) {
    reply_begin(reply);
    const struct map *map = question->map;
    if (map && map->set_count == 0)
        map_retry(question->now);
    if (!map || map->set_count == 0)
        return false;
    uint32_t slots[TYPES_MAX];
    uint8_t *copy = reply->small;
    for (unsigned left = families; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        if ((slots[i] = look(map, question, TYPES[i], copy, &reply->answers[i])) == NO_SLOT)
            return false;
        copy += NW_SLOT_BYTES;
    }
    if (is_of_no_use(question, families, reply))
        return true;
    for (unsigned left = families; left; left &= left - 1)
        note(map, question, slots[__builtin_ctz(left)], &reply->answers[__builtin_ctz(left)]);
    return true;
}
