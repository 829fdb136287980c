/* The decoder of a record, wherever it comes from. The bytes are our own copy, so they cannot change between the
 * checks; beyond that nothing is trusted: no length, no offset, no text. */
#include "lookup.h"
#include <string.h>

#define U64(low, high) ((uint64_t)(high) << 32 | (low))
static const uint64_t FACTOR_A = U64(NW_MIX_FACTOR_A_LOW, NW_MIX_FACTOR_A_HIGH);
static const uint64_t FACTOR_B = U64(NW_MIX_FACTOR_B_LOW, NW_MIX_FACTOR_B_HIGH);
static const uint64_t CHECKSUM_SEED_A = U64(NW_CHECKSUM_SEED_A_LOW, NW_CHECKSUM_SEED_A_HIGH);
static const uint64_t CHECKSUM_SEED_B = U64(NW_CHECKSUM_SEED_B_LOW, NW_CHECKSUM_SEED_B_HIGH);

_Static_assert(NW_RECORD_CHECKSUM == 0 && NW_RECORD_NONCE == 8, "the checksum stands before all it covers");
_Static_assert(NW_RECORD_NAMES == NW_RECORD_HEADER_BYTES, "names follow the header");

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

static uint16_t read_u16(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static uint64_t fold(uint64_t one, uint64_t other) {
    unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t mix(const uint8_t *bytes, size_t length, uint64_t seed_a, uint64_t seed_b) {
    uint64_t hash = seed_a;
    for (; length >= 16; bytes += 16, length -= 16)
        hash = fold(read_u64(bytes) ^ seed_b, read_u64(bytes + 8) ^ hash);
    return fold(hash ^ FACTOR_A, seed_b ^ FACTOR_B);
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

/* Returns the record's length, or 0 when it is not a sound answer to this question. */
size_t answer_read(const uint8_t *record, size_t available, const char *name, size_t name_length, uint16_t type,
                   struct answer *answer) {
    if (available < NW_RECORD_HEADER_BYTES)
        return 0;
    size_t length = read_u16(record + NW_RECORD_LENGTH);
    if (length < NW_RECORD_HEADER_BYTES || length > available || length % 16 != 8)
        return 0;
    if (mix(record + 8, length - 8, CHECKSUM_SEED_A, CHECKSUM_SEED_B) != read_u64(record + NW_RECORD_CHECKSUM))
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

    const uint8_t *at = record + NW_RECORD_NAMES, *end = record + length;
    for (int i = 0; i <= answer->chain_count; i++) {
        if (at == end || (size_t)(end - at) < 1u + at[0])
            return 0;
        if (i == 0
                ? at[0] != name_length || memcmp(at + 1, name, name_length) != 0
                : type != NW_TYPE_PTR && !is_host_text(at + 1, at[0])) /* RFC 2317's have a slash; nobody sees them */
            return 0;
        at = chain_next(at);
        if (i == 0)
            answer->chain = at;
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
