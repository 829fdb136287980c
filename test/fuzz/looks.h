/* Look-ups through the functions that client.so stands in front of, and the judgement of what they bring. */
#ifndef NAMEWELL_LOOKS_H
#define NAMEWELL_LOOKS_H

#include "published.h"
#include <netinet/in.h>

enum look { LOOK_MISS, LOOK_HIT, LOOK_WRONG };
enum way { BY_HOSTENT, BY_HOSTENT6, BY_LIST, BY_LIST4, BY_LIST6, WAYS_TO_LOOK };

static const char *complaint; /* what was wrong with the last one */

static enum look wrong(const char *what) {
    complaint = what;
    return LOOK_WRONG;
}

/* Marks the published address that it is; false where it is none of this name's. */
static bool mark(unsigned i, int family, const uint8_t *address, uint32_t *seen) {
    uint8_t expected[16];
    for (unsigned j = 0; j < count_of(i, family); j++) {
        address_of(i, j, family, expected);
        if (memcmp(address, expected, family == 0 ? 4 : 16) != 0)
            continue;
        bool is_new = !(*seen >> j & 1);
        *seen |= 1u << j;
        return is_new;
    }
    return false;
}

static bool is_text(const char *text) {
    size_t length = strnlen(text, NW_NAME_BYTES_MAX + 1);
    return length > 0 && length <= NW_NAME_BYTES_MAX;
}

static bool is_within(const void *at, size_t bytes, const char *buffer, size_t size) {
    const char *place = at;
    return place >= buffer && place <= buffer + size && bytes <= (size_t)(buffer + size - place);
}

/* `strict`: what is in the table was published so; else any bytes with a right checksum. */
static enum look judge_hostent(unsigned i, int family, const struct hostent *host, const char *buffer, size_t size,
                               bool strict) {
    int bytes = family == 0 ? 4 : 16, addresses = 0, aliases = 0;
    uint32_t seen = 0;
    char canonical[NW_NAME_BYTES_MAX + 1];
    if (host->h_length != bytes || host->h_addrtype != (family == 0 ? AF_INET : AF_INET6))
        return wrong("a family or length that was not asked for");
    if (!is_within(host->h_name, 1, buffer, size) || !is_text(host->h_name))
        return wrong("no name");
    for (; host->h_aliases[aliases]; aliases++)
        if (aliases > NW_CHAIN_MAX + 2 || !is_within(host->h_aliases[aliases], 1, buffer, size) ||
            !is_text(host->h_aliases[aliases]))
            return wrong("an alias that is none");
    for (; host->h_addr_list[addresses]; addresses++) {
        if (!is_within(host->h_addr_list[addresses], (size_t)bytes, buffer, size) || addresses > NW_SLOT_BYTES / 4)
            return wrong("an address that lies elsewhere");
        if (strict && !mark(i, family, (const uint8_t *)host->h_addr_list[addresses], &seen))
            return wrong("an address that was never published for this name");
    }
    if (addresses == 0)
        return wrong("success without an address");
    canonical_name_of(i, canonical);
    if (strict && strcmp(host->h_name, canonical) != 0)
        return wrong("a canonical name that was never published");
    if (strict && (unsigned)addresses != count_of(i, family))
        return wrong("fewer addresses than were published");
    return LOOK_HIT;
}

static enum look look_by_hostent(unsigned i, int family, bool strict) {
    char buffer[8192], name[NW_NAME_BYTES_MAX + 1];
    struct hostent host, *found;
    int h_error;
    name_of(i, name);
    int error =
        gethostbyname2_r(name, family == 0 ? AF_INET : AF_INET6, &host, buffer, sizeof buffer, &found, &h_error);
    if (error != 0 || !found)
        return LOOK_MISS;
    return judge_hostent(i, family, found, buffer, sizeof buffer, strict);
}

static enum look judge_list(unsigned i, int family, const struct addrinfo *list, bool strict) {
    uint32_t seen[2] = {0, 0};
    unsigned counts[2] = {0, 0};
    char canonical[NW_NAME_BYTES_MAX + 1];
    if (!list->ai_canonname || !is_text(list->ai_canonname))
        return wrong("no canonical name");
    canonical_name_of(i, canonical);
    if (strict && strcmp(list->ai_canonname, canonical) != 0)
        return wrong("a canonical name that was never published");
    for (; list; list = list->ai_next) {
        int is_v6 = list->ai_family == AF_INET6;
        if ((!is_v6 && list->ai_family != AF_INET) || list->ai_addr->sa_family != list->ai_family ||
            (family != AF_UNSPEC && list->ai_family != family))
            return wrong("a family that was not asked for");
        if (list->ai_addrlen != (is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)))
            return wrong("a length that is none");
        const uint8_t *address =
            is_v6 ? ((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr.s6_addr
                  : (const uint8_t *)&((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr;
        if (strict && !mark(i, is_v6, address, &seen[is_v6]))
            return wrong("an address that was never published for this name");
        if (++counts[is_v6] > NW_SLOT_BYTES / 4)
            return wrong("a list without end");
    }
    for (int v6 = 0; strict && v6 < 2; v6++)
        if ((family == AF_UNSPEC || family == (v6 ? AF_INET6 : AF_INET)) && counts[v6] != count_of(i, v6))
            return wrong("fewer addresses than were published");
    return LOOK_HIT;
}

static enum look look_by_list(unsigned i, int family, bool strict) {
    char name[NW_NAME_BYTES_MAX + 1];
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME}, *list;
    name_of(i, name);
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return LOOK_MISS;
    enum look look = judge_list(i, family, list, strict);
    freeaddrinfo(list);
    return look;
}

static enum look look_up(unsigned i, enum way way, bool strict) {
    switch (way) {
    case BY_HOSTENT:
    case BY_HOSTENT6:
        return look_by_hostent(i, way == BY_HOSTENT6, strict);
    case BY_LIST4:
        return look_by_list(i, AF_INET, strict);
    case BY_LIST6:
        return look_by_list(i, AF_INET6, strict);
    default:
        return look_by_list(i, AF_UNSPEC, strict);
    }
}

/* Whether a whole table has an address to give for it. */
static bool has_hit(unsigned i, enum way way, int slots[NAMES][2]) {
    bool a = way == BY_HOSTENT || way == BY_LIST4, aaaa = way == BY_HOSTENT6 || way == BY_LIST6;
    if (way == BY_LIST)
        a = aaaa = true;
    if ((a && slots[i][0] < 0) || (aaaa && slots[i][1] < 0))
        return false;
    return (a && count_of(i, 0)) || (aaaa && count_of(i, 1));
}

#endif
