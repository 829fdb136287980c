/* getaddrinfo's result in this libc's shape. glibc: each entry its own malloc, so that libc's freeaddrinfo is right
 * even for a caller that does not reach ours. musl: one block; since musl's freeaddrinfo does arithmetic on its own
 * entries, ours has to know ours apart. */
#include "lookup.h"
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static socklen_t address_bytes(const struct destination *destination) {
    return destination->family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void write_address(const struct destination *destination, uint16_t port, void *into) {
    if (destination->family == AF_INET) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
        memcpy(&v4.sin_addr, destination->address, 4);
        memcpy(into, &v4, sizeof v4);
    } else {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
        memcpy(&v6.sin6_addr, destination->address, 16);
        memcpy(into, &v6, sizeof v6);
    }
}

/* Both makers: NULL when memory is short, with nothing left over. */
struct addrinfo *addrinfo_glibc(const struct destination *destinations, size_t count, const struct service *services,
                                size_t service_count, int flags, const char *canonical) {
    struct addrinfo *first = NULL, **next = &first;
    for (const struct destination *destination = destinations; destination < destinations + count; destination++) {
        socklen_t bytes = address_bytes(destination);
        for (const struct service *service = services; service < services + service_count; service++) {
            struct addrinfo *entry = *next = malloc(sizeof *entry + bytes);
            if (!entry)
                goto no_memory;
            *entry = (struct addrinfo){.ai_flags = flags,
                                       .ai_family = destination->family,
                                       .ai_socktype = service->socktype,
                                       .ai_protocol = service->protocol,
                                       .ai_addrlen = bytes,
                                       .ai_addr = (struct sockaddr *)(void *)(entry + 1)};
            write_address(destination, service->port, entry->ai_addr);
            next = &entry->ai_next;
        }
    }
    if (first && canonical) {
        size_t bytes = strlen(canonical) + 1;
        first->ai_canonname = malloc(bytes);
        if (!first->ai_canonname)
            goto no_memory;
        memcpy(first->ai_canonname, canonical, bytes);
    }
    return first;
no_memory:
    addrinfo_free(first);
    return NULL;
}

/* Where musl's own entries have a sockaddr, and so AF_INET or AF_INET6 in the first two bytes, ours have a mark. That
 * place can be read in either. */
struct own_entry {
    struct addrinfo info;
    uint16_t not_a_family;
    _Atomic uint32_t references; /* of the whole block, in its first entry */
    uint64_t mark;
    uint32_t place;
    struct sockaddr_in6 address;
};
#define NOT_A_FAMILY 0xffff
#define MARK 0x6e616d6577656c6cu

static bool is_own(const struct addrinfo *info) {
    uint16_t family_or_mark;
    memcpy(&family_or_mark, (const char *)info + offsetof(struct own_entry, not_a_family), sizeof family_or_mark);
    return family_or_mark == NOT_A_FAMILY &&
           ((const struct own_entry *)(const void *)info)->mark == (MARK ^ (uintptr_t)info);
}

struct addrinfo *addrinfo_musl(const struct destination *destinations, size_t count, const struct service *services,
                               size_t service_count, const char *canonical) {
    size_t entries = count * service_count, canonical_bytes = strlen(canonical) + 1;
    struct own_entry *block = malloc(entries * sizeof *block + canonical_bytes);
    if (!block)
        return NULL;
    char *canonical_copy = (char *)(block + entries);
    memcpy(canonical_copy, canonical, canonical_bytes);
    for (size_t i = 0; i < entries; i++) {
        const struct destination *destination = &destinations[i / service_count];
        const struct service *service = &services[i % service_count];
        struct own_entry *entry = &block[i];
        memset(entry, 0, sizeof *entry);
        entry->info = (struct addrinfo){.ai_family = destination->family,
                                        .ai_socktype = service->socktype,
                                        .ai_protocol = service->protocol,
                                        .ai_addrlen = address_bytes(destination),
                                        .ai_addr = (struct sockaddr *)(void *)&entry->address,
                                        .ai_canonname = canonical_copy,
                                        .ai_next = i + 1 < entries ? &block[i + 1].info : NULL};
        entry->not_a_family = NOT_A_FAMILY;
        entry->mark = MARK ^ (uintptr_t)&entry->info;
        entry->place = (uint32_t)i;
        write_address(destination, service->port, &entry->address);
    }
    atomic_store_explicit(&block->references, (uint32_t)entries, memory_order_relaxed);
    return &block->info;
}

/* A caller may free the two halves of a list apart, so each entry gives up one reference to its block. */
static struct addrinfo *free_own(struct addrinfo *info) {
    struct addrinfo *next = info->ai_next;
    struct own_entry *entry = (struct own_entry *)(void *)info, *block = entry - entry->place;
    if (atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1)
        free(block);
    return next;
}

void addrinfo_free(struct addrinfo *info) {
    if (!info)
        return; /* musl would crash */
    void (*libc)(struct addrinfo *) = real(REAL_FREEADDRINFO);
    if (!libc_is_whole()) {
        if (libc)
            libc(info);
        return;
    }
    bool glibc = on_glibc();
    while (!glibc && info && is_own(info))
        if (!(info = free_own(info)))
            return;
    if (libc) {
        libc(info);
        return;
    }
    while (glibc && info) { /* it frees no otherwise */
        struct addrinfo *next = info->ai_next;
        free(info->ai_canonname);
        free(info);
        info = next;
    }
}
