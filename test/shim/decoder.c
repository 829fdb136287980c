/* The decoder of records by itself, to be built with the sanitizers. Each line of the input is one of
 *   mix SEED_A SEED_B BYTES           prints the hash
 *   record NAME TYPE BYTES            prints what answer_read makes of exactly these bytes
 *   hammer ROUNDS SEED NAME TYPE BYTES   damages them again and again; prints how many were accepted
 * Bytes in hexadecimal, `-` for none. */
#include "answer.c"
#include <stdio.h>
#include <stdlib.h>

static size_t unhex(const char *text, uint8_t *into) {
    size_t count = 0;
    for (; text[0] && text[1] && text[0] != '-'; text += 2, count++)
        sscanf(text, "%2hhx", &into[count]);
    return count;
}

/* Touches every byte that an answer points to, for the sanitizer to see. */
static unsigned use(const struct answer *answer) {
    unsigned sum = 0;
    const uint8_t *name = answer->chain;
    for (int i = 0; i < answer->chain_count; i++, name = chain_next(name))
        for (int at = 0; at <= name[0]; at++)
            sum += name[at];
    for (size_t i = 0; i < answer->count * data_bytes(answer->type); i++)
        sum += answer->data[i];
    name = answer->data;
    for (int i = 0; answer->type == NW_TYPE_PTR && i < answer->count; i++, name = chain_next(name)) {
        if (!is_host_text(name + 1, name[0])) /* it goes out as a C string, into a buffer for the longest */
            abort();
        for (int at = 0; at <= name[0]; at++)
            sum += name[at];
    }
    return sum;
}

/* A copy in memory of just that size: a byte read beyond it is seen. */
static size_t read_exactly(const uint8_t *bytes, size_t length, const char *name, uint16_t type, struct answer *answer,
                           unsigned *sum) {
    uint8_t *exactly = malloc(length ? length : 1), *record = malloc(length ? length : 1), key[NW_NAME_BYTES_MAX + 1];
    memcpy(exactly, bytes, length);
    key[0] = (uint8_t)strlen(name);
    memcpy(key + 1, name, key[0]);
    size_t read = answer_read(exactly, length, record, key, type, answer);
    *sum = read ? use(answer) : 0;
    free(exactly);
    free(record);
    return read;
}

static uint64_t random_state;
static uint64_t random_number(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

/* Changes some bytes, and half the time makes the checksum good again, so that the checks behind it are reached. */
static void hammer(long rounds, const uint8_t *bytes, size_t length, const char *name, uint16_t type) {
    long accepted = 0;
    uint8_t *damaged = malloc(length);
    for (long round = 0; round < rounds; round++) {
        memcpy(damaged, bytes, length);
        for (unsigned changes = 1 + random_number() % 4; changes; changes--)
            damaged[random_number() % 2 ? 8 + random_number() % 56 : random_number() % length] =
                (uint8_t)random_number();
        size_t cut = random_number() % 4 == 0 ? random_number() % (length + 1) : length;
        size_t stated = read_u16(damaged + NW_RECORD_LENGTH);
        if (random_number() % 2 && stated >= 24 && stated <= cut) {
            uint64_t sum = mix(damaged + 8, stated - 8, CHECKSUM_SEED_A, CHECKSUM_SEED_B);
            memcpy(damaged, &sum, sizeof sum);
        }
        struct answer answer;
        unsigned sum;
        accepted += read_exactly(damaged, cut, name, type, &answer, &sum) != 0;
    }
    free(damaged);
    printf("accepted %ld\n", accepted);
}

int main(void) {
    static char line[300000], name[1024], text[280000];
    static uint8_t bytes[140000];
    unsigned long long a, b;
    unsigned type;
    long rounds;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "mix %llx %llx %s", &a, &b, text) == 3) {
            printf("%016llx\n", (unsigned long long)mix(bytes, unhex(text, bytes), a, b));
        } else if (sscanf(line, "record %s %u %s", name, &type, text) == 3) {
            struct answer answer = {0};
            unsigned sum;
            size_t read = read_exactly(bytes, unhex(text, bytes), name, (uint16_t)type, &answer, &sum);
            printf("%zu outcome %u chain %u count %u sum %u\n", read, read ? answer.outcome : 0,
                   read ? answer.chain_count : 0, read ? answer.count : 0, sum);
        } else if (sscanf(line, "hammer %ld %llu %s %u %s", &rounds, &a, name, &type, text) == 5) {
            random_state = a;
            hammer(rounds, bytes, unhex(text, bytes), name, (uint16_t)type);
        }
    }
    return 0;
}
