/* What the fuzzer publishes: names whose addresses, counts and canonical names follow from a number in the name, so
 * that whatever a look-up brings can be judged without a list. And the table that holds them, made from layout.h alone.
 */
#ifndef NAMEWELL_PUBLISHED_H
#define NAMEWELL_PUBLISHED_H

#include "lookup.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES 192
#define SETS 64
#define TABLE_BYTES (NW_HEADER_BYTES + SETS * NW_SET_BYTES)
#define A_MAX 12
#define AAAA_MAX 5
#define TTL_MS 3600000u

static const uint64_t SEED_A = 0x0123456789abcdefu, SEED_B = 0xfedcba9876543210u;
static const uint64_t CHECKSUM_A = (uint64_t)NW_CHECKSUM_SEED_A_HIGH << 32 | NW_CHECKSUM_SEED_A_LOW;
static const uint64_t CHECKSUM_B = (uint64_t)NW_CHECKSUM_SEED_B_HIGH << 32 | NW_CHECKSUM_SEED_B_LOW;

static const uint64_t MASK_STEP = (uint64_t)NW_MASK_STEP_HIGH << 32 | NW_MASK_STEP_LOW;

static void name_of(unsigned i, char *name) {
    static const char *const MIDDLES[4] = {"", ".service", ".a-middle-part.of_a.longer-name",
                                           ".one-label-that-is-as-long-as-a-label-may-be-which-is-63-bytes.x"};
    sprintf(name, "n%u%s.fuzz.example", i, MIDDLES[i % 4]);
}

static unsigned chain_count_of(unsigned i) {
    return i % 5 < 3 ? 0 : i % 5 - 2;
}

static void chain_name_of(unsigned i, unsigned step, char *name) {
    sprintf(name, "c%u.of-%u.fuzz.example", step, i);
}

static void canonical_name_of(unsigned i, char *name) {
    if (chain_count_of(i) == 0)
        name_of(i, name);
    else
        chain_name_of(i, chain_count_of(i) - 1, name);
}

/* Every seventh name does not exist, every eleventh has no address of this family. */
static unsigned count_of(unsigned i, int family) {
    if (i % 7 == 6 || (i + family) % 11 == 10)
        return 0;
    return 1 + i / 3 % (family == 0 ? A_MAX : AAAA_MAX);
}

static uint8_t outcome_of(unsigned i, int family) {
    return i % 7 == 6 ? NW_OUTCOME_NO_NAME : count_of(i, family) ? NW_OUTCOME_DATA : NW_OUTCOME_NO_DATA;
}

static void address_of(unsigned i, unsigned j, int family, uint8_t *address) {
    if (family == 0) {
        memcpy(address, (uint8_t[4]){10, (uint8_t)i, (uint8_t)(i * 7 + 1), (uint8_t)(j + 1)}, 4);
        return;
    }
    for (int at = 0; at < 16; at++)
        address[at] = (uint8_t)(at == 0 ? 0xfd : at == 15 ? j + 1 : i * (2 * at + 1));
}

static uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void put16(uint8_t *at, uint16_t value) {
    memcpy(at, &value, sizeof value);
}
static void put32(uint8_t *at, uint32_t value) {
    memcpy(at, &value, sizeof value);
}
static void put64(uint8_t *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

/* Masks what lies behind the nonce, or takes the masks away. */
static void toggle(uint8_t *slot, size_t bytes) {
    uint64_t mask, word;
    memcpy(&mask, slot + NW_RECORD_NONCE, 8);
    uint64_t step = mask ? MASK_STEP : 0;
    for (size_t at = NW_RECORD_LENGTH; at < bytes; at += 8, mask += step) {
        memcpy(&word, slot + at, 8);
        put64(slot + at, word ^ mask);
    }
}

/* False where the length that the slot claims has no checksum. */
static bool seal(uint8_t *slot) {
    uint16_t length, mask;
    memcpy(&length, slot + NW_RECORD_LENGTH, sizeof length);
    memcpy(&mask, slot + NW_RECORD_NONCE, sizeof mask);
    length ^= mask;
    if (length < NW_RECORD_HEADER_BYTES || length > NW_SLOT_BYTES || length % 16 != 8)
        return false;
    put64(slot, mix(slot + 8, length - 8u, CHECKSUM_A, CHECKSUM_B));
    return true;
}

static uint8_t *put_name(uint8_t *at, const char *name) {
    size_t length = strlen(name);
    *at = (uint8_t)length;
    memcpy(at + 1, name, length);
    return at + 1 + length;
}

static void write_record(unsigned i, int family, uint64_t nonce, uint8_t record[NW_SLOT_BYTES]) {
    char name[NW_NAME_BYTES_MAX + 1];
    unsigned count = count_of(i, family), chain = chain_count_of(i);
    size_t bytes = family == 0 ? 4 : 16;
    memset(record, 0, NW_SLOT_BYTES);
    name_of(i, name);
    uint8_t *at = put_name(record + NW_RECORD_NAMES, name);
    for (unsigned step = 0; step < chain; step++) {
        chain_name_of(i, step, name);
        at = put_name(at, name);
    }
    size_t offset = (size_t)(at - record + 3) & ~(size_t)3, end = offset + count * bytes;
    size_t length = 8 + (end - 8 + 15) / 16 * 16;
    if (length > NW_SLOT_BYTES)
        abort();
    for (unsigned j = 0; j < count; j++)
        address_of(i, j, family, record + offset + j * bytes);
    put64(record + NW_RECORD_NONCE, nonce);
    put16(record + NW_RECORD_LENGTH, (uint16_t)length);
    record[NW_RECORD_OUTCOME] = outcome_of(i, family);
    record[NW_RECORD_CHAIN_COUNT] = (uint8_t)chain;
    put64(record + NW_RECORD_EXPIRES_AT_MS, clock_ms() + TTL_MS);
    put64(record + NW_RECORD_REFRESH_AT_MS, clock_ms() + TTL_MS);
    put32(record + NW_RECORD_TTL_SECONDS, TTL_MS / 1000);
    put16(record + NW_RECORD_TYPE, TYPES[family]);
    put16(record + NW_RECORD_DATA_COUNT, (uint16_t)count);
    put16(record + NW_RECORD_DATA_OFFSET, (uint16_t)offset);
    toggle(record, length);
    seal(record);
}

static uint64_t hash_of(unsigned i, int family) {
    char name[NW_NAME_BYTES_MAX + 1];
    uint8_t key[NW_NAME_BYTES_MAX + 17] = {0};
    name_of(i, name);
    size_t bytes = ((size_t)(put_name(key, name) - key) + 15) & ~(size_t)15;
    uint64_t hash = mix(key, bytes, SEED_A ^ TYPES[family], SEED_B);
    return hash ? hash : 1;
}

static unsigned set_of(uint64_t hash) {
    return (unsigned)((hash >> 32) * SETS >> 32);
}
static uint8_t *set_at(uint8_t *table, unsigned set) {
    return table + NW_HEADER_BYTES + set * NW_SET_BYTES;
}
static uint8_t *slot_at(uint8_t *table, unsigned slot) {
    return set_at(table, slot / NW_WAYS) + NW_TAG_LINE_BYTES + slot % NW_WAYS * NW_SLOT_BYTES;
}
static uint8_t *tag_at(uint8_t *table, unsigned slot) {
    return set_at(table, slot / NW_WAYS) + slot % NW_WAYS * NW_TAG_BYTES;
}

static bool read_boot_id(uint8_t id[NW_BOOT_ID_BYTES]) {
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    int digit, digits = 0;
    memset(id, 0, NW_BOOT_ID_BYTES);
    while (file && digits < 32 && (digit = fgetc(file)) != EOF)
        if (digit != '-') {
            unsigned value = (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
            id[digits / 2] |= (uint8_t)(digits % 2 ? value : value << 4);
            digits++;
        }
    if (file)
        fclose(file);
    return digits == 32;
}

static void write_header(uint8_t *table) {
    put32(table + NW_HEADER_MAGIC, NW_TABLE_MAGIC_LOW);
    put32(table + NW_HEADER_MAGIC + 4, NW_TABLE_MAGIC_HIGH);
    put32(table + NW_HEADER_LAYOUT_VERSION, NW_LAYOUT_VERSION);
    put32(table + NW_HEADER_HEADER_BYTES, NW_HEADER_BYTES);
    put32(table + NW_HEADER_SET_BYTES, NW_SET_BYTES);
    put32(table + NW_HEADER_SLOT_BYTES, NW_SLOT_BYTES);
    put32(table + NW_HEADER_WAYS, NW_WAYS);
    put32(table + NW_HEADER_SET_COUNT, SETS);
    put64(table + NW_HEADER_SEED_A, SEED_A);
    put64(table + NW_HEADER_SEED_B, SEED_B);
    put64(table + NW_HEADER_EPOCH, 0x1122334455667788u);
    put32(table + NW_HEADER_STATE, NW_STATE_LIVE);
    put64(table + NW_HEADER_HEARTBEAT_MS, clock_ms());
}

/* Where each record lies: slots[name][family]. A name that finds its set full is moved on in the numbering by nobody:
 * it is simply not published, and slots says -1. */
static bool write_table(uint8_t *table, int slots[NAMES][2]) {
    unsigned used[SETS] = {0};
    memset(table, 0, TABLE_BYTES);
    write_header(table);
    for (unsigned i = 0; i < NAMES; i++)
        for (int family = 0; family < 2; family++) {
            uint64_t hash = hash_of(i, family);
            unsigned set = set_of(hash);
            slots[i][family] = -1;
            if (used[set] == NW_WAYS)
                continue;
            unsigned slot = set * NW_WAYS + used[set]++;
            slots[i][family] = (int)slot;
            put64(tag_at(table, slot), hash);
            write_record(i, family, hash * 2 + 1, slot_at(table, slot)); /* any, but not 0 */
        }
    return read_boot_id(table + NW_HEADER_BOOT_ID);
}

#endif
