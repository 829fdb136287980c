/* Destination order as glibc has it: RFC 3484 with RFC 6724's idea of site-local addresses, and rule 9 for v4 only
 * inside the source's own subnet. The built-in tables only: where gai.conf has its own, the call is not ours. */
#include "lookup.h"
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct policy {
    uint8_t prefix[16];
    uint8_t bits, value;
} LABELS[] = {{{[15] = 1}, 128, 0},  {{0x20, 0x02}, 16, 2}, {{0}, 96, 3},          {{[10] = 0xff, 0xff}, 96, 4},
              {{0xfe, 0xc0}, 10, 5}, {{0xfc}, 7, 6},        {{0x20, 0x01}, 32, 7}, {{0}, 0, 1}},
  PRECEDENCES[] = {
      {{[15] = 1}, 128, 50}, {{0x20, 0x02}, 16, 30}, {{0}, 96, 20}, {{[10] = 0xff, 0xff}, 96, 10}, {{0}, 0, 40}};

static uint8_t look_up(const struct policy *policy, const uint8_t address[16]) {
    while (common_bits(address, policy->prefix, 16) < policy->bits)
        policy++;
    return policy->value;
}

/* A v4 address has v4's scopes, unless it stands as a mapped one in a v6 result. */
static uint8_t scope_of(const uint8_t address[16], bool v4) {
    static const uint8_t loopback[16] = {[15] = 1};
    if (v4)
        return address[12] == 127 || (address[12] == 169 && address[13] == 254) ? 2 : 14;
    if (address[0] == 0xff)
        return address[1] & 15;
    if ((address[0] == 0xfe && (address[1] & 0xc0) == 0x80) || memcmp(address, loopback, 16) == 0)
        return 2;
    return address[0] == 0xfe && (address[1] & 0xc0) == 0xc0 ? 5 : 14;
}

static const struct interface_address *interface_of(const struct interfaces *interfaces, const uint8_t source[16],
                                                    bool v4) {
    uint8_t address[16];
    memcpy(address, source, 16);
    if (v4 && source[12] == 127)
        memcpy(address + 12, (uint8_t[]){127, 0, 0, 1}, 4);
    /* without any v6 interface glibc keeps no list */
    for (size_t i = 0; interfaces->has_v6 && i < interfaces->count; i++)
        if (memcmp(interfaces->addresses[i].address, address, 16) == 0)
            return &interfaces->addresses[i];
    return NULL;
}

/* Rule 7: not through a tunnel. */
static bool is_native(int fd, uint32_t index) {
    struct ifreq request = {.ifr_ifindex = (int)index};
    if (ioctl(fd, SIOCGIFNAME, &request) != 0 || ioctl(fd, SIOCGIFHWADDR, &request) != 0)
        return false;
    unsigned type = request.ifr_hwaddr.sa_family;
    return type != ARPHRD_TUNNEL && type != ARPHRD_TUNNEL6 && type != ARPHRD_SIT;
}

/* Rules 1 to 9 of RFC 3484, section 6, in their order, the first in the uppermost bits. glibc applies rule 7 only
 * between two interfaces, which is no exception: one interface is of one kind. */
void learn_glibc(struct destination *destination, const struct interfaces *interfaces, int *fd) {
    bool v4 = destination->family == AF_INET;
    uint8_t address[16] = {[10] = 0xff, 0xff}, source[16];
    memcpy(address + (v4 ? 12 : 0), destination->address, v4 ? 4 : 16);
    unsigned scope = scope_of(address, v4), common = 0;
    bool usable = source_of(destination, source, fd);
    bool scope_matches = false, deprecated = false, home = false, label_matches = false, native = false;
    if (usable) {
        scope_matches = scope == scope_of(source, v4);
        label_matches = look_up(LABELS, address) == look_up(LABELS, source);
        unsigned subnet_bits = 32;
        const struct interface_address *interface = interface_of(interfaces, source, v4);
        if (interface) {
            deprecated = interface->deprecated;
            home = interface->home;
            native = is_native(*fd, interface->index);
            subnet_bits = interface->prefix_bits ? interface->prefix_bits : 32;
        }
        common = common_bits(address, source, 16);
        common = !v4 ? common : common - 96 >= subnet_bits ? common - 96 : 0;
    }
    const struct {
        unsigned bits, value;
    } rules[] = {{1, usable}, {1, scope_matches}, {1, !deprecated},
                 {1, home},   {1, label_matches}, {6, look_up(PRECEDENCES, address)},
                 {1, native}, {4, 15 - scope},    {8, common}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        destination->key = destination->key << rules[i].bits | rules[i].value;
}
