/* Destination order as musl has it since 1.1.20: a subset of RFC 6724 with its table built in, one number per address.
 * A list of v4 addresses alone is left as it came. */
#include "lookup.h"
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static const struct policy {
    uint8_t prefix[16];
    uint8_t bits, precedence, label;
} POLICIES[] = {
    {{[15] = 1}, 128, 50, 0},  {{[10] = 0xff, 0xff}, 96, 35, 4},
    {{0x20, 0x02}, 16, 30, 2}, {{0x20, 0x01}, 32, 5, 5},
    {{0xfc}, 7, 3, 13},        {{0}, 0, 40, 1},
};

static const struct policy *policy_of(const uint8_t address[16]) {
    const struct policy *policy = POLICIES;
    while (common_bits(address, policy->prefix, 16) < policy->bits)
        policy++;
    return policy;
}

static unsigned scope_of(const uint8_t address[16]) {
    static const uint8_t loopback[16] = {[15] = 1};
    if (address[0] == 0xff)
        return address[1] & 15;
    if ((address[0] == 0xfe && (address[1] & 0xc0) == 0x80) || memcmp(address, loopback, 16) == 0)
        return 2;
    if (address[0] == 0xfe && (address[1] & 0xc0) == 0xc0)
        return 5;
    return 14;
}

/* With a socket for each, as musl has it: one free descriptor is enough. */
void learn_musl(struct destination *destination) {
    int fd = -1;
    uint8_t address[16] = {[10] = 0xff, 0xff}, source[16];
    if (destination->family == AF_INET)
        memcpy(address + 12, destination->address, 4);
    else
        memcpy(address, destination->address, 16);
    const struct policy *policy = policy_of(address);
    unsigned scope = scope_of(address);
    uint32_t key = (uint32_t)policy->precedence << 12 | (15 - scope) << 8;
    if (source_of(destination, source, &fd)) {
        key |= 1u << 22 | common_bits(source, address, 16);
        key |= scope == scope_of(source) ? 1u << 21 : 0;
        key |= policy->label == policy_of(source)->label ? 1u << 20 : 0;
    }
    if (fd >= 0)
        close(fd);
    destination->key = key;
}
