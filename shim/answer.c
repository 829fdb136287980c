/* The decoder of a record, wherever it comes from. A slot may be written at this moment, so each of its words is read
 * once, into our own copy, and the copy is what is judged; beyond that nothing is trusted: no length, no offset, no
 * text. */
#include "lookup.h"
#include <stdlib.h>
#include <string.h>

#define U64(low, high) ((uint64_t)(high) << 32 | (low))
static const uint64_t FACTOR_A = U64(NW_MIX_FACTOR_A_LOW, NW_MIX_FACTOR_A_HIGH);
static const uint64_t FACTOR_B = U64(NW_MIX_FACTOR_B_LOW, NW_MIX_FACTOR_B_HIGH);
static const uint64_t CHECKSUM_SEED_A = U64(NW_CHECKSUM_SEED_A_LOW, NW_CHECKSUM_SEED_A_HIGH);
static const uint64_t CHECKSUM_SEED_B = U64(NW_CHECKSUM_SEED_B_LOW, NW_CHECKSUM_SEED_B_HIGH);
static const uint64_t MASK_STEP = U64(NW_MASK_STEP_LOW, NW_MASK_STEP_HIGH);

_Static_assert(NW_RECORD_CHECKSUM == 0 && NW_RECORD_NONCE == 8 && NW_RECORD_LENGTH == 16,
               "the checksum stands before all it covers, and the masks begin with the length");
_Static_assert(NW_RECORD_NAMES == NW_RECORD_HEADER_BYTES, "names follow the header");

#define LENGTH_MIN 56 /* of 16-byte blocks behind the checksum, the first that holds the header */
_Static_assert(LENGTH_MIN % 16 == 8 && LENGTH_MIN > NW_RECORD_HEADER_BYTES, "whole blocks");

static uint64_t read_u64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static uint32_t read_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void write_u64(uint8_t *bytes, uint64_t value) {
    memcpy(bytes, &value, sizeof value);
}

static uint16_t read_u16(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static uint64_t fold(uint64_t one, uint64_t other) {
    unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t finish(uint64_t hash, uint64_t seed_b) {
    return fold(hash ^ FACTOR_A, seed_b ^ FACTOR_B);
}

uint64_t mix(const uint8_t *bytes, size_t length, uint64_t seed_a, uint64_t seed_b) {
    uint64_t hash = seed_a;
    for (; length >= 16; bytes += 16, length -= 16)
        hash = fold(read_u64(bytes) ^ seed_b, read_u64(bytes + 8) ^ hash);
    return finish(hash, seed_b);
}

const uint8_t *chain_next(const uint8_t *name) {
    return name + 1 + name[0];
}

/* Text that goes out as a C string: no byte of it may end it early, or be anything that a host name is not. */
static bool is_host_text(const uint8_t *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') || text[i] == '-' ||
              text[i] == '_' || text[i] == '.'))
            return false;
    return length > 0 && length <= NW_NAME_BYTES_MAX;
}

static size_t data_bytes(uint16_t type) {
    return type == NW_TYPE_A ? 4 : type == NW_TYPE_AAAA ? 16 : 0;
}

/* Whether so many names, of u8 length and text, lie between the two. */
static bool are_names(const uint8_t *at, const uint8_t *end, size_t count) {
    for (; count > 0; count--) {
        if (at >= end || (size_t)(end - at) < 1u + at[0] || !is_host_text(at + 1, at[0]))
            return false;
        at = chain_next(at);
    }
    return true;
}

/* The record as it was before it was masked, where its checksum holds; its length, or 0. In a frame there is no nonce,
 * and no mask. */
