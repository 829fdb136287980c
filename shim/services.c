/* The service of a getaddrinfo call: which socket types and protocols, and the port. Numbers are read here; for a word
 * the real getaddrinfo is asked, without a node, since only it knows the container's list. */
#include "lookup.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const struct service DEFAULTS[] = {
    {SOCK_STREAM, IPPROTO_TCP, 0}, {SOCK_DGRAM, IPPROTO_UDP, 0}, {SOCK_RAW, 0, 0}};

/* glibc offers raw sockets too, where musl stops after two. */
static size_t choose(int socktype, int protocol, struct service *services) {
    if (socktype == 0 && protocol == 0) {
        size_t count = on_glibc() ? 3 : 2;
        memcpy(services, DEFAULTS, count * sizeof *services);
        return count;
    }
    for (int i = 0; i < 2; i++)
        if ((socktype == 0 || socktype == DEFAULTS[i].socktype) &&
            (protocol == 0 || protocol == DEFAULTS[i].protocol)) {
            services[0] = DEFAULTS[i];
            return 1;
        }
    return 0;
}

static bool ask_libc(const char *service, int socktype, int protocol, int flags, struct service *services,
                     size_t *count) {
    int (*libc)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = real(REAL_GETADDRINFO);
    void (*libc_free)(struct addrinfo *) = real(REAL_FREEADDRINFO);
    struct addrinfo hints = {.ai_family = AF_INET,
                             .ai_socktype = socktype,
                             .ai_protocol = protocol,
                             .ai_flags = (flags & AI_NUMERICSERV) | AI_PASSIVE},
                    *list = NULL;
    if (!libc || !libc_free)
        return false;
    struct guard guard = guard_enter();
    int error = libc(NULL, service, &hints, &list);
    guard_leave(guard);
    if (error)
        return false; /* libc says so before it looks any name up */
    *count = 0;
    bool fits = true;
    for (const struct addrinfo *entry = list; entry; entry = entry->ai_next) {
        fits = fits && *count < SERVICES_MAX && entry->ai_family == AF_INET;
        if (fits)
            services[(*count)++] =
                (struct service){entry->ai_socktype, entry->ai_protocol,
                                 ((const struct sockaddr_in *)(const void *)entry->ai_addr)->sin_port};
    }
    libc_free(list);
    return fits && *count > 0;
}

bool services_find(const char *service, int socktype, int protocol, int flags, struct service *services,
                   size_t *count) {
    *count = choose(socktype, protocol, services);
    if (*count == 0)
        return false; /* the rarer transports differ from version to version */
    if (!service)
        return true;
    unsigned port = 0;
    size_t digits = strspn(service, "0123456789");
    if (digits == 0 || service[digits])
        return service[0] >= 'a' && service[0] <= 'z' && /* or else spaces and signs, which strtoul reads, or nothing */
               ask_libc(service, socktype, protocol, flags, services, count);
    for (size_t i = 0; i < digits && port <= UINT16_MAX; i++)
        port = port * 10 + (unsigned)(service[i] - '0');
    if (port > UINT16_MAX)
        return false;
    for (size_t i = 0; i < *count; i++)
        services[i].port = htons((uint16_t)port);
    return true;
}
