/* Where the kernel would send from, and how much of two addresses is the same. */
#include "lookup.h"
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        if (a[i] != b[i])
            return i * 8 + (unsigned)__builtin_clz((unsigned)(a[i] ^ b[i]) << 24);
    return bytes * 8;
}

/* The address that the kernel would send from, v4-mapped for v4. Nothing is sent: a datagram socket's connect() only
 * looks the route up. One socket serves all destinations of a family; the caller closes it. */
bool source_of(const struct destination *destination, uint8_t source[16], int *fd) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = destination->port};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = destination->port};
    bool is_v4 = destination->family == AF_INET;
    void *address = is_v4 ? (void *)&v4 : (void *)&v6;
    socklen_t length = is_v4 ? sizeof v4 : sizeof v6;
    memcpy(&v4.sin_addr, destination->address, 4);
    memcpy(&v6.sin6_addr, destination->address, 16);
    if (*fd < 0)
        *fd = socket(destination->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    else
        connect(*fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
    if (*fd < 0 || connect(*fd, address, length) != 0 || getsockname(*fd, address, &length) != 0)
        return false;
    memset(source, 0, 16);
    if (is_v4) {
        source[10] = source[11] = 0xff;
        memcpy(source + 12, &v4.sin_addr, 4);
    } else {
        memcpy(source, &v6.sin6_addr, 16);
    }
    return true;
}
