/* getnameinfo. The host's name is from the cache; services and addresses as text are the real function's, which looks
 * nothing up for them. */
#include "lookup.h"
#include <netinet/in.h>
#include <string.h>

static int look(const struct sockaddr *address, socklen_t length, int flags, struct question *question) {
    int own_flags = NI_NUMERICSERV | NI_NAMEREQD | NI_DGRAM;
    if (!on_glibc())
        own_flags |= NI_NOFQDN; /* glibc looks for the machine's own domain; musl does nothing */
    if (!address || length < sizeof address->sa_family || flags & ~own_flags)
        return TO_LIBC;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address->sa_family == AF_INET && length >= sizeof v4) {
        memcpy(&v4, address, sizeof v4);
        return name_find(AF_INET, (const uint8_t *)&v4.sin_addr, question);
    }
    if (address->sa_family == AF_INET6 && length >= sizeof v6) {
        memcpy(&v6, address, sizeof v6);
        return v6.sin6_scope_id == 0 ? name_find(AF_INET6, v6.sin6_addr.s6_addr, question) : TO_LIBC;
    }
    return TO_LIBC;
}

static int ask_libc(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size, char *service,
                    socklen_t service_size, int flags) {
    int (*libc)(const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int) = real(REAL_GETNAMEINFO);
    if (libc)
        return libc(address, length, host, host_size, service, service_size, flags);
    no_libc();
    return EAI_SYSTEM;
}

EXPORT int getnameinfo(const struct sockaddr *restrict address, socklen_t length, char *restrict host,
                       socklen_t host_size, char *restrict service, socklen_t service_size, int flags) {
    struct question question;
    int outcome = libc_is_whole() && host && host_size > 0 ? look(address, length, flags, &question) : TO_LIBC;
    if (outcome == NW_OUTCOME_TEMPORARY && on_glibc() && !glibc_since(24)) /* it may take that for a lack of a name */
        outcome = TO_LIBC;
    if (outcome == TO_LIBC)
        return ask_libc(address, length, host, host_size, service, service_size, flags);

    if (on_glibc())
        errors_behind_address(0, outcome); /* what libc does below may leave something else */
    if (outcome == NW_OUTCOME_DATA) {
        size_t bytes = strlen(question.spelled) + 1;
        if (bytes > host_size)
            return EAI_OVERFLOW;
        memcpy(host, question.spelled, bytes);
        return service && service_size > 0 ? ask_libc(address, length, NULL, 0, service, service_size, flags) : 0;
    }
    if (outcome == NW_OUTCOME_TEMPORARY && on_glibc())
        return EAI_AGAIN;
    if (flags & NI_NAMEREQD)
        return EAI_NONAME;
    return ask_libc(address, length, host, host_size, service, service_size, flags | NI_NUMERICHOST);
}
