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

static void learn(struct destination *destination, const struct interfaces *interfaces, int *fd) {
    bool v4 = destination->family == AF_INET;
    uint8_t address[16] = {[10] = 0xff, 0xff}, source[16];
    memcpy(address + (v4 ? 12 : 0), destination->address, v4 ? 4 : 16);
    destination->scope = scope_of(address, v4);
    destination->precedence = look_up(PRECEDENCES, address);
    destination->interface_index = UINT32_MAX;
    destination->usable = source_of(destination, source, fd);
    if (!destination->usable)
        return;
    destination->scope_matches = destination->scope == scope_of(source, v4);
    destination->label_matches = look_up(LABELS, address) == look_up(LABELS, source);
    unsigned subnet_bits = 32;
    const struct interface_address *interface = interface_of(interfaces, source, v4);
    if (interface) {
        destination->deprecated = interface->deprecated;
        destination->home = interface->home;
        destination->interface_index = interface->index;
        destination->native = is_native(*fd, interface->index);
        subnet_bits = interface->prefix_bits ? interface->prefix_bits : 32;
    }
    unsigned common = common_bits(address, source, 16);
    destination->common_bits = (uint8_t)(!v4 ? common : common - 96 >= subnet_bits ? common - 96 : 0);
}

/* Negative: a goes first. Rules as numbered in RFC 3484, section 6. */
static int compare(const struct destination *a, const struct destination *b) {
    if (a->usable != b->usable)
        return b->usable - a->usable;
    if (a->scope_matches != b->scope_matches) /* 2 */
        return b->scope_matches - a->scope_matches;
    if (a->deprecated != b->deprecated)
        return a->deprecated - b->deprecated;
    if (a->home != b->home)
        return b->home - a->home;
    if (a->label_matches != b->label_matches)
        return b->label_matches - a->label_matches;
    if (a->precedence != b->precedence)
        return b->precedence - a->precedence;
    if (a->interface_index != b->interface_index && a->native != b->native) /* 7 */
        return b->native - a->native;
    if (a->scope != b->scope)
        return a->scope - b->scope;
    return a->family == b->family ? b->common_bits - a->common_bits : 0; /* 9 */
}

void order_glibc(struct destination *destinations, size_t count, const struct interfaces *interfaces) {
    if (count < 2)
        return;
    int fds[2] = {-1, -1};
    for (size_t i = 0; i < count; i++)
        learn(&destinations[i], interfaces, &fds[destinations[i].family == AF_INET6]);
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    sort_stable(destinations, count, compare);
}