static size_t unmask(const uint8_t *from, size_t available, uint8_t *record) {
    if (available < LENGTH_MIN)
        return 0;
    uint64_t nonce = map_u64(from + NW_RECORD_NONCE), step = nonce ? MASK_STEP : 0;
    uint64_t one = map_u64(from + NW_RECORD_LENGTH), mask = nonce;
    size_t length = (one ^ mask) & 0xffff;
    if (length < LENGTH_MIN || length > available || length % 16 != 8)
        return 0;
    write_u64(record + NW_RECORD_NONCE, nonce);
    write_u64(record + NW_RECORD_LENGTH, one ^ mask);
    uint64_t hash = fold(nonce ^ CHECKSUM_SEED_B, one ^ CHECKSUM_SEED_A);
    for (size_t at = NW_RECORD_LENGTH + 8; at < length; at += 16) {
        uint64_t other = map_u64(from + at + 8);
        one = map_u64(from + at);
        hash = fold(one ^ CHECKSUM_SEED_B, other ^ hash);
        write_u64(record + at, one ^ (mask += step));
        write_u64(record + at + 8, other ^ (mask += step));
    }
    return finish(hash, CHECKSUM_SEED_B) == map_u64(from + NW_RECORD_CHECKSUM) ? length : 0;
}

/* Whether the first of the names is the key's, of which no more than `room` bytes are there. */
static bool is_of(const uint8_t *names, size_t room, const uint8_t *key) {
    size_t bytes = key[0] + 1u, last = bytes - 8;
    if (bytes > room)
        return false;
    if (bytes < 8)
        return memcmp(names, key, bytes) == 0;
    for (size_t at = 0; at < last; at += 8)
        if (read_u64(names + at) != read_u64(key + at))
            return false;
    return read_u64(names + last) == read_u64(key + last);
}

/* Copies the record at `from` to `record`, which may be the same place, and reads it there. Its length, or 0 when it is
 * not a sound answer to the question with this key, a length and the name. */
size_t answer_read(const uint8_t *from, size_t available, uint8_t *record, const uint8_t *key, uint16_t type,
                   struct answer *answer) {
    size_t length = unmask(from, available, record);
    if (length == 0 || !is_of(record + NW_RECORD_NAMES, length - NW_RECORD_NAMES, key))
        return 0;
    *answer = (struct answer){.outcome = record[NW_RECORD_OUTCOME],
                              .chain_count = record[NW_RECORD_CHAIN_COUNT],
                              .type = read_u16(record + NW_RECORD_TYPE),
                              .count = read_u16(record + NW_RECORD_DATA_COUNT),
                              .nonce = read_u16(record + NW_RECORD_NONCE),
                              .flags = read_u16(record + NW_RECORD_FLAGS),
                              .ttl_seconds = read_u32(record + NW_RECORD_TTL_SECONDS),
                              .expires_ms = read_u64(record + NW_RECORD_EXPIRES_AT_MS),
                              .refresh_ms = read_u64(record + NW_RECORD_REFRESH_AT_MS)};
    if (answer->outcome == NW_OUTCOME_EMPTY || answer->outcome > NW_OUTCOME_UNFIT || answer->type != type ||
        answer->chain_count > NW_CHAIN_MAX)
        return 0;

    const uint8_t *at = answer->chain = chain_next(record + NW_RECORD_NAMES), *end = record + length;
    for (int i = 0; i < answer->chain_count; i++) {
        if (at == end || (size_t)(end - at) < 1u + at[0])
            return 0;
        if (type != NW_TYPE_PTR && !is_host_text(at + 1, at[0])) /* RFC 2317's have a slash; nobody sees them */
            return 0;
        at = chain_next(at);
    }

    size_t offset = read_u16(record + NW_RECORD_DATA_OFFSET), bytes = answer->count * data_bytes(type);
    if ((answer->outcome == NW_OUTCOME_DATA) != (answer->count > 0))
        return 0;
    if (answer->count > 0 && (offset < (size_t)(at - record) || offset > length || bytes > length - offset))
        return 0;
    answer->data = record + offset;
    if (type == NW_TYPE_PTR && !are_names(answer->data, end, answer->count))
        return 0;
    return length;
}

void reply_begin(struct reply *reply) {
    reply->large = NULL;
    for (int i = 0; i < TYPES_MAX; i++)
        reply->answers[i].outcome = NW_OUTCOME_EMPTY;
}

void reply_end(struct reply *reply) {
    free(reply->large);
}
